//! Previews of pages, the cards that stand in the place of links to them, and pages whose addresses the server took.

use model_registry::embed::unfurl;
use model_registry::registry::catalog::project;
use reqwest::Method;
use serde_json::json;

use crate::embeds::{URL, header, json_of, start, start_with, text};
use crate::harness::Server;

/// What stands in the head of a page.
async fn tags(server: &Server, path: &str) -> Option<String> {
    let (parts, ()) = axum::http::Request::get(path).body(()).unwrap().into_parts();
    unfurl::tags(&server.app, &parts, path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_public_projects_say_what_they_are_of() {
    let (server, admin) = start().await;
    let model = tags(&server, "/open/ocr").await.unwrap();
    for part in [
        "<meta property=\"og:title\" content=\"open/ocr\">",
        "<meta property=\"og:description\" content=\"Reads text.\">",
        "<meta property=\"og:url\" content=\"https://models.example.org/open/ocr\">",
        "<meta property=\"og:site_name\" content=\"Model Registry\">",
        "<meta name=\"twitter:card\" content=\"summary\">",
        "type=\"application/atom+xml\" title=\"open/ocr\" href=\"https://models.example.org/feed/open/ocr.atom\"",
        "href=\"https://models.example.org/oembed?format=json&amp;url=https:%2F%2Fmodels.example.org%2Fopen%2Focr\"",
    ] {
        assert!(model.contains(part), "{part}: {model}");
    }
    let version = tags(&server, "/open/ocr/versions/1.2.0").await.unwrap();
    assert!(version.contains("content=\"open/ocr 1.2.0\""), "{version}");
    let project = tags(&server, "/open").await.unwrap();
    assert!(
        project.contains("content=\"Project open\"") && !project.contains("oembed"),
        "{project}"
    );
    for none in [
        "/",
        "/shut",
        "/shut/ocr",
        "/open/none",
        "/open/ocr/versions/9.9.9",
        "/open/-/members",
        "/admin/users",
    ] {
        assert_eq!(tags(&server, none).await, None, "{none}");
    }
    let hostile = "\"><script>x</script>";
    let update = "mutation($d: String!) { updateModel(input: {model: \"open/ocr\", description: $d}) { model { id } } }";
    admin.ok(update, json!({ "d": format!("a {hostile} {}", "'\"&<".repeat(5000)) })).await;
    let model = tags(&server, "/open/ocr").await.unwrap();
    assert!(!model.contains("<script") && model.len() < 3000, "{model}");

    let page = server.anonymous().get("/open/ocr").await;
    // A build without a UI has no pages.
    if page.status() == 200 {
        let etag = header(&page, "etag").to_owned();
        let html = page.text().await.unwrap();
        assert!(html.contains(&format!("{model}</head>")), "{html}");
        let plain = server.anonymous().get("/shut/ocr").await;
        assert_ne!(header(&plain, "etag"), etag);
        assert!(!plain.text().await.unwrap().contains("og:title"));
        let request =
            server.anonymous().request(Method::GET, "/open/ocr").header("if-none-match", etag);
        assert_eq!(request.send().await.unwrap().status(), 304);
    }
    let (server, _admin) = start_with(&[]).await;
    assert_eq!(tags(&server, "/open/ocr").await, None, "nobody knows where that is");
    text(&server.anonymous(), &format!("/oembed?url={URL}/open/ocr"), 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oembed_gives_the_card_of_a_page_of_ours() {
    let (server, _admin) = start().await;
    let nobody = server.anonymous();
    let ask = |url: &str| {
        let url = percent_encoding::utf8_percent_encode(url, percent_encoding::NON_ALPHANUMERIC);
        format!("/oembed?url={url}")
    };
    let page = format!("{URL}/open/ocr/versions/1.2.0?tab=files#x");
    let described =
        json_of(&nobody, &format!("{}&maxwidth=300&format=json", ask(&page)), 200).await;
    assert_eq!(
        described["html"],
        "<iframe src=\"https://models.example.org/embed/open/ocr@1.2.0\" title=\"open/ocr 1.2.0\" width=\"300\" height=\"200\" \
         frameborder=\"0\" loading=\"lazy\" referrerpolicy=\"no-referrer\" sandbox=\"allow-popups allow-popups-to-escape-sandbox\"></iframe>"
    );
    for (name, value) in [
        ("version", json!("1.0")),
        ("type", json!("rich")),
        ("width", json!(300)),
        ("height", json!(200)),
        ("title", json!("open/ocr 1.2.0")),
        ("provider_name", json!("Model Registry")),
        ("provider_url", json!(URL)),
    ] {
        assert_eq!(described[name], value, "{name}");
    }
    for url in [
        "https://evil.example/open/ocr",
        "https://models.example.org.evil.example/open/ocr",
        "x",
        "",
        URL,
        "https://models.example.org/open",
        "https://models.example.org/shut/ocr",
        "https://models.example.org/open/none",
    ] {
        let refused = json_of(&nobody, &ask(url), 404).await;
        let named = if url.is_empty() {
            "Page was not found.".to_owned()
        } else {
            format!("Page {url:?} was not found.")
        };
        assert_eq!(refused["message"], named, "{url}");
    }
    text(&nobody, &format!("{}&format=xml", ask(&page)), 501).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_whose_path_the_server_took_keeps_its_pages_elsewhere() {
    let server = Server::start_with(&["--public-url", URL]).await;
    let admin = server.admin().await;
    let make =
        "mutation { createProject(input: {path: \"later\", visibility: PUBLIC}) { project { id } }
                createModel(input: {project: \"later\", name: \"ocr\"}) { model { id } } }";
    admin.ok(make, json!({})).await;
    assert!(project::moved(&server.app.db).await.unwrap().is_empty());
    server
        .app
        .db
        .run_script("UPDATE projects SET path = 'feed' WHERE path = 'later'")
        .await
        .unwrap();
    assert_eq!(project::moved(&server.app.db).await.unwrap(), ["feed"]);
    let nobody = server.anonymous();
    assert_eq!(json_of(&nobody, "/feed/ocr/versions", 404).await["code"], "NOT_FOUND");
    let facts = json_of(&nobody, "/embed/feed/ocr?format=json", 200).await;
    assert_eq!(facts["url"], "https://models.example.org/-/p/feed/ocr");
    assert!(tags(&server, "/-/p/feed/ocr").await.unwrap().contains("content=\"feed/ocr\""));
    assert_eq!(tags(&server, "/feed/ocr").await, None);
    let page = nobody.get("/-/p/feed/ocr").await;
    assert_ne!(
        header(&page, "content-type"),
        "application/json",
        "it is the UI's, if there is one"
    );
    for path in ["embed", "badge", "feed", "oembed"] {
        let make = format!(
            "mutation {{ createProject(input: {{path: \"{path}\"}}) {{ project {{ id }} }} }}"
        );
        assert_eq!(admin.refused(&make, json!({})).await.code, "INVALID", "{path}");
    }
}
