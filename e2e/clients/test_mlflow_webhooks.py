"""Webhooks, with MLflow's own client and its own code that verifies, and with what verifies Standard Webhooks."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import mlflow
import pytest
from mlflow.entities.webhook import WebhookEvent, WebhookStatus
from mlflow.exceptions import MlflowException
from mlflow.webhooks.delivery import _generate_hmac_signature
from mlflow_fixtures import Project, create_project, use_credentials
from registry import Server
from standardwebhooks.webhooks import Webhook

ALLOW = ("--webhook-allow", "127.0.0.0/8")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CREATE = """mutation($project: String!, $url: String!, $secret: String!) {
  createWebhook(input: {project: $project, name: "ci", url: $url, events: ["alias.set"], secret: $secret}) {
    webhook { id } } }"""
DELIVERIES = """query($id: ID!) { node(id: $id) { ... on Webhook { deliveries { nodes {
  state attempts { status error } } } } } }"""


@dataclass
class Receiver:
    """Keeps what it was sent."""

    port: int
    got: list[tuple[dict[str, str], str]] = field(default_factory=list)
    # What it answers instead of 200, before anything else.
    answers: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def serve(self) -> ThreadingHTTPServer:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                if receiver.answers:
                    self.wfile.write(receiver.answers.pop(0))
                    return
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def wait(self, count: int, seconds: float = 30) -> list[tuple[dict[str, str], str]]:
        until = time.monotonic() + seconds
        while len(self.got) < count and time.monotonic() < until:
            time.sleep(0.02)
        assert len(self.got) >= count, f"{len(self.got)} of {count} arrived"
        return self.got


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver(free_port())
    server = receiver.serve()
    yield receiver
    server.shutdown()
    server.server_close()


@pytest.fixture
def hooked(start_server: Callable[..., Server]) -> Iterator[tuple[Server, Project]]:
    """A server whose webhooks may go to this machine, and a project of it, whose maintainer the client is."""
    server = start_server(*ALLOW)
    project = create_project(server, "hooked", role="MAINTAINER")
    project.use()
    yield server, project
    use_credentials({})


def test_mlflows_client_manages_webhooks(hooked: tuple[Server, Project], receiver: Receiver):
    client = hooked[1].client
    made = client.create_webhook(
        name="ci", url=receiver.url, events=["model_version.created", "prompt.created"], description="d", secret="s"
    )
    assert (made.name, made.url, made.description, made.status) == ("ci", receiver.url, "d", WebhookStatus.ACTIVE)
    assert [str(event) for event in made.events] == ["model_version.created", "prompt.created"]
    assert made.secret is None
    for number in range(3):
        client.create_webhook(f"more-{number}", receiver.url, [WebhookEvent.from_str("prompt_tag.set")])
    first = client.list_webhooks(max_results=2)
    rest = client.list_webhooks(max_results=5, page_token=first.token)
    assert [hook.name for hook in [*first, *rest]] == ["more-2", "more-1", "more-0", "ci"]
    assert not rest.token
    changed = client.update_webhook(made.webhook_id, name="new", events=["model_version_alias.deleted"], status="DISABLED")
    assert (changed.name, changed.status) == ("new", WebhookStatus.DISABLED)
    found = client.get_webhook(made.webhook_id)
    assert (found.name, [str(event) for event in found.events]) == ("new", ["model_version_alias.deleted"])
    client.delete_webhook(made.webhook_id)
    with pytest.raises(MlflowException, match="not found") as missing:
        client.get_webhook(made.webhook_id)
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    for wrong in [{"name": "-"}, {"url": "ftp://x"}, {"url": "http://10.0.0.1/"}, {"events": []}]:
        arguments = {"name": "ci", "url": receiver.url, "events": ["prompt.created"], **wrong}
        with pytest.raises(MlflowException) as refused:
            client.create_webhook(**arguments)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE", wrong


def test_a_test_is_what_mlflow_sends(hooked: tuple[Server, Project], receiver: Receiver):
    client = hooked[1].client
    hook = client.create_webhook("ci", receiver.url, ["model_version.created", "prompt_alias.created"])
    result = client.test_webhook(hook.webhook_id)
    assert (result.success, result.response_status, result.error_message) == (True, 200, None)
    assert json.loads(receiver.got[0][1])["data"] == {
        "name": "example_model",
        "version": "1",
        "source": "models:/123",
        "run_id": "abcd1234abcd5678",
        "tags": {"example_key": "example_value"},
        "description": "An example model version",
    }
    client.test_webhook(hook.webhook_id, event="prompt_alias.created")
    assert json.loads(receiver.got[1][1])["entity"] == "prompt_alias"
    receiver.answers.append(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")
    failed = client.test_webhook(hook.webhook_id)
    assert (failed.success, failed.response_status) == (False, 503)


def test_every_event_of_mlflow_arrives_as_mlflow_tells_it(hooked: tuple[Server, Project], receiver: Receiver):
    server, project = hooked
    client = project.client
    events = [
        "registered_model.created",
        "model_version.created",
        "model_version_tag.set",
        "model_version_tag.deleted",
        "model_version_alias.created",
        "model_version_alias.deleted",
        "prompt.created",
        "prompt_version.created",
        "prompt_tag.set",
        "prompt_alias.created",
        "prompt_alias.deleted",
    ]
    client.create_webhook("ci", receiver.url, events, secret=SECRET)
    client.create_registered_model("m", tags={"k": "v"}, description="a model")
    version = client.create_model_version("m", "s3://bucket/m", run_id=None, tags={"a": "b"}, description="a version")
    client.set_model_version_tag("m", version.version, "t", "1")
    client.delete_model_version_tag("m", version.version, "t")
    client.set_registered_model_alias("m", "champion", version.version)
    client.delete_registered_model_alias("m", "champion")
    mlflow.genai.register_prompt("p", "Hello {{name}}", commit_message="first", tags={"lang": "en"})
    mlflow.genai.set_prompt_alias("p", "production", 1)
    told = {}
    for headers, body in receiver.wait(9):
        message = json.loads(body)
        # Both kinds of receiver take it for ours.
        expected = _generate_hmac_signature(SECRET, headers["x-mlflow-delivery-id"], headers["x-mlflow-timestamp"], body)
        assert headers["x-mlflow-signature"] == expected
        assert Webhook(SECRET).verify(body, headers) == message
        told.setdefault(f"{message['entity']}.{message['action']}", []).append(message["data"])
    assert told["registered_model.created"] == [{"name": "m", "tags": {"k": "v"}, "description": "a model"}]
    assert told["model_version.created"] == [
        {
            "name": "m",
            "version": "1",
            "source": "s3://bucket/m",
            "run_id": None,
            "tags": {"a": "b"},
            "description": "a version",
        }
    ]
    assert told["model_version_tag.set"] == [{"name": "m", "version": "1", "key": "t", "value": "1"}]
    assert told["model_version_tag.deleted"] == [{"name": "m", "version": "1", "key": "t"}]
    assert told["model_version_alias.created"] == [{"name": "m", "alias": "champion", "version": "1"}]
    assert told["model_version_alias.deleted"] == [{"name": "m", "alias": "champion"}]
    assert [prompt["name"] for prompt in told["prompt.created"]] == ["p"]
    assert told["prompt_version.created"][0]["template"] == "Hello {{name}}"
    assert told["prompt_alias.created"] == [{"name": "p", "alias": "production", "version": "1"}]


def test_receivers_that_misbehave_are_failures_and_nothing_more(hooked: tuple[Server, Project], receiver: Receiver):
    server, project = hooked
    hook = server.graphql(CREATE, project="hooked", url=receiver.url, secret=SECRET)["createWebhook"]["webhook"]["id"]
    large = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 1000) for number in range(1000))
    # More than three: each is tried again soon.
    receiver.answers += [b"HTTP/1.1 200 OK\r\n" + large + b"\r\n", b"no HTTP at all", b""] * 4
    client = project.client
    client.create_registered_model("m")
    client.create_model_version("m", "s3://bucket/m")
    for _ in range(3):
        client.set_registered_model_alias("m", "champion", "1")
    receiver.wait(3)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = server.graphql(DELIVERIES, id=hook)["node"]["deliveries"]["nodes"]
        attempts = [delivery["attempts"][0] for delivery in found if delivery["attempts"]]
        if len(attempts) == 3:
            break
        time.sleep(0.05)
    assert [attempt["status"] for attempt in attempts] == [None] * 3
    assert all(attempt["error"] for attempt in attempts)


def test_a_receiver_that_fails_for_a_moment_gets_it_within_seconds(hooked: tuple[Server, Project], receiver: Receiver):
    client = hooked[1].client
    client.create_webhook("ci", receiver.url, ["registered_model.created"])
    receiver.answers += [b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"] * 2
    client.create_registered_model("m")
    first, _, third = receiver.wait(3, seconds=15)
    assert first[1] == third[1]
    assert first[0]["webhook-id"] == third[0]["webhook-id"]


def test_what_happened_before_a_server_was_killed_arrives_after_its_next_start(
    start_server: Callable[..., Server], hooked: tuple[Server, Project]
):
    server, project = hooked
    away = Receiver(free_port())
    server.graphql(CREATE, project="hooked", url=away.url, secret=SECRET)
    client = project.client
    client.create_registered_model("m")
    client.create_model_version("m", "s3://bucket/m")
    client.set_registered_model_alias("m", "champion", "1")
    server.kill()
    listening = away.serve()
    start_server(*ALLOW)
    # At once, or 5 seconds after an attempt that failed before; a minute after one that was cut off.
    headers, body = away.wait(1, seconds=75)[0]
    assert Webhook(SECRET).verify(body, headers)["type"] == "alias.set"
    assert json.loads(body)["data"]["alias"] == "champion"
    listening.shutdown()
    listening.server_close()
