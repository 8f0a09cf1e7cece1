//! Artifacts: the files of runs, logged models and versions, as `mlflow-artifacts:/…` and the addresses of
//! the proxy name them. Finds what has them and lists them; bytes come and go as under `/files`.

pub mod decoded;
mod place;
pub mod transfer;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use place::{filled_by, folder, writable};
use serde::Serialize;

use super::address::Address;
use super::call::{Call, Done, read, write};
use super::error::{Failure, Result};
use super::{model_versions, signed, uploads, wire};
use crate::access::Writer;
use crate::action::Action;
use crate::app::App;
use crate::change::Change;
use crate::mlflow::artifacts::transfer::{
    address_of, find, named, put, root_of, run_address, send,
};
use crate::registry::catalog::{file, model};
use crate::registry::target::Target;
use crate::registry::tracking::candidate::sql::FoundRun;
use crate::registry::tracking::{candidate, logged_model};

pub use place::{Place, check_inside};

pub fn routes() -> Router<App> {
    let artifact = get(get_file).put(put_file).delete(write(Action::FileDelete, delete));
    Router::new()
        .route("/mlflow-artifacts/artifacts", get(read(list)))
        .route("/mlflow-artifacts/artifacts/{*artifact_path}", artifact)
        .route("/mlflow/artifacts/list", get(read(list_of_run)))
        .route("/mlflow/upload-artifact", post(put_file_of_run))
        .route(
            "/mlflow/logged-models/{model_id}/artifacts/directories",
            get(read(list_of_logged_model)),
        )
        .route("/mlflow/logged-models/{model_id}/artifacts/files", get(get_logged_model_artifact))
        .merge(uploads::routes())
        .merge(signed::api())
}

async fn put_file(State(app): State<App>, request: Request) -> Result<Response> {
    put(app, request, async |call: Call| Place::new(&call.project, named(&call).await?)).await
}

/// A file of a run, as MLflow's UI sends one.
async fn put_file_of_run(State(app): State<App>, request: Request) -> Result<Response> {
    let is_empty = request.body().is_end_stream();
    let stored = put(app, request, async |call: Call| {
        let missing = |what| Failure::invalid(format!("Request must specify {what}."));
        let text = |name| {
            let text = call.message.text(name)?.filter(|text| !text.is_empty());
            text.ok_or_else(|| missing(name))
        };
        let (run_id, path) = (text("run_uuid")?, text("path")?);
        check_inside(&path)?;
        if is_empty {
            return Err(missing("data"));
        }
        call.actor.check_may_write()?;
        let address = run_address(&call, &call.reader().await?, &run_id, &path).await?;
        Place::new(&call.project, address)
    });
    Ok(([(CONTENT_TYPE, "application/json")], stored.await?).into_response())
}

/// Removes a file, or all in a folder. As in MLflow it is no error if there is none.
async fn delete(call: Call) -> Result<Done> {
    let address = named(&call).await?;
    let path = folder(address.path())?;
    let mut change = Change::begin(&call.app, &call.actor).await?;
    let (reader, target) =
        writable(&address, (&mut *change).into(), &call.actor, &call.project).await?;
    let writer = Writer::of(reader)?;
    if file::rules::delete_all(&mut change, &writer, &target, &path).await? > 0 {
        change.commit().await?;
    }
    Ok(Done {})
}

#[derive(Serialize)]
struct FileInfo {
    path: String,
    is_dir: bool,
    /// As MLflow has it: none of a folder or of an empty file.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<i64>,
}

#[derive(Serialize)]
pub struct Listing {
    #[serde(skip_serializing_if = "Option::is_none")]
    root_uri: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileInfo>,
}

/// What is directly in a folder; nothing if there is no such folder. `shown` is what paths begin with.
async fn children(call: &Call, target: &Target, path: &str, shown: &str) -> Result<Vec<FileInfo>> {
    let db = &call.app.db;
    let mut children = file::sql::children(db, target.id(), path).await?;
    // Clients ask also whether a file is a folder.
    if children.is_empty()
        && file::sql::find(db, target.id(), path).await?.is_none()
        && let Some(kept) = decoded::find(db.into(), target.id(), path).await?
    {
        children = file::sql::children(db, target.id(), &kept).await?;
    }
    Ok(children
        .into_iter()
        .map(|child| FileInfo {
            path: if shown.is_empty() { child.name } else { format!("{shown}/{}", child.name) },
            is_dir: child.size.is_none(),
            file_size: child.size.filter(|size| *size > 0),
        })
        .collect())
}

/// The names of what is in a folder.
async fn list(call: Call) -> Result<Listing> {
    let address = address_of(&call, &call.message.text_or_empty("path")?).await?;
    let path = folder(address.path())?;
    let target = address.readable(&call.app, &call.actor, &call.project).await?;
    Ok(Listing { root_uri: None, files: children(&call, &target, &path, "").await? })
}

/// What is in a folder of a run, by its path in the run.
async fn list_of_run(call: Call) -> Result<Listing> {
    let run_id = call.message.run_id()?;
    let shown = call.message.text_or_empty("path")?;
    let path = folder(&shown)?;
    let reader = call.reader().await?;
    let FoundRun { target: run, experiment, .. } =
        candidate::sql::readable_run(&call.app.db, &reader, &run_id).await?;
    let root_uri = Some(wire::run_location(&experiment, &run_id));
    if wire::root(&experiment).is_none() {
        return Ok(Listing { root_uri, files: Vec::new() });
    }
    let target = filled_by((&call.app.db).into(), &reader, run).await?;
    let files = children(&call, &target, &path, shown.trim_end_matches('/')).await?;
    Ok(Listing { root_uri, files })
}

/// What is in a folder of a logged model, by its path in the model.
async fn list_of_logged_model(call: Call) -> Result<Listing> {
    let model_id = call.message.required("model_id")?;
    let shown = call.message.text_or_empty("artifact_directory_path")?;
    let path = folder(&shown)?;
    let reader = call.reader().await?;
    let (model, experiment) = logged_model::sql::readable(&call.app.db, &reader, &model_id).await?;
    let root_uri = Some(wire::logged_model_location(&experiment, &model));
    let target = model.target(reader.project());
    let files = children(&call, &target, &path, shown.trim_end_matches('/')).await?;
    Ok(Listing { root_uri, files })
}

async fn get_file(State(app): State<App>, request: Request) -> Result<Response> {
    send(&app, request, async |call: Call| {
        let address = named(&call).await?;
        find(&call, &address).await
    })
    .await
}

/// A file of a run.
pub async fn get_artifact(State(app): State<App>, request: Request) -> Result<Response> {
    send(&app, request, async |call: Call| {
        let run_id = call.message.run_id()?;
        let path = folder(&call.message.required("path")?)?;
        let reader = call.reader().await?;
        let FoundRun { experiment, .. } =
            candidate::sql::readable_run(&call.app.db, &reader, &run_id).await?;
        let root = root_of(&experiment, || format!("run {run_id}"))?;
        let address = Address::Run { root, run_id, path };
        find(&call, &address).await
    })
    .await
}

/// A file of a registered version.
pub async fn get_model_version_artifact(
    State(app): State<App>,
    request: Request,
) -> Result<Response> {
    send(&app, request, async |call: Call| {
        let path = folder(&call.message.required("path")?)?;
        let reference = call.message.required("version")?;
        let (_, model) =
            model::sql::readable(&call.app.db, &call.actor, &call.model_path()?).await?;
        let version = model_versions::get_in(&call.app.db, &model, &reference).await?;
        let address = Address::Version { id: version.id.raw().to_owned(), path };
        find(&call, &address).await
    })
    .await
}

/// A file of a logged model.
async fn get_logged_model_artifact(State(app): State<App>, request: Request) -> Result<Response> {
    send(&app, request, async |call: Call| {
        let model_id = call.message.required("model_id")?;
        let path = call.message.text_or_empty("artifact_file_path")?;
        if path.is_empty() {
            let message = "Request must include the \"artifact_file_path\" query parameter.";
            return Err(Failure::invalid(message));
        }
        let path = folder(&path)?;
        let reader = call.reader().await?;
        let (_, experiment) = logged_model::sql::readable(&call.app.db, &reader, &model_id).await?;
        let root = root_of(&experiment, || format!("logged model {model_id}"))?;
        let address = Address::LoggedModel { root, model_id, path };
        find(&call, &address).await
    })
    .await
}
