//! Artifacts on the wire: the body of a request is stored, and a file is sent.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::header::ETAG;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use std::future::Future;

use super::decoded;
use super::place::folder;
use crate::access::{Actor, Reader};
use crate::action::Action;
use crate::app::App;
use crate::audit_denied;
use crate::body;
use crate::error::Result as Found;
use crate::files::{download, upload};
use crate::mlflow::address::Address;
use crate::mlflow::artifacts::place::Place;
use crate::mlflow::call::Call;
use crate::mlflow::error::{Failure, Result};
use crate::mlflow::message::Message;
use crate::mlflow::wire;
use crate::registry::catalog::{file, version};
use crate::registry::tracking::candidate;
use crate::registry::tracking::candidate::sql::FoundRun;
use crate::registry::tracking::experiment::Experiment;

/// The address that a text names in the project of a call.
pub async fn address_of(call: &Call, text: &str) -> Result<Address> {
    Address::get(&call.app.db, &call.actor, &call.project, text).await
}

/// The address that stands in that of the request.
pub async fn named(call: &Call) -> Result<Address> {
    address_of(call, &call.message.required("artifact_path")?).await
}

/// The address of a file of a run.
pub async fn run_address(
    call: &Call,
    reader: &Reader,
    run_id: &str,
    path: &str,
) -> Result<Address> {
    let FoundRun { experiment, .. } =
        candidate::sql::readable_run(&call.app.db, reader, run_id).await?;
    let root = root_of(&experiment, || format!("run {run_id}"))?;
    address_of(call, &format!("{root}/{run_id}/artifacts/{path}")).await
}

/// The place of an experiment's files, if that is here.
pub fn root_of(experiment: &Experiment, whose: impl FnOnce() -> String) -> Result<String> {
    wire::root(experiment).ok_or_else(|| {
        let location = wire::experiment_location(experiment);
        let message =
            format!("The artifacts of {} are not here: they are below {location}", whose());
        Failure::not_found("artifact", message)
    })
}

/// Stores the body of a request at the place that `rule` finds.
pub async fn put<F, Fut>(app: App, request: Request, rule: F) -> Result<Response>
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Result<Place>>,
{
    let (parts, params, body) = crate::mlflow::call::parse(request).await?;
    let project = crate::mlflow::call::workspace(&parts, &params)?;
    let mut body = body::arriving(&app, body);
    let actor = match crate::mlflow::call::recognised(&app, &parts, true).await {
        Ok(actor) => actor,
        Err(failure) => {
            let stranger = Actor::of_network(&app.access, &parts);
            return Err(reject_upload(&app, &stranger, &project, failure).await);
        }
    };
    let message = Message::from_query(parts.uri.query().unwrap_or_default());
    let call = Call::new(&app, &parts, &params, (actor.clone(), project.clone()), message);
    match rule(call).await {
        Ok(place) => store_body(&app, &actor, &place, &parts, &mut body).await,
        Err(failure) => Err(reject_upload(&app, &actor, &project, failure).await),
    }
}

/// Stores the body of a request.
pub async fn store_body(
    app: &App,
    actor: &Actor,
    place: &Place,
    parts: &Parts,
    body: &mut (impl Stream<Item = Found<Bytes>> + Unpin),
) -> Result<Response> {
    match upload::receive(app, actor, place, &parts.headers, body).await {
        Ok(put) => Ok(stored(&put.file.sha256)),
        Err(error) => Err(reject_upload(app, actor, &place.project, error.into()).await),
    }
}

/// What clients take for success: 200, whether the file is new or not.
pub fn stored(sha256: &str) -> Response {
    (StatusCode::OK, [(ETAG, format!("\"{sha256}\""))]).into_response()
}

/// Logs a refused upload.
pub async fn reject_upload(app: &App, actor: &Actor, project: &str, failure: Failure) -> Failure {
    audit_denied::log_error(app, actor, Action::FilePut, project, &failure.error).await;
    failure
}

/// Answers a request with the file that `rule` finds. HEAD asks as GET does.
pub async fn send<F, Fut>(app: &App, request: Request, rule: F) -> Result<Response>
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Result<file::File>>,
{
    let (mut parts, params, body) = crate::mlflow::call::parse(request).await?;
    let method = std::mem::replace(&mut parts.method, Method::GET);
    let call = crate::mlflow::call::recognise(app, &parts, &params, body, None).await?;
    let (stranger, actor) = (call.stranger(), call.actor.clone());
    match rule(call).await {
        Ok(mut file) => {
            file.content_type = content_type(&file).to_owned();
            let mut response = download::serve(app, &actor, &file, &method, &parts.headers).await?;
            response.headers_mut().extend(actor.deprecations.headers());
            Ok(response)
        }
        Err(failure) => Err(stranger.explain(failure).await),
    }
}

/// The endings of names of files that MLflow calls plain text.
const TEXTS: &[&str] = &[
    "txt",
    "log",
    "err",
    "cfg",
    "conf",
    "cnf",
    "cf",
    "ini",
    "properties",
    "prop",
    "hocon",
    "toml",
    "yaml",
    "yml",
    "xml",
    "json",
    "js",
    "py",
    "py3",
    "csv",
    "tsv",
    "md",
    "rst",
    "MLmodel",
    "mlproject",
];

/// The media type of a file as MLflow says it; a page is plain text, too.
fn content_type(file: &file::File) -> &str {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map_or(name, |(_, ending)| ending);
    let kept = &file.content_type;
    match HeaderValue::from_str(kept) {
        Ok(_) if !TEXTS.contains(&ending) && !kept.starts_with("text/html") => kept,
        _ => "text/plain",
    }
}

/// The file at an address, for the caller.
pub async fn find(call: &Call, address: &Address) -> Result<file::File> {
    let path = folder(address.path())?;
    let target = address.readable(&call.app, &call.actor, &call.project).await?;
    let db = &call.app.db;
    if let Some(file) = decoded::find_file(db.into(), target.id(), &path).await? {
        version::fetch::begin(&call.app, &call.actor, &target, true).await?;
        return Ok(file);
    }
    let is_folder = !file::sql::children(db, target.id(), &path).await?.is_empty();
    Err(match is_folder {
        true => Failure::invalid(format!(
            "Artifact path refers to a directory, not a file: '{address}'"
        )),
        false => Failure::not_found("artifact", format!("No such artifact: '{address}'")),
    })
}
