//! A server in this process, and the smallest HTTP client there is: it must not be what is measured.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use clap::Parser;
use futures_util::future::join_all;
use model_registry::access;
use model_registry::app::App;
use model_registry::change::Change;
use model_registry::config::{Cli, Command};
use model_registry::db::Db;
use model_registry::registry::catalog::blob::{journal, pairing};
use model_registry::registry::people::token::rules::{self as token, CreateTokenInput};
use model_registry::registry::people::user;
use model_registry::role::TokenScope;
use model_registry::store::Storages;
use model_registry::time::Clock;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub struct Server {
    pub app: App,
    pub address: SocketAddr,
    pub token: String,
    pub data: TempDir,
}

/// A server with SQLite.
pub async fn start() -> Server {
    start_with(&[]).await
}

/// A database in PostgreSQL.
pub struct Database {
    pub name: String,
    url: String,
}

impl Database {
    /// An empty one, if there is a PostgreSQL.
    pub async fn new() -> Option<Self> {
        let server = std::env::var("MODEL_REGISTRY_TEST_POSTGRES").ok()?;
        let mut admin = PgConnection::connect(&server).await.expect("PostgreSQL");
        let name = format!("bench_{}", model_registry::id::new_uuid(Clock::System.now()));
        let create = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"));
        sqlx::raw_sql(create).execute(&mut admin).await.expect("a database");
        let (base, _) = server.rsplit_once('/').expect("an address");
        Some(Self { url: format!("{base}/{name}"), name })
    }

    /// A server with it.
    pub async fn serve(&self, more: &[&str]) -> Server {
        start_with(&[&["--database", &self.url], more].concat()).await
    }

    /// Has PostgreSQL count what is in it.
    pub async fn analyze(&self) {
        sqlx::raw_sql("ANALYZE").execute(&mut self.connect().await).await.expect("statistics");
    }

    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("PostgreSQL")
    }
}

async fn start_with(more: &[&str]) -> Server {
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().to_str().expect("UTF-8");
    let arguments =
        ["model-registry", "serve", "--data", folder, "--admin-password", "benchmark password"];
    let arguments = arguments.iter().chain(more);
    let Command::Serve(config) = Cli::parse_from(arguments).command else { unreachable!() };
    let storages = Storages::open(data.path(), &config.data.storage)
        .unwrap_or_else(|e| panic!("{}", e.message()));
    let db = Db::open(&config.data.database_url()).await.expect("a database");
    let paired = pairing::pair(&db, &storages, false, Clock::System.now()).await;
    paired.unwrap_or_else(|e| panic!("{}", e.message()));
    let storages = storages.noting_in(&journal::of(&db, &Clock::System));
    let signing = pairing::signing(&db, &config.secret).await.unwrap();
    let app = App::new(db, storages, signing, config, Clock::System);
    user::rules::create_admin(&app).await.unwrap_or_else(|e| panic!("{}", e.message()));
    let admin =
        access::user::find_by_username(&app.db, "admin").await.ok().flatten().expect("admin");
    let mut change = Change::begin_in(&app.db, &app.clock, admin.id.clone())
        .await
        .unwrap_or_else(|e| panic!("{}", e.message()));
    let new =
        CreateTokenInput { name: "bench".into(), scope: Some(TokenScope::Admin), expires_at: None };
    let made = token::create(&mut change, &admin, new).await;
    let token = made.unwrap_or_else(|e| panic!("{}", e.message())).secret;
    change.commit().await.unwrap_or_else(|e| panic!("{}", e.message()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = app.clone();
    tokio::spawn(async move {
        model_registry::server::serve(&serving, listener, std::future::pending()).await.ok();
    });
    Server { app, address, token, data }
}

/// Serves nothing but these routes: what axum itself costs.
pub async fn serve_bare(routes: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

impl Server {
    pub fn graphql(&self, query: &str) -> Vec<u8> {
        self.post("/graphql", &serde_json::json!({ "query": query }))
    }

    /// The request that sends an operation there.
    pub fn post(&self, path: &str, operation: &serde_json::Value) -> Vec<u8> {
        let body = operation.to_string();
        format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address, self.token, body.len()
        )
        .into_bytes()
    }

    /// Sends one operation and gives the body of the answer.
    pub fn ask(&self, query: &str) -> String {
        let mut client = Client::connect(self.address);
        let body = client.exchange(&self.graphql(query));
        let text = String::from_utf8(body).expect("UTF-8");
        assert!(!text.contains("\"errors\""), "{text}");
        text
    }
}

/// One connection.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("an option");
        Self(BufReader::with_capacity(1 << 20, stream))
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("a listening server");
    }

    /// Reads the head of an answer; gives the length of its body.
    pub fn head(&mut self) -> u64 {
        let (status, length) = self.answer();
        assert!((200..300).contains(&status), "{status}");
        length
    }

    /// As [`Self::head`] of any answer, with its status.
    pub fn answer(&mut self) -> (u16, u64) {
        let mut length = 0;
        let mut first = String::new();
        self.0.read_line(&mut first).expect("an answer");
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{first}"));
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a header");
            if line == "\r\n" {
                return (status, length);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
    }

    pub fn exchange(&mut self, request: &[u8]) -> Vec<u8> {
        self.write(request);
        let mut body = vec![0; usize::try_from(self.head()).expect("a short answer")];
        self.0.read_exact(&mut body).expect("a body");
        body
    }

    /// Reads a body and forgets it.
    pub fn skip(&mut self, mut length: u64, buffer: &mut [u8]) {
        while length > 0 {
            let read = self.0.read(buffer).expect("a body");
            assert!(read > 0, "the body is cut off");
            length -= read as u64;
        }
    }
}

/// Requests a second of some clients that each wait for their answer; `make` gets a number that goes up each time,
/// as the steps of a run do whoever logs them. All clients are in one thread: more of them would take the time that the server needs.
pub fn throughput(
    address: SocketAddr,
    clients: usize,
    time: Duration,
    make: impl Fn(u64) -> Vec<u8>,
) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let (started, make, made) = (Instant::now(), &make, &AtomicU64::new(0));
    let client = async |_| {
        let stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let mut stream = tokio::io::BufReader::with_capacity(1 << 16, stream);
        let mut count = 0;
        while started.elapsed() < time {
            let request = make(made.fetch_add(1, Ordering::Relaxed));
            stream.get_mut().write_all(&request).await.expect("a listening server");
            answer(&mut stream).await;
            count += 1;
        }
        count
    };
    let count: u64 =
        runtime.expect("a runtime").block_on(join_all((0..clients).map(client))).into_iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let count = count as f64;
    count / started.elapsed().as_secs_f64()
}

/// Reads an answer and forgets it.
async fn answer(stream: &mut tokio::io::BufReader<tokio::net::TcpStream>) {
    let (mut length, mut line) = (0, String::new());
    stream.read_line(&mut line).await.expect("an answer");
    assert!(line.starts_with("HTTP/1.1 2") || line.starts_with("HTTP/1.1 304"), "{line}");
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).await.expect("a header");
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }
    let body = tokio::io::copy(&mut stream.take(length), &mut tokio::io::sink()).await;
    assert_eq!(body.expect("a body"), length);
}

/// The best of three: noise only ever takes away.
pub fn best(mut run: impl FnMut() -> f64) -> f64 {
    (0..3).map(|_| run()).fold(0.0, f64::max)
}
