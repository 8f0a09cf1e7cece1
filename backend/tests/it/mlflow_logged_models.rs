//! Logged models over MLflow's API: what becomes of them until they are deleted, and of what was made of them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Server, left_over};
use crate::mlflow_artifacts::{API, delete, finish, get, logged_model, post, put, run, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_model_changes_with_what_its_run_shows_and_its_versions_never_do() {
    let (server, admin) = Server::with_model().await;
    let (run_id, of_run) = run(&admin).await;
    let (model_id, of_model) = logged_model(&admin, &run_id).await;
    for path in ["MLmodel", "data/w.bin", "old"] {
        put(&admin, &format!("{of_model}/{path}"), "first").await;
    }
    finish(&admin, &model_id).await;
    let source =
        json!({"name": "ocr", "source": format!("models:/{model_id}"), "model_id": model_id});
    let made = post(&admin, "/mlflow/model-versions/create", source.clone()).await;
    assert_eq!(made.0, 200, "{}", made.1);
    let digest = "{ model(path: \"vision/ocr\") { version(ref: \"1.0.0\") { digest } } }";
    let before = admin.ok(digest, json!({})).await;
    // As set_signature and update_model_requirements do, and what removes a file.
    assert_eq!(put(&admin, &format!("{of_model}/MLmodel"), "second").await, 200);
    assert_eq!(put(&admin, &format!("{of_model}/data/new"), "new").await, 200);
    assert_eq!(delete(&admin, &format!("{of_model}/old")).await, 200);
    let path = format!("{API}/mlflow/logged-models/{model_id}");
    for status in ["LOGGED_MODEL_PENDING", "LOGGED_MODEL_UPLOAD_FAILED", "LOGGED_MODEL_READY"] {
        let status = json!({"model_id": model_id, "status": status});
        let done = admin.request(Method::PATCH, &path).json(&status).send().await.unwrap();
        let done: Value = done.json().await.unwrap();
        assert_eq!(done["model"]["info"]["status"], status["status"]);
    }
    let files = async |address: &str| {
        let mut listed: Value = admin.get(address).await.json().await.unwrap();
        let listed = listed["files"].take();
        let path = |file: &Value| file["path"].as_str().unwrap().to_owned();
        listed.as_array().unwrap().iter().map(path).collect::<Vec<_>>()
    };
    // The run shows the model as it is.
    let shown = files(&format!("/files/vision/-/run:{run_id}")).await;
    assert_eq!(shown, ["net/MLmodel", "net/data/new", "net/data/w.bin"]);
    assert_eq!(text(&admin, &format!("{of_run}/net/MLmodel")).await, "second");
    let (_, listing) = get(&admin, &format!("/mlflow/artifacts/list?run_id={run_id}")).await;
    assert_eq!(listing["files"], Value::Null, "they are the model's");
    // The version is as it was, byte by byte.
    assert_eq!(files("/files/vision/ocr/1.0.0").await, ["MLmodel", "data/w.bin", "old"]);
    for path in ["MLmodel", "old"] {
        let got = admin.get(&format!("/files/vision/ocr/1.0.0/{path}")).await;
        assert_eq!(got.text().await.unwrap(), "first");
    }
    assert_eq!(admin.ok(digest, json!({})).await, before);
    post(&admin, "/mlflow/model-versions/create", source).await;
    let got = admin.get("/files/vision/ocr/1.0.1/MLmodel").await;
    assert_eq!(got.text().await.unwrap(), "second", "what is made now has what is there now");
    // What the run itself has at the place stays, whether the model had a file there before or not, and no path is a
    // file and a folder.
    for path in ["data/new", "later"] {
        put(&admin, &format!("{of_run}/net/{path}"), "own").await;
        assert_eq!(put(&admin, &format!("{of_model}/{path}"), "model's").await, 200);
        assert_eq!(put(&admin, &format!("{of_model}/{path}"), "model's again").await, 200);
        assert_eq!(text(&admin, &format!("{of_run}/net/{path}")).await, "own");
    }
    put(&admin, &format!("{of_run}/net/notes/a"), "own").await;
    assert_eq!(put(&admin, &format!("{of_model}/notes"), "model's").await, 200);
    assert_eq!(delete(&admin, &format!("{of_model}/notes")).await, 200);
    assert_eq!(text(&admin, &format!("{of_run}/net/notes/a")).await, "own");
    // In the trash nothing changes.
    post(&admin, "/mlflow/runs/delete", json!({"run_id": run_id})).await;
    assert_eq!(put(&admin, &format!("{of_model}/MLmodel"), "third").await, 200);
    assert_eq!(text(&admin, &format!("{of_run}/net/MLmodel")).await, "second");
    let done = admin.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(done.status(), 200);
    assert_eq!(put(&admin, &format!("{of_model}/MLmodel"), "fourth").await, 409);
    assert_eq!(left_over(&server), 0);
}
