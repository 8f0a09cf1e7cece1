//! The log: who did what with which token from where, what was refused, and its export.

use model_registry::action::Action;
use model_registry::role::TokenScope;
use serde_json::{Value, json};

use crate::harness::{Caller, Server};

const TAG: &str =
    "mutation { setTag(input: {model: \"vision/ocr\", key: \"k\", value: \"v\"}) { tag { key } } }";

async fn with_guest() -> (Server, Caller, Caller) {
    let (server, admin) = Server::with_model().await;
    admin.invite("ada").await;
    admin.add_member("vision", "ada", "GUEST").await;
    let ada = server.person("ada", TokenScope::Write).await;
    (server, admin, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_change_is_in_the_log_for_maintainers() {
    let (server, admin, ada) = with_guest().await;
    assert_eq!(ada.refused(TAG, json!({})).await.code, "FORBIDDEN");
    assert_eq!(ada.put("/files/vision/ocr/candidate:1/f", "x").await.status(), 404);
    let variables =
        "mutation($input: DeleteModelInput!) { deleteModel(input: $input) { model { id } } }";
    ada.refused(variables, json!({"input": {"model": "vision/ocr"}})).await;
    let events =
        "{ model(path: \"vision/ocr\") { events(filter: {refused: true}) { totalCount nodes {
        action subject refused detail address actor { username } token { name scope } } } } }";
    let seen = admin.ok(events, json!({})).await["model"]["events"].take();
    assert_eq!(seen["totalCount"], 2, "{seen}");
    assert_eq!(
        seen["nodes"][1],
        json!({"action": "tag.set", "subject": "vision/ocr", "refused": true, "detail": "{\"code\":\"FORBIDDEN\",\"key\":\"k\"}",
            "address": "127.0.0.1", "actor": {"username": "ada"}, "token": {"name": "test", "scope": "WRITE"}})
    );
    assert_eq!(seen["nodes"][0]["action"], "model.delete");
    let alias = "mutation { setAlias(input: {model: \"vision/ocr\", name: \"live\", version: \"1.0.0\"}) { alias { name } } }";
    assert_eq!(ada.refused(alias, json!({})).await.code, "FORBIDDEN");
    let seen = admin.ok(events, json!({})).await["model"]["events"]["nodes"][0].take();
    let detail: Value = serde_json::from_str(seen["detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail, json!({"code": "FORBIDDEN", "alias": "live", "version": "1.0.0"}));
    assert_eq!(ada.ok(events, json!({})).await["model"]["events"]["totalCount"], 0);
    let own =
        "{ model(path: \"vision/ocr\") { events { nodes { refused address token { name } } } } }";
    for event in ada.ok(own, json!({})).await["model"]["events"]["nodes"].as_array().unwrap() {
        assert_eq!(*event, json!({"refused": false, "address": null, "token": null}));
    }
    // Somebody for whom there is no such project; it takes as long, so the line is written beside the answer.
    admin.invite("eve").await;
    let eve = server.person("eve", TokenScope::Admin).await;
    assert_eq!(eve.refused(TAG, json!({})).await.code, "NOT_FOUND");
    eve.refused(&TAG.replace("vision", "nowhere"), json!({})).await;
    server.anonymous().refused(TAG, json!({})).await;
    let hidden = "{ events(filter: {refused: true, actor: \"eve\"}) { nodes { subject project { path } } } }";
    server.settle().await;
    let seen = admin.ok(hidden, json!({})).await["events"]["nodes"].take();
    assert_eq!(seen, json!([{"subject": "vision/ocr", "project": {"path": "vision"}}]));
    let strangers = "SELECT COUNT(*) FROM events WHERE refused AND actor_id IS NULL";
    assert_eq!(server.count(strangers).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_edits_or_deletes_a_line() {
    let (server, _, _) = with_guest().await;
    let before = server.count("SELECT COUNT(*) FROM events").await;
    for sql in ["DELETE FROM events", "UPDATE events SET action = 'x'"] {
        let error = server.app.db.run_script(sql).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{error}");
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM events").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_filtered_paged_and_exported() {
    let (_server, admin, ada) = with_guest().await;
    for number in 0..1100 {
        let tag = format!(
            "mutation {{ setTag(input: {{model: \"vision/ocr\", key: \"k{}\", value: \"{number}\"}}) {{ tag {{ key }} }} }}",
            number % 7
        );
        admin.ok(&tag, json!({})).await;
    }
    ada.refused(TAG, json!({})).await;
    let count = async |filter: &str| {
        let query = format!(
            "{{ project(path: \"vision\") {{ events(filter: {{{filter}}}, first: 1) {{ totalCount }} }} }}"
        );
        admin.ok(&query, json!({})).await["project"]["events"]["totalCount"].as_i64().unwrap()
    };
    assert_eq!(count("action: \"tag.set\"").await, 1101);
    assert_eq!(count("action: \"tag.*\", refused: false").await, 1100);
    assert_eq!(count("actor: \"ada\"").await, 1);
    assert_eq!(count("since: \"2999-01-01T00:00:00Z\"").await, 0);
    assert_eq!(count("until: \"2999-01-01T00:00:00Z\", action: \"model.create\"").await, 1);
    assert_eq!(count("action: \"t%\"").await, 0);
    let export = async |caller: &Caller, query: &str| {
        let response = caller.get(&format!("/api/events{query}")).await;
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let (status, lines) = export(&admin, "?project=vision&action=tag.set").await;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((status, lines.len()), (200, 1101));
    let first = &lines[0];
    assert_eq!(
        (&first["actor"], &first["token"], &first["detail"]["value"]),
        (&json!("admin"), &json!("test"), &json!("0"))
    );
    assert_eq!((&lines[1100]["refused"], &lines[1100]["actor"]), (&json!(true), &json!("ada")));
    let ids: Vec<_> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(export(&admin, "").await.1.contains("user.invite"));
    assert!(!export(&admin, "?model=vision/ocr").await.1.contains("user.invite"));
    for (caller, query, status) in [
        (&ada, "", 403),
        (&ada, "?project=vision", 403),
        (&ada, "?project=nothing", 404),
        (&admin, "?project=vision&model=vision/ocr", 400),
        (&admin, "?since=yesterday", 400),
        (&admin, "?refused=perhaps", 400),
    ] {
        assert_eq!(export(caller, query).await.0, status, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_what_is_told_to_maintainers_only() {
    let (server, admin, ada) = with_guest().await;
    admin.robot("vision", "GUEST").await;
    let open = "mutation { updateProject(input: {project: \"vision\", visibility: PUBLIC}) { project { id } } }";
    admin.ok(open, json!({})).await;
    let log = "{ project(path: \"vision\") { events { totalCount nodes { id action } } } }";
    let kinds = |answer: &Value| {
        let nodes = answer["project"]["events"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| node["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = admin.ok(log, json!({})).await;
    assert_eq!(
        kinds(&all),
        ["project.update", "token.create", "member.add", "model.create", "project.create"]
    );
    for caller in [&ada, &server.anonymous()] {
        let seen = caller.ok(log, json!({})).await;
        assert_eq!(kinds(&seen), ["project.update", "model.create", "project.create"]);
        assert_eq!(seen["project"]["events"]["totalCount"], 3);
        let id = &all["project"]["events"]["nodes"][2]["id"];
        let node = caller.ok("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
        assert_eq!(node["node"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_every_sort_are_in_the_log_where_they_belong() {
    let (server, admin, ada) = with_guest().await;
    let made = admin
        .ok("mutation { createToken(input: {name: \"t\"}) { token { id } } }", json!({}))
        .await;
    let account = server.person("ada", TokenScope::Admin).await;
    let revoke = "mutation($id: ID!) { revokeToken(input: {id: $id}) { token { id } } }";
    account.refused(revoke, json!({"id": made["createToken"]["token"]["id"]})).await;
    let wrong = Caller { token: Some("mrt_wrong".into()), ..server.anonymous() };
    wrong.refused(TAG, json!({})).await;
    wrong.put("/files/vision/ocr/candidate:1/f", "x").await;
    let change = "mutation { changePassword(input: {currentPassword: \"wrong\", newPassword: \"a new password\"}) { user { id } } }";
    account.refused(change, json!({})).await;
    ada.refused(
        "mutation { deleteUser(input: {username: \"vision/ocr\"}) { user { id } } }",
        json!({}),
    )
    .await;
    admin
        .ok(
            "mutation { deleteProject(input: {project: \"vision\"}) { project { id } } }",
            json!({}),
        )
        .await;
    ada.refused(
        "mutation { restoreProject(input: {project: \"vision\"}) { project { id } } }",
        json!({}),
    )
    .await;
    let hidden = "mutation { a: createToken(input: {name: \"x\"}) { secret } ...f } fragment f on Mutation { ...g } \
        fragment g on Mutation { b: inviteUser(input: {username: \"x\"}) { user { id } } }";
    ada.refused(hidden, json!({})).await;
    let circle = "mutation { ...f } fragment f on Mutation { ...g ...g } fragment g on Mutation { ...f ...f }";
    wrong.refused(circle, json!({})).await;
    let log = "{ events(filter: {refused: true}) { nodes { action project { path } } } }";
    server.settle().await;
    let answer = admin.ok(log, json!({})).await["events"]["nodes"].take();
    let mut seen: Vec<_> = answer.as_array().unwrap().iter().map(Value::to_string).collect();
    seen.sort();
    let line =
        |action: &str, project: Value| json!({"action": action, "project": project}).to_string();
    let there = || json!({"path": "vision"});
    let mut expected = [
        line("file.put", there()),
        line("password.change", Value::Null),
        line("token.create", Value::Null),
        line("user.invite", Value::Null),
        line("project.restore", there()),
        line("tag.set", there()),
        line("token.revoke", Value::Null),
        line("user.delete", Value::Null),
    ];
    expected.sort();
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_says_from_what_to_what() {
    let (_server, admin, _) = with_guest().await;
    admin.ok("mutation { updateProject(input: {project: \"vision\", visibility: PUBLIC}) { project { id } }
        updateMember(input: {project: \"vision\", username: \"ada\", role: DEVELOPER}) { member { id } }
        deleteUser(input: {username: \"ada\"}) { user { id } } }", json!({})).await;
    let log = "{ project(path: \"vision\") { events(first: 3) { nodes { action detail } } } }";
    let log = admin.ok(log, json!({})).await["project"]["events"]["nodes"].take();
    let detail = |index: usize| {
        serde_json::from_str::<Value>(log[index]["detail"].as_str().unwrap()).unwrap()
    };
    assert_eq!(log[0]["action"], "member.remove", "with the account its memberships end");
    assert_eq!(detail(1), json!({"username": "ada", "from": "GUEST", "role": "DEVELOPER"}));
    assert_eq!(detail(2), json!({"visibility": {"from": "PRIVATE", "to": "PUBLIC"}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_holds_other_sites_attempts_no_typed_secrets_and_few_lines_a_request() {
    let (server, admin, ada) = with_guest().await;
    let refused = "SELECT COUNT(*) FROM events WHERE refused";
    let request = ada.http.post(format!("{}/graphql", server.url)).json(&json!({ "query": TAG }));
    let response = request.header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(server.count(refused).await, 1, "a page of another site");
    // A password that was typed where the user name goes.
    let sign_in = "mutation { signIn(input: {username: \"hunter2 hunter2\", password: \"x\"}) { user { id } } }";
    server.anonymous().refused(sign_in, json!({})).await;
    let log = "{ events(first: 1) { nodes { action subject refused } } }";
    let last = admin.ok(log, json!({})).await["events"]["nodes"][0].take();
    assert_eq!(last, json!({"action": "session.create", "subject": "", "refused": true}));
    let before = server.count(refused).await;
    let many: String = (0..30)
        .map(|n| TAG[11..TAG.len() - 2].replace("setTag", &format!("a{n}: setTag")))
        .collect();
    ada.refused(&format!("mutation {{ {many} }}"), json!({})).await;
    let lines = server.count(refused).await - before;
    assert!((1..=10).contains(&lines), "{lines} lines of one request");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_is_in_the_log() {
    let (server, admin, _) = with_guest().await;
    let http = reqwest::Client::builder().cookie_store(true).build().unwrap();
    let browser = Caller { http, ..server.anonymous() };
    let sign_in = "mutation($p: String!) { signIn(input: {username: \"ada\", password: $p}) { user { id } } }";
    browser.ok(sign_in, json!({ "p": crate::harness::PASSWORD })).await;
    browser.ok("mutation { signOut { signedOut } }", json!({})).await;
    let log = "{ events(first: 1) { nodes { action actor { username } } } }";
    let last = admin.ok(log, json!({})).await["events"]["nodes"][0].take();
    assert_eq!(last, json!({"action": "session.end", "actor": {"username": "ada"}}));
}

/// The description of `Event.action` is written by hand, since the macros of the schema take no other.
#[test]
fn the_schema_says_what_every_action_means() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let schema = std::fs::read_to_string(root.join("schema.graphql")).unwrap();
    let event = schema.split("\ntype Event ").nth(1).unwrap();
    let described: Vec<_> =
        event.lines().map(str::trim).filter(|line| line.starts_with("- `")).collect();
    let said = |action: &Action| format!("- `{}`: {}", action.as_str(), action.meaning());
    let actions: Vec<_> = Action::ALL.iter().map(said).collect();
    assert_eq!(described, actions, "the doc comment of Event.action, in registry/event");
}

const EVENTS: &str =
    "{ model(path: \"vision/ocr\") { events(first: 1) { nodes { id action detail } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn the_value_of_a_tag_is_for_maintainers_and_can_be_redacted() {
    let (server, admin, guest) = with_guest().await;
    let secret = "mutation { setTag(input: {model: \"vision/ocr\", key: \"note\", value: \"hunter2\"}) { tag { key } } }";
    admin.ok(secret, json!({})).await;
    let last =
        async |who: &Caller| who.ok(EVENTS, json!({})).await["model"]["events"]["nodes"][0].take();
    let event = last(&admin).await;
    assert!(event["detail"].as_str().unwrap().contains("hunter2"));
    assert_eq!(last(&guest).await["detail"], "{\"key\":\"note\"}");

    let redact = "mutation($id: ID!) { redactEvent(input: {id: $id}) { event { detail } } }";
    let by = json!({ "id": event["id"] });
    assert_eq!(guest.refused(redact, by.clone()).await.code, "FORBIDDEN");
    let redacted = admin.ok(redact, by.clone()).await["redactEvent"]["event"]["detail"].take();
    assert_eq!(redacted, "{\"key\":\"note\",\"value\":\"[redacted]\"}");
    let line = last(&admin).await;
    assert_eq!(line["action"], "event.redact");
    assert!(!line["detail"].as_str().unwrap().contains("hunter2"));
    let export = admin.get("/api/events").await.text().await.unwrap();
    assert!(export.contains("[redacted]") && !export.contains("hunter2"));

    // Nothing else of a line changes, not even by hand, and no other line at all.
    let other = json!({ "id": line["id"] });
    assert_eq!(admin.refused(redact, other).await.code, "NOT_FOUND");
    for statement in [
        "UPDATE events SET detail = '{\"key\":\"other\",\"value\":\"[redacted]\"}' WHERE action = 'tag.set'",
        "UPDATE events SET detail = '{\"key\":\"note\",\"value\":\"x\"}' WHERE action = 'tag.set'",
        "UPDATE events SET detail = '{\"key\":\"note\",\"value\":null}' WHERE action = 'tag.set'",
        "UPDATE events SET detail = '{\"key\":\"note\"}' WHERE action = 'tag.set'",
        "UPDATE events SET detail = '{\"key\":\"note\",\"value\":\"[redacted]\"}', at_ms = 1 WHERE action = 'tag.set'",
        "UPDATE events SET detail = '{\"value\":\"[redacted]\"}' WHERE action = 'model.create'",
        "DELETE FROM events WHERE action = 'tag.set'",
    ] {
        assert!(server.app.db.run_script(statement).await.is_err(), "{statement}");
    }
}
