//! Subscriptions over server-sent events.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use model_registry::role::TokenScope;

use crate::harness::{Caller, Server};

const CHANGED: &str = "subscription { modelChanged(model: \"vision/ocr\") { description } }";

async fn ask(caller: &Caller, accept: &str, query: &str) -> Response {
    let request = caller.request(Method::POST, "/graphql").header("accept", accept);
    request.json(&json!({"query": query})).send().await.unwrap()
}

/// What comes, event by event.
struct Events {
    bytes: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

impl Events {
    async fn of(caller: &Caller, query: &str) -> Self {
        let response = ask(caller, "text/event-stream", query).await;
        assert_eq!(response.status(), 200);
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-store"),
            ("x-accel-buffering", "no"),
        ] {
            assert_eq!(response.headers()[name], value);
        }
        let mut events = Self { bytes: response.bytes_stream().boxed(), text: String::new() };
        assert_eq!(events.next().await.as_deref(), Some(":"), "it is heard at once");
        events
    }

    /// The next event, or none when the stream has ended.
    async fn next(&mut self) -> Option<String> {
        let read = async {
            while !self.text.contains("\n\n") {
                let bytes = self.bytes.next().await?.ok()?;
                self.text.push_str(std::str::from_utf8(&bytes).unwrap());
            }
            let (event, rest) = self.text.split_once("\n\n").unwrap();
            let (event, rest) = (event.trim().to_owned(), rest.to_owned());
            self.text = rest;
            Some(event)
        };
        let patience = std::time::Duration::from_secs(30);
        tokio::time::timeout(patience, read).await.expect("something is said")
    }

    async fn item(&mut self) -> Value {
        let event = self.next().await.expect("it goes on");
        let data = event.strip_prefix("event: next\ndata: ").unwrap_or_else(|| panic!("{event}"));
        serde_json::from_str(data).unwrap()
    }

    async fn is_complete(&mut self) -> bool {
        self.next().await.as_deref() == Some("event: complete\ndata:")
            && self.next().await.is_none()
    }
}

async fn describe(admin: &Caller, text: &str) {
    let update = "mutation($d: String!) { updateModel(input: {model: \"vision/ocr\", description: $d}) { model { id } } }";
    admin.ok(update, json!({"d": text})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_followed_until_one_may_not_any_more() {
    let (server, admin) = Server::with_model().await;
    admin.invite("ada").await;
    admin.add_member("vision", "ada", "GUEST").await;
    let ada = server.person("ada", TokenScope::Read).await;
    let mut events = Events::of(&ada, CHANGED).await;
    assert_eq!(events.item().await["data"]["modelChanged"]["description"], "");
    describe(&admin, "new").await;
    assert_eq!(events.item().await["data"]["modelChanged"]["description"], "new");
    let remove = "mutation { removeMember(input: {project: \"vision\", username: \"ada\"}) { member { id } } }";
    admin.ok(remove, json!({})).await;
    describe(&admin, "hidden").await;
    let last = events.item().await;
    assert_eq!(last["errors"][0]["extensions"]["code"], "NOT_FOUND", "{last}");
    assert!(events.is_complete().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_an_event_and_who_may_not_is_a_status() {
    let (server, admin) = Server::with_model().await;
    for query in [
        "{",
        "{ nonsense }",
        "subscription { nonsense }",
        "subscription { modelChanged(model: \"no/model\") { id } }",
    ] {
        let mut events = Events::of(&admin, query).await;
        assert!(events.item().await["errors"][0]["message"].is_string(), "{query}");
        assert!(events.is_complete().await, "{query}");
    }
    let mut events = Events::of(&admin, "{ viewer { username } }").await;
    assert_eq!(events.item().await, json!({"data": {"viewer": {"username": "admin"}}}));
    assert!(events.is_complete().await);
    // Clients that take both get JSON for what is one answer.
    let both = "application/graphql-response+json, application/json, text/event-stream";
    let json = ask(&admin, both, "{ viewer { username } }").await;
    assert_eq!(json.headers()["content-type"], "application/graphql-response+json; charset=utf-8");
    let stream = ask(&admin, both, CHANGED).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let wrong = Caller { token: Some("mrt_wrong".to_owned()), ..server.anonymous() };
    assert_eq!(ask(&wrong, "text/event-stream", CHANGED).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_has_so_many_streams_and_each_ends_with_its_reader() {
    let (_server, admin) = Server::with_model().await;
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(Events::of(&admin, CHANGED).await);
    }
    assert_eq!(ask(&admin, "text/event-stream", CHANGED).await.status(), 429);
    drop(streams);
    for _ in 0..500 {
        if ask(&admin, "text/event-stream", CHANGED).await.status() == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the seats were not given back");
}
