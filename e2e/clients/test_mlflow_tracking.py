"""MLflow's client records runs: params, tags, each point of a metric, datasets, files; deletes, restores."""

import math
import time
from pathlib import Path

import matplotlib.pyplot
import mlflow
import numpy
import pandas
import pytest
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow_fixtures import Project, all_pages
from registry import contents_of

matplotlib.use("agg")


def test_a_run_has_all_that_was_logged(project: Project, experiment: str):
    with mlflow.start_run(run_name="fine", tags={"team": "ocr"}, description="**bold**") as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({"depth": 3, "optimizer/name": "adam 🦀", "empty": ""})
        mlflow.log_metric("accuracy", 0.5, step=1)
        mlflow.log_metrics({"accuracy": 0.75, "loss": 1e-300}, step=2)
        mlflow.set_tag("stage", "x" * 8000)
        mlflow.set_tags({"a b": "ü", "number": 7})
    found = mlflow.get_run(run.info.run_id)
    assert (found.info.run_name, found.info.status, found.info.experiment_id) == (
        "fine",
        "FINISHED",
        experiment,
    )
    assert found.info.lifecycle_stage == "active"
    assert found.info.start_time <= found.info.end_time <= time.time() * 1000
    assert found.data.params == {"lr": "0.1", "depth": "3", "optimizer/name": "adam 🦀", "empty": ""}
    assert found.data.metrics == {"accuracy": 0.75, "loss": 1e-300}
    expected = {
        "team": "ocr",
        "stage": "x" * 8000,
        "a b": "ü",
        "number": "7",
        "mlflow.note.content": "**bold**",
    }
    assert expected.items() <= found.data.tags.items()
    assert {"mlflow.user", "mlflow.source.name", "mlflow.source.type"} <= found.data.tags.keys()


def test_a_run_is_resumed_renamed_and_fails(project: Project, experiment: str):
    with pytest.raises(ZeroDivisionError), mlflow.start_run() as run:
        1 / 0
    assert mlflow.get_run(run.info.run_id).info.status == "FAILED"
    with mlflow.start_run(run_id=run.info.run_id):
        assert mlflow.get_run(run.info.run_id).info.status == "RUNNING"
        mlflow.log_metric("late", 1)
    project.client.update_run(run.info.run_id, name="second try")
    found = mlflow.get_run(run.info.run_id)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "second try")
    assert found.data.tags["mlflow.runName"] == "second try"
    project.client.set_terminated(run.info.run_id, "KILLED", end_time=5)
    assert mlflow.get_run(run.info.run_id).info.end_time == 5


def test_runs_are_nested(project: Project, experiment: str):
    with mlflow.start_run(run_name="parent") as parent:
        for name in ["one", "two"]:
            with mlflow.start_run(run_name=name, nested=True):
                mlflow.log_metric("m", 1)
    children = mlflow.search_runs(
        [experiment], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", output_format="list"
    )
    assert [run.info.run_name for run in children] == ["two", "one"]
    assert mlflow.get_parent_run(children[0].info.run_id).info.run_name == "parent"


VALUES = [2.5, math.nan, math.inf, -math.inf, 5e-324, -1e308, 0.1 + 0.2, 0]


def test_every_point_of_a_metric_is_kept(project: Project, experiment: str):
    with mlflow.start_run() as run:
        for step, value in enumerate(VALUES):
            mlflow.log_metric("loss", value, step=step, timestamp=1000 + step)
    history = project.client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.timestamp) for point in history] == [(n, 1000 + n) for n in range(len(VALUES))]
    for point, value in zip(history, VALUES):
        if math.isinf(value):
            # MLflow keeps the largest number there is; what is no smaller reads as infinite for its users.
            assert math.copysign(1, point.value) == math.copysign(1, value) and abs(point.value) >= 1.797e308
        else:
            assert point.value == value or math.isnan(point.value) and math.isnan(value)
    assert project.client.get_metric_history(run.info.run_id, "nothing") == []


def test_a_long_history_comes_in_pages(project: Project, experiment: str):
    run_id = project.client.create_run(experiment).info.run_id
    for start in range(0, 3000, 1000):
        points = [Metric("loss", step / 7, 1000 + step, step) for step in range(start, start + 1000)]
        project.client.log_batch(run_id, metrics=points)
    history = project.client.get_metric_history(run_id, "loss")
    assert [point.step for point in history] == list(range(3000))
    assert mlflow.get_run(run_id).data.metrics == {"loss": 2999 / 7}


def test_a_batch_is_logged_whole_or_not_at_all(project: Project, experiment: str):
    run_id = project.client.create_run(experiment).info.run_id
    metrics = [Metric("m", step, step, step) for step in range(800)]
    params = [Param(f"p{number}", "v" * 6000) for number in range(100)]
    project.client.log_batch(run_id, metrics, params, [RunTag(f"t{number}", "v") for number in range(100)])
    before = mlflow.get_run(run_id)
    assert (len(before.data.params), before.data.metrics) == (100, {"m": 799})
    store = project.client._tracking_client.store
    refused = [
        # Straight to the server, because the client would cut them into pieces, or say so itself.
        {"metrics": [Metric("n", 1, 1, 1)] * 1001, "params": [], "tags": []},
        {"metrics": [], "params": [Param(f"q{number}", "v") for number in range(101)], "tags": []},
        {"metrics": [], "params": [], "tags": [RunTag(f"u{number}", "v") for number in range(101)]},
        {
            "metrics": [Metric("n", 1, 1, 1)],
            "params": [Param("p0", "changed")],
            "tags": [RunTag("late", "x")],
        },
        {"metrics": [Metric("n" * 251, 1, 1, 1)], "params": [Param("new", "v")], "tags": []},
    ]
    for batch in refused:
        with pytest.raises(MlflowException) as raised:
            store.log_batch(run_id, **batch)
        assert raised.value.error_code == "INVALID_PARAMETER_VALUE"
    after = mlflow.get_run(run_id)
    assert after.data.to_dictionary() == before.data.to_dictionary()


def test_params_are_written_once(project: Project, experiment: str):
    run_id = project.client.create_run(experiment).info.run_id
    project.client.log_param(run_id, "lr", "0.1")
    project.client.log_param(run_id, "lr", "0.1")
    with pytest.raises(MlflowException, match="Changing param values is not allowed"):
        project.client.log_param(run_id, "lr", "0.2")
    assert mlflow.get_run(run_id).data.params == {"lr": "0.1"}


def test_datasets_are_inputs_of_a_run(project: Project, experiment: str):
    table = pandas.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]})
    training = mlflow.data.from_pandas(table, source="s3://bucket/iris.csv", name="iris", targets="y")
    held_out = mlflow.data.from_numpy(numpy.arange(6.0).reshape(2, 3), name="held out")
    with mlflow.start_run() as run:
        mlflow.log_input(training, context="training", tags={"split": "a"})
        mlflow.log_input(held_out, context="evaluation")
        mlflow.log_input(training, context="training")
    inputs = {found.dataset.name: found for found in mlflow.get_run(run.info.run_id).inputs.dataset_inputs}
    assert inputs.keys() == {"iris", "held out"}
    iris = inputs["iris"]
    assert (iris.dataset.digest, iris.dataset.source_type) == (training.digest, "s3")
    assert iris.dataset.schema and iris.dataset.profile == '{"num_rows": 2, "num_elements": 4}'
    assert {tag.key: tag.value for tag in iris.tags} == {"mlflow.data.context": "training", "split": "a"}
    assert mlflow.data.get_source(iris).uri == "s3://bucket/iris.csv"


def test_experiments_are_made_renamed_tagged_deleted_and_restored(project: Project):
    client = project.client
    project.use()
    experiment = mlflow.create_experiment("made", tags={"team": "ocr"})
    with pytest.raises(MlflowException) as raised:
        mlflow.create_experiment("made")
    assert raised.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.rename_experiment(experiment, "renamed")
    client.set_experiment_tag(experiment, "phase", "two")
    client.delete_experiment_tag(experiment, "team")
    found = client.get_experiment_by_name("renamed")
    assert (found.experiment_id, found.lifecycle_stage, found.tags) == (
        experiment,
        "active",
        {"phase": "two"},
    )
    assert client.get_experiment_by_name("made") is None
    run_id = client.create_run(experiment).info.run_id

    client.delete_experiment(experiment)
    assert client.get_experiment(experiment).lifecycle_stage == "deleted"
    assert experiment not in [found.experiment_id for found in client.search_experiments()]
    assert experiment in [found.experiment_id for found in client.search_experiments(ViewType.DELETED_ONLY)]
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    with pytest.raises(MlflowException) as raised:
        client.create_run(experiment)
    assert raised.value.error_code == "INVALID_PARAMETER_VALUE"
    with pytest.raises(MlflowException) as raised:
        client.log_metric(run_id, "m", 1)
    assert raised.value.error_code == "INVALID_PARAMETER_VALUE"

    client.restore_experiment(experiment)
    assert client.get_experiment(experiment).name == "renamed"
    client.log_metric(run_id, "m", 1)
    with pytest.raises(MlflowException) as raised:
        client.get_experiment("999999")
    assert raised.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_a_run_is_deleted_and_restored(project: Project, experiment: str):
    client = project.client
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1)
        mlflow.log_text("kept", "kept.txt")
    run_id = run.info.run_id
    mlflow.delete_run(run_id)
    assert client.search_runs([experiment]) == []
    assert [found.info.run_id for found in client.search_runs([experiment], "", ViewType.DELETED_ONLY)] == [
        run_id
    ]
    with pytest.raises(MlflowException) as raised:
        client.set_tag(run_id, "k", "v")
    assert raised.value.error_code == "INVALID_PARAMETER_VALUE"
    client.restore_run(run_id)
    assert client.get_run(run_id).data.metrics == {"m": 1}
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/kept.txt") == "kept"
    with pytest.raises(MlflowException) as raised:
        client.get_run("0" * 32)
    assert raised.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_figures_texts_and_folders_go_up_and_come_down(project: Project, experiment: str, tmp_path: Path):
    sent = tmp_path / "sent"
    for path in ["a.txt", "deep/er/b.bin", "deep/sp ace ü.txt", "empty.txt"]:
        (sent / path).parent.mkdir(parents=True, exist_ok=True)
        (sent / path).write_bytes(b"" if "empty" in path else path.encode() * 1000)
    figure, axes = matplotlib.pyplot.subplots()
    axes.plot([1, 2], [3, 4])
    with mlflow.start_run() as run:
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": [1, "ü"]}, "config.json")
        mlflow.log_dict({"a": 1}, "config.yaml")
        mlflow.log_figure(figure, "plots/loss.png")
        mlflow.log_image(numpy.zeros((4, 4, 3), dtype=numpy.uint8), "black.png")
        mlflow.log_table({"question": ["?"], "answer": ["!"]}, "table.json")
        mlflow.log_artifacts(sent, "folder")
        mlflow.log_artifact(sent / "a.txt")
        mlflow.log_text("again", "notes/hello.txt")
    run_id, client = run.info.run_id, project.client

    def listed(path: str | None = None) -> dict:
        # Of an empty file the client says None.
        return {
            found.path: found.is_dir or found.file_size or 0 for found in client.list_artifacts(run_id, path)
        }

    assert listed().keys() == {
        "a.txt", "black.png", "config.json", "config.yaml", "folder", "notes", "plots", "table.json"
    }  # fmt: skip
    assert (listed()["folder"], listed()["a.txt"]) == (True, 5000)
    assert listed("folder") == {"folder/a.txt": 5000, "folder/deep": True, "folder/empty.txt": 0}
    assert listed("folder/deep") == {"folder/deep/er": True, "folder/deep/sp ace ü.txt": 18000}
    assert listed("a.txt") == listed("nothing") == {}
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/hello.txt") == "again"
    assert mlflow.artifacts.load_dict(f"runs:/{run_id}/config.json") == {"a": [1, "ü"]}
    assert mlflow.artifacts.load_image(f"runs:/{run_id}/plots/loss.png").size[0] > 100
    assert len(mlflow.load_table("table.json", [run_id])) == 1
    down = mlflow.artifacts.download_artifacts(
        run_id=run_id, artifact_path="folder", dst_path=tmp_path / "down"
    )
    assert contents_of(Path(down)) == contents_of(sent)
    everything = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/", dst_path=tmp_path / "all")
    assert len(contents_of(Path(everything))) == 11
    with pytest.raises(Exception, match="nothing.txt|not found|No such"):
        mlflow.artifacts.download_artifacts(f"runs:/{run_id}/nothing.txt")


def test_files_are_deleted(project: Project, experiment: str):
    with mlflow.start_run() as run:
        for path in ["a.txt", "folder/b.txt", "folder/deep/c.txt"]:
            mlflow.log_text("x", path)
        repository = mlflow.store.artifact.artifact_repository_registry.get_artifact_repository(
            mlflow.get_artifact_uri()
        )
    repository.delete_artifacts("folder")
    assert [found.path for found in project.client.list_artifacts(run.info.run_id)] == ["a.txt"]


@pytest.mark.parametrize("key", ["/a", "a/../b", "..", "a*b", "a\tb", "k" * 251])
def test_a_bad_key_is_refused(project: Project, experiment: str, key: str):
    run_id = project.client.create_run(experiment).info.run_id
    before = mlflow.get_run(run_id).data.to_dictionary()
    store = project.client._tracking_client.store
    writes = [
        lambda: store.set_tag(run_id, RunTag(key, "v")),
        lambda: store.log_param(run_id, Param(key, "v")),
        lambda: store.log_metric(run_id, Metric(key, 1, 1, 1)),
    ]
    for write in writes:
        with pytest.raises(MlflowException) as raised:
            write()
        assert raised.value.error_code == "INVALID_PARAMETER_VALUE"
    assert mlflow.get_run(run_id).data.to_dictionary() == before


def test_many_runs_are_found_page_by_page(project: Project, experiment: str):
    made = [
        project.client.create_run(experiment, run_name=f"run {number}").info.run_id for number in range(25)
    ]
    found = all_pages(project.client.search_runs, experiment_ids=[experiment], max_results=4)
    assert sorted(run.info.run_id for run in found) == sorted(made)
    assert len(mlflow.search_runs([experiment])) == 25


def test_an_experiment_has_its_artifacts_in_a_place_of_its_own(project: Project, tmp_path: Path):
    """Below `mlflow-artifacts:/` all of them are here: the runs' are theirs, and what is of no run is the project's."""
    client = project.client
    location = "mlflow-artifacts:/teams/readers"
    experiment = client.create_experiment("with a place", artifact_location=location)
    assert client.get_experiment(experiment).artifact_location == location
    with mlflow.start_run(experiment_id=experiment) as run:
        assert run.info.artifact_uri == f"{location}/{run.info.run_id}/artifacts"
        mlflow.log_text("flavors: {}\n", "model/MLmodel")
        mlflow.log_figure(matplotlib.pyplot.figure(), "plot.png")
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["model", "plot.png"]
    down = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/model")
    assert contents_of(Path(down)).keys() == {"MLmodel"}
    version = mlflow.register_model(f"runs:/{run.info.run_id}/model", "placed")
    assert version.run_id == run.info.run_id
    down = mlflow.artifacts.download_artifacts(f"models:/placed/{version.version}", dst_path=tmp_path)
    assert Path(down, "MLmodel").read_text() == "flavors: {}\n"

    repository = mlflow.store.artifact.artifact_repository_registry.get_artifact_repository(f"{location}/shared")
    (tmp_path / "words.txt").write_text("a b c")
    repository.log_artifact(str(tmp_path / "words.txt"), "lists")
    assert [(file.path, file.file_size) for file in repository.list_artifacts("lists")] == [("lists/words.txt", 5)]
    uri = f"{location}/shared/lists/words.txt"
    assert mlflow.artifacts.load_text(uri) == "a b c"
    assert mlflow.artifacts.list_artifacts(f"{location}/shared")[0].is_dir
    repository.delete_artifacts("lists")
    assert repository.list_artifacts() == []
