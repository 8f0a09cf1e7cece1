"""GraphQL clients as docs/graphql.md sets them up: its files are written, its commands run, what they print compared."""

import json
import os
import re
import signal
import subprocess
import sys
from ast import literal_eval
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Timer

import pytest
from registry import BINARY, ENVIRONMENT, ROOT, Server

PAGE = (ROOT / "docs" / "graphql.md").read_text()
NODE = Path(__file__).with_name("graphql")
PYTHON = Path(os.environ.get("GRAPHQL_PYTHON", f"{sys.prefix}-graphql/bin/python"))
MODEL = "clients/ocr"
LOG_CANDIDATE = """mutation($model: String!) { createCandidate(input: { model: $model,
  metrics: [{name: "accuracy", value: 0.93}, {name: "loss", value: "NaN"}]}) { candidate { number } } }"""
PROMOTE = """mutation($model: String!) {
  promoteCandidate(input: {model: $model, candidate: 1, version: "1.1.0"}) { modelVersion { version } } }"""
DESCRIBE = """mutation($model: String!, $text: String!) {
  updateModel(input: {model: $model, description: $text}) { model { description } } }"""
MOMENTS = """query($model: String!) { model(path: $model) { versions { nodes { createdAt } } } }"""


class Chapter:
    """What the page has below a heading: files by name, and the commands that are run with them."""

    def __init__(self, heading: str):
        [text] = re.findall(rf"^##+ {heading}\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
        text = text.replace("vision/ocr", MODEL)
        self.files = dict(re.findall(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
        self.queries = re.findall(r"(?<!`\n)\n```graphql\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        scripts = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        # Packages are here already, in the versions that are pinned.
        self.commands = re.sub(r"^(npm|pip) install .*\n", "", "".join(scripts), flags=re.MULTILINE)


@pytest.fixture(scope="module")
def registry(server: Server) -> Server:
    """A registry with a version that has a file, and a newer one with metrics, one of which is not a number."""
    server.create_model(MODEL)
    server.create_version(MODEL, "1.0.0")
    server.http.put(f"/files/{MODEL}/1.0.0/model.onnx", content=b"weights\n").raise_for_status()
    server.publish(MODEL, "1.0.0")
    server.graphql(LOG_CANDIDATE, model=MODEL)
    server.graphql(PROMOTE, model=MODEL)
    return server


class Shell:
    """A folder with the files of a chapter, and a terminal in it."""

    def __init__(self, folder: Path, server: Server, heading: str, python: Path):
        self.folder, self.chapter = folder, Chapter(heading)
        for name, text in self.chapter.files.items():
            self.write(name, text)
        (folder / "bin").mkdir()
        (folder / "bin" / "model-registry").symlink_to(BINARY)
        path = f"{folder}/bin:{python.parent}:{os.environ['PATH']}"
        # A proxy of the machine's is not to be asked for 127.0.0.1.
        self.environment = {name: value for name, value in ENVIRONMENT.items() if "proxy" not in name.lower()}
        self.environment |= {
            "PATH": path,
            "REGISTRY": server.url,
            "TOKEN": server.token,
            "CURL_HOME": str(folder),
        }

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text.replace("vision/ocr", MODEL))

    def start(self, script: str) -> subprocess.Popen:
        options = {"cwd": self.folder, "env": self.environment, "text": True, "start_new_session": True}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(["bash", "-euc", script], **options, **pipes)

    def __call__(self, script: str) -> list[str]:
        """The lines that a script prints."""
        process = self.start(script)
        out, error = process.communicate(timeout=120)
        assert process.returncode == 0, f"{script}\n{out}\n{error}"
        # Only where a terminal has them: a name may have other separators.
        return out.removesuffix("\n").split("\n") if out else []

    @contextmanager
    def following(self, script: str) -> Iterator[Iterator[str]]:
        """The lines of a script that goes on; those of its errors come last, where it ends by itself."""
        process = self.start(script)
        end = partial(os.killpg, process.pid, signal.SIGKILL)
        patience = Timer(60, end)
        patience.start()
        try:
            yield chain(process.stdout, process.stderr)
        finally:
            patience.cancel()
            if process.poll() is None:
                end()
            process.communicate()


@pytest.fixture
def shell(registry: Server, tmp_path: Path) -> Callable[..., Shell]:
    return lambda heading, python=Path(sys.executable): Shell(tmp_path, registry, heading, python)


@pytest.fixture
def compiled(shell: Callable[..., Shell]) -> Callable[..., list[str]]:
    """The chapter's commands, then the compiler over what is in `src`, then a program of that."""

    def run(heading: str, program: str, *others: str) -> list[str]:
        terminal = shell(heading)
        (terminal.folder / "node_modules").symlink_to(NODE / "node_modules")
        for name in ["package.json", "tsconfig.json"]:
            terminal.write(name, (NODE / name).read_text())
        for name in others:
            terminal.write(f"src/{name}", (NODE / name).read_text())
        terminal(terminal.chapter.commands)
        return terminal(f"npx tsc && node out/{program}")

    return run


def moments(server: Server) -> list[str]:
    nodes = server.graphql(MOMENTS, model=MODEL)["model"]["versions"]["nodes"]
    return [node["createdAt"] for node in nodes]


def expected(server: Server, not_a_number: str, moment: Callable[[str], str] = str) -> list[str]:
    """What each program of the page prints of the two versions."""
    newer, older = map(moment, moments(server))
    return [f"1.1.0 0 {newer} accuracy=0.93 loss={not_a_number}", f"1.0.0 8 {older}"]


def as_python_has_it(moment: str) -> str:
    """`…05.678Z` as `isoformat` prints it."""
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", moment)
    return moment.replace("Z", "+00:00") if moment.endswith(".000Z") else moment.replace("Z", "000+00:00")


def test_a_query_is_sent_with_get(registry: Server, shell: Callable[..., Shell]):
    terminal = shell("Requests")
    [line] = terminal(terminal.chapter.commands)
    assert json.loads(line) == {"data": registry.graphql("{ models(first: 5) { nodes { path } } }")}


def test_changes_come_as_events(registry: Server, shell: Callable[..., Shell]):
    terminal = shell("Subscriptions and curves")
    registry.graphql(DESCRIBE, model=MODEL, text="")
    with terminal.following(terminal.chapter.commands) as lines:
        events = (line for line in lines if line.strip(":\n"))
        assert next(events) == "event: next\n"
        assert json.loads(next(events).removeprefix("data: ")) == {"data": changed("")}
        registry.graphql(DESCRIBE, model=MODEL, text="# Streamed")
        assert next(events) == "event: next\n"
        assert json.loads(next(events).removeprefix("data: ")) == {"data": changed("# Streamed")}


def changed(description: str) -> dict:
    return {"modelChanged": {"path": MODEL, "description": description}}


def test_many_models_are_looked_up_at_once(registry: Server):
    [query] = Chapter("Many at once").queries
    found = registry.graphql(query, paths=[MODEL, "clients/none", MODEL])["modelsByPath"]
    here = {"path": MODEL, "webUrl": f"/{MODEL}", "latestVersion": {"ref": f"{MODEL}@1.1.0"}}
    assert found == [here, None, here]


def test_gql_asks_and_follows(registry: Server, shell: Callable[..., Shell]):
    terminal = shell("Python: gql")
    registry.graphql(DESCRIBE, model=MODEL, text="")
    with terminal.following(terminal.chapter.commands) as lines:
        assert printed(lines) == {"model": {"path": MODEL, "latestVersion": {"version": "1.1.0"}}}
        assert printed(lines) == changed("")
        registry.graphql(DESCRIBE, model=MODEL, text="# Followed")
        assert printed(lines) == changed("# Followed")


def printed(lines: Iterator[str]) -> dict:
    """What a program in Python printed next, or else all that it says of why it ended."""
    line = next(lines)
    assert line.startswith("{"), line + "".join(lines)
    return literal_eval(line)


@pytest.mark.rare
def test_sgqlc_reads_versions(registry: Server, shell: Callable[..., Shell]):
    terminal = shell("Python: sgqlc", PYTHON)
    assert terminal(terminal.chapter.commands)[-2:] == expected(registry, "NaN", as_python_has_it)


@pytest.mark.rare
def test_ariadne_codegen_makes_a_client_that_reads_versions(registry: Server, shell: Callable[..., Shell]):
    terminal = shell("Python: ariadne-codegen", PYTHON)
    assert terminal(terminal.chapter.commands)[-2:] == expected(registry, "nan", as_python_has_it)


@pytest.mark.rare
def test_what_graphql_codegen_makes_compiles_and_reads_versions(registry: Server, compiled: Callable):
    assert compiled("TypeScript: graphql-codegen", "versions.js") == expected(registry, "NaN")


@pytest.mark.rare
def test_what_relay_compiles_reads_pages_and_refetches(registry: Server, compiled: Callable):
    assert compiled("Relay", "relay.js", "relay.ts") == ["1.1.0", "1.1.0 1.0.0"]


@pytest.mark.rare
def test_urqls_cache_has_a_key_or_knows_that_there_is_none(registry: Server, compiled: Callable):
    registry.graphql(DESCRIBE, model=MODEL, text="")
    [line] = compiled("TypeScript: urql with its normalised cache", "urql.js", "urql.ts")
    assert json.loads(line) == ["# OCR", [], ["1.1.0", "1.0.0"]]


def test_the_page_lists_all_types_without_a_key():
    """As the schema has them; roots, connections and payloads of mutations need none."""
    schema = (ROOT / "schema.graphql").read_text()
    types = re.findall(r"^type (\w+)[^{]*\{(.*?)^\}", schema, re.MULTILINE | re.DOTALL)
    without = {name for name, fields in types if not re.search(r"^\s+id: ID!", fields, re.MULTILINE)}
    needless = re.compile(r"Query|Mutation|Subscription|PageInfo|\w+(Payload|Connection|Edge)")
    listed = re.search(r"withoutKeys = \[(.*?)\]", PAGE, re.DOTALL)[1]
    assert set(re.findall(r'"(\w+)"', listed)) == {name for name in without if not needless.fullmatch(name)}
