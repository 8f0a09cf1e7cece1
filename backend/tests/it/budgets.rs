//! What nobody may take from the others: time of the database.

use std::time::Duration;

use model_registry::db::query;
use model_registry::error::Error;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::Server;

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
