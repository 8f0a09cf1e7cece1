//! Names of published versions are given once.

use serde_json::{Value, json};

use crate::harness::{CREATE_PROJECT, Caller, Refusal, Server};
use crate::migrations::start_with_samples;
use crate::mlflow::{ask, ok};

const CREATE: &str = "mutation($model: String!, $version: String) {
    createModelVersion(input: {model: $model, version: $version}) { modelVersion { version number } } }";
const PUBLISH: &str = "mutation($model: String!, $version: String!) {
    publishModelVersion(input: {model: $model, version: $version}) { modelVersion { version } } }";
const DELETE: &str = "mutation($model: String!, $version: String!) {
    deleteModelVersion(input: {model: $model, version: $version}) { modelVersion { id } } }";
const DELETE_MODEL: &str =
    "mutation($model: String!) { deleteModel(input: {model: $model}) { model { id } } }";
const EMPTY: &str = "mutation { emptyTrash(input: {project: \"vision\"}) { removedCount } }";
const NEXT: &str = "{ model(path: \"vision/ocr\") { nextVersion } }";

const OCR: &str = "vision/ocr";

async fn created(caller: &Caller, version: Option<&str>) -> (String, i64) {
    let made = caller.ok(CREATE, json!({ "model": OCR, "version": version })).await;
    let made = &made["createModelVersion"]["modelVersion"];
    (made["version"].as_str().unwrap().to_owned(), made["number"].as_i64().unwrap())
}

async fn published(caller: &Caller, version: &str) {
    created(caller, Some(version)).await;
    caller.ok(PUBLISH, json!({ "model": OCR, "version": version })).await;
}

async fn delete(caller: &Caller, version: &str) -> Value {
    let deleted = caller.ok(DELETE, json!({ "model": OCR, "version": version })).await;
    deleted["deleteModelVersion"]["modelVersion"]["id"].clone()
}

#[track_caller]
fn check_given(refusal: &Refusal, next: &str) {
    assert_eq!(refusal.code, "ALREADY_EXISTS");
    let way_out = refusal.message.contains("Restore it") && refusal.message.contains(next);
    assert!(way_out, "{}", refusal.message);
}

/// As [`check_given`], where there is nothing to restore in this model.
#[track_caller]
fn check_next(refusal: &Refusal, next: &str) {
    assert_eq!(refusal.code, "ALREADY_EXISTS");
    let way_out = !refusal.message.contains("restore") && refusal.message.contains(next);
    assert!(way_out, "{}", refusal.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_stays_with_what_was_published_also_when_that_is_deleted_for_good() {
    let (_server, admin) = Server::with_model().await;
    published(&admin, "1.0.0").await;
    let id = delete(&admin, "1.0.0").await;
    let again = json!({ "model": OCR, "version": "1.0.0" });
    check_given(&admin.refused(CREATE, again.clone()).await, "1.0.1");
    assert_eq!(admin.ok(NEXT, json!({})).await["model"]["nextVersion"], "1.0.1");
    assert_eq!(created(&admin, None).await, ("1.0.1".into(), 2), "a refused one takes no number");

    // Its name is free for itself.
    let restore = "mutation($id: ID) { restoreModelVersion(input: {
        model: \"vision/ocr\", version: \"1.0.0\", id: $id}) { modelVersion { state } } }";
    admin.ok(restore, json!({ "id": id })).await;
    let taken = admin.refused(CREATE, again.clone()).await;
    assert_eq!(taken.message, "Version \"1.0.0\" already exists.");
    delete(&admin, "1.0.0").await;

    admin.ok(EMPTY, json!({})).await;
    check_next(&admin.refused(CREATE, again).await, "1.0.2");
    // What was a draft only is nobody's.
    delete(&admin, "1.0.1").await;
    assert_eq!(created(&admin, Some("1.0.1")).await, ("1.0.1".into(), 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_numbers_go_on_where_a_model_is_made_again() {
    let (_server, admin) = Server::with_model().await;
    published(&admin, "1.0.0").await;
    published(&admin, "1.4.0").await;
    published(&admin, "2.0.0-rc.1").await;
    created(&admin, Some("3.0.0")).await;
    for for_good in [false, true] {
        admin.ok(DELETE_MODEL, json!({ "model": OCR })).await;
        if for_good {
            admin.ok(EMPTY, json!({})).await;
        }
        admin.create_model("ocr").await;
        for version in ["1.0.0", "1.4.0", "2.0.0-rc.1"] {
            let again = json!({ "model": OCR, "version": version });
            check_next(&admin.refused(CREATE, again).await, "1.4.1");
        }
        assert_eq!(admin.ok(NEXT, json!({})).await["model"]["nextVersion"], "1.4.1");
        let expected = if for_good { 6 } else { 5 };
        assert_eq!(created(&admin, None).await, ("1.4.1".into(), expected));
    }
    // Another model has names of its own.
    admin.create_model("other").await;
    let made = admin.ok(CREATE, json!({ "model": "vision/other", "version": "1.0.0" })).await;
    assert_eq!(made["createModelVersion"]["modelVersion"]["number"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_made_again_at_its_path_goes_on_too() {
    let (_server, admin) = Server::with_model().await;
    published(&admin, "1.0.0").await;
    let delete = "mutation { deleteProject(input: {project: \"vision\"}) { project { id } } }";
    admin.ok(delete, json!({})).await;
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    let again = json!({ "model": OCR, "version": "1.0.0" });
    check_next(&admin.refused(CREATE, again).await, "1.0.1");
    assert_eq!(created(&admin, None).await, ("1.0.1".into(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_not_published_under_a_name_that_was_given_meanwhile() {
    let (_server, admin) = Server::with_model().await;
    created(&admin, Some("2.0.0")).await;
    let draft = delete(&admin, "2.0.0").await;
    published(&admin, "2.0.0").await;
    delete(&admin, "2.0.0").await;
    let restore = "mutation($id: ID) { restoreModelVersion(input: {
        model: \"vision/ocr\", version: \"2.0.0\", id: $id}) { modelVersion { state } } }";
    let restored = admin.ok(restore, json!({ "id": draft })).await;
    assert_eq!(restored["restoreModelVersion"]["modelVersion"]["state"], "DRAFT");
    let publish = json!({ "model": OCR, "version": "2.0.0" });
    check_given(&admin.refused(PUBLISH, publish).await, "2.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn promoting_and_mlflow_keep_to_names_as_well() {
    let (_server, admin) = Server::with_model().await;
    published(&admin, "1.0.0").await;
    delete(&admin, "1.0.0").await;
    let run =
        "mutation { createCandidate(input: {model: \"vision/ocr\"}) { candidate { number } } }";
    admin.ok(run, json!({})).await;
    let promote = "mutation($version: String) { promoteCandidate(input: {
        model: \"vision/ocr\", candidate: 1, version: $version}) { modelVersion { version } } }";
    check_given(&admin.refused(promote, json!({ "version": "1.0.0" })).await, "1.0.1");

    let new = json!({ "name": "ocr", "source": "s3://elsewhere/model" });
    let named = json!({ "name": "ocr", "source": "s3://elsewhere/model",
        "tags": [{ "key": "registry.version", "value": "1.0.0" }] });
    let create = "POST model-versions/create";
    let (status, refused) = ask(&admin, "vision", create, named).await;
    assert_eq!((status, &refused["error_code"]), (400, &json!("RESOURCE_ALREADY_EXISTS")));
    assert!(refused["message"].as_str().unwrap().contains("1.0.1"), "{refused}");
    // One after the other, and then many at once: foreseen or not.
    let made = ok(&admin, create, new.clone()).await["model_version"].take();
    assert_eq!(made["version"], "2");
    admin.ok(DELETE_MODEL, json!({ "model": OCR })).await;
    admin.create_model("ocr").await;
    let many = (0..8).map(|_| ok(&admin, create, new.clone()));
    let made = futures_util::future::join_all(many).await;
    let mut numbers: Vec<&str> =
        made.iter().map(|made| made["model_version"]["version"].as_str().unwrap()).collect();
    numbers.sort_by_key(|number| number.parse::<i64>().unwrap());
    assert_eq!(numbers, ["3", "4", "5", "6", "7", "8", "9", "10"]);
    let read =
        "{ model(path: \"vision/ocr\") { latestVersion { version } versions { totalCount } } }";
    let model = admin.ok(read, json!({})).await["model"].take();
    assert_eq!(
        model,
        json!({ "latestVersion": { "version": "1.0.9" }, "versions": { "totalCount": 8 } })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_already_so_in_a_database_stays_as_it_is() {
    let (server, admin) = Server::with_model().await;
    published(&admin, "1.0.0").await;
    delete(&admin, "1.0.0").await;
    created(&admin, Some("1.1.0")).await;
    admin.put("/files/vision/ocr/1.1.0/a.bin", "other bytes").await;
    admin.ok(PUBLISH, json!({ "model": OCR, "version": "1.1.0" })).await;
    // As it could be before: two of one name, one of them in the trash.
    let rename = "UPDATE model_versions SET version = '1.0.0' WHERE version = '1.1.0'";
    server.app.db.run_script(rename).await.unwrap();
    let file = admin.get("/files/vision/ocr/1.0.0/a.bin").await;
    assert_eq!(file.text().await.unwrap(), "other bytes");
}

const RENAME: &str = "mutation($model: String!, $name: String!) {
    renameModel(input: {model: $model, name: $name}) { model { path } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_renamed_leaves_its_names_behind_and_takes_no_other_ones() {
    let (_server, admin) = Server::with_model().await;
    published(&admin, "1.0.0").await;
    admin.ok(RENAME, json!({ "model": OCR, "name": "reader" })).await;
    admin.create_model("ocr").await;
    let again = json!({ "model": OCR, "version": "1.0.0" });
    check_next(&admin.refused(CREATE, again.clone()).await, "1.0.1");
    assert_eq!(created(&admin, None).await, ("1.0.1".into(), 2));
    // Nor by a model that comes to the name with a version of its own.
    admin.create_model("other").await;
    for version in ["1.0.0", "1.1.0"] {
        let version = json!({ "model": "vision/other", "version": version });
        admin.ok(CREATE, version.clone()).await;
        admin.ok(PUBLISH, version).await;
    }
    admin.ok(DELETE_MODEL, json!({ "model": OCR })).await;
    let refused = admin.refused(RENAME, json!({ "model": "vision/other", "name": "ocr" })).await;
    assert_eq!(refused.code, "CONFLICT");
    assert!(refused.message.contains("1.0.0"), "{}", refused.message);
    // Back to its own name it may come, and what is purged keeps all its names.
    admin.ok(RENAME, json!({ "model": "vision/reader", "name": "ocr" })).await;
    admin.ok(DELETE_MODEL, json!({ "model": OCR })).await;
    admin.ok(EMPTY, json!({})).await;
    for name in ["ocr", "reader"] {
        admin.create_model(name).await;
        let again = json!({ "model": format!("vision/{name}"), "version": "1.0.0" });
        check_next(&admin.refused(CREATE, again).await, "1.0.1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_renamed_leaves_its_names_behind() {
    let (_server, admin) = Server::with_model().await;
    published(&admin, "1.0.0").await;
    let rename = "mutation { renameProject(input: {project: \"vision\", path: \"sight\"}) { project { id } } }";
    admin.ok(rename, json!({})).await;
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    let again = json!({ "model": OCR, "version": "1.0.0" });
    check_next(&admin.refused(CREATE, again).await, "1.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_comes_back_goes_on_where_another_of_its_name_ended() {
    let (_server, admin) = Server::with_model().await;
    published(&admin, "1.0.0").await;
    let delete = "mutation { deleteModel(input: {model: \"vision/ocr\"}) { model { id } } }";
    let first = admin.ok(delete, json!({})).await["deleteModel"]["model"]["id"].take();
    admin.create_model("ocr").await;
    assert_eq!(created(&admin, None).await.1, 2);
    admin.ok(delete, json!({})).await;
    let restore = "mutation($id: ID) { restoreModel(input: {model: \"vision/ocr\", id: $id}) { model { id } } }";
    admin.ok(restore, json!({ "id": first })).await;
    assert_eq!(created(&admin, None).await.1, 3);
}

const RENAME_PROJECT: &str = "mutation($project: String!, $path: String!) {
    renameProject(input: {project: $project, path: $path}) { project { path } } }";
const RENAME_MODEL: &str = "mutation($model: String!, $name: String!) {
    renameModel(input: {model: $model, name: $name}) { model { path } } }";

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_by_a_former_name_gets_what_had_it_and_hears_of_it() {
    let (_server, admin) = Server::with_model().await;
    published(&admin, "1.0.0").await;
    admin.ok(RENAME_MODEL, json!({ "model": OCR, "name": "reader" })).await;
    admin.ok(RENAME_PROJECT, json!({ "project": "vision", "path": "sight" })).await;

    let path = "{ model(path: \"vision/ocr\") { path } project(path: \"vision\") { path } }";
    let found = admin.ok(path, json!({})).await;
    assert_eq!(
        found,
        json!({ "model": { "path": "sight/reader" }, "project": { "path": "sight" } })
    );
    let list = admin.get("/files/vision/ocr/1.0.0/").await;
    assert_eq!(list.status(), 200);
    let said: Vec<_> = list.headers().get_all("x-registry-notice").iter().collect();
    assert_eq!(
        said,
        [
            "vision was renamed to sight. Use the new name.",
            "ocr was renamed to reader. Use the new name."
        ]
    );
    let since = list.headers()["deprecation"].to_str().unwrap();
    assert!(since.starts_with('@') && since.len() > 10, "{since}");

    // Training code that still has the old names goes on.
    let taken =
        ask(&admin, "vision", "POST registered-models/create", json!({ "name": "ocr" })).await;
    assert_eq!(taken.1["error_code"], "RESOURCE_ALREADY_EXISTS");
    let new = json!({ "name": "ocr", "source": "s3://b/k" });
    let made = ok(&admin, "POST model-versions/create", new).await;
    assert_eq!(made["model_version"]["name"], "reader");
    assert_eq!(made["model_version"]["version"], "2");

    // Whoever has a name now comes before who had it.
    let create =
        "mutation { createModel(input: {project: \"sight\", name: \"ocr\"}) { model { path } } }";
    admin.ok(create, json!({})).await;
    let model = "{ model(path: \"sight/ocr\") { path } }";
    assert_eq!(admin.ok(model, json!({})).await["model"]["path"], "sight/ocr");
    let plain = admin.get("/files/sight/reader/1.0.0/").await;
    assert!(!plain.headers().contains_key("deprecation"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_a_project_had_is_not_for_strangers() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for username in ["ada", "eve"] {
        admin.invite(username).await;
    }
    let ada = server.person("ada", model_registry::role::TokenScope::Admin).await;
    let eve = server.person("eve", model_registry::role::TokenScope::Admin).await;
    let project = |path: &str| json!({ "path": path });
    ada.ok(CREATE_PROJECT, project("vision")).await;
    ada.ok(RENAME_PROJECT, json!({ "project": "vision", "path": "sight" })).await;
    ada.ok(CREATE_PROJECT, project("sound")).await;
    let delete = "mutation { deleteProject(input: {project: \"sound\"}) { project { id } } }";
    ada.ok(delete, json!({})).await;
    eve.ok(CREATE_PROJECT, project("mine")).await;
    for path in ["vision", "sound"] {
        assert_eq!(eve.refused(CREATE_PROJECT, project(path)).await.code, "ALREADY_EXISTS");
        let rename = json!({ "project": "mine", "path": path });
        assert_eq!(eve.refused(RENAME_PROJECT, rename).await.code, "ALREADY_EXISTS");
    }
    // A former path shows no more than the project does.
    let found = "{ project(path: \"vision\") { path } }";
    assert_eq!(eve.ok(found, json!({})).await["project"], Value::Null);
    assert_eq!(ada.ok(found, json!({})).await["project"]["path"], "sight");
    ada.ok(CREATE_PROJECT, project("vision")).await;
    assert_eq!(ada.ok(found, json!({})).await["project"]["path"], "vision");
}

/// Has the server refuse this version of a model, whose next one is to be another.
async fn check_refused(admin: &Caller, model: &str, version: &str, next: &str) {
    let again = json!({ "model": model, "version": version });
    check_next(&admin.refused(CREATE, again).await, next);
}

async fn next_number(admin: &Caller, model: &str) -> i64 {
    let made = admin.ok(CREATE, json!({ "model": model })).await;
    made["createModelVersion"]["modelVersion"]["number"].as_i64().unwrap()
}

async fn create_model(admin: &Caller, project: &str, name: &str) {
    let create = "mutation($p: String!, $n: String!) {
        createModel(input: {project: $p, name: $n}) { model { id } } }";
    admin.ok(create, json!({ "p": project, "n": name })).await;
}

/// The digest of a version of a model of the samples.
async fn digest(admin: &Caller, model: &str, version: &str) -> Value {
    let read =
        "query($m: String!, $v: String!) { model(path: $m) { version(ref: $v) { digest } } }";
    let found = admin.ok(read, json!({ "m": model, "v": version })).await;
    found["model"]["version"]["digest"].clone()
}

const RESTORE: &str = "mutation($model: String!, $version: String!) { restoreModelVersion(input: {
    model: $model, version: $version}) { modelVersion { state digest } } }";

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_an_old_database_has_in_its_trash_keep_their_names() {
    let server = start_with_samples().await;
    let (admin, model) = (server.admin().await, "sample/kept");
    let of = |version: &str| json!({ "model": model, "version": version });
    check_given(&admin.refused(CREATE, of("2.0.0")).await, "4.0.1");
    // Where a live one and one in the trash share a name, the live one has it.
    assert_eq!(digest(&admin, model, "4.0.0").await, "kept-4-again");
    assert_eq!(admin.refused(RESTORE, of("4.0.0")).await.code, "ALREADY_EXISTS");
    let restored = admin.ok(RESTORE, of("2.0.0")).await["restoreModelVersion"].take();
    assert_eq!(restored["modelVersion"], json!({ "state": "PUBLISHED", "digest": "kept-2" }));
    admin.ok(DELETE, of("2.0.0")).await;

    let empty = "mutation { emptyTrash(input: {project: \"sample\"}) { removedCount } }";
    admin.ok(empty, json!({})).await;
    check_refused(&admin, model, "2.0.0", "4.0.1").await;
    assert_eq!(admin.refused(CREATE, of("4.0.0")).await.code, "ALREADY_EXISTS");
    assert_eq!(digest(&admin, model, "4.0.0").await, "kept-4-again");
    // That one was a draft.
    admin.ok(CREATE, of("3.0.0")).await;
    admin.ok(DELETE, of("4.0.0")).await;
    check_given(&admin.refused(CREATE, of("4.0.0")).await, "3.0.1");
    // The model that is live by the name of one that was deleted for good with that trash.
    check_refused(&admin, "sample/reborn", "1.2.0", "1.0.1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_old_database_has_under_another_name_or_made_again_goes_on() {
    let server = start_with_samples().await;
    let admin = server.admin().await;
    check_refused(&admin, "sample/reborn", "1.2.0", "1.0.1").await;
    assert_eq!(digest(&admin, "sample/reborn", "1.0.0").await, "reborn-1");
    assert_eq!(next_number(&admin, "sample/reborn").await, 4, "after all that had the name");

    create_model(&admin, "sample", "original").await;
    check_refused(&admin, "sample/original", "1.0.0", "1.0.1").await;
    assert_eq!(next_number(&admin, "sample/original").await, 2);

    admin.ok(CREATE_PROJECT, json!({ "path": "attic" })).await;
    for project in ["attic", "remade"] {
        create_model(&admin, project, "thing").await;
        let model = format!("{project}/thing");
        check_refused(&admin, &model, "1.0.0", "1.0.1").await;
        assert_eq!(next_number(&admin, &model).await, 2);
    }
    assert_eq!(digest(&admin, "archive/thing", "1.0.0").await, "archive-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_given_again_leads_to_nothing_older_any_more() {
    let (_server, admin) = Server::with_model().await;
    published(&admin, "1.0.0").await;
    let rename = |from: &str, to: &str| json!({ "model": format!("vision/{from}"), "name": to });
    admin.ok(RENAME_MODEL, rename("ocr", "first")).await;
    admin.create_model("ocr").await;
    // Whoever asks for the second gets it or nothing: not the first in its place.
    let model = "{ model(path: \"vision/ocr\") { path } }";
    admin.ok(DELETE_MODEL, json!({ "model": OCR })).await;
    assert_eq!(admin.ok(model, json!({})).await["model"], Value::Null);
    assert_eq!(admin.refused(DELETE_MODEL, json!({ "model": OCR })).await.code, "NOT_FOUND");
    assert_eq!(admin.get("/files/vision/ocr/1.0.0/").await.status(), 404);
    // The last that had it leads there again.
    admin.ok(RENAME_MODEL, rename("first", "ocr")).await;
    admin.ok(RENAME_MODEL, rename("ocr", "third")).await;
    assert_eq!(admin.ok(model, json!({})).await["model"]["path"], "vision/third");

    admin.ok(RENAME_PROJECT, json!({ "project": "vision", "path": "old" })).await;
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    let delete = "mutation { deleteProject(input: {project: \"vision\"}) { project { id } } }";
    admin.ok(delete, json!({})).await;
    assert_eq!(admin.refused(delete, json!({})).await.code, "NOT_FOUND");
    let project = "{ project(path: \"vision\") { path } }";
    assert_eq!(admin.ok(project, json!({})).await["project"], Value::Null);
}
