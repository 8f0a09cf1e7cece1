//! The command line. Every flag of `serve` is also an environment variable `MODEL_REGISTRY_*`.

pub mod migrate;
pub mod oidc;
pub mod origins;
pub mod policy;
pub mod public_url;
pub mod redirect;
pub mod webhooks;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;

use crate::config::migrate::Migrate;
use crate::config::oidc::Oidc;
use crate::config::origins::AllowedOrigin;
use crate::config::public_url::PublicUrl;
use crate::config::redirect::Redirect;
use crate::config::webhooks::Webhooks;
use crate::db::{Address, Db};
use crate::error::Error;
use crate::role::TokenScope;
use crate::store::{Place, Storage};

/// A self-hosted registry for machine-learning models.
#[derive(Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one of it")]
pub enum Command {
    /// Run the registry
    Serve(Serve),
    /// Print the GraphQL schema (SDL)
    Schema {
        /// The part of it that is composed with other subgraphs by Apollo Federation
        #[arg(long)]
        subgraph: bool,
    },
    /// Create a personal access token and print it; also works while the server is running
    Token(Token),
    /// Compare all files with their hashes; also works while the server is running. Exit code: 0 if all are intact, 1 if
    /// some are not, 2 if the check failed
    Verify(Verify),
    /// Remove unused files now, as the server does every hour; also works while the server is running
    Sweep(Sweep),
    /// Copy the database and the files to a folder; also works while the server is running. Files of an earlier backup are not
    /// copied again
    Backup(Backup),
    /// Restore a backup to an empty folder
    Restore(Restore),
    /// Bring the database to the schema of this program, as the server does when it starts, and print which schema it had and
    /// has. Waits for running servers that would not understand the result. For servers with --migrate never
    Migrate(Data),
    /// Move files from one storage to another; also works while the server is running
    Storage {
        #[command(subcommand)]
        command: StorageCommand,
    },
}

#[derive(Subcommand)]
pub enum StorageCommand {
    /// Move all files of a storage to another one. Downloads go on; each file is read back from where it was moved to, and
    /// stays where it was as long as everything that is not used any more (--keep-removed of the server)
    Move(MoveFiles),
    /// Move files to where the rules of the registry say that they belong, as the server does once a day
    Apply(ApplyRules),
}

#[derive(Args)]
pub struct MoveFiles {
    /// The storage that the files are in
    #[arg(long, value_name = "NAME")]
    pub from: String,

    /// The storage to move them to
    #[arg(long, value_name = "NAME")]
    pub to: String,

    /// Print what would be moved, and move nothing
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub data: Data,
}

#[derive(Args)]
pub struct ApplyRules {
    /// Print what would be moved, and move nothing
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub data: Data,
}

/// Where the registry keeps its things.
#[derive(Args, Clone, Debug)]
pub struct Data {
    /// Folder for the database and the files; created if missing
    #[arg(long, env = "MODEL_REGISTRY_DATA", default_value = "./data", value_name = "DIR")]
    pub data: PathBuf,

    /// Database: postgres://USER:PASSWORD@HOST/NAME, or sqlite:PATH [default: sqlite in --data]
    #[arg(long, env = "MODEL_REGISTRY_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,

    /// Where PostgreSQL itself is, if --database leads to a pooler that lends its connections for one transaction each, such as
    /// PgBouncer with pool_mode=transaction: what needs a session of its own goes here
    #[arg(
        long,
        env = "MODEL_REGISTRY_DATABASE_DIRECT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database_direct: Option<String>,

    /// Where the files are: s3://BUCKET/PREFIX?endpoint=URL&region=REGION, az://CONTAINER/PREFIX, gs://BUCKET/PREFIX, file:/PATH,
    /// or file: for --data. Keys come from the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or
    /// AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or are what the machine or its container has. For several
    /// storages give this several times, or with commas, as NAME=URL: the first takes what is uploaded [default: file:]
    #[arg(
        long,
        env = "MODEL_REGISTRY_STORAGE",
        value_name = "URL",
        value_delimiter = ',',
        action = clap::ArgAction::Append
    )]
    pub storage: Vec<Storage>,
}

impl Data {
    /// The URL of the database.
    pub fn database_url(&self) -> String {
        self.database.clone().unwrap_or_else(|| Db::sqlite_url(&self.database_file()))
    }

    /// The database, with the address of PostgreSQL itself where there is one.
    pub fn address(&self) -> Result<Address, Error> {
        let (url, direct) = (self.database_url(), self.database_direct.clone());
        let is_postgres = |url: &str| Db::sqlite_file(url).is_none();
        let reason = match &direct {
            Some(_) if !is_postgres(&url) => {
                "is for PostgreSQL, and --database is SQLite: leave it out"
            }
            Some(direct) if !is_postgres(direct) => "must be postgres://USER:PASSWORD@HOST/NAME",
            _ => return Ok(Address { url, direct }),
        };
        Err(Error::invalid("--database-direct", reason))
    }

    /// Whether files are in an object store, or some of them.
    pub fn has_object_store(&self) -> bool {
        self.storage.iter().any(|storage| matches!(storage.place, Place::Bucket(_)))
    }

    /// Where the embedded database is.
    pub fn database_file(&self) -> PathBuf {
        self.data.join("registry.sqlite")
    }
}

#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// Address and port to listen on; use a reverse proxy with TLS for anything but loopback
    #[arg(
        long,
        env = "MODEL_REGISTRY_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    #[command(flatten)]
    pub data: Data,

    /// Who brings the database to the schema of this program: the server when it starts, or somebody who runs
    /// model-registry migrate before
    #[arg(long, env = "MODEL_REGISTRY_MIGRATE", default_value = "auto", value_name = "WHO")]
    pub migrate: Migrate,

    /// Password of `admin` at the very first start, of at least 12 characters [default: a random one, printed once]
    #[arg(
        long,
        env = "MODEL_REGISTRY_ADMIN_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true
    )]
    pub admin_password: Option<String>,

    /// The address that users see, such as https://models.example.org or, below a path, https://example.org/registry:
    /// other origins can't use cookies, and with https the session cookie is Secure [default: the Host header]
    #[arg(long, env = "MODEL_REGISTRY_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<PublicUrl>,

    /// Other sites whose pages can use the API with a token, such as https://dash.example.org; * for all sites, which then
    /// see only what is public
    #[arg(
        long,
        env = "MODEL_REGISTRY_ALLOWED_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGINS"
    )]
    pub allowed_origins: Vec<AllowedOrigin>,

    /// Make everybody who can reach the server `admin`, without a password; only on a loopback address
    #[arg(long, env = "MODEL_REGISTRY_NO_AUTH")]
    pub no_auth: bool,

    /// Disable sign-in with a password: only single sign-on is left
    #[arg(long, env = "MODEL_REGISTRY_NO_PASSWORD_SIGN_IN")]
    pub no_password_sign_in: bool,

    #[command(flatten)]
    pub oidc: Oidc,

    /// What signed addresses and the ids of uploads are signed with: at least 32 characters, the same at all servers. Of
    /// several, with commas, the first signs and all are accepted [default: a random one, kept in the database]
    #[arg(
        long,
        env = "MODEL_REGISTRY_SECRET",
        value_name = "SECRETS",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub secret: Vec<String>,

    #[command(flatten)]
    pub webhooks: Webhooks,

    #[command(flatten)]
    pub policy: policy::Policy,

    /// Reverse proxies whose X-Forwarded-For is trusted, such as 127.0.0.1/32,10.0.0.0/8
    #[arg(
        long,
        env = "MODEL_REGISTRY_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "NETWORKS",
        value_parser = network
    )]
    pub trusted_proxies: Vec<IpNet>,

    /// Largest file that is accepted, in bytes
    #[arg(
        long,
        env = "MODEL_REGISTRY_MAX_FILE_SIZE",
        default_value_t = 1 << 40,
        value_name = "BYTES"
    )]
    pub max_file_size: u64,

    /// Which downloads the object store of --storage sends itself: clients are redirected to an address there
    #[arg(long, env = "MODEL_REGISTRY_REDIRECT", default_value = "off", value_name = "WHICH")]
    pub redirect: Redirect,

    /// How much memory the uploads to an object store take together at most, in MiB
    #[arg(
        long,
        env = "MODEL_REGISTRY_UPLOAD_MEMORY",
        default_value_t = 256,
        value_name = "MIB",
        value_parser = clap::value_parser!(u32).range(16..=65536)
    )]
    pub upload_memory: u32,

    #[command(flatten)]
    pub keep: Keep,

    /// Disk space that uploads leave free, in MiB, so that everything else keeps working [default: a twentieth of the disk,
    /// but 1 to 10 GiB]
    #[arg(long, env = "MODEL_REGISTRY_KEEP_FREE", value_name = "MIB")]
    pub keep_free: Option<u64>,

    /// How fast the server re-reads all files to find damage, in MiB per second; 0 disables this
    #[arg(long, env = "MODEL_REGISTRY_SCRUB_RATE", default_value_t = 20, value_name = "MIB")]
    pub scrub_rate: u32,

    /// Accept that this database and this --data belong together from now on. Use this once, after the
    /// server refused them and you know that they do
    #[arg(long, env = "MODEL_REGISTRY_ADOPT")]
    pub adopt: bool,

    /// Connections at the same time; more have to wait
    #[arg(
        long,
        env = "MODEL_REGISTRY_MAX_CONNECTIONS",
        default_value_t = 1024,
        value_name = "NUMBER"
    )]
    pub max_connections: usize,

    /// How long a shutdown waits for running transfers, in seconds
    #[arg(
        long,
        env = "MODEL_REGISTRY_SHUTDOWN_SECONDS",
        default_value_t = 30,
        value_name = "SECONDS"
    )]
    pub shutdown_seconds: u64,

    /// How long a transfer can stall before it is ended, in seconds
    #[arg(
        long,
        env = "MODEL_REGISTRY_STALL_SECONDS",
        default_value_t = 30,
        value_name = "SECONDS"
    )]
    pub stall_seconds: u64,

    /// Log as JSON lines instead of text; RUST_LOG sets the level
    #[arg(long, env = "MODEL_REGISTRY_LOG_JSON")]
    pub log_json: bool,
}

impl Serve {
    /// The address that users see, where it is known before any of them asks.
    pub fn own_url(&self) -> Option<String> {
        let local = self.listen.ip().is_loopback() && self.listen.port() != 0;
        let public = self.public_url.as_ref().map(PublicUrl::to_string);
        public.or_else(|| local.then(|| format!("http://{}", self.listen)))
    }

    /// What the path of every address begins with, as users see it: empty, or `/registry`.
    pub fn base(&self) -> &str {
        self.public_url.as_ref().map_or("", |url| &url.base)
    }
}

#[derive(Args)]
pub struct Token {
    /// The owner of the token
    #[arg(long, default_value = "admin", value_name = "USERNAME")]
    pub user: String,

    /// The name of the token, as its owner will see it
    #[arg(long, value_name = "NAME")]
    pub name: String,

    /// The scope, within what the owner can do: READ, WRITE or ADMIN
    #[arg(long, default_value = "WRITE", value_name = "SCOPE", value_parser = scope)]
    pub scope: TokenScope,

    /// Days until it expires [default: never]
    #[arg(long, value_name = "DAYS")]
    pub days: Option<u32>,

    #[command(flatten)]
    pub data: Data,
}

#[derive(Args)]
pub struct Verify {
    /// Check only the sizes of files
    #[arg(long)]
    pub quick: bool,

    /// Look for intact copies of damaged files: among files that an upload left, and in the backup of --from
    #[arg(long)]
    pub repair: bool,

    /// A backup that has the damaged files
    #[arg(long, value_name = "DIR", requires = "repair")]
    pub from: Option<PathBuf>,

    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,

    /// Only print the hash and the path of each file, for `sha256sum --check` in --data
    #[arg(long, conflicts_with_all = ["quick", "repair", "json"])]
    pub list: bool,

    #[command(flatten)]
    pub data: Data,
}

#[derive(Args)]
pub struct Sweep {
    /// Print what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub keep: Keep,

    #[command(flatten)]
    pub data: Data,
}

/// How long the bytes of permanently deleted files are kept.
#[derive(Args, Clone, Debug)]
pub struct Keep {
    /// Days to keep the bytes of permanently deleted files, in case it was a mistake
    #[arg(
        long = "keep-removed",
        env = "MODEL_REGISTRY_KEEP_REMOVED",
        default_value_t = 7,
        value_name = "DAYS"
    )]
    pub days: u32,
}

#[derive(Args)]
pub struct Backup {
    /// The folder to back up to; created if missing. Use one folder for each registry
    #[arg(value_name = "DIR")]
    pub to: PathBuf,

    /// Also verify the files of an earlier backup, and copy damaged ones again
    #[arg(long)]
    pub full: bool,

    /// PostgreSQL only: the database was just dumped to DIR/registry.dump.new, and only the files are left to copy
    #[arg(long)]
    pub dumped: bool,

    #[command(flatten)]
    pub data: Data,
}

#[derive(Args)]
pub struct Restore {
    /// The backup
    #[arg(value_name = "DIR")]
    pub from: PathBuf,

    #[command(flatten)]
    pub data: Data,
}

/// Reads a network, or an address as a network of itself.
fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| "must be an address or a network".to_owned())
}

fn scope(text: &str) -> Result<TokenScope, String> {
    TokenScope::try_from(text.to_ascii_uppercase())
        .map_err(|_| "must be READ, WRITE or ADMIN".to_owned())
}
