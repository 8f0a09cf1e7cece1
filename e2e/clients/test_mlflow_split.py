"""A split registry: runs go to MLflow's own server, models to ours."""

from collections.abc import Iterator

import mlflow
import numpy
import pytest
from mlflow_fixtures import IS_MLFLOW, Project
from mlflow_server import MlflowServer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    server = MlflowServer.start(tmp_path_factory.mktemp("tracking"))
    yield server
    server.stop()


@pytest.mark.skipif(IS_MLFLOW, reason="between two servers of MLflow it does not work")
def test_a_model_that_was_tracked_elsewhere_is_registered_here(project: Project, tracking: MlflowServer):
    """What our server cannot resolve it keeps as it is, so that the client finds it where it is."""
    flowers, kinds = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=300).fit(flowers, kinds)
    project.use()
    mlflow.set_tracking_uri(tracking.url)
    mlflow.set_registry_uri(project.uri)
    try:
        mlflow.set_experiment(f"split {project.uri}")
        with mlflow.start_run() as run:
            logged = mlflow.sklearn.log_model(
                model, name="model", registered_model_name="split", pip_requirements=["scikit-learn"]
            )
        client = mlflow.MlflowClient()
        version = client.get_model_version("split", "1")
        # Whose run it was the client leaves to the tracking server, which this one does not ask.
        assert version.source == f"models:/{logged.model_id}"
        assert project.client.get_model_version_download_uri("split", "1") == version.source
        client.set_registered_model_alias("split", "champion", 1)
        for uri in ["models:/split/1", "models:/split@champion", "models:/split/latest"]:
            loaded = mlflow.sklearn.load_model(uri)
            assert numpy.array_equal(loaded.predict(flowers), model.predict(flowers)), uri
        # By the address of a run, too.
        second = mlflow.register_model(f"runs:/{run.info.run_id}/model", "split")
        assert second.version == "2"
        assert numpy.array_equal(
            mlflow.sklearn.load_model("models:/split/2").predict(flowers), model.predict(flowers)
        )
    finally:
        project.use()
    assert [model.name for model in project.client.search_registered_models()] == ["split"]
