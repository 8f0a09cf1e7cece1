"""An older client: mlflow-skinny 3.9, whose names of images hold `%` and digits, and which knows logged
models and prompts.
"""

import hashlib
import os
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from mlflow_fixtures import IS_MLFLOW, Project, run_session
from registry import Server

pytestmark = pytest.mark.rare

PYTHON = os.environ.get("MLFLOW39_PYTHON", f"{sys.prefix}-mlflow39/bin/python")
SCRIPT = Path(__file__).with_name("mlflow39_session.py")

Session = Callable[..., dict]


@pytest.fixture
def session(project: Project, tmp_path: Path) -> Session:
    """Runs a part of the session, with its arguments."""
    return lambda part, *arguments: run_session(PYTHON, SCRIPT, project.uri, tmp_path, part, *arguments)


def test_a_run_has_all_that_was_logged(session: Session):
    found = session("run")
    tags = {name: value for name, value in found.pop("tags").items() if not name.startswith("mlflow.")}
    assert tags == {"team": "ocr"} | {f"t{number}": "ü" * number for number in range(100)}
    assert found.pop("params") == {f"p{number}": str(number) for number in range(100)}
    # As MLflow's own server keeps what is infinite.
    last = {"loss": 1 / 800, "accuracy": 2999 / 3000, "infinite": sys.float_info.max}
    assert found.pop("metrics") == last | {f"m/{number}": number / 7 for number in range(500)}
    history = found.pop("history")
    assert history["loss"] == [[step, 1_700_000_000_000 + step, 1 / (step + 1)] for step in range(800)]
    assert history["accuracy"] == [[step, step, step / 3000] for step in range(3000)]
    assert found == {
        "client": "3.9.0",
        "run": ["all", "FINISHED", True],
        "datasets": [["words", "training", {"num_rows": 2, "num_elements": 4}]],
        "dict": {"a": [1, None]},
        "table": {"words": ["a", "b"], "count": [1, 2]},
        "found": ["all"],
    }


# The client decodes names that it is told of, as long as that changes them: that of step 20 is `dog%step %timestamp…` to
# it, that of 2517 `dog%step%17%timestamp…`, and those of 80 to 99 have a U+FFFD. MLflow's own server keeps them so.
DECODED = ["20", "25", "41", "80", "99", "200", "2517"]
AS_SENT = ["0", "3", "10", "17", "120", "1999"]


@pytest.mark.parametrize(
    "steps",
    [pytest.param(AS_SENT, id="as-sent"), pytest.param(DECODED, id="decoded")],
)
def test_every_image_is_listed_and_comes_back(project: Project, session: Session, steps: list[str]):
    found = session("images", *steps)
    assert len(found["listed"]) == len(set(found["listed"])) == 2 * len(steps)
    for way in ["each", "folder"]:
        assert sorted(found[way]) == sorted(found["listed"]), way
        assert sorted(found[way].values()) == sorted(sum(found["sent"].values(), [])), way
    assert found["sizes"] == found["each_size"]
    if not IS_MLFLOW:
        names = names_of_images(project, found["run_id"])
        beginnings = sorted(f"a dog%step%{step}%timestamp%" for step in steps for _ in range(2))
        assert sorted(name[: name.index("%timestamp%") + 11] for name in names) == beginnings


def test_an_image_that_the_client_cannot_list_hides_no_other(session: Session):
    """That of step 23: it decodes to a name with `#`. It is refused, and the client goes on."""
    found = session("images", "3", "23", "4")
    others = found["sent"]["3"] + found["sent"]["4"]
    assert sorted(found["folder"].values()) == sorted(found["each"].values()) == sorted(others)


def names_of_images(project: Project, run_id: str) -> list[str]:
    """The names as they are kept: no client has decoded them."""
    query = {"run_id": run_id, "path": "images"}
    headers = {"authorization": f"Bearer {project.token}"}
    with httpx.Client(headers=headers, trust_env=False) as http:
        answer = http.get(f"{project.uri}/api/2.0/mlflow/artifacts/list", params=query).raise_for_status()
    return [file["path"].removeprefix("images/") for file in answer.json()["files"]]


# The client puts a name into an address as it is: what can be read as escapes is sent as what they mean, and what follows a
# `#` is not sent at all.
NAMES = {
    "ts=2024-01-01 00%3A00%3A00/part 0.txt": "ts=2024-01-01 00:00:00/part 0.txt",
    "50%25/a.txt": "50%/a.txt",
    "a%20b.txt": "a b.txt",
    "a#b.txt": "a",
} | {
    name: name
    for name in [
        "100%.txt",
        "spaces in it/a  b.txt",
        "a+b&c;d=e@f,g.txt",
        unicodedata.normalize("NFD", "café/naïve.txt"),
        unicodedata.normalize("NFD", "한국어/말.txt"),
        unicodedata.normalize("NFC", "café/naïve.txt"),
    ]
}


def test_artifacts_come_back(session: Session):
    found = session("artifacts", *NAMES)
    for sent, kept in NAMES.items():
        sha256 = hashlib.sha256(sent.encode()).hexdigest()
        assert found[sent] == [{kept.rsplit("/", 1)[-1]: sha256}, {kept: sha256}], sent


def test_a_model_finds_its_artifact_of_a_decomposed_name(session: Session):
    file = unicodedata.normalize("NFD", "wörter 말.txt")
    found = session("reader", file)
    assert set(map(tuple, found["predictions"].values())) == {("hello ada",)}
    assert len(found["predictions"]) == 3
    assert f"artifacts/{file}" in found["files"]
    assert found["model"] == f"artifacts/{file}"


def test_models_are_registered_moved_tagged_and_found(session: Session):
    assert session("registry") == {
        "first": ["1", "READY", "The *first*", {"checked by": "ada"}],
        "runs": {"1": "first", "2": True, "3": True},
        "statuses": ["READY"] * 2,
        "tags": {"by": "run"},
        "aliases": {"champion": "2", "old": "1"},
        "copied": "1",
        "model": ["READY", "reader", {"C": "1"}, "ocr"],
        "metrics": {"accuracy": 0.97},
        "found": {"models": ["words"], "tagged": ["1"], "logged": [True]},
        "predictions": {
            "words/1": "one ada",
            "words/2": "two ada",
            "words/3": "two ada",
            "words@champion": "two ada",
            "words@old": "one ada",
            "copies/1": "two ada",
        },
    }


def test_a_source_says_alone_which_run_it_is_of(ours: Server, session: Session):
    assert session("source") == {"run": True, "status": "READY", "predictions": ["one ada"]}


def test_a_logged_model_gets_a_signature_and_requirements(session: Session):
    found = session("changes")
    before = [None, ["mlflow==3.9.0"], ["one ada"]]
    inputs = [{"type": "string", "name": "name", "required": True}]
    after = [inputs, ["mlflow==3.9.0", "coloredlogs==15.0.1"], ["one ada"]]
    # A version of MLflow's own server changes with its model.
    versions = {"before": after if IS_MLFLOW else before, "after": after}
    assert found == {"model": after} | versions


def test_prompts_come_back_as_they_were_registered(session: Session):
    found = session("prompts")
    assert found.pop("same") == {
        uri: True
        for uri in ["greeting/1", "greeting/2", "greeting@production", "greeting@latest", "talk/1", "long/1"]
    }
    models = found.pop("models")
    assert "no prompt" in models and not {"greeting", "long", "talk"} & set(models)
    assert found == {
        "versions": ["1", "2", "1", "1"],
        "format": "Say “hi” in red {single} %20 ü\nand\tno more.",
        "first": ["The first", "ada"],
        "aliases": ["production"],
        "config": {"model_name": "m", "temperature": 0.5},
        "checked": "yes",
        "talk": True,
        "team": "ocr",
        "linked": [{"name": "greeting", "version": "1"}],
        "missing": None,
        "found": ["greeting", "long", "talk"],
        "like": ["greeting"],
    }
