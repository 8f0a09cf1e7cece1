"""Archives as others read them: as streams, in parts, and by programs that fetch models from an address."""

import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from registry import MIB, Server, contents_of, sha256_of

PYTHON = Path(os.environ.get("FETCH_PYTHON", f"{sys.prefix}-fetch/bin/python"))
CREATE = """mutation { createProject(input: {path: "open", visibility: PUBLIC}) { project { path } }
  createModel(input: {project: "open", name: "ocr"}) { model { path } } }"""
ADDRESS = "/files/open/ocr/1.0.0"

# Reads a zip from its standard input into the folder that is its argument.
READERS = {
    "busybox": ["busybox", "unzip", "-q", "-", "-d"],
    "bsdtar": ["bsdtar", "-x", "-f", "-", "-C"],
    "stream-unzip": [str(PYTHON), str(Path(__file__).with_name("stream_unzip_session.py"))],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    (folder / "onnx" / "données 模型").mkdir(parents=True)
    (folder / "onnx" / "model.onnx").write_bytes(Random(1).randbytes(5 * MIB))
    (folder / "onnx" / "données 模型" / "naïve.txt").write_text("é" * 40_000)
    (folder / "empty").write_text("")
    (folder / "MLmodel").write_text("flavors: {}\n")
    return folder


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Server]:
    """A server with a model that everybody reads, with a token or without."""
    root = tmp_path_factory.mktemp("public")
    server = Server.start(root / "data", root / "log")
    server.graphql(CREATE)
    server.create_version("open/ocr", "1.0.0")
    server.upload("open/ocr/1.0.0", folder)
    server.publish("open/ocr", "1.0.0")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def of_before(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Server]:
    """The same, from before the CRC-32 of files was kept."""
    root = tmp_path_factory.mktemp("before")
    server = Server.start(root / "data", root / "log", "--scrub-rate", "0")
    server.graphql(CREATE)
    server.create_version("open/ocr", "1.0.0")
    server.upload("open/ocr/1.0.0", folder)
    server.publish("open/ocr", "1.0.0")
    server.stop()
    database = sqlite3.connect(server.data / "registry.sqlite")
    with database:
        assert database.execute("UPDATE blobs SET crc32 = NULL").rowcount == 4
    database.close()
    server = Server.start(root / "data", root / "log", "--scrub-rate", "0")
    yield server
    server.stop()


def run(command: list, **options) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"{command}: {output}"
    return output


def curl(server: Server, path: str, *options: str) -> subprocess.Popen:
    return subprocess.Popen(["curl", "-fsS", *options, server.url + path], stdout=subprocess.PIPE)


# busybox reads no zip in which anything stands behind the bytes of a file.
@pytest.mark.parametrize(
    ("kept", "reader"),
    [("public", reader) for reader in READERS]
    + [("of_before", reader) for reader in READERS if reader != "busybox"],
)
def test_a_zip_is_read_as_it_comes(
    request: pytest.FixtureRequest, reader: str, kept: str, folder: Path, tmp_path: Path
):
    server: Server = request.getfixturevalue(kept)
    (tmp_path / "out").mkdir()
    with curl(server, f"{ADDRESS}?archive=zip") as coming:
        run([*READERS[reader], str(tmp_path / "out")], stdin=coming.stdout)
    assert coming.returncode == 0
    assert contents_of(tmp_path / "out") == contents_of(folder)


@pytest.mark.parametrize("kept", ["public", "of_before"])
def test_javas_zip_input_stream_reads_a_zip(
    request: pytest.FixtureRequest, kept: str, folder: Path, tmp_path: Path
):
    server: Server = request.getfixturevalue(kept)
    script = str(Path(__file__).with_name("unzip.bsh"))
    run(["bsh", script, f"{server.url}{ADDRESS}.zip", str(tmp_path / "out")])
    assert contents_of(tmp_path / "out") == contents_of(folder)


@pytest.mark.parametrize("kept", ["public", "of_before"])
def test_a_zip_is_read_from_its_end(
    request: pytest.FixtureRequest, kept: str, folder: Path, tmp_path: Path
):
    server: Server = request.getfixturevalue(kept)
    (tmp_path / "zip").write_bytes(server.http.get(f"{ADDRESS}.zip").content)
    with zipfile.ZipFile(tmp_path / "zip") as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "out")
        years = {entry.date_time[0] for entry in archive.infolist()}
    assert contents_of(tmp_path / "out") == contents_of(folder)
    assert min(years) >= 2025


@pytest.mark.parametrize("kept", ["public", "of_before"])
def test_a_tar_is_read_as_it_comes(
    request: pytest.FixtureRequest, kept: str, folder: Path, tmp_path: Path
):
    server: Server = request.getfixturevalue(kept)
    for ending, mode in [("tar", "r|"), ("tar.gz", "r|gz"), ("tgz", "r|gz")]:
        with curl(server, f"{ADDRESS}.{ending}") as coming, tarfile.open(
            fileobj=coming.stdout, mode=mode
        ) as archive:
            archive.extractall(tmp_path / ending, filter="data")
        assert contents_of(tmp_path / ending) == contents_of(folder)
    with curl(server, f"{ADDRESS}.tar.gz") as coming:
        run(["gzip", "-t"], stdin=coming.stdout)
    (tmp_path / "gnu").mkdir()
    with curl(server, f"{ADDRESS}.tar.gz") as coming:
        run(["tar", "-x", "-z", "-C", str(tmp_path / "gnu")], stdin=coming.stdout)
    assert contents_of(tmp_path / "gnu") == contents_of(folder)


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz"])
def test_a_download_that_broke_off_is_continued(public: Server, ending: str, tmp_path: Path):
    whole = public.http.get(f"{ADDRESS}.{ending}").content
    part = tmp_path / f"1.0.0.{ending}"
    for there in [1, 700_000, 3_333_333, len(whole) - 1]:
        part.write_bytes(whole[:there])
        run(["curl", "-fsS", "-C", "-", "-O", f"{public.url}{ADDRESS}.{ending}"], cwd=tmp_path)
        assert part.read_bytes() == whole
    head = public.http.head(f"{ADDRESS}.{ending}")
    assert head.headers["content-length"] == str(len(whole))


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz", "tgz"])
@pytest.mark.parametrize("kept", ["public", "of_before"])
def test_kserve_fetches_a_whole_version(
    request: pytest.FixtureRequest, kept: str, ending: str, folder: Path, tmp_path: Path
):
    """As its storage initializer does before a model is served."""
    server: Server = request.getfixturevalue(kept)
    fetch = "import sys; from kserve_storage import Storage; Storage.download(sys.argv[1], sys.argv[2])"
    run([str(PYTHON), "-c", fetch, f"{server.url}{ADDRESS}.{ending}", str(tmp_path / "out")])
    assert contents_of(tmp_path / "out") == contents_of(folder)


def test_kserve_fetches_with_a_token(server: Server, folder: Path, tmp_path: Path):
    server.create_model("kserve/ocr")
    server.create_version("kserve/ocr", "1.0.0")
    server.upload("kserve/ocr/1.0.0", folder)
    server.publish("kserve/ocr", "1.0.0")
    fetch = "import sys; from kserve_storage import Storage; Storage.download(sys.argv[1], sys.argv[2])"
    command = [str(PYTHON), "-c", fetch, f"{server.url}/files/kserve/ocr/^1/onnx.zip", str(tmp_path / "out")]
    headers = json.dumps({"Authorization": f"Bearer {server.token}"})
    run(command, env=os.environ | {"127.0.0.1-headers": headers})
    assert contents_of(tmp_path / "out") == contents_of(folder / "onnx")


@pytest.fixture
def dvc(tmp_path: Path) -> Callable[..., str]:
    """DVC in a folder of its own that is no Git repository."""
    work = tmp_path / "work"
    work.mkdir()
    environment = os.environ | {
        "DVC_NO_ANALYTICS": "1",
        "HOME": str(tmp_path / "home"),
        "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}",
    }

    def dvc(*arguments: str) -> str:
        return run(["dvc", *arguments, "-q"], cwd=work, env=environment)

    dvc("init", "--no-scm")
    return dvc


def test_dvc_imports_an_archive_and_sees_when_it_is_another(
    public: Server, dvc: Callable[..., str], tmp_path: Path
):
    work, fetched = tmp_path / "work", tmp_path / "work" / "latest.tar.gz"
    dvc("get-url", f"{public.url}{ADDRESS}.zip", "got.zip")
    assert (work / "got.zip").read_bytes() == public.http.get(f"{ADDRESS}.zip").content

    latest = "/files/open/ocr/latest.tar.gz"
    dvc("import-url", public.url + latest)
    assert fetched.read_bytes() == public.http.get(latest).content
    noted = (work / "latest.tar.gz.dvc").read_text()
    assert public.http.head(latest).headers["etag"].strip('"') in noted
    dvc("update", "latest.tar.gz.dvc")
    assert (work / "latest.tar.gz.dvc").read_text() == noted, "the same"

    public.create_version("open/ocr", "1.1.0")
    answer = public.http.put("/files/open/ocr/1.1.0/new", content=b"new")
    assert answer.status_code == 201
    public.publish("open/ocr", "1.1.0")
    before = sha256_of(fetched)
    dvc("update", "latest.tar.gz.dvc")
    assert sha256_of(fetched) != before
    assert fetched.read_bytes() == public.http.get(latest).content
