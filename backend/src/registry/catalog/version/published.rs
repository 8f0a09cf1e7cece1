//! The news feed of a project or model: the versions that were published last, without yanked ones.

use super::offered;
use crate::db::{Db, Query, Sql};
use crate::error::Result;
use crate::id::{ModelId, ProjectId, VersionId};
use crate::time::Timestamp;

/// How many versions are news.
const MAX_NEWS: i64 = 50;
/// How much of the release notes a feed has, in characters: all of them are rendered for one answer.
pub const MAX_NOTES: usize = 4000;

/// A version that was published.
#[derive(Debug, sqlx::FromRow)]
pub struct Published {
    pub id: VersionId,
    /// The name of its model.
    pub model: String,
    pub version: String,
    /// The beginning of the release notes, in Markdown; longer than [`MAX_NOTES`] if there is more.
    pub notes: String,
    pub published_at_ms: Timestamp,
}

/// The newest published versions of a project, or of one model of it.
pub async fn newest(
    db: &Db,
    project_id: &ProjectId,
    model_id: Option<&ModelId>,
) -> Result<Vec<Published>> {
    let mut sql = Sql::new(format!(
        concat!(
            "SELECT v.id, m.name AS model, v.version, SUBSTR(v.description, 1, {}) AS notes, v.published_at_ms
             FROM model_versions v JOIN models m ON m.id = v.model_id
             WHERE v.published_at_ms IS NOT NULL AND v.state = 'PUBLISHED' AND m.deleted_at_ms IS NULL AND ",
            offered!("v"),
            " AND v.project_id = "
        ),
        MAX_NOTES + 1
    ));
    sql.push_value(project_id);
    if let Some(model_id) = model_id {
        sql.push(" AND v.model_id = ").push_value(model_id);
    }
    sql.push(" ORDER BY v.published_at_ms DESC, v.id DESC").push_limit(MAX_NEWS);
    Ok(Query::from(sql).fetch_all(db).await?)
}
