"""Plays the session against MLflow's own server and against ours, and says where they answer differently.

Status, kind of content and JSON are compared field by field, once ids, times, addresses and page tokens
are made equal. A difference that is meant is in differences.txt with its reason; one that is not there
fails, and so does one that is there and no longer occurs.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from mlflow_server import MlflowServer
from registry import Server
from session import STEPS, Step
from wire import Answer, answer_of

DIFFERENCES = Path(__file__).with_name("differences.txt")
OUR_ADDRESS = "/mlflow/default"
ABSENT = "(absent)"
# Of one step: the rest seldom says more.
SHOWN = 6


@dataclass(frozen=True)
class Difference:
    step: str
    field: str
    mlflow: str
    ours: str


@dataclass
class Listed:
    """A line of differences.txt: where, with `*` for anything, and why."""

    line: int
    parts: list[str]
    reason: str
    seen: int = field(default=0)

    def covers(self, difference: Difference) -> bool:
        change = f"{difference.mlflow} -> {difference.ours}"
        found = [difference.step, difference.field, change]
        return all(matches(pattern, text) for pattern, text in zip(self.parts, found))


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def listed_in(text: str) -> list[Listed]:
    """Paragraphs of a reason; below each, indented, `step | field` or `step | field | MLflow's -> ours`."""
    listed, reason = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(" "):
            listed.append(Listed(number, line.strip().split(" | "), " ".join(reason)))
        elif not line.strip():
            reason = []
        elif not line.startswith("#"):
            reason.append(line)
    for entry in listed:
        assert entry.reason, f"{DIFFERENCES.name}:{entry.line}: without a reason"
    return listed


def play(url: str, steps: list[Step]) -> list[Answer]:
    """The answers to all steps, in order."""
    values: dict[str, str] = {}
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        return [answer_of(client, step, values) for step in steps]


def differences(step: Step, mlflow: Answer, ours: Answer) -> Iterator[Difference]:
    if outcome(mlflow) != outcome(ours):
        # That the rest differs then says nothing.
        yield Difference(step.name, "outcome", outcome(mlflow), outcome(ours))
        return
    for path, theirs, mine in compared(mlflow, ours, ""):
        yield Difference(step.name, path, theirs, mine)


def outcome(answer: Answer) -> str:
    """Such as `200`, `404 RESOURCE_DOES_NOT_EXIST`, or `500 text/html` where a server has failed."""
    if answer["status"] < 400:
        return str(answer["status"])
    return f"{answer['status']} {answer.get('error_code', answer['kind'])}"


def compared(mlflow, ours, path: str) -> Iterator[tuple[str, str, str]]:
    """The paths at which two answers differ, and what is there."""
    if isinstance(mlflow, dict) and isinstance(ours, dict):
        for key in sorted(mlflow.keys() | ours.keys()):
            yield from compared(mlflow.get(key, ABSENT), ours.get(key, ABSENT), f"{path}.{key}".lstrip("."))
    elif isinstance(mlflow, list) and isinstance(ours, list):
        for index in range(max(len(mlflow), len(ours))):
            items = (answer[index] if index < len(answer) else ABSENT for answer in (mlflow, ours))
            yield from compared(*items, f"{path}[{index}]")
    elif mlflow != ours or type(mlflow) is not type(ours):
        yield path, text_of(mlflow), text_of(ours)


def text_of(value) -> str:
    return value if value == ABSENT else repr(value)


def shortened(text: str, length: int = 200) -> str:
    return text if len(text) <= length else f"{text[:length]}… ({len(text)})"


def main() -> int:
    arguments = argparse.ArgumentParser(description="Compares our answers with those of MLflow's own server.")
    arguments.add_argument("--all", action="store_true", help="print the listed differences too")
    arguments.add_argument(
        "--against", metavar="URL", help="an empty server that runs already, in place of ours"
    )
    options = arguments.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        mlflow_answers, our_answers = answers(Path(folder), options.against)
    listed = listed_in(DIFFERENCES.read_text())
    alike, known, unknown = 0, 0, 0
    for step, mlflow, ours in zip(STEPS, mlflow_answers, our_answers):
        found = list(differences(step, mlflow, ours))
        reasons = [why(difference, listed) for difference in found]
        news = [difference for difference, reason in zip(found, reasons) if reason is None]
        alike, known, unknown = alike + (not found), known + len(found) - len(news), unknown + len(news)
        shown = [*zip(found, reasons)] if options.all else [(difference, None) for difference in news]
        report(step, shown, len(shown) if options.all else SHOWN)
    gone = [entry for entry in listed if not entry.seen]
    for entry in gone:
        print(f"no longer differs: {DIFFERENCES.name}:{entry.line}: {' | '.join(entry.parts)}")
    print(
        f"{len(STEPS)} requests, {alike} answered alike; {known} differences are listed, {unknown} are not,"
        f" {len(gone)} of the list are gone; {time.monotonic() - started:.0f} s"
    )
    return 1 if unknown or gone else 0


def why(difference: Difference, listed: list[Listed]) -> str | None:
    """The reason of a difference that is listed; every line that covers it has been seen then."""
    entries = [entry for entry in listed if entry.covers(difference)]
    for entry in entries:
        entry.seen += 1
    return entries[0].reason if entries else None


def report(step: Step, shown: list[tuple[Difference, str | None]], most: int) -> None:
    if shown:
        print(f"{step.name} {shortened(repr(step.content), 100)}")
    for difference, reason in shown[:most]:
        change = f"{shortened(difference.mlflow)} -> {shortened(difference.ours)}"
        print(f"    {difference.field} | {change}" + (f"\n        {reason}" if reason else ""))
    if len(shown) > most:
        print(f"    … and {len(shown) - most} more")


def answers(folder: Path, against: str | None) -> tuple[list[Answer], list[Answer]]:
    """MLflow's and ours: one after the other, for they share the machine."""
    mlflow = MlflowServer.start(folder / "mlflow")
    try:
        mlflow_answers = play(mlflow.url, STEPS)
    finally:
        mlflow.stop()
    if against:
        return mlflow_answers, play(against, STEPS)
    ours = Server.start(folder / "ours", folder / "ours.log", "--no-auth")
    try:
        return mlflow_answers, play(f"{ours.url}{OUR_ADDRESS}", STEPS)
    finally:
        ours.stop()


if __name__ == "__main__":
    sys.exit(main())
