//! Projects: the home of models and the unit of access control. A project's path is one slug.

mod graphql;

use async_graphql::SimpleObject;

use crate::auth::{self, Maintainer};
use crate::db::{Conn, query};
use crate::error::{Error, Result};
use crate::id::{AnyId, ProjectId, UserId};
use crate::loader::{Count, load_by_id, load_by_owner};
use crate::registry::event::{Change, Subject};
use crate::registry::text_enum;
use crate::text::{self, ProjectPath};
use crate::time::Timestamp;
use graphql::{CreateProjectInput, RestoreProjectInput, UpdateProjectInput};

pub use graphql::{ProjectMutation, ProjectQuery};

text_enum! {
    /// Who can see a project without being a member.
    Visibility {
        /// Its members only.
        Private = "PRIVATE",
        /// Everybody who is signed in.
        Internal = "INTERNAL",
        /// Everybody.
        Public = "PUBLIC",
    }
}

text_enum! {
    /// What a person may do in a project, from least to most.
    Role {
        /// Read.
        Guest = "GUEST",
        /// Create and change models, versions, candidates, files and aliases.
        Developer = "DEVELOPER",
        /// Manage the project.
        Maintainer = "MAINTAINER",
        /// Everything, also delete the project.
        Owner = "OWNER",
    }
}

/// The home of models and the unit of access control.
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
    #[graphql(skip)]
    pub author_id: UserId,
    /// When it was created.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it was last changed.
    #[graphql(name = "updatedAt")]
    pub updated_at_ms: Timestamp,
    /// When it was put into the trash; null if it is not there.
    #[graphql(name = "deletedAt")]
    pub deleted_at_ms: Option<Timestamp>,
}

/// The columns of [`Project`].
macro_rules! columns {
    () => {
        "id, path, name, description, visibility, author_id, created_at_ms, updated_at_ms, deleted_at_ms"
    };
}
use columns;

async fn create(
    change: &mut Change,
    _admin: &auth::Admin,
    input: CreateProjectInput,
) -> Result<Project> {
    let path = ProjectPath::parse("path", &input.path)?;
    let name = text::name("name", input.name.as_deref().unwrap_or(path.as_str()))?;
    let description = text::description("description", input.description)?;
    let project: Project = query(
        concat!(
        "INSERT INTO projects (id, path, name, description, visibility, author_id, created_at_ms, updated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         RETURNING ",
        columns!(),
    ),
    )
    .bind(ProjectId::new(change.now))
    .bind(&path)
    .bind(name)
    .bind(description)
    .bind(input.visibility.unwrap_or(Visibility::Private))
    .bind(change.author())
    .bind(change.now)
    .fetch_one(&mut **change)
    .await
    .map_err(Error::unless_unique("project", path.as_str()))?;
    record(change, "project.create", &project).await?;
    Ok(project)
}

async fn update(
    change: &mut Change,
    maintainer: &Maintainer,
    input: UpdateProjectInput,
) -> Result<Project> {
    let name = input.name.take().map(|name| text::name("name", name.as_ref())).transpose()?;
    let description = text::new_description(input.description)?;
    // What is not given stays as it is by then, not as it was read.
    let project: Option<Project> = query(concat!(
        "UPDATE projects SET name = COALESCE($2, name), description = COALESCE($3, description),
             visibility = COALESCE($4, visibility), updated_at_ms = $5
         WHERE id = $1 AND deleted_at_ms IS NULL RETURNING ",
        columns!(),
    ))
    .bind(&maintainer.project().id)
    .bind(name)
    .bind(description)
    .bind(input.visibility.take().map(|visibility| visibility.as_str().to_owned()))
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await?;
    let path = &maintainer.project().path;
    let project = project.ok_or_else(|| Error::not_found("project", path))?;
    record(change, "project.update", &project).await?;
    Ok(project)
}

async fn delete(change: &mut Change, maintainer: &Maintainer) -> Result<Project> {
    let project: Option<Project> = query(concat!(
        "UPDATE projects SET deleted_at_ms = $2, deleted_by_id = $3 WHERE id = $1 AND deleted_at_ms IS NULL
         RETURNING ",
        columns!(),
    ))
    .bind(&maintainer.project().id)
    .bind(change.now)
    .bind(change.author())
    .fetch_optional(&mut **change)
    .await?;
    let path = &maintainer.project().path;
    let project = project.ok_or_else(|| Error::not_found("project", path))?;
    record(change, "project.delete", &project).await?;
    Ok(project)
}

async fn restore(
    change: &mut Change,
    _admin: &auth::Admin,
    input: RestoreProjectInput,
) -> Result<Project> {
    let not_found = || Error::not_found("deleted project", &input.project);
    let wanted = match &input.id {
        Some(id) => match AnyId::parse(id)? {
            AnyId::ProjectId(id) => Some(id.raw().to_owned()),
            _ => return Err(not_found()),
        },
        None => None,
    };
    let (id,): (String,) = query(
        "SELECT id FROM projects
         WHERE path = $1 AND deleted_at_ms IS NOT NULL AND (id = $2 OR $2 IS NULL)
         ORDER BY deleted_at_ms DESC, id DESC LIMIT 1",
    )
    .bind(text::looked_up(&input.project))
    .bind(wanted)
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(not_found)?;
    let project: Option<Project> = query(concat!(
        "UPDATE projects SET deleted_at_ms = NULL, deleted_by_id = NULL, updated_at_ms = $2
         WHERE id = $1 AND deleted_at_ms IS NOT NULL
         RETURNING ",
        columns!(),
    ))
    .bind(id)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await
    .map_err(Error::unless_unique("project", &input.project))?;
    let project = project.ok_or_else(not_found)?;
    record(change, "project.restore", &project).await?;
    Ok(project)
}

async fn record(change: &mut Change, action: &'static str, project: &Project) -> Result<()> {
    let subject = Subject {
        name: project.path.clone(),
        project_id: Some(&project.id),
        model_id: None,
        object_id: project.id.raw(),
    };
    change.record(action, subject, serde_json::json!({})).await
}

/// The project at `path`, unless it is in the trash. Use a proof from `auth` instead, which asks this.
pub async fn find(conn: impl Into<Conn<'_>>, path: &str) -> Result<Option<Project>> {
    if path.contains('\0') {
        return Ok(None);
    }
    let project = query(concat!(
        "SELECT ",
        columns!(),
        " FROM projects WHERE path = $1 AND deleted_at_ms IS NULL"
    ))
    .bind(path)
    .fetch_optional(conn)
    .await?;
    Ok(project)
}

/// The project with this id, unless it is in the trash.
pub async fn find_by_id(conn: impl Into<Conn<'_>>, id: &ProjectId) -> Result<Option<Project>> {
    let project = query(concat!(
        "SELECT ",
        columns!(),
        " FROM projects WHERE id = $1 AND deleted_at_ms IS NULL"
    ))
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(project)
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
