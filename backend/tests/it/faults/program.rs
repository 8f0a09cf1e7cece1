//! The program itself, in a folder of its own, and how it is made to fail.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use reqwest::Client;
use tempfile::TempDir;

use crate::harness::{PASSWORD, database, direct};

/// How the server fails.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is killed some time later.
    Kill,
    /// It is killed at the Nth call of this kind.
    KillAt(&'static str, u64),
    /// The Nth call of this kind, and those that follow, fail so.
    Error(&'static str, &'static str, u64),
}

impl Fault {
    /// The calls that strace looks at, and what it does to them.
    fn injection(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Kill => None,
            Self::KillAt(call, at) => {
                Some((call, format!("inject={call}:signal=SIGKILL:when={at}")))
            }
            Self::Error(call, error, at) => {
                Some((call, format!("inject={call}:error={error}:when={at}+")))
            }
        }
    }
}

/// A registry on disk, and where its server listens.
pub struct Program {
    pub folder: TempDir,
    pub address: String,
    /// The URL of its database.
    pub database: String,
    pub http: Client,
}

impl Program {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let url = database(&folder).await;
        let database = match url.starts_with("sqlite") {
            true => sqlite_in(&folder.path().join("data")),
            false => url,
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let http = Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Self { folder, address, database, http }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The program, with these arguments, of this registry.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments);
        self.set(&mut command);
        command
    }

    fn set(&self, command: &mut Command) {
        command
            .env("MODEL_REGISTRY_DATA", self.data())
            .env("MODEL_REGISTRY_DATABASE", &self.database)
            .envs(direct(&self.database))
            .env("MODEL_REGISTRY_ADMIN_PASSWORD", PASSWORD);
    }

    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it prints where it must succeed.
    pub fn run(&self, arguments: &[&str]) -> String {
        let done = self.output(arguments);
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// A new token of the administrator.
    pub fn token(&self) -> String {
        self.run(&["token", "--name", "faults", "--scope", "ADMIN"]).trim().to_owned()
    }

    /// Starts a server that will fail so, and waits for nothing.
    pub fn spawn(&self, fault: &Fault) -> Child {
        let mut command = match fault.injection() {
            None => Command::new(program()),
            Some((call, inject)) => {
                let trace = format!("trace={call}");
                let mut strace = Command::new("strace");
                // Not with --seccomp-bpf, which is faster: with it, signals are sent at the first call only.
                strace.args(["--follow-forks", "--quiet=all", "-e", &trace]);
                strace.args(["-e", &inject, "-o"]).arg(self.trace()).arg(program());
                strace
            }
        };
        self.set(&mut command);
        let flags = ["--keep-removed", "0", "--keep-free", "0", "--scrub-rate", "0"];
        command
            .arg("serve")
            .args(flags)
            .args(["--listen", self.address.trim_start_matches("http://")])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.folder.path().join("log")).unwrap())
            .spawn()
            .unwrap()
    }

    /// Starts a server that will fail so; none where the fault came before it was ready.
    pub async fn start(&self, fault: &Fault) -> Option<Child> {
        let mut child = self.spawn(fault);
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
        kill(&mut child);
        panic!("the server does not become ready: {}", self.log());
    }

    /// Starts a server that must become ready.
    pub async fn start_well(&self) -> Child {
        let started = self.start(&Fault::Kill).await;
        started.unwrap_or_else(|| panic!("it does not start: {}", self.log()))
    }

    /// Whether calls of the last server failed as they were made to.
    pub fn has_failed(&self) -> bool {
        std::fs::read_to_string(self.trace()).is_ok_and(|trace| trace.contains("(INJECTED)"))
    }

    fn trace(&self) -> PathBuf {
        self.folder.path().join("trace")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// The URL of the SQLite database in a folder of data.
pub fn sqlite_in(data: &std::path::Path) -> String {
    model_registry::db::Db::sqlite_url(&data.join("registry.sqlite"))
}

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_model-registry")
}

/// Kills the server, also as the child of strace, and waits until it is gone.
pub fn kill(server: &mut Child) {
    let child = ["-KILL", "-P", &server.id().to_string()];
    let traced = Command::new("pkill").args(child).status().is_ok_and(|done| done.success());
    // A tracer ends when what it traces is gone.
    if !traced {
        server.kill().ok();
    }
    server.wait().unwrap();
}

pub fn has_strace() -> bool {
    let found =
        Command::new("strace").arg("--version").output().is_ok_and(|done| done.status.success());
    if !found {
        eprintln!("strace is not here: not tried");
    }
    found
}
