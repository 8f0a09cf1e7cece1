use model_registry::db::query;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model_registry::role::TokenScope;
use model_registry::time::Clock;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::harness::{Caller, PASSWORD, Server};

const SIGN_IN: &str = "mutation($u: String!, $p: String!) {
    signIn(input: {username: $u, password: $p}) { user { username isAdmin } } }";

async fn signed_in(server: &Server) -> Caller {
    let browser = Caller {
        url: server.url.clone(),
        token: None,
        http: Client::builder().cookie_store(true).build().unwrap(),
        endpoint: "/graphql",
    };
    browser.ok(SIGN_IN, json!({"u": "admin", "p": PASSWORD})).await;
    browser
}

/// What a browser is answered that signs in as the administrator.
async fn sign_in(server: &Server) -> reqwest::Response {
    let body = json!({"query": SIGN_IN, "variables": {"u": "admin", "p": PASSWORD}});
    let request = server.anonymous().request(Method::POST, "/graphql").json(&body);
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused_even_where_none_is_needed() {
    let (server, admin) = Server::with_model().await;
    let open = "mutation { updateProject(input: {project: \"vision\", visibility: PUBLIC}) { project { id } } }";
    admin.ok(open, json!({})).await;
    let read = "{ model(path: \"vision/ocr\") { name } viewer { id } }";
    let seen = json!({"model": {"name": "ocr"}, "viewer": null});
    assert_eq!(server.anonymous().ok(read, json!({})).await, seen);
    let wrong = Caller { token: Some("mrt_wrong".into()), ..server.anonymous() };
    assert_eq!(wrong.refused(read, json!({})).await.code, "UNAUTHENTICATED");
    assert_eq!(wrong.get("/files/vision/ocr/1.0.0").await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_with_the_password_and_ends_with_sign_out() {
    let server = Server::start().await;
    for (username, password) in
        [("admin", "wrong"), ("nobody", PASSWORD), ("", ""), ("admin\u{0}", "x")]
    {
        let refusal =
            server.anonymous().refused(SIGN_IN, json!({"u": username, "p": password})).await;
        assert_eq!(refusal.code, "UNAUTHENTICATED");
        assert_eq!(refusal.message, "Incorrect username or password.");
    }
    let response = sign_in(&server).await;
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let secret = cookie.split(['=', ';']).nth(1).unwrap();
    assert_eq!(server.count("SELECT COUNT(*) FROM credentials WHERE kind = 'SESSION'").await, 1);
    let stored: (String,) =
        query("SELECT secret_sha256 FROM credentials").fetch_one(&server.app.db).await.unwrap();
    assert!(!stored.0.contains(secret));

    let browser = signed_in(&server).await;
    let viewer = "{ viewer { username isAdmin } }";
    assert_eq!(
        browser.ok(viewer, json!({})).await["viewer"],
        json!({"username": "admin", "isAdmin": true})
    );
    let out = browser.ok("mutation { signOut { signedOut } }", json!({})).await;
    assert_eq!(out["signOut"]["signedOut"], true);
    assert_eq!(browser.ok(viewer, json!({})).await["viewer"], Value::Null);
    let again = browser.ok("mutation { signOut { signedOut } }", json!({})).await;
    assert_eq!(again["signOut"]["signedOut"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_the_passwords_of_many_waits() {
    let server = Server::start_with(&["--trusted-proxies", "127.0.0.1"]).await;
    let guess = async |address: &str, username: String| {
        let request = server
            .anonymous()
            .request(Method::POST, "/graphql")
            .header("x-forwarded-for", address)
            .json(&json!({"query": SIGN_IN, "variables": {"u": username, "p": "wrong"}}));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    };
    for account in ["one", "two"] {
        assert_eq!(guess("192.0.2.1", account.into()).await, "UNAUTHENTICATED");
    }
    let known = "SELECT times FROM throttles WHERE key = '192.0.2.1'";
    assert_eq!(server.count(known).await, 2);
    query("UPDATE throttles SET times = 200").alone(&server.app.db).await.unwrap();
    assert_eq!(guess("192.0.2.1", "anybody".into()).await, "RATE_LIMITED");
    assert_eq!(guess("192.0.2.2", "anybody".into()).await, "UNAUTHENTICATED");
    let sign_in = "signIn(input: {username: \"a\", password: \"b\"}) { user { id } }";
    for twice in [
        format!("mutation {{ a: {sign_in} b: {sign_in} }}"),
        format!("mutation {{ ...F ...F }} fragment F on Mutation {{ {sign_in} }}"),
    ] {
        let refused = server.anonymous().refused(&twice, json!({})).await;
        assert!(
            refused.message.starts_with("query: must have at most one signIn"),
            "{}",
            refused.message
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_https_the_session_is_of_this_host_alone() {
    let server = Server::start_with(&["--public-url", "https://models.example.org"]).await;
    let answer = sign_in(&server).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    let (name, rest) = cookie.split_once('=').unwrap();
    assert_eq!(name, "__Host-model_registry_session");
    assert!(
        rest.contains("; Secure") && rest.contains("Path=/") && !rest.contains("Domain"),
        "{rest}"
    );
    let secret = rest.split(';').next().unwrap();
    for (name, known) in [(name, true), ("model_registry_session", false)] {
        let asked = server
            .anonymous()
            .request(Method::POST, "/graphql")
            .header("cookie", format!("{name}={secret}"))
            .json(&json!({"query": "{ viewer { username } }"}));
        let answer: Value = asked.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["data"]["viewer"].is_object(), known, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_shown_once_used_and_revoked() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let create = "mutation($e: DateTime) { createToken(input: {name: \"ci\", expiresAt: $e}) {
        secret token { id name expiresAt lastUsedAt } } }";
    let made = admin.ok(create, json!({})).await["createToken"].take();
    let script = Caller { token: made["secret"].as_str().map(str::to_owned), ..server.anonymous() };
    let tokens = script.ok("{ viewer { tokens { name lastUsedAt } } }", json!({})).await;
    assert_eq!(tokens["viewer"]["tokens"][0]["name"], "ci");
    server.settle().await;
    let used = "SELECT COUNT(*) FROM credentials WHERE name = 'ci' AND last_used_at_ms IS NOT NULL";
    assert_eq!(server.count(used).await, 1);
    let revoke = "mutation($id: ID!) { revokeToken(input: {id: $id}) { token { name } } }";
    admin.ok(revoke, json!({"id": made["token"]["id"]})).await;
    assert_eq!(script.refused("{ viewer { id } }", json!({})).await.code, "UNAUTHENTICATED");
    assert_eq!(admin.refused(revoke, json!({"id": made["token"]["id"]})).await.code, "NOT_FOUND");
    assert_eq!(
        admin.refused(create, json!({"e": "2020-01-01T00:00:00Z"})).await.field,
        "expiresAt"
    );
    let soon = admin.ok(create, json!({"e": "2999-01-01T00:00:00Z"})).await;
    assert_eq!(soon["createToken"]["token"]["expiresAt"], "2999-01-01T00:00:00.000Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sites_page_can_do_nothing_with_the_cookie() {
    let (server, _) = Server::with_model().await;
    let browser = signed_in(&server).await;
    let delete = json!({"query": "mutation { deleteModel(input: {model: \"vision/ocr\"}) { model { id } } }"});
    let send = async |origin: &str| {
        let request =
            browser.request(Method::POST, "/graphql").header("origin", origin).json(&delete);
        request.send().await.unwrap().status().as_u16()
    };
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1:1",
        &format!("{}.evil.example", server.url),
    ] {
        assert_eq!(send(origin).await, 403, "{origin}");
    }
    let put = browser
        .request(Method::PUT, "/files/vision/ocr/1.0.0/f")
        .header("origin", "https://evil.example");
    assert_eq!(put.body("x").send().await.unwrap().status(), 403);
    // What MLflow's UI sends needs no preflight.
    let path = "/mlflow/vision/api/2.0/mlflow/upload-artifact?run_uuid=x&path=f";
    let post = browser.request(Method::POST, path).header("origin", "https://evil.example");
    assert_eq!(post.body("x").send().await.unwrap().status(), 403);
    assert_eq!(server.count("SELECT COUNT(*) FROM models WHERE deleted_at_ms IS NULL").await, 1);
    assert_eq!(send(&server.url.clone()).await, 200);
    assert_eq!(server.count("SELECT COUNT(*) FROM models WHERE deleted_at_ms IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_sessions_expire() {
    let now = Arc::new(AtomicI64::new(1_800_000_000_000));
    let server = Server::start_at(Clock::Fixed(now.clone())).await;
    let admin = server.admin().await;
    let create =
        "mutation($e: DateTime) { createToken(input: {name: \"ci\", expiresAt: $e}) { secret } }";
    let made = admin.ok(create, json!({"e": "2027-01-15T09:00:00Z"})).await["createToken"].take();
    let script = Caller { token: made["secret"].as_str().map(str::to_owned), ..server.anonymous() };
    let browser = signed_in(&server).await;
    let viewer = "{ viewer { username } }";
    now.fetch_add(59 * 60 * 1000, Ordering::Relaxed);
    assert_eq!(script.ok(viewer, json!({})).await["viewer"]["username"], "admin");
    now.fetch_add(2 * 60 * 1000, Ordering::Relaxed);
    assert_eq!(script.refused(viewer, json!({})).await.code, "UNAUTHENTICATED");
    assert_eq!(browser.ok(viewer, json!({})).await["viewer"]["username"], "admin");
    now.fetch_add(14 * 24 * 3600 * 1000, Ordering::Relaxed);
    assert_eq!(browser.ok(viewer, json!({})).await["viewer"], Value::Null);
    assert_eq!(
        admin.ok(viewer, json!({})).await["viewer"]["username"],
        "admin",
        "never, by default"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_narrows_what_people_may() {
    let flags = [
        "--project-creators",
        "admins",
        "--public-projects",
        "admins",
        "--max-token-days",
        "30",
        "--max-session-days",
        "1",
    ];
    let server = Server::start_with(&flags).await;
    let admin = server.admin().await;
    admin.invite("ada").await;
    let ada = server.person("ada", TokenScope::Admin).await;
    let allowance =
        "{ allowance { createProjects makeProjectsPublic maxTokenDays maxSessionDays } }";
    let narrow = json!({ "createProjects": false, "makeProjectsPublic": false, "maxTokenDays": 30, "maxSessionDays": 1 });
    assert_eq!(ada.ok(allowance, json!({})).await["allowance"], narrow);
    let create = "mutation($p: String!, $v: Visibility) { createProject(input: {path: $p, visibility: $v}) { project { id } } }";
    let refused = ada.refused(create, json!({ "p": "mine" })).await;
    assert_eq!(refused.code, "FORBIDDEN");
    admin.ok(create, json!({ "p": "hers" })).await;
    admin.add_member("hers", "ada", "OWNER").await;
    let open = "mutation($v: Visibility!) { updateProject(input: {project: \"hers\", visibility: $v}) { project { id } } }";
    assert_eq!(ada.refused(open, json!({ "v": "PUBLIC" })).await.code, "FORBIDDEN");
    ada.ok(open, json!({ "v": "INTERNAL" })).await;
    admin.ok(open, json!({ "v": "PUBLIC" })).await;
    ada.ok(open, json!({ "v": "PUBLIC" })).await;

    let token = "mutation($at: DateTime) { createToken(input: {name: \"t\", expiresAt: $at}) { token { expiresAt } } }";
    let made = ada.ok(token, json!({})).await;
    assert!(
        made["createToken"]["token"]["expiresAt"].is_string(),
        "one without an end gets the last"
    );
    let refused = ada.refused(token, json!({ "at": "2999-01-01T00:00:00Z" })).await;
    assert_eq!((refused.code.as_str(), refused.field.as_str()), ("INVALID", "expiresAt"));
    let sign_in = json!({ "query": format!(
        "mutation {{ signIn(input: {{username: \"ada\", password: \"{}\"}}) {{ user {{ id }} }} }}",
        crate::harness::PASSWORD
    ) });
    let browser = server.anonymous();
    let answer =
        browser.request(reqwest::Method::POST, "/graphql").json(&sign_in).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("Max-Age=86400"), "{cookie}");
}
