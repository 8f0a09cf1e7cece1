//! A disk that is full: uploads are refused, everything else goes on, and the server starts again.
//!
//! The disk is a small one in memory, which takes the right to mount: without it, what is kept free is made larger than
//! the disk.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{CREATE_PROJECT, Caller, Server, database};
use crate::operations::{Process, eventually};
use crate::tus::{begin, begun, offset, patch, refusal, tus};

const BASE: &str = "/files/vision/ocr/1.0.0";
const MIB: usize = 1 << 20;

/// A small disk.
struct Disk(Arc<TempDir>);

impl Disk {
    fn new(mib: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(folder.path())
            .output();
        match mounted {
            Ok(done) if done.status.success() => Some(Self(Arc::new(folder))),
            _ => {
                eprintln!("no disk can be mounted here: not tried");
                None
            }
        }
    }

    fn fill(&self) -> std::path::PathBuf {
        let file = self.0.path().join("others");
        let mut written = 0;
        let mut size = 4 * MIB;
        while size > 100 {
            let bytes = vec![1; written + size];
            match std::fs::write(&file, &bytes) {
                Ok(()) => written += size,
                Err(_) => size /= 2,
            }
        }
        file
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the server may have it open still.
        Command::new("umount").arg("--lazy").arg(self.0.path()).status().ok();
    }
}

/// What a server says of itself to whoever divides requests among several.
async fn ready(url: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{url}/readyz")).await.unwrap();
    let status = answer.status().as_u16();
    let said: Value = answer.json().await.unwrap();
    (status, said["state"].as_str().unwrap().to_owned())
}

async fn start(folder: Arc<TempDir>, database: &str, keep_free: &str) -> (Server, Caller) {
    let server = Server::start_on(folder, database, &["--keep-free", keep_free]).await;
    let admin = server.admin().await;
    (server, admin)
}

async fn with_version(admin: &Caller) {
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("1.0.0")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_files_are_refused_and_everything_else_goes_on() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let database = database(&data).await;
    let (server, admin) = start(data.clone(), &database, "0").await;
    with_version(&admin).await;
    assert_eq!(admin.put(&format!("{BASE}/a"), "kept").await.status(), 201);
    let upload = begun(&admin, &format!("{BASE}/b"), 8).await;
    assert_eq!(patch(&admin, &upload, 0, "half").await.status(), 204);
    assert_eq!(ready(&server.url).await, (200, "ready".to_owned()));

    // More than any disk has.
    let app = model_registry::app::App {
        store: server.app.store.clone().keeping_free(Some(1 << 40)),
        ..server.app.clone()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        model_registry::server::serve(&app, listener, std::future::pending()).await.ok();
    });
    let admin = Caller { url: url.clone(), ..admin };
    let full = admin.put(&format!("{BASE}/c"), "new").await;
    assert_eq!(full.status(), 507);
    assert_eq!(full.json::<Value>().await.unwrap()["code"], "NO_SPACE");
    let full = refusal(begin(&admin, &format!("{BASE}/d"), 8, &[]).await).await;
    assert_eq!((full.0, full.1.as_str()), (507, "NO_SPACE"));
    assert_eq!(patch(&admin, &upload, 4, "half").await.status(), 507);
    assert_eq!(offset(&admin, &upload).await, 4, "what came before stays");
    let artifact = "/mlflow/vision/api/2.0/mlflow-artifacts/artifacts";
    let run = admin
        .request(Method::POST, "/mlflow/vision/api/2.0/mlflow/runs/create")
        .json(&json!({"experiment_id": "0"}))
        .send()
        .await
        .unwrap();
    let run: Value = run.json().await.unwrap();
    let uri = run["run"]["info"]["artifact_uri"].as_str().unwrap();
    let path = uri.split_once("mlflow-artifacts:/").unwrap().1.trim_start_matches('/');
    let full = admin
        .request(Method::PUT, &format!("{artifact}/{path}/a.txt"))
        .body("new")
        .send()
        .await
        .unwrap();
    assert_eq!(full.status(), 507);
    assert_eq!(full.json::<Value>().await.unwrap()["error_code"], "RESOURCE_EXHAUSTED");

    assert_eq!(admin.get(&format!("{BASE}/a")).await.text().await.unwrap(), "kept");
    admin.create_version(Some("1.1.0")).await;
    let deleted = tus(&admin, Method::DELETE, &upload).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    let room = "{ hasRoom }";
    assert_eq!(admin.ok(room, json!({})).await, json!({ "hasRoom": false }));
    let said = ready(&admin.url).await;
    assert_eq!(said, (200, "read-only".to_owned()), "a balancer must not take it away");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_were_promised_is_not_promised_again() {
    let Some(disk) = Disk::new(64) else { return };
    let database = database(&disk.0).await;
    let (_server, admin) = start(disk.0.clone(), &database, "8").await;
    with_version(&admin).await;
    let half = begun(&admin, &format!("{BASE}/half"), 30 * MIB as u64).await;
    let refused = begin(&admin, &format!("{BASE}/more"), 30 * MIB as u64, &[]).await;
    assert_eq!(refused.status(), 507);
    assert_eq!(admin.put(&format!("{BASE}/put"), vec![1; 30 * MIB]).await.status(), 507);
    assert_eq!(tus(&admin, Method::DELETE, &half).send().await.unwrap().status(), 204);
    assert_eq!(admin.put(&format!("{BASE}/put"), vec![1; 30 * MIB]).await.status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_no_trap() {
    let Some(disk) = Disk::new(96) else { return };
    let path: &Path = disk.0.path();
    // On PostgreSQL the disk of the files alone is full.
    let database = database(&disk.0).await;
    let (server, admin) = start(disk.0.clone(), &database, "0").await;
    server.app.db.lay_ballast(&database, Some(0));
    with_version(&admin).await;
    let upload = begun(&admin, &format!("{BASE}/big"), 70 * MIB as u64).await;
    assert_eq!(patch(&admin, &upload, 0, vec![1; 60 * MIB]).await.status(), 204);
    let others = disk.fill();
    let full = refusal(patch(&admin, &upload, 60 * MIB as u64, vec![1; 10 * MIB]).await).await;
    assert_eq!((full.0, full.1.as_str()), (507, "NO_SPACE"), "only the disk ends it");
    let is_sqlite = path.join("registry.sqlite").exists();
    if is_sqlite {
        // The first change finds no room, and the ballast is given up for those that follow.
        let create = "mutation { createModelVersion(input: {model: \"vision/ocr\"}) { modelVersion { id } } }";
        let mut refused = 0;
        while admin.graphql(create, json!({})).await.get("errors").is_some() {
            refused += 1;
            assert!(refused < 5);
        }
        assert!(refused > 0, "the disk was full");
        assert!(!path.join("registry.sqlite.ballast").exists());
    }
    let deleted = tus(&admin, Method::DELETE, &upload).send().await.unwrap();
    assert_eq!(deleted.status(), 204, "what frees room is done");
    std::fs::remove_file(others).unwrap();
    assert_eq!(admin.put(&format!("{BASE}/big"), vec![1; 20 * MIB]).await.status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_on_a_full_disk_and_what_frees_room_is_done() {
    let Some(disk) = Disk::new(64) else { return };
    let path = disk.0.path();
    let process = Process::start(path);
    with_version(&process.admin(path)).await;
    eventually("the ballast is laid", || path.join("registry.sqlite.ballast").exists()).await;
    process.stop();
    let others = disk.fill();
    let process = Process::start(path);
    assert_eq!(ready(&process.url).await, (200, "read-only".to_owned()));
    process.stop();
    std::fs::remove_file(others).unwrap();
    let process = Process::start(path);
    process.admin(path).create_version(Some("2.0.0")).await;
}
