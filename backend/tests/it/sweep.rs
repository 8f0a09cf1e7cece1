//! The sweep of blobs that no file points at, also beside the wrong database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model_registry::app::App;
use model_registry::db::{Db, query};
use model_registry::registry::catalog::file;
use model_registry::time::Clock;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::harness::{CREATE_PROJECT, Caller, Server};

const BASE: &str = "/files/vision/ocr/1.0.0";
const START_MS: i64 = 1_800_000_000_000;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// A registry with one published version of many files, and its clock.
struct World {
    server: Server,
    admin: Caller,
    time: Arc<AtomicI64>,
}

impl World {
    async fn with_files(count: usize) -> Self {
        let time = Arc::new(AtomicI64::new(START_MS));
        let server = Server::start_at(Clock::Fixed(time.clone())).await;
        let admin = server.admin().await;
        admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
        admin.create_model("ocr").await;
        admin.create_version(Some("1.0.0")).await;
        for number in 0..count {
            let path = format!("{BASE}/{number}.bin");
            assert_eq!(admin.put(&path, format!("file {number}")).await.status(), 201);
        }
        admin.publish("1.0.0").await;
        Self { server, admin, time }
    }

    fn day(&self, day: i64) {
        self.time.store(START_MS + day * DAY_MS, Ordering::Relaxed);
    }

    /// What the sweep does that each start begins with: here with another database.
    async fn sweep_with(&self, database: &Path) -> Result<usize, String> {
        let db = Db::open(&Db::sqlite_url(database)).await.map_err(|error| error.to_string())?;
        let app = App { db, ..self.server.app.clone() };
        let swept = file::sweep::sweep(&app).await.map_err(|error| error.message());
        app.db.close().await;
        swept
    }

    async fn sweep(&self) -> usize {
        file::sweep::sweep(&self.server.app)
            .await
            .unwrap_or_else(|error| panic!("{}", error.message()))
    }

    /// As many sweeps as an ordinary day has, so that only the days count.
    async fn sweep_for_a_day(&self) {
        for _ in 0..24 {
            assert_eq!(self.sweep().await, 0);
        }
    }

    /// Blobs that no row knows, as an interrupted upload leaves one.
    fn strays(&self, count: usize) -> Vec<PathBuf> {
        let stray = |number| {
            let sha256 = format!("{:x}", Sha256::digest(format!("stray {number}")));
            let folder = self.server.data.path().join("blobs").join(&sha256[..2]);
            std::fs::create_dir_all(&folder).unwrap();
            let path = folder.join(sha256);
            std::fs::write(&path, "stray").unwrap();
            path
        };
        (0..count).map(stray).collect()
    }

    async fn check_served(&self, count: usize) {
        for number in 0..count {
            let answer = self.admin.get(&format!("{BASE}/{number}.bin")).await;
            assert_eq!(answer.text().await.unwrap(), format!("file {number}"));
        }
    }
}

/// A database as it was: a file by itself, of a registry with one model and a version.
async fn older_database(folder: &Path) -> PathBuf {
    let path = folder.join("yesterday.sqlite");
    let data = Arc::new(tempfile::tempdir().unwrap());
    let server = Server::start_on(data, &Db::sqlite_url(&path), &[]).await;
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("0.9.0")).await;
    server.app.db.close().await;
    path
}

/// Damages an index, as a disk may: what does not use it is read as before.
async fn damage(database: &Path) {
    let db = Db::open(&Db::sqlite_url(database)).await.unwrap();
    let page = "SELECT rootpage FROM sqlite_master WHERE name = 'events_of_actor'";
    let (page,): (i64,) = query(page).fetch_one(&db).await.unwrap();
    db.close().await;
    let mut bytes = std::fs::read(database).unwrap();
    let from = usize::try_from(page - 1).unwrap() * 4096;
    bytes[from..from + 64].fill(0xff);
    std::fs::write(database, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_outlive_a_start_with_another_an_older_an_empty_or_a_damaged_database() {
    let world = World::with_files(20).await;
    let folder = tempfile::tempdir().unwrap();
    let (other, empty) =
        (folder.path().join("other.sqlite"), folder.path().join("registry.sqlite"));
    let older = older_database(folder.path()).await;
    std::fs::write(&empty, "").unwrap();
    for database in [&other, &older, &empty] {
        assert_eq!(world.sweep_with(database).await, Ok(0), "{}", database.display());
    }
    world.check_served(20).await;

    // A database that knows of no version is not to be believed, however often it is started with.
    for day in 1..20 {
        world.day(day);
        for database in [&other, &empty] {
            assert_eq!(world.sweep_with(database).await, Ok(0));
        }
    }
    // The right one in between, and nothing is unused any more.
    assert_eq!(world.sweep().await, 0);
    assert_eq!(world.sweep_with(&older).await, Ok(0));
    // Seen by all sweeps for long enough; but the database is damaged.
    world.day(40);
    damage(&older).await;
    assert!(!matches!(world.sweep_with(&older).await, Ok(1..)));
    world.check_served(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_unused_for_seven_days_goes_a_part_at_a_time() {
    let world = World::with_files(3).await;
    let draft = world.admin.create_version(Some("1.1.0")).await["version"].take();
    let draft = format!("/files/vision/ocr/{}", draft.as_str().unwrap());
    for name in ["drop", "back"] {
        assert_eq!(world.admin.put(&format!("{draft}/{name}"), name).await.status(), 201);
        let delete = "mutation($path: String!) { deleteFile(input: {
            model: \"vision/ocr\", version: \"1.1.0\", path: $path}) { file { path } } }";
        world.admin.ok(delete, json!({ "path": name })).await;
    }
    let strays = world.strays(130);
    let left = || strays.iter().filter(|path| path.exists()).count();
    assert_eq!(world.sweep().await, 0);
    world.day(8);
    assert_eq!(
        world.sweep().await,
        0,
        "a clock that jumps, or a server that stood still, proves nothing"
    );
    world.day(0);
    world.sweep_for_a_day().await;
    world.day(3);
    assert_eq!(world.admin.put(&format!("{draft}/back"), "back").await.status(), 201);
    assert_eq!(world.sweep().await, 0);
    world.day(6);
    assert_eq!((world.sweep().await, left()), (0, 130));
    world.day(7);
    assert_eq!(world.sweep().await, 100, "a tenth of all, or 100");
    assert_eq!(world.sweep().await, 31);
    assert_eq!((world.sweep().await, left()), (0, 0));
    world.check_served(3).await;
    assert_eq!(world.admin.get(&format!("{draft}/back")).await.text().await.unwrap(), "back");

    // What went can come again, and is new then.
    assert_eq!(world.admin.put(&format!("{draft}/drop"), "drop").await.status(), 201);
    assert_eq!(world.admin.get(&format!("{draft}/drop")).await.text().await.unwrap(), "drop");
    assert_eq!(world.server.count("SELECT COUNT(*) FROM blobs").await, 5);
    world.strays(1);
    world.day(8);
    assert_eq!((world.sweep().await, left()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_that_cannot_be_read_begins_anew() {
    let world = World::with_files(1).await;
    world.strays(1);
    assert_eq!(world.sweep().await, 0);
    let memory = world.server.data.path().join("unused.json");
    assert!(memory.exists());
    std::fs::write(&memory, "{\"cut").unwrap();
    world.day(7);
    world.sweep_for_a_day().await;
    world.day(14);
    assert_eq!(world.sweep().await, 1);
}
