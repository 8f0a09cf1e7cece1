"""A client of another age: mlflow-skinny 2.19, which knows neither logged models nor presigned addresses."""

import os
import sys
from pathlib import Path

from mlflow_fixtures import Project, run_session
from registry import contents_of

PYTHON = os.environ.get("MLFLOW2_PYTHON", f"{sys.prefix}-mlflow2/bin/python")
SCRIPT = Path(__file__).with_name("mlflow2_session.py")


def test_it_logs_registers_and_fetches(project: Project, tmp_path: Path):
    found = run_session(PYTHON, SCRIPT, project.uri, tmp_path)
    down = found.pop("down")
    aliases = {name: str(version) for name, version in found.pop("aliases").items()}
    assert found == {
        "client": "2.19.0",
        "run": ["old", "FINISHED", {"lr": "0.1", "depth": "3"}, "ocr"],
        "metrics": {"loss": 1 / 3, "accuracy": 0.5},
        "history": [[0, 1.0], [1, 0.5], [2, 1 / 3]],
        "files": ["images", "model", "notes"],
        "images": ["images/dog"],
        "text": "hello",
        "version": ["1", True, "READY"],
        "copied": "1",
        "found": ["old", "old too"],
        "runs": ["old"],
    }
    assert aliases == {"champion": "1"}
    for name, folder in down.items():
        contents = contents_of(Path(folder))
        # The client's own note of where it came from.
        contents.pop("registered_model_meta")
        assert contents == contents_of(tmp_path / "sent" / "model"), name
