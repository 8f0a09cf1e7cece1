//! Files over HTTP: `/files/{project}/{model}/{reference}/{path}`, where a reference is `1.2.0`, `^1.2`,
//! `@champion`, `latest` or `candidate:7`; `/files/{project}/-/run:{run_id}/{path}` for runs, which may
//! belong to no model; and `/files/{project}/-/artifacts/{path}` for what is of no run.
//!
//! `PUT` streams one file in, `GET` and `HEAD` serve it, a folder is listed as JSON or served as an archive, which
//! `?archive=zip` asks for, or an ending of its name where nothing has that name; `POST` begins an upload that may be interrupted ([`tus`]). How bytes come in and go out is in
//! [`upload`] and [`download`], which MLflow's API shares.

mod compared;
pub mod download;
mod joined;
pub mod redirect;
mod resumable;
mod tus;
pub mod upload;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch};
use axum::{Json, Router};
use futures_util::{StreamExt, stream};

use crate::access::{self, Actor, Reader, embed};
use crate::action::Action;
use crate::answer;
use crate::app::App;
use crate::archive::Format;
use crate::audit_denied;
use crate::body;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::registry::catalog::file::rules::Outcome;
use crate::registry::catalog::file::sql::Walk;
use crate::registry::catalog::file::{self, File};
use crate::registry::catalog::{project, version};
use crate::registry::object;
use crate::registry::target::Target;
use crate::registry::tracking::candidate;
use crate::text::FilePath;

pub fn routes() -> Router<App> {
    let file = get(get_file).put(put_file).post(tus::begin).options(tus::options);
    let upload = patch(tus::go_on).head(tus::go_on).delete(tus::go_on).post(tus::go_on);
    Router::new()
        .route("/files/{project}/{model}/{reference}", file.clone())
        .route("/files/{project}/{model}/{reference}/", file.clone())
        .route("/files/{project}/{model}/{reference}/{*path}", file)
        .route("/api/uploads/{upload}", upload.options(tus::options))
}

/// What stands for the model where something belongs to none: no model can have this name.
const NO_MODEL: &str = "-";
/// What stands for the reference where files are of the project itself.
const ARTIFACTS: &str = "artifacts";

#[derive(Clone, serde::Deserialize)]
struct Address {
    project: String,
    model: String,
    reference: String,
    #[serde(default)]
    path: String,
}

/// An address, read.
#[derive(Clone)]
struct Place {
    project: String,
    /// The model's path.
    model: String,
    owner: Owner,
    path: String,
}

/// What has the files.
#[derive(Clone)]
enum Owner {
    Version(String),
    Candidate(i32),
    Run(String),
    Project,
}

impl Address {
    /// The model's path, or the project's where there is none.
    fn subject(&self) -> String {
        match self.model.as_str() {
            NO_MODEL => self.project.clone(),
            model => format!("{}/{model}", self.project),
        }
    }

    fn place(&self) -> Result<Place> {
        let owner = match (self.model.as_str(), self.reference.split_once(':')) {
            (NO_MODEL, Some(("run", id))) => Owner::Run(id.to_owned()),
            (NO_MODEL, None) if self.reference == ARTIFACTS => Owner::Project,
            (_, Some(("candidate", number))) => {
                Owner::Candidate(number.parse().map_err(|_| Error::not_found("run", number))?)
            }
            _ => Owner::Version(self.reference.clone()),
        };
        let model = format!("{}/{}", self.project, self.model);
        Ok(Place { project: self.project.clone(), model, owner, path: self.path.clone() })
    }
}

impl Place {
    /// The path of the folder, without the slash at its end, where it is one's.
    fn folder(&self) -> Option<&str> {
        if self.path.is_empty() { Some("") } else { self.path.strip_suffix('/') }
    }

    /// Where a version or candidate is by now.
    async fn of_owner(conn: Conn<'_>, owner_id: &str, path: &str) -> Result<Option<Self>> {
        let Some(found) = file::sql::find_address(conn, owner_id).await? else { return Ok(None) };
        let file::sql::Address { project, model, reference } = found;
        Address { project, model, reference, path: path.to_owned() }.place().map(Some)
    }
}

impl upload::Place for Place {
    async fn find(&self, mut conn: Conn<'_>, actor: &Actor) -> Result<(Reader, Target)> {
        let (version, candidate) = match &self.owner {
            Owner::Version(reference) => (Some(reference.as_str()), None),
            Owner::Candidate(number) => (None, Some(*number)),
            Owner::Run(id) => {
                let reader = access::reader(conn.again(), actor, &self.project).await?;
                let target = live_run(conn, &reader, id).await?;
                return Ok((reader, target));
            }
            Owner::Project => {
                let reader = access::reader(conn, actor, &self.project).await?;
                let target = project::artifacts(reader.project());
                return Ok((reader, target));
            }
        };
        object::readable(conn, actor, &self.model, version, candidate).await
    }

    fn path(&self) -> Result<FilePath> {
        FilePath::parse("path", &self.path)
    }
}

/// The run with this id, with or without a model, unless it is in the trash.
async fn live_run(conn: Conn<'_>, reader: &Reader, id: &str) -> Result<Target> {
    let found = candidate::sql::readable_run(conn, reader, id).await?;
    match found.deleted_at_ms() {
        None => Ok(found.target),
        Some(_) => Err(Error::not_found("run", id)),
    }
}

#[derive(serde::Deserialize)]
struct Options {
    archive: Option<Format>,
}

fn not_utf8() -> Error {
    Error::invalid("path", "must be percent-encoded UTF-8")
}

async fn put_file(
    State(app): State<App>,
    address: Result<Path<Address>, PathRejection>,
    parts: Parts,
    body: Body,
) -> Result<Response> {
    let Path(address) = address.map_err(|_| not_utf8())?;
    let mut body = body::arriving(&app, body);
    let subject = address.subject();
    let actor = match Actor::of_request(&app.access, &parts).await {
        Ok(actor) => actor,
        Err(error) => {
            let stranger = Actor::of_network(&app.access, &parts);
            audit_denied::log_error(&app, &stranger, Action::FilePut, &subject, &error).await;
            return Err(error);
        }
    };
    let put = async {
        crate::origin::check(&app.config, &actor, &parts)?;
        upload::receive(&app, &actor, &address.place()?, &parts.headers, &mut body).await
    };
    let put = match put.await {
        Ok(put) => put,
        Err(error) => {
            audit_denied::log_error(&app, &actor, Action::FilePut, &subject, &error).await;
            return Err(error);
        }
    };
    let file = put.file;
    let status = match put.outcome {
        Outcome::Created => StatusCode::CREATED,
        Outcome::Unchanged | Outcome::Replaced => StatusCode::OK,
    };
    let etag = format!("\"{}\"", file.sha256);
    let headers = [(ETAG, etag), (LOCATION, format!("{}{}", app.config.base(), parts.uri.path()))];
    let deprecations = actor.deprecations.headers();
    Ok((status, headers, deprecations, Json(description(&file))).into_response())
}

async fn get_file(
    method: Method,
    State(app): State<App>,
    address: Result<Path<Address>, PathRejection>,
    options: Result<Query<Options>, QueryRejection>,
    request: Parts,
) -> Result<Response> {
    let Path(address) = address.map_err(|_| not_utf8())?;
    let wrong = |_| Error::invalid("archive", "must be tar, tgz or zip");
    let Query(Options { archive }) = options.map_err(wrong)?;
    let actor = reading(&app, &request).await?;
    let (target, archive) = find_whole(&app, &actor, &address, archive).await?;
    let asked = Asked::find(&app, &target, &address.path, archive).await?;
    // A picture that a card shows is looked at, and not fetched by who uses the version.
    let is_shown = request.headers.get("sec-fetch-dest").is_some_and(|dest| dest == "image");
    let sent = method == Method::GET && !is_shown && !matches!(asked, Asked::List(_));
    version::fetch::begin(&app, &actor, &target, sent).await?;
    let headers = &request.headers;
    let mut response = match asked {
        Asked::File(mut file) => {
            // Not to MLflow's clients: its own server says the type alone.
            file.content_type = answer::content_type(&file.content_type).into_owned();
            download::serve(&app, &actor, &file, &method, headers).await?
        }
        Asked::Archive(format, folder, files) => {
            let of = (&target, folder.as_str());
            download::archive(&app, format, of, files, (&method, headers)).await?
        }
        Asked::List(files) => list(&address.path, files),
    };
    response.headers_mut().extend(actor.deprecations.headers());
    Ok(response)
}

/// Who reads a file; also a page, where its embed token is for files.
async fn reading(app: &App, request: &Parts) -> Result<Actor> {
    let Some(token) = embed::shown(&app.access, request).await? else {
        return Actor::of_request(&app.access, request).await;
    };
    app.count_embedded(&token, request)?;
    let actor = embed::visitor(&app.access, request, token, embed::From::Page)?;
    match actor.embed() {
        Some(embed) if embed.files => embed.check_is_for_all().map(|()| actor),
        _ => Err(Error::Forbidden("This embed token is not for files.")),
    }
}

/// What an address is of. `1.2.0.zip` is all of `1.2.0` as an archive, unless there is a version of that very name, as
/// SemVer allows of `1.2.0-rc.zip`. No alias, candidate or run has such a name, and who writes a range means none.
async fn find_whole(
    app: &App,
    actor: &Actor,
    address: &Address,
    archive: Option<Format>,
) -> Result<(Target, Option<Format>)> {
    let find = async |address: &Address| {
        let place = address.place()?;
        Ok(upload::Place::find(&place, (&app.db).into(), actor).await?.1)
    };
    let shorter = Format::split(&address.reference)
        .filter(|_| archive.is_none() && address.path.is_empty())
        .map(|(reference, format)| {
            (Address { reference: reference.to_owned(), ..address.clone() }, format)
        });
    let Some((shorter, format)) = shorter else { return Ok((find(address).await?, archive)) };
    if semver::Version::parse(&address.reference).is_ok() {
        match find(address).await {
            Err(Error::NotFound { .. }) => {}
            found => return Ok((found?, None)),
        }
    }
    Ok((find(&shorter).await?, Some(format)))
}

/// What there is at a path.
enum Asked {
    File(File),
    /// Those in a folder of this name, as one.
    Archive(Format, String, Walk),
    /// What is in a folder.
    List(Walk),
}

impl Asked {
    async fn find(app: &App, target: &Target, path: &str, archive: Option<Format>) -> Result<Self> {
        let folder = async |path: &str| Walk::begin(app.db.clone(), target.id(), path).await;
        let missing = || Error::not_found("file", path);
        if let Some(format) = archive {
            let files = folder(path).await?.ok_or_else(missing)?;
            return Ok(Self::Archive(format, path.to_owned(), files));
        }
        if let Some(file) = file::sql::find(&app.db, target.id(), path).await? {
            return Ok(Self::File(file));
        }
        if let Some(files) = folder(path).await? {
            return Ok(Self::List(files));
        }
        // Nothing has that name.
        let (path, format) = Format::split(path).ok_or_else(missing)?;
        let files = folder(path).await?.ok_or_else(missing)?;
        Ok(Self::Archive(format, path.to_owned(), files))
    }
}

/// The list of a folder as JSON, made while it is sent. A failure ends it early, which the client sees.
fn list(path: &str, files: Walk) -> Response {
    let begin = format!("{{\"path\":{},\"files\":[", serde_json::Value::from(path));
    let rest = stream::unfold(Some((files, "")), async |going| {
        let (mut files, mut comma) = going?;
        match files.next().await {
            Ok(some) if some.is_empty() => Some((Ok("]}".to_owned()), None)),
            Ok(some) => {
                let mut text = String::new();
                for file in &some {
                    text.push_str(comma);
                    text.push_str(&description(file).to_string());
                    comma = ",";
                }
                Some((Ok(text), Some((files, comma))))
            }
            Err(error) => {
                error.log();
                Some((Err(std::io::Error::other(error.message())), None))
            }
        }
    });
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "private, no-cache"),
    ];
    // Whoever compresses it asks once more after the end.
    let body = Body::from_stream(stream::once(async { Ok(begin) }).chain(rest).fuse());
    (headers, body).into_response()
}

fn description(file: &File) -> serde_json::Value {
    serde_json::json!({
        "path": file.path,
        "size": file.size.0,
        "sha256": file.sha256,
        "contentType": file.content_type,
        "createdAt": file.created_at_ms.to_rfc3339(),
    })
}
