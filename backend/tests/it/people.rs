//! People: invitations, passwords, sessions, how often one may guess, and that no secret leaks.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model_registry::role::TokenScope;
use model_registry::time::Clock;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Caller, PASSWORD, Server};

const SIGN_IN: &str = "mutation($u: String!, $p: String!) { signIn(input: {username: $u, password: $p}) { user { username } } }";

fn browser(server: &Server) -> Caller {
    Caller { http: Client::builder().cookie_store(true).build().unwrap(), ..server.anonymous() }
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_admin_is_awaited_is_said_until_they_signed_in() {
    let server = Server::start().await;
    let anonymous = server.anonymous();
    let awaited = async || {
        let answer = anonymous.ok("{ signInMethods { awaitsAdmin } }", json!({})).await;
        answer["signInMethods"]["awaitsAdmin"].as_bool().unwrap()
    };
    assert!(awaited().await);
    anonymous.refused(SIGN_IN, json!({"u": "admin", "p": "wrong"})).await;
    assert!(awaited().await);
    browser(&server).ok(SIGN_IN, json!({"u": "admin", "p": PASSWORD})).await;
    assert!(!awaited().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_wrong_passwords_slow_down_that_account_from_that_address_only() {
    let server = Server::start_with(&["--trusted-proxies", "127.0.0.1"]).await;
    let admin = server.admin().await;
    admin.invite("ada").await;
    let try_in = async |username: &str, password: &str, from: &str| {
        let body = json!({"query": SIGN_IN, "variables": {"u": username, "p": password}});
        let request = server.anonymous().request(Method::POST, "/graphql").json(&body);
        let answer: Value =
            request.header("x-forwarded-for", from).send().await.unwrap().json().await.unwrap();
        answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("in").to_owned()
    };
    let wrong = async |number: usize| {
        // What the client itself writes in front of the proxy's own entry is not believed.
        let from = format!("203.0.113.{number}, 192.0.2.1");
        try_in("ada", "wrong", &from).await
    };
    for number in 0..20 {
        assert_eq!(wrong(number).await, "UNAUTHENTICATED");
    }
    assert_eq!(wrong(21).await, "RATE_LIMITED");
    assert_eq!(try_in("ada", PASSWORD, "192.0.2.1").await, "RATE_LIMITED", "guessed right or not");
    assert_eq!(try_in("ada", PASSWORD, "192.0.2.2").await, "in", "ada, from elsewhere");
    assert_eq!(try_in("admin", PASSWORD, "192.0.2.1").await, "in", "another one, from there");
    for _ in 0..20 {
        assert_eq!(try_in("nobody", "wrong", "192.0.2.3").await, "UNAUTHENTICATED");
    }
    assert_eq!(
        try_in("nobody", "wrong", "192.0.2.3").await,
        "RATE_LIMITED",
        "as if they were there"
    );
    let log = "{ events(filter: {action: \"session.create\", refused: true}) { totalCount } last: events(filter: {action: \"session.create\", refused: true}, last: 1) { nodes { subject address actor { id } } } }";
    let log = admin.ok(log, json!({})).await;
    assert_eq!(log["events"]["totalCount"], 40);
    assert_eq!(
        log["last"]["nodes"][0],
        json!({"subject": "ada", "address": "192.0.2.1", "actor": null})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_works_once_and_until_it_expires() {
    let now = Arc::new(AtomicI64::new(1_800_000_000_000));
    let server = Server::start_at(Clock::Fixed(now.clone())).await;
    let admin = server.admin().await;
    let invite = "mutation($u: String!) { inviteUser(input: {username: $u, name: \"Ada L.\"}) { user { state } invitation { url expiresAt } } }";
    let secret = |made: &Value, field: &str| {
        let url = made[field]["invitation"]["url"].as_str().unwrap().to_owned();
        url.strip_prefix("/invitation#").unwrap().to_owned()
    };
    let made = admin.ok(invite, json!({"u": "ada"})).await;
    assert_eq!(made["inviteUser"]["user"]["state"], "INVITED");
    let first = secret(&made, "inviteUser");
    for name in ["Ada", "", "a b", "-a", "ada"] {
        assert!(
            ["INVALID", "ALREADY_EXISTS"]
                .contains(&&*admin.refused(invite, json!({"u": name})).await.code)
        );
    }
    let look = "query($s: String!) { invitation(secret: $s) { username name } }";
    let anonymous = server.anonymous();
    assert_eq!(anonymous.ok(look, json!({"s": first})).await["invitation"]["username"], "ada");
    let accept = "mutation($s: String!, $p: String!) { acceptInvitation(input: {secret: $s, password: $p}) { user { name } } }";
    assert_eq!(
        anonymous.refused(accept, json!({"s": first, "p": "short"})).await.field,
        "password"
    );
    let ada = browser(&server);
    ada.ok(accept, json!({"s": first, "p": PASSWORD})).await;
    assert_eq!(
        ada.ok("{ viewer { state isAdmin } }", json!({})).await["viewer"],
        json!({"state": "ACTIVE", "isAdmin": false})
    );
    assert_eq!(
        anonymous.refused(accept, json!({"s": first, "p": PASSWORD})).await.code,
        "NOT_FOUND"
    );
    assert_eq!(anonymous.ok(look, json!({"s": first})).await["invitation"], Value::Null);

    let reset = "mutation { resetUser(input: {username: \"ada\"}) { invitation { url } } }";
    let second = secret(&admin.ok(reset, json!({})).await, "resetUser");
    assert_eq!(ada.ok("{ viewer { id } }", json!({})).await["viewer"], Value::Null, "sessions end");
    assert_eq!(
        anonymous.refused(SIGN_IN, json!({"u": "ada", "p": PASSWORD})).await.code,
        "UNAUTHENTICATED"
    );
    let third = secret(&admin.ok(reset, json!({})).await, "resetUser");
    assert_eq!(
        anonymous.refused(accept, json!({"s": second, "p": PASSWORD})).await.code,
        "NOT_FOUND"
    );
    now.fetch_add(8 * 24 * 3600 * 1000, Ordering::Relaxed);
    assert_eq!(
        anonymous.refused(accept, json!({"s": third, "p": PASSWORD})).await.code,
        "NOT_FOUND"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_revoked_and_end_when_the_password_changes() {
    let server = Server::start().await;
    server.admin().await.invite("ada").await;
    let (desk, phone) = (browser(&server), browser(&server));
    for one in [&desk, &phone] {
        one.ok(SIGN_IN, json!({"u": "ada", "p": PASSWORD})).await;
    }
    let token = server.person("ada", TokenScope::Admin).await;
    let list = "{ viewer { sessions { id name address current } } }";
    let sessions = desk.ok(list, json!({})).await["viewer"]["sessions"].take();
    assert_eq!(sessions.as_array().unwrap().len(), 3, "and the one of the invitation");
    assert_eq!((&sessions[1]["current"], &sessions[0]["current"]), (&json!(true), &json!(false)));
    assert_eq!(sessions[0]["address"], "127.0.0.1");
    let revoke = "mutation($id: ID!) { revokeSession(input: {id: $id}) { session { id } } }";
    desk.ok(revoke, json!({"id": sessions[0]["id"]})).await;
    let viewer = "{ viewer { username } }";
    assert_eq!(phone.ok(viewer, json!({})).await["viewer"], Value::Null);
    let other = server.admin().await;
    assert_eq!(other.refused(revoke, json!({"id": sessions[1]["id"]})).await.code, "NOT_FOUND");

    phone.ok(SIGN_IN, json!({"u": "ada", "p": PASSWORD})).await;
    let change = "mutation($c: String!, $n: String!) { changePassword(input: {currentPassword: $c, newPassword: $n}) { user { username } } }";
    let new = "another long password";
    assert_eq!(
        desk.refused(change, json!({"c": "wrong", "n": new})).await.field,
        "currentPassword"
    );
    assert_eq!(
        desk.refused(change, json!({"c": PASSWORD, "n": "short"})).await.field,
        "newPassword"
    );
    desk.ok(change, json!({"c": PASSWORD, "n": new})).await;
    assert_eq!(phone.ok(viewer, json!({})).await["viewer"], Value::Null);
    assert_eq!(desk.ok(viewer, json!({})).await["viewer"]["username"], "ada", "with a new session");
    assert_eq!(token.ok(viewer, json!({})).await["viewer"]["username"], "ada", "tokens stay");
    assert_eq!(
        phone.refused(SIGN_IN, json!({"u": "ada", "p": PASSWORD})).await.code,
        "UNAUTHENTICATED"
    );
    phone.ok(SIGN_IN, json!({"u": "ada", "p": new})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_deleted_is_out_and_what_they_did_names_them() {
    let server = Server::start().await;
    let admin = server.admin().await;
    admin.invite("ada").await;
    let ada = server.person("ada", TokenScope::Write).await;
    ada.ok("mutation { createProject(input: {path: \"hers\", visibility: INTERNAL}) { project { viewerRole } } }", json!({})).await;
    let owner = "mutation { addMember(input: {project: \"hers\", username: \"admin\", role: OWNER}) { member { id } } }";
    admin.ok(owner, json!({})).await;
    let delete = "mutation($u: String!) { deleteUser(input: {username: $u}) { user { state } } }";
    assert_eq!(admin.refused(delete, json!({"u": "admin"})).await.code, "CONFLICT", "not oneself");
    admin.ok(delete, json!({"u": "ada"})).await;
    assert_eq!(ada.refused("{ viewer { id } }", json!({})).await.code, "UNAUTHENTICATED");
    let shown = "{ project(path: \"hers\") { author { username } members { totalCount } } users { totalCount }
        gone: users(state: DELETED) { nodes { username state } } }";
    let shown = admin.ok(shown, json!({})).await;
    assert_eq!(
        shown["project"],
        json!({"author": {"username": "ada"}, "members": {"totalCount": 1}})
    );
    assert_eq!(
        (&shown["users"]["totalCount"], &shown["gone"]["nodes"][0]["state"]),
        (&json!(1), &json!("DELETED"))
    );
    let again = "mutation { inviteUser(input: {username: \"ada\"}) { user { id } } }";
    assert_eq!(admin.refused(again, json!({})).await.code, "ALREADY_EXISTS", "the name stays hers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_as_bearer_and_as_the_password_of_anybody() {
    let (server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    let token = admin.token.clone().unwrap();
    let get = |value: String| {
        let request = server.anonymous().request(Method::GET, "/files/vision/ocr/1.0.0");
        async move { request.header("authorization", value).send().await.unwrap().status() }
    };
    use base64::Engine;
    let basic = |pair: &str| base64::engine::general_purpose::STANDARD.encode(pair);
    assert_eq!(get(format!("bearer  {token}")).await, StatusCode::OK);
    for name in ["oauth2", "", "admin", "with:colon"] {
        let expected = if name.contains(':') { 401 } else { 200 };
        assert_eq!(
            get(format!("Basic {}", basic(&format!("{name}:{token}")))).await,
            expected,
            "{name}"
        );
    }
    let password = |password: &str| format!("Basic {}", basic(&format!("admin:{password}")));
    for _ in 0..2 {
        assert_eq!(get(password(PASSWORD)).await, StatusCode::OK, "so do one's own two");
    }
    for wrong in [
        password("not the password"),
        format!("Basic {token}"),
        "Basic !!!".into(),
        format!("Digest {token}"),
        token,
    ] {
        assert_eq!(get(wrong).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_auth_everybody_on_this_machine_is_admin_and_other_names_are_refused() {
    let server = Server::start_with(&["--no-auth"]).await;
    let anybody = server.anonymous();
    let viewer = "{ viewer { username isAdmin } }";
    assert_eq!(anybody.ok(viewer, json!({})).await["viewer"]["isAdmin"], true);
    anybody
        .ok("mutation { createProject(input: {path: \"p\"}) { project { id } } }", json!({}))
        .await;
    // A page of another site whose name leads here, and one that sends without asking.
    let ask = |header: &'static str, value: &'static str| {
        let request = anybody.request(Method::POST, "/graphql").json(&json!({"query": viewer}));
        async move { request.header(header, value).send().await.unwrap().status() }
    };
    assert_eq!(ask("host", "evil.example").await, StatusCode::FORBIDDEN);
    assert_eq!(ask("origin", "https://evil.example").await, StatusCode::FORBIDDEN);
    let refused = Command::new(env!("CARGO_BIN_EXE_model-registry"))
        .args(["serve", "--no-auth", "--listen", "0.0.0.0:0", "--data", "/nonexistent"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("loopback"));
}

/// Tokens, passwords and invitations are in no log, no database file and no answer but the one that
/// gives them.
#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_nowhere_to_be_found() {
    let data = tempfile::tempdir().unwrap();
    let log = data.path().join("log");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = Command::new(env!("CARGO_BIN_EXE_model-registry"))
        .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(data.path())
        .env("MODEL_REGISTRY_ADMIN_PASSWORD", PASSWORD)
        .env("RUST_LOG", "trace")
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let anonymous =
        Caller { url: url.clone(), token: None, http: Client::new(), endpoint: "/graphql" };
    while anonymous.http.get(format!("{url}/readyz")).send().await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let browser =
        Caller { http: Client::builder().cookie_store(true).build().unwrap(), ..anonymous.clone() };
    let body = json!({"query": SIGN_IN, "variables": {"u": "admin", "p": PASSWORD}});
    let response = browser.request(Method::POST, "/graphql").json(&body).send().await.unwrap();
    let cookie = response.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .split(['=', ';'])
        .nth(1)
        .unwrap()
        .to_owned();
    let made = browser.ok("mutation { createToken(input: {name: \"t\", scope: ADMIN}) { secret } inviteUser(input: {username: \"ada\"}) { invitation { url } } }", json!({})).await;
    let token = made["createToken"]["secret"].as_str().unwrap().to_owned();
    let invitation = made["inviteUser"]["invitation"]["url"]
        .as_str()
        .unwrap()
        .split('#')
        .nth(1)
        .unwrap()
        .to_owned();
    let script = Caller { token: Some(token.clone()), ..anonymous.clone() };
    let stranger = Caller { token: Some(format!("{token}x")), ..anonymous.clone() };
    let mut answers = Vec::new();
    for caller in [&script, &stranger] {
        answers.push(
            caller
                .graphql("{ viewer { tokens { name } sessions { name } } nonsense }", json!({}))
                .await
                .to_string(),
        );
        for path in ["/files/no/thing/1.0.0", "/api/events", "/api/nothing", "/graphql", "/metrics"]
        {
            let response = caller.get(path).await;
            answers.push(format!(
                "{:?} {}",
                response.headers().clone(),
                response.text().await.unwrap()
            ));
        }
        caller.put("/files/no/thing/1.0.0/f", "x").await;
    }
    let accept = "mutation($s: String!) { acceptInvitation(input: {secret: $s, password: \"x\"}) { user { id } } }";
    answers.push(anonymous.graphql(accept, json!({"s": invitation})).await.to_string());
    answers
        .push(anonymous.graphql("{ invitation(secret: 1) { name } }", json!({})).await.to_string());
    answers.push(
        script.ok("{ events { nodes { action subject detail } } }", json!({})).await.to_string(),
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert_nowhere(&[&token, &cookie, &invitation, PASSWORD], answers, data.path());
}

/// That no secret is in an answer or in a file of the folder.
fn assert_nowhere(secrets: &[&str], answers: Vec<String>, data: &std::path::Path) {
    let mut places: Vec<(String, Vec<u8>)> =
        answers.into_iter().map(|answer| (answer.clone(), answer.into_bytes())).collect();
    for entry in std::fs::read_dir(data).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            places.push((
                entry.file_name().to_string_lossy().into(),
                std::fs::read(entry.path()).unwrap(),
            ));
        }
    }
    assert!(places.iter().any(|(name, bytes)| name.contains("sqlite") && bytes.len() > 10_000));
    assert!(places.iter().any(|(name, bytes)| name == "log" && !bytes.is_empty()));
    for secret in secrets {
        for (name, bytes) in &places {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
    }
}

/// A request can last: what its caller may is looked at again when it changes something.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_shut_out_while_a_request_arrives_changes_nothing() {
    let (server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    let upload_of = async |name: &'static str| {
        admin.invite(name).await;
        admin.add_member("vision", name, "DEVELOPER").await;
        let caller = server.person(name, TokenScope::Admin).await;
        let (sender, body) = halved(name);
        let path = format!("/files/vision/ocr/1.0.0/{name}");
        let request = caller.request(Method::PUT, &path).body(body);
        (tokio::spawn(request.send()), sender)
    };
    let mut uploads = Vec::new();
    for name in ["blocked", "deleted", "removed", "left"] {
        uploads.push(upload_of(name).await);
    }
    // What they may was looked at: their bodies are being read.
    server.wait_for_arriving(4).await;
    admin
        .ok(
            "mutation { blockUser(input: {username: \"blocked\"}) { user { id } }
                deleteUser(input: {username: \"deleted\"}) { user { id } }
                removeMember(input: {project: \"vision\", username: \"removed\"}) { member { id } } }",
            json!({}),
        )
        .await;
    let mut statuses = Vec::new();
    for (response, sender) in uploads {
        sender.send(()).unwrap();
        statuses.push(response.await.unwrap().unwrap().status().as_u16());
    }
    assert_eq!(statuses, [401, 401, 404, 201]);
    assert_eq!(server.count("SELECT COUNT(*) FROM files").await, 1);
}

/// A body of which one half waits until it is told to go on.
fn halved(text: &'static str) -> (tokio::sync::oneshot::Sender<()>, reqwest::Body) {
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let halves =
        futures_util::stream::unfold((0, Some(receiver)), move |(part, receiver)| async move {
            match part {
                0 => Some((Ok::<_, std::io::Error>(text), (1, receiver))),
                1 => {
                    receiver?.await.ok();
                    Some((Ok(text), (2, None)))
                }
                _ => None,
            }
        });
    (sender, reqwest::Body::wrap_stream(halves))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_old_password_is_good_for_one_change() {
    let server = Server::start().await;
    server.admin().await.invite("ada").await;
    let ada = server.person("ada", TokenScope::Admin).await;
    let change = "mutation($c: String!) { a: changePassword(input: {currentPassword: $c, newPassword: \"first new password\"}) { user { id } }
        b: changePassword(input: {currentPassword: $c, newPassword: \"second new password\"}) { user { id } } }";
    assert_eq!(ada.refused(change, json!({"c": PASSWORD})).await.code, "CONFLICT");
    server.anonymous().ok(SIGN_IN, json!({"u": "ada", "p": "first new password"})).await;
}
