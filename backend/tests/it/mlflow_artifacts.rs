//! The files of runs, logged models and versions over MLflow's API.

use model_registry::role::TokenScope;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{CREATE_PROJECT, Caller, Server, left_over};
use crate::mlflow_signed::end;

pub const API: &str = "/mlflow/vision/api/2.0";
pub const PROXY: &str = "/mlflow/vision/api/2.0/mlflow-artifacts";

pub async fn post(caller: &Caller, path: &str, body: Value) -> (u16, Value) {
    let request = caller.request(Method::POST, &format!("{API}{path}"));
    answer(request.json(&body).send().await.unwrap()).await
}

pub async fn get(caller: &Caller, path: &str) -> (u16, Value) {
    answer(caller.get(&format!("{API}{path}")).await).await
}

pub async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
}

pub async fn put(caller: &Caller, address: &str, bytes: impl Into<reqwest::Body>) -> u16 {
    caller.put(&format!("{PROXY}/artifacts/{address}"), bytes).await.status().as_u16()
}

pub async fn delete(caller: &Caller, address: &str) -> u16 {
    let path = format!("{PROXY}/artifacts/{address}");
    caller.request(Method::DELETE, &path).send().await.unwrap().status().as_u16()
}

pub async fn text(caller: &Caller, address: &str) -> String {
    caller.get(&format!("{PROXY}/artifacts/{address}")).await.text().await.unwrap()
}

/// What an `artifact_uri` names.
fn root(uri: &Value) -> String {
    uri.as_str().unwrap().strip_prefix("mlflow-artifacts:/").unwrap().to_owned()
}

/// A new run; its id and its address.
pub async fn run(caller: &Caller) -> (String, String) {
    let (status, made) = post(caller, "/mlflow/runs/create", json!({"experiment_id": "0"})).await;
    assert_eq!(status, 200, "{made}");
    let info = &made["run"]["info"];
    (info["run_id"].as_str().unwrap().to_owned(), root(&info["artifact_uri"]))
}

/// A new logged model of a run; its id and its address.
pub async fn logged_model(caller: &Caller, run_id: &str) -> (String, String) {
    let new = json!({"experiment_id": "0", "name": "net", "source_run_id": run_id});
    let (status, made) = post(caller, "/mlflow/logged-models", new).await;
    assert_eq!(status, 200, "{made}");
    let info = &made["model"]["info"];
    (info["model_id"].as_str().unwrap().to_owned(), root(&info["artifact_uri"]))
}

pub async fn finish(caller: &Caller, model_id: &str) {
    let path = format!("{API}/mlflow/logged-models/{model_id}");
    let status = json!({"model_id": model_id, "status": "LOGGED_MODEL_READY"});
    let done = caller.request(Method::PATCH, &path).json(&status).send().await.unwrap();
    assert_eq!(done.status(), 200);
}

/// The address of a version.
pub async fn version_address(server: &Server, version: &str) -> String {
    let (id,): (String,) =
        model_registry::db::query("SELECT id FROM model_versions WHERE version = $1")
            .bind(version)
            .fetch_one(&server.app.db)
            .await
            .unwrap();
    format!("versions/{id}")
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_everything_go_in_and_come_out() {
    let (server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    let (run_id, of_run) = run(&admin).await;
    let (_, of_model) = logged_model(&admin, &run_id).await;
    let of_version = version_address(&server, "1.0.0").await;
    for root in [&of_run, &of_model, &of_version] {
        let path = format!("{PROXY}/artifacts/{root}/model/a%20%C3%BC.txt");
        let stored = admin.put(&path, "0123456789").await;
        let etag = format!("\"{}\"", sha256(b"0123456789"));
        assert_eq!(
            (stored.status().as_u16(), &stored.headers()["etag"]),
            (200, &etag.parse().unwrap())
        );
        assert_eq!(stored.text().await.unwrap(), "");
        let response = admin.get(&path).await;
        assert_eq!(response.headers()["etag"], etag);
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let disposition = response.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(disposition.starts_with("attachment; "), "{disposition}");
        assert_eq!(response.text().await.unwrap(), "0123456789");
        let range = admin.request(Method::GET, &path).header("range", "bytes=2-4");
        let range = range.send().await.unwrap();
        assert_eq!((range.status().as_u16(), range.text().await.unwrap()), (206, "234".to_owned()));
        let head = admin.request(Method::HEAD, &path).send().await.unwrap();
        assert_eq!(
            (head.status().as_u16(), &head.headers()["content-length"]),
            (200, &"10".parse().unwrap())
        );
        // A Mac names it in another normal form.
        let decomposed = format!("{PROXY}/artifacts/{root}/model/a%20u%CC%88.txt");
        assert_eq!(admin.get(&decomposed).await.status(), 200);
        let wrong = "sha-256=:AAAAd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:";
        let digest = admin.request(Method::PUT, &path).header("content-digest", wrong);
        assert_eq!(digest.body("other").send().await.unwrap().status(), 400);
        let (status, missing) =
            get(&admin, &format!("/mlflow-artifacts/artifacts/{root}/no")).await;
        assert_eq!((status, &missing["error_code"]), (404, &json!("RESOURCE_DOES_NOT_EXIST")));
        assert_eq!(missing["message"], format!("No such artifact: '{root}/no'"));
        let folder = admin.get(&format!("{PROXY}/artifacts/{root}/model")).await;
        assert_eq!(folder.status(), 400);
    }
    // The same under the other addresses of the API.
    for api in ["/api/v4/projects/vision/ml/mlflow/api/2.0", "/mlflow/vision/ajax-api/3.0"] {
        let path = format!("{api}/mlflow-artifacts/artifacts/{of_run}/model/a%20%C3%BC.txt");
        assert_eq!(admin.get(&path).await.status(), 200, "{api}");
    }
    for (query, status) in [
        (format!("/get-artifact?run_id={run_id}&path=model/a%20ü.txt"), 200),
        (format!("/get-artifact?run_uuid={run_id}&path=model/a%20ü.txt"), 200),
        (format!("/get-artifact?run_id={run_id}&path=../x"), 400),
        (format!("/get-artifact?run_id={run_id}"), 400),
        (format!("/get-artifact?run_id={run_id}0&path=x"), 404),
        ("/model-versions/get-artifact?name=ocr&version=1&path=model/a%20ü.txt".to_owned(), 200),
        (
            "/model-versions/get-artifact?name=ocr&version=1.0.0&path=model/a%20ü.txt".to_owned(),
            200,
        ),
        ("/model-versions/get-artifact?name=ocr&version=9&path=model/x".to_owned(), 404),
    ] {
        assert_eq!(admin.get(&format!("/mlflow/vision{query}")).await.status(), status, "{query}");
    }
    // Only the run's own experiment has it, and no other project.
    let elsewhere = of_run.replacen('0', "1", 1);
    assert_eq!(
        admin.get(&format!("{PROXY}/artifacts/{elsewhere}/model/a%20%C3%BC.txt")).await.status(),
        404
    );
    admin.ok(CREATE_PROJECT, json!({"path": "speech"})).await;
    let path =
        format!("/mlflow/speech/api/2.0/mlflow-artifacts/artifacts/{of_run}/model/a%20%C3%BC.txt");
    assert_eq!(admin.get(&path).await.status(), 404);
    assert_eq!(admin.put(&path, "x").await.status(), 404);
    // A run in the trash keeps what it has.
    post(&admin, "/mlflow/runs/delete", json!({"run_id": run_id})).await;
    assert_eq!(text(&admin, &format!("{of_run}/model/a%20%C3%BC.txt")).await, "0123456789");
    assert_eq!(put(&admin, &format!("{of_run}/new"), "x").await, 409);
    assert_eq!(delete(&admin, &of_run).await, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_lists_what_is_directly_in_it() {
    let (_server, admin) = Server::with_model().await;
    let (run_id, root) = run(&admin).await;
    for path in ["a.txt", "a/x", "a/deep/y", "a/deep/er/z", "a-b/c", "empty", "100%25"] {
        let bytes = if path == "empty" { "" } else { path };
        assert_eq!(put(&admin, &format!("{root}/{path}"), bytes).await, 200, "{path}");
    }
    let list = async |path: &str| {
        let path = format!("/mlflow/artifacts/list?run_id={run_id}&path={path}");
        let (status, mut listing) = get(&admin, &path).await;
        assert_eq!(
            (status, listing["root_uri"].as_str().unwrap()),
            (200, &*format!("mlflow-artifacts:/{root}"))
        );
        listing["files"].take()
    };
    let file = |path: &str, size: usize| json!({"path": path, "is_dir": false, "file_size": size});
    let folder = |path: &str| json!({"path": path, "is_dir": true});
    let empty = json!({"path": "empty", "is_dir": false});
    assert_eq!(
        list("").await,
        json!([file("100%", 6), folder("a"), folder("a-b"), file("a.txt", 5), empty])
    );
    assert_eq!(list("a").await, json!([folder("a/deep"), file("a/x", 3)]));
    assert_eq!(list("a/").await, list("a").await);
    assert_eq!(list("a/deep").await, json!([folder("a/deep/er"), file("a/deep/y", 8)]));
    for nothing in ["a.txt", "nothing", "a/deep/y"] {
        assert_eq!(list(nothing).await, Value::Null, "{nothing}");
    }
    let (status, names) =
        get(&admin, &format!("/mlflow-artifacts/artifacts?path={root}/a/deep/")).await;
    assert_eq!((status, names), (200, json!({"files": [folder("er"), file("y", 8)]})));
    for (path, status) in [("..", 400), ("/etc", 400), ("", 200), ("0", 200), ("versions/x", 404)] {
        let (found, failure) =
            get(&admin, &format!("/mlflow-artifacts/artifacts?path={path}")).await;
        assert_eq!(found, status, "{path}: {failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_lists_its_own_files_without_those_of_its_models() {
    let (_server, admin) = Server::with_model().await;
    let (run_id, root) = run(&admin).await;
    let (model_id, of_model) = logged_model(&admin, &run_id).await;
    for path in ["MLmodel", "data/w.bin"] {
        put(&admin, &format!("{of_model}/{path}"), path).await;
    }
    put(&admin, &format!("{root}/plot.png"), "png").await;
    finish(&admin, &model_id).await;
    let list = async |path: &str| {
        let (_, listing) =
            get(&admin, &format!("/mlflow/artifacts/list?run_id={run_id}&path={path}")).await;
        let files = listing["files"].as_array().cloned().unwrap_or_default();
        files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, ["plot.png"]);
    assert_eq!(list("net").await, [""; 0]);
    assert_eq!(list("net/data").await, [""; 0]);
    // They are there, all the same: here, and where a run is looked at whole.
    assert_eq!(text(&admin, &format!("{root}/net/MLmodel")).await, "MLmodel");
    let whole: Value =
        admin.get(&format!("/files/vision/-/run:{run_id}")).await.json().await.unwrap();
    assert_eq!(whole["files"].as_array().unwrap().len(), 3);
    // What somebody adds to the folder is the run's own.
    put(&admin, &format!("{root}/net/data/notes.txt"), "notes").await;
    assert_eq!(list("").await, ["net", "plot.png"]);
    assert_eq!(list("net/data").await, ["net/data/notes.txt"]);

    let directories = format!("/mlflow/logged-models/{model_id}/artifacts/directories");
    let (status, listing) = get(&admin, &directories).await;
    let file = json!({"path": "MLmodel", "is_dir": false, "file_size": 7});
    assert_eq!(
        (status, &listing["files"]),
        (200, &json!([file, {"path": "data", "is_dir": true}]))
    );
    assert_eq!(listing["root_uri"], format!("mlflow-artifacts:/{of_model}"));
    let (_, listing) = get(&admin, &format!("{directories}?artifact_directory_path=data")).await;
    assert_eq!(listing["files"][0]["path"], "data/w.bin");
    let file = format!("{API}/mlflow/logged-models/{model_id}/artifacts/files");
    let got = admin.get(&format!("{file}?artifact_file_path=data/w.bin")).await;
    assert_eq!(got.text().await.unwrap(), "data/w.bin");
    assert_eq!(admin.get(&file).await.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_never_changes_and_what_is_logged_does() {
    let (server, admin) = Server::with_model().await;
    let (run_id, of_run) = run(&admin).await;
    let (model_id, of_model) = logged_model(&admin, &run_id).await;
    admin.create_version(Some("1.0.0")).await;
    let of_version = version_address(&server, "1.0.0").await;
    for root in [&of_run, &of_model, &of_version] {
        for path in ["a", "b/c", "b/d"] {
            assert_eq!(put(&admin, &format!("{root}/{path}"), "1").await, 200);
        }
        assert_eq!(delete(&admin, &format!("{root}/b")).await, 200);
        assert_eq!(delete(&admin, &format!("{root}/b")).await, 200, "it is gone already");
        let (_, names) = get(&admin, &format!("/mlflow-artifacts/artifacts?path={root}")).await;
        assert_eq!(names["files"].as_array().unwrap().len(), 1, "{names}");
    }
    let removed = "SELECT COUNT(*) FROM events WHERE action = 'file.delete'";
    assert_eq!(server.count(removed).await, 3);
    finish(&admin, &model_id).await;
    admin.publish("1.0.0").await;
    assert_eq!(put(&admin, &format!("{of_version}/a"), "1").await, 200, "the same bytes");
    assert_eq!(put(&admin, &format!("{of_version}/a"), "2").await, 409);
    assert_eq!(put(&admin, &format!("{of_version}/new"), "2").await, 409);
    for path in ["", "/a", "/nothing"] {
        assert_eq!(delete(&admin, &format!("{of_version}{path}")).await, 409, "{path}");
    }
    let new = json!({"path": "new", "num_parts": 2});
    let create = format!("/mlflow-artifacts/mpu/create/{of_version}");
    assert_eq!(post(&admin, &create, new).await.0, 409);
    assert_eq!(text(&admin, &format!("{of_version}/a")).await, "1");
    // A run and a finished logged model go on: their files can be others, and all can go.
    assert_eq!(put(&admin, &format!("{of_model}/a"), "2").await, 200);
    assert_eq!(text(&admin, &format!("{of_model}/a")).await, "2");
    assert_eq!(delete(&admin, &format!("{of_model}/")).await, 200);
    assert_eq!(put(&admin, &format!("{of_run}/a"), "2").await, 200);
    assert_eq!(text(&admin, &format!("{of_run}/a")).await, "2");
    assert_eq!(delete(&admin, &format!("{of_run}/")).await, 200);
    let (_, listing) = get(&admin, &format!("/mlflow/artifacts/list?run_id={run_id}")).await;
    assert_eq!(listing["files"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_without_a_source_is_filled_by_its_run() {
    let (server, admin) = Server::with_model().await;
    let new = json!({"name": "ocr", "source": ""});
    let (status, made) = post(&admin, "/mlflow/model-versions/create", new).await;
    assert_eq!(status, 200, "{made}");
    let run_id = made["model_version"]["run_id"].as_str().unwrap();
    let (_, found) = get(&admin, &format!("/mlflow/runs/get?run_id={run_id}")).await;
    let root = root(&found["run"]["info"]["artifact_uri"]);
    assert_eq!(put(&admin, &format!("{root}/MLmodel"), "flavors: {}").await, 200);
    assert_eq!(admin.get("/files/vision/ocr/latest/MLmodel").await.status(), 200);
    assert_eq!(text(&admin, &format!("{root}/MLmodel")).await, "flavors: {}");
    let (_, listing) = get(&admin, &format!("/mlflow/artifacts/list?run_id={run_id}")).await;
    assert_eq!(listing["files"][0]["path"], "MLmodel");
    let version = "SELECT COUNT(*) FROM files f JOIN model_versions v ON v.id = f.owner_id";
    assert_eq!(server.count(version).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ui_sends_files_of_runs_as_everybody_does() {
    let (server, admin) = Server::with_model().await;
    let (run_id, root) = run(&admin).await;
    let send = async |caller: &Caller, run_id: &str, path: &str, bytes: reqwest::Body| {
        let query = format!("/mlflow/upload-artifact?run_uuid={run_id}&path={path}");
        let request = caller.request(Method::POST, &format!("{API}{query}"));
        request.body(bytes).send().await.unwrap()
    };
    let sent = send(&admin, &run_id, "a/%C3%BC.txt", "x".into()).await;
    assert_eq!(sent.status(), 200);
    assert_eq!(sent.headers()["x-content-type-options"], "nosniff");
    assert_eq!(text(&admin, &format!("{root}/a/%C3%BC.txt")).await, "x");
    // Nobody need say how large a file is.
    let chunks = futures_util::stream::iter(["a", "b"].map(Ok::<_, std::io::Error>));
    assert_eq!(send(&admin, &run_id, "b", reqwest::Body::wrap_stream(chunks)).await.status(), 200);
    assert_eq!(text(&admin, &format!("{root}/b")).await, "ab");
    for wrong in ["", "../x", "a/../../x", "a", "b/c", "c%23d", "%00", "a//b"] {
        let status = send(&admin, &run_id, wrong, "x".into()).await.status();
        assert!([400, 409].contains(&status.as_u16()), "{wrong:?}: {status}");
    }
    let (_, answer) = answer(send(&admin, &run_id, "c", "".into()).await).await;
    assert_eq!(answer["message"], "Request must specify data.");
    assert_eq!(send(&server.anonymous(), &run_id, "c", "x".into()).await.status(), 401);
    assert_eq!(send(&admin, &"0".repeat(32), "c", "x".into()).await.status(), 404);
    // A version that its run fills is published with it, and never changes again.
    let new = json!({"name": "ocr", "source": ""});
    let (_, made) = post(&admin, "/mlflow/model-versions/create", new).await;
    let filling = made["model_version"]["run_id"].as_str().unwrap();
    assert_eq!(send(&admin, filling, "MLmodel", "flavors: {}".into()).await.status(), 200);
    let done = json!({"run_id": filling, "status": "FINISHED"});
    assert_eq!(post(&admin, "/mlflow/runs/update", done).await.0, 200);
    assert_eq!(send(&admin, filling, "MLmodel", "other".into()).await.status(), 409);
    post(&admin, "/mlflow/runs/delete", json!({"run_id": run_id})).await;
    assert_eq!(send(&admin, &run_id, "c", "x".into()).await.status(), 409);
}

/// One request as it stands, which a client would have made another of.
fn raw(server: &Server, caller: &Caller, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let token = caller.token.as_deref().unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_anywhere_else() {
    let (server, admin) = Server::with_model().await;
    let (_, root) = run(&admin).await;
    for path in [
        "%2e%2e/x".to_owned(),
        format!("{root}/../x"),
        format!("{root}/%2e%2e/x"),
        format!("{root}/..%2fx"),
        format!("{root}/%252e%252e/x"),
        format!("{root}/a%5cb"),
        format!("/{root}/a"),
        format!("{root}/a%00b"),
        format!("{root}/a%23b"),
        format!("{root}/a//b"),
        root.clone(),
        format!("{root}/{}", "x".repeat(1025)),
        format!("{root}/{}", "x".repeat(3000)),
    ] {
        let answer = raw(&server, &admin, "PUT", &format!("{PROXY}/artifacts/{path}"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
        assert!(answer.contains("INVALID_PARAMETER_VALUE"), "{path}: {answer}");
        assert!(answer.contains("Invalid path"), "{path}: {answer}");
    }
    for path in ["%2e%2e/x".to_owned(), format!("{root}/%2e%2e"), format!("{root}/..%2f..%2fx")] {
        for method in ["GET", "DELETE"] {
            let answer = raw(&server, &admin, method, &format!("{PROXY}/artifacts/{path}"));
            assert!(answer.starts_with("HTTP/1.1 400"), "{method} {path}: {answer}");
        }
    }
    let unknown = "0123456789abcdef0123456789abcdef";
    for path in [
        format!("0/{unknown}/artifacts/x"),
        format!("00/{unknown}/artifacts/x"),
        format!("0/models/m-{unknown}/artifacts/x"),
        "versions/x/y".to_owned(),
    ] {
        assert_eq!(put(&admin, &path, "x").await, 404, "{path}");
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM files").await, 0);
    assert_eq!(left_over(&server), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_only_read_and_strangers_see_nothing() {
    let (server, admin) = Server::with_model().await;
    let (run_id, root) = run(&admin).await;
    put(&admin, &format!("{root}/a"), "a").await;
    admin.invite("gus").await;
    admin.add_member("vision", "gus", "GUEST").await;
    admin.invite("eve").await;
    let gus = server.person("gus", TokenScope::Write).await;
    let eve = server.person("eve", TokenScope::Write).await;
    let reader = server.person("admin", TokenScope::Read).await;
    let anonymous = server.anonymous();
    for (caller, read, written) in
        [(&gus, 200, 403), (&reader, 200, 403), (&eve, 404, 404), (&anonymous, 401, 401)]
    {
        assert_eq!(put(caller, &format!("{root}/b"), "b").await, written);
        assert_eq!(delete(caller, &root).await, written);
        let new = json!({"path": "b", "num_parts": 1});
        assert_eq!(end(caller, "create", &root, new).await, written);
        let ask = json!({"run_id": run_id, "path": "b"});
        assert_eq!(post(caller, "/mlflow/artifacts/presigned-upload-url", ask).await.0, written);
        for path in [
            format!("/mlflow-artifacts/artifacts/{root}/a"),
            format!("/mlflow-artifacts/artifacts?path={root}"),
            format!("/mlflow-artifacts/presigned/{root}/a"),
            format!("/mlflow/artifacts/list?run_id={run_id}"),
        ] {
            assert_eq!(get(caller, &path).await.0, read, "{path}");
        }
        let other = format!("/files/vision/-/run:{run_id}/b");
        assert_eq!(caller.put(&other, "b").await.status(), written);
    }
    let wrong = Caller { token: Some("mrt_wrong".to_owned()), ..anonymous };
    assert_eq!(put(&wrong, &format!("{root}/b"), "b").await, 401);
    assert_eq!(server.count("SELECT COUNT(*) FROM files").await, 1);
    assert_eq!(left_over(&server), 0);
    let refused = "SELECT COUNT(*) FROM events e JOIN users u ON u.id = e.actor_id
        WHERE e.refused AND u.username = 'gus' AND e.subject = 'vision'";
    assert_eq!(server.count(refused).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_model_has_its_files_at_an_address_of_its_own() {
    let (_server, admin) = Server::with_model().await;
    let (run_id, root) = run(&admin).await;
    let address = format!("/files/vision/-/run:{run_id}");
    assert_eq!(admin.put(&format!("{address}/plots/a.txt"), "a").await.status(), 201);
    assert_eq!(admin.put(&format!("{address}/plots/a.txt"), "b").await.status(), 200);
    assert_eq!(text(&admin, &format!("{root}/plots/a.txt")).await, "b");
    let listing: Value = admin.get(&format!("{address}/plots")).await.json().await.unwrap();
    assert_eq!(listing["files"][0]["path"], "plots/a.txt");
    let archive = admin.get(&format!("{address}?archive=tar")).await;
    assert_eq!(archive.status(), 200);
    let head = admin.request(Method::HEAD, &format!("{address}/plots/a.txt")).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "1");
    for nowhere in
        ["/files/vision/-/1.0.0/x", "/files/vision/-/run:x/y", "/files/vision/ocr/run:x/y"]
    {
        assert_eq!(admin.get(nowhere).await.status(), 404, "{nowhere}");
        assert_eq!(admin.put(nowhere, "x").await.status(), 404, "{nowhere}");
    }
    post(&admin, "/mlflow/runs/delete", json!({"run_id": run_id})).await;
    assert_eq!(admin.get(&format!("{address}/plots/a.txt")).await.status(), 404);
    assert_eq!(admin.put(&format!("{address}/plots/a.txt"), "c").await.status(), 404);
}
