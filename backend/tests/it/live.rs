//! Candidates are followed as they change, by whoever may see them and for as long as they may.

use model_registry::role::TokenScope;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Caller, PASSWORD, Server};
use crate::socket::{Heard, Socket, acknowledged};

const CREATE: &str = "mutation { createCandidate(input: {model: \"vision/ocr\"}) {
    candidate { number runId } } }";
const LOG: &str = "mutation($n: Int!, $step: Long!) { updateCandidate(input: {
    model: \"vision/ocr\", candidate: $n, metrics: [{name: \"loss\", value: 1.5, step: $step}]}) {
        candidate { number } } }";
const DELETE: &str = "mutation($n: Int!) { deleteCandidate(input: {model: \"vision/ocr\",
    candidate: $n}) { candidate { number } } }";
const ONE: &str =
    "candidateChanged(model: \"vision/ocr\", candidate: 1) { number metrics { name step } }";
const ALL: &str =
    "candidatesChanged(model: \"vision/ocr\") { candidates { number metrics { step } } deleted }";
const RUNS: &str =
    "runsChanged(project: \"vision\", experiment: 1) { candidates { runId } deleted }";

/// A candidate that is there and that everybody was told of, and its run id.
async fn start() -> (Server, Caller, String) {
    let (server, admin) = Server::with_model().await;
    let mut socket = all(&admin).await;
    let run_id = create(&admin).await;
    let item = socket.item().await["candidatesChanged"].take();
    assert_eq!(item, json!({"candidates": [{"number": 1, "metrics": []}], "deleted": []}));
    (server, admin, run_id)
}

/// A socket that is told of all candidates from now on.
async fn all(caller: &Caller) -> Socket {
    let mut socket = Socket::of(caller).await;
    socket.subscribe("all", ALL).await;
    let listening = json!({"candidatesChanged": {"candidates": [], "deleted": []}});
    assert_eq!(socket.item().await, listening);
    socket
}

async fn create(admin: &Caller) -> String {
    let made = admin.ok(CREATE, json!({})).await;
    made["createCandidate"]["candidate"]["runId"].as_str().unwrap().to_owned()
}

async fn log(admin: &Caller, number: i32, step: i32) {
    admin.ok(LOG, json!({ "n": number, "step": step })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_comes_as_it_is_and_again_as_it_changes() {
    let (_server, admin, run_id) = start().await;
    let mut socket = Socket::of(&admin).await;
    socket.subscribe("one", ONE).await;
    let first = json!({"candidateChanged": {"number": 1, "metrics": []}});
    assert_eq!(socket.item().await, first);
    log(&admin, 1, 7).await;
    let logged = json!({"number": 1, "metrics": [{"name": "loss", "step": 7}]});
    assert_eq!(socket.item().await["candidateChanged"], logged);

    let run =
        format!("runChanged(project: \"vision\", runId: \"{run_id}\") {{ status tags {{ key }} }}");
    socket.say(json!({"type": "complete", "id": "one"})).await;
    socket.subscribe("run", &run).await;
    let first = json!({"runChanged": {"status": "RUNNING", "tags": []}});
    assert_eq!(socket.item().await, first);
    // As MLflow's clients log and end it.
    for (path, body) in [
        ("log-batch", json!({"run_id": run_id, "tags": [{"key": "k", "value": "v"}]})),
        ("update", json!({"run_id": run_id, "status": "FINISHED"})),
    ] {
        let path = format!("/mlflow/vision/api/2.0/mlflow/runs/{path}");
        let answer = admin.request(Method::POST, &path).json(&body).send().await.unwrap();
        assert!(answer.status().is_success());
    }
    // The two may have come together.
    loop {
        let item = socket.item().await;
        if item == json!({"runChanged": {"status": "FINISHED", "tags": [{"key": "k"}]}}) {
            break;
        }
        assert_eq!(item["runChanged"]["status"], "RUNNING");
    }
    admin.ok(DELETE, json!({"n": 1})).await;
    assert_eq!(
        socket.error().await,
        ("NOT_FOUND".into(), format!("Run {run_id:?} was not found."))
    );
    assert!(socket.is_silent().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_candidates_of_a_model_are_followed_at_once_and_not_too_often() {
    let (_server, admin, _) = start().await;
    let mut socket = all(&admin).await;
    create(&admin).await;
    let item = socket.item().await["candidatesChanged"].take();
    assert_eq!(item, json!({"candidates": [{"number": 2, "metrics": []}], "deleted": []}));
    let (started, mut items) = (Instant::now(), 0);
    let logging = tokio::spawn({
        let admin = admin.clone();
        async move {
            for step in 1..=40 {
                log(&admin, 1 + step % 2, step).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            admin.ok(DELETE, json!({"n": 2})).await;
        }
    });
    loop {
        let item = socket.item().await["candidatesChanged"].take();
        items += 1;
        if item["deleted"] == json!([2]) {
            break;
        }
    }
    logging.await.unwrap();
    let most = started.elapsed().as_millis() / 250 + 2;
    assert!(items <= most, "{items} items, at most {most}");
    // A restored one is back; another model's is not told.
    admin.create_model("other").await;
    let other = CREATE.replace("vision/ocr", "vision/other");
    admin.ok(&other, json!({})).await;
    let restore = "mutation { restoreCandidate(input: {model: \"vision/ocr\", candidate: 2}) {
        candidate { number } } }";
    admin.ok(restore, json!({})).await;
    loop {
        // What was changed before may be told once more, as it is now.
        let item = socket.item().await["candidatesChanged"].take();
        let candidates = item["candidates"].as_array().unwrap();
        assert!(candidates.iter().all(|candidate| candidate["metrics"] != json!([])));
        if candidates.iter().any(|candidate| candidate["number"] == 2) {
            break;
        }
    }
}

/// What MLflow's clients send to the project.
async fn mlflow(caller: &Caller, path: &str, body: Value) -> Value {
    let path = format!("/mlflow/vision/api/2.0/mlflow/{path}");
    let answer = caller.request(Method::POST, &path).json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}");
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runs_of_an_experiment_are_followed_with_and_without_a_model() {
    let (_server, admin, _) = start().await;
    let made = mlflow(&admin, "experiments/create", json!({"name": "sweep"})).await;
    let sweep: i32 = made["experiment_id"].as_str().unwrap().parse().unwrap();
    let runs = |experiment: i32| {
        format!(
            "runsChanged(project: \"vision\", experiment: {experiment}) {{
                candidates {{ runId number metrics {{ value }} }} deleted }}"
        )
    };
    let (mut socket, mut of_model) = (Socket::of(&admin).await, Socket::of(&admin).await);
    socket.subscribe("all", &runs(sweep)).await;
    // The model's own experiment is the second of the project.
    of_model.subscribe("all", &runs(1)).await;
    for socket in [&mut socket, &mut of_model] {
        let listening = json!({"runsChanged": {"candidates": [], "deleted": []}});
        assert_eq!(socket.item().await, listening);
    }

    let start = |experiment: i32| json!({"experiment_id": experiment.to_string(), "start_time": 1});
    // Of another experiment, which this one does not tell.
    mlflow(&admin, "runs/create", start(0)).await;
    log(&admin, 1, 1).await;
    let item = of_model.item().await["runsChanged"].take();
    assert_eq!((&item["candidates"][0]["number"], &item["deleted"]), (&json!(1), &json!([])));

    let run = mlflow(&admin, "runs/create", start(sweep)).await;
    let run = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let item = socket.item().await["runsChanged"].take();
    let made = json!({"runId": run, "number": null, "metrics": []});
    assert_eq!(item, json!({"candidates": [made], "deleted": []}));
    let metric = json!({"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1, "step": 0});
    mlflow(&admin, "runs/log-metric", metric).await;
    let item = socket.item().await["runsChanged"].take();
    assert_eq!(item["candidates"][0]["metrics"], json!([{"value": 0.5}]));

    // As a candidate of a model it is still of the experiment, and now told there, too.
    let promote = format!(
        "mutation {{ promoteCandidate(input: {{model: \"vision/ocr\", runId: \"{run}\"}}) {{
            modelVersion {{ version }} }} }}"
    );
    admin.ok(&promote, json!({})).await;
    let item = socket.item().await["runsChanged"].take();
    assert_eq!(item["candidates"][0]["number"], 2);
    mlflow(&admin, "runs/delete", json!({"run_id": run})).await;
    let gone = json!({"candidates": [], "deleted": [run]});
    while socket.item().await["runsChanged"] != gone {}
    log(&admin, 1, 2).await;
    let item = of_model.item().await["runsChanged"].take();
    assert_eq!(item["deleted"], json!([]), "it hears of its own run, and of no other before");
    assert_eq!(item["candidates"].as_array().unwrap().len(), 1);
    assert_eq!(item["candidates"][0]["number"], 1);

    mlflow(&admin, "runs/create", start(sweep)).await;
    socket.item().await;
    mlflow(&admin, "experiments/delete", json!({"experiment_id": sweep.to_string()})).await;
    let (code, message) = socket.error().await;
    assert_eq!(
        (code.as_str(), message),
        ("NOT_FOUND", format!("Experiment \"{sweep}\" was not found."))
    );
    socket.subscribe("none", &runs(77)).await;
    assert_eq!(socket.error().await.1, "Experiment \"77\" was not found.");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_a_model_is_followed_until_it_is_gone() {
    let (_server, admin, _) = start().await;
    let mut socket = Socket::of(&admin).await;
    let followed = "modelChanged(model: \"vision/ocr\") {
        description candidateCount aliases { name version { version } } tags { key } }";
    socket.subscribe("one", followed).await;
    let mut model = socket.item().await["modelChanged"].take();
    assert_eq!((&model["candidateCount"], &model["aliases"]), (&json!(1), &json!([])));
    create(&admin).await;
    let input = |fields: &str| format!("(input: {{model: \"vision/ocr\", {fields}}})");
    let mutations = [
        format!("createModelVersion{} {{ modelVersion {{ id }} }}", input("version: \"1.0.0\"")),
        format!("setAlias{} {{ alias {{ id }} }}", input("name: \"champion\", version: \"1.0.0\"")),
        format!("setTag{} {{ tag {{ key }} }}", input("key: \"task\", value: \"ocr\"")),
        format!("updateModel{} {{ model {{ id }} }}", input("description: \"# OCR\"")),
    ];
    for mutation in mutations {
        admin.ok(&format!("mutation {{ {mutation} }}"), json!({})).await;
    }
    // Several may come together.
    let last = json!({
        "description": "# OCR", "candidateCount": 2, "tags": [{"key": "task"}],
        "aliases": [{"name": "champion", "version": {"version": "1.0.0"}}],
    });
    while model != last {
        model = socket.item().await["modelChanged"].take();
    }
    let rename =
        "mutation { renameModel(input: {model: \"vision/ocr\", name: \"read\"}) { model { id } } }";
    admin.ok(rename, json!({})).await;
    assert_eq!(socket.item().await["modelChanged"], last, "it is still the same");
    let delete = "mutation { deleteModel(input: {model: \"vision/read\"}) { model { id } } }";
    admin.ok(delete, json!({})).await;
    assert_eq!(socket.error().await.0, "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_any_more_gets_an_error_and_nothing_after() {
    let (server, admin, _) = start().await;
    let end = [
        (
            "removed",
            "removeMember(input: {project: \"vision\", username: \"removed\"}) { member { id } }",
        ),
        ("blocked", "blockUser(input: {username: \"blocked\"}) { user { id } }"),
        ("revoked", "revokeToken(input: {id: \"{token}\"}) { token { id } }"),
    ];
    let mut told = all(&admin).await;
    for (step, (name, mutation)) in (1..).step_by(2).zip(end) {
        admin.invite(name).await;
        admin.add_member("vision", name, "GUEST").await;
        let person = server.person(name, TokenScope::Admin).await;
        let mut socket = Socket::of(&person).await;
        socket.subscribe("one", ONE).await;
        socket.item().await;
        socket.subscribe("all", ALL).await;
        socket.item().await;
        socket.subscribe("runs", RUNS).await;
        socket.item().await;
        let token = person.ok("{ viewer { tokens { id } } }", json!({})).await;
        let token = token["viewer"]["tokens"][0]["id"].as_str().unwrap().to_owned();
        let by = if name == "revoked" { &person } else { &admin };
        by.ok(&format!("mutation {{ {} }}", mutation.replace("{token}", &token)), json!({})).await;
        log(&admin, 1, step).await;
        let code = if name == "removed" { "NOT_FOUND" } else { "UNAUTHENTICATED" };
        for _ in 0..3 {
            assert_eq!(socket.error().await.0, code, "{name}");
        }
        log(&admin, 1, step + 1).await;
        let last = json!([{"number": 1, "metrics": [{"step": step + 1}]}]);
        while told.item().await["candidatesChanged"]["candidates"] != last {}
        assert!(socket.is_silent().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_not_there_in_the_same_words() {
    let (server, admin, run_id) = start().await;
    admin.invite("stranger").await;
    for caller in [server.person("stranger", TokenScope::Admin).await, server.anonymous()] {
        let mut socket = Socket::of(&caller).await;
        let fields = [
            (ONE.to_owned(), ONE.replace("vision", "absent")),
            (ALL.to_owned(), ALL.replace("vision", "absent")),
            (RUNS.to_owned(), RUNS.replace("vision", "absent")),
            (
                format!("runChanged(project: \"vision\", runId: \"{run_id}\") {{ number }}"),
                "runChanged(project: \"absent\", runId: \"x\") { number }".to_owned(),
            ),
        ];
        for (hidden, absent) in fields {
            socket.subscribe("1", &hidden).await;
            let (code, message) = socket.error().await;
            assert_eq!(code, "NOT_FOUND");
            socket.subscribe("2", &absent).await;
            assert_eq!(socket.error().await, (code, message.replace("vision", "absent")));
        }
    }
}

async fn session_cookie(server: &Server) -> String {
    let query = format!(
        "mutation {{ signIn(input: {{username: \"admin\", password: \"{PASSWORD}\"}}) {{ user {{ id }} }} }}"
    );
    let request = server.anonymous().request(Method::POST, "/graphql");
    let answer = request.json(&json!({ "query": query })).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_is_recognised_by_cookie_header_or_first_message() {
    let (server, admin, _) = start().await;
    let (url, cookie) = (&server.url, session_cookie(&server).await);
    let by_cookie = Socket::open(url, &[("cookie", &cookie), ("origin", url)]).await;
    let mut socket = by_cookie.unwrap();
    assert_eq!(socket.greet(Value::Null).await, acknowledged());
    socket.subscribe("one", ONE).await;
    socket.item().await;
    // Signed out, the socket gives nothing more.
    let sign_out = server.anonymous().request(Method::POST, "/graphql").header("cookie", &cookie);
    let query = json!({"query": "mutation { signOut { signedOut } }"});
    assert!(sign_out.json(&query).send().await.unwrap().status().is_success());
    log(&admin, 1, 1).await;
    assert_eq!(socket.error().await.0, "UNAUTHENTICATED");

    let foreign = ("origin", "https://evil.example");
    assert_eq!(Socket::open(url, &[("cookie", &cookie), foreign]).await.err(), Some(403));
    assert_eq!(Socket::open(url, &[foreign]).await.err(), Some(403));
    let wrong = [("authorization", "Bearer mrt_wrong")];
    assert_eq!(Socket::open(url, &wrong).await.err(), Some(401));
    let password = reqwest::Client::new().get(url).basic_auth("admin", Some(PASSWORD)).build();
    let password = password.unwrap().headers()["authorization"].to_str().unwrap().to_owned();
    assert_eq!(Socket::open(url, &[("authorization", &password)]).await.err(), Some(401));

    let bearer = format!("Bearer {}", admin.token.as_ref().unwrap());
    let mut socket = Socket::open(url, &[]).await.unwrap();
    assert_eq!(socket.greet(json!({"Authorization": bearer})).await, acknowledged());
    socket.subscribe("one", ONE).await;
    socket.item().await;
    let mut socket = Socket::open(url, &[]).await.unwrap();
    let Heard::Closed(4403, _) = socket.greet(json!({"Authorization": "Bearer x"})).await else {
        panic!("a wrong token opens nothing");
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_is_kept_and_has_limits() {
    let (server, admin, _) = start().await;
    let closed = async |socket: &mut Socket| match socket.hear().await {
        Heard::Closed(code, _) => code,
        Heard::Message(message) => panic!("{message}"),
    };
    let mut socket = Socket::open(&server.url, &[]).await.unwrap();
    socket.subscribe("1", ONE).await;
    assert_eq!(closed(&mut socket).await, 4401);
    let mut socket = Socket::of(&admin).await;
    assert_eq!(
        socket.greet(json!({})).await,
        Heard::Closed(4429, "Too many initialisation requests".into())
    );
    let mut socket = Socket::of(&admin).await;
    socket.say(json!({"type": "nonsense"})).await;
    assert_eq!(closed(&mut socket).await, 4400);
    let mut socket = Socket::of(&admin).await;
    socket.subscribe("1", &format!("{ONE} # {}", "x".repeat(70_000))).await;
    assert_ne!(closed(&mut socket).await, 1000);
    assert_eq!(
        Socket::open(&server.url, &[("sec-websocket-protocol", "x")]).await.err(),
        Some(400)
    );

    let mut socket = Socket::of(&admin).await;
    socket.say(json!({"type": "ping"})).await;
    assert_eq!(socket.hear().await, Heard::Message(json!({"type": "pong"})));
    for (query, message) in [
        ("{ viewer { id } }", "only subscriptions can be sent over a socket"),
        ("mutation { signOut { signedOut } }", "only subscriptions can be sent over a socket"),
        (
            "subscription { a: __typename b: __typename }",
            "a subscription must have exactly one field",
        ),
        ("subscription { candidateChanged { id } }", "argument"),
        ("subscription {", "query: "),
    ] {
        let payload = json!({ "query": query });
        socket.say(json!({"type": "subscribe", "id": "x", "payload": payload})).await;
        let (code, told) = socket.error().await;
        assert_eq!(code, "INVALID", "{told}");
        assert!(told.contains(message), "{told}");
    }
    let deep = format!(
        "candidatesChanged(model: \"vision/ocr\") {{ candidates {}{} }}",
        "{ version { candidate ".repeat(12),
        "{ number }".to_owned() + &"} }".repeat(12)
    );
    socket.subscribe("x", &deep).await;
    assert_eq!(socket.error().await.0, "INVALID");
    for id in 0..10 {
        socket.subscribe(&id.to_string(), ALL).await;
        socket.item().await;
    }
    socket.subscribe("10", ALL).await;
    assert_eq!(socket.error().await.0, "RATE_LIMITED");
    socket.say(json!({"type": "complete", "id": "3"})).await;
    socket.subscribe("10", ONE).await;
    socket.item().await;
    socket.subscribe("10", ONE).await;
    assert_eq!(closed(&mut socket).await, 4409);

    let every_socket = async || {
        let mut open = Vec::new();
        loop {
            match Socket::open(&server.url, &[]).await {
                Ok(socket) => open.push(socket),
                Err(status) => return (status, open.len()),
            }
        }
    };
    // Those above are not gone at once.
    let mut most = (0, 0);
    for _ in 0..60 {
        most = every_socket().await;
        if most == (429, 32) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(most, (429, 32));
    let posted = admin.refused(&format!("subscription {{ {ONE} }}"), json!({})).await;
    assert_eq!(posted.code, "INVALID");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_so() {
    let (server, admin, _) = start().await;
    let mut socket = Socket::of(&admin).await;
    socket.subscribe("one", ONE).await;
    socket.item().await;
    drop(server);
    assert_eq!(socket.hear().await, Heard::Closed(1001, "the server stops".into()));
}

/// Only PostgreSQL has several servers.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_writes_is_heard_too() {
    if std::env::var("MODEL_REGISTRY_TEST_POSTGRES").is_err() {
        return;
    }
    let data = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let database = crate::harness::database(&data).await;
    let one = Server::start_on(data, &database, &[]).await;
    let elsewhere = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let other = Server::start_on(elsewhere, &database, &["--adopt"]).await;
    let admin = one.admin().await;
    admin.ok(crate::harness::CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    create(&admin).await;
    let there = Caller { url: other.url.clone(), ..admin.clone() };
    let mut socket = Socket::of(&there).await;
    socket.subscribe("one", ONE).await;
    socket.item().await;
    for step in 1..4 {
        log(&admin, 1, step).await;
        while socket.item().await["candidateChanged"]["metrics"][0]["step"] != step {}
    }
}
