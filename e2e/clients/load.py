"""People who use a registry steadily: each thread does one thing again and again, and knows what was acknowledged."""

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO

import httpx
from patient import Patient, Tally, settled, settled_by_tus
from registry import MIB, Refused, pieces, wait_for
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

PROJECT, MODEL = "fleet", "fleet/ocr"
FOLDER = f"/files/{MODEL}/0.1.0"
MLFLOW = f"/mlflow/{PROJECT}/api/2.0/mlflow"
LARGE_MIB, UPLOAD_MIB, PIECE_MIB = 64, 40, 5
STEPS = 20

READ = """query($model: String!) { model(path: $model) {
  versionCount versions(first: 20) { nodes { version state } } aliases { name version { version } } } }"""
VERSION = "query($model: String!, $ref: String!) { model(path: $model) { version(ref: $ref) { version } } }"
CREATE_VERSION = """mutation($model: String!, $version: String) {
  createModelVersion(input: {model: $model, version: $version}) { modelVersion { version } } }"""
SET_ALIAS = """mutation($model: String!, $name: String!, $version: String!) {
  setAlias(input: {model: $model, name: $name, version: $version}) { alias { name } } }"""


@dataclass
class Acknowledged:
    """What the registry said yes to, and so has to be there."""

    large: str = ""
    versions: list[str] = field(default_factory=lambda: ["0.1.0"])
    aliases: dict[str, str] = field(default_factory=dict)
    # Their hashes.
    files: dict[str, str] = field(default_factory=dict)
    # Of each run and each of its metrics how many steps; the value of each is its number.
    metrics: dict[tuple[str, str], int] = field(default_factory=dict)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Worker:
    """Somebody with connections of their own, who does one thing after another."""

    def __init__(self, name: str, patient: Patient, known: Acknowledged, over: threading.Event):
        self.name, self.known, self.over = name, known, over
        self.patient, self.mended = patient, patient.mended

    def reads(self, _: int) -> None:
        """What was acknowledged before the question is in the answer, whoever answers."""
        least = len(self.known.versions)
        model = self.mended("read", lambda _: self.patient.graphql(READ, model=MODEL))["model"]
        assert model["versionCount"] >= least, f"{model['versionCount']} versions of {least}"
        assert len(model["versions"]["nodes"]) >= min(least, 20)

    def there(self, ref: str) -> str | None:
        found = self.patient.graphql(VERSION, model=MODEL, ref=ref)["model"]["version"]
        return found and found["version"]

    def creates_versions(self, number: int) -> None:
        version = f"1.{number}.0"

        def attempt(maybe_done: bool) -> None:
            try:
                self.patient.graphql(CREATE_VERSION, model=MODEL, version=version)
            except Refused as refused:
                if not maybe_done or refused.code not in ("ALREADY_EXISTS", "CONFLICT"):
                    raise
                assert self.there(version) == version, f"{version} is said to be there and is not"

        self.mended("create a version", attempt)
        self.known.versions.append(version)

    def moves_an_alias(self, number: int) -> None:
        to = self.known.versions[number % len(self.known.versions)]
        move = {"model": MODEL, "name": self.name, "version": to}
        self.mended("move an alias", lambda _: self.patient.graphql(SET_ALIAS, **move))
        self.known.aliases[self.name] = to
        seen = self.mended("read an alias", lambda _: self.there(f"@{self.name}"))
        assert seen == to, f"@{self.name} is {seen}, not {to}"

    def mlflow(self, kind: str, method: str, path: str, **options) -> dict:
        def attempt(_: bool) -> dict:
            answer = self.patient.request(method, f"{MLFLOW}/{path}", **options)
            assert answer.status_code == 200, f"{path}: {answer.status_code}: {answer.text}"
            return answer.json()

        return self.mended(kind, attempt)

    def logs_metrics(self, number: int) -> None:
        """A run with a metric step by step, and others at once."""
        asked = {"experiment_id": "0", "run_name": f"{self.name}-{number}", "start_time": 1}
        run = self.mlflow("create a run", "POST", "runs/create", json=asked)["run"]["info"]["run_id"]
        for step in range(STEPS):
            metric = {"run_id": run, "key": "loss", "value": step, "timestamp": 1000 + step, "step": step}
            self.mlflow("log a metric", "POST", "runs/log-metric", json=metric)
            self.known.metrics[run, "loss"] = step + 1
            many = [metric | {"key": "accuracy", "step": step * 10 + n, "value": step * 10 + n} for n in range(10)]
            for one in many:
                del one["run_id"]
            self.mlflow("log a batch", "POST", "runs/log-batch", json={"run_id": run, "metrics": many})
            self.known.metrics[run, "accuracy"] = (step + 1) * 10
            data = self.mlflow("read a run", "GET", "runs/get", params={"run_id": run})["run"]["data"]
            last = {metric["key"]: metric["value"] for metric in data["metrics"]}
            assert last == {"loss": step, "accuracy": step * 10 + 9}, f"after step {step}: {last}"
            if self.over.wait(0.05):
                return

    def puts_files(self, number: int) -> None:
        path = f"small/{self.name}-{number}.bin"
        content = f"{path} ".encode() * (1 + number * 37 % 4096)
        digest = sha256(content)
        proof = base64.b64encode(bytes.fromhex(digest)).decode()

        def put(_: bool) -> None:
            headers = {"repr-digest": f"sha-256=:{proof}:"}
            answer = self.patient.request("PUT", f"{FOLDER}/{path}", content=content, headers=headers)
            assert answer.status_code in (200, 201), f"{path}: {answer.status_code}: {answer.text}"
            assert answer.headers["etag"] == f'"{digest}"'

        self.mended("put a file", put)
        self.known.files[path] = digest
        answer = self.mended("get a file", lambda _: self.patient.request("GET", f"{FOLDER}/{path}"))
        assert answer.status_code == 200, f"{path}: {answer.status_code}: {answer.text}"
        assert sha256(answer.content) == digest, f"{path} has other bytes"

    def uploads(self, number: int) -> None:
        """With tuspy, in pieces: after each that fails it asks how far it is, and goes on there."""
        path = f"tus/{number}.bin"
        content = b"".join(pieces(UPLOAD_MIB, seed=number))
        digest = sha256(content)
        client = TusClient(f"{self.patient.url}{FOLDER}/", headers=self.patient.headers)
        upload = {"file_stream": BytesIO(content), "chunk_size": PIECE_MIB * MIB}
        metadata = {"filename": path, "sha256": digest}
        begun = client.uploader(**upload, metadata=metadata)
        begun.set_url(self.mended("begin an upload", lambda _: by_tus(begun.create_url)))
        for piece in range(PIECE_MIB, UPLOAD_MIB + 1, PIECE_MIB):
            self.mended("upload a piece", lambda failed: self.send_to(piece * MIB, begun, failed, path, digest))
        self.known.files[path] = digest

    def send_to(self, end: int, upload, failed: bool, path: str, digest: str) -> None:
        """Sends an upload's pieces up to a position."""
        if failed:
            try:
                upload.offset = by_tus(upload.get_offset)
            except TusCommunicationError as error:
                # Whoever has sent the last piece has no upload any more, but a file.
                if error.status_code not in (404, 410) or end < UPLOAD_MIB * MIB:
                    raise
                head = self.patient.request("HEAD", f"{FOLDER}/{path}")
                assert head.headers.get("etag") == f'"{digest}"', f"{path}: neither an upload nor a file"
                return
        while upload.offset < end:
            by_tus(upload.upload_chunk)

    def downloads(self, _: int) -> None:
        """A large file, not too fast; what was cut off goes on where it stopped."""
        digest, position = hashlib.sha256(), 0

        def attempt(_: bool) -> None:
            nonlocal position
            headers = {"range": f"bytes={position}-", "if-range": f'"{self.known.large}"'} if position else {}
            with self.patient.http.stream("GET", f"{FOLDER}/large.bin", headers=headers) as answer:
                settled(answer)
                assert answer.status_code == (206 if position else 200), f"{answer.status_code} at {position}"
                for piece in answer.iter_raw(MIB):
                    digest.update(piece)
                    position += len(piece)
                    self.over.wait(0.02)

        self.mended("download", attempt)
        assert (position, digest.hexdigest()) == (LARGE_MIB * MIB, self.known.large), "wrong bytes"

    def is_refused(self, _: int) -> None:
        """An upload with a token that has expired, which is told so, and which nobody else notices."""

        def attempt(_: bool) -> None:
            headers = {"authorization": "Bearer mrt_expired"}
            answer = self.patient.request("PUT", f"{FOLDER}/refused.bin", content=bytes(8 * MIB), headers=headers)
            assert answer.status_code == 401, f"refused.bin: {answer.status_code}: {answer.text}"

        self.mended("be refused", attempt)


def by_tus(call: Callable):
    """The result of one of tuspy's calls."""
    try:
        return call()
    except TusCommunicationError as error:
        raise settled_by_tus(error) from error


# What is done, by how many, and the pause after each time in seconds.
WORK = [
    (Worker.reads, 2, 0.05),
    (Worker.creates_versions, 1, 0.1),
    (Worker.moves_an_alias, 1, 0.1),
    (Worker.logs_metrics, 2, 0.05),
    (Worker.puts_files, 2, 0.1),
    (Worker.uploads, 1, 0.5),
    (Worker.downloads, 1, 0.1),
    (Worker.is_refused, 1, 0.1),
]


class Load:
    """All of them at once, until `end`."""

    def __init__(self, url: str, token: str):
        self.url, self.token = url, token
        self.tally, self.known, self.over = Tally(), Acknowledged(), threading.Event()
        self.threads = []

    def begin(self) -> None:
        large = b"".join(pieces(LARGE_MIB, seed=-1))
        patient = self.patient()
        put = patient.request("PUT", f"{FOLDER}/large.bin", content=large)
        assert put.status_code == 201, put.text
        self.known.large = self.known.files["large.bin"] = sha256(large)
        for does, many, pause in WORK:
            for number in range(many):
                worker = Worker(f"{does.__name__}-{number}", self.patient(), self.known, self.over)
                self.threads.append(threading.Thread(target=self._run, args=(worker, does, pause), daemon=True))
                self.threads[-1].start()

    def patient(self) -> Patient:
        return Patient(self.url, self.token, self.tally)

    def _run(self, worker: Worker, does: Callable, pause: float) -> None:
        number = 0
        while not self.over.wait(pause):
            try:
                does(worker, number)
            # Whatever it is, it is one failure more.
            except Exception as error:
                self.tally.failed(f"{worker.name}, {number}: {type(error).__name__}: {error}")
            number += 1
        worker.patient.http.close()

    def goes_on(self, seconds: float = 60) -> None:
        """Waits until there was more of everything."""
        before = self.tally.counts()

        def more() -> bool:
            now = self.tally.counts()
            return bool(before) and all(now[kind] > count for kind, count in before.items())

        wait_for(more, "more of everything was done", seconds)

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.threads = []


def lacking(known: Acknowledged, http: httpx.Client) -> list[str]:
    """What was acknowledged and is not there, as one server says."""
    missing = []

    def compare(what: str, found: object, expected: object) -> None:
        if found != expected:
            missing.append(f"{what}: {found} instead of {expected}")

    def ref(name: str) -> str | None:
        asked = {"query": VERSION, "variables": {"model": MODEL, "ref": name}}
        found = http.post("/graphql", json=asked).raise_for_status().json()["data"]["model"]["version"]
        return found and found["version"]

    for version in known.versions:
        compare(f"version {version}", ref(version), version)
    for alias, version in known.aliases.items():
        compare(f"alias {alias}", ref(f"@{alias}"), version)
    for path, digest in known.files.items():
        content = http.get(f"{FOLDER}/{path}").content
        compare(path, sha256(content), digest)
    for (run, key), steps in known.metrics.items():
        asked = {"run_id": run, "metric_key": key, "max_results": 25000}
        found = http.get(f"{MLFLOW}/metrics/get-history", params=asked).raise_for_status().json()
        values = [(metric["step"], metric["value"]) for metric in found.get("metrics", [])]
        compare(f"{key} of run {run}", sorted(values), [(step, step) for step in range(steps)])
    return missing
