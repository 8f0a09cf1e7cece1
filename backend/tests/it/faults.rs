//! Faults: the program itself is killed, or its disk fails, while many upload, publish, delete and sweep; what was
//! acknowledged is there afterwards, with the right bytes.
//!
//! `make faults` runs this for long, with a seed that it prints; a sample is part of every test run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How long one kind of fault is tried, in seconds, unless `FAULTS_SECONDS` says more.
const SAMPLE: u64 = 10;
/// How many work at once.
const WORKERS: u64 = 4;

/// Random numbers that a seed repeats (xorshift64*).
#[derive(Clone)]
struct Random(u64);

impl Random {
    /// Of one worker in one round.
    fn of(seed: u64, round: u64, worker: u64) -> Self {
        let mut random = Self(seed ^ (round << 20) ^ (worker << 50) | 1);
        random.below(2);
        random.below(2);
        random
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    fn bytes(&mut self) -> Vec<u8> {
        // Few contents, so that the same bytes come and go again and again; some of several pieces.
        let (content, large) = (self.below(40), self.below(8) == 0);
        let length = if large { 3_000_000 } else { 1 + content * 97 };
        (0..length).map(|index| ((index * 31 + content * 7) % 251) as u8).collect()
    }
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq)]
enum Known {
    /// It was acknowledged, with this SHA-256.
    Is(String),
    /// Something was asked that nobody answered.
    Perhaps,
}

/// What was acknowledged, by address.
#[derive(Default)]
struct Ledger {
    files: BTreeMap<String, Known>,
    acknowledged: u64,
    unanswered: u64,
}

struct World {
    folder: tempfile::TempDir,
    address: String,
    token: String,
    http: Client,
    ledger: Mutex<Ledger>,
}

/// How the server fails.
enum Fault {
    /// It is killed some time later.
    Kill,
    /// It is killed at the Nth call of this kind.
    KillAt(&'static str, u64),
    /// The Nth call of this kind, and those that follow, fail so.
    Error(&'static str, &'static str, u64),
}

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_model-registry")
}

fn seconds() -> u64 {
    std::env::var("FAULTS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SAMPLE)
}

fn seed() -> u64 {
    let said = std::env::var("FAULTS_SEED").ok().and_then(|text| text.parse().ok());
    said.unwrap_or_else(|| u64::from(std::process::id()))
}

impl World {
    async fn new() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let http = Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        let mut world =
            Self { folder, address, token: String::new(), http, ledger: Mutex::default() };
        let mut server = world.start(&Fault::Kill).await.expect("it starts");
        world.token =
            world.run(&["token", "--name", "faults", "--scope", "ADMIN"]).trim().to_owned();
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
        server.kill().unwrap();
        server.wait().unwrap();
        Arc::new(world)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, arguments: &[&str]) -> String {
        let done = Command::new(program())
            .args(arguments)
            .arg("--data")
            .arg(self.data())
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// Starts a server that will fail so; none where the fault came before it was ready.
    async fn start(&self, fault: &Fault) -> Option<Child> {
        let inject = match fault {
            Fault::Kill => None,
            Fault::KillAt(call, at) => Some(format!("inject={call}:signal=SIGKILL:when={at}")),
            Fault::Error(call, error, at) => {
                Some(format!("inject={call}:error={error}:when={at}+"))
            }
        };
        let mut command = match &inject {
            None => Command::new(program()),
            Some(inject) => {
                let mut strace = Command::new("strace");
                strace.args(["--follow-forks", "--quiet=all", "-o", "/dev/null", "-e", inject]);
                strace.arg(program());
                strace
            }
        };
        let mut child = command
            .args([
                "serve",
                "--keep-removed",
                "0",
                "--keep-free",
                "0",
                "--scrub-rate",
                "0",
                "--listen",
            ])
            .arg(self.address.trim_start_matches("http://"))
            .arg("--data")
            .arg(self.data())
            .env("MODEL_REGISTRY_ADMIN_PASSWORD", "correct horse battery staple")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        for _ in 0..6000 {
            let ready = self.http.get(format!("{}/readyz", self.address)).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return Some(child);
            }
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the server does not become ready");
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.address)).bearer_auth(&self.token)
    }

    /// The data of an operation; none where nobody answered, or it was refused.
    async fn graphql(&self, query: &str) -> Option<Value> {
        let request = self.request(Method::POST, "/graphql").json(&json!({ "query": query }));
        let mut answer: Value = request.send().await.ok()?.json().await.ok()?;
        answer.get("errors").is_none().then(|| answer["data"].take())
    }

    fn note(&self, path: &str, known: Known) {
        let mut ledger = self.ledger.lock().unwrap();
        match known {
            Known::Is(_) => ledger.acknowledged += 1,
            Known::Perhaps => ledger.unanswered += 1,
        }
        ledger.files.insert(path.to_owned(), known);
    }

    /// One worker's life until the server is gone.
    async fn work(self: Arc<Self>, mut random: Random, worker: u64) {
        let model = format!("p/m{worker}");
        loop {
            let create = format!(
                "mutation {{ createModelVersion(input: {{model: \"{model}\"}}) {{ modelVersion {{ version }} }} }}"
            );
            let Some(made) = self.graphql(&create).await else { return };
            let version =
                made["createModelVersion"]["modelVersion"]["version"].as_str().unwrap().to_owned();
            for number in 0..1 + random.below(5) {
                let path = format!("/files/{model}/{version}/f{number}");
                let bytes = random.bytes();
                let sha256 = hex::encode(Sha256::digest(&bytes));
                let put = match random.below(3) {
                    0 => self.resumable(&path, &bytes, &mut random).await,
                    _ => self
                        .request(Method::PUT, &path)
                        .body(bytes)
                        .send()
                        .await
                        .ok()
                        .map(|a| a.status().as_u16()),
                };
                match put {
                    Some(200 | 201 | 204) => self.note(&path, Known::Is(sha256)),
                    // With nothing kept, a sweep may take the bytes before their row is there: send them again.
                    Some(409 | 500..) => self.note(&path, Known::Perhaps),
                    Some(status) => panic!("{path}: {status}"),
                    None => return self.note(&path, Known::Perhaps),
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
        let bytes = random.bytes();
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let from = format!("/files/p/m{worker}/candidate:{number}/weights");
        let put = self.request(Method::PUT, &from).body(bytes).send().await;
        if !put.is_ok_and(|answer| answer.status().is_success()) {
            return false;
        }
        self.note(&from, Known::Is(sha256.clone()));
        let promote = format!(
            "mutation {{ promoteCandidate(input: {{model: \"p/m{worker}\", candidate: {number}}}) {{ modelVersion {{ version }} }} }}"
        );
        let Some(made) = self.graphql(&promote).await else { return false };
        let version = made["promoteCandidate"]["modelVersion"]["version"].as_str().unwrap();
        self.note(&format!("/files/p/m{worker}/{version}/weights"), Known::Is(sha256));
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
        let forget = |known: Option<Known>| {
            let mut ledger = self.ledger.lock().unwrap();
            let paths: Vec<String> =
                ledger.files.keys().filter(|path| path.starts_with(&prefix)).cloned().collect();
            for path in paths {
                match &known {
                    Some(known) => drop(ledger.files.insert(path, known.clone())),
                    None => drop(ledger.files.remove(&path)),
                }
            }
        };
        forget(Some(Known::Perhaps));
        let delete = format!("mutation {{ deleteModelVersion({of}) {{ modelVersion {{ id }} }} }}");
        if self.graphql(&delete).await.is_none() {
            return false;
        }
        forget(None);
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

    /// Sweeps beside the server, again and again, with nothing kept; and makes a backup, which is killed in the middle.
    async fn sweep(self: Arc<Self>, ended: Arc<std::sync::atomic::AtomicBool>) {
        while !ended.load(std::sync::atomic::Ordering::Relaxed) {
            let mut sweep = tokio::task::spawn_blocking({
                let world = self.clone();
                move || {
                    // Killed or refused, as the server may be.
                    Command::new(program())
                        .args(["sweep", "--keep-removed", "0", "--data"])
                        .arg(world.data())
                        .output()
                        .unwrap()
                }
            });
            (&mut sweep).await.unwrap();
            let mut backup = Command::new(program())
                .arg("backup")
                .arg(self.folder.path().join("backup"))
                .arg("--data")
                .arg(self.data())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            tokio::time::sleep(Duration::from_millis(150)).await;
            kill(&mut backup);
        }
    }

    /// A backup, after so many that were killed, becomes a registry again that has it all.
    async fn check_restored(&self) {
        let backup = self.folder.path().join("backup");
        let backup = backup.to_str().unwrap();
        self.run(&["backup", backup]);
        let restored = self.folder.path().join("restored");
        let done = Command::new(program())
            .args(["restore", backup, "--data"])
            .arg(&restored)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        std::fs::rename(self.data(), self.folder.path().join("before")).unwrap();
        std::fs::rename(restored, self.data()).unwrap();
        let mut server = self.start(&Fault::Kill).await.expect("it starts with what was restored");
        self.check().await;
        kill(&mut server);
    }

    /// Whether all is there that was acknowledged, with the right bytes. What nobody answered is as it is found.
    async fn check(&self) {
        let files = self.ledger.lock().unwrap().files.clone();
        for (path, known) in files {
            let answer = self.request(Method::GET, &path).send().await.unwrap();
            let status = answer.status().as_u16();
            let bytes = answer.bytes().await.unwrap_or_else(|error| panic!("{path}: {error}"));
            let found = (status == 200).then(|| hex::encode(Sha256::digest(&bytes)));
            match known {
                Known::Is(sha256) => {
                    assert_eq!((status, found), (200, Some(sha256)), "{path} was acknowledged")
                }
                Known::Perhaps => {
                    assert!([200, 404].contains(&status), "{path}: {status}");
                    let mut ledger = self.ledger.lock().unwrap();
                    match found {
                        Some(sha256) => drop(ledger.files.insert(path, Known::Is(sha256))),
                        None => drop(ledger.files.remove(&path)),
                    }
                }
            }
        }
    }
}

/// Fails the server again and again while everybody works, and looks what is there each time.
async fn fail(name: &str, fault: impl Fn(&mut Random) -> Fault) {
    let (seed, until) = (seed(), Instant::now() + Duration::from_secs(seconds()));
    let world = World::new().await;
    let mut faults = 0;
    for round in 0.. {
        if Instant::now() > until {
            break;
        }
        let mut random = Random::of(seed, round, WORKERS);
        let fault = fault(&mut random);
        let ended = Arc::new(std::sync::atomic::AtomicBool::new(false));
        if let Some(mut server) = world.start(&fault).await {
            let workers: Vec<_> = (0..WORKERS)
                .map(|worker| {
                    tokio::spawn(world.clone().work(Random::of(seed, round, worker), worker))
                })
                .collect();
            let sweeping = tokio::spawn(world.clone().sweep(ended.clone()));
            let life = Duration::from_millis(100 + random.below(1500));
            tokio::time::sleep(life).await;
            // Those whose call never came live until now.
            kill(&mut server);
            for worker in workers {
                worker.await.unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}"));
            }
            ended.store(true, std::sync::atomic::Ordering::Relaxed);
            sweeping.await.unwrap();
        }
        faults += 1;
        let mut server = world.start(&Fault::Kill).await.unwrap_or_else(|| {
            let said = std::fs::read_to_string(world.folder.path().join("log"));
            panic!("seed {seed}, round {round}: it does not start again: {said:?}")
        });
        world.check().await;
        kill(&mut server);
    }
    let report: Value = serde_json::from_str(&world.run(&["verify", "--json"])).unwrap();
    let (acknowledged, unanswered, files) = {
        let ledger = world.ledger.lock().unwrap();
        (ledger.acknowledged, ledger.unanswered, ledger.files.len())
    };
    let lost = report["lost"].as_array().unwrap().len();
    eprintln!(
        "{name}, seed {seed}: {faults} faults, {acknowledged} acknowledged, {unanswered} unanswered, {files} files at the \
         end, {lost} lost"
    );
    assert!(faults > 0 && acknowledged > 0);
    assert_eq!(lost, 0, "seed {seed}: {report}");
    world.check_restored().await;
    assert_eq!(report["lost"], json!([]), "seed {seed}");
}

/// Kills the server, also as the child of strace, and waits until it is gone.
fn kill(server: &mut Child) {
    let child = ["-KILL", "-P", &server.id().to_string()];
    let traced = Command::new("pkill").args(child).status().is_ok_and(|done| done.success());
    // A tracer ends when what it traces is gone.
    if !traced {
        server.kill().ok();
    }
    server.wait().unwrap();
}

fn has_strace() -> bool {
    let found =
        Command::new("strace").arg("--version").output().is_ok_and(|done| done.status.success());
    if !found {
        eprintln!("strace is not here: not tried");
    }
    found
}

/// On PostgreSQL the same would be tried: the files are the same, and the transactions are its own.
fn is_postgres() -> bool {
    std::env::var("MODEL_REGISTRY_TEST_POSTGRES").is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_kills_at_any_time_lose_nothing() {
    if !is_postgres() {
        fail("killed", |_| Fault::Kill).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_kills_at_chosen_calls_lose_nothing() {
    // Between a name and a row is where most can go wrong.
    const CALLS: [&str; 6] = [
        "rename,renameat,renameat2",
        "rename,renameat,renameat2",
        "fsync",
        "fdatasync",
        "unlink,unlinkat",
        "pwrite64",
    ];
    if !is_postgres() && has_strace() {
        let fault = |random: &mut Random| {
            let call = CALLS[usize::try_from(random.below(CALLS.len() as u64)).unwrap()];
            Fault::KillAt(call, 1 + random.below(40))
        };
        fail("killed at calls", fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_disk_lose_nothing() {
    const CALLS: [&str; 5] =
        ["fsync", "fdatasync", "pwrite64", "rename,renameat,renameat2", "unlink,unlinkat"];
    if !is_postgres() && has_strace() {
        let fault = |random: &mut Random| {
            let call = CALLS[usize::try_from(random.below(CALLS.len() as u64)).unwrap()];
            let error = ["ENOSPC", "EIO"][usize::try_from(random.below(2)).unwrap()];
            Fault::Error(call, error, 1 + random.below(60))
        };
        fail("failing disk", fault).await;
    }
}
