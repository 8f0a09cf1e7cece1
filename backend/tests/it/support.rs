//! Versions that are deprecated or yanked: what still finds them, and who may take one back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model_registry::role::TokenScope;
use model_registry::time::Clock;
use serde_json::{Value, json};

use crate::harness::{Caller, Server};
use crate::mlflow::{ask, ok, refused};

const DEPRECATE: &str = "mutation($version: String!, $reason: String, $successor: String) {
    deprecateModelVersion(input: {model: \"vision/ocr\", version: $version, reason: $reason, successor: $successor}) {
        modelVersion { support supportReason successor } } }";
const YANK: &str = "mutation($version: String!, $reason: String!, $successor: String) {
    yankModelVersion(input: {model: \"vision/ocr\", version: $version, reason: $reason, successor: $successor}) {
        modelVersion { support supportReason successor } } }";
const REACTIVATE: &str = "mutation($version: String!) {
    reactivateModelVersion(input: {model: \"vision/ocr\", version: $version}) { modelVersion { support supportReason } } }";
const SET_ALIAS: &str = "mutation($name: String!, $version: String!) {
    setAlias(input: {model: \"vision/ocr\", name: $name, version: $version}) { alias { name } } }";
const DELETE: &str = "mutation($version: String!) {
    deleteModelVersion(input: {model: \"vision/ocr\", version: $version}) { modelVersion { id } } }";
const EMPTY: &str = "mutation($item: ID) { emptyTrash(input: {project: \"vision\", item: $item}) { removedCount } }";
const VERSION: &str =
    "query($ref: String!) { model(path: \"vision/ocr\") { version(ref: $ref) { version } } }";

/// A published version with a file.
async fn publish(caller: &Caller, version: &str) {
    caller.create_version(Some(version)).await;
    let put = caller.put(&format!("/files/vision/ocr/{version}/m.bin"), version.to_owned()).await;
    assert!(put.status().is_success(), "{put:?}");
    caller.publish(version).await;
}

async fn yank(caller: &Caller, version: &str, reason: &str) {
    caller.ok(YANK, json!({ "version": version, "reason": reason })).await;
}

async fn found(caller: &Caller, reference: &str) -> Value {
    caller.ok(VERSION, json!({ "ref": reference })).await["model"]["version"]["version"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yanked_version_is_passed_over_and_still_there_for_who_names_it() {
    let (_server, admin) = Server::with_model().await;
    publish(&admin, "1.0.0").await;
    publish(&admin, "1.1.0").await;
    admin.ok(SET_ALIAS, json!({ "name": "prod", "version": "1.1.0" })).await;
    yank(&admin, "1.1.0", "wrong labels").await;

    for (reference, version) in
        [("latest", "1.0.0"), ("^1", "1.0.0"), ("1.1.0", "1.1.0"), ("@prod", "1.1.0")]
    {
        assert_eq!(found(&admin, reference).await, version, "{reference}");
        let file = admin.get(&format!("/files/vision/ocr/{reference}/m.bin")).await;
        let notice = file.headers().get("x-registry-notice").cloned();
        let since = file.headers().get("deprecation").cloned();
        assert_eq!(file.text().await.unwrap(), version, "{reference}");
        assert_eq!(notice.is_some(), version == "1.1.0", "{reference}");
        if let (Some(notice), Some(since)) = (notice, since) {
            assert_eq!(notice, "Version 1.1.0 is yanked: wrong labels.");
            assert!(since.to_str().unwrap().starts_with('@'), "{since:?}");
        }
    }
    let lists = "{ model(path: \"vision/ocr\") { latestVersion { version } versionCount nextVersion
        versions { nodes { version } totalCount }
        tagged: versions(filter: \"tags.support != 'support'\") { totalCount }
        yanked: versions(filter: \"support = 'YANKED'\") { nodes { version supportReason } } } }";
    let model = admin.ok(lists, json!({})).await["model"].take();
    assert_eq!(model["latestVersion"]["version"], "1.0.0");
    assert_eq!(model["tagged"]["totalCount"], 1, "a tag of that name asks for nothing");
    assert_eq!(model["versionCount"], 1);
    assert_eq!(model["nextVersion"], "1.1.1", "its name is still counted");
    assert_eq!(model["versions"], json!({ "nodes": [{ "version": "1.0.0" }], "totalCount": 1 }));
    assert_eq!(
        model["yanked"]["nodes"],
        json!([{ "version": "1.1.0", "supportReason": "wrong labels" }])
    );

    // With nothing else to find, the reason is the answer.
    let refused = admin.refused(VERSION, json!({ "ref": ">=1.1" })).await;
    assert_eq!(refused.code, "NOT_FOUND");
    assert!(refused.message.contains("wrong labels"), "{}", refused.message);
    let refused = admin.get("/files/vision/ocr/%3E=1.1/m.bin").await;
    assert_eq!(refused.status(), 404);
    assert!(refused.text().await.unwrap().contains("wrong labels"));

    // No draft takes the place of what was withdrawn.
    admin.create_version(Some("2.0.0")).await;
    yank(&admin, "1.0.0", "the same labels").await;
    let refused = admin.refused(VERSION, json!({ "ref": "latest" })).await;
    assert!(refused.message.contains("wrong labels"), "{}", refused.message);
    assert_eq!(found(&admin, "^2").await, "2.0.0", "of another range nothing was withdrawn");
    let latest = "{ model(path: \"vision/ocr\") { latestVersion { version } } }";
    assert_eq!(admin.ok(latest, json!({})).await["model"]["latestVersion"], Value::Null);
    admin.ok(REACTIVATE, json!({ "version": "1.0.0" })).await;

    // Nothing new names it; what names it already can be moved away.
    let refused = admin.refused(SET_ALIAS, json!({ "name": "new", "version": "1.1.0" })).await;
    assert_eq!(refused.code, "CONFLICT");
    admin.ok(SET_ALIAS, json!({ "name": "prod", "version": "1.0.0" })).await;

    let again = admin.ok(REACTIVATE, json!({ "version": "1.1.0" })).await;
    assert_eq!(
        again["reactivateModelVersion"]["modelVersion"],
        json!({ "support": "ACTIVE", "supportReason": null })
    );
    assert_eq!(found(&admin, "latest").await, "1.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn mlflow_passes_over_what_is_yanked_and_says_why() {
    let (_server, admin) = Server::with_model().await;
    publish(&admin, "1.0.0").await;
    publish(&admin, "2.0.0").await;
    let stage = json!({"name": "ocr", "version": "2", "stage": "Production", "archive_existing_versions": false});
    yank(&admin, "2.0.0", "wrong labels").await;
    assert_eq!(
        refused(&admin, "POST model-versions/transition-stage", stage).await,
        "RESOURCE_CONFLICT"
    );

    let version =
        ok(&admin, "GET model-versions/get?name=ocr&version=2", json!({})).await["model_version"]
            .take();
    assert_eq!(version["status"], "READY");
    assert_eq!(version["status_message"], "Version 2.0.0 is yanked: wrong labels.");
    let latest =
        ok(&admin, "POST registered-models/get-latest-versions", json!({"name": "ocr"})).await;
    assert_eq!(latest["model_versions"].as_array().unwrap().len(), 1);
    assert_eq!(latest["model_versions"][0]["version"], "1");
    for (query, version) in [
        ("filter=name='ocr'", "1"),
        ("filter=name='ocr'%20and%20support='YANKED'", "2"),
        ("filter=support='YANKED'", "2"),
        ("filter=attributes.support='YANKED'", "2"),
        ("", "1"),
    ] {
        let list = ok(&admin, &format!("GET model-versions/search?{query}"), json!({})).await;
        let numbers = list["model_versions"].as_array().unwrap().iter().map(|v| &v["version"]);
        assert_eq!(numbers.collect::<Vec<_>>(), [version], "{query}");
    }
    let staged = json!({"name": "ocr", "version": "1", "stage": "Staging"});
    ok(&admin, "POST model-versions/transition-stage", staged).await;
    yank(&admin, "1.0.0", "wrong, too").await;
    let stage = json!({"name": "ocr", "stages": ["Staging"]});
    let (status, answer) =
        ask(&admin, "vision", "POST registered-models/get-latest-versions", stage).await;
    assert!(
        status == 404 && answer["message"].as_str().unwrap().contains("wrong, too"),
        "{answer}"
    );
    let copy = json!({"name": "ocr", "source": "models:/ocr/2"});
    assert_eq!(refused(&admin, "POST model-versions/create", copy).await, "RESOURCE_CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn advice_is_checked_and_a_draft_takes_none() {
    let (_server, admin) = Server::with_model().await;
    publish(&admin, "1.0.0").await;
    publish(&admin, "1.1.0").await;
    admin.create_version(Some("2.0.0")).await;
    let done = admin.ok(DEPRECATE, json!({ "version": "1.0.0", "successor": "^1.1" })).await;
    assert_eq!(
        done["deprecateModelVersion"]["modelVersion"],
        json!({ "support": "DEPRECATED", "supportReason": null, "successor": "1.1.0" })
    );
    assert_eq!(found(&admin, "<1.1").await, "1.0.0", "what is deprecated is found as before");
    admin.ok(SET_ALIAS, json!({ "name": "old", "version": "1.0.0" })).await;
    for (successor, field) in
        [("1.0.0", "successor"), ("2.0.0", "successor"), ("9.9.9", "successor")]
    {
        let refused =
            admin.refused(DEPRECATE, json!({ "version": "1.0.0", "successor": successor })).await;
        assert_eq!(
            (refused.code.as_str(), refused.field.as_str()),
            ("INVALID", field),
            "{successor}"
        );
    }
    for reason in ["", " ", "two\nlines", "turned \u{202e}round"] {
        let refused = admin.refused(YANK, json!({ "version": "1.0.0", "reason": reason })).await;
        assert_eq!(refused.field, "reason", "{reason:?}");
    }
    let refused = admin.refused(YANK, json!({ "version": "2.0.0", "reason": "r" })).await;
    assert_eq!(refused.code, "CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_published_a_version_takes_it_back_until_somebody_fetched_it() {
    let now = Arc::new(AtomicI64::new(1_700_000_000_000));
    let server = Server::start_at(Clock::Fixed(now.clone())).await;
    let pass = |minutes: i64| now.fetch_add(minutes * 60 * 1000, Ordering::Relaxed);
    let admin = server.admin().await;
    admin.ok(crate::harness::CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    for username in ["dev", "other"] {
        admin.invite(username).await;
        admin.add_member("vision", username, "DEVELOPER").await;
    }
    let dev = server.person("dev", TokenScope::Write).await;
    let other = server.person("other", TokenScope::Write).await;
    let trashed = async |version: &str| {
        dev.ok(DELETE, json!({ "version": version })).await["deleteModelVersion"]["modelVersion"]["id"].clone()
    };

    publish(&dev, "1.0.0").await;
    let item = trashed("1.0.0").await;
    assert_eq!(other.refused(EMPTY, json!({ "item": item })).await.code, "FORBIDDEN");
    assert_eq!(
        dev.refused(EMPTY, json!({})).await.code,
        "FORBIDDEN",
        "all of it is a maintainer's"
    );
    let emptied = dev.ok(EMPTY, json!({ "item": item })).await;
    assert_eq!(emptied["emptyTrash"]["removedCount"], 1);

    publish(&dev, "1.0.1").await;
    let fetched = "{ model(path: \"vision/ocr\") { version(ref: \"1.0.1\") { lastFetchedAt } } }";
    let last =
        async || admin.ok(fetched, json!({})).await["model"]["version"]["lastFetchedAt"].clone();
    assert!(dev.get("/files/vision/ocr/1.0.1/").await.status().is_success());
    assert_eq!(last().await, Value::Null, "a list is no fetch");
    assert!(admin.get("/files/vision/ocr/1.0.1/m.bin").await.status().is_success());
    let first = last().await;
    assert!(first.is_string(), "the first fetch is known at once");
    pass(30);
    assert!(admin.get("/files/vision/ocr/1.0.1/m.bin").await.status().is_success());
    server.settle().await;
    assert_eq!(last().await, first, "later ones are known to the hour");
    let item = trashed("1.0.1").await;
    assert_eq!(dev.refused(EMPTY, json!({ "item": item })).await.code, "FORBIDDEN");

    publish(&dev, "1.0.2").await;
    let item = trashed("1.0.2").await;
    pass(73 * 60);
    assert_eq!(dev.refused(EMPTY, json!({ "item": item })).await.code, "FORBIDDEN", "too late");
    admin.ok(EMPTY, json!({ "item": item })).await;
}
