//! The MLflow operations, beside MLflow's own server: both with SQLite and the local disk, on this
//! machine, in this run, with eight clients that each wait for their answer.

use std::fmt::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::routing::post;
use axum::{Json, Router};
use model_registry::db::{Db, Query, Sql};
use serde_json::{Value, json};

use crate::Row;
use crate::setup::{self, Client, Server, serve_bare, start};

const CLIENTS: usize = 8;
const TIME: Duration = Duration::from_secs(4);
const FILE: u64 = 256 << 20;

/// One of the two servers.
pub struct Side {
    address: SocketAddr,
    prefix: &'static str,
    /// Header lines, each ended.
    headers: String,
    run_id: String,
}

impl Side {
    fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let Self { address, prefix, headers, .. } = self;
        let length = body.len();
        format!(
            "{method} {prefix}/api/2.0/{path} HTTP/1.1\r\nhost: {address}\r\n{headers}\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    fn post(&self, path: &str, body: &Value) -> Vec<u8> {
        self.request("POST", &format!("mlflow/{path}"), &body.to_string())
    }

    pub fn get(&self, path: &str) -> Vec<u8> {
        self.request("GET", &format!("mlflow/{path}"), "")
    }

    fn ask(&self, request: &[u8]) -> Value {
        let body = Client::connect(self.address).exchange(request);
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Ours.
    pub fn of(server: &Server) -> Self {
        let headers = format!("authorization: Bearer {}\r\n", server.token);
        Self { address: server.address, prefix: "/mlflow/bench", headers, run_id: String::new() }
    }

    /// Makes the run that is logged to, in an experiment of its own.
    pub fn prepare(&mut self) {
        let made = self.ask(&self.post("experiments/create", &json!({ "name": "bench" })));
        let run = json!({ "experiment_id": made["experiment_id"], "start_time": 1 });
        let run = self.ask(&self.post("runs/create", &run));
        self.run_id = run["run"]["info"]["run_id"].as_str().expect("an id").to_owned();
        self.ask(&self.post("registered-models/create", &json!({ "name": "grows" })));
    }

    pub fn throughput(&self, time: Duration, make: impl Fn(&Self, u64) -> Vec<u8>) -> f64 {
        setup::throughput(self.address, CLIENTS, time, |number| make(self, number))
    }

    fn artifact(&self) -> String {
        format!("mlflow-artifacts/artifacts/1/{}/artifacts/large.bin", self.run_id)
    }

    /// Bytes a second, up and down.
    fn transfer(&self) -> (f64, f64) {
        let mut buffer = vec![7_u8; 1 << 20];
        let mut client = Client::connect(self.address);
        let Self { address, prefix, headers, .. } = self;
        let path = self.artifact();
        let head = format!(
            "PUT {prefix}/api/2.0/{path} HTTP/1.1\r\nhost: {address}\r\n{headers}content-length: {FILE}\r\n\r\n"
        );
        let started = Instant::now();
        client.write(head.as_bytes());
        for index in 0..FILE >> 20 {
            // No piece like another, and other bytes each time: nothing is there already.
            buffer[..8].copy_from_slice(&index.to_le_bytes());
            buffer[8..16].copy_from_slice(&started.elapsed().as_nanos().to_le_bytes()[..8]);
            client.write(&buffer);
        }
        let length = client.head();
        client.skip(length, &mut buffer);
        #[expect(clippy::cast_precision_loss, reason = "a power of two")]
        let size = FILE as f64;
        let up = size / started.elapsed().as_secs_f64();
        let started = Instant::now();
        client.write(&self.request("GET", &path, ""));
        let length = client.head();
        assert_eq!(length, FILE, "the whole file comes back");
        client.skip(length, &mut buffer);
        (up, size / started.elapsed().as_secs_f64())
    }
}

/// Fills ours as fill_mlflow.py fills theirs.
pub async fn fill(server: &Server) {
    server.ask(r#"mutation { createProject(input: {path: "bench"}) { project { id } } }"#);
    let mut sql = String::new();
    for number in 0..10_000 {
        let id = format!("{number:032x}");
        sql.push_str(&format!(
            "INSERT INTO models (id, project_id, name, description, author_id, created_at_ms, updated_at_ms, last_version)
             SELECT '{id}', p.id, 'model-{number:05}', '', p.author_id, 1, 1, 5000 FROM projects p WHERE p.path = 'bench';\n"
        ));
    }
    for number in 1..=5000 {
        let id = format!("{:032x}", 0x10_0000 + number);
        let key = format!("a1a0d{number:04}~");
        sql.push_str(&format!(
            "INSERT INTO model_versions (id, model_id, project_id, version, precedence, prerelease, rank, number,
                 state, description, author_id, created_at_ms, updated_at_ms, source)
             SELECT '{id}', '{:032x}', p.id, '1.0.{number}', '{key}', FALSE, '11{key}', {number}, 'PUBLISHED', '',
                 p.author_id, {number}, {number}, 's3://b/m' FROM projects p WHERE p.path = 'bench';\n",
            0
        ));
    }
    server.app.db.run_script(&sql).await.expect("sample data");
}

/// Starts MLflow's server as its documentation says; ends with its folder.
fn start_mlflow(python: &str, folder: &Path) -> (Child, SocketAddr) {
    let (database, artifacts) = (folder.join("mlflow.db"), folder.join("artifacts"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/fill_mlflow.py");
    let filled = Command::new(python).arg(script).arg(&database).arg(&artifacts).status();
    assert!(filled.expect("Python").success(), "MLflow's database is filled");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let child = Command::new(python)
        .args(["-m", "mlflow", "server", "--host", "127.0.0.1", "--port"])
        .arg(address.port().to_string())
        .arg("--backend-store-uri")
        .arg(format!("sqlite:///{}", database.display()))
        .arg("--artifacts-destination")
        .arg(&artifacts)
        .env("PATH", Path::new(python).parent().expect("a folder"))
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mlflow");
    while TcpStream::connect(address).is_err() {
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(3));
    (child, address)
}

/// An operation, and the request that is number so-and-so of it.
pub type Operation = (&'static str, fn(&Side, u64) -> Vec<u8>);

pub const OPERATIONS: [Operation; 8] = [
    ("create model", |side, n| {
        side.post("registered-models/create", &json!({ "name": format!("new-{}-{n}", n % 8) }))
    }),
    ("create version", |side, _| {
        side.post("model-versions/create", &json!({ "name": "grows", "source": "s3://b/m" }))
    }),
    ("get model", |side, n| {
        side.get(&format!("registered-models/get?name=model-{:05}", 1 + n % 9000))
    }),
    ("get version", |side, n| {
        side.get(&format!("model-versions/get?name=model-00000&version={}", 1 + n % 5000))
    }),
    ("search, LIKE in 10,000 models", |side, n| {
        side.get(&format!("registered-models/search?filter=name+LIKE+%27%25{:04}%27", n % 9000))
    }),
    ("page of 100 of 5,000 versions", |side, _| {
        side.get("model-versions/search?filter=name+%3D+%27model-00000%27&max_results=100")
    }),
    ("log-metric", |side, n| {
        let metric = json!({ "run_id": side.run_id, "key": "loss", "value": 0.5, "timestamp": n, "step": n });
        side.post("runs/log-metric", &metric)
    }),
    ("log-batch of 100 metrics", |side, n| {
        // Written as text: a tree of JSON takes the client as long as the answer takes the server.
        let mut body = format!(r#"{{"run_id":"{}","metrics":["#, side.run_id);
        for i in 0..100 {
            let comma = if i == 0 { "" } else { "," };
            write!(body, r#"{comma}{{"key":"m{i}","value":0.5,"timestamp":{n},"step":{n}}}"#)
                .expect("a text");
        }
        side.request("POST", "mlflow/runs/log-batch", &(body + "]}"))
    }),
];

pub async fn measure() -> Vec<Row> {
    let Ok(python) = std::env::var("MLFLOW_PYTHON") else {
        eprintln!("MLFLOW_PYTHON names no Python with MLflow: its operations are left out");
        return Vec::new();
    };
    let server = start().await;
    fill(&server).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, address) = start_mlflow(&python, folder.path());
    let ours = Side::of(&server);
    let theirs = Side { address, prefix: "", headers: String::new(), run_id: String::new() };
    let mut rows = tokio::task::spawn_blocking(move || compare(ours, theirs)).await.expect("rows");
    rows.extend(ceiling(&server.app.db).await);
    // Its workers are processes of their own.
    let group = format!("-{}", child.id());
    Command::new("kill").args(["-KILL", "--", &group]).status().expect("kill");
    child.wait().expect("an end");
    rows
}

/// What no write can be faster than here: routes that check nothing and only commit rows.
async fn ceiling(db: &Db) -> Vec<Row> {
    db.run_script("CREATE TABLE bare (id BIGINT NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY (id, name))")
        .await
        .expect("a table");
    let counted = Arc::new(AtomicI64::new(0));
    let db = db.clone();
    let commit = async move |Json(body): Json<Value>| {
        let id = counted.fetch_add(1, Ordering::Relaxed);
        let rows = body["metrics"].as_array().expect("rows").iter().map(|metric| {
            let name = metric["key"].as_str().expect("a name");
            [id.into(), name.into(), metric["value"].as_f64().expect("a number").into()]
        });
        let insert = Sql::rows("INSERT INTO bare (id, name, value) VALUES", rows);
        let mut tx = db.begin().await.expect("a transaction");
        Query::from(insert).execute(&mut tx).await.expect("rows");
        tx.commit().await.expect("a commit");
        "{}"
    };
    let address = serve_bare(Router::new().fallback(post(commit))).await;
    let bare = Side { address, prefix: "", headers: String::new(), run_id: String::new() };
    let measure = move |(what, count)| {
        let metric =
            |i: u64| json!({ "key": format!("m{i}"), "value": 0.5, "timestamp": i, "step": i });
        let body = json!({ "metrics": (0..count).map(metric).collect::<Vec<_>>() });
        let most = bare.throughput(TIME, |side, _| side.post("", &body));
        let (ours, reference) = (format!("{most:.0}/s"), String::new());
        Row { what, ours, reference, ratio: String::new() }
    };
    let counts =
        [("(bare route that commits 1 row)", 1), ("(bare route that commits 100 rows)", 100)];
    tokio::task::spawn_blocking(move || counts.into_iter().map(measure).collect())
        .await
        .expect("rows")
}

fn compare(mut ours: Side, mut theirs: Side) -> Vec<Row> {
    ours.prepare();
    theirs.prepare();
    // Its workers begin to import when they are first asked: that would slow down whoever comes first.
    for _ in 0..3 {
        theirs.throughput(TIME, |side, _| side.get("experiments/get?experiment_id=0"));
    }
    let mut rows: Vec<Row> = OPERATIONS
        .into_iter()
        .map(|(what, make)| {
            let (our, their) = (ours.throughput(TIME, make), theirs.throughput(TIME, make));
            Row {
                what,
                ours: format!("{our:.0}/s"),
                reference: format!("{their:.1}/s MLflow"),
                ratio: format!("{:.0} (goal 25)", our / their),
            }
        })
        .collect();
    let (our, their) = (ours.transfer(), theirs.transfer());
    for (what, our, their) in [("256 MiB up", our.0, their.0), ("256 MiB down", our.1, their.1)] {
        rows.push(Row {
            what,
            ours: format!("{:.2} GB/s", our / 1e9),
            reference: format!("{:.2} GB/s MLflow", their / 1e9),
            ratio: format!("{:.1}", our / their),
        });
    }
    rows
}
