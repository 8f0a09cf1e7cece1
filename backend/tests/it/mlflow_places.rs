//! Places of a project: artifacts of MLflow's clients that are of no run, and experiments that keep theirs in one.

use model_registry::role::TokenScope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{CREATE_PROJECT, Caller, Server, left_over};
use crate::mlflow::{ask, ok, refused, run};
use crate::mlflow_artifacts::{PROXY, delete, get, post, put, sha256, text};
use crate::mlflow_signed::{begin, end, finished, send};
use crate::tus;

async fn names(caller: &Caller, path: &str) -> Value {
    let (status, mut found) =
        get(caller, &format!("/mlflow-artifacts/artifacts?path={path}")).await;
    assert_eq!(status, 200, "{found}");
    found["files"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_no_run_is_the_projects() {
    let (server, admin) = Server::with_model().await;
    assert_eq!(names(&admin, "").await, Value::Null);
    assert_eq!(put(&admin, "a.txt", "0123456789").await, 200);
    assert_eq!(put(&admin, "dir/b.txt", "1").await, 200);
    assert_eq!(put(&admin, "dir/b.txt", "22").await, 200, "it is nobody's promise");
    assert_eq!(put(&admin, "a.txt/c", "1").await, 409, "a path is a file or a folder");
    let file = |path: &str, size: usize| json!({"path": path, "is_dir": false, "file_size": size});
    let all = json!([file("a.txt", 10), {"path": "dir", "is_dir": true}]);
    assert_eq!(names(&admin, "").await, all);
    let (_, found) = get(&admin, "/mlflow-artifacts/artifacts").await;
    assert_eq!(found["files"], all);
    assert_eq!(names(&admin, "dir").await, json!([file("b.txt", 2)]));
    let path = format!("{PROXY}/artifacts/a.txt");
    let range = admin.request(Method::GET, &path).header("range", "bytes=2-4").send().await;
    assert_eq!(range.unwrap().text().await.unwrap(), "234");
    let head = admin.request(Method::HEAD, &path).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "10");
    // In parts, and by an address.
    let (upload, urls) = begin(&admin, "big", 2).await;
    let etags = [send(&urls[0], "one").await.1, send(&urls[1], "two").await.1];
    assert_eq!(end(&admin, "complete", "big", finished(&upload, &etags)).await, 200);
    let (status, signed) = get(&admin, "/mlflow-artifacts/presigned/big/big.bin").await;
    assert_eq!((status, &signed["file_size"]), (200, &json!(6)));
    let bytes = reqwest::get(signed["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(bytes.text().await.unwrap(), "onetwo");
    // Everywhere else, too.
    let shown = admin.ok(
        "{ project(path: \"vision\") { artifactsSize artifacts { nodes { path size downloadUrl } } } }",
        json!({}),
    );
    let shown = shown.await["project"].take();
    assert_eq!(shown["artifactsSize"], 18);
    assert_eq!(shown["artifacts"]["nodes"][1]["path"], "big/big.bin");
    let url = shown["artifacts"]["nodes"][1]["downloadUrl"].as_str().unwrap();
    assert_eq!(url, "/files/vision/-/artifacts/big/big.bin");
    assert_eq!(admin.get(url).await.text().await.unwrap(), "onetwo");
    assert_eq!(admin.put("/files/vision/-/artifacts/c", "c").await.status(), 201);
    assert_eq!(text(&admin, "c").await, "c");
    // And gone.
    for path in ["c", "big", "dir/b.txt", "dir/b.txt"] {
        assert_eq!(delete(&admin, path).await, 200, "{path}");
    }
    assert_eq!(names(&admin, "").await, json!([file("a.txt", 10)]));
    assert_eq!(left_over(&server), 0);
    let logged = "SELECT COUNT(*) FROM events WHERE action IN ('file.put', 'file.delete')
        AND subject = 'vision/-/artifacts' AND NOT refused";
    assert_eq!(server.count(logged).await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_artifacts_of_a_project_may_come_in_pieces() {
    let (_server, admin) = Server::with_model().await;
    let upload = tus::begun(&admin, "/files/vision/-/artifacts/x", 2).await;
    for (at, byte) in [(0, "1"), (1, "2")] {
        assert_eq!(tus::patch(&admin, &upload, at, byte).await.status(), 204);
    }
    assert_eq!(text(&admin, "x").await, "12");
    admin.ok(CREATE_PROJECT, json!({"path": "speech"})).await;
    let part = tus::part(&admin, "/files/speech/-/artifacts", "1").await;
    let joined = tus::join(&admin, "/files/speech/-/artifacts/y", &[part]).await;
    assert_eq!(joined.status(), 201);
    let got = admin.get("/files/speech/-/artifacts/y").await;
    assert_eq!(got.text().await.unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_within_their_project_and_paths_within_places() {
    let (server, admin) = Server::with_model().await;
    put(&admin, "a", "a").await;
    admin.invite("gus").await;
    admin.add_member("vision", "gus", "GUEST").await;
    admin.invite("eve").await;
    let gus = server.person("gus", TokenScope::Write).await;
    let eve = server.person("eve", TokenScope::Write).await;
    for (caller, read, written) in
        [(&gus, 200, 403), (&eve, 404, 404), (&server.anonymous(), 401, 401)]
    {
        assert_eq!(put(caller, "b", "b").await, written);
        assert_eq!(delete(caller, "a").await, written);
        assert_eq!(end(caller, "create", "x", json!({"path": "b", "num_parts": 1})).await, written);
        assert_eq!(caller.put("/files/vision/-/artifacts/b", "b").await.status(), written);
        for path in ["/artifacts/a", "/artifacts", "/presigned/a"] {
            assert_eq!(get(caller, &format!("/mlflow-artifacts{path}")).await.0, read, "{path}");
        }
        // /files tells strangers nothing.
        let found = caller.get("/files/vision/-/artifacts/a").await.status();
        assert_eq!(found, if read == 401 { 404 } else { read });
    }
    admin.ok(CREATE_PROJECT, json!({"path": "speech"})).await;
    let other = "/mlflow/speech/api/2.0/mlflow-artifacts/artifacts";
    assert_eq!(admin.get(&format!("{other}/a")).await.status(), 404);
    let listed: Value = admin.get(other).await.json().await.unwrap();
    assert_eq!(listed, json!({}));
    for path in ["..%2fx", "a%5cb", "x/%252e%252e/y", "a%00b", "a%23b", "a//b"] {
        assert_eq!(put(&admin, path, "x").await, 400, "{path}");
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM files").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_have_their_files_wherever_their_experiment_wants_them() {
    let (server, admin) = Server::with_model().await;
    for (location, root) in [
        ("mlflow-artifacts:/teams/x", "teams/x"),
        ("mlflow-artifacts:///teams/y/", "teams/y"),
        // Where another experiment has its files, and at the top.
        ("mlflow-artifacts:/0", "0"),
        ("mlflow-artifacts:/", ""),
    ] {
        let new = json!({"name": format!("at {location}"), "artifact_location": location});
        let made = ok(&admin, "POST experiments/create", new).await;
        let experiment = made["experiment_id"].as_str().unwrap().to_owned();
        let id = run(&admin, "vision", &experiment).await;
        let own = format!("{root}/{id}/artifacts");
        let own = own.trim_start_matches('/');
        assert_eq!(put(&admin, &format!("{own}/model/MLmodel"), "flavors: {}").await, 200);
        assert_eq!(names(&admin, own).await, json!([{"path": "model", "is_dir": true}]));
        let (_, listed) =
            get(&admin, &format!("/mlflow/artifacts/list?run_id={id}&path=model")).await;
        assert_eq!(listed["files"][0]["path"], "model/MLmodel");
        let got = format!("/mlflow/vision/get-artifact?run_id={id}&path=model/MLmodel");
        assert_eq!(admin.get(&got).await.text().await.unwrap(), "flavors: {}");
        // They are the run's: a version of it has them.
        let source = format!("runs:/{id}/model");
        let new = json!({"name": "ocr", "source": source, "run_id": id});
        let version = ok(&admin, "POST model-versions/create", new).await["model_version"].take();
        let version = version["version"].as_str().unwrap();
        let file = format!(
            "/mlflow/vision/model-versions/get-artifact?name=ocr&version={version}&path=MLmodel"
        );
        assert_eq!(admin.get(&file).await.text().await.unwrap(), "flavors: {}");
        let model = json!({"experiment_id": experiment, "name": "net", "source_run_id": id});
        let model = ok(&admin, "POST logged-models", model).await;
        let uri = model["model"]["info"]["artifact_uri"].as_str().unwrap();
        let own = uri.strip_prefix("mlflow-artifacts:").unwrap().trim_start_matches('/');
        assert_eq!(put(&admin, &format!("{own}/w.bin"), "w").await, 200, "{uri}");
        assert_eq!(text(&admin, &format!("{own}/w.bin")).await, "w");
        ok(&admin, "POST runs/delete", json!({"run_id": id})).await;
        let own = format!("{root}/{id}/artifacts/new");
        assert_eq!(put(&admin, own.trim_start_matches('/'), "x").await, 409, "in the trash");
    }
    assert_eq!(
        server.count("SELECT COUNT(*) FROM files f JOIN projects p ON p.id = f.owner_id").await,
        0
    );
    for location in [
        "mlflow-artifacts:/../x",
        "mlflow-artifacts:/a/./b",
        "mlflow-artifacts:/a//b",
        "mlflow-artifacts:/versions/x",
    ] {
        let new = json!({"name": location, "artifact_location": location});
        assert_eq!(
            refused(&admin, "POST experiments/create", new).await,
            "INVALID_PARAMETER_VALUE",
            "{location}"
        );
    }
    // Below a number there are runs, or nothing.
    let unknown = "0123456789abcdef0123456789abcdef";
    assert_eq!(put(&admin, &format!("0/{unknown}/artifacts/x"), "x").await, 404);
    assert_eq!(put(&admin, &format!("teams/x/{unknown}/artifacts/x"), "x").await, 200);
    // Of another project's run nothing is said.
    admin.ok(CREATE_PROJECT, json!({"path": "speech"})).await;
    let new = json!({"name": "x", "artifact_location": "mlflow-artifacts:/teams/x"});
    let (_, made) = ask(&admin, "speech", "POST experiments/create", new).await;
    let foreign = run(&admin, "speech", made["experiment_id"].as_str().unwrap()).await;
    assert_eq!(put(&admin, &format!("teams/x/{foreign}/artifacts/x"), "x").await, 200);
    let of_run: Value =
        admin.get(&format!("/files/speech/-/run:{foreign}")).await.json().await.unwrap();
    assert_eq!(of_run["files"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_the_source_of_a_version_and_its_bytes_are_counted() {
    let (server, admin) = Server::with_model().await;
    put(&admin, "models/net/MLmodel", "flavors: {sklearn: {}}").await;
    put(&admin, "models/net/w.bin", "weights").await;
    let create = "POST model-versions/create";
    let new = json!({"name": "ocr", "source": "mlflow-artifacts:/models/net"});
    ok(&admin, create, new.clone()).await;
    // It has its files by reference.
    put(&admin, "models/net/w.bin", "other").await;
    let file = "/files/vision/ocr/1.0.0/w.bin";
    assert_eq!(admin.get(file).await.text().await.unwrap(), "weights");
    for (source, uri) in [
        // One file, and nothing: it has that, whatever comes to the place later.
        ("mlflow-artifacts:/models/net/MLmodel", None),
        ("mlflow-artifacts:/nothing", None),
        ("mlflow-artifacts:/", None),
        ("mlflow-artifacts://host/models/net", Some("mlflow-artifacts://host/models/net")),
    ] {
        let made = ok(&admin, create, json!({"name": "ocr", "source": source})).await;
        let number = made["model_version"]["version"].as_str().unwrap();
        let get = format!("GET model-versions/get-download-uri?name=ocr&version={number}");
        let found = ok(&admin, &get, json!({})).await["artifact_uri"].as_str().unwrap().to_owned();
        match uri {
            Some(uri) => assert_eq!(found, uri),
            None => assert!(found.starts_with("mlflow-artifacts:/versions/"), "{source}: {found}"),
        }
    }
    put(&admin, "models/net/MLmodel", "flavors: {evil: {}}").await;
    let pinned = admin.get("/files/vision/ocr/1.0.1/MLmodel").await;
    assert_eq!(pinned.text().await.unwrap(), "flavors: {sklearn: {}}");
    // What the trash gives back leaves out what the place still has.
    let size = "{ project(path: \"vision\") { trashSize } }";
    let delete = json!({"name": "ocr", "version": "1"});
    ok(&admin, "DELETE model-versions/delete", delete).await;
    assert_eq!(admin.ok(size, json!({})).await["project"]["trashSize"], "weights".len());
    put(&admin, "kept.bin", "weights").await;
    assert_eq!(admin.ok(size, json!({})).await["project"]["trashSize"], 0);
    // And the sweep leaves its bytes.
    let sweep = model_registry::registry::catalog::blob::sweep::Sweep::of(&server.app);
    sweep.run().await.unwrap_or_else(|error| panic!("{}", error.message()));
    let used = "SELECT COUNT(*) FROM blobs WHERE unused_since_ms IS NOT NULL";
    assert_eq!(server.count(used).await, 0);
    let response = admin.get(&format!("{PROXY}/artifacts/kept.bin")).await;
    assert_eq!(response.headers()["etag"], format!("\"{}\"", sha256(b"weights")));
    // A deleted project has nothing.
    let gone = "mutation { deleteProject(input: {project: \"vision\"}) { project { path } } }";
    admin.ok(gone, json!({})).await;
    assert_eq!(get(&admin, "/mlflow-artifacts/artifacts/kept.bin").await.0, 404);
    assert_eq!(
        post(&admin, "/mlflow-artifacts/mpu/create/x", json!({"path": "b", "num_parts": 1}))
            .await
            .0,
        404
    );
}
