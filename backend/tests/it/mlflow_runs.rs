//! What is logged to a run over MLflow's API while others log to it, delete it, or it is in the trash.

use serde_json::{Value, json};

use crate::harness::{Caller, Server};
use crate::mlflow::{ask, ok, refused, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_logged_to_or_deleted_and_says_which() {
    let (server, admin) = Server::with_model().await;
    let (deleted, other) = (run(&admin, "vision", "0").await, run(&admin, "vision", "0").await);
    let mut logged = [0, 0];
    for round in 0..20_i64 {
        let log = async |run: &str, lane: i64| {
            let step = round * 4 + lane;
            let point =
                json!({"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1, "step": step});
            ask(&admin, "vision", "POST runs/log-metric", point).await
        };
        let delete = async {
            tokio::time::sleep(std::time::Duration::from_micros(300 * round.unsigned_abs())).await;
            ok(&admin, "POST runs/delete", json!({"run_id": deleted})).await
        };
        let on_deleted =
            async { [log(&deleted, 0).await, log(&deleted, 1).await, log(&deleted, 2).await] };
        let raced = futures_util::future::join3(log(&deleted, 3), on_deleted, log(&other, 0));
        let ((first, rest, of_other), _) = futures_util::future::join(raced, delete).await;
        assert_eq!(of_other.0, 200, "whoever is refused beside it: {}", of_other.1);
        logged[1] += 1;
        for (status, answer) in [first].into_iter().chain(rest) {
            match status {
                200 => logged[0] += 1,
                400 => assert!(
                    answer["message"].as_str().unwrap().contains("'active' state"),
                    "{answer}"
                ),
                _ => assert_eq!(
                    (status, &answer["error_code"]),
                    (404, &json!("RESOURCE_DOES_NOT_EXIST"))
                ),
            }
        }
        ok(&admin, "POST runs/restore", json!({"run_id": deleted})).await;
    }
    for (run, logged) in [(deleted, logged[0]), (other, logged[1])] {
        let history =
            ok(&admin, &format!("GET metrics/get-history?run_id={run}&metric_key=loss"), json!({}))
                .await;
        assert_eq!(
            history["metrics"].as_array().map_or(0, Vec::len),
            logged,
            "what was acknowledged is there"
        );
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM objects WHERE id IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_no_more_metrics_than_it_may_whoever_logs_at_once() {
    let (server, admin) = Server::with_model().await;
    let id = run(&admin, "vision", "0").await;
    // All but 2000 that a run may have.
    let many = "INSERT INTO metrics (owner_id, name, step, timestamp_ms, value_order, value)
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 98000)
        SELECT c.id, 'of-before-' || n, 0, 0, 0, 0 FROM numbers CROSS JOIN candidates c";
    let before = model_registry::db::query(many).alone(&server.app.db).await;
    assert_eq!(before.unwrap(), 98_000);
    let batch = async |lane: usize, count: usize| {
        let metric = |n: usize| json!({"key": format!("m{lane}-{n}"), "value": 1, "timestamp": 1, "step": 0});
        let metrics: Vec<_> = (0..count).map(metric).collect();
        ask(&admin, "vision", "POST runs/log-batch", json!({"run_id": id, "metrics": metrics}))
            .await
    };
    let answers = futures_util::future::join_all((0..5).map(|lane| batch(lane, 900))).await;
    let (logged, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|(status, _)| *status == 200);
    assert_eq!((logged.len(), refused.len()), (2, 3));
    for (status, answer) in refused {
        assert_eq!((*status, &answer["error_code"]), (400, &json!("INVALID_PARAMETER_VALUE")));
        assert!(
            answer["message"]
                .as_str()
                .unwrap()
                .contains("at most 100000 metrics of different names"),
            "{answer}"
        );
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM metrics").await, 99_800);
    assert_eq!(batch(7, 200).await.0, 200);
    assert_eq!(batch(8, 1).await.0, 400);
    assert_eq!(batch(7, 200).await.0, 200, "what it has goes on");
    // It is read all the same.
    let (status, found) =
        ask(&admin, "vision", &format!("GET runs/get?run_id={id}"), json!({})).await;
    assert_eq!((status, found["run"]["data"]["metrics"].as_array().unwrap().len()), (200, 100_000));
    let search = json!({"experiment_ids": ["0"], "max_results": 1});
    let (status, found) = ask(&admin, "vision", "POST runs/search", search).await;
    assert_eq!((status, found["runs"].as_array().unwrap().len()), (200, 1));
}

#[tokio::test]
async fn a_run_in_the_trash_is_not_renamed_by_a_tag() {
    let (_server, admin) = Server::with_model().await;
    let id = run(&admin, "vision", "0").await;
    let name = json!({"run_id": id, "key": "mlflow.runName", "value": "first"});
    ok(&admin, "POST runs/set-tag", name.clone()).await;
    let found = ok(&admin, &format!("GET runs/get?run_id={id}"), json!({})).await;
    assert_eq!(found["run"]["info"]["run_name"], "first");
    ok(&admin, "POST runs/delete", json!({"run_id": id})).await;
    assert_eq!(refused(&admin, "POST runs/set-tag", name).await, "INVALID_PARAMETER_VALUE");
}

/// The histories of a metric of some runs, sampled: each point as run, step and time.
async fn sampled(caller: &Caller, runs: &[&str], rest: &str) -> Vec<(String, i64, i64)> {
    let runs: Vec<_> = runs.iter().map(|run| format!("run_ids={run}")).collect();
    let call =
        format!("GET metrics/get-history-bulk-interval?metric_key=m&{}{rest}", runs.join("&"));
    let found = ok(caller, &call, json!({})).await;
    let points = found["metrics"].as_array().cloned().unwrap_or_default();
    let point = |point: &Value| {
        let int = |name: &str| point[name].as_i64().unwrap();
        (point["run_id"].as_str().unwrap().to_owned(), int("step"), int("timestamp"))
    };
    points.iter().map(point).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn long_histories_are_sampled_by_steps_as_mlflow_does() {
    let (_server, admin) = Server::with_model().await;
    let (one, two) = (run(&admin, "vision", "0").await, run(&admin, "vision", "0").await);
    let log = async |run_id: &str, time: i64, steps: std::ops::Range<i64>| {
        let point = |step| json!({"key": "m", "value": 1, "timestamp": time, "step": step});
        let metrics: Vec<_> = steps.map(point).collect();
        ok(&admin, "POST runs/log-batch", json!({"run_id": run_id, "metrics": metrics})).await;
    };
    let steps = |points: &[(String, i64, i64)], of: &str| {
        points.iter().filter(|point| point.0 == of).map(|point| point.1).collect::<Vec<_>>()
    };
    log(&one, 1, 0..10).await;
    let points = sampled(&admin, &[&one], "").await;
    assert_eq!(steps(&points, &one), (0..10).collect::<Vec<_>>());
    for (rest, expected) in [
        ("&max_results=5", vec![0, 2, 4, 6, 8, 9]),
        ("&max_results=3", vec![0, 3, 6, 9]),
        ("&max_results=1", vec![0, 9]),
        ("&max_results=10", (0..10).collect()),
        ("&max_results=5&start_step=0&end_step=4", vec![0, 1, 2, 3, 4]),
        ("&max_results=2&start_step=4&end_step=7", vec![4, 6, 7]),
        ("&start_step=20&end_step=30", vec![]),
    ] {
        assert_eq!(steps(&sampled(&admin, &[&one], rest).await, &one), expected, "{rest}");
    }
    // The same steps of all, and the first and last of each.
    log(&two, 1, 0..20).await;
    let points = sampled(&admin, &[&two, &one], "&max_results=5").await;
    assert_eq!(points[0].0, two, "in the order in which they are asked for");
    assert_eq!(steps(&points, &one), [0, 4, 8, 9]);
    assert_eq!(steps(&points, &two), [0, 4, 8, 9, 12, 16, 19]);
    // All points of a step, unless that is too much.
    log(&one, 2, 0..10).await;
    let points = sampled(&admin, &[&one], "&max_results=5").await;
    assert_eq!(steps(&points, &one), [0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 9, 9]);
    for time in 0..5 {
        let point = |n| json!({"key": "m", "value": 1, "timestamp": time * 900 + n, "step": 0});
        let metrics: Vec<_> = (0..900).map(point).collect();
        ok(&admin, "POST runs/log-batch", json!({"run_id": two, "metrics": metrics})).await;
    }
    let points = sampled(&admin, &[&two], "&max_results=1").await;
    assert!((2500..=2501).contains(&points.len()), "{}", points.len());
    assert_eq!((points[0].2, points.last().unwrap().1), (0, 19));
    assert!(points.windows(2).all(|pair| (pair[1].1, pair[1].2) > (pair[0].1, pair[0].2)));
}
