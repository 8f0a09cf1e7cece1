//! The list of a project's models for Backstage's catalogue: what it says, and that it is YAML whatever people write.

use serde_json::{Value, json};

use crate::embeds::{header, start, text};
use crate::harness::Server;

/// The entities of a list. They are JSON between lines of YAML.
fn entities(yaml: &str) -> Vec<Value> {
    let documents = yaml.split("\n---\n").skip(1);
    documents.map(|document| serde_json::from_str(document).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_a_resource_with_its_owner_tags_and_page() {
    let (server, admin) = start().await;
    let nobody = server.anonymous();
    let make = r##"mutation {
        a: createModel(input: {project: "open", name: "a \"b\"; - {c", description: "--- \u0007<b>x</b>: {y}\n\nmore", tags: [
            {key: "owner", value: "group:default/team-a"}, {key: "lifecycle", value: "retired"}, {key: "task", value: "OCR v2"},
            {key: "mlflow.note", value: "x"}, {key: "registry.metric", value: "loss"}]}) { model { id } }
        b: createModel(input: {project: "open", name: "deleted"}) { model { id } }
        deleteModel(input: {model: "open/deleted"}) { model { id } } }"##;
    admin.ok(make, json!({})).await;
    let response = nobody.get("/api/backstage/open.yaml").await;
    assert_eq!(header(&response, "content-type"), "application/yaml");
    assert_eq!(header(&response, "cache-control"), "public, max-age=60");
    let yaml = response.text().await.unwrap();
    let found = entities(&yaml);
    let [hostile, ocr] = found.as_slice() else { panic!("{yaml}") };
    assert_eq!(
        *ocr,
        json!({
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Resource",
            "metadata": {
                "name": "open.ocr",
                "title": "open/ocr",
                "description": "Reads text.",
                "annotations": {
                    "model-registry/path": "open/ocr",
                    "backstage.io/view-url": "https://models.example.org/open/ocr"
                },
                "links": [{ "url": "https://models.example.org/open/ocr", "title": "Model Registry" }],
            },
            "spec": { "type": "ml-model", "owner": "unknown", "lifecycle": "production" },
        })
    );
    let name = hostile["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("open.a--b------c-"), "{name}");
    assert_eq!(hostile["metadata"]["annotations"]["model-registry/path"], "open/a \"b\"; - {c");
    assert_eq!(hostile["metadata"]["tags"], json!(["task:ocr-v2"]));
    assert_eq!(hostile["spec"]["owner"], "group:default/team-a");
    assert_eq!(hostile["spec"]["lifecycle"], "retired");
    assert!(!yaml.contains('\u{7}'), "{yaml}");

    let change = r#"mutation {
        deprecateModelVersion(input: {model: "open/ocr", version: "1.2.0"}) { modelVersion { id } }
        setTag(input: {model: "open/ocr", key: "owner", value: "Jane Doe: of (x)"}) { tag { key } } }"#;
    admin.ok(change, json!({})).await;
    let ocr = entities(&text(&nobody, "/api/backstage/open.yaml", 200).await).remove(1);
    let spec = json!({ "type": "ml-model", "owner": "unknown", "lifecycle": "deprecated" });
    assert_eq!(ocr["spec"], spec, "that is nobody's reference");
    text(&nobody, "/api/backstage/open", 404).await;
    text(&nobody, "/api/backstage/open.json", 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_of_its_own_the_server_links_nowhere() {
    let (_server, admin) = Server::with_model().await;
    let found = entities(&text(&admin, "/api/backstage/vision.yaml", 200).await);
    assert_eq!(found[0]["spec"]["lifecycle"], "experimental");
    assert_eq!(found[0]["metadata"]["annotations"], json!({ "model-registry/path": "vision/ocr" }));
    assert!(found[0]["metadata"].get("links").is_none(), "{}", found[0]);
}
