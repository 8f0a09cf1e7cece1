//! The map of the house: its floors from the roof to the ground, and the wings of the registry.

/// A floor: what it is called, the modules on it, and what they do. `*` stands for one name. A module is on the floor
/// that names it most closely.
pub type Floor = (&'static str, &'static [&'static str], &'static str);

/// The backend, from the roof to the ground. README.md shows this table as the map of the code.
pub const BACKEND: &[Floor] = &[
    (
        "start",
        &["", "main", "command", "server", "upkeep", "linger"],
        "the router, subcommands, connections and how they are closed, shutdown, what is done once in a while",
    ),
    (
        "faces",
        &["graphql", "mlflow", "files", "embed", "oidc", "audit", "web", "telemetry"],
        "the GraphQL endpoint, MLflow's REST API, /files and tus, cards, badges and facts for other pages and programs, sign-in elsewhere, /api/events, the UI, health and metrics: \
         they translate, and decide nothing",
    ),
    (
        "what faces share",
        &["answer", "audit_denied", "origin", "cors", "archive", "body"],
        "bodies as they are read, errors as they are answered, denied changes into the log, the guard against other sites' pages, archives",
    ),
    (
        "a concept in GraphQL",
        &[
            "registry::*::*::graphql",
            "registry::address",
            "registry::catalog::model::at_path",
            "registry::catalog::version::at_ref",
            "registry::entity",
            "registry::*::*::mutation",
            "registry::*::*::live",
            "registry::event::graphql",
            "registry::live",
            "registry::node",
            "registry::replica::graphql",
            "registry::webhook::graphql",
            "registry::webhook::mutation",
        ],
        "fields, inputs, mutations, subscriptions; `node(id)`; entities of a federated graph",
    ),
    (
        "its rules",
        &[
            "registry::*::*::rules",
            "registry::event::rules",
            "registry::catalog::blob::mover",
            "registry::catalog::blob::figures",
            "registry::catalog::blob::journal",
            "registry::catalog::blob::pairing",
            "registry::catalog::blob::scrub",
            "registry::catalog::blob::sweep",
            "registry::catalog::blob::verify",
            "registry::catalog::upload::staged",
            "registry::catalog::version::names",
            "registry::catalog::version::new",
            "registry::lifecycle::*",
            "registry::lifecycle::placement::plan",
            "registry::object",
            "registry::people::identity",
            "registry::replica",
            "registry::replica::lease",
            "registry::webhook::body",
            "registry::webhook::mlflow_body",
            "registry::webhook::outbox",
            "registry::webhook::rules",
            "registry::webhook::sender",
            "registry::webhook::sentence",
            "registry::webhook::settings",
            "registry::webhook::wanted",
        ],
        "what may happen, given proof of who may: each writes its line of the log",
    ),
    (
        "its SQL",
        &[
            "registry::*::*::sql",
            "registry::catalog::blob::damaged",
            "registry::catalog::blob::proof",
            "registry::catalog::blob::read",
            "registry::catalog::model::best",
            "registry::catalog::model::facet",
            "registry::catalog::model::listed",
            "registry::catalog::project::facts",
            "registry::catalog::upload::sent",
            "registry::catalog::version::facts",
            "registry::catalog::version::fetch",
            "registry::catalog::version::published",
            "registry::event::export",
            "registry::event::feed",
            "registry::event::sql",
            "registry::metadata::curve",
            "registry::webhook::delivery",
            "registry::webhook::occurrence",
            "registry::webhook::pair",
            "registry::webhook::sql",
        ],
        "how it is found: lists, loaders, orders, filters",
    ),
    (
        "what it is",
        &[
            "registry::*::*",
            "registry::event",
            "registry::lifecycle::placement",
            "registry::lifecycle::trash",
            "registry::webhook",
        ],
        "the type, which is row and GraphQL object at once, and its columns",
    ),
    (
        "the wings",
        &["registry", "registry::*"],
        "metadata < people < catalog < tracking < lifecycle: what belongs to each and what never does",
    ),
    (
        "what changes",
        &["change", "registry::target"],
        "the unit of work: one transaction, one person, one moment; the identity of an object that is locked and logged",
    ),
    ("markdown", &["markdown"], "rendered and made harmless, with code and formulas"),
    ("lists and loaders", &["connection", "loader"], "Relay connections, batching"),
    ("what a request can reach", &["app"], "database, blobs, settings, clock, caches: one value"),
    (
        "what only this server knows",
        &["signing", "sealing", "sockets", "in_flight", "peers", "outbound"],
        "what only we can have written or can read, how many sockets are open, which files are arriving, who is connected, where \
         requests of the server may go",
    ),
    (
        "who may",
        &["access"],
        "who is calling, and proofs that they may: the one reader of users, credentials, projects and members that decides",
    ),
    ("the log", &["log", "action"], "lines of the log, written; every action there is"),
    (
        "settings and caches",
        &["config", "cache", "network", "throttle"],
        "flags, answers that are kept until a generation ends, where requests come from, slowing down who guesses",
    ),
    (
        "questions",
        &["page", "filter", "limits"],
        "keyset pages, filter strings and orders to SQL, how much an operation may be",
    ),
    (
        "objects",
        &["store"],
        "immutable bytes under keys that are given once, over object_store; parts of uploads; room for them; whose store it is",
    ),
    (
        "words",
        &["role", "words", "text", "id", "long"],
        "roles and scopes, enums stored by name, names and paths as they are parsed at the edge, typed ids, 64-bit integers",
    ),
    (
        "errors and time",
        &["error", "deprecation", "time"],
        "the table of errors, what answers say of old names, clock and times",
    ),
    (
        "the database",
        &["db"],
        "SQLite or PostgreSQL behind one facade, SQLite's one writer, who is told of changes",
    ),
    ("the ground", &["sql", "disk"], "SQL that is put together, room on disks"),
];

/// The wings of the registry: the types, SQL and rules of one use only those before it.
pub const WINGS: &[&str] = &["metadata", "people", "catalog", "tracking", "lifecycle"];

/// The frontend, from the roof to the ground, which README.md shows, too.
pub const FRONTEND: &[Floor] = &[
    ("start", &["main", "app"], "mount, routes and the frame of every page"),
    ("lazy pages", &["lazy"], "pages whose code comes when they are first opened"),
    ("pages", &["pages"], "one file a route"),
    (
        "parts",
        &["parts", "upload"],
        "what several pages show that fetches or changes something; queues of files on their way, which outlive the page",
    ),
    (
        "operations",
        &["graphql", "live", "session"],
        "fragments and operations, checked against schema.graphql; how changes are heard; who is signed in",
    ),
    ("components", &["components", "picked"], "what knows neither network nor GraphQL"),
    (
        "the way to the server",
        &["api", "reach"],
        "how operations are sent, and whether anybody answers",
    ),
    (
        "logic",
        &["logic"],
        "plain functions: addresses, what the server will take, comparing, filters, numbers and times, errors in words",
    ),
];
