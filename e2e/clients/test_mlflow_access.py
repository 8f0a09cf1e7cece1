"""Who may what with MLflow's client: developer, guest and stranger; tokens, passwords, all addresses."""

from collections.abc import Callable
from dataclasses import dataclass

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow_fixtures import (
    ADMIN_PASSWORD,
    CREATE_PROJECT,
    Project,
    create_project,
    credentials,
    project_token,
)
from registry import Refused, Server

PASSWORD = "ada's very long password"
INVITE = "mutation($username: String!) { inviteUser(input: {username: $username}) { invitation { url } } }"
ACCEPT = """mutation($secret: String!, $password: String!) {
  acceptInvitation(input: {secret: $secret, password: $password}) { user { username } } }"""
ADD = """mutation($project: String!, $username: String!) {
  addMember(input: {project: $project, username: $username, role: DEVELOPER}) { member { role } } }"""


@dataclass
class House:
    """A project with one of each thing."""

    project: Project
    experiment: str
    run_id: str
    model_id: str


@pytest.fixture(scope="module")
def house(project: Project, ours: Server) -> House:
    client = project.client
    experiment = client.create_experiment("house")
    run_id = client.create_run(experiment).info.run_id
    client.log_text(run_id, "flavors: {}\n", "model/MLmodel")
    client.log_param(run_id, "lr", "0.1")
    client.create_registered_model("house")
    client.create_model_version("house", f"runs:/{run_id}/model", run_id)
    client.set_registered_model_alias("house", "champion", "1")
    model = client.create_logged_model(experiment, "net")
    client.finalize_logged_model(model.model_id, "READY")
    return House(project, experiment, run_id, model.model_id)


def reads(house: House) -> dict[str, Callable]:
    client = house.project.client
    return {
        "an experiment": lambda: client.get_experiment(house.experiment).name,
        "a run": lambda: client.get_run(house.run_id).data.to_dictionary(),
        "runs": lambda: len(client.search_runs([house.experiment])),
        "files": lambda: [file.path for file in client.list_artifacts(house.run_id)],
        "a file": lambda: mlflow.artifacts.load_text(f"runs:/{house.run_id}/model/MLmodel"),
        "a model": lambda: str(client.get_registered_model("house")),
        "versions": lambda: str(client.search_model_versions("name = 'house'")),
        "a version's files": lambda: len(mlflow.artifacts.list_artifacts("models:/house@champion")),
        "a logged model": lambda: client.get_logged_model(house.model_id).name,
    }


def writes(house: House) -> dict[str, Callable]:
    client = house.project.client
    return {
        "create an experiment": lambda: client.create_experiment("forbidden"),
        "rename an experiment": lambda: client.rename_experiment(house.experiment, "forbidden"),
        "delete an experiment": lambda: client.delete_experiment(house.experiment),
        "create a run": lambda: client.create_run(house.experiment),
        "log a metric": lambda: client.log_metric(house.run_id, "m", 1),
        "log a param": lambda: client.log_param(house.run_id, "p", 1),
        "set a tag": lambda: client.set_tag(house.run_id, "k", "v"),
        "end a run": lambda: client.set_terminated(house.run_id),
        "delete a run": lambda: client.delete_run(house.run_id),
        "log a file": lambda: client.log_text(house.run_id, "x", "forbidden.txt"),
        "create a model": lambda: client.create_registered_model("forbidden"),
        "describe a model": lambda: client.update_registered_model("house", "forbidden"),
        "rename a model": lambda: client.rename_registered_model("house", "forbidden"),
        "delete a model": lambda: client.delete_registered_model("house"),
        "create a version": lambda: client.create_model_version("house", "s3://bucket/x"),
        "tag a version": lambda: client.set_model_version_tag("house", "1", "k", "v"),
        "stage a version": lambda: client.transition_model_version_stage("house", "1", "Production"),
        "delete a version": lambda: client.delete_model_version("house", "1"),
        "move an alias": lambda: client.set_registered_model_alias("house", "champion", "1"),
        "delete an alias": lambda: client.delete_registered_model_alias("house", "champion"),
        "create a logged model": lambda: client.create_logged_model(house.experiment, "forbidden"),
        "fail a logged model": lambda: client.finalize_logged_model(house.model_id, "FAILED"),
        "delete a logged model": lambda: client.delete_logged_model(house.model_id),
    }


def state(house: House) -> dict:
    """All that is there, as the developer sees it."""
    with credentials(token=house.project.token):
        found = {what: read() for what, read in reads(house).items()}
        found["experiments"] = [experiment.name for experiment in house.project.client.search_experiments()]
        found["models"] = [model.name for model in house.project.client.search_registered_models()]
        return found


def refusal(action: Callable) -> str:
    """The code with which something is refused; files come with the status of HTTP alone."""
    with pytest.raises(Exception) as raised:
        action()
    if isinstance(raised.value, MlflowException) and raised.value.error_code != "INTERNAL_ERROR":
        return raised.value.error_code
    [code] = [name for status, name in STATUSES.items() if f"{status} Client Error" in str(raised.value)]
    return code


STATUSES = {"401": "UNAUTHENTICATED", "403": "PERMISSION_DENIED", "404": "RESOURCE_DOES_NOT_EXIST"}


@pytest.mark.filterwarnings("ignore:.*stage:FutureWarning")
def test_a_guest_reads_and_changes_nothing(house: House, ours: Server):
    before = state(house)
    with credentials(token=project_token(ours, house.project.name, "GUEST")):
        for what, read in reads(house).items():
            assert read() == before[what], what
        for what, write in writes(house).items():
            assert refusal(write) == "PERMISSION_DENIED", what
    assert state(house) == before


@pytest.mark.filterwarnings("ignore:.*stage:FutureWarning")
def test_for_a_stranger_nothing_is_there(house: House, ours: Server):
    before = state(house)
    stranger = create_project(ours, f"{house.project.name}-elsewhere", "MAINTAINER")
    with credentials(token=stranger.token):
        for what, action in (reads(house) | writes(house)).items():
            assert refusal(action) == "RESOURCE_DOES_NOT_EXIST", what
    assert state(house) == before


def test_who_does_not_sign_in_or_signs_in_wrongly_is_told(house: House):
    for wrong in [{}, {"token": "wrong"}, {"username": "admin", "password": "wrong"}]:
        with credentials(**wrong):
            assert refusal(lambda: house.project.client.get_run(house.run_id)) == "UNAUTHENTICATED"


@pytest.fixture(scope="module")
def ada(house: House, ours: Server) -> str:
    """A person with a password of her own, who is a developer of the project."""
    link = ours.graphql(INVITE, username="ada")["inviteUser"]["invitation"]["url"]
    ours.graphql(ACCEPT, secret=link.split("#", 1)[1], password=PASSWORD)
    ours.graphql(ADD, project=house.project.name, username="ada")
    return "ada"


def test_a_password_works_and_so_does_a_token_in_its_place(house: House, ada: str):
    for given in [
        {"username": ada, "password": PASSWORD},
        {"username": "anything", "password": house.project.token},
        # Of both, the client sends these.
        {"username": ada, "password": PASSWORD, "token": "wrong"},
        {"username": "admin", "password": ADMIN_PASSWORD},
    ]:
        with credentials(**given):
            run = house.project.client.create_run(house.experiment)
            house.project.client.log_text(run.info.run_id, "x", "x.txt")
            assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/x.txt") == "x"


def test_gitlabs_address_is_the_same_place(house: House, ours: Server):
    uri = f"{ours.url}/api/v4/projects/{house.project.name}/ml/mlflow"
    client = mlflow.MlflowClient(uri, uri)
    assert client.get_run(house.run_id).info.run_id == house.run_id
    mlflow.set_tracking_uri(uri)
    try:
        mlflow.set_experiment(experiment_id=house.experiment)
        with mlflow.start_run() as run:
            mlflow.log_text("x", "x.txt")
        assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/x.txt") == "x"
        assert len(mlflow.artifacts.list_artifacts("models:/house/1")) == 1
    finally:
        house.project.use()
    assert house.project.client.get_run(run.info.run_id).info.status == "FINISHED"


def test_a_workspace_is_a_project_of_the_bare_address(house: House, ours: Server):
    mlflow.set_tracking_uri(ours.url)
    try:
        mlflow.set_workspace(house.project.name)
        client = mlflow.MlflowClient()
        assert client.get_run(house.run_id).info.run_id == house.run_id
        assert house.project.name in [workspace.name for workspace in mlflow.list_workspaces()]
        mlflow.set_experiment(experiment_id=house.experiment)
        with mlflow.start_run() as run:
            mlflow.log_text("x", "x.txt")
        assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/x.txt") == "x"
        assert mlflow.artifacts.list_artifacts("models:/house@champion")[0].path == "MLmodel"
    finally:
        mlflow.set_workspace(None)
        house.project.use()
    assert house.project.client.get_run(run.info.run_id).info.status == "FINISHED"


def test_without_a_workspace_the_bare_address_is_the_project_default(house: House, ours: Server):
    try:
        ours.graphql(CREATE_PROJECT, path="default")
    except Refused as refused:
        assert refused.code == "ALREADY_EXISTS", refused
    default = Project("default", ours.url, project_token(ours, "default", "DEVELOPER"))
    with credentials(token=default.token):
        run_id = default.client.create_run("0").info.run_id
        there = mlflow.MlflowClient(f"{ours.url}/mlflow/default", f"{ours.url}/mlflow/default")
        assert there.get_run(run_id).info.run_id == run_id
        assert refusal(lambda: default.client.get_run(house.run_id)) == "RESOURCE_DOES_NOT_EXIST"
