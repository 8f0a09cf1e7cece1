//! A project begins: with its creator as owner, and with the experiment that its runs are in unless told.

use async_graphql::InputObject;

use crate::access::project::{Project, columns, find_with_role};
use crate::access::user::User;
use crate::access::{self, Actor, Creator};
use crate::action::Action;
use crate::app::App;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::ProjectId;
use crate::registry::catalog::project::DEFAULT;
use crate::registry::catalog::project::rules::{check_default, record, take_path};
use crate::registry::people::member;
use crate::registry::tracking::experiment;
use crate::role::Visibility;
use crate::text::{self, ProjectPath};

pub async fn create(
    change: &mut Change,
    _creator: &Creator,
    actor: &Actor,
    input: CreateProjectInput,
) -> Result<Project> {
    change.allowed.check_creates()?;
    check_default(actor, &input.path)?;
    let project = insert(change, actor.user()?, input).await?;
    take_path(change, actor, &project, false).await?;
    Ok(project)
}

async fn insert(change: &mut Change, creator: &User, input: CreateProjectInput) -> Result<Project> {
    let visibility = input.visibility.unwrap_or(Visibility::Private);
    change.allowed.check_visibility(None, visibility)?;
    let path = ProjectPath::parse("path", &input.path)?;
    let name = text::new_name("name", input.name.as_deref().unwrap_or(path.as_str()))?;
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
    .bind(visibility)
    .bind(change.author())
    .bind(change.now)
    .fetch_one(&mut **change)
    .await
    .map_err(Error::unless_unique("project", path.as_str()))?;
    member::rules::add_creator(change, &project, creator).await?;
    experiment::rules::create_first(change, &project).await?;
    record(change, Action::ProjectCreate, &project).await?;
    Ok(project)
}

/// Makes the project that MLflow clients are in unless told: with `--no-auth`, where nobody would have
/// thought of it.
pub async fn create_default(app: &App) -> Result<()> {
    let admin = access::user::find_by_username(&app.db, "admin").await?;
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

/// A new project.
#[derive(InputObject)]
pub struct CreateProjectInput {
    /// Its address: 1–63 of a-z, 0-9 and -.
    pub path: String,
    /// The name to show; the path if omitted.
    pub name: Option<String>,
    /// The description, in Markdown, at most 64 KiB.
    pub description: Option<String>,
    /// Who can see it; PRIVATE if omitted.
    pub visibility: Option<Visibility>,
}
