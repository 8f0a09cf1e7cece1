//! Projects as they are looked up to decide who may see them. How they are made and changed is in
//! [`registry::catalog::project`](crate::registry::catalog::project).

use async_graphql::SimpleObject;

use crate::db::{Conn, query};
use crate::error::{Error, Result};
use crate::id::{ProjectId, UserId};
use crate::role::{Role, Visibility};
use crate::text;
use crate::time::Timestamp;

/// A group of models that belong together, with its members and their roles.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Project {
    #[graphql(skip)]
    pub id: ProjectId,
    /// Its address: one slug, such as `vision`.
    pub path: String,
    /// The name to show.
    pub name: String,
    #[graphql(skip)]
    pub description: String,
    /// Who can see it without being a member.
    #[sqlx(try_from = "String")]
    pub visibility: Visibility,
    /// Whether clients get its files from an object store themselves, where the server sends them there.
    #[graphql(skip)]
    pub redirects_downloads: bool,
    #[graphql(skip)]
    pub author_id: UserId,
    /// When it was created.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it was last changed.
    #[graphql(name = "updatedAt")]
    pub updated_at_ms: Timestamp,
    /// When it was moved to the trash; null if it is not there.
    #[graphql(name = "deletedAt")]
    pub deleted_at_ms: Option<Timestamp>,
}

/// The columns of [`Project`].
macro_rules! columns {
    () => {
        "id, path, name, description, visibility, redirects_downloads, author_id, created_at_ms, updated_at_ms, deleted_at_ms"
    };
}
pub(crate) use columns;

/// A project and the role of a person's membership in it.
#[derive(sqlx::FromRow)]
struct WithRole {
    #[sqlx(flatten)]
    project: Project,
    role: Option<String>,
}

macro_rules! select_with_role {
    () => {
        concat!(
            "SELECT ",
            columns!(),
            ", (SELECT m.role FROM members m WHERE m.project_id = p.id AND m.user_id = $2) AS role
             FROM projects p WHERE p.deleted_at_ms IS NULL AND "
        )
    };
}

fn split(found: WithRole) -> Result<(Project, Option<Role>)> {
    let role = found.role.map(Role::try_from).transpose().map_err(Error::internal)?;
    Ok((found.project, role))
}

/// The project at `path`, or the one that was there before it was renamed, unless it is in the trash, and the role of a
/// person's membership. In one statement, so that what is hidden takes as long as what is not there. Use a proof from [`access`](crate::access).
pub async fn find_with_role(
    conn: impl Into<Conn<'_>>,
    path: &str,
    user: Option<&UserId>,
) -> Result<Option<(Project, Option<Role>)>> {
    let found: Option<WithRole> = query(concat!(
        select_with_role!(),
        "p.id = COALESCE(
             (SELECT l.id FROM projects l WHERE l.path = $1 AND l.deleted_at_ms IS NULL),
             (SELECT f.project_id FROM former_paths f JOIN projects l ON l.id = f.project_id
              WHERE f.path = $1 AND f.leads AND l.deleted_at_ms IS NULL LIMIT 1))"
    ))
    .bind(text::looked_up(path))
    .bind(user.map(|user| user.raw().to_owned()))
    .fetch_optional(conn)
    .await?;
    found.map(split).transpose()
}

/// Until when a project had a path.
pub async fn had_path_until(
    conn: impl Into<Conn<'_>>,
    project: &Project,
    path: &str,
) -> Result<Option<Timestamp>> {
    let until: Option<(Timestamp,)> =
        query("SELECT until_ms FROM former_paths WHERE path = $1 AND project_id = $2")
            .bind(text::looked_up(path))
            .bind(&project.id)
            .fetch_optional(conn)
            .await?;
    Ok(until.map(|(until,)| until))
}

/// As [`find_with_role`], by id.
pub async fn find_by_id_with_role(
    conn: impl Into<Conn<'_>>,
    id: &ProjectId,
    user: Option<&UserId>,
) -> Result<Option<(Project, Option<Role>)>> {
    let found: Option<WithRole> = query(concat!(select_with_role!(), "p.id = $1"))
        .bind(id)
        .bind(user.map(|user| user.raw().to_owned()))
        .fetch_optional(conn)
        .await?;
    found.map(split).transpose()
}

/// The project with this id, also from the trash.
pub async fn find_by_id(conn: impl Into<Conn<'_>>, id: &ProjectId) -> Result<Option<Project>> {
    let project = query(concat!("SELECT ", columns!(), " FROM projects WHERE id = $1"))
        .bind(id)
        .fetch_optional(conn)
        .await?;
    Ok(project)
}
