"""What an operator relies on: kills, restarts, shutdowns and crowds lose nothing, and memory stays flat."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from threading import Barrier

import httpx
import pytest
from registry import MIB, Refused, Server, pieces, wait_for

MODEL, VERSION = "vision/ocr", "1.0.0"
ADDRESS = f"/files/{MODEL}/{VERSION}"


def with_a_version(server: Server) -> Server:
    """One draft with one small file: what must still be there afterwards."""
    server.create_model(MODEL)
    server.create_version(MODEL, VERSION)
    put(server, "kept.txt", iter([b"kept"]), 4)
    return server


def put(server: Server, path: str, content: Iterator[bytes], size: int) -> httpx.Response:
    answer = server.http.put(f"{ADDRESS}/{path}", content=content, headers={"content-length": str(size)})
    assert answer.status_code in (200, 201), answer.text
    return answer


def interrupted(
    server: Server, content: Iterator[bytes], after: int, action: Callable[[], object]
) -> Iterator[bytes]:
    """The content, with an action in the middle: after so many MiB, when the server is writing them."""
    for number, piece in enumerate(content):
        if number == after:
            wait_for(
                lambda: any(file.stat().st_size for file in server.unfinished_uploads()),
                "the upload has begun",
            )
            action()
        yield piece


def sha256(content: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
    return digest.hexdigest()


def paths(server: Server) -> list[str]:
    """What is listed, over both interfaces."""
    listed = [file["path"] for file in server.http.get(ADDRESS).json()["files"]]
    assert [file["path"] for file in server.files(MODEL, VERSION)] == listed
    return listed


def test_killed_in_an_upload_it_leaves_neither_row_nor_stray_file(start_server: Callable[..., Server]):
    server = with_a_version(start_server())
    blobs = server.blobs()
    with pytest.raises(httpx.TransportError):
        put(server, "big.bin", interrupted(server, pieces(200), 100, server.kill), 200 * MIB)
    assert server.unfinished_uploads(), "something was there to be cleaned up"

    server = start_server()
    assert server.unfinished_uploads() == []
    assert server.blobs() == blobs
    assert paths(server) == ["kept.txt"]
    assert server.http.get(f"{ADDRESS}/big.bin").status_code == 404
    assert server.http.get(f"{ADDRESS}/kept.txt").content == b"kept"
    # And the same upload, made again, is as good as new.
    assert put(server, "big.bin", pieces(200), 200 * MIB).status_code == 201
    assert sha256(pieces(200)) in server.blobs()


def test_a_client_that_goes_away_leaves_nothing(start_server: Callable[..., Server]):
    server = with_a_version(start_server())
    blobs = server.blobs()

    def go_away() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError), server.client() as client:
        content = interrupted(server, pieces(64), 32, go_away)
        client.put(f"{ADDRESS}/big.bin", content=content, headers={"content-length": str(64 * MIB)})
    wait_for(lambda: not server.unfinished_uploads(), "the upload is cleaned up")
    assert server.blobs() == blobs
    assert paths(server) == ["kept.txt"]


def test_an_upload_that_stands_still_is_ended(start_server: Callable[..., Server]):
    """With the standard library's client, because httpx reads no answer before it has sent everything."""
    server = with_a_version(start_server("--stall-seconds", "1"))
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.putrequest("PUT", f"{ADDRESS}/big.bin")
    connection.putheader("authorization", f"Bearer {server.token}")
    connection.putheader("content-length", str(64 * MIB))
    connection.endheaders()
    for piece in pieces(32):
        connection.send(piece)
    answer = connection.getresponse()
    assert (answer.status, json.load(answer)["code"]) == (408, "TIMEOUT")
    assert server.unfinished_uploads() == []
    assert paths(server) == ["kept.txt"]


def test_a_stopping_server_finishes_an_upload(start_server: Callable[..., Server]):
    server = with_a_version(start_server())

    def stop() -> None:
        server.signal_stop()
        wait_for(lambda: not server.accepts_connections(), "nobody new is let in")

    answer = put(server, "big.bin", interrupted(server, pieces(64), 32, stop), 64 * MIB)
    assert answer.status_code == 201
    assert server.process.wait(timeout=30) == 0

    server = start_server()
    assert paths(server) == ["big.bin", "kept.txt"]
    assert answer.json()["sha256"] == sha256(pieces(64))
    with server.http.stream("GET", f"{ADDRESS}/big.bin") as download:
        assert sha256(download.iter_raw()) == sha256(pieces(64))


def test_a_stopping_server_finishes_a_download(start_server: Callable[..., Server]):
    server = with_a_version(start_server())
    put(server, "big.bin", pieces(64), 64 * MIB)
    with server.http.stream("GET", f"{ADDRESS}/big.bin") as download:
        content = download.iter_raw()
        beginning = next(content)
        server.signal_stop()
        wait_for(lambda: not server.accepts_connections(), "nobody new is let in")
        digest = hashlib.sha256(beginning)
        for piece in content:
            digest.update(piece)
    assert digest.hexdigest() == sha256(pieces(64))
    assert server.process.wait(timeout=30) == 0


@pytest.mark.parametrize("target", ["one path", "a path each"])
def test_a_crowd_that_uploads_the_same_file_makes_one_blob(start_server: Callable[..., Server], target: str):
    """Eight at the same moment: all are told that their file is there, and it is there once."""
    server = with_a_version(start_server())
    blobs = server.blobs()
    crowd = Barrier(8, timeout=30)

    def together() -> Iterator[bytes]:
        """All have sent half before any sends the rest."""
        for number, piece in enumerate(pieces(16)):
            if number == 8:
                crowd.wait()
            yield piece

    def upload(number: int) -> int:
        path = "same.bin" if target == "one path" else f"same-{number}.bin"
        with server.client() as client:
            headers = {"content-length": str(16 * MIB)}
            answer = client.put(f"{ADDRESS}/{path}", content=together(), headers=headers)
        assert answer.json()["sha256"] == sha256(pieces(16))
        return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(upload, range(8)))
    assert statuses == ([200] * 7 + [201] if target == "one path" else [201] * 8)
    assert server.blobs() - blobs == {sha256(pieces(16))}
    assert server.unfinished_uploads() == []
    assert len(paths(server)) == (2 if target == "one path" else 9)


def test_a_version_that_is_published_meanwhile_does_not_take_the_upload(start_server: Callable[..., Server]):
    server = with_a_version(start_server())
    published, refused = {}, []
    without = """mutation($m: String!, $v: String!) {
        publishModelVersion(input: {model: $m, version: $v, withoutUploads: true}) { modelVersion { fileCount } } }"""

    def publish() -> None:
        with pytest.raises(Refused) as refusal:
            server.publish(MODEL, VERSION)
        refused.append(str(refusal.value))
        answer = server.graphql(without, m=MODEL, v=VERSION)
        published.update(answer["publishModelVersion"]["modelVersion"])

    content = interrupted(server, pieces(16), 8, publish)
    with server.client() as client:
        answer = client.put(f"{ADDRESS}/late.bin", content=content, headers={"content-length": str(16 * MIB)})
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert "late.bin" in refused[0]
    assert (published["fileCount"], paths(server)) == (1, ["kept.txt"])
    assert sha256(pieces(16)) not in server.blobs()


def test_memory_stays_flat_while_a_gibibyte_goes_up_and_comes_down(
    start_server: Callable[..., Server], capsys: pytest.CaptureFixture
):
    """The file is made while it is sent and hashed while it arrives: this test does not hold it either."""
    size = 1024 * MIB
    server = with_a_version(start_server())
    put(server, "warm.bin", pieces(8, seed=1), 8 * MIB)
    before = server.memory("VmRSS")
    seconds = {}

    def timed(what: str, started: float) -> None:
        seconds[what] = time.monotonic() - started

    started = time.monotonic()
    digest = hashlib.sha256()
    uploaded = put(server, "big.bin", hashing(pieces(1024), digest), size).json()
    timed("up", started)
    assert (uploaded["size"], uploaded["sha256"]) == (size, digest.hexdigest())

    started = time.monotonic()
    with server.http.stream("GET", f"{ADDRESS}/big.bin") as download:
        assert sha256(download.iter_raw()) == uploaded["sha256"]
    timed("down", started)
    started = time.monotonic()
    with server.http.stream("GET", f"{ADDRESS}/?archive=tar") as download:
        assert sum(map(len, download.iter_raw())) > size
    timed("as tar", started)

    grown = server.memory("VmHWM") - before
    report = ", ".join(f"{what} {value:.1f} s" for what, value in seconds.items())
    say(capsys, f"1 GiB: {report}; memory grew by {grown / MIB:.1f} MiB from {before / MIB:.1f}")
    assert grown < 64 * MIB


def hashing(content: Iterator[bytes], digest) -> Iterator[bytes]:
    for piece in content:
        digest.update(piece)
        yield piece


def test_it_is_ready_soon_and_small(start_server: Callable[..., Server], capsys: pytest.CaptureFixture):
    """Printed, not judged: how long starting takes, and how much memory an idle server has."""
    for start in ["first", "second"]:
        started = time.monotonic()
        server = start_server()
        # Until it answered, and a token was made.
        taken = time.monotonic() - started
        resident, peak = (server.memory(kind) / MIB for kind in ("VmRSS", "VmHWM"))
        assert server.http.get("/healthz").is_success
        assert server.stop() == 0
        say(capsys, f"{start} start: {taken * 1000:.0f} ms, idle {resident:.1f} MiB, peak {peak:.1f} MiB")


def say(capsys: pytest.CaptureFixture, text: str) -> None:
    with capsys.disabled():
        print(f"\n  {text} ", end="")
