//! The `model-registry` program: its subcommands and nothing else.

use std::process::ExitCode;

use clap::Parser;
use model_registry::app::App;
use model_registry::change::Change;
use model_registry::config::{Cli, Command, Serve, Token};
use model_registry::db::Db;
use model_registry::error::{Error, Result};
use model_registry::registry::lifecycle::project;
use model_registry::registry::people::token::rules as token;
use model_registry::registry::people::token::rules::CreateTokenInput;
use model_registry::registry::people::user;
use model_registry::store::Store;
use model_registry::time::Clock;
use model_registry::{access, graphql, oidc, server, telemetry};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(config) => serve(config).await,
        Command::Schema => {
            print!("{}", graphql::sdl());
            Ok(())
        }
        Command::Token(token) => print_token(token).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Internal(source)) => {
            eprintln!("model-registry: {source:?}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("model-registry: {}", error.message());
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Serve) -> Result<()> {
    telemetry::start_logging(config.log_json);
    oidc::check(&config)?;
    if config.no_auth && !config.listen.ip().is_loopback() {
        return Err(Error::invalid("--no-auth", "goes with a loopback address in --listen only"));
    }
    let listener = TcpListener::bind(config.listen).await?;
    let store = Store::open(&config.data.data).await?;
    let db = opened(Db::open(&config.data.database_url()).await)?;
    let address = format!("http://{}", listener.local_addr()?);
    let address = config.public_url.clone().unwrap_or(address);
    let app = App::new(db, store, config, Clock::System);
    let password = user::rules::create_admin(&app).await?;
    if app.config.no_auth {
        project::create_default(&app).await?;
    }
    if let Some(password) = password {
        println!("The first start: sign in as admin with the password {password}");
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
    .await;
    Ok(())
}

/// The database; where its schema or its address is wrong, that is for whoever started the program.
fn opened(db: Result<Db, sqlx::Error>) -> Result<Db> {
    db.map_err(|error| match error {
        sqlx::Error::Configuration(reason) => Error::invalid("--database", reason.to_string()),
        error => error.into(),
    })
}

/// Makes a token straight in the database, which may be a running server's.
async fn print_token(input: Token) -> Result<()> {
    let clock = Clock::System;
    let db = opened(Db::open_beside(&input.data.database_url()).await)?;
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
