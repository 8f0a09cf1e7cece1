//! Nothing is published while its files are arriving; and what never arrives is not kept for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use model_registry::registry::catalog::blob::journal;
use model_registry::time::Clock;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::harness::{CREATE_PROJECT, Caller, Server, storage};
use crate::mlflow::ask;
use crate::mlflow_artifacts::{post, run};
use crate::tus;

const BASE: &str = "/files/vision/ocr/1.0.0";
const PUBLISH: &str = "mutation($without: Boolean! = false) { publishModelVersion(input: {
    model: \"vision/ocr\", version: \"1.0.0\", withoutUploads: $without}) {
        modelVersion { state files { nodes { path } } unfinishedUploads { path size received active } } } }";
const UNFINISHED: &str = "{ model(path: \"vision/ocr\") { version(ref: \"1.0.0\") {
    unfinishedUploads { path size received active } } } }";

/// A PUT whose bytes come when they are told to.
struct Put {
    bytes: mpsc::Sender<Result<Bytes, std::io::Error>>,
    answer: JoinHandle<Response>,
}

impl Put {
    fn begin(caller: &Caller, path: &str) -> Self {
        let (bytes, coming) = mpsc::channel(1);
        let coming = futures_util::stream::unfold(coming, |mut coming| async {
            coming.recv().await.map(|bytes| (bytes, coming))
        });
        let request = caller.request(Method::PUT, path).body(reqwest::Body::wrap_stream(coming));
        Self { bytes, answer: tokio::spawn(async { request.send().await.unwrap() }) }
    }

    async fn send(&self, bytes: impl Into<Bytes>) {
        self.bytes.send(Ok(bytes.into())).await.unwrap();
    }

    async fn end(self) -> u16 {
        drop(self.bytes);
        self.answer.await.unwrap().status().as_u16()
    }
}

/// The files that a refused operation is refused for.
async fn awaited(caller: &Caller, mutation: &str) -> Value {
    let mut answer = caller.graphql(mutation, json!({})).await;
    let error = answer["errors"][0].take();
    assert_eq!(error["extensions"]["code"], "CONFLICT", "{error}");
    error["extensions"]["uploads"].clone()
}

async fn with_version(clock: Clock) -> (Server, Caller) {
    let server = Server::start_at(clock).await;
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("1.0.0")).await;
    (server, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_waits_for_a_file_on_its_way() {
    let (server, admin) = with_version(Clock::System).await;
    let put = Put::begin(&admin, &format!("{BASE}/dir/a.bin"));
    put.send("01234").await;
    server.wait_for_arriving(1).await;
    assert_eq!(awaited(&admin, PUBLISH).await, json!(["dir/a.bin"]));
    let unfinished = admin.ok(UNFINISHED, json!({})).await["model"]["version"].take();
    let expected = json!({ "path": "dir/a.bin", "size": null, "received": null, "active": true });
    assert_eq!(unfinished["unfinishedUploads"], json!([expected]));
    put.send("56789").await;
    assert_eq!(put.end().await, 201);
    let published = admin.ok(PUBLISH, json!({})).await["publishModelVersion"].take();
    assert_eq!(published["modelVersion"]["files"]["nodes"], json!([{ "path": "dir/a.bin" }]));
    assert_eq!(published["modelVersion"]["unfinishedUploads"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_cut_off_or_refused_is_not_waited_for() {
    let (server, admin) = with_version(Clock::System).await;
    let put = Put::begin(&admin, &format!("{BASE}/a.bin"));
    put.send("01234").await;
    server.wait_for_arriving(1).await;
    put.answer.abort();
    server.wait_for_arriving(0).await;
    let wrong = admin.request(Method::PUT, &format!("{BASE}/b.bin")).body("0123456789");
    let wrong = wrong.header("content-digest", format!("sha-256=:{}:", "A".repeat(43) + "="));
    assert_eq!(wrong.send().await.unwrap().status(), 400);
    admin.ok(PUBLISH, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_pieces_is_waited_for_five_minutes_after_its_last_bytes() {
    let time = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (_server, admin) = with_version(Clock::Fixed(time.clone())).await;
    let tus = |method, path: &str| admin.request(method, path).header("tus-resumable", "1.0.0");
    let begun = tus(Method::POST, &format!("{BASE}/big.bin")).header("upload-length", 10);
    let begun = begun.send().await.unwrap();
    let upload = begun.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(awaited(&admin, PUBLISH).await, json!(["big.bin"]));
    time.fetch_add(200_000, Ordering::Relaxed);
    let piece = tus(Method::PATCH, &upload).header("upload-offset", 0);
    let piece = piece.header("content-type", "application/offset+octet-stream").body("0123");
    assert_eq!(piece.send().await.unwrap().status(), 204);
    time.fetch_add(299_000, Ordering::Relaxed);
    assert_eq!(awaited(&admin, PUBLISH).await, json!(["big.bin"]));
    time.fetch_add(1_000, Ordering::Relaxed);
    let published = admin.ok(PUBLISH, json!({})).await["publishModelVersion"].take();
    let expected = json!({ "path": "big.bin", "size": 10, "received": 4, "active": false });
    assert_eq!(published["modelVersion"]["unfinishedUploads"], json!([expected]), "it is named");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_file_are_waited_for_until_they_are_put_together() {
    let time = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (_server, admin) = with_version(Clock::Fixed(time.clone())).await;
    // Two of a file that has no name yet, and one of another that has.
    let top = [tus::part(&admin, BASE, "01").await, tus::part(&admin, BASE, "234").await];
    assert_eq!(awaited(&admin, PUBLISH).await, json!(["/"]));
    let named = tus::part(&admin, &format!("{BASE}/dir/b.bin"), "0").await;
    let folder = tus::part(&admin, &format!("{BASE}/dir/"), "0").await;
    let unfinished = admin.ok(UNFINISHED, json!({})).await["model"]["version"].take();
    let shown = |path: &str, received: i64| json!({ "path": path, "size": null, "received": received, "active": true });
    assert_eq!(
        unfinished["unfinishedUploads"],
        json!([shown("/", 5), shown("dir/", 1), shown("dir/b.bin", 1)])
    );
    assert_eq!(tus::join(&admin, &format!("{BASE}/a.bin"), &top).await.status(), 201);
    assert_eq!(awaited(&admin, PUBLISH).await, json!(["dir/", "dir/b.bin"]));
    for upload in [&named, &folder] {
        let ended = tus::tus(&admin, Method::DELETE, upload).send().await.unwrap();
        assert_eq!(ended.status(), 204);
    }
    let late = tus::part(&admin, BASE, "0").await;
    assert_eq!(awaited(&admin, PUBLISH).await, json!(["/"]));
    time.fetch_add(300_000, Ordering::Relaxed);
    admin.ok(PUBLISH, json!({})).await;
    let late = tus::join(&admin, &format!("{BASE}/late.bin"), &[late]).await;
    assert_eq!(late.status(), 409, "it is published");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_whose_parts_wait_to_be_put_together_are_waited_for() {
    let time = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (server, admin) = with_version(Clock::Fixed(time.clone())).await;
    let parts = [tus::part(&admin, BASE, "01").await, tus::part(&admin, BASE, "234").await];
    // Of one person one file at a time: the first cannot go on, and the other waits for it.
    let held = parts.clone().map(|part| part.rsplit('/').next().unwrap().to_owned());
    let held = [server.app.store.partial(&held[0]).await, server.app.store.partial(&held[1]).await];
    let joins = ["a.bin", "b.bin"].into_iter().zip(&parts).map(|(path, part)| {
        let request = tus::joining(&admin, &format!("{BASE}/{path}"), std::slice::from_ref(part));
        tokio::spawn(async { request.send().await.unwrap().status().as_u16() })
    });
    let joins: Vec<_> = joins.collect();
    server.wait_for_arriving(2).await;
    time.fetch_add(300_000, Ordering::Relaxed);
    assert_eq!(awaited(&admin, PUBLISH).await, json!(["a.bin", "b.bin"]));
    drop(held);
    for joined in joins {
        assert_eq!(joined.await.unwrap(), 201);
    }
    admin.ok(PUBLISH, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_so_publishes_without_what_arrives_which_is_then_refused() {
    let (server, admin) = with_version(Clock::System).await;
    let put = Put::begin(&admin, &format!("{BASE}/late.bin"));
    put.send("01234").await;
    server.wait_for_arriving(1).await;
    admin.ok(PUBLISH, json!({ "without": true })).await;
    assert_eq!(put.end().await, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_is_promoted_when_its_files_are_here() {
    let (server, admin) = with_version(Clock::System).await;
    let run =
        "mutation { createCandidate(input: {model: \"vision/ocr\"}) { candidate { number } } }";
    admin.ok(run, json!({})).await;
    let promote = "mutation { promoteCandidate(input: {model: \"vision/ocr\", candidate: 1}) {
        modelVersion { files { nodes { path } } } } }";
    let put = Put::begin(&admin, "/files/vision/ocr/candidate:1/weights.bin");
    put.send("01234").await;
    server.wait_for_arriving(1).await;
    assert_eq!(awaited(&admin, promote).await, json!(["weights.bin"]));
    let without = promote.replace("candidate: 1}", "candidate: 1, withoutUploads: true}");
    let made = admin.ok(&without, json!({})).await["promoteCandidate"]["modelVersion"].take();
    assert_eq!(made["files"]["nodes"], json!([]));
    assert_eq!(put.end().await, 201, "a candidate goes on");
    let made = admin.ok(promote, json!({})).await["promoteCandidate"]["modelVersion"].take();
    assert_eq!(made["files"]["nodes"], json!([{ "path": "weights.bin" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn mlflow_registers_what_is_here_and_does_not_mind_other_folders() {
    let (_server, admin) = Server::with_model().await;
    let (run_id, root) = run(&admin).await;
    let begin = |folder: &str| {
        let new = json!({ "path": "/home/ada/big.bin", "num_parts": 2 });
        let (admin, address) =
            (admin.clone(), format!("/mlflow-artifacts/mpu/create/{root}/{folder}"));
        async move { post(&admin, &address, new).await.1["upload_id"].take() }
    };
    let register = || {
        let source = format!("runs:/{run_id}/model");
        let new = json!({ "name": "ocr", "source": source, "run_id": run_id });
        ask(&admin, "vision", "POST model-versions/create", new)
    };
    begin("checkpoints").await;
    assert_eq!(register().await.0, 200);
    let upload_id = begin("model").await;
    let (status, refused) = register().await;
    assert_eq!((status, &refused["error_code"]), (409, &json!("RESOURCE_CONFLICT")), "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("model/big.bin"), "{refused}");
    let abort = json!({ "path": "/home/ada/big.bin", "upload_id": upload_id });
    let (status, _) =
        post(&admin, &format!("/mlflow-artifacts/mpu/abort/{root}/model"), abort).await;
    assert_eq!(status, 200);
    assert_eq!(register().await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_must_be_there_are_waited_for_also_when_none_is_on_its_way() {
    let (_server, admin) = with_version(Clock::System).await;
    let publish = "mutation { publishModelVersion(input: {
        model: \"vision/ocr\", version: \"1.0.0\", requiredFiles: [\"b.bin\", \"a.bin\"]}) { modelVersion { state } } }";
    assert_eq!(awaited(&admin, publish).await, json!(["a.bin", "b.bin"]));
    assert_eq!(admin.put(&format!("{BASE}/a.bin"), "a").await.status(), 201);
    assert_eq!(awaited(&admin, publish).await, json!(["b.bin"]));
    assert_eq!(admin.put(&format!("{BASE}/b.bin"), "b").await.status(), 201);
    admin.ok(publish, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fills_a_version_ends_also_while_a_file_of_it_arrives() {
    let (server, admin) = Server::with_model().await;
    let new = json!({ "name": "ocr", "source": "" });
    let (_, made) = ask(&admin, "vision", "POST model-versions/create", new).await;
    let run_id = made["model_version"]["run_id"].as_str().unwrap().to_owned();
    let put = Put::begin(&admin, &format!("{BASE}/a.bin"));
    put.send("01234").await;
    server.wait_for_arriving(1).await;
    let end = json!({ "run_id": run_id, "status": "FINISHED" });
    let (status, ended) = ask(&admin, "vision", "POST runs/update", end).await;
    assert_eq!((status, &ended["run_info"]["status"]), (200, &json!("FINISHED")), "{ended}");
    assert_eq!(put.end().await, 201);
    let state = "{ model(path: \"vision/ocr\") { version(ref: \"1.0.0\") { state } } }";
    assert_eq!(admin.ok(state, json!({})).await["model"]["version"]["state"], "DRAFT");
    admin.ok(PUBLISH, json!({})).await;
}

/// Ends the uploads that were left; how many are noted then.
async fn end_left(server: &Server) -> i64 {
    let app = &server.app;
    let ended = journal::end_left(&app.db, &app.storages, app.clock.now()).await;
    ended.unwrap_or_else(|error| panic!("{}", error.message()));
    server.count("SELECT COUNT(*) FROM open_uploads").await
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_a_dead_server_left_in_an_object_store_are_removed_after_a_week() {
    if storage().is_none() {
        return;
    }
    let time = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (server, admin) = with_version(Clock::Fixed(time.clone())).await;
    // More than two parts of an upload whose size nobody said, and than what is on its way at most (tcp_rmem).
    let large = vec![7; 120 << 20];
    let path = format!("{BASE}/whole.bin");
    assert_eq!(admin.put(&format!("{BASE}/small.bin"), "0123456789").await.status(), 201);
    assert_eq!(server.count("SELECT COUNT(*) FROM open_uploads").await, 0, "it came in one part");
    let put = Put::begin(&admin, &path);
    put.send(large.clone()).await;
    assert_eq!(put.end().await, 201);
    assert_eq!(end_left(&server).await, 0, "it is an object by now");
    assert!(admin.get(&path).await.bytes().await.unwrap() == large);
    // What a server knows no more is told from what goes on by its age alone.
    let put = Put::begin(&admin, &format!("{BASE}/left.bin"));
    put.send(large).await;
    // The third is taken when the first was read, and a second part is sent after the first one.
    for piece in ["a", "b"] {
        put.send(piece).await;
    }
    assert_eq!(end_left(&server).await, 1);
    time.fetch_add(8 * 24 * 3_600_000, Ordering::Relaxed);
    assert_eq!(end_left(&server).await, 0);
    assert!(put.end().await >= 400, "its parts are gone");
}
