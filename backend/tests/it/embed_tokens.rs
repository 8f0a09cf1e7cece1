//! Embed tokens: what a page of another site can show with one, and for how long. What it cannot do at all is in the
//! matrix.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model_registry::role::TokenScope;
use model_registry::time::{Clock, Timestamp};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Caller, Server};

const ORIGIN: &str = "https://dash.example";
const CREATE: &str = "mutation($i: CreateEmbedTokenInput!) { createEmbedToken(input: $i) { secret
    embedToken { id name origins files expiresAt lastUsedAt operationCount models { name } createdBy { username } } } }";
const MODELS: &str = "{ models { nodes { path } } }";
const DAY: i64 = 24 * 60 * 60;

/// A server at a fixed time with a private project of two models, and the time.
async fn private() -> (Server, Caller, Timestamp) {
    let now = Timestamp::from_rfc3339("2026-11-30T00:00:00Z").unwrap();
    let (server, admin) =
        Server::with_model_at(Clock::Fixed(Arc::new(AtomicI64::new(now.millis())))).await;
    admin.create_model("other").await;
    admin.create_version(Some("1.0.0")).await;
    admin.put("/files/vision/ocr/1.0.0/weights.bin", "x").await;
    admin.publish("1.0.0").await;
    (server, admin, now)
}

fn set(server: &Server, now: Timestamp) {
    let Clock::Fixed(clock) = &server.app.clock else { panic!("it goes on by itself") };
    clock.store(now.millis(), Ordering::SeqCst);
}

/// The input of a token for a month, with more or other fields.
fn input(now: Timestamp, more: Value) -> Value {
    let mut input = json!({"project": "vision", "name": "dashboard", "origins": [ORIGIN],
        "expiresAt": now.plus_seconds(30 * DAY).to_rfc3339()});
    for (name, value) in more.as_object().unwrap() {
        input[name] = value.clone();
    }
    json!({ "i": input })
}

/// A page with a new token.
async fn page(server: &Server, admin: &Caller, input: Value) -> Caller {
    let made = admin.ok(CREATE, input).await;
    let secret = made["createEmbedToken"]["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("mre_"));
    Caller { token: Some(secret), ..server.anonymous() }
}

/// What a page of an origin is answered.
async fn ask(page: &Caller, origin: Option<&str>, body: &Value) -> (u16, HeaderMap, Value) {
    let mut request = page.request(Method::POST, "/graphql").json(body);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.json().await.unwrap_or_default())
}

async fn shown(page: &Caller, query: &str) -> Value {
    let (status, headers, answer) = ask(page, Some(ORIGIN), &json!({"query": query})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(headers["access-control-allow-origin"], ORIGIN);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_shows_its_project_to_pages_of_its_origins() {
    let (server, admin, now) = private().await;
    admin.ok("mutation { createProject(input: {path: \"open\", visibility: PUBLIC}) { project { id } } createModel(input: {project: \"open\", name: \"m\"}) { model { id } } }", json!({})).await;
    let page = page(&server, &admin, input(now, json!({}))).await;
    let answer = shown(&page, MODELS).await;
    assert_eq!(
        answer["data"]["models"]["nodes"],
        json!([{"path": "vision/ocr"}, {"path": "vision/other"}])
    );
    let answer = shown(&page, "{ a: model(path: \"open/m\") { id } project(path: \"vision\") { path author { username } } }").await;
    assert_eq!(
        answer["data"],
        json!({"a": null, "project": {"path": "vision", "author": {"username": "admin"}}})
    );
    let body = json!({ "query": MODELS });
    for origin in [
        Some("https://evil.example"),
        Some("http://dash.example"),
        Some("https://dash.example:8443"),
        Some("null"),
        None,
    ] {
        let (status, headers, answer) = ask(&page, origin, &body).await;
        assert_eq!(status, 403, "{origin:?}: {answer}");
        assert!(headers.get("access-control-allow-origin").is_none(), "{origin:?}");
    }
    // By GET, too; a browser asks before it sends the token.
    let get = page.request(Method::GET, "/graphql?query=%7Bmodels%7BtotalCount%7D%7D");
    let get =
        get.header("origin", ORIGIN).header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(
        (get.status().as_u16(), &get.headers()["cache-control"]),
        (200, &"private, no-cache".parse().unwrap())
    );
    for (origin, is_allowed) in [(ORIGIN, true), ("https://evil.example", false)] {
        let asked =
            server.anonymous().request(Method::OPTIONS, "/graphql").header("origin", origin);
        let asked = asked.header("access-control-request-method", "POST");
        let asked = asked.header("access-control-request-headers", "authorization,content-type");
        let preflight = asked.send().await.unwrap();
        assert_eq!(
            preflight.headers().contains_key("access-control-allow-origin"),
            is_allowed,
            "{origin}"
        );
        assert!(!preflight.headers().contains_key("access-control-allow-credentials"));
    }
    // Another token from that origin runs as before, and the page cannot read what it is answered.
    let script = server.person("admin", TokenScope::Read).await;
    let (_, headers, _) = ask(&script, Some(ORIGIN), &body).await;
    assert!(headers.get("access-control-allow-origin").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_listed_used_revoked_and_ends() {
    let (server, admin, now) = private().await;
    let made = admin
        .ok(
            CREATE,
            input(now, json!({"files": true, "origins": ["HTTPS://Dash.example:443", ORIGIN]})),
        )
        .await;
    let token = &made["createEmbedToken"]["embedToken"];
    assert_eq!(token["origins"], json!([ORIGIN]));
    assert_eq!(
        (&token["models"], &token["operationCount"], &token["lastUsedAt"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let secret = made["createEmbedToken"]["secret"].as_str().unwrap().to_owned();
    let page = Caller { token: Some(secret.clone()), ..server.anonymous() };
    shown(&page, MODELS).await;
    server.settle().await;
    let list = "{ project(path: \"vision\") { embedTokens { id name lastUsedAt createdBy { username } } } }";
    let listed = admin.ok(list, json!({})).await;
    let listed = &listed["project"]["embedTokens"];
    assert_eq!(listed[0]["lastUsedAt"], now.to_rfc3339().as_str());
    assert_eq!(
        (listed.as_array().unwrap().len(), &listed[0]["createdBy"]["username"]),
        (1, &json!("admin"))
    );
    let stored =
        server.count("SELECT COUNT(*) FROM embed_tokens WHERE secret_sha256 LIKE 'mre_%'").await;
    assert_eq!(stored, 0, "only its hash");
    let log = admin.ok("{ project(path: \"vision\") { events(filter: {action: \"token.create\"}) { nodes { subject detail } } } }", json!({})).await;
    let logged = log["project"]["events"]["nodes"].to_string();
    assert!(
        logged.contains("dashboard") && logged.contains(ORIGIN) && !logged.contains(&secret),
        "{logged}"
    );
    set(&server, now.plus_seconds(30 * DAY - 1));
    shown(&page, MODELS).await;
    set(&server, now.plus_seconds(30 * DAY));
    let (status, headers, answer) = ask(&page, Some(ORIGIN), &json!({ "query": MODELS })).await;
    assert_eq!(
        (status, &headers["access-control-allow-origin"]),
        (401, &ORIGIN.parse().unwrap()),
        "{answer}"
    );
    set(&server, now);
    shown(&page, MODELS).await;
    let revoke =
        "mutation($id: ID!) { revokeEmbedToken(input: {id: $id}) { embedToken { name } } }";
    admin.ok(revoke, json!({"id": token["id"]})).await;
    assert_eq!(ask(&page, Some(ORIGIN), &json!({ "query": MODELS })).await.0, 401);
    assert_eq!(admin.refused(revoke, json!({"id": token["id"]})).await.code, "NOT_FOUND");
    assert_eq!(admin.ok(list, json!({})).await["project"]["embedTokens"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_for_some_models_shows_these_and_nothing_that_leads_on() {
    let (server, admin, now) = private().await;
    let made = admin.ok("mutation { createCandidate(input: {model: \"vision/other\"}) { candidate { runId experiment { number } } } }", json!({})).await;
    let run = made["createCandidate"]["candidate"]["runId"].as_str().unwrap();
    let page = page(&server, &admin, input(now, json!({"models": ["ocr"], "files": true}))).await;
    let answer = shown(&page, "{ a: model(path: \"vision/ocr\") { latestVersion { version } } b: model(path: \"vision/other\") { id }
        modelsByPath(paths: [\"vision/other\", \"vision/ocr\", \"vision/none\"]) { name } }").await;
    let expected = json!({"a": {"latestVersion": {"version": "1.0.0"}}, "b": null, "modelsByPath": [null, {"name": "ocr"}, null]});
    assert_eq!(answer["data"], expected, "{answer}");
    for query in [
        MODELS,
        "{ modelFacet(of: TAG) { value } }",
        "{ project(path: \"vision\") { path } }",
        "{ projects { totalCount } }",
        "{ model(path: \"vision/ocr\") { project { models { totalCount } } } }",
        "{ model(path: \"vision/ocr\") { defaultExperiment { candidates { totalCount } } } }",
        "{ model(path: \"vision/ocr\") { version(ref: \"1.0.0\") { candidate { id } } } }",
        "{ _entities(representations: [{__typename: \"Model\", path: \"vision/other\"}]) { __typename } }",
    ] {
        let (_, _, answer) = ask(&page, Some(ORIGIN), &json!({ "query": query })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INVALID", "{query}: {answer}");
    }
    admin.put(&format!("/files/vision/-/runs/{run}/f"), "x").await;
    for (path, status) in [
        ("/files/vision/ocr/1.0.0/weights.bin", 200),
        ("/files/vision/other/candidate:1/f", 404),
        (&*format!("/files/vision/-/runs/{run}/f"), 404),
        ("/embed/vision/ocr", 200),
        ("/embed/vision/other", 404),
        ("/feed/vision.atom", 404),
        ("/feed/vision/ocr.atom", 200),
    ] {
        let got = page.request(Method::GET, path).header("origin", ORIGIN).send().await.unwrap();
        assert_eq!(got.status(), status, "{path}");
    }
    // The old name of another one tells nothing.
    admin.ok("mutation { renameModel(input: {model: \"vision/other\", name: \"merger\"}) { model { id } } }", json!({})).await;
    let old = json!({"query": "{ model(path: \"vision/other\") { id } }"});
    let (_, headers, answer) = ask(&page, Some(ORIGIN), &old).await;
    assert_eq!(answer["data"]["model"], Value::Null);
    assert!(
        headers.get("x-registry-notice").is_none() && headers.get("deprecation").is_none(),
        "{headers:?}"
    );
    // One that is renamed stays; one that is deleted for good is taken from the token.
    admin.ok("mutation { renameModel(input: {model: \"vision/ocr\", name: \"reader\"}) { model { id } } }", json!({})).await;
    assert_eq!(
        shown(&page, "{ model(path: \"vision/reader\") { name } }").await["data"]["model"]["name"],
        "reader"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_for_some_operations_runs_these_by_text_and_by_name() {
    let (server, admin, now) = private().await;
    let other = "query Other { models { totalCount } }";
    let hash = |query: &str| hex::encode(Sha256::digest(query));
    let manifest = json!({"format": "apollo-persisted-query-manifest", "version": 1,
        "operations": [{"id": hash(other), "name": "Other", "type": "query", "body": other}]});
    let page = page(
        &server,
        &admin,
        input(now, json!({"operations": [MODELS], "manifest": manifest.to_string()})),
    )
    .await;
    let named = |query: &str| json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash(query)}}});
    for body in [
        json!({"query": MODELS}),
        json!({"query": other}),
        named(MODELS),
        json!({"documentId": format!("sha256:{}", hash(other))}),
    ] {
        let (status, _, answer) = ask(&page, Some(ORIGIN), &body).await;
        assert!(status == 200 && answer["data"]["models"].is_object(), "{body}: {answer}");
    }
    // Nothing that is no operation.
    for path in [
        "/embed/vision/ocr",
        "/badge/vision/ocr/1.0.0.svg",
        "/feed/vision.atom",
        "/files/vision/ocr/1.0.0/weights.bin",
    ] {
        let got = page.request(Method::GET, path).header("origin", ORIGIN).send().await.unwrap();
        assert_eq!(got.status(), 403, "{path}");
    }
    let own = "{ models { totalCount } }";
    // Somebody else has had it kept: it is not the token's all the same.
    let mut keep = named(own);
    keep["query"] = json!(own);
    assert_eq!(ask(&admin, None, &keep).await.0, 200);
    for body in [json!({"query": own}), named(own), json!({"query": format!("{MODELS} ")}), keep] {
        let (status, _, answer) = ask(&page, Some(ORIGIN), &body).await;
        assert_eq!(
            (status, &answer["errors"][0]["extensions"]["code"]),
            (403, &json!("FORBIDDEN")),
            "{body}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_may_ask_little_and_only_for_a_while() {
    let now = Timestamp::from_rfc3339("2026-11-30T00:00:00Z").unwrap();
    let (server, admin, _) = private().await;
    let page = page(&server, &admin, input(now, json!({}))).await;
    let long = format!("{{ models {{ totalCount }} }} # {}", "x".repeat(8 * 1024));
    let dear = "{ models(first: 100) { nodes { versions(first: 100) { nodes { version } } } } }";
    let (status, _, answer) = ask(&page, Some(ORIGIN), &json!({"query": long})).await;
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (413, &json!("TOO_LARGE")));
    let (_, _, answer) = ask(&page, Some(ORIGIN), &json!({"query": dear})).await;
    assert!(
        answer["errors"][0]["message"].as_str().unwrap().contains("of at most 5000"),
        "{answer}"
    );
    admin.ok(dear, json!({})).await;
    // Files only with a token for them; a socket with none.
    let file =
        page.request(Method::GET, "/files/vision/ocr/1.0.0/weights.bin").header("origin", ORIGIN);
    assert_eq!(file.send().await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_one_network_are_slowed_down() {
    let server = Server::start_with(&["--trusted-proxies", "127.0.0.1/32"]).await;
    let admin = server.admin().await;
    admin.ok(crate::harness::CREATE_PROJECT, json!({"path": "vision"})).await;
    admin.create_model("ocr").await;
    let now = Clock::System.now();
    let made = admin.ok(CREATE, input(now, json!({}))).await["createEmbedToken"].clone();
    let page = Caller { token: made["secret"].as_str().map(str::to_owned), ..server.anonymous() };
    let from = async |network: &str, query: &str, accept: &str| {
        let request = page
            .request(Method::POST, "/graphql")
            .header("origin", ORIGIN)
            .header("accept", accept)
            .header("x-forwarded-for", network);
        request.json(&json!({ "query": query })).send().await.unwrap()
    };
    // Streams of events: two a network.
    let stream = "subscription { modelChanged(model: \"vision/ocr\") { description } }";
    let follow = async |network: &str| from(network, stream, "text/event-stream").await;
    let (first, second) = (follow("192.0.2.5").await, follow("192.0.2.5").await);
    let (third, other) = (follow("192.0.2.5").await, follow("192.0.2.6").await);
    assert_eq!(
        [&first, &second, &third, &other].map(|answer| answer.status().as_u16()),
        [200, 200, 429, 200]
    );
    // Requests: 120 a minute and network, also when the token works no more.
    let asked =
        async |network: &str| from(network, "{ models { totalCount } }", "application/json").await;
    let flood = async |network: &str| {
        let mut refused = Vec::new();
        for _ in 0..140 {
            refused.extend(Some(asked(network).await).filter(|answer| answer.status() == 429));
        }
        assert!((1..=20).contains(&refused.len()), "{}", refused.len());
        assert_eq!(refused[0].headers()["retry-after"], "1");
    };
    flood("198.51.100.7").await;
    assert_eq!(asked("203.0.113.9").await.status(), 200);
    let id = &made["embedToken"]["id"];
    admin
        .ok(
            "mutation($id: ID!) { revokeEmbedToken(input: {id: $id}) { embedToken { id } } }",
            json!({ "id": id }),
        )
        .await;
    assert_eq!(asked("203.0.113.9").await.status(), 401);
    flood("203.0.113.77").await;
}

/// What a browser is answered that asks whether a page may send a token.
async fn preflight(server: &Server, origin: &str) -> bool {
    let asked = server
        .anonymous()
        .request(Method::OPTIONS, "/graphql")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization, content-type");
    asked.send().await.unwrap().headers().contains_key("access-control-allow-origin")
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_told_for_a_while_that_their_token_works_no_more() {
    let (server, admin, now) = private().await;
    assert!(!preflight(&server, ORIGIN).await);
    page(&server, &admin, input(now, json!({}))).await;
    assert!(preflight(&server, ORIGIN).await && !preflight(&server, "https://evil.example").await);
    set(&server, now.plus_seconds((30 + 89) * DAY));
    assert!(preflight(&server, ORIGIN).await);
    set(&server, now.plus_seconds((30 + 91) * DAY));
    assert!(!preflight(&server, ORIGIN).await, "nobody is there any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_with_a_token_guesses_no_passwords() {
    let (server, admin, now) = private().await;
    page(&server, &admin, input(now, json!({}))).await;
    let sign = async |origin: Option<&str>| {
        let request = server
            .anonymous()
            .request(Method::POST, "/graphql")
            .basic_auth("admin", Some("a guess of mine"));
        let request = match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        };
        request.json(&json!({"query": MODELS})).send().await.unwrap().status().as_u16()
    };
    let own = server.url.clone();
    assert_eq!((sign(Some(ORIGIN)).await, sign(Some("https://evil.example")).await), (403, 403));
    assert_eq!((sign(None).await, sign(Some(&own)).await), (401, 401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_and_a_picture_have_it_in_their_address() {
    let (server, admin, now) = private().await;
    let page =
        page(&server, &admin, input(now, json!({"origins": [ORIGIN, "https://b.example"]}))).await;
    let token = page.token.clone().unwrap();
    let nobody = server.anonymous();
    let card = nobody.get(&format!("/embed/vision/ocr?theme=dark&token={token}")).await;
    assert_eq!(
        (card.status().as_u16(), &card.headers()["cache-control"]),
        (200, &"private, no-cache".parse().unwrap())
    );
    let policy = card.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(
        policy.contains("frame-ancestors https://b.example https://dash.example; "),
        "{policy}"
    );
    assert!(!card.text().await.unwrap().contains(&token));
    let badge = nobody.get(&format!("/badge/vision/ocr/1.0.0.svg?token={token}")).await;
    assert!(badge.text().await.unwrap().contains("1.0.0"));
    assert_eq!(nobody.get("/embed/vision/ocr").await.status(), 404);
    let wrong = nobody.get("/embed/vision/ocr?token=mre_wrong").await;
    assert_eq!(wrong.status(), 401);
    assert_eq!(wrong.headers()["content-type"], "text/html; charset=utf-8");
    assert!(
        wrong.headers()["content-security-policy"].to_str().unwrap().contains("frame-ancestors *;")
    );
    let text = wrong.text().await.unwrap();
    assert!(text.contains("The embed token is not valid") && !text.contains("mre_wrong"), "{text}");
    let wrong = nobody.get("/badge/vision/ocr/1.0.0.svg?token=mre_wrong").await;
    assert_eq!(wrong.status(), 200, "an image that says so");
    assert!(wrong.text().await.unwrap().contains("token not valid"));
    let wrong = nobody.get("/badge/vision/ocr/1.0.0.json?token=mre_wrong").await;
    assert_eq!(
        (wrong.status().as_u16(), wrong.json::<Value>().await.unwrap()["isError"].clone()),
        (401, json!(true))
    );
    assert_eq!(page.get("/oembed?url=x").await.status(), 403, "a page with a token needs none");
    let foreign = nobody.request(Method::GET, &format!("/embed/vision/ocr?token={token}"));
    assert_eq!(
        foreign.header("origin", "https://evil.example").send().await.unwrap().status(),
        403
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_make_a_project_public_makes_none() {
    let server = Server::start_with(&["--public-projects", "admins"]).await;
    let admin = server.admin().await;
    admin.ok(crate::harness::CREATE_PROJECT, json!({"path": "vision"})).await;
    admin.invite("ada").await;
    admin.add_member("vision", "ada", "OWNER").await;
    let ada = server.person("ada", TokenScope::Admin).await;
    let now = Clock::System.now();
    assert_eq!(ada.refused(CREATE, input(now, json!({}))).await.code, "FORBIDDEN");
    admin.ok(CREATE, input(now, json!({}))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_is_for_is_checked_when_it_is_made() {
    let (server, admin, now) = private().await;
    let after = |seconds: i64| json!({"expiresAt": now.plus_seconds(seconds).to_rfc3339()});
    for (more, field) in [
        (json!({"origins": []}), "origins"),
        (json!({"origins": ["*"]}), "origins"),
        (json!({"origins": ["https://a/b"]}), "origins"),
        (json!({"origins": ["null"]}), "origins"),
        (json!({"origins": ["https://*.example"]}), "origins"),
        (json!({"origins": ["https://a.example; script-src *"]}), "origins"),
        (json!({"origins": vec!["https://a.example"; 21]}), "origins"),
        (after(0), "expiresAt"),
        (after(367 * DAY), "expiresAt"),
        (json!({"models": []}), "models"),
        (json!({"models": vec!["ocr"; 101]}), "models"),
        (json!({"operations": []}), "operations"),
        (json!({"operations": ["x".repeat(65_537)]}), "operations"),
        (json!({"operations": ["{ models {"]}), "operations"),
        (json!({"operations": ["mutation { signOut { __typename } }"]}), "operations"),
        (json!({"manifest": "{"}), "manifest"),
        (json!({"name": ""}), "name"),
    ] {
        let refused = admin.refused(CREATE, input(now, more.clone())).await;
        assert_eq!(
            (&*refused.code, &*refused.field),
            ("INVALID", field),
            "{more}: {}",
            refused.message
        );
    }
    assert_eq!(
        admin.refused(CREATE, input(now, json!({"models": ["none"]}))).await.code,
        "NOT_FOUND"
    );
    assert_eq!(server.count("SELECT COUNT(*) FROM embed_tokens").await, 0);
    admin.ok(CREATE, input(now, after(366 * DAY))).await;
}
