//! Transfers of 1 GiB: up against a bare loop of hash, write, fsync and rename; down against a bare
//! stream of a file.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::routing::get;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use crate::Row;
use crate::setup::{Client, Server, best, start};

pub const SIZE: u64 = 1 << 30;
const PIECE: usize = 1 << 20;

pub async fn measure() -> Vec<Row> {
    let server = Arc::new(start().await);
    prepare(&server);
    let bare = bare_stream(server.data.path().join("bare-0")).await;
    tokio::task::spawn_blocking(move || {
        let mut round = 0;
        // Reference and ours take turns, so that what the disk does meanwhile meets both.
        let (mut up, mut loop_) = (0.0_f64, 0.0_f64);
        for _ in 0..3 {
            loop_ = loop_.max(hash_write_sync_rename(
                &server.data.path().join(format!("bare-{round}")),
                round,
            ));
            up = up.max(upload(&server, round));
            round += 1;
        }
        let path = format!("/files/vision/ocr/candidate:1/big-{}", round - 1);
        let down = best(|| download(server.address, &path, &server.token, ""));
        let stream = best(|| download(bare, "/", &server.token, ""));
        vec![
            row("upload of 1 GiB", up, loop_, "hash, write, fsync, rename", "≥ 0.80"),
            row("download of 1 GiB", down, stream, "bare file stream", "≥ 0.85"),
        ]
    })
    .await
    .expect("transfers")
}

/// Makes the run that files are sent to.
pub fn prepare(server: &Server) {
    server.ask(
        "mutation {
            a: createProject(input: {path: \"vision\"}) { project { id } }
            b: createModel(input: {project: \"vision\", name: \"ocr\"}) { model { id } }
            c: createCandidate(input: {model: \"vision/ocr\"}) { candidate { id } } }",
    );
}

pub fn row(what: &'static str, ours: f64, reference: f64, of: &str, goal: &str) -> Row {
    Row {
        what,
        ours: format!("{ours:.2} GB/s"),
        reference: format!("{reference:.2} GB/s {of}"),
        ratio: format!("{:.2} (goal {goal})", ours / reference),
    }
}

/// Bytes that do not compress, other ones in each round.
pub fn piece(round: u64) -> Vec<u8> {
    let mut state = round + 1;
    (0..PIECE / 8)
        .flat_map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state ^ (state >> 29)).to_le_bytes()
        })
        .collect()
}

pub fn per_second(started: Instant) -> f64 {
    SIZE as f64 / started.elapsed().as_secs_f64() / 1e9
}

fn hash_write_sync_rename(to: &PathBuf, round: u64) -> f64 {
    let piece = piece(1000 + round);
    let started = Instant::now();
    let temporary = to.with_extension("part");
    let mut file = File::create(&temporary).expect("a file");
    let mut hasher = Sha256::new();
    for _ in 0..SIZE / PIECE as u64 {
        hasher.update(&piece);
        file.write_all(&piece).expect("space");
    }
    std::hint::black_box(hasher.finalize());
    file.sync_all().expect("a disk");
    std::fs::rename(temporary, to).expect("a rename");
    per_second(started)
}

pub fn upload(server: &Server, round: u64) -> f64 {
    let piece = piece(round);
    let mut client = Client::connect(server.address);
    let started = Instant::now();
    let head = format!(
        "PUT /files/vision/ocr/candidate:1/big-{round} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {SIZE}\r\n\r\n",
        server.token
    );
    client.write(head.as_bytes());
    for _ in 0..SIZE / PIECE as u64 {
        client.write(&piece);
    }
    let length = client.head();
    client.skip(length, &mut [0; 4096]);
    per_second(started)
}

/// A request with more header lines, each ended.
pub fn request(path: &str, token: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{more}\r\n")
}

pub fn download(address: SocketAddr, path: &str, token: &str, more: &str) -> f64 {
    let mut buffer = vec![0; PIECE];
    let mut client = Client::connect(address);
    let started = Instant::now();
    client.write(request(path, token, more).as_bytes());
    let length = client.head();
    assert_eq!(length, SIZE);
    client.skip(length, &mut buffer);
    per_second(started)
}

async fn bare_stream(path: PathBuf) -> SocketAddr {
    let handler = async move || {
        let file = Arc::new(File::open(&path).expect("a file"));
        let pieces = futures_util::stream::unfold(0, move |position| {
            let file = file.clone();
            async move {
                let read = tokio::task::spawn_blocking(move || {
                    let mut buffer = vec![0; PIECE];
                    file.read_exact_at(&mut buffer, position).map(|()| Bytes::from(buffer))
                });
                (position < SIZE).then_some(())?;
                Some((read.await.expect("a thread"), position + PIECE as u64))
            }
        });
        ([(CONTENT_LENGTH, SIZE.to_string())], Body::from_stream(pieces))
    };
    let app = Router::new().route("/", get(handler));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}
