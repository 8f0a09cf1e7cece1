"""Runs: their tags and params, every point of their metrics, batches, inputs."""

from session.steps import NOWHERE, RUN, each, pages, raw, step, tags, wrong

RUNS = [
    step(
        "POST runs/create",
        "one",
        experiment_id="$vision",
        user_id="ada",
        run_name="one",
        start_time=1000,
        tags=tags(team="ocr", **{"mlflow.user": "ada"}),
    ).keep(run=RUN),
    step("GET runs/get", "one", run_id="$run").keep(root="run.info.artifact_uri"),
    step("GET runs/get", "by run_uuid", run_uuid="$run"),
    step("GET runs/get", "none", run_id=NOWHERE),
    step("GET runs/get", "not an id", run_id="abc"),
    *wrong("GET runs/get", run_id="$run"),
    step("POST runs/create", "without an experiment"),
    step("POST runs/create", "without anything else", experiment_id="0").keep(bare=RUN),
    step("GET runs/get", "without anything", run_id="$bare"),
    step(
        "POST runs/create",
        "a name by tag",
        experiment_id="0",
        start_time=1,
        tags=tags(**{"mlflow.runName": "t"}),
    ),
    step(
        "POST runs/create",
        "a name twice",
        experiment_id="0",
        start_time=1,
        run_name="n",
        tags=tags(**{"mlflow.runName": "t"}),
    ),
    step("POST runs/create", "no experiment", experiment_id="9999", start_time=1),
    step("POST runs/create", "not an experiment", experiment_id="abc", start_time=1),
    step("POST runs/create", "a negative time", experiment_id="0", start_time=-5, run_name="before 1970"),
    step("POST runs/create", "a tag with too long a key", experiment_id="0", tags=tags(**{"k" * 251: "v"})),
    step(
        "POST runs/create",
        "a tag with too long a value",
        experiment_id="0",
        run_name="l",
        tags=tags(k="v" * 8001),
    ),
    *wrong(
        "POST runs/create", experiment_id="$speech", user_id="u", run_name="w", start_time=5, tags=tags(k="v")
    ),
    # Status, end and name.
    step("POST runs/update", "scheduled", run_id="$run", status="SCHEDULED"),
    step("POST runs/update", "finished", run_id="$run", status="FINISHED", end_time=2000),
    step("GET runs/get", "finished", run_id="$run"),
    step("POST runs/update", "renamed", run_id="$run", run_name="first"),
    step("GET runs/get", "renamed", run_id="$run"),
    step("POST runs/update", "an empty name", run_id="$run", run_name=""),
    step("POST runs/update", "running again", run_id="$run", status="RUNNING"),
    step("POST runs/update", "by number", run_id="$run", status=4),
    step("POST runs/update", "nothing", run_id="$run"),
    step("POST runs/update", "by run_uuid", run_uuid="$run", status="RUNNING"),
    step("POST runs/update", "none", run_id=NOWHERE, status="FINISHED"),
    *each("POST runs/update", "status", ["DONE", "finished", "", 99], run_id="$run"),
    *wrong("POST runs/update", run_id="$run", end_time=2000, run_name="first"),
    # Tags.
    step("POST runs/set-tag", "one", run_id="$run", key="k", value="v"),
    step("POST runs/set-tag", "again", run_id="$run", key="k", value="w"),
    step("POST runs/set-tag", "by run_uuid", run_uuid="$run", key="u", value="v"),
    step("POST runs/set-tag", "the name", run_id="$run", key="mlflow.runName", value="by tag"),
    step("GET runs/get", "named by a tag", run_id="$run"),
    step("POST runs/set-tag", "a long value", run_id="$run", key="long", value="v" * 8000),
    step("POST runs/set-tag", "too long a value", run_id="$run", key="long", value="v" * 8001),
    step("POST runs/set-tag", "a long key", run_id="$run", key="k" * 250, value="v"),
    step("POST runs/set-tag", "too long a key", run_id="$run", key="k" * 251, value="v"),
    *each(
        "POST runs/set-tag",
        "key",
        [
            "a-b.c/d: e",
            "/a",
            "a/../b",
            "..",
            "a\tb",
            "ü",
            "a*b",
            "a//b",
            "a\\b",
            "a@b",
            "mlflow.note.content",
        ],
        run_id="$run",
        value="v",
    ),
    step("POST runs/set-tag", "none", run_id=NOWHERE, key="k", value="v"),
    *wrong("POST runs/set-tag", run_id="$run", key="k", value="w"),
    step("POST runs/delete-tag", "one", run_id="$run", key="k"),
    step("POST runs/delete-tag", "again", run_id="$run", key="k"),
    step("POST runs/delete-tag", "none", run_id=NOWHERE, key="k"),
    *wrong("POST runs/delete-tag", run_id="$run", key="nothing"),
    # Params are written once.
    step("POST runs/log-parameter", "one", run_id="$run", key="lr", value="0.1"),
    step("POST runs/log-parameter", "the same again", run_id="$run", key="lr", value="0.1"),
    step("POST runs/log-parameter", "another value", run_id="$run", key="lr", value="0.2"),
    step("POST runs/log-parameter", "by run_uuid", run_uuid="$run", key="u", value="1"),
    step("POST runs/log-parameter", "an empty value", run_id="$run", key="empty", value=""),
    step("POST runs/log-parameter", "a long value", run_id="$run", key="long", value="v" * 6000),
    step("POST runs/log-parameter", "too long a value", run_id="$run", key="longer", value="v" * 6001),
    step("POST runs/log-parameter", "too long a key", run_id="$run", key="k" * 251, value="v"),
    *each("POST runs/log-parameter", "key", ["a/b c", "/a", "a/../b", "a*b", "ü"], run_id="$run", value="v"),
    step("POST runs/log-parameter", "none", run_id=NOWHERE, key="k", value="v"),
    *wrong("POST runs/log-parameter", run_id="$run", key="lr", value="0.1"),
    step("GET runs/get", "with params", run_id="$run"),
    # Delete and restore.
    step("POST runs/create", "to delete", experiment_id="$vision", run_name="gone", start_time=3).keep(
        deleted=RUN
    ),
    step("POST runs/delete", "one", run_id="$deleted"),
    step("GET runs/get", "deleted", run_id="$deleted"),
    step("POST runs/delete", "again", run_id="$deleted"),
    step("POST runs/set-tag", "deleted", run_id="$deleted", key="k", value="v"),
    step("POST runs/delete-tag", "deleted", run_id="$deleted", key="k"),
    step("POST runs/log-parameter", "deleted", run_id="$deleted", key="k", value="v"),
    step("POST runs/log-metric", "deleted", run_id="$deleted", key="m", value=1, timestamp=1),
    step("POST runs/log-batch", "deleted", run_id="$deleted", tags=tags(k="v")),
    step("POST runs/update", "deleted", run_id="$deleted", status="FINISHED"),
    step("POST runs/restore", "one", run_id="$deleted"),
    step("POST runs/restore", "again", run_id="$deleted"),
    step("GET runs/get", "restored", run_id="$deleted"),
    step("POST runs/delete", "none", run_id=NOWHERE),
    step("POST runs/restore", "none", run_id=NOWHERE),
    *wrong("POST runs/delete", run_id=NOWHERE),
    *wrong("POST runs/restore", run_id=NOWHERE),
]


def metric(key: str, value, timestamp: int = 1000, step: int = 0) -> dict:
    return {"key": key, "value": value, "timestamp": timestamp, "step": step}


INTERVAL = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"

METRICS = [
    step("POST runs/create", "for metrics", experiment_id="$speech", run_name="metrics", start_time=1).keep(
        m=RUN, m_root="run.info.artifact_uri"
    ),
    step("POST runs/log-metric", "one", run_id="$m", key="loss", value=2.5, timestamp=1000, step=0),
    step(
        "POST runs/log-metric",
        "the same point again",
        run_id="$m",
        key="loss",
        value=2.5,
        timestamp=1000,
        step=0,
    ),
    step("POST runs/log-metric", "a later step", run_id="$m", key="loss", value=1.5, timestamp=1001, step=2),
    step("POST runs/log-metric", "a step between", run_id="$m", key="loss", value=9, timestamp=2000, step=1),
    step(
        "POST runs/log-metric",
        "another value at a step",
        run_id="$m",
        key="loss",
        value=1.25,
        timestamp=1001,
        step=2,
    ),
    step(
        "POST runs/log-metric",
        "a smaller value at a step",
        run_id="$m",
        key="loss",
        value=0.5,
        timestamp=1001,
        step=2,
    ),
    step("GET runs/get", "the last one counts", run_id="$m"),
    step(
        "POST runs/log-metric", "a negative step", run_id="$m", key="negative", value=-1, timestamp=1, step=-3
    ),
    step("POST runs/log-metric", "no step", run_id="$m", key="stepless", value=1, timestamp=1),
    step("POST runs/log-metric", "by run_uuid", run_uuid="$m", key="u", value=1, timestamp=1),
    step(
        "POST runs/log-metric",
        "a numeric string",
        run_id="$m",
        key="text",
        value="0.25",
        timestamp="7",
        step="3",
    ),
    *[
        step(
            "POST runs/log-metric",
            f"value = {value}",
            run_id="$m",
            key=f"v{number}",
            value=value,
            timestamp=1,
        )
        for number, value in enumerate(
            [
                "NaN",
                "Infinity",
                "-Infinity",
                "nan",
                "inf",
                1e308,
                5e-324,
                0,
                123456789012345678,
                0.1 + 0.2,
                True,
            ]
        )
    ],
    raw("POST runs/log-metric", "a bare NaN", b'{"run_id": "x", "key": "m", "value": NaN, "timestamp": 1}'),
    step(
        "POST runs/log-metric",
        "a step beyond 32 bits",
        run_id="$m",
        key="far",
        value=1,
        timestamp=1,
        step=1 << 40,
    ),
    step(
        "POST runs/log-metric",
        "a step beyond 64 bits",
        run_id="$m",
        key="far",
        value=1,
        timestamp=1,
        step=1 << 70,
    ),
    step(
        "POST runs/log-metric",
        "a step that is no integer",
        run_id="$m",
        key="far",
        value=1,
        timestamp=1,
        step=1.5,
    ),
    step("POST runs/log-metric", "a negative time", run_id="$m", key="past", value=1, timestamp=-1),
    step("POST runs/log-metric", "too long a key", run_id="$m", key="k" * 251, value=1, timestamp=1),
    *each(
        "POST runs/log-metric",
        "key",
        ["a/b c", "/a", "a/../b", "a*b", "ü", "..", "a:b", "a//b"],
        run_id="$m",
        value=1,
        timestamp=1,
    ),
    step(
        "POST runs/log-metric",
        "of a dataset",
        run_id="$m",
        key="on data",
        value=1,
        timestamp=1,
        dataset_name="iris",
        dataset_digest="d1",
    ),
    step("POST runs/log-metric", "none", run_id=NOWHERE, key="m", value=1, timestamp=1),
    *wrong("POST runs/log-metric", run_id="$m", key="w", value=1, timestamp=1, step=1),
    step("GET runs/get", "with metrics", run_id="$m"),
    step("GET metrics/get-history", "all", run_id="$m", metric_key="loss"),
    step("GET metrics/get-history", "by run_uuid", run_uuid="$m", metric_key="loss"),
    *pages("GET metrics/get-history", "by two", 3, run_id="$m", metric_key="loss", max_results="2"),
    *[
        step("GET metrics/get-history", f"of v{number}", run_id="$m", metric_key=f"v{number}")
        for number in range(3)
    ],
    step("GET metrics/get-history", "no such metric", run_id="$m", metric_key="nothing"),
    step("GET metrics/get-history", "no such run", run_id=NOWHERE, metric_key="loss"),
    *each(
        "GET metrics/get-history", "max_results", ["0", "-1", "25001", "x"], run_id="$m", metric_key="loss"
    ),
    step(
        "GET metrics/get-history",
        "a wrong token",
        run_id="$m",
        metric_key="loss",
        max_results="2",
        page_token="x",
    ),
    *wrong("GET metrics/get-history", run_id="$m", metric_key="loss"),
    # The bulk interval.
    *[
        step(
            "POST runs/log-metric",
            f"many, {number}",
            run_id="$m",
            key="many",
            value=number,
            timestamp=number,
            step=number,
        )
        for number in range(12)
    ],
    *[
        step(f"GET {INTERVAL}", what, **({"run_ids": ["$m"], "metric_key": "many"} | fields))
        for what, fields in {
            "all": {},
            "at most four": {"max_results": "4"},
            "between steps": {"start_step": "3", "end_step": "8"},
            "one step": {"start_step": "5", "end_step": "5"},
            "steps the wrong way round": {"start_step": "8", "end_step": "3"},
            "a start only": {"start_step": "3"},
            "an end only": {"end_step": "3"},
            "two runs": {"run_ids": ["$m", "$run"], "metric_key": "loss"},
            "no such run": {"run_ids": [NOWHERE]},
            "no such metric": {"metric_key": "nothing"},
            "max_results = 0": {"max_results": "0"},
            "max_results = 2501": {"max_results": "2501"},
            "max_results = x": {"max_results": "x"},
            "too many runs": {"run_ids": [NOWHERE] * 101},
            "no runs": {"run_ids": []},
        }.items()
    ],
    step(f"GET {INTERVAL}", "no metric", run_ids=["$m"]),
    step(
        "GET /api/2.11/mlflow/metrics/get-history-bulk-interval",
        "as documented",
        run_ids=["$m"],
        metric_key="many",
    ),
    step(
        "GET /ajax-api/2.0/mlflow/metrics/get-history-bulk",
        "two runs",
        run_id=["$m", "$run"],
        metric_key="loss",
    ),
    step("GET /ajax-api/2.0/mlflow/metrics/get-history-bulk", "no runs", metric_key="loss"),
    step("GET /ajax-api/2.0/mlflow/metrics/get-history-bulk", "no metric", run_id=["$m"]),
]

BATCHES = [
    step("POST runs/create", "for batches", experiment_id="$speech", run_name="batch", start_time=1).keep(
        b=RUN
    ),
    step(
        "POST runs/log-batch",
        "some of each",
        run_id="$b",
        metrics=[metric("acc", 0.5), metric("acc", 0.75, 2000, 1), metric("loss", "NaN")],
        params=tags(lr="0.1", depth="3"),
        tags=tags(team="ocr"),
    ),
    step("GET runs/get", "after a batch", run_id="$b"),
    step("POST runs/log-batch", "nothing", run_id="$b"),
    step("POST runs/log-batch", "empty lists", run_id="$b", metrics=[], params=[], tags=[]),
    step(
        "POST runs/log-batch",
        "1000 metrics",
        run_id="$b",
        metrics=[metric("big", n, n, n) for n in range(1000)],
    ),
    step(
        "POST runs/log-batch",
        "1001 metrics",
        run_id="$b",
        metrics=[metric("big", n, n, n) for n in range(1001)],
    ),
    step("POST runs/log-batch", "100 params", run_id="$b", params=tags(**{f"p{n}": "v" for n in range(100)})),
    step("POST runs/log-batch", "101 params", run_id="$b", params=tags(**{f"q{n}": "v" for n in range(101)})),
    step("POST runs/log-batch", "100 tags", run_id="$b", tags=tags(**{f"t{n}": "v" for n in range(100)})),
    step("POST runs/log-batch", "101 tags", run_id="$b", tags=tags(**{f"u{n}": "v" for n in range(101)})),
    step(
        "POST runs/log-batch",
        "more than 1000 in all",
        run_id="$b",
        metrics=[metric("sum", n) for n in range(950)],
        params=tags(**{f"r{n}": "v" for n in range(60)}),
    ),
    step(
        "POST runs/log-batch",
        "more than a megabyte",
        run_id="$b",
        tags=tags(**{f"x{n}": "v" * 8000 for n in range(100)}),
        params=tags(**{f"y{n}": "v" * 6000 for n in range(100)}),
    ),
    step("POST runs/log-batch", "a param changed", run_id="$b", params=tags(lr="0.2"), tags=tags(late="yes")),
    step("POST runs/log-batch", "a param as it was", run_id="$b", params=tags(lr="0.1")),
    step("POST runs/log-batch", "a param twice", run_id="$b", params=tags(twice="1") + tags(twice="2")),
    step("POST runs/log-batch", "a param twice alike", run_id="$b", params=tags(alike="1") + tags(alike="1")),
    step("POST runs/log-batch", "a tag twice", run_id="$b", tags=tags(twice="1") + tags(twice="2")),
    step(
        "POST runs/log-batch",
        "a param too long",
        run_id="$b",
        params=tags(long="v" * 6001),
        tags=tags(late="yes"),
    ),
    step("POST runs/log-batch", "a tag too long", run_id="$b", tags=tags(long="v" * 8001)),
    step("POST runs/log-batch", "a bad key", run_id="$b", tags=tags(good="1") + tags(**{"/bad": "1"})),
    step(
        "POST runs/log-batch", "a metric without a key", run_id="$b", metrics=[{"value": 1, "timestamp": 1}]
    ),
    step(
        "POST runs/log-batch", "a metric without a value", run_id="$b", metrics=[{"key": "m", "timestamp": 1}]
    ),
    step("POST runs/log-batch", "a metric without a time", run_id="$b", metrics=[{"key": "m", "value": 1}]),
    step(
        "POST runs/log-batch",
        "a metric without a step",
        run_id="$b",
        metrics=[{"key": "s", "value": 1, "timestamp": 1}],
    ),
    step("POST runs/log-batch", "a metric of text", run_id="$b", metrics=[metric("m", "high")]),
    step("POST runs/log-batch", "a metric null", run_id="$b", metrics=[metric("m", None)]),
    step("POST runs/log-batch", "a param without a value", run_id="$b", params=[{"key": "bare"}]),
    step("POST runs/log-batch", "a param without a key", run_id="$b", params=[{"value": "bare"}]),
    step("POST runs/log-batch", "a tag without a value", run_id="$b", tags=[{"key": "bare"}]),
    step("POST runs/log-batch", "a param that is a number", run_id="$b", params=[{"key": "n", "value": 1}]),
    step("POST runs/log-batch", "the name", run_id="$b", tags=tags(**{"mlflow.runName": "renamed"})),
    step("POST runs/log-batch", "none", run_id=NOWHERE, tags=tags(k="v")),
    step("POST runs/log-batch", "by run_uuid", run_uuid="$b", tags=tags(k="v")),
    *wrong(
        "POST runs/log-batch", run_id="$b", metrics=[metric("w", 1)], params=tags(w="1"), tags=tags(w="1")
    ),
    step("GET runs/get", "after all batches", run_id="$b"),
]


def dataset(name: str, digest: str, **more: str) -> dict:
    return {"name": name, "digest": digest, "source_type": "local", "source": '{"uri": "x"}'} | more


INPUTS = [
    step("POST runs/create", "for inputs", experiment_id="$speech", run_name="inputs", start_time=1).keep(
        i=RUN
    ),
    step(
        "POST runs/log-inputs",
        "two datasets",
        run_id="$i",
        datasets=[
            {
                "dataset": dataset("iris", "d1", schema="{}", profile='{"n": 1}'),
                "tags": tags(**{"mlflow.data.context": "training"}),
            },
            {"dataset": dataset("iris", "d2"), "tags": tags(**{"mlflow.data.context": "eval", "x": "y"})},
        ],
    ),
    step("GET runs/get", "with inputs", run_id="$i"),
    step(
        "POST runs/log-inputs", "the same again", run_id="$i", datasets=[{"dataset": dataset("iris", "d1")}]
    ),
    step("POST runs/log-inputs", "nothing", run_id="$i"),
    step(
        "POST runs/log-inputs",
        "without a name",
        run_id="$i",
        datasets=[{"dataset": {"digest": "d", "source_type": "s", "source": "x"}}],
    ),
    step(
        "POST runs/log-inputs",
        "without a digest",
        run_id="$i",
        datasets=[{"dataset": {"name": "d", "source_type": "s", "source": "x"}}],
    ),
    step(
        "POST runs/log-inputs",
        "without a source",
        run_id="$i",
        datasets=[{"dataset": {"name": "d", "digest": "d", "source_type": "s"}}],
    ),
    step(
        "POST runs/log-inputs",
        "without a type",
        run_id="$i",
        datasets=[{"dataset": {"name": "d", "digest": "d", "source": "x"}}],
    ),
    step("POST runs/log-inputs", "without a dataset", run_id="$i", datasets=[{"tags": tags(k="v")}]),
    step("POST runs/log-inputs", "an empty name", run_id="$i", datasets=[{"dataset": dataset("", "d")}]),
    step(
        "POST runs/log-inputs",
        "too long a name",
        run_id="$i",
        datasets=[{"dataset": dataset("n" * 501, "d")}],
    ),
    step(
        "POST runs/log-inputs",
        "too long a digest",
        run_id="$i",
        datasets=[{"dataset": dataset("n", "d" * 37)}],
    ),
    step(
        "POST runs/log-inputs",
        "too long a tag",
        run_id="$i",
        datasets=[{"dataset": dataset("n", "d"), "tags": tags(k="v" * 501)}],
    ),
    step("POST runs/log-inputs", "none", run_id=NOWHERE, datasets=[{"dataset": dataset("iris", "d1")}]),
    *wrong("POST runs/log-inputs", run_id="$i", datasets=[{"dataset": dataset("iris", "d3")}]),
    step("GET runs/get", "with all inputs", run_id="$i"),
    step("POST /ajax-api/2.0/mlflow/experiments/search-datasets", "speech", experiment_ids=["$speech"]),
    step("POST /ajax-api/2.0/mlflow/experiments/search-datasets", "none", experiment_ids=[]),
]
