//! What operators do: verify, sweep, back up and restore, as the program itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use model_registry::registry::catalog::blob::scrub;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::harness::{Caller, PASSWORD, Server, database, direct};

const BASE: &str = "/files/vision/ocr/1.0.0";

/// A server with files, and its database.
struct World {
    server: Server,
    admin: Caller,
    database: String,
}

impl World {
    async fn new() -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        let database = database(&data).await;
        let server = Server::start_on(data, &database, &[]).await;
        let admin = server.admin().await;
        admin.ok(crate::harness::CREATE_PROJECT, json!({ "path": "vision" })).await;
        admin.create_model("ocr").await;
        admin.create_version(Some("1.0.0")).await;
        for name in ["a", "b", "c"] {
            assert_eq!(admin.put(&format!("{BASE}/{name}"), bytes(name)).await.status(), 201);
        }
        Self { server, admin, database }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(arguments, self.server.data.path(), &self.database)
    }

    fn verify(&self, arguments: &[&str]) -> (i32, Value) {
        let done = self.run(&[&["verify", "--json"], arguments].concat());
        let report = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
        (done.status.code().unwrap(), report)
    }

    async fn delete(&self, path: &str) {
        let delete = "mutation($path: String!) { deleteFile(input: {
            model: \"vision/ocr\", version: \"1.0.0\", path: $path}) { file { path } } }";
        self.admin.ok(delete, json!({ "path": path })).await;
    }

    fn object(&self, name: &str) -> PathBuf {
        object(self.server.data.path(), name)
    }
}

fn run(arguments: &[&str], data: &Path, database: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_model-registry"))
        .args(arguments)
        .env("MODEL_REGISTRY_DATA", data)
        .env("MODEL_REGISTRY_DATABASE", database)
        .envs(direct(database))
        .output()
        .unwrap()
}

fn bytes(name: &str) -> String {
    name.repeat(1000)
}

/// The one object of these bytes in a folder.
fn object(folder: &Path, name: &str) -> PathBuf {
    let sha256 = hex::encode(Sha256::digest(bytes(name)));
    let folders = std::fs::read_dir(folder.join("blobs")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    let mut files = files.map(|file| file.unwrap().path());
    files.find(|file| file.file_name().unwrap().to_str().unwrap().starts_with(&sha256)).unwrap()
}

fn flip(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[17] ^= 1;
    // Another file under the name: a backup may have the same one.
    std::fs::remove_file(file).unwrap();
    std::fs::write(file, bytes).unwrap();
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_what_is_wrong_beside_the_server_and_repairs_it_from_a_backup() {
    let world = World::new().await;
    let (code, report) = world.verify(&[]);
    assert_eq!((code, &report["copies"], &report["bytes"]), (0, &json!(3), &json!(3000)));
    let backup = tempfile::tempdir().unwrap();
    let to = backup.path().to_str().unwrap();
    let done = world.run(&["backup", to]);
    assert!(done.status.success(), "{}", text(&done));

    flip(&world.object("a"));
    std::fs::remove_file(world.object("b")).unwrap();
    assert_eq!(world.verify(&["--quick"]).1["bad"].as_array().unwrap().len(), 1, "sizes only");
    let (code, report) = world.verify(&[]);
    assert_eq!((code, report["bad"].as_array().unwrap().len()), (1, 2), "{report}");
    let mut lost: Vec<&str> = report["lost"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gone| gone["files"][0].as_str().unwrap())
        .collect();
    lost.sort_unstable();
    assert_eq!(lost, ["vision/ocr/1.0.0/a", "vision/ocr/1.0.0/b"]);
    for name in ["a", "b"] {
        assert_eq!(world.admin.get(&format!("{BASE}/{name}")).await.status(), 410, "{name}");
    }
    assert_eq!(world.verify(&["--repair"]).0, 1, "there is nothing here to repair it with");
    let (code, report) = world.verify(&["--repair", "--from", to]);
    assert_eq!((code, report["healed"].as_array().unwrap().len()), (1, 2), "{report}");
    for name in ["a", "b", "c"] {
        let answer = world.admin.get(&format!("{BASE}/{name}")).await;
        assert_eq!(answer.text().await.unwrap(), bytes(name));
    }
    let listed = world.run(&["verify", "--list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let of_a = hex::encode(Sha256::digest(bytes("a")));
    assert_eq!(listed.lines().filter(|line| line.starts_with(&of_a)).count(), 1, "{listed}");

    std::fs::remove_file(world.server.data.path().join("registry.json")).unwrap();
    let done = world.run(&["verify"]);
    assert_eq!(done.status.code(), Some(2), "{}", text(&done));
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_takes_what_an_upload_left_for_what_is_lost() {
    let world = World::new().await;
    let object = world.object("a");
    let name = object.file_name().unwrap().to_str().unwrap();
    let (sha256, id) = name.split_once('.').unwrap();
    let other = format!("{}ff", &id[..30]);
    let folder = world.server.data.path().join("blobs/ff");
    std::fs::create_dir_all(&folder).unwrap();
    let left = folder.join(format!("{sha256}.{other}"));
    std::fs::rename(&object, &left).unwrap();
    let (code, report) = world.verify(&["--repair"]);
    assert_eq!((code, report["unknown"].as_array().unwrap().len()), (1, 0), "it may be arriving");
    let old = std::time::SystemTime::UNIX_EPOCH;
    std::fs::File::options().write(true).open(&left).unwrap().set_modified(old).unwrap();
    let (code, report) = world.verify(&[]);
    assert_eq!((code, report["unknown"].as_array().unwrap().len()), (1, 1), "{report}");
    let (code, report) = world.verify(&["--repair"]);
    assert_eq!((code, report["healed"].as_array().unwrap().len()), (1, 1), "{report}");
    assert_eq!(world.admin.get(&format!("{BASE}/a")).await.text().await.unwrap(), bytes("a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scrub_finds_what_nobody_asked_for() {
    let world = World::new().await;
    flip(&world.object("a"));
    let app = &world.server.app;
    assert_eq!(scrub::scrub(app).await.ok(), Some(3));
    assert_eq!(scrub::scrub(app).await.ok(), Some(0), "all were looked at");
    let lost = "SELECT COUNT(*) FROM copies WHERE state = 'LOST'";
    assert_eq!(world.server.count(lost).await, 1);
    assert_eq!(world.admin.put(&format!("{BASE}/a"), bytes("a")).await.status(), 200);
    assert_eq!(scrub::scrub(app).await.ok(), Some(1), "what is new is looked at next");
    assert_eq!(world.admin.get(&format!("{BASE}/a")).await.text().await.unwrap(), bytes("a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_ends_beside_a_busy_server_and_becomes_a_registry_again() {
    let world = World::new().await;
    let backup = tempfile::tempdir().unwrap();
    let to = backup.path().to_str().unwrap();
    let (written, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    // Files come and go while it is made.
    let busy = async {
        while !done.load(Ordering::Relaxed) {
            let number = written.fetch_add(1, Ordering::Relaxed);
            let path = format!("{BASE}/busy-{number}");
            assert_eq!(world.admin.put(&path, format!("busy {number}")).await.status(), 201);
            if number % 3 == 0 {
                world.delete(&format!("busy-{number}")).await;
            }
        }
    };
    let backing_up = async {
        for backups in 0..100 {
            if backups >= 3 && written.load(Ordering::Relaxed) > 10 {
                break;
            }
            let (data, database) = (world.server.data.clone(), world.database.clone());
            let to = to.to_owned();
            let made =
                tokio::task::spawn_blocking(move || run(&["backup", &to], data.path(), &database));
            let made = made.await.unwrap();
            assert!(made.status.success(), "{}", text(&made));
        }
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(busy, backing_up);
    world.admin.publish("1.0.0").await;
    let sign_in = "mutation($p: String!) { signIn(input: {username: \"admin\", password: $p}) { user { id } } }";
    world.admin.ok(sign_in, json!({ "p": PASSWORD })).await;
    let sessions = "SELECT COUNT(*) FROM credentials WHERE kind = 'SESSION'";
    assert_eq!(world.server.count(sessions).await, 1);
    // Without its key, what is sealed in the database could not be read.
    let sealed = world.server.app.sealing.seal("test", "sealed").unwrap();
    let last = world.run(&["backup", to]);
    assert!(last.status.success(), "{}", text(&last));

    // The folder of the data is none for a backup.
    let data = world.server.data.path().to_str().unwrap().to_owned();
    let refused = world.run(&["backup", &data]);
    assert!(text(&refused).contains("is the data folder of a registry"), "{}", text(&refused));

    // Where something is, nothing is restored.
    let refused = world.run(&["restore", to]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));

    let data = Arc::new(tempfile::tempdir().unwrap());
    let database = database(&data).await;
    let restored = run(&["restore", to], data.path(), &database);
    assert!(restored.status.success(), "{}", text(&restored));
    let server = Server::start_on(data.clone(), &database, &[]).await;
    assert_eq!(server.app.sealing.open("test", &sealed).unwrap(), "sealed");
    let admin = server.admin().await;
    for name in ["a", "b", "c"] {
        let answer = admin.get(&format!("{BASE}/{name}")).await;
        assert_eq!(answer.text().await.unwrap(), bytes(name));
    }
    let digest = "{ model(path: \"vision/ocr\") { version(ref: \"1.0.0\") { digest fileCount } } }";
    assert_eq!(admin.ok(digest, json!({})).await, world.admin.ok(digest, json!({})).await);
    let verified = run(&["verify"], data.path(), &database);
    assert!(verified.status.success(), "{}", text(&verified));
    assert_eq!(server.count(sessions).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_says_what_is_not_in_it_and_a_restore_what_it_had_not() {
    let world = World::new().await;
    let backup = tempfile::tempdir().unwrap();
    let to = backup.path().to_str().unwrap();
    flip(&world.object("a"));
    let made = world.run(&["backup", to]);
    assert_eq!(made.status.code(), Some(1));
    assert!(text(&made).contains("not in it: blobs/"), "{}", text(&made));
    flip(&object(backup.path(), "b"));

    let data = tempfile::tempdir().unwrap();
    let database = database(&data).await;
    let restored = run(&["restore", to], data.path(), &database);
    assert_eq!(restored.status.code(), Some(1), "{}", text(&restored));
    assert_eq!(text(&restored).matches("not in the backup: blobs/").count(), 2);
    let server = Server::start_on(Arc::new(data), &database, &[]).await;
    let admin = server.admin().await;
    for (name, status) in [("a", 410), ("b", 410), ("c", 200)] {
        assert_eq!(admin.get(&format!("{BASE}/{name}")).await.status(), status, "{name}");
    }
    // What was copied before is proven again if that is asked for.
    assert_eq!(world.run(&["backup", to]).status.code(), Some(1));
    let full = world.run(&["backup", "--full", to]);
    assert_eq!(text(&full).matches("not in it: blobs/").count(), 1, "{}", text(&full));
    assert_eq!(std::fs::read(object(backup.path(), "b")).unwrap(), bytes("b").into_bytes());

    let other = World::new().await;
    let refused = other.run(&["backup", to]);
    assert!(text(&refused).contains("a backup of another registry"), "{}", text(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_said_before_it_goes() {
    let world = World::new().await;
    world.delete("a").await;
    let keep = ["--keep-removed", "0"];
    let nothing = world.run(&[&["sweep", "--dry-run"][..], &keep].concat());
    assert!(text(&nothing).starts_with("0 would be removed"), "{}", text(&nothing));
    let swept = world.run(&["sweep"]);
    assert!(text(&swept).starts_with("0 objects were removed"), "{}", text(&swept));
    let due = world.run(&[&["sweep", "--dry-run"][..], &keep].concat());
    assert!(text(&due).contains("unused") && text(&due).contains("1 would be"), "{}", text(&due));
    assert!(world.object("a").exists());
    let swept = world.run(&[&["sweep"][..], &keep].concat());
    assert!(text(&swept).starts_with("1 objects were removed"), "{}", text(&swept));
    assert_eq!(world.verify(&[]).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_begun_beside_files_without_their_database() {
    let folder: TempDir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("blobs/ab")).unwrap();
    std::fs::write(folder.path().join("blobs/ab").join("ab".repeat(32)), "kept").unwrap();
    let database = folder.path().join("registry.sqlite");
    let url = format!("sqlite:{}", database.display());
    let started = run(&["serve", "--listen", "127.0.0.1:0"], folder.path(), &url);
    assert!(text(&started).contains("its database is not there"), "{}", text(&started));
    assert!(!database.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_for_good_is_gone_at_once_and_goes_in_pieces() {
    let (server, admin) = Server::with_model().await;
    let run = "mutation { createCandidate(input: {model: \"vision/ocr\", metrics: [{name: \"loss\", value: 1}]}) { candidate { id } } }";
    let id = admin.ok(run, json!({})).await["createCandidate"]["candidate"]["id"].take();
    admin.put("/files/vision/ocr/candidate:1/a.bin", "x").await;
    let many = "INSERT INTO metric_points (owner_id, name, step, timestamp_ms, value_order, value)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 35000)
        SELECT c.id, 'loss', n.i, 1, 0, 0 FROM candidates c CROSS JOIN n";
    server.app.db.run_script(many).await.unwrap();
    let bury = "mutation { deleteCandidate(input: {model: \"vision/ocr\", candidate: 1}) { candidate { id } } }";
    admin.ok(bury, json!({})).await;
    let empty =
        "mutation { emptyTrash(input: {project: \"vision\"}) { removedCount remainingCount } }";
    let emptied = admin.ok(empty, json!({})).await["emptyTrash"].take();
    assert_eq!(emptied, json!({ "removedCount": 1, "remainingCount": 0 }));
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(admin.ok(node, json!({ "id": id })).await["node"], Value::Null);
    wait_for_removal(&server).await;
}

async fn wait_for_removal(server: &Server) {
    for _ in 0..500 {
        let left = "SELECT (SELECT COUNT(*) FROM metric_points) + (SELECT COUNT(*) FROM files)
            + (SELECT COUNT(*) FROM objects WHERE ended)";
        if server.count(left).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it is there still");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stop_left_of_it_goes_later() {
    let server = Server::start().await;
    let left = "INSERT INTO objects (id, ended) VALUES ('ended', TRUE);
        INSERT INTO tags (owner_id, key, value) VALUES ('ended', 'k', 'v')";
    server.app.db.run_script(left).await.unwrap();
    model_registry::registry::lifecycle::trash::removal::finish(&server.app).await.unwrap();
    assert_eq!(server.count("SELECT COUNT(*) FROM objects WHERE ended").await, 0);
    assert_eq!(server.count("SELECT COUNT(*) FROM tags").await, 0);
}
