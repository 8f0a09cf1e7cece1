//! What versions and logged models come from: what a source means, what it may name, and what is pinned by it.

use serde_json::{Value, json};

use crate::harness::Server;
use crate::mlflow::{ask, ok, put, refused, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_version_pins_what_it_was_made_of() {
    let (server, admin) = Server::with_model().await;
    let run_id = run(&admin, "vision", "0").await;
    put(&admin, &run_id, "model/MLmodel", "flavors: {sklearn: {}}").await;
    put(&admin, &run_id, "notes.txt", "elsewhere in the run").await;
    let metric = json!({"run_id": run_id, "key": "acc", "value": 0.5, "timestamp": 1, "step": 1});
    ok(&admin, "POST runs/log-metric", metric).await;
    let new = json!({"name": "ocr", "source": format!("runs:/{run_id}/model"), "run_id": run_id});
    let made = ok(&admin, "POST model-versions/create", new).await["model_version"].take();
    assert_eq!((made["version"].as_str(), made["status"].as_str()), (Some("1"), Some("READY")));
    // Whatever becomes of the run.
    put(&admin, &run_id, "model/MLmodel", "other").await;
    ok(&admin, "POST runs/delete", json!({"run_id": run_id})).await;
    let empty = "mutation { emptyTrash(input: {project: \"vision\"}) { removedCount } }";
    assert_eq!(admin.ok(empty, json!({})).await["emptyTrash"]["removedCount"], 1);
    let read = "{ model(path: \"vision/ocr\") { version(ref: \"1.0.0\") {
        state source flavors metrics { value } files { nodes { path } } candidate { id } } } }";
    let version = admin.ok(read, json!({})).await["model"]["version"].take();
    let expected = json!({"state": "PUBLISHED", "source": format!("runs:/{run_id}/model"),
        "flavors": ["sklearn"], "metrics": [{"value": 0.5}], "files": {"nodes": [{"path": "MLmodel"}]},
        "candidate": null});
    assert_eq!(version, expected);
    assert_eq!(server.count("SELECT COUNT(*) FROM candidates").await, 0);
    let get = "GET model-versions/get?name=ocr&version=1";
    assert_eq!(ok(&admin, get, json!({})).await["model_version"]["run_id"], run_id.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logged_model_names_versions_of_its_own_project_only() {
    let (_server, admin) = Server::with_model().await;
    let project = "mutation { createProject(input: {path: \"other\"}) { project { id } } }";
    admin.ok(project, json!({})).await;
    let (_, made) =
        ask(&admin, "other", "POST registered-models/create", json!({"name": "own"})).await;
    assert_eq!(made["registered_model"]["name"], "own");
    let logged = json!({"experiment_id": "0", "name": "net"});
    let (_, logged) = ask(&admin, "other", "POST logged-models", logged).await;
    let logged = logged["model"]["info"]["model_id"].as_str().unwrap().to_owned();
    for (project, name) in [("vision", "ocr"), ("other", "own")] {
        let new = json!({"name": name, "source": "s3://bucket/m", "model_id": logged});
        let (status, made) = ask(&admin, project, "POST model-versions/create", new).await;
        assert_eq!(status, 200, "{made}");
    }
    let (_, found) = ask(&admin, "other", &format!("GET logged-models/{logged}"), json!({})).await;
    let tags = found["model"]["info"]["tags"].to_string();
    assert!(tags.contains("own") && !tags.contains("ocr"), "{tags}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_are_not_ones_own_are_refused_and_those_elsewhere_kept() {
    let (_server, admin) = Server::with_model().await;
    let project = "mutation { createProject(input: {path: \"other\"}) { project { id } } }";
    admin.ok(project, json!({})).await;
    let (own, foreign) = (run(&admin, "vision", "0").await, run(&admin, "other", "0").await);
    let logged = json!({"experiment_id": "0", "name": "net"});
    let (_, logged) = ask(&admin, "other", "POST logged-models", logged).await;
    let logged = logged["model"]["info"]["model_id"].as_str().unwrap().to_owned();
    let create = "POST model-versions/create";
    for (source, run_id, model_id) in [
        (format!("runs:/{own}/model"), Some(&foreign), None),
        (format!("runs:/{foreign}/model"), Some(&foreign), None),
        (format!("mlflow-artifacts:/0/{foreign}/artifacts/model"), Some(&foreign), None),
        (format!("models:/{logged}"), None, Some(&logged)),
        (format!("models:/m-{}", "0".repeat(32)), None, None),
        (format!("mlflow-artifacts:/0/{own}/artifacts/../x"), Some(&own), None),
        (format!("mlflow-artifacts:/0/{own}/artifacts/%252e%252e/x"), Some(&own), None),
        (format!("runs:/{own}/../{foreign}"), Some(&own), None),
        ("s3://bucket/../x".to_owned(), None, None),
        ("s3://bucket/m".to_owned(), Some(&foreign), None),
        ("/etc/passwd".to_owned(), Some(&own), None),
        ("file:///etc/passwd".to_owned(), Some(&own), None),
        ("models:/nothing/1".to_owned(), None, None),
        ("models:/ocr/9".to_owned(), None, None),
    ] {
        let new = json!({"name": "ocr", "source": source, "run_id": run_id, "model_id": model_id});
        let code = refused(&admin, create, new).await;
        assert!(
            ["INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"].contains(&code.as_str()),
            "{source}"
        );
    }
    let unknown = "0123456789abcdef0123456789abcdef";
    for (number, (source, run_id, kept)) in [
        ("s3://bucket/m".to_owned(), None, ""),
        (format!("runs:/{unknown}/model"), Some(unknown), unknown),
        (format!("runs:/{unknown}/model"), None, unknown),
        ("runs:/run_id/model".to_owned(), Some("run_id_1"), "run_id_1"),
        ("runs:/run_id/model".to_owned(), Some(own.as_str()), own.as_str()),
        (format!("mlflow-artifacts:/7/{unknown}/artifacts/m"), Some(unknown), unknown),
        (format!("mlflow-artifacts:/7/{unknown}/artifacts/m"), None, unknown),
    ]
    .into_iter()
    .enumerate()
    {
        let new = json!({"name": "ocr", "source": source, "run_id": run_id});
        let made = ok(&admin, create, new).await["model_version"].take();
        assert_eq!((&made["source"], &made["run_id"]), (&json!(source), &json!(kept)));
        let get = format!("GET model-versions/get-download-uri?name=ocr&version={}", number + 1);
        assert_eq!(ok(&admin, &get, json!({})).await["artifact_uri"], source.as_str());
    }
    let found = "GET model-versions/search?filter=run_id%3D'run_id_1'";
    let found = ok(&admin, found, json!({})).await;
    assert_eq!(found["model_versions"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_says_by_itself_whose_it_is() {
    let (_server, admin) = Server::with_model().await;
    let run_id = run(&admin, "vision", "0").await;
    put(&admin, &run_id, "model/MLmodel", "flavors: {}").await;
    let model = json!({"experiment_id": "0", "name": "net", "source_run_id": run_id});
    let model = ok(&admin, "POST logged-models", model).await;
    let model_id = model["model"]["info"]["model_id"].as_str().unwrap();
    let create = "POST model-versions/create";
    for (source, its_model) in [
        (format!("runs:/{run_id}/model"), Value::Null),
        (format!("mlflow-artifacts:/0/{run_id}/artifacts/model"), Value::Null),
        (format!("models:/{model_id}"), json!(model_id)),
        (format!("mlflow-artifacts:/0/models/{model_id}/artifacts"), json!(model_id)),
    ] {
        let made = ok(&admin, create, json!({"name": "ocr", "source": source})).await;
        let made = &made["model_version"];
        assert_eq!((&made["run_id"], &made["model_id"]), (&json!(run_id), &its_model), "{source}");
    }
    let file = admin.get("/files/vision/ocr/1.0.0/MLmodel").await;
    assert_eq!(file.text().await.unwrap(), "flavors: {}", "it is pinned");
    let read =
        "{ model(path: \"vision/ocr\") { version(ref: \"1.0.0\") { candidate { runId } } } }";
    let version = admin.ok(read, json!({})).await["model"]["version"].take();
    assert_eq!(version["candidate"]["runId"], run_id.as_str());
    // A logged model of a run that is elsewhere keeps its id, and so do its versions.
    let model = json!({"experiment_id": "0", "name": "net", "source_run_id": "elsewhere"});
    let model = ok(&admin, "POST logged-models", model).await["model"]["info"].take();
    assert_eq!(model["source_run_id"], "elsewhere");
    let search = json!({"experiment_ids": ["0"], "filter": "source_run_id = 'elsewhere'"});
    let found = ok(&admin, "POST logged-models/search", search).await;
    assert_eq!(found["models"][0]["info"]["model_id"], model["model_id"]);
    let source = format!("models:/{}", model["model_id"].as_str().unwrap());
    let made = ok(&admin, create, json!({"name": "ocr", "source": source})).await;
    assert_eq!(made["model_version"]["run_id"], "elsewhere");
    // And so does one whose run was deleted for good.
    ok(&admin, "POST runs/delete", json!({"run_id": run_id})).await;
    let empty = "mutation { emptyTrash(input: {project: \"vision\"}) { removedCount } }";
    admin.ok(empty, json!({})).await;
    let kept = ok(&admin, &format!("GET logged-models/{model_id}"), json!({})).await;
    assert_eq!(kept["model"]["info"]["source_run_id"], run_id.as_str());
}
