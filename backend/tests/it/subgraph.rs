//! The subgraph: what a gateway composes with other subgraphs, and the entities that it asks for.

use model_registry::role::TokenScope;
use serde_json::{Value, json};

use crate::harness::{CREATE_PROJECT, Caller, Server, assert_as_many};

const ENTITIES: &str = "query($all: [_Any!]!) { _entities(representations: $all) { __typename
    ... on Project { path } ... on Model { path } ... on ModelVersion { ref } ... on Alias { ref }
    ... on Candidate { runId } ... on Experiment { number } ... on User { username } } }";

async fn entities(caller: &Caller, query: &str, all: &[Value]) -> Vec<Value> {
    let mut found = caller.ok(query, json!({"all": all})).await;
    let Value::Array(found) = found["_entities"].take() else { panic!("{found}") };
    assert_eq!(found.len(), all.len());
    found
}

/// A model with a version, an alias and a run, and each of these by each of its keys.
async fn all_kinds() -> (Server, Caller, Vec<Value>) {
    let (server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    let made = admin
        .ok(
            "mutation { setAlias(input: {model: \"vision/ocr\", name: \"champion\", version: \"1.0.0\"}) { alias { id } }
                createCandidate(input: {model: \"vision/ocr\"}) { candidate { id runId experiment { id } } } }",
            json!({}),
        )
        .await;
    let read = "{ project(path: \"vision\") { id } model(path: \"vision/ocr\") { id version(ref: \"1.0.0\") { id } } }";
    let found = admin.ok(read, json!({})).await;
    let candidate = &made["createCandidate"]["candidate"];
    let all = vec![
        json!({"__typename": "Project", "id": found["project"]["id"]}),
        json!({"__typename": "Project", "path": "vision"}),
        json!({"__typename": "Model", "id": found["model"]["id"]}),
        json!({"__typename": "Model", "path": "vision/ocr"}),
        json!({"__typename": "ModelVersion", "id": found["model"]["version"]["id"]}),
        json!({"__typename": "ModelVersion", "ref": "vision/ocr@1.0.0"}),
        json!({"__typename": "Alias", "id": made["setAlias"]["alias"]["id"]}),
        json!({"__typename": "Alias", "ref": "vision/ocr@champion"}),
        json!({"__typename": "Candidate", "id": candidate["id"]}),
        json!({"__typename": "Candidate", "runId": candidate["runId"]}),
        json!({"__typename": "Experiment", "id": candidate["experiment"]["id"]}),
        json!({"__typename": "User", "username": "admin"}),
    ];
    (server, admin, all)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_is_found_by_each_of_its_keys() {
    let (server, admin, all) = all_kinds().await;
    let found = entities(&admin.in_subgraph(), ENTITIES, &all).await;
    for (asked, found) in all.iter().zip(&found) {
        assert_eq!(found["__typename"], asked["__typename"], "{asked}: {found}");
    }
    let nobody = server.anonymous().in_subgraph();
    let hidden = entities(&nobody, ENTITIES, &all).await;
    assert!(hidden.iter().all(Value::is_null), "{hidden:?}");
    // A gateway's own project token sees its project, and no account.
    let robot = admin.robot("vision", "GUEST").await.in_subgraph();
    let seen = entities(&robot, ENTITIES, &all).await;
    assert_eq!(seen.iter().filter(|entity| entity.is_null()).count(), 1, "{seen:?}");
    assert!(seen[11].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_badly_is_null_and_takes_nothing_with_it() {
    let (_server, admin, all) = all_kinds().await;
    let gateway = admin.in_subgraph();
    let model_id = &all[2]["id"];
    let odd = [
        json!({"__typename": "Model", "path": "vision/none"}),
        json!({"__typename": "Model", "path": 7}),
        json!({"__typename": "Model", "path": null}),
        json!({"__typename": "Model", "path": {"a": ["vision/ocr"]}}),
        json!({"__typename": "Model", "path": "v/".repeat(2000)}),
        json!({"__typename": "Model", "path": "\0/\0"}),
        json!({"__typename": "Model"}),
        json!({"__typename": "Project", "id": model_id}),
        json!({"__typename": "Event", "id": model_id}),
        json!({"__typename": "_Service", "id": model_id}),
        json!({"id": model_id}),
        json!({"__typename": "ModelVersion", "ref": "vision/ocr@champion"}),
        json!({"__typename": "ModelVersion", "ref": "vision/ocr@latest"}),
        json!({"__typename": "ModelVersion", "ref": "vision/ocr"}),
        json!({"__typename": "Alias", "ref": "vision/ocr@1.0.0"}),
        json!({"__typename": "Candidate", "runId": "x' OR ''='"}),
        json!("vision/ocr"),
        json!(null),
    ];
    // Null is no representation: the schema has none.
    let (nulls, odd): (Vec<_>, Vec<_>) = odd.into_iter().partition(Value::is_null);
    assert_eq!(gateway.refused(ENTITIES, json!({"all": nulls})).await.code, "INVALID");
    let mut asked = vec![all[3].clone()];
    asked.extend(odd);
    asked.push(all[5].clone());
    let found = entities(&gateway, ENTITIES, &asked).await;
    let (first, rest) = found.split_first().unwrap();
    let (last, odd) = rest.split_last().unwrap();
    assert_eq!((&first["path"], &last["ref"]), (&json!("vision/ocr"), &json!("vision/ocr@1.0.0")));
    assert!(odd.iter().all(Value::is_null), "{odd:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_trash_is_null_for_everybody() {
    let (_server, admin, all) = all_kinds().await;
    let gateway = admin.in_subgraph();
    admin.ok("mutation { deleteModelVersion(input: {model: \"vision/ocr\", version: \"1.0.0\"}) { modelVersion { id } } }", json!({})).await;
    for found in entities(&gateway, ENTITIES, &all[4..8]).await {
        assert!(found.is_null(), "a version and its alias: {found}");
    }
    assert!(entities(&gateway, ENTITIES, &all[2..4]).await.iter().all(Value::is_object));
    admin
        .ok(
            "mutation { deleteProject(input: {project: \"vision\"}) { project { id } } }",
            json!({}),
        )
        .await;
    let found = entities(&gateway, ENTITIES, &all[..11]).await;
    assert!(found.iter().all(Value::is_null), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_are_as_many_statements_as_one() {
    let (server, admin) = Server::with_model().await;
    let mut paths = Vec::new();
    for n in 0..300 {
        let project = format!("p{}", n % 7);
        admin.graphql(CREATE_PROJECT, json!({"path": project})).await;
        let create = "mutation($p: String!, $n: String!) { createModel(input: {project: $p, name: $n}) { model { id } } }";
        admin.ok(create, json!({"p": project, "n": format!("m{n}")})).await;
        paths.push(format!("{project}/m{n}"));
    }
    admin.invite("ada").await;
    for n in 0..6 {
        admin.add_member(&format!("p{n}"), "ada", "GUEST").await;
    }
    let ada = server.person("ada", TokenScope::Read).await.in_subgraph();
    let query = "query($all: [_Any!]!) { _entities(representations: $all) { ... on Model { path latestVersion { version } } } }";
    let ask = async |count: usize| {
        let of = |n: usize| match n % 2 {
            0 => json!({"__typename": "Model", "path": paths[n % paths.len()]}),
            // Names that are nowhere are looked up, too.
            _ => json!({"__typename": "Model", "path": format!("p{}/nowhere{n}", n % 7)}),
        };
        let all: Vec<Value> = (0..count).map(of).collect();
        // The fewest of some: the server has statements of its own to do meanwhile.
        let (mut found, mut fewest) = (Vec::new(), u64::MAX);
        for _ in 0..5 {
            let before = server.app.db.statements();
            found = entities(&ada, query, &all).await;
            fewest = fewest.min(server.app.db.statements() - before);
        }
        (found, fewest)
    };
    ask(1).await;
    let (_, of_one) = ask(1).await;
    let (_, of_many) = ask(100).await;
    let (found, of_all) = ask(1000).await;
    // One more for names of before.
    assert_as_many(of_one + 1, of_many);
    // One for the field and, where other servers may write, one for who calls.
    assert!(of_all <= 5 + 2, "{of_all} statements");
    for (n, found) in found.iter().enumerate() {
        let is_shown = n % 2 == 0 && n % paths.len() % 7 != 6;
        let path = if is_shown { json!(paths[n % paths.len()]) } else { Value::Null };
        assert_eq!(found["path"], path, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_entities_cost_is_counted_for_each() {
    let (_server, admin, all) = all_kinds().await;
    let gateway = admin.in_subgraph();
    let models = |count: usize| json!({"all": vec![all[3].clone(); count]});
    gateway.ok(ENTITIES, models(1000)).await;
    let refused = gateway.refused(ENTITIES, models(1001)).await;
    assert_eq!((&*refused.code, &*refused.field), ("INVALID", "representations"));
    assert!(refused.message.contains("at most 1000"), "{}", refused.message);
    // Over all fields that ask for some.
    let two = "query($a: [_Any!]!, $b: [_Any!]!) { a: _entities(representations: $a) { __typename }
        b: _entities(representations: $b) { __typename } }";
    let halves = |count: usize| {
        let half = vec![all[3].clone(); count];
        json!({"a": half, "b": half})
    };
    gateway.ok(two, halves(500)).await;
    assert!(gateway.refused(two, halves(501)).await.message.contains("at most 1000"));
    let same = "query($all: [_Any!]!) { a: _entities(representations: $all) { __typename }
        b: _entities(representations: $all) { __typename } }";
    assert_eq!(gateway.refused(same, models(501)).await.field, "representations");
    let deep = "query($all: [_Any!]!) { _entities(representations: $all) { ... on Model { versions(first: 100) { nodes { version } } } } }";
    let refused = gateway.refused(deep, models(1000)).await;
    let most = refused.message.split("at most ").nth(1).unwrap().split(' ').next().unwrap();
    let most: usize = most.parse().unwrap();
    assert!((100..=500).contains(&most), "{}", refused.message);
    gateway.ok(deep, models(most)).await;
    gateway.refused(deep, models(most + 2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subgraph_has_what_people_look_up_and_no_more() {
    let (_server, admin, _) = all_kinds().await;
    let gateway = admin.in_subgraph();
    let service = gateway.ok("{ _service { sdl } }", json!({})).await;
    let sdl = service["_service"]["sdl"].as_str().unwrap();
    assert_eq!(sdl, include_str!("../../../subgraph.graphql"));
    for name in [
        "Session",
        "Token",
        "Event",
        "Role",
        "Member",
        "Mutation",
        "Node",
        "ProtectedAlias",
        "TrashEntry",
        "_Any",
    ] {
        for kind in ["type", "enum", "interface", "scalar"] {
            assert!(!sdl.contains(&format!("\n{kind} {name} ")), "{kind} {name}");
        }
    }
    for query in [
        "{ viewer { id } }",
        "{ node(id: \"x\") { id } }",
        "{ events { totalCount } }",
        "{ user(username: \"admin\") { id } }",
        "{ project(path: \"vision\") { members { totalCount } } }",
        "{ project(path: \"vision\") { author { lastSeenAt } } }",
        "{ model(path: \"vision/ocr\") { experiment { id } } }",
        "mutation { deleteModel(input: {model: \"vision/ocr\"}) { model { id } } }",
    ] {
        assert_eq!(gateway.refused(query, json!({})).await.code, "INVALID", "{query}");
    }
    let pages = gateway.ok("{ models { nodes { path author { username } } pageInfo { hasNextPage } } projects { nodes { path } } }", json!({})).await;
    assert_eq!(
        pages["models"]["nodes"][0],
        json!({"path": "vision/ocr", "author": {"username": "admin"}})
    );
    // The whole schema knows nothing of federation.
    assert_eq!(admin.refused("{ _service { sdl } }", json!({})).await.code, "INVALID");
}
