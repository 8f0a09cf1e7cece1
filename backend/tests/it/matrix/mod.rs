//! The matrix: every mutation, every field of a project's data, `node(id:)` of every type and every
//! route, as everybody, against projects of every visibility; compared with `access.table` and
//! `mutations.table`.

mod embedded;
mod mlflow;
mod operations;
mod requests;
mod subscriptions;
mod table;
mod world;

use futures_util::future::join_all;
use model_registry::action::Action;
use model_registry::registry::entity::KEYS;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::Caller;
use operations::{QUERIES, TYPES, arguments};
use table::{Mutation, Table, check_complete, walk};
use world::{VISIBILITIES, World, fill};

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
    for Mutation { name, before, tries, after } in &table.mutations {
        for visibility in VISIBILITIES {
            let mut laid_out = None;
            let expected = table.expected("mutation", name, visibility).to_vec();
            for (actor, expected) in table.actors.iter().zip(expected) {
                let caller = world.callers[&(*actor, visibility)].clone();
                let own = before == "SESSION";
                if laid_out.is_none() || own {
                    let x = world.prepare(before, visibility, &caller).await;
                    laid_out = Some((world.count.to_string(), x));
                }
                let (n, x) = laid_out.clone().unwrap_or_default();
                let mutation = format!("mutation {{ {} }}", fill(tries, visibility, &n, &x));
                let answer = caller.graphql(&mutation, json!({})).await;
                let missing_x =
                    x.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
                let missing = format!("mutation {{ {} }}", fill(tries, "absent", &n, &missing_x));
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
    // What is hidden is logged beside the answer.
    world.server.settle().await;
    let logged = |refused: bool| {
        if refused {
            "SELECT COUNT(DISTINCT action) FROM events WHERE refused AND action = $1"
        } else {
            "SELECT COUNT(DISTINCT action) FROM events WHERE NOT refused AND action = $1"
        }
    };
    for Mutation { name, .. } in &table.mutations {
        let mutation = name.split('/').next().unwrap();
        let refused = table.expected("mutation", name, "private").iter().any(|cell| *cell != "ok");
        for sql in [Some(logged(false)), refused.then(|| logged(true))].into_iter().flatten() {
            let action = Action::of_mutation(mutation)
                .unwrap_or_else(|| panic!("{mutation} has no action in src/action.rs"));
            // Nobody could sign out: tokens have no session. It is tried in log.rs.
            if mutation == "signOut" {
                continue;
            }
            let (count,): (i64,) = model_registry::db::query(sql)
                .bind(action.as_str())
                .fetch_one(&world.server.app.db)
                .await
                .unwrap();
            assert_eq!(count, 1, "{name} is not in the log as {}: {sql}", action.as_str());
        }
    }
}

/// Asks for a piece of a query about a project, as everybody.
async fn try_query(world: &mut World, table: &Table, kind: &str, name: &str, piece: &str) {
    let world_ref = &*world;
    let mut tries = Vec::new();
    for visibility in VISIBILITIES {
        let expected = table.expected(kind, name, visibility);
        tries.extend(table.actors.iter().zip(expected).map(|(actor, expected)| async move {
            let caller = world_ref.callers[&(*actor, visibility)].clone();
            let ask = async |project: &str| {
                let run = &world_ref.laid_out[visibility].run;
                let piece = fill(piece, project, "", "").replace("{run}", run);
                let query = format!("{{ {piece} }}");
                alike(&caller.graphql(&query, json!({})).await, &[project])
            };
            let answer = ask(visibility).await;
            let shown = answer.get("errors").is_none() && !has_null_at_top(&answer["data"]);
            let about_a_project = piece.contains("{p}")
                && (!shown || ["projects", "models", "modelsByPath", "modelFacet"].contains(&name));
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
            r#"{{ project(path: "{visibility}") {{ Project: id tokens {{ Token: id }} embedTokens {{ EmbedToken: id }}
                webhooks {{ Webhook: id deliveries {{ nodes {{ WebhookDelivery: id }} }} }}
                members(first: 1) {{ nodes {{ Member: id user {{ User: id }} }} }}
                refused: events(filter: {{refused: true}}, first: 1) {{ nodes {{ Refused: id }} }}
                events(filter: {{action: "model.create"}}, first: 1) {{ nodes {{ Event: id }} }}
                model(name: "ocr") {{ Model: id version(ref: "1.0.0") {{ ModelVersion: id }}
                    candidate(number: 1) {{ Candidate: id }} experiment {{ Experiment: id }}
                    aliases {{ Alias: id }} }} }} }}"#
        );
        let logged_model = world.laid_out[visibility].model.trim_start_matches("m-").to_owned();
        let all = world.admin.ok(&all, json!({})).await.to_string();
        let all = format!("{all}\"LoggedModel\":\"lgm_{logged_model}\"");
        for name in table.names("node") {
            let alias = if name == "Event/refused" { "Refused" } else { name };
            let id =
                all.rsplit(&format!("\"{alias}\":\"")).next().unwrap().split('"').next().unwrap();
            let cells = table.actors.iter().zip(table.expected("node", name, visibility));
            let tries = cells.map(async |(actor, expected)| {
                let caller = &world.callers[&(*actor, visibility)];
                let is_entity = KEYS.iter().any(|(kind, keys)| *kind == name && keys[0] == "id");
                let ask = async |id: &str| {
                    let query = "query($id: ID!) { node(id: $id) { id __typename } }";
                    let mut answer = caller.graphql(query, json!({ "id": id })).await;
                    if is_entity {
                        let entity = entity_of(&caller.in_subgraph(), name, id).await;
                        if entity["data"]["_entities"][0] != answer["data"]["node"] {
                            answer = json!({"node": answer, "_entities": entity});
                        }
                    }
                    // Of several each is shown as if it were asked for alone.
                    let query = "query($id: ID!) { nodes(ids: [$id]) { id __typename } }";
                    let of_many = caller.graphql(query, json!({ "id": id })).await;
                    if of_many["data"]["nodes"][0] != answer["data"]["node"] {
                        answer = json!({"node": answer, "nodes": of_many});
                    }
                    answer
                };
                let absent = format!("{}00000000000000000000000000000000", &id[..4]);
                let (answer, missing) = (ask(id).await, ask(&absent).await);
                let what = format!("node {name} as {actor}, {visibility}");
                (what, *expected, verdict(&answer, &missing), answer.to_string())
            });
            for (what, expected, got, answer) in join_all(tries).await {
                world.check(&what, expected, got, &answer);
            }
        }
    }
}

/// What a gateway is answered that knows an id.
async fn entity_of(caller: &Caller, kind: &str, id: &str) -> Value {
    let query = format!(
        "query($all: [_Any!]!) {{ _entities(representations: $all) {{ ... on {kind} {{ id }} __typename }} }}"
    );
    caller.graphql(&query, json!({"all": [{"__typename": kind, "id": id}]})).await
}

/// An upload to a candidate, of one byte.
async fn upload_of(owner: &Caller, visibility: &str) -> String {
    let path = format!("/files/{visibility}/ocr/candidate:1/f");
    let request = speak_tus(owner.request(Method::POST, &path), &path);
    let response = request.send().await.unwrap();
    let location = response.headers()["location"].to_str().unwrap();
    location.rsplit('/').next().unwrap().to_owned()
}

/// With what a client says that begins an upload of one byte, or goes on with one.
fn speak_tus(request: RequestBuilder, path: &str) -> RequestBuilder {
    let request = request.header("tus-resumable", "1.0.0");
    if path.contains("uploads/") {
        let request = request.header("content-type", "application/offset+octet-stream");
        return request.header("upload-offset", 0).header("x-http-method-override", "PATCH");
    }
    request.header("upload-length", 1).header("upload-metadata", "filename Zg==")
}

/// The address of an embed with the name that stands for what it shows.
fn with_file(path: &str) -> String {
    path.replace("{file}?svg", "1.0.0.svg")
        .replace("{file}?json", "1.0.0.json")
        .replace("/feed/{file}", "/feed/{project}.atom")
        .replace("/backstage/{file}", "/backstage/{project}.yaml")
        .replace("{file}", "{model}.atom")
}

async fn try_routes(world: &mut World, table: &Table) {
    for route in table.names("rest") {
        let (method, path) = route.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        for visibility in VISIBILITIES {
            let cells = table.actors.iter().zip(table.expected("rest", route, visibility));
            let tries = cells.map(async |(actor, expected)| {
                let caller = &world.callers[&(*actor, visibility)];
                let owner = &world.callers[&("owner", visibility)];
                let upload = if path.contains("{upload}") {
                    upload_of(owner, visibility).await
                } else {
                    String::new()
                };
                let send = async |project: &str| {
                    let writes = [Method::PUT, Method::POST].contains(&method);
                    let reference = if writes { "candidate:1" } else { "1.0.0" };
                    let absent = "00000000000000000000000000000000";
                    let upload = if project == "absent" { absent } else { &upload };
                    let path = with_file(path)
                        .replace("{project}", project)
                        .replace("{model}", "ocr")
                        .replace("{reference}", reference)
                        .replace("{upload}", upload)
                        .replace("{*path}", "f");
                    let request = speak_tus(caller.request(method.clone(), &path), &path);
                    let has_body = method == Method::PUT || path.contains("uploads/");
                    let request = request.body(if has_body { "x" } else { "" });
                    let response = request.send().await.unwrap();
                    let status = response.status().as_u16();
                    let bytes = response.bytes().await.unwrap();
                    let text = String::from_utf8_lossy(&bytes).replace(project, "~");
                    (status, if upload.is_empty() { text } else { text.replace(upload, "~") })
                };
                let answer = send(visibility).await;
                let got = match answer.0 {
                    200..=299 => "ok",
                    401 => "sign-in",
                    403 => "forbidden",
                    404 if answer == send("absent").await => "hidden",
                    _ => "an error",
                };
                (format!("{route} as {actor}, {visibility}"), *expected, got, answer.1)
            });
            for (what, expected, got, answer) in join_all(tries).await {
                world.check(&what, expected, got, &answer);
            }
        }
    }
}

/// Who is blocked, or comes with an expired token, gets in nowhere.
async fn try_shut_out(world: &mut World, table: &Table) {
    for caller in world.shut_out.clone() {
        let tries =
            table.mutations.iter().map(|mutation| fill(&mutation.tries, "public", "0", "x"));
        let mut queries: Vec<String> =
            tries.map(|tries| format!("mutation {{ {tries} }}")).collect();
        queries.extend(
            QUERIES.iter().map(|(_, piece)| format!("{{ {} }}", fill(piece, "public", "", ""))),
        );
        let tries = queries.iter().map(async |query| {
            let request = caller.request(Method::POST, "/graphql");
            let response = request.json(&json!({ "query": query })).send().await.unwrap();
            assert_eq!(response.status(), 401, "{query}");
            assert!(response.headers().contains_key("www-authenticate"));
        });
        join_all(tries).await;
        for route in table.names("rest").into_iter().filter(|route| route.contains("{project}")) {
            // Whoever it is, they are told what can be done here.
            if route.starts_with("OPTIONS") {
                continue;
            }
            let (method, path) = route.split_once(' ').unwrap();
            let path = with_file(path)
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
    for (name, place) in TYPES {
        for (field, selection) in &types[*name] {
            let key = format!("{name}.{field}");
            let piece = place.replace("{f}", &format!("{field}{} {selection}", arguments(&key)));
            try_query(&mut world, &table, "field", &key, &piece).await;
        }
    }
    try_nodes(&mut world, &table).await;
    subscriptions::try_all(&mut world, &table).await;
    try_routes(&mut world, &table).await;
    try_shut_out(&mut world, &table).await;
    embedded::try_all(&mut world, &table, &types).await;
    try_mutations(&mut world, &table).await;
    world.assert_nothing_wrong();
}
