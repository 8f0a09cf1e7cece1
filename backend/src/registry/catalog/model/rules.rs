//! The rules of models: made, described, renamed, deleted and restored, each by itself.

use async_graphql::{ID, MaybeUndefined};

use super::{Model, columns, facet, sql};
use crate::access::Writer;
use crate::action::Action;
use crate::change::Change;
use crate::db::{Query, Sql, Unmet, query};
use crate::error::{Error, Result};
use crate::id::{AnyId, ModelId};
use crate::registry::catalog::{protection, version};
use crate::registry::metadata::tag::{self, TagInput};
use crate::registry::target;
use crate::text::{self, ModelName};

/// A new model.
pub struct NewModel {
    pub name: String,
    pub description: Option<String>,
    pub tags: Vec<TagInput>,
    /// Whether a name that a model had before it was renamed is taken: clients create a model, whether or not it is
    /// there, before they register a version of it, and that one is meant.
    pub by_client: bool,
}

pub async fn create(change: &mut Change, writer: &Writer, new: NewModel) -> Result<Model> {
    let name = ModelName::parse("name", &new.name)?;
    if let Err(refused) = text::check_shown("name", name.as_str()) {
        // Clients create a model, whether or not it is there, before they register a version of it.
        let there = sql::find(&mut **change, &writer.project().id, name.as_str()).await?;
        let key = name.as_str().to_owned();
        return Err(there.map_or(refused, |_| Error::AlreadyExists { kind: "model", key }));
    }
    let description = text::description("description", new.description)?;
    let id = ModelId::new(change.now);
    let model = Model {
        id,
        project_id: writer.project().id.clone(),
        name: name.as_str().to_owned(),
        description,
        author_id: change.author().clone(),
        created_at_ms: change.now,
        updated_at_ms: change.now,
        deleted_at_ms: None,
    };
    let mut sql = Sql::new(
        "INSERT INTO models (id, project_id, name, description, license, author_id, created_at_ms, updated_at_ms,
             last_version)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, (",
    )
    .bind(&model.id)
    .bind(&model.project_id)
    .bind(&model.name)
    .bind(&model.description)
    .bind(facet::license_of(&model.description))
    .bind(&model.author_id)
    .bind(model.created_at_ms)
    .bind(model.updated_at_ms);
    sql.push_sql(last_version(&writer.project().path, &model.name)).push("))");
    let taken = Unmet::Taken { kind: "model", key: model.name.clone() };
    Query::from(sql).later_or(change, taken.clone()).await?;
    if new.by_client {
        change.require(sql::is_no_former(&model.project_id, &model.name), taken).await?;
    }
    take_name(&model).beside(change).await?;
    tag::rules::insert_all(change, model.id.raw(), new.tags).await?;
    record(change, writer, Action::ModelCreate, &model).await?;
    Ok(model)
}

/// The highest number that models of this name gave to a version: a new one of the name goes on from there.
fn last_version(project_path: &str, name: &str) -> Sql {
    let mut sql = Sql::new(
        "SELECT COALESCE(MAX(number), 0) FROM (SELECT m.last_version AS number FROM models m WHERE m.id IN (",
    );
    sql.push_sql(sql::namesakes(project_path, name));
    sql.push(
        ") UNION ALL SELECT t.last_version FROM model_tombstones t
           WHERE t.project_id IN (",
    );
    sql.push_sql(sql::projects_at(project_path)).push(") AND t.name = ").push_value(name);
    sql.push(") before");
    sql
}

/// Ends that the name of a model leads to others which had it before.
fn take_name(model: &Model) -> Query {
    query("UPDATE former_names SET leads = FALSE WHERE project_id = $1 AND name = $2 AND leads AND model_id <> $3")
        .bind(&model.project_id)
        .bind(&model.name)
        .bind(&model.id)
}

/// Has a model that came to this name go on counting where others of the name ended.
async fn go_on_counting(change: &mut Change, writer: &Writer, model: &Model) -> Result<()> {
    let mut sql = Sql::new("UPDATE models SET last_version = (");
    sql.push_sql(last_version(&writer.project().path, &model.name));
    sql.push(") WHERE id = ").push_value(&model.id);
    Query::from(sql).execute(change).await?;
    Ok(())
}

pub async fn update(
    change: &mut Change,
    writer: &Writer,
    model: Model,
    description: MaybeUndefined<String>,
) -> Result<Model> {
    let description = text::new_description(description)?;
    let changed: Option<Model> = query(concat!(
        "UPDATE models SET description = COALESCE($2, description), license = COALESCE($4, license),
                            updated_at_ms = $3
         WHERE id = $1 AND deleted_at_ms IS NULL RETURNING ",
        columns!()
    ))
    .bind(&model.id)
    .bind(description.clone())
    .bind(change.now)
    .bind(description.as_deref().map(facet::license_of))
    .fetch_optional(&mut **change)
    .await?;
    let model = changed.ok_or_else(|| Error::not_found("model", model.name))?;
    record(change, writer, Action::ModelUpdate, &model).await?;
    Ok(model)
}

/// Renames a model by itself; for what goes with it see [`lifecycle::model`](crate::registry::lifecycle::model).
pub async fn rename(change: &mut Change, writer: &Writer, old: Model, name: &str) -> Result<Model> {
    let name = ModelName::parse("name", name)?;
    text::check_shown("name", name.as_str())?;
    target::touch(change, &old.id).await?;
    protection::rules::check_model(change, writer, &old.id).await?;
    let renamed: Option<Model> = query(concat!(
        "UPDATE models SET name = $2, updated_at_ms = $3 WHERE id = $1 AND deleted_at_ms IS NULL RETURNING ",
        columns!()
    ))
    .bind(&old.id)
    .bind(&name)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await
    .map_err(Error::unless_unique("model", name.as_str()))?;
    let model = renamed.ok_or_else(|| Error::not_found("model", &old.name))?;
    version::names::check_names(change, writer, &model).await?;
    query(
        "INSERT INTO former_names (project_id, name, model_id, until_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT (project_id, name, model_id) DO UPDATE SET until_ms = excluded.until_ms, leads = TRUE",
    )
    .bind(&model.project_id)
    .bind(&old.name)
    .bind(&model.id)
    .bind(change.now)
    .execute(change)
    .await?;
    take_name(&model).execute(change).await?;
    go_on_counting(change, writer, &model).await?;
    let detail = serde_json::json!({ "from": old.name });
    change.record(Action::ModelRename, model.target(writer.project()).subject(), detail).await?;
    Ok(model)
}

/// Puts a model by itself into the trash; for what goes with it see
/// [`lifecycle::model`](crate::registry::lifecycle::model).
pub async fn delete(change: &mut Change, writer: &Writer, model: Model) -> Result<Model> {
    target::touch(change, &model.id).await?;
    protection::rules::check_model(change, writer, &model.id).await?;
    let deleted: Option<Model> = query(concat!(
        "UPDATE models SET deleted_at_ms = $2, deleted_by_id = $3 WHERE id = $1 AND deleted_at_ms IS NULL RETURNING ",
        columns!()
    ))
    .bind(&model.id)
    .bind(change.now)
    .bind(change.author())
    .fetch_optional(&mut **change)
    .await?;
    let model = deleted.ok_or_else(|| Error::not_found("model", model.name))?;
    record(change, writer, Action::ModelDelete, &model).await?;
    Ok(model)
}

/// Takes a model by itself out of the trash; for what comes with it see
/// [`lifecycle::model`](crate::registry::lifecycle::model).
pub async fn restore(
    change: &mut Change,
    writer: &Writer,
    name: &str,
    id: Option<ID>,
) -> Result<Model> {
    let not_found = || Error::not_found("deleted model", name);
    target::touch(change, &writer.project().id).await?;
    let wanted = match id.map(|id| AnyId::parse(&id)).transpose()? {
        Some(AnyId::ModelId(id)) => Some(id.raw().to_owned()),
        Some(_) => return Err(not_found()),
        None => None,
    };
    let (id,): (ModelId,) = query(
        "SELECT id FROM models
         WHERE project_id = $1 AND name = $2 AND deleted_at_ms IS NOT NULL
           AND ($3 IS NULL OR id = $3)
         ORDER BY deleted_at_ms DESC, id DESC LIMIT 1",
    )
    .bind(&writer.project().id)
    .bind(name)
    .bind(wanted)
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(not_found)?;
    let restored: Option<Model> = query(concat!(
        "UPDATE models SET deleted_at_ms = NULL, deleted_by_id = NULL, updated_at_ms = $2
         WHERE id = $1 AND deleted_at_ms IS NOT NULL
         RETURNING ",
        columns!()
    ))
    .bind(&id)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await
    .map_err(Error::unless_unique("model", name))?;
    let model = restored.ok_or_else(not_found)?;
    take_name(&model).execute(change).await?;
    go_on_counting(change, writer, &model).await?;
    record(change, writer, Action::ModelRestore, &model).await?;
    Ok(model)
}

async fn record(change: &mut Change, writer: &Writer, action: Action, model: &Model) -> Result<()> {
    change.record(action, model.target(writer.project()).subject(), serde_json::json!({})).await
}
