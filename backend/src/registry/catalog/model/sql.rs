//! How models are found: by path, with proof that the caller may, and in lists.

use async_graphql::{Context, Enum, InputObject};

use super::best;
use super::facet::{FRAMEWORKS, LICENSE};
use super::{Model, columns};
use crate::access::{self, Actor, Reader, Writer};
use crate::change::Change;
use crate::db::{Conn, Db, Sql, query};
use crate::deprecation::Deprecation;
use crate::error::{Error, Result};
use crate::filter::{self, Fields, Target};
use crate::id::{ModelId, ProjectId};
use crate::loader::{load_by_id, loaders};
use crate::page::{KeyType, List, OrderDirection, Sort, SortKey};
use crate::registry::catalog::version::{latest_offered, offered};
use crate::text;
use crate::time::Timestamp;

/// The model with this name in a project, or the one that had it before it was renamed, unless it is in the trash.
pub async fn find(
    conn: impl Into<Conn<'_>>,
    project_id: &ProjectId,
    name: &str,
) -> Result<Option<Model>> {
    if name.contains('\0') {
        return Ok(None);
    }
    let model = query(concat!(
        "SELECT ",
        columns!(),
        " FROM models WHERE id = COALESCE(
              (SELECT m.id FROM models m WHERE m.project_id = $1 AND m.name = $2 AND m.deleted_at_ms IS NULL),
              (SELECT m.id FROM former_names f JOIN models m ON m.id = f.model_id
               WHERE f.project_id = $1 AND f.name = $2 AND f.leads AND m.deleted_at_ms IS NULL LIMIT 1))"
    ))
    .bind(project_id)
    .bind(text::nfc(name))
    .fetch_optional(conn)
    .await?;
    Ok(model)
}

/// The model at `path` and proof that the caller may read it.
pub async fn readable(
    conn: impl Into<Conn<'_>>,
    actor: &Actor,
    path: &str,
) -> Result<(Reader, Model)> {
    let mut conn = conn.into();
    let not_found = || Error::not_found("model", path);
    let (project, name) = text::split_model_path(path).ok_or_else(not_found)?;
    // One answer, whether the project or the model is missing or hidden.
    let reader = match access::reader_around(conn.again(), actor, project).await {
        Err(Error::NotFound { .. }) => return Err(not_found()),
        reader => reader?,
    };
    let model = find_named(conn, actor, &reader.project().id, name).await?.ok_or_else(not_found)?;
    actor.check_shows(&model.id).map_err(|_| not_found())?;
    Ok((reader, model))
}

/// As [`find`]; where it has another name by now, the answer says so.
pub async fn find_named(
    conn: impl Into<Conn<'_>>,
    actor: &Actor,
    project_id: &ProjectId,
    name: &str,
) -> Result<Option<Model>> {
    let (mut conn, name) = (conn.into(), text::nfc(name));
    let found = find(conn.again(), project_id, &name).await?;
    if let Some(model) =
        found.as_ref().filter(|model| model.name != name && actor.check_shows(&model.id).is_ok())
        && let Some(since) = had_name_until(conn, model, &name).await?
    {
        actor.deprecations.add(Deprecation::renamed(&name, &model.name, since));
    }
    Ok(found)
}

/// Until when a model had a name.
async fn had_name_until(conn: Conn<'_>, model: &Model, name: &str) -> Result<Option<Timestamp>> {
    let until: Option<(Timestamp,)> = query(
        "SELECT until_ms FROM former_names WHERE project_id = $1 AND name = $2 AND model_id = $3",
    )
    .bind(&model.project_id)
    .bind(name)
    .bind(&model.id)
    .fetch_optional(conn)
    .await?;
    Ok(until.map(|(until,)| until))
}

/// The condition that a name leads to no model of a project that had it before it was renamed.
pub fn is_no_former(project_id: &ProjectId, name: &str) -> Sql {
    let mut sql = Sql::new(
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM former_names f JOIN models m ON m.id = f.model_id
         WHERE f.leads AND m.deleted_at_ms IS NULL AND f.project_id = ",
    );
    sql.push_value(project_id).push(" AND f.name = ").push_value(name).push(")");
    sql
}

/// The model at `path` and proof that the caller may change it.
pub async fn writable(change: &mut Change, actor: &Actor, path: &str) -> Result<(Writer, Model)> {
    let (reader, model) = readable(&mut **change, actor, path).await?;
    Ok((Writer::of(reader)?, model))
}

/// The ids of all models that are or were called so: those in the trash, too, those that were renamed, and those of
/// projects that had this path before. Some may be there twice, which costs less than to have each once.
pub fn namesakes(project_path: &str, name: &str) -> Sql {
    let mut sql = Sql::default();
    // Each has an index of its own.
    for (union, models, deleted) in [
        ("", "SELECT m.id FROM models m", " AND m.deleted_at_ms IS NULL"),
        (" UNION ALL ", "SELECT m.id FROM models m", " AND m.deleted_at_ms IS NOT NULL"),
        (" UNION ALL ", "SELECT m.model_id FROM former_names m", ""),
    ] {
        sql.push(union).push(models).push(" WHERE m.project_id IN (");
        sql.push_sql(projects_at(project_path)).push(") AND m.name = ").push_value(name);
        sql.push(deleted);
    }
    sql
}

/// The ids of all projects that have or had a path.
pub fn projects_at(path: &str) -> Sql {
    let mut sql = Sql::new("SELECT p.id FROM projects p WHERE p.path = ");
    sql.push_value(path).push(" UNION ALL SELECT p.project_id FROM former_paths p WHERE p.path = ");
    sql.push_value(path);
    sql
}

const AUTHOR: &str = "(SELECT u.username FROM users u WHERE u.id = m.author_id)";

/// As [`ModelKind`](super::ModelKind).
pub(super) const KIND: &str = "CASE WHEN EXISTS (SELECT 1 FROM tags f WHERE f.owner_id = m.id \
                    AND f.key = 'mlflow.prompt.is_prompt' AND f.value = 'true') \
                    THEN 'PROMPT' ELSE 'MODEL' END";

const FIELDS: Fields = Fields {
    targets: &[
        ("name", Target::Text("m.name")),
        ("author", Target::Text(AUTHOR)),
        ("created_at", Target::Time("m.created_at_ms")),
        ("updated_at", Target::Time("m.updated_at_ms")),
        ("framework", Target::Any(FRAMEWORKS)),
        ("license", Target::Text(LICENSE)),
        ("kind", Target::Text(KIND)),
        ("tags", Target::Tag("m.id")),
    ],
    example: "tags.team = 'ocr' and name like 'ocr-%'",
    missing_differs: true,
};

/// The models that are not in the trash; the caller says of which project.
pub fn list(
    db: &Db,
    search: Option<String>,
    filter: Option<String>,
    order_by: Option<ModelOrder>,
) -> Result<List> {
    let mut condition = Sql::new("m.deleted_at_ms IS NULL");
    if let Some(search) = text::search(search)? {
        condition = condition.and(named(db, &search));
    }
    if let Some(filter) = filter {
        condition = condition.and(filter::parse(db, &FIELDS, &filter)?);
    }
    let (field, direction) = match order_by {
        Some(order) => (order.field, order.direction),
        None => (ModelOrderField::Name, OrderDirection::Asc),
    };
    let sort = sort(field, direction);
    Ok(List { columns: columns!(), from: "models m", parent: None, filter: condition, sort })
}

/// Names and times have an index each. What else is counted or looked up for every model that matches.
fn sort(field: ModelOrderField, direction: OrderDirection) -> Sort {
    let latest = |value: &str, none: &str| {
        Sql::new(format!(
            "COALESCE((SELECT {value} FROM model_versions v WHERE v.model_id = m.id \
             AND {} ORDER BY v.rank DESC, v.id DESC LIMIT 1), {none})",
            latest_offered!("v")
        ))
    };
    let keys = match field {
        ModelOrderField::Name => vec![SortKey::text("m.name", direction)],
        ModelOrderField::CreatedAt => vec![SortKey::int("m.created_at_ms", direction)],
        ModelOrderField::UpdatedAt => vec![SortKey::int("m.updated_at_ms", direction)],
        // What has no version comes last either way.
        ModelOrderField::LatestVersion => vec![
            SortKey::flag(latest("0", "1")),
            SortKey::new(KeyType::Text, latest("v.precedence", "''"), direction),
        ],
        ModelOrderField::CandidateCount => vec![SortKey::int(
            "(SELECT COUNT(*) FROM candidates c WHERE c.model_id = m.id AND c.deleted_at_ms IS NULL)",
            direction,
        )],
        ModelOrderField::Author => vec![SortKey::text(AUTHOR, direction)],
        ModelOrderField::BestMetric => best::sort_keys(direction),
    };
    Sort::by(keys, "m.id")
}

/// As [`list`], of one project.
pub fn list_in_project(
    db: &Db,
    search: Option<String>,
    filter: Option<String>,
    order_by: Option<ModelOrder>,
) -> Result<List> {
    let parent = Some(if search.is_some() { PROJECT_BY_NAME } else { "m.project_id" });
    Ok(List { parent, ..list(db, search, filter, order_by)? })
}

/// The models whose names contain `text`.
fn named(db: &Db, text: &str) -> Sql {
    db.is_found("m.id", db.names_containing(text))
}

/// The project of models that the index of names finds: written so that no index of projects is used,
/// which would read every model of the project.
const PROJECT_BY_NAME: &str = "m.project_id || ''";

const SEARCH_FIELDS: Fields = Fields {
    targets: &[
        ("name", Target::Text("m.name")),
        ("timestamp", Target::Time("m.updated_at_ms")),
        ("last_updated_timestamp", Target::Time("m.updated_at_ms")),
        ("creation_timestamp", Target::Time("m.created_at_ms")),
        ("tags", Target::Tag("m.id")),
    ],
    example: "name LIKE 'ocr-%' and tags.team = 'vision'",
    missing_differs: false,
};

/// The models of a project that MLflow's search asks for.
pub fn search(db: &Db, filter: &str, order_by: &[String]) -> Result<List> {
    // Prompts are shown to those who ask for them only, as MLflow does it.
    let prompts = match filter.contains("mlflow.prompt.is_prompt") {
        true => Sql::new("TRUE"),
        false => Sql::new(
            "NOT EXISTS (SELECT 1 FROM tags f WHERE f.owner_id = m.id
             AND f.key = 'mlflow.prompt.is_prompt' AND f.value = 'true')",
        ),
    };
    let mut condition = filter::parse(db, &SEARCH_FIELDS, filter)?.and(prompts);
    let contained = filter::contained(&SEARCH_FIELDS, "name", filter)?;
    if let Some(text) = &contained {
        condition = condition.and(named(db, text));
    }
    let mut keys = filter::parse_order(db, &SEARCH_FIELDS, order_by)?;
    if keys.is_empty() {
        keys.push(SortKey::text("m.name", OrderDirection::Asc));
    }
    Ok(List {
        columns: columns!(),
        from: "models m",
        parent: Some(if contained.is_some() { PROJECT_BY_NAME } else { "m.project_id" }),
        filter: Sql::new("m.deleted_at_ms IS NULL").and(condition),
        sort: Sort::by(keys, "m.id"),
    })
}

/// The model with this id, also from the trash.
pub async fn get_by_id(conn: impl Into<Conn<'_>>, id: &ModelId) -> Result<Model> {
    query(concat!("SELECT ", columns!(), " FROM models WHERE id = $1"))
        .bind(id)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| Error::internal("a row without its model"))
}

/// The model of a version, candidate or alias: it is there even in the trash.
pub async fn load(ctx: &Context<'_>, id: &ModelId) -> Result<Model> {
    let model = loaders(ctx).load_one(id.clone()).await?;
    model.ok_or_else(|| Error::internal("a row without its model"))
}

load_by_id!(ModelId => Model, concat!("SELECT ", columns!(), " FROM models WHERE "), "id");

/// What models can be ordered by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum ModelOrderField {
    /// The name.
    Name,
    /// The time of creation.
    CreatedAt,
    /// The time of the last change.
    UpdatedAt,
    /// The latest version, by SemVer precedence; those without one come last.
    LatestVersion,
    /// How many candidates there are.
    CandidateCount,
    /// The username of who created it.
    Author,
    /// The metric that it is judged by, by name, and then its best value: with DESC the best first, whichever direction
    /// is better; models without one come last.
    BestMetric,
}

/// An order of models.
#[derive(InputObject)]
pub struct ModelOrder {
    /// What to order by.
    pub field: ModelOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}
