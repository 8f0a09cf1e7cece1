//! A server of its own for each test, on a free port, with an empty database.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use model_registry::access;
use model_registry::app::App;
use model_registry::change::Change;
use model_registry::config::{Cli, Command, Serve};
use model_registry::db::{Db, query};
use model_registry::registry::catalog::blob::{journal, pairing};
use model_registry::registry::people::token::rules::{self as token, CreateTokenInput};
use model_registry::registry::people::user;
use model_registry::role::TokenScope;
use model_registry::store::Storages;
use model_registry::time::Clock;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub struct Server {
    pub app: App,
    pub url: String,
    pub address: SocketAddr,
    pub data: Arc<TempDir>,
    /// The URLs of its database and of its object store, if it has one.
    pub database: String,
    pub storage: Option<String>,
    _stop: oneshot::Sender<()>,
}

/// A folder of its own in the object store that tests are to use, if any: `MODEL_REGISTRY_TEST_STORAGE`, such as
/// `s3://test?endpoint=http://127.0.0.1:9000`.
pub fn storage() -> Option<String> {
    let storage = std::env::var("MODEL_REGISTRY_TEST_STORAGE").ok()?;
    let (bucket, query) = storage.split_once('?').unwrap_or((&storage, ""));
    Some(format!("{bucket}/{}?{query}", model_registry::id::new_uuid(Clock::System.now())))
}

/// How many objects of uploads that are not over are in the folder; an object store is looked into by its own tests.
pub fn left_over(server: &Server) -> usize {
    if storage().is_some() {
        return 0;
    }
    let count = |folder: std::path::PathBuf| {
        std::fs::read_dir(folder).into_iter().flatten().flatten().count()
    };
    let parts = std::fs::read_dir(server.data.path().join("parts")).into_iter().flatten().flatten();
    let parts: usize = parts.map(|upload| count(upload.path())).sum();
    count(server.data.path().join("staging")) + parts
}

/// Somebody who sends requests; named after who they are.
#[derive(Clone)]
pub struct Caller {
    pub url: String,
    pub token: Option<String>,
    pub http: Client,
    /// Where operations are sent.
    pub endpoint: &'static str,
}

pub const PASSWORD: &str = "correct horse battery staple";

impl Server {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(flags: &[&str]) -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        let database = database(&data).await;
        Self::start_on(data, &database, flags).await
    }

    /// A server for which time passes as the test says.
    pub async fn start_at(clock: Clock) -> Self {
        Self::start_at_with(clock, &[]).await
    }

    pub async fn start_at_with(clock: Clock, flags: &[&str]) -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        let database = database(&data).await;
        Self::start_by(clock, data, (&database, storage()), flags).await
    }

    pub async fn start_on(data: Arc<TempDir>, database: &str, flags: &[&str]) -> Self {
        Self::start_by(Clock::System, data, (database, storage()), flags).await
    }

    /// Another server of the same registry.
    pub async fn beside(&self) -> Self {
        self.beside_with(&[]).await
    }

    pub async fn beside_with(&self, flags: &[&str]) -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        let place = (self.database.as_str(), self.storage.clone());
        Self::start_by(self.app.clock.clone(), data, place, flags).await
    }

    async fn start_by(
        clock: Clock,
        data: Arc<TempDir>,
        (database, storage): (&str, Option<String>),
        flags: &[&str],
    ) -> Self {
        tracing_subscriber::fmt()
            .with_test_writer()
            .with_max_level(tracing::Level::WARN)
            .try_init()
            .ok();
        let folder = data.path().to_str().unwrap();
        let base = ["model-registry", "serve", "--data", folder, "--database", database];
        let at = storage.clone().filter(|_| !flags.contains(&"--storage"));
        let storage_flag = at.iter().flat_map(|url| ["--storage", url]).collect::<Vec<_>>();
        let direct = direct(database);
        let direct_flag = direct.iter().flat_map(|(_, url)| ["--database-direct", url]);
        let more = storage_flag.into_iter().chain(direct_flag).collect::<Vec<_>>();
        let base = base.iter().chain(&["--admin-password", PASSWORD]).chain(&more);
        let config = serve_config(base.chain(flags));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        if storage.is_some() {
            // Servers that have no folder together are given the key of what is sealed.
            std::fs::write(data.path().join("secret.key"), "5e".repeat(32)).unwrap();
        }
        let storages = Storages::open(data.path(), &config.data.storage)
            .unwrap_or_else(|e| panic!("{}", e.message()));
        let storages =
            storages.keeping_free(config.keep_free).uploading_within(config.upload_memory);
        let db = Db::open(&config.data.address().ok().unwrap()).await.unwrap();
        let paired = pairing::pair(&db, &storages, config.adopt, clock.now()).await;
        paired.unwrap_or_else(|error| panic!("{}", error.message()));
        let signing = pairing::signing(&db, &config.secret).await.unwrap();
        let storages = storages.noting_in(&journal::of(&db, &clock));
        let app = App::new(db, storages, signing, config, clock);
        user::rules::create_admin(&app).await.unwrap_or_else(|error| panic!("{}", error.message()));
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = app.clone();
        tokio::spawn(async move {
            model_registry::server::serve(&serving, listener, async {
                stopped.await.ok();
            })
            .await
            .ok();
        });
        let (url, database) = (format!("http://{address}"), database.to_owned());
        Self { app, url, address, data, database, storage, _stop: stop }
    }

    pub fn anonymous(&self) -> Caller {
        // The server closes a connection that nobody uses for 15 seconds: a client that lets go of it before never
        // sends into one that is just being closed.
        let http = Client::builder().pool_idle_timeout(Duration::from_secs(5)).build().unwrap();
        Caller { url: self.url.clone(), token: None, http, endpoint: "/graphql" }
    }

    pub async fn admin(&self) -> Caller {
        self.person("admin", TokenScope::Admin).await
    }

    /// A person who is there already, with a token.
    pub async fn person(&self, username: &str, scope: TokenScope) -> Caller {
        let App { db, clock, .. } = &self.app;
        let user = access::user::find_by_username(db, username).await.unwrap().unwrap();
        let mut change = Change::begin_in(db, clock, user.id.clone()).await.unwrap();
        let new = CreateTokenInput { name: "test".into(), scope: Some(scope), expires_at: None };
        let made = token::create(&mut change, &user, new).await.unwrap();
        change.commit().await.unwrap();
        Caller { token: Some(made.secret), ..self.anonymous() }
    }

    /// An admin and the model `vision/ocr`.
    pub async fn with_model() -> (Self, Caller) {
        Self::with_model_at(Clock::System).await
    }

    /// As [`Server::with_model`], where time passes as the test says.
    pub async fn with_model_at(clock: Clock) -> (Self, Caller) {
        let server = Self::start_at(clock).await;
        let admin = server.admin().await;
        admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
        admin.create_model("ocr").await;
        (server, admin)
    }

    /// Waits for what goes on beside the answers, such as a line of the log.
    pub async fn settle(&self) {
        self.app.beside.close();
        self.app.beside.wait().await;
        self.app.beside.reopen();
    }

    /// Waits until so many files are arriving.
    pub async fn wait_for_arriving(&self, count: usize) {
        let owner = "SELECT id FROM model_versions UNION ALL SELECT id FROM candidates";
        for _ in 0..1000 {
            let owners: Vec<(String,)> = query(owner).fetch_all(&self.app.db).await.unwrap();
            let arriving = owners.iter().map(|(id,)| self.app.in_flight.paths(id).len());
            if arriving.sum::<usize>() == count {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{count} files do not arrive");
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        let (count,): (i64,) = query(sql).fetch_one(&self.app.db).await.unwrap();
        count
    }
}

pub fn serve_config<'a>(arguments: impl Iterator<Item = &'a &'a str>) -> Serve {
    match Cli::try_parse_from(arguments).unwrap_or_else(|error| panic!("{error}")).command {
        Command::Serve(config) => config,
        _ => unreachable!("the arguments say serve"),
    }
}

/// Where PostgreSQL itself is, if `MODEL_REGISTRY_TEST_POSTGRES` is a pooler's: `MODEL_REGISTRY_TEST_POSTGRES_DIRECT`.
/// As a variable of the program.
pub fn direct(database: &str) -> Option<(&'static str, String)> {
    let direct = std::env::var("MODEL_REGISTRY_TEST_POSTGRES_DIRECT").ok()?;
    let name = database.rsplit_once('/').filter(|_| Db::sqlite_file(database).is_none())?.1;
    Some(("MODEL_REGISTRY_DATABASE_DIRECT", format!("{}/{name}", direct.rsplit_once('/')?.0)))
}

/// Whether the databases of tests are PostgreSQL's.
pub fn is_postgres() -> bool {
    std::env::var("MODEL_REGISTRY_TEST_POSTGRES").is_ok()
}

/// The URL of an empty database.
pub async fn database(data: &TempDir) -> String {
    let Ok(server) = std::env::var("MODEL_REGISTRY_TEST_POSTGRES") else {
        return Db::sqlite_url(&data.path().join("registry.sqlite"));
    };
    let name = format!("test_{}", model_registry::id::new_uuid(Clock::System.now()));
    let (base, _) = server.rsplit_once('/').unwrap();
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&server).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"));
    sqlx::raw_sql(create).execute(&mut admin).await.unwrap();
    format!("{base}/{name}")
}

pub const CREATE_PROJECT: &str =
    "mutation($path: String!) { createProject(input: {path: $path}) { project { id path } } }";

impl Caller {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// What the server answers to a GraphQL operation, errors included.
    pub async fn graphql(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let response = self.request(Method::POST, self.endpoint).json(&body).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// The same caller, as a gateway asks the subgraph.
    pub fn in_subgraph(&self) -> Self {
        Self { endpoint: "/graphql/subgraph", ..self.clone() }
    }

    /// The data of an operation that must succeed.
    #[track_caller]
    pub fn ok(&self, query: &str, variables: Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        let (caller, query) = (self.clone(), query.to_owned());
        async move {
            let mut answer = caller.graphql(&query, variables).await;
            assert!(answer.get("errors").is_none(), "{place}: {query}\n{answer}");
            answer["data"].take()
        }
    }

    /// The code and message of an operation that must fail.
    #[track_caller]
    pub fn refused(&self, query: &str, variables: Value) -> impl Future<Output = Refusal> {
        let place = std::panic::Location::caller();
        let (caller, query) = (self.clone(), query.to_owned());
        async move {
            let answer = caller.graphql(&query, variables).await;
            let error = &answer["errors"][0];
            assert!(error.is_object(), "{place}: {query}\n{answer}");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            Refusal {
                code: text(&error["extensions"]["code"]),
                field: text(&error["extensions"]["field"]),
                message: text(&error["message"]),
            }
        }
    }

    /// Adds a person who has chosen [`PASSWORD`].
    pub async fn invite(&self, username: &str) {
        let invite =
            "mutation($u: String!) { inviteUser(input: {username: $u}) { invitation { url } } }";
        let made = self.ok(invite, json!({ "u": username })).await;
        let url = made["inviteUser"]["invitation"]["url"].as_str().unwrap();
        let secret = url.split('#').nth(1).unwrap();
        let accept = "mutation($s: String!, $p: String!) {
            acceptInvitation(input: {secret: $s, password: $p}) { user { username } } }";
        let person = Self { token: None, ..self.clone() };
        person.ok(accept, json!({ "s": secret, "p": PASSWORD })).await;
    }

    pub async fn add_member(&self, project: &str, username: &str, role: &str) {
        let add = "mutation($p: String!, $u: String!, $r: Role!) {
            addMember(input: {project: $p, username: $u, role: $r}) { member { id } } }";
        self.ok(add, json!({ "p": project, "u": username, "r": role })).await;
    }

    /// A new token of a project.
    pub async fn robot(&self, project: &str, role: &str) -> Self {
        let create = "mutation($p: String!, $r: Role!) {
            createProjectToken(input: {project: $p, name: \"ci\", role: $r}) { secret } }";
        let made = self.ok(create, json!({ "p": project, "r": role })).await;
        let secret = made["createProjectToken"]["secret"].as_str().unwrap();
        Self { token: Some(secret.to_owned()), ..self.clone() }
    }

    pub async fn create_model(&self, name: &str) -> Value {
        let create = "mutation($name: String!) {
            createModel(input: {project: \"vision\", name: $name}) { model { id path name } } }";
        self.ok(create, json!({ "name": name })).await["createModel"]["model"].take()
    }

    pub async fn create_version(&self, version: Option<&str>) -> Value {
        let create = "mutation($version: String) {
            createModelVersion(input: {model: \"vision/ocr\", version: $version}) {
                modelVersion { id version number state } } }";
        self.ok(create, json!({ "version": version })).await["createModelVersion"]["modelVersion"]
            .take()
    }

    pub async fn publish(&self, version: &str) -> Value {
        let publish = "mutation($version: String!) {
            publishModelVersion(input: {model: \"vision/ocr\", version: $version}) {
                modelVersion { version state digest publishedAt } } }";
        self.ok(publish, json!({ "version": version })).await["publishModelVersion"]["modelVersion"]
            .take()
    }

    pub async fn put(&self, path: &str, bytes: impl Into<reqwest::Body>) -> Response {
        self.request(Method::PUT, path).body(bytes).send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }
}

#[derive(Debug, PartialEq)]
pub struct Refusal {
    pub code: String,
    pub field: String,
    pub message: String,
}

/// That a request takes as many statements for many rows as for few. Loaders that are asked one just after the other
/// put their keys into one statement or into two; what is asked for each row is more than that.
pub fn assert_as_many(few: u64, many: u64) {
    assert!(many <= few + 2, "{few} statements became {many}");
}
