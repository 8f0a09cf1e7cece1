//! Downloads that the object store sends itself, and those that it does not. Most need one to try:
//! `MODEL_REGISTRY_TEST_STORAGE`.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model_registry::db::query;
use model_registry::error::Error;
use model_registry::files::redirect;
use model_registry::role::TokenScope;
use model_registry::store::{Bucket, Store};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use serde_json::json;
use tempfile::tempdir;

use crate::files::BASE;
use crate::harness::{CREATE_PROJECT, Caller, Server, serve_config, storage};
use crate::mlflow_artifacts::{PROXY, get, put, run};

const LARGE: usize = 8 << 20;
const ALWAYS: &[&str] = &["--redirect", "always"];

/// A server with an object store and the version 1.0.0, and an admin who does not follow redirects; none where there is no
/// object store to try.
async fn with_version(flags: &[&str]) -> Option<(Server, Caller)> {
    storage()?;
    let server = Server::start_with(flags).await;
    let http = Client::builder().redirect(Policy::none()).build().unwrap();
    let admin = Caller { http, ..server.admin().await };
    admin.ok(CREATE_PROJECT, json!({"path": "vision"})).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("1.0.0")).await;
    Some((server, admin))
}

async fn ask(caller: &Caller, path: &str, headers: &[(&'static str, &str)]) -> Response {
    let request = caller.request(Method::GET, path);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap()
}

/// Where an answer leads.
fn location(response: &Response) -> String {
    assert_eq!(response.status(), 302);
    response.headers()["location"].to_str().unwrap().to_owned()
}

/// What the store answers to a client that has the address and nothing else.
async fn follow(url: &str) -> Response {
    Client::new().get(url).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_gives_the_same_bytes_under_the_same_name() {
    let Some((server, admin)) = with_version(ALWAYS).await else { return };
    let path = format!("{BASE}/dir/gr%C3%B6%C3%9Fe%20%22%2B%261%22.txt");
    let bytes: Vec<u8> = (0..LARGE + 7).map(|n| ((n * 7) >> 4) as u8).collect();
    admin.put(&path, bytes.clone()).await;
    let head = admin.request(Method::HEAD, &path).send().await.unwrap();
    assert_eq!(head.status(), 200);
    let found = admin.get(&path).await;
    let url = location(&found);
    assert_eq!(found.headers()["cache-control"], "private, no-store");
    assert!(url.contains("X-Amz-Expires=300&"), "{url}");
    for name in ["etag", "repr-digest"] {
        assert_eq!(found.headers()[name], head.headers()[name]);
    }
    assert_eq!(found.bytes().await.unwrap(), "");
    let there = follow(&url).await;
    assert_eq!(there.status(), 200);
    for name in ["content-type", "content-disposition", "cache-control", "content-length"] {
        assert_eq!(there.headers()[name], head.headers()[name], "{name}");
    }
    assert!(there.bytes().await.unwrap() == bytes);
    // A client sends its range on.
    let part = [("range", "bytes=5-9")];
    let url = location(&ask(&admin, &path, &part).await);
    let there = Client::new().get(&url).header("range", "bytes=5-9").send().await.unwrap();
    assert_eq!(there.status(), 206);
    assert_eq!(there.bytes().await.unwrap(), bytes[5..10]);
    let by_itself = ask(&Caller { http: Client::new(), ..admin.clone() }, &path, &part).await;
    assert_eq!(by_itself.status(), 206);
    assert_eq!(by_itself.bytes().await.unwrap(), bytes[5..10]);
    // It counts as fetched, once there is somebody who may depend on it.
    admin.publish("1.0.0").await;
    location(&admin.get(&path).await);
    let fetched = "SELECT COUNT(*) FROM model_versions WHERE last_fetched_at_ms IS NOT NULL";
    assert_eq!(server.count(fetched).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_for_one_object_and_a_while() {
    let Some((server, admin)) = with_version(ALWAYS).await else { return };
    for name in ["a", "b"] {
        admin.put(&format!("{BASE}/{name}.bin"), format!("the bytes of {name}")).await;
    }
    let key = async |name: &str| -> String {
        let key =
            "SELECT c.key FROM copies c JOIN files f ON f.sha256 = c.sha256 WHERE f.path = $1";
        let key = query(key).bind(format!("{name}.bin"));
        key.fetch_one::<(String,)>(&server.app.db).await.unwrap().0
    };
    let (a, b) = (key("a").await, key("b").await);
    let url = location(&admin.get(&format!("{BASE}/a.bin")).await);
    assert_eq!(follow(&url).await.text().await.unwrap(), "the bytes of a");
    let changed = |from: &str, to: &str| {
        assert!(url.contains(from), "{url}");
        url.replacen(from, to, 1)
    };
    for wrong in [
        changed(&a, &b),
        changed("X-Amz-Expires=300", "X-Amz-Expires=3000"),
        changed("X-Amz-Signature=", "X-Amz-Signature=0"),
        changed("response-content-type=", "response-content-type=text%2Fhtml"),
        changed("response-content-disposition=attachment", "response-content-disposition=inline"),
        url.split('?').next().unwrap().to_owned(),
    ] {
        assert_eq!(follow(&wrong).await.status(), 403, "{wrong}");
    }
    assert_eq!(Client::new().put(&url).body("x").send().await.unwrap().status(), 403);
    let second = Duration::from_secs(1);
    let short = server.app.store.sign(&a, second, &[]).await.ok().flatten().unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(follow(short.as_str()).await.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_would_answer_otherwise_is_answered_here() {
    let Some((_server, admin)) = with_version(ALWAYS).await else { return };
    let path = format!("{BASE}/a.bin");
    admin.put(&path, "0123456789").await;
    admin.put(&format!("{BASE}/empty.bin"), "").await;
    let head = admin.request(Method::HEAD, &path).send().await.unwrap();
    let etag = head.headers()["etag"].to_str().unwrap();
    assert_eq!((head.status().as_u16(), head.headers().get("location")), (200, None));
    let (origin, later) = ("https://dash.example", "Wed, 01 Jan 2070 00:00:00 GMT");
    for (headers, status) in [
        (vec![("range", "bytes=0-1"), ("if-range", etag)], 206),
        (vec![("range", "bytes=0-1"), ("if-range", "\"other\"")], 200),
        (vec![("origin", origin)], 200),
        (vec![("sec-fetch-mode", "cors")], 200),
        (vec![("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], 200),
        (vec![("if-none-match", etag)], 304),
        (vec![("if-match", "\"other\"")], 412),
        (vec![("if-match", etag)], 200),
        (vec![("if-modified-since", later)], 200),
        (vec![("range", "bytes=10-")], 416),
        (vec![("range", "bytes=0-1,4-5")], 200),
    ] {
        let answer = ask(&admin, &path, &headers).await;
        assert_eq!(answer.status(), status, "{headers:?}");
        assert!(answer.headers().get("location").is_none(), "{headers:?}");
    }
    let other = ask(&admin, &path, &[("if-none-match", "\"other\"")]).await;
    assert_eq!(follow(&location(&other)).await.status(), 200);
    location(&ask(&admin, &path, &[("sec-fetch-mode", "navigate")]).await);
    for streamed in ["/empty.bin", "/", "/?archive=zip", ".zip"] {
        let answer = admin.get(&format!("{BASE}{streamed}")).await;
        assert_eq!(answer.status(), 200, "{streamed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_read_is_told_an_address() {
    let Some((server, admin)) = with_version(ALWAYS).await else { return };
    let path = format!("{BASE}/a.bin");
    admin.put(&path, "0123456789").await;
    admin.invite("eve").await;
    let quiet = |caller: Caller| Caller { http: admin.http.clone(), ..caller };
    let eve = quiet(server.person("eve", TokenScope::Read).await);
    let (anybody, wrong) = (quiet(server.anonymous()), Some("mr_wrong".to_owned()));
    let wrong = Caller { token: wrong, ..anybody.clone() };
    for (caller, status) in [(&eve, 404), (&anybody, 404), (&wrong, 401)] {
        let answer = caller.get(&path).await;
        assert_eq!((answer.status().as_u16(), answer.headers().get("location")), (status, None));
    }
    // A page with an embed token gets the bytes here: the store lets it read nothing.
    let create = "mutation($i: CreateEmbedTokenInput!) { createEmbedToken(input: $i) { secret } }";
    let expires_at = server.app.clock.now().plus_seconds(3600).to_rfc3339();
    let input = json!({"project": "vision", "name": "page", "origins": ["https://dash.example"],
        "expiresAt": expires_at, "files": true});
    let made = admin.ok(create, json!({ "i": input })).await;
    let secret = made["createEmbedToken"]["secret"].as_str().unwrap().to_owned();
    let page = Caller { token: Some(secret), ..anybody.clone() };
    assert_eq!(ask(&page, &path, &[("origin", "https://dash.example")]).await.status(), 200);
    let elsewhere = ask(&page, &path, &[]).await;
    assert_eq!((elsewhere.status().as_u16(), elsewhere.headers().get("location")), (403, None));
    let open = "mutation { updateProject(input: {project: \"vision\", visibility: PUBLIC}) { project { id } } }";
    admin.ok(open, json!({})).await;
    for caller in [&eve, &anybody] {
        let url = location(&caller.get(&path).await);
        assert_eq!(follow(&url).await.text().await.unwrap(), "0123456789");
    }
    assert_eq!(ask(&anybody, &path, &[("origin", "https://dash.example")]).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_are_sent_here_and_all_unless_told() {
    for (flags, large, small) in
        [(&[][..], 200, 200), (&["--redirect", "large"], 302, 200), (ALWAYS, 302, 302)]
    {
        let Some((_server, admin)) = with_version(flags).await else { return };
        for (name, size, status) in [("large", LARGE, large), ("small", LARGE - 1, small)] {
            let path = format!("{BASE}/{name}.bin");
            admin.put(&path, vec![7; size]).await;
            assert_eq!(admin.get(&path).await.status(), status, "{flags:?} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_whose_clients_do_not_reach_the_store_gets_its_files_here() {
    const SET: &str = "mutation($on: Boolean!) { updateProject(input: {project: \"vision\", redirectsDownloads: $on}) {
        project { redirectsDownloads } } }";
    let Some((_server, admin)) = with_version(ALWAYS).await else { return };
    let path = format!("{BASE}/a.bin");
    admin.put(&path, "0123456789").await;
    let (_, root) = run(&admin).await;
    put(&admin, &format!("{root}/a.bin"), "0123456789").await;
    let paths = [path, format!("{PROXY}/artifacts/{root}/a.bin")];
    for (is_on, status) in [(false, 200), (true, 302)] {
        let set = admin.ok(SET, json!({ "on": is_on })).await;
        assert_eq!(set["updateProject"]["project"]["redirectsDownloads"], is_on);
        for path in &paths {
            assert_eq!(admin.get(path).await.status(), status, "{path}");
        }
    }
    // What is not said stays as it is, and the log says what was changed.
    admin.ok(SET, json!({ "on": false })).await;
    let other =
        "mutation { updateProject(input: {project: \"vision\", description: \"d\"}) { project {
        redirectsDownloads events(first: 2) { nodes { detail } } } }";
    let other =
        admin.ok(&format!("{other} }}"), json!({})).await["updateProject"]["project"].take();
    assert_eq!(other["redirectsDownloads"], false);
    let changed = json!({ "redirectsDownloads": { "from": true, "to": false } });
    assert_eq!(other["events"]["nodes"][1]["detail"], changed.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_of_redirects_where_there_are_none() {
    let server = Server::start().await;
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({"path": "vision"})).await;
    let asked = "{ project(path: \"vision\") { redirectsDownloads } }";
    assert!(admin.ok(asked, json!({})).await["project"]["redirectsDownloads"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn mlflow_s_artifacts_are_redirected() {
    let Some((_server, admin)) = with_version(ALWAYS).await else { return };
    let (run_id, root) = run(&admin).await;
    put(&admin, &format!("{root}/model/page.html"), "<b>0123456789</b>").await;
    let proxied = format!("{PROXY}/artifacts/{root}/model/page.html");
    let artifact = format!("/mlflow/vision/get-artifact?run_id={run_id}&path=model/page.html");
    for path in [proxied, artifact] {
        let there = follow(&location(&admin.get(&path).await)).await;
        assert_eq!(there.headers()["content-type"], "text/plain", "{path}");
        assert_eq!(there.text().await.unwrap(), "<b>0123456789</b>");
    }
    let signed = get(&admin, &format!("/mlflow-artifacts/presigned/{root}/model/page.html")).await;
    let url = signed.1["url"].as_str().unwrap();
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let there = follow(&location(&client.get(url).send().await.unwrap())).await;
    assert_eq!(there.text().await.unwrap(), "<b>0123456789</b>");
    let part = Client::new().get(url).header("range", "bytes=3-5").send().await.unwrap();
    assert_eq!((part.status().as_u16(), &*part.text().await.unwrap()), (206, "012"));
}

/// What is written to it, for a test to read.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// On one thread, so that it has the log of the server.
#[tokio::test]
async fn the_log_says_who_was_told_an_address_and_never_which() {
    let Some((_server, admin)) = with_version(ALWAYS).await else { return };
    let path = format!("{BASE}/a.bin");
    admin.put(&path, "0123456789").await;
    let written = Written::default();
    let writer = written.clone();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    let log = log.with_max_level(tracing::Level::TRACE).finish();
    let url = {
        let _log = tracing::subscriber::set_default(log);
        location(&admin.get(&path).await)
    };
    let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let line = written.lines().find(|line| line.contains("redirected")).expect(&written);
    for part in ["user=\"admin\"", "network=\"127.0.0.1\"", "path=\"a.bin\"", "INFO"] {
        assert!(line.contains(part), "{line}");
    }
    let (_, signature) = url.split_once("X-Amz-Signature=").unwrap();
    for secret in [signature, "X-Amz-", &*url] {
        assert!(!written.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_those_that_clients_reach() {
    let Some(url) = storage() else { return };
    let reached = url.replace("//127.0.0.1", "//localhost");
    let (_, public) = reached.split_once("endpoint=").unwrap();
    let bucket: Bucket = format!("{url}&public_endpoint={public}").parse().unwrap();
    let folder = tempdir().unwrap();
    let store = Store::open(folder.path(), Some(&bucket)).await.ok().unwrap();
    let bytes = futures_util::stream::iter([Ok::<_, Error>("0123456789".into())]);
    let now = model_registry::time::Clock::System.now();
    let blob = store.write(bytes, Some(10), 10, now).await.ok().unwrap();
    let signed = store.sign(&blob.key, Duration::from_secs(60), &[]).await;
    let signed = signed.ok().flatten().unwrap();
    assert_eq!(signed.host_str(), Some("localhost"));
    assert_eq!(follow(signed.as_str()).await.text().await.unwrap(), "0123456789");
    // That is where users see the registry, too.
    for (public, redirect, shared) in [
        ("http://localhost:8080", "always", Some("localhost")),
        ("http://localhost:8080", "off", None),
        ("http://127.0.0.1:8080", "large", None),
    ] {
        let flags = ["model-registry", "serve", "--public-url", public, "--redirect", redirect];
        let found = redirect::shared_host(&serve_config(flags.iter()), &store.clone().into())
            .await
            .ok()
            .unwrap();
        assert_eq!(found.as_deref(), shared, "{public} {redirect}");
    }
}

#[test]
fn redirects_need_an_object_store() {
    for (flags, is_good) in [
        (&[][..], true),
        (&["--redirect", "large"], false),
        (&["--redirect", "always"], false),
        (&["--redirect", "always", "--storage", "s3://models"], true),
    ] {
        let flags = ["model-registry", "serve"].iter().chain(flags);
        let checked = redirect::check(&serve_config(flags));
        assert_eq!(checked.is_ok(), is_good);
        if let Err(error) = checked {
            let message = error.message();
            assert!(message.contains("--redirect") && message.contains("--storage"), "{message}");
        }
    }
}
