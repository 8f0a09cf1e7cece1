"""Three servers as one registry behind a real proxy, under steady load: while all are upgraded one by one, and while
one after another is killed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import httpx
import psycopg
import pytest
import registry
from caddy import Caddy
from load import MODEL, Load, lacking
from mlflow_fixtures import CLIENT_SETTINGS, POSTGRES, database
from nginx import Nginx
from proxy import free_port
from registry import BINARY, Server, each_at_once, wait_for

STORAGE = os.environ.get("MODEL_REGISTRY_TEST_STORAGE")
BEFORE = os.environ.get("MODEL_REGISTRY_BEFORE")
PROXIES = {"nginx": Nginx, "caddy": Caddy}

pytestmark = [
    pytest.mark.rare,
    pytest.mark.skipif(
        not POSTGRES or not STORAGE, reason="needs scripts/with-postgres and scripts/with-juicefs"
    ),
    pytest.mark.parametrize("proxy", PROXIES),
]


class Fleet:
    """Three servers with the same database and the same bucket, and a proxy before them."""

    def __init__(self, folder: Path, proxy: str):
        self.folder = folder
        self.ports = [free_port() for _ in range(3)]
        port = free_port()
        self.proxy = PROXIES[proxy].before(self.ports, folder / proxy, port)
        self.servers = {}

    def begin(self, binary: str) -> None:
        for number in range(3):
            self.start(number, binary)
        # Caddy looks every second.
        ready = f"{self.proxy.url}/readyz"
        wait_for(lambda: httpx.get(ready, trust_env=False).status_code == 200, "the proxy has seen them")

    def start(self, number: int, binary: str) -> None:
        url = f"http://127.0.0.1:{self.ports[number]}"
        flags = ["--listen", url.removeprefix("http://"), "--public-url", self.proxy.url]
        log = self.folder / f"server-{number}.log"
        server = Server.start(self.folder / f"data-{number}", log, *flags, through=url, binary=binary)
        self.servers[number] = server
        wait_for(lambda: server.http.get("/readyz").json()["state"] == "ready", f"server {number} is ready")

    def schema(self) -> int:
        with psycopg.connect(registry.ENVIRONMENT["MODEL_REGISTRY_DATABASE"]) as connection:
            return connection.execute("SELECT MAX(number) FROM migrations").fetchone()[0]

    def stop(self) -> None:
        self.proxy.stop()
        each_at_once(Server.kill, list(self.servers.values()))


def bucket() -> str:
    """A folder of its own in the object store."""
    address, _, settings = STORAGE.partition("?")
    return f"{address}/fleet-{uuid4().hex}?{settings}"


@contextmanager
def fleet(folder: Path, proxy: str, binary: str) -> Iterator[tuple[Fleet, Load]]:
    """One with a load on it; afterwards, nothing failed and all is there."""
    with database("postgres") as settings, patch.dict(os.environ, CLIENT_SETTINGS):
        settings |= {"MODEL_REGISTRY_STORAGE": bucket()}
        with patch.dict(registry.ENVIRONMENT, settings):
            fleet = Fleet(folder, proxy)
            try:
                fleet.begin(binary)
                with load_on(fleet) as load:
                    yield fleet, load
            finally:
                fleet.stop()


@contextmanager
def load_on(fleet: Fleet) -> Iterator[Load]:
    first = fleet.servers[0]
    first.create_model(MODEL)
    first.create_version(MODEL, "0.1.0")
    load = Load(fleet.proxy.url, first.token)
    try:
        load.begin()
        load.goes_on()
        assert not load.tally.reasons, "nothing happened yet"
        yield load
        load.goes_on()
    finally:
        load.end()
        print(f"\n{type(fleet.proxy).__name__}\n{load.tally.summary()}")
    failures = load.tally.failures
    assert not failures, "\n".join(failures[:20])
    for server in fleet.servers.values():
        assert lacking(load.known, server.http) == []
        assert [path.name for path in server.data.iterdir()] == ["lock"], "servers of a fleet keep nothing themselves"


@pytest.mark.skipif(not BEFORE, reason="needs the program of before: scripts/test-upgrade")
def test_a_rolling_upgrade(proxy: str, tmp_path: Path):
    with fleet(tmp_path, proxy, BEFORE) as (ours, load):
        before = ours.schema()
        for number in range(3):
            assert ours.servers[number].stop() == 0
            ours.start(number, BINARY)
            load.goes_on()
        print(f"\nfrom schema {before} to {ours.schema()}")


def test_a_server_that_is_killed(proxy: str, tmp_path: Path):
    with fleet(tmp_path, proxy, BINARY) as (ours, load):
        for number in range(3):
            ours.servers[number].kill()
            load.goes_on()
            ours.start(number, BINARY)
            load.goes_on()
