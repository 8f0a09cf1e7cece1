//! Presigned URLs of artifacts, as parallel transfers use them: where clients ask for one, and where it leads.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;

use super::address::Address;
use super::artifacts::{self, Place, decoded, transfer};
use super::call::{Call, read, write};
use super::capability::{
    Addresses, Capability, Claim, MAX_SECONDS, NOT_GOOD, SECONDS, claim, mask_denied, signer,
};
use super::error::{Failure, Result};
use super::uploads::{self, Empty};
use crate::access::Actor;
use crate::action::Action;
use crate::app::App;
use crate::audit_denied;
use crate::body;
use crate::files::{download, upload};
use crate::registry::tracking::logged_model;

/// The addresses themselves.
pub fn routes() -> Router<App> {
    Router::new().route("/mlflow-signed/{token}", get(get_signed).put(put_signed))
}

/// Where clients ask for them.
pub fn api() -> Router<App> {
    Router::new()
        .route("/mlflow-artifacts/presigned/{*artifact_path}", get(read(presigned)))
        .route("/mlflow/artifacts/presigned-download-url", post(read(download_url)))
        .route("/mlflow/artifacts/presigned-upload-url", post(write(Action::FilePut, upload_url)))
}

#[derive(Serialize)]
struct Presigned {
    url: String,
    headers: Empty,
    file_size: i64,
}

/// An address to download an artifact from in parallel.
async fn presigned(call: Call) -> Result<Presigned> {
    let address = transfer::named(&call).await?;
    let file = transfer::find(&call, &address).await?;
    let url =
        Addresses::new(&call, SECONDS).url(&address, Capability::Get { sha256: file.sha256 })?;
    Ok(Presigned { url, headers: Empty {}, file_size: file.size.0 })
}

#[derive(Serialize)]
struct SignedUrl {
    presigned_url: String,
    headers: Empty,
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
    let address = transfer::run_address(&call, &call.reader().await?, &run_id, &path).await?;
    let file = transfer::find(&call, &address).await?;
    let may = Capability::Get { sha256: file.sha256 };
    let presigned_url = Addresses::new(&call, seconds).url(&address, may)?;
    Ok(SignedUrl { presigned_url, headers: Empty {}, file_size: Some(file.size.0) })
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
        (Some(run_id), _) => transfer::run_address(&call, &reader, &run_id, &path).await?,
        (None, model_id) => {
            let model_id = model_id.unwrap_or_default();
            let (_, experiment) =
                logged_model::sql::readable(&call.app.db, &reader, &model_id).await?;
            let root = transfer::root_of(&experiment, || format!("logged model {model_id}"))?;
            transfer::address_of(&call, &format!("{root}/models/{model_id}/artifacts/{path}"))
                .await?
        }
    };
    let place = Place::new(&call.project, address)?;
    upload::check(&call.app, &call.actor, &place, &Default::default()).await?;
    let presigned_url = Addresses::new(&call, seconds).url(&place.address, Capability::Put)?;
    Ok(SignedUrl { presigned_url, headers: Empty {}, file_size: None })
}

/// The address that a token says.
async fn address_of(app: &App, actor: &Actor, claim: &Claim) -> Result<Address> {
    Address::get(&app.db, actor, &claim.project, &claim.address).await
}

async fn token_of(request: Request) -> Result<(Parts, String, axum::body::Body)> {
    let (parts, params, body) = super::call::parse(request).await?;
    let token = params.into_iter().find(|(name, _)| name == "token");
    Ok((parts, token.map(|(_, token)| token).unwrap_or_default(), body))
}

async fn get_signed(State(app): State<App>, request: Request) -> Result<Response> {
    let (parts, token, _) = token_of(request).await?;
    let claim = claim(&app, &token)?;
    let Capability::Get { sha256 } = &claim.may else { return Err(NOT_GOOD.into()) };
    let actor = signer(&app, &claim, &parts).await?;
    let address = address_of(&app, &actor, &claim).await?;
    let target = address.readable(&app, &actor, &claim.project).await.map_err(mask_denied)?;
    let file = decoded::find_file((&app.db).into(), target.id(), address.path()).await?;
    match file.filter(|file| file.sha256 == *sha256) {
        Some(file) => {
            Ok(download::serve(&app, &actor, &file, &parts.method, &parts.headers).await?)
        }
        None => Err(NOT_GOOD.into()),
    }
}

async fn put_signed(State(app): State<App>, request: Request) -> Result<Response> {
    let (parts, token, body) = token_of(request).await?;
    let claim = match claim(&app, &token) {
        Ok(claim) => claim,
        Err(failure) => {
            let stranger = Actor::of_network(&app.access, &parts);
            audit_denied::log_error(&app, &stranger, Action::FilePut, "", &failure.error).await;
            return Err(failure);
        }
    };
    let mut body = body::arriving(&app, body);
    let actor = match signer(&app, &claim, &parts).await {
        Ok(actor) => actor,
        Err(failure) => {
            let stranger = Actor::of_network(&app.access, &parts);
            return Err(transfer::reject_upload(&app, &stranger, &claim.project, failure).await);
        }
    };
    let place = Place::new(&claim.project, address_of(&app, &actor, &claim).await?)?;
    let done = match &claim.may {
        Capability::Put => transfer::store_body(&app, &actor, &place, &parts, &mut body).await,
        Capability::PutPart { upload, number } => {
            let part = (upload.as_str(), *number);
            uploads::take_part(&app, &actor, &place, part, &parts, &mut body).await
        }
        Capability::Get { .. } => {
            let (project, wrong) = (&claim.project, NOT_GOOD.into());
            Err(transfer::reject_upload(&app, &actor, project, wrong).await)
        }
    };
    done.map_err(mask_denied)
}
