"""Fills an MLflow database as the benchmark fills ours: 10,000 models, and one with 5,000 versions."""

import sqlite3
import sys

from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingStore

path, artifacts = sys.argv[1:]
TrackingStore(f"sqlite:///{path}", artifacts)
SqlAlchemyStore(f"sqlite:///{path}")
database = sqlite3.connect(path)
with database:
    database.executemany(
        "INSERT INTO registered_models (name, creation_time, last_updated_time) VALUES (?, 1, 1)",
        [(f"model-{number:05}",) for number in range(10_000)],
    )
    database.executemany(
        "INSERT INTO model_versions (name, version, creation_time, last_updated_time, current_stage, source,"
        " storage_location, status) VALUES ('model-00000', ?, ?, ?, 'None', 's3://b/m', 's3://b/m', 'READY')",
        [(number, number, number) for number in range(1, 5001)],
    )
