//! Members, project tokens, protected aliases, and the lists that each sees.

use model_registry::role::TokenScope;
use serde_json::{Value, json};

use crate::harness::{Caller, PASSWORD, Server, assert_as_many};

/// `vision/ocr` with version 1.0.0, in which ada is an owner, bob a maintainer, cleo a developer.
async fn team() -> (Server, Caller, Caller, Caller, Caller) {
    let (server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    for (name, role) in [("ada", "OWNER"), ("bob", "MAINTAINER"), ("cleo", "DEVELOPER")] {
        admin.invite(name).await;
        admin.add_member("vision", name, role).await;
    }
    let ada = server.person("ada", TokenScope::Admin).await;
    let bob = server.person("bob", TokenScope::Admin).await;
    let cleo = server.person("cleo", TokenScope::Admin).await;
    (server, admin, ada, bob, cleo)
}

const REMOVE: &str = "mutation($u: String!) { removeMember(input: {project: \"vision\", username: $u}) { member { role } } }";
const UPDATE: &str = "mutation($u: String!, $r: Role!) { updateMember(input: {project: \"vision\", username: $u, role: $r}) { member { role } } }";
const ADD: &str = "mutation($u: String!, $r: Role!) { addMember(input: {project: \"vision\", username: $u, role: $r}) { member { role } } }";
const READ: &str = "{ model(path: \"vision/ocr\") { id } }";

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_or_takes_more_than_they_have_and_an_owner_stays() {
    let (server, admin, ada, bob, _) = team().await;
    admin.invite("dora").await;
    assert_eq!(bob.refused(ADD, json!({"u": "dora", "r": "OWNER"})).await.code, "FORBIDDEN");
    bob.ok(ADD, json!({"u": "dora", "r": "MAINTAINER"})).await;
    assert_eq!(bob.refused(ADD, json!({"u": "dora", "r": "GUEST"})).await.code, "ALREADY_EXISTS");
    assert_eq!(bob.refused(ADD, json!({"u": "nobody", "r": "GUEST"})).await.code, "NOT_FOUND");
    assert_eq!(bob.refused(UPDATE, json!({"u": "bob", "r": "OWNER"})).await.code, "FORBIDDEN");
    assert_eq!(bob.refused(UPDATE, json!({"u": "ada", "r": "GUEST"})).await.code, "FORBIDDEN");
    assert_eq!(bob.refused(REMOVE, json!({"u": "ada"})).await.code, "FORBIDDEN");
    // The administrator made the project and is its owner, too; then ada is the last.
    ada.ok(REMOVE, json!({"u": "admin"})).await;
    for (query, variables) in
        [(REMOVE, json!({"u": "ada"})), (UPDATE, json!({"u": "ada", "r": "MAINTAINER"}))]
    {
        let refusal = ada.refused(query, variables).await;
        assert_eq!(
            (refusal.code.as_str(), refusal.message.contains("Make somebody else OWNER")),
            ("CONFLICT", true)
        );
    }
    let delete = "mutation { deleteUser(input: {username: \"ada\"}) { user { id } } }";
    assert!(admin.refused(delete, json!({})).await.message.contains("vision"));
    ada.ok(UPDATE, json!({"u": "dora", "r": "OWNER"})).await;
    let dora = server.person("dora", TokenScope::Admin).await;
    let (a, b) = tokio::join!(
        ada.graphql(REMOVE, json!({"u": "ada"})),
        dora.graphql(REMOVE, json!({"u": "dora"}))
    );
    let left = [&a, &b].iter().filter(|answer| answer.get("errors").is_none()).count();
    assert_eq!(left, 1, "of two owners who leave at once, one stays: {a} {b}");
    assert_eq!(server.count("SELECT COUNT(*) FROM members WHERE role = 'OWNER'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_is_gone_with_the_next_request() {
    let (server, admin, _, bob, cleo) = team().await;
    let robot = bob.robot("vision", "DEVELOPER").await;
    for caller in [&bob, &cleo, &robot] {
        assert!(caller.ok(READ, json!({})).await["model"].is_object());
    }
    admin.ok(REMOVE, json!({"u": "cleo"})).await;
    assert_eq!(cleo.ok(READ, json!({})).await["model"], Value::Null);
    assert_eq!(cleo.get("/files/vision/ocr/1.0.0").await.status(), 404);
    bob.ok(REMOVE, json!({"u": "bob"})).await;
    assert_eq!(bob.ok(READ, json!({})).await["model"], Value::Null, "who leaves is out");
    let tokens =
        "{ project(path: \"vision\") { tokens { id name role scope user { isRobot username } } } }";
    let tokens = admin.ok(tokens, json!({})).await["project"]["tokens"].take();
    assert_eq!((&tokens[0]["role"], &tokens[0]["scope"]), (&json!("DEVELOPER"), &Value::Null));
    assert_eq!(tokens[0]["user"]["isRobot"], true);
    let revoke = "mutation($id: ID!) { revokeToken(input: {id: $id}) { token { name } } }";
    admin.ok(revoke, json!({"id": tokens[0]["id"]})).await;
    assert_eq!(robot.get("/files/vision/ocr/1.0.0").await.status(), 401);
    admin.ok(ADD, json!({"u": "cleo", "r": "GUEST"})).await;
    let block = "mutation($b: Boolean!) { blockUser(input: {username: \"cleo\"}) @include(if: $b) { user { state } }
        unblockUser(input: {username: \"cleo\"}) @skip(if: $b) { user { state } } }";
    assert_eq!(admin.ok(block, json!({"b": true})).await["blockUser"]["user"]["state"], "BLOCKED");
    assert_eq!(cleo.refused(READ, json!({})).await.code, "UNAUTHENTICATED");
    let sign_in = "mutation($p: String!) { signIn(input: {username: \"cleo\", password: $p}) { user { id } } }";
    let refusal = server.anonymous().refused(sign_in, json!({ "p": PASSWORD })).await;
    assert_eq!((refusal.code.as_str(), refusal.message.contains("blocked")), ("FORBIDDEN", true));
    let refusal = server.anonymous().refused(sign_in, json!({"p": "wrong"})).await;
    assert_eq!(refusal.code, "UNAUTHENTICATED", "who does not know the password learns nothing");
    admin.ok(block, json!({"b": false})).await;
    assert!(cleo.ok(READ, json!({})).await["model"].is_object());
    assert_eq!(server.count("SELECT COUNT(*) FROM members WHERE user_id IN (SELECT id FROM users WHERE kind = 'ROBOT')").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_is_in_its_project_only_and_makes_no_tokens() {
    let (_server, admin, ada, bob, _) = team().await;
    let robot = ada.robot("vision", "MAINTAINER").await;
    let create = "mutation($r: Role!) { createProjectToken(input: {project: \"vision\", name: \"x\", role: $r}) { secret } }";
    assert_eq!(bob.refused(create, json!({"r": "OWNER"})).await.field, "role");
    for query in [
        "mutation { createToken(input: {name: \"x\"}) { secret } }",
        "mutation { createProject(input: {path: \"mine\"}) { project { id } } }",
        "{ users { totalCount } }",
    ] {
        assert_eq!(robot.refused(query, json!({})).await.code, "FORBIDDEN", "{query}");
    }
    assert_eq!(robot.refused(create, json!({"r": "GUEST"})).await.code, "FORBIDDEN");
    admin.invite("dora").await;
    robot.ok(ADD, json!({"u": "dora", "r": "GUEST"})).await;
    let other = "mutation { createProject(input: {path: \"other\", visibility: INTERNAL}) { project { id } } }";
    admin.ok(other, json!({})).await;
    let seen = robot
        .ok("{ projects { totalCount nodes { path } } project(path: \"other\") { id } }", json!({}))
        .await;
    assert_eq!(seen["projects"], json!({"totalCount": 1, "nodes": [{"path": "vision"}]}));
    assert_eq!(seen["project"], Value::Null);
    let by = "{ project(path: \"vision\") { events(first: 1) { nodes { action actor { isRobot } token { name role } } } } }";
    let event = robot.ok(by, json!({})).await["project"]["events"]["nodes"][0].take();
    assert_eq!(
        event,
        json!({"action": "member.add", "actor": {"isRobot": true}, "token": {"name": "ci", "role": "MAINTAINER"}})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn protected_aliases_move_by_maintainers_only_whichever_way() {
    let (_server, admin, _, bob, cleo) = team().await;
    admin.publish("1.0.0").await;
    bob.ok("mutation { protectAlias(input: {project: \"vision\", pattern: \"prod*\"}) { protectedAlias { pattern } } }", json!({})).await;
    bob.ok("mutation { protectAlias(input: {model: \"vision/ocr\", pattern: \"champion\"}) { protectedAlias { pattern model { path } } } }", json!({})).await;
    let set = "mutation($n: String!) { setAlias(input: {model: \"vision/ocr\", name: $n, version: \"1.0.0\"}) { alias { protected } } }";
    for name in ["production", "champion"] {
        assert_eq!(cleo.refused(set, json!({"n": name})).await.code, "FORBIDDEN");
        assert_eq!(bob.ok(set, json!({"n": name})).await["setAlias"]["alias"]["protected"], true);
    }
    assert_eq!(cleo.ok(set, json!({"n": "free"})).await["setAlias"]["alias"]["protected"], false);
    for mutation in [
        "deleteAlias(input: {model: \"vision/ocr\", name: \"production\"}) { alias { id } }",
        "deleteModelVersion(input: {model: \"vision/ocr\", version: \"1.0.0\"}) { modelVersion { id } }",
        "deleteModel(input: {model: \"vision/ocr\"}) { model { id } }",
        "renameModel(input: {model: \"vision/ocr\", name: \"old\"}) { model { id } }",
    ] {
        let refusal = cleo.refused(&format!("mutation {{ {mutation} }}"), json!({})).await;
        assert_eq!(refusal.code, "FORBIDDEN", "{mutation}");
    }
    let rules = "{ model(path: \"vision/ocr\") { protectedAliases { pattern model { name } } } project(path: \"vision\") { protectedAliases { pattern } } }";
    let rules = cleo.ok(rules, json!({})).await;
    assert_eq!(rules["project"]["protectedAliases"], json!([{"pattern": "prod*"}]));
    assert_eq!(rules["model"]["protectedAliases"].as_array().unwrap().len(), 2);
    bob.ok("mutation { unprotectAlias(input: {project: \"vision\", pattern: \"prod*\"}) { protectedAlias { pattern } } }", json!({})).await;
    cleo.ok("mutation { deleteAlias(input: {model: \"vision/ocr\", name: \"production\"}) { alias { id } } }", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_counts_hold_what_one_may_see_in_as_many_statements_for_many() {
    let (server, admin, _, _, cleo) = team().await;
    admin.invite("eve").await;
    let eve = server.person("eve", TokenScope::Read).await;
    let make = async |range: std::ops::Range<usize>| {
        for number in range {
            let visibility = ["PRIVATE", "INTERNAL", "PUBLIC"][number % 3];
            let create = format!("mutation {{ createProject(input: {{path: \"p-{number}\", visibility: {visibility}}}) {{ project {{ id }} }}
                createModel(input: {{project: \"p-{number}\", name: \"m\"}}) {{ model {{ id }} }} }}");
            admin.ok(&create, json!({})).await;
        }
    };
    let page = "{ projects(first: 50) { totalCount nodes { path viewerRole memberCount members(first: 2) { totalCount nodes { role user { username } } }
        protectedAliases { pattern } events(first: 1) { nodes { address token { name } } } } }
        models(first: 50) { totalCount nodes { path project { viewerRole } } } }";
    let ask = async |caller: &Caller| {
        let before = server.app.db.statements();
        let answer = caller.ok(page, json!({})).await;
        (answer, server.app.db.statements() - before)
    };
    make(0..3).await;
    ask(&cleo).await;
    let (few, of_few) = ask(&cleo).await;
    assert_eq!(few["projects"]["totalCount"], 3, "vision, and what is not private: {few}");
    make(3..45).await;
    let (many, of_many) = ask(&cleo).await;
    assert_eq!(many["projects"]["totalCount"], 31);
    assert_eq!(many["models"]["totalCount"], 31);
    assert_eq!(many["projects"]["nodes"].as_array().unwrap().len(), 31, "no page has holes");
    assert_as_many(of_few, of_many);
    let roles = many["projects"]["nodes"].as_array().unwrap();
    assert!(
        roles.iter().all(|node| (node["path"] == "vision") == (node["viewerRole"] == "DEVELOPER"))
    );
    assert!(!many.to_string().contains("127.0.0.1"), "addresses are for maintainers");
    assert_eq!(ask(&eve).await.0["projects"]["totalCount"], 30);
    let anonymous = "{ projects { totalCount } models { totalCount } }";
    let seen = server.anonymous().ok(anonymous, json!({})).await;
    assert_eq!(seen, json!({"projects": {"totalCount": 15}, "models": {"totalCount": 15}}));
    assert_eq!(ask(&admin).await.0["projects"]["totalCount"], 46);
}

#[tokio::test(flavor = "multi_thread")]
async fn emptying_the_trash_is_for_ever_and_takes_nothing_else_along() {
    let (server, admin, _, bob, cleo) = team().await;
    cleo.put("/files/vision/ocr/1.0.0/a", "kept").await;
    cleo.ok("mutation { createCandidate(input: {model: \"vision/ocr\", params: [{name: \"p\", value: \"1\"}], metrics: [{name: \"m\", value: 1}]}) { candidate { id } } }", json!({})).await;
    cleo.put("/files/vision/ocr/candidate:1/b", "weights").await;
    cleo.ok("mutation { promoteCandidate(input: {model: \"vision/ocr\", candidate: 1, version: \"2.0.0\"}) { modelVersion { id } }
        setAlias(input: {model: \"vision/ocr\", name: \"a\", version: \"1.0.0\"}) { alias { id } }
        createModel(input: {project: \"vision\", name: \"gone\"}) { model { id } }
        createModelVersion(input: {model: \"vision/gone\"}) { modelVersion { id } }
        createCandidate(input: {model: \"vision/gone\"}) { candidate { id } }
        promoteAgain: promoteCandidate(input: {model: \"vision/gone\", candidate: 1}) { modelVersion { id } }
        setAgain: setAlias(input: {model: \"vision/gone\", name: \"a\", version: \"0.1.0\"}) { alias { id } } }".replace("0.1.0", "latest").as_str(), json!({})).await;
    cleo.put("/files/vision/gone/1.0.0/c", "away").await;
    let deleted = cleo.ok("mutation { deleteCandidate(input: {model: \"vision/ocr\", candidate: 1}) { candidate { id } }
        deleteModelVersion(input: {model: \"vision/ocr\", version: \"1.0.0\"}) { modelVersion { id } }
        deleteModel(input: {model: \"vision/gone\"}) { model { id } } }", json!({})).await;
    let empty = "mutation($item: ID) { emptyTrash(input: {project: \"vision\", item: $item}) { removedCount } }";
    assert_eq!(cleo.refused(empty, json!({})).await.code, "FORBIDDEN");
    let alive = bob.ok(READ, json!({})).await["model"]["id"].take();
    assert_eq!(
        bob.refused(empty, json!({"item": alive})).await.code,
        "NOT_FOUND",
        "only what is in the trash"
    );
    let version = &deleted["deleteModelVersion"]["modelVersion"]["id"];
    let candidate = &deleted["deleteCandidate"]["candidate"]["id"];
    let size = "query($item: ID) { project(path: \"vision\") { trashSize(item: $item) } }";
    let size =
        async |item| cleo.ok(size, json!({"item": item})).await["project"]["trashSize"].take();
    assert_eq!(size(&json!(null)).await, 8, "kept and away; 2.0.0 has the weights, too");
    admin.ok("mutation { createProject(input: {path: \"secret\"}) { project { id } }
        createModel(input: {project: \"secret\", name: \"m\"}) { model { id } }
        createModelVersion(input: {model: \"secret/m\", version: \"1.0.0\"}) { modelVersion { id } } }", json!({})).await;
    admin.put("/files/secret/m/1.0.0/a", "kept").await;
    let sizes = (size(version).await, size(candidate).await);
    assert_eq!(sizes, (json!(4), json!(0)), "what others have is their secret");
    assert_eq!(bob.ok(empty, json!({"item": version})).await["emptyTrash"]["removedCount"], 1);
    let left = "{ project(path: \"vision\") { trash { totalCount } } }";
    assert_eq!(bob.ok(left, json!({})).await["project"]["trash"]["totalCount"], 2);
    assert_eq!(bob.ok(empty, json!({})).await["emptyTrash"]["removedCount"], 2);
    assert_eq!(
        server.count("SELECT COUNT(*) FROM objects").await,
        4 + 3,
        "vision/ocr, 2.0.0, two experiments, and as many of secret, where no model has runs"
    );
    assert_eq!(server.count("SELECT COUNT(*) FROM files").await, 1 + 1);
    assert_eq!(server.count("SELECT COUNT(*) FROM names").await, 1 + 1);
    let kept = bob.ok("{ model(path: \"vision/ocr\") { version(ref: \"2.0.0\") { candidate { id } params { value } files { nodes { path } } } } }", json!({})).await;
    assert_eq!(
        kept["model"]["version"],
        json!({"candidate": null, "params": [{"value": "1"}], "files": {"nodes": [{"path": "b"}]}})
    );
    bob.ok("mutation { createModelVersion(input: {model: \"vision/ocr\", version: \"1.0.0\"}) { modelVersion { id } } }", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_protected_names_no_draft_whose_files_a_developer_could_change() {
    let (_server, admin, _, bob, cleo) = team().await;
    let protect = "mutation($p: String!) { protectAlias(input: {project: \"vision\", pattern: $p}) { protectedAlias { pattern } } }";
    let set = "mutation($n: String!, $v: String!) { setAlias(input: {model: \"vision/ocr\", name: $n, version: $v}) { alias { name } } }";
    cleo.ok(set, json!({"n": "champion", "v": "1.0.0"})).await;
    for pattern in ["champion", "c*"] {
        let refusal = bob.refused(protect, json!({ "p": pattern })).await;
        assert_eq!(refusal.code, "CONFLICT");
        assert!(
            refusal.message.contains("champion points to the draft 1.0.0 of ocr"),
            "{}",
            refusal.message
        );
    }
    // Nor does it come back out of the trash with the name.
    let delete = "mutation { deleteModelVersion(input: {model: \"vision/ocr\", version: \"1.0.0\"}) { modelVersion { id } } }";
    let restore = "mutation { restoreModelVersion(input: {model: \"vision/ocr\", version: \"1.0.0\"}) { modelVersion { id } } }";
    cleo.ok(delete, json!({})).await;
    assert_eq!(bob.refused(protect, json!({"p": "champion"})).await.code, "CONFLICT");
    cleo.ok(restore, json!({})).await;
    bob.ok(protect, json!({"p": "prod*"})).await;
    let refusal = bob.refused(set, json!({"n": "production", "v": "1.0.0"})).await;
    assert_eq!(refusal.code, "CONFLICT");
    assert!(refusal.message.contains("1.0.0 is a draft"), "{}", refusal.message);

    admin.publish("1.0.0").await;
    bob.ok(protect, json!({"p": "champion"})).await;
    bob.ok(set, json!({"n": "production", "v": "1.0.0"})).await;
    // It does not go back to one, either.
    admin.create_version(Some("2.0.0")).await;
    assert_eq!(bob.refused(set, json!({"n": "production", "v": "2.0.0"})).await.code, "CONFLICT");
    cleo.ok(set, json!({"n": "free", "v": "2.0.0"})).await;
    assert_eq!(cleo.refused(set, json!({"n": "production", "v": "2.0.0"})).await.code, "FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_a_model_holds_before_there_is_such_an_alias() {
    let (_server, _admin, _, bob, cleo) = team().await;
    bob.ok("mutation { protectAlias(input: {model: \"vision/ocr\", pattern: \"production\"}) { protectedAlias { pattern } } }", json!({})).await;
    // Another model of the name would be without the rule.
    for mutation in [
        "deleteModel(input: {model: \"vision/ocr\"}) { model { id } }",
        "renameModel(input: {model: \"vision/ocr\", name: \"old\"}) { model { id } }",
    ] {
        let refusal = cleo.refused(&format!("mutation {{ {mutation} }}"), json!({})).await;
        assert_eq!(refusal.code, "FORBIDDEN", "{mutation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_trash_is_not_there_for_guests_and_robots() {
    let (server, admin, ada, _, cleo) = team().await;
    admin.invite("dora").await;
    admin.add_member("vision", "dora", "GUEST").await;
    let dora = server.person("dora", TokenScope::Admin).await;
    let ids =
        "{ model(path: \"vision/ocr\") { id aliases { id } version(ref: \"1.0.0\") { id } } }";
    let ids = cleo.ok(ids, json!({})).await["model"].take();
    cleo.ok("mutation { deleteModel(input: {model: \"vision/ocr\"}) { model { id } } }", json!({}))
        .await;
    for id in [&ids["id"], &ids["version"]["id"]] {
        let node = "query($id: ID!) { node(id: $id) { id } }";
        assert_eq!(dora.ok(node, json!({ "id": id })).await["node"], Value::Null);
        assert!(cleo.ok(node, json!({ "id": id })).await["node"].is_object());
    }
    let robot = ada.robot("vision", "GUEST").await;
    let home = "{ viewer { robotOf { path } } }";
    assert_eq!(robot.ok(home, json!({})).await["viewer"]["robotOf"]["path"], "vision");
    ada.ok(
        "mutation { deleteProject(input: {project: \"vision\"}) { project { id } } }",
        json!({}),
    )
    .await;
    assert_eq!(robot.ok(home, json!({})).await["viewer"]["robotOf"], Value::Null);
    let trashed = "{ projects(trashed: true) { nodes { path viewerRole } } }";
    let mine = json!({"projects": {"nodes": [{"path": "vision", "viewerRole": "OWNER"}]}});
    assert_eq!(ada.ok(trashed, json!({})).await, mine);
    assert_eq!(cleo.ok(trashed, json!({})).await["projects"]["nodes"], json!([]));
    ada.ok(
        "mutation { restoreProject(input: {project: \"vision\"}) { project { id } } }",
        json!({}),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_people_are_as_many_statements_as_a_few() {
    let (server, admin, ..) = team().await;
    let page = "{ users(first: 100) { totalCount nodes { username state lastSeenAt hasPassword tokens { name scope role user { username } }
        memberships(first: 2) { totalCount nodes { role project { path viewerRole } addedBy { username } } } } } }";
    let ask = async || {
        let before = server.app.db.statements();
        let answer = admin.ok(page, json!({})).await["users"].take();
        (answer, server.app.db.statements() - before)
    };
    ask().await;
    let (_, of_few) = ask().await;
    for number in 0..40 {
        let invite = format!("mutation {{ inviteUser(input: {{username: \"u{number}\"}}) {{ user {{ id }} }}
            addMember(input: {{project: \"vision\", username: \"u{number}\", role: GUEST}}) {{ member {{ id }} }} }}");
        admin.ok(&invite, json!({})).await;
        server.person(&format!("u{number}"), TokenScope::Read).await;
    }
    ask().await;
    let (people, of_many) = ask().await;
    assert_eq!(people["totalCount"], 44);
    let last = people["nodes"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["tokens"][0]["scope"], &last["memberships"]["totalCount"]),
        (&json!("READ"), &json!(1))
    );
    assert_as_many(of_few, of_many);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_trash_is_emptied_in_parts() {
    let (server, _admin, _, bob, cleo) = team().await;
    for _ in 0..5 {
        let many: String = (0..50).map(|n| format!("a{n}: createCandidate(input: {{model: \"vision/ocr\"}}) {{ candidate {{ id }} }} ")).collect();
        cleo.ok(&format!("mutation {{ {many} }}"), json!({})).await;
    }
    let bury = "UPDATE candidates SET deleted_at_ms = 1";
    server.app.db.run_script(bury).await.unwrap();
    let empty =
        "mutation { emptyTrash(input: {project: \"vision\"}) { removedCount remainingCount } }";
    let first = bob.ok(empty, json!({})).await["emptyTrash"].take();
    assert_eq!(first, json!({"removedCount": 200, "remainingCount": 50}));
    let second = bob.ok(empty, json!({})).await["emptyTrash"].take();
    assert_eq!(second, json!({"removedCount": 50, "remainingCount": 0}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_restores_their_own_of_two_projects_that_had_one_path() {
    let (_server, admin, ada, ..) = team().await;
    let delete = "mutation { deleteProject(input: {project: \"vision\"}) { project { id } } }";
    ada.ok(delete, json!({})).await;
    admin
        .ok("mutation { createProject(input: {path: \"vision\"}) { project { id } } }", json!({}))
        .await;
    admin.ok(delete, json!({})).await;
    let restore =
        "mutation { restoreProject(input: {project: \"vision\"}) { project { modelCount } } }";
    assert_eq!(ada.ok(restore, json!({})).await["restoreProject"]["project"]["modelCount"], 1);
}
