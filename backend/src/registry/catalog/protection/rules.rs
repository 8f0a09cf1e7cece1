//! The rules of protected aliases: how they are set, and what they forbid to whom.

use async_graphql::Context;

use super::{MAX_RULES, ProtectedAlias};
use crate::access::{Maintainer, Reader, Writer, actor};
use crate::action::Action;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{ModelId, VersionId, new_uuid};
use crate::log::Subject;
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::project;
use crate::registry::catalog::version::{ModelVersion, VersionState};
use crate::registry::target;

/// A project or one of its models, whose aliases may be protected by the caller.
pub(super) struct Place {
    maintainer: Maintainer,
    model: Option<Model>,
}

impl Place {
    /// As it is stored: `''` for all models.
    fn model_id(&self) -> &str {
        self.model.as_ref().map_or("", |model| model.id.raw())
    }

    async fn record(&self, change: &mut Change, action: Action, pattern: &str) -> Result<()> {
        let project = self.maintainer.project();
        let name = match &self.model {
            Some(model) => format!("{}/{}@{pattern}", project.path, model.name),
            None => format!("{}: @{pattern}", project.path),
        };
        let subject = Subject {
            name,
            project_id: Some(&project.id),
            model_id: self.model.as_ref().map(|model| &model.id),
            object_id: self.model.as_ref().map_or(project.id.raw(), |model| model.id.raw()),
        };
        change.record(action, subject, serde_json::json!({ "pattern": pattern })).await
    }
}

pub(super) async fn place(
    ctx: &Context<'_>,
    change: &mut Change,
    project: Option<String>,
    model: Option<String>,
) -> Result<Place> {
    match (project, model) {
        (Some(project), None) => {
            let maintainer = project::rules::lone_maintainer(change, actor(ctx), &project).await?;
            Ok(Place { maintainer, model: None })
        }
        (None, Some(model)) => {
            let (reader, model) = model::sql::readable(&mut **change, actor(ctx), &model).await?;
            Ok(Place { maintainer: Maintainer::of(reader)?, model: Some(model) })
        }
        _ => Err(Error::invalid("model", "must be given, or project, but not both")),
    }
}

pub(super) async fn protect(
    change: &mut Change,
    place: &Place,
    pattern: &str,
) -> Result<ProtectedAlias> {
    let good = (1..=255).contains(&pattern.len())
        && pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-*".contains(&byte));
    if !good {
        return Err(Error::invalid("pattern", "must be 1 to 255 of A-Z, a-z, 0-9, _, - and *"));
    }
    // Who gives an alias to a draft holds the project, too.
    target::touch(change, &place.maintainer.project().id).await?;
    let (there,): (i64,) = query("SELECT COUNT(*) FROM protected_aliases WHERE project_id = $1")
        .bind(&place.maintainer.project().id)
        .fetch_one(&mut **change)
        .await?;
    if there >= MAX_RULES {
        return Err(Error::Conflict(format!(
            "A project can have at most {MAX_RULES} protected aliases. Use * as a wildcard to combine some."
        )));
    }
    let protected = query(
        "INSERT INTO protected_aliases (id, project_id, model_id, pattern, created_by_id, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)
         RETURNING pattern, model_id, created_by_id, created_at_ms",
    )
    .bind(new_uuid(change.now))
    .bind(&place.maintainer.project().id)
    .bind(place.model_id())
    .bind(pattern)
    .bind(change.author())
    .bind(change.now)
    .fetch_one(&mut **change)
    .await
    .map_err(Error::unless_unique("protected alias", pattern))?;
    check_no_draft(change, place, &protected).await?;
    place.record(change, Action::AliasProtect, pattern).await?;
    Ok(protected)
}

/// Refuses to protect what names a draft: whoever may not move it could still change the files that it stands for.
async fn check_no_draft(
    change: &mut Change,
    place: &Place,
    protected: &ProtectedAlias,
) -> Result<()> {
    let named: Vec<(String, String, String, String)> = query(
        "SELECT v.model_id, m.name, v.version, a.name
         FROM model_versions v JOIN models m ON m.id = v.model_id JOIN aliases a ON a.version_id = v.id
         WHERE v.project_id = $1 AND v.state = 'DRAFT' AND (v.model_id = $2 OR $2 = '')
         UNION ALL SELECT v.model_id, m.name, v.version, LOWER(v.stage)
         FROM model_versions v JOIN models m ON m.id = v.model_id
         WHERE v.project_id = $1 AND v.state = 'DRAFT' AND (v.model_id = $2 OR $2 = '') AND v.stage <> 'NONE'",
    )
    .bind(&place.maintainer.project().id)
    .bind(place.model_id())
    .fetch_all(&mut **change)
    .await?;
    let draft = named
        .into_iter()
        .find(|(model, .., alias)| protected.protects(&ModelId::from_raw(model), alias));
    match draft {
        Some((_, model, version, alias)) => Err(Error::Conflict(format!(
            "{alias} points to the draft {version} of {model}, whose files may still change. Publish the draft, move the alias or stage \
             to another version, or permanently delete the draft."
        ))),
        None => Ok(()),
    }
}

pub(super) async fn unprotect(
    change: &mut Change,
    place: &Place,
    pattern: &str,
) -> Result<ProtectedAlias> {
    let protected = query(
        "DELETE FROM protected_aliases WHERE project_id = $1 AND model_id = $2 AND pattern = $3
         RETURNING pattern, model_id, created_by_id, created_at_ms",
    )
    .bind(&place.maintainer.project().id)
    .bind(place.model_id())
    .bind(crate::text::looked_up(pattern))
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(|| Error::not_found("protected alias", pattern))?;
    place.record(change, Action::AliasUnprotect, pattern).await?;
    Ok(protected)
}

/// Refuses to move or delete aliases of these names, unless the caller is a maintainer.
async fn check(
    change: &mut Change,
    writer: &Writer,
    model: &ModelId,
    aliases: &[String],
) -> Result<()> {
    let reader: &Reader = writer;
    if aliases.is_empty() || Maintainer::of(reader.clone()).is_ok() {
        return Ok(());
    }
    match protected_among(change, writer, model, aliases).await? {
        Some(alias) => Err(Error::Protected(alias.clone())),
        None => Ok(()),
    }
}

/// The first of these that is protected.
async fn protected_among<'a>(
    change: &mut Change,
    reader: &Reader,
    model: &ModelId,
    aliases: &'a [String],
) -> Result<Option<&'a String>> {
    let protected: Vec<ProtectedAlias> = query(
        "SELECT pattern, model_id, created_by_id, created_at_ms
         FROM protected_aliases WHERE project_id = $1",
    )
    .bind(&reader.project().id)
    .fetch_all(&mut **change)
    .await?;
    Ok(aliases.iter().find(|alias| protected.iter().any(|rule| rule.protects(model, alias))))
}

/// Holds the project where a version is a draft, before its model is held: an alias that is being protected meanwhile
/// is seen by [`check_named`].
pub async fn hold_for(change: &mut Change, writer: &Writer, version: &ModelVersion) -> Result<()> {
    if version.state == VersionState::Draft {
        let reader: &Reader = writer;
        target::touch(change, &reader.project().id).await?;
    }
    Ok(())
}

/// Refuses to have a protected alias, or a stage of such a name, name a draft, as [`protect`] does.
pub async fn check_named(
    change: &mut Change,
    writer: &Writer,
    version: &ModelVersion,
    alias: &str,
) -> Result<()> {
    if version.state == VersionState::Draft
        && protected_among(change, writer, &version.model_id, &[alias.to_owned()]).await?.is_some()
    {
        return Err(Error::Conflict(format!(
            "{alias} is protected and can only point to published versions, but {} is a draft. Publish the version first, or let its run finish.",
            version.version
        )));
    }
    Ok(())
}

/// Refuses to move or delete an alias that is protected, unless the caller is a maintainer.
pub async fn check_alias(
    change: &mut Change,
    writer: &Writer,
    model: &ModelId,
    alias: &str,
) -> Result<()> {
    check(change, writer, model, &[alias.to_owned()]).await
}

/// Refuses to delete a version that protected aliases name, or that is in a stage of such a name: they
/// would be gone with it.
pub async fn check_version(
    change: &mut Change,
    writer: &Writer,
    model: &ModelId,
    version: &VersionId,
) -> Result<()> {
    let aliases: Vec<(String,)> = query(
        "SELECT name FROM aliases WHERE version_id = $1
         UNION ALL SELECT LOWER(stage) FROM model_versions WHERE id = $1 AND stage <> 'NONE'",
    )
    .bind(version)
    .fetch_all(&mut **change)
    .await?;
    let aliases: Vec<_> = aliases.into_iter().map(|(name,)| name).collect();
    check(change, writer, model, &aliases).await
}

/// Refuses to delete or rename a model that has protected aliases, or a rule of its own: another model of
/// its name would be without.
pub async fn check_model(change: &mut Change, writer: &Writer, model: &ModelId) -> Result<()> {
    let own: Vec<(String,)> = query("SELECT id FROM protected_aliases WHERE model_id = $1")
        .bind(model)
        .fetch_all(&mut **change)
        .await?;
    if !own.is_empty() {
        let reader: &Reader = writer;
        Maintainer::of(reader.clone())?;
    }
    let aliases: Vec<(String,)> = query(
        "SELECT name FROM aliases WHERE model_id = $1
         UNION ALL SELECT LOWER(stage) FROM model_versions
         WHERE model_id = $1 AND stage <> 'NONE' AND deleted_at_ms IS NULL",
    )
    .bind(model)
    .fetch_all(&mut **change)
    .await?;
    let aliases: Vec<_> = aliases.into_iter().map(|(name,)| name).collect();
    check(change, writer, model, &aliases).await
}
