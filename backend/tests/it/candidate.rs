use serde_json::{Value, json};

use crate::harness::{Caller, Server};
use crate::mlflow::{ask, ok};

async fn create(admin: &Caller, name: &str, accuracy: Value, lr: &str) -> i64 {
    let create = "mutation($name: String, $a: MetricValue!, $lr: String!) {
        createCandidate(input: {model: \"vision/ocr\", name: $name, params: [{name: \"lr\", value: $lr}],
            metrics: [{name: \"accuracy\", value: $a}]}) { candidate { number } } }";
    let made = admin.ok(create, json!({"name": name, "a": accuracy, "lr": lr})).await;
    made["createCandidate"]["candidate"]["number"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_point_of_a_metric_is_kept_and_the_last_is_shown() {
    let (_server, admin) = Server::with_model().await;
    create(&admin, "run", json!(0.5), "0.1").await;
    let log = "mutation($m: [MetricInput!]) { updateCandidate(input:
        {model: \"vision/ocr\", candidate: 1, metrics: $m}) { candidate { metrics { name value step } } } }";
    let at = |step: i64, value: Value| json!({"name": "loss", "value": value, "step": step, "timestamp": "2026-01-01T00:00:00Z"});
    let points = json!([
        at(3, json!("NaN")),
        at(1, json!(0.25)),
        at(2, json!("Infinity")),
        at(1, json!(0.25)),
        at(4, json!("-Infinity")),
        at(5, json!(1e308))
    ]);
    admin.ok(log, json!({ "m": points })).await;
    let shown = admin.ok(log, json!({ "m": points })).await;
    let metrics = &shown["updateCandidate"]["candidate"]["metrics"];
    assert_eq!(metrics[1], json!({"name": "loss", "value": 1e308, "step": 5}));
    let history = "query($after: String) { model(path: \"vision/ocr\") { candidate(number: 1) {
        metricHistory(name: \"loss\", first: 2, after: $after) { totalCount nodes { step value timestamp }
            pageInfo { endCursor hasNextPage } } } } }";
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = admin.ok(history, json!({ "after": after })).await["model"]["candidate"]["metricHistory"].take();
        assert_eq!(page["totalCount"], 5, "the point that was sent three times is kept once");
        all.extend(
            page["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|n| (n["step"].clone(), n["value"].clone())),
        );
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    let expected = [
        (1, json!(0.25)),
        (2, json!("Infinity")),
        (3, json!("NaN")),
        (4, json!("-Infinity")),
        (5, json!(1e308)),
    ];
    assert_eq!(all, expected.map(|(step, value)| (json!(step), value)));
    let refusal = admin.refused(log, json!({"m": [{"name": "x", "value": "much"}]})).await;
    assert!(refusal.message.contains("MetricValue"), "{}", refusal.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn candidates_are_filtered_and_sorted_by_any_metric_or_param() {
    let (_server, admin) = Server::with_model().await;
    create(&admin, "a", json!(0.9), "0.1").await;
    create(&admin, "b", json!("NaN"), "0.01").await;
    create(&admin, "c", json!(0.95), "0.01").await;
    create(&admin, "d", json!("Infinity"), "0.2").await;
    let other =
        "mutation { createCandidate(input: {model: \"vision/ocr\", name: \"e\", status: FINISHED,
        tags: [{key: \"mlflow.user\", value: \"ann\"}]}) { candidate { status endedAt number } } }";
    let made = admin.ok(other, json!({})).await["createCandidate"]["candidate"].take();
    assert!(made["endedAt"].is_string() && made["number"] == 5, "{made}");
    let list = "query($f: String, $o: CandidateOrder, $after: String, $first: Int = 20) { model(path: \"vision/ocr\") {
        candidates(filter: $f, orderBy: $o, first: $first, after: $after) {
            nodes { name } pageInfo { endCursor hasNextPage } } } }";
    let names = async |variables: Value| {
        let found = admin.ok(list, variables).await["model"]["candidates"]["nodes"].take();
        found.as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap()).collect::<String>()
    };
    for (filter, expected) in [
        ("metrics.accuracy > 0.9", "dc"),
        ("metrics.accuracy >= 0.9 and params.lr = '0.01'", "c"),
        ("params.lr != '0.01'", "eda"),
        ("params.lr IS NULL", "e"),
        ("metrics.accuracy IS NOT NULL", "dcba"),
        ("status = 'FINISHED'", "e"),
        ("tags.mlflow.user = 'ann'", "e"),
        ("tags.`mlflow.user` LIKE 'a%'", "e"),
        ("attributes.name = 'b'", "b"),
        ("unheard.name = 'x'", ""),
        ("number <= 2", "ba"),
        ("created_at > '2020-01-01T00:00:00Z' and author = 'admin'", "edcba"),
        ("", "edcba"),
    ] {
        if filter.starts_with("unheard") {
            assert_eq!(admin.refused(list, json!({"f": filter})).await.field, "filter");
            continue;
        }
        assert_eq!(names(json!({"f": filter})).await, expected, "{filter}");
    }
    let by = |field: &str, direction: &str, key: &str| json!({"o": {"field": field, "direction": direction, "key": key}});
    assert_eq!(
        &names(by("METRIC", "DESC", "accuracy")).await[..3],
        "dca",
        "what has no value comes last"
    );
    assert_eq!(&names(by("METRIC", "ASC", "accuracy")).await[..3], "acd");
    assert_eq!(&names(by("PARAM", "ASC", "lr")).await[2..], "ade");
    assert_eq!(admin.refused(list, json!({"o": {"field": "METRIC"}})).await.field, "key");

    // Page by page over an order with infinities and missing values: each once.
    let (mut seen, mut after) = (String::new(), Value::Null);
    loop {
        let mut variables = by("METRIC", "DESC", "accuracy");
        variables["after"] = after;
        variables["first"] = json!(1);
        let page = admin.ok(list, variables).await["model"]["candidates"].take();
        seen.push_str(page["nodes"][0]["name"].as_str().unwrap());
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(&seen[..3], "dca");
    assert_eq!(seen.len(), 5);

    let columns = "{ model(path: \"vision/ocr\") { candidateCount candidateColumns { metrics params tags } } }";
    let model = admin.ok(columns, json!({})).await["model"].take();
    assert_eq!(
        model,
        json!({"candidateCount": 5, "candidateColumns": {"metrics": ["accuracy"], "params": ["lr"], "tags": ["mlflow.user"]}})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn params_are_written_once() {
    let (server, admin) = Server::with_model().await;
    create(&admin, "a", json!(0.9), "0.1").await;
    let log = "mutation($v: String!) { updateCandidate(input: {model: \"vision/ocr\", candidate: 1, name: \"renamed\",
        params: [{name: \"epochs\", value: \"3\"}, {name: \"lr\", value: $v}]}) { candidate { params { name value } } } }";
    let refusal = admin.refused(log, json!({"v": "0.2"})).await;
    assert_eq!((refusal.code.as_str(), refusal.field.as_str()), ("INVALID", "params[1].value"));
    assert_eq!(
        server.count("SELECT COUNT(*) FROM params").await,
        1,
        "nothing of a refused change stays"
    );
    let logged = admin.ok(log, json!({"v": "0.1"})).await["updateCandidate"]["candidate"].take();
    assert_eq!(
        logged["params"],
        json!([{"name": "epochs", "value": "3"}, {"name": "lr", "value": "0.1"}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn promotion_takes_everything_along_and_stores_nothing_twice() {
    let (server, admin) = Server::with_model().await;
    create(&admin, "a", json!(0.9), "0.1").await;
    for (path, bytes) in [("model.onnx", "weights"), ("conf/a.json", "{}"), ("conf/b.json", "{}")] {
        assert_eq!(
            admin.put(&format!("/files/vision/ocr/candidate:1/{path}"), bytes).await.status(),
            201
        );
    }
    let stored = || walk(&server.data.path().join("blobs"));
    let before = stored();
    assert_eq!(before, 2, "the two equal files are one blob");
    let promote = "mutation($v: String) { promoteCandidate(input: {model: \"vision/ocr\", candidate: 1, version: $v}) {
        modelVersion { version state digest fileCount size params { name value } metrics { name value }
            candidate { number version { version } } files { nodes { path sha256 downloadUrl } } } } }";
    let version = admin.ok(promote, json!({})).await["promoteCandidate"]["modelVersion"].take();
    assert_eq!(stored(), before);
    assert_eq!(server.count("SELECT COUNT(*) FROM blobs").await, 2);
    assert_eq!(version["version"], "1.0.0");
    assert_eq!(version["state"], "PUBLISHED");
    assert_eq!((&version["fileCount"], &version["size"]), (&json!(3), &json!(11)));
    assert_eq!(version["params"], json!([{"name": "lr", "value": "0.1"}]));
    assert_eq!(version["metrics"], json!([{"name": "accuracy", "value": 0.9}]));
    assert_eq!(version["candidate"], json!({"number": 1, "version": {"version": "1.0.0"}}));
    assert_eq!(version["files"]["nodes"][2]["downloadUrl"], "/files/vision/ocr/1.0.0/model.onnx");

    // The run may go on; the version stays as it was.
    assert_eq!(admin.put("/files/vision/ocr/candidate:1/model.onnx", "better").await.status(), 200);
    let delete = "mutation { deleteCandidate(input: {model: \"vision/ocr\", candidate: 1}) { candidate { deletedAt } } }";
    admin.ok(delete, json!({})).await;
    assert_eq!(
        admin.get("/files/vision/ocr/1.0.0/model.onnx").await.text().await.unwrap(),
        "weights"
    );
    let read = "{ model(path: \"vision/ocr\") { candidateCount version(ref: \"1.0.0\") { candidate { number deletedAt } }
        project { trash { nodes { item { ... on Candidate { number } } } } } } }";
    let model = admin.ok(read, json!({})).await["model"].take();
    assert_eq!(model["candidateCount"], 0);
    assert_eq!(model["version"]["candidate"]["number"], 1, "provenance outlives the candidate");
    assert_eq!(model["project"]["trash"]["nodes"][0]["item"]["number"], 1);
    assert_eq!(admin.refused(promote, json!({})).await.code, "NOT_FOUND");
    let restore = "mutation { restoreCandidate(input: {model: \"vision/ocr\", candidate: 1}) { candidate { number } } }";
    admin.ok(restore, json!({})).await;
    assert_eq!(admin.refused(promote, json!({"v": "1.0.0"})).await.code, "ALREADY_EXISTS");
    let next = admin.ok(promote, json!({})).await["promoteCandidate"]["modelVersion"].take();
    assert_eq!(next["version"], "1.0.1");
}

/// How many files there are below a folder.
fn walk(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { walk(&path) } else { 1 })
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_not_restored_into_an_experiment_that_is_in_the_trash() {
    let (_server, admin) = Server::with_model().await;
    let made = ok(&admin, "POST experiments/create", json!({ "name": "trials" })).await;
    let experiment = made["experiment_id"].as_str().unwrap().to_owned();
    let run = crate::mlflow::run(&admin, "vision", &experiment).await;
    ok(&admin, "POST experiments/delete", json!({ "experiment_id": experiment })).await;
    let (status, answer) =
        ask(&admin, "vision", "POST runs/restore", json!({ "run_id": run })).await;
    assert!(status == 409 && answer["message"].as_str().unwrap().contains("trials"), "{answer}");
    ok(&admin, "POST experiments/restore", json!({ "experiment_id": experiment })).await;
    let found = ok(&admin, &format!("GET runs/get?run_id={run}"), json!({})).await;
    assert_eq!(found["run"]["info"]["lifecycle_stage"], "active");
}
