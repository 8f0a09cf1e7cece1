//! Several storages: files are moved from one to another while they are read and written, by hand; by rules in [`placement`](crate::placement).
//!
//! The second storage is a folder, or an object store where there is one to try.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use model_registry::db::{Db, query};
use model_registry::registry::catalog::blob::mover::{Moved, Mover};
use model_registry::registry::catalog::blob::sweep::Sweep;
use model_registry::registry::catalog::blob::verify::Verify;
use model_registry::store::Storages;
use model_registry::time::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{CREATE_PROJECT, Caller, Server, database, direct, storage};
use crate::tus;

pub const BASE: &str = "/files/vision/ocr/1.0.0";

/// A registry with two storages, `default` and `archive`, and the draft of a version.
pub struct World {
    pub server: Server,
    pub admin: Caller,
    archive: String,
    _folder: TempDir,
}

/// Where a storage can be, under a name.
pub fn second(folder: &TempDir, name: &str) -> String {
    let url = storage().unwrap_or_else(|| format!("file:{}", folder.path().display()));
    format!("{name}={url}")
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let archive = second(&folder, "archive");
        let flags = ["--storage", "default=file:", "--storage", &archive];
        let server = Server::start_with(&flags).await;
        let admin = server.admin().await;
        admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
        admin.create_model("ocr").await;
        admin.create_version(Some("1.0.0")).await;
        Self { server, admin, archive, _folder: folder }
    }

    pub fn now(&self) -> Timestamp {
        self.server.app.clock.now()
    }

    /// Runs the program beside the server.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let storages = format!("default=file:,{}", self.archive);
        run(arguments, self.server.data.path(), (&self.server.database, &storages))
    }

    /// Moves all files, as an operator does.
    fn move_all(&self, from: &str, to: &str) -> String {
        let done = self.run(&["storage", "move", "--from", from, "--to", to]);
        assert!(done.status.success(), "{}", text(&done));
        text(&done)
    }

    /// A sweep after which what is unused stays for so many days.
    pub async fn sweep(&self, days: u32) -> usize {
        let app = &self.server.app;
        let swept = Sweep::new(&app.db, &app.storages, self.now(), days).run().await;
        swept.unwrap_or_else(|error| panic!("{}", error.message()))
    }

    /// The folder of the second storage.
    fn folder(&self) -> PathBuf {
        self.archive.split_once("file:").unwrap().1.into()
    }

    /// Where the object of a file is in a folder.
    async fn object(&self, storage: &str, name: &str) -> PathBuf {
        let key = "SELECT c.key FROM copies c JOIN files f ON f.sha256 = c.sha256
                   WHERE f.path = $1 AND c.storage = $2 AND c.state = 'READY'";
        let key = query(key).bind(name).bind(storage);
        let (key,): (String,) = key.fetch_one(&self.server.app.db).await.unwrap();
        match storage {
            "default" => self.server.data.path().join(key),
            _ => self.folder().join(key),
        }
    }

    /// How many copies there are in a storage in this state.
    pub async fn copies(&self, storage: &str, state: &str) -> i64 {
        let count = query("SELECT COUNT(*) FROM copies WHERE storage = $1 AND state = $2");
        let (count,): (i64,) =
            count.bind(storage).bind(state).fetch_one(&self.server.app.db).await.unwrap();
        count
    }

    pub async fn check_whole(&self) {
        let app = &self.server.app;
        let verify = Verify {
            db: &app.db,
            storages: &app.storages,
            clock: &app.clock,
            quick: false,
            progress: &|_| {},
        };
        let report = verify.run(false, None).await.ok().unwrap();
        assert!(report.is_clean(), "{report:?}");
    }

    pub async fn check(&self, name: &str, bytes: &[u8]) {
        let answer = self.admin.get(&format!("{BASE}/{name}")).await;
        assert_eq!(answer.status(), 200, "{name}");
        assert!(answer.bytes().await.unwrap() == bytes, "{name} has other bytes");
    }
}

fn run(arguments: &[&str], data: &Path, (database, storages): (&str, &str)) -> Output {
    Command::new(env!("CARGO_BIN_EXE_model-registry"))
        .args(arguments)
        .env("MODEL_REGISTRY_DATA", data)
        .env("MODEL_REGISTRY_DATABASE", database)
        .envs(direct(database))
        .env("MODEL_REGISTRY_STORAGE", storages)
        .output()
        .unwrap()
}

/// What a program said.
pub fn text(done: &Output) -> String {
    String::from_utf8_lossy(&[&*done.stdout, &*done.stderr].concat()).into_owned()
}

pub fn bytes(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_files_are_moved_while_they_are_read_and_back() {
    let world = World::new().await;
    let files: Vec<_> = [0, 1, 70_000, 9 << 20, 20 << 20]
        .into_iter()
        .enumerate()
        .map(|(seed, length)| (format!("{length}.bin"), bytes(seed as u8, length)))
        .collect();
    for (name, bytes) in &files {
        assert_eq!(world.admin.put(&format!("{BASE}/{name}"), bytes.clone()).await.status(), 201);
    }
    // Somebody reads slowly, from before the move until after what was moved is removed.
    let slow = world.admin.get(&format!("{BASE}/20971520.bin")).await;
    let mut slow = slow.bytes_stream();
    let mut came = slow.next().await.unwrap().unwrap().to_vec();

    world.move_all("default", "archive");
    assert_eq!(world.copies("archive", "READY").await, files.len() as i64);
    assert_eq!(world.copies("default", "RETIRING").await, files.len() as i64);
    assert_eq!(world.copies("default", "READY").await, 0);
    for (name, bytes) in &files {
        world.check(name, bytes).await;
    }
    // They stay as long as everything that is unused, and go when that is over.
    assert_eq!(world.sweep(7).await, 0);
    assert_eq!(world.sweep(0).await, files.len());
    assert_eq!(world.copies("default", "GONE").await, files.len() as i64);
    while let Some(piece) = slow.next().await {
        came.extend(piece.unwrap());
    }
    assert!(came == files[4].1);
    for (name, bytes) in &files {
        world.check(name, bytes).await;
    }
    world.check_whole().await;

    // The same bytes again are in the first storage, too, where uploads go.
    assert_eq!(world.admin.put(&format!("{BASE}/again"), files[2].1.clone()).await.status(), 201);
    assert_eq!(world.copies("default", "READY").await, 1);
    world.move_all("archive", "default");
    assert_eq!(world.copies("default", "READY").await, files.len() as i64);
    assert_eq!(world.sweep(0).await, files.len());
    for (name, bytes) in &files {
        world.check(name, bytes).await;
    }
    world.check_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_good_copy_is_never_removed() {
    let world = World::new().await;
    let (db, kept) = (&world.server.app.db, bytes(1, 50_000));
    assert_eq!(world.admin.put(&format!("{BASE}/f"), kept.clone()).await.status(), 201);
    world.move_all("default", "archive");
    // What was moved is found wrong there, before the other copy goes.
    query("UPDATE copies SET state = 'SUSPECT' WHERE storage = 'archive'").alone(db).await.unwrap();
    world.check("f", &kept).await;
    assert_eq!(world.sweep(7).await, 0);
    assert_eq!(world.copies("default", "READY").await, 1);
    assert_eq!(world.sweep(0).await, 1, "the one that is wrong");
    world.check("f", &kept).await;

    // Nothing is removed while an operator must look into it.
    world.move_all("default", "archive");
    let pause = "UPDATE registry SET sweep_not_before_ms = 9000000000000";
    query(pause).alone(db).await.unwrap();
    assert_eq!(world.sweep(0).await, 0);
    query("UPDATE registry SET sweep_not_before_ms = 0").alone(db).await.unwrap();
    assert_eq!(world.sweep(0).await, 1);
    world.check("f", &kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_storage_lost_is_not_counted_on() {
    if storage().is_some() {
        return;
    }
    let world = World::new().await;
    let kept = bytes(1, 50_000);
    let put = async |name: &str| {
        assert_eq!(world.admin.put(&format!("{BASE}/{name}"), kept.clone()).await.status(), 201);
    };
    put("f").await;
    world.move_all("default", "archive");
    // The object is gone where it was moved to: the one that retires stays.
    let moved = world.object("archive", "f").await;
    std::fs::remove_file(&moved).unwrap();
    assert_eq!(world.sweep(0).await, 0);
    assert_eq!(world.copies("archive", "SUSPECT").await, 1);
    assert_eq!(world.sweep(0).await, 1);
    assert_eq!(world.copies("default", "READY").await, 1);
    world.check("f", &kept).await;

    // The same where a storage had the bytes before: they are read before they are counted on.
    world.move_all("default", "archive");
    assert_eq!(world.sweep(0).await, 1);
    std::fs::write(world.object("archive", "f").await, "rotten".repeat(10_000)).unwrap();
    put("again").await;
    assert_eq!(world.copies("default", "READY").await, 1);
    world.move_all("default", "archive");
    assert_eq!(world.copies("archive", "SUSPECT").await, 1);
    assert_eq!(world.copies("archive", "READY").await, 1);
    world.check("f", &kept).await;
    world.sweep(0).await;
    world.check("f", &kept).await;
    world.check_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_not_mounted_takes_nothing_and_loses_nothing() {
    if storage().is_some() {
        return;
    }
    let world = World::new().await;
    let put = async |name: &str, seed: u8| {
        let put = world.admin.put(&format!("{BASE}/{name}"), bytes(seed, 5000)).await;
        assert_eq!(put.status(), 201);
    };
    put("archived", 1).await;
    world.move_all("default", "archive");
    assert_eq!(world.sweep(0).await, 1);
    put("moved", 2).await;
    world.move_all("default", "archive");
    put("new", 3).await;
    let (folder, away) = (world.folder(), world.folder().with_extension("away"));
    std::fs::rename(&folder, &away).unwrap();
    std::fs::create_dir(&folder).unwrap();
    // What is there twice is read from where it can be, and the other one is not taken for lost.
    world.check("moved", &bytes(2, 5000)).await;
    let gone = world.admin.get(&format!("{BASE}/archived")).await;
    assert!(gone.status().is_server_error(), "{}", gone.status());
    let app = &world.server.app;
    let mover = Mover::new(&app.db, &app.storages, &app.clock);
    let copy = mover.after("default", "", 1).await.ok().unwrap().remove(0);
    assert!(mover.move_to(app.storages.find("archive").unwrap(), &copy).await.is_err());
    assert_eq!(world.sweep(0).await, 0, "nothing goes that may be the last");
    let ready: Value = world.admin.get("/readyz").await.json().await.unwrap();
    assert_eq!(
        (&ready["state"], &ready["otherStorages"]["archive"]),
        (&json!("ready"), &json!(false))
    );
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    for (name, seed) in [("archived", 1), ("moved", 2), ("new", 3)] {
        world.check(name, &bytes(seed, 5000)).await;
    }
    world.check_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_wrong_is_not_moved_and_stays_known() {
    if storage().is_some() {
        return;
    }
    let world = World::new().await;
    for name in ["good", "bad"] {
        let put = world.admin.put(&format!("{BASE}/{name}"), name.repeat(1000)).await;
        assert_eq!(put.status(), 201);
    }
    let key = "SELECT c.key FROM copies c JOIN files f ON f.sha256 = c.sha256 WHERE f.path = 'bad'";
    let (key,): (String,) = query(key).fetch_one(&world.server.app.db).await.unwrap();
    let object = world.server.data.path().join(key);
    std::fs::write(object, "BAD".repeat(1000)).unwrap();
    let app = &world.server.app;
    let mover = Mover::new(&app.db, &app.storages, &app.clock);
    let archive = app.storages.find("archive").unwrap();
    let mut refused = 0;
    for copy in mover.after("default", "", 10).await.ok().unwrap() {
        refused += usize::from(matches!(mover.move_to(archive, &copy).await, Ok(Moved::Bad(_))));
    }
    assert_eq!(refused, 1);
    assert_eq!(world.copies("default", "SUSPECT").await, 1);
    assert_eq!(world.copies("archive", "READY").await, 1);
    let left: usize = std::fs::read_dir(world.folder().join("blobs"))
        .unwrap()
        .map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count())
        .sum();
    assert_eq!(left, 1, "nothing is left of what was not moved");
}

#[tokio::test(flavor = "multi_thread")]
async fn moves_uploads_deletions_and_sweeps_at_once_lose_nothing() {
    let world = Arc::new(World::new().await);
    let ends = Arc::new(AtomicBool::new(false));
    let moving = {
        let (world, ends) = (world.clone(), ends.clone());
        tokio::spawn(async move {
            let app = &world.server.app;
            let mover = Mover::new(&app.db, &app.storages, &app.clock);
            let mut moved = 0;
            while !ends.load(Ordering::Relaxed) {
                for (from, to) in [("default", "archive"), ("archive", "default")] {
                    let to = app.storages.find(to).unwrap();
                    for copy in mover.after(from, "", 100).await.ok().unwrap() {
                        match mover.move_to(to, &copy).await {
                            Ok(Moved::Bad(finding)) => panic!("{finding:?}"),
                            done => {
                                moved += usize::from(
                                    done.unwrap_or_else(|e| panic!("{e:?}")) == Moved::Copied,
                                )
                            }
                        }
                    }
                }
            }
            moved
        })
    };
    let sweeping = {
        let (world, ends) = (world.clone(), ends.clone());
        tokio::spawn(async move {
            let app = &world.server.app;
            while !ends.load(Ordering::Relaxed) {
                // Nothing that is unused is kept, nor what was moved; but objects that have no row yet.
                let now = app.clock.now();
                let sweep = Sweep::new(&app.db, &app.storages, now, 0).without_listing();
                sweep.run().await.unwrap_or_else(|error| panic!("{error:?}"));
            }
        })
    };
    let delete = "mutation($path: String!) { deleteFile(input: {
        model: \"vision/ocr\", version: \"1.0.0\", path: $path}) { file { path } } }";
    for round in 0..25_usize {
        for number in 0..4 {
            let (name, bytes) = (format!("{number}"), bytes((round + number) as u8 % 6, 3000));
            let put = world.admin.put(&format!("{BASE}/{name}"), bytes.clone()).await;
            assert!(put.status().is_success(), "{}", put.text().await.unwrap());
            world.check(&name, &bytes).await;
            if number % 2 == 0 || round < 24 {
                world.admin.ok(delete, json!({ "path": name })).await;
            }
        }
    }
    ends.store(true, Ordering::Relaxed);
    assert!(moving.await.unwrap() > 3);
    sweeping.await.unwrap();
    for number in [1, 3] {
        world.check(&number.to_string(), &bytes((24 + number) as u8 % 6, 3000)).await;
    }
    let lost = "SELECT COUNT(*) FROM files f WHERE NOT EXISTS
        (SELECT 1 FROM copies c WHERE c.sha256 = f.sha256 AND c.state = 'READY')";
    assert_eq!(world.server.count(lost).await, 0);
    world.check_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_folders_are_backed_up_and_restored() {
    if storage().is_some() || std::env::var("MODEL_REGISTRY_TEST_POSTGRES").is_ok() {
        return;
    }
    let world = World::new().await;
    for (name, seed) in [("archived", 1), ("moved", 2), ("here", 3)] {
        let put = world.admin.put(&format!("{BASE}/{name}"), bytes(seed, 5000)).await;
        assert_eq!(put.status(), 201);
        if name == "archived" {
            world.move_all("default", "archive");
            assert_eq!(world.sweep(0).await, 1);
        }
        if name == "moved" {
            world.move_all("default", "archive");
        }
    }
    let backup = tempfile::tempdir().unwrap();
    let to = backup.path().to_str().unwrap();
    let made = world.run(&["backup", to]);
    assert!(made.status.success(), "{}", text(&made));

    let (data, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = Db::sqlite_url(&data.path().join("registry.sqlite"));
    let second = format!("archive=file:{}", archive.path().display());
    let storages = format!("file:,{second}");
    let restored = run(&["restore", to], data.path(), (&url, &storages));
    assert!(restored.status.success(), "{}", text(&restored));
    let verified = run(&["verify"], data.path(), (&url, &storages));
    assert!(verified.status.success(), "{}", text(&verified));
    let flags = ["--storage", "file:", "--storage", &second];
    let server = Server::start_on(Arc::new(data), &url, &flags).await;
    let admin = server.admin().await;
    for (name, seed) in [("archived", 1), ("moved", 2), ("here", 3)] {
        let file = admin.get(&format!("{BASE}/{name}")).await;
        assert!(file.bytes().await.unwrap() == bytes(seed, 5000), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_begins_anew_where_uploads_go_to_another_storage() {
    let (data, other) = (Arc::new(tempfile::tempdir().unwrap()), tempfile::tempdir().unwrap());
    let url = database(&data).await;
    let next = second(&other, "next");
    let both = ["--storage", "default=file:", "--storage", &next];
    let server = Server::start_on(data.clone(), &url, &both).await;
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("1.0.0")).await;
    let all = bytes(1, 200_000);
    let upload = tus::begun(&admin, &format!("{BASE}/f"), all.len() as u64).await;
    assert_eq!(tus::patch(&admin, &upload, 0, all[..150_000].to_vec()).await.status(), 204);
    drop(server);
    for _ in 0..500 {
        if Storages::open(data.path(), &[]).is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let other_way = ["--storage", &next, "--storage", "default=file:"];
    let server = Server::start_on(data, &url, &other_way).await;
    let admin = Caller { url: server.url.clone(), ..admin };
    let upload = &upload[upload.find("/api/").unwrap()..];
    assert_eq!(tus::offset(&admin, upload).await, 0);
    assert_eq!(tus::patch(&admin, upload, 0, all.clone()).await.status(), 204);
    let file = admin.get(&format!("{BASE}/f")).await;
    assert!(file.bytes().await.unwrap() == all);
}
