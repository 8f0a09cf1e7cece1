//! What nobody may take from the others: time of the database.

use std::collections::BTreeSet;
use std::time::Duration;

use model_registry::db::{Budget, query};
use model_registry::error::Error;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::Server;
use crate::mlflow::ok;

const ENDLESS: &str =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";

fn is_sqlite() -> bool {
    std::env::var("MODEL_REGISTRY_TEST_POSTGRES").is_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_interrupted() {
    let server = Server::start().await;
    let db = &server.app.db;
    if !is_sqlite() {
        let (limit,): (String,) = query("SHOW statement_timeout").fetch_one(db).await.unwrap();
        assert_eq!(limit, "30s");
        let (limit,): (String,) =
            query("SHOW statement_timeout").fetch_one(&db.patient()).await.unwrap();
        assert_eq!(limit, "0");
        return;
    }
    let short = db.reading_at_most(Duration::from_millis(50));
    let endless = (0..20).map(|_| query(ENDLESS).fetch_one::<(i64,)>(&short));
    for ended in futures_util::future::join_all(endless).await {
        let error = ended.err().map(Error::from);
        assert!(matches!(error, Some(Error::Timeout(_))), "{error:?}");
    }
    let (one,): (i64,) = query("SELECT 1").fetch_one(db).await.unwrap();
    assert_eq!(one, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_any_more_ends_and_the_server_lives_meanwhile() {
    if !is_sqlite() {
        return; // PostgreSQL ends it by its own limit.
    }
    let server = Server::start().await;
    let (db, caller) = (server.app.db.clone(), server.anonymous());
    let endless = (0..40).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { query(ENDLESS).fetch_one::<(i64,)>(&db).await })
    });
    let endless: Vec<_> = endless.collect();
    for _ in 0..5 {
        assert_eq!(caller.get("/readyz").await.status(), 200);
    }
    for reading in &endless {
        reading.abort();
    }
    for reading in endless {
        // Aborted, or tired of waiting for its turn.
        assert!(!matches!(reading.await, Ok(Ok(_))), "it never ends by itself");
    }
    // All connections are free again.
    let readers = (0..8).map(|_| query("SELECT 1").fetch_one::<(i64,)>(&db));
    for read in futures_util::future::join_all(readers).await {
        assert_eq!(read.unwrap(), (1,));
    }
    // And what is read when the server stops does not hold it up.
    let last = tokio::spawn({
        let db = db.clone();
        async move { query(ENDLESS).fetch_one::<(i64,)>(&db.patient()).await }
    });
    db.close().await;
    assert!(last.await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_are_short() {
    let (_server, admin) = Server::with_model().await;
    for (length, status) in [(254, 200), (255, 400)] {
        let filter = format!("tags.team LIKE '%{}%'", "_".repeat(length));
        let answer = admin
            .request(Method::POST, "/mlflow/vision/api/2.0/mlflow/runs/search")
            .json(&json!({"experiment_ids": ["0"], "filter": filter}))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
        let said: Value = answer.json().await.unwrap();
        if status == 400 {
            assert!(said["message"].as_str().unwrap().contains("at most 256 bytes"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_not_larger_than_32_mib() {
    let (_server, admin) = Server::with_model().await;
    let text = "x".repeat(60_000);
    let make = "mutation($d: String!) { createModelVersion(input: {model: \"vision/ocr\", description: $d}) { modelVersion { id } } }";
    for _ in 0..15 {
        admin.ok(make, json!({ "d": text })).await;
    }
    let ask = |times: usize| {
        let fields =
            (0..times).map(|n| format!("a{n}: versions(first: 15) {{ nodes {{ description }} }} "));
        format!("{{ model(path: \"vision/ocr\") {{ {} }} }}", fields.collect::<String>())
    };
    let some = admin.ok(&ask(30), json!({})).await;
    assert_eq!(some["model"]["a29"]["nodes"][14]["description"].as_str().unwrap().len(), 60_000);
    let answer = admin.graphql(&ask(50), json!({})).await;
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(
        (errors.len(), &errors[0]["extensions"]["code"]),
        (1, &json!("TOO_LARGE")),
        "{errors:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_aliases_of_many_numbers_are_too_large_as_well() {
    let (_server, admin) = Server::with_model().await;
    let run = crate::mlflow::run(&admin, "vision", "0").await;
    for batch in 0..4 {
        let metric = |n: i32| json!({"key": format!("m{}", batch * 1000 + n), "value": n, "timestamp": 1, "step": 1});
        let metrics: Vec<_> = (0..1000).map(metric).collect();
        ok(&admin, "POST runs/log-batch", json!({"run_id": run, "metrics": metrics})).await;
    }
    let ask = |aliases: usize| {
        let fields = (0..aliases).map(|n| format!("a{n}: metrics {{ step }} "));
        format!(
            "{{ project(path: \"vision\") {{ run(runId: \"{run}\") {{ {} }} }} }}",
            fields.collect::<String>()
        )
    };
    let some = admin.ok(&ask(20), json!({})).await;
    assert_eq!(some["project"]["run"]["a19"].as_array().unwrap().len(), 4000);
    let answer = admin.graphql(&ask(200), json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "TOO_LARGE");
    let most = admin.graphql(&ask(320), json!({})).await;
    assert_eq!(most["errors"][0]["extensions"]["code"], "TOO_LARGE");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_for_an_answer_ends_with_its_budget() {
    const ROWS: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
                        SELECT CAST(i AS TEXT) FROM n ORDER BY n.i";
    let server = Server::start().await;
    let budget = Budget::new(10_000);
    let db = server.app.db.within(&budget);
    let refused = query(ROWS).fetch_all::<(String,)>(&db).await.map_err(Error::from);
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
    assert!(budget.used() < 20_000, "it ended there");

    db.refill();
    let first: Vec<(String,)> = query(ROWS).fetch_fitting(&db).await.unwrap();
    assert!(budget.is_over());
    let expected: Vec<_> = (1..=first.len()).map(|n| (n.to_string(),)).collect();
    assert!(first.len() > 100 && first.len() < 1000 && first == expected, "{}", first.len());

    // One row always fits, and whoever has no budget reads all.
    let none = server.app.db.within(&Budget::new(0));
    assert_eq!(query(ROWS).fetch_fitting::<(String,)>(&none).await.unwrap().len(), 1);
    assert_eq!(query(ROWS).fetch_all::<(String,)>(&server.app.db).await.unwrap().len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_mlflow_ends_early_where_it_is_large_and_goes_on_by_its_token() {
    let (_server, admin) = Server::with_model().await;
    let value = "x".repeat(8000);
    let tags: Vec<_> =
        (0..100).map(|n| json!({ "key": format!("t{n}"), "value": value })).collect();
    for _ in 0..100 {
        let made = ok(&admin, "POST runs/create", json!({ "experiment_id": "0" })).await;
        let run = made["run"]["info"]["run_id"].as_str().unwrap();
        ok(&admin, "POST runs/log-batch", json!({ "run_id": run, "tags": tags })).await;
    }
    let (mut found, mut pages, mut token) = (BTreeSet::new(), 0, String::new());
    while pages == 0 || !token.is_empty() {
        let ask = json!({ "experiment_ids": ["0"], "max_results": 50_000, "page_token": token });
        let page = ok(&admin, "POST runs/search", ask).await;
        for run in page["runs"].as_array().unwrap() {
            // And its name.
            assert_eq!(run["data"]["tags"].as_array().unwrap().len(), 101);
            found.insert(run["info"]["run_id"].as_str().unwrap().to_owned());
        }
        token = page["next_page_token"].as_str().unwrap_or_default().to_owned();
        pages += 1;
    }
    // 80 MB, of which an answer has 32 MiB, or the part that passed them.
    assert_eq!((found.len(), pages), (100, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_listed_and_packed_however_many_files_it_has() {
    let (server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    admin.put("/files/vision/ocr/1.0.0/a", "x").await;
    let many = "INSERT INTO files (owner_id, path, sha256, size, content_type, author_id, created_at_ms)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
        SELECT f.owner_id, 'd/' || n.i, f.sha256, f.size, f.content_type, f.author_id, f.created_at_ms
        FROM files f CROSS JOIN n";
    server.app.db.run_script(many).await.unwrap();
    let list: Value = admin.get("/files/vision/ocr/1.0.0/d/").await.json().await.unwrap();
    let paths: Vec<_> =
        list["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    let mut expected: Vec<_> = (1..=1200).map(|n| format!("d/{n}")).collect();
    expected.sort();
    assert_eq!(paths, expected);
    let archive = admin.get("/files/vision/ocr/1.0.0/?archive=tar").await.bytes().await.unwrap();
    assert_eq!(archive.len(), 1201 * 1024 + 1024, "a header and a block for each, and the end");
}
