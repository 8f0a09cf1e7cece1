use serde_json::{Value, json};

use crate::harness::{Caller, Server};
use crate::mlflow::{ask, ok};

fn versions(connection: &Value) -> Vec<&str> {
    connection["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["version"].as_str().unwrap())
        .collect()
}

async fn by_reference(caller: &Caller, reference: &str) -> Value {
    let find =
        "query($ref: String!) { model(path: \"vision/ocr\") { version(ref: $ref) { version } } }";
    caller.ok(find, json!({ "ref": reference })).await["model"]["version"]["version"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_order_by_precedence_and_references_find_them() {
    let (_server, admin) = Server::with_model().await;
    // semver.org §11, in another order than theirs.
    let list = [
        "1.0.0-beta.11",
        "10.0.0",
        "1.0.0",
        "1.0.0-alpha.beta",
        "9.0.0",
        "1.0.0-rc.1",
        "1.0.0-alpha",
        "2.1.0",
        "1.0.0-beta.2",
        "2.0.0",
        "1.0.0-alpha.1",
        "1.0.0-beta",
        "2.1.1",
    ];
    let latest = "{ model(path: \"vision/ocr\") { latestVersion { version } } }";
    assert_eq!(admin.ok(latest, json!({})).await["model"]["latestVersion"], Value::Null);
    for version in list {
        admin.create_version(Some(version)).await;
        if version.contains('-') && version == "1.0.0-beta.11" {
            let only = admin.ok(latest, json!({})).await;
            assert_eq!(only["model"]["latestVersion"]["version"], version, "nothing else is there");
        }
    }
    let all = "query($range: String, $search: String, $d: OrderDirection = ASC) { model(path: \"vision/ocr\") {
        versions(range: $range, search: $search, first: 50, orderBy: {field: VERSION, direction: $d}) {
            nodes { version } totalCount } } }";
    let found = admin.ok(all, json!({})).await["model"]["versions"].take();
    assert_eq!(
        versions(&found),
        [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "2.0.0",
            "2.1.0",
            "2.1.1",
            "9.0.0",
            "10.0.0"
        ]
    );
    for (range, expected) in [
        ("^2", vec!["2.0.0", "2.1.0", "2.1.1"]),
        ("~2.1.0", vec!["2.1.0", "2.1.1"]),
        (">=2.1, <10", vec!["2.1.0", "2.1.1", "9.0.0"]),
        ("^1.0.0-beta.2", vec!["1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"]),
        ("*", vec!["1.0.0", "2.0.0", "2.1.0", "2.1.1", "9.0.0", "10.0.0"]),
        ("=3", vec![]),
    ] {
        let found = admin.ok(all, json!({ "range": range })).await["model"]["versions"].take();
        assert_eq!(versions(&found), expected, "{range}");
        assert_eq!(found["totalCount"], expected.len(), "{range}");
    }
    assert_eq!(admin.refused(all, json!({ "range": "one" })).await.field, "range");
    let found = admin.ok(all, json!({ "search": "rc" })).await["model"]["versions"].take();
    assert_eq!(versions(&found), ["1.0.0-rc.1"]);

    assert_eq!(by_reference(&admin, "latest").await, "10.0.0");
    assert_eq!(by_reference(&admin, "^2.0").await, "2.1.1");
    assert_eq!(by_reference(&admin, "1.0.0-rc.1").await, "1.0.0-rc.1");
    for missing in ["3.0.0", "^3", "@champion", "", "nonsense", "v1.0.0", "1.0.0'--"] {
        assert_eq!(by_reference(&admin, missing).await, Value::Null, "{missing}");
    }
    // Once something is published, what is still being filled is not the latest.
    admin.publish("2.1.0").await;
    assert_eq!(by_reference(&admin, "latest").await, "2.1.0");
    assert_eq!(by_reference(&admin, "^2").await, "2.1.0");
    assert_eq!(by_reference(&admin, "^9").await, "9.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_before_is_the_published_one_by_precedence() {
    let (_server, admin) = Server::with_model().await;
    admin.create_model("other").await;
    let previous = async |version: &str| {
        let find = "query($ref: String!) { model(path: \"vision/ocr\") {
            version(ref: $ref) { previous { version } } } }";
        let found = admin.ok(find, json!({ "ref": version })).await;
        found["model"]["version"]["previous"]["version"].as_str().unwrap_or_default().to_owned()
    };
    for version in ["10.0.0", "9.0.0", "9.1.0", "10.0.0-rc.1", "9.0.0+build"] {
        admin.create_version(Some(version)).await;
    }
    let publish = "mutation($m: String!, $v: String!) {
        publishModelVersion(input: {model: $m, version: $v}) { modelVersion { id } } }";
    for version in ["10.0.0", "9.0.0", "10.0.0-rc.1"] {
        admin.ok(publish, json!({"m": "vision/ocr", "v": version})).await;
    }
    // Of another model there is one in between.
    let create =
        "mutation { createModelVersion(input: {model: \"vision/other\", version: \"9.5.0\"}) {
        modelVersion { id } } }";
    admin.ok(create, json!({})).await;
    admin.ok(publish, json!({"m": "vision/other", "v": "9.5.0"})).await;
    assert_eq!(previous("10.0.0").await, "10.0.0-rc.1");
    assert_eq!(previous("10.0.0-rc.1").await, "9.0.0");
    assert_eq!(previous("9.1.0").await, "9.0.0");
    assert_eq!(previous("9.0.0").await, "");
    // One of the same precedence is not before itself, and the order of the two is fixed.
    assert_eq!(previous("9.0.0+build").await, "9.0.0");
    let delete = "mutation { deleteModelVersion(input: {model: \"vision/ocr\",
        version: \"10.0.0-rc.1\"}) { modelVersion { id } } }";
    admin.ok(delete, json!({})).await;
    assert_eq!(previous("10.0.0").await, "9.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_omitted_version_is_the_next_patch_and_numbers_are_never_reused() {
    let (_server, admin) = Server::with_model().await;
    let made = async |version| {
        let made = admin.create_version(version).await;
        (made["version"].as_str().unwrap().to_owned(), made["number"].as_i64().unwrap())
    };
    assert_eq!(made(None).await, ("1.0.0".to_owned(), 1));
    assert_eq!(made(None).await, ("1.0.1".to_owned(), 2));
    assert_eq!(made(Some("2.0.0-rc.1")).await, ("2.0.0-rc.1".to_owned(), 3));
    assert_eq!(made(None).await, ("1.0.2".to_owned(), 4));
    let delete =
        "mutation { deleteModelVersion(input: {model: \"vision/ocr\", version: \"1.0.2\"}) {
        modelVersion { deletedAt } } }";
    admin.ok(delete, json!({})).await;
    assert_eq!(
        made(None).await,
        ("1.0.2".to_owned(), 5),
        "the name is free again, the number is not"
    );
    let restore = "mutation($id: ID) { restoreModelVersion(input: {model: \"vision/ocr\", version: \"1.0.2\", id: $id}) {
        modelVersion { number } } }";
    assert_eq!(admin.refused(restore, json!({})).await.code, "ALREADY_EXISTS");
    admin.ok(delete, json!({})).await;
    let restored = admin.ok(restore, json!({})).await;
    assert_eq!(
        restored["restoreModelVersion"]["modelVersion"]["number"], 5,
        "the one deleted last"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_semver_is_refused_with_what_would_do() {
    let (server, admin) = Server::with_model().await;
    let create =
        "mutation($v: String) { createModelVersion(input: {model: \"vision/ocr\", version: $v}) {
        modelVersion { id } } }";
    for (version, hint) in [
        ("v1.2.0", "1.2.0"),
        ("1.2", "1.2.0"),
        ("01.2.3", "1.2.3"),
        ("1.2.3.4", "such as 1.2.0"),
        ("", "such as 1.2.0"),
        ("latest", "such as 1.2.0"),
        ("1.0.0-", "such as 1.2.0"),
        (" 1.0.0", "1.0.0"),
    ] {
        let refusal = admin.refused(create, json!({ "v": version })).await;
        assert_eq!(
            (refusal.code.as_str(), refusal.field.as_str()),
            ("INVALID", "version"),
            "{version:?}"
        );
        assert!(refusal.message.contains(hint), "{}", refusal.message);
    }
    assert_eq!(
        server.count("SELECT last_version FROM models").await,
        0,
        "a refusal changes nothing"
    );
    admin.create_version(Some("1.0.0+build.5")).await;
    assert_eq!(admin.refused(create, json!({ "v": "1.0.0+build.5" })).await.code, "ALREADY_EXISTS");
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_locks_a_version_and_gives_it_a_digest() {
    let (_server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    admin.put("/files/vision/ocr/1.0.0/b.txt", "b").await;
    admin.put("/files/vision/ocr/1.0.0/a/a.txt", "a").await;
    let published = admin.publish("1.0.0").await;
    assert_eq!(published["state"], "PUBLISHED");
    // PATH NUL SIZE NUL SHA256 LF of each in the order of paths, hashed by another program.
    assert_eq!(
        published["digest"],
        "043d9c9907092a3925cfa7843eeaeb30bf9a86e97e598a41140d22fe5470ba59"
    );
    let publish =
        "mutation { publishModelVersion(input: {model: \"vision/ocr\", version: \"1.0.0\"}) {
        modelVersion { id } } }";
    assert_eq!(admin.refused(publish, json!({})).await.code, "CONFLICT");
    let delete = "mutation { deleteFile(input: {model: \"vision/ocr\", version: \"1.0.0\", path: \"b.txt\"}) {
        file { path } } }";
    assert_eq!(admin.refused(delete, json!({})).await.code, "CONFLICT");
    assert_eq!(admin.put("/files/vision/ocr/1.0.0/new.txt", "x").await.status(), 409);
    assert_eq!(admin.put("/files/vision/ocr/1.0.0/b.txt", "other").await.status(), 409);
    assert_eq!(admin.put("/files/vision/ocr/1.0.0/b.txt", "b").await.status(), 200);
}

#[tokio::test]
async fn versions_are_found_by_the_name_of_their_model_and_what_else_is_said() {
    let (_server, admin) = Server::with_model().await;
    for source in ["s3://b/1", "s3://b/2"] {
        ok(&admin, "POST model-versions/create", json!({"name": "ocr", "source": source})).await;
    }
    let search = async |filter: &str| {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("filter", filter).finish();
        let call = format!("GET model-versions/search?{query}");
        let (status, found) = ask(&admin, "vision", &call, json!({})).await;
        (status, found["model_versions"].as_array().map_or(0, Vec::len))
    };
    for (filter, found) in [
        ("name = 'ocr'", (200, 2)),
        ("NAME == \"ocr\" AND name = 'ocr'", (200, 2)),
        ("source_path = 's3://b/2' and name = 'ocr'", (200, 1)),
        ("name = 'ocr' and name = 'net'", (200, 0)),
        ("name = 'ocr' and name != 'ocr'", (200, 0)),
        ("name = 'net'", (200, 0)),
        ("name = 'ocr' name = 'ocr'", (400, 0)),
        ("name = 'ocr' and", (400, 0)),
        ("name = 'ocr' or name = 'net'", (400, 0)),
    ] {
        assert_eq!(search(filter).await, found, "{filter}");
    }
}
