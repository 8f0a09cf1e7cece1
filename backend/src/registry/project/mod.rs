//! Projects: the home of models and the unit of access control. A project's path is one slug.

mod graphql;

use async_graphql::SimpleObject;

use crate::access::{self, Actor, Maintainer, Owner};
use crate::app::App;
use crate::change::Change;
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::id::{AnyId, ProjectId, UserId};
use crate::loader::{Count, load_by_id, load_by_owner};
use crate::log::Subject;
use crate::registry::user::{self, User};
use crate::registry::{experiment, member};
use crate::role::{Role, Visibility};
use crate::text::{self, ProjectPath};
use crate::time::Timestamp;
use graphql::RestoreProjectInput;

pub use graphql::{CreateProjectInput, ProjectMutation, ProjectQuery, UpdateProjectInput};

/// The project of clients that name none.
pub const DEFAULT: &str = "default";

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

pub async fn create(
    change: &mut Change,
    _creator: &access::Creator,
    creator: &User,
    input: CreateProjectInput,
) -> Result<Project> {
    insert(change, creator, input).await
}

async fn insert(change: &mut Change, creator: &User, input: CreateProjectInput) -> Result<Project> {
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
    member::add_creator(change, &project, creator).await?;
    experiment::create_first(change, &project).await?;
    record(change, "project.create", &project).await?;
    Ok(project)
}

/// Makes the project that MLflow clients are in unless told: with `--no-auth`, where nobody would have
/// thought of it.
pub async fn create_default(app: &App) -> Result<()> {
    let admin = user::find_by_username(&app.db, "admin").await?;
    let admin = admin.ok_or_else(|| Error::internal("there is no admin"))?;
    if find_with_role(&app.db, DEFAULT, None).await?.is_some() {
        return Ok(());
    }
    let mut change = Change::begin_in(&app.db, &app.clock, admin.id.clone()).await?;
    let input = CreateProjectInput {
        path: DEFAULT.to_owned(),
        name: None,
        description: None,
        visibility: None,
    };
    insert(&mut change, &admin, input).await?;
    change.commit().await
}

pub async fn update(
    change: &mut Change,
    maintainer: &Maintainer,
    input: UpdateProjectInput,
) -> Result<Project> {
    if input.name.is_value() || input.visibility.is_value() {
        Owner::of((***maintainer).clone())?;
    }
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
    change
        .record("project.update", subject(&project), changes(maintainer.project(), &project))
        .await?;
    Ok(project)
}

/// What an event tells of an update.
fn changes(old: &Project, new: &Project) -> serde_json::Value {
    let mut detail = serde_json::Map::new();
    if old.name != new.name {
        detail.insert("name".into(), serde_json::json!({ "from": old.name, "to": new.name }));
    }
    if old.visibility != new.visibility {
        let (from, to) = (old.visibility.as_str(), new.visibility.as_str());
        detail.insert("visibility".into(), serde_json::json!({ "from": from, "to": to }));
    }
    if old.description != new.description {
        detail.insert("description".into(), "changed".into());
    }
    detail.into()
}

async fn rename(change: &mut Change, owner: &Owner, path: &str) -> Result<Project> {
    let path = ProjectPath::parse("path", path)?;
    let old = &owner.project().path;
    let project: Option<Project> = query(concat!(
        "UPDATE projects SET path = $2, updated_at_ms = $3 WHERE id = $1 AND deleted_at_ms IS NULL RETURNING ",
        columns!(),
    ))
    .bind(&owner.project().id)
    .bind(&path)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await
    .map_err(Error::unless_unique("project", path.as_str()))?;
    let project = project.ok_or_else(|| Error::not_found("project", old))?;
    change.record("project.rename", subject(&project), serde_json::json!({ "from": old })).await?;
    Ok(project)
}

pub async fn delete(change: &mut Change, owner: &Owner) -> Result<Project> {
    let project: Option<Project> = query(concat!(
        "UPDATE projects SET deleted_at_ms = $2, deleted_by_id = $3 WHERE id = $1 AND deleted_at_ms IS NULL
         RETURNING ",
        columns!(),
    ))
    .bind(&owner.project().id)
    .bind(change.now)
    .bind(change.author())
    .fetch_optional(&mut **change)
    .await?;
    let path = &owner.project().path;
    let project = project.ok_or_else(|| Error::not_found("project", path))?;
    record(change, "project.delete", &project).await?;
    Ok(project)
}

/// The project of theirs that was last deleted of those that had this path, or the one with this id.
async fn find_deleted(
    change: &mut Change,
    user: &User,
    input: &RestoreProjectInput,
) -> Result<Project> {
    let not_found = || Error::not_found("deleted project", &input.project);
    let wanted = match &input.id {
        Some(id) => match AnyId::parse(id)? {
            AnyId::ProjectId(id) => Some(id.raw().to_owned()),
            _ => return Err(not_found()),
        },
        None => None,
    };
    query(concat!(
        "SELECT ",
        columns!(),
        " FROM projects
          WHERE path = $1 AND deleted_at_ms IS NOT NULL AND (id = $2 OR $2 IS NULL)
            AND ($3 OR id IN (SELECT m.project_id FROM members m WHERE m.user_id = $4 AND m.role = 'OWNER'))
          ORDER BY deleted_at_ms DESC, id DESC LIMIT 1"
    ))
    .bind(text::looked_up(&input.project))
    .bind(wanted)
    .bind(user.is_admin)
    .bind(&user.id)
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(not_found)
}

async fn restore(change: &mut Change, owner: &Owner) -> Result<Project> {
    let path = &owner.project().path;
    let project: Option<Project> = query(concat!(
        "UPDATE projects SET deleted_at_ms = NULL, deleted_by_id = NULL, updated_at_ms = $2
         WHERE id = $1 AND deleted_at_ms IS NOT NULL
         RETURNING ",
        columns!(),
    ))
    .bind(&owner.project().id)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await
    .map_err(Error::unless_unique("project", path))?;
    let project = project.ok_or_else(|| Error::not_found("deleted project", path))?;
    record(change, "project.restore", &project).await?;
    Ok(project)
}

fn subject(project: &Project) -> Subject<'_> {
    Subject {
        name: project.path.clone(),
        project_id: Some(&project.id),
        model_id: None,
        object_id: project.id.raw(),
    }
}

async fn record(change: &mut Change, action: &'static str, project: &Project) -> Result<()> {
    change.record(action, subject(project), serde_json::json!({})).await
}

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

/// The project at `path`, unless it is in the trash, and the role of a person's membership. In one
/// statement, so that what is hidden takes as long as what is not there. Use a proof from `auth`.
pub async fn find_with_role(
    conn: impl Into<Conn<'_>>,
    path: &str,
    user: Option<&UserId>,
) -> Result<Option<(Project, Option<Role>)>> {
    let found: Option<WithRole> = query(concat!(select_with_role!(), "p.path = $1"))
        .bind(text::looked_up(path))
        .bind(user.map(|user| user.raw().to_owned()))
        .fetch_optional(conn)
        .await?;
    found.map(split).transpose()
}

/// The projects that the caller may read, by path.
pub async fn readable(db: &Db, actor: &Actor) -> Result<Vec<Project>> {
    let mut sql =
        Sql::new(concat!("SELECT ", columns!(), " FROM projects p WHERE p.deleted_at_ms IS NULL"))
            .and(actor.may_read("p.id"));
    sql.push(" ORDER BY p.path");
    Ok(Query::from(sql).fetch_all(db).await?)
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

/// Marks a project as changed, which also locks it until the change is over.
pub async fn touch(change: &mut Change, id: &ProjectId) -> Result<()> {
    let touched =
        query("UPDATE projects SET updated_at_ms = $2 WHERE id = $1 AND deleted_at_ms IS NULL")
            .bind(id)
            .bind(change.now)
            .execute(change)
            .await?;
    if touched == 0 { Err(Error::not_found("project", id.raw())) } else { Ok(()) }
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
