"""What MLflow lacks, with its own client: SemVer and ranges, versions that never change, GitLab's way."""

from pathlib import Path

import httpx
import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow_fixtures import Project, create_project
from registry import CREATE_MODEL, Refused, Server, contents_of

VERSION = """query($model: String!, $ref: String!) { model(path: $model) { version(ref: $ref) {
  version number state description aliases { name } tags { key value } params { name value }
  metrics { name value } candidate { runId } fileCount } } }"""
SET_ALIAS = """mutation($model: String!, $name: String!, $version: String!) {
  setAlias(input: {model: $model, name: $name, version: $version}) { alias { name } } }"""
VERSIONS = """query($model: String!) { model(path: $model) {
  versions(orderBy: {field: CREATED_AT, direction: ASC}) { nodes { number version state } } } }"""
CANDIDATES = """query($model: String!) { model(path: $model) { candidates { nodes {
  number runId name status metrics { name value } fileCount } } } }"""
PROMOTE = """mutation($model: String!, $version: String!) {
  promoteCandidate(input: {model: $model, candidate: 1, version: $version}) { modelVersion { state } } }"""


@pytest.fixture
def run(project: Project, experiment: str) -> mlflow.ActiveRun:
    """A finished run with two files in its folder `model`."""
    with mlflow.start_run() as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_metric("accuracy", 0.97)
        mlflow.log_text("flavors: {}\n", "model/MLmodel")
        mlflow.log_text("weights", "model/data/weights.bin")
    return run


def register(
    project: Project,
    name: str,
    run: mlflow.ActiveRun,
    semver: str | None = None,
    tag: str = "registry.version",
):
    """A version of the run's files, of a model that is made where it is missing."""
    if not project.client.search_registered_models(f"name = '{name}'"):
        project.client.create_registered_model(name)
    run_id = run.info.run_id
    tags = {tag: semver} if semver else {}
    return project.client.create_model_version(name, f"runs:/{run_id}/model", run_id, tags)


def weights(uri: str) -> str:
    return Path(mlflow.artifacts.download_artifacts(uri), "data", "weights.bin").read_text()


def version_of(server: Server, path: str, reference: str) -> dict:
    return server.graphql(VERSION, model=path, ref=reference)["model"]["version"]


def test_a_version_has_a_semver_and_is_found_by_it(project: Project, ours: Server, run: mlflow.ActiveRun):
    client, name = project.client, "semver"
    for semver, tag in [(None, ""), ("1.2.0", "registry.version"), ("2.0.0-rc.1", "gitlab.version")]:
        register(project, name, run, semver, tag)
    versions = ours.graphql(VERSIONS, model=f"{project.name}/{name}")["model"]["versions"]["nodes"]
    assert sorted((version["number"], version["version"], version["state"]) for version in versions) == [
        (1, "1.0.0", "PUBLISHED"),
        (2, "1.2.0", "PUBLISHED"),
        (3, "2.0.0-rc.1", "PUBLISHED"),
    ]
    assert client.get_model_version(name, "1.2.0").version == "2"
    assert client.get_model_version(name, "2.0.0-rc.1").version == "3"
    # Here the client wants a number.
    client.set_registered_model_alias(name, "champion", "2")
    assert client.get_model_version_by_alias(name, "champion").version == "2"
    client.update_model_version(name, "1.2.0", "By its name")
    client.set_model_version_tag(name, "1.2.0", "team", "ocr")
    assert version_of(ours, f"{project.name}/{name}", "1.2.0") == {
        "version": "1.2.0",
        "number": 2,
        "state": "PUBLISHED",
        "description": "By its name",
        "aliases": [{"name": "champion"}],
        "tags": [{"key": "registry.version", "value": "1.2.0"}, {"key": "team", "value": "ocr"}],
        "params": [{"name": "lr", "value": "0.1"}],
        "metrics": [{"name": "accuracy", "value": 0.97}],
        "candidate": {"runId": run.info.run_id},
        "fileCount": 2,
    }
    for uri in ["1.2.0", "2", "2.0.0-rc.1", "latest"]:
        assert weights(f"models:/{name}/{uri}") == "weights"
    for uri in ["@champion", "@^1.2", "@~1.2.0"]:
        assert weights(f"models:/{name}{uri}") == "weights"
    assert client.copy_model_version(f"models:/{name}/1.2.0", "semver copy").version == "1"


def test_a_semver_is_checked_and_is_there_once(project: Project, run: mlflow.ActiveRun, ours: Server):
    register(project, "once", run, "1.0.0")
    for semver, code in [
        ("1.0.0", "RESOURCE_ALREADY_EXISTS"),
        ("1.0", "INVALID_PARAMETER_VALUE"),
        ("x", "INVALID_PARAMETER_VALUE"),
    ]:
        with pytest.raises(MlflowException) as raised:
            register(project, "once", run, semver)
        assert raised.value.error_code == code
    assert len(project.client.search_model_versions("name = 'once'")) == 1


def test_a_version_outlives_its_run(project: Project, run: mlflow.ActiveRun, ours: Server):
    """Its files are the run's, stored once; what the run does later changes nothing."""
    blobs = ours.blobs()
    register(project, "lasting", run)
    assert ours.blobs() == blobs
    project.client.log_text(run.info.run_id, "changed", "model/data/weights.bin")
    project.client.log_text(run.info.run_id, "new", "model/new.txt")
    assert weights("models:/lasting/1") == "weights"
    mlflow.delete_run(run.info.run_id)
    folder = Path(mlflow.artifacts.download_artifacts("models:/lasting/1"))
    assert contents_of(folder).keys() - {"registered_model_meta"} == {"MLmodel", "data/weights.bin"}
    assert weights("models:/lasting/1") == "weights"
    assert project.client.get_model_version("lasting", "1").run_id == run.info.run_id


def test_a_version_outlives_its_logged_model(project: Project, experiment: str, ours: Server, tmp_path: Path):
    client = project.client
    model = client.create_logged_model(experiment, "net")
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    client.log_model_artifacts(model.model_id, str(tmp_path))
    client.finalize_logged_model(model.model_id, "READY")
    client.create_registered_model("net")
    client.create_model_version("net", f"models:/{model.model_id}", model_id=model.model_id)
    client.delete_logged_model(model.model_id)
    folder = Path(mlflow.artifacts.download_artifacts("models:/net/1"))
    assert (folder / "MLmodel").read_text() == "flavors: {}\n"


def test_a_finished_model_changes_and_its_versions_never_do(project: Project, experiment: str, tmp_path: Path):
    """As MLflow's documentation has it: a signature is set, and requirements are changed, when a model is there."""

    class Doubled(mlflow.pyfunc.PythonModel):
        def predict(self, model_input: list[float]) -> list[float]:
            return [2 * number for number in model_input]

    with mlflow.start_run() as run:
        info = mlflow.pyfunc.log_model(
            name="doubled", python_model=Doubled(), registered_model_name="doubled", pip_requirements=["numpy"]
        )
    before = contents_of(Path(mlflow.artifacts.download_artifacts("models:/doubled/1", dst_path=tmp_path / "1")))
    signature = mlflow.models.infer_signature([1.0], [2.0], params={"times": 2})
    mlflow.models.set_signature(info.model_uri, signature)
    mlflow.models.update_model_requirements(info.model_uri, "add", ["pandas"])
    changed = mlflow.models.get_model_info(info.model_uri)
    assert "times" in str(changed.signature.params)
    requirements = mlflow.pyfunc.get_model_dependencies(info.model_uri)
    assert "pandas" in Path(requirements).read_text()
    # The run shows the model as it is, and what was made of it before is as it was.
    shown = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/doubled/MLmodel")
    assert "times" in Path(shown).read_text()
    after = contents_of(Path(mlflow.artifacts.download_artifacts("models:/doubled/1", dst_path=tmp_path / "2")))
    assert after == before
    second = mlflow.register_model(info.model_uri, "doubled")
    assert "times" in str(mlflow.models.get_model_info(f"models:/doubled/{second.version}").signature.params)


def test_gitlab_publishes_when_the_run_ends(project: Project, ours: Server, tmp_path: Path):
    """As GitLab's manual says: an empty version, whose run takes what is logged."""
    client = project.client
    client.create_registered_model("gitlab", description="As GitLab has it")
    version = client.create_model_version("gitlab", source="", tags={"gitlab.version": "3.1.0"})
    assert version.run_id
    path = f"{project.name}/gitlab"
    assert version_of(ours, path, "3.1.0")["state"] == "DRAFT"
    (tmp_path / "model.bin").write_bytes(b"weights")
    client.log_artifact(version.run_id, str(tmp_path / "model.bin"), artifact_path="")
    client.log_artifacts(version.run_id, str(tmp_path), artifact_path="deep/er")
    client.log_metric(version.run_id, "accuracy", 0.5)
    client.log_param(version.run_id, "lr", "0.1")
    client.set_terminated(version.run_id)
    found = version_of(ours, path, "3.1.0")
    assert (found["state"], found["fileCount"]) == ("PUBLISHED", 2)
    assert found["params"] == [{"name": "lr", "value": "0.1"}]
    assert found["metrics"] == [{"name": "accuracy", "value": 0.5}]
    folder = Path(mlflow.artifacts.download_artifacts("models:/gitlab/3.1.0"))
    assert contents_of(folder).keys() - {"registered_model_meta"} == {"model.bin", "deep/er/model.bin"}
    with pytest.raises(Exception, match="409|400|RESOURCE_CONFLICT|INVALID"):
        client.log_artifact(version.run_id, str(tmp_path / "model.bin"), artifact_path="late")
    assert ours.http.get(f"/files/{path}/3.1.0/model.bin").content == b"weights"


def test_what_graphql_made_is_complete_for_the_client(project: Project, ours: Server, tmp_path: Path):
    path = f"{project.name}/made elsewhere"
    ours.create_model(path)
    ours.create_version(path, "1.4.2")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "weights.bin").write_text("theirs")
    ours.upload(f"{path}/1.4.2", tmp_path)
    ours.publish(path, "1.4.2")
    ours.graphql(SET_ALIAS, model=path, name="champion", version="1.4.2")
    version = project.client.get_model_version_by_alias("made elsewhere", "champion")
    assert (version.version, version.status, version.aliases) == ("1", "READY", ["champion"])
    for uri in ["/1", "/1.4.2", "@champion", "@^1", "/latest"]:
        assert weights(f"models:/made elsewhere{uri}") == "theirs"


def test_a_run_of_a_models_experiment_is_its_candidate(project: Project, ours: Server):
    project.client.create_registered_model("trained")
    project.use()
    mlflow.set_experiment("[model]trained")
    with mlflow.start_run(run_name="best") as run:
        mlflow.log_metric("accuracy", 0.5)
        mlflow.log_text("w", "data/weights.bin")
    path = f"{project.name}/trained"
    found = ours.graphql(CANDIDATES, model=path)["model"]["candidates"]["nodes"]
    assert found == [
        {
            "number": 1,
            "runId": run.info.run_id,
            "name": "best",
            "status": "FINISHED",
            "metrics": [{"name": "accuracy", "value": 0.5}],
            "fileCount": 1,
        }
    ]
    ours.graphql(PROMOTE, model=path, version="5.0.0")
    version = project.client.get_model_version("trained", "5.0.0")
    assert (version.run_id, weights("models:/trained/5.0.0")) == (run.info.run_id, "w")


@pytest.fixture(scope="module")
def foreign_run(project: Project, ours: Server) -> str:
    """A run of a project that this developer sees nothing of."""
    foreign = create_project(ours, f"{project.name}-foreign")
    foreign.use()
    run_id = foreign.client.create_run("0").info.run_id
    foreign.client.log_text(run_id, "secret", "model/weights.bin")
    project.use()
    return run_id


def test_foreign_and_wandering_sources_are_refused(project: Project, run: mlflow.ActiveRun, foreign_run: str):
    client, run_id = project.client, run.info.run_id
    client.create_registered_model("careful")
    root = mlflow.get_run(run_id).info.artifact_uri
    refused = [
        (f"runs:/{foreign_run}/model", foreign_run),
        (f"runs:/{run_id}/model", foreign_run),
        (f"runs:/{foreign_run}/model", run_id),
        (f"runs:/{run_id}/../{foreign_run}/artifacts", run_id),
        (f"{root}/../../{foreign_run}/artifacts", run_id),
        (f"{root}/%2e%2e/%2e%2e/{foreign_run}/artifacts", run_id),
        (root.replace(run_id, foreign_run), run_id),
        (f"models:/m-{'0' * 32}", None),
        ("/etc/passwd", None),
        ("file:///etc/passwd", run_id),
        ("../../etc", run_id),
    ]
    for source, of in refused:
        with pytest.raises(MlflowException) as raised:
            client.create_model_version("careful", source, of)
        assert raised.value.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"), source
    assert client.search_model_versions("name = 'careful'") == []


def test_a_foreign_path_is_not_reached(project: Project, ours: Server, foreign_run: str):
    """By the artifacts' proxy, with the token of another project."""
    headers = {"authorization": f"Bearer {project.token}"}
    with httpx.Client(base_url=project.uri, headers=headers, trust_env=False) as client:
        for path in [
            f"0/{foreign_run}/artifacts/model/weights.bin",
            f"%2e%2e/%2e%2e/{project.name}-foreign/0/{foreign_run}/artifacts/model/weights.bin",
            f"..%2f..%2f{project.name}-foreign/0/{foreign_run}/artifacts/model/weights.bin",
        ]:
            for method in ["GET", "PUT", "DELETE"]:
                answer = client.request(method, f"/api/2.0/mlflow-artifacts/artifacts/{path}")
                assert answer.status_code in (400, 404), (method, path)
                assert b"secret" not in answer.content


def test_a_refusal_of_graphql_is_one_here_too(project: Project, run: mlflow.ActiveRun, ours: Server):
    """Both interfaces have the same rules: a name that one refuses the other refuses too."""
    for name in ["a/b", "a:b", "a@b", "a#b", "a?b", "a%b", "a\\b", "a\nb", "x" * 256]:
        with pytest.raises(MlflowException) as raised:
            project.client.create_registered_model(name)
        assert raised.value.error_code == "INVALID_PARAMETER_VALUE", name
        with pytest.raises(Refused) as refused:
            ours.graphql(CREATE_MODEL, project=project.name, name=name)
        assert refused.value.code == "INVALID"
