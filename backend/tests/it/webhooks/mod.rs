//! Webhooks: who is told of what, what they are sent, and what happens when they do not take it.

mod failing;
mod guard;
mod receiver;

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use model_registry::db::query;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{CREATE_PROJECT, Caller, Server};
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
    let result = &tested["result"];
    assert_eq!((&result["success"], &result["response_status"]), (&json!(true), &json!(200)));
    assert!(result["response_body"].as_str().unwrap().contains("private"), "{result}");
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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_redacted_is_told_no_more() {
    let (_server, admin, receiver) = world().await;
    let made = hook(&admin, &receiver, &["tag.set"], json!({})).await;
    set_tag(&admin, "hunter2").await;
    receiver.wait(1).await;
    until(&admin, &made, |state| state["deliveries"]["nodes"][0]["state"] == "DELIVERED").await;
    let find = "{ events(filter: {action: \"tag.set\"}) { nodes { id } } }";
    let event = admin.ok(find, json!({})).await["events"]["nodes"][0]["id"].clone();
    let redact = "mutation($id: ID!) { redactEvent(input: {id: $id}) { event { id } } }";
    admin.ok(redact, json!({ "id": event })).await;
    let shown = state(&admin, &made).await;
    assert!(!shown.to_string().contains("hunter2"), "{shown}");
    let again = "mutation($id: ID!, $delivery: ID!) { redeliverWebhook(input: {id: $id, delivery: $delivery}) { count } }";
    let delivery = &shown["deliveries"]["nodes"][0]["id"];
    admin.ok(again, json!({ "id": made["webhook"]["id"], "delivery": delivery })).await;
    let got = receiver.wait(2).await;
    assert_eq!(got[1].body()["data"]["value"], "[redacted]");
    assert_eq!(got[0].id(), got[1].id());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_key_goes_on_with_a_new_secret() {
    let (server, admin, receiver) = world().await;
    let made = hook(&admin, &receiver, &["tag.set"], json!({})).await;
    std::fs::write(server.data.path().join("secret.key"), "77".repeat(32)).unwrap();
    set_tag(&admin, "1").await;
    let state = until(&admin, &made, |state| {
        state["deliveries"]["nodes"][0]["attempts"][0]["error"].is_string()
    })
    .await;
    let error = state["deliveries"]["nodes"][0]["attempts"][0]["error"].as_str().unwrap();
    assert!(error.contains("--secret-key-file"), "{error}");
    let rotate = "mutation($id: ID!) { rotateWebhookSecret(input: {id: $id}) { secret } }";
    let new = admin.ok(rotate, json!({ "id": made["webhook"]["id"] })).await["rotateWebhookSecret"]
        ["secret"]
        .clone();
    set_tag(&admin, "2").await;
    let got = receiver.wait(1).await.remove(0);
    assert_eq!(got.header("webhook-signature"), mac(&decoded(new.as_str().unwrap()), &got));
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_are_not_told_of_webhooks() {
    let (server, admin, receiver) = world().await;
    let made = hook(&admin, &receiver, &["alias.set"], json!({})).await;
    admin.invite("gil").await;
    admin.add_member("vision", "gil", "GUEST").await;
    let gil = server.person("gil", model_registry::role::TokenScope::Admin).await;
    let log = "{ project(path: \"vision\") { events { nodes { action } } } }";
    let log = gil.ok(log, json!({})).await.to_string();
    assert!(log.contains("model.create") && !log.contains("webhook."), "{log}");
    let delete = "mutation($id: ID!) { deleteWebhook(input: {id: $id}) { webhook { id } } }";
    let refused = gil.refused(delete, json!({ "id": made["webhook"]["id"] })).await;
    assert_eq!(refused.code, "NOT_FOUND");
    server.settle().await;
    let log =
        admin.get("/api/events?action=webhook.delete&refused=true").await.text().await.unwrap();
    assert!(log.contains("gil"), "{log}");
}
