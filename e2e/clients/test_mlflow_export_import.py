"""mlflow-export-import carries experiments, runs and their files between MLflow's own server and ours, both ways.

It asks for what it lists with parameters in the body of a GET, and sends no token beside those of MLflow's own client:
the address has it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow_fixtures import IS_MLFLOW, Project
from mlflow_server import MlflowServer
from registry import contents_of

pytestmark = pytest.mark.skipif(IS_MLFLOW, reason="it is between MLflow's server and ours")
NAMES = ["first", "second one"]
EXPERIMENT = "to be carried"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    server = MlflowServer.start(tmp_path_factory.mktemp("theirs"))
    yield server
    server.stop()


def call(program: str, uri: str, *arguments: str) -> str:
    """Runs a program of mlflow-export-import."""
    command = [sys.executable, "-m", f"mlflow_export_import.bulk.{program}", *arguments]
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri, "MLFLOW_REGISTRY_URI": uri}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_models(client: MlflowClient, folder: Path) -> None:
    """Two models with two versions each, of runs that have params, metrics with histories and files."""
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data").mkdir()
    experiment = client.create_experiment(EXPERIMENT, tags={"team": "ocr"})
    for name in NAMES:
        client.create_registered_model(name, tags={"of": name}, description=f"About {name}")
        for number in ["1", "2"]:
            (folder / "data" / "weights.bin").write_bytes(f"{name} {number}".encode())
            run = client.create_run(experiment, run_name=f"{name} {number}").info
            client.log_param(run.run_id, "lr", "0.1")
            for step in range(3):
                client.log_metric(run.run_id, "loss", 1 / (step + 1), timestamp=step + 1, step=step)
            client.log_artifacts(run.run_id, str(folder), "model")
            client.set_terminated(run.run_id)
            version = client.create_model_version(name, f"{run.artifact_uri}/model", run.run_id)
            assert version.version == number
        client.transition_model_version_stage(name, "2", "Production")


def exported(folder: Path) -> dict:
    """What export-models wrote of each version: `ok` where it has its run."""
    models = {}
    for model in (folder / "models").glob("*/model.json"):
        described = json.loads(model.read_text())["mlflow"]["registered_model"]
        for version in described["versions"]:
            [run] = (folder / "experiments").glob(f"*/{version['run_id']}")
            weights = (run / "artifacts" / "model" / "data" / "weights.bin").read_text()
            is_whole = weights == f"{described['name']} {version['version']}" and (run / "run.json").is_file()
            models[described["name"], version["version"]] = "ok" if is_whole else weights
    return models


def runs_of(client: MlflowClient, uri: str, folder: Path) -> dict:
    """What there is of the runs, by name."""
    mlflow.set_tracking_uri(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment.tags["team"] == "ocr"
    found = {}
    for run in client.search_runs([experiment.experiment_id]):
        history = client.get_metric_history(run.info.run_id, "loss")
        files = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, dst_path=folder / run.info.run_id)
        found[run.info.run_name] = {
            "run": (run.info.status, run.data.params),
            "history": [(point.step, point.timestamp, point.value) for point in history],
            # The program writes the new run's id into this one.
            "files": {path: file for path, file in contents_of(Path(files)).items() if "MLmodel" not in path},
        }
    return found


@pytest.mark.parametrize("way", ["out", "back"])
def test_models_and_runs_are_carried_whole(
    project: Project, theirs: MlflowServer, tmp_path: Path, way: str
):
    # The token of the project as the password of any user.
    ours = MlflowClient(project.uri, project.uri), project.uri.replace("://", f"://any:{project.token}@")
    other = MlflowClient(theirs.url, theirs.url), theirs.url
    if way == "out":
        (source, source_uri), (target, target_uri) = ours, other
        make_models(source, tmp_path / "sent")
        export = ["--output-dir", str(tmp_path / "models"), "--models", "all"]
        assert "2 models exported" in call("export_models", source_uri, *export)
        assert exported(tmp_path / "models") == {(name, number): "ok" for name in NAMES for number in "12"}
    else:
        # What was carried there comes back, under the name that is free again.
        (source, source_uri), (target, target_uri) = other, ours
        target.delete_experiment(target.get_experiment_by_name(EXPERIMENT).experiment_id)
    export = ["--output-dir", str(tmp_path / "export"), "--experiments", EXPERIMENT]
    call("export_experiments", source_uri, *export)
    call("import_experiments", target_uri, "--input-dir", str(tmp_path / "export"))
    before = runs_of(source, source_uri, tmp_path / "before")
    assert len(before) == 4
    assert runs_of(target, target_uri, tmp_path / "after") == before
    project.use()


def test_experiments_here_are_registered_again(project: Project):
    """What import-models refuses wherever files go through a server: the version's source must be on its own disk."""
    client = project.client
    experiment = client.get_experiment_by_name(EXPERIMENT)
    [run] = client.search_runs([experiment.experiment_id], "attributes.run_name = 'first 2'")
    client.create_registered_model("carried")
    version = client.create_model_version("carried", f"runs:/{run.info.run_id}/model")
    assert version.run_id == run.info.run_id
    files = Path(mlflow.artifacts.download_artifacts("models:/carried/1"))
    assert (files / "data" / "weights.bin").read_text() == "first 2"
