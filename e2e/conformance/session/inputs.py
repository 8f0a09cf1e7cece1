"""What runs were given: datasets, and what an experiment's runs had in all."""

from session.steps import NOWHERE, RUN, step, tags, wrong

SUMMARIES = "/ajax-api/2.0/mlflow/experiments/search-datasets"


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
    # Datasets of some experiments.
    step("POST experiments/create", "with datasets", name="datasets").keep(datasets="experiment_id"),
    *[
        one
        for context in ["training", "eval", "training"]
        for one in [
            step(
                "POST runs/create", f"of {context}", experiment_id="$datasets", run_name="d", start_time=1
            ).keep(d=RUN),
            step(
                "POST runs/log-inputs",
                f"for {context}",
                run_id="$d",
                datasets=[
                    {"dataset": dataset("wine", "d1"), "tags": tags(**{"mlflow.data.context": context})},
                    {"dataset": dataset("beer", "d1"), "tags": tags(other=context)},
                ],
            ),
        ]
    ],
    step(f"POST {SUMMARIES}", "of one", experiment_ids=["$datasets"]),
    step(f"POST {SUMMARIES}", "of two", experiment_ids=["$datasets", "$vision"]),
    step(f"POST {SUMMARIES}", "of what has none", experiment_ids=["$vision"]),
    step(f"POST {SUMMARIES}", "of what is not there", experiment_ids=["9999"]),
    step(f"POST {SUMMARIES}", "none", experiment_ids=[]),
    step(f"POST {SUMMARIES}", "too many", experiment_ids=["0"] * 21),
    *wrong(f"POST {SUMMARIES}", experiment_ids=["$datasets"]),
]
