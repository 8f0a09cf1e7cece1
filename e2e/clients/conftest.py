"""The release binary, on a free port with an empty data folder, for the whole run."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = os.environ.get("MODEL_REGISTRY_BIN", str(TARGET / "release" / "model-registry"))
# A developer's own settings must not lead a test to a database that is in use.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MODEL_REGISTRY_")}


@dataclass
class Server:
    url: str
    data: Path
    token: str

    def client(self, **options) -> httpx.Client:
        """A client that is signed in as admin."""
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, **options)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("data")
    log_path = tmp_path_factory.mktemp("log") / "server.log"
    address = f"127.0.0.1:{free_port()}"
    with open(log_path, "wb") as log:
        command = [BINARY, "serve", "--listen", address, "--data", str(data)]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=ENVIRONMENT)
    try:
        wait_until_ready(process, f"http://{address}", log_path)
        yield Server(url=f"http://{address}", data=data, token=make_token(data))
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(process: subprocess.Popen, url: str, log_path: Path) -> None:
    for _ in range(100):
        try:
            if httpx.get(f"{url}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.1)
    pytest.exit(f"the server does not become ready:\n{log_path.read_text()}", returncode=1)


def make_token(data: Path) -> str:
    command = [BINARY, "token", "--user", "admin", "--name", "e2e", "--data", str(data)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    return result.stdout.strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
