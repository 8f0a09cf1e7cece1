//! What has the files at an address of artifacts, and where uploads go.

use std::fmt;

use crate::access::{self, Actor, Reader, Writer};
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result as Found};
use crate::files::upload;
use crate::mlflow::address::Address;
use crate::mlflow::error::{Failure, Result};
use crate::registry::catalog::version;
use crate::registry::target::{Target, TargetId};
use crate::registry::tracking::{candidate, logged_model};
use crate::text::{self, FilePath};

/// In bytes, with everything before the path of the file.
const MAX_LENGTH: usize = 2048;

impl Address {
    /// The address that a request names.
    pub fn get(text: &str) -> Result<Self> {
        check_inside(text)?;
        Self::parse(text).ok_or_else(|| {
            Failure::not_found(
                "artifact",
                format!(
                    "No such artifact: '{text}'. There are EXPERIMENT_ID/RUN_ID/artifacts/…, \
                     EXPERIMENT_ID/models/MODEL_ID/artifacts/… and versions/…"
                ),
            )
        })
    }

    pub fn path(&self) -> &str {
        match self {
            Self::Run { path, .. }
            | Self::LoggedModel { path, .. }
            | Self::Version { path, .. } => path,
        }
    }

    /// What has the files. A run that fills a version has that version's.
    async fn locate(&self, mut conn: Conn<'_>, actor: &Actor, project: &str) -> Found<Located> {
        let reader = access::reader(conn.again(), actor, project).await?;
        let not_found = || Error::not_found("artifact", self.to_string());
        let (target, experiment, number, own) = match self {
            Self::Run { experiment, run_id, .. } => {
                let found = candidate::sql::readable_run(conn.again(), &reader, run_id).await?;
                (found.target, found.experiment, *experiment, found.run.deleted_at_ms)
            }
            Self::LoggedModel { experiment, model_id, .. } => {
                let (model, its) =
                    logged_model::sql::readable(conn.again(), &reader, model_id).await?;
                (model.target(reader.project()), its, *experiment, model.deleted_at_ms)
            }
            Self::Version { id, .. } => {
                let found = version::sql::find_readable_by_id(conn, &reader, id).await?;
                let (version, model) = found.ok_or_else(not_found)?;
                let target = version.target(reader.project(), &model);
                return Ok(Located { reader, target, is_deleted: false });
            }
        };
        // The files of an experiment that has its artifacts elsewhere are not here.
        if experiment.number != number || experiment.artifact_location.is_some() {
            return Err(not_found());
        }
        let is_deleted = own.or(experiment.deleted_at_ms).is_some();
        let target = filled_by(conn, &reader, target).await?;
        Ok(Located { reader, target, is_deleted })
    }

    /// As [`Address::locate`], for reading: also from the trash.
    pub async fn readable(&self, app: &App, actor: &Actor, project: &str) -> Result<Target> {
        Ok(self.locate((&app.db).into(), actor, project).await?.target)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run { experiment, run_id, .. } => write!(f, "{experiment}/{run_id}/artifacts")?,
            Self::LoggedModel { experiment, model_id, .. } => {
                write!(f, "{experiment}/models/{model_id}/artifacts")?;
            }
            Self::Version { id, .. } => write!(f, "versions/{id}")?,
        }
        match self.path() {
            "" => Ok(()),
            path => write!(f, "/{path}"),
        }
    }
}

/// What has the files of an address.
struct Located {
    reader: Reader,
    target: Target,
    is_deleted: bool,
}

/// The version that a run fills; or else the run.
pub async fn filled_by(conn: Conn<'_>, reader: &Reader, target: Target) -> Found<Target> {
    let TargetId::Candidate(run) = &target.id else { return Ok(target) };
    Ok(match version::sql::filled_by_run(conn, run).await? {
        Some((version, model)) if model.deleted_at_ms.is_none() => {
            version.target(reader.project(), &model)
        }
        _ => target,
    })
}

/// Refuses ways out of a folder, however often they are encoded.
pub fn check_inside(path: &str) -> Result<()> {
    // What is longer is no path here, and each round of decoding takes its length.
    if path.len() > MAX_LENGTH || text::leads_out(path) {
        return Err(Failure::invalid("Invalid path"));
    }
    Ok(())
}

/// The path of a folder, or of something that may be one; empty is the top.
pub fn folder(path: &str) -> Result<String> {
    check_inside(path)?;
    match path.trim_end_matches('/') {
        "" | "." => Ok(String::new()),
        path => Ok(file_path(path)?.as_str().to_owned()),
    }
}

fn file_path(path: &str) -> Result<FilePath> {
    FilePath::parse("path", path).map_err(|error| match error {
        Error::Invalid { reason, .. } => Failure::invalid(format!("Invalid path: {reason}")),
        error => error.into(),
    })
}

/// Where an upload goes.
#[derive(Clone)]
pub struct Place {
    pub project: String,
    pub address: Address,
    path: FilePath,
}

impl Place {
    pub fn new(project: &str, address: Address) -> Result<Self> {
        // A client could never ask for it: it would take the rest for a fragment.
        if address.path().contains('#') {
            return Err(Failure::invalid("Invalid path"));
        }
        let path = file_path(address.path())?;
        Ok(Self { project: project.to_owned(), address, path })
    }
}

impl upload::Place for Place {
    async fn find(&self, conn: Conn<'_>, actor: &Actor) -> Found<(Reader, Target)> {
        writable(&self.address, conn, actor, &self.project).await
    }

    fn path(&self) -> Found<FilePath> {
        Ok(self.path.clone())
    }
}

/// What has the files, unless it is in the trash. Whether the caller may is still to be asked.
pub async fn writable(
    address: &Address,
    conn: Conn<'_>,
    actor: &Actor,
    project: &str,
) -> Found<(Reader, Target)> {
    let found = address.locate(conn, actor, project).await?;
    if found.is_deleted {
        Writer::of(found.reader)?;
        return Err(Error::Conflict(
            "This is in the trash and can't be changed. Restore it first.".into(),
        ));
    }
    Ok((found.reader, found.target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in [
            "0/ab/artifacts",
            "12/ab/artifacts/model/MLmodel",
            "12/models/m-ab/artifacts",
            "12/models/m-ab/artifacts/a b/ü",
            "versions/ab",
            "versions/ab/model/data",
        ] {
            let address = Address::parse(text);
            assert_eq!(address.map(|address| address.to_string()), Some(text.to_owned()));
        }
    }
}
