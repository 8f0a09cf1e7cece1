//! Objects by their path: a model, or a version or candidate of it, with proof of what the caller may do with it.

use crate::access::{Actor, Reader, Writer};
use crate::change::Change;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::registry::catalog::{model, version};
use crate::registry::target::Target;
use crate::registry::tracking::candidate;

/// The model at `path`, or the version or candidate of it, and proof that the caller may read it.
pub async fn readable(
    conn: impl Into<Conn<'_>>,
    actor: &Actor,
    path: &str,
    version: Option<&str>,
    candidate: Option<i32>,
) -> Result<(Reader, Target)> {
    let mut conn = conn.into();
    let (reader, model) = model::sql::readable(conn.again(), actor, path).await?;
    let project = reader.project();
    let target = match (version, candidate) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "candidate",
                "can't be combined with version: give only one of them",
            ));
        }
        (Some(reference), None) => {
            let version = version::sql::get(conn, &model, reference).await?;
            version.target(project, &model)
        }
        (None, Some(number)) => {
            let candidate = candidate::sql::get(conn, &model, number.into()).await?;
            candidate.target(project, Some(&model.name))
        }
        (None, None) => model.target(project),
    };
    Ok((reader, target))
}

/// As [`readable`], with proof that the caller may write.
pub async fn writable(
    change: &mut Change,
    actor: &Actor,
    path: &str,
    version: Option<&str>,
    candidate: Option<i32>,
) -> Result<(Writer, Target)> {
    let (reader, target) = readable(&mut **change, actor, path, version, candidate).await?;
    Ok((Writer::of(reader)?, target))
}
