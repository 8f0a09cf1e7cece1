//! Webhooks: who is told of what, what they are sent, and what happens when they do not take it.

mod receiver;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use model_registry::db::query;
use model_registry::id::WebhookId;
use model_registry::outbound::Outbound;
use model_registry::registry::webhook::{delivery, outbox};
use model_registry::time::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{CREATE_PROJECT, Caller, Server, is_postgres, serve_config};
use receiver::{Got, Receiver};

const ALLOW: [&str; 2] = ["--webhook-allow", "127.0.0.0/8"];

const CREATE: &str = "mutation($input: CreateWebhookInput!) { createWebhook(input: $input) {
    webhook { id name url format events models aliases releasesOnly state enabled hasSecret headerName } secret } }";
const FIND: &str = "query($id: ID!) { node(id: $id) { ... on Webhook { state stateReason enabled
    deliveries { totalCount nodes { id event state dueAt attemptCount messageId body attempts { number status answer error } } } } } }";

/// A server whose webhooks may go to this machine, an administrator, the model `vision/ocr`, and a receiver.
async fn world() -> (Server, Caller, Receiver) {
    let server = Server::start_with(&ALLOW).await;
    let admin = with_model(&server).await;
    (server, admin, Receiver::start().await)
}

async fn with_model(server: &Server) -> Caller {
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    admin
}

/// A webhook of the project `vision`, or of what `more` says.
async fn hook(caller: &Caller, receiver: &Receiver, events: &[&str], more: Value) -> Value {
    let mut input =
        json!({ "project": "vision", "name": "ci", "url": receiver.url, "events": events });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    caller.ok(CREATE, json!({ "input": input })).await["createWebhook"].clone()
}

async fn version(caller: &Caller, version: &str) {
    caller.create_version(Some(version)).await;
    caller.publish(version).await;
}

async fn set_alias(caller: &Caller, name: &str, version: &str) {
    let set = "mutation($input: SetAliasInput!) { setAlias(input: $input) { alias { id } } }";
    caller
        .ok(set, json!({ "input": { "model": "vision/ocr", "name": name, "version": version } }))
        .await;
}

async fn set_tag(caller: &Caller, value: &str) {
    let set = "mutation($input: SetTagInput!) { setTag(input: $input) { tag { key } } }";
    caller.ok(set, json!({ "input": { "model": "vision/ocr", "key": "n", "value": value } })).await;
}

async fn state(caller: &Caller, hook: &Value) -> Value {
    caller.ok(FIND, json!({ "id": hook["webhook"]["id"] })).await["node"].clone()
}

/// Waits until the webhook is as it should be.
async fn until(caller: &Caller, hook: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let state = state(caller, hook).await;
        if is_so(&state) {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it stays {}", state(caller, hook).await)
}

fn mac(key: &[u8], got: &Got) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(format!("{}.{}.{}", got.id(), got.header("webhook-timestamp"), got.text).as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn decoded(secret: &str) -> Vec<u8> {
    STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_alias_arrives_signed_with_all_that_a_job_needs() {
    let (server, admin, receiver) = world().await;
    version(&admin, "1.0.0").await;
    version(&admin, "1.1.0").await;
    set_alias(&admin, "production", "1.0.0").await;
    let made = hook(&admin, &receiver, &["alias.set"], json!({})).await;
    let secret = made["secret"].as_str().unwrap();
    set_alias(&admin, "production", "1.1.0").await;
    let got = receiver.wait(1).await.remove(0);
    let body = got.body();
    assert_eq!((&body["type"], &body["project"]), (&json!("alias.set"), &json!("vision")));
    assert_eq!(body["actor"], json!({ "username": "admin", "robot": false }));
    let data = &body["data"];
    for (name, value) in [
        ("subject", json!("vision/ocr@production")),
        ("model", json!("vision/ocr")),
        ("version", json!("1.1.0")),
        ("number", json!(2)),
        ("alias", json!("production")),
        ("from", json!("1.0.0")),
        ("to", json!("1.1.0")),
    ] {
        assert_eq!(data[name], value, "{name} of {data}");
    }
    assert!(data["digest"].as_str().unwrap().starts_with("sha256:"));
    // Both schemes, each with its own key.
    assert_eq!(got.header("webhook-signature"), mac(&decoded(secret), &got));
    assert_eq!(got.header("x-mlflow-signature"), mac(secret.as_bytes(), &got));
    assert_eq!(got.header("x-mlflow-delivery-id"), got.id());
    assert_eq!(got.header("x-registry-attempt"), "1");
    let state =
        until(&admin, &made, |state| state["deliveries"]["nodes"][0]["state"] == "DELIVERED").await;
    let delivery = &state["deliveries"]["nodes"][0];
    assert_eq!((&delivery["messageId"], &delivery["body"]), (&json!(got.id()), &json!(got.text)));
    let attempt = &delivery["attempts"][0];
    assert_eq!(
        (&attempt["status"], &attempt["answer"]),
        (&json!(200), &json!("")),
        "nothing private is read"
    );
    // What the database has does not tell the secret.
    let kept = "SELECT secret FROM webhooks";
    let (sealed,): (String,) = query(kept).fetch_one(&server.app.db).await.unwrap();
    assert!(!sealed.contains(&secret[6..]));
    // Who reads the log does not read it either, nor the path of the URL.
    let log = admin.get("/api/events?action=webhook.create").await.text().await.unwrap();
    assert!(log.contains("127.0.0.1") && !log.contains(secret) && !log.contains("/hook"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_of_what_it_asks_for_and_nothing_else() {
    let (_server, admin, receiver) = world().await;
    admin.create_model("other").await;
    let narrow = json!({ "models": ["o*r"], "aliases": ["prod*"], "releasesOnly": true });
    hook(&admin, &receiver, &["version.*", "alias.*"], narrow).await;
    version(&admin, "1.0.0-rc.1").await;
    version(&admin, "1.0.0").await;
    set_alias(&admin, "staging", "1.0.0").await;
    set_alias(&admin, "production", "1.0.0").await;
    let create = "mutation { createModelVersion(input: {model: \"vision/other\", version: \"2.0.0\"}) { modelVersion { id } } }";
    admin.ok(create, json!({})).await;
    set_tag(&admin, "1").await;
    set_alias(&admin, "prod-eu", "1.0.0").await;
    let got = receiver.wait(3).await;
    let told: Vec<_> = got
        .iter()
        .map(|got| (got.body()["type"].clone(), got.body()["data"]["subject"].clone()))
        .collect();
    let told: BTreeSet<_> = told
        .iter()
        .map(|(kind, of)| format!("{} {}", kind.as_str().unwrap(), of.as_str().unwrap()))
        .collect();
    let expected = [
        "alias.set vision/ocr@prod-eu",
        "alias.set vision/ocr@production",
        "version.publish vision/ocr@1.0.0",
    ];
    // A draft is no release yet, so only what publishes it is told.
    assert_eq!(told, expected.map(str::to_owned).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_formats_arrive() {
    let (_server, admin, receiver) = world().await;
    for format in ["STANDARD", "CLOUDEVENTS", "TEXT"] {
        hook(&admin, &receiver, &["model.create"], json!({ "format": format })).await;
    }
    hook(&admin, &receiver, &["registered_model.created"], json!({ "format": "MLFLOW" })).await;
    admin.create_model("det").await;
    let got = receiver.wait(4).await;
    let ids: BTreeSet<_> = got.iter().map(Got::id).collect();
    assert_eq!(ids.len(), 1, "all are told of the same event");
    let find = |is_it: fn(&Value) -> bool| got.iter().find(|got| is_it(&got.body())).unwrap();
    let event = find(|body| body["specversion"] == "1.0");
    assert_eq!(event.header("content-type"), "application/cloudevents+json");
    let body = event.body();
    assert_eq!(
        (&body["type"], &body["subject"]),
        (&json!("org.model-registry.model.create"), &json!("vision/det"))
    );
    assert_eq!((&body["id"], &body["data"]["project"]), (&json!(event.id()), &json!("vision")));
    let text = find(|body| body["text"].is_string()).body();
    assert_eq!(text, json!({ "text": "admin created the model vision/det" }));
    let mlflow = find(|body| body["entity"].is_string()).body();
    assert_eq!(
        (&mlflow["entity"], &mlflow["action"]),
        (&json!("registered_model"), &json!("created"))
    );
    assert_eq!(mlflow["data"], json!({ "name": "det", "tags": {}, "description": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_comes_again_with_the_same_id_and_body() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (server, admin, receiver) = timed(&clock).await;
    receiver.reply([(500, None), (503, Some(("retry-after", "600".to_owned()))), (200, None)]);
    let made = hook(&admin, &receiver, &["alias.set"], json!({})).await;
    version(&admin, "1.0.0").await;
    set_alias(&admin, "production", "1.0.0").await;
    receiver.wait(1).await;
    until(&admin, &made, |state| state["deliveries"]["nodes"][0]["attempts"][0]["status"] == 500)
        .await;
    pass(&clock, &admin, 6).await;
    receiver.wait(2).await;
    until(&admin, &made, |state| state["deliveries"]["nodes"][0]["attempts"][1]["status"] == 503)
        .await;
    // The receiver asked for more time than it would have got.
    pass(&clock, &admin, 400).await;
    assert_eq!(receiver.all().len(), 2);
    pass(&clock, &admin, 300).await;
    let got = receiver.wait(3).await;
    let state =
        until(&admin, &made, |state| state["deliveries"]["nodes"][0]["state"] == "DELIVERED").await;
    assert_eq!(state["deliveries"]["nodes"][0]["attemptCount"], 3);
    let same: BTreeSet<_> = got.iter().map(|got| (got.id(), &got.text)).collect();
    assert_eq!(same.len(), 1);
    let times: BTreeSet<_> = got.iter().map(|got| got.header("webhook-timestamp")).collect();
    assert_eq!(times.len(), 3, "each attempt is signed for its own time");
    drop(server);
}

/// As [`world`], where time passes as the test says.
async fn timed(clock: &Arc<AtomicI64>) -> (Server, Caller, Receiver) {
    let server = Server::start_at_with(Clock::Fixed(clock.clone()), &ALLOW).await;
    let admin = with_model(&server).await;
    (server, admin, Receiver::start().await)
}

/// Lets time pass, and has the sender look, which sleeps by the real clock.
async fn pass(clock: &AtomicI64, admin: &Caller, seconds: i64) {
    let now = clock.fetch_add(seconds * 1000, Ordering::Relaxed);
    set_tag(admin, &now.to_string()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_for_long_is_left_alone_and_its_owners_are_told() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (_server, admin, receiver) = timed(&clock).await;
    receiver.usually(500);
    let made = hook(&admin, &receiver, &["tag.set"], json!({})).await;
    for number in 0..12 {
        set_tag(&admin, &number.to_string()).await;
    }
    receiver.wait(12).await;
    assert_eq!(state(&admin, &made).await["state"], "ACTIVE", "not within an hour");
    pass(&clock, &admin, 3700).await;
    let backing = until(&admin, &made, |state| state["state"] == "BACKING_OFF").await;
    assert!(backing["stateReason"].as_str().unwrap().contains("failed"));
    // It takes them again: the next one that is tried releases the others.
    receiver.usually(200);
    pass(&clock, &admin, 7300).await;
    let well = until(&admin, &made, |state| {
        state["state"] == "ACTIVE"
            && state["deliveries"]["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .all(|d| d["state"] == "DELIVERED")
    });
    well.await;
    // Five days without any success are enough.
    receiver.usually(500);
    set_tag(&admin, "again").await;
    for _ in 0..7 {
        pass(&clock, &admin, 24 * 3600).await;
    }
    let ended = until(&admin, &made, |state| state["state"] == "DISABLED").await;
    assert!(ended["stateReason"].as_str().unwrap().contains("5 days"));
    let log = admin.get("/api/events?action=webhook.disable").await.text().await.unwrap();
    assert!(log.contains("5 days") && log.contains("\"actor\":null"), "{log}");
    let before = state(&admin, &made).await["deliveries"]["totalCount"].clone();
    set_tag(&admin, "unheard").await;
    assert_eq!(
        state(&admin, &made).await["deliveries"]["totalCount"],
        before,
        "nothing is kept for it"
    );
    let enable = "mutation($id: ID!) { updateWebhook(input: {id: $id, enabled: true}) { webhook { state } } }";
    let id = json!({ "id": made["webhook"]["id"] });
    assert_eq!(admin.ok(enable, id).await["updateWebhook"]["webhook"]["state"], "ACTIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_is_sent_nothing_and_a_redirect_is_not_followed() {
    let (_server, admin, receiver) = world().await;
    let elsewhere = Receiver::start().await;
    receiver.reply([(302, Some(("location", elsewhere.url.clone()))), (410, None)]);
    let made = hook(&admin, &receiver, &["tag.set"], json!({})).await;
    set_tag(&admin, "1").await;
    until(&admin, &made, |state| state["deliveries"]["nodes"][0]["attempts"][0]["status"] == 302)
        .await;
    assert!(elsewhere.all().is_empty());
    set_tag(&admin, "2").await;
    let state = until(&admin, &made, |state| state["state"] == "DISABLED").await;
    assert!(state["stateReason"].as_str().unwrap().contains("410"));
    let states: BTreeSet<_> = state["deliveries"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["state"].to_string())
        .collect();
    assert_eq!(states, ["\"FAILED\"".to_owned()].into(), "nothing waits for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_says_what_came_back_and_what_was_sent_is_sent_again() {
    let (_server, admin, receiver) = world().await;
    let header = json!({ "header": { "name": "Authorization", "value": "Bearer abc" } });
    let made = hook(&admin, &receiver, &["tag.set"], header).await;
    assert_eq!(made["webhook"]["headerName"], "Authorization");
    let id = &made["webhook"]["id"];
    // The value goes nowhere else by somebody who does not know it.
    let update = "mutation($id: ID!) { updateWebhook(input: {id: $id, url: \"https://elsewhere.example.org/\"}) { webhook { id } } }";
    let refused = admin.refused(update, json!({ "id": made["webhook"]["id"] })).await;
    assert_eq!((refused.code.as_str(), refused.field.as_str()), ("INVALID", "header.value"));
    let test = "mutation($id: ID!) { testWebhook(input: {id: $id}) { attempt { status error milliseconds } } }";
    receiver.reply([(418, None)]);
    let tested = admin.ok(test, json!({ "id": id })).await["testWebhook"]["attempt"].clone();
    assert_eq!((&tested["status"], &tested["error"]), (&json!(418), &Value::Null));
    let got = receiver.wait(1).await.remove(0);
    assert_eq!(
        (&got.body()["type"], got.header("authorization")),
        (&json!("webhook.test"), "Bearer abc")
    );
    // A new secret: both are good.
    let rotate = "mutation($id: ID!) { rotateWebhookSecret(input: {id: $id}) { secret webhook { hasSecret } } }";
    let new = admin.ok(rotate, json!({ "id": id })).await["rotateWebhookSecret"]["secret"].clone();
    set_tag(&admin, "1").await;
    let got = receiver.wait(2).await.remove(1);
    let both = [new.as_str().unwrap(), made["secret"].as_str().unwrap()]
        .map(|secret| mac(&decoded(secret), &got));
    assert_eq!(got.header("webhook-signature"), both.join(" "));
    assert_eq!(got.header("x-mlflow-signature"), mac(new.as_str().unwrap().as_bytes(), &got));
    // The same again.
    let state =
        until(&admin, &made, |state| state["deliveries"]["nodes"][0]["state"] == "DELIVERED").await;
    let again = "mutation($id: ID!, $delivery: ID!) { redeliverWebhook(input: {id: $id, delivery: $delivery}) { count } }";
    let delivery = &state["deliveries"]["nodes"][0]["id"];
    let done = admin.ok(again, json!({ "id": id, "delivery": delivery })).await;
    assert_eq!(done["redeliverWebhook"]["count"], 1);
    let got = receiver.wait(3).await;
    assert_eq!((got[1].id(), &got[1].text), (got[2].id(), &got[2].text));
    assert_eq!(got[2].header("x-registry-attempt"), "2");
    let since = "mutation($id: ID!) { redeliverWebhook(input: {id: $id, failedSince: \"2020-01-01T00:00:00Z\"}) { count } }";
    let done = admin.ok(since, json!({ "id": id })).await;
    assert_eq!(done["redeliverWebhook"]["count"], 0, "a test is not sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_where_the_operator_did_not_allow_it() {
    let server = Server::start().await;
    let admin = with_model(&server).await;
    for url in [
        "https://127.0.0.1/x",
        "http://ci.example.org/x",
        "https://10.0.0.1/",
        "https://2130706433/",
        "https://a:b@ci.example.org/",
    ] {
        let input = json!({ "project": "vision", "name": "ci", "url": url, "events": ["*"] });
        let refused = admin.refused(CREATE, json!({ "input": input })).await;
        assert_eq!((refused.code.as_str(), refused.field.as_str()), ("INVALID", "url"), "{url}");
    }
    let input =
        json!({ "project": "vision", "name": "ci", "url": "https://localhost/x", "events": ["*"] });
    let made = admin.ok(CREATE, json!({ "input": input })).await["createWebhook"].clone();
    set_tag(&admin, "1").await;
    let state = until(&admin, &made, |state| {
        state["deliveries"]["nodes"][0]["attempts"][0]["error"].is_string()
    })
    .await;
    let error =
        state["deliveries"]["nodes"][0]["attempts"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("--webhook-allow"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_looked_up_and_checked_for_each_attempt() {
    let receiver = Receiver::start().await;
    let port = receiver.url.rsplit(':').next().unwrap().to_owned();
    let answers: Arc<Mutex<Vec<Vec<IpAddr>>>> = Arc::default();
    let told =
        |answer: &[&str]| answer.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    // Taken from the end.
    *answers.lock().unwrap() = vec![
        told(&["169.254.169.254"]),
        told(&["127.0.0.1"]),
        told(&["10.0.0.1", "::1", "127.0.0.1"]),
    ];
    let config = serve_config(["model-registry", "serve", "--webhook-allow", "127.0.0.1"].iter());
    let look_up = {
        let answers = answers.clone();
        move |_: String| -> futures_util::future::BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
            let answer = answers.lock().unwrap().pop().unwrap();
            Box::pin(async move { Ok(answer) })
        }
    };
    let outbound = Outbound::resolving(&config, Arc::new(look_up));
    let url = format!("http://rebinding.example:{port}");
    let send = async || {
        outbound.post(&url, Default::default(), "{}".to_owned(), Clock::System.now()).await
    };
    for _ in 0..2 {
        assert_eq!(
            send().await.answer.unwrap().status,
            200,
            "only the address that is allowed is tried"
        );
    }
    let refused = send().await.answer.unwrap_err();
    assert!(refused.contains("not a public address"), "{refused}");
    assert_eq!(receiver.all().len(), 2);
    // An address never reaches the resolver.
    let refused = outbound
        .post("http://169.254.169.254/", Default::default(), String::new(), Clock::System.now())
        .await;
    assert!(refused.answer.unwrap_err().contains("--webhook-allow"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_had_claimed_that_was_killed_another_one_sends() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (server, admin, receiver) = timed(&clock).await;
    receiver.usually(500);
    let made = hook(&admin, &receiver, &["alias.set"], json!({})).await;
    version(&admin, "1.0.0").await;
    set_alias(&admin, "production", "1.0.0").await;
    until(&admin, &made, |state| state["deliveries"]["nodes"][0]["attempts"][0]["status"] == 500)
        .await;
    receiver.usually(200);
    let (id,): (String,) =
        query("SELECT id FROM webhooks").fetch_one(&server.app.db).await.unwrap();
    let soon = server.app.clock.now().plus_seconds(6);
    let claimed = outbox::claim(&server.app.db, &WebhookId::from_raw(id), soon, 10).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].attempts), (1, 2));
    pass(&clock, &admin, 30).await;
    assert_eq!(receiver.all().len(), 1, "it may still be under way");
    pass(&clock, &admin, 40).await;
    let got = receiver.wait(2).await;
    assert_eq!((got[0].id(), got[1].header("x-registry-attempt")), (got[1].id(), "3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_costs_what_is_told_no_statement() {
    let (server, admin, receiver) = world().await;
    version(&admin, "1.0.0").await;
    set_alias(&admin, "production", "1.0.0").await;
    // The least of several: what the server does by itself, and what it notes once a minute, counts with some of them.
    let cost = async || {
        let mut least = u64::MAX;
        for _ in 0..10 {
            server.settle().await;
            let before = server.app.db.statements();
            set_alias(&admin, "production", "1.0.0").await;
            server.settle().await;
            least = least.min(server.app.db.statements() - before);
        }
        least
    };
    let without = cost().await;
    receiver.usually(500);
    for _ in 0..5 {
        hook(&admin, &receiver, &["*"], json!({})).await;
    }
    assert_eq!(cost().await, without);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_of_the_registry_are_for_administrators_and_hear_what_is_nobody_elses() {
    let (server, admin, receiver) = world().await;
    admin.invite("maria").await;
    admin.add_member("vision", "maria", "OWNER").await;
    let maria = server.person("maria", model_registry::role::TokenScope::Admin).await;
    let input = json!({ "name": "all", "url": receiver.url, "events": ["user.*", "refused"] });
    let refused = maria.refused(CREATE, json!({ "input": input })).await;
    assert_eq!(refused.code, "FORBIDDEN");
    let mut of_project = input.clone();
    of_project["project"] = json!("vision");
    let refused = maria.refused(CREATE, json!({ "input": of_project })).await;
    assert_eq!((refused.code.as_str(), refused.field.as_str()), ("INVALID", "events"));
    let made = admin.ok(CREATE, json!({ "input": input })).await["createWebhook"].clone();
    assert_eq!(maria.ok(FIND, json!({ "id": made["webhook"]["id"] })).await["node"], Value::Null);
    admin.invite("ines").await;
    let refused = maria
        .refused("mutation { deleteUser(input: {username: \"ines\"}) { user { id } } }", json!({}))
        .await;
    assert_eq!(refused.code, "FORBIDDEN");
    let got = receiver.wait(2).await;
    let kinds: BTreeSet<_> =
        got.iter().map(|got| got.body()["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["user.invite", "user.delete"].map(str::to_owned).into());
    let refused = got.iter().find(|got| got.body()["type"] == "user.delete").unwrap().body();
    assert_eq!(refused["data"]["refused"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_that_waits_is_dropped_from_its_oldest_end() {
    let (server, admin, receiver) = world().await;
    let made = hook(&admin, &receiver, &["model.delete"], json!({})).await;
    let (id,): (String,) =
        query("SELECT id FROM webhooks").fetch_one(&server.app.db).await.unwrap();
    let mut tx = server.app.db.begin().await.unwrap();
    for number in 0..10_003 {
        let row =
            "INSERT INTO webhook_deliveries (id, webhook_id, action, created_at_ms, body, due_ms)
                   VALUES ($1, $2, 'model.delete', 0, '{}', 9000000000000)";
        query(row).bind(format!("{number:032}")).bind(id.as_str()).later(&mut tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    let hook_id = WebhookId::from_raw(id);
    let drop = || delivery::drop_oldest(&server.app.db, &hook_id);
    drop().await.unwrap();
    assert_eq!(drop().await.unwrap(), 0);
    let dropped =
        server.count("SELECT COUNT(*) FROM webhook_deliveries WHERE state = 'DROPPED'").await;
    let first = "SELECT MIN(id) FROM webhook_deliveries WHERE state = 'PENDING'";
    let (first,): (String,) = query(first).fetch_one(&server.app.db).await.unwrap();
    assert_eq!((dropped, first), (3, format!("{:032}", 3)));
    let purged = delivery::purge(&server.app.db, Clock::System.now()).await;
    purged.unwrap();
    assert_eq!(
        state(&admin, &made).await["deliveries"]["totalCount"],
        10_000,
        "what waits is kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_deliver_once() {
    if !is_postgres() || crate::harness::storage().is_none() {
        return;
    }
    let (server, admin, receiver) = world().await;
    let _beside = server.beside_with(&ALLOW).await;
    hook(&admin, &receiver, &["tag.set"], json!({ "secret": "not made here" })).await;
    for number in 0..50 {
        set_tag(&admin, &number.to_string()).await;
    }
    receiver.wait(50).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let got = receiver.all();
    let ids: BTreeSet<_> = got.iter().map(Got::id).collect();
    assert_eq!((got.len(), ids.len()), (50, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn mlflows_clients_manage_those_with_messages_of_mlflow() {
    let (_server, admin, receiver) = world().await;
    hook(&admin, &receiver, &["alias.set"], json!({})).await;
    let call = async |method: Method, path: &str, body: Value| {
        let request =
            admin.request(method, &format!("/mlflow/vision/api/2.0/mlflow/webhooks{path}"));
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let new = json!({ "name": "ci", "url": receiver.url, "secret": "s3cret",
        "events": [{ "entity": "MODEL_VERSION_ALIAS", "action": "CREATED" }, { "entity": "MODEL_VERSION", "action": "CREATED" }] });
    let (status, made) = call(Method::POST, "", new.clone()).await;
    assert_eq!(status, 200, "{made}");
    let webhook = &made["webhook"];
    assert_eq!((&webhook["status"], &webhook["events"]), (&json!("ACTIVE"), &new["events"]));
    assert!(webhook.get("secret").is_none() && webhook.get("description").is_none());
    let id = format!("/{}", webhook["webhook_id"].as_str().unwrap());
    let (_, all) = call(Method::GET, "?max_results=5", Value::Null).await;
    assert_eq!(all["webhooks"], json!([webhook]), "the other one is not MLflow's");
    // A draft is created before its readers have anything of it.
    version(&admin, "1.0.0").await;
    set_alias(&admin, "production", "1.0.0").await;
    let got = receiver.wait(3).await;
    let mut told: Vec<_> =
        got.iter().map(Got::body).filter(|body| body["entity"].is_string()).collect();
    told.sort_by_key(|body| body["entity"].to_string());
    assert_eq!(told[0]["data"]["version"], "1");
    assert_eq!(told[1]["data"], json!({ "name": "ocr", "alias": "production", "version": "1" }));
    let signed = got.iter().find(|got| got.body()["entity"].is_string()).unwrap();
    assert_eq!(signed.header("x-mlflow-signature"), mac(b"s3cret", signed));
    let (_, tested) = call(Method::POST, &format!("{id}/test"), json!({})).await;
    assert_eq!(tested["result"], json!({ "success": true, "response_status": 200 }));
    assert_eq!(receiver.wait(4).await[3].body()["data"]["alias"], "example_alias");
    let (_, changed) =
        call(Method::PATCH, &id, json!({ "status": "DISABLED", "description": "d" })).await;
    assert_eq!(
        (&changed["webhook"]["status"], &changed["webhook"]["description"]),
        (&json!("DISABLED"), &json!("d"))
    );
    assert_eq!(call(Method::DELETE, &id, Value::Null).await, (200, json!({})));
    assert_eq!(
        call(Method::GET, &id, Value::Null).await.1["error_code"],
        "RESOURCE_DOES_NOT_EXIST"
    );
    for wrong in [
        json!({ "name": "-ci" }),
        json!({ "url": "ftp://x" }),
        json!({ "events": [] }),
        json!({ "events": [{ "entity": "MODEL_VERSION", "action": "SET" }] }),
        json!({ "status": "SOMETIMES" }),
    ] {
        let mut body = new.clone();
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let (status, answer) = call(Method::POST, "", body).await;
        assert_eq!(
            (status, &answer["error_code"]),
            (400, &json!("INVALID_PARAMETER_VALUE")),
            "{wrong}"
        );
    }
}
