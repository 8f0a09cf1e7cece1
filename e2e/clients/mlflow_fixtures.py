"""What MLflow's client is tried with: our server on each database, and a project of it for each test module.

With MLFLOW_SUBJECT=mlflow it is MLflow's own server instead, which shows that what the tests expect is what
MLflow does; tests of what only ours can do are skipped then.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import mlflow
import psycopg
import pytest
import registry
from mlflow import MlflowClient
from mlflow_server import MlflowServer
from registry import CREATE_PROJECT, Server, remove

IS_MLFLOW = os.environ.get("MLFLOW_SUBJECT") == "mlflow"
POSTGRES = os.environ.get("MODEL_REGISTRY_TEST_POSTGRES")
ADMIN_PASSWORD = "correct horse battery staple"
CREATE_TOKEN = """mutation($project: String!, $role: Role!) {
  createProjectToken(input: {project: $project, name: "e2e", role: $role}) { secret } }"""
# A developer's own settings must not lead a test elsewhere, and an error is to be seen at once, not after
# minutes of trying again.
CLIENT_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "NO_PROXY": "127.0.0.1",
}
# What these say of their own code and of each other is nothing that we could change.
NOISY = ["mlflow", "sklearn"]
CREDENTIALS = ["MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"]


def pytest_configure(config: pytest.Config) -> None:
    for package in NOISY:
        config.addinivalue_line("filterwarnings", rf"ignore::Warning:{package}\.")


@dataclass
class Project:
    """A project as MLflow's client is told of it."""

    name: str
    uri: str
    token: str | None
    client: MlflowClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = MlflowClient(self.uri, self.uri)

    def use(self) -> None:
        """Makes it the one that the functions of `mlflow` go to."""
        use_credentials({"MLFLOW_TRACKING_TOKEN": self.token} if self.token else {})
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)


@pytest.fixture(scope="session", params=["mlflow"] if IS_MLFLOW else ["sqlite", "postgres"])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
            patched.delenv(name)
        for name, value in CLIENT_SETTINGS.items():
            patched.setenv(name, value)
        if request.param == "mlflow":
            server = MlflowServer.start(folder)
            yield server
            server.stop()
            remove(folder)
        else:
            with database(request.param) as settings:
                # Only while it starts: other tests start servers, too.
                with patch.dict(registry.ENVIRONMENT, settings):
                    server = Server.start(folder / "data", folder / "server.log")
                yield server
                server.stop()
                remove(server.data)


@contextmanager
def database(kind: str) -> Iterator[dict[str, str]]:
    """The settings of a server with an empty database of that kind."""
    settings = {"MODEL_REGISTRY_ADMIN_PASSWORD": ADMIN_PASSWORD}
    if kind == "sqlite":
        yield settings
        return
    if POSTGRES is None:
        pytest.skip("needs a PostgreSQL: scripts/with-postgres")
    name = f"mlflow_{uuid4().hex}"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield settings | {"MODEL_REGISTRY_DATABASE": f"{POSTGRES.rsplit('/', 1)[0]}/{name}"}
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def ours(subject) -> Server:
    """Our server, for what MLflow's does not have."""
    if IS_MLFLOW:
        pytest.skip("MLflow's own server does not have this")
    return subject


@pytest.fixture(scope="module")
def project(subject, request: pytest.FixtureRequest) -> Iterator[Project]:
    """A project of the test module's own, and a token of a developer in it, which `mlflow` then uses."""
    name = request.module.__name__.removeprefix("test_").replace("_", "-")
    made = Project(name, subject.url, None) if IS_MLFLOW else create_project(subject, name)
    made.use()
    yield made
    while mlflow.active_run():
        mlflow.end_run()
    use_credentials({})


@pytest.fixture
def experiment(project: Project, request: pytest.FixtureRequest) -> str:
    """The id of an experiment of the test's own, where its runs go."""
    project.use()
    return mlflow.set_experiment(f"{project.name}: {request.node.name}").experiment_id


def create_project(server: Server, name: str, role: str = "DEVELOPER") -> Project:
    server.graphql(CREATE_PROJECT, path=name)
    return Project(name, f"{server.url}/mlflow/{name}", project_token(server, name, role))


def project_token(server: Server, name: str, role: str) -> str:
    return server.graphql(CREATE_TOKEN, project=name, role=role)["createProjectToken"]["secret"]


def use_credentials(credentials: dict[str, str]) -> None:
    for name in CREDENTIALS:
        os.environ.pop(name, None)
    os.environ.update(credentials)


@contextmanager
def credentials(**given: str) -> Iterator[None]:
    """Other credentials for a while: `token=`, or `username=` and `password=`."""
    before = {name: os.environ[name] for name in CREDENTIALS if name in os.environ}
    use_credentials({f"MLFLOW_TRACKING_{name.upper()}": value for name, value in given.items()})
    try:
        yield
    finally:
        use_credentials(before)


def run_session(python: str, script: Path, *arguments: str | Path):
    """What another client finds: the last line that a script prints, run by that client's Python. It signs in as
    the test's own client does.
    """
    done = subprocess.run([python, script, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def all_pages(search, **arguments) -> list:
    """What a search finds, page by page to the end."""
    found, token = [], None
    while True:
        page = search(page_token=token, **arguments)
        assert len(page) <= arguments.get("max_results", len(page))
        found += page
        token = page.token
        if not token:
            return found
        assert page, "an empty page says that more follow"
