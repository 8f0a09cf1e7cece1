//! GraphQL over HTTP: types and statuses of answers, and queries by GET, which change nothing.

use reqwest::header::ACCEPT;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::harness::{Caller, PASSWORD, Server};

const NEW: &str = "application/graphql-response+json";

async fn post(caller: &Caller, accept: &str, body: &Value) -> (u16, String, Value) {
    let request = caller.request(Method::POST, "/graphql").header(ACCEPT, accept).json(body);
    told(request.send().await.unwrap()).await
}

/// The status, the type and the answer.
async fn told(response: Response) -> (u16, String, Value) {
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), kind, response.json().await.unwrap())
}

fn address(parameters: &[(&str, &str)]) -> String {
    let query = parameters.iter().map(|(name, value)| {
        format!(
            "{name}={}",
            percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
        )
    });
    format!("/graphql?{}", query.collect::<Vec<_>>().join("&"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_cannot_run_is_told_by_the_status_or_in_the_answer() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let needs = "query($id: ID!, $ids: [ID!]) { node(id: $id) { id } nodes(ids: $ids) { id } }";
    for body in [
        json!({"query": "{"}),
        json!({"query": "{ nonsense }"}),
        json!({"query": "query A { __typename } query B { __typename }", "operationName": "C"}),
        json!({"query": "query A { __typename } query B { __typename }"}),
        json!({"query": "query($id: ID!) { __typename }", "variables": {"id": null}}),
        json!({"query": "query($id: ID!) { __typename }"}),
        json!({"query": "query($ids: [ID!]) { __typename }", "variables": {"ids": ["a", null]}}),
        json!({"query": needs, "variables": {"id": {"a": 1}}}),
    ] {
        let (status, kind, answer) = post(&admin, NEW, &body).await;
        assert_eq!(
            (status, kind.as_str()),
            (400, "application/graphql-response+json; charset=utf-8"),
            "{body}"
        );
        assert!(
            answer.get("data").is_none() && answer["errors"][0]["message"].is_string(),
            "{answer}"
        );
        for place in answer["errors"][0]["locations"].as_array().unwrap_or(&Vec::new()) {
            assert!(place["line"].as_u64() > Some(0), "{answer}");
        }
        let (status, kind, old) = post(&admin, "application/json, */*", &body).await;
        assert_eq!((status, kind.as_str()), (200, "application/json; charset=utf-8"), "{body}");
        assert_eq!(old, answer);
    }
    // What ran has data, also where that is null.
    let missing =
        json!({"query": "mutation { deleteModel(input: {model: \"a/b\"}) { model { id } } }"});
    let (status, _, answer) = post(&admin, NEW, &missing).await;
    assert_eq!((status, answer.get("data")), (200, Some(&Value::Null)), "{answer}");
    let fits = json!({"query": "query($path: String = \"a/b\") { model(path: $path) { id } }", "extensions": null});
    assert_eq!(post(&admin, NEW, &fits).await.2, json!({"data": {"model": null}}));
    for wrong in [
        json!({"query": "{ __typename }", "variables": [1]}),
        json!({"query": "{ __typename }", "variables": "a"}),
        json!({"query": "{ __typename }", "extensions": 1}),
        json!({"query": "{ __typename }", "operationName": {}}),
        json!({"query": 1}),
    ] {
        for accept in [NEW, "application/json"] {
            assert_eq!(post(&admin, accept, &wrong).await.0, 400, "{wrong}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_in_an_address_is_asked_by_a_token_or_nobody() {
    let (_server, admin) = Server::with_model().await;
    let query = "query Q($path: String!) { viewer { username } model(path: $path) { name } } mutation M { signOut { __typename } }";
    let variables = json!({"path": "vision/ocr"}).to_string();
    let named = address(&[("query", query), ("variables", &variables), ("operationName", "Q")]);
    let (status, _, answer) = told(admin.get(&named).await).await;
    assert_eq!(
        (status, answer),
        (200, json!({"data": {"viewer": {"username": "admin"}, "model": {"name": "ocr"}}}))
    );
    let http = Client::builder().cookie_store(true).build().unwrap();
    let browser = Caller { token: None, http, ..admin.clone() };
    let sign_in = "mutation($p: String!) { signIn(input: {username: \"admin\", password: $p}) { user { id } } }";
    browser.ok(sign_in, json!({"p": PASSWORD})).await;
    let (_, _, answer) = told(browser.get(&named).await).await;
    assert_eq!(
        answer,
        json!({"data": {"viewer": null, "model": null}}),
        "a cookie is not looked at"
    );

    for (parameters, status) in [
        (&[("query", query), ("operationName", "M")][..], 405),
        (&[("query", "query Q { __typename } mutation M { signOut { __typename } }")], 405),
        (&[("query", "mutation { signOut { __typename } }")], 405),
        (&[("query", "subscription { modelChanged(model: \"vision/ocr\") { id } }")], 405),
        (&[], 405),
        (&[("variables", "{}")], 400),
        (&[("query", "{ __typename }"), ("variables", "{")], 400),
        (&[("query", "{ __typename }"), ("variables", "[]")], 400),
        (&[("query", &format!("{{ __typename }} #{}", "x".repeat(8 << 10)))], 413),
    ] {
        let got = admin.get(&address(parameters)).await;
        assert_eq!(got.status(), status, "{parameters:?}");
        assert_eq!(got.headers().contains_key("allow"), status == 405, "{parameters:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_get_is_kept_and_asked_about() {
    let (server, admin) = Server::with_model().await;
    let open = |visibility: &str| {
        format!(
            "mutation {{ updateProject(input: {{project: \"vision\", visibility: {visibility}}}) {{ project {{ id }} }} }}"
        )
    };
    admin.ok(&open("PUBLIC"), json!({})).await;
    let query = address(&[("query", "{ model(path: \"vision/ocr\") { name description } }")]);
    let nobody = server.anonymous();
    let get = async |caller: &Caller, tag: &str| {
        let request = caller.request(Method::GET, &query).header("if-none-match", tag);
        let response = request.send().await.unwrap();
        let header = |name: &str| {
            response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let (status, kept, tag) =
            (response.status().as_u16(), header("cache-control"), header("etag"));
        assert!(header("vary").contains("Authorization"));
        (status, kept, tag, response.text().await.unwrap())
    };
    let (status, kept, tag, body) = get(&nobody, "\"x\"").await;
    assert_eq!((status, kept.as_str()), (200, "public, no-cache"));
    assert!(body.contains("ocr") && tag.starts_with("W/\""), "{tag}");
    assert_eq!(get(&nobody, &tag).await, (304, kept.clone(), tag.clone(), String::new()));
    assert_eq!(get(&admin, &tag).await.1, "private, no-cache");
    let update = "mutation { updateModel(input: {model: \"vision/ocr\", description: \"new\"}) { model { id } } }";
    admin.ok(update, json!({})).await;
    assert_eq!(get(&nobody, &tag).await.0, 200);
    admin.ok(&open("PRIVATE"), json!({})).await;
    let (status, _, _, body) = get(&nobody, &tag).await;
    assert_eq!((status, body.as_str()), (200, "{\"data\":{\"model\":null}}"));
    let wrong = admin.get(&address(&[("query", "{ nonsense }")])).await;
    assert_eq!(wrong.headers()["cache-control"], "no-store");
    assert!(!wrong.headers().contains_key("etag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_changes_nothing() {
    let (server, admin) = Server::with_model().await;
    let open = "mutation { updateProject(input: {project: \"vision\", visibility: PUBLIC}) { project { id } } }";
    admin.ok(open, json!({})).await;
    let count = || server.count("SELECT COUNT(*) FROM experiments WHERE model_id IS NOT NULL");
    let asked = "{ model(path: \"vision/ocr\") { experiment { id } } }";
    let refused = server.anonymous().refused(asked, json!({})).await;
    assert_eq!(refused.code, "NOT_FOUND");
    let (status, _, answer) = told(admin.get(&address(&[("query", asked)])).await).await;
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (200, &json!("NOT_FOUND")));
    let reads = "{ model(path: \"vision/ocr\") { defaultExperiment { id } } }";
    let none = admin.ok(reads, json!({})).await;
    assert_eq!((none["model"]["defaultExperiment"].clone(), count().await), (Value::Null, 0));
    // As before, for those who can change the model.
    let made = admin.ok(asked, json!({})).await;
    assert_eq!(
        admin.ok(reads, json!({})).await["model"]["defaultExperiment"],
        made["model"]["experiment"]
    );
    assert_eq!(count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_ran_once_can_be_named_by_its_hash() {
    use sha2::{Digest, Sha256};
    let (server, admin) = Server::with_model().await;
    let named = |query: &str| {
        let hash = hex::encode(Sha256::digest(query));
        json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash}}})
    };
    let with = |query: &str| {
        let mut body = named(query);
        body["query"] = query.into();
        body
    };
    let read = "query($path: String!) { model(path: $path) { name } }";
    let missing = async |caller: &Caller, query: &str| {
        let (status, _, answer) = post(caller, "application/json", &named(query)).await;
        let error = &answer["errors"][0];
        let is_missing = error["message"] == "PersistedQueryNotFound"
            && error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND";
        assert!(!is_missing || status == 200 && answer.get("data").is_none(), "{answer}");
        is_missing
    };
    assert!(missing(&admin, read).await);
    assert_eq!(post(&admin, NEW, &named(read)).await.0, 400);
    // A stranger does not register, nor what does not run.
    let nobody = server.anonymous();
    let mut body = with(read);
    body["variables"] = json!({"path": "vision/ocr"});
    assert_eq!(post(&nobody, NEW, &body).await.2, json!({"data": {"model": null}}));
    post(&admin, NEW, &with("{ nonsense }")).await;
    assert!(missing(&admin, read).await && missing(&admin, "{ nonsense }").await);
    assert_eq!(post(&admin, NEW, &body).await.2["data"]["model"]["name"], "ocr");
    assert!(!missing(&admin, read).await && !missing(&nobody, read).await);
    let hash =
        named(read)["extensions"]["persistedQuery"]["sha256Hash"].as_str().unwrap().to_owned();
    let by_id =
        json!({"documentId": format!("sha256:{hash}"), "variables": {"path": "vision/ocr"}});
    assert_eq!(post(&admin, NEW, &by_id).await.2["data"]["model"]["name"], "ocr");
    let extensions = named(read)["extensions"].to_string();
    let by_get =
        address(&[("extensions", &extensions), ("variables", "{\"path\":\"vision/ocr\"}")]);
    assert_eq!(told(admin.get(&by_get).await).await.2["data"]["model"]["name"], "ocr");
    for wrong in [
        json!({"query": "{ __typename }", "extensions": named(read)["extensions"]}),
        json!({"extensions": {"persistedQuery": {"version": 2, "sha256Hash": hash}}}),
        json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x"}}}),
        json!({"documentId": "md5:x"}),
    ] {
        assert_eq!(post(&admin, "application/json", &wrong).await.0, 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_fragments_are_no_endless_work_and_another_sites_image_asks_for_nothing() {
    let (server, admin) = Server::with_model().await;
    let each =
        |n: usize| format!("fragment a{n} on Query {{ {} }} ", format!("...a{} ", n + 1).repeat(4));
    let fragments: String = (0..36).map(each).collect();
    let bomb = format!("{{ ...a0 }} {fragments} fragment a36 on Query {{ __typename }}");
    let nobody = server.anonymous();
    let (status, _, answer) = post(&nobody, NEW, &json!({"query": bomb})).await;
    assert_eq!((status, &answer["errors"][0]["extensions"]["field"]), (400, &json!("query")));
    assert_eq!(nobody.get(&address(&[("query", &bomb)])).await.status(), 200);
    let ask = async |site: &str| {
        let request = admin.request(Method::GET, &address(&[("query", "{ __typename }")]));
        request.header("sec-fetch-site", site).send().await.unwrap().status().as_u16()
    };
    for (site, status) in
        [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
    {
        assert_eq!(ask(site).await, status, "{site}");
    }
    let long = json!({"query": "query($p: [String!]!) { modelsByPath(paths: $p) { id } }", "variables": {"p": ["x".repeat(2049)]}});
    assert_eq!(post(&nobody, NEW, &long).await.2["errors"][0]["extensions"]["field"], "paths");
}
