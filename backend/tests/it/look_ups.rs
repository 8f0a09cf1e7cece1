//! Look-ups of many things at once, and the addresses by which others name what is here.

use serde_json::{Value, json};

use crate::harness::{CREATE_PROJECT, Server, assert_as_many};

const NODES: &str =
    "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Model { path } } }";
const MODELS: &str =
    "query($paths: [String!]!) { modelsByPath(paths: $paths) { path latestVersion { version } } }";

#[tokio::test(flavor = "multi_thread")]
async fn many_are_looked_up_in_few_statements_and_in_their_order() {
    let (server, admin) = Server::with_model().await;
    let mut ids = Vec::new();
    let mut paths = Vec::new();
    for n in 0..40 {
        let project = format!("p{}", n % 8);
        admin.graphql(CREATE_PROJECT, json!({"path": project})).await;
        let create = "mutation($p: String!, $n: String!) { createModel(input: {project: $p, name: $n}) { model { id } } }";
        let made = admin.ok(create, json!({"p": project, "n": format!("m{n}")})).await;
        ids.push(made["createModel"]["model"]["id"].clone());
        paths.push(format!("{project}/m{n}"));
    }
    let ada = {
        admin.invite("ada").await;
        admin.add_member("p3", "ada", "GUEST").await;
        server.person("ada", model_registry::role::TokenScope::Read).await
    };
    let statements = async |query: &str, variables: Value, field: &str| {
        let before = server.app.db.statements();
        let mut answer = ada.ok(query, variables).await;
        (answer[field].take(), server.app.db.statements() - before)
    };
    let is_shown = |n: usize| n % 8 == 3;
    for (query, field, name, all) in
        [(NODES, "nodes", "ids", json!(ids)), (MODELS, "modelsByPath", "paths", json!(paths))]
    {
        let few: Vec<_> = all.as_array().unwrap()[..8].to_vec();
        statements(query, json!({name: few}), field).await;
        let (_, of_few) = statements(query, json!({name: few}), field).await;
        let (found, of_many) = statements(query, json!({name: all}), field).await;
        assert_as_many(of_few, of_many);
        for (n, model) in found.as_array().unwrap().iter().enumerate() {
            let path = if is_shown(n) { json!(paths[n]) } else { Value::Null };
            assert_eq!(model["path"], path, "{n}: {found}");
        }
    }
    // What is missing, twice there or badly written is told in its place.
    let odd = json!({"ids": [ids[3], "nonsense", ids[0], ids[3], "mdl_0"]});
    let found = ada.ok(NODES, odd).await["nodes"].take();
    let shown: Vec<_> = found.as_array().unwrap().iter().map(Value::is_object).collect();
    assert_eq!(shown, [true, false, false, true, false]);
    let odd = json!({"paths": ["p3/m3", "p3/M3", "p3", "", "p3/m3/x", "\0/\0"]});
    let found = ada.ok(MODELS, odd).await["modelsByPath"].take();
    let shown: Vec<_> = found.as_array().unwrap().iter().map(Value::is_object).collect();
    assert_eq!(shown, [true, false, false, false, false, false]);
    let many = json!({"paths": vec!["p3/m3"; 101]});
    assert_eq!(ada.refused(MODELS, many).await.field, "paths");
    let many = json!({"ids": vec!["x"; 101]});
    assert_eq!(ada.refused(NODES, many).await.field, "ids");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_paths_lead_on_also_for_many() {
    let (_server, admin) = Server::with_model().await;
    let rename =
        "mutation { renameModel(input: {model: \"vision/ocr\", name: \"reader\"}) { model { id } }
        renameProject(input: {project: \"vision\", path: \"sight\"}) { project { id } } }";
    admin.ok(rename, json!({})).await;
    let paths = ["vision/ocr", "sight/ocr", "vision/reader", "sight/reader"];
    let found = admin.ok(MODELS, json!({"paths": paths})).await["modelsByPath"].take();
    for model in found.as_array().unwrap() {
        assert_eq!(model["path"], "sight/reader", "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn things_say_their_reference_and_their_page() {
    let read = "{ project(path: \"vision\") { webUrl } model(path: \"vision/ocr\") { webUrl aliases { ref }
        version(ref: \"@champion\") { ref webUrl files { nodes { downloadUrl } } }
        candidate(number: 1) { webUrl } defaultExperiment { webUrl } } }";
    for (flags, base) in [
        (&[][..], ""),
        (&["--public-url", "https://example.org/registry"], "https://example.org/registry"),
    ] {
        let server = Server::start_with(flags).await;
        let admin = server.admin().await;
        admin.ok(CREATE_PROJECT, json!({"path": "vision"})).await;
        admin.create_model("ocr").await;
        admin.create_version(Some("1.0.0+a")).await;
        admin.put("/files/vision/ocr/1.0.0+a/a%20b%2525", "x").await;
        admin.publish("1.0.0+a").await;
        let more = "mutation { setAlias(input: {model: \"vision/ocr\", name: \"champion\", version: \"1.0.0+a\"}) { alias { id } }
            createCandidate(input: {model: \"vision/ocr\"}) { candidate { id } } }";
        admin.ok(more, json!({})).await;
        let found = admin.ok(read, json!({})).await;
        let (model, version) = (&found["model"], &found["model"]["version"]);
        assert_eq!(found["project"]["webUrl"], format!("{base}/vision"));
        assert_eq!(model["webUrl"], format!("{base}/vision/ocr"));
        assert_eq!(model["aliases"][0]["ref"], "vision/ocr@champion");
        assert_eq!(version["ref"], "vision/ocr@1.0.0+a");
        assert_eq!(version["webUrl"], format!("{base}/vision/ocr/versions/1.0.0%2Ba"));
        let file = &version["files"]["nodes"][0]["downloadUrl"];
        assert_eq!(*file, format!("{base}/files/vision/ocr/1.0.0%2Ba/a%20b%2525"));
        assert_eq!(model["candidate"]["webUrl"], format!("{base}/vision/ocr/candidates/1"));
        assert_eq!(model["defaultExperiment"]["webUrl"], format!("{base}/vision/-/experiments/1"));
    }
}
