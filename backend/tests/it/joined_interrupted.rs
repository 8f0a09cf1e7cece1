//! Putting parts together that is interrupted: it goes on, gives back what it has, and never makes up bytes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model_registry::registry::catalog::upload;
use model_registry::time::Clock;
use reqwest::Method;
use serde_json::json;

use crate::files::BASE;
use crate::harness::{CREATE_PROJECT, Caller, Server, database};
use crate::joined::{MIB, bytes, head, id, kept, refused};
use crate::mlflow_artifacts::sha256;
use crate::tus::{begun, join, location, offset, part, patch, tus};

fn file_of(server: &Server, upload: &str) -> PathBuf {
    server.data.path().join("partial").join(id(upload))
}

async fn sweep(server: &Server) {
    upload::rules::sweep(&server.app).await.unwrap_or_else(|error| panic!("{}", error.message()));
}

/// A server whose final upload has the first part, of 70 MiB, and cannot read the second.
struct Interrupted {
    server: Server,
    admin: Caller,
    database: String,
    whole: Vec<u8>,
    parts: [String; 2],
    path: String,
}

impl Interrupted {
    async fn new() -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        let database = database(&data).await;
        let server = Server::start_on(data, &database, &[]).await;
        let admin = server.admin().await;
        admin.ok(CREATE_PROJECT, json!({"path": "vision"})).await;
        admin.create_model("ocr").await;
        admin.create_version(Some("1.0.0")).await;
        let whole = bytes(70 * MIB + 100);
        let (first, second) = whole.split_at(70 * MIB);
        let parts = [part(&admin, BASE, first).await, part(&admin, BASE, second).await];
        // What is there can be opened, and not read.
        let unreadable = file_of(&server, &parts[1]);
        std::fs::rename(&unreadable, server.data.path().join("aside")).unwrap();
        std::fs::create_dir(&unreadable).unwrap();
        let path = format!("{BASE}/f");
        assert_eq!(join(&admin, &path, &parts).await.status(), 500);
        std::fs::remove_dir(&unreadable).unwrap();
        let interrupted = Self { server, admin, database, whole, parts, path };
        interrupted.server.settle().await;
        interrupted
    }

    fn bring_back(&self) {
        let data = self.server.data.path();
        std::fs::rename(data.join("aside"), file_of(&self.server, &self.parts[1])).unwrap();
    }

    async fn final_id(&self) -> String {
        let row = "SELECT id FROM uploads WHERE concat LIKE 'final%'";
        let (id,): (String,) =
            model_registry::db::query(row).fetch_one(&self.server.app.db).await.unwrap();
        format!("/api/uploads/{id}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_interrupted_goes_on_in_a_new_server_and_gives_back_what_it_has() {
    let interrupted = Interrupted::new().await;
    let joined = interrupted.final_id().await;
    let state = head(&interrupted.admin, &joined).await;
    assert_eq!(state.headers()["upload-length"], (70 * MIB + 100).to_string());
    assert!(!state.headers().contains_key("upload-offset"), "it is not over");
    // Most of what the final one has the first part has no more: both take little more than one.
    use std::os::unix::fs::MetadataExt;
    let first = file_of(&interrupted.server, &interrupted.parts[0]);
    let taken = std::fs::metadata(&first).unwrap().blocks() * 512;
    assert!(taken <= 7 * MIB as u64, "{taken} bytes");
    std::fs::remove_file(first).unwrap();
    interrupted.bring_back();

    let Interrupted { server, database, whole, parts, path, .. } = interrupted;
    let data = server.data.clone();
    server.app.db.close().await;
    drop(server);
    let server = started_again(data, &database).await;
    let admin = server.admin().await;
    assert_eq!(location(&join(&admin, &path, &parts).await), joined);
    let file = admin.get(&path).await;
    assert_eq!(file.headers()["etag"], format!("\"{}\"", sha256(&whole)));
    assert_eq!(file.bytes().await.unwrap(), whole);
    assert_eq!(kept(&server), 0);
}

/// The server, when the one before let go of the folder.
async fn started_again(data: Arc<tempfile::TempDir>, database: &str) -> Server {
    for _ in 0..500 {
        let lock = std::fs::File::create(data.path().join("lock")).unwrap();
        if lock.try_lock().is_ok() {
            drop(lock);
            return Server::start_on(data, database, &[]).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the folder is still locked");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_gone_are_never_made_up() {
    let interrupted = Interrupted::new().await;
    let Interrupted { server, admin, parts, path, .. } = &interrupted;
    let gone = "Bytes of this upload were lost. Start a new one, with new parts if it has any.";
    let ask = async || refused(join(admin, path, parts).await).await;
    assert_eq!(ask().await, (409, gone.to_owned()), "the second is not there");
    // Nor is it known that there was one.
    let joined = interrupted.final_id().await;
    let second = async |final_id: String| {
        let id = id(&parts[1]);
        let set = format!("UPDATE uploads SET final_id = {final_id} WHERE id = '{id}'");
        server.app.db.run_script(&set).await.unwrap();
    };
    second("NULL".to_owned()).await;
    let fewer = refused(join(admin, path, &parts[..1]).await).await;
    assert_eq!(fewer, (409, gone.to_owned()));
    second(format!("'{}'", id(&joined))).await;
    interrupted.bring_back();
    // The first part has holes where the final upload had the bytes.
    std::fs::write(file_of(server, &joined), "").unwrap();
    assert_eq!(ask().await, (409, gone.to_owned()));
    assert_eq!(admin.get(path).await.status(), 404);
    // Who gives up a part of it gives it up.
    let ended = tus(admin, Method::DELETE, &parts[1]).send().await.unwrap();
    assert_eq!((ended.status().as_u16(), kept(server)), (204, 0));
    assert_eq!(server.count("SELECT COUNT(*) FROM uploads").await, 0);

    let lost = part(admin, BASE, "abc").await;
    std::fs::write(file_of(server, &lost), "a").unwrap();
    let (status, message) = refused(join(admin, path, std::slice::from_ref(&lost)).await).await;
    let expected = format!("The bytes of part {} were lost. Send them again.", id(&lost));
    assert_eq!((status, message), (409, expected));
    assert_eq!(patch(admin, &lost, 0, "abc").await.status(), 204);
    location(&join(admin, path, &[lost]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_expire_and_a_final_upload_keeps_its_own() {
    let time = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (server, admin) = Server::with_model_at(Clock::Fixed(time.clone())).await;
    admin.create_version(Some("1.0.0")).await;
    let hours = |hours: i64| time.fetch_add(hours * 3_600_000, Ordering::Relaxed);
    let path = format!("{BASE}/f");
    let early = part(&admin, BASE, "1").await;
    let early = [early];
    hours(13);
    let joined = location(&join(&admin, &path, &early).await);
    hours(13);
    sweep(&server).await;
    assert_eq!(offset(&admin, &early[0]).await, 1, "as long as the upload that has it");
    assert_eq!(location(&join(&admin, &path, &early).await), joined);
    hours(12);
    assert_eq!(head(&admin, &joined).await.status(), 404);
    sweep(&server).await;
    assert_eq!(server.count("SELECT COUNT(*) FROM uploads").await, 0);

    let late = part(&admin, BASE, "2").await;
    hours(25);
    assert_eq!(join(&admin, &format!("{BASE}/g"), &[late]).await.status(), 404);
    assert_eq!(kept(&server), 1);
    sweep(&server).await;
    assert_eq!(kept(&server), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_was_taken_over_while_the_sweep_waited_for_it_stays() {
    let time = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (server, admin) = Server::with_model_at(Clock::Fixed(time.clone())).await;
    admin.create_version(Some("1.0.0")).await;
    let one = part(&admin, BASE, "1").await;
    // Before it is stale: the server sweeps by itself, too, when it starts.
    let held = server.app.store.partial(id(&one)).await;
    time.fetch_add(25 * 3_600_000, Ordering::Relaxed);
    let joined = begun(&admin, &format!("{BASE}/f"), 1).await;
    let app = server.app.clone();
    let swept = tokio::spawn(async move { upload::rules::sweep(&app).await.is_ok() });
    held.wanted().await;
    let (one_id, final_id) = (id(&one), id(&joined));
    let taken = format!(
        "UPDATE uploads SET final_id = '{final_id}', part = 0, is_over = TRUE WHERE id = '{one_id}'"
    );
    server.app.db.run_script(&taken).await.unwrap();
    drop(held);
    assert!(swept.await.unwrap());
    assert_eq!(std::fs::read(file_of(&server, &one)).unwrap(), b"1");
    assert_eq!(server.count("SELECT COUNT(*) FROM uploads").await, 2);
}
