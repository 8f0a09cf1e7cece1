//! Kills while a database is migrated: the start after them finds what a start without them would have found.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use model_registry::db::{Db, query};
use serde_json::{Value, json};

use super::program::{Program, has_strace, kill, sqlite_in};
use super::{Fault, Random, is_postgres, seed, times};
use crate::harness::database;
use crate::migrations::{fill, put_objects};

/// The migrations that the databases have; 0 is none at all. The last is before the newest one.
const STEPS: [usize; 6] = [0, 1, 5, 9, 12, Db::migrations() - 1];
/// Where SQLite, and what is written besides, changes a file, and how often a thread does so in a start, about.
const CALLS: [(&str, u64); 5] = [
    ("pwrite64", 340),
    ("fdatasync,fsync", 10),
    ("unlink,unlinkat", 1),
    ("rename,renameat,renameat2", 1),
    ("ftruncate", 1),
];
/// How a server talks to PostgreSQL, and what is written besides.
const POSTGRES_CALLS: [(&str, u64); 3] = [("sendto", 25), ("recvfrom", 25), ("fsync", 1)];

/// What a start makes of an old database where nobody kills it.
struct Expected {
    /// How many rows each table has.
    rows: BTreeMap<String, i64>,
    /// How long it took until it was ready.
    took: Duration,
}

/// A database of before, which each round copies.
struct Sample {
    program: Program,
    step: usize,
}

impl Sample {
    async fn new(step: usize) -> Self {
        let program = Program::new().await;
        if step > 0 {
            fill(&program.database, step).await;
            put_objects(&program.data(), step);
        }
        Self { program, step }
    }

    /// A registry with a copy of the database.
    async fn copy(&self) -> Program {
        let mut copy = Program::new().await;
        if self.step == 0 {
            return copy;
        }
        put_objects(&copy.data(), self.step);
        if is_postgres() {
            copy.database = copy_database(&self.program.database).await;
        } else {
            copy_files(&self.program.data(), &copy.data());
            copy.database = sqlite_in(&copy.data());
        }
        copy
    }

    async fn expect(&self) -> Expected {
        let program = self.copy().await;
        let begun = Instant::now();
        let mut server = program.start_well().await;
        let took = begun.elapsed();
        self.check(&program).await;
        kill(&mut server);
        Expected { rows: rows(&program.database).await, took }
    }

    /// Whether the things of the sample are there.
    async fn check(&self, program: &Program) {
        let token = program.token();
        let ask = async |query: &str| {
            let request = program.http.post(format!("{}/graphql", program.address));
            let request = request.bearer_auth(&token).json(&json!({ "query": query }));
            request.send().await.unwrap().json::<Value>().await.unwrap()
        };
        if self.step == 0 {
            let answer = ask("{ viewer { username } }").await;
            assert_eq!(answer["data"]["viewer"]["username"], "admin", "{answer}");
            return;
        }
        let answer = ask("{ model(path: \"sample/ocr\") { description
            latestVersion { version digest files { nodes { path } } params { value } }
            aliases { name } tags { key value } events { totalCount }
            candidates { nodes { number metricHistory(name: \"loss\") { totalCount } } } } }")
        .await;
        let model = &answer["data"]["model"];
        let version = json!({ "version": "1.0.0", "digest": "abc", "files": { "nodes": [{ "path": "a/b.bin" }] },
            "params": [{ "value": "0.1" }] });
        assert_eq!(model["latestVersion"], version, "{answer}");
        assert!(model["description"].as_str().unwrap().ends_with("# OCR"), "{answer}");
        assert_eq!(model["aliases"], json!([{ "name": "champion" }]));
        assert_eq!(model["tags"], json!([{ "key": "team", "value": "vision" }]));
        assert_eq!(model["events"]["totalCount"], 1);
        let points = model["candidates"]["nodes"][0]["metricHistory"]["totalCount"].as_i64();
        assert_eq!(points, Some(if self.step < 10 { 2 } else { 3 }), "{answer}");
        let file = format!("{}/files/sample/ocr/1.0.0/a/b.bin", program.address);
        let file = program.http.get(file).bearer_auth(&token).send().await.unwrap();
        assert_eq!((file.status().as_u16(), file.bytes().await.unwrap().len()), (200, 0));
    }
}

fn copy_files(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

/// A copy of a database that nobody is connected to.
async fn copy_database(url: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let copy = database(&folder).await;
    let name = |url: &str| url.rsplit_once('/').unwrap().1.to_owned();
    let server = std::env::var("MODEL_REGISTRY_TEST_POSTGRES").unwrap();
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&server).await.unwrap();
    for statement in [
        format!("DROP DATABASE {}", name(&copy)),
        format!("CREATE DATABASE {} TEMPLATE {}", name(&copy), name(url)),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut admin).await.unwrap();
    }
    copy
}

/// What a server removes in its own time, also without being killed.
const LEFT_OUT: [&str; 3] = ["uploads", "blobs", "copies"];

/// How many rows each table has, without the indexes of searches.
async fn rows(url: &str) -> BTreeMap<String, i64> {
    let db = Db::open_bare(url).await.unwrap();
    let tables = match is_postgres() {
        true => "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        false => "SELECT name FROM sqlite_master WHERE type = 'table'",
    };
    let tables: Vec<(String,)> = query(tables).fetch_all(&db).await.unwrap();
    let mut sql = "SELECT '' AS name, 0 AS count".to_owned();
    for (table,) in tables {
        if !table.starts_with("names_index")
            && !table.starts_with("sqlite_")
            && !LEFT_OUT.contains(&table.as_str())
        {
            sql += &format!(" UNION ALL SELECT '{table}', COUNT(*) FROM {table}");
        }
    }
    let counts: Vec<(String, i64)> =
        model_registry::db::Query::from(model_registry::db::Sql::new(&sql))
            .fetch_all(&db)
            .await
            .unwrap();
    db.close().await;
    counts.into_iter().collect()
}

/// Starts a server, and kills it before it is ready: some time later, or at a chosen call. Returns whether that was so.
async fn kill_once(program: &Program, expected: &Expected, random: &mut Random) -> bool {
    let calls = if is_postgres() { &POSTGRES_CALLS[..] } else { &CALLS };
    let (call, most) = random.of_these(calls);
    let (fault, life) = match has_strace() && random.below(3) > 0 {
        true => (Fault::KillAt(call, 1 + random.below(most)), Duration::from_secs(60)),
        false => (Fault::Kill, expected.took.mul_f64(random.below(1000) as f64 / 1000.0)),
    };
    let mut server = program.spawn(&fault);
    end(program, &mut server, life).await
}

/// Waits until the server is killed or ready, or so long, and has it killed. Returns whether it was never ready.
async fn end(program: &Program, server: &mut Child, life: Duration) -> bool {
    let ready = async {
        loop {
            if server.try_wait().unwrap().is_some() {
                return false;
            }
            // It is taken in at once, and answered when everything is open.
            let ready = program.http.get(format!("{}/readyz", program.address)).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let ready = tokio::time::timeout(life, ready).await;
    kill(server);
    !ready.unwrap_or(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_while_a_database_is_migrated_lose_nothing() {
    let (seed, all) = (seed(), if is_postgres() { times(6, 30) } else { times(18, 120) });
    let mut samples = Vec::new();
    for step in STEPS {
        let sample = Sample::new(step).await;
        let expected = sample.expect().await;
        samples.push((sample, expected));
    }
    let mut kills = 0;
    for round in 0..all {
        let mut random = Random::of(seed, round, 0);
        let (sample, expected) = &samples[usize::try_from(round).unwrap() % samples.len()];
        let mut tries = 0;
        let program = loop {
            tries += 1;
            assert!(tries <= 20, "seed {seed}, round {round}: it is never killed");
            let program = sample.copy().await;
            if kill_once(&program, expected, &mut random).await {
                break program;
            }
        };
        // The start after a kill may be killed, too.
        kills +=
            1 + u64::from(random.below(2) == 0 && kill_once(&program, expected, &mut random).await);
        let mut server = program.start_well().await;
        sample.check(&program).await;
        kill(&mut server);
        let found = rows(&program.database).await;
        assert_eq!(found, expected.rows, "seed {seed}, round {round}: from step {}", sample.step);
    }
    eprintln!(
        "killed while migrating, seed {seed}: {kills} kills in {all} databases, all as without"
    );
}
