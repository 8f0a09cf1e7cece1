"""MLflow's client searches experiments, runs, models, versions: every operator and order, to the end."""

from dataclasses import dataclass

import mlflow
import numpy
import pytest
from mlflow.entities import LoggedModelStatus, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow_fixtures import Project, all_pages

# name: (status, start, learning rate, kind, accuracy, tags)
RUNS = {
    "alpha": ("FINISHED", 100, "0.1", "Tree", 0.9, {"team": "ocr", "a b": "1"}),
    "beta": ("FAILED", 200, "0.01", "tree", 0.8, {"team": "OCR"}),
    "gamma": ("RUNNING", 300, "10", None, float("nan"), {}),
    "delta": ("RUNNING", 400, None, None, None, {"team": "100%"}),
}


@dataclass
class Found:
    """Where the runs of these tests are, and their ids."""

    project: Project
    experiment: str
    ids: dict[str, str]
    models: dict[str, str]


@pytest.fixture(scope="module")
def searched(project: Project) -> Found:
    """Four runs, three logged models and four registered models, of which one has five versions."""
    client = project.client
    experiment = client.create_experiment("searched", tags={"team": "search", "a b": "1"})
    mlflow.set_experiment(experiment_id=experiment)
    for name in ["searched too", "Searched three"]:
        client.create_experiment(name)
    ids = {}
    for name, (status, start, rate, kind, accuracy, tags) in RUNS.items():
        run = client.create_run(experiment, start_time=start, run_name=name, tags=tags)
        ids[name] = run.info.run_id
        params = [Param(key, value) for key, value in [("lr", rate), ("kind", kind)] if value]
        metrics = [Metric("acc", accuracy, 1, 0)] if accuracy is not None else []
        client.log_batch(run.info.run_id, metrics, params, [RunTag("found", "yes")])
        if status != "RUNNING":
            client.set_terminated(run.info.run_id, status, end_time=start + 50)
    with mlflow.start_run(run_id=ids["delta"]):
        table = numpy.zeros((1, 1))
        mlflow.log_input(mlflow.data.from_numpy(table, name="iris", digest="d1"), context="train")
        client.log_metric(ids["delta"], "m/x y", 1)
        models = logged_models(client, experiment, ids["delta"])
    for name, tags in [
        ("find-a", {"squad": "ocr"}),
        ("find-b", {"squad": "OCR"}),
        ("find_c", {}),
        ("find-many", {}),
    ]:
        client.create_registered_model(name, tags)
    for number in range(1, 6):
        run_id = ids["alpha"] if number < 3 else None
        tags = {"even": str(number % 2 == 0)}
        client.create_model_version("find-many", f"s3://bucket/{number}", run_id, tags)
    client.create_model_version("find-a", "s3://elsewhere/1")
    return Found(project, experiment, ids, models)


def logged_models(client: mlflow.MlflowClient, experiment: str, run_id: str) -> dict[str, str]:
    made = {}
    kinds = [("one", "agent", "0.1", 0.5), ("two", "agent", "0.2", 0.9), ("three", "tree", "0.3", 0.7)]
    for name, kind, rate, score in kinds:
        model = client.create_logged_model(
            experiment, name, run_id, tags={"kind": kind}, params={"lr": rate}, model_type=kind
        )
        data = {"dataset_name": "iris", "dataset_digest": "d1"} if name != "three" else {}
        client.log_metric(run_id, "auc", score, model_id=model.model_id, **data)
        made[name] = model.model_id
    client.finalize_logged_model(made["one"], LoggedModelStatus.READY)
    client.finalize_logged_model(made["three"], LoggedModelStatus.FAILED)
    return made


RUN_FILTERS = {
    "metrics.acc > 0.8": ["alpha"],
    "metrics.acc >= 0.8": ["alpha", "beta"],
    "metrics.acc = 0.9": ["alpha"],
    "metrics.acc < 0.9": ["beta"],
    "metrics.acc <= 0.9": ["alpha", "beta"],
    "metrics.`m/x y` = 1": ["delta"],
    'metrics."m/x y" > 0': ["delta"],
    "params.kind = 'tree'": ["beta"],
    "params.kind != 'tree'": ["alpha"],
    "params.kind LIKE '%ree'": ["alpha", "beta"],
    "params.kind LIKE 't_ee'": ["beta"],
    "params.kind ILIKE 'T%'": ["alpha", "beta"],
    "params.kind IS NULL": ["delta", "gamma"],
    "params.kind IS NOT NULL": ["alpha", "beta"],
    "params.lr = '0.1'": ["alpha"],
    "tags.team = 'ocr'": ["alpha"],
    "tags.team != 'ocr'": ["beta", "delta"],
    "tags.team LIKE 'O%'": ["beta"],
    "tags.team ILIKE 'OcR'": ["alpha", "beta"],
    "tags.team IS NULL": ["gamma"],
    "tags.`a b` = '1'": ["alpha"],
    "attributes.status = 'FINISHED'": ["alpha", "delta"],
    "status != 'RUNNING'": ["alpha", "beta", "delta"],
    "run_name = 'beta'": ["beta"],
    "attributes.run_name LIKE '%eta'": ["beta"],
    "attributes.run_name ILIKE 'AL%'": ["alpha"],
    "start_time > 100 AND start_time <= 300": ["beta", "gamma"],
    "attributes.end_time = 150": ["alpha"],
    "datasets.name = 'iris'": ["delta"],
    "dataset.digest LIKE 'd%'": ["delta"],
    "datasets.context = 'train'": ["delta"],
    "datasets.name IN ('iris', 'wine')": ["delta"],
    "metrics.acc > 0.5 and params.lr = '0.1' AND tags.team = 'ocr'": ["alpha"],
    "metrics.nothing > 0": [],
    "": ["alpha", "beta", "delta", "gamma"],
}


@pytest.mark.parametrize(("filter", "expected"), RUN_FILTERS.items())
def test_runs_are_found(searched: Found, filter: str, expected: list[str]):
    found = searched.project.client.search_runs([searched.experiment], filter)
    assert sorted(run.info.run_name for run in found) == expected


def test_runs_are_found_by_their_ids(searched: Found):
    ids, search = searched.ids, searched.project.client.search_runs
    for filter, expected in {
        f"run_id = '{ids['beta']}'": ["beta"],
        f"attributes.run_id IN ('{ids['beta']}', '{ids['alpha']}')": ["alpha", "beta"],
        f"run_id NOT IN ('{ids['beta']}', '{ids['alpha']}')": ["delta", "gamma"],
        f"run_id != '{ids['beta']}'": ["alpha", "delta", "gamma"],
    }.items():
        found = search([searched.experiment], filter)
        assert sorted(run.info.run_name for run in found) == expected


RUN_ORDERS = [
    (None, ["delta", "gamma", "beta", "alpha"]),
    # Numbers, then what is not a number, and last who has none; whatever the direction.
    (["metrics.acc"], ["beta", "alpha", "gamma", "delta"]),
    (["metrics.acc DESC"], ["alpha", "beta", "gamma", "delta"]),
    (["params.lr DESC", "run_name"], ["gamma", "alpha", "beta", "delta"]),
    (["tags.team"], ["delta", "beta", "alpha", "gamma"]),
    (["attributes.run_name DESC"], ["gamma", "delta", "beta", "alpha"]),
    (["start_time ASC"], ["alpha", "beta", "gamma", "delta"]),
    (["status", "start_time DESC"], ["beta", "delta", "alpha", "gamma"]),
]


@pytest.mark.parametrize(("order", "expected"), RUN_ORDERS)
def test_runs_are_sorted_also_page_by_page(searched: Found, order: list[str] | None, expected: list[str]):
    for size in [1, 2, 3, 100]:
        found = all_pages(
            searched.project.client.search_runs,
            experiment_ids=[searched.experiment],
            order_by=order,
            max_results=size,
        )
        assert [run.info.run_name for run in found] == expected


EXPERIMENT_FILTERS = {
    "name = 'searched'": ["searched"],
    "name != 'searched' AND name LIKE 'searched%'": ["searched too"],
    "name LIKE 'Searched%'": ["Searched three"],
    "name ILIKE 'SEARCHED%'": ["Searched three", "searched", "searched too"],
    "attribute.name = 'searched too'": ["searched too"],
    "tags.team = 'search'": ["searched"],
    "tags.`a b` LIKE '%' AND name = 'searched'": ["searched"],
    "tags.team ILIKE 'SEA%'": ["searched"],
    "creation_time > 1 AND last_update_time > 1 AND name LIKE 'searched t%'": ["searched too"],
    "creation_time < 1": [],
}


@pytest.mark.parametrize(("filter", "expected"), EXPERIMENT_FILTERS.items())
def test_experiments_are_found(searched: Found, filter: str, expected: list[str]):
    found = searched.project.client.search_experiments(filter_string=filter)
    assert sorted(experiment.name for experiment in found) == expected


def test_experiments_are_sorted_also_page_by_page(searched: Found):
    names = ["searched too", "searched", "Searched three"]
    for order, expected in [(["name DESC"], names), (["experiment_id DESC"], ["Searched three", *names[:2]])]:
        for size in [1, 2, 100]:
            found = all_pages(
                searched.project.client.search_experiments,
                filter_string="name ILIKE 'searched%'",
                order_by=order,
                max_results=size,
            )
            assert [experiment.name for experiment in found] == expected


MODEL_FILTERS = {
    "name = 'find-a'": ["find-a"],
    "name != 'find-a' AND name LIKE 'find%'": ["find-b", "find-many", "find_c"],
    "name LIKE 'find_c'": ["find_c"],
    "name LIKE 'FIND%'": [],
    "name ILIKE 'FIND-%'": ["find-a", "find-b", "find-many"],
    "name IN ('find-a', 'find_c')": ["find-a", "find_c"],
    "tags.squad = 'ocr'": ["find-a"],
    "tag.squad != 'ocr' AND name LIKE 'find%'": ["find-b"],
    # What the client adds to each search, and has to find what has no such tag.
    "tag.`mlflow.prompt.is_prompt` != 'true' AND name LIKE 'find-_'": ["find-a", "find-b"],
    "tags.squad LIKE 'o%'": ["find-a"],
    "tags.squad ILIKE 'OC_' AND name LIKE '%b'": ["find-b"],
}


@pytest.mark.parametrize(("filter", "expected"), MODEL_FILTERS.items())
def test_models_are_found(searched: Found, filter: str, expected: list[str]):
    found = searched.project.client.search_registered_models(filter)
    assert sorted(model.name for model in found) == expected


def test_models_are_sorted_also_page_by_page(searched: Found):
    # The case of one database's letters, or an underscore's place, is no concern of these names.
    names = ["find-a", "find-b", "find-many"]
    orders = [
        (None, names),
        (["name DESC"], names[::-1]),
        (["last_updated_timestamp DESC"], ["find-a", "find-many", "find-b"]),
    ]
    for order, expected in orders:
        for size in [1, 2, 100]:
            found = all_pages(
                searched.project.client.search_registered_models,
                filter_string="name LIKE 'find-%'",
                order_by=order,
                max_results=size,
            )
            assert [model.name for model in found] == expected


VERSION_FILTERS = {
    "name = 'find-many'": [1, 2, 3, 4, 5],
    "name IN ('find-many', 'nothing')": [1, 2, 3, 4, 5],
    "name LIKE 'find-m%'": [1, 2, 3, 4, 5],
    "name ILIKE 'FIND-M%'": [1, 2, 3, 4, 5],
    "source_path = 's3://bucket/3'": [3],
    "source_path LIKE 's3://buck%' AND version_number > 2": [3, 4, 5],
    "name = 'find-many' AND source_path != 's3://bucket/3'": [1, 2, 4, 5],
    "name = 'find-many' AND version_number >= 2 AND version_number < 4": [2, 3],
    "name = 'find-many' AND version_number = 2": [2],
    "name = 'find-many' AND version_number != 2": [1, 3, 4, 5],
    "name = 'find-many' AND version_number <= 1": [1],
    "tags.even = 'True'": [2, 4],
    "tags.even != 'True' AND name = 'find-many'": [1, 3, 5],
    "tags.even ILIKE 'f%'": [1, 3, 5],
    "name = 'nothing'": [],
}


@pytest.mark.parametrize(("filter", "expected"), VERSION_FILTERS.items())
def test_versions_are_found(searched: Found, filter: str, expected: list[int]):
    found = searched.project.client.search_model_versions(filter)
    assert sorted(int(version.version) for version in found) == expected


def test_versions_are_found_by_their_run(searched: Found):
    ids, search = searched.ids, searched.project.client.search_model_versions
    for filter in [f"run_id = '{ids['alpha']}'", f"run_id IN ('{ids['alpha']}', '{ids['beta']}')"]:
        assert sorted(int(version.version) for version in search(filter)) == [1, 2]


def test_versions_are_sorted_also_page_by_page(searched: Found):
    for order, expected in [
        (["version_number DESC"], [5, 4, 3, 2, 1]),
        (["name", "version_number"], [1, 2, 3, 4, 5]),
    ]:
        for size in [1, 2, 100]:
            found = all_pages(
                searched.project.client.search_model_versions,
                filter_string="name = 'find-many'",
                order_by=order,
                max_results=size,
            )
            assert [int(version.version) for version in found] == expected


LOGGED_MODEL_FILTERS = {
    "name = 'one'": ["one"],
    "name != 'one'": ["three", "two"],
    "attributes.name LIKE 't%'": ["three", "two"],
    "name ILIKE 'T%'": ["three", "two"],
    "name IN ('one', 'two')": ["one", "two"],
    "name NOT IN ('one', 'two')": ["three"],
    "model_type = 'agent'": ["one", "two"],
    "params.lr = '0.1'": ["one"],
    "params.lr LIKE '0.%'": ["one", "three", "two"],
    "tags.kind != 'agent'": ["three"],
    "metrics.auc > 0.6": ["three", "two"],
    "metrics.auc <= 0.5": ["one"],
    "metrics.auc != 0.5 AND name LIKE 'tw%'": ["two"],
    "creation_timestamp > 1": ["one", "three", "two"],
}


@pytest.mark.parametrize(("filter", "expected"), LOGGED_MODEL_FILTERS.items())
def test_logged_models_are_found(searched: Found, filter: str, expected: list[str]):
    found = searched.project.client.search_logged_models([searched.experiment], filter)
    assert sorted(model.name for model in found) == expected


def test_logged_models_are_found_by_a_dataset_and_sorted_by_a_metric(searched: Found):
    search = searched.project.client.search_logged_models
    iris = {"dataset_name": "iris", "dataset_digest": "d1"}
    found = search([searched.experiment], "metrics.auc > 0.6", datasets=[iris])
    assert [model.name for model in found] == ["two"]
    found = search([searched.experiment], datasets=[iris])
    assert sorted(model.name for model in found) == ["one", "two"]
    for ascending, expected in [(True, ["one", "three", "two"]), (False, ["two", "three", "one"])]:
        for size in [1, 2, 100]:
            found = all_pages(
                search,
                experiment_ids=[searched.experiment],
                order_by=[{"field_name": "metrics.auc", "ascending": ascending}],
                max_results=size,
            )
            assert [model.name for model in found] == expected
    score = found[0].metrics[0]
    assert (score.key, score.value, score.model_id) == ("auc", 0.9, searched.models["two"])
    assert (score.dataset_name, score.dataset_digest, score.run_id) == ("iris", "d1", searched.ids["delta"])


WRONG = [
    "metrics.acc >",
    "metrics.acc = 'high'",
    "metrics.acc LIKE 1",
    "params.lr > '1'",
    "status = 'FINISHED' OR status = 'FAILED'",
    "(status = 'FINISHED')",
    "color = 'red'",
    "params.lr = '0.1",
    "run_name IN ()",
    "'; DROP TABLE runs; --",
]


@pytest.mark.parametrize("filter", WRONG)
def test_a_wrong_filter_is_refused(searched: Found, filter: str):
    client = searched.project.client
    searches = [
        lambda: client.search_runs([searched.experiment], filter),
        lambda: client.search_experiments(filter_string=filter),
        lambda: client.search_registered_models(filter),
        lambda: client.search_model_versions(filter),
    ]
    for search in searches:
        with pytest.raises(MlflowException) as raised:
            search()
        assert raised.value.error_code == "INVALID_PARAMETER_VALUE"


def test_a_wrong_order_is_refused(searched: Found):
    client = searched.project.client
    searches = [
        lambda order: client.search_runs([searched.experiment], order_by=order),
        lambda order: client.search_experiments(order_by=order),
        lambda order: client.search_registered_models(order_by=order),
        lambda order: client.search_model_versions(order_by=order),
    ]
    for search in searches:
        for order in [["color"], ["name UP"], ["name; --"]]:
            with pytest.raises(MlflowException) as raised:
                search(order)
            assert raised.value.error_code == "INVALID_PARAMETER_VALUE"
