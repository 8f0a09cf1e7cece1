use model_registry::role::TokenScope;
use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{CREATE_PROJECT, Server, left_over};
use crate::mlflow::ask;

#[tokio::test(flavor = "multi_thread")]
async fn forty_racing_creators_get_forty_numbers_and_versions() {
    let (_server, admin) = Server::with_model().await;
    let made = join_all((0..40).map(|_| admin.create_version(None))).await;
    let numbers: HashSet<i64> = made.iter().map(|made| made["number"].as_i64().unwrap()).collect();
    let versions: HashSet<&str> =
        made.iter().map(|made| made["version"].as_str().unwrap()).collect();
    assert_eq!(numbers, (1..=40).collect());
    assert_eq!(versions.len(), 40);
    let latest =
        admin.ok("{ model(path: \"vision/ocr\") { latestVersion { version } } }", json!({})).await;
    assert_eq!(latest["model"]["latestVersion"]["version"], "1.0.39");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_over_mlflow_get_each_number_once_whatever_else_becomes_of_the_model() {
    let (server, admin) = Server::with_model().await;
    let create = async |tags: serde_json::Value| {
        let new = json!({"name": "ocr", "source": "s3://b/m", "tags": tags});
        ask(&admin, "vision", "POST model-versions/create", new).await
    };
    let delete =
        "mutation { deleteModelVersion(input: {model: \"vision/ocr\", version: \"latest\"}) {
        modelVersion { version } } }";
    let (mut numbers, mut refused) = (HashSet::new(), 0);
    for round in 1..=8 {
        let tags = |n| match n % 4 {
            0 => json!([{"key": "registry.version", "value": format!("{round}.0.0")}]),
            _ => json!([]),
        };
        let others =
            async { tokio::join!(admin.graphql(delete, json!({})), admin.create_version(None)).1 };
        let (made, other) = tokio::join!(join_all((0..12).map(|n| create(tags(n)))), others);
        numbers.insert(other["number"].as_i64().unwrap());
        for (status, answer) in made {
            match status {
                200 => {
                    let number = answer["model_version"]["version"].as_str().unwrap();
                    assert!(numbers.insert(number.parse().unwrap()), "{answer}");
                }
                _ => {
                    assert_eq!(answer["error_code"], "RESOURCE_ALREADY_EXISTS", "{answer}");
                    refused += 1;
                }
            }
        }
    }
    let count = i64::try_from(numbers.len()).unwrap();
    assert_eq!(numbers, (1..=count).collect());
    assert_eq!(count + refused, 8 * 13);
    assert!(
        refused >= 8,
        "one of three has a version that all of them want, unless it was deleted"
    );
    assert_eq!(server.count("SELECT COUNT(*) FROM model_versions").await, count);
    assert_eq!(server.count("SELECT last_version FROM models").await, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racers_for_one_name_exactly_one_wins() {
    let (server, admin) = Server::with_model().await;
    for round in 0..5 {
        let create = format!(
            "mutation {{ createModelVersion(input: {{model: \"vision/ocr\", version: \"{round}.0.0\"}}) {{ modelVersion {{ id }} }} }}"
        );
        let answers = join_all((0..8).map(|_| admin.graphql(&create, json!({})))).await;
        let (won, lost): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.get("errors").is_none());
        assert_eq!(won.len(), 1);
        for answer in lost {
            assert_eq!(answer["errors"][0]["extensions"]["code"], "ALREADY_EXISTS");
        }
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM model_versions").await, 5);
    assert_eq!(
        server.count("SELECT last_version FROM models").await,
        5,
        "a loser uses no number up"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_models_made_at_once_each_name_is_had_once_and_whole() {
    let (server, admin) = Server::with_model().await;
    let create = "mutation($name: String!) { createModel(input: {project: \"vision\", name: $name,
        tags: [{key: \"k\", value: \"v\"}]}) { model { name experiment { name } } } }";
    let made = (0..60).map(|n| admin.graphql(create, json!({"name": format!("new-{}", n % 20)})));
    let answers = join_all(made).await;
    let (won, lost): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.get("errors").is_none());
    assert_eq!((won.len(), lost.len()), (20, 40));
    for answer in lost {
        assert_eq!(answer["errors"][0]["extensions"]["code"], "ALREADY_EXISTS", "{answer}");
    }
    // Nothing is left of the others.
    for (rows, count) in [
        ("SELECT COUNT(*) FROM models", 21),
        ("SELECT COUNT(*) FROM names", 21),
        ("SELECT COUNT(*) FROM tags", 20),
        ("SELECT COUNT(*) FROM experiments WHERE model_id IS NOT NULL", 20),
        ("SELECT COUNT(*) FROM events WHERE action = 'model.create'", 21),
        ("SELECT COUNT(*) FROM objects", 21 + 20 + 1),
    ] {
        assert_eq!(server.count(rows).await, count, "{rows}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_experiment_of_a_model_is_made_once_by_whoever_asks_first() {
    let (server, admin) = Server::with_model().await;
    let of_models = "SELECT COUNT(*) FROM experiments WHERE model_id IS NOT NULL";
    assert_eq!(server.count(of_models).await, 0);
    let numbers = join_all((0..12).map(async |n| match n % 3 {
        0 => {
            let asked =
                admin.ok("{ model(path: \"vision/ocr\") { experiment { number } } }", json!({}));
            asked.await["model"]["experiment"]["number"].to_string()
        }
        1 => {
            let path = "GET experiments/get-by-name?experiment_name=[model]ocr";
            let (_, asked) = ask(&admin, "vision", path, json!({})).await;
            asked["experiment"]["experiment_id"].as_str().unwrap().to_owned()
        }
        _ => {
            let made = admin.ok("mutation { createCandidate(input: {model: \"vision/ocr\"}) { candidate { experiment { number } } } }", json!({}));
            made.await["createCandidate"]["candidate"]["experiment"]["number"].to_string()
        }
    }));
    assert_eq!(numbers.await, ["1"; 12]);
    assert_eq!(server.count(of_models).await, 1);
    // Asked for in the trash it is there, and comes back with its model.
    admin.create_model("net").await;
    let delete = "mutation { deleteModel(input: {model: \"vision/net\"}) { model { experiment { name deletedAt } } } }";
    let gone = admin.ok(delete, json!({})).await["deleteModel"]["model"].take();
    assert_eq!(gone["experiment"]["name"], "[model]net");
    assert!(gone["experiment"]["deletedAt"].is_string());
    let restore = "mutation { restoreModel(input: {model: \"vision/net\"}) { model { experiment { deletedAt } } } }";
    let back = admin.ok(restore, json!({})).await["restoreModel"]["model"].take();
    assert_eq!(back["experiment"]["deletedAt"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_uploads_of_one_path_agree_on_one_content() {
    let (server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    let path = "/files/vision/ocr/1.0.0/f";
    let answers = join_all((0..16).map(|n| admin.put(path, vec![n % 2; 100_000]))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[..8], [200, 200, 200, 200, 200, 200, 200, 201], "{statuses:?}");
    assert_eq!(statuses[8..], [409; 8], "{statuses:?}");
    assert_eq!(server.count("SELECT COUNT(*) FROM files").await, 1);
    assert_eq!(left_over(&server), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_in_the_digest_or_refused_never_neither() {
    let (_server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    let put = |n: u8| {
        let admin = admin.clone();
        async move {
            admin
                .put(&format!("/files/vision/ocr/1.0.0/f{n}"), vec![n; 1000])
                .await
                .status()
                .as_u16()
        }
    };
    let publish = "mutation { publishModelVersion(input: {
        model: \"vision/ocr\", version: \"1.0.0\", withoutUploads: true}) { modelVersion { digest } } }";
    let (published, statuses) =
        tokio::join!(admin.ok(publish, json!({})), join_all((0..20).map(put)));
    assert!(published["publishModelVersion"]["modelVersion"]["digest"].is_string());
    let stored = statuses.iter().filter(|status| **status == 201).count();
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    let count = admin
        .ok("{ model(path: \"vision/ocr\") { version(ref: \"1.0.0\") { fileCount } } }", json!({}))
        .await;
    assert_eq!(count["model"]["version"]["fileCount"], stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_change_one_object_lose_neither_change() {
    let (_server, admin) = Server::with_model().await;
    admin
        .ok(
            "mutation { createCandidate(input: {model: \"vision/ocr\"}) { candidate { id } } }",
            json!({}),
        )
        .await;
    let rename = "mutation($to: String) {
        a: updateCandidate(input: {model: \"vision/ocr\", candidate: 1, name: $to}) { candidate { id } }
        b: updateProject(input: {project: \"vision\", name: $to}) { project { id } } }";
    let settle = "mutation($status: CandidateStatus, $to: String) {
        a: updateCandidate(input: {model: \"vision/ocr\", candidate: 1, status: $status}) { candidate { id } }
        b: updateProject(input: {project: \"vision\", description: $to}) { project { id } } }";
    let read = "{ project(path: \"vision\") { name description model(name: \"ocr\") { candidate(number: 1) { name status } } } }";
    for round in 0..20 {
        let to = format!("name-{round}");
        let status = if round % 2 == 0 { "FAILED" } else { "KILLED" };
        tokio::join!(
            admin.ok(rename, json!({ "to": to })),
            admin.ok(settle, json!({ "to": to, "status": status })),
        );
        let project = admin.ok(read, json!({})).await["project"].take();
        assert_eq!(
            project,
            json!({"name": to, "description": to, "model": {"candidate": {"name": to, "status": status}}})
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_to_be_the_first_one_is() {
    let (_server, admin) = Server::with_model().await;
    admin
        .ok(
            "mutation { createCandidate(input: {model: \"vision/ocr\"}) { candidate { id } } }",
            json!({}),
        )
        .await;
    // A candidate's files may be replaced, so only the condition keeps the others out.
    let put = |n: u8| {
        let path = "/files/vision/ocr/candidate:1/f";
        let request = admin.request(reqwest::Method::PUT, path).header("if-none-match", "*");
        async move { request.body(vec![n; 100_000]).send().await.unwrap().status().as_u16() }
    };
    let mut statuses = join_all((0..16).map(put)).await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201, "{statuses:?}");
    assert_eq!(statuses[1..], [412; 15], "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_holds_on_to_a_role_that_is_taken_away() {
    let (server, admin) = Server::with_model().await;
    admin.invite("bob").await;
    admin.add_member("vision", "bob", "OWNER").await;
    let bob = server.person("bob", TokenScope::Admin).await;
    let set = "mutation($r: Role!) { updateMember(input: {project: \"vision\", username: \"bob\", role: $r}) { member { role } } }";
    for round in 0..8 {
        admin.ok(set, json!({"r": "OWNER"})).await;
        let holding = join_all((0..8).map(|_| bob.graphql(set, json!({"r": "OWNER"}))));
        let taking = admin.graphql(set, json!({"r": "GUEST"}));
        tokio::join!(holding, taking);
        let owners = "SELECT COUNT(*) FROM members WHERE role = 'OWNER'";
        assert_eq!(server.count(owners).await, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_owners_who_go_at_once_in_whatever_way_one_stays() {
    let (server, admin) = Server::with_model().await;
    for round in 0..6 {
        let (project, ada, bob) =
            (format!("p-{round}"), format!("a-{round}"), format!("b-{round}"));
        admin.ok(CREATE_PROJECT, json!({ "path": project })).await;
        for name in [&ada, &bob] {
            admin.invite(name).await;
            admin.add_member(&project, name, "OWNER").await;
        }
        let remove = "mutation($p: String!, $u: String!) { removeMember(input: {project: $p, username: $u}) { member { id } } }";
        admin.ok(remove, json!({"p": project, "u": "admin"})).await;
        let leaver = server.person(&bob, TokenScope::Admin).await;
        let delete = "mutation($u: String!) { deleteUser(input: {username: $u}) { user { id } } }";
        let deleting = admin.graphql(delete, json!({ "u": ada }));
        let leaving = leaver.graphql(remove, json!({"p": project, "u": bob}));
        tokio::join!(deleting, leaving);
        let owners = "SELECT COUNT(*) FROM members WHERE role = 'OWNER' AND project_id =
            (SELECT MAX(id) FROM projects)";
        assert_eq!(server.count(owners).await, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_point_is_lost_or_doubled_while_others_read_the_history() {
    let (server, admin) = Server::with_model().await;
    let create =
        "mutation { createCandidate(input: {model: \"vision/ocr\"}) { candidate { number } } }";
    admin.ok(create, json!({})).await;
    let log = "mutation($metrics: [MetricInput!]) { updateCandidate(input: {
        model: \"vision/ocr\", candidate: 1, metrics: $metrics}) { candidate { number } } }";
    // Every point is sent twice.
    let write = async |lane: usize| {
        for round in 0..12 {
            let start = (lane / 2) * 6000 + round * 500;
            let points = (start..start + 500)
                .map(|step| json!({"name": format!("m{}", step % 7), "step": step, "value": step, "timestamp": "2026-01-01T00:00:00Z"}));
            admin.ok(log, json!({"metrics": points.collect::<Vec<_>>()})).await;
        }
    };
    let count = "{ model(path: \"vision/ocr\") { candidate(number: 1) {
        metricHistory(name: \"m3\") { totalCount } metricCurve(name: \"m3\", points: 100) { step } } } }";
    let read = async || {
        let found = admin.ok(count, json!({})).await["model"]["candidate"].take();
        found["metricHistory"]["totalCount"].as_i64().unwrap()
    };
    let watch = async || {
        let mut seen = 0;
        for _ in 0..15 {
            let now = read().await;
            assert!(now >= seen, "{seen} points became {now}");
            seen = now;
        }
    };
    tokio::join!(join_all((0..4).map(write)), watch(), watch());
    assert_eq!(read().await, (0..12_000).filter(|step| step % 7 == 3).count() as i64);
    assert_eq!(server.count("SELECT COUNT(*) FROM metric_points").await, 12_000);
}
