"""MLflow's client trains, logs, registers and promotes models, and loads them by every name that it knows."""

from pathlib import Path

import mlflow
import numpy
import pytest
import yaml
from mlflow.exceptions import MlflowException
from mlflow_fixtures import Project
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

FLOWERS, KINDS = load_iris(return_X_y=True, as_frame=True)
# Else each logging starts a Python of its own, to find out what the model imports.
REQUIREMENTS = ["scikit-learn"]


def trained(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=300).fit(FLOWERS, KINDS)


def log_model(strength: float, name: str | None = None, **options) -> mlflow.models.model.ModelInfo:
    return mlflow.sklearn.log_model(
        trained(strength),
        name="model",
        registered_model_name=name,
        input_example=FLOWERS.head(2),
        pip_requirements=REQUIREMENTS,
        **options,
    )


@pytest.fixture(scope="module")
def iris(project: Project) -> str:
    """A registered model with three versions, that differ: weak, weaker, weakest."""
    mlflow.set_experiment("iris")
    for strength in [1, 0.01, 0.0001]:
        with mlflow.start_run():
            log_model(strength, "iris")
    return "iris"


def predicts_like(uri: str, strength: float) -> bool:
    """The probabilities, which tell models from each other better than the kinds."""
    loaded = mlflow.sklearn.load_model(uri).predict_proba(FLOWERS)
    return numpy.array_equal(loaded, trained(strength).predict_proba(FLOWERS))


def test_it_is_logged_registered_and_loaded(project: Project, experiment: str):
    with mlflow.start_run() as run:
        info = log_model(1, "flowers", params={"C": 1}, tags={"team": "ocr"}, model_type="classifier")
        mlflow.log_metric("accuracy", 0.97, model_id=info.model_id)
    assert info.registered_model_version == "1"
    version = project.client.get_model_version("flowers", "1")
    assert (version.status, version.run_id) == ("READY", run.info.run_id)
    assert version.source == f"models:/{info.model_id}"

    model = mlflow.get_logged_model(info.model_id)
    assert (model.status, model.model_type, model.source_run_id) == ("READY", "classifier", run.info.run_id)
    assert (model.params, model.tags["team"]) == ({"C": "1"}, "ocr")
    assert {metric.key: metric.value for metric in model.metrics} == {"accuracy": 0.97}
    [output] = mlflow.get_run(run.info.run_id).outputs.model_outputs
    assert output.model_id == info.model_id
    assert [model.model_id for model in mlflow.search_logged_models([experiment], output_format="list")] == [
        info.model_id
    ]

    uris = ["models:/flowers/1", "models:/flowers/latest", info.model_uri, f"runs:/{run.info.run_id}/model"]
    for uri in uris:
        assert predicts_like(uri, 1), uri
    kinds = mlflow.pyfunc.load_model("models:/flowers/1").predict(FLOWERS)
    assert numpy.array_equal(kinds, trained(1).predict(FLOWERS))


def test_what_a_model_takes_and_gives_is_known(project: Project, iris: str, tmp_path: Path):
    info = mlflow.models.get_model_info(f"models:/{iris}/1")
    assert info.signature.inputs.input_names() == list(FLOWERS.columns)
    assert {"sklearn", "python_function"} <= info.flavors.keys()
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{iris}/1", dst_path=tmp_path))
    assert yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["sklearn"]
    assert "scikit-learn" in (folder / "requirements.txt").read_text()


def test_autolog_logs_a_run_and_a_model(project: Project, experiment: str):
    mlflow.sklearn.autolog(registered_model_name="auto", log_datasets=True)
    try:
        with mlflow.start_run() as run:
            model = trained(0.5)
            score = model.score(FLOWERS, KINDS)
    finally:
        mlflow.sklearn.autolog(disable=True)
    found = mlflow.get_run(run.info.run_id)
    assert found.data.params["C"] == "0.5"
    assert found.data.metrics["training_score"] == score
    assert found.data.tags["estimator_name"] == "LogisticRegression"
    assert len(found.inputs.dataset_inputs) == 1
    files = {file.path for file in project.client.list_artifacts(run.info.run_id)}
    assert {"estimator.html", "training_confusion_matrix.png"} <= files
    assert predicts_like("models:/auto/1", 0.5)


def test_aliases_move(project: Project, iris: str):
    client = project.client
    client.set_registered_model_alias(iris, "champion", "1")
    assert predicts_like(f"models:/{iris}@champion", 1)
    client.set_registered_model_alias(iris, "champion", "2")
    client.set_registered_model_alias(iris, "Best-1_x", 2)
    assert predicts_like(f"models:/{iris}@champion", 0.01)
    assert sorted(client.get_model_version(iris, "2").aliases) == ["Best-1_x", "champion"]
    assert client.get_registered_model(iris).aliases == {"champion": "2", "Best-1_x": "2"}
    assert client.get_model_version_by_alias(iris, "champion").version == "2"
    client.delete_registered_model_alias(iris, "Best-1_x")
    client.delete_registered_model_alias(iris, "nothing")
    assert client.get_registered_model(iris).aliases == {"champion": "2"}
    for alias in ["latest", "v1", "a b", "a" * 256, ""]:
        with pytest.raises(MlflowException) as raised:
            client.set_registered_model_alias(iris, alias, "1")
        assert raised.value.error_code == "INVALID_PARAMETER_VALUE"
    with pytest.raises(MlflowException) as raised:
        client.get_model_version_by_alias(iris, "nothing")
    assert raised.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.filterwarnings("ignore:.*stage:FutureWarning")
def test_stages_move_and_archive(project: Project, iris: str):
    client = project.client

    def stages() -> dict[str, str]:
        found = client.search_model_versions(f"name = '{iris}'")
        return {version.version: version.current_stage for version in found}

    assert stages() == {"1": "None", "2": "None", "3": "None"}
    client.transition_model_version_stage(iris, "1", "Staging")
    client.transition_model_version_stage(iris, "2", "staging")
    assert stages() == {"1": "Staging", "2": "Staging", "3": "None"}
    assert predicts_like(f"models:/{iris}/Staging", 0.01)
    client.transition_model_version_stage(iris, "3", "Staging", archive_existing_versions=True)
    assert stages() == {"1": "Archived", "2": "Archived", "3": "Staging"}
    client.transition_model_version_stage(iris, "1", "Production", archive_existing_versions=True)
    assert stages() == {"1": "Production", "2": "Archived", "3": "Staging"}
    assert predicts_like(f"models:/{iris}/production", 1)
    assert predicts_like(f"models:/{iris}/latest", 0.0001)
    latest = {version.current_stage: version.version for version in client.get_latest_versions(iris)}
    assert latest == {"Production": "1", "Archived": "2", "Staging": "3"}
    assert [version.version for version in client.get_latest_versions(iris, ["Production"])] == ["1"]
    with pytest.raises(MlflowException) as raised:
        client.transition_model_version_stage(iris, "1", "Somewhere")
    assert raised.value.error_code == "INVALID_PARAMETER_VALUE"
    with pytest.raises(MlflowException):
        mlflow.sklearn.load_model(f"models:/{iris}/None")


def test_tags_and_descriptions_change(project: Project, iris: str):
    client = project.client
    before = client.get_registered_model(iris)
    client.update_registered_model(iris, "# Iris")
    client.update_model_version(iris, "1", "The *first*")
    client.set_registered_model_tag(iris, "team", "botany")
    client.set_registered_model_tag(iris, "long", "x" * 100_000)
    client.set_model_version_tag(iris, "1", "checked by", "ada")
    client.set_model_version_tag(iris, "1", "gone", "x")
    client.delete_model_version_tag(iris, "1", "gone")
    model, version = client.get_registered_model(iris), client.get_model_version(iris, "1")
    assert (model.description, version.description) == ("# Iris", "The *first*")
    assert model.tags == {"team": "botany", "long": "x" * 100_000}
    assert version.tags == {"checked by": "ada"}
    assert model.creation_timestamp == before.creation_timestamp
    assert model.last_updated_timestamp >= before.last_updated_timestamp
    client.delete_registered_model_tag(iris, "long")
    assert client.get_registered_model(iris).tags == {"team": "botany"}
    for write in [
        lambda: client.set_registered_model_tag(iris, "k", "x" * 100_001),
        lambda: client.set_registered_model_tag(iris, "k" * 251, "x"),
        lambda: client.set_model_version_tag(iris, "1", "/k", "x"),
    ]:
        with pytest.raises(MlflowException) as raised:
            write()
        assert raised.value.error_code == "INVALID_PARAMETER_VALUE"


def test_a_version_is_copied(project: Project, iris: str):
    client = project.client
    copy = client.copy_model_version(f"models:/{iris}/2", "copies")
    assert (copy.name, copy.version, copy.source) == ("copies", "1", f"models:/{iris}/2")
    assert copy.run_id == client.get_model_version(iris, "2").run_id
    again = client.copy_model_version("models:/copies/1", "copies")
    assert predicts_like("models:/copies/1", 0.01)
    assert predicts_like(f"models:/copies/{again.version}", 0.01)


def test_a_model_is_renamed_and_deleted(project: Project, experiment: str):
    client = project.client
    with mlflow.start_run():
        log_model(1, "before")
    client.set_registered_model_alias("before", "champion", 1)
    client.create_registered_model("taken")
    with pytest.raises(MlflowException) as raised:
        client.rename_registered_model("before", "taken")
    assert raised.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.rename_registered_model("before", "after")
    assert predicts_like("models:/after@champion", 1)
    # The old name leads on: code that registers by it makes versions of the renamed model.
    assert client.get_registered_model("before").name == "after"
    assert predicts_like("models:/before@champion", 1)

    client.create_model_version("after", "s3://bucket/2")
    client.delete_model_version("after", "2")
    with pytest.raises(MlflowException) as raised:
        client.get_model_version("after", "2")
    assert raised.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    # Numbers are not used again.
    assert client.create_model_version("after", "s3://bucket/3").version == "3"
    client.delete_registered_model("after")
    with pytest.raises(MlflowException) as raised:
        client.get_registered_model("after")
    assert raised.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert client.search_model_versions("name = 'after'") == []
    client.create_registered_model("after")


def test_a_foreign_source_is_kept_as_it_is(project: Project):
    client = project.client
    client.create_registered_model("elsewhere")
    for source in ["s3://bucket/model", "gs://bucket/a b/ü", "dbfs:/databricks/model"]:
        version = client.create_model_version("elsewhere", source, run_link="https://ci.example.org/1")
        assert (version.source, version.status, version.run_link) == (
            source,
            "READY",
            "https://ci.example.org/1",
        )
        assert client.get_model_version_download_uri("elsewhere", version.version) == source
        copy = client.copy_model_version(f"models:/elsewhere/{version.version}", "elsewhere copy")
        assert client.get_model_version_download_uri("elsewhere copy", copy.version) == source


def test_what_is_there_or_is_not_there_is_said_so(project: Project, iris: str):
    client = project.client
    for make, code in [
        (lambda: client.create_registered_model(iris), "RESOURCE_ALREADY_EXISTS"),
        (lambda: client.create_registered_model("a/b"), "INVALID_PARAMETER_VALUE"),
        (lambda: client.create_registered_model("a:b"), "INVALID_PARAMETER_VALUE"),
        (lambda: client.create_registered_model(""), "INVALID_PARAMETER_VALUE"),
        (lambda: client.create_model_version("nothing", "s3://b/x"), "RESOURCE_DOES_NOT_EXIST"),
        (lambda: client.get_model_version(iris, "99"), "RESOURCE_DOES_NOT_EXIST"),
        (lambda: client.delete_registered_model("nothing"), "RESOURCE_DOES_NOT_EXIST"),
        (lambda: mlflow.sklearn.load_model("models:/nothing/1"), "RESOURCE_DOES_NOT_EXIST"),
        (lambda: mlflow.get_logged_model("m-" + "0" * 32), "RESOURCE_DOES_NOT_EXIST"),
    ]:
        with pytest.raises(MlflowException) as raised:
            make()
        assert raised.value.error_code == code
