//! MLflow's API: every route that its sources have, with every method, as everybody.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use model_registry::db::query;
use reqwest::Method;
use serde_json::{Value, json};

use super::requests::{REQUESTS, RUN, Request};
use super::table::{Table, check_complete, sources, walk};
use super::world::{VISIBILITIES, World};
use crate::harness::Caller;

/// Under which the routes are, but for what is known to be elsewhere.
const API: &str = "/mlflow/{p}/api/2.0";

/// What is refused under this action, and done under another later, if ever.
const PREPARES: [&str; 3] = ["/mpu/create", "/mpu/abort", "/presigned-upload-url"];

/// The method and path of a route, without what tells its lines apart.
pub fn route_of(name: &str) -> &str {
    name.split(" (").next().unwrap()
}

/// The routes that the sources have, as `METHOD path`, each with the action that it is in the log, if it
/// changes something.
pub fn routes() -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    for (_, source) in sources("src/mlflow") {
        for call in source.split(".route(").skip(1) {
            read_route(&source, arguments(call), &mut found);
        }
    }
    found
}

/// Up to the bracket that closes a call.
fn arguments(call: &str) -> &str {
    let mut depth = 0_i32;
    let end = call.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth < 0
    });
    &call[..end.unwrap()]
}

fn read_route(source: &str, call: &str, found: &mut BTreeMap<String, Option<String>>) {
    let (path, handlers) = call.split_once('"').unwrap().1.split_once('"').unwrap();
    let (mut path, mut handlers) = (path.to_owned(), handlers.trim_start_matches([')', ',', ' ']));
    for (name, value) in source.split("let ").skip(1).filter_map(|rest| rest.split_once(" = ")) {
        let value = value.split(';').next().unwrap();
        if value.starts_with('"') {
            path = path.replace(&format!("{{{name}}}"), value.trim_matches('"'));
        }
        if handlers.trim_end_matches([',', '\n', ' ']) == name {
            handlers = value;
        }
    }
    for method in ["get", "post", "put", "patch", "delete"] {
        let Some(at) = handlers.find(&format!("{method}(")) else { continue };
        let handler = arguments(&handlers[at + method.len() + 1..]);
        let action = if handler.contains("write") {
            handler.split('"').nth(1).map(str::to_owned)
        } else {
            handler.starts_with("put_").then(|| "file.put".to_owned())
        };
        let name = format!("{} {path}", method.to_ascii_uppercase());
        assert!(found.insert(name.clone(), action).is_none(), "{name} is twice");
    }
}

/// What stands for the placeholders of a request.
#[derive(Clone, Default)]
struct Filling {
    n: String,
    /// The id or token of what was laid out last, and the address that came with it.
    x: String,
    url: String,
    run: String,
    model: String,
    version: String,
}

impl Filling {
    fn new(world: &World, visibility: &str, n: String) -> Self {
        let laid_out = &world.laid_out[visibility];
        Self {
            n,
            run: laid_out.run.clone(),
            model: laid_out.model.clone(),
            version: laid_out.version.clone(),
            ..Self::default()
        }
    }

    fn fill(&self, piece: &str, project: &str) -> String {
        let forged = match self.x.split_at_checked(20) {
            Some((start, end)) if end.starts_with('A') => format!("{start}B{}", &end[1..]),
            Some((start, end)) => format!("{start}A{}", &end[1..]),
            None => String::new(),
        };
        piece
            .replace("{p}", project)
            .replace("{n}", &self.n)
            .replace("{x}", &self.x)
            .replace("{forged}", &forged)
            .replace("{url}", &self.url)
            .replace("{run}", &self.run)
            .replace("{model}", &self.model)
            .replace("{version}", &self.version)
    }

    /// The same with ids of what is nowhere, but for one.
    fn nowhere(&self, except: &str) -> Self {
        let other = |id: &String| match id.split_at_checked(id.len().saturating_sub(12)) {
            Some((start, end)) if end.len() == 12 && id != except => format!("{start}000000000000"),
            _ => id.clone(),
        };
        Self {
            n: self.n.clone(),
            x: other(&self.x),
            url: String::new(),
            run: other(&self.run),
            model: other(&self.model),
            version: other(&self.version),
        }
    }

    /// An answer without what is asked for.
    fn without(&self, answer: (u16, String)) -> (u16, String) {
        let ids = [&self.x, &self.run, &self.model, &self.version];
        let ids = ids.into_iter().filter(|id| id.len() >= 32);
        (answer.0, ids.fold(answer.1, |text, id| text.replace(id.as_str(), "~")))
    }
}

async fn send(caller: &Caller, method: &str, path: &str, message: &str) -> (u16, String) {
    let with_query = format!("{path}?{message}");
    let is_read = matches!(method, "GET" | "HEAD");
    let path = if is_read && !message.is_empty() { &with_query } else { path };
    let path = path.trim_start_matches(caller.url.as_str());
    let request = caller.request(Method::from_bytes(method.as_bytes()).unwrap(), path);
    let request = match (method, message) {
        ("PUT", bytes) => request.body(bytes.to_owned()),
        (_, "") => request,
        _ if is_read => request,
        (_, json) => request.header("content-type", "application/json").body(json.to_owned()),
    };
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    if status == 401 {
        assert!(response.headers().contains_key("www-authenticate"), "{method} {path}");
    }
    (status, String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned())
}

/// Where a path of the API is, in the project `{p}`.
fn place(path: &str) -> String {
    if ["/mlflow-signed/", "/api/", "{url}"].iter().any(|whole| path.starts_with(whole)) {
        path.to_owned()
    } else if path.starts_with("/mlflow/") || path.starts_with("/mlflow-artifacts/") {
        format!("{API}{path}")
    } else {
        format!("/mlflow/{{p}}{path}")
    }
}

/// Sends a request about a project.
async fn ask(
    caller: &Caller,
    (name, _, path, message): &Request,
    filling: &Filling,
    project: &str,
) -> (u16, String) {
    let (method, route) = route_of(name).split_once(' ').unwrap();
    let path = if path.is_empty() { route } else { path };
    assert!(path.contains(route.split('{').next().unwrap()), "{name}");
    let path = filling.fill(&place(path), project);
    send(caller, method, &path, &filling.fill(message, project)).await
}

/// Does what a request needs before it.
async fn prepare(
    caller: &Caller,
    (name, before, ..): &Request,
    filling: &mut Filling,
    project: &str,
) {
    for step in *before {
        let mut parts = step.splitn(3, ' ');
        let (method, path) = (parts.next().unwrap(), place(parts.next().unwrap()));
        let message = filling.fill(parts.next().unwrap(), project);
        let answer = send(caller, method, &filling.fill(&path, project), &message).await;
        assert_eq!(answer.0, 200, "{name}, {project}: {step}: {}", answer.1);
        let made: Value = serde_json::from_str(&answer.1).unwrap_or_default();
        let text = |at| made.pointer(at).and_then(Value::as_str).map(str::to_owned);
        let ids = [
            "/run/info/run_id",
            "/model/info/model_id",
            "/model_version/version",
            "/experiment_id",
            "/webhook/webhook_id",
            "/upload_id",
            "/presigned_url",
            "/url",
        ];
        if let Some(id) = ids.into_iter().find_map(text) {
            filling.x = id.rsplit('/').next().unwrap().to_owned();
            filling.url = text("/credentials/0/url").unwrap_or_default();
        }
    }
}

/// What somebody gets, and should.
struct Cell {
    what: String,
    expected: &'static str,
    got: &'static str,
    answer: String,
}

/// Tries a request as one caller.
async fn try_as(
    world: &World,
    request: &Request,
    filling: &Filling,
    visibility: &'static str,
    (actor, expected): (&'static str, &'static str),
) -> Cell {
    let (caller, name) = (&world.callers[&(actor, visibility)], request.0);
    let answer = ask(caller, request, filling, visibility).await;
    let alike = |(status, text): (u16, String), project| (status, text.replace(project, "~"));
    let got = match answer.0 {
        200 if answer.1 == "{}" && expected == "ok" && is_read(name) => "nothing at all",
        200 if name == "GET /mlflow/workspaces" => {
            let listed: Value = serde_json::from_str(&answer.1).unwrap();
            let mut listed = listed["workspaces"].as_array().into_iter().flatten();
            if listed.any(|one| one["name"] == visibility) { "ok" } else { "hidden" }
        }
        200 => "ok",
        403 => "forbidden",
        // The same for what is not there.
        401 | 404
            if alike(answer.clone(), visibility)
                == alike(ask(caller, request, filling, "absent").await, "absent") =>
        {
            if answer.0 == 401 { "sign-in" } else { "hidden" }
        }
        _ => "an error",
    };
    let answer = format!("{} {}", answer.0, answer.1);
    Cell { what: format!("{name} as {actor}, {visibility}"), expected, got, answer }
}

fn is_read(name: &str) -> bool {
    name.starts_with("GET")
        || ["/search", "/search-datasets", "-versions"].iter().any(|end| name.ends_with(end))
}

/// Tries a request as everybody in one project.
async fn try_in(world: &World, table: &Table, index: usize, visibility: &'static str) -> Vec<Cell> {
    let request = &REQUESTS[index];
    let expected = table.expected("mlflow", request.0, visibility);
    let cells = || table.actors.iter().copied().zip(expected.iter().copied());
    let mut filling = Filling::new(world, visibility, format!("{index}"));
    if is_read(request.0) {
        prepare(&world.admin, request, &mut filling, visibility).await;
        let tries = cells().map(|cell| try_as(world, request, &filling, visibility, cell));
        return join_all(tries).await;
    }
    let (mut tried, mut is_laid_out) = (Vec::new(), false);
    for (actor, expected) in cells() {
        // Only who began an upload can end it.
        let own = request.0.contains("/mpu/") && expected == "ok";
        if !is_laid_out || own {
            filling.n = format!("{index}-{}-{actor}", &visibility[..2]);
            let by = if own { &world.callers[&(actor, visibility)] } else { &world.admin };
            prepare(by, request, &mut filling, visibility).await;
        }
        let cell = try_as(world, request, &filling, visibility, (actor, expected)).await;
        is_laid_out = cell.got != "ok" && !own;
        if cell.got == "ok" && request.0.starts_with("DELETE /mlflow/workspaces/") {
            let restore = format!(
                "mutation {{ restoreProject(input: {{project: \"{visibility}\"}}) {{ project {{ id }} }} }}"
            );
            world.admin.ok(&restore, json!({})).await;
        }
        tried.push(cell);
    }
    tried
}

async fn count(world: &World, sql: &'static str, after: &str, action: &str) -> usize {
    let (count,): (i64,) =
        query(sql).bind(after).bind(action).fetch_one(&world.server.app.db).await.unwrap();
    usize::try_from(count).unwrap()
}

/// Nobody is refused a thousand times, as they are here: then not each time would be logged.
async fn forget_refusals(world: &World) {
    let app = &world.server.app;
    let users: Vec<(String,)> = query("SELECT id FROM users").fetch_all(&app.db).await.unwrap();
    users.iter().for_each(|(id,)| app.refusals.forget(id));
    app.refusals.forget(&model_registry::network::of([127, 0, 0, 1].into()));
}

/// Checks that what was done and what was refused since the event `after` is in the log, each once.
async fn check_log(
    world: &mut World,
    (name, before, ..): &Request,
    action: &str,
    after: &str,
    cells: &[Cell],
) {
    forget_refusals(world).await;
    let done = cells.iter().filter(|cell| cell.got == "ok").count();
    let (wanted, refused) = match PREPARES.iter().any(|prepares| name.contains(prepares)) {
        true => (0, cells.len() - done),
        false => (done, cells.len() - done),
    };
    const DONE: &str = "SELECT COUNT(*) FROM events WHERE id > $1 AND action = $2 AND NOT refused";
    // What is asked of `absent` is beside the point, and so is the default project.
    const REFUSED: &str = "SELECT COUNT(*) FROM events WHERE id > $1 AND action = $2 AND refused
         AND subject NOT LIKE 'absent%' AND subject NOT LIKE 'default%'";
    let in_log = count(world, DONE, after, action).await;
    let is_prepared_so = before.iter().any(|step| step.starts_with(route_of(name)));
    if in_log < wanted || in_log > wanted && !is_prepared_so {
        let wrong = format!("{name}: done {wanted} times, {in_log} times in the log as {action}");
        world.wrong.push(wrong);
    }
    // What is hidden is logged beside the answer.
    world.server.settle().await;
    let in_log = count(world, REFUSED, after, action).await;
    if in_log != refused {
        let wrong =
            format!("{name}: refused {refused} times, {in_log} times in the log as {action}");
        world.wrong.push(wrong);
    }
}

async fn try_everything(world: &mut World, table: &Table) {
    let routes = routes();
    for (index, request) in REQUESTS.iter().enumerate() {
        // What is still to be logged is of the request before.
        world.server.settle().await;
        let (after,): (String,) =
            query("SELECT MAX(id) FROM events").fetch_one(&world.server.app.db).await.unwrap();
        let shared = &*world;
        let tries = VISIBILITIES.map(|visibility| try_in(shared, table, index, visibility));
        let cells: Vec<Cell> = join_all(tries).await.into_iter().flatten().collect();
        for cell in &cells {
            world.check(&cell.what, cell.expected, cell.got, &cell.answer);
        }
        if let Some(Some(action)) = routes.get(route_of(request.0)) {
            check_log(world, request, action, &after, &cells).await;
        }
    }
}

/// Whoever may write in one project reaches nothing of another by its id: the answer is the same as for what
/// is nowhere.
async fn try_from_elsewhere(world: &mut World) {
    let foreign = world.callers[&("foreign", "private")].clone();
    let mut own = Filling::new(world, "private", "own".to_owned());
    let before = &[r#"POST /mlflow/registered-models/create {"name": "ocr"}"#, RUN];
    prepare(&foreign, &("own", before, "", ""), &mut own, "elsewhere").await;
    for request @ (name, _, path, message) in REQUESTS {
        let text = format!("{path}{message}");
        let by_id = |id: &&str| text.contains(*id) && !name.contains("-signed");
        // Experiments and versions have numbers of their own in each project.
        let is_id = name.contains("/runs/") || name.contains("/logged-models/");
        let ids = ["{run}", "{model}", "{version}", if is_id { "{x}" } else { "{run}" }];
        if !ids.iter().any(by_id) {
            continue;
        }
        let mut filling = Filling::new(world, "private", format!("elsewhere-{}", name.len()));
        prepare(&world.admin, request, &mut filling, "private").await;
        let mixed = Filling { run: own.x.clone(), x: own.x.clone(), ..filling.clone() };
        let is_mixed = by_id(&"{model}") && (by_id(&"{run}") || by_id(&"{x}"));
        for filling in [filling, mixed].into_iter().take(1 + usize::from(is_mixed)) {
            let got = ask(&foreign, request, &filling, "elsewhere").await;
            // Such a run is taken for another server's; one that is here is refused.
            if name.starts_with("POST /mlflow/model-versions/create") {
                assert_eq!(got.0, 400, "{name} from elsewhere: {}", got.1);
                continue;
            }
            // The id of a run that is not here is kept, wherever the run is: it says nothing of it.
            if *name == "POST /mlflow/logged-models" {
                assert_eq!(got.0, 200, "{name} from elsewhere: {}", got.1);
                continue;
            }
            let nowhere = filling.nowhere(&own.x);
            let missing = ask(&foreign, request, &nowhere, "elsewhere").await;
            let (got, missing) = (filling.without(got), nowhere.without(missing));
            if got != missing || got.0 == 200 && !name.contains("/get-history-bulk") {
                world.wrong.push(format!("{name} from elsewhere: {got:?} and {missing:?}"));
            }
        }
    }
    let (run, nowhere) = (&world.laid_out["private"].run, "0".repeat(32));
    for query in [
        r#"{ project(path: "elsewhere") { run(runId: "{x}") { id } } }"#,
        r#"mutation { promoteCandidate(input: {model: "elsewhere/ocr", runId: "{x}"}) { modelVersion { id } } }"#,
    ] {
        let ask = async |x: &str| {
            let answer = foreign.graphql(&query.replace("{x}", x), json!({})).await;
            answer.to_string().replace(x, "~")
        };
        assert_eq!(ask(run).await, ask(&nowhere).await);
    }
}

/// Who is blocked, or comes with an expired token, gets in nowhere.
async fn try_shut_out(world: &mut World, table: &Table) {
    let filling = Filling { x: "0".to_owned(), ..Filling::new(world, "public", "0".to_owned()) };
    for caller in world.shut_out.clone() {
        let closed = REQUESTS.iter().filter(|(name, ..)| {
            let open = table.expected("mlflow", name, "private")[0] == "ok";
            !open && !name.contains("/mlflow-signed/")
        });
        let tries =
            closed.map(async |request| (request, ask(&caller, request, &filling, "public").await));
        for (request, (status, answer)) in join_all(tries).await {
            if status != 401 {
                world.wrong.push(format!("{} by who is shut out: {status} {answer}", request.0));
            }
        }
    }
}

/// Every address that clients have for the API leads to the same.
async fn try_prefixes(world: &mut World) {
    let places = [
        ("/mlflow/private/api/2.11", None),
        ("/mlflow/private/api/3.0", None),
        ("/mlflow/private/ajax-api/2.0", None),
        ("/api/v4/projects/private/ml/mlflow/api/2.0", None),
        ("/api/v4/projects/private/ml/mlflow/ajax-api/3.0", None),
        ("/api/2.0", Some("private")),
        ("/api/2.11", Some("private")),
        ("/api/3.0", Some("private")),
        ("/ajax-api/2.0", Some("private")),
        ("/ajax-api/3.0", Some("private")),
    ];
    let run = json!({ "experiment_id": "0", "run_name": "r", "start_time": 1 });
    for actor in ["stranger", "guest", "developer"] {
        let caller = world.callers[&(actor, "private")].clone();
        let ask = async |base: &str, workspace: Option<&str>, is_read: bool| {
            let request = if is_read {
                let path = format!("{base}/mlflow/registered-models/get?name=ocr");
                caller.request(Method::GET, &path)
            } else {
                caller.request(Method::POST, &format!("{base}/mlflow/runs/create")).json(&run)
            };
            let header = workspace.map(|name| ("x-mlflow-workspace", name));
            let request =
                header.into_iter().fold(request, |r, (name, value)| r.header(name, value));
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let mut answer: Value = response.json().await.unwrap();
            let id = answer["run"]["info"]["run_id"].take();
            let text = answer.to_string();
            (status, text.replace(id.as_str().unwrap_or("no id"), "~"))
        };
        for is_read in [true, false] {
            let first = ask("/mlflow/private/api/2.0", None, is_read).await;
            for (base, workspace) in places {
                let got = ask(base, workspace, is_read).await;
                if got != first {
                    let wrong = format!("{base} as {actor}: {got:?} instead of {first:?}");
                    world.wrong.push(wrong);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_by_mlflow_what_the_table_says_and_nothing_else() {
    let table = Table::read();
    let mut world = World::new().await;
    check_complete(&table, &walk(&world.admin).await);
    try_prefixes(&mut world).await;
    try_from_elsewhere(&mut world).await;
    try_everything(&mut world, &table).await;
    try_shut_out(&mut world, &table).await;
    world.assert_nothing_wrong();
}
