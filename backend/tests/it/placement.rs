//! The rules that say which files belong in which storage: what they move, and what would be moved is shown before.

use futures_util::future::join_all;
use model_registry::registry::lifecycle::placement::plan;
use serde_json::{Value, json};

use crate::storages::{BASE, World, bytes, text};

const DAY_SECONDS: i64 = 24 * 3600;

const RULES: &str = "mutation($rules: [StorageRuleInput!]!) {
    setStorageRules(input: {rules: $rules}) { rules { storage alias minSize project { path } } } }";
const PREVIEW: &str = "query($rules: [StorageRuleInput!]) {
    storagePreview(rules: $rules) { isComplete flows { from to fileCount byteCount } } }";

#[tokio::test(flavor = "multi_thread")]
async fn rules_move_what_nobody_uses_and_bring_back_what_somebody_does() {
    let world = World::new().await;
    let (admin, app) = (&world.admin, &world.server.app);
    let put = async |version: &str, name: &str, seed: u8, length: usize| {
        let path = format!("/files/vision/ocr/{version}/{name}");
        assert_eq!(admin.put(&path, bytes(seed, length)).await.status(), 201);
    };
    admin.create_version(Some("2.0.0")).await;
    put("1.0.0", "weights", 1, 2 << 20).await;
    put("2.0.0", "weights", 2, 2 << 20).await;
    for version in ["1.0.0", "2.0.0"] {
        // The same bytes, and what is too small to be worth it.
        put(version, "shared", 3, 2 << 20).await;
        put(version, "config", version.as_bytes()[0], 1000).await;
        admin.publish(version).await;
    }
    let set = "mutation { setAlias(input: {model: \"vision/ocr\", name: \"production\",
        version: \"2.0.0\"}) { alias { name } } }";
    admin.ok(set, json!({})).await;

    let rules = json!([
        { "storage": "default", "alias": "production" },
        { "storage": "archive", "project": "vision", "kind": "VERSION", "isUnaliased": true },
    ]);
    let preview = admin.ok(PREVIEW, json!({ "rules": rules })).await;
    let expected = json!([
        { "from": "default", "to": "archive", "fileCount": 1, "byteCount": 2 << 20 },
    ]);
    assert_eq!(preview["storagePreview"]["flows"], expected);
    assert_eq!(preview["storagePreview"]["isComplete"], true);
    // Shown only: nothing is moved by that, nor without rules.
    let applied = async || plan::apply(&app.db, &app.storages, &app.clock).await.ok().unwrap();
    assert_eq!(applied().await.files, 0);

    let kept = admin.ok(RULES, json!({ "rules": rules })).await;
    let kept = &kept["setStorageRules"]["rules"];
    assert_eq!(kept[1]["project"]["path"], "vision");
    assert_eq!((&kept[0]["alias"], &kept[0]["minSize"]), (&json!("production"), &json!(1 << 20)));
    // Beside the server, or by it once a day.
    let dry = text(&world.run(&["storage", "apply", "--dry-run"]));
    assert!(dry.contains("1 files, 2.00 MiB, would be moved from default to archive"), "{dry}");
    let done = text(&world.run(&["storage", "apply"]));
    assert!(done.contains("1 files, 2.00 MiB, were moved; 0 could not be"), "{done}");
    assert_eq!(applied().await.files, 0);
    assert_eq!(world.copies("archive", "READY").await, 1);
    world.check("weights", &bytes(1, 2 << 20)).await;

    // The alias goes back to what was archived: its files come back, and those of the other version go.
    admin.ok(&set.replace("2.0.0", "1.0.0"), json!({})).await;
    let preview = admin.ok(PREVIEW, json!({})).await;
    let flows = preview["storagePreview"]["flows"].as_array().unwrap();
    let of =
        |from: &str| flows.iter().find(|flow| flow["from"] == *from).unwrap()["fileCount"].clone();
    assert_eq!((flows.len(), of("archive"), of("default")), (2, json!(1), json!(1)));
    assert_eq!(applied().await.files, 2);
    world.check("weights", &bytes(1, 2 << 20)).await;
    assert_eq!(world.sweep(0).await, 2);
    world.check_whole().await;

    let log = admin.ok("{ events(first: 10) { nodes { action subject } } }", json!({})).await;
    assert_eq!(log["events"]["nodes"][1]["action"], "storage.set", "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_made_from_a_run_is_moved_with_its_bytes() {
    let world = World::new().await;
    let (admin, app) = (&world.admin, &world.server.app);
    let create =
        "mutation { createCandidate(input: {model: \"vision/ocr\"}) { candidate { number } } }";
    admin.ok(create, json!({})).await;
    let path = "/files/vision/ocr/candidate:1/weights";
    assert_eq!(admin.put(path, bytes(1, 2 << 20)).await.status(), 201);
    let promote = "mutation { promoteCandidate(input: {model: \"vision/ocr\", candidate: 1, version: \"3.0.0\"}) {
        modelVersion { id } } }";
    admin.ok(promote, json!({})).await;
    // What only a run has stays, and what no rule is for.
    let other = "/files/vision/ocr/candidate:1/log";
    assert_eq!(admin.put(other, bytes(2, 2 << 20)).await.status(), 201);
    let rules = json!([{ "storage": "archive", "isUnaliased": true }]);
    admin.ok(RULES, json!({ "rules": rules })).await;
    let applied = plan::apply(&app.db, &app.storages, &app.clock).await.ok().unwrap();
    assert_eq!((applied.files, applied.bytes), (1, 2 << 20));
    // Whoever comes second replaces what the first one set, also where several come at once.
    let set = async |alias: &str| {
        let rules = json!([{ "storage": "archive", "alias": alias }, { "storage": "default" }]);
        admin.ok(RULES, json!({ "rules": rules })).await
    };
    join_all(["a", "b", "c", "d", "e"].map(set)).await;
    let rules = admin.ok("{ storageRules { alias } }", json!({})).await;
    assert_eq!(rules["storageRules"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_ask_for_age_downloads_support_size_and_kind() {
    let world = World::new().await;
    let (admin, db) = (&world.admin, &world.server.app.db);
    assert_eq!(admin.put(&format!("{BASE}/f"), bytes(1, 5000)).await.status(), 201);
    admin.publish("1.0.0").await;
    let moves = async |rule: Value| {
        let mut rule = rule;
        rule["storage"] = "archive".into();
        if rule.get("minSize").is_none() {
            rule["minSize"] = 0.into();
        }
        let preview = admin.ok(PREVIEW, json!({ "rules": [rule] })).await;
        !preview["storagePreview"]["flows"].as_array().unwrap().is_empty()
    };
    assert!(moves(json!({})).await);
    assert!(!moves(json!({ "minSize": 5001 })).await);
    assert!(moves(json!({ "minSize": 5000 })).await);
    assert!(!moves(json!({ "kind": "RUN" })).await);
    assert!(!moves(json!({ "alias": "production" })).await);
    assert!(!moves(json!({ "isDeprecated": true })).await);
    assert!(!moves(json!({ "olderThanDays": 1 })).await);
    assert!(!moves(json!({ "notFetchedDays": 30 })).await);
    let ago = |days: i64| world.now().plus_seconds(-days * DAY_SECONDS).millis();
    let script = format!(
        "UPDATE files SET created_at_ms = {old};
         UPDATE model_versions SET created_at_ms = {old}, last_fetched_at_ms = NULL, stage = 'PRODUCTION',
             deprecated_at_ms = 1;",
        old = ago(40)
    );
    db.run_script(&script).await.unwrap();
    assert!(moves(json!({ "olderThanDays": 39 })).await);
    assert!(!moves(json!({ "olderThanDays": 41 })).await);
    assert!(moves(json!({ "notFetchedDays": 30 })).await);
    assert!(moves(json!({ "isDeprecated": true })).await);
    assert!(moves(json!({ "alias": "production" })).await);
    assert!(!moves(json!({ "isUnaliased": true })).await);
    let script = format!("UPDATE model_versions SET last_fetched_at_ms = {}", ago(20));
    db.run_script(&script).await.unwrap();
    assert!(!moves(json!({ "notFetchedDays": 30 })).await);
    for (rule, field) in [
        (json!({ "storage": "nowhere" }), "rules.0.storage"),
        (json!({ "storage": "archive", "project": "nothing" }), "rules.0.project"),
        (json!({ "storage": "archive", "olderThanDays": 0 }), "rules.0.olderThanDays"),
        (json!({ "storage": "archive", "notFetchedDays": -1 }), "rules.0.notFetchedDays"),
        (json!({ "storage": "archive", "minSize": -1 }), "rules.0.minSize"),
        (json!({ "storage": "archive", "alias": "a", "isUnaliased": true }), "rules.0.alias"),
        (json!({ "storage": "archive", "alias": "a\u{0}b" }), "rules.0.alias"),
        (json!({ "storage": "archive", "kind": "RUN", "isDeprecated": true }), "rules.0.kind"),
    ] {
        let refused = admin.refused(RULES, json!({ "rules": [rule] })).await;
        assert_eq!((&*refused.code, &*refused.field), ("INVALID", field));
    }
}
