//! A catalogue export: the models of a project as software catalogues elsewhere list them, with who owns them and whether
//! they are in use.

use super::facet::latest_id;
use super::sql::KIND;
use crate::db::{Db, Query, Sql};
use crate::error::Result;
use crate::id::{ModelId, ProjectId};
use crate::registry::catalog::version::{latest_offered, offered};

/// How many models are listed: one text has all of them.
pub const MAX_LISTED: usize = 1000;
/// The tags that say who owns a model, and how far it is.
const OWNER: &str = "owner";
const LIFECYCLE: &str = "lifecycle";
/// How many other tags of a model are listed.
const MAX_TAGS: i64 = 20;
/// How long a tag is that is listed, in characters; and the beginning of a description.
const MAX_TAG: u32 = 100;
const MAX_DESCRIPTION: u32 = 4000;

/// A model in a list.
#[derive(Debug, sqlx::FromRow)]
pub struct Listed {
    pub id: ModelId,
    pub name: String,
    /// The beginning.
    pub description: String,
    /// As [`ModelKind`](super::ModelKind).
    pub kind: String,
    pub owner: Option<String>,
    pub lifecycle: Option<String>,
    /// Of the latest version, if there is one.
    pub is_published: Option<bool>,
    pub is_deprecated: Option<bool>,
}

/// A tag of a listed model.
#[derive(Debug, sqlx::FromRow)]
pub struct ListedTag {
    pub model_id: ModelId,
    pub key: String,
    pub value: String,
}

/// The first models of a project by name; one more than [`MAX_LISTED`] where there are more.
pub async fn models(db: &Db, project_id: &ProjectId) -> Result<Vec<Listed>> {
    let tag = |key: &str| {
        format!(
            "(SELECT SUBSTR(t.value, 1, {MAX_TAG}) FROM tags t WHERE t.owner_id = m.id AND t.key = '{key}')"
        )
    };
    let mut sql = Sql::new(format!(
        "SELECT m.id, m.name, SUBSTR(m.description, 1, {MAX_DESCRIPTION}) AS description, {KIND} AS kind,
                {} AS owner, {} AS lifecycle,
                l.state = 'PUBLISHED' AS is_published, l.deprecated_at_ms IS NOT NULL AS is_deprecated
         FROM models m LEFT JOIN model_versions l ON l.id = {}
         WHERE m.deleted_at_ms IS NULL AND m.project_id = ",
        tag(OWNER),
        tag(LIFECYCLE),
        latest_id!(),
    ));
    sql.push_value(project_id).push(" ORDER BY m.name").push_limit(MAX_LISTED as i64 + 1);
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// The first tags of these models by key: short ones that people set, not programs.
pub async fn tags(db: &Db, models: &[Listed]) -> Result<Vec<ListedTag>> {
    let mut sql = Sql::new(format!(
        "SELECT s.model_id, s.key, s.value FROM (
             SELECT t.owner_id AS model_id, t.key, t.value,
                    ROW_NUMBER() OVER (PARTITION BY t.owner_id ORDER BY t.key) AS place
             FROM tags t WHERE t.key = REPLACE(t.key, '.', '') AND t.key NOT IN ('{OWNER}', '{LIFECYCLE}')
               AND LENGTH(t.key) + LENGTH(t.value) <= {MAX_TAG} AND "
    ));
    sql.push_sql(Sql::is_in("t.owner_id", models.iter().map(|model| &model.id)));
    sql.push(&format!(") s WHERE s.place <= {MAX_TAGS} ORDER BY s.model_id, s.key"));
    Ok(Query::from(sql).fetch_all(db).await?)
}
