//! What versions and logged models come from: what a source means, what it may name, and what is pinned by it.

use serde_json::json;

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
        (format!("runs:/{own}/model"), None, None),
        (format!("runs:/{own}/model"), Some(&foreign), None),
        (format!("runs:/{foreign}/model"), Some(&foreign), None),
        (format!("mlflow-artifacts:/0/{foreign}/artifacts/model"), Some(&foreign), None),
        (format!("models:/{logged}"), None, Some(&logged)),
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
    for (number, (source, run_id)) in [
        ("s3://bucket/m".to_owned(), None),
        (format!("runs:/{unknown}/model"), Some(unknown)),
        (format!("mlflow-artifacts:/7/{unknown}/artifacts/m"), Some(unknown)),
    ]
    .into_iter()
    .enumerate()
    {
        let new = json!({"name": "ocr", "source": source, "run_id": run_id});
        ok(&admin, create, new).await;
        let get = format!("GET model-versions/get-download-uri?name=ocr&version={}", number + 1);
        assert_eq!(ok(&admin, &get, json!({})).await["artifact_uri"], source.as_str());
    }
}
