"""A client that tries again what a sensible user would, and counts how often."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import requests
from registry import Refused
from tusclient.exceptions import TusCommunicationError

T = TypeVar("T")
# How long an operation may take until it is done, with all that is tried again, in seconds.
PATIENCE = 60
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2
TRANSIENT = (502, 503, 504)
# What says the same in an answer of GraphQL, whose status is 200.
TRANSIENT_CODES = ("UNAVAILABLE", "RATE_LIMITED")


class Again(Exception):
    """Something that passes: it is to be tried again, after so many seconds where the server says so."""

    def __init__(self, why: str, seconds: float | None = None):
        super().__init__(why)
        self.seconds = seconds


class Unmended(Exception):
    """Trying again did not help."""


@dataclass
class Kind:
    """What became of the operations of one kind."""

    count: int = 0
    retried: int = 0
    longest: float = 0


@dataclass
class Tally:
    """What became of all operations, from several threads."""

    kinds: dict[str, Kind] = field(default_factory=lambda: defaultdict(Kind))
    reasons: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def done(self, kind: str, reasons: list[str], seconds: float) -> None:
        with self.lock:
            made = self.kinds[kind]
            made.count += 1
            made.retried += bool(reasons)
            if reasons:
                made.longest = max(made.longest, seconds)
            self.reasons.update(reasons)

    def failed(self, what: str) -> None:
        with self.lock:
            self.failures.append(what)

    def counts(self) -> dict[str, int]:
        with self.lock:
            return {name: kind.count for name, kind in self.kinds.items()}

    def summary(self) -> str:
        lines = [f"{'operation':20} {'done':>6} {'retried':>8} {'longest wait':>13}"]
        for name, kind in sorted(self.kinds.items()):
            wait = f"{kind.longest:.1f} s" if kind.retried else ""
            lines.append(f"{name:20} {kind.count:6} {kind.retried:8} {wait:>13}")
        every = self.kinds.values()
        count, retried = sum(kind.count for kind in every), sum(kind.retried for kind in every)
        longest = max((kind.longest for kind in every), default=0)
        reasons = ", ".join(f"{why} {times}×" for why, times in self.reasons.most_common())
        return "\n".join([
            *lines,
            f"{'all':20} {count:6} {retried:8} {longest:11.1f} s",
            f"tried again because of: {reasons or 'nothing'}; failed: {len(self.failures)}",
        ])


class Patient:
    """Somebody who is signed in as admin, for one thread."""

    def __init__(self, url: str, token: str, tally: Tally):
        self.url, self.tally = url, tally
        self.headers = {"authorization": f"Bearer {token}"}
        # A proxy of the machine's is not to be asked for 127.0.0.1.
        self.http = httpx.Client(base_url=url, headers=self.headers, timeout=PATIENCE, trust_env=False)

    def mended(self, kind: str, attempt: Callable[[bool], T]) -> T:
        """The result of an attempt, which is made again while something passing is in its way. It is told whether an
        earlier one may have done it.
        """
        started, pause, reasons = time.monotonic(), FIRST_PAUSE, []
        while True:
            try:
                result = attempt(bool(reasons))
                self.tally.done(kind, reasons, time.monotonic() - started)
                return result
            except (Again, httpx.TransportError, requests.ConnectionError) as error:
                reasons.append(str(error) if isinstance(error, Again) else type(error).__name__)
                wait = getattr(error, "seconds", None) or pause
                if time.monotonic() + wait - started > PATIENCE:
                    raise Unmended(f"{kind}: {', '.join(reasons)}") from error
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    def request(self, method: str, path: str, **options) -> httpx.Response:
        """One attempt: an answer that is not of something passing."""
        return settled(self.http.request(method, path, **options))

    def graphql(self, query: str, **variables) -> dict:
        """One attempt at an operation."""
        answer = self.request("POST", "/graphql", json={"query": query, "variables": variables})
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
        if errors := answer.json().get("errors"):
            refused = Refused(errors[0])
            raise Again(refused.code) if refused.code in TRANSIENT_CODES else refused
        return answer.json()["data"]


def settled(answer: httpx.Response) -> httpx.Response:
    """The answer, unless it says that it is to be asked for again."""
    seconds = answer.headers.get("retry-after")
    if answer.status_code in TRANSIENT or (answer.status_code == 429 and seconds):
        raise Again(str(answer.status_code), float(seconds) if seconds else None)
    return answer


def settled_by_tus(error: TusCommunicationError) -> Again:
    """What tuspy said, if it is something passing; else it is raised."""
    if error.status_code in (*TRANSIENT, 429, None):
        return Again(str(error.status_code or "cut off"))
    raise error
