//! Migrations by `model-registry migrate`, and servers that leave them to it (`--migrate never`).

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use model_registry::command::migrate;
use model_registry::config::migrate::Migrate;
use model_registry::db::{Db, SCHEMA, query};
use model_registry::time::Clock;

use crate::harness::{database, direct, is_postgres};
use crate::storages::text;

/// The program with a database, and a folder that it does not need.
fn program(url: &str, arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_model-registry"));
    program.args(arguments).env("MODEL_REGISTRY_DATABASE", url).envs(direct(url));
    program.env("MODEL_REGISTRY_DATA", std::env::temp_dir().join("model-registry-none"));
    program
}

fn run(url: &str, arguments: &[&str]) -> Output {
    program(url, arguments).output().unwrap()
}

async fn schema(url: &str) -> i64 {
    let db = Db::open_bare(url).await.unwrap();
    let schema = db.schema().await.unwrap();
    db.close().await;
    schema
}

/// A server that leaves migrations to others opens a database: why it does not, or nothing.
async fn open(url: &str) -> String {
    match migrate::open(&url.into(), Migrate::Never).await {
        Ok(db) => {
            db.close().await;
            String::new()
        }
        Err(error) => error.message(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_may_not_migrate_says_who_does() {
    let data = tempfile::tempdir().unwrap();
    let url = database(&data).await;
    let last = Db::migrations() - 1;
    Db::open_at(&url, last).await.unwrap().close().await;
    let storage = format!("file:{}", data.path().display());
    let serve = ["serve", "--listen", "127.0.0.1:0", "--storage", &storage, "--migrate", "never"];
    let refused = run(&url, &serve);
    assert!(!refused.status.success());
    let reason = text(&refused);
    for part in
        ["--migrate: is never", &format!("schema {last} of {SCHEMA}"), "model-registry migrate"]
    {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(schema(&url).await, last as i64, "nothing was changed");

    let done = run(&url, &["migrate"]);
    assert!(done.status.success(), "{}", text(&done));
    let said = format!("the database had schema {last}, and has schema {SCHEMA} now\n");
    assert_eq!(String::from_utf8_lossy(&done.stdout), said);
    let again = run(&url, &["migrate"]);
    assert!(text(&again).contains(&format!("has schema {SCHEMA} already")), "{}", text(&again));
    assert_eq!(open(&url).await, "");

    // A newer program was here, whose schema this one understands.
    let db = Db::open_beside(&url).await.unwrap();
    query("INSERT INTO migrations (number) VALUES ($1)").bind(SCHEMA + 1).alone(&db).await.unwrap();
    let newer = run(&url, &["migrate"]);
    assert!(
        newer.status.success() && text(&newer).contains("nothing was changed"),
        "{}",
        text(&newer)
    );
    assert_eq!(open(&url).await, "");
    query("UPDATE registry SET floor = 1000").alone(&db).await.unwrap();
    db.close().await;
    assert!(open(&url).await.contains("newer than this program"));
    assert!(text(&run(&url, &["migrate"])).contains("newer than this program"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_is_migrated_and_a_missing_file_is_not_made() {
    let data = tempfile::tempdir().unwrap();
    let url = database(&data).await;
    let refused = open(&url).await;
    let done = run(&url, &["migrate"]);
    if is_postgres() {
        assert!(refused.contains(&format!("schema 0 of {SCHEMA}")), "{refused}");
        assert!(text(&done).contains("had schema 0"), "{}", text(&done));
        assert_eq!(open(&url).await, "");
    } else {
        assert!(refused.contains("--migrate: is never, and there is no database"), "{refused}");
        assert!(!done.status.success() && text(&done).contains("start the server once"));
        assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sqlite_file_is_not_migrated_beside_its_server() {
    if is_postgres() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let url = database(&data).await;
    let db = Db::open(&url).await.unwrap();
    let refused = run(&url, &["migrate"]);
    assert!(!refused.status.success());
    assert!(text(&refused).contains("another server has"), "{}", text(&refused));
    assert!(open(&url).await.contains("another server has"));
    db.close().await;
    assert!(run(&url, &["migrate"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_a_server_that_would_not_understand_the_result() {
    let data = tempfile::tempdir().unwrap();
    let url = database(&data).await;
    let last = Db::migrations() - 1;
    let db = Db::open_at(&url, last).await.unwrap();
    let alive = query(
        "INSERT INTO replicas (id, name, program, schema, started_at_ms, seen_at_ms) VALUES ('a', 'old-one', '0', 1, 0, $1)",
    );
    alive.bind(Clock::System.now().millis() + 3_600_000).alone(&db).await.unwrap();
    let mut job = program(&url, &["migrate"]);
    let mut job = job.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(job.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("waiting until the server on old-one is stopped") {
        assert!(log.read_line(&mut said).unwrap() > 0, "{said}");
    }
    assert_eq!(db.schema().await.unwrap(), last as i64);
    query("DELETE FROM replicas").alone(&db).await.unwrap();
    assert!(job.wait().unwrap().success());
    assert_eq!(db.schema().await.unwrap(), SCHEMA);
    db.close().await;
}
