//! What other dashboards ask for: entities of a federated graph, pages that they have already, streams of events.

use std::net::SocketAddr;

use serde_json::json;

use crate::Row;
use crate::graphql::{PAGE, asked, bare_route, fill, one_by_one};
use crate::setup::{Client, Server, start};

const ENTITIES: &str = "query($all: [_Any!]!) { _entities(representations: $all) {
    ... on Model { id path latestVersion { version } aliases { name } } } }";
const STREAMS: usize = 500;
/// How many one caller may have open.
const STREAMS_OF_ONE: usize = 32;

pub async fn measure() -> Vec<Row> {
    let server = start().await;
    fill(&server);
    let mut rows = entities(&server).await;
    rows.push(unchanged(&server).await);
    rows.push(streams(&server));
    rows
}

/// The request for so many models, by their paths.
fn models(server: &Server, count: usize) -> Vec<u8> {
    let of = |number| json!({"__typename": "Model", "path": format!("vision/model-{number:05}")});
    let all: Vec<_> = (0..count).map(of).collect();
    server.post("/graphql/subgraph", &json!({"query": ENTITIES, "variables": {"all": all}}))
}

async fn entities(server: &Server) -> Vec<Row> {
    let request = models(server, 61);
    let body = Client::connect(server.address).exchange(&request);
    let bare = bare_route(String::from_utf8(body).expect("UTF-8")).await;
    let ours = asked(server.address, request.clone()).await;
    let reference = asked(bare, request).await;
    let (one, thousand) = (models(server, 1), models(server, 1000));
    let address = server.address;
    let times = tokio::task::spawn_blocking(move || {
        (one_by_one(address, &thousand, 50), one_by_one(address, &one, 500))
    });
    let (thousand, one) = times.await.expect("two times");
    vec![
        Row {
            what: "61 entities, 8 clients",
            ours: format!("{ours:.0} /s"),
            reference: format!("{reference:.0} /s bare axum route, same bytes"),
            ratio: format!("{:.2}", ours / reference),
        },
        Row {
            what: "1,000 entities, 1 client",
            ours: format!("{:.1} ms", thousand * 1e3),
            reference: format!("{:.2} ms one entity", one * 1e3),
            ratio: format!("{:.0} × for 1,000 ×", thousand / one),
        },
    ]
}

/// A page that the client has already, against one that it does not have.
async fn unchanged(server: &Server) -> Row {
    let query: String = form_urlencoded::byte_serialize(PAGE.as_bytes()).collect();
    let get = |more: &str| {
        format!(
            "GET /graphql?query={query} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n{more}\r\n",
            server.address, server.token
        )
        .into_bytes()
    };
    let same = asked(server.address, get("if-none-match: *\r\n")).await;
    let whole = asked(server.address, get("")).await;
    Row {
        what: "the same page by GET with If-None-Match, 8 clients",
        ours: format!("{same:.0} /s"),
        reference: format!("{whole:.0} /s without it"),
        ratio: format!("{:.2}", same / whole),
    }
}

/// What a stream of events takes while nothing happens.
fn streams(server: &Server) -> Row {
    let before = resident();
    let mut open = Vec::new();
    while open.len() < STREAMS {
        let make = "mutation { createProjectToken(input: {project: \"vision\", name: \"bench\", role: GUEST}) { secret } }";
        let made: serde_json::Value = serde_json::from_str(&server.ask(make)).expect("JSON");
        let token = made["data"]["createProjectToken"]["secret"].as_str().expect("a secret");
        open.extend((0..STREAMS_OF_ONE).map(|_| stream(server.address, token)));
    }
    open.truncate(STREAMS);
    let took = resident().saturating_sub(before);
    Row {
        what: "500 streams of events",
        ours: format!("{} KiB each", took / STREAMS),
        reference: format!("{took} KiB, with their clients' sockets"),
        ratio: "–".to_owned(),
    }
}

fn stream(address: SocketAddr, token: &str) -> Client {
    let query = "subscription { modelChanged(model: \"vision/model-00000\") { name } }";
    let body = json!({ "query": query }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         accept: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut client = Client::connect(address);
    client.write(request.as_bytes());
    client.head();
    client
}

/// How much memory this process has, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
