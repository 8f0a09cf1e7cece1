//! Versions: published releases of a model, named by strict SemVer.
//!
//! A version begins as a draft that files are put into; publishing locks it: its files never change
//! again, and its digest says so. Numbers are never given twice, deleted or not.

mod graphql;
mod sql;

use ::semver::Version;
use async_graphql::{ID, MaybeUndefined};
use sha2::{Digest, Sha256};

use crate::auth::Writer;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{AnyId, CandidateId, ModelId, UserId, VersionId};
use crate::registry::candidate::Candidate;
use crate::registry::event::{Change, Subject};
use crate::registry::model::{self, Model, insert_object};
use crate::registry::tag::{self, TagInput};
use crate::registry::{file, metric, param, project, protection, semver, text_enum};
use crate::text;
use crate::time::Timestamp;

pub use graphql::{ModelVersionOrder, VersionMutation};
pub use sql::{LatestVersionOf, VersionCount, VersionOfCandidate, find, get, list, next};

text_enum! {
    /// Whether the files of a version can still change.
    VersionState {
        /// Being filled: files can be added and removed.
        Draft = "DRAFT",
        /// Locked for good.
        Published = "PUBLISHED",
    }
}

/// A release of a model, named by its SemVer version.
#[derive(Clone, Debug, sqlx::FromRow, async_graphql::SimpleObject)]
#[graphql(complex)]
pub struct ModelVersion {
    #[graphql(skip)]
    pub id: VersionId,
    #[graphql(skip)]
    pub model_id: ModelId,
    /// Its SemVer 2.0 version, such as `1.2.0`.
    pub version: String,
    /// Its number in the model: 1, 2, 3 … in the order of creation, never given twice.
    pub number: i64,
    /// Whether its files can still change.
    #[sqlx(try_from = "String")]
    pub state: VersionState,
    #[graphql(skip)]
    pub description: String,
    #[graphql(skip)]
    pub author_id: UserId,
    #[graphql(skip)]
    pub candidate_id: Option<CandidateId>,
    /// SHA-256 over its files, `PATH NUL SIZE NUL SHA256 LF` of each in the order of paths, in
    /// hexadecimal; null until it is published.
    pub digest: Option<String>,
    /// When it was created.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it or its files, aliases or tags were last changed.
    #[graphql(name = "updatedAt")]
    pub updated_at_ms: Timestamp,
    /// When it was published; null for a draft.
    #[graphql(name = "publishedAt")]
    pub published_at_ms: Option<Timestamp>,
    /// When it was put into the trash; null if it is not there.
    #[graphql(name = "deletedAt")]
    pub deleted_at_ms: Option<Timestamp>,
}

/// The columns of [`ModelVersion`].
macro_rules! columns {
    () => {
        "id, model_id, version, number, state, description, author_id, candidate_id, digest, \
         created_at_ms, updated_at_ms, published_at_ms, deleted_at_ms"
    };
}
use columns;

/// What a new version is made of, besides its model.
struct NewVersion {
    version: Option<String>,
    description: Option<String>,
    candidate_id: Option<CandidateId>,
}

async fn create(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    new: NewVersion,
    tags: Option<Vec<TagInput>>,
) -> Result<ModelVersion> {
    let version = insert(change, model, new).await?;
    tag::insert_all(change, version.id.raw(), tags.unwrap_or_default()).await?;
    record(change, writer, "version.create", model, &version).await?;
    Ok(version)
}

/// Makes a candidate a published version: by reference, so no byte is stored twice.
pub async fn promote(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    candidate: &Candidate,
    (version, description): (Option<String>, Option<String>),
) -> Result<ModelVersion> {
    let new = NewVersion { version, description, candidate_id: Some(candidate.id.clone()) };
    let version = insert(change, model, new).await?;
    // Locked: what is logged or uploaded meanwhile comes before or after, never half.
    crate::registry::candidate::touch(change, &candidate.id).await?;
    let (from, to) = (candidate.id.raw(), version.id.raw());
    file::copy(change, from, to).await?;
    param::copy(change, from, to).await?;
    metric::copy(change, from, to).await?;
    let version = lock(change, &version).await?;
    let detail = serde_json::json!({ "candidate": candidate.number, "digest": version.digest });
    let subject = subject(writer, model, &version);
    change.record("candidate.promote", subject, detail).await?;
    Ok(version)
}

/// Inserts a draft with the next number. Locks the model, so versions are made one after the other.
async fn insert(change: &mut Change, model: &Model, new: NewVersion) -> Result<ModelVersion> {
    let given = new.version.map(|version| semver::parse("version", &version)).transpose()?;
    let description = text::description("description", new.description)?;
    let (number,): (i64,) = query(
        "UPDATE models SET last_version = last_version + 1, updated_at_ms = $2
         WHERE id = $1 AND deleted_at_ms IS NULL RETURNING last_version",
    )
    .bind(&model.id)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(|| Error::not_found("model", &model.name))?;
    let version = match given {
        Some(version) => version,
        None => next(&mut **change, &model.id).await?,
    };
    let id = VersionId::new(change.now);
    insert_object(change, id.raw(), "VERSION").await?;
    query(concat!(
        "INSERT INTO model_versions (id, model_id, version, precedence, prerelease, rank, number, state,
             description, author_id, candidate_id, created_at_ms, updated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'DRAFT', $8, $9, $10, $11, $11) RETURNING ",
        columns!()
    ))
    .bind(&id)
    .bind(&model.id)
    .bind(version.to_string())
    .bind(semver::precedence(&version))
    .bind(!version.pre.is_empty())
    .bind(semver::rank(&version, false))
    .bind(number)
    .bind(description)
    .bind(change.author())
    .bind(new.candidate_id.map(|id| id.raw().to_owned()))
    .bind(change.now)
    .fetch_one(&mut **change)
    .await
    .map_err(Error::unless_unique("version", &version.to_string()))
}

async fn publish(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    version: &ModelVersion,
) -> Result<ModelVersion> {
    touch(change, &version.id).await?;
    let version = lock(change, version).await?;
    let detail = serde_json::json!({ "digest": version.digest });
    change.record("version.publish", subject(writer, model, &version), detail).await?;
    Ok(version)
}

/// Takes the digest and makes the files immutable.
async fn lock(change: &mut Change, version: &ModelVersion) -> Result<ModelVersion> {
    let digest = digest(change, version).await?;
    let semver = Version::parse(&version.version).map_err(Error::internal)?;
    let locked: Option<ModelVersion> = query(concat!(
        "UPDATE model_versions
         SET state = 'PUBLISHED', digest = $2, rank = $3, published_at_ms = $4, updated_at_ms = $4
         WHERE id = $1 AND state = 'DRAFT' RETURNING ",
        columns!()
    ))
    .bind(&version.id)
    .bind(digest)
    .bind(semver::rank(&semver, true))
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await?;
    locked
        .ok_or_else(|| Error::Conflict(format!("version {} is published already", version.version)))
}

async fn digest(change: &mut Change, version: &ModelVersion) -> Result<String> {
    let files: Vec<(String, i64, String)> =
        query("SELECT path, size, sha256 FROM files WHERE owner_id = $1 ORDER BY path")
            .bind(&version.id)
            .fetch_all(&mut **change)
            .await?;
    let mut hasher = Sha256::new();
    for (path, size, sha256) in files {
        hasher.update(format!("{path}\0{size}\0{sha256}\n"));
    }
    Ok(crate::store::hex(&hasher.finalize()))
}

async fn update(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    version: ModelVersion,
    description: MaybeUndefined<String>,
) -> Result<ModelVersion> {
    let description = text::new_description(description)?;
    model::touch(change, &model.id).await?;
    let changed: Option<ModelVersion> = query(concat!(
        "UPDATE model_versions SET description = COALESCE($2, description), updated_at_ms = $3
         WHERE id = $1 AND deleted_at_ms IS NULL RETURNING ",
        columns!()
    ))
    .bind(&version.id)
    .bind(description)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await?;
    let version = changed.ok_or_else(|| Error::not_found("version", version.version))?;
    record(change, writer, "version.update", model, &version).await?;
    Ok(version)
}

async fn delete(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    version: &ModelVersion,
) -> Result<ModelVersion> {
    model::touch(change, &model.id).await?;
    protection::check_version(change, writer, &model.id, &version.id).await?;
    let deleted: Option<ModelVersion> = query(concat!(
        "UPDATE model_versions SET deleted_at_ms = $2, deleted_by_id = $3
         WHERE id = $1 AND deleted_at_ms IS NULL RETURNING ",
        columns!()
    ))
    .bind(&version.id)
    .bind(change.now)
    .bind(change.author())
    .fetch_optional(&mut **change)
    .await?;
    let version = deleted.ok_or_else(|| Error::not_found("version", &version.version))?;
    record(change, writer, "version.delete", model, &version).await?;
    Ok(version)
}

async fn restore(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    version: &str,
    id: Option<ID>,
) -> Result<ModelVersion> {
    let not_found = || Error::not_found("deleted version", version);
    let wanted = match id.map(|id| AnyId::parse(&id)).transpose()? {
        Some(AnyId::VersionId(id)) => Some(id.raw().to_owned()),
        Some(_) => return Err(not_found()),
        None => None,
    };
    project::touch(change, &model.project_id).await?;
    model::touch(change, &model.id).await?;
    let (id,): (VersionId,) = query(
        "SELECT id FROM model_versions
         WHERE model_id = $1 AND version = $2 AND deleted_at_ms IS NOT NULL
           AND ($3 IS NULL OR id = $3)
         ORDER BY deleted_at_ms DESC, id DESC LIMIT 1",
    )
    .bind(&model.id)
    .bind(text::looked_up(version))
    .bind(wanted)
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(not_found)?;
    let restored: ModelVersion = query(concat!(
        "UPDATE model_versions SET deleted_at_ms = NULL, deleted_by_id = NULL, updated_at_ms = $2
         WHERE id = $1 RETURNING ",
        columns!()
    ))
    .bind(&id)
    .bind(change.now)
    .fetch_one(&mut **change)
    .await
    .map_err(Error::unless_unique("version", version))?;
    record(change, writer, "version.restore", model, &restored).await?;
    Ok(restored)
}

/// Marks a version as changed, which also locks it until the change is over.
pub async fn touch(change: &mut Change, id: &VersionId) -> Result<()> {
    let touched = query(
        "UPDATE model_versions SET updated_at_ms = $2 WHERE id = $1 AND deleted_at_ms IS NULL",
    )
    .bind(id)
    .bind(change.now)
    .execute(change)
    .await?;
    if touched == 0 { Err(Error::not_found("version", id.raw())) } else { Ok(()) }
}

/// The version as events name it.
fn subject<'a>(writer: &Writer, model: &'a Model, version: &'a ModelVersion) -> Subject<'a> {
    Subject {
        name: format!("{}/{}@{}", writer.project().path, model.name, version.version),
        project_id: Some(&model.project_id),
        model_id: Some(&model.id),
        object_id: version.id.raw(),
    }
}

async fn record(
    change: &mut Change,
    writer: &Writer,
    action: &'static str,
    model: &Model,
    version: &ModelVersion,
) -> Result<()> {
    change.record(action, subject(writer, model, version), serde_json::json!({})).await
}
