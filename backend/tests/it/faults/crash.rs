//! Crashes: the program is killed, or its disk fails, while many upload, publish, delete and sweep.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::ledger::{Known, Ledger};
use super::program::{Program, has_strace, kill, sqlite_in};
use super::{Fault, Random, is_postgres, seconds, seed, times};
use crate::harness::database;

/// How many work at once.
const WORKERS: u64 = 4;
/// How long a fault is waited for that comes at a call.
const PATIENCE: Duration = Duration::from_secs(5);

/// Few contents, so that the same bytes come and go again and again; some of several pieces.
fn bytes(random: &mut Random) -> Vec<u8> {
    let (content, large) = (random.below(40), random.below(8) == 0);
    let length = if large { 3_000_000 } else { 1 + content * 97 };
    (0..length).map(|index| ((index * 31 + content * 7) % 251) as u8).collect()
}

struct World {
    program: Program,
    token: String,
    ledger: Ledger,
    /// Whether a change must be made whatever fails: only the disk with the files does.
    changes_go_on: AtomicBool,
}

impl World {
    async fn new() -> Arc<Self> {
        let program = Program::new().await;
        let mut server = program.start_well().await;
        let token = program.token();
        let world = Self {
            program,
            token,
            ledger: Ledger::default(),
            changes_go_on: AtomicBool::default(),
        };
        world
            .graphql("mutation { createProject(input: {path: \"p\"}) { project { id } } }")
            .await
            .unwrap();
        for worker in 0..WORKERS {
            let create = format!(
                "mutation {{ createModel(input: {{project: \"p\", name: \"m{worker}\"}}) {{ model {{ id }} }} }}"
            );
            world.graphql(&create).await.unwrap();
        }
        kill(&mut server);
        Arc::new(world)
    }

    fn backup(&self) -> PathBuf {
        self.program.folder.path().join("backup")
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let Program { http, address, .. } = &self.program;
        http.request(method, format!("{address}{path}")).bearer_auth(&self.token)
    }

    /// The data of an operation; none where nobody answered, or it was refused.
    async fn graphql(&self, query: &str) -> Option<Value> {
        let request = self.request(Method::POST, "/graphql").json(&json!({ "query": query }));
        let mut answer: Value = request.send().await.ok()?.json().await.ok()?;
        answer.get("errors").is_none().then(|| answer["data"].take())
    }

    /// One worker's life until the server is gone.
    async fn work(self: Arc<Self>, mut random: Random, worker: u64) {
        let model = format!("p/m{worker}");
        loop {
            let create = format!(
                "mutation {{ createModelVersion(input: {{model: \"{model}\"}}) {{ modelVersion {{ version }} }} }}"
            );
            let Some(made) = self.graphql(&create).await else {
                assert!(!self.changes_go_on.load(Ordering::Relaxed), "a change was refused");
                return;
            };
            let version =
                made["createModelVersion"]["modelVersion"]["version"].as_str().unwrap().to_owned();
            for number in 0..1 + random.below(5) {
                let path = format!("/files/{model}/{version}/f{number}");
                let bytes = bytes(&mut random);
                let sha256 = hex::encode(Sha256::digest(&bytes));
                let put = match random.below(4) {
                    0 => self.resumable(&path, &bytes, &mut random).await,
                    1 => self.in_parts(&path, &bytes, &mut random).await,
                    _ => self
                        .request(Method::PUT, &path)
                        .body(bytes)
                        .send()
                        .await
                        .ok()
                        .map(|a| a.status().as_u16()),
                };
                match put {
                    Some(200 | 201 | 204) => self.ledger.note(&path, Known::Is(sha256)),
                    // With nothing kept, a sweep may take the bytes before their row is there: send them again.
                    Some(409 | 500..) => self.ledger.note(&path, Known::Perhaps),
                    Some(status) => panic!("{path}: {status}"),
                    None => return self.ledger.note(&path, Known::Perhaps),
                }
            }
            if random.below(4) == 0 && !self.promote(worker, &mut random).await {
                return;
            }
            if !self.end_version(&model, &version, &mut random).await {
                return;
            }
        }
    }

    /// A run with a file becomes a version, which has the file by reference. Returns whether the server lives.
    async fn promote(&self, worker: u64, random: &mut Random) -> bool {
        let create = format!(
            "mutation {{ createCandidate(input: {{model: \"p/m{worker}\"}}) {{ candidate {{ number }} }} }}"
        );
        let Some(made) = self.graphql(&create).await else { return false };
        let number = &made["createCandidate"]["candidate"]["number"];
        let bytes = bytes(random);
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let from = format!("/files/p/m{worker}/candidate:{number}/weights");
        let put = self.request(Method::PUT, &from).body(bytes).send().await;
        if !put.is_ok_and(|answer| answer.status().is_success()) {
            return false;
        }
        self.ledger.note(&from, Known::Is(sha256.clone()));
        let promote = format!(
            "mutation {{ promoteCandidate(input: {{model: \"p/m{worker}\", candidate: {number}}}) {{ modelVersion {{ version }} }} }}"
        );
        let Some(made) = self.graphql(&promote).await else { return false };
        let version = made["promoteCandidate"]["modelVersion"]["version"].as_str().unwrap();
        self.ledger.note(&format!("/files/p/m{worker}/{version}/weights"), Known::Is(sha256));
        true
    }

    /// Publishes a version, or deletes it, for good or not. Returns whether the server lives.
    async fn end_version(&self, model: &str, version: &str, random: &mut Random) -> bool {
        let of = format!("input: {{model: \"{model}\", version: \"{version}\"}}");
        if random.below(2) == 0 {
            let publish =
                format!("mutation {{ publishModelVersion({of}) {{ modelVersion {{ id }} }} }}");
            return self.graphql(&publish).await.is_some();
        }
        let prefix = format!("/files/{model}/{version}/");
        self.ledger.doubt(&prefix);
        let delete = format!("mutation {{ deleteModelVersion({of}) {{ modelVersion {{ id }} }} }}");
        if self.graphql(&delete).await.is_none() {
            return false;
        }
        self.ledger.forget(&prefix);
        random.below(2) == 0
            || self
                .graphql("mutation { emptyTrash(input: {project: \"p\"}) { removedCount } }")
                .await
                .is_some()
    }

    /// An upload that is cut off and goes on.
    async fn resumable(&self, path: &str, bytes: &[u8], random: &mut Random) -> Option<u16> {
        let tus = |method, path: &str| self.request(method, path).header("tus-resumable", "1.0.0");
        let begun =
            tus(Method::POST, path).header("upload-length", bytes.len()).send().await.ok()?;
        if !begun.status().is_success() {
            return Some(begun.status().as_u16());
        }
        let upload = begun.headers()["location"].to_str().unwrap().to_owned();
        let middle = usize::try_from(random.below(bytes.len() as u64)).unwrap();
        let mut status = 0;
        for (from, to) in [(0, middle), (middle, bytes.len())] {
            let patch = tus(Method::PATCH, &upload)
                .header("upload-offset", from)
                .header("content-type", "application/offset+octet-stream")
                .body(bytes[from..to].to_vec());
            status = patch.send().await.ok()?.status().as_u16();
            if status >= 500 {
                break;
            }
        }
        Some(status)
    }

    /// An upload of two parts that are put together.
    async fn in_parts(&self, path: &str, bytes: &[u8], random: &mut Random) -> Option<u16> {
        let tus = || self.request(Method::POST, path).header("tus-resumable", "1.0.0");
        let (first, second) =
            bytes.split_at(usize::try_from(random.below(bytes.len() as u64)).unwrap());
        let mut concat = "final;".to_owned();
        for part in [first, second] {
            let begin =
                tus().header("upload-concat", "partial").header("upload-length", part.len());
            let begin = begin.header("content-type", "application/offset+octet-stream");
            let begun = begin.body(part.to_vec()).send().await.ok()?;
            if !begun.status().is_success() {
                return Some(begun.status().as_u16());
            }
            concat.push_str(begun.headers()["location"].to_str().unwrap());
            concat.push(' ');
        }
        let joined = tus().header("upload-concat", concat.trim_end()).send().await.ok()?;
        Some(joined.status().as_u16())
    }

    /// Sweeps beside the server, again and again, with nothing kept; and makes a backup, which is killed in the middle.
    async fn sweep(self: Arc<Self>, ended: Arc<AtomicBool>) {
        while !ended.load(Ordering::Relaxed) {
            let world = self.clone();
            // Killed or refused, as the server may be.
            let sweep = move || world.program.output(&["sweep", "--keep-removed", "0"]);
            tokio::task::spawn_blocking(sweep).await.unwrap();
            let mut backup = self.program.command(&["backup"]);
            backup.arg(self.backup()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut backup = backup.spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(150)).await;
            kill(&mut backup);
        }
    }

    /// A backup, after so many that were killed, becomes a registry again that has it all.
    async fn check_restored(mut self) {
        let backup = self.backup();
        let backup = backup.to_str().unwrap();
        self.program.run(&["backup", backup]);
        let restored = self.program.folder.path().join("restored");
        let database = match is_postgres() {
            true => database(&self.program.folder).await,
            false => sqlite_in(&restored),
        };
        let to = ["--data", restored.to_str().unwrap(), "--database", &database];
        self.program.run(&[&["restore", backup][..], &to].concat());
        std::fs::rename(self.program.data(), self.program.folder.path().join("before")).unwrap();
        std::fs::rename(restored, self.program.data()).unwrap();
        if is_postgres() {
            self.program.database = database;
        }
        let mut server = self.program.start_well().await;
        self.check().await;
        kill(&mut server);
    }

    /// Whether all is there that was acknowledged, with the right bytes. What nobody answered is as it is found.
    async fn check(&self) {
        for path in self.ledger.files().keys() {
            let answer = self.request(Method::GET, path).send().await.unwrap();
            let status = answer.status().as_u16();
            let bytes = answer.bytes().await.unwrap_or_else(|error| panic!("{path}: {error}"));
            let found = (status == 200).then(|| hex::encode(Sha256::digest(&bytes)));
            self.ledger.check(path, status, found);
        }
    }

    /// Waits until it is time to kill the server: some time, or until the fault came, which may never be. Returns whether
    /// it came.
    async fn wait(&self, server: &mut Child, fault: &Fault, mut random: Random) -> bool {
        let begun = Instant::now();
        while !matches!(fault, Fault::Kill) && begun.elapsed() < PATIENCE {
            if server.try_wait().unwrap().is_some() {
                return true;
            }
            if matches!(fault, Fault::Error(..)) && self.program.has_failed() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if matches!(fault, Fault::KillAt(..)) {
            return false;
        }
        // A disk that fails goes on failing.
        tokio::time::sleep(Duration::from_millis(100 + random.below(1500))).await;
        matches!(fault, Fault::Kill) || self.program.has_failed()
    }

    /// One life of the server, which fails so while everybody works. Returns whether it did fail.
    async fn live(self: &Arc<Self>, seed: u64, round: u64, fault: &Fault) -> bool {
        let random = Random::of(seed, round, WORKERS);
        let Some(mut server) = self.program.start(fault).await else { return true };
        let is_of_disk = matches!(fault, Fault::Error(..));
        self.changes_go_on.store(is_postgres() && is_of_disk, Ordering::Relaxed);
        let ended = Arc::new(AtomicBool::new(false));
        let work = |worker| self.clone().work(Random::of(seed, round, worker), worker);
        let workers: Vec<_> = (0..WORKERS).map(|worker| tokio::spawn(work(worker))).collect();
        let sweeping = tokio::spawn(self.clone().sweep(ended.clone()));
        let has_failed = self.wait(&mut server, fault, random).await;
        self.changes_go_on.store(false, Ordering::Relaxed);
        kill(&mut server);
        for worker in workers {
            worker.await.unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}"));
        }
        ended.store(true, Ordering::Relaxed);
        sweeping.await.unwrap();
        has_failed
    }
}

/// How long something is tried.
enum Until {
    Seconds(u64),
    /// So many lives in which the server did fail.
    Failed(u64),
}

/// Fails the server again and again while everybody works, and looks what is there each time.
async fn fail(name: &str, until: Until, fault: impl Fn(u64, &mut Random) -> Fault) {
    let (seed, begun) = (seed(), Instant::now());
    let world = World::new().await;
    let (mut lives, mut failed) = (0, 0);
    while match until {
        Until::Seconds(seconds) => failed == 0 || begun.elapsed() < Duration::from_secs(seconds),
        Until::Failed(times) => failed < times,
    } {
        assert!(lives < 20 + 10 * failed, "seed {seed}: {failed} of {lives} lives failed");
        let fault = fault(failed, &mut Random::of(seed, lives, WORKERS + 1));
        failed += u64::from(world.live(seed, lives, &fault).await);
        let mut server = world.program.start_well().await;
        world.check().await;
        kill(&mut server);
        lives += 1;
    }
    let report: Value = serde_json::from_str(&world.program.run(&["verify", "--json"])).unwrap();
    let figures = world.ledger.figures();
    let lost = report["lost"].as_array().unwrap().len();
    eprintln!(
        "{name}, seed {seed}: {failed} faults in {lives} lives, {} acknowledged, {} unanswered, {} files at the end, \
         {lost} lost",
        figures.acknowledged, figures.unanswered, figures.files
    );
    assert!(failed > 0 && figures.acknowledged > 0);
    assert_eq!(lost, 0, "seed {seed}: {report}");
    let world = Arc::into_inner(world).expect("everybody has ended");
    world.check_restored().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_any_time_lose_nothing() {
    if !is_postgres() {
        fail("killed", Until::Seconds(seconds()), |_, _| Fault::Kill).await;
    }
}

/// Calls that change files, and up to which of a thread's the fault is tried: most lives have as many. Between a name and
/// a row is where most can go wrong.
const CALLS: [(&str, u64); 6] = [
    ("rename,renameat,renameat2", 16),
    ("rename,renameat,renameat2", 16),
    ("fsync", 40),
    ("fdatasync", 4),
    ("unlink,unlinkat", 3),
    ("pwrite64", 250),
];

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_chosen_calls_lose_nothing() {
    if !is_postgres() && has_strace() {
        let fault = |_, random: &mut Random| {
            let (call, most) = random.of_these(&CALLS);
            Fault::KillAt(call, 1 + random.below(most))
        };
        fail("killed at calls", Until::Seconds(seconds()), fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_disk_loses_nothing() {
    if !is_postgres() && has_strace() {
        let fault = |_, random: &mut Random| {
            let (call, most) = random.of_these(&CALLS);
            Fault::Error(call, random.of_these(&["ENOSPC", "EIO"]), 1 + random.below(most))
        };
        fail("failing disk", Until::Seconds(seconds()), fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_disk_beside_postgres_loses_nothing_and_stops_no_change() {
    // All that writes files: before each write of an upload there is an lseek, which fails in its place, as a write
    // that fails could be one to a socket.
    const CALLS: [&str; 5] =
        ["lseek", "fsync,fdatasync", "pwrite64", "rename,renameat,renameat2", "unlink,unlinkat"];
    if is_postgres() && has_strace() {
        let fault = |failed, random: &mut Random| {
            let failed = usize::try_from(failed).unwrap();
            let error = ["ENOSPC", "EIO"][failed / CALLS.len() % 2];
            Fault::Error(CALLS[failed % CALLS.len()], error, 1 + random.below(8))
        };
        fail("failing disk beside PostgreSQL", Until::Failed(times(5, 20)), fault).await;
    }
}
