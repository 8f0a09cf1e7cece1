//! What has the files at an address of artifacts, and where uploads go.

use std::fmt;

use super::decoded;
use crate::access::{self, Actor, Reader, Writer};
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result as Found};
use crate::files::upload;
use crate::mlflow::address::Address;
use crate::mlflow::error::{Failure, Result};
use crate::mlflow::wire;
use crate::registry::catalog::{project, version};
use crate::registry::target::{Target, TargetId};
use crate::registry::tracking::{candidate, logged_model};
use crate::text::{self, FilePath};

/// In bytes, with everything before the path of the file.
const MAX_LENGTH: usize = 2048;

impl Address {
    /// The address that a text names in a project: what only looks like one of a run is a place of the project.
    pub async fn get(
        conn: impl Into<Conn<'_>>,
        actor: &Actor,
        project: &str,
        text: &str,
    ) -> Result<Self> {
        check_inside(text)?;
        let address = Self::parse(text);
        if address.is_numbered() {
            return Ok(address);
        }
        match address.locate(conn.into(), actor, project).await {
            Err(Error::NotFound { .. }) if !matches!(address, Self::Version { .. }) => {
                Ok(Self::Project { path: address.to_string() })
            }
            _ => Ok(address),
        }
    }

    pub fn path(&self) -> &str {
        match self {
            Self::Run { path, .. }
            | Self::LoggedModel { path, .. }
            | Self::Version { path, .. }
            | Self::Project { path } => path,
        }
    }

    /// What has the files. A run that fills a version has that version's.
    async fn locate(&self, mut conn: Conn<'_>, actor: &Actor, project: &str) -> Found<Located> {
        let reader = access::reader(conn.again(), actor, project).await?;
        let not_found = || Error::not_found("artifact", self.to_string());
        let (target, experiment, root, own) = match self {
            Self::Run { root, run_id, .. } => {
                let found = candidate::sql::readable_run(conn.again(), &reader, run_id).await?;
                (found.target, found.experiment, root, found.run.deleted_at_ms)
            }
            Self::LoggedModel { root, model_id, .. } => {
                let (model, its) =
                    logged_model::sql::readable(conn.again(), &reader, model_id).await?;
                (model.target(reader.project()), its, root, model.deleted_at_ms)
            }
            Self::Project { .. } => {
                let target = project::artifacts(reader.project());
                return Ok(Located { reader, target, is_deleted: false });
            }
            Self::Version { id, .. } => {
                let found = version::sql::find_readable_by_id(conn, &reader, id).await?;
                let (version, model) = found.ok_or_else(not_found)?;
                let target = version.target(reader.project(), &model);
                return Ok(Located { reader, target, is_deleted: false });
            }
        };
        if wire::root(&experiment).as_ref() != Some(root) {
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
        let owner = match self {
            Self::Run { root, run_id, .. } => format!("{root}/{run_id}/artifacts"),
            Self::LoggedModel { root, model_id, .. } => {
                format!("{root}/models/{model_id}/artifacts")
            }
            Self::Version { id, .. } => format!("versions/{id}"),
            Self::Project { .. } => String::new(),
        };
        // An experiment's root may be the top.
        f.write_str(format!("{owner}/{}", self.path()).trim_matches('/'))
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
        // A client could never ask for it, nor list the folder that it is in.
        if !decoded::is_listable(address.path()) {
            return Err(Failure::invalid(
                "Invalid path: MLflow's clients can't list a name that holds '#', also percent-encoded. Choose another name.",
            ));
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
            "0/ID/artifacts",
            "12/ID/artifacts/model/MLmodel",
            "ID/artifacts/a",
            "teams/x/ID/artifacts/a",
            "12/models/m-ID/artifacts",
            "12/models/m-ID/artifacts/a b/ü",
            "versions/ab",
            "versions/ab/model/data",
            "a.txt",
            "",
        ] {
            let text = text.replace("ID", "0123456789abcdef0123456789abcdef");
            assert_eq!(Address::parse(&text).to_string(), text);
        }
    }
}
