//! Projects: their life, how they are found, and the one of clients that name none.

use model_registry::role::TokenScope;
use serde_json::{Value, json};

use crate::harness::{CREATE_PROJECT, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_project_lives_dies_and_comes_back() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let create = "mutation { createProject(input: {path: \"vision\", name: \"Computer vision\",
        description: \"# Hi\", visibility: INTERNAL}) {
        project { path name visibility descriptionHtml viewerRole author { username } } } }";
    let project = admin.ok(create, json!({})).await["createProject"]["project"].take();
    assert_eq!(
        project,
        json!({"path": "vision", "name": "Computer vision", "visibility": "INTERNAL",
            "descriptionHtml": "<h1>Hi</h1>\n", "viewerRole": "OWNER",
            "author": {"username": "admin"}})
    );
    let again = admin.refused(CREATE_PROJECT, json!({ "path": "vision" })).await;
    assert_eq!(again.code, "ALREADY_EXISTS");

    let update = "mutation { updateProject(input: {project: \"vision\", name: \"Vision\"}) {
        project { name visibility description } } }";
    let project = admin.ok(update, json!({})).await["updateProject"]["project"].take();
    assert_eq!(project, json!({"name": "Vision", "visibility": "INTERNAL", "description": "# Hi"}));

    admin.create_model("ocr").await;
    let delete =
        "mutation { deleteProject(input: {project: \"vision\"}) { project { id deletedAt } } }";
    let deleted = admin.ok(delete, json!({})).await["deleteProject"]["project"].take();
    let gone = admin
        .ok(
            "{ project(path: \"vision\") { id } model(path: \"vision/ocr\") { id }
              models { totalCount } projects { totalCount } }",
            json!({}),
        )
        .await;
    assert_eq!(
        gone,
        json!({"project": null, "model": null, "models": {"totalCount": 0}, "projects": {"totalCount": 0}})
    );

    // The path is free while the other is in the trash, and restoring then says what is in the way.
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    let restore = "mutation($id: ID) { restoreProject(input: {project: \"vision\", id: $id}) {
        project { id path model(name: \"ocr\") { name } } } }";
    assert_eq!(admin.refused(restore, json!({})).await.code, "ALREADY_EXISTS");
    admin.ok(delete, json!({})).await;
    let restored = admin.ok(restore, json!({ "id": deleted["id"] })).await;
    assert_eq!(restored["restoreProject"]["project"]["id"], deleted["id"]);
    assert_eq!(restored["restoreProject"]["project"]["model"]["name"], "ocr");
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_cannot_be_addresses_are_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for path in ["", "Vision", "a_b", "a/b", "-a", "a-", "graphql", "files", "healthz", "a\u{0}"] {
        let refusal = admin.refused(CREATE_PROJECT, json!({ "path": path })).await;
        assert_eq!(
            (refusal.code.as_str(), refusal.field.as_str()),
            ("INVALID", "path"),
            "{path:?}"
        );
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM projects").await, 0);
    assert_eq!(
        server.count("SELECT COUNT(*) FROM events WHERE action = 'project.create'").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_project_of_clients_that_name_none_is_the_administrators_to_give() {
    let (server, admin) = Server::with_model().await;
    admin.invite("ada").await;
    let ada = server.person("ada", TokenScope::Admin).await;
    let create = "mutation($p: String!) { createProject(input: {path: $p}) { project { id } } }";
    let rename = "mutation($from: String!, $to: String!) { renameProject(input: {project: $from, path: $to}) { project { path } } }";
    let delete = "mutation { deleteProject(input: {project: \"default\"}) { project { id } } }";
    let restore = "mutation { restoreProject(input: {project: \"default\"}) { project { id } } }";
    let forbidden = async |query: &str, variables: Value| {
        let refusal = ada.refused(query, variables).await;
        assert_eq!(refusal.code, "FORBIDDEN", "{query}");
        assert!(refusal.message.contains("Only an administrator"), "{}", refusal.message);
    };
    forbidden(create, json!({"p": "default"})).await;
    ada.ok(create, json!({"p": "mine"})).await;
    forbidden(rename, json!({"from": "mine", "to": "default"})).await;

    admin.ok(create, json!({"p": "default"})).await;
    admin.add_member("default", "ada", "OWNER").await;
    ada.ok("mutation { updateProject(input: {project: \"default\", description: \"ours\"}) { project { id } } }", json!({})).await;
    forbidden(rename, json!({"from": "default", "to": "elsewhere"})).await;
    forbidden(delete, json!({})).await;
    admin.ok(delete, json!({})).await;
    forbidden(restore, json!({})).await;
    admin.ok(restore, json!({})).await;
    admin.ok(rename, json!({"from": "default", "to": "elsewhere"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_searched_sorted_and_paged() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for path in ["beta", "alpha", "gamma", "alphabet"] {
        admin.ok(CREATE_PROJECT, json!({ "path": path })).await;
    }
    let list = "query($search: String, $after: String) {
        projects(search: $search, after: $after, first: 2, orderBy: {field: NAME, direction: DESC}) {
            nodes { path } totalCount pageInfo { hasNextPage hasPreviousPage endCursor } } }";
    let page = admin.ok(list, json!({})).await["projects"].take();
    assert_eq!(page["nodes"], json!([{"path": "gamma"}, {"path": "beta"}]));
    assert_eq!(page["totalCount"], 4);
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let next = json!({ "after": page["pageInfo"]["endCursor"] });
    let page = admin.ok(list, next).await["projects"].take();
    assert_eq!(page["nodes"], json!([{"path": "alphabet"}, {"path": "alpha"}]));
    assert_eq!(page["pageInfo"]["hasNextPage"], false);
    assert_eq!(page["pageInfo"]["hasPreviousPage"], true);
    let found = admin.ok(list, json!({ "search": "ALPHA" })).await["projects"].take();
    assert_eq!(found["totalCount"], 2);
}
