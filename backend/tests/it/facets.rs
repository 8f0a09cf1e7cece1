//! What a list of models is narrowed down and sorted by, and the metric that models are judged by.

use model_registry::role::TokenScope;
use serde_json::{Value, json};

use crate::harness::{CREATE_PROJECT, Caller, Server, assert_as_many};

const MLMODEL: &str = "flavors: {python_function: {env: conda.yaml}, sklearn: {}}";

async fn model(caller: &Caller, path: &str, tags: Value, card: &str) {
    let create = "mutation($project: String!, $name: String!, $tags: [TagInput!], $card: String) { createModel(
        input: {project: $project, name: $name, tags: $tags, description: $card}) { model { id } } }";
    let (project, name) = path.split_once('/').unwrap();
    let tags: Vec<Value> = tags
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    let input = json!({"project": project, "name": name, "tags": tags, "card": card});
    caller.ok(create, input).await;
}

async fn version(caller: &Caller, model: &str, version: &str, mlmodel: Option<&'static str>) {
    let create = "mutation($model: String!, $version: String!) { createModelVersion(
        input: {model: $model, version: $version}) { modelVersion { id } } }";
    caller.ok(create, json!({"model": model, "version": version})).await;
    if let Some(bytes) = mlmodel {
        let file = format!("/files/{model}/{version}/model/MLmodel");
        assert!(caller.put(&file, bytes).await.status().is_success());
    }
}

async fn candidate(caller: &Caller, model: &str, metrics: Value) {
    let create = "mutation($model: String!, $metrics: [MetricInput!]) { createCandidate(
        input: {model: $model, status: FINISHED, metrics: $metrics}) { candidate { number } } }";
    let metrics: Vec<Value> = metrics
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    caller.ok(create, json!({"model": model, "metrics": metrics})).await;
}

/// `value count`, or `key=value count`.
async fn facet(
    caller: &Caller,
    of: &str,
    filter: Option<&str>,
    search: Option<&str>,
) -> Vec<String> {
    let read =
        "query($of: ModelFacet!, $filter: String, $search: String) { project(path: \"vision\") {
        modelFacet(of: $of, filter: $filter, search: $search) { key value count } } }";
    let found = caller.ok(read, json!({"of": of, "filter": filter, "search": search})).await;
    let values = found["project"]["modelFacet"].as_array().unwrap();
    values
        .iter()
        .map(|value| {
            let key = value["key"].as_str().map_or(String::new(), |key| format!("{key}="));
            format!("{key}{} {}", value["value"].as_str().unwrap(), value["count"])
        })
        .collect()
}

async fn names(caller: &Caller, filter: &str) -> Vec<String> {
    let read = "query($filter: String) { project(path: \"vision\") { models(filter: $filter) { nodes { name } } } }";
    let found = caller.ok(read, json!({"filter": filter})).await;
    let nodes = found["project"]["models"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect()
}

async fn laid_out() -> (Server, Caller) {
    let server = Server::start().await;
    let admin = server.admin().await;
    for path in ["vision", "speech"] {
        admin.ok(CREATE_PROJECT, json!({ "path": path })).await;
    }
    admin.invite("ada").await;
    admin.add_member("vision", "ada", "DEVELOPER").await;
    let ada = server.person("ada", TokenScope::Admin).await;
    let front = "---\nlicense: mit\ntags: [x]\n---\n# A card";
    model(&admin, "vision/a", json!({"task": "ocr", "mlflow.note": "x"}), front).await;
    model(&admin, "vision/b", json!({"task": "ocr", "framework": "torch"}), "").await;
    model(&ada, "vision/c", json!({"task": "detect", "license": "gpl-3.0"}), front).await;
    model(&ada, "vision/gone", json!({"task": "ocr", "license": "bsd"}), "").await;
    model(&admin, "speech/elsewhere", json!({"task": "asr", "license": "bsd"}), "").await;
    version(&admin, "vision/a", "1.0.0", Some(MLMODEL)).await;
    version(&admin, "vision/b", "9.0.0", Some(MLMODEL)).await;
    version(&admin, "vision/b", "10.0.0", Some("flavors: {torch: {}, onnx: {}}")).await;
    version(&admin, "vision/c", "2.0.0", Some("no MLmodel at all: [")).await;
    version(&admin, "speech/elsewhere", "1.0.0", Some(MLMODEL)).await;
    let delete = "mutation { deleteModel(input: {model: \"vision/gone\"}) { model { id } } }";
    admin.ok(delete, json!({})).await;
    (server, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn facets_count_what_models_have() {
    let (server, admin) = laid_out().await;
    let all = async |of| facet(&admin, of, None, None).await;
    assert_eq!(all("TAG").await, ["task=ocr 2", "task=detect 1"], "the trash does not count");
    assert_eq!(
        all("FRAMEWORK").await,
        ["onnx 1", "sklearn 1", "torch 1"],
        "of the latest version only, and twice the same is once"
    );
    assert_eq!(all("LICENSE").await, ["gpl-3.0 1", "mit 1"], "a tag wins over the card");
    assert_eq!(all("AUTHOR").await, ["admin 2", "ada 1"]);

    let ocr = Some("tags.task = 'ocr'");
    assert_eq!(facet(&admin, "FRAMEWORK", ocr, None).await, ["onnx 1", "sklearn 1", "torch 1"]);
    assert_eq!(facet(&admin, "LICENSE", ocr, None).await, ["mit 1"]);
    let torch = Some("framework = 'torch'");
    assert_eq!(facet(&admin, "TAG", torch, None).await, ["task=ocr 1"]);
    assert_eq!(facet(&admin, "TAG", None, Some("c")).await, ["task=detect 1"]);
    assert_eq!(facet(&admin, "TAG", None, Some("nothing")).await, [""; 0]);

    assert_eq!(names(&admin, "framework = 'sklearn'").await, ["a"]);
    assert_eq!(names(&admin, "framework != 'torch'").await, ["a", "c"]);
    assert_eq!(names(&admin, "framework IN ('onnx', 'sklearn')").await, ["a", "b"]);
    assert_eq!(names(&admin, "framework NOT IN ('onnx')").await, ["a", "c"]);
    assert_eq!(names(&admin, "framework IS NULL").await, ["c"]);
    assert_eq!(names(&admin, "license = 'mit' and author = 'admin'").await, ["a"]);
    assert_eq!(names(&admin, "license != 'mit'").await, ["b", "c"]);
    let everywhere = "{ models(filter: \"framework = 'sklearn'\") { nodes { path } } }";
    let found = admin.ok(everywhere, json!({})).await["models"]["nodes"].take();
    assert_eq!(found, json!([{"path": "vision/a"}, {"path": "speech/elsewhere"}]));

    let licenses = async |caller: &Caller| {
        let read = "{ modelFacet(of: LICENSE) { value } }";
        caller.ok(read, json!({})).await["modelFacet"].take()
    };
    let value = |value: &str| json!({ "value": value });
    assert_eq!(licenses(&admin).await, json!([value("bsd"), value("gpl-3.0"), value("mit")]));
    let ada = server.person("ada", TokenScope::Read).await;
    assert_eq!(licenses(&ada).await, json!([value("gpl-3.0"), value("mit")]), "what she may see");
    assert_eq!(licenses(&server.anonymous()).await, json!([]));

    // A card that is written anew says its licence anew; other changes leave it.
    let update = "mutation($d: String) { updateModel(input: {model: \"vision/a\", description: $d}) { model { id } } }";
    admin.ok(update, json!({"d": "---\nlicense: bsd\n---\n"})).await;
    admin
        .ok("mutation { updateModel(input: {model: \"vision/a\"}) { model { id } } }", json!({}))
        .await;
    assert_eq!(all("LICENSE").await, ["bsd 1", "gpl-3.0 1"]);
    admin.ok(update, json!({ "d": null })).await;
    assert_eq!(all("LICENSE").await, ["gpl-3.0 1"]);

    // The number of statements is that of the facets, whatever there is.
    let read = "{ project(path: \"vision\") { tags: modelFacet(of: TAG) { value count }
        frameworks: modelFacet(of: FRAMEWORK) { value count } licenses: modelFacet(of: LICENSE) { value count }
        authors: modelFacet(of: AUTHOR) { value count } } }";
    admin.ok(read, json!({})).await;
    let before = server.app.db.statements();
    admin.ok(read, json!({})).await;
    assert!(server.app.db.statements() - before <= 4 + 3);
    let refusal = admin
        .refused(
            "{ project(path: \"vision\") { modelFacet(of: TAG, filter: \"x\") { value } } }",
            json!({}),
        )
        .await;
    assert_eq!(refusal.field, "filter");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_facets_is_read_when_the_server_starts() {
    let (server, admin) = laid_out().await;
    let forget = "DELETE FROM flavors; UPDATE models SET license = NULL";
    server.app.db.run_script(forget).await.unwrap();
    assert_eq!(facet(&admin, "FRAMEWORK", None, None).await, ["torch 1"], "by its tag");
    model_registry::registry::catalog::mlmodel::sql::index_all(&server.app).await.ok().unwrap();
    model_registry::registry::catalog::model::facet::read_cards(&server.app).await.ok().unwrap();
    assert_eq!(facet(&admin, "FRAMEWORK", None, None).await, ["onnx 1", "sklearn 1", "torch 1"]);
    assert_eq!(facet(&admin, "LICENSE", None, None).await, ["gpl-3.0 1", "mit 1"]);
    assert_eq!(
        server.count("SELECT COUNT(*) FROM flavors WHERE flavor = ''").await,
        1,
        "read once"
    );
    assert_eq!(server.count("SELECT COUNT(*) FROM models WHERE license IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_sorted_by_every_column_and_paged() {
    let (_server, admin) = laid_out().await;
    model(&admin, "vision/d", json!({}), "").await;
    candidate(&admin, "vision/b", json!({"x": 1})).await;
    candidate(&admin, "vision/b", json!({"x": 1})).await;
    candidate(&admin, "vision/d", json!({"x": 1})).await;
    for (field, direction, expected) in [
        ("LATEST_VERSION", "ASC", ["a", "c", "b", "d"]),
        ("LATEST_VERSION", "DESC", ["b", "c", "a", "d"]),
        ("CANDIDATE_COUNT", "ASC", ["a", "c", "d", "b"]),
        ("CANDIDATE_COUNT", "DESC", ["b", "d", "c", "a"]),
        ("AUTHOR", "ASC", ["c", "a", "b", "d"]),
        ("AUTHOR", "DESC", ["d", "b", "a", "c"]),
    ] {
        check_order(&admin, field, direction, &expected).await;
    }
}

/// Walks through the models of a project forth, one by one, and back.
async fn check_order(admin: &Caller, field: &str, direction: &str, expected: &[&str]) {
    let list = "query($field: ModelOrderField!, $direction: OrderDirection!, $first: Int, $after: String, $last: Int,
        $before: String) { project(path: \"vision\") { models(orderBy: {field: $field, direction: $direction},
        first: $first, after: $after, last: $last, before: $before) {
        nodes { name } pageInfo { startCursor endCursor hasNextPage } } } }";
    let page = async |rest: Value| {
        let mut variables = json!({"field": field, "direction": direction});
        variables.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let page = admin.ok(list, variables).await["project"]["models"].take();
        let nodes = page["nodes"].as_array().unwrap();
        let names: Vec<String> =
            nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect();
        (names, page["pageInfo"].clone())
    };
    let mut forth = Vec::new();
    let mut after = Value::Null;
    for _ in expected {
        let (names, info) = page(json!({"first": 1, "after": after})).await;
        forth.extend(names);
        after = info["endCursor"].clone();
    }
    assert_eq!(forth, expected, "{field} {direction}, one by one");
    let (back, _) = page(json!({"last": expected.len() - 1, "before": after})).await;
    assert_eq!(back, expected[..expected.len() - 1], "{field} {direction}, back from the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_candidate_is_that_of_the_metric_that_a_model_names() {
    let (server, admin) = laid_out().await;
    let set = "mutation($model: String!, $value: String!) { setTag(
        input: {model: $model, key: \"registry.metric\", value: $value}) { tag { key } } }";
    admin.ok(set, json!({"model": "vision/a", "value": "loss:min"})).await;
    admin.ok(set, json!({"model": "vision/b", "value": "accuracy"})).await;
    admin.ok(set, json!({"model": "vision/c", "value": "nothing:max"})).await;
    for (loss, accuracy) in
        [(0.5, json!(0.7)), (0.2, json!("NaN")), (-3.0, json!(0.9)), (0.1, json!(-1))]
    {
        for model in ["vision/a", "vision/b"] {
            candidate(&admin, model, json!({"loss": loss, "accuracy": accuracy})).await;
        }
    }
    let read = "{ project(path: \"vision\") { models { nodes { name bestMetric {
        name value lowerIsBetter candidate { number } } } } } }";
    let before = server.app.db.statements();
    let found = admin.ok(read, json!({})).await["project"]["models"]["nodes"].take();
    let few = server.app.db.statements() - before;
    let loss =
        json!({"name": "loss", "value": -3.0, "lowerIsBetter": true, "candidate": {"number": 3}});
    let accuracy = json!({"name": "accuracy", "value": 0.9, "lowerIsBetter": false, "candidate": {"number": 3}});
    assert_eq!(
        found,
        json!([{"name": "a", "bestMetric": loss}, {"name": "b", "bestMetric": accuracy},
            {"name": "c", "bestMetric": null}])
    );
    // A candidate in the trash is not the best one.
    let delete = "mutation { deleteCandidate(input: {model: \"vision/b\", candidate: 3}) { candidate { id } } }";
    admin.ok(delete, json!({})).await;
    for (name, accuracy) in [("e", 0.5), ("f", 0.75), ("g", -0.5)] {
        let path = format!("vision/{name}");
        model(&admin, &path, json!({"registry.metric": "accuracy:max"}), "").await;
        candidate(&admin, &path, json!({"accuracy": accuracy})).await;
    }
    let before = server.app.db.statements();
    let found = admin.ok(read, json!({})).await["project"]["models"]["nodes"].take();
    assert_as_many(few, server.app.db.statements() - before);
    assert_eq!(found[1]["bestMetric"]["value"], 0.7);
    assert_eq!(found[3]["bestMetric"]["value"], 0.5);

    // Of one metric the best first or last, whichever way is better; what has none is last.
    model(&admin, "vision/h", json!({"registry.metric": " loss :min "}), "").await;
    for loss in [9.0, -2.5] {
        candidate(&admin, "vision/h", json!({"loss": loss, "accuracy": 1})).await;
    }
    // What can be no name of a metric is none, however long it is.
    model(&admin, "vision/i", json!({"registry.metric": "x".repeat(100_000)}), "").await;
    candidate(&admin, "vision/i", json!({"loss": 0})).await;
    let best_first = ["f", "b", "e", "g", "a", "h", "i", "c"];
    check_order(&admin, "BEST_METRIC", "DESC", &best_first).await;
    check_order(&admin, "BEST_METRIC", "ASC", &["g", "e", "b", "f", "h", "a", "c", "i"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_runs_that_ended_well_are_the_best() {
    let (_server, admin) = laid_out().await;
    let statuses = ["RUNNING", "FAILED", "KILLED", "SCHEDULED", "FINISHED"];
    for (index, name) in ["d", "e"].into_iter().enumerate() {
        let path = format!("vision/{name}");
        model(&admin, &path, json!({"registry.metric": "accuracy"}), "").await;
        for (place, status) in statuses.iter().enumerate() {
            let create = "mutation($model: String!, $status: CandidateStatus!, $value: MetricValue!) { createCandidate(
                input: {model: $model, status: $status, metrics: [{name: \"accuracy\", value: $value}]}) {
                    candidate { number } } }";
            // The other way round: what did not end well is better in d, so that it would come before e.
            let value = if index == 0 { 0.9 - 0.1 * place as f64 } else { 0.6 };
            admin.ok(create, json!({"model": path, "status": status, "value": value})).await;
        }
    }
    let read = "{ model(path: \"vision/d\") { bestMetric { value candidate { number } } } }";
    let best = admin.ok(read, json!({})).await["model"]["bestMetric"].take();
    assert_eq!(best, json!({"value": 0.5, "candidate": {"number": 5}}));
    check_order(&admin, "BEST_METRIC", "DESC", &["e", "d", "c", "b", "a"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_sort_by_the_same_direction_as_is_shown() {
    let (_server, admin) = laid_out().await;
    let names = [
        "loss",
        "val_loss",
        "hingeloss",
        "Test/RMSE",
        "error rate",
        "eval.latency.p99",
        "mean_score_time",
        "lossless",
        "accuracy",
        "f1_macro",
        "times_correct",
        "uptime",
        "neg_log_loss",
        "recall:at:5",
        "a-loss-b",
    ];
    for (index, name) in names.iter().enumerate() {
        for value in [1, 2] {
            let path = format!("vision/m{index:02}-{value}");
            model(&admin, &path, json!({"registry.metric": name}), "").await;
            candidate(&admin, &path, json!({*name: value})).await;
        }
    }
    let read = "{ project(path: \"vision\") { models(search: \"m\", first: 100, orderBy: {field: BEST_METRIC, direction: DESC}) {
        nodes { name bestMetric { name value lowerIsBetter candidate { metrics { lowerIsBetter } } } } } } }";
    let models = admin.ok(read, json!({})).await["project"]["models"]["nodes"].take();
    let models = models.as_array().unwrap();
    assert_eq!(models.len(), 2 * names.len());
    // What nothing is told of has no best one, and comes last.
    let told = models.iter().take_while(|model| !model["bestMetric"].is_null()).count();
    assert!(models[told..].iter().all(|model| model["bestMetric"].is_null()));
    assert_eq!(models.len() - told, 2 * ["lossless", "times_correct", "uptime"].len());
    for pair in models[..told].chunks(2) {
        let best = |index: usize| &pair[index]["bestMetric"];
        assert_eq!(best(0)["name"], best(1)["name"], "of one metric together");
        let expected = if best(0)["lowerIsBetter"] == true { [1.0, 2.0] } else { [2.0, 1.0] };
        let found = [0, 1].map(|index| best(index)["value"].as_f64().unwrap());
        assert_eq!(found, expected, "{}", best(0)["name"]);
        let told = &best(0)["candidate"]["metrics"][0]["lowerIsBetter"];
        assert_eq!(*told, best(0)["lowerIsBetter"], "{}", best(0)["name"]);
    }
}
