//! The matrix: every mutation, every field of a project's data, `node(id:)` of every type and every
//! route, as everybody, against projects of every visibility; compared with `access.table`.

mod operations;
mod table;

use std::collections::BTreeMap;

use futures_util::future::join_all;
use model_registry::refusal::action_of;
use model_registry::registry::credential::TokenScope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Caller, PASSWORD, Server};
use operations::{MUTATIONS, QUERIES, TYPES, arguments};
use table::{Table, check_complete, walk};

const VISIBILITIES: [&str; 3] = ["private", "internal", "public"];

/// The registry that the matrix is tried on, and who tries.
struct World {
    server: Server,
    admin: Caller,
    callers: BTreeMap<(&'static str, &'static str), Caller>,
    shut_out: Vec<Caller>,
    count: u32,
    wrong: Vec<String>,
}

impl World {
    async fn new() -> Self {
        let server = Server::start().await;
        let admin = server.admin().await;
        for name in ["stranger", "guest", "developer", "maintainer", "owner", "blocked"] {
            admin.invite(name).await;
        }
        let mut callers = BTreeMap::new();
        for visibility in VISIBILITIES {
            lay_out(&server, &admin, visibility).await;
        }
        for visibility in VISIBILITIES {
            for name in ["stranger", "guest", "developer", "maintainer", "owner", "admin"] {
                callers.insert((name, visibility), server.person(name, TokenScope::Admin).await);
            }
            callers.insert(("anonymous", visibility), server.anonymous());
            callers.insert(("read", visibility), server.person("owner", TokenScope::Read).await);
            callers.insert(("write", visibility), server.person("owner", TokenScope::Write).await);
            callers.insert(("robot", visibility), admin.robot(visibility, "DEVELOPER").await);
            callers.insert(("foreign", visibility), admin.robot("elsewhere", "MAINTAINER").await);
        }
        let blocked = server.person("blocked", TokenScope::Admin).await;
        let block = "mutation { blockUser(input: {username: \"blocked\"}) { user { id } } }";
        admin.ok(block, json!({})).await;
        let expired = server.person("owner", TokenScope::Admin).await;
        let now = server.app.clock.now().millis();
        let expire = format!(
            "UPDATE credentials SET expires_at_ms = {now} WHERE id = (SELECT MAX(id) FROM credentials)"
        );
        server.app.db.run_script(&expire).await.unwrap();
        let shut_out = vec![blocked, expired];
        Self { server, admin, callers, shut_out, count: 0, wrong: Vec::new() }
    }

    /// Notes what is not as the table says.
    fn check(&mut self, what: &str, expected: &str, got: &str, answer: &str) {
        if expected != got {
            self.wrong.push(format!("{what}: {got} instead of {expected}: {answer:.300}"));
        }
    }

    /// Runs a piece of a mutation as the administrator; gives the first id or secret in the answer.
    async fn prepare(&mut self, piece: &str, visibility: &str, who: &Caller) -> String {
        self.count += 1;
        let n = self.count.to_string();
        match piece {
            "" => String::new(),
            "PUT" => {
                self.admin.put(&format!("/files/{visibility}/ocr/candidate:1/f-{n}"), "x").await;
                String::new()
            }
            "SESSION" => self.session_of(who).await,
            _ => {
                let piece = format!("mutation {{ {} }}", fill(piece, visibility, &n, ""));
                let made = self.admin.ok(&piece, json!({})).await;
                first_text(&made).rsplit('#').next().unwrap_or_default().to_owned()
            }
        }
    }

    /// A session of the caller, or one that is not there where they cannot have any.
    async fn session_of(&self, who: &Caller) -> String {
        let viewer = who.ok("{ viewer { username isRobot } }", json!({})).await;
        let username = viewer["viewer"]["username"].as_str();
        let person = username.filter(|_| viewer["viewer"]["isRobot"] == false);
        let Some(username) = person else {
            return "tok_00000000000000000000000000000000".to_owned();
        };
        let sign_in = format!(
            "mutation {{ signIn(input: {{username: \"{username}\", password: \"{PASSWORD}\"}}) {{ user {{ id }} }} }}"
        );
        self.server.anonymous().ok(&sign_in, json!({})).await;
        let sessions = who.ok("{ viewer { sessions { id } } }", json!({})).await;
        sessions["viewer"]["sessions"][0]["id"].as_str().unwrap().to_owned()
    }
}

/// The first string in an answer.
fn first_text(value: &Value) -> &str {
    match value {
        Value::String(text) => text,
        Value::Object(fields) => {
            fields.values().map(first_text).find(|text| !text.is_empty()).unwrap_or_default()
        }
        _ => "",
    }
}

fn fill(piece: &str, project: &str, n: &str, x: &str) -> String {
    let visibility = project.to_ascii_uppercase();
    piece
        .replace("{p}", project)
        .replace("{v}", if VISIBILITIES.contains(&project) { &visibility } else { "PUBLIC" })
        .replace("{n}", n)
        .replace("{x}", x)
        .replace("{password}", PASSWORD)
}

/// A project with something of everything.
async fn lay_out(server: &Server, admin: &Caller, visibility: &str) {
    let create = format!(
        "mutation {{ createProject(input: {{path: \"{visibility}\", visibility: {}}}) {{ project {{ id }} }} }}",
        visibility.to_ascii_uppercase()
    );
    admin.ok(&create, json!({})).await;
    admin
        .graphql(
            "mutation { createProject(input: {path: \"elsewhere\"}) { project { id } } }",
            json!({}),
        )
        .await;
    for role in ["guest", "developer", "maintainer", "owner"] {
        admin.add_member(visibility, role, &role.to_ascii_uppercase()).await;
    }
    let make = r#"mutation {
        createModel(input: {project: "{p}", name: "ocr", tags: [{key: "home", value: "{p}"}]}) { model { id } }
        a: createCandidate(input: {model: "{p}/ocr", params: [{name: "lr", value: "1"}],
            metrics: [{name: "loss", value: 1}], tags: [{key: "k", value: "v"}]}) { candidate { id } }
        b: createCandidate(input: {model: "{p}/ocr"}) { candidate { id } }
        protectAlias(input: {project: "{p}", pattern: "champ*"}) { protectedAlias { pattern } }
        c: createModel(input: {project: "{p}", name: "gone"}) { model { id } }
        deleteModel(input: {model: "{p}/gone"}) { model { id } }
        createProjectToken(input: {project: "{p}", name: "t", role: GUEST}) { token { id } }
    }"#;
    admin.ok(&make.replace("{p}", visibility), json!({})).await;
    admin.put(&format!("/files/{visibility}/ocr/candidate:1/f"), "x").await;
    let make = r#"mutation {
        promoteCandidate(input: {model: "{p}/ocr", candidate: 1, version: "1.0.0"}) { modelVersion { id } }
        setAlias(input: {model: "{p}/ocr", name: "champion", version: "1.0.0"}) { alias { id } }
        a: setTag(input: {model: "{p}/ocr", version: "1.0.0", key: "k", value: "v"}) { tag { key } }
        b: setTag(input: {model: "{p}/ocr", key: "k", value: "v"}) { tag { key } }
    }"#;
    admin.ok(&make.replace("{p}", visibility), json!({})).await;
    let guest = server.person("guest", TokenScope::Admin).await;
    let refused = "mutation { setTag(input: {model: \"{p}/ocr\", key: \"k\", value: \"v\"}) { tag { key } } }";
    guest.refused(&refused.replace("{p}", visibility), json!({})).await;
}

/// What a GraphQL answer amounts to, given the answer to the same about what is not there.
fn verdict(answer: &Value, missing: &Value) -> &'static str {
    let code = answer["errors"][0]["extensions"]["code"].as_str();
    match code {
        Some("FORBIDDEN") => "forbidden",
        Some("UNAUTHENTICATED") => "sign-in",
        _ if answer == missing => "hidden",
        Some(_) => "an error",
        None => "ok",
    }
}

/// The answer with what tells one request from another made alike.
fn alike(answer: &Value, names: &[&str]) -> Value {
    let mut text = answer.to_string();
    for name in names.iter().filter(|name| !name.is_empty()) {
        text = text.replace(name, "~");
    }
    serde_json::from_str(&text).unwrap()
}

async fn try_mutations(world: &mut World, table: &Table) {
    for (name, before, piece, after) in MUTATIONS {
        for visibility in VISIBILITIES {
            let mut laid_out = None;
            let expected = table.expected("mutation", name, visibility).to_vec();
            for (actor, expected) in table.actors.iter().zip(expected) {
                let caller = world.callers[&(*actor, visibility)].clone();
                let own = *before == "SESSION";
                if laid_out.is_none() || own {
                    let x = world.prepare(before, visibility, &caller).await;
                    laid_out = Some((world.count.to_string(), x));
                }
                let (n, x) = laid_out.clone().unwrap_or_default();
                let mutation = format!("mutation {{ {} }}", fill(piece, visibility, &n, &x));
                let answer = caller.graphql(&mutation, json!({})).await;
                let missing_x =
                    x.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
                let missing = format!("mutation {{ {} }}", fill(piece, "absent", &n, &missing_x));
                let got = match verdict(&answer, &Value::Null) {
                    "an error" => {
                        let missing = caller.graphql(&missing, json!({})).await;
                        verdict(
                            &alike(&answer, &[visibility, &x]),
                            &alike(&missing, &["absent", &missing_x]),
                        )
                    }
                    other => other,
                };
                world.check(
                    &format!("{name} as {actor}, {visibility}"),
                    expected,
                    got,
                    &answer.to_string(),
                );
                if got == "ok" {
                    laid_out = None;
                    let undo = format!("mutation {{ {} }}", fill(after, visibility, &n, ""));
                    if !after.is_empty() {
                        world.admin.graphql(&undo, json!({})).await;
                    }
                }
            }
            if !after.is_empty() {
                let undo = format!("mutation {{ {} }}", fill(after, visibility, "", ""));
                world.admin.graphql(&undo, json!({})).await;
            }
        }
    }
    let logged = |refused: bool| {
        if refused {
            "SELECT COUNT(DISTINCT action) FROM events WHERE refused AND action = $1"
        } else {
            "SELECT COUNT(DISTINCT action) FROM events WHERE NOT refused AND action = $1"
        }
    };
    for (name, ..) in MUTATIONS {
        let mutation = name.split('/').next().unwrap();
        let refused = table.expected("mutation", name, "private").iter().any(|cell| *cell != "ok");
        let sign_in = mutation == "signIn";
        for sql in [Some(logged(false)), refused.then(|| logged(true))].into_iter().flatten() {
            let action = if sign_in { "session.create".to_owned() } else { action_of(mutation) };
            // Nobody could sign out: tokens have no session. It is tried in log.rs.
            if mutation == "signOut" {
                continue;
            }
            let (count,): (i64,) = model_registry::db::query(sql)
                .bind(action.as_str())
                .fetch_one(&world.server.app.db)
                .await
                .unwrap();
            assert_eq!(count, 1, "{name} is not in the log as {action}: {sql}");
        }
    }
}

/// Asks for a piece of a query about a project, as everybody.
async fn try_query(
    world: &mut World,
    table: &Table,
    kind: &'static str,
    name: &'static str,
    piece: &str,
) {
    let world_ref = &*world;
    let mut tries = Vec::new();
    for visibility in VISIBILITIES {
        let expected = table.expected(kind, name, visibility);
        tries.extend(table.actors.iter().zip(expected).map(|(actor, expected)| async move {
            let caller = world_ref.callers[&(*actor, visibility)].clone();
            let ask = async |project: &str| {
                let query = format!("{{ {} }}", fill(piece, project, "", ""));
                alike(&caller.graphql(&query, json!({})).await, &[project])
            };
            let answer = ask(visibility).await;
            let shown = answer.get("errors").is_none() && !has_null_at_top(&answer["data"]);
            let about_a_project =
                piece.contains("{p}") && (!shown || name == "projects" || name == "models");
            let missing = if about_a_project { ask("absent").await } else { Value::Null };
            let got = match verdict(&answer, &missing) {
                "ok" if *expected == "null" && is_null(&answer["data"]) => "null",
                "ok" if kind == "field" && is_empty(&answer["data"]) => "nothing at all",
                got => got,
            };
            (format!("{name} as {actor}, {visibility}"), *expected, got, answer.to_string())
        }));
    }
    for (what, expected, got, answer) in join_all(tries).await {
        world.check(&what, expected, got, &answer);
    }
}

fn has_null_at_top(data: &Value) -> bool {
    data.as_object().is_none_or(|fields| fields.values().any(Value::is_null))
}

/// Whether the innermost value is null.
fn is_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_null),
        Value::Array(items) => !items.is_empty() && items.iter().all(is_null),
        _ => false,
    }
}

/// Whether a list on the way has nothing in it: then nothing was tried.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.values().any(is_empty),
        Value::Array(items) => items.is_empty() || items.iter().all(is_empty),
        _ => false,
    }
}

async fn try_nodes(world: &mut World, table: &Table) {
    for visibility in VISIBILITIES {
        let all = format!(
            r#"{{ project(path: "{visibility}") {{ Project: id tokens {{ Token: id }}
                members(first: 1) {{ nodes {{ Member: id user {{ User: id }} }} }}
                refused: events(filter: {{refused: true}}, first: 1) {{ nodes {{ Refused: id }} }}
                events(filter: {{action: "model.create"}}, first: 1) {{ nodes {{ Event: id }} }}
                model(name: "ocr") {{ Model: id version(ref: "1.0.0") {{ ModelVersion: id }}
                    candidate(number: 1) {{ Candidate: id }} experiment {{ Experiment: id }}
                    aliases {{ Alias: id }} }} }} }}"#
        );
        let all = world.admin.ok(&all, json!({})).await.to_string();
        for name in table.names("node") {
            let alias = if name == "Event/refused" { "Refused" } else { name };
            let id =
                all.rsplit(&format!("\"{alias}\":\"")).next().unwrap().split('"').next().unwrap();
            for (actor, expected) in
                table.actors.iter().zip(table.expected("node", name, visibility).to_vec())
            {
                let caller = world.callers[&(*actor, visibility)].clone();
                let ask = async |id: &str| {
                    caller
                        .graphql(
                            "query($id: ID!) { node(id: $id) { id __typename } }",
                            json!({"id": id}),
                        )
                        .await
                };
                let absent = format!("{}00000000000000000000000000000000", &id[..4]);
                let (answer, missing) = (ask(id).await, ask(&absent).await);
                let got = verdict(&answer, &missing);
                world.check(
                    &format!("node {name} as {actor}, {visibility}"),
                    expected,
                    got,
                    &answer.to_string(),
                );
            }
        }
    }
}

async fn try_routes(world: &mut World, table: &Table) {
    for route in table.names("rest") {
        let (method, path) = route.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        for visibility in VISIBILITIES {
            for (actor, expected) in
                table.actors.iter().zip(table.expected("rest", route, visibility).to_vec())
            {
                let caller = world.callers[&(*actor, visibility)].clone();
                let send = async |project: &str| {
                    let reference = if method == Method::PUT { "candidate:1" } else { "1.0.0" };
                    let path = path
                        .replace("{project}", project)
                        .replace("{model}", "ocr")
                        .replace("{reference}", reference)
                        .replace("{*path}", "f");
                    let request = caller.request(method.clone(), &path);
                    let response = request
                        .body(if method == Method::PUT { "x" } else { "" })
                        .send()
                        .await
                        .unwrap();
                    let status = response.status().as_u16();
                    let bytes = response.bytes().await.unwrap();
                    (status, String::from_utf8_lossy(&bytes).replace(project, "~"))
                };
                let answer = send(visibility).await;
                let got = match answer.0 {
                    200..=299 => "ok",
                    401 => "sign-in",
                    403 => "forbidden",
                    404 if answer == send("absent").await => "hidden",
                    _ => "an error",
                };
                world.check(&format!("{route} as {actor}, {visibility}"), expected, got, &answer.1);
            }
        }
    }
}

/// Who is blocked, or comes with an expired token, gets in nowhere.
async fn try_shut_out(world: &mut World, table: &Table) {
    for caller in world.shut_out.clone() {
        let mut queries: Vec<String> = MUTATIONS
            .iter()
            .map(|(_, _, piece, _)| format!("mutation {{ {} }}", fill(piece, "public", "0", "x")))
            .collect();
        queries.extend(
            QUERIES.iter().map(|(_, piece)| format!("{{ {} }}", fill(piece, "public", "", ""))),
        );
        for query in queries {
            let response = caller
                .request(Method::POST, "/graphql")
                .json(&json!({ "query": query }))
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 401, "{query}");
            assert!(response.headers().contains_key("www-authenticate"));
        }
        for route in table.names("rest").into_iter().filter(|route| route.contains("{project}")) {
            let (method, path) = route.split_once(' ').unwrap();
            let path = path
                .replace("{project}", "public")
                .replace("{model}", "ocr")
                .replace("{reference}", "1.0.0");
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let response =
                caller.request(method, &path.replace("{*path}", "f")).send().await.unwrap();
            assert_eq!(response.status(), 401, "{route}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_what_the_table_says_and_nothing_else() {
    let table = Table::read();
    let mut world = World::new().await;
    let types = walk(&world.admin).await;
    check_complete(&table, &types);
    for (name, piece) in QUERIES {
        try_query(&mut world, &table, "query", name, piece).await;
    }
    for key in table.names("field") {
        let (name, field) = key.split_once('.').unwrap();
        let (_, place) = TYPES.iter().find(|(known, _)| *known == name).unwrap();
        let (_, selection) = types[name].iter().find(|(known, _)| known == field).unwrap();
        let piece = place.replace("{f}", &format!("{field}{} {selection}", arguments(key)));
        try_query(&mut world, &table, "field", key, &piece).await;
    }
    try_nodes(&mut world, &table).await;
    try_routes(&mut world, &table).await;
    try_shut_out(&mut world, &table).await;
    try_mutations(&mut world, &table).await;
    assert!(world.wrong.is_empty(), "{} cells:\n{}", world.wrong.len(), world.wrong.join("\n"));
}
