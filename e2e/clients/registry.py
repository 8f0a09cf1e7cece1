"""Runs the real server, and says what tests need to know about it."""

import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import httpx

ROOT = Path(__file__).parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = os.environ.get("MODEL_REGISTRY_BIN", str(TARGET / "release" / "model-registry"))
# A developer's own settings must not lead a test to a database that is in use.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MODEL_REGISTRY_")}
START_SECONDS = 60
MIB = 1 << 20

CREATE_PROJECT = "mutation($path: String!) { createProject(input: {path: $path}) { project { path } } }"
CREATE_MODEL = """mutation($project: String!, $name: String!) {
  createModel(input: {project: $project, name: $name}) { model { path } } }"""
CREATE_VERSION = """mutation($model: String!, $version: String) {
  createModelVersion(input: {model: $model, version: $version}) { modelVersion { version number state } } }"""
PUBLISH = """mutation($model: String!, $version: String!) {
  publishModelVersion(input: {model: $model, version: $version}) {
    modelVersion { version state digest fileCount size publishedAt } } }"""
FILES = """query($model: String!, $version: String!, $first: Int, $after: String) {
  model(path: $model) { version(ref: $version) { files(first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { path size sha256 downloadUrl } } } } }"""


class Refused(Exception):
    """What the server said no to: the code, the field and the message of the first error."""

    def __init__(self, error: dict):
        extensions = error.get("extensions") or {}
        self.code, self.field = extensions.get("code"), extensions.get("field")
        self.message = error["message"]
        super().__init__(f"{self.code}, field {self.field}: {self.message}")


@dataclass
class Server:
    """A running `model-registry serve` on a port of its own choice, and a client that is its admin."""

    url: str
    data: Path
    token: str
    process: subprocess.Popen
    http: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.http = self.client()

    @classmethod
    def start(
        cls, data: Path, log_path: Path, *flags: str, through: str | None = None, binary: str = BINARY
    ) -> "Server":
        """Starts one, and returns when it is ready. `through` is where it listens, if `flags` say so."""
        listen = [] if through else ["--listen", "127.0.0.1:0"]
        command = [binary, "serve", *listen, "--data", str(data), *flags]
        with open(log_path, "ab") as log:
            options = {"stdout": subprocess.PIPE, "stderr": log, "env": ENVIRONMENT, "text": True}
            process = subprocess.Popen(command, **options)
        try:
            url = address_printed_by(process)
            assert url, f"the server does not start:\n{log_path.read_text()}"
            server = cls(through or url, data, make_token(data, binary), process)
            # It listens already, and answers when everything is open.
            server.http.get("/readyz").raise_for_status()
            return server
        except BaseException:
            process.kill()
            process.wait()
            raise

    def stop(self) -> int:
        """Ends it as an operator would, and returns its exit code."""
        self.http.close()
        self.process.terminate()
        try:
            return self.process.wait(timeout=45)
        finally:
            self.kill()

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def signal_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port

    def accepts_connections(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        # Reset is who was on the way when the listener closed.
        except (ConnectionRefusedError, ConnectionResetError):
            return False

    def client(self, **options) -> httpx.Client:
        """A client that is signed in as admin."""
        headers = {"authorization": f"Bearer {self.token}"}
        # A proxy of the machine's is not to be asked for 127.0.0.1.
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False, **options)

    def graphql(self, query: str, **variables) -> dict:
        answer = self.http.post("/graphql", json={"query": query, "variables": variables}).json()
        if answer.get("errors"):
            raise Refused(answer["errors"][0])
        return answer["data"]

    def create_model(self, path: str) -> None:
        """Creates a model, and its project where it is not there yet."""
        project, name = path.split("/")
        try:
            self.graphql(CREATE_PROJECT, path=project)
        except Refused as refused:
            assert refused.code == "ALREADY_EXISTS", refused
        self.graphql(CREATE_MODEL, project=project, name=name)

    def create_version(self, model: str, version: str | None = None) -> str:
        made = self.graphql(CREATE_VERSION, model=model, version=version)
        return made["createModelVersion"]["modelVersion"]["version"]

    def publish(self, model: str, version: str) -> dict:
        return self.graphql(PUBLISH, model=model, version=version)["publishModelVersion"]["modelVersion"]

    def upload(self, address: str, folder: Path) -> None:
        """PUTs every file of a folder into a version such as `vision/ocr/1.2.0`, some at once."""

        def put(path: str) -> None:
            with open(folder / path, "rb") as content:
                headers = {"repr-digest": repr_digest(folder / path)}
                answer = self.http.put(
                    f"/files/{quote(address)}/{quote(path)}", content=content, headers=headers
                )
            assert answer.status_code == 201, f"{path}: {answer.text}"
            assert answer.headers["etag"] == f'"{sha256_of(folder / path)}"'

        each_at_once(put, files_in(folder))

    def files(self, model: str, version: str, page_size: int = 100) -> list[dict]:
        """All files that GraphQL lists, page by page."""
        nodes, after = [], None
        while True:
            data = self.graphql(FILES, model=model, version=version, first=page_size, after=after)
            page = data["model"]["version"]["files"]
            nodes += page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                assert len(nodes) == page["totalCount"]
                return nodes
            after = page["pageInfo"]["endCursor"]

    def blob(self, sha256: str) -> Path:
        """The one object that has these bytes."""
        (path,) = (self.data / "blobs").glob(f"*/{sha256}.*")
        return path

    def blobs(self) -> set[str]:
        """The blobs on the disk: each is there once, and checked to be named after its bytes."""
        stored = [path for path in (self.data / "blobs").rglob("*") if path.is_file()]
        hashes = {path.name.split(".")[0] for path in stored}
        for path in stored:
            assert sha256_of(path) == path.name.split(".")[0]
        assert len(hashes) == len(stored)
        return hashes

    def unfinished_uploads(self) -> list[Path]:
        return [path for path in (self.data / "staging").rglob("*") if path.is_file()]

    def memory(self, kind: str) -> int:
        """`VmRSS`, or `VmHWM`, which is its peak, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(f"{kind}:"))
        return int(line.split()[1]) * 1024


def address_printed_by(process: subprocess.Popen) -> str | None:
    """Reads what a starting server prints until it says where it is."""
    patience = threading.Timer(START_SECONDS, process.kill)
    patience.start()
    try:
        for line in process.stdout:
            if " is at http://" in line:
                return line.split()[-1]
        return None
    finally:
        patience.cancel()


def make_token(data: Path, binary: str = BINARY) -> str:
    command = [binary, "token", "--user", "admin", "--name", "e2e", "--scope", "admin", "--data", str(data)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    return result.stdout.strip()


def wait_for(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Waits until something that only can be looked at has come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.01)


def each_at_once(function: Callable, items: list) -> list:
    """The results of a function for each item, eight at a time; the first failure is raised."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(function, items))


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(MIB):
            digest.update(piece)
    return digest.hexdigest()


def repr_digest(path: Path) -> str:
    """The header of RFC 9530 for the bytes of a file."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256_of(path))).decode()}:"


def files_in(folder: Path) -> list[str]:
    """The paths of all files in a folder, in the order of their bytes."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(paths, key=str.encode)


class Entry(NamedTuple):
    size: int
    sha256: str


def contents_of(folder: Path) -> dict[str, Entry]:
    """What a folder has, as is compared with what was fetched."""
    return {
        path: Entry((folder / path).stat().st_size, sha256_of(folder / path)) for path in files_in(folder)
    }


def version_digest(contents: dict[str, Entry]) -> str:
    """A version's digest by the documented rule: `PATH NUL SIZE NUL SHA256 LF` of each file, by path."""
    digest = hashlib.sha256()
    for path, entry in sorted(contents.items(), key=lambda item: item[0].encode()):
        digest.update(f"{path}\0{entry.size}\0{entry.sha256}\n".encode())
    return digest.hexdigest()


def pieces(count: int, seed: int = 0) -> Iterator[bytes]:
    """So many different MiB, the same for the same seed, and never all in memory."""
    block = hashlib.shake_256(str(seed).encode()).digest(MIB - 8)
    for number in range(count):
        yield number.to_bytes(8, "big") + block


def remove(data: Path) -> None:
    """Data folders hold gigabytes, and pytest would keep those of three runs."""
    shutil.rmtree(data, ignore_errors=True)
