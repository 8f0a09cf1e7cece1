//! Prompts that MLflow's clients register: told from models, and never changed once they are published.

use serde_json::json;

use crate::harness::Server;
use crate::mlflow::{ask, ok};

#[tokio::test(flavor = "multi_thread")]
async fn prompts_are_told_from_models() {
    let (_server, admin) = Server::with_model().await;
    let tags = json!([{"key": "mlflow.prompt.is_prompt", "value": "true"}]);
    ok(&admin, "POST registered-models/create", json!({"name": "greeting", "tags": tags})).await;
    let tags = json!([{"key": "mlflow.prompt.is_prompt", "value": "true"},
        {"key": "mlflow.prompt.text", "value": "Hello {{name}}"}]);
    let new = json!({"name": "greeting", "source": "dummy-source", "tags": tags});
    ok(&admin, "POST model-versions/create", new).await;
    let list = "query($filter: String) { project(path: \"vision\") { models(filter: $filter) {
        nodes { name kind latestVersion { prompt { text beginning variables messages { role } } } } } } }";
    let list = async |filter: &str| {
        let mut found = admin.ok(list, json!({"filter": filter})).await;
        found["project"]["models"]["nodes"].take()
    };
    let prompts = list("kind = 'PROMPT'").await;
    assert_eq!((&prompts[0]["name"], &prompts[0]["kind"]), (&json!("greeting"), &json!("PROMPT")));
    let template = json!({"text": "Hello {{name}}", "beginning": "Hello {{name}}", "variables": ["name"], "messages": null});
    assert_eq!(prompts[0]["latestVersion"]["prompt"], template);
    let models = list("kind != 'PROMPT'").await;
    assert_eq!(models, json!([{"name": "ocr", "kind": "MODEL", "latestVersion": null}]));
    assert_eq!(list("kind = 'MODEL'").await, models);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_template_of_a_prompt_version_never_changes() {
    let (_server, admin) = Server::with_model().await;
    ok(&admin, "POST registered-models/create", json!({"name": "greeting"})).await;
    let tags = json!([{"key": "mlflow.prompt.is_prompt", "value": "true"},
        {"key": "mlflow.prompt.text", "value": "Hello"}]);
    let new = json!({"name": "greeting", "source": "dummy-source", "tags": tags});
    ok(&admin, "POST model-versions/create", new).await;
    let set = async |key: &str, value: &str| {
        let tag = json!({"name": "greeting", "version": "1", "key": key, "value": value});
        ask(&admin, "vision", "POST model-versions/set-tag", tag).await.0
    };
    // Asked again, as a client does that lost the answer, the same is no change.
    assert_eq!(set("mlflow.prompt.text", "Hello").await, 200);
    assert_eq!(set("note", "Hello").await, 200);
    for (key, value) in [
        ("mlflow.prompt.text", "Goodbye"),
        ("_mlflow_prompt_type", "chat"),
        ("_mlflow_prompt_response_format", "{}"),
        ("mlflow.prompt.is_prompt", "false"),
    ] {
        assert_eq!(set(key, value).await, 409, "{key}");
    }
    assert_eq!(set("_mlflow_prompt_model_config", "{}").await, 200, "MLflow's clients change it");
    let removed = json!({"name": "greeting", "version": "1", "key": "mlflow.prompt.text"});
    let removed = ask(&admin, "vision", "DELETE model-versions/delete-tag", removed).await;
    assert_eq!(removed.0, 409);
    // Nor does a model's version become a prompt.
    admin.create_version(Some("1.0.0")).await;
    admin.publish("1.0.0").await;
    let turn = "mutation { setTag(input: {model: \"vision/ocr\", version: \"1.0.0\", key: \"mlflow.prompt.text\", value: \"x\"}) { tag { key } } }";
    assert_eq!(admin.refused(turn, json!({})).await.code, "CONFLICT");
    let delete = "mutation { deleteTag(input: {model: \"vision/greeting\", version: \"1.0.0\", key: \"mlflow.prompt.text\"}) { tag { key } } }";
    assert_eq!(admin.refused(delete, json!({})).await.code, "CONFLICT");
    // A draft can still be written.
    let draft = "mutation { createModelVersion(input: {model: \"vision/greeting\", version: \"2.0.0\",
        tags: [{key: \"mlflow.prompt.text\", value: \"a\"}]}) { modelVersion { version } }
        setTag(input: {model: \"vision/greeting\", version: \"2.0.0\", key: \"mlflow.prompt.text\", value: \"b\"}) { tag { value } } }";
    assert_eq!(admin.ok(draft, json!({})).await["setTag"]["tag"]["value"], "b");
}
