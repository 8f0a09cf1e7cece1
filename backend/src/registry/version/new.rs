//! What a new version is made of, how it gets its number and name, and how it is stored.

use ::semver::Version;

use super::sql::{after, latest};
use super::{ModelStage, ModelVersion, VersionState, digest_of};
use crate::db::{Unmet, query};
use crate::error::{Error, Result};
use crate::id::{CandidateId, VersionId};
use crate::registry::event::Change;
use crate::registry::model::Model;
use crate::registry::semver;
use crate::registry::tag::{self, TagInput};
use crate::text;

/// What a new version is made of, besides its model.
#[derive(Default)]
pub struct NewVersion {
    pub version: Option<String>,
    pub description: Option<String>,
    pub tags: Vec<TagInput>,
    /// The run that it comes from, where that is here.
    pub candidate_id: Option<CandidateId>,
    /// What an MLflow client said about that, also of runs and models elsewhere.
    pub lineage: Lineage,
}

/// Where a version comes from, in the words of an MLflow client.
#[derive(Default)]
pub struct Lineage {
    pub source: Option<String>,
    /// Where the files are, if not here.
    pub location: Option<String>,
    pub run_id: Option<String>,
    pub run_link: Option<String>,
    pub logged_model_id: Option<String>,
}

/// A version that is still to be [inserted](insert), with the next number; and its tags. Locks the model, so
/// versions are made one after the other.
pub async fn draw(
    change: &mut Change,
    model: &Model,
    new: NewVersion,
    state: VersionState,
) -> Result<(ModelVersion, Vec<TagInput>)> {
    let given = new.version.map(|version| semver::parse("version", &version)).transpose()?;
    let description = text::description("description", new.description)?;
    let (number, next) = next_number(change, model).await?;
    let is_published = state == VersionState::Published;
    let lineage = new.lineage;
    let version = ModelVersion {
        id: VersionId::new(change.now),
        model_id: model.id.clone(),
        version: given.unwrap_or(next).to_string(),
        number,
        state,
        stage: ModelStage::None,
        source: lineage.source.map(|source| text::document("source", source)).transpose()?,
        location: lineage.location,
        run_id: lineage.run_id.or(new.candidate_id.as_ref().map(|id| id.raw().to_owned())),
        run_link: lineage.run_link.map(|link| text::value("run_link", link)).transpose()?,
        logged_model_id: lineage.logged_model_id,
        description,
        author_id: change.author().clone(),
        candidate_id: new.candidate_id,
        digest: is_published.then(|| digest_of(&[])),
        created_at_ms: change.now,
        updated_at_ms: change.now,
        published_at_ms: is_published.then_some(change.now),
        deleted_at_ms: None,
    };
    Ok((version, new.tags))
}

/// Inserts a version that was [drawn](draw), without files.
pub async fn insert(
    change: &mut Change,
    model: &Model,
    (version, tags): (ModelVersion, Vec<TagInput>),
) -> Result<ModelVersion> {
    let semver = Version::parse(&version.version).map_err(Error::internal)?;
    let is_published = version.state == VersionState::Published;
    query(
        "INSERT INTO model_versions (id, model_id, project_id, version, precedence, prerelease, rank, number,
             state, stage, source, location, run_id, run_link, logged_model_id, description, author_id,
             candidate_id, digest, created_at_ms, updated_at_ms, published_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)",
    )
    .bind(&version.id)
    .bind(&version.model_id)
    .bind(&model.project_id)
    .bind(&version.version)
    .bind(semver::precedence(&semver))
    .bind(!semver.pre.is_empty())
    .bind(semver::rank(&semver, is_published))
    .bind(version.number)
    .bind(version.state)
    .bind(version.stage)
    .bind(version.source.clone())
    .bind(version.location.clone())
    .bind(version.run_id.clone())
    .bind(version.run_link.clone())
    .bind(version.logged_model_id.clone())
    .bind(&version.description)
    .bind(&version.author_id)
    .bind(version.candidate_id.as_ref().map(|id| id.raw().to_owned()))
    .bind(version.digest.clone())
    .bind(version.created_at_ms)
    .bind(version.updated_at_ms)
    .bind(version.published_at_ms)
    .later_or(change, Unmet::Taken { kind: "version", key: version.version.clone() })
    .await?;
    tag::insert_all(change, version.id.raw(), tags).await?;
    Ok(version)
}

/// The number of a new version, and what it is called unless told. Locks the model and marks it as changed.
async fn next_number(change: &mut Change, model: &Model) -> Result<(i64, Version)> {
    query(
        "UPDATE models SET last_version = last_version + 1, updated_at_ms = $1
         WHERE id = $2 AND name = $3 AND deleted_at_ms IS NULL",
    )
    .bind(change.now)
    .bind(&model.id)
    .bind(&model.name)
    .later(change)
    .await?;
    let drawn: Option<(i64, Option<String>)> = query(concat!(
        "SELECT last_version, ",
        latest!(),
        " FROM models WHERE id = $1 AND name = $2 AND deleted_at_ms IS NULL AND updated_at_ms = $3"
    ))
    .bind(&model.id)
    .bind(&model.name)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await?;
    let (number, latest) = drawn.ok_or_else(|| Error::not_found("model", &model.name))?;
    Ok((number, after(latest)?))
}
