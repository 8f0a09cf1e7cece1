"""What a session consists of: requests, and what of their answers later ones need."""

import json
import re
from dataclasses import dataclass, field, replace

RUN = "run.info.run_id"
LOGGED = "model.info.model_id"
NOWHERE = "0" * 32


@dataclass(frozen=True)
class Step:
    method: str
    path: str
    what: str
    fields: dict = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    # What is sent in place of the fields as JSON.
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}: {self.what}"

    @property
    def url(self) -> str:
        return self.path if self.path.startswith("/") else f"/api/2.0/mlflow/{self.path}"

    @property
    def content(self) -> bytes:
        return json.dumps(self.fields).encode() if self.raw is None else self.raw

    def keep(self, **paths: str) -> "Step":
        """Gives values in the answer a name, such as `run="run.info.run_id"`."""
        return replace(self, kept=paths)

    def filled(self, values: dict[str, str]) -> "Step":
        """With what was kept in place of the names."""

        def fill(value):
            if isinstance(value, str):
                return re.sub(r"\$(\w+)", lambda found: values[found[1]], value)
            if isinstance(value, list):
                return [fill(item) for item in value]
            if isinstance(value, dict):
                return {key: fill(item) for key, item in value.items()}
            return value

        return replace(self, path=fill(self.path), fields=fill(self.fields))


def step(request: str, what: str, /, **fields) -> Step:
    method, path = request.split(" ", 1)
    return Step(method, path, what, fields)


def raw(request: str, what: str, content: bytes, **headers: str) -> Step:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(step(request, what), raw=content, headers=sent)


def wrong(request: str, /, **fields) -> list[Step]:
    """A good request, spoilt one field at a time: left out, null, and of a wrong type."""
    steps = []
    for name, good in fields.items():
        rest = {key: value for key, value in fields.items() if key != name}
        steps.append(step(request, f"without {name}", **rest))
        if request.startswith("GET"):
            values = ["", *([] if isinstance(good, str) else ["x"])]
        else:
            values = [None, *(["", 123] if isinstance(good, str) else ["x", {}]), ["x"]]
        steps += [step(request, f"{name} = {json.dumps(value)}", **rest, **{name: value}) for value in values]
    return steps


def pages(request: str, what: str, count: int, /, **fields) -> list[Step]:
    """So many pages, each asked for with the token in the one before."""
    first = step(request, f"{what}, page 1", **fields).keep(token="next_page_token")
    more = step(request, what, **fields, page_token="$token").keep(token="next_page_token")
    return [first, *(replace(more, what=f"{what}, page {number}") for number in range(2, count + 1))]


def each(request: str, name: str, values: list, /, **fields) -> list[Step]:
    """One request for each value of one field."""
    return [step(request, f"{name} = {json.dumps(value)}", **fields, **{name: value}) for value in values]


def tags(**values: str) -> list[dict]:
    return [{"key": key, "value": value} for key, value in values.items()]
