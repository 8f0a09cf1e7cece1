//! Cards, badges and previews that stand in pages elsewhere: what they show, to whom, and what cannot be made of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::Reader;
use quick_xml::events::Event;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Caller, PASSWORD, Server};

pub const URL: &str = "https://models.example.org";

/// A server that knows its address, and the projects `open`, which is public, and `shut`, with a model `ocr` each.
pub async fn start() -> (Server, Caller) {
    start_with(&["--public-url", URL]).await
}

pub async fn start_with(flags: &[&str]) -> (Server, Caller) {
    let server = Server::start_with(flags).await;
    let admin = server.admin().await;
    for (project, visibility) in [("open", "PUBLIC"), ("shut", "PRIVATE")] {
        let make = r#"mutation {
            createProject(input: {path: "{p}", name: "Project {p}", visibility: {v}, description: "All of it."}) { project { id } }
            createModel(input: {project: "{p}", name: "ocr", description: "---\nlicense: mit\n---\n# OCR\n\nReads *text*.",
                tags: [{key: "registry.metric", value: "loss:min"}]}) { model { id } }
            createCandidate(input: {model: "{p}/ocr", status: FINISHED, metrics: [
                {name: "accuracy", value: 0.93125}, {name: "loss", value: 0.25}, {name: "zeal", value: "NaN"}]}) { candidate { id } }
            a: promoteCandidate(input: {model: "{p}/ocr", candidate: 1, version: "1.2.0"}) { modelVersion { id } }
            b: createModelVersion(input: {model: "{p}/ocr", version: "2.0.0-rc.1"}) { modelVersion { id } }
            setAlias(input: {model: "{p}/ocr", name: "champion", version: "1.2.0"}) { alias { id } }
        }"#;
        let make = make.replace("{p}", project).replace("{v}", visibility);
        let made = admin.graphql(&make, json!({})).await;
        assert!(made.get("errors").is_none(), "{made}");
    }
    (server, admin)
}

pub fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The text of an answer that must have a status.
pub async fn text(caller: &Caller, path: &str, status: u16) -> String {
    let response = caller.get(path).await;
    assert_eq!(response.status(), status, "{path}");
    response.text().await.unwrap()
}

pub async fn json_of(caller: &Caller, path: &str, status: u16) -> Value {
    serde_json::from_str(&text(caller, path, status).await).unwrap()
}

/// That a text is XML, and what its elements say: of each name, the text and the values of attributes in it.
pub fn parse_xml(xml: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    let (mut open, mut said) = (Vec::<(String, usize)>::new(), Vec::<(String, String)>::new());
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {xml}")) {
            Event::Start(start) => {
                let name = start.name().0.to_owned();
                for attribute in start.attributes() {
                    let attribute = attribute.unwrap_or_else(|error| panic!("{error}: {xml}"));
                    let value = quick_xml::escape::unescape(&attribute.value).unwrap();
                    said.push((format!("{name}@{}", attribute.key.0), value.into_owned()));
                }
                said.push((name.clone(), String::new()));
                open.push((name, said.len() - 1));
            }
            Event::End(_) => drop(open.pop()),
            Event::Text(text) => {
                if let Some((_, at)) = open.last() {
                    said[*at].1.push_str(&text);
                }
            }
            Event::GeneralRef(reference) => {
                let reference = format!("&{};", &*reference);
                let (_, at) = open.last().unwrap();
                said[*at].1.push_str(&quick_xml::escape::unescape(&reference).unwrap());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty(), "{xml}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_shows_a_version_and_can_do_nothing() {
    let (server, _admin) = start().await;
    let nobody = server.anonymous();
    let response = nobody.get("/embed/open/ocr@champion?theme=dark").await;
    assert_eq!(response.status(), 200);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "public, max-age=60"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", ""),
        ("set-cookie", ""),
    ] {
        assert_eq!(header(&response, name), value, "{name}");
    }
    let policy = header(&response, "content-security-policy").to_owned();
    let card = response.text().await.unwrap();
    let style = card.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = STANDARD.encode(Sha256::digest(style));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors *; sandbox allow-popups allow-popups-to-escape-sandbox"
        )
    );
    for part in [
        "data-theme=\"dark\"",
        "<a href=\"https://models.example.org/open/ocr/versions/1.2.0\" target=\"_blank\" rel=\"noopener noreferrer\">open/ocr 1.2.0</a>",
        "<i>champion</i>",
        "<dt>loss</dt><dd>0.25</dd></div><div><dt>accuracy</dt><dd>0.93125</dd>",
        "<dt>zeal</dt><dd>NaN</dd>",
        "mit",
        "SHA-256",
    ] {
        assert!(card.contains(part), "{part}: {card}");
    }
    let less = text(&nobody, "/embed/open/ocr@1.2.0?metrics=zeal,%20accuracy,none", 200).await;
    assert!(!less.contains("<dt>loss") && less.contains("data-theme=\"auto\""), "{less}");
    assert!(less.find("zeal").unwrap() < less.find("accuracy").unwrap(), "in the order asked for");
    let facts = json_of(&nobody, "/embed/open/ocr?format=json&metrics=loss", 200).await;
    assert_eq!(facts["url"], "https://models.example.org/open/ocr/versions/1.2.0");
    assert_eq!((&facts["license"], &facts["model"]), (&json!("mit"), &json!("ocr")));
    let version = &facts["version"];
    assert_eq!(version["metrics"], json!([{ "name": "loss", "value": 0.25 }]));
    assert_eq!((&version["state"], &version["support"]), (&json!("PUBLISHED"), &json!("ACTIVE")));
    assert_eq!(version["aliases"], json!(["champion"]));
    text(&nobody, "/embed/open/ocr?format=xml", 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_an_alias_a_version_a_range_or_the_latest() {
    let (server, admin) = start().await;
    let nobody = server.anonymous();
    let version = async |path: &str| {
        json_of(&nobody, &format!("/embed/open/{path}?format=json"), 200).await["version"].take()
    };
    for path in
        ["ocr", "ocr@latest", "ocr@1.2.0", "ocr@%5E1", "ocr@1", "ocr@champion", "ocr@@champion"]
    {
        assert_eq!(version(path).await["version"], "1.2.0", "{path}");
    }
    assert_eq!(version("ocr@2.0.0-rc.1").await["state"], "DRAFT");
    for path in ["ocr@", "ocr@none", "ocr@x", "ocr@3", "ocr@%3E%3E", "ocr@a%00b", "none", "a%00b"] {
        let page = text(&nobody, &format!("/embed/open/{path}"), 404).await;
        assert!(page.contains("was not found"), "{path}: {page}");
        text(&nobody, &format!("/embed/open/{path}?format=json"), 404).await;
    }
    // An alias that looks like a range is an alias.
    let alias = r#"mutation { setAlias(input: {model: "open/ocr", name: "1", version: "2.0.0-rc.1"}) { alias { id } } }"#;
    admin.ok(alias, json!({})).await;
    assert_eq!(version("ocr@1").await["version"], "2.0.0-rc.1");

    let yank = r#"mutation { yankModelVersion(input: {model: "open/ocr", version: "1.2.0", reason: "<b>wrong</b> labels"}) { modelVersion { id } } }"#;
    admin.ok(yank, json!({})).await;
    let card = text(&nobody, "/embed/open/ocr@champion", 200).await;
    assert!(
        card.contains("<i>yanked</i>") && card.contains("&lt;b&gt;wrong&lt;/b&gt; labels"),
        "{card}"
    );
    assert_eq!(version("ocr").await, Value::Null, "there is none to show instead");
    assert!(text(&nobody, "/embed/open/ocr", 200).await.contains("No version yet"));
    assert!(text(&nobody, "/embed/open/ocr@latest", 404).await.contains("yanked"));
    let badge = json_of(&nobody, "/badge/open/ocr/champion.json", 200).await;
    assert_eq!((&badge["message"], &badge["color"]), (&json!("1.2.0 yanked"), &json!("red")));
    assert_eq!(json_of(&nobody, "/badge/open/ocr/latest.json", 404).await["message"], "yanked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_badge_says_two_words_and_an_image_is_always_one() {
    let (server, admin) = start().await;
    let nobody = server.anonymous();
    let response = nobody.get("/badge/open/ocr/@champion.svg").await;
    assert_eq!(header(&response, "content-type"), "image/svg+xml; charset=utf-8");
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    assert_eq!(header(&response, "content-security-policy"), policy);
    assert_eq!(header(&response, "cross-origin-resource-policy"), "cross-origin");
    assert_eq!(header(&response, "cache-control"), "public, max-age=60");
    let said = parse_xml(&response.text().await.unwrap());
    assert!(said.contains(&("title".into(), "ocr: 1.2.0".into())), "{said:?}");

    let shields =
        json_of(&nobody, "/badge/open/ocr/1.2.0.json?metric=accuracy&label=%C3%A9%20%3Cb%3E", 200)
            .await;
    assert_eq!(
        shields,
        json!({ "schemaVersion": 1, "label": "é <b>", "message": "0.93125", "color": "blue",
                "cacheSeconds": 300, "isError": false })
    );
    let long = format!("/badge/open/ocr/latest.json?label={}", "x".repeat(300));
    let label = json_of(&nobody, &long, 200).await["label"].as_str().unwrap().chars().count();
    assert_eq!(label, 64);
    let empty = json_of(&nobody, "/badge/open/ocr/latest.json?label=%20%E2%80%AE", 200).await;
    assert_eq!(empty["label"], "ocr", "an empty label is none");
    assert_eq!(
        json_of(&nobody, "/badge/open/ocr/2.0.0-rc.1.json", 200).await["message"],
        "2.0.0-rc.1 draft"
    );
    let deprecate = r#"mutation { deprecateModelVersion(input: {model: "open/ocr", version: "1.2.0"}) { modelVersion { id } } }"#;
    admin.ok(deprecate, json!({})).await;
    assert_eq!(json_of(&nobody, "/badge/open/ocr/latest.json", 200).await["color"], "orange");

    for missing in ["open/ocr/none", "open/none/latest", "shut/ocr/latest", "none/ocr/latest"] {
        let svg = text(&nobody, &format!("/badge/{missing}.svg"), 200).await;
        assert!(svg.contains("not found") && svg.contains("#9f9f9f"), "{svg}");
        let shields = json_of(&nobody, &format!("/badge/{missing}.json"), 404).await;
        assert_eq!((&shields["message"], &shields["isError"]), (&json!("not found"), &json!(true)));
    }
    let none = text(&nobody, "/badge/open/ocr/latest.svg?metric=none", 200).await;
    assert!(none.contains("none: not found"), "{none}");
    text(&nobody, "/badge/open/ocr/latest", 404).await;
    text(&nobody, "/badge/open/ocr/latest.png", 404).await;
    let square = text(&nobody, "/badge/open/ocr/latest.svg?style=flat-square", 200).await;
    assert!(square.contains("rx=\"0\""), "{square}");
}

/// The addresses of everything about a model, and the status of each where that cannot be seen.
const ROUTES: [(&str, u16); 9] = [
    ("/embed/{p}/ocr", 404),
    ("/embed/{p}/ocr@champion", 404),
    ("/embed/{p}/ocr?format=json", 404),
    ("/badge/{p}/ocr/latest.svg", 200),
    ("/badge/{p}/ocr/latest.json?metric=loss", 404),
    ("/feed/{p}.atom", 404),
    ("/feed/{p}/ocr.atom", 404),
    ("/api/backstage/{p}.yaml", 404),
    ("/oembed?url=https://models.example.org/{p}/ocr", 404),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_what_is_missing_and_cookies_gain_nothing() {
    let (server, admin) = start().await;
    let nobody = server.anonymous();
    let sign_in = "mutation($p: String!) { signIn(input: {username: \"admin\", password: $p}) { user { id } } }";
    let body = json!({ "query": sign_in, "variables": { "p": PASSWORD } });
    let signed_in = nobody.request(Method::POST, "/graphql").json(&body).send().await.unwrap();
    let cookie = header(&signed_in, "set-cookie").split(';').next().unwrap().to_owned();
    let viewer = json!({ "query": "{ viewer { username } }" });
    let viewer = nobody.request(Method::POST, "/graphql").header("cookie", &cookie).json(&viewer);
    let viewer: Value = viewer.send().await.unwrap().json().await.unwrap();
    assert_eq!(viewer["data"]["viewer"]["username"], "admin", "the cookie is a session");

    let statements = || server.app.db.statements();
    for (route, status) in ROUTES {
        let ask = async |project: &str, cookie: &str| {
            let path = route.replace("{p}", project);
            let before = statements();
            let request = nobody.request(Method::GET, &path).header("cookie", cookie);
            let response = request.send().await.unwrap();
            let took = statements() - before;
            let headers: Vec<_> = response
                .headers()
                .iter()
                .filter(|(name, _)| !["date", "etag", "content-length"].contains(&name.as_str()))
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect();
            let status = response.status().as_u16();
            ((status, headers, response.text().await.unwrap().replace(project, "~")), took)
        };
        // The fewest statements of some: the server has some of its own to do meanwhile, and remembers who may.
        let often = async |project: &str, cookie: &str| {
            let (answer, mut fewest) = ask(project, cookie).await;
            for _ in 0..3 {
                fewest = fewest.min(ask(project, cookie).await.1);
            }
            (answer, fewest)
        };
        // While somebody's last use is noted, nothing is remembered.
        server.settle().await;
        let missing = often("gone", "").await;
        assert_eq!(missing.0.0, status, "{route}: {missing:?}");
        assert_eq!(often("shut", "").await, missing, "{route}");
        assert_eq!(often("shut", &cookie).await, missing, "{route}");

        let path = route.replace("{p}", "shut");
        let seen = admin.get(&path).await;
        assert_eq!(
            (seen.status().as_u16(), header(&seen, "cache-control")),
            (200, "private, no-cache"),
            "{route}"
        );
        let path = route.replace("{p}", "open");
        let public = nobody.get(&path).await;
        assert_eq!(
            (public.status().as_u16(), header(&public, "cache-control")),
            (200, "public, max-age=60"),
            "{route}"
        );
        assert_eq!(
            header(&admin.get(&path).await, "cache-control"),
            "private, no-cache",
            "{route}"
        );
        let wrong = Caller { token: Some("mrt_wrong".into()), ..nobody.clone() };
        assert_eq!(wrong.get(&path).await.status(), 401, "{route}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_sent_again() {
    let (server, _admin) = start().await;
    let nobody = server.anonymous();
    for (route, _) in ROUTES {
        let path = route.replace("{p}", "open");
        let before = server.app.db.statements();
        let first = nobody.get(&path).await;
        let took = server.app.db.statements() - before;
        assert!(took <= 9, "{path}: {took} statements");
        let (etag, length) =
            (header(&first, "etag").to_owned(), header(&first, "content-length").to_owned());
        assert!(etag.len() > 30, "{path}");
        let request =
            nobody.request(Method::GET, &path).header("if-none-match", format!("\"x\", W/{etag}"));
        let again = request.send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
        for name in
            ["etag", "cache-control", "content-security-policy", "cross-origin-resource-policy"]
        {
            assert_eq!(header(&again, name), header(&first, name), "{path}: {name}");
        }
        assert_eq!(again.text().await.unwrap(), "");
        let head = nobody.request(Method::HEAD, &path).send().await.unwrap();
        assert_eq!(
            (head.status().as_u16(), header(&head, "content-length")),
            (200, length.as_str()),
            "{path}"
        );
        assert_eq!(header(&head, "etag"), etag);
        let post = nobody.request(Method::POST, &path).send().await.unwrap();
        assert_eq!((post.status().as_u16(), header(&post, "allow")), (405, "GET,HEAD"), "{path}");
    }
    for path in [
        "/embed",
        "/embed/open",
        "/embed/open/ocr/x",
        "/badge/x",
        "/feed",
        "/feed/a/b/c",
        "/feed/open",
    ] {
        assert_eq!(json_of(&nobody, path, 404).await["code"], "NOT_FOUND", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_breaks_out_of_a_card_or_a_badge_or_makes_it_long() {
    let (server, admin) = start().await;
    let nobody = server.anonymous();
    let hostile = "'\"><script>alert(1)<svg onload=x>&amp;]]>";
    let make = "mutation($name: String!, $metrics: [MetricInput!]!, $license: String!) {
        createModel(input: {project: \"open\", name: $name, tags: [{key: \"license\", value: $license}]}) { model { path } }
        createCandidate(input: {model: \"open/x\", status: FINISHED, metrics: $metrics}) { candidate { id } } }";
    let make = |name: &str| make.replace("\"open/x\"", &json!(format!("open/{name}")).to_string());
    let wide = "𝒳".repeat(255);
    let quotes = "\"".repeat(255);
    for name in [hostile.replace(['/', ':', '?', '#', '@', '%', '\\'], ""), wide, quotes] {
        let metrics: Vec<_> = (0..9)
            .map(
                |n| json!({ "name": format!("{n}{}", &hostile.repeat(6)[..200]), "value": 1e-300 }),
            )
            .collect();
        let variables =
            json!({ "name": name, "metrics": metrics, "license": hostile.repeat(1000) });
        admin.ok(&make(&name), variables).await;
        let model = json!(format!("open/{name}"));
        let promote = format!(
            "mutation {{ promoteCandidate(input: {{model: {model}, candidate: 1, version: \"1.0.0-{}\"}}) {{ modelVersion {{ id }} }} }}",
            "x".repeat(240)
        );
        admin.ok(&promote, json!({})).await;
        for n in 0..9 {
            let alias = format!(
                "mutation {{ setAlias(input: {{model: {model}, name: \"{}{n}\", version: \"1.0.0-{}\"}}) {{ alias {{ id }} }} }}",
                "a".repeat(200),
                "x".repeat(240)
            );
            admin.ok(&alias, json!({})).await;
        }
        let encoded =
            percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC)
                .to_string();
        let card = text(&nobody, &format!("/embed/open/{encoded}"), 200).await;
        assert!(card.len() <= 8192, "{} bytes", card.len());
        for tag in ["<script", "<svg", "onload=x>"] {
            assert!(!card.contains(tag), "{tag}: {card}");
        }
        assert!(card.contains("<i>+4</i>"), "{card}");
        let hostile =
            percent_encoding::utf8_percent_encode(hostile, percent_encoding::NON_ALPHANUMERIC);
        for query in
            ["", "?metric=none", &format!("?label={hostile}"), &format!("?metric={hostile}")]
        {
            let svg = text(&nobody, &format!("/badge/open/{encoded}/latest.svg{query}"), 200).await;
            assert!(parse_xml(&svg).iter().all(|(name, _)| !name.starts_with("script")), "{svg}");
        }
        // What is not there is named as it was asked for.
        let absent = text(&nobody, &format!("/embed/open/{hostile}{encoded}"), 404).await;
        assert!(!absent.contains("<script") && absent.len() < 8192, "{absent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_has_so_many_requests_a_minute() {
    let (server, _admin) = start_with(&["--trusted-proxies", "127.0.0.1/32"]).await;
    let nobody = server.anonymous();
    let ask = async |address: &str| {
        let request = nobody.request(Method::GET, "/badge/open/ocr/latest.svg");
        request.header("x-forwarded-for", address).send().await.unwrap()
    };
    let mut refused = None;
    for _ in 0..2000 {
        let response = ask("192.0.2.7").await;
        if response.status() == 429 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("300 requests at once are enough");
    assert!(header(&refused, "retry-after").parse::<u32>().unwrap() >= 1);
    assert_eq!(ask("192.0.2.8").await.status(), 200, "others are not held up");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_accounts_an_embed_shows_what_is_public() {
    let server = Server::start_with(&["--no-auth"]).await;
    let nobody = server.anonymous();
    for (project, visibility, status) in [("open", "PUBLIC", 200), ("shut", "PRIVATE", 404)] {
        let make = format!(
            "mutation {{ createProject(input: {{path: \"{project}\", visibility: {visibility}}}) {{ project {{ id }} }}
              createModel(input: {{project: \"{project}\", name: \"ocr\"}}) {{ model {{ id }} }} }}"
        );
        nobody.ok(&make, json!({})).await;
        text(&nobody, &format!("/embed/{project}/ocr"), status).await;
        let token = Caller { token: Some("any".into()), ..nobody.clone() };
        text(&token, &format!("/embed/{project}/ocr"), status).await;
    }
}
