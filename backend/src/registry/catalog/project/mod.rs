//! Projects: the home of models and the unit of access control. A project's path is one slug.

pub mod facts;
pub mod graphql;
pub mod mutation;
pub mod rules;

use model_registry_names as names;

use crate::access::Actor;
use crate::access::project::{Project, columns};
use crate::db::{Db, Query, Sql};
use crate::error::Result;
use crate::id::ProjectId;
use crate::loader::{Count, load_by_id, load_by_owner};
use crate::registry::target::{Target, TargetId};

/// The project of clients that name none.
pub const DEFAULT: &str = "default";

/// The projects that the caller may read, by path.
pub async fn readable(db: &Db, actor: &Actor) -> Result<Vec<Project>> {
    let mut sql =
        Sql::new(concat!("SELECT ", columns!(), " FROM projects p WHERE p.deleted_at_ms IS NULL"))
            .and(actor.may_read("p.id"));
    sql.push(" ORDER BY p.path");
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// The paths of projects that the server has taken for its own addresses since they were made.
pub async fn moved(db: &Db) -> Result<Vec<String>> {
    let mut sql = Sql::new("SELECT path FROM projects WHERE deleted_at_ms IS NULL")
        .and(Sql::is_in("path", names::RESERVED_LATER));
    sql.push(" ORDER BY path");
    let paths: Vec<(String,)> = Query::from(sql).fetch_all(db).await?;
    Ok(paths.into_iter().map(|(path,)| path).collect())
}

/// What has the artifacts of a project that are of no run: developers write, readers read.
pub fn artifacts(project: &Project) -> Target {
    Target {
        name: format!("{}/-/artifacts", project.path),
        project_id: project.id.clone(),
        model_id: None,
        id: TargetId::Artifacts(project.id.clone()),
        sealed: false,
    }
}

load_by_id!(
    ProjectId => Project,
    concat!("SELECT ", columns!(), " FROM projects WHERE "),
    "id"
);

load_by_owner!(
    /// How many models a project has.
    ModelCount => Count,
    "SELECT m.project_id AS owner_id, COUNT(*) AS total FROM models m WHERE m.deleted_at_ms IS NULL AND ",
    "m.project_id",
    " GROUP BY m.project_id"
);
