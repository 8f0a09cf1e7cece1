//! The rules of aliases: who moves one, and what is kept of each move.

use super::{Alias, columns};
use crate::access::Writer;
use crate::action::Action;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::AliasId;
use crate::log::Subject;
use crate::registry::catalog::model::Model;
use crate::registry::catalog::protection;
use crate::registry::catalog::version::{self, ModelVersion};
use crate::registry::target;
use crate::text::{self, AliasName};

pub async fn set(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    name: &str,
    reference: &str,
) -> Result<Alias> {
    let name = AliasName::parse("name", name)?;
    let version = version::sql::get(&mut **change, model, reference).await?;
    protection::rules::hold_for(change, writer, &version).await?;
    // The lock of the model keeps the version from being deleted meanwhile.
    target::touch(change, &model.id).await?;
    protection::rules::check_alias(change, writer, &model.id, name.as_str()).await?;
    let version = version::sql::get(&mut **change, model, reference).await?;
    version::rules::check_offered(&version)?;
    protection::rules::check_named(change, writer, &version, name.as_str()).await?;
    let alias: Alias = query(concat!(
        "INSERT INTO aliases (id, model_id, name, version_id, updated_by_id, updated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (model_id, name) DO UPDATE
         SET version_id = excluded.version_id, updated_by_id = excluded.updated_by_id,
             updated_at_ms = excluded.updated_at_ms
         RETURNING ",
        columns!()
    ))
    .bind(AliasId::new(change.now))
    .bind(&model.id)
    .bind(&name)
    .bind(&version.id)
    .bind(change.author())
    .bind(change.now)
    .fetch_one(&mut **change)
    .await?;
    record(change, writer, Action::AliasSet, model, (name.as_str(), Some(&version))).await?;
    Ok(alias)
}

pub async fn delete(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    name: &str,
) -> Result<Alias> {
    target::touch(change, &model.id).await?;
    protection::rules::check_alias(change, writer, &model.id, name).await?;
    let alias: Alias = query(concat!(
        "DELETE FROM aliases WHERE model_id = $1 AND name = $2 RETURNING ",
        columns!()
    ))
    .bind(&model.id)
    .bind(text::looked_up(name))
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(|| Error::not_found("alias", name))?;
    record(change, writer, Action::AliasDelete, model, (&alias.name, None)).await?;
    Ok(alias)
}

/// Writes a move into the alias's own history and into the log.
async fn record(
    change: &mut Change,
    writer: &Writer,
    action: Action,
    model: &Model,
    (name, version): (&str, Option<&ModelVersion>),
) -> Result<()> {
    let (from,): (Option<String>,) = query(
        "INSERT INTO alias_moves (id, model_id, name, version_id, version, moved_by_id, moved_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         RETURNING (SELECT h.version FROM alias_moves h
                    WHERE h.model_id = $2 AND h.name = $3 AND h.id < $1 ORDER BY h.id DESC LIMIT 1)",
    )
    .bind(crate::id::new_uuid(change.now))
    .bind(&model.id)
    .bind(name)
    .bind(version.map(|version| version.id.raw().to_owned()))
    .bind(version.map(|version| version.version.clone()))
    .bind(change.author())
    .bind(change.now)
    .fetch_one(&mut **change)
    .await?;
    let subject = Subject {
        name: format!("{}/{}@{name}", writer.project().path, model.name),
        project_id: Some(&model.project_id),
        model_id: Some(&model.id),
        object_id: version.map_or(model.id.raw(), |version| version.id.raw()),
    };
    let version = version.map(|version| &version.version);
    let detail = serde_json::json!({ "alias": name, "from": from, "version": version });
    change.record(action, subject, detail).await
}
