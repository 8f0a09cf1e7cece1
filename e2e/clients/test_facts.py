"""Facts of projects, read by the parser of Prometheus' own client library."""

from prometheus_client.parser import text_string_to_metric_families
from registry import Server

PROJECT = "facts"
HOSTILE = ['quote " and } 1', "new\u2028line", "é {a='b'}", "back slash".replace(" ", "\u00a0")]
METRIC = 'back\\slash \\n "quoted", x="y"} 7'
LOG = """mutation($model: String!, $metric: String!, $tag: String!) {
  setTag(input: {model: $model, key: "registry.metric", value: $tag}) { tag { key } }
  createCandidate(input: {model: $model, status: FINISHED, metrics: [{name: $metric, value: 0.1}]}) { candidate { number } }
  promoteCandidate(input: {model: $model, candidate: 1, version: "1.0.0"}) { modelVersion { id } }
  setAlias(input: {model: $model, name: "champion", version: "1.0.0"}) { alias { id } } }"""


def test_facts_are_what_prometheus_reads(server: Server) -> None:
    """Every series comes out as it went in, whatever people call their models and metrics."""
    for name in HOSTILE:
        server.create_model(f"{PROJECT}/{name}")
        server.graphql(LOG, model=f"{PROJECT}/{name}", metric=METRIC, tag=f"{METRIC}:max")
    answer = server.http.get("/api/facts", params={"project": PROJECT}).raise_for_status()
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert all(family.type == "gauge" and family.documentation for family in families.values())
    series = {
        name.removeprefix("model_registry_"): {
            tuple(label for key, label in sample.labels.items() if key != "project"): sample.value
            for sample in family.samples
        }
        for name, family in families.items()
    }
    assert all(sample.labels["project"] == PROJECT for family in families.values() for sample in family.samples)
    assert series["models"] == {(): len(HOSTILE)}
    assert series["versions"] == {("DRAFT",): 0, ("PUBLISHED",): len(HOSTILE)}
    assert series["candidates"][("FINISHED",)] == len(HOSTILE)
    assert series["best_metric"] == {(name, METRIC): 0.1 for name in HOSTILE}
    assert series["alias_info"] == {(name, "champion", "1.0.0"): 1 for name in HOSTILE}
    moved = series["alias_moved_timestamp_seconds"]
    assert moved.keys() == {(name, "champion") for name in HOSTILE}
    assert all(1.7e9 < at < 1e10 for at in moved.values())
