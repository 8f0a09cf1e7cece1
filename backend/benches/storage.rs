//! Files in an object store, and two servers on one database: transfers against a bare client of the store with the same parts
//! and the same hash, and what one more server costs the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};
use sqlx::Connection;

use crate::Row;
use crate::files::{SIZE, download, per_second, piece, prepare, request, row, upload};
use crate::setup::{Client, Database, Server, throughput};

/// How large the parts of an upload of [`SIZE`] are, in bytes.
const PART: usize = 8 << 20;
/// How many small files are sent to count what one costs.
const SMALL: u32 = 200;
const TIME: Duration = Duration::from_secs(4);

pub async fn measure() -> Vec<Row> {
    let (Ok(storage), Some(database)) =
        (std::env::var("MODEL_REGISTRY_TEST_STORAGE"), Database::new().await)
    else {
        eprintln!("There is no object store or no PostgreSQL to measure: they are left out");
        return Vec::new();
    };
    // Registries before it left theirs in the bucket.
    let (bucket, rest) = storage.split_once('?').expect("an endpoint");
    let storage = format!("{bucket}/{}?{rest}", database.name);
    // What the server reads again by itself is not what is asked for.
    let quiet = ["--scrub-rate", "0"];
    let large = [&quiet[..], &["--redirect", "large", "--storage", &storage]].concat();
    let first = Arc::new(database.serve(&large).await);
    let second = database.serve(&large).await;
    prepare(&first);
    let mut rows = transfers(&first, &storage).await;
    let folder = Database::new().await.expect("PostgreSQL");
    let beside = folder.serve(&quiet).await;
    prepare(&beside);
    rows.push(small_files((&database, &first), (&folder, &beside)).await);
    rows.extend(two_servers(&database, &first, &second).await);
    rows
}

/// The same bucket by the library alone.
fn bare(storage: &str) -> AmazonS3 {
    let (bucket, endpoint) = storage.split_once("?endpoint=").expect("an endpoint");
    let bucket = bucket.trim_start_matches("s3://").split('/').next().expect("a bucket");
    let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_region("us-east-1");
    builder.with_endpoint(endpoint).with_allow_http(true).build().expect("a client")
}

async fn transfers(server: &Arc<Server>, storage: &str) -> Vec<Row> {
    let store = bare(storage);
    let (mut up, mut bare_up, mut down, mut bare_down) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
    for round in 0..3 {
        bare_up = bare_up.max(bare_upload(&store, round).await);
        let sending = server.clone();
        let sent = tokio::task::spawn_blocking(move || upload(&sending, round));
        up = up.max(sent.await.expect("an upload"));
        bare_down = bare_down.max(bare_download(&store, round).await);
        let asking = server.clone();
        // What a page fetches is not redirected.
        let read = tokio::task::spawn_blocking(move || {
            let path = format!("/files/vision/ocr/candidate:1/big-{round}");
            download(asking.address, &path, &asking.token, "sec-fetch-mode: cors\r\n")
        });
        down = down.max(read.await.expect("a download"));
    }
    let path = "/files/vision/ocr/candidate:1/big-2";
    let asking = server.clone();
    let (length, answered) =
        tokio::task::spawn_blocking(move || redirect(&asking, path)).await.expect("redirects");
    vec![
        row("upload of 1 GiB to S3", up, bare_up, "bare client, equal parts and hash", "≥ 0.90"),
        row("download of 1 GiB from S3", down, bare_down, "bare client, same hash", "≥ 0.90"),
        Row {
            what: "redirect of 1 GiB to S3",
            ours: format!("{length} bytes of body"),
            reference: format!("{SIZE} bytes of the file"),
            ratio: format!("{:.2} ms to answer (goal ≤ 2)", answered * 1e3),
        },
    ]
}

/// One part is sent and hashed while the next one is made, as a server does that reads it from a connection.
async fn bare_upload(store: &AmazonS3, round: u64) -> f64 {
    let piece = Bytes::from(piece(1000 + round));
    let place = Path::from(format!("bare-{round}"));
    let started = Instant::now();
    let id = store.create_multipart(&place).await.expect("an upload");
    let (mut parts, mut hasher) = (Vec::new(), Sha256::new());
    for index in 0..usize::try_from(SIZE).expect("64 bits") / PART {
        let pieces: Vec<Bytes> =
            (0..PART / piece.len()).map(|_| Bytes::copy_from_slice(&piece)).collect();
        let hashed = pieces.clone();
        let hashing = tokio::task::spawn_blocking(move || {
            hashed.iter().for_each(|bytes| hasher.update(bytes));
            hasher
        });
        let sent = store.put_part(&place, &id, index, PutPayload::from_iter(pieces)).await;
        parts.push(sent.expect("a part"));
        hasher = hashing.await.expect("a hash");
    }
    store.complete_multipart(&place, &id, parts).await.expect("an object");
    std::hint::black_box(hasher.finalize());
    per_second(started)
}

async fn bare_download(store: &AmazonS3, round: u64) -> f64 {
    let started = Instant::now();
    let found = store.get(&Path::from(format!("bare-{round}"))).await.expect("an object");
    let (mut bytes, mut hasher, mut length) = (found.into_stream(), Sha256::new(), 0);
    while let Some(piece) = bytes.next().await {
        let piece = piece.expect("bytes");
        length += piece.len() as u64;
        hasher.update(&piece);
    }
    assert_eq!(length, SIZE);
    std::hint::black_box(hasher.finalize());
    per_second(started)
}

/// The bytes of the body of a redirect, and the seconds until it is there: the median of many.
fn redirect(server: &Server, path: &str) -> (u64, f64) {
    let request = request(path, &server.token, "");
    let mut client = Client::connect(server.address);
    let (mut lengths, mut times) = (0, Vec::new());
    for _ in 0..200 {
        let started = Instant::now();
        client.write(request.as_bytes());
        let (status, length) = client.answer();
        assert_eq!(status, 302);
        lengths += length;
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    (lengths, times[times.len() / 2])
}

/// Commits that each small file takes, in the object store and in a folder.
async fn small_files(ours: (&Database, &Server), reference: (&Database, &Server)) -> Row {
    let mut counted = Vec::new();
    for (database, server) in [ours, reference] {
        let before = database.commits().await;
        for number in 0..SMALL {
            let bytes = format!("{number:0>1024}");
            let head = format!(
                "PUT /files/vision/ocr/candidate:1/small-{number} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
                 content-length: {}\r\n\r\n{bytes}",
                server.token,
                bytes.len()
            );
            let address = server.address;
            tokio::task::spawn_blocking(move || Client::connect(address).exchange(head.as_bytes()))
                .await
                .expect("an answer");
        }
        counted.push((database.commits().await - before) as f64 / f64::from(SMALL));
    }
    Row {
        what: "PUT of 1 KiB, in S3",
        ours: format!("{:.2} commits", counted[0]),
        reference: format!("{:.2} commits, in a folder", counted[1]),
        ratio: format!("{:.2} (goal 1)", counted[0] / counted[1]),
    }
}

/// What the database does for each request of eight clients, at two servers and at one.
async fn two_servers(database: &Database, first: &Server, second: &Server) -> Vec<Row> {
    let alone = load(database, &[first]).await;
    let both = load(database, &[first, second]).await;
    vec![
        Row {
            what: "statements a request, two servers",
            ours: format!("{:.2}", both.statements),
            reference: format!("{:.2} one server", alone.statements),
            ratio: format!("{:.2} (goal 1)", both.statements / alone.statements),
        },
        Row {
            what: "sessions that wait for a lock, two servers",
            ours: format!("{:.2} on average", both.waiting),
            reference: format!("{:.2} one server", alone.waiting),
            ratio: format!("{:+.2} (goal 0)", both.waiting - alone.waiting),
        },
    ]
}

/// What some servers asked of their database.
struct Load {
    /// For each request.
    statements: f64,
    /// Sessions at a time.
    waiting: f64,
}

/// Eight clients read a model and create versions of it, at all servers in turn.
async fn load(database: &Database, servers: &[&Server]) -> Load {
    let statements = || servers.iter().map(|server| server.app.db.statements()).sum::<u64>();
    let mutation = "mutation { createModelVersion(input: {model: \"vision/ocr\"}) { modelVersion { version } } }";
    let query = "{ model(path: \"vision/ocr\") { name latestVersion { version } versionCount } }";
    let before = statements();
    let clients = 8 / servers.len();
    let running = servers.iter().map(|server| {
        let (address, requests) =
            (server.address, [query, mutation].map(|asked| server.graphql(asked)));
        tokio::task::spawn_blocking(move || {
            throughput(address, clients, TIME, |number| {
                requests[usize::from(number % 2 == 1)].clone()
            })
        })
    });
    let running: Vec<_> = running.collect();
    let mut database = database.connect().await;
    let (mut waiting, mut samples) = (0_i64, 0_u32);
    let started = Instant::now();
    while started.elapsed() < TIME {
        let sample = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        waiting +=
            sqlx::query_scalar::<_, i64>(sample).fetch_one(&mut database).await.expect("a number");
        samples += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    database.close().await.expect("an end");
    let mut requests = 0.0;
    for client in running {
        requests += client.await.expect("a number") * TIME.as_secs_f64();
    }
    Load {
        statements: (statements() - before) as f64 / requests,
        waiting: waiting as f64 / f64::from(samples),
    }
}

impl Database {
    /// How many transactions have changed something, in all databases of the server, since it was made.
    async fn commits(&self) -> i64 {
        let mut database = self.connect().await;
        let asked = "SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)";
        let commits = sqlx::query_scalar(asked).fetch_one(&mut database).await.expect("a number");
        database.close().await.expect("an end");
        commits
    }
}
