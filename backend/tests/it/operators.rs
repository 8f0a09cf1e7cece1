//! What administrators see of how the registry is run: storages, servers, uploads, what the sweep and the scrub have to do.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model_registry::registry::catalog::blob::scrub;
use model_registry::registry::catalog::blob::sweep::Sweep;
use model_registry::registry::replica::lease::Lease;
use model_registry::registry::replica::{Replica, UPKEEP};
use model_registry::role::TokenScope;
use model_registry::time::{Clock, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Caller, Server, assert_as_many};
use crate::mlflow_artifacts::{post, version_address};
use crate::tus::{begun, part, patch, refusal};

const BASE: &str = "/files/vision/ocr/1.0.0";
const START_MS: i64 = 1_800_000_000_000;
const DAY_MS: i64 = 24 * 3600 * 1000;

const STORAGES: &str = "{ storages { name location kind isReachable hasRoom freeBytes totalBytes fileCount byteCount countedAt
    suspectCount lostCount } }";
const PREVIEW: &str =
    "{ sweepPreview { unused { count byteCount since } unknown { count byteCount since }
    firstRemovalAt pausedUntil keepDays countedAt } }";
const SCRUB: &str = "{ scrub { rate uncheckedCount oldestCheckAt lastCheckAt } }";
const DAMAGED: &str =
    "query($first: Int, $after: String) { damagedFiles(first: $first, after: $after) { totalCount
    nodes { sha256 size storage state since files } pageInfo { hasNextPage endCursor } } }";
const OPEN: &str = "query($first: Int, $after: String) { openUploads(first: $first, after: $after) { totalCount
    nodes { id kind address size received active createdAt expiresAt project { path } user { username } }
    pageInfo { hasNextPage endCursor } } }";
const REPLICAS: &str =
    "{ replicas { id name version schema startedAt lastSeenAt isAlive hasBackgroundJobs } }";

/// A registry with a draft of some files, and its clock.
struct World {
    server: Server,
    admin: Caller,
    time: Arc<AtomicI64>,
}

impl World {
    async fn with_files(names: &[&str]) -> Self {
        let time = Arc::new(AtomicI64::new(START_MS));
        let (server, admin) = Server::with_model_at(Clock::Fixed(time.clone())).await;
        // The server's own first sweep is of before all this.
        let swept = async {
            while server.count("SELECT sweeps FROM registry").await == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), swept).await.expect("it begins");
        admin.create_version(Some("1.0.0")).await;
        for name in names {
            assert_eq!(admin.put(&format!("{BASE}/{name}"), bytes(name)).await.status(), 201);
        }
        Self { server, admin, time }
    }

    fn pass(&self, ms: i64) {
        self.time.fetch_add(ms, Ordering::Relaxed);
    }

    /// What a field without arguments says.
    async fn ask(&self, query: &str) -> Value {
        let mut answer = self.admin.ok(query, json!({})).await;
        answer.as_object_mut().unwrap().values_mut().next().unwrap().take()
    }

    async fn delete(&self, name: &str) {
        let delete = "mutation($path: String!) { deleteFile(input: {
            model: \"vision/ocr\", version: \"1.0.0\", path: $path}) { file { path } } }";
        self.admin.ok(delete, json!({ "path": name })).await;
    }

    /// Changes a byte of the object that a file has.
    fn damage(&self, name: &str) {
        let sha256 = sha256(name);
        let folders = std::fs::read_dir(self.server.data.path().join("blobs")).unwrap();
        let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
        let mut files = files.map(|file| file.unwrap().path());
        let is_of = |file: &PathBuf| file.to_str().unwrap().contains(&sha256);
        let file = files.find(is_of).expect("it is in the folder");
        std::fs::write(file, "!".repeat(bytes(name).len())).unwrap();
    }
}

fn bytes(name: &str) -> String {
    format!("the bytes of {name}")
}

fn sha256(name: &str) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes(name)))
}

fn at(ms: i64) -> String {
    Timestamp::from_millis(ms).to_rfc3339()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_says_what_is_in_it_and_whether_it_is_there() {
    let world = World::with_files(&["a", "b"]).await;
    let storages = world.ask(STORAGES).await;
    assert_eq!(storages.as_array().unwrap().len(), 1);
    let storage = &storages[0];
    let folder = world.server.data.path().to_str().unwrap();
    assert_eq!((&storage["name"], &storage["kind"]), (&json!("default"), &json!("FOLDER")));
    assert_eq!(storage["location"], folder);
    assert_eq!((&storage["isReachable"], &storage["hasRoom"]), (&json!(true), &json!(true)));
    let size = |name: &str| storage[name].as_i64().unwrap();
    assert!(0 < size("freeBytes") && size("freeBytes") <= size("totalBytes"), "{storage}");
    let all = 2 * i64::try_from(bytes("a").len()).unwrap();
    assert_eq!((size("fileCount"), size("byteCount")), (2, all));
    assert_eq!((size("suspectCount"), size("lostCount")), (0, 0));
    assert_eq!(storage["countedAt"], at(START_MS));

    // Counting is not done for everybody who asks.
    assert_eq!(world.admin.put(&format!("{BASE}/c"), bytes("c")).await.status(), 201);
    world.pass(59_000);
    assert_eq!(world.ask(STORAGES).await[0]["fileCount"], 2);
    world.pass(1_000);
    assert_eq!(world.ask(STORAGES).await[0]["fileCount"], 3);

    // A disk that is not mounted fails nothing.
    let identity = world.server.data.path().join("registry.json");
    std::fs::rename(&identity, world.server.data.path().join("hidden.json")).unwrap();
    let storage = &world.ask(STORAGES).await[0];
    assert_eq!((&storage["isReachable"], &storage["fileCount"]), (&json!(false), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sweep_will_remove_is_known_before() {
    let world = World::with_files(&["a", "b"]).await;
    let nothing = json!({ "count": 0, "byteCount": 0, "since": null });
    let preview = world.ask(PREVIEW).await;
    assert_eq!((&preview["unused"], &preview["unknown"]), (&nothing, &nothing));
    assert_eq!((&preview["firstRemovalAt"], &preview["keepDays"]), (&Value::Null, &json!(7)));

    world.delete("a").await;
    world.pass(DAY_MS);
    let stray = format!("{:012x}70008000000000000001", START_MS);
    let folder = world.server.data.path().join("blobs/01");
    std::fs::create_dir_all(&folder).unwrap();
    let stray = folder.join(format!("{}.{stray}", sha256("stray")));
    std::fs::write(&stray, "stray").unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    std::fs::File::options().write(true).open(&stray).unwrap().set_modified(long_ago).unwrap();
    assert!(Sweep::of(&world.server.app).run().await.is_ok_and(|removed| removed == 0));
    let preview = world.ask(PREVIEW).await;
    let since = at(START_MS + DAY_MS);
    let unused = json!({ "count": 1, "byteCount": bytes("a").len(), "since": since });
    assert_eq!(preview["unused"], unused);
    assert_eq!(preview["unknown"], json!({ "count": 1, "byteCount": 5, "since": since }));
    assert_eq!(preview["firstRemovalAt"], at(START_MS + 8 * DAY_MS));
    assert_eq!(preview["pausedUntil"], Value::Null);

    // What is used again is not removed, whether or not a sweep has noticed.
    assert_eq!(world.admin.put(&format!("{BASE}/a"), bytes("a")).await.status(), 201);
    let paused = "UPDATE registry SET sweep_not_before_ms = 1800777600000";
    model_registry::db::query(paused).alone(&world.server.app.db).await.unwrap();
    world.pass(60_000);
    let preview = world.ask(PREVIEW).await;
    assert_eq!((&preview["unused"], &preview["unknown"]["count"]), (&nothing, &json!(1)));
    let until = at(1_800_777_600_000);
    assert_eq!(
        (&preview["pausedUntil"], &preview["firstRemovalAt"]),
        (&json!(until), &json!(until))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_listed_with_the_files_that_it_is_of() {
    let names = ["a", "b", "c"];
    let world = World::with_files(&names).await;
    let fresh = world.ask(SCRUB).await;
    assert_eq!((&fresh["rate"], &fresh["uncheckedCount"]), (&json!(20), &json!(3)));
    assert_eq!((&fresh["oldestCheckAt"], &fresh["lastCheckAt"]), (&Value::Null, &Value::Null));
    assert_eq!(world.ask(DAMAGED).await["totalCount"], 0);

    world.damage("a");
    world.pass(60_000);
    assert_eq!(scrub::scrub(&world.server.app).await.ok(), Some(3));
    let (first, checked) = (at(START_MS + 60_000), world.ask(SCRUB).await);
    assert_eq!((&checked["uncheckedCount"], &checked["lastCheckAt"]), (&json!(0), &json!(first)));
    world.pass(60_000);
    for name in ["b", "c"] {
        world.damage(name);
        let answer = world.admin.get(&format!("{BASE}/{name}")).await;
        let _ = answer.bytes().await;
        world.server.settle().await;
        world.pass(1_000);
    }
    let file = |name: &str, since: i64| {
        json!({ "sha256": sha256(name), "size": bytes(name).len(), "storage": "default", "state": "LOST",
            "since": at(START_MS + since), "files": [format!("vision/ocr/1.0.0/{name}")] })
    };
    let list = world.ask(DAMAGED).await;
    assert_eq!(list["totalCount"], 3);
    let expected = json!([file("c", 121_000), file("b", 120_000), file("a", 60_000)]);
    assert_eq!(list["nodes"], expected);
    assert_eq!(world.ask(STORAGES).await[0]["lostCount"], 3);

    // Page by page they are the same.
    let (mut paged, mut after) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let place = json!({ "first": 1, "after": after });
        let page = world.admin.ok(DAMAGED, place).await["damagedFiles"].take();
        paged.push(page["nodes"][0].clone());
        after = page["pageInfo"]["endCursor"].clone();
        assert_eq!(page["pageInfo"]["hasNextPage"], paged.len() < 3);
    }
    assert_eq!(json!(paged), expected);

    // However many there are, their files are a few statements.
    let statements = async |first: usize| {
        let before = world.server.app.db.statements();
        world.admin.ok(DAMAGED, json!({ "first": first })).await;
        world.server.app.db.statements() - before
    };
    statements(1).await;
    assert_as_many(statements(1).await, statements(3).await);

    // Who has the file heals it.
    assert_eq!(world.admin.put(&format!("{BASE}/a"), bytes("a")).await.status(), 200);
    let left = world.ask(DAMAGED).await;
    assert!(left["totalCount"] == 2, "what is good again is no damage: {left}");
    world.pass(60_000);
    let preview = world.ask(PREVIEW).await;
    assert_eq!(preview["unknown"]["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_under_way_are_listed_and_only_who_began_one_goes_on() {
    let world = World::with_files(&[]).await;
    let admin = &world.admin;
    admin.invite("dev").await;
    admin.add_member("vision", "dev", "DEVELOPER").await;
    let dev = world.server.person("dev", TokenScope::Write).await;
    let upload = begun(&dev, &format!("{BASE}/whole.bin"), 1000).await;
    assert_eq!(patch(&dev, &upload, 0, vec![7; 400]).await.status(), 204);
    world.pass(1_000);
    part(admin, &format!("{BASE}/parts.bin"), [1; 10]).await;
    world.pass(1_000);
    let root = version_address(&world.server, "1.0.0").await;
    let create = format!("/mlflow-artifacts/mpu/create/{root}");
    assert_eq!(post(admin, &create, json!({ "path": "large.bin", "num_parts": 2 })).await.0, 200);

    let list = world.ask(OPEN).await;
    let nodes = list["nodes"].as_array().unwrap();
    assert_eq!(list["totalCount"], 3, "{list}");
    let id = upload.rsplit('/').next().unwrap();
    let expected = json!({ "id": id, "kind": "WHOLE", "address": "vision/ocr/1.0.0/whole.bin", "size": 1000,
        "received": 400, "active": true, "createdAt": at(START_MS), "expiresAt": at(START_MS + DAY_MS),
        "project": { "path": "vision" }, "user": { "username": "dev" } });
    assert_eq!(nodes[2], expected);
    let (kind, user) = (&nodes[1]["kind"], &nodes[1]["user"]["username"]);
    assert_eq!((kind, user), (&json!("PART"), &json!("admin")));
    let (kind, size, address) = (&nodes[0]["kind"], &nodes[0]["size"], &nodes[0]["address"]);
    assert_eq!((kind, size), (&json!("IN_PARTS"), &Value::Null));
    assert_eq!(address, "vision/ocr/1.0.0/large.bin");

    // Who sees its id cannot go on with it.
    assert_eq!(refusal(patch(admin, &upload, 400, vec![7; 600]).await).await.0, 404);
    let page = admin.ok(OPEN, json!({ "first": 1 })).await["openUploads"].take();
    let next = json!({ "first": 1, "after": page["pageInfo"]["endCursor"] });
    let next = admin.ok(OPEN, next).await["openUploads"].take();
    assert_eq!(next["nodes"][0], nodes[1]);

    world.pass(6 * 60_000);
    assert_eq!(world.ask(OPEN).await["nodes"][2]["active"], false);
    assert_eq!(patch(&dev, &upload, 400, vec![7; 600]).await.status(), 204);
    assert_eq!(world.ask(OPEN).await["totalCount"], 2, "one has ended");
    world.pass(2 * DAY_MS);
    assert_eq!(world.ask(OPEN).await["totalCount"], 0, "what has expired is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_seen_while_they_live_and_for_a_day() {
    let server = Server::start().await;
    let admin = server.admin().await;
    if server.storage.is_none() {
        assert_eq!(admin.ok(REPLICAS, json!({})).await["replicas"], json!([]));
    }
    let (db, clock) = (&server.app.db, &server.app.clock);
    let replica = Replica::new(db, clock);
    replica.beat().await.unwrap();
    let own = async || {
        let seen = admin.ok(REPLICAS, json!({})).await["replicas"].take();
        let all = seen.as_array().unwrap().clone();
        all.into_iter().find(|seen| seen["id"] == replica.id)
    };
    let seen = own().await.unwrap();
    assert_eq!(seen["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(seen["schema"], model_registry::db::SCHEMA);
    assert_eq!((&seen["isAlive"], &seen["hasBackgroundJobs"]), (&json!(true), &json!(false)));
    assert!(!seen["name"].as_str().unwrap().is_empty());
    if server.storage.is_none() {
        assert!(Lease::try_take(db, clock, UPKEEP, &replica.id).await.unwrap().is_some());
        assert_eq!(own().await.unwrap()["hasBackgroundJobs"], true);
    }
    let later = |sql| model_registry::db::query(sql).alone(db);
    later("UPDATE leases SET until_ms = until_ms - 61000").await.unwrap();
    later("UPDATE replicas SET seen_at_ms = seen_at_ms - 61000").await.unwrap();
    let dead = own().await.unwrap();
    assert_eq!((&dead["isAlive"], &dead["hasBackgroundJobs"]), (&json!(false), &json!(false)));
    later("UPDATE replicas SET seen_at_ms = seen_at_ms - 86400000").await.unwrap();
    assert!(own().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_see_how_it_is_run() {
    let world = World::with_files(&[]).await;
    world.admin.invite("dev").await;
    world.admin.add_member("vision", "dev", "OWNER").await;
    let owner = world.server.person("dev", TokenScope::Admin).await;
    let robot = world.admin.robot("vision", "MAINTAINER").await;
    for query in [STORAGES, PREVIEW, SCRUB, DAMAGED, OPEN, REPLICAS] {
        for caller in [&owner, &robot] {
            assert_eq!(caller.refused(query, json!({})).await.code, "FORBIDDEN", "{query}");
        }
        let nobody = world.server.anonymous().refused(query, json!({})).await;
        assert_eq!(nobody.code, "UNAUTHENTICATED", "{query}");
        let answer = world.admin.in_subgraph().graphql(query, json!({})).await;
        assert!(answer["data"].is_null(), "the subgraph has none of it: {answer}");
    }
}
