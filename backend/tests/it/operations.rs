use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Caller, PASSWORD, Server};

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_health_readiness_and_metrics() {
    let server = Server::start().await;
    let anonymous = server.anonymous();
    assert_eq!(anonymous.get("/healthz").await.text().await.unwrap(), "ok\n");
    let ready: Value = anonymous.get("/readyz").await.json().await.unwrap();
    let is = |name: &str| ready[name] == true;
    assert!(ready["state"] == "ready" && is("database") && is("storage") && is("room"), "{ready}");
    assert_eq!(ready["schema"], model_registry::db::SCHEMA);
    anonymous.get("/files/a/b/c/d").await;
    let odd = reqwest::Method::from_bytes(b"ODD").unwrap();
    anonymous.request(odd, "/healthz").send().await.unwrap();
    let metrics = anonymous.get("/metrics").await.text().await.unwrap();
    assert!(
        metrics.contains("http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"}"),
        "{metrics}"
    );
    assert!(
        metrics.contains("route=\"/files/{project}/{model}/{reference}/{*path}\",status=\"404\""),
        "{metrics}"
    );
    assert!(metrics.contains("model_registry_sql_statements_total"), "{metrics}");
    assert!(metrics.contains("method=\"other\"") && !metrics.contains("ODD"), "{metrics}");
    server.app.db.close().await;
    let answer = anonymous.get("/readyz").await;
    assert_eq!(answer.status(), 503);
    let ready: Value = answer.json().await.unwrap();
    assert!(ready["state"] == "not-ready" && ready["database"] == false, "{ready}");
    assert_eq!(anonymous.get("/healthz").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_nothing_say_so_in_json() {
    let server = Server::start().await;
    for path in ["/api/nothing", "/files/x"] {
        let response = server.anonymous().get(path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.json::<serde_json::Value>().await.unwrap()["code"], "NOT_FOUND");
    }
}

/// The program itself, in a folder of its own.
pub struct Process {
    child: Child,
    pub url: String,
}

impl Process {
    pub fn start(data: &Path) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(env!("CARGO_BIN_EXE_model-registry"))
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(data)
            .env("MODEL_REGISTRY_ADMIN_PASSWORD", PASSWORD)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let process = Self { child, url: format!("http://127.0.0.1:{port}") };
        // A connection is taken in at once and answered when everything is open.
        for _ in 0..500 {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
                stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
                return process;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not start");
    }

    pub fn admin(&self, data: &Path) -> Caller {
        let made = Command::new(env!("CARGO_BIN_EXE_model-registry"))
            .args(["token", "--user", "admin", "--name", "test", "--data"])
            .arg(data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        Caller {
            url: self.url.clone(),
            token: Some(token),
            http: reqwest::Client::new(),
            endpoint: "/graphql",
        }
    }

    pub fn signal(&self, signal: &str) {
        assert!(
            Command::new("kill")
                .args([signal, &self.child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Process {
    /// Stops it as a service manager does.
    pub fn stop(mut self) {
        self.signal("-TERM");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    files
}

/// Waits until something is so.
pub async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: it never did");
}

fn half_an_upload(process: &Process, admin: &Caller) -> TcpStream {
    let token = admin.token.as_deref().unwrap();
    let mut stream = TcpStream::connect(process.url.trim_start_matches("http://")).unwrap();
    let head = format!(
        "PUT /files/vision/ocr/1.0.0/big HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 12000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![1; 6_000_000]).unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_an_upload_it_leaves_neither_row_nor_stray_file() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path());
    let admin = process.admin(data.path());
    admin.ok(crate::harness::CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("1.0.0")).await;
    admin.put("/files/vision/ocr/1.0.0/small", "kept").await;
    let stream = half_an_upload(&process, &admin);
    eventually("it begins", || files_below(&data.path().join("staging")).len() == 1).await;
    process.signal("-KILL");
    drop((process, stream));

    let process = Process::start(data.path());
    assert_eq!(files_below(&data.path().join("staging")), [""; 0]);
    let admin = Caller { url: process.url.clone(), ..admin };
    let files =
        "{ model(path: \"vision/ocr\") { version(ref: \"1.0.0\") { files { nodes { path } } } } }";
    let found = admin.ok(files, json!({})).await["model"]["version"]["files"]["nodes"].take();
    assert_eq!(found, json!([{"path": "small"}]));
    assert_eq!(files_below(&data.path().join("blobs")).len(), 1);
    assert_eq!(admin.get("/files/vision/ocr/1.0.0/small").await.text().await.unwrap(), "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_finishes_the_transfer_that_is_running() {
    let data = tempfile::tempdir().unwrap();
    let mut process = Process::start(data.path());
    let admin = process.admin(data.path());
    admin.ok(crate::harness::CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("1.0.0")).await;
    let mut stream = half_an_upload(&process, &admin);
    eventually("it begins", || files_below(&data.path().join("staging")).len() == 1).await;
    process.signal("-TERM");
    let refuses = || TcpStream::connect(process.url.trim_start_matches("http://")).is_err();
    eventually("nobody new is let in", refuses).await;
    stream.write_all(&vec![1; 6_000_000]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(process.child.wait().unwrap().success());
}

#[test]
fn a_token_needs_a_registry() {
    let data = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_model-registry"))
        .args(["token", "--name", "x", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert!(!made.status.success());
    assert!(String::from_utf8_lossy(&made.stderr).contains("there is no database"));
    assert!(files_below(data.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_cannot_share_a_folder() {
    let data = tempfile::tempdir().unwrap();
    let _first = Process::start(data.path());
    let second = Command::new(env!("CARGO_BIN_EXE_model-registry"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("Another server is using"));
}

#[test]
fn a_header_that_never_ends_is_cut_off() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path());
    let mut stream = TcpStream::connect(process.url.trim_start_matches("http://")).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the server ends it, not we");
}

#[test]
fn every_flag_is_explained_and_is_an_environment_variable() {
    let help = Command::new(env!("CARGO_BIN_EXE_model-registry"))
        .args(["serve", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let flags = help.matches("--").count();
    assert!(flags > 8, "{help}");
    for flag in help.lines().filter_map(|line| line.trim().strip_prefix("--")) {
        let name = flag.split([' ', '=']).next().unwrap().replace('-', "_").to_uppercase();
        assert!(
            help.contains(&format!("MODEL_REGISTRY_{name}")),
            "{name} is no environment variable:\n{help}"
        );
    }
}

/// Half a message holds its connection for the least time that a message may take, whatever route it is for.
#[tokio::test(flavor = "multi_thread")]
async fn half_sent_messages_end() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let token = admin.token.as_deref().unwrap();
    let mut streams = Vec::new();
    for path in
        ["/graphql", "/api/2.0/mlflow/experiments/create", "/mlflow/x/api/2.0/mlflow/runs/create"]
    {
        for authorization in [format!("authorization: Bearer {token}\r\n"), String::new()] {
            let mut stream = TcpStream::connect(server.address).unwrap();
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\n{authorization}content-type: application/json\r\n\
                 content-length: 20\r\n\r\n{{\"name\":"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            streams.push((path, stream));
        }
    }
    for (path, mut stream) in streams {
        let read = tokio::task::spawn_blocking(move || {
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).map(|()| answer)
        });
        let answer = read.await.unwrap().unwrap_or_else(|error| panic!("{path}: {error}"));
        let status = String::from_utf8_lossy(&answer[9..]).into_owned();
        assert!(["408", "401"].contains(&status.as_str()), "{path}: {status}");
    }
}

/// What a restart of PostgreSQL does to every connection; its tables are as they were.
async fn end_connections(server: &Server) {
    let url = std::env::var("MODEL_REGISTRY_TEST_POSTGRES").unwrap();
    let (_, name) = server.database.rsplit_once('/').unwrap();
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
    let end =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(end)).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_postgresql_ended_fail_no_request() {
    if std::env::var("MODEL_REGISTRY_TEST_POSTGRES").is_err() {
        return;
    }
    let (server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    for round in 0..5 {
        // Several at once, so that several connections are kept.
        let read = (0..10).map(|_| admin.ok("{ projects { totalCount } }", json!({})));
        futures_util::future::join_all(read).await;
        end_connections(&server).await;
        admin.ok("{ viewer { id } projects { nodes { path } } }", json!({})).await;
        end_connections(&server).await;
        let put = admin.put(&format!("/files/vision/ocr/1.0.0/{round}"), "bytes").await;
        assert_eq!(put.status(), 201, "{}", put.text().await.unwrap());
    }
}
