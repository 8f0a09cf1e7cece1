//! The rules of versions: made, published, registered from elsewhere, moved between stages, deprecated, yanked, deleted and
//! restored.

use ::semver::Version;
use async_graphql::{ID, MaybeUndefined};

use super::new::{NewVersion, allocate, insert};
use super::support::{Advice, VersionSupport};
use super::{ModelStage, ModelVersion, VersionState, columns, digest_of, names};
use crate::access::Writer;
use crate::action::Action;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{AnyId, VersionId};
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::upload::rules::Arrived;
use crate::registry::catalog::{file, protection, semver};
use crate::registry::metadata::{metric, param};
use crate::registry::target;
use crate::text;

/// Makes a draft, to be filled and published.
pub async fn create(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    new: NewVersion,
) -> Result<ModelVersion> {
    let (version, tags) = allocate(change, writer, model, new, VersionState::Draft).await?;
    record(change, writer, Action::VersionCreate, model, &version).await?;
    insert(change, model, (version, tags)).await
}

/// Makes a published version of what is here or elsewhere already. What is here it gets by reference:
/// the files in a folder of `origin`, and the params and metrics of `measured`.
pub async fn register(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    new: NewVersion,
    (origin, measured): (Option<(&str, &str, Arrived)>, Option<&str>),
) -> Result<ModelVersion> {
    // Without files there is nothing to be locked.
    let state = if origin.is_some() { VersionState::Draft } else { VersionState::Published };
    let (mut version, tags) = allocate(change, writer, model, new, state).await?;
    if origin.is_none() {
        record_source(change, writer, model, &version).await?;
    }
    version = insert(change, model, (version, tags)).await?;
    if let Some(measured) = measured {
        copy_measures(change, measured, &version).await?;
    }
    if let Some((owner, folder, _arrived)) = origin {
        file::rules::copy(change, (owner, folder), (version.id.raw(), "")).await?;
        version = lock(change, &version).await?;
        record_source(change, writer, model, &version).await?;
    }
    Ok(version)
}

async fn record_source(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    version: &ModelVersion,
) -> Result<()> {
    let detail = serde_json::json!({ "source": version.source, "digest": version.digest });
    change
        .record(Action::VersionCreate, version.target(writer.project(), model).subject(), detail)
        .await
}

pub async fn copy_measures(change: &mut Change, from: &str, version: &ModelVersion) -> Result<()> {
    param::rules::copy(change, from, version.id.raw()).await?;
    metric::rules::copy(change, from, version.id.raw()).await
}

/// Publishes a draft.
pub async fn publish(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    version: &ModelVersion,
    _arrived: Arrived,
) -> Result<ModelVersion> {
    target::touch(change, &version.id).await?;
    // Another version of this name may have been published, and put into the trash, since this one was made.
    let name = Version::parse(&version.version).map_err(Error::internal)?;
    names::check(&mut **change, writer.project(), model, &name).await?;
    if let (true, Some(run)) = (version.is_filled_by_run(), &version.candidate_id) {
        copy_measures(change, run.raw(), version).await?;
    }
    let version = lock(change, version).await?;
    let detail = serde_json::json!({ "digest": version.digest });
    change
        .record(Action::VersionPublish, version.target(writer.project(), model).subject(), detail)
        .await?;
    Ok(version)
}

/// Takes the digest and makes the files immutable.
pub async fn lock(change: &mut Change, version: &ModelVersion) -> Result<ModelVersion> {
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
    locked.ok_or_else(|| {
        Error::Conflict(format!("Version {} is already published.", version.version))
    })
}

async fn digest(change: &mut Change, version: &ModelVersion) -> Result<String> {
    let mut files: Vec<(String, i64, String)> =
        query("SELECT COALESCE(sent_path, path), size, sha256 FROM files WHERE owner_id = $1")
            .bind(&version.id)
            .fetch_all(&mut **change)
            .await?;
    files.sort();
    Ok(digest_of(&files))
}

pub async fn update(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    version: ModelVersion,
    description: MaybeUndefined<String>,
) -> Result<ModelVersion> {
    let description = text::new_description(description)?;
    model::hold(change, &model.id).await?;
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
    record(change, writer, Action::VersionUpdate, model, &version).await?;
    Ok(version)
}

pub async fn delete(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    version: &ModelVersion,
) -> Result<ModelVersion> {
    target::touch(change, &model.id).await?;
    protection::rules::check_version(change, writer, &model.id, &version.id).await?;
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
    end_succession(change, &version).await?;
    record(change, writer, Action::VersionDelete, model, &version).await?;
    Ok(version)
}

/// Puts a version into a stage, and what is in it, if so wished, into the archive. Stages are protected
/// as aliases of their names are.
pub async fn set_stage(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    version: &ModelVersion,
    (stage, archive_others): (ModelStage, bool),
) -> Result<ModelVersion> {
    protection::rules::hold_for(change, writer, version).await?;
    if archive_others {
        target::touch(change, &writer.project().id).await?;
    }
    target::touch(change, &model.id).await?;
    let version = &super::sql::get(&mut **change, model, &version.version).await?;
    if archive_others {
        check_archived(change, writer, model, (version, stage)).await?;
    }
    for stage in [version.stage, stage].into_iter().filter(|stage| *stage != ModelStage::None) {
        let name = stage.as_str().to_ascii_lowercase();
        protection::rules::check_alias(change, writer, &model.id, &name).await?;
    }
    if stage != version.stage && stage != ModelStage::None {
        let name = stage.as_str().to_ascii_lowercase();
        protection::rules::check_named(change, writer, version, &name).await?;
    }
    if stage != version.stage && matches!(stage, ModelStage::Staging | ModelStage::Production) {
        check_offered(version)?;
    }
    if archive_others {
        query(
            "UPDATE model_versions SET stage = 'ARCHIVED', updated_at_ms = $3
             WHERE model_id = $1 AND stage = $2 AND id <> $4 AND deleted_at_ms IS NULL",
        )
        .bind(&model.id)
        .bind(stage)
        .bind(change.now)
        .bind(&version.id)
        .execute(change)
        .await?;
    }
    let changed: Option<ModelVersion> = query(concat!(
        "UPDATE model_versions SET stage = $2, updated_at_ms = $3
         WHERE id = $1 AND deleted_at_ms IS NULL RETURNING ",
        columns!()
    ))
    .bind(&version.id)
    .bind(stage)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await?;
    let changed = changed.ok_or_else(|| Error::not_found("version", &version.version))?;
    let detail = serde_json::json!({ "from": version.stage.as_str(), "to": stage.as_str(), "archive": archive_others });
    change
        .record(Action::VersionStage, changed.target(writer.project(), model).subject(), detail)
        .await?;
    Ok(changed)
}

/// Refuses to archive what is in a stage besides a version, where MLflow's stage is protected: a draft at all.
async fn check_archived(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    (version, stage): (&ModelVersion, ModelStage),
) -> Result<()> {
    protection::rules::check_alias(change, writer, &model.id, "archived").await?;
    let draft: Option<ModelVersion> = query(concat!(
        "SELECT ",
        columns!(),
        " FROM model_versions
          WHERE model_id = $1 AND stage = $2 AND id <> $3 AND state = 'DRAFT' AND deleted_at_ms IS NULL LIMIT 1"
    ))
    .bind(&model.id)
    .bind(stage)
    .bind(&version.id)
    .fetch_optional(&mut **change)
    .await?;
    match draft {
        Some(draft) => protection::rules::check_named(change, writer, &draft, "archived").await,
        None => Ok(()),
    }
}

/// Refuses to give an alias, a stage or a new version to what is yanked.
pub fn check_offered(version: &ModelVersion) -> Result<()> {
    match version.deprecation() {
        Some(deprecation) if version.yanked_at_ms.is_some() => Err(Error::Conflict(format!(
            "{} No alias can be pointed to this version. Choose another version, or reactivate this one.",
            deprecation.text
        ))),
        _ => Ok(()),
    }
}

/// Says whether a published version should still be used. What protected aliases name is for maintainers.
pub async fn set_support(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    version: &ModelVersion,
    (support, advice): (VersionSupport, Advice),
) -> Result<ModelVersion> {
    let reason = advice.reason.filter(|reason| !reason.trim().is_empty());
    let reason = reason.map(|reason| text::reason("reason", &reason)).transpose()?;
    if support == VersionSupport::Yanked && reason.is_none() {
        return Err(Error::invalid(
            "reason",
            "required: say why the version is yanked. Everyone who uses it sees the reason",
        ));
    }
    // The lock of the model: no alias comes to name it meanwhile.
    target::touch(change, &model.id).await?;
    protection::rules::check_version(change, writer, &model.id, &version.id).await?;
    let successor = match advice.successor {
        Some(successor) => Some(check_successor(change, model, version, &successor).await?),
        None => None,
    };
    let at = |of: VersionSupport| (support == of).then_some(change.now);
    let changed: Option<ModelVersion> = query(concat!(
        "UPDATE model_versions SET deprecated_at_ms = $2, yanked_at_ms = $3, support_reason = $4, successor = $5,
             updated_at_ms = $6
         WHERE id = $1 AND state = 'PUBLISHED' AND deleted_at_ms IS NULL RETURNING ",
        columns!()
    ))
    .bind(&version.id)
    .bind(at(VersionSupport::Deprecated))
    .bind(at(VersionSupport::Yanked))
    .bind(reason.clone())
    .bind(successor.clone())
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await?;
    let Some(changed) = changed else {
        return Err(match version.state {
            VersionState::Published => Error::not_found("version", &version.version),
            VersionState::Draft => Error::Conflict(
                "A draft can't be deprecated or yanked. Delete the draft instead.".into(),
            ),
        });
    };
    if support == VersionSupport::Yanked {
        end_succession(change, &changed).await?;
    }
    let action = match support {
        VersionSupport::Active => Action::VersionReactivate,
        VersionSupport::Deprecated => Action::VersionDeprecate,
        VersionSupport::Yanked => Action::VersionYank,
    };
    let detail = serde_json::json!({ "reason": reason, "successor": successor });
    change.record(action, changed.target(writer.project(), model).subject(), detail).await?;
    Ok(changed)
}

/// Has nobody be told any more to use a version instead of another.
async fn end_succession(change: &mut Change, version: &ModelVersion) -> Result<()> {
    query("UPDATE model_versions SET successor = NULL WHERE model_id = $1 AND successor = $2")
        .bind(&version.model_id)
        .bind(&version.version)
        .execute(change)
        .await?;
    Ok(())
}

/// The version that a reference to a successor means.
async fn check_successor(
    change: &mut Change,
    model: &Model,
    version: &ModelVersion,
    reference: &str,
) -> Result<String> {
    let successor = super::sql::find(&mut **change, model, reference).await?;
    match successor {
        Some(successor) if successor.id == version.id => {
            Err(Error::invalid("successor", "must be another version"))
        }
        Some(successor)
            if successor.state == VersionState::Published
                && successor.support_state() == VersionSupport::Active =>
        {
            Ok(successor.version)
        }
        Some(_) => {
            Err(Error::invalid("successor", "must be published, and neither deprecated nor yanked"))
        }
        None => Err(Error::invalid("successor", "not a version of this model")),
    }
}

pub(super) async fn restore(
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
    target::touch(change, &model.project_id).await?;
    target::touch(change, &model.id).await?;
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
    record(change, writer, Action::VersionRestore, model, &restored).await?;
    Ok(restored)
}

async fn record(
    change: &mut Change,
    writer: &Writer,
    action: Action,
    model: &Model,
    version: &ModelVersion,
) -> Result<()> {
    change
        .record(action, version.target(writer.project(), model).subject(), serde_json::json!({}))
        .await
}
