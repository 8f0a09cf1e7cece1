//! GraphQL: the page of models against a bare route and against its own SQL, and version creation against
//! bare inserts of the same durability.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use model_registry::db::{Db, Query, Row as DbRow, Sql, query};

use crate::Row;
use crate::setup::{Client, Server, serve_bare, start, throughput};

const MODELS: usize = 1000;
const TIME: Duration = Duration::from_secs(3);
pub const PAGE: &str = "{ project(path: \"vision\") { models(first: 20) { totalCount pageInfo { endCursor hasNextPage } nodes {
    id name path createdAt updatedAt author { username } latestVersion { version number state createdAt }
    versionCount candidateCount tags { key value } aliases { name version { version } } } } } }";

/// How often a second eight clients get an answer to the same request.
pub async fn asked(address: SocketAddr, request: Vec<u8>) -> f64 {
    let ask = move || throughput(address, 8, TIME, |_| request.clone());
    tokio::task::spawn_blocking(ask).await.expect("a number")
}

pub async fn measure() -> Vec<Row> {
    let server = start().await;
    fill(&server);
    let page = server.ask(PAGE);
    let bare = bare_route(page).await;
    let ours = asked(server.address, server.graphql(PAGE)).await;
    let reference = asked(bare, server.graphql(PAGE)).await;
    let mut rows = vec![Row {
        what: "GraphQL page of 20 models, 8 clients",
        ours: format!("{ours:.0} /s"),
        reference: format!("{reference:.0} /s bare axum route, same bytes"),
        ratio: format!("{:.2}", ours / reference),
    }];
    let request = server.graphql(PAGE);
    let address = server.address;
    let one = tokio::task::spawn_blocking(move || one_by_one(address, &request, 2000))
        .await
        .expect("a client");
    let sql = own_sql(&server.app.db).await;
    rows.push(Row {
        what: "GraphQL page of 20 models, 1 client",
        ours: format!("{:.0} µs", one * 1e6),
        reference: format!("{:.0} µs its own SQL, by hand", sql * 1e6),
        ratio: format!("{:.2} × (goal ≤ 3)", one / sql),
    });
    let (created, rate) = creation(&server).await;
    rows.push(created);
    rows.push(told_creation(&server, rate).await);
    rows
}

pub fn fill(server: &Server) {
    server.ask("mutation { createProject(input: {path: \"vision\"}) { project { id } } }");
    for number in 0..MODELS {
        let model = format!("vision/model-{number:05}");
        server.ask(&format!(
            "mutation {{
                a: createModel(input: {{project: \"vision\", name: \"model-{number:05}\", tags: [{{key: \"team\", value: \"ocr\"}}]}}) {{ model {{ id }} }}
                b: createModelVersion(input: {{model: \"{model}\"}}) {{ modelVersion {{ id }} }}
                c: publishModelVersion(input: {{model: \"{model}\", version: \"1.0.0\"}}) {{ modelVersion {{ id }} }}
                d: setAlias(input: {{model: \"{model}\", name: \"champion\", version: \"1.0.0\"}}) {{ alias {{ id }} }} }}"
        ));
    }
}

pub async fn bare_route(body: String) -> SocketAddr {
    let body = bytes::Bytes::from(body);
    serve_bare(Router::new().route("/{*path}", post(async move |_: bytes::Bytes| body.clone())))
        .await
}

/// The seconds of one request: the median of many.
pub fn one_by_one(address: SocketAddr, request: &[u8], times: usize) -> f64 {
    let mut client = Client::connect(address);
    median((0..times).map(|_| {
        let started = Instant::now();
        client.exchange(request);
        started.elapsed().as_secs_f64()
    }))
}

fn median(times: impl Iterator<Item = f64>) -> f64 {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// What the page asks of the database, written by hand and run one after the other, rows decoded.
async fn own_sql(db: &Db) -> f64 {
    let mut times = Vec::new();
    for _ in 0..1000 {
        let started = Instant::now();
        hand_written(db).await;
        times.push(started.elapsed().as_secs_f64());
    }
    median(times.into_iter())
}

async fn hand_written(db: &Db) {
    let (project,): (String,) = all(
        db,
        Sql::new("SELECT id FROM projects WHERE path = ? AND deleted_at_ms IS NULL").bind("vision"),
    )
    .await
    .remove(0);
    let models: Vec<(String, String, String, String, i64, i64)> = all(
        db,
        Sql::new(
            "SELECT id, project_id, name, author_id, created_at_ms, updated_at_ms FROM models m
         WHERE m.deleted_at_ms IS NULL AND m.project_id = ? ORDER BY m.name, m.id LIMIT 21",
        )
        .bind(project.as_str()),
    )
    .await;
    let ids: Vec<&str> = models.iter().take(20).map(|model| model.0.as_str()).collect();
    let _: Vec<(i64,)> = all(
        db,
        Sql::new(
            "SELECT COUNT(*) FROM models m WHERE m.deleted_at_ms IS NULL AND m.project_id = ?",
        )
        .bind(project.as_str()),
    )
    .await;
    let _: Vec<(String, String)> =
        all(db, among("SELECT id, path FROM projects WHERE ", "id", &[project.as_str()], "")).await;
    let _: Vec<(String, String)> =
        all(db, among("SELECT id, username FROM users WHERE ", "id", &[models[0].3.as_str()], ""))
            .await;
    let _: Vec<(String, String, i64, String, i64)> = all(db, among(
        "SELECT id, version, number, state, created_at_ms FROM model_versions WHERE id IN (SELECT (SELECT v.id FROM model_versions v
         WHERE v.model_id = m.id AND v.deleted_at_ms IS NULL ORDER BY v.rank DESC, v.id DESC LIMIT 1) FROM models m WHERE ", "m.id", &ids, ")")).await;
    for table in ["model_versions", "candidates"] {
        let select =
            format!("SELECT model_id, COUNT(*) FROM {table} WHERE deleted_at_ms IS NULL AND ");
        let _: Vec<(String, i64)> =
            all(db, among(&select, "model_id", &ids, " GROUP BY model_id")).await;
    }
    let _: Vec<(String, String, String)> = all(
        db,
        among(
            "SELECT owner_id, key, value FROM tags WHERE ",
            "owner_id",
            &ids,
            " ORDER BY owner_id, key",
        ),
    )
    .await;
    let aliases: Vec<(String, String, String)> = all(
        db,
        among(
            "SELECT model_id, name, version_id FROM aliases WHERE ",
            "model_id",
            &ids,
            " ORDER BY model_id, name",
        ),
    )
    .await;
    let versions: Vec<&str> = aliases.iter().map(|alias| alias.2.as_str()).collect();
    let _: Vec<(String, String)> =
        all(db, among("SELECT id, version FROM model_versions WHERE ", "id", &versions, "")).await;
}

fn among(select: &str, column: &str, ids: &[&str], rest: &str) -> Sql {
    let mut sql = Sql::new(select);
    sql.push_sql(Sql::is_in(column, ids.iter().copied())).push(rest);
    sql
}

async fn all<T: DbRow>(db: &Db, sql: Sql) -> Vec<T> {
    Query::from(sql).fetch_all(db).await.expect("rows")
}

/// Versions that eight clients create, against one-row transactions of the same durability.
async fn creation(server: &Server) -> (Row, f64) {
    let ours = asked(server.address, server.graphql(CREATE)).await;
    let db = Db::open(&Db::sqlite_url(&server.data.path().join("bare.sqlite")))
        .await
        .expect("a database");
    db.run_script("CREATE TABLE bare (id INTEGER PRIMARY KEY, name TEXT)").await.expect("a table");
    let started = Instant::now();
    let mut inserts = 0_u32;
    while started.elapsed() < TIME {
        let mut tx = db.begin().await.expect("a transaction");
        query("INSERT INTO bare (name) VALUES ($1)")
            .bind("1.0.0")
            .execute(&mut tx)
            .await
            .expect("a row");
        tx.commit().await.expect("a commit");
        inserts += 1;
    }
    let reference = f64::from(inserts) / started.elapsed().as_secs_f64();
    let row = Row {
        what: "create a version, 8 clients",
        ours: format!("{ours:.0} /s"),
        reference: format!("{reference:.0} /s bare durable inserts"),
        ratio: format!("{:.2}", ours / reference),
    };
    (row, ours)
}

/// The same, where each is told to a webhook whose receiver is away.
async fn told_creation(server: &Server, reference: f64) -> Row {
    server.ask(
        "mutation { createWebhook(input: {project: \"vision\", name: \"away\", url: \"https://localhost:9999/\", events: [\"version.create\"]}) { webhook { id } } }",
    );
    let ours = asked(server.address, server.graphql(CREATE)).await;
    Row {
        what: "the same, told to a webhook that is away",
        ours: format!("{ours:.0} /s"),
        reference: format!("{reference:.0} /s without it"),
        ratio: format!("{:.2}", ours / reference),
    }
}

const CREATE: &str = "mutation { createModelVersion(input: {model: \"vision/model-00000\"}) { modelVersion { version } } }";
