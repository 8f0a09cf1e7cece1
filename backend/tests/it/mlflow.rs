//! Runs, experiments, registered models and versions over MLflow's API, and what they are on our side.

use model_registry::role::TokenScope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Caller, Server};

/// Sends a message to a project; gives the status and the answer.
pub async fn ask(caller: &Caller, project: &str, call: &str, body: Value) -> (u16, Value) {
    let (method, path) = call.split_once(' ').unwrap();
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = caller.request(method, &format!("/mlflow/{project}/api/2.0/mlflow/{path}"));
    let response = request.json(&body).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
}

/// What is done in `vision`.
pub async fn ok(caller: &Caller, call: &str, body: Value) -> Value {
    let (status, answer) = ask(caller, "vision", call, body).await;
    assert_eq!(status, 200, "{call}: {answer}");
    answer
}

/// The code of what is refused in `vision`.
pub async fn refused(caller: &Caller, call: &str, body: Value) -> String {
    let (status, answer) = ask(caller, "vision", call, body).await;
    assert_ne!(status, 200, "{call}: {answer}");
    answer["error_code"].as_str().unwrap().to_owned()
}

pub async fn run(caller: &Caller, project: &str, experiment: &str) -> String {
    let new = json!({"experiment_id": experiment});
    let (status, made) = ask(caller, project, "POST runs/create", new).await;
    assert_eq!(status, 200, "{made}");
    made["run"]["info"]["run_id"].as_str().unwrap().to_owned()
}

pub async fn put(caller: &Caller, run_id: &str, path: &str, bytes: &'static str) {
    let address = format!("/mlflow/vision/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts");
    assert_eq!(caller.put(&format!("{address}/{path}"), bytes).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn semver_is_set_by_a_tag_and_taken_wherever_a_number_is() {
    let (_server, admin) = Server::with_model().await;
    let create = "POST model-versions/create";
    let tagged = |key: &str, value: &str| json!({"name": "ocr", "source": "s3://b/m", "tags": [{"key": key, "value": value}]});
    ok(&admin, create, tagged("registry.version", "1.2.0")).await;
    ok(&admin, create, tagged("gitlab.version", "2.0.0-rc.1")).await;
    ok(&admin, create, tagged("team", "ocr")).await;
    assert_eq!(
        refused(&admin, create, tagged("registry.version", "1.2")).await,
        "INVALID_PARAMETER_VALUE"
    );
    assert_eq!(
        refused(&admin, create, tagged("registry.version", "1.2.0")).await,
        "RESOURCE_ALREADY_EXISTS"
    );
    let get = async |call: &str| {
        let found = ok(&admin, call, json!({"name": "ocr", "stages": ["^1"]})).await;
        let version = found.get("model_version").or_else(|| found["model_versions"].get(0));
        version.unwrap()["version"].as_str().unwrap().to_owned()
    };
    assert_eq!(get("GET model-versions/get?name=ocr&version=1.2.0").await, "1");
    assert_eq!(get("GET model-versions/get?name=ocr&version=2.0.0-rc.1").await, "2");
    assert_eq!(
        get("GET model-versions/get?name=ocr&version=3").await,
        "3",
        "the next patch is 1.2.1"
    );
    assert_eq!(get("GET registered-models/alias?name=ocr&alias=^1.2").await, "3");
    assert_eq!(get("GET registered-models/alias?name=ocr&alias=latest").await, "3");
    assert_eq!(get("POST registered-models/get-latest-versions").await, "3");
    let set = json!({"name": "ocr", "alias": "champion", "version": "1.2.0"});
    ok(&admin, "POST registered-models/alias", set).await;
    assert_eq!(get("GET registered-models/alias?name=ocr&alias=champion").await, "1");
    let rename =
        json!({"name": "ocr", "version": "1", "key": "registry.version", "value": "9.0.0"});
    assert_eq!(
        refused(&admin, "POST model-versions/set-tag", rename).await,
        "INVALID_PARAMETER_VALUE"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_are_protected_as_aliases_of_their_names_are() {
    let (server, admin) = Server::with_model().await;
    admin.invite("dora").await;
    admin.add_member("vision", "dora", "DEVELOPER").await;
    let dora = server.person("dora", TokenScope::Admin).await;
    for _ in 0..2 {
        let new = json!({"name": "ocr", "source": "s3://b/m"});
        ok(&dora, "POST model-versions/create", new).await;
    }
    let protect = "mutation { protectAlias(input: {project: \"vision\", pattern: \"production\"}) {
        protectedAlias { pattern } } }";
    admin.ok(protect, json!({})).await;
    let to = |version: &str, stage: &str, archive: bool| json!({"name": "ocr", "version": version, "stage": stage, "archive_existing_versions": archive});
    let set = "POST model-versions/transition-stage";
    ok(&dora, set, to("1", "staging", false)).await;
    assert_eq!(refused(&dora, set, to("1", "Production", false)).await, "PERMISSION_DENIED");
    ok(&admin, set, to("1", "Production", false)).await;
    assert_eq!(
        refused(&dora, set, to("1", "None", false)).await,
        "PERMISSION_DENIED",
        "nor out of it"
    );
    ok(&admin, set, to("2", "Production", true)).await;
    let stages = "{ model(path: \"vision/ocr\") { versions { nodes { number stage } } } }";
    let found = admin.ok(stages, json!({})).await["model"]["versions"]["nodes"].take();
    let expected =
        json!([{"number": 2, "stage": "PRODUCTION"}, {"number": 1, "stage": "ARCHIVED"}]);
    assert_eq!(found, expected);
    assert_eq!(refused(&admin, set, to("2", "Archived", true)).await, "INVALID_PARAMETER_VALUE");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_goes_to_the_trash_with_its_runs_and_comes_back_with_them() {
    let (server, admin) = Server::with_model().await;
    let made = ok(&admin, "POST experiments/create", json!({"name": "tries"})).await;
    let id = made["experiment_id"].as_str().unwrap().to_owned();
    let (kept, gone) = (run(&admin, "vision", &id).await, run(&admin, "vision", &id).await);
    let inputs = json!({"run_id": kept, "datasets": [{"tags": [{"key": "mlflow.data.context", "value": "train"}],
        "dataset": {"name": "iris", "digest": "d1", "source_type": "local", "source": "x"}}]});
    ok(&admin, "POST runs/log-inputs", inputs).await;
    let logged = json!({"experiment_id": id, "name": "net", "source_run_id": kept});
    ok(&admin, "POST logged-models", logged).await;
    ok(&admin, "POST runs/delete", json!({"run_id": gone})).await;
    let all = json!({"experiment_ids": [id], "filter": "dataset.name = 'iris' AND dataset.context = 'train'"});
    let count = async || {
        let found = ok(&admin, "POST runs/search", all.clone()).await;
        found["runs"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(count().await, 1);
    ok(&admin, "POST experiments/delete", json!({"experiment_id": id})).await;
    assert_eq!(count().await, 0);
    let log = json!({"run_id": kept, "key": "a", "value": "1"});
    assert_eq!(refused(&admin, "POST runs/log-parameter", log).await, "INVALID_PARAMETER_VALUE");
    ok(&admin, "POST experiments/restore", json!({"experiment_id": id})).await;
    assert_eq!(count().await, 1, "what was deleted before stays where it is");
    ok(&admin, "POST experiments/delete", json!({"experiment_id": id})).await;
    ok(&admin, "POST experiments/create", json!({"name": "tries"})).await;
    assert_eq!(
        refused(&admin, "POST experiments/restore", json!({"experiment_id": id})).await,
        "RESOURCE_ALREADY_EXISTS",
        "its name is in use by now"
    );
    let empty =
        "mutation { emptyTrash(input: {project: \"vision\"}) { removedCount remainingCount } }";
    let emptied = admin.ok(empty, json!({})).await["emptyTrash"].take();
    assert_eq!(emptied, json!({"removedCount": 1, "remainingCount": 0}));
    for table in [
        "SELECT COUNT(*) FROM candidates",
        "SELECT COUNT(*) FROM logged_models",
        "SELECT COUNT(*) FROM datasets",
        "SELECT COUNT(*) FROM dataset_inputs",
        "SELECT COUNT(*) FROM tags",
    ] {
        assert_eq!(server.count(table).await, 0, "{table}");
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM objects").await, 3, "ocr, two experiments");
    let default = json!({"experiment_id": "0"});
    assert_eq!(refused(&admin, "POST experiments/delete", default).await, "RESOURCE_CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_model_are_its_candidates() {
    let (server, admin) = Server::with_model().await;
    let found =
        ok(&admin, "GET experiments/get-by-name?experiment_name=[model]ocr", json!({})).await;
    let experiment = found["experiment"]["experiment_id"].as_str().unwrap().to_owned();
    let first = run(&admin, "vision", &experiment).await;
    let second = run(&admin, "vision", "0").await;
    let candidates = "{ model(path: \"vision/ocr\") { candidates { nodes { number runId } } } }";
    let list =
        async || admin.ok(candidates, json!({})).await["model"]["candidates"]["nodes"].take();
    assert_eq!(list().await, json!([{"number": 1, "runId": first}]));
    // Of a run elsewhere once a version is made of it.
    let new = json!({"name": "ocr", "source": format!("runs:/{second}/m"), "run_id": second});
    ok(&admin, "POST model-versions/create", new).await;
    assert_eq!(list().await[0], json!({"number": 2, "runId": second}));
    // Or by promoting it here.
    let third = run(&admin, "vision", "0").await;
    let promote =
        "mutation($run: String!) { promoteCandidate(input: {model: \"vision/ocr\", runId: $run}) {
        modelVersion { number candidate { number runId } } } }";
    let promoted = admin.ok(promote, json!({"run": third})).await["promoteCandidate"].take();
    let expected = json!({"number": 2, "candidate": {"number": 3, "runId": third}});
    assert_eq!(promoted["modelVersion"], expected);
    // An experiment that is named as GitLab does makes the model.
    ok(&admin, "POST experiments/create", json!({"name": "[model]net"})).await;
    assert_eq!(server.count("SELECT COUNT(*) FROM models WHERE name = 'net'").await, 1);
    let taken = json!({"experiment_id": experiment, "new_name": "mine"});
    assert_eq!(refused(&admin, "POST experiments/update", taken).await, "RESOURCE_CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_kept_whole_or_not_at_all_and_the_log_stays_short() {
    let (server, admin) = Server::with_model().await;
    let run_id = run(&admin, "vision", "0").await;
    let point = |step: i64, value: Value| json!({"key": "loss", "value": value, "timestamp": 1, "step": step});
    let batch = |metrics: Vec<Value>, params: Value| json!({"run_id": run_id, "metrics": metrics, "params": params});
    let metrics = vec![
        point(3, json!("NaN")),
        point(1, json!(0.5)),
        point(3, json!("-Infinity")),
        point(1, json!(0.5)),
    ];
    ok(&admin, "POST runs/log-batch", batch(metrics, json!([{"key": "lr", "value": "1"}]))).await;
    let changed = batch(vec![point(9, json!(9))], json!([{"key": "lr", "value": "2"}]));
    assert_eq!(refused(&admin, "POST runs/log-batch", changed).await, "INVALID_PARAMETER_VALUE");
    let history = format!("GET metrics/get-history?run_id={run_id}&metric_key=loss");
    let points = ok(&admin, &history, json!({})).await["metrics"].take();
    assert_eq!(points.as_array().unwrap().len(), 3, "each point once");
    let found = ok(&admin, &format!("GET runs/get?run_id={run_id}"), json!({})).await;
    assert_eq!(
        found["run"]["data"]["metrics"][0]["value"], "NaN",
        "the last by step, time and value"
    );
    for step in 10..30 {
        ok(
            &admin,
            "POST runs/log-metric",
            json!({"run_id": run_id, "key": "a", "value": 1, "timestamp": 1, "step": step}),
        )
        .await;
    }
    let lines = server.count("SELECT COUNT(*) FROM events WHERE action = 'candidate.log'").await;
    assert_eq!(lines, 1, "one line a minute");
    let history = format!("GET metrics/get-history?run_id={run_id}&metric_key=a&max_results=7");
    let (mut seen, mut token) = (0, String::new());
    loop {
        let page = ok(&admin, &format!("{history}&page_token={token}"), json!({})).await;
        seen += page["metrics"].as_array().unwrap().len();
        match page["next_page_token"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_comes_page_by_page_in_order_of_time() {
    let (_server, admin) = Server::with_model().await;
    let run_id = run(&admin, "vision", "0").await;
    // Steps run against time, and two points differ in nothing but their values.
    let point = |time: i64, step: i64, value: f64| json!({"key": "m", "timestamp": time, "step": step, "value": value});
    let points = [
        point(1, 9, 0.0),
        point(2, -7, 10.0),
        point(2, 8, -10.0),
        point(2, 8, -2.0),
        point(2, 8, 2.0),
        point(2, 8, 10.0),
        point(3, 0, 1e300),
    ];
    let batch: Vec<_> = points.iter().rev().collect();
    ok(&admin, "POST runs/log-batch", json!({"run_id": run_id, "metrics": batch})).await;
    for size in 1..=8 {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!(
                "GET metrics/get-history?run_id={run_id}&metric_key=m&max_results={size}&page_token={token}"
            );
            let page = ok(&admin, &path, json!({})).await;
            found.extend(page["metrics"].as_array().unwrap().clone());
            match page["next_page_token"].as_str() {
                Some(next) => token = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(found, points, "by {size}");
    }
    let history = "{ project(path: \"vision\") { run(runId: \"ID\") { metricHistory(name: \"m\") { nodes { step value } } } } }";
    let found = admin.ok(&history.replace("ID", &run_id), json!({})).await;
    let found = found["project"]["run"]["metricHistory"]["nodes"].as_array().unwrap().clone();
    let steps: Vec<_> = found.iter().map(|point| point["step"].as_i64().unwrap()).collect();
    assert_eq!(steps, [-7, 0, 8, 8, 8, 8, 9]);
    let values: Vec<_> = found[2..6].iter().map(|point| point["value"].as_f64().unwrap()).collect();
    assert_eq!(values, [-10.0, -2.0, 2.0, 10.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_that_is_relative_is_below_the_folder_of_the_server() {
    let (_server, admin) = Server::with_model().await;
    for (name, given) in [("near", "here/mine"), ("disk", "/mnt/shared"), ("far", "s3://b/p")] {
        let new = json!({"name": name, "artifact_location": given});
        let made = ok(&admin, "POST experiments/create", new).await;
        let id = made["experiment_id"].as_str().unwrap();
        let path = format!("GET experiments/get?experiment_id={id}");
        let found = ok(&admin, &path, json!({})).await;
        let expected = match name {
            "near" => std::env::current_dir().unwrap().join(given).to_string_lossy().into_owned(),
            _ => given.to_owned(),
        };
        assert_eq!(found["experiment"]["artifact_location"], expected);
    }
    for wrong in ["a\0b", "a\nb", "runs:/x", "s3://b/p#f"] {
        let new = json!({"name": "wrong", "artifact_location": wrong});
        let code = refused(&admin, "POST experiments/create", new).await;
        assert_eq!(code, "INVALID_PARAMETER_VALUE", "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_take_a_constant_number_of_statements() {
    let (server, admin) = Server::with_model().await;
    let mut counts = Vec::new();
    for size in [2, 20] {
        for _ in 0..size {
            let run_id = run(&admin, "vision", "0").await;
            let batch = json!({"run_id": run_id, "metrics": [{"key": "a", "value": 1, "timestamp": 1}],
                "params": [{"key": "b", "value": "1"}], "tags": [{"key": "c", "value": "1"}]});
            ok(&admin, "POST runs/log-batch", batch).await;
            let new = json!({"name": "ocr", "source": "s3://b/m"});
            ok(&admin, "POST model-versions/create", new).await;
            let name = format!("m-{run_id}");
            ok(&admin, "POST registered-models/create", json!({"name": name})).await;
            let model = json!({"experiment_id": "0", "name": "net", "source_run_id": run_id});
            ok(&admin, "POST logged-models", model).await;
        }
        let before = server.app.db.statements();
        let order =
            json!({"experiment_ids": ["0"], "order_by": ["metrics.a DESC", "params.b", "name"]});
        ok(&admin, "POST runs/search", order).await;
        ok(&admin, "GET registered-models/search", json!({})).await;
        ok(&admin, "GET model-versions/search?filter=name='ocr'", json!({})).await;
        ok(&admin, "POST logged-models/search", json!({"experiment_ids": ["0"]})).await;
        ok(&admin, "POST experiments/search", json!({"max_results": 10})).await;
        counts.push(server.app.db.statements() - before);
    }
    assert_eq!(counts[0], counts[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_finds_the_same_with_the_index_of_names_and_without() {
    let (_server, admin) = Server::with_model().await;
    for name in ["say \"hi\" there", "SAY-hi", "50-percent_of", "abc*def", "Überblick"] {
        ok(&admin, "POST registered-models/create", json!({"name": name})).await;
    }
    let names = async |filter: &str| {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("filter", filter).finish();
        let call = format!("GET registered-models/search?{query}");
        let found = ok(&admin, &call, json!({})).await;
        let models = found["registered_models"].as_array().cloned().unwrap_or_default();
        models.iter().map(|model| model["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // The second of each pair begins with no wildcard or has too little between them for the index.
    for (with, without, expected) in [
        ("name LIKE '%\"hi\"%'", "name LIKE 's%\"h%'", vec!["say \"hi\" there"]),
        ("name LIKE '%SAY%'", "name LIKE 'SAY%'", vec!["SAY-hi"]),
        ("name ILIKE '%say%'", "name ILIKE 'say%'", vec!["SAY-hi", "say \"hi\" there"]),
        ("name LIKE '%percent_of'", "name LIKE '50%'", vec!["50-percent_of"]),
        ("name LIKE '%c*def'", "name LIKE '%c*%'", vec!["abc*def"]),
        ("name LIKE '%berbl%'", "name LIKE 'Ü%'", vec!["Überblick"]),
        ("name LIKE '%zzz%'", "name LIKE 'zzz%'", vec![]),
    ] {
        assert_eq!(names(with).await, expected, "{with}");
        assert_eq!(names(without).await, expected, "{without}");
    }
}

#[tokio::test]
async fn the_experiment_of_a_model_is_found_by_name_wherever_it_and_others_are() {
    let (_server, admin) = Server::with_model().await;
    let by_name = async |name: &str| {
        let call = format!(
            "GET experiments/get-by-name?experiment_name={}",
            name.replace('[', "%5B").replace(']', "%5D")
        );
        let (status, answer) = ask(&admin, "vision", &call, json!({})).await;
        (status == 200).then(|| {
            let experiment = &answer["experiment"];
            (
                experiment["experiment_id"].as_str().unwrap().to_owned(),
                experiment["lifecycle_stage"].as_str().unwrap().to_owned(),
            )
        })
    };
    let (of_model, stage) = by_name("[model]ocr").await.unwrap();
    assert_eq!(stage, "active");
    assert!(by_name("ocr").await.is_none() && by_name("[model]").await.is_none());
    admin.ok("mutation { renameModel(input: {model: \"vision/ocr\", name: \"reader\"}) { model { name } } }", json!({})).await;
    assert_eq!(by_name("[model]ocr").await, Some((of_model.clone(), "active".to_owned())));
    assert_eq!(by_name("[model]reader").await, Some((of_model.clone(), "active".to_owned())));
    admin
        .ok(
            "mutation { deleteModel(input: {model: \"vision/reader\"}) { model { name } } }",
            json!({}),
        )
        .await;
    assert_eq!(by_name("[model]reader").await, Some((of_model, "deleted".to_owned())));
    admin.create_model("reader").await;
    assert_eq!(by_name("[model]reader").await.unwrap().1, "active", "the living one first");
    let made = ok(&admin, "POST experiments/create", json!({"name": "sweep"})).await;
    let id = made["experiment_id"].as_str().unwrap().to_owned();
    assert_eq!(by_name("sweep").await, Some((id.clone(), "active".to_owned())));
    ok(&admin, "POST experiments/delete", json!({"experiment_id": id})).await;
    assert_eq!(by_name("sweep").await, Some((id.clone(), "deleted".to_owned())));
    ok(&admin, "POST experiments/create", json!({"name": "sweep"})).await;
    assert_ne!(by_name("sweep").await.unwrap().0, id, "the living one first");
    let code = refused(&admin, "POST experiments/create", json!({"name": "sweep"})).await;
    assert_eq!(code, "RESOURCE_ALREADY_EXISTS");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_a_get_are_in_its_body_where_the_address_has_none() {
    let (_server, admin) = Server::with_model().await;
    admin.create_model("asr").await;
    let names = async |body: Value| {
        let found = ok(&admin, "GET registered-models/search", body).await;
        let models = found["registered_models"].as_array().cloned().unwrap_or_default();
        models.iter().map(|model| model["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(json!({"filter": "name = 'ocr'"})).await, ["ocr"]);
    assert_eq!(names(json!({"max_results": 1})).await, ["asr"]);
    assert_eq!(names(json!({})).await, ["asr", "ocr"]);
    let found = ok(&admin, "GET registered-models/get", json!({"name": "ocr"})).await;
    assert_eq!(found["registered_model"]["name"], "ocr");
    // The address counts where it says something.
    let both = "GET registered-models/get?name=asr";
    let found = ok(&admin, both, json!({"name": "ocr"})).await;
    assert_eq!(found["registered_model"]["name"], "asr");
    let large = json!({"name": "x".repeat(21 << 20)});
    let (status, _) = ask(&admin, "vision", "GET registered-models/get", large).await;
    assert_eq!(status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_here_is_said_by_its_name() {
    let (_server, admin) = Server::with_model().await;
    for (method, path, name) in [
        ("POST", "api/3.0/mlflow/traces", "no traces"),
        ("GET", "api/2.0/mlflow/traces/tr-1/info", "no traces"),
        ("POST", "v1/traces", "REST OTLP span logging is not supported"),
        ("POST", "api/3.0/mlflow/datasets/create", "no evaluation data sets"),
        ("GET", "api/3.0/mlflow/scorers/list", "no scorers"),
        ("GET", "ajax-api/3.0/mlflow/gateway/secrets/list", "no AI gateway"),
        ("GET", "api/2.0/mlflow/nothing", "Nothing answers at"),
        ("GET", "nothing", "Nothing answers at"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let response =
            admin.request(method, &format!("/mlflow/vision/{path}")).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        let failure: Value = response.json().await.unwrap();
        assert_eq!(failure["error_code"], "ENDPOINT_NOT_FOUND", "{path}");
        assert!(failure["message"].as_str().unwrap().contains(name), "{failure}");
    }
}
