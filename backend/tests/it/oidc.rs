//! Sign-in with OpenID Connect, as far as it goes without a real provider; `e2e/browser/oidc.spec.ts`
//! goes all the way.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use model_registry::access::Actor;
use model_registry::access::user::User;
use model_registry::error::Error;
use model_registry::oidc;
use model_registry::registry::people::identity::{self, Identity};
use openidconnect::url::Url;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{CREATE_PROJECT, Caller, Server, serve_config};

const SIGN_IN: &str = "mutation($u: String!, $p: String!) {
    signIn(input: {username: $u, password: $p}) { user { username } } }";

fn anna(groups: &[&str]) -> Identity {
    Identity {
        issuer: "https://login.example.org".to_owned(),
        subject: "7".to_owned(),
        username: "Anna".to_owned(),
        name: Some("Anna Müller".to_owned()),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

async fn signed_in(server: &Server, identity: &Identity) -> User {
    let user = identity::sign_in(&server.app, &Actor::default(), identity).await;
    user.unwrap_or_else(|error| panic!("{}", error.message()))
}

async fn rows(server: &Server, sql: &'static str) -> Vec<String> {
    let rows: Vec<(String,)> =
        model_registry::db::query(sql).fetch_all(&server.app.db).await.unwrap();
    rows.into_iter().map(|(row,)| row).collect()
}

async fn roles(server: &Server) -> Vec<String> {
    let sql =
        "SELECT p.path || ' ' || u.username || ' ' || m.role || ' ' || m.source FROM members m
        JOIN projects p ON p.id = m.project_id JOIN users u ON u.id = m.user_id
        WHERE u.username <> 'admin' ORDER BY 1";
    rows(server, sql).await
}

async fn run(server: &Server, sql: &str) {
    server.app.db.run_script(sql).await.unwrap();
}

/// A server with projects, where some groups have rights.
async fn with_groups(rights: &[&str]) -> Server {
    let flags: Vec<&str> = rights.iter().flat_map(|right| ["--oidc-groups", right]).collect();
    let server = Server::start_with(&flags).await;
    let admin = server.admin().await;
    for path in ["vision", "speech", "tables"] {
        admin.ok(CREATE_PROJECT, json!({ "path": path })).await;
    }
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_sign_in_makes_a_user_and_later_ones_find_it() {
    let server = Server::start().await;
    let made = signed_in(&server, &anna(&[])).await;
    assert_eq!((made.username.as_str(), made.name.as_str()), ("anna", "Anna Müller"));
    assert!(!made.is_admin);
    // Elsewhere they may get another name, e-mail and user name: they are the same person.
    let later = Identity {
        username: "anna.schmidt".to_owned(),
        name: Some(" Anna\nSchmidt ".to_owned()),
        ..anna(&[])
    };
    let found = signed_in(&server, &later).await;
    assert_eq!((found.id, found.username), (made.id.clone(), made.username));
    assert_eq!(found.name, "AnnaSchmidt");
    let nameless = Identity { name: None, ..anna(&[]) };
    assert_eq!(signed_in(&server, &nameless).await.name, "AnnaSchmidt");
    let events =
        "SELECT action || ' ' || subject FROM events WHERE action LIKE 'user.%' ORDER BY id";
    assert_eq!(rows(&server, events).await, ["user.create anna", "user.update anna"]);

    let subjectless = Identity { subject: String::new(), ..anna(&[]) };
    assert!(identity::sign_in(&server.app, &Actor::default(), &subjectless).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_over_an_account_by_its_name() {
    let server = Server::start().await;
    let first = Identity { username: "admin".to_owned(), ..anna(&[]) };
    let long = "a".repeat(63);
    let mut names = vec![signed_in(&server, &first).await.username];
    // The same subject of another issuer is somebody else.
    for (issuer, subject, username) in [
        ("https://other.example.org", "7", "ADMIN@example.org"),
        ("https://login.example.org", "8", long.as_str()),
        ("https://login.example.org", "9", long.as_str()),
    ] {
        let next = Identity {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            username: username.to_owned(),
            ..anna(&[])
        };
        names.push(signed_in(&server, &next).await.username);
    }
    assert_eq!(names, ["admin-2", "admin-3", &long, &format!("{}-2", &long[..61])]);
    assert_eq!(server.count("SELECT COUNT(*) FROM users WHERE is_admin").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_a_password_cannot_sign_in_with_one() {
    let server = Server::start().await;
    signed_in(&server, &anna(&[])).await;
    for password in ["", "x"] {
        let anonymous = server.anonymous();
        let refusal = anonymous.refused(SIGN_IN, json!({"u": "anna", "p": password})).await;
        assert_eq!(refusal.code, "UNAUTHENTICATED");
        assert_eq!(refusal.message, "Incorrect username or password.");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_first_sign_ins_at_once_make_one_user() {
    let server = with_groups(&["team=vision:GUEST"]).await;
    let identity = anna(&["team"]);
    let somebody = Actor::default();
    let sign_ins = (0..8).map(|_| identity::sign_in(&server.app, &somebody, &identity));
    for user in futures_util::future::join_all(sign_ins).await {
        assert_eq!(user.unwrap_or_else(|error| panic!("{}", error.message())).username, "anna");
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM users WHERE username <> 'admin'").await, 1);
    assert_eq!(roles(&server).await, ["vision anna GUEST OIDC"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_follow_groups_and_leave_what_people_gave() {
    let server = with_groups(&[
        "readers=vision:GUEST,readers=nowhere:OWNER",
        "writers=vision:DEVELOPER",
        "writers=speech:MAINTAINER",
        "readers=tables:GUEST",
    ])
    .await;
    signed_in(&server, &anna(&["strangers"])).await;
    assert_eq!(roles(&server).await, [""; 0]);
    run(
        &server,
        "INSERT INTO members (id, project_id, user_id, role, source, created_at_ms)
         SELECT 'm', p.id, u.id, 'MAINTAINER', 'MANUAL', 0 FROM projects p, users u
         WHERE p.path = 'tables' AND u.username = 'anna'",
    )
    .await;
    let manual = "tables anna MAINTAINER MANUAL";
    for (groups, expected) in [
        (vec!["readers"], vec![manual, "vision anna GUEST OIDC"]),
        (
            vec!["writers", "readers"],
            vec!["speech anna MAINTAINER OIDC", manual, "vision anna DEVELOPER OIDC"],
        ),
        (
            vec!["writers", "readers"],
            vec!["speech anna MAINTAINER OIDC", manual, "vision anna DEVELOPER OIDC"],
        ),
        (vec!["readers"], vec![manual, "vision anna GUEST OIDC"]),
        (vec![], vec![manual]),
    ] {
        signed_in(&server, &anna(&groups)).await;
        assert_eq!(roles(&server).await, expected, "{groups:?}");
    }
    let events =
        "SELECT e.action || ' ' || e.subject FROM events e JOIN projects p ON p.id = e.project_id
        JOIN users u ON u.id = e.actor_id
        WHERE e.action LIKE 'member.%' AND u.username = 'anna' ORDER BY e.id";
    let expected = [
        "member.add vision: anna",
        "member.update vision: anna",
        "member.add speech: anna",
        "member.update vision: anna",
        "member.remove speech: anna",
        "member.remove vision: anna",
    ];
    let mut found = rows(&server, events).await;
    // In which order the projects of one sign-in are visited is no matter.
    assert_eq!(found.len(), expected.len(), "{found:?}");
    found[3..5].sort_by_key(|event| event.contains("remove"));
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_owner_stays_and_so_does_the_last_admin() {
    let server = with_groups(&["owners=vision:OWNER", "all=vision:GUEST", "ops=admin"]).await;
    run(&server, "DELETE FROM members").await;
    let bob =
        |groups: &[&str]| Identity { subject: "8".into(), username: "bob".into(), ..anna(groups) };
    signed_in(&server, &anna(&["owners"])).await;
    signed_in(&server, &anna(&["all"])).await;
    signed_in(&server, &anna(&[])).await;
    assert_eq!(roles(&server).await, ["vision anna OWNER OIDC"]);
    signed_in(&server, &bob(&["owners"])).await;
    signed_in(&server, &anna(&["all"])).await;
    assert_eq!(roles(&server).await, ["vision anna GUEST OIDC", "vision bob OWNER OIDC"]);

    assert!(signed_in(&server, &anna(&["ops"])).await.is_admin);
    assert!(!signed_in(&server, &bob(&["owners"])).await.is_admin);
    assert!(!signed_in(&server, &anna(&["owners"])).await.is_admin);
    assert!(signed_in(&server, &anna(&["ops"])).await.is_admin);
    run(&server, "UPDATE users SET is_admin = FALSE WHERE username = 'admin'").await;
    assert!(signed_in(&server, &anna(&[])).await.is_admin, "the last one");
    assert!(signed_in(&server, &bob(&["ops"])).await.is_admin);
    assert!(!signed_in(&server, &anna(&[])).await.is_admin);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_blocked_or_deleted_stays_out_and_unchanged() {
    let server = with_groups(&["team=vision:GUEST"]).await;
    signed_in(&server, &anna(&[])).await;
    for column in ["blocked_at_ms", "deleted_at_ms"] {
        run(&server, &format!("UPDATE users SET {column} = 1 WHERE username = 'anna'")).await;
        let renamed = Identity { name: Some("Eve".to_owned()), ..anna(&["team"]) };
        let refused = identity::sign_in(&server.app, &Actor::default(), &renamed).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{column}");
        run(&server, &format!("UPDATE users SET {column} = NULL WHERE username = 'anna'")).await;
    }
    assert_eq!(roles(&server).await, [""; 0]);
    assert_eq!(signed_in(&server, &anna(&[])).await.name, "Anna Müller");
}

/// What a provider says of itself; it signs nothing.
async fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    let answer =
        |json: Value| async move { ([(CONTENT_TYPE, "application/json")], json.to_string()) };
    let routes = Router::new()
        .route("/.well-known/openid-configuration", get(move || answer(metadata.clone())))
        .route("/keys", get(move || answer(json!({ "keys": [] }))));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    issuer
}

/// A browser that shows where it is sent instead of going there.
fn browser(server: &Server) -> Caller {
    let http = Client::builder().redirect(Policy::none()).build().unwrap();
    Caller { http, ..server.anonymous() }
}

async fn start(issuer: &str, more: &[&str]) -> Server {
    let flags = ["--oidc-issuer", issuer, "--oidc-client-id", "registry"];
    Server::start_with(&[&flags, more].concat()).await
}

fn location(response: &Response) -> &str {
    assert_eq!(response.status(), 303);
    assert_eq!(response.headers()["cache-control"], "no-store");
    response.headers()["location"].to_str().unwrap()
}

fn set_cookie(response: &Response) -> String {
    let all = response.headers().get_all("set-cookie").iter();
    let all: Vec<_> = all.map(|value| value.to_str().unwrap()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].to_owned()
}

/// The pending sign-in in a cookie that a test may change.
fn opened(cookie: &str) -> Value {
    let value = cookie.split(['=', ';']).nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(value).unwrap()).unwrap()
}

fn sealed(pending: &Value) -> String {
    format!("model_registry_oidc={}", BASE64_URL_SAFE_NO_PAD.encode(pending.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_is_sent_to_the_provider_with_state_nonce_and_pkce() {
    let issuer = provider().await;
    let server = start(&issuer, &["--public-url", "https://models.example.org"]).await;
    let response = browser(&server).get("/auth/oidc/sign-in?next=/vision").await;
    let url = Url::parse(location(&response)).unwrap();
    let asked: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    let pending = opened(&set_cookie(&response));
    assert!(url.as_str().starts_with(&format!("{issuer}/authorize?")));
    assert_eq!(asked["redirect_uri"], "https://models.example.org/auth/oidc/callback");
    assert_eq!(asked["scope"], "openid profile email");
    assert_eq!((&*asked["response_type"], &*asked["client_id"]), ("code", "registry"));
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["state"], pending["state"]);
    assert_eq!(asked["nonce"], pending["nonce"]);
    assert_eq!(pending["next"], "/vision");
    assert!(!url.as_str().contains(pending["verifier"].as_str().unwrap()));

    let cookie = set_cookie(&response);
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert!(pair.starts_with("__Host-model_registry_oidc="));
    assert_eq!(attributes, "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=600");

    // Nothing is the same a second time, and no other server is a place to go on to.
    let again = browser(&server).get("/auth/oidc/sign-in?next=//evil.example").await;
    let other = opened(&set_cookie(&again));
    assert_eq!(other["next"], "/");
    for secret in ["state", "nonce", "verifier"] {
        assert_ne!(other[secret], pending[secret]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_browser_that_began_comes_back_once_and_soon() {
    let server = start(&provider().await, &["--public-url", "http://127.0.0.1:1"]).await;
    let browser = browser(&server);
    let began = set_cookie(&browser.get("/auth/oidc/sign-in").await);
    assert!(began.ends_with("; HttpOnly; SameSite=Lax; Path=/auth/oidc; Max-Age=600"), "{began}");
    let right = opened(&began);
    let state = right["state"].as_str().unwrap();
    let changed = |key: &str, value: Value| {
        let mut pending = right.clone();
        pending[key] = value;
        sealed(&pending)
    };
    let at_ms = right["at_ms"].as_i64().unwrap();
    let cookie = sealed(&right);
    for (cookie, query, shown) in [
        ("", format!("state={state}&code=c"), "expired"),
        ("model_registry_oidc=%", format!("state={state}&code=c"), "expired"),
        (&cookie, "code=c".to_owned(), "expired"),
        (&cookie, format!("state={state}x&code=c"), "expired"),
        (&changed("at_ms", json!(at_ms - 601_000)), format!("state={state}&code=c"), "expired"),
        (&changed("at_ms", json!(at_ms + 60_000)), format!("state={state}&code=c"), "expired"),
        (&changed("next", json!("//evil.example")), format!("state={state}&code=c"), "expired"),
        (&cookie, format!("state={state}&error=access_denied"), "denied"),
        (&cookie, format!("state={state}&error=server_error"), "failed"),
        (&cookie, format!("state={state}&code=c&iss=https://evil.example"), "failed"),
        (&cookie, format!("state={state}&code=c&code=d"), "failed"),
        (&cookie, format!("state={state}&code="), "failed"),
        (&cookie, format!("state={state}"), "failed"),
        // The provider of this test has no token endpoint.
        (&cookie, format!("state={state}&code=c"), "failed"),
    ] {
        let path = format!("/auth/oidc/callback?{query}");
        let request = browser.request(reqwest::Method::GET, &path).header("cookie", cookie);
        let response = request.send().await.unwrap();
        assert_eq!(location(&response), format!("/sign-in?error={shown}"), "{query}");
        let ended = "model_registry_oidc=; HttpOnly; SameSite=Lax; Path=/auth/oidc; Max-Age=0";
        assert_eq!(set_cookie(&response), ended);
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM credentials").await, 0);
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_lives_without_its_provider() {
    let server = start("http://127.0.0.1:1", &[]).await;
    let response = browser(&server).get("/auth/oidc/sign-in").await;
    assert_eq!(location(&response), "/sign-in?error=failed");
    assert_eq!(server.anonymous().get("/readyz").await.status(), 200);
    let without = Server::start().await;
    assert_eq!(without.anonymous().get("/auth/oidc/sign-in").await.status(), 404);
    assert_eq!(without.anonymous().get("/auth/oidc/callback").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_can_be_switched_off() {
    let server = start("http://127.0.0.1:1", &["--no-password-sign-in"]).await;
    let admin = json!({"u": "admin", "p": crate::harness::PASSWORD});
    assert_eq!(server.anonymous().refused(SIGN_IN, admin).await.code, "FORBIDDEN");
    let viewer = server.admin().await.ok("{ viewer { username } }", json!({})).await;
    assert_eq!(viewer["viewer"]["username"], "admin", "tokens still work");
}

#[test]
fn a_configuration_that_lets_nobody_in_is_refused() {
    let issuer = ["--oidc-issuer", "https://login.example.org", "--oidc-client-id", "registry"];
    let listen = ["--listen", "0.0.0.0:8080"];
    let public = ["--public-url", "https://models.example.org"];
    let check = |flags: &[&[&'static str]]| {
        let base = ["model-registry", "serve"];
        oidc::check(&serve_config([&base[..], &flags.concat()].concat().iter()))
    };
    let field = |result: Result<(), Error>| result.unwrap_err().field().map(str::to_owned);
    assert!(check(&[]).is_ok() && check(&[&issuer]).is_ok() && check(&[&listen]).is_ok());
    assert!(check(&[&issuer, &listen, &public]).is_ok());
    assert_eq!(field(check(&[&issuer, &listen])).as_deref(), Some("--public-url"));
    assert_eq!(field(check(&[&["--no-password-sign-in"]])).as_deref(), Some("--oidc-issuer"));
}
