"""Uploads that are interrupted and go on: with tuspy, the client of tus in Python, and across a kill."""

import hashlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from registry import MIB, Server, pieces
from tusclient.client import TusClient

MODEL, VERSION = "vision/uploads", "1.0.0"
ADDRESS = f"/files/{MODEL}/{VERSION}"
TUS = {"tus-resumable": "1.0.0"}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def client(server: Server) -> TusClient:
    if server.http.get(f"/files/{MODEL}/{VERSION}").status_code == 404:
        server.create_model(MODEL)
        server.create_version(MODEL, VERSION)
    return client_of(server)


def client_of(server: Server) -> TusClient:
    return TusClient(f"{server.url}{ADDRESS}/", headers={"Authorization": f"Bearer {server.token}"})


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def etag(server: Server, path: str) -> str:
    return server.http.head(f"{ADDRESS}/{path}").raise_for_status().headers["etag"].strip('"')


def test_tuspy_uploads_in_checked_pieces(server: Server, client: TusClient, tmp_path: Path):
    content = b"".join(pieces(3)) + b"the end"
    (tmp_path / "model.bin").write_bytes(content)
    metadata = {"filename": "onnx/model.bin", "sha256": sha256(content)}
    uploader = client.uploader(
        str(tmp_path / "model.bin"), chunk_size=MIB, metadata=metadata, upload_checksum=True
    )
    uploader.upload()
    assert etag(server, "onnx/model.bin") == sha256(content)


def test_tuspy_puts_an_empty_file(server: Server, client: TusClient):
    client.uploader(file_stream=BytesIO(b""), metadata={"filename": "empty"}).upload()
    assert server.http.get(f"{ADDRESS}/empty").content == b""


def test_tuspy_goes_on_where_it_stopped(server: Server, client: TusClient):
    content = b"".join(pieces(3))
    first = client.uploader(file_stream=BytesIO(content), chunk_size=MIB, metadata={"filename": "again.bin"})
    first.upload(stop_at=MIB)
    assert server.http.get(f"{ADDRESS}/again.bin").status_code == 404
    second = client.uploader(file_stream=BytesIO(content), url=first.url)
    assert second.offset == MIB
    second.upload()
    assert etag(server, "again.bin") == sha256(content)


def test_a_kill_in_the_middle_loses_only_what_was_not_durable(start_server: Callable[..., Server]):
    server = start_server()
    server.create_model(MODEL)
    server.create_version(MODEL, VERSION)
    whole = b"".join(pieces(200))
    headers = TUS | {"upload-length": str(len(whole))}
    upload = server.http.post(f"{ADDRESS}/big.bin", headers=headers).raise_for_status().headers["location"]

    def killed(after: int) -> Iterator[bytes]:
        for number, piece in enumerate(pieces(200)):
            if number == after:
                server.kill()
            yield piece

    headers = TUS | {"content-type": "application/offset+octet-stream", "upload-offset": "0"}
    headers["content-length"] = str(len(whole))
    with pytest.raises(httpx.TransportError):
        server.http.patch(upload, headers=headers, content=killed(180))

    server = start_server()
    offset = int(server.http.head(upload, headers=TUS).raise_for_status().headers["upload-offset"])
    assert 64 * MIB <= offset <= 180 * MIB
    client_of(server).uploader(file_stream=BytesIO(whole), url=f"{server.url}{upload}").upload()
    assert etag(server, "big.bin") == sha256(whole)
    assert sha256(whole) in server.blobs()
    assert list((server.data / "partial").iterdir()) == []
