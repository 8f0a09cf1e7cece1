//! Addresses that stand for who asked for them: each for one thing, of one file, for a while. Parallel
//! transfers use them, as clients send nothing but what the address says.
//!
//! Gives nobody more than they have: who asked must still be there and still be allowed whenever an address
//! is used. Whatever is wrong with one is answered alike.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::artifacts::{self, Place};
use super::call::{Call, read, write};
use super::error::{Failure, Result};
use super::uploads::{self, NoHeaders};
use crate::access::{self, Actor};
use crate::app::App;
use crate::error::Error;
use crate::files::{download, upload};
use crate::refusal;
use crate::registry::{file, logged_model};
use crate::time::Timestamp;

/// What the tokens in addresses are sealed for.
const PURPOSE: &str = "url";
/// How long an address is good if nobody says, in seconds.
const SECONDS: i64 = 900;
const MAX_SECONDS: i64 = 7 * 24 * 3600;

const NOT_GOOD: Error =
    Error::Forbidden("this address is not valid, or no longer: ask for another one");

/// The addresses themselves.
pub fn routes() -> Router<App> {
    Router::new().route("/mlflow-signed/{token}", get(get_signed).put(put_signed))
}

/// Where clients ask for them.
pub fn api() -> Router<App> {
    Router::new()
        .route("/mlflow-artifacts/presigned/{*artifact_path}", get(read(presigned)))
        .route("/mlflow/artifacts/presigned-download-url", post(read(download_url)))
        .route("/mlflow/artifacts/presigned-upload-url", post(write("file.put", upload_url)))
}

/// What an address is for.
#[derive(Serialize, Deserialize)]
pub enum May {
    Get {
        /// Only these bytes: parts of others must not be joined to theirs.
        sha256: String,
    },
    Put,
    PutPart {
        upload: String,
        number: u32,
    },
}

/// What a token says.
#[derive(Serialize, Deserialize)]
struct Claim {
    may: May,
    project: String,
    address: String,
    /// Who asked, as [`crate::signing::Signing`] knows them; nobody who signed in if none.
    by: Option<String>,
    until_ms: i64,
}

/// Makes addresses for whoever makes a call.
pub struct Addresses<'a> {
    call: &'a Call,
    base: String,
    by: Option<String>,
    until: Timestamp,
}

impl<'a> Addresses<'a> {
    pub fn new(call: &'a Call, seconds: i64) -> Self {
        let now = call.app.clock.now();
        let until = now.plus_seconds(seconds);
        let by = call.app.signing.remember(&call.actor, until, now);
        Self { call, base: base(call), by, until }
    }

    /// An address for one thing that can be done with an artifact.
    pub fn url(&self, address: &Address, may: May) -> Result<String> {
        let claim = Claim {
            may,
            project: self.call.project.clone(),
            address: address.to_string(),
            by: self.by.clone(),
            until_ms: self.until.millis(),
        };
        let token = self.call.app.signing.seal(PURPOSE, &claim)?;
        Ok(format!("{}/mlflow-signed/{token}", self.base))
    }
}

/// Where the client reaches this server: as its users see it, or as this request came.
fn base(call: &Call) -> String {
    let good = |host: &&str| {
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
    };
    let host = call.host.as_ref().and_then(|host| host.to_str().ok()).filter(good);
    match (&call.app.config.public_url, host) {
        (Some(url), _) => url.clone(),
        (None, Some(host)) => format!("http://{host}"),
        (None, None) => call.app.config.own_url().unwrap_or_default(),
    }
}

#[derive(Serialize)]
struct Presigned {
    url: String,
    headers: NoHeaders,
    file_size: i64,
}

/// An address to download an artifact from in parallel.
async fn presigned(call: Call) -> Result<Presigned> {
    let address = Address::get(&call.message.required("artifact_path")?)?;
    let file = artifacts::find(&call, &address).await?;
    let url = Addresses::new(&call, SECONDS).url(&address, May::Get { sha256: file.sha256 })?;
    Ok(Presigned { url, headers: NoHeaders {}, file_size: file.size.0 })
}

#[derive(Serialize)]
struct SignedUrl {
    presigned_url: String,
    headers: NoHeaders,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<i64>,
}

fn seconds(call: &Call) -> Result<i64> {
    let seconds = call.message.int("expiration")?.unwrap_or(SECONDS);
    if !(1..=MAX_SECONDS).contains(&seconds) {
        return Err(Failure::invalid(format!(
            "expiration must be between 1 and {MAX_SECONDS} seconds (got {seconds})."
        )));
    }
    Ok(seconds)
}

/// An address to download a file of a run from.
async fn download_url(call: Call) -> Result<SignedUrl> {
    let run_id = call.message.required("run_id")?;
    let path = call.message.required("path")?;
    artifacts::check_inside(&path)?;
    let seconds = seconds(&call)?;
    let address = artifacts::run_address(&call, &call.reader().await?, &run_id, &path).await?;
    let file = artifacts::find(&call, &address).await?;
    let may = May::Get { sha256: file.sha256 };
    let presigned_url = Addresses::new(&call, seconds).url(&address, may)?;
    Ok(SignedUrl { presigned_url, headers: NoHeaders {}, file_size: Some(file.size.0) })
}

/// An address to upload a file of a run or logged model to.
async fn upload_url(call: Call) -> Result<SignedUrl> {
    let id = |name| Ok::<_, Failure>(call.message.text(name)?.filter(|id| !id.is_empty()));
    let (run_id, model_id) = (id("run_id")?, id("model_id")?);
    let path = call.message.required("path")?;
    if run_id.is_some() == model_id.is_some() {
        return Err(Failure::invalid("Exactly one of run_id and model_id must be provided."));
    }
    artifacts::check_inside(&path)?;
    let seconds = seconds(&call)?;
    call.actor.check_may_write()?;
    let reader = call.reader().await?;
    let address = match (run_id, model_id) {
        (Some(run_id), _) => artifacts::run_address(&call, &reader, &run_id, &path).await?,
        (None, model_id) => {
            let model_id = model_id.unwrap_or_default();
            let (_, experiment) = logged_model::readable(&call.app.db, &reader, &model_id).await?;
            Address::get(&format!("{}/models/{model_id}/artifacts/{path}", experiment.number))?
        }
    };
    let place = Place::new(&call.project, address)?;
    upload::check(&call.app, &call.actor, &place, &Default::default()).await?;
    let presigned_url = Addresses::new(&call, seconds).url(&place.address, May::Put)?;
    Ok(SignedUrl { presigned_url, headers: NoHeaders {}, file_size: None })
}

/// What the token of an address says, if it is ours and has not expired.
fn claim(app: &App, token: &str) -> Result<Claim> {
    let claim: Option<Claim> = app.signing.open(PURPOSE, token);
    let claim = claim.filter(|claim| app.clock.now().millis() < claim.until_ms);
    claim.ok_or_else(|| NOT_GOOD.into())
}

/// Who asked for an address, if they may still come in; from where it is used.
async fn signer(app: &App, claim: &Claim, parts: &Parts) -> Result<Actor> {
    let here = Actor::of_network(&app.access, parts);
    let Some(key) = &claim.by else { return Ok(here) };
    let mut actor = app.signing.recall(key).ok_or(NOT_GOOD)?;
    let (user, now) = (actor.user()?, app.clock.now());
    if !access::credential::is_live(&app.db, user, actor.credential(), now).await? {
        return Err(NOT_GOOD.into());
    }
    (actor.address, actor.client) = (here.address, here.client);
    Ok(actor)
}

/// Answers alike whether there is no such thing, or the one who asked may no longer.
fn hidden(failure: Failure) -> Failure {
    match failure.error {
        Error::NotFound { .. } | Error::Unauthenticated(_) | Error::Forbidden(_) => NOT_GOOD.into(),
        _ => failure,
    }
}

async fn token_of(request: Request) -> Result<(Parts, String, axum::body::Body)> {
    let (parts, params, body) = super::call::parse(request).await?;
    let token = params.into_iter().find(|(name, _)| name == "token");
    Ok((parts, token.map(|(_, token)| token).unwrap_or_default(), body))
}

async fn get_signed(State(app): State<App>, request: Request) -> Result<Response> {
    let (parts, token, _) = token_of(request).await?;
    let claim = claim(&app, &token)?;
    let May::Get { sha256 } = &claim.may else { return Err(NOT_GOOD.into()) };
    let actor = signer(&app, &claim, &parts).await?;
    let address = Address::get(&claim.address)?;
    let target = address.readable(&app, &actor, &claim.project).await.map_err(hidden)?;
    let file = file::find(&app.db, target.id(), address.path()).await?;
    match file.filter(|file| file.sha256 == *sha256) {
        Some(file) => Ok(download::serve(&app, &file, &parts.method, &parts.headers).await?),
        None => Err(NOT_GOOD.into()),
    }
}

async fn put_signed(State(app): State<App>, request: Request) -> Result<Response> {
    let (parts, token, body) = token_of(request).await?;
    let claim = match claim(&app, &token) {
        Ok(claim) => claim,
        Err(failure) => {
            let stranger = Actor::of_network(&app.access, &parts);
            refusal::log_error(&app, &stranger, "file.put", "", &failure.error).await;
            return Err(failure);
        }
    };
    let stall = Duration::from_secs(app.config.stall_seconds);
    let mut body = Box::pin(upload::arriving(body, stall));
    let actor = match signer(&app, &claim, &parts).await {
        Ok(actor) => actor,
        Err(failure) => {
            let stranger = Actor::of_network(&app.access, &parts);
            let refused =
                artifacts::refuse(&app, &stranger, &claim.project, &parts, &mut body, failure);
            return Err(refused.await);
        }
    };
    let place = Place::new(&claim.project, Address::get(&claim.address)?)?;
    let done = match &claim.may {
        May::Put => artifacts::take_in(&app, &actor, &place, &parts, &mut body).await,
        May::PutPart { upload, number } => {
            let part = (upload.as_str(), *number);
            uploads::take_part(&app, &actor, &place, part, &parts, &mut body).await
        }
        May::Get { .. } => {
            let (project, wrong) = (&claim.project, NOT_GOOD.into());
            Err(artifacts::refuse(&app, &actor, project, &parts, &mut body, wrong).await)
        }
    };
    done.map_err(hidden)
}
