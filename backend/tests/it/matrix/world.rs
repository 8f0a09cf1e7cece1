//! The registry that the matrix is tried on, and who tries.

use model_registry::role::TokenScope;
use model_registry::time::Clock;
use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Caller, PASSWORD, Server};

pub const VISIBILITIES: [&str; 3] = ["private", "internal", "public"];

/// What an MLflow client writes beside a model.
const MLMODEL: &str = r#"
flavors: {python_function: {env: conda.yaml}, sklearn: {}}
mlflow_version: 3.17.2
signature:
  inputs: '[{"name": "x", "type": "double", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 1]}}]'
  params: '[{"name": "t", "type": "double", "default": 0.5, "shape": null}]'
"#;

pub struct World {
    pub server: Server,
    pub admin: Caller,
    pub callers: BTreeMap<(&'static str, &'static str), Caller>,
    pub shut_out: Vec<Caller>,
    /// By visibility.
    pub laid_out: BTreeMap<&'static str, LaidOut>,
    pub count: u32,
    pub wrong: Vec<String>,
}

/// The ids of what MLflow knows by nothing else.
pub struct LaidOut {
    pub run: String,
    /// Of a logged model.
    pub model: String,
    /// The bare digits.
    pub version: String,
}

impl World {
    pub async fn new() -> Self {
        let server = Server::start().await;
        let admin = server.admin().await;
        for name in ["stranger", "guest", "developer", "maintainer", "owner", "blocked"] {
            admin.invite(name).await;
        }
        let (mut callers, mut laid_out) = (BTreeMap::new(), BTreeMap::new());
        for visibility in VISIBILITIES {
            laid_out.insert(visibility, lay_out(&server, &admin, visibility).await);
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
        Self { server, admin, callers, shut_out, laid_out, count: 0, wrong: Vec::new() }
    }

    /// Notes what is not as the table says.
    pub fn check(&mut self, what: &str, expected: &str, got: &str, answer: &str) {
        if expected != got {
            self.wrong.push(format!("{what}: {got} instead of {expected}: {answer:.300}"));
        }
    }

    #[track_caller]
    pub fn assert_nothing_wrong(&self) {
        assert!(self.wrong.is_empty(), "{} cells:\n{}", self.wrong.len(), self.wrong.join("\n"));
    }

    /// Runs a piece of a mutation as the administrator; gives the first id or secret in the answer.
    pub async fn prepare(&mut self, piece: &str, visibility: &str, who: &Caller) -> String {
        self.count += 1;
        let n = self.count.to_string();
        match piece {
            "" => String::new(),
            "PUT" => {
                self.admin.put(&format!("/files/{visibility}/ocr/candidate:1/f-{n}"), "x").await;
                String::new()
            }
            "RUN" => {
                let run = json!({ "experiment_id": "0" });
                let made = mlflow(&self.admin, visibility, "/runs/create", run).await;
                first_text(&made["run"]["info"]["run_id"]).to_owned()
            }
            "TAG" => {
                let tag = format!(
                    "mutation {{ setTag(input: {{model: \"{visibility}/ocr\", key: \"k\", value: \"v\"}}) {{ tag {{ key }} }} }}"
                );
                self.admin.ok(&tag, json!({})).await;
                let last = format!(
                    "{{ model(path: \"{visibility}/ocr\") {{ events(first: 1, filter: {{action: \"tag.set\", refused: false}}) {{ nodes {{ id }} }} }} }}"
                );
                let events = self.admin.ok(&last, json!({})).await["model"]["events"].take();
                first_text(&events["nodes"][0]).to_owned()
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

pub fn fill(piece: &str, project: &str, n: &str, x: &str) -> String {
    let visibility = project.to_ascii_uppercase();
    piece
        .replace("{p}", project)
        .replace("{v}", if VISIBILITIES.contains(&project) { &visibility } else { "PUBLIC" })
        .replace("{n}", n)
        .replace("{x}", x)
        .replace("{password}", PASSWORD)
        .replace("{soon}", &soon())
}

/// A time that tokens may end at.
pub fn soon() -> String {
    Clock::System.now().plus_seconds(24 * 60 * 60).to_rfc3339()
}

/// A project with something of everything.
async fn lay_out(server: &Server, admin: &Caller, visibility: &str) -> LaidOut {
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
        createModel(input: {project: "{p}", name: "ocr", tags: [{key: "home", value: "{p}"}, {key: "registry.metric", value: "loss:min"}]}) { model { id } }
        a: createCandidate(input: {model: "{p}/ocr", status: FINISHED, params: [{name: "lr", value: "1"}],
            metrics: [{name: "loss", value: 1}, {name: "loss", value: 1, step: 1}], tags: [{key: "k", value: "v"}]}) { candidate { id } }
        b: createCandidate(input: {model: "{p}/ocr"}) { candidate { id } }
        d: protectAlias(input: {project: "{p}", pattern: "champ*"}) { protectedAlias { pattern } }
        e: protectAlias(input: {project: "{p}", pattern: "production"}) { protectedAlias { pattern } }
        c: createModel(input: {project: "{p}", name: "gone"}) { model { id } }
        deleteModel(input: {model: "{p}/gone"}) { model { id } }
        createProjectToken(input: {project: "{p}", name: "t", role: GUEST}) { token { id } }
        createEmbedToken(input: {project: "{p}", name: "t", origins: ["https://dash.example"], expiresAt: "{soon}",
            models: ["ocr"], operations: ["{ models { totalCount } }"]}) { embedToken { id } }
    }"#;
    admin.ok(&fill(make, visibility, "", ""), json!({})).await;
    for (file, bytes) in
        [("f", "x"), ("MLmodel", MLMODEL), ("requirements.txt", "mlflow\n"), ("aux.txt", "x")]
    {
        admin.put(&format!("/files/{visibility}/ocr/candidate:1/{file}"), bytes).await;
    }
    let make = r#"mutation {
        promoteCandidate(input: {model: "{p}/ocr", candidate: 1, version: "1.0.0"}) { modelVersion { id } }
        setAlias(input: {model: "{p}/ocr", name: "champion", version: "1.0.0"}) { alias { id } }
        a: setTag(input: {model: "{p}/ocr", version: "1.0.0", key: "k", value: "v"}) { tag { key } }
        b: setTag(input: {model: "{p}/ocr", key: "k", value: "v"}) { tag { key } }
        createModelVersion(input: {model: "{p}/ocr", version: "0.9.0", tags: [
            {key: "mlflow.prompt.is_prompt", value: "true"}, {key: "_mlflow_prompt_type", value: "chat"},
            {key: "mlflow.prompt.text", value: "[{\"role\": \"user\", \"content\": \"{{x}}\"}]"}]}) { modelVersion { id } }
        publishModelVersion(input: {model: "{p}/ocr", version: "0.9.0"}) { modelVersion { id } }
    }"#;
    let made = admin.ok(&make.replace("{p}", visibility), json!({})).await;
    lay_out_webhook(admin, visibility).await;
    server.app.db.run_script(UNFINISHED).await.unwrap();
    let version = first_text(&made["promoteCandidate"]).trim_start_matches("ver_").to_owned();
    let guest = server.person("guest", TokenScope::Admin).await;
    let refused = "mutation { setTag(input: {model: \"{p}/ocr\", key: \"k\", value: \"v\"}) { tag { key } } }";
    guest.refused(&refused.replace("{p}", visibility), json!({})).await;
    lay_out_mlflow(admin, visibility, version).await
}

/// A webhook that was sent a test, which did not arrive: nothing may go to this machine.
async fn lay_out_webhook(admin: &Caller, project: &str) {
    let make = "mutation($project: String!) { createWebhook(input: {project: $project, name: \"w\",
        url: \"https://localhost:9999/x\", events: [\"project.restore\"], models: [\"m\"], aliases: [\"a\"],
        header: {name: \"X-Token\", value: \"t\"}}) { webhook { id } } }";
    let made = admin.ok(make, json!({ "project": project })).await;
    let test = "mutation($id: ID!) { testWebhook(input: {id: $id}) { attempt { error } } }";
    admin.ok(test, json!({ "id": made["createWebhook"]["webhook"]["id"] })).await;
}

/// An upload that was begun, to what each project has.
const UNFINISHED: &str = "INSERT INTO uploads (id, user_id, owner_id, path, size, received, metadata, created_at_ms, expires_at_ms)
    SELECT o.id, o.author_id, o.id, 'big', 9, 1, '', 1, 4000000000000 FROM (
        SELECT id, author_id FROM model_versions WHERE version = '1.0.0'
        UNION ALL SELECT id, author_id FROM candidates WHERE number = 1) o
    WHERE TRUE ON CONFLICT (id) DO NOTHING";

/// What only an MLflow client makes, and a tag of the model's experiment, which is the first after the default
/// one.
async fn lay_out_mlflow(admin: &Caller, project: &str, version: String) -> LaidOut {
    let tag = json!({ "experiment_id": "1", "key": "k", "value": "v" });
    mlflow(admin, project, "/experiments/set-experiment-tag", tag).await;
    let made = mlflow(admin, project, "/runs/create", json!({ "experiment_id": "0" })).await;
    let run = first_text(&made["run"]["info"]["run_id"]).to_owned();
    let loss = json!({ "run_id": run, "key": "loss", "value": 1, "timestamp": 1 });
    mlflow(admin, project, "/runs/log-metric", loss).await;
    let model = json!({ "experiment_id": "0", "name": "m", "source_run_id": run });
    let made = mlflow(admin, project, "/logged-models", model).await;
    let model = first_text(&made["model"]["info"]["model_id"]).to_owned();
    let of = |owner: &str| format!("0/{owner}/artifacts/f");
    for file in [of(&run), of(&format!("models/{model}")), "f".to_owned()] {
        let file = format!("/mlflow/{project}/api/2.0/mlflow-artifacts/artifacts/{file}");
        assert!(admin.put(&file, "x").await.status().is_success());
    }
    LaidOut { run, model, version }
}

/// What MLflow's API answers to a request that must succeed.
async fn mlflow(admin: &Caller, project: &str, path: &str, message: Value) -> Value {
    let path = format!("/mlflow/{project}/api/2.0/mlflow{path}");
    let response = admin.request(Method::POST, &path).json(&message).send().await.unwrap();
    assert!(response.status().is_success(), "{path}");
    response.json().await.unwrap()
}
