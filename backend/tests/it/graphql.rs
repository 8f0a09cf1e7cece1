use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::harness::{Caller, Server, assert_as_many};

async fn post(caller: &Caller, content_type: &str, body: String) -> (u16, Value) {
    let request = caller.request(Method::POST, "/graphql").header(CONTENT_TYPE, content_type);
    let response = request.body(body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_json_operation_is_taken() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let query = json!({"query": "{ __typename }"}).to_string();
    let (status, answer) = post(&admin, "application/json; charset=utf-8", query.clone()).await;
    assert_eq!((status, answer), (200, json!({"data": {"__typename": "Query"}})));
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
    ] {
        let (status, answer) = post(&admin, content_type, query.clone()).await;
        assert_eq!(
            (status, &answer["errors"][0]["extensions"]["code"]),
            (400, &json!("INVALID")),
            "{content_type}"
        );
    }
    let fields = "[\"{ __typename }\", null, null]".to_owned();
    for body in [fields, format!("[{query}]"), "{".into(), "{}".into(), "null".into()] {
        let (status, answer) = post(&admin, "application/json", body.clone()).await;
        assert_eq!(status, 400, "{body}");
        let extensions = json!({"code": "INVALID", "field": "body"});
        assert_eq!(answer["errors"][0]["extensions"], extensions, "{body}");
    }
    let (_, answer) =
        post(&admin, "application/json", json!({"query": "{ nonsense }"}).to_string()).await;
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("nonsense"));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INVALID");
    let get = admin.get("/graphql").await;
    assert_eq!((get.status().as_u16(), &get.headers()["allow"]), (405, &"POST".parse().unwrap()));
    let browser =
        admin.request(Method::GET, "/graphql").header(ACCEPT, "text/html").send().await.unwrap();
    assert_ne!(browser.status(), 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_over_any_limit_is_refused_before_it_costs_anything() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let nested = |depth: usize| {
        format!(
            "{{ {}id{} }}",
            "node(id: \"x\") { ... on Model { project { models { nodes { ".repeat(depth),
            " } } } } }".repeat(depth)
        )
    };
    let before = server.app.db.statements();
    for (what, query) in [
        ("body", format!("{{ __typename #{} \n}}", "x".repeat(70_000))),
        ("tokens", format!("{{ {} }}", "__typename ".repeat(2500))),
        ("aliases", format!("{{ {} }}", (0..550).map(|n| format!("a{n}: __typename ")).collect::<String>())),
        ("depth", nested(8)),
        ("directives", format!("{{ __typename {} }}", "@include(if: true) ".repeat(20))),
        ("complexity", "{ projects(first: 100) { nodes { models(first: 100) { nodes { versions(first: 100) { nodes { version } } } } } } }".into()),
        ("recursion", "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".into()),
        ("brackets", "{a".repeat(900)),
        ("lists", format!("{{ model(path: {}{}) {{ id }} }}", "[".repeat(900), "]".repeat(900))),
    ] {
        let (status, answer) = post(&admin, "application/json", json!({ "query": query }).to_string()).await;
        assert!(status < 500 && answer["errors"].is_array(), "{what}: {status} {answer}");
        assert!(answer["data"].is_null(), "{what}: {answer}");
    }
    // Who the token belongs to is all that was asked of the database.
    assert!(server.app.db.statements() - before <= 2 * 9 + 4);
    let (status, _) =
        post(&admin, "application/json", format!("{{\"query\": \"{}\"}}", " ".repeat(600_000)))
            .await;
    assert_eq!(status, 413);
    let long = "mutation($d: String) { createProject(input: {path: \"p\", description: $d}) { project { id } } }";
    admin.ok(long, json!({ "d": "\u{1}".repeat(64 * 1024) })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn introspection_and_graphiqls_own_query_pass_the_limits() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let query = include_str!("introspection.graphql");
    let schema = admin.ok(query, json!({})).await["__schema"].take();
    assert_eq!(schema["queryType"]["name"], "Query");
    // Every type, field, argument and value says what it is.
    let mut silent = Vec::new();
    for r#type in schema["types"].as_array().unwrap() {
        let name = r#type["name"].as_str().unwrap();
        if name.starts_with("__") || ["Boolean", "Float", "ID", "Int", "String"].contains(&name) {
            continue;
        }
        if r#type["description"].is_null() {
            silent.push(name.to_owned());
        }
        for kind in ["fields", "inputFields", "enumValues"] {
            for field in r#type[kind].as_array().into_iter().flatten() {
                if field["description"].is_null() {
                    silent.push(format!("{name}.{}", field["name"]));
                }
                for argument in field["args"].as_array().into_iter().flatten() {
                    if argument["description"].is_null() {
                        silent.push(format!("{name}.{}({})", field["name"], argument["name"]));
                    }
                }
            }
        }
    }
    assert_eq!(silent, [""; 0]);
}

const EVERYTHING: &str = "{ project(path: \"vision\") { models(first: 50) { totalCount pageInfo { hasNextPage } nodes {
    id path name descriptionHtml author { username } project { path viewerRole } createdAt updatedAt
    latestVersion { version author { username } size fileCount tags { key } aliases { name } metrics { value } params { value }
        candidate { number } files(first: 3) { totalCount nodes { path downloadUrl } } }
    versions(first: 5) { totalCount nodes { version previous { version } tags { key } } }
    candidates(first: 5) { totalCount nodes { number metrics { name value } params { name } version { version } } }
    versionCount candidateCount aliases { name version { version } updatedBy { name } history { ref by { username } version { version } } } tags { key value }
    experiment { name } events(first: 2) { nodes { action actor { username } } } } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_fifty_models_with_everything_is_as_many_statements_as_one_of_two() {
    let (server, admin) = Server::with_model().await;
    let fill = async |name: String| {
        let model = format!("vision/{name}");
        let setup = "mutation($m: String!) {
            a: createCandidate(input: {model: $m, params: [{name: \"p\", value: \"1\"}], metrics: [{name: \"m\", value: 1}]}) { candidate { id } }
            b: promoteCandidate(input: {model: $m, candidate: 1}) { modelVersion { id } }
            c: setAlias(input: {model: $m, name: \"champion\", version: \"1.0.0\"}) { alias { id } }
            d: setTag(input: {model: $m, key: \"k\", value: \"v\"}) { tag { key } }
            e: createModelVersion(input: {model: $m, tags: [{key: \"k\", value: \"v\"}]}) { modelVersion { id } } }";
        admin.ok(setup, json!({ "m": model })).await;
        admin.put(&format!("/files/{model}/1.0.1/a/b.txt"), name).await;
    };
    let statements = async || {
        let before = server.app.db.statements();
        let page = admin.ok(EVERYTHING, json!({})).await["project"]["models"].take();
        let last = page["nodes"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["latestVersion"]["metrics"], json!([{"value": 1.0}]), "{last}");
        (page["nodes"].as_array().unwrap().len(), server.app.db.statements() - before)
    };
    fill("ocr".into()).await;
    admin.create_model("ocr-0").await;
    fill("ocr-0".into()).await;
    statements().await; // the token's time of use is written once a minute
    let (two, of_two) = statements().await;
    for number in 1..=48 {
        admin.create_model(&format!("ocr-{number}")).await;
        fill(format!("ocr-{number}")).await;
    }
    let (fifty, of_fifty) = statements().await;
    assert_eq!((two, fifty), (2, 50));
    assert_as_many(of_two, of_fifty);
    println!("{of_fifty} statements");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_is_found_by_its_id() {
    let (_server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    let setup = "mutation { setAlias(input: {model: \"vision/ocr\", name: \"champion\", version: \"1.0.0\"}) { alias { id } }
        createCandidate(input: {model: \"vision/ocr\"}) { candidate { id } } }";
    admin.ok(setup, json!({})).await;
    let ids = "{ viewer { id tokens { id } } model(path: \"vision/ocr\") { id project { id } experiment { id }
        version(ref: \"1.0.0\") { id } candidate(number: 1) { id } aliases { id } events(first: 1) { nodes { id } } } }";
    let found = admin.ok(ids, json!({})).await;
    let model = &found["model"];
    for (id, name) in [
        (&found["viewer"]["id"], "User"),
        (&found["viewer"]["tokens"][0]["id"], "Token"),
        (&model["id"], "Model"),
        (&model["project"]["id"], "Project"),
        (&model["experiment"]["id"], "Experiment"),
        (&model["version"]["id"], "ModelVersion"),
        (&model["candidate"]["id"], "Candidate"),
        (&model["aliases"][0]["id"], "Alias"),
        (&model["events"]["nodes"][0]["id"], "Event"),
    ] {
        let node = admin
            .ok("query($id: ID!) { node(id: $id) { __typename id } }", json!({ "id": id }))
            .await;
        assert_eq!(node["node"], json!({"__typename": name, "id": id}));
    }
    for id in ["", "x", "mod_", "mod_00000000000000000000000000000000", "mod_'; --"] {
        let node = admin.ok("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
        assert_eq!(node["node"], Value::Null, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn markdown_is_previewed_by_the_same_renderer() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let render = "query($text: String!) { renderMarkdown(text: $text) }";
    let html =
        admin.ok(render, json!({"text": "a | b\n--|--\n1 | [x](javascript:alert(1))"})).await;
    let html = html["renderMarkdown"].as_str().unwrap();
    assert!(html.contains("<table>") && !html.contains("javascript"), "{html}");
    assert_eq!(admin.refused(render, json!({"text": "x".repeat(65_537)})).await.field, "text");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_many_hundred_parents_are_read() {
    let (_server, admin) = Server::with_model().await;
    for model in 0..5 {
        admin.create_model(&format!("m-{model}")).await;
        for _ in 0..2 {
            let create = |n| {
                format!(
                    "a{n}: createModelVersion(input: {{model: \"vision/m-{model}\"}}) {{ modelVersion {{ id }} }} "
                )
            };
            let fifty: String = (0..50).map(create).collect();
            admin.ok(&format!("mutation {{ {fifty} }}"), json!({})).await;
        }
    }
    let nested = "{ project(path: \"vision\") { models(search: \"m-\") { nodes {
        versions(first: 100) { nodes { files(first: 1) { totalCount nodes { path } } } } } } } }";
    let read = admin.ok(nested, json!({})).await["project"]["models"]["nodes"].take();
    assert_eq!(read[4]["versions"]["nodes"][99]["files"], json!({"totalCount": 0, "nodes": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn markdown_is_rendered_for_who_is_signed_in_however_deep() {
    let server = Server::start().await;
    let render = "query($text: String!) { renderMarkdown(text: $text) }";
    let deep = json!({"text": ">".repeat(40_000)});
    assert_eq!(server.anonymous().refused(render, deep.clone()).await.code, "UNAUTHENTICATED");
    let html = server.admin().await.ok(render, deep).await["renderMarkdown"].take();
    assert!(html.as_str().unwrap().starts_with("<pre>"));
}
