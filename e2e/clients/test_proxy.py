"""Below a path, behind a real nginx: with curl's requests, MLflow's client, tuspy and a GraphQL client's socket."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urljoin

import httpx
import mlflow
import pytest
from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport
from mlflow_fixtures import ADMIN_PASSWORD, CLIENT_SETTINGS, CREATE_TOKEN, Project, use_credentials
from nginx import Nginx
from proxy import free_port
from registry import CREATE_PROJECT, MIB, Server, pieces, remove, repr_digest, sha256_of
from tusclient.client import TusClient

# `make test-clients` sends as much as no proxy likes to keep; in `make test` a few pieces tell as much.
SIZE = int(os.environ.get("LARGE_MIB", "20"))


@dataclass
class Site:
    """The registry as people see it."""

    url: str
    server: Server
    http: httpx.Client


@pytest.fixture(scope="module", params=["passes-path-on", "takes-path-off"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("proxy")
    port, behind = free_port(), free_port()
    url = f"http://127.0.0.1:{port}/registry"
    flags = ["--public-url", url, "--admin-password", ADMIN_PASSWORD, "--listen", f"127.0.0.1:{behind}"]
    server = Server.start(folder / "data", folder / "server.log", *flags, through=f"http://127.0.0.1:{behind}")
    stripped = "/" if request.param == "takes-path-off" else ""
    proxy = Nginx(folder / "nginx", port, f"proxy_pass http://127.0.0.1:{behind}{stripped};")
    http = httpx.Client(
        base_url=url, headers={"authorization": f"Bearer {server.token}"}, timeout=60, trust_env=False
    )
    with patch.dict(os.environ, CLIENT_SETTINGS):
        yield Site(url, server, http)
    http.close()
    proxy.stop()
    server.stop()
    remove(folder / "data")


def graphql(site: Site, query: str, **variables) -> dict:
    answer = site.http.post("/graphql", json={"query": query, "variables": variables}).json()
    assert not answer.get("errors"), answer
    return answer["data"]


@pytest.fixture(scope="module")
def model(site: Site) -> str:
    graphql(site, CREATE_PROJECT, path="vision")
    graphql(site, 'mutation { createModel(input: {project: "vision", name: "ocr"}) { model { path } } }')
    graphql(site, 'mutation { createModelVersion(input: {model: "vision/ocr", version: "0.1.0"}) { modelVersion { version } } }')
    return "vision/ocr"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("large") / "large.bin"
    with open(file, "wb") as opened:
        opened.writelines(pieces(SIZE))
    return file


def test_a_large_file_goes_through_and_is_kept_nowhere(site: Site, model: str, large: Path, tmp_path: Path):
    before = site.server.memory("VmHWM")
    with open(large, "rb") as content:
        headers = {"repr-digest": repr_digest(large), "content-length": str(large.stat().st_size)}
        put = site.http.put(f"/files/{model}/0.1.0/large.bin", content=content, headers=headers)
    assert put.status_code in (200, 201), put.text
    assert urljoin(site.url, put.headers["location"]) == f"{site.url}/files/{model}/0.1.0/large.bin"
    files = graphql(
        site,
        '{ model(path: "vision/ocr") { version(ref: "0.1.0") { files { nodes { path downloadUrl } } } } }',
    )
    [file] = [node for node in files["model"]["version"]["files"]["nodes"] if node["path"] == "large.bin"]
    down = tmp_path / "down"
    address = urljoin(site.url, file["downloadUrl"])
    with httpx.stream("GET", address, headers=site.http.headers, trust_env=False, timeout=60) as answer:
        assert answer.status_code == 200
        with open(down, "wb") as opened:
            opened.writelines(answer.iter_raw())
    assert sha256_of(down) == sha256_of(large)
    part = site.http.get(f"/files/{model}/0.1.0/large.bin", headers={"range": f"bytes={MIB}-{MIB + 9}"})
    assert part.status_code == 206
    assert len(part.content) == 10
    # Nothing of its size is held in memory.
    assert site.server.memory("VmHWM") - before < 128 * MIB
    down.unlink()


def test_uploads_that_go_on(site: Site, model: str, large: Path):
    headers = {"Authorization": f"Bearer {site.server.token}"}
    client = TusClient(f"{site.url}/files/{model}/0.1.0/", headers=headers)
    metadata = {"filename": "parts.bin", "sha256": sha256_of(large)}
    uploader = client.uploader(str(large), chunk_size=8 * MIB, metadata=metadata)
    uploader.upload_chunk()
    again = client.uploader(str(large), chunk_size=8 * MIB, url=uploader.url)
    assert again.offset == 8 * MIB
    again.upload()
    head = site.http.head(f"/files/{model}/0.1.0/parts.bin")
    assert head.headers["etag"].strip('"') == sha256_of(large)


def test_mlflows_client_trains_and_loads(site: Site, tmp_path: Path, large: Path):
    created = graphql(site, CREATE_PROJECT, path="training")
    assert created
    secret = graphql(site, CREATE_TOKEN, project="training", role="DEVELOPER")["createProjectToken"]["secret"]
    Project("training", f"{site.url}/mlflow/training", secret).use()
    try:
        with mlflow.start_run() as run:
            mlflow.log_metric("accuracy", 0.9)
            mlflow.log_artifact(str(large))
        down = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, dst_path=str(tmp_path))
        assert sha256_of(Path(down) / "large.bin") == sha256_of(large)
        client = mlflow.MlflowClient()
        client.create_registered_model("ocr")
        version = client.create_model_version("ocr", f"runs:/{run.info.run_id}/", run.info.run_id)
        down = mlflow.artifacts.download_artifacts("models:/ocr/1", dst_path=str(tmp_path / "version"))
        assert (version.version, sha256_of(Path(down) / "large.bin")) == ("1", sha256_of(large))
    finally:
        use_credentials({})


def test_sockets_answer_a_client_that_looks_for_its_protocol_letter_by_letter(site: Site, model: str):
    """gql with its defaults: it finds `Sec-WebSocket-Protocol` only as most servers write it."""

    async def first() -> dict:
        headers = {"Authorization": f"Bearer {site.server.token}"}
        transport = WebsocketsTransport(url=site.url.replace("http", "ws", 1) + "/graphql", headers=headers)
        changes = gql('subscription { modelChanged(model: "vision/ocr") { path } }')
        async with Client(transport=transport) as session:
            return await anext(session.subscribe(changes))

    assert asyncio.run(first()) == {"modelChanged": {"path": model}}


def test_a_session_is_for_this_path_only(site: Site):
    mutation = "mutation($input: SignInInput!) { signIn(input: $input) { user { username } } }"
    origin = site.url.removesuffix("/registry")
    person = httpx.Client(base_url=site.url, trust_env=False, headers={"origin": origin})
    answer = person.post(
        "/graphql",
        json={"query": mutation, "variables": {"input": {"username": "admin", "password": ADMIN_PASSWORD}}},
    )
    assert "; Path=/registry;" in answer.headers["set-cookie"], answer.headers
    viewer = person.post("/graphql", json={"query": "{ viewer { username } }"}).json()
    assert viewer["data"]["viewer"]["username"] == "admin"
    other = person.post(
        "/graphql", json={"query": "{ viewer { username } }"}, headers={"origin": "http://127.0.0.1:1"}
    )
    assert other.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def test_answers_are_compressed_for_who_accepts_it_and_files_are_not(site: Site, model: str):
    query = {"query": "{ __schema { types { name description fields { name description } } } }"}
    plain = site.http.post("/graphql", json=query, headers={"accept-encoding": "identity"})
    packed = site.http.post("/graphql", json=query, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert plain.json() == packed.json()
    assert int(packed.num_bytes_downloaded) < len(plain.content) / 4
    site.http.put(f"/files/{model}/0.1.0/config.json", content=b"[" + b"0, " * 4000 + b"0]")
    file = site.http.get(f"/files/{model}/0.1.0/config.json", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in file.headers
    assert file.headers["content-length"] == "12003"
