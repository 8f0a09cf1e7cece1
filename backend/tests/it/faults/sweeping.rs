//! Random changes beside sweeps without grace, against a model of what is live: nothing of that is ever touched, and in
//! the end nothing else is left.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use model_registry::db::query;
use model_registry::registry::catalog::blob::sweep::Sweep;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{Random, is_postgres, seed, times};
use crate::harness::{CREATE_PROJECT, Caller, Server, database};
use crate::tus;

/// How many make changes at once, each in a project of their own; contents are of all.
const WORKERS: u64 = 8;
/// How many sweep at once.
const SWEEPERS: u64 = 2;
/// How many contents there are: the same ones come and go again and again.
const CONTENTS: u64 = 250;
/// How many contents a worker remembers that were dropped.
const REMEMBERED: usize = 6;
/// How many versions of a worker are live at most.
const MOST_VERSIONS: usize = 5;
/// How often bytes are sent that a sweep takes before their row is there: each time, it must have come between.
const TRIES: usize = 50;

/// A folder in memory where there is one: nothing here is about what a disk keeps, and it is waited for longest.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The bytes of a content; some are of more than one piece.
fn bytes(content: u64) -> Bytes {
    static ALL: OnceLock<Vec<Bytes>> = OnceLock::new();
    let make = |content| {
        let size = match content {
            0 => 2_200_000,
            content if content % 50 == 0 => 70_000,
            content => 1 + content * 7,
        };
        (0..size).map(|index| ((index * 31 + content * 7 + index / 251) % 256) as u8).collect()
    };
    let all = ALL.get_or_init(|| (0..CONTENTS).map(make).collect());
    all[usize::try_from(content).unwrap()].clone()
}

fn sha256(content: u64) -> String {
    hex::encode(Sha256::digest(bytes(content)))
}

/// A version as it must be.
struct Version {
    id: String,
    version: String,
    published: bool,
    /// Contents by path.
    files: BTreeMap<String, u64>,
}

struct Worker {
    admin: Caller,
    random: Random,
    project: String,
    /// How many versions and runs were made.
    made: u64,
    live: Vec<Version>,
    trash: Vec<Version>,
    /// What no file of this worker may have any more, the last of it.
    dropped: VecDeque<u64>,
    /// How often bytes had to be sent again.
    again: Arc<AtomicU64>,
}

impl Worker {
    async fn new(server: &Server, seed: u64, number: u64, again: &Arc<AtomicU64>) -> Self {
        let (admin, project) = (server.admin().await, format!("p{number}"));
        admin.ok(CREATE_PROJECT, json!({ "path": project })).await;
        let create = "mutation($p: String!) { createModel(input: {project: $p, name: \"m\"}) { model { id } } }";
        admin.ok(create, json!({ "p": project })).await;
        let random = Random::of(seed, 0, number);
        let (live, trash, dropped) = Default::default();
        Self { admin, random, project, made: 0, live, trash, dropped, again: again.clone() }
    }

    fn model(&self) -> String {
        format!("{}/m", self.project)
    }

    fn folder(&self, version: &str) -> String {
        format!("/files/{}/m/{version}", self.project)
    }

    /// A mutation of a version, with its rest.
    async fn mutate(&self, name: &str, version: &str, input: &str, payload: &str) -> Value {
        let mutation = format!(
            "mutation($m: String!, $v: String!) {{ {name}(input: {{model: $m, version: $v{input}}}) {{ {payload} }} }}"
        );
        self.admin.ok(&mutation, json!({ "m": self.model(), "v": version })).await[name].take()
    }

    async fn step(&mut self) {
        if self.live.len() > MOST_VERSIONS {
            return self.delete().await;
        }
        match self.random.below(100) {
            0..40 => self.upload().await,
            40..48 => self.delete_file().await,
            48..55 => self.publish().await,
            55..65 => self.delete().await,
            65..73 => self.restore().await,
            73..81 => self.empty().await,
            81..86 => self.promote().await,
            _ => self.read().await,
        }
    }

    /// Any content; or one that was dropped just now, which sweeps are about to take.
    fn pick(&mut self) -> u64 {
        match self.dropped.is_empty() || self.random.below(2) == 0 {
            true => self.random.below(CONTENTS),
            false => self.dropped[self.random.index(self.dropped.len())],
        }
    }

    fn drop_content(&mut self, content: u64) {
        self.dropped.push_back(content);
        if self.dropped.len() > REMEMBERED {
            self.dropped.pop_front();
        }
    }

    /// A file, at a new path or in the place of another one, whose bytes may be elsewhere, too.
    async fn upload(&mut self) {
        let draft = match self.live.iter().position(|version| !version.published) {
            Some(draft) => draft,
            None => self.create().await,
        };
        let (path, content) = (format!("f{}", self.random.below(4)), self.pick());
        if self.live[draft].files.get(&path).is_some_and(|before| *before != content) {
            self.remove(draft, &path).await;
        }
        let address = format!("{}/{path}", self.folder(&self.live[draft].version));
        self.put(&address, content).await;
        self.live[draft].files.insert(path, content);
    }

    async fn create(&mut self) -> usize {
        self.made += 1;
        let version = format!("1.{}.0", self.made);
        let made = self.mutate("createModelVersion", &version, "", "modelVersion { id }").await;
        let id = made["modelVersion"]["id"].as_str().unwrap().to_owned();
        self.live.push(Version { id, version, published: false, files: BTreeMap::new() });
        self.live.len() - 1
    }

    /// Sends bytes until they are taken.
    async fn put(&mut self, address: &str, content: u64) {
        let mut said = String::new();
        for _ in 0..TRIES {
            let answer = match self.random.below(5) {
                0 => {
                    let bytes = bytes(content);
                    let upload = tus::begun(&self.admin, address, bytes.len() as u64).await;
                    let middle = self.random.index(bytes.len());
                    let (first, second) = (bytes.slice(..middle), bytes.slice(middle..));
                    assert_eq!(tus::patch(&self.admin, &upload, 0, first).await.status(), 204);
                    tus::patch(&self.admin, &upload, middle as u64, second).await
                }
                _ => self.admin.put(address, bytes(content)).await,
            };
            let status = answer.status().as_u16();
            if [200, 201, 204].contains(&status) {
                return;
            }
            // With nothing kept, a sweep may take the bytes before their row is there.
            said = answer.text().await.unwrap();
            assert!(status == 409 && said.contains("took too long"), "{address}: {status}, {said}");
            self.again.fetch_add(1, Ordering::Relaxed);
        }
        panic!("{address} is never taken: {said}");
    }

    async fn delete_file(&mut self) {
        let Some(draft) = self.live.iter().position(|version| !version.published) else { return };
        let paths: Vec<String> = self.live[draft].files.keys().cloned().collect();
        if paths.is_empty() {
            return;
        }
        let path = &paths[self.random.index(paths.len())];
        self.remove(draft, path).await;
    }

    async fn remove(&mut self, draft: usize, path: &str) {
        let input = format!(", path: \"{path}\"");
        self.mutate("deleteFile", &self.live[draft].version, &input, "file { path }").await;
        if let Some(content) = self.live[draft].files.remove(path) {
            self.drop_content(content);
        }
    }

    async fn publish(&mut self) {
        let Some(draft) = self.live.iter().position(|version| !version.published) else { return };
        // An upload that a sweep made fail may be there still.
        let payload = "modelVersion { state }";
        let input = ", withoutUploads: true";
        self.mutate("publishModelVersion", &self.live[draft].version, input, payload).await;
        self.live[draft].published = true;
    }

    async fn delete(&mut self) {
        if self.live.is_empty() {
            return;
        }
        let version = self.live.swap_remove(self.random.index(self.live.len()));
        self.mutate("deleteModelVersion", &version.version, "", "modelVersion { id }").await;
        self.trash.push(version);
    }

    async fn restore(&mut self) {
        if self.trash.is_empty() || self.live.len() == MOST_VERSIONS {
            return;
        }
        let version = self.trash.swap_remove(self.random.index(self.trash.len()));
        let input = format!(", id: \"{}\"", version.id);
        self.mutate("restoreModelVersion", &version.version, &input, "modelVersion { id }").await;
        self.live.push(version);
    }

    async fn empty(&mut self) {
        let empty = "mutation($p: String!) { emptyTrash(input: {project: $p}) { removedCount } }";
        self.admin.ok(empty, json!({ "p": self.project })).await;
        for version in std::mem::take(&mut self.trash) {
            version.files.into_values().for_each(|content| self.drop_content(content));
        }
    }

    /// A run with a file becomes a version, which has the file by reference; the run goes.
    async fn promote(&mut self) {
        self.made += 1;
        let (version, content) = (format!("1.{}.0", self.made), self.pick());
        let model = self.model();
        let create = "mutation($m: String!) { createCandidate(input: {model: $m}) { candidate { number } } }";
        let made = self.admin.ok(create, json!({ "m": model })).await;
        let number = made["createCandidate"]["candidate"]["number"].as_i64().unwrap();
        let address = format!("/files/{model}/candidate:{number}/weights");
        self.put(&address, content).await;
        let input = format!(", candidate: {number}, withoutUploads: true");
        let made = self.mutate("promoteCandidate", &version, &input, "modelVersion { id }").await;
        let id = made["modelVersion"]["id"].as_str().unwrap().to_owned();
        let delete =
            "mutation($m: String!, $c: Int!) { deleteCandidate(input: {model: $m, candidate: $c}) {
            candidate { number } } }";
        self.admin.ok(delete, json!({ "m": model, "c": number })).await;
        let files = BTreeMap::from([("weights".to_owned(), content)]);
        let published = self.state(&version).await == "PUBLISHED";
        self.live.push(Version { id, version, published, files });
    }

    async fn state(&self, version: &str) -> String {
        let read =
            "query($m: String!, $v: String!) { model(path: $m) { version(ref: $v) { state } } }";
        let found = self.admin.ok(read, json!({ "m": self.model(), "v": version })).await;
        found["model"]["version"]["state"].as_str().unwrap().to_owned()
    }

    async fn read(&mut self) {
        let files = self
            .live
            .iter()
            .flat_map(|version| version.files.keys().map(move |path| (version, path)));
        let files: Vec<(&Version, &String)> = files.collect();
        if files.is_empty() {
            return;
        }
        let (version, path) = files[self.random.index(files.len())];
        self.check(version, path).await;
    }

    async fn check(&self, version: &Version, path: &str) {
        let address = format!("{}/{path}", self.folder(&version.version));
        let answer = self.admin.request(Method::GET, &address).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{address}");
        let found = answer.bytes().await.unwrap_or_else(|error| panic!("{address}: {error}"));
        assert!(found == bytes(version.files[path]), "{address}: other bytes");
    }

    async fn check_all(&self) {
        for version in &self.live {
            for path in version.files.keys() {
                self.check(version, path).await;
            }
        }
    }
}

/// Sweeps without grace until the others are done; returns how many objects went.
fn sweep_on(server: &Server, done: &Arc<AtomicBool>, mut random: Random) -> JoinHandle<usize> {
    let (app, done) = (server.app.clone(), done.clone());
    tokio::spawn(async move {
        let mut removed = 0;
        while !done.load(Ordering::Relaxed) {
            let swept = Sweep::new(&app.db, &app.storages, app.clock.now(), 0).run().await;
            removed += swept.unwrap_or_else(|error| panic!("{}", error.message()));
            // Now and then, so that most of the time is for changes.
            tokio::time::sleep(Duration::from_millis(random.below(40))).await;
        }
        removed
    })
}

/// The keys of all objects there are.
fn objects(data: &Path) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for folder in std::fs::read_dir(data.join("blobs")).unwrap() {
        for object in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = object.unwrap().path();
            keys.insert(path.strip_prefix(data).unwrap().to_str().unwrap().to_owned());
        }
    }
    keys
}

/// Sweeps until nothing is left that is not live, and compares what is left with what is.
async fn check_rest(server: &Server, live: BTreeSet<String>) {
    let app = &server.app;
    for _ in 0..100 {
        let swept = Sweep::new(&app.db, &app.storages, app.clock.now(), 0).run().await;
        let unused = server.count("SELECT COUNT(*) FROM blobs WHERE unused_since_ms IS NOT NULL");
        if swept.ok().unwrap() == 0 && unused.await == 0 {
            break;
        }
    }
    let blobs: Vec<(String,)> = query("SELECT sha256 FROM blobs").fetch_all(&app.db).await.unwrap();
    let blobs: BTreeSet<String> = blobs.into_iter().map(|(sha256,)| sha256).collect();
    assert_eq!(blobs, live, "blobs are what is live");
    let copies = query("SELECT key, sha256, state FROM copies WHERE state <> 'GONE'");
    let copies: Vec<(String, String, String)> = copies.fetch_all(&app.db).await.unwrap();
    assert!(copies.iter().all(|(_, _, state)| state == "READY"), "{copies:?}");
    assert_eq!(copies.len(), live.len());
    assert!(copies.iter().all(|(_, sha256, _)| live.contains(sha256)));
    let keys: BTreeSet<String> = copies.into_iter().map(|(key, ..)| key).collect();
    assert_eq!(objects(server.data.path()), keys, "objects are the copies of what is live");
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeps_without_grace_touch_nothing_that_is_live_and_leave_nothing_else() {
    let (seed, all) =
        (seed(), if is_postgres() { times(600, 10_000) } else { times(1500, 100_000) });
    let data = Arc::new(folder());
    let database = database(&data).await;
    let server = Server::start_on(data, &database, &["--keep-free", "0"]).await;
    let (done, again) = (Arc::new(AtomicBool::default()), Arc::new(AtomicU64::default()));
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        workers.push(Worker::new(&server, seed, number, &again).await);
    }
    let begun = Instant::now();
    let sweepers = (0..SWEEPERS).map(|number| Random::of(seed, 1, number));
    let sweepers: Vec<_> = sweepers.map(|random| sweep_on(&server, &done, random)).collect();
    let working = workers.into_iter().map(|mut worker| {
        tokio::spawn(async move {
            for _ in 0..all.div_ceil(WORKERS) {
                worker.step().await;
            }
            worker
        })
    });
    let working: Vec<_> = working.collect();
    let mut workers = Vec::new();
    for worker in working {
        workers.push(worker.await.unwrap_or_else(|error| panic!("seed {seed}: {error}")));
    }
    done.store(true, Ordering::Relaxed);
    let mut removed = 0;
    for sweeper in sweepers {
        removed += sweeper.await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    let again = again.load(Ordering::Relaxed);
    eprintln!(
        "sweeps without grace, seed {seed}: {all} operations in {:?}, {removed} objects removed, {again} uploads sent again",
        begun.elapsed()
    );
    assert!(removed as u64 > all / 20, "seed {seed}: {removed} objects were removed");

    let mut live = BTreeSet::new();
    for worker in &mut workers {
        for version in std::mem::take(&mut worker.trash) {
            let input = format!(", id: \"{}\"", version.id);
            worker
                .mutate("restoreModelVersion", &version.version, &input, "modelVersion { id }")
                .await;
            worker.live.push(version);
        }
        worker.empty().await;
        worker.check_all().await;
        let contents = worker.live.iter().flat_map(|version| version.files.values());
        live.extend(contents.map(|content| sha256(*content)));
    }
    check_rest(&server, live).await;
    for worker in &workers {
        worker.check_all().await;
    }
}
