//! Facts of projects for Prometheus: what they count, for whom, and what that costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model_registry::db::query;
use model_registry::time::Clock;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::embeds::{header, json_of, start, start_with, text};
use crate::harness::{CREATE_PROJECT, Caller, PASSWORD, Server, assert_as_many};

/// A server whose clock a test sets, and the public project `vision` with the model `ocr`.
async fn start_at(time: &Arc<AtomicI64>) -> (Server, Caller) {
    let (server, admin) = Server::with_model_at(Clock::Fixed(time.clone())).await;
    let public = "mutation { updateProject(input: {project: \"vision\", visibility: PUBLIC}) { project { id } } }";
    admin.ok(public, json!({})).await;
    (server, admin)
}

fn pass(time: &AtomicI64, seconds: i64) {
    time.fetch_add(seconds * 1000, Ordering::Relaxed);
}

/// A series and its value: `models{project="vision"} 1`.
fn has(page: &str, series: &str) -> bool {
    page.lines().any(|line| line.strip_prefix("model_registry_") == Some(series))
}

#[track_caller]
fn assert_has(page: &str, all: &[&str]) {
    for series in all {
        assert!(has(page, series), "{series}:\n{page}");
    }
}

/// How many series there are of a metric.
fn count(page: &str, metric: &str) -> usize {
    let begin = format!("model_registry_{metric}{{");
    page.lines().filter(|line| line.starts_with(&begin)).count()
}

async fn candidate(admin: &Caller, model: &str, status: &str, metrics: Value) {
    let create = "mutation($m: String!, $s: CandidateStatus!, $x: [MetricInput!]!) {
        createCandidate(input: {model: $m, status: $s, metrics: $x}) { candidate { id } } }";
    admin.ok(create, json!({ "m": model, "s": status, "x": metrics })).await;
}

/// Versions, runs and files of the model, and a model with some that is in the trash by then.
async fn fill(admin: &Caller, time: &AtomicI64) {
    for version in ["1.0.0", "1.1.0", "2.0.0", "3.0.0"] {
        admin.create_version(Some(version)).await;
        // Two have the same content.
        let path = format!("/files/vision/ocr/{version}/f");
        admin.put(&path, &version[..1]).await.error_for_status().unwrap();
    }
    for version in ["1.0.0", "1.1.0", "2.0.0"] {
        admin.publish(version).await;
        pass(time, 10);
    }
    let change = r#"mutation {
        a: setAlias(input: {model: "vision/ocr", name: "champion", version: "1.1.0"}) { alias { id } }
        b: setAlias(input: {model: "vision/ocr", name: "gone", version: "3.0.0"}) { alias { id } }
        c: yankModelVersion(input: {model: "vision/ocr", version: "2.0.0", reason: "wrong"}) { modelVersion { id } }
        d: setTag(input: {model: "vision/ocr", key: "registry.metric", value: " loss:min "}) { tag { key } }
        e: createModel(input: {project: "vision", name: "doomed"}) { model { id } }
        f: createModelVersion(input: {model: "vision/doomed", version: "1.0.0"}) { modelVersion { id } }
        g: createModelVersion(input: {model: "vision/doomed", version: "2.0.0"}) { modelVersion { id } }
        h: publishModelVersion(input: {model: "vision/doomed", version: "2.0.0"}) { modelVersion { id } } }"#;
    admin.ok(change, json!({})).await;
    for (status, loss) in [
        ("FINISHED", json!(0.5)),
        ("FINISHED", json!(-0.25)),
        ("FINISHED", json!("NaN")),
        ("FAILED", json!(-9)),
        ("RUNNING", json!(-9)),
        ("FINISHED", json!(-7)),
    ] {
        candidate(admin, "vision/ocr", status, json!([{ "name": "loss", "value": loss }])).await;
    }
    candidate(admin, "vision/doomed", "FINISHED", json!([])).await;
    let path = "/files/vision/ocr/candidate:1/f";
    admin.put(path, "of a run").await.error_for_status().unwrap();
    let path = "/files/vision/doomed/candidate:1/f";
    admin.put(path, "of a run in the trash").await.error_for_status().unwrap();
    let delete = r#"mutation {
        a: deleteModel(input: {model: "vision/doomed"}) { model { id } }
        b: deleteModelVersion(input: {model: "vision/ocr", version: "3.0.0"}) { modelVersion { id } }
        c: deleteCandidate(input: {model: "vision/ocr", candidate: 6}) { candidate { id } } }"#;
    admin.ok(delete, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_project_has_is_counted_without_its_trash() {
    let time = Arc::new(AtomicI64::new(1_700_000_000_000));
    let (server, admin) = start_at(&time).await;
    let nobody = server.anonymous();
    let facts = async || text(&nobody, "/api/facts?project=vision", 200).await;
    let page = facts().await;
    assert_has(
        &page,
        &[
            "models{project=\"vision\"} 1",
            "versions{project=\"vision\",state=\"DRAFT\"} 0",
            "versions{project=\"vision\",state=\"PUBLISHED\"} 0",
            "candidates{project=\"vision\",status=\"KILLED\"} 0",
            "stored_bytes{project=\"vision\"} 0",
        ],
    );
    assert_eq!(page.lines().filter(|line| !line.starts_with('#')).count(), 9, "{page}");

    fill(&admin, &time).await;
    let moved = time.load(Ordering::Relaxed) / 1000;
    pass(&time, 15);
    let page = facts().await;
    assert_has(
        &page,
        &[
            "models{project=\"vision\"} 1",
            "versions{project=\"vision\",state=\"DRAFT\"} 0",
            "versions{project=\"vision\",state=\"PUBLISHED\"} 3",
            "candidates{project=\"vision\",status=\"FINISHED\"} 3",
            "candidates{project=\"vision\",status=\"FAILED\"} 1",
            "candidates{project=\"vision\",status=\"RUNNING\"} 1",
            "stored_bytes{project=\"vision\"} 10",
            "alias_info{project=\"vision\",model=\"ocr\",alias=\"champion\",version=\"1.1.0\"} 1",
            &format!(
                "alias_moved_timestamp_seconds{{project=\"vision\",model=\"ocr\",alias=\"champion\"}} {moved}.000"
            ),
            &format!(
                "last_published_timestamp_seconds{{project=\"vision\",model=\"ocr\"}} {}.000",
                moved - 20
            ),
            "best_metric{project=\"vision\",model=\"ocr\",metric=\"loss\"} -0.25",
        ],
    );
    assert_eq!(page.lines().filter(|line| !line.starts_with('#')).count(), 13, "{page}");
    let best = "{ model(path: \"vision/ocr\") { bestMetric { name value } } }";
    let best = nobody.ok(best, json!({})).await["model"]["bestMetric"].take();
    assert_eq!(best, json!({ "name": "loss", "value": -0.25 }), "as GraphQL has it");
    let less = text(&nobody, "/api/facts?project=vision&models=false", 200).await;
    assert_eq!(less.lines().filter(|line| !line.starts_with('#')).count(), 9, "{less}");
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_for_who_may_read_each_project_and_cookies_gain_nothing() {
    let (server, admin) = start().await;
    let nobody = server.anonymous();
    let response = admin.get("/api/facts?project=open&project=shut").await;
    for (name, value) in [
        ("content-type", "text/plain; version=0.0.4; charset=utf-8"),
        ("cache-control", "private, no-cache"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(header(&response, name), value, "{name}");
    }
    let page = response.text().await.unwrap();
    assert_has(&page, &["models{project=\"open\"} 1", "models{project=\"shut\"} 1"]);
    for metric in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let metric = metric.strip_suffix(" gauge").unwrap();
        let series =
            page.lines().enumerate().filter(|(_, line)| line.starts_with(&format!("{metric}{{")));
        let lines: Vec<usize> = series.map(|(line, _)| line).collect();
        assert!(lines.windows(2).all(|two| two[1] == two[0] + 1), "{metric} stands together");
        assert!(lines.len() >= 2, "{metric}");
    }

    let sign_in = "mutation($p: String!) { signIn(input: {username: \"admin\", password: $p}) { user { id } } }";
    let body = json!({ "query": sign_in, "variables": { "p": PASSWORD } });
    let signed_in = nobody.request(Method::POST, "/graphql").json(&body).send().await.unwrap();
    let cookie = header(&signed_in, "set-cookie").split(';').next().unwrap().to_owned();
    // What an administrator was just shown is kept, and nobody else is shown it.
    let ask = async |project: &str, cookie: &str| {
        let path = format!("/api/facts?project=open&project={project}");
        let request = nobody.request(Method::GET, &path).header("cookie", cookie);
        let response: Response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap().replace(project, "~"))
    };
    let missing = ask("gone", "").await;
    assert_eq!(missing.0, 404, "{missing:?}");
    assert_eq!(ask("shut", "").await, missing);
    assert_eq!(ask("shut", &cookie).await, missing);
    assert_eq!(ask("a%00b", "").await.0, 404);
    let wrong = Caller { token: Some("mrt_wrong".into()), ..nobody.clone() };
    assert_eq!(wrong.get("/api/facts?project=open").await.status(), 401);
    let robot = admin.robot("shut", "GUEST").await;
    text(&robot, "/api/facts?project=shut", 200).await;
    text(&robot, "/api/backstage/shut.yaml", 200).await;

    // What was public is not, at once.
    text(&nobody, "/api/facts?project=open", 200).await;
    let hide = "mutation { updateProject(input: {project: \"open\", visibility: PRIVATE}) { project { id } } }";
    admin.ok(hide, json!({})).await;
    text(&nobody, "/api/facts?project=open", 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_authentication_facts_are_of_public_projects() {
    let (server, _admin) = start_with(&["--no-auth"]).await;
    let nobody = server.anonymous();
    text(&nobody, "/api/facts?project=open", 200).await;
    for path in ["/api/facts?project=shut", "/api/backstage/shut.yaml"] {
        text(&nobody, path, 404).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_named_once_each_and_not_too_many() {
    let (server, admin) = start().await;
    let nobody = server.anonymous();
    let none = json_of(&nobody, "/api/facts", 400).await;
    assert_eq!((&none["code"], &none["field"]), (&json!("INVALID"), &json!("project")));
    let twice = text(&nobody, "/api/facts?project=open&project=open&other=1", 200).await;
    assert_eq!(count(&twice, "models"), 1, "{twice}");
    let named = vec!["project=open"; 20].join("&");
    text(&nobody, &format!("/api/facts?{named}"), 200).await;
    text(&nobody, &format!("/api/facts?{named}&project=open"), 400).await;
    text(&nobody, "/api/facts?project=open&models=no", 400).await;
    text(&nobody, "/api/facts?project=", 404).await;

    let rename = "mutation { renameProject(input: {project: \"open\", path: \"opened\"}) { project { id } } }";
    admin.ok(rename, json!({})).await;
    let response = nobody.get("/api/facts?project=open&project=opened").await;
    assert!(!header(&response, "deprecation").is_empty(), "it has another path");
    let page = response.text().await.unwrap();
    assert!(has(&page, "models{project=\"opened\"} 1"), "by its path of now: {page}");
    assert_eq!(count(&page, "models"), 1, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_are_escaped() {
    let (server, admin) = start().await;
    let nobody = server.anonymous();
    let name = "a\" 1\\n{}\u{a0}é";
    let path = format!("open/{}", name.replace('\\', ""));
    let metric = "b\\\"c\\n, d=\"1\"} 2";
    let make = "mutation($n: String!, $m: String!, $t: String!) {
        createModel(input: {project: \"open\", name: $n, tags: [{key: \"registry.metric\", value: $t}]}) { model { id } }
        createModelVersion(input: {model: $m, version: \"1.0.0-x.1\"}) { modelVersion { id } }
        setAlias(input: {model: $m, name: \"A_b-1\", version: \"1.0.0-x.1\"}) { alias { id } } }";
    let variables =
        json!({ "n": path.replace("open/", ""), "m": path, "t": format!("{metric}:max") });
    admin.ok(make, variables).await;
    candidate(&admin, &path, "FINISHED", json!([{ "name": metric, "value": "-Infinity" }])).await;
    let page = text(&nobody, "/api/facts?project=open", 200).await;
    assert_has(
        &page,
        &[
            "best_metric{project=\"open\",model=\"a\\\" 1n{}\u{a0}é\",metric=\"b\\\\\\\"c\\\\n, d=\\\"1\\\"} 2\"} -Inf",
            "alias_info{project=\"open\",model=\"a\\\" 1n{}\u{a0}é\",alias=\"A_b-1\",version=\"1.0.0-x.1\"} 1",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_of_many_models_and_projects_are_as_few_statements_and_are_kept_for_15_seconds() {
    let time = Arc::new(AtomicI64::new(1_700_000_000_000));
    let (server, admin) = start_at(&time).await;
    admin.ok(CREATE_PROJECT, json!({ "path": "audio" })).await;
    let model = async |path: &str| {
        let (project, name) = path.split_once('/').unwrap();
        let make = "mutation($p: String!, $n: String!, $m: String!) {
            createModel(input: {project: $p, name: $n, tags: [{key: \"registry.metric\", value: \"accuracy\"}]}) { model { id } }
            createModelVersion(input: {model: $m, version: \"1.0.0\"}) { modelVersion { id } }
            publishModelVersion(input: {model: $m, version: \"1.0.0\"}) { modelVersion { id } }
            setAlias(input: {model: $m, name: \"champion\", version: \"1.0.0\"}) { alias { id } } }";
        admin.ok(make, json!({ "p": project, "n": name, "m": path })).await;
        candidate(&admin, path, "FINISHED", json!([{ "name": "accuracy", "value": 0.5 }])).await;
    };
    // Without what is asked for of the caller and their project.
    let facts = async |path: &str| {
        admin.get(path).await;
        server.settle().await;
        pass(&time, 15);
        let before = server.app.db.statements();
        let page = text(&admin, path, 200).await;
        (page, server.app.db.statements() - before)
    };
    model("vision/m0").await;
    let (page, few) = facts("/api/facts?project=vision").await;
    assert_eq!((count(&page, "best_metric"), count(&page, "alias_info")), (1, 1), "{page}");
    for n in 1..10 {
        model(&format!("vision/m{n}")).await;
        model(&format!("audio/m{n}")).await;
    }
    let (page, many) = facts("/api/facts?project=vision&project=audio").await;
    assert_eq!((count(&page, "best_metric"), count(&page, "alias_info")), (19, 19), "{page}");
    assert_as_many(few, many);
    assert!(few <= 10, "{few} statements");

    pass(&time, 14);
    model("vision/new").await;
    server.settle().await;
    text(&admin, "/api/facts?project=vision", 200).await;
    let before = server.app.db.statements();
    let page = text(&admin, "/api/facts?project=vision&project=audio", 200).await;
    let kept = server.app.db.statements() - before;
    // Who asks, and what they may: PostgreSQL is asked each time.
    assert!(kept <= 3, "{kept} statements");
    assert!(has(&page, "models{project=\"vision\"} 11"), "it is kept: {page}");
    pass(&time, 1);
    let page = text(&admin, "/api/facts?project=vision", 200).await;
    assert!(has(&page, "models{project=\"vision\"} 12"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_series_are_refused_with_what_to_do() {
    let (server, admin) = start().await;
    let models = "INSERT INTO models (id, project_id, name, description, author_id, created_at_ms, updated_at_ms)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4987)
        SELECT 'x' || i, p.id, 'x' || i, '', p.author_id, 0, 0 FROM n CROSS JOIN projects p WHERE p.path = 'open'";
    let mut tx = server.app.db.begin().await.unwrap();
    query(models).execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    // Nine, 4,988 models, one metric, and one alias twice: exactly as many as may be.
    let page = text(&admin, "/api/facts?project=open", 200).await;
    assert!(has(&page, "models{project=\"open\"} 4988"), "{page}");
    for path in ["/api/facts?project=open&project=shut", "/api/facts?project=shut&project=open"] {
        let refused = json_of(&admin, path, 413).await;
        assert_eq!(refused["code"], "TOO_LARGE");
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains("5013") && message.contains("models=false"), "{message}");
        text(&admin, &format!("{path}&models=false"), 200).await;
    }
    let list = text(&admin, "/api/backstage/open.yaml", 200).await;
    assert!(list.starts_with("# The first 1000 models of open by name: it has more.\n"));
    assert_eq!(list.matches("\n---\n").count(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_and_lists_count_as_embeds_of_a_network() {
    let (server, _admin) = start_with(&["--trusted-proxies", "127.0.0.1/32"]).await;
    let nobody = server.anonymous();
    let paths = ["/api/facts?project=open", "/api/backstage/open.yaml", "/embed/open/ocr"];
    for path in paths.into_iter().cycle().take(2000) {
        let request = nobody.request(Method::GET, path);
        let response = request.header("x-forwarded-for", "192.0.2.7").send().await.unwrap();
        if response.status() == 429 {
            assert!(header(&response, "retry-after").parse::<u32>().unwrap() >= 1);
            return;
        }
    }
    panic!("300 requests at once are enough");
}
