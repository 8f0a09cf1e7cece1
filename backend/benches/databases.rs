//! The same server with PostgreSQL and with SQLite, both on this machine, in this run: what it costs that the database is
//! another program.

use std::time::Duration;

use crate::Row;
use crate::mlflow::{OPERATIONS, Operation, Side, fill};
use crate::setup::{Database, start};

const TIME: Duration = Duration::from_secs(2);

const PAGE: Operation = ("page of 100 of 10,000 models", |side, _| {
    side.get("registered-models/search?max_results=100")
});

/// How many times fewer it may be with PostgreSQL.
fn goal(what: &str) -> u32 {
    if what.starts_with("log-") { 5 } else { 3 }
}

pub async fn measure() -> Vec<Row> {
    let Some(database) = Database::new().await else {
        eprintln!("MODEL_REGISTRY_TEST_POSTGRES names no PostgreSQL: it is left out");
        return Vec::new();
    };
    let postgres = database.serve(&[]).await;
    let sqlite = start().await;
    for server in [&postgres, &sqlite] {
        fill(server).await;
    }
    // As PostgreSQL does by itself within a minute: before that it plans as if the tables were small.
    database.analyze().await;
    let (postgres, sqlite) = (Side::of(&postgres), Side::of(&sqlite));
    tokio::task::spawn_blocking(move || compare(postgres, sqlite)).await.expect("rows")
}

fn compare(mut postgres: Side, mut sqlite: Side) -> Vec<Row> {
    postgres.prepare();
    sqlite.prepare();
    let measure = |(what, make): Operation| {
        let (ours, reference) = (postgres.throughput(TIME, make), sqlite.throughput(TIME, make));
        Row {
            what,
            ours: format!("{ours:.0}/s PostgreSQL"),
            reference: format!("{reference:.0}/s SQLite"),
            ratio: format!("1/{:.1} (goal 1/{})", reference / ours, goal(what)),
        }
    };
    OPERATIONS.into_iter().chain([PAGE]).map(measure).collect()
}
