"""Training runs are recorded, compared and promoted: params, metrics with history, tags, files."""

import json
from collections.abc import Iterator

import pytest
from registry import Entry, Refused, Server, version_digest

MODEL = "training/ocr"
CREATE = """mutation($input: CreateCandidateInput!) { createCandidate(input: $input) {
  candidate { number name status } } }"""
UPDATE = """mutation($input: UpdateCandidateInput!) { updateCandidate(input: $input) {
  candidate { status endedAt } } }"""
CANDIDATE = """query($model: String!, $number: Int!) { model(path: $model) { candidate(number: $number) {
  number name status endedAt author { username } version { version }
  params { name value } metrics { name value step } tags { key value }
  fileCount size files { nodes { path size sha256 downloadUrl } } } } }"""
HISTORY = """query($model: String!, $number: Int!, $name: String!, $after: String) { model(path: $model) {
  candidate(number: $number) { metricHistory(name: $name, first: 2, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { value step timestamp } } } } }"""
LIST = """query($model: String!, $filter: String, $search: String, $orderBy: CandidateOrder) {
  model(path: $model) { candidates(filter: $filter, search: $search, orderBy: $orderBy) {
    totalCount nodes { name } } } }"""
PROMOTE = """mutation($input: PromoteCandidateInput!) { promoteCandidate(input: $input) { modelVersion {
  version number state digest fileCount params { name value } metrics { name value step } candidate { number }
  author { username } files { nodes { path size sha256 } } } } }"""
VERSION = """query($model: String!, $ref: String!) { model(path: $model) { version(ref: $ref) {
  version digest candidate { number name } metrics { name value } files { nodes { path sha256 } } } } }"""
# The loss diverges, and what JSON has no number for arrives and comes back as text.
LOSSES = [2.5, 1.25, "NaN", "Infinity", "-Infinity", 1e-300, 0.1]
RUNS = {
    # name: (learning rate, accuracy, status, team)
    "careful": ("0.001", 0.91, "FINISHED", "ocr"),
    "bold": ("0.1", 0.95, "FINISHED", "ocr"),
    "broken": ("10", "NaN", "FAILED", "research"),
    "running": ("0.01", None, "RUNNING", None),
}


@pytest.fixture(scope="module")
def trained(server: Server) -> Server:
    """Four runs of one model; number 2, the best, has its losses and files."""
    server.create_model(MODEL)
    for number, (name, (rate, accuracy, status, team)) in enumerate(RUNS.items(), start=1):
        made = create(
            server,
            name=name,
            params=[{"name": "lr", "value": rate}, {"name": "optimizer/name", "value": "adam 🦀"}],
            metrics=[] if accuracy is None else [{"name": "accuracy", "value": accuracy, "step": 7}],
            tags=[{"key": "team", "value": team}] if team else [],
        )
        assert made == {"number": number, "name": name, "status": "RUNNING"}
        if status != "RUNNING":
            assert update(server, candidate=number, status=status)["endedAt"] is not None
    for step, loss in enumerate(LOSSES):
        metric = {
            "name": "loss",
            "value": loss,
            "step": step,
            "timestamp": f"2026-01-02T03:04:{step:02}.500Z",
        }
        update(server, candidate=2, metrics=[metric])
    for path, content in files().items():
        answer = server.http.put(f"/files/{MODEL}/candidate:2/{path}", content=content)
        assert answer.status_code == 201, answer.text
    return server


def files() -> dict[str, bytes]:
    return {
        "checkpoints/last.safetensors": bytes(500_000),
        "config.json": b"{}",
        "log.txt": b"step 0\nstep 1\n",
    }


def create(server: Server, **values) -> dict:
    return server.graphql(CREATE, input={"model": MODEL} | values)["createCandidate"]["candidate"]


def update(server: Server, **values) -> dict:
    return server.graphql(UPDATE, input={"model": MODEL} | values)["updateCandidate"]["candidate"]


def promote(server: Server, **values) -> dict:
    return server.graphql(PROMOTE, input={"model": MODEL} | values)["promoteCandidate"]["modelVersion"]


def candidate(server: Server, number: int) -> dict:
    return server.graphql(CANDIDATE, model=MODEL, number=number)["model"]["candidate"]


def names(server: Server, **arguments) -> list[str]:
    found = server.graphql(LIST, model=MODEL, **arguments)["model"]["candidates"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["name"] for node in found["nodes"]]


def test_a_candidate_has_all_that_was_logged(trained: Server):
    found = candidate(trained, 2)
    assert (found["name"], found["status"], found["author"]) == ("bold", "FINISHED", {"username": "admin"})
    assert found["params"] == [{"name": "lr", "value": "0.1"}, {"name": "optimizer/name", "value": "adam 🦀"}]
    assert found["tags"] == [{"key": "team", "value": "ocr"}]
    assert found["metrics"] == [
        {"name": "accuracy", "value": 0.95, "step": 7},
        {"name": "loss", "value": LOSSES[-1], "step": len(LOSSES) - 1},
    ]
    assert [file["path"] for file in found["files"]["nodes"]] == sorted(files())
    assert (found["fileCount"], found["size"]) == (3, sum(map(len, files().values())))
    assert found["version"] is None
    for file in found["files"]["nodes"]:
        assert trained.http.get(file["downloadUrl"]).content == files()[file["path"]]


def test_every_point_of_a_metric_is_kept(trained: Server):
    points = list(history(trained, 2, "loss"))
    assert [point["value"] for point in points] == LOSSES
    assert [point["step"] for point in points] == list(range(len(LOSSES)))
    assert points[3]["timestamp"] == "2026-01-02T03:04:03.500Z"


def history(server: Server, number: int, name: str) -> Iterator[dict]:
    """All points, in pages of two."""
    after = None
    while True:
        data = server.graphql(HISTORY, model=MODEL, number=number, name=name, after=after)
        page = data["model"]["candidate"]["metricHistory"]
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", 0, 5e-324, -1.7976931348623157e308, 0.1 + 0.2]
)
def test_a_metric_comes_back_as_it_went_in(trained: Server, value: float | str):
    number = create(trained, name="numbers", metrics=[{"name": "x", "value": value}])["number"]
    try:
        (metric,) = candidate(trained, number)["metrics"]
        assert metric["value"] == value
    finally:
        trained.graphql(
            "mutation($model: String!, $number: Int!) {"
            " deleteCandidate(input: {model: $model, candidate: $number}) { candidate { number } } }",
            model=MODEL,
            number=number,
        )


FILTERS = {
    "metrics.accuracy > 0.9": ["bold", "careful"],
    "metrics.accuracy >= 0.95": ["bold"],
    "metrics.loss <= 0.1 and metrics.accuracy > 0.5": ["bold"],
    "metrics.accuracy < 1e300": ["bold", "careful"],
    "params.lr = '0.01'": ["running"],
    "params.lr != '0.01'": ["bold", "broken", "careful"],
    "params.`optimizer/name` = 'adam 🦀'": ["bold", "broken", "careful", "running"],
    "status = 'FINISHED'": ["bold", "careful"],
    "metrics.accuracy > 0.9 and params.lr = '0.1' and status = 'FINISHED'": ["bold"],
    "tags.team = 'research'": ["broken"],
    "name like 'b%'": ["bold", "broken"],
    "name = 'nothing'": [],
    "metrics.nothing > 0": [],
}


@pytest.mark.parametrize(("filter", "expected"), FILTERS.items())
def test_candidates_are_found_by_what_they_have(trained: Server, filter: str, expected: list[str]):
    assert names(trained, filter=filter, orderBy={"field": "NAME"}) == expected


ORDERS = [
    (None, ["running", "broken", "bold", "careful"]),
    ({"field": "NUMBER"}, ["careful", "bold", "broken", "running"]),
    ({"field": "NAME", "direction": "DESC"}, ["running", "careful", "broken", "bold"]),
    ({"field": "PARAM", "key": "lr"}, ["careful", "running", "bold", "broken"]),
    # Numbers, then what is not a number, and last who has no accuracy; whatever the direction.
    ({"field": "METRIC", "key": "accuracy"}, ["careful", "bold", "broken", "running"]),
    ({"field": "METRIC", "key": "accuracy", "direction": "DESC"}, ["bold", "careful", "broken", "running"]),
    ({"field": "TAG", "key": "team"}, ["careful", "bold", "broken", "running"]),
    ({"field": "TAG", "key": "team", "direction": "DESC"}, ["broken", "bold", "careful", "running"]),
]


@pytest.mark.parametrize(("order", "expected"), ORDERS)
def test_candidates_are_sorted(trained: Server, order: dict | None, expected: list[str]):
    assert names(trained, orderBy=order) == expected


def test_candidates_are_searched_by_name(trained: Server):
    assert names(trained, search="RO") == ["broken"]


WRONG_LISTS = {
    "filter": [
        {"filter": "metrics.accuracy >"},
        {"filter": "metrics.accuracy = 'high'"},
        {"filter": "color = 'red'"},
        {"filter": "status = 'FINISHED' or status = 'FAILED'"},
        {"filter": "name = 'a"},
        {"filter": "'; DROP TABLE candidates; --"},
    ],
    "key": [{"orderBy": {"field": "METRIC"}}, {"orderBy": {"field": "PARAM", "key": ""}}],
}


@pytest.mark.parametrize(
    ("field", "arguments"), [(field, arguments) for field in WRONG_LISTS for arguments in WRONG_LISTS[field]]
)
def test_a_wrong_list_says_what_is_wrong(trained: Server, field: str, arguments: dict):
    with pytest.raises(Refused) as refused:
        names(trained, **arguments)
    assert (refused.value.code, refused.value.field) == ("INVALID", field)


WRONG_LOGS = [
    ({"metrics": [{"name": "x", "value": "high"}]}, "Metric"),
    ({"metrics": [{"name": "", "value": 1}]}, "metrics"),
    ({"params": [{"name": "lr", "value": "another"}]}, "lr"),
    ({"params": [{"name": "new", "value": "x" * 8001}]}, "params"),
    ({"tags": [{"key": "k" * 256, "value": ""}]}, "tags"),
    ({"name": " "}, "name"),
]


@pytest.mark.parametrize(("values", "mentioned"), WRONG_LOGS)
def test_a_wrong_value_is_refused_and_nothing_is_changed(trained: Server, values: dict, mentioned: str):
    """The good metric that came with the bad value is not logged either."""
    before = candidate(trained, 1)
    metrics = [{"name": "good", "value": 1}, *values.get("metrics", [])]
    with pytest.raises(Refused) as refused:
        update(trained, candidate=1, **(values | {"metrics": metrics}))
    assert mentioned in f"{refused.value.field} {refused.value.message}"
    assert refused.value.code in ("INVALID", "CONFLICT")
    assert candidate(trained, 1) == before


def test_a_bare_nan_is_not_json(trained: Server):
    """What careless clients send; the server must say so rather than fail."""
    values = {"model": MODEL, "candidate": 1, "metrics": [{"name": "x", "value": float("nan")}]}
    body = json.dumps({"query": UPDATE, "variables": {"input": values}})
    answer = trained.http.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "INVALID"


def test_promoted_it_is_a_version_that_says_where_it_came_from(trained: Server):
    """With its files, params and metrics; nothing is stored twice, and nothing changes it any more."""
    before = trained.blobs()
    version = promote(trained, candidate=2, version="1.0.0", description="The bold one")
    assert trained.blobs() == before
    run = candidate(trained, 2)
    contents = {file["path"]: Entry(file["size"], file["sha256"]) for file in run["files"]["nodes"]}
    assert (version["version"], version["state"], version["candidate"]) == (
        "1.0.0",
        "PUBLISHED",
        {"number": 2},
    )
    assert [version[part] for part in ("params", "metrics")] == [run[part] for part in ("params", "metrics")]
    assert version["digest"] == version_digest(contents)
    assert {
        file["path"]: Entry(file["size"], file["sha256"]) for file in version["files"]["nodes"]
    } == contents
    assert run["version"] == {"version": "1.0.0"}
    for path, content in files().items():
        assert trained.http.get(f"/files/{MODEL}/latest/{path}").content == content

    # A run may write its files again and log on; the version stays.
    replaced = trained.http.put(f"/files/{MODEL}/candidate:2/config.json", content=b'{"later": true}')
    assert replaced.status_code == 200
    update(trained, candidate=2, metrics=[{"name": "accuracy", "value": 0.1, "step": 8}])
    update(trained, candidate=2, metrics=[{"name": "accuracy", "value": 0.95, "step": 9}])
    found = trained.graphql(VERSION, model=MODEL, ref="1.0.0")["model"]["version"]
    assert found["digest"] == version["digest"]
    assert {"name": "accuracy", "value": 0.95} in found["metrics"]
    assert trained.http.get(f"/files/{MODEL}/1.0.0/config.json").content == b"{}"
    assert trained.http.get(f"/files/{MODEL}/candidate:2/config.json").content == b'{"later": true}'


def test_a_promotion_is_refused_by_name(trained: Server):
    promote(trained, candidate=1, version="0.1.0")
    for values, expected in [
        ({"candidate": 1, "version": "0.1.0"}, ("ALREADY_EXISTS", None)),
        ({"candidate": 1, "version": "1"}, ("INVALID", "version")),
        ({"candidate": 99, "version": "0.2.0"}, ("NOT_FOUND", None)),
    ]:
        with pytest.raises(Refused) as refused:
            promote(trained, **values)
        assert (refused.value.code, refused.value.field) == expected


def test_what_was_not_a_number_is_promoted_too(trained: Server):
    version = promote(trained, candidate=3, version="0.0.1-broken")
    assert version["metrics"] == [{"name": "accuracy", "value": "NaN", "step": 7}]
    assert version["fileCount"] == 0
