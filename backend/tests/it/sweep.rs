//! The sweep of what no file names: what goes, when, and what never does.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model_registry::db::query;
use model_registry::registry::catalog::blob::sweep::Sweep;
use model_registry::time::Clock;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::damage;
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
        // The server's own first sweep is of before all this.
        let swept = async {
            while server.count("SELECT sweeps FROM registry").await == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), swept).await.expect("it begins");
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

    async fn sweep(&self) -> usize {
        let swept = Sweep::of(&self.server.app).run().await;
        swept.unwrap_or_else(|error| panic!("{}", error.message()))
    }

    /// As many sweeps as an ordinary day has, so that only the days count.
    async fn sweep_for_a_day(&self) {
        for _ in 0..24 {
            assert_eq!(self.sweep().await, 0);
        }
    }

    /// Objects that no row names, as an interrupted upload leaves one, with keys of this day or of before keys had one.
    fn strays(&self, day: Option<i64>, count: usize) -> Vec<PathBuf> {
        let stray = |number| {
            let sha256 = hex::encode(Sha256::digest(format!("stray {number}")));
            let (folder, name) = match day {
                Some(day) => {
                    let id =
                        format!("{:012x}7000800000000000{number:04x}", START_MS + day * DAY_MS);
                    (id[30..].to_owned(), format!("{sha256}.{id}"))
                }
                None => (sha256[..2].to_owned(), sha256),
            };
            let folder = self.server.data.path().join("blobs").join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            let path = folder.join(name);
            std::fs::write(&path, "stray").unwrap();
            path
        };
        (0..count).map(stray).collect()
    }

    /// Puts a file into a draft and deletes it again.
    async fn drop_file(&self, draft: &str, name: &str) {
        assert_eq!(self.admin.put(&format!("{draft}/{name}"), name.to_owned()).await.status(), 201);
        let delete = "mutation($path: String!) { deleteFile(input: {
            model: \"vision/ocr\", version: \"1.1.0\", path: $path}) { file { path } } }";
        self.admin.ok(delete, json!({ "path": name })).await;
    }

    async fn draft(&self) -> &'static str {
        self.admin.create_version(Some("1.1.0")).await;
        "/files/vision/ocr/1.1.0"
    }

    async fn check_served(&self, count: usize) {
        for number in 0..count {
            let answer = self.admin.get(&format!("{BASE}/{number}.bin")).await;
            assert_eq!(answer.text().await.unwrap(), format!("file {number}"));
        }
    }

    /// How many objects there are, known or not.
    fn objects(&self) -> usize {
        let folders = std::fs::read_dir(self.server.data.path().join("blobs")).unwrap();
        folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_unused_for_seven_days_goes_a_part_at_a_time() {
    let world = World::with_files(3).await;
    let draft = world.draft().await;
    for name in ["drop", "back"] {
        world.drop_file(draft, name).await;
    }
    let strays = world.strays(Some(0), 130);
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
    assert_eq!(world.objects(), 3 + 2 + 130, "the object that was unused is the copy again");
    assert_eq!(world.sweep().await, 0);
    world.day(6);
    assert_eq!((world.sweep().await, left()), (0, 130));
    world.day(7);
    let due = Sweep::of(&world.server.app).due().await.ok().unwrap();
    assert_eq!((due.blobs.len(), due.objects.len(), due.more), (1, 99, true));
    assert_eq!(left(), 130, "who only asks what is due removes nothing");
    assert_eq!(world.sweep().await, 100, "a tenth of all, or 100");
    assert_eq!(world.sweep().await, 31);
    assert_eq!((world.sweep().await, left()), (0, 0));
    world.check_served(3).await;
    assert_eq!(world.admin.get(&format!("{draft}/back")).await.text().await.unwrap(), "back");

    // What went can come again, and is new then, under a key of its own.
    assert_eq!(world.admin.put(&format!("{draft}/drop"), "drop").await.status(), 201);
    assert_eq!(world.admin.get(&format!("{draft}/drop")).await.text().await.unwrap(), "drop");
    assert_eq!(world.server.count("SELECT COUNT(*) FROM blobs").await, 5);
    let keys = "SELECT COUNT(*) FROM copies WHERE sha256 IN (SELECT sha256 FROM copies WHERE state = 'GONE')";
    assert_eq!(world.server.count(keys).await, 132);
    world.day(38);
    assert_eq!(world.sweep().await, 0);
    assert_eq!(world.server.count("SELECT COUNT(*) FROM copies").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_before_keys_were_given_once_stay_for_a_month() {
    let world = World::with_files(1).await;
    world.strays(None, 1);
    assert_eq!(world.sweep().await, 0);
    world.day(29);
    world.sweep_for_a_day().await;
    world.day(30);
    assert_eq!(world.sweep().await, 1);
    world.check_served(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_database_that_is_older_than_the_files_nothing_goes_for_a_month() {
    let world = World::with_files(1).await;
    let draft = world.draft().await;
    world.drop_file(draft, "drop").await;
    world.sweep_for_a_day().await;
    world.strays(Some(6), 1);
    world.day(8);
    assert_eq!(world.sweep().await, 0, "the stray is newer than all that the database knows");
    world.day(37);
    world.sweep_for_a_day().await;
    world.day(38);
    assert_eq!(world.sweep().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_where_an_index_lost_what_the_table_has() {
    if std::env::var("MODEL_REGISTRY_TEST_POSTGRES").is_ok() {
        return; // The damage is made in a file.
    }
    for (column, index, of, left) in [
        (("files", "sha256"), "files_of_blob", "path = '0.bin'", 5),
        (("copies", "key"), "sqlite_autoindex_copies_1", "size = 6 AND state = 'READY'", 5),
        // What is not found there is not removed either.
        (("blobs", "sha256"), "sqlite_autoindex_blobs_1", "size = 6", 3),
    ] {
        let world = World::with_files(3).await;
        let draft = world.draft().await;
        world.drop_file(draft, "drop").await;
        world.strays(Some(0), 1);
        let file = world.server.data.path().join("registry.sqlite");
        damage::lose_entries(&file, column, index, of).await;
        let (said,): (String,) =
            query("PRAGMA quick_check").fetch_one(&world.server.app.db).await.unwrap();
        assert_eq!(said, "ok", "the quick check sees nothing");
        for day in [0, 8, 60] {
            world.day(day);
            for _ in 0..24 {
                world.sweep().await;
            }
        }
        assert_eq!(world.objects(), left, "{index}");
        world.check_served(3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_bytes_is_what_the_sweep_asks() {
    if std::env::var("MODEL_REGISTRY_TEST_POSTGRES").is_ok() {
        return; // The schema is the same.
    }
    let server = Server::start().await;
    let needs: Vec<(String,)> = query(
        "SELECT t.name FROM sqlite_master t, pragma_foreign_key_list(t.name) k
         WHERE t.type = 'table' AND k.\"table\" = 'blobs' AND k.on_delete <> 'CASCADE' ORDER BY t.name",
    )
    .fetch_all(&server.app.db)
    .await
    .unwrap();
    assert_eq!(
        needs,
        [("files".to_owned(),)],
        "a table that needs bytes must be asked by the sweep"
    );
}
