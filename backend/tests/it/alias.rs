use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_moves_and_every_move_is_kept() {
    let (_server, admin) = Server::with_model().await;
    for version in ["1.0.0", "1.1.0", "2.0.0"] {
        admin.create_version(Some(version)).await;
    }
    let set = "mutation($name: String!, $v: String!) { setAlias(input: {model: \"vision/ocr\", name: $name, version: $v}) {
        alias { name version { version } updatedBy { username } } } }";
    for (reference, version) in [("1.0.0", "1.0.0"), ("^1", "1.1.0"), ("latest", "2.0.0")] {
        let alias = admin.ok(set, json!({"name": "champion", "v": reference})).await;
        assert_eq!(alias["setAlias"]["alias"]["version"]["version"], version, "{reference}");
    }
    admin.ok(set, json!({"name": "challenger", "v": "@champion"})).await;
    for name in ["latest", "v7", "a b", ""] {
        assert_eq!(
            admin.refused(set, json!({"name": name, "v": "1.0.0"})).await.field,
            "name",
            "{name}"
        );
    }
    assert_eq!(admin.refused(set, json!({"name": "x", "v": "7.0.0"})).await.code, "NOT_FOUND");

    let read = "{ model(path: \"vision/ocr\") { version(ref: \"@champion\") { version aliases { name } }
        aliases { name version { version } history { ref by { username } version { version } } } } }";
    let model = admin.ok(read, json!({})).await["model"].take();
    assert_eq!(
        model["version"],
        json!({"version": "2.0.0", "aliases": [{"name": "challenger"}, {"name": "champion"}]})
    );
    let history: Vec<&Value> =
        model["aliases"][1]["history"].as_array().unwrap().iter().map(|m| &m["ref"]).collect();
    assert_eq!(history, ["2.0.0", "1.1.0", "1.0.0"]);

    // A deleted version takes its aliases out of sight; restored, it has them again.
    let delete = "mutation { deleteModelVersion(input: {model: \"vision/ocr\", version: \"2.0.0\"}) { modelVersion { id } } }";
    admin.ok(delete, json!({})).await;
    let model = admin.ok(read, json!({})).await["model"].take();
    assert_eq!((&model["version"], &model["aliases"]), (&Value::Null, &json!([])));
    let restore = "mutation { restoreModelVersion(input: {model: \"vision/ocr\", version: \"2.0.0\"}) { modelVersion { id } } }";
    admin.ok(restore, json!({})).await;
    assert_eq!(admin.ok(read, json!({})).await["model"]["version"]["version"], "2.0.0");

    let delete = "mutation { deleteAlias(input: {model: \"vision/ocr\", name: \"champion\"}) { alias { name } } }";
    admin.ok(delete, json!({})).await;
    assert_eq!(admin.refused(delete, json!({})).await.code, "NOT_FOUND");
    admin.ok(set, json!({"name": "champion", "v": "1.0.0"})).await;
    let model = admin.ok(read, json!({})).await["model"].take();
    let history: Vec<&Value> =
        model["aliases"][1]["history"].as_array().unwrap().iter().map(|m| &m["ref"]).collect();
    assert_eq!(
        history,
        [&json!("1.0.0"), &Value::Null, &json!("2.0.0"), &json!("1.1.0"), &json!("1.0.0")]
    );
}
