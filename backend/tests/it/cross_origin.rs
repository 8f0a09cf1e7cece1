//! Pages of other origins: what those that are allowed can do, and nobody else.

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::harness::{CREATE_PROJECT, Caller, PASSWORD, Server};
use crate::socket::{Heard, Socket, acknowledged};

const DASH: &str = "https://dash.example.org";
const EVIL: &str = "https://evil.example";
const SIGN_IN: &str = "mutation($u: String!, $p: String!) { signIn(input: {username: $u, password: $p}) { user { id } } }";

/// A server with the private model `vision/ocr` and the public one `open/net`, its administrator's token, and a browser in
/// which they are signed in.
async fn start(origins: &str) -> (Server, Caller, Caller) {
    let server = Server::start_with(&["--allowed-origins", origins]).await;
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({"path": "vision"})).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("1.0.0")).await;
    let open =
        "mutation { createProject(input: {path: \"open\", visibility: PUBLIC}) { project { id } }
        createModel(input: {project: \"open\", name: \"net\"}) { model { id } } }";
    admin.ok(open, json!({})).await;
    let http = Client::builder().cookie_store(true).build().unwrap();
    let browser = Caller { token: None, http, ..admin.clone() };
    browser.ok(SIGN_IN, json!({"u": "admin", "p": PASSWORD})).await;
    (server, admin, browser)
}

async fn ask(caller: &Caller, origin: &str, query: &str) -> Response {
    let request = caller.request(Method::POST, "/graphql").header("origin", origin);
    request.json(&json!({"query": query})).send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

const BOTH: &str = "{ viewer { username } hidden: model(path: \"vision/ocr\") { name } model(path: \"open/net\") { name } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_allowed_origin_comes_with_a_token_or_as_nobody() {
    let (server, admin, browser) = start(DASH).await;
    let by_token = ask(&admin, DASH, BOTH).await;
    assert_eq!(header(&by_token, "access-control-allow-origin"), DASH);
    assert!(header(&by_token, "access-control-expose-headers").contains("ETag"));
    assert_eq!(header(&by_token, "access-control-allow-credentials"), "");
    let answer: Value = by_token.json().await.unwrap();
    assert_eq!(answer["data"]["hidden"]["name"], "ocr");
    // A session's cookie, which another subdomain's page sends along, is nothing.
    for caller in [&server.anonymous(), &browser] {
        let answer = ask(caller, DASH, BOTH).await;
        assert_eq!(header(&answer, "access-control-allow-origin"), DASH);
        let answer: Value = answer.json().await.unwrap();
        let nobody = json!({"viewer": null, "hidden": null, "model": {"name": "net"}});
        assert_eq!(answer, json!({"data": nobody}));
    }
    // The browser's own page still has its session.
    let own: Value = ask(&browser, &server.url.clone(), BOTH).await.json().await.unwrap();
    assert_eq!(own["data"]["viewer"]["username"], "admin");
    let change =
        "mutation { createModel(input: {project: \"vision\", name: \"new\"}) { model { id } } }";
    assert_eq!(
        ask(&browser, DASH, change).await.json::<Value>().await.unwrap()["errors"][0]["extensions"]
            ["code"],
        "UNAUTHENTICATED"
    );
    assert!(ask(&admin, DASH, change).await.json::<Value>().await.unwrap()["errors"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_origin_is_refused_as_before() {
    let (server, admin, browser) = start(DASH).await;
    for origin in [
        EVIL,
        "null",
        "https://DASH.example.org",
        "https://dash.example.org.",
        "https://dash.example.org:8443",
        "http://dash.example.org",
        "https://sub.dash.example.org",
        "https://dash.example.org/",
    ] {
        for caller in [&server.anonymous(), &browser] {
            let refused = ask(caller, origin, BOTH).await;
            assert_eq!(refused.status(), 403, "{origin}");
            assert_eq!(header(&refused, "access-control-allow-origin"), "", "{origin}");
        }
        let by_token = ask(&admin, origin, BOTH).await;
        assert_eq!(by_token.status(), 200, "{origin}");
        assert_eq!(header(&by_token, "access-control-allow-origin"), "", "{origin}");
        assert!(
            header(&by_token, "vary").contains("Origin")
                || by_token.headers().get_all("vary").iter().any(|vary| vary == "Origin")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_for_the_registrys_own_pages() {
    let (server, admin, _) = start(DASH).await;
    let sign_in = format!(
        "mutation {{ signIn(input: {{username: \"admin\", password: \"{PASSWORD}\"}}) {{ user {{ id }} }} }}"
    );
    for (caller, query) in [
        (&server.anonymous(), sign_in.as_str()),
        (&admin, "mutation { signOut { __typename } }"),
        (
            &admin,
            "mutation { ...on Mutation { changePassword(input: {current: \"a\", new: \"b\"}) { user { id } } } }",
        ),
        (
            &server.anonymous(),
            "mutation { ...F } fragment F on Mutation { acceptInvitation(input: {secret: \"a\", password: \"b\"}) { user { id } } }",
        ),
    ] {
        let refused = ask(caller, DASH, query).await;
        assert_eq!(
            (refused.status().as_u16(), header(&refused, "set-cookie")),
            (403, ""),
            "{query}"
        );
        assert_eq!(header(&refused, "access-control-allow-origin"), DASH, "the page reads why");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_answered_before_anything_else() {
    let (server, ..) = start(DASH).await;
    let nobody = server.anonymous();
    let preflight = async |path: &str, origin: &str, headers: &str| {
        let request = nobody.request(Method::OPTIONS, path).header("origin", origin);
        let request = request.header("access-control-request-method", "PUT");
        request.header("access-control-request-headers", headers).send().await.unwrap()
    };
    for path in [
        "/graphql",
        "/files/vision/ocr/1.0.0/f",
        "/api/uploads/x",
        "/api/2.0/mlflow/runs/create",
        "/mlflow/vision/api/2.0/mlflow/runs/create",
        "/ajax-api/2.0/mlflow/runs/create",
    ] {
        let answer = preflight(path, DASH, "authorization,content-type").await;
        assert_eq!(answer.status(), 204, "{path}");
        assert_eq!(header(&answer, "access-control-allow-origin"), DASH, "{path}");
        assert_eq!(header(&answer, "access-control-max-age"), "7200");
        assert_eq!(header(&answer, "vary"), "Origin");
        let names = header(&answer, "access-control-allow-headers");
        for name in ["Authorization", "Content-Type", "Range", "Upload-Offset", "Tus-Resumable"] {
            assert!(names.contains(name), "{name}");
        }
        assert!(header(&answer, "access-control-allow-methods").contains("PATCH"));
        assert!(answer.bytes().await.unwrap().is_empty());
        let refused = preflight(path, EVIL, "authorization").await;
        assert_eq!(
            (refused.status().as_u16(), header(&refused, "access-control-allow-origin")),
            (204, "")
        );
    }
    // What tus clients ask is another question.
    let tus = nobody.request(Method::OPTIONS, "/files/vision/ocr/1.0.0/f").header("origin", DASH);
    let tus = tus.send().await.unwrap();
    assert_eq!(
        (header(&tus, "tus-version"), header(&tus, "access-control-allow-origin")),
        ("1.0.0", DASH)
    );
    // Neither the UI nor sign-in are shared.
    for path in ["/", "/vision", "/auth/oidc/sign-in", "/metrics"] {
        let answer = nobody.request(Method::GET, path).header("origin", DASH).send().await.unwrap();
        assert_eq!(header(&answer, "access-control-allow-origin"), "", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_can_be_read_by_the_page_too() {
    let (server, admin, _) = start(DASH).await;
    let wrong = Caller { token: Some("mrt_wrong".to_owned()), ..server.anonymous() };
    let large = "x".repeat(600 << 10);
    for (caller, method, path, body, status) in [
        (&wrong, Method::POST, "/graphql", "{\"query\": \"{ __typename }\"}", 401),
        (&admin, Method::POST, "/graphql", large.as_str(), 413),
        (&admin, Method::GET, "/files/vision/ocr/1.0.0/none", "", 404),
        (&admin, Method::PUT, "/files/vision/ocr/9.9.9/x", "x", 404),
        (&admin, Method::PATCH, "/graphql", "", 405),
    ] {
        let request = caller.request(method, path).header("origin", DASH);
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(header(&answer, "access-control-allow-origin"), DASH, "{path} {status}");
    }
    let put = admin.request(Method::PUT, "/files/vision/ocr/1.0.0/f").header("origin", DASH);
    let put = put.body("abc").send().await.unwrap();
    assert_eq!((put.status().as_u16(), header(&put, "access-control-allow-origin")), (201, DASH));
    let got = admin.request(Method::GET, "/files/vision/ocr/1.0.0/f").header("origin", DASH);
    let got = got.header("if-none-match", header(&put, "etag")).send().await.unwrap();
    assert_eq!((got.status().as_u16(), header(&got, "access-control-allow-origin")), (304, DASH));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_an_allowed_origin_opens_as_nobody() {
    let (server, admin, _) = start(DASH).await;
    assert_eq!(Socket::open(&server.url, &[("origin", EVIL)]).await.err(), Some(403));
    let token = format!("Bearer {}", admin.token.as_deref().unwrap());
    let mut socket = Socket::open(&server.url, &[("origin", DASH)]).await.unwrap();
    assert_eq!(socket.greet(json!({"authorization": token})).await, acknowledged());
    socket.subscribe("1", "modelChanged(model: \"vision/ocr\") { name }").await;
    let Heard::Message(item) = socket.hear().await else { panic!("it goes on") };
    assert_eq!(item["payload"]["data"]["modelChanged"]["name"], "ocr");
    // A session's cookie is not looked at.
    let cookie = session_cookie(&server).await;
    let headers = [("origin", DASH), ("cookie", cookie.as_str())];
    let mut socket = Socket::open(&server.url, &headers).await.unwrap();
    assert_eq!(socket.greet(json!({})).await, acknowledged());
    socket.subscribe("1", "modelChanged(model: \"vision/ocr\") { name }").await;
    let Heard::Message(refused) = socket.hear().await else { panic!("it goes on") };
    assert_eq!(refused["payload"][0]["extensions"]["code"], "NOT_FOUND");
}

/// The cookie of a new session of the administrator.
async fn session_cookie(server: &Server) -> String {
    let body = json!({"query": SIGN_IN, "variables": {"u": "admin", "p": PASSWORD}});
    let signed = server.anonymous().request(Method::POST, "/graphql").json(&body).send().await;
    let signed = signed.unwrap();
    header(&signed, "set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_origin_may_be_allowed_to_see_what_is_public() {
    let (server, admin, browser) = start("*,https://dash.example.org").await;
    for caller in [&server.anonymous(), &browser] {
        let answer = ask(caller, EVIL, BOTH).await;
        assert_eq!(header(&answer, "access-control-allow-origin"), "*");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(
            answer["data"],
            json!({"viewer": null, "hidden": null, "model": {"name": "net"}})
        );
    }
    // With a token only those that are named.
    assert_eq!(header(&ask(&admin, EVIL, BOTH).await, "access-control-allow-origin"), "");
    assert_eq!(header(&ask(&admin, DASH, BOTH).await, "access-control-allow-origin"), DASH);
    let request = server.anonymous().request(Method::OPTIONS, "/graphql").header("origin", EVIL);
    let request = request.header("access-control-request-method", "POST");
    let asked = |headers: &str| {
        request.try_clone().unwrap().header("access-control-request-headers", headers).send()
    };
    let without = asked("content-type").await.unwrap();
    assert_eq!(header(&without, "access-control-allow-origin"), "*");
    assert!(!header(&without, "access-control-allow-headers").contains("Authorization"));
    let with = asked("content-type, authorization").await.unwrap();
    assert_eq!(header(&with, "access-control-allow-origin"), "");
    // Over a socket neither.
    let mut socket = Socket::open(&server.url, &[("origin", EVIL)]).await.unwrap();
    let token = format!("Bearer {}", admin.token.as_deref().unwrap());
    let Heard::Closed(code, _) = socket.greet(json!({"authorization": token})).await else {
        panic!("it goes on")
    };
    assert_eq!(code, 4403);
}
