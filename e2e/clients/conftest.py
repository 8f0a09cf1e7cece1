"""Servers for the tests: one for the whole run, and others that a test may kill."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from registry import BINARY, Server, remove

pytest_plugins = ["mlflow_fixtures"]


def pytest_sessionstart() -> None:
    if not Path(BINARY).is_file():
        pytest.exit(f"no {BINARY}: run 'make build' first", returncode=1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The release binary with an empty data folder, shared by all tests: each uses its own project."""
    folder = tmp_path_factory.mktemp("server")
    server = Server.start(folder / "data", folder / "server.log")
    try:
        yield server
    finally:
        server.stop()
        remove(server.data)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of the test's own, each time on the same data."""
    data, servers = tmp_path / "data", []

    def start(*flags: str) -> Server:
        servers.append(Server.start(data, tmp_path / "server.log", *flags))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()
    remove(data)
