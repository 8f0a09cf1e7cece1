//! Several storages: files are moved from one to another while they are read and written, by hand and by rules.
//!
//! The second storage is a folder, or an object store where there is one to try.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use futures_util::future::join_all;
use model_registry::db::{Db, query};
use model_registry::registry::catalog::blob::mover::{Moved, Mover};
use model_registry::registry::catalog::blob::pairing;
use model_registry::registry::catalog::blob::sweep::Sweep;
use model_registry::registry::catalog::blob::verify::Verify;
use model_registry::registry::lifecycle::placement::plan;
use model_registry::store::{Storage, Storages};
use model_registry::time::{Clock, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{CREATE_PROJECT, Caller, Server, database, storage};
use crate::tus;

const BASE: &str = "/files/vision/ocr/1.0.0";
const DAY_SECONDS: i64 = 24 * 3600;

/// A registry with two storages, `default` and `archive`, and the draft of a version.
struct World {
    server: Server,
    admin: Caller,
    archive: String,
    _folder: TempDir,
}

/// Where a storage can be, under a name.
fn second(folder: &TempDir, name: &str) -> String {
    let url = storage().unwrap_or_else(|| format!("file:{}", folder.path().display()));
    format!("{name}={url}")
}

impl World {
    async fn new() -> Self {
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

    fn now(&self) -> Timestamp {
        self.server.app.clock.now()
    }

    /// Runs the program beside the server.
    fn run(&self, arguments: &[&str]) -> Output {
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
    async fn sweep(&self, days: u32) -> usize {
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
    async fn copies(&self, storage: &str, state: &str) -> i64 {
        let count = query("SELECT COUNT(*) FROM copies WHERE storage = $1 AND state = $2");
        let (count,): (i64,) =
            count.bind(storage).bind(state).fetch_one(&self.server.app.db).await.unwrap();
        count
    }

    async fn check_whole(&self) {
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

    async fn check(&self, name: &str, bytes: &[u8]) {
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
        .env("MODEL_REGISTRY_STORAGE", storages)
        .output()
        .unwrap()
}

/// What a program said.
fn text(done: &Output) -> String {
    String::from_utf8_lossy(&[&*done.stdout, &*done.stderr].concat()).into_owned()
}

fn bytes(seed: u8, length: usize) -> Vec<u8> {
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

const RULES: &str = "mutation($rules: [StorageRuleInput!]!) {
    setStorageRules(input: {rules: $rules}) { rules { storage alias minSize project { path } } } }";
const PREVIEW: &str = "query($rules: [StorageRuleInput!]) {
    storagePreview(rules: $rules) { isComplete flows { from to fileCount byteCount } } }";

#[tokio::test(flavor = "multi_thread")]
async fn rules_move_what_nobody_uses_and_bring_back_what_somebody_does() {
    let world = World::new().await;
    let (admin, app) = (&world.admin, &world.server.app);
    let put = async |version: &str, name: &str, seed: u8, length: usize| {
        let path = format!("/files/vision/ocr/{version}/{name}");
        assert_eq!(admin.put(&path, bytes(seed, length)).await.status(), 201);
    };
    admin.create_version(Some("2.0.0")).await;
    put("1.0.0", "weights", 1, 2 << 20).await;
    put("2.0.0", "weights", 2, 2 << 20).await;
    for version in ["1.0.0", "2.0.0"] {
        // The same bytes, and what is too small to be worth it.
        put(version, "shared", 3, 2 << 20).await;
        put(version, "config", version.as_bytes()[0], 1000).await;
        admin.publish(version).await;
    }
    let set = "mutation { setAlias(input: {model: \"vision/ocr\", name: \"production\",
        version: \"2.0.0\"}) { alias { name } } }";
    admin.ok(set, json!({})).await;

    let rules = json!([
        { "storage": "default", "alias": "production" },
        { "storage": "archive", "project": "vision", "kind": "VERSION", "isUnaliased": true },
    ]);
    let preview = admin.ok(PREVIEW, json!({ "rules": rules })).await;
    let expected = json!([
        { "from": "default", "to": "archive", "fileCount": 1, "byteCount": 2 << 20 },
    ]);
    assert_eq!(preview["storagePreview"]["flows"], expected);
    assert_eq!(preview["storagePreview"]["isComplete"], true);
    // Shown only: nothing is moved by that, nor without rules.
    let applied = async || plan::apply(&app.db, &app.storages, &app.clock).await.ok().unwrap();
    assert_eq!(applied().await.files, 0);

    let kept = admin.ok(RULES, json!({ "rules": rules })).await;
    let kept = &kept["setStorageRules"]["rules"];
    assert_eq!(kept[1]["project"]["path"], "vision");
    assert_eq!((&kept[0]["alias"], &kept[0]["minSize"]), (&json!("production"), &json!(1 << 20)));
    // Beside the server, or by it once a day.
    let dry = text(&world.run(&["storage", "apply", "--dry-run"]));
    assert!(dry.contains("1 files, 2.00 MiB, would be moved from default to archive"), "{dry}");
    let done = text(&world.run(&["storage", "apply"]));
    assert!(done.contains("1 files, 2.00 MiB, were moved; 0 could not be"), "{done}");
    assert_eq!(applied().await.files, 0);
    assert_eq!(world.copies("archive", "READY").await, 1);
    world.check("weights", &bytes(1, 2 << 20)).await;

    // The alias goes back to what was archived: its files come back, and those of the other version go.
    admin.ok(&set.replace("2.0.0", "1.0.0"), json!({})).await;
    let preview = admin.ok(PREVIEW, json!({})).await;
    let flows = preview["storagePreview"]["flows"].as_array().unwrap();
    let of =
        |from: &str| flows.iter().find(|flow| flow["from"] == *from).unwrap()["fileCount"].clone();
    assert_eq!((flows.len(), of("archive"), of("default")), (2, json!(1), json!(1)));
    assert_eq!(applied().await.files, 2);
    world.check("weights", &bytes(1, 2 << 20)).await;
    assert_eq!(world.sweep(0).await, 2);
    world.check_whole().await;

    let log = admin.ok("{ events(first: 10) { nodes { action subject } } }", json!({})).await;
    assert_eq!(log["events"]["nodes"][1]["action"], "storage.set", "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_made_from_a_run_is_moved_with_its_bytes() {
    let world = World::new().await;
    let (admin, app) = (&world.admin, &world.server.app);
    let create =
        "mutation { createCandidate(input: {model: \"vision/ocr\"}) { candidate { number } } }";
    admin.ok(create, json!({})).await;
    let path = "/files/vision/ocr/candidate:1/weights";
    assert_eq!(admin.put(path, bytes(1, 2 << 20)).await.status(), 201);
    let promote = "mutation { promoteCandidate(input: {model: \"vision/ocr\", candidate: 1, version: \"3.0.0\"}) {
        modelVersion { id } } }";
    admin.ok(promote, json!({})).await;
    // What only a run has stays, and what no rule is for.
    let other = "/files/vision/ocr/candidate:1/log";
    assert_eq!(admin.put(other, bytes(2, 2 << 20)).await.status(), 201);
    let rules = json!([{ "storage": "archive", "isUnaliased": true }]);
    admin.ok(RULES, json!({ "rules": rules })).await;
    let applied = plan::apply(&app.db, &app.storages, &app.clock).await.ok().unwrap();
    assert_eq!((applied.files, applied.bytes), (1, 2 << 20));
    // Whoever comes second replaces what the first one set, also where several come at once.
    let set = async |alias: &str| {
        let rules = json!([{ "storage": "archive", "alias": alias }, { "storage": "default" }]);
        admin.ok(RULES, json!({ "rules": rules })).await
    };
    join_all(["a", "b", "c", "d", "e"].map(set)).await;
    let rules = admin.ok("{ storageRules { alias } }", json!({})).await;
    assert_eq!(rules["storageRules"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_ask_for_age_downloads_support_size_and_kind() {
    let world = World::new().await;
    let (admin, db) = (&world.admin, &world.server.app.db);
    assert_eq!(admin.put(&format!("{BASE}/f"), bytes(1, 5000)).await.status(), 201);
    admin.publish("1.0.0").await;
    let moves = async |rule: Value| {
        let mut rule = rule;
        rule["storage"] = "archive".into();
        if rule.get("minSize").is_none() {
            rule["minSize"] = 0.into();
        }
        let preview = admin.ok(PREVIEW, json!({ "rules": [rule] })).await;
        !preview["storagePreview"]["flows"].as_array().unwrap().is_empty()
    };
    assert!(moves(json!({})).await);
    assert!(!moves(json!({ "minSize": 5001 })).await);
    assert!(moves(json!({ "minSize": 5000 })).await);
    assert!(!moves(json!({ "kind": "RUN" })).await);
    assert!(!moves(json!({ "alias": "production" })).await);
    assert!(!moves(json!({ "isDeprecated": true })).await);
    assert!(!moves(json!({ "olderThanDays": 1 })).await);
    assert!(!moves(json!({ "notFetchedDays": 30 })).await);
    let ago = |days: i64| world.now().plus_seconds(-days * DAY_SECONDS).millis();
    let script = format!(
        "UPDATE files SET created_at_ms = {old};
         UPDATE model_versions SET created_at_ms = {old}, last_fetched_at_ms = NULL, stage = 'PRODUCTION',
             deprecated_at_ms = 1;",
        old = ago(40)
    );
    db.run_script(&script).await.unwrap();
    assert!(moves(json!({ "olderThanDays": 39 })).await);
    assert!(!moves(json!({ "olderThanDays": 41 })).await);
    assert!(moves(json!({ "notFetchedDays": 30 })).await);
    assert!(moves(json!({ "isDeprecated": true })).await);
    assert!(moves(json!({ "alias": "production" })).await);
    assert!(!moves(json!({ "isUnaliased": true })).await);
    let script = format!("UPDATE model_versions SET last_fetched_at_ms = {}", ago(20));
    db.run_script(&script).await.unwrap();
    assert!(!moves(json!({ "notFetchedDays": 30 })).await);
    for (rule, field) in [
        (json!({ "storage": "nowhere" }), "rules.0.storage"),
        (json!({ "storage": "archive", "project": "nothing" }), "rules.0.project"),
        (json!({ "storage": "archive", "olderThanDays": 0 }), "rules.0.olderThanDays"),
        (json!({ "storage": "archive", "notFetchedDays": -1 }), "rules.0.notFetchedDays"),
        (json!({ "storage": "archive", "minSize": -1 }), "rules.0.minSize"),
        (json!({ "storage": "archive", "alias": "a", "isUnaliased": true }), "rules.0.alias"),
        (json!({ "storage": "archive", "alias": "a\u{0}b" }), "rules.0.alias"),
        (json!({ "storage": "archive", "kind": "RUN", "isDeprecated": true }), "rules.0.kind"),
    ] {
        let refused = admin.refused(RULES, json!({ "rules": [rule] })).await;
        assert_eq!((&*refused.code, &*refused.field), ("INVALID", field));
    }
}

/// What a start of the server does first, with these storages.
async fn start(data: &TempDir, database: &str, storages: &[&str]) -> String {
    let storages: Vec<Storage> = storages.iter().map(|text| text.parse().unwrap()).collect();
    let storages = match Storages::open(data.path(), &storages) {
        Ok(storages) => storages,
        Err(error) => return error.message(),
    };
    let db = Db::open(database).await.unwrap();
    let paired = pairing::pair(&db, &storages, false, Clock::System.now()).await;
    db.close().await;
    paired.err().map(|error| error.message()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_with_files_cannot_be_left_out_nor_have_two_names() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = database(&data).await;
    assert_eq!(start(&data, &url, &[]).await, "");
    let floor = async || {
        let db = Db::open(&url).await.unwrap();
        let (floor,): (i64,) = query("SELECT floor FROM registry").fetch_one(&db).await.unwrap();
        db.close().await;
        floor
    };
    assert_eq!(floor().await, 28, "programs of before know of one storage");
    let (archive, again) = (second(&other, "archive"), second(&other, "again"));
    assert_eq!(start(&data, &url, &["file:", &archive]).await, "");
    assert_eq!(floor().await, 30);
    let again =
        if archive.contains("file:") { again } else { archive.replacen("archive=", "again=", 1) };
    let message = start(&data, &url, &["file:", &again]).await;
    assert!(message.contains("is the storage archive of this registry"), "{message}");
    let message = start(&data, &url, &["file:", "default=s3://models"]).await;
    assert!(message.contains("two with the name default"), "{message}");

    // As long as nothing is in it, it can be left out.
    assert_eq!(start(&data, &url, &["file:"]).await, "");
    assert_eq!(start(&data, &url, &[&archive]).await, "");
    let db = Db::open(&url).await.unwrap();
    let sha256 = "ab".repeat(32);
    let insert = format!(
        "INSERT INTO blobs (sha256, size, created_at_ms) VALUES ('{sha256}', 4, 0);
         INSERT INTO copies (key, storage, sha256, size, state, since_ms, since_sweep)
         VALUES ('a', 'archive', '{sha256}', 4, 'READY', 0, 0);"
    );
    db.run_script(&insert).await.unwrap();
    db.close().await;
    let message = start(&data, &url, &["file:"]).await;
    assert!(message.contains("the storage archive has files that are nowhere else"), "{message}");
    assert_eq!(start(&data, &url, &[&archive, "file:"]).await, "");
    // What is on its way out is elsewhere.
    let moved = format!(
        "UPDATE copies SET state = 'RETIRING';
         INSERT INTO copies (key, storage, sha256, size, state, since_ms, since_sweep)
         VALUES ('b', 'default', '{sha256}', 4, 'READY', 0, 0);"
    );
    let db = Db::open(&url).await.unwrap();
    db.run_script(&moved).await.unwrap();
    db.close().await;
    assert_eq!(start(&data, &url, &["file:"]).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_without_a_second_storage_that_it_knows_and_cannot_reach() {
    let data = tempfile::tempdir().unwrap();
    let url = database(&data).await;
    let dead = "archive=s3://models?endpoint=http://127.0.0.1:1";
    assert_eq!(start(&data, &url, &[]).await, "");
    let message = start(&data, &url, &["file:", dead]).await;
    assert!(message.contains("cannot be used"), "a new one must be right: {message}");
    let db = Db::open(&url).await.unwrap();
    query("UPDATE storages SET id = 'known' WHERE name = 'archive'").alone(&db).await.unwrap();
    db.close().await;
    assert_eq!(start(&data, &url, &["file:", dead]).await, "");
    let message = start(&data, &url, &[dead, "file:"]).await;
    assert!(message.contains("cannot be used"), "the first one is needed: {message}");
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
