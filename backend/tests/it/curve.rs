//! Curves: however long a history is, a chart gets as many points as it asks for, and every spike.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use model_registry::db::Db;
use serde_json::{Value, json};

use crate::harness::{Caller, Server};

const CURVE: &str = "query($n: Int!, $points: Int, $from: Long, $to: Long, $since: DateTime,
    $until: DateTime) { model(path: \"vision/ocr\") { candidate(number: $n) {
        metricCurve(name: \"loss\", points: $points, fromStep: $from, toStep: $to,
            fromTime: $since, toTime: $until) { step value timestamp } } } }";

async fn curve(caller: &Caller, variables: Value) -> Vec<Value> {
    let mut answer = caller.ok(CURVE, variables).await;
    let points = answer["model"]["candidate"]["metricCurve"].take();
    points.as_array().unwrap().clone()
}

async fn create(admin: &Caller) -> String {
    let create = "mutation { createCandidate(input: {model: \"vision/ocr\"}) {
        candidate { runId } } }";
    let made = admin.ok(create, json!({})).await;
    made["createCandidate"]["candidate"]["runId"].as_str().unwrap().to_owned()
}

async fn log(admin: &Caller, number: i32, points: impl Iterator<Item = Value>) {
    let points: Vec<Value> = points.collect();
    let log = "mutation($n: Int!, $metrics: [MetricInput!]) { updateCandidate(input: {
        model: \"vision/ocr\", candidate: $n, metrics: $metrics}) { candidate { number } } }";
    for metrics in points.chunks(500) {
        admin.ok(log, json!({ "n": number, "metrics": metrics })).await;
    }
}

fn steps(points: &[Value]) -> Vec<i64> {
    points.iter().map(|point| point["step"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_keeps_its_ends_and_every_spike() {
    let (_server, admin) = Server::with_model().await;
    create(&admin).await;
    let value = |step: i64| match step {
        1234 => json!(-5.0),
        2345 => json!(77.0),
        2346 => json!("NaN"),
        2347 => json!("Infinity"),
        step => json!(1.0 / (step + 1) as f64),
    };
    let points = (0..3000).map(|step| json!({"name": "loss", "step": step, "value": value(step)}));
    log(&admin, 1, points).await;
    for points in [10, 100, 1000, 2999] {
        let found = curve(&admin, json!({"n": 1, "points": points})).await;
        let steps = steps(&found);
        assert!(found.len() <= points && found.len() > points / 4, "{points}: {}", found.len());
        assert!(steps.is_sorted() && steps[0] == 0 && *steps.last().unwrap() == 2999);
        assert!(steps.contains(&1234) && steps.contains(&2345));
        for point in found {
            assert_eq!(point["value"], value(point["step"].as_i64().unwrap()));
        }
    }
    let all = curve(&admin, json!({"n": 1, "points": 3000})).await;
    assert_eq!(steps(&all), (0..3000).collect::<Vec<_>>());
    let part = curve(&admin, json!({"n": 1, "points": 10, "from": 2340, "to": 2349})).await;
    assert_eq!(steps(&part), (2340..2350).collect::<Vec<_>>());
    assert!(curve(&admin, json!({"n": 1, "from": 5000})).await.is_empty());
    for points in [9, 5001, -1] {
        let refusal = admin.refused(CURVE, json!({"n": 1, "points": points})).await;
        assert_eq!((refusal.code.as_str(), refusal.field.as_str()), ("INVALID", "points"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_may_be_anything_and_one_step_is_cut_by_time() {
    let (_server, admin) = Server::with_model().await;
    for _ in 0..3 {
        create(&admin).await;
    }
    let at = |n: i64| format!("2026-01-01T00:{:02}:{:02}Z", n / 60, n % 60);
    let timed = (0..600).map(|n| {
        let value = if n == 321 { 9.0 } else { (n % 2) as f64 };
        json!({"name": "loss", "value": value, "timestamp": at(n)})
    });
    log(&admin, 1, timed).await;
    let found = curve(&admin, json!({"n": 1, "points": 40})).await;
    assert!(found.len() > 20 && found.len() <= 40, "{}", found.len());
    assert!(found.iter().any(|point| point["value"] == 9.0));

    let far = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    let many = (0..100).map(|n| n * 1000).chain(far);
    log(&admin, 2, many.map(|step| json!({"name": "loss", "step": step, "value": 1}))).await;
    let found = steps(&curve(&admin, json!({"n": 2, "points": 10})).await);
    assert!(found.len() <= 10 && found[0] == i64::MIN && *found.last().unwrap() == i64::MAX);

    let nothing = (0..50).map(|step| json!({"name": "loss", "step": step, "value": "NaN"}));
    log(&admin, 3, nothing).await;
    assert_eq!(steps(&curve(&admin, json!({"n": 3, "points": 10})).await), [0, 49]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_history_by_time_has_all_its_points() {
    let (_server, admin) = Server::with_model().await;
    for _ in 0..3 {
        create(&admin).await;
    }
    let at = |n: i64| format!("2026-01-01T00:{:02}:{:02}Z", n / 60, n % 60);
    // All at one step; one a second; and with steps that go back, as of a run that was resumed.
    for (number, step) in
        [(1, (|_| 0) as fn(i64) -> i64), (2, |n| n), (3, |n| if n < 300 { n + 200 } else { n })]
    {
        let points = (0..600).map(
            |n| json!({"name": "loss", "value": (n * 37) % 101, "step": step(n), "timestamp": at(n)}),
        );
        log(&admin, number, points).await;
        let part = json!({"n": number, "points": 100, "since": at(310), "until": at(359)});
        let found = curve(&admin, part).await;
        let times: Vec<_> = found.iter().map(|point| point["timestamp"].clone()).collect();
        let expected: Vec<_> = (310..360).map(|n| json!(at(n).replace('Z', ".000Z"))).collect();
        assert_eq!(times, expected, "{number}");
        // Where there are too many, still none from outside, and both ends.
        let part = json!({"n": number, "points": 20, "since": at(100), "until": at(499)});
        let found = curve(&admin, part).await;
        assert!(found.len() <= 20 && found.len() > 5, "{number}: {}", found.len());
        for point in &found {
            let n = (0..600).find(|n| point["timestamp"] == at(*n).replace('Z', ".000Z")).unwrap();
            assert!((100..500).contains(&n), "{number}: {n}");
            assert_eq!(point["value"], ((n * 37) % 101) as f64, "{number}: {n}");
        }
    }
    let both = json!({"n": 2, "from": 5, "to": 20, "since": at(10), "until": at(30)});
    assert_eq!(steps(&curve(&admin, both).await), (10..21).collect::<Vec<_>>());
    assert!(curve(&admin, json!({"n": 2, "since": at(700)})).await.is_empty());
}

/// Points straight in the database: logging so many takes a while.
async fn fill(db: &Db, run: &str, points: i32) {
    let script = format!(
        "INSERT INTO metric_points (owner_id, name, step, timestamp_ms, value_order, value)
         WITH RECURSIVE n (i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {points} - 1)
         SELECT '{run}', 'loss', i, i, (i * 7919) % 10007, (i * 7919) % 10007 FROM n"
    );
    db.run_script(&script).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_one_point_has_no_curve() {
    let (server, admin) = Server::with_model().await;
    for number in 1..=2 {
        create(&admin).await;
        let point = |name: &str, step: i64, value: f64, at: &str| json!({"name": name, "step": step, "value": value, "timestamp": at});
        let (first, second) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z");
        let points = [
            point("single", 3, 1.0, first),
            point("told twice", 3, 1.0, first),
            point("told twice", 3, 1.0, first),
            point("by step", 0, 1.0, first),
            point("by step", 1, 1.0, first),
            point("by time", 0, 1.0, first),
            point("by time", 0, 1.0, second),
            point("by value", 0, 1.0, first),
            point("by value", 0, 2.0, first),
        ];
        log(&admin, number, points.into_iter()).await;
    }
    let query = "{ model(path: \"vision/ocr\") { candidates { nodes { curves } } } }";
    server.settle().await;
    let before = server.app.db.statements();
    let found = admin.ok(query, json!({})).await;
    let statements = server.app.db.statements() - before;
    assert!(statements <= 6, "{statements} statements");
    for node in found["model"]["candidates"]["nodes"].as_array().unwrap() {
        assert_eq!(node["curves"], json!(["by step", "by time", "by value"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_curves_are_few_statements() {
    let (server, admin) = Server::with_model().await;
    for _ in 0..8 {
        let run = create(&admin).await;
        fill(&server.app.db, &run, 5000).await;
    }
    let query = "{ model(path: \"vision/ocr\") { candidates { nodes {
        metricCurve(name: \"loss\", points: 200) { step value } } } } }";
    admin.ok(query, json!({})).await;
    let before = server.app.db.statements();
    let started = Instant::now();
    let found = admin.ok(query, json!({})).await;
    eprintln!("8 curves of 5,000 points in {:?}", started.elapsed());
    let statements = server.app.db.statements() - before;
    assert!(statements <= 6, "{statements} statements");
    for node in found["model"]["candidates"]["nodes"].as_array().unwrap() {
        let points = node["metricCurve"].as_array().unwrap().len();
        assert!(points > 100 && points <= 200, "{points}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_histories_and_look_ups_in_one_request_hold_nobody_up() {
    let (_server, admin) = Server::with_model().await;
    for number in 1..=20 {
        create(&admin).await;
        let point = json!({"name": "loss", "value": number, "step": 1});
        log(&admin, number, std::iter::once(point)).await;
        admin.create_model(&format!("m{number}")).await;
    }
    // Statements of fields themselves beside those of loaders: more than there are connections.
    let query = "{ model(path: \"vision/ocr\") { candidates(first: 20) { nodes {
            author { username } metricHistory(name: \"loss\") { nodes { value } } } } }
        project(path: \"vision\") { models(first: 20) { nodes {
            version(ref: \"latest\") { version } candidate(number: 1) { number } author { username } } } } }";
    let ask = async || {
        let asked = admin.ok(query, json!({}));
        tokio::time::timeout(Duration::from_secs(20), asked).await.expect("an answer soon")
    };
    let answers = join_all((0..4).map(|_| ask())).await;
    for answer in answers {
        for node in answer["model"]["candidates"]["nodes"].as_array().unwrap() {
            assert_eq!(node["metricHistory"]["nodes"].as_array().unwrap().len(), 1);
        }
    }
}

/// Measures: `cargo test --test it a_million_points -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it only measures"]
async fn a_million_points_take_a_moment() {
    let (server, admin) = Server::with_model().await;
    let run = create(&admin).await;
    fill(&server.app.db, &run, 1_000_000).await;
    for points in [100, 1000, 5000] {
        for _ in 0..3 {
            let started = Instant::now();
            let found = curve(&admin, json!({"n": 1, "points": points})).await;
            eprintln!("{} of 1,000,000 points in {:?}", found.len(), started.elapsed());
        }
    }
}
