//! The rules of projects: changed, renamed, deleted and restored.

use async_graphql::{ID, InputObject, MaybeUndefined};

use crate::access::project::{Project, columns};
use crate::access::user::User;
use crate::access::{self, Actor, Maintainer, Owner};
use crate::action::Action;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::AnyId;
use crate::log::Subject;
use crate::registry::catalog::project::DEFAULT;
use crate::registry::target;
use crate::role::Visibility;
use crate::text::{self, ProjectPath};

pub async fn update(
    change: &mut Change,
    maintainer: &Maintainer,
    input: UpdateProjectInput,
) -> Result<Project> {
    if input.name.is_value() || input.visibility.is_value() {
        Owner::of((***maintainer).clone())?;
    }
    if let MaybeUndefined::Value(visibility) = &input.visibility {
        change.allowed.check_visibility(Some(maintainer.project().visibility), *visibility)?;
    }
    let old = &maintainer.project().name;
    let name = input.name.take().map(|name: String| text::changed_name("name", &name, old));
    let name = name.transpose()?;
    let description = text::new_description(input.description)?;
    // What is not given stays as it is by then, not as it was read.
    let project: Option<Project> = query(concat!(
        "UPDATE projects SET name = COALESCE($2, name), description = COALESCE($3, description),
             visibility = COALESCE($4, visibility), redirects_downloads = CASE WHEN $6 THEN $7 ELSE redirects_downloads END,
             updated_at_ms = $5
         WHERE id = $1 AND deleted_at_ms IS NULL RETURNING ",
        columns!(),
    ))
    .bind(&maintainer.project().id)
    .bind(name)
    .bind(description)
    .bind(input.visibility.take().map(|visibility| visibility.as_str().to_owned()))
    .bind(change.now)
    .bind(input.redirects_downloads.is_value())
    .bind(input.redirects_downloads.take().unwrap_or_default())
    .fetch_optional(&mut **change)
    .await?;
    let path = &maintainer.project().path;
    let project = project.ok_or_else(|| Error::not_found("project", path))?;
    change
        .record(Action::ProjectUpdate, subject(&project), changes(maintainer.project(), &project))
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
    if old.redirects_downloads != new.redirects_downloads {
        let (from, to) = (old.redirects_downloads, new.redirects_downloads);
        detail.insert("redirectsDownloads".into(), serde_json::json!({ "from": from, "to": to }));
    }
    if old.description != new.description {
        detail.insert("description".into(), "changed".into());
    }
    detail.into()
}

/// Refuses to give or take the path of clients that name no project, unless the caller is an administrator: what
/// they publish would go to whoever came first.
pub fn check_default(actor: &Actor, path: &str) -> Result<()> {
    if path == DEFAULT && !actor.is_admin() {
        return Err(Error::Forbidden(
            "Clients that don't specify a project use “default”. Only an administrator can create, rename, delete or restore it.",
        ));
    }
    Ok(())
}

/// Has a project have its path for itself: it leads to no other that had it before. Refused where another had it, or has
/// it in the trash, which the caller does not own: what others still publish and fetch there would come to strangers.
/// To be asked after the project has it: others at once are seen then. One that comes back from the trash had the path
/// beside others there.
pub async fn take_path(
    change: &mut Change,
    actor: &Actor,
    project: &Project,
    comes_back: bool,
) -> Result<()> {
    let kept: Option<(String,)> = query(
        "SELECT p.id FROM projects p
         WHERE p.id IN (SELECT d.id FROM projects d WHERE d.path = $1 AND d.deleted_at_ms IS NOT NULL AND NOT $4
                        UNION ALL SELECT f.project_id FROM former_paths f WHERE f.path = $1 AND f.leads)
           AND p.id <> $3
           AND NOT EXISTS (SELECT 1 FROM members m
                           WHERE m.project_id = p.id AND m.user_id = $2 AND m.role = 'OWNER') LIMIT 1",
    )
    .bind(&project.path)
    .bind(&actor.user()?.id)
    .bind(&project.id)
    .bind(comes_back)
    .fetch_optional(&mut **change)
    .await?;
    if kept.is_some() && !actor.is_admin() {
        return Err(Error::AlreadyExists { kind: "project", key: project.path.clone() });
    }
    query("UPDATE former_paths SET leads = FALSE WHERE path = $1 AND leads AND project_id <> $2")
        .bind(&project.path)
        .bind(&project.id)
        .execute(change)
        .await?;
    Ok(())
}

pub(super) async fn rename(
    change: &mut Change,
    actor: &Actor,
    owner: &Owner,
    path: &str,
) -> Result<Project> {
    let path = ProjectPath::parse("path", path)?;
    let old = &owner.project().path;
    check_default(actor, old)?;
    check_default(actor, path.as_str())?;
    let project: Option<Project> = query(concat!(
        "UPDATE projects SET path = $2, updated_at_ms = $3
         WHERE id = $1 AND path = $4 AND deleted_at_ms IS NULL RETURNING ",
        columns!(),
    ))
    .bind(&owner.project().id)
    .bind(&path)
    .bind(change.now)
    .bind(old)
    .fetch_optional(&mut **change)
    .await
    .map_err(Error::unless_unique("project", path.as_str()))?;
    let project = project.ok_or_else(|| Error::not_found("project", old))?;
    take_path(change, actor, &project, false).await?;
    query(
        "INSERT INTO former_paths (path, project_id, until_ms) VALUES ($1, $2, $3)
         ON CONFLICT (path, project_id) DO UPDATE SET until_ms = excluded.until_ms, leads = TRUE",
    )
    .bind(old)
    .bind(&project.id)
    .bind(change.now)
    .execute(change)
    .await?;
    change
        .record(Action::ProjectRename, subject(&project), serde_json::json!({ "from": old }))
        .await?;
    Ok(project)
}

pub async fn delete(change: &mut Change, actor: &Actor, owner: &Owner) -> Result<Project> {
    // What is checked is what is deleted: the path of this moment.
    let path = &owner.project().path;
    check_default(actor, path)?;
    let project: Option<Project> = query(concat!(
        "UPDATE projects SET deleted_at_ms = $2, deleted_by_id = $3
         WHERE id = $1 AND path = $4 AND deleted_at_ms IS NULL RETURNING ",
        columns!(),
    ))
    .bind(&owner.project().id)
    .bind(change.now)
    .bind(change.author())
    .bind(path)
    .fetch_optional(&mut **change)
    .await?;
    let project = project.ok_or_else(|| Error::not_found("project", path))?;
    record(change, Action::ProjectDelete, &project).await?;
    Ok(project)
}

/// The project of theirs that was last deleted of those that had this path, or the one with this id.
pub(super) async fn find_deleted(
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

pub(super) async fn restore(change: &mut Change, actor: &Actor, owner: &Owner) -> Result<Project> {
    let path = &owner.project().path;
    check_default(actor, path)?;
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
    take_path(change, actor, &project, true).await?;
    record(change, Action::ProjectRestore, &project).await?;
    Ok(project)
}

pub fn subject(project: &Project) -> Subject<'_> {
    Subject {
        name: project.path.clone(),
        project_id: Some(&project.id),
        model_id: None,
        object_id: project.id.raw(),
    }
}

pub async fn record(change: &mut Change, action: Action, project: &Project) -> Result<()> {
    change.record(action, subject(project), serde_json::json!({})).await
}

/// As [`maintainer`](access::maintainer), and holds the project: whoever takes their role away does so before or after this.
pub async fn lone_maintainer(change: &mut Change, actor: &Actor, path: &str) -> Result<Maintainer> {
    let before = access::maintainer(&mut **change, actor, path).await?;
    target::touch(change, &before.project().id).await?;
    access::maintainer(&mut **change, actor, path).await
}

/// Changes of a project; what is omitted stays as it is.
#[derive(InputObject)]
pub struct UpdateProjectInput {
    /// Its path.
    pub project: String,
    /// The name to show.
    pub name: MaybeUndefined<String>,
    /// The description, in Markdown, at most 64 KiB.
    pub description: MaybeUndefined<String>,
    /// Who can see it.
    pub visibility: MaybeUndefined<Visibility>,
    /// Whether clients get its files from the object store itself, where the server redirects downloads there.
    pub redirects_downloads: MaybeUndefined<bool>,
}

/// Another address for a project.
#[derive(InputObject)]
pub struct RenameProjectInput {
    /// Its path.
    pub project: String,
    /// The new path: 1–63 of a-z, 0-9 and -.
    pub path: String,
}

/// Which project to restore.
#[derive(InputObject)]
pub struct RestoreProjectInput {
    /// Its path.
    pub project: String,
    /// Its id, if several had this path; the most recently deleted one if omitted.
    pub id: Option<ID>,
}
