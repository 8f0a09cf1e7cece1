//! The command line. Every flag of `serve` is also an environment variable `MODEL_REGISTRY_*`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A self-hosted registry for machine-learning models.
#[derive(Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run the registry
    Serve(Serve),
    /// Print the GraphQL schema (SDL)
    Schema,
    /// Make a personal access token and print it; also beside a running server
    Token(Token),
}

/// Where the registry keeps its things.
#[derive(Args, Clone, Debug)]
pub struct Data {
    /// Folder for the database and the files; made if missing
    #[arg(long, env = "MODEL_REGISTRY_DATA", default_value = "./data", value_name = "DIR")]
    pub data: PathBuf,

    /// Database: postgres://USER:PASSWORD@HOST/NAME, or sqlite:PATH [default: sqlite in --data]
    #[arg(long, env = "MODEL_REGISTRY_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
}

impl Data {
    /// The URL of the database.
    pub fn database_url(&self) -> String {
        self.database.clone().unwrap_or_else(|| crate::db::Db::sqlite_url(&self.database_file()))
    }

    /// Where the embedded database is.
    pub fn database_file(&self) -> PathBuf {
        self.data.join("registry.sqlite")
    }
}

#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// Address and port to listen on; put a reverse proxy with TLS before anything but loopback
    #[arg(
        long,
        env = "MODEL_REGISTRY_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    #[command(flatten)]
    pub data: Data,

    /// Password of `admin` at the very first start [default: a random one, printed once]
    #[arg(
        long,
        env = "MODEL_REGISTRY_ADMIN_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true
    )]
    pub admin_password: Option<String>,

    /// The address users see, such as https://models.example.org: other origins may not use
    /// cookies, and with https the session cookie is Secure [default: whatever Host says]
    #[arg(long, env = "MODEL_REGISTRY_PUBLIC_URL", value_name = "URL", value_parser = origin)]
    pub public_url: Option<String>,

    /// Largest file that is accepted, in bytes
    #[arg(
        long,
        env = "MODEL_REGISTRY_MAX_FILE_SIZE",
        default_value_t = 1 << 40,
        value_name = "BYTES"
    )]
    pub max_file_size: u64,

    /// Connections at once; more wait
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

    /// A transfer that moves nothing for so long is ended, in seconds
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

#[derive(Args)]
pub struct Token {
    /// Whose token
    #[arg(long, default_value = "admin", value_name = "USERNAME")]
    pub user: String,

    /// What it is for, as its owner will see it
    #[arg(long, value_name = "NAME")]
    pub name: String,

    /// Days until it expires [default: never]
    #[arg(long, value_name = "DAYS")]
    pub days: Option<u32>,

    #[command(flatten)]
    pub data: Data,
}

/// Reads `https://models.example.org` or `http://host:8080`, as browsers write it in `Origin`.
fn origin(text: &str) -> Result<String, String> {
    let origin = text.trim_end_matches('/').to_ascii_lowercase();
    let (scheme, host) = origin.split_once("://").unwrap_or_default();
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return Err("must begin with http:// or https://".to_owned()),
    };
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        return Err("must be a host with or without a port, and no path".to_owned());
    }
    Ok(format!("{scheme}://{}", host.strip_suffix(port).unwrap_or(host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        assert_eq!(
            origin("https://Models.example.org:443/").unwrap(),
            "https://models.example.org"
        );
        assert_eq!(origin("http://localhost:8080").unwrap(), "http://localhost:8080");
        for wrong in ["models.example.org", "https://", "https://a/b", "ftp://a"] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }
}
