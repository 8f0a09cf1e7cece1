"""The server itself: what it can do, wrong requests, workspaces, webhooks."""

from session.steps import raw, step

SERVER = [
    step("POST experiments/search", "with models", max_results=1000, order_by=["name"]),
    step("GET /health", "alive"),
    step("GET /version", "version"),
    step("GET /api/3.0/mlflow/server-info", "capabilities"),
    step("GET /ajax-api/2.0/mlflow/experiments/get", "the other prefix", experiment_id="0"),
    step("GET /api/3.0/mlflow/experiments/get", "a newer prefix", experiment_id="0"),
    step("GET nothing/here", "no endpoint"),
    step("POST experiments/get", "not the method", experiment_id="0"),
    step("GET experiments/create", "not the method", name="x"),
    raw("POST experiments/create", "not JSON", b"{", content_type="application/json"),
    raw("POST experiments/create", "no body", b"", content_type="application/json"),
    raw("POST experiments/create", "a list", b"[]", content_type="application/json"),
    raw("POST experiments/create", "a number", b"1", content_type="application/json"),
    raw("POST experiments/create", "null", b"null", content_type="application/json"),
    raw(
        "POST experiments/create",
        "JSON in a string",
        b'"{\\"name\\": \\"double\\"}"',
        content_type="application/json",
    ),
    raw(
        "POST experiments/create",
        "JSON with a charset",
        b'{"name": "charset"}',
        content_type="application/json; charset=utf-8",
    ),
    raw("POST experiments/create", "a form", b"name=form", content_type="application/x-www-form-urlencoded"),
    raw("POST experiments/create", "text", b'{"name": "text"}', content_type="text/plain"),
    raw("POST experiments/create", "no type", b'{"name": "untyped"}', content_type=""),
    raw("POST experiments/create", "not UTF-8", b'{"name": "\xff"}', content_type="application/json"),
    step("POST experiments/create", "a NUL", name="a\0b"),
    step("POST registered-models/create", "a NUL", name="a\0b"),
    step("POST runs/set-tag", "a NUL", run_id="$run", key="nul", value="a\0b"),
    step(
        "POST experiments/create",
        "a JSON name and a proto name",
        name="both",
        artifactLocation="s3://b/x",
        artifact_location="s3://b/y",
    ),
    step("POST experiments/create", "a JSON name", name="camel", artifactLocation="s3://b/x"),
]

WORKSPACES_AND_WEBHOOKS = [
    step("GET /api/3.0/mlflow/workspaces", "all"),
    step("GET /api/3.0/mlflow/workspaces/default", "the default one"),
    step("GET /api/3.0/mlflow/workspaces/nothing", "none"),
    step("POST /api/3.0/mlflow/workspaces", "one", name="team"),
    step("PATCH /api/3.0/mlflow/workspaces/team", "one", description="d"),
    step("DELETE /api/3.0/mlflow/workspaces/team", "one"),
    step("GET webhooks", "all"),
    step("GET webhooks/none", "none"),
    step("POST webhooks", "without anything"),
    step("PATCH webhooks/none", "none", description="d"),
    step("POST webhooks/none/test", "none"),
    step("DELETE webhooks/none", "none"),
]
