"""Sends a step and makes its answer comparable: what any two servers have of their own gets one name."""

import re
import time

import httpx
from session import Step

Answer = dict

# Shorter ones, as "1", would also be found where they mean something else.
SHORTEST_NAMED = 20
# Of a longer text its length says enough.
LONGEST_SHOWN = 1000
DAY_MS = 86_400_000
RANDOM_NAME = re.compile(r"[a-z]+-[a-z]+-\d+")
ID = re.compile(r"\b(m-)?[0-9a-f]{32}\b")
UNORDERED = ["tags", "params", "metrics", "aliases", "latest_versions"]
UNORDERED += ["dataset_inputs", "model_inputs", "model_outputs", "dataset_summaries"]
# As Python prints one, in whatever order.
SET = re.compile(r"\{('[^{}:]*')\}")
ROOT = re.compile(r"^(mlflow-artifacts:/)(\d+)(?=/|$)")
EXPERIMENT = re.compile(r"\b(experiment |with id[= ])(\d{1,9})\b")
HEADERS = ["content-disposition", "content-range", "x-content-type-options"]


def answer_of(client: httpx.Client, step: Step, values: dict[str, str]) -> Answer:
    """Status, kind of content and content; what the step keeps is added to the values."""
    filled = step.filled(values)
    try:
        answer = sent(client, filled)
    except httpx.TransportError:
        # Who refuses an upload unread may close the connection when the next request is on its way.
        answer = sent(client, filled)
    kind = answer.headers.get("content-type", "").split(";")[0]
    is_file = "content-disposition" in answer.headers
    body = json_of(answer) if kind == "application/json" and not is_file else None
    if body is not None:
        values |= {name: found(body, path, name) for name, path in step.kept.items()}
        content = comparable(body, values, str(client.base_url))
        return {"status": answer.status_code, "kind": kind} | (
            content if isinstance(content, dict) else {"body": content}
        )
    values |= {name: f"no-{name}" for name in step.kept}
    is_page = kind == "text/html" and answer.status_code != 200
    content = "(a page)" if is_page else named(answer.text, values, str(client.base_url))
    headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers and answer.is_success}
    exact = answer.headers.get("content-type", "") if is_file else kind
    return {"status": answer.status_code, "kind": exact, "body": content} | headers


def sent(client: httpx.Client, step: Step) -> httpx.Response:
    if step.method == "GET":
        return client.get(step.url, params=step.fields, headers=step.headers)
    # What is made in one millisecond comes in any order.
    time.sleep(0.002)
    headers = {"content-type": "application/json"} | step.headers
    headers = {name: value for name, value in headers.items() if value}
    return client.request(step.method, step.url, content=step.content, headers=headers)


def json_of(answer: httpx.Response):
    try:
        return answer.json()
    except ValueError:
        return None


def found(body, path: str, name: str) -> str:
    """What is at a path such as `run.info.run_id`; an artifact's address without its scheme."""
    for key in path.split("."):
        body = body.get(key, {}) if isinstance(body, dict) else {}
    return str(body).removeprefix("mlflow-artifacts:/") if body != {} else f"no-{name}"


def comparable(value, values: dict[str, str], url: str, key: str = ""):
    """The answer with names for what is this server's own."""
    if isinstance(value, dict):
        # The points of a history are the answer itself, and in an order.
        ordered = key == "" and "metrics" in value
        return {name: comparable(item, values, url, "" if ordered else name) for name, item in value.items()}
    if isinstance(value, list):
        items = [comparable(item, values, url, key) for item in value]
        # These come from a set: their order says nothing.
        return by_name(items) if key in UNORDERED else items
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return "(now)" if abs(value - time.time() * 1000) < DAY_MS else value
    if key == "next_page_token" and value:
        return "(token)"
    if key == "experiment_id":
        return experiment(value, values)
    if key in ("artifact_uri", "artifact_location", "root_uri"):
        value = ROOT.sub(lambda found: f"{found[1]}{experiment(found[2], values)}", value)
    return named(value, values, url)


def by_name(items: list):
    """Things that have a key each by their keys, where these differ; and else in one order."""
    keys = [
        item.get("key", item.get("alias", item.get("version"))) for item in items if isinstance(item, dict)
    ]
    if len({key for key in keys if key}) == len(items):
        return dict(zip(keys, items))
    return sorted(items, key=repr)


def experiment(number: str, values: dict[str, str]) -> str:
    """A small number means nothing elsewhere; named, one too many does not spoil the rest."""
    if number == "0":
        return number
    return next((f"${name}" for name, value in values.items() if value == number), "(number)")


def named(text: str, values: dict[str, str], url: str) -> str:
    text = text.replace(url.rstrip("/"), "(server)")
    for name, value in sorted(values.items(), key=lambda item: -len(item[1])):
        if len(value) >= SHORTEST_NAMED:
            text = text.replace(value, f"${name}")
    text = EXPERIMENT.sub(lambda found: f"{found[1]}{experiment(found[2], values)}", text)
    text = ID.sub("(id)", text.split("\n[SQL: ")[0])
    text = SET.sub(lambda found: f"{{{', '.join(sorted(found[1].split(', ')))}}}", text)
    if len(text) > LONGEST_SHOWN:
        return f"{text[:20]}… ({len(text)})"
    return "(name)" if RANDOM_NAME.fullmatch(text) else text
