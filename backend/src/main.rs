//! The `model-registry` program: its subcommands and nothing else.

use std::process::ExitCode;

use clap::Parser;
use model_registry::app::App;
use model_registry::change::Change;
use model_registry::command::{self, opened};
use model_registry::config::{Cli, Command, Serve, Token};
use model_registry::db::Db;
use model_registry::error::{Error, Result};
use model_registry::files::redirect;
use model_registry::registry::catalog::blob::{journal, pairing};
use model_registry::registry::catalog::project::moved;
use model_registry::registry::lifecycle::project;
use model_registry::registry::people::token::rules as token;
use model_registry::registry::people::token::rules::CreateTokenInput;
use model_registry::registry::people::user;
use model_registry::signing::Signing;
use model_registry::store::Storages;
use model_registry::time::Clock;
use model_registry::{access, graphql, oidc, server, telemetry};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let success = |()| ExitCode::SUCCESS;
    let (done, failure) = match Cli::parse().command {
        Command::Serve(config) => (serve(config).await.map(success), 1),
        Command::Schema { subgraph } => {
            let sdl = if subgraph { graphql::subgraph::sdl().to_owned() } else { graphql::sdl() };
            print!("{sdl}");
            (Ok(ExitCode::SUCCESS), 1)
        }
        Command::Token(token) => (print_token(token).await.map(success), 1),
        Command::Verify(input) => (command::verify::run(input).await, 2),
        Command::Sweep(input) => (command::sweep::run(input).await.map(success), 1),
        Command::Backup(input) => (command::backup::run(input).await, 2),
        Command::Restore(input) => (command::restore::run(input).await, 2),
        Command::Migrate(data) => {
            telemetry::start_logging(false);
            (command::migrate::run(data).await.map(success), 1)
        }
        Command::Storage { command } => {
            telemetry::start_logging(false);
            (command::storage::run(command).await, 2)
        }
    };
    done.unwrap_or_else(|error| {
        match error {
            Error::Internal(source) => eprintln!("model-registry: {source:?}"),
            error => eprintln!("model-registry: {}", error.message()),
        }
        ExitCode::from(failure)
    })
}

async fn serve(config: Serve) -> Result<()> {
    telemetry::start_logging(config.log_json);
    oidc::check(&config)?;
    redirect::check(&config)?;
    Signing::given(&config.secret)?;
    if config.no_auth && !config.listen.ip().is_loopback() {
        return Err(Error::invalid("--no-auth", "needs a loopback address in --listen"));
    }
    if config.no_auth && !config.allowed_origins.is_empty() {
        let reason =
            "can't be used with --no-auth: every page of these sites would be an administrator";
        return Err(Error::invalid("--allowed-origins", reason));
    }
    let listener = TcpListener::bind(config.listen).await?;
    let (db, storages) = open(&config).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let address = config.public_url.as_ref().map_or(address, ToString::to_string);
    let signing = pairing::signing(&db, &config.secret).await?;
    let app = App::new(db, storages, signing, config, Clock::System);
    let password = user::rules::create_admin(&app).await?;
    if app.config.no_auth {
        project::create_default(&app).await?;
    }
    if let Some(password) = password {
        println!("The first start: sign in as admin with the password {password}");
        if app.config.no_auth {
            println!(
                "With --no-auth nobody needs this password. Keep it for a start without --no-auth."
            );
        }
    }
    for path in moved(&app.db).await? {
        tracing::warn!(
            "the path /{path} is the server's own since this release, so the UI can't show the project {path:?}. Rename it with \
             the mutation renameProject; its old path goes on to work in the APIs."
        );
    }
    if let Some(host) = redirect::shared_host(&app.config, &app.storages).await? {
        tracing::warn!(
            "--redirect leads to {host}, the host of --public-url: clients send their tokens on to the object store there, which \
             then refuses them. Give the store a host of its own, as public_endpoint in --storage."
        );
    }
    println!("Model Registry is at {address}");
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    server::serve(&app, listener, async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await
}

/// The database and the storages, if they belong together.
async fn open(config: &Serve) -> Result<(Db, Storages)> {
    let address = config.data.address()?;
    let storages = Storages::open(&config.data.data, &config.data.storage)?
        .keeping_free(config.keep_free)
        .uploading_within(config.upload_memory);
    if Db::is_missing(&address.url) {
        pairing::check_new(&storages, config.adopt).await?;
    }
    let db = command::migrate::open(&address, config.migrate).await?;
    pairing::pair(&db, &storages, config.adopt, Clock::System.now()).await?;
    let storages = storages.noting_in(&journal::of(&db, &Clock::System));
    Ok((db, storages))
}

/// Makes a token straight in the database, which may be a running server's.
async fn print_token(input: Token) -> Result<()> {
    let clock = Clock::System;
    let db = opened(Db::open_beside(&input.data.address()?).await)?;
    let user = access::user::find_by_username(&db, &input.user)
        .await?
        .ok_or_else(|| Error::not_found("user", &input.user))?;
    let expires_at = input.days.map(|days| clock.now().plus_seconds(i64::from(days) * 24 * 3600));
    let mut change = Change::begin_in(&db, &clock, user.id.clone()).await?;
    let new = CreateTokenInput { name: input.name, scope: Some(input.scope), expires_at };
    let made = token::create(&mut change, &user, new).await?;
    change.commit().await?;
    println!("{}", made.secret);
    Ok(())
}
