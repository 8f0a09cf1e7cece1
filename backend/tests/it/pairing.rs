//! A database and a folder that do not belong together are refused, and nothing is changed by it.

use std::path::Path;

use model_registry::db::{Db, FLOOR, query};
use model_registry::error::Result;
use model_registry::registry::catalog::blob::pairing;
use model_registry::store::{Storage, Storages, Store};
use model_registry::time::{Clock, Timestamp};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::harness::database;
use crate::storages::second;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const BYTES: &[u8] = b"kept";

/// A folder with its database, as it is between two runs of the server.
struct Pair {
    folder: TempDir,
    database: String,
}

async fn db(database: &str) -> Db {
    Db::open(database).await.unwrap_or_else(|error| panic!("{error}"))
}

impl Pair {
    /// A new one; with a file, if there is to be one.
    async fn new(with_file: bool) -> Self {
        let folder = tempdir().unwrap();
        let database = database(&folder).await;
        let pair = Self { folder, database };
        assert_eq!(pair.start(pair.folder.path(), &pair.database).await, "");
        if with_file {
            let store = Store::open(pair.folder.path(), None).await.ok().unwrap();
            let bytes = [Ok::<_, model_registry::error::Error>(BYTES.into())];
            let blob =
                store.write(futures_util::stream::iter(bytes), None, 10, NOW).await.ok().unwrap();
            let insert = format!(
                "INSERT INTO blobs (sha256, size, created_at_ms) VALUES ('{sha}', 4, 0);
                 INSERT INTO copies (key, storage, sha256, size, state, since_ms, since_sweep)
                 VALUES ('{}', 'default', '{sha}', 4, 'READY', 0, 0);",
                blob.key,
                sha = blob.sha256
            );
            let db = db(&pair.database).await;
            db.run_script(&insert).await.unwrap();
            db.close().await;
        }
        pair
    }

    async fn start(&self, folder: &Path, database: &str) -> String {
        message(pair(folder, database, false).await)
    }

    fn identity(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.path().join("registry.json")).unwrap())
            .unwrap()
    }
}

/// What a start of the server does first.
async fn pair(folder: &Path, database: &str, adopt: bool) -> Result<()> {
    let storages = Storages::open(folder, &[])?;
    let db = db(database).await;
    let paired = pairing::pair(&db, &storages, adopt, NOW).await;
    db.close().await;
    paired
}

/// Why it was refused; nothing if it was not.
fn message(paired: Result<()>) -> String {
    paired.err().map(|error| error.message()).unwrap_or_default()
}

async fn not_before(database: &str) -> i64 {
    let db = db(database).await;
    let (at,): (i64,) =
        query("SELECT sweep_not_before_ms FROM registry").fetch_one(&db).await.unwrap();
    db.close().await;
    at
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_pair_is_refused_and_says_why() {
    let (one, other, empty) =
        (Pair::new(true).await, Pair::new(true).await, Pair::new(false).await);
    let new = tempdir().unwrap();
    for (folder, database, why) in [
        (&one.folder, &other.database, "has the files of another registry"),
        (&one.folder, &empty.database, "has the files of another registry"),
        (&new, &one.database, "has no registry.json"),
        (&new, &empty.database, "has no registry.json"),
    ] {
        let refused = one.start(folder.path(), database).await;
        assert!(refused.contains(why) && refused.contains("--adopt"), "{refused}");
    }
    // The folder as it was before somebody copied it, and then each its own.
    let copy = tempdir().unwrap();
    let identity = one.identity();
    let copied = serde_json::json!({"registry": identity["registry"], "storage": "another"});
    std::fs::write(copy.path().join("registry.json"), copied.to_string()).unwrap();
    let refused = one.start(copy.path(), &one.database).await;
    assert!(refused.contains("is not the folder"), "{refused}");
    std::fs::write(copy.path().join("registry.json"), "{\"cut").unwrap();
    assert!(one.start(copy.path(), &one.database).await.contains("cannot be read"));

    for own in [&one, &other, &empty] {
        assert_eq!(own.start(own.folder.path(), &own.database).await, "");
        assert_eq!(not_before(&own.database).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_so_makes_a_pair_and_then_nothing_is_removed_for_a_month() {
    let (one, other) = (Pair::new(true).await, Pair::new(true).await);
    let before = one.identity();
    assert_eq!(message(pair(one.folder.path(), &other.database, true).await), "");
    let after = one.identity();
    assert_eq!(after["registry"], other.identity()["registry"]);
    assert_eq!(after["former"], serde_json::json!([before["registry"]]));
    assert_eq!(not_before(&other.database).await, NOW.millis() + 30 * 24 * 3600 * 1000);
    assert_eq!(one.start(one.folder.path(), &other.database).await, "");
    // Each other one is wrong now.
    assert!(one.start(other.folder.path(), &other.database).await.contains("is not the folder"));
    assert!(one.start(one.folder.path(), &one.database).await.contains("another registry"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_before_there_were_identities_is_taken_over_with_its_files_and_not_without() {
    let old = Pair::new(true).await;
    let forget = async || {
        let db = db(&old.database).await;
        db.run_script("UPDATE storages SET id = NULL; UPDATE registry SET id = NULL")
            .await
            .unwrap();
        db.close().await;
    };
    std::fs::remove_file(old.folder.path().join("registry.json")).unwrap();
    forget().await;
    let missing = tempdir().unwrap();
    let refused = old.start(missing.path(), &old.database).await;
    assert!(refused.contains("of 1 that were looked for, 1 are not there"), "{refused}");

    // A new database knows of none of the files.
    let elsewhere = tempdir().unwrap();
    let new = database(&elsewhere).await;
    let refused = old.start(old.folder.path(), &new).await;
    assert!(refused.contains("this database knows of none"), "{refused}");

    assert_eq!(old.start(old.folder.path(), &old.database).await, "");
    let identity = old.identity();

    // Interrupted between the folder and the database, it goes on.
    let db = db(&old.database).await;
    db.run_script("UPDATE storages SET id = NULL").await.unwrap();
    db.close().await;
    assert_eq!(old.start(old.folder.path(), &old.database).await, "");
    assert_eq!(old.identity(), identity);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_folder_of_one_database_is_refused_also_when_both_start_at_once() {
    let first = tempdir().unwrap();
    let database = database(&first).await;
    let second = tempdir().unwrap();
    let db = db(&database).await;
    let start = async |folder: &Path| {
        let store = Store::open(folder, None).await.ok().unwrap();
        message(pairing::pair(&db, &store.into(), false, Clock::System.now()).await)
    };
    let (one, two) = tokio::join!(start(first.path()), start(second.path()));
    assert_eq!(one.is_empty(), !two.is_empty(), "{one} {two}");
    db.close().await;
}

/// What a start of the server does first, with these storages.
async fn start_with(data: &TempDir, database: &str, storages: &[&str]) -> String {
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
    assert_eq!(start_with(&data, &url, &[]).await, "");
    let floor = async || {
        let db = Db::open(&url).await.unwrap();
        let (floor,): (i64,) = query("SELECT floor FROM registry").fetch_one(&db).await.unwrap();
        db.close().await;
        floor
    };
    assert_eq!(floor().await, FLOOR, "programs of before know of one storage");
    let (archive, again) = (second(&other, "archive"), second(&other, "again"));
    assert_eq!(start_with(&data, &url, &["file:", &archive]).await, "");
    assert_eq!(floor().await, 30);
    let again =
        if archive.contains("file:") { again } else { archive.replacen("archive=", "again=", 1) };
    let message = start_with(&data, &url, &["file:", &again]).await;
    assert!(message.contains("is the storage archive of this registry"), "{message}");
    let message = start_with(&data, &url, &["file:", "default=s3://models"]).await;
    assert!(message.contains("two with the name default"), "{message}");

    // As long as nothing is in it, it can be left out.
    assert_eq!(start_with(&data, &url, &["file:"]).await, "");
    assert_eq!(start_with(&data, &url, &[&archive]).await, "");
    let db = Db::open(&url).await.unwrap();
    let sha256 = "ab".repeat(32);
    let insert = format!(
        "INSERT INTO blobs (sha256, size, created_at_ms) VALUES ('{sha256}', 4, 0);
         INSERT INTO copies (key, storage, sha256, size, state, since_ms, since_sweep)
         VALUES ('a', 'archive', '{sha256}', 4, 'READY', 0, 0);"
    );
    db.run_script(&insert).await.unwrap();
    db.close().await;
    let message = start_with(&data, &url, &["file:"]).await;
    assert!(message.contains("the storage archive has files that are nowhere else"), "{message}");
    assert_eq!(start_with(&data, &url, &[&archive, "file:"]).await, "");
    // What is on its way out is elsewhere.
    let moved = format!(
        "UPDATE copies SET state = 'RETIRING';
         INSERT INTO copies (key, storage, sha256, size, state, since_ms, since_sweep)
         VALUES ('b', 'default', '{sha256}', 4, 'READY', 0, 0);"
    );
    let db = Db::open(&url).await.unwrap();
    db.run_script(&moved).await.unwrap();
    db.close().await;
    assert_eq!(start_with(&data, &url, &["file:"]).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_without_a_second_storage_that_it_knows_and_cannot_reach() {
    let data = tempfile::tempdir().unwrap();
    let url = database(&data).await;
    let dead = "archive=s3://models?endpoint=http://127.0.0.1:1";
    assert_eq!(start_with(&data, &url, &[]).await, "");
    let message = start_with(&data, &url, &["file:", dead]).await;
    assert!(message.contains("cannot be used"), "a new one must be right: {message}");
    let db = Db::open(&url).await.unwrap();
    query("UPDATE storages SET id = 'known' WHERE name = 'archive'").alone(&db).await.unwrap();
    db.close().await;
    assert_eq!(start_with(&data, &url, &["file:", dead]).await, "");
    let message = start_with(&data, &url, &[dead, "file:"]).await;
    assert!(message.contains("cannot be used"), "the first one is needed: {message}");
}
