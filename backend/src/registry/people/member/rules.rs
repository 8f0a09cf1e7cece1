//! The rules of membership: added, given another role, removed; a project is never without an owner.

use super::{Member, Source, columns};
use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{self, Maintainer, Reader};
use crate::action::Action;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::MemberId;
use crate::log::Subject;
use crate::registry::target;
use crate::role::Role;

const TOO_MUCH: Error =
    Error::Forbidden("You can't give or take away a role that is higher than your own.");

pub(super) async fn add(
    change: &mut Change,
    maintainer: &Maintainer,
    username: &str,
    role: Role,
) -> Result<Member> {
    if role > maintainer.role() {
        return Err(TOO_MUCH);
    }
    let user = access::user::find_by_username(&mut **change, username)
        .await?
        .filter(|user| !user.is_robot() && user.deleted_at_ms.is_none())
        .ok_or_else(|| Error::not_found("user", username))?;
    let member = insert(change, maintainer.project(), &user, role, Source::Manual)
        .await?
        .ok_or_else(|| Error::AlreadyExists { kind: "member", key: username.to_owned() })?;
    record(change, Action::MemberAdd, maintainer.project(), username, &member).await?;
    Ok(member)
}

/// Makes who creates a project its owner.
pub async fn add_creator(change: &mut Change, project: &Project, creator: &User) -> Result<()> {
    insert(change, project, creator, Role::Owner, Source::Manual).await?;
    Ok(())
}

/// Gives the robot of a new project token its role.
pub async fn add_robot(
    change: &mut Change,
    maintainer: &Maintainer,
    robot: &User,
    role: Role,
) -> Result<()> {
    if role > maintainer.role() {
        return Err(TOO_MUCH);
    }
    insert(change, maintainer.project(), robot, role, Source::Manual).await?;
    Ok(())
}

async fn insert(
    change: &mut Change,
    project: &Project,
    user: &User,
    role: Role,
    source: Source,
) -> Result<Option<Member>> {
    let added_by = (change.author() != &user.id).then(|| change.author().raw().to_owned());
    let member = query(
        "INSERT INTO members (id, project_id, user_id, role, source, added_by_id, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (project_id, user_id) DO NOTHING
         RETURNING id, project_id, user_id, role, source, added_by_id, created_at_ms",
    )
    .bind(MemberId::new(change.now))
    .bind(&project.id)
    .bind(&user.id)
    .bind(role)
    .bind(source)
    .bind(added_by)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await?;
    Ok(member)
}

pub(super) async fn update(
    change: &mut Change,
    maintainer: &Maintainer,
    username: &str,
    role: Role,
) -> Result<Member> {
    let member = get(change, maintainer.project(), username).await?;
    if role > maintainer.role() || member.role > maintainer.role() {
        return Err(TOO_MUCH);
    }
    let updated: Member = query(
        "UPDATE members SET role = $2, source = 'MANUAL' WHERE id = $1
         RETURNING id, project_id, user_id, role, source, added_by_id, created_at_ms",
    )
    .bind(&member.id)
    .bind(role)
    .fetch_one(&mut **change)
    .await?;
    check_owned(change, maintainer.project(), &member).await?;
    let detail = serde_json::json!({
        "username": username, "from": member.role.as_str(), "role": role.as_str(),
    });
    let subject = subject(maintainer.project(), username, &updated);
    change.record(Action::MemberUpdate, subject, detail).await?;
    Ok(updated)
}

pub(super) async fn remove(
    change: &mut Change,
    maintainer: &Maintainer,
    username: &str,
) -> Result<Member> {
    let member = get(change, maintainer.project(), username).await?;
    if member.role > maintainer.role() {
        return Err(TOO_MUCH);
    }
    delete(change, maintainer, username, member).await
}

pub(super) async fn leave(change: &mut Change, reader: &Reader, username: &str) -> Result<Member> {
    target::touch(change, &reader.project().id).await?;
    let member = get(change, reader.project(), username).await?;
    delete(change, reader, username, member).await
}

async fn delete(
    change: &mut Change,
    reader: &Reader,
    username: &str,
    member: Member,
) -> Result<Member> {
    query("DELETE FROM members WHERE id = $1").bind(&member.id).execute(change).await?;
    check_owned(change, reader.project(), &member).await?;
    record(change, Action::MemberRemove, reader.project(), username, &member).await?;
    Ok(member)
}

/// Refuses a change that leaves a project without an owner. The project is locked by then.
async fn check_owned(change: &mut Change, project: &Project, before: &Member) -> Result<()> {
    if before.role != Role::Owner {
        return Ok(());
    }
    let (owners,): (i64,) =
        query("SELECT COUNT(*) FROM members WHERE project_id = $1 AND role = 'OWNER'")
            .bind(&project.id)
            .fetch_one(&mut **change)
            .await?;
    if owners == 0 {
        return Err(Error::Conflict(format!(
            "Project {:?} must keep an owner. Make somebody else OWNER first.",
            project.path
        )));
    }
    Ok(())
}

async fn get(change: &mut Change, project: &Project, username: &str) -> Result<Member> {
    query(concat!(
        "SELECT ",
        columns!(),
        " FROM members m JOIN users u ON u.id = m.user_id
          WHERE m.project_id = $1 AND u.username = $2 AND u.kind = 'PERSON'"
    ))
    .bind(&project.id)
    .bind(crate::text::looked_up(username))
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(|| Error::not_found("member", username))
}

async fn record(
    change: &mut Change,
    action: Action,
    project: &Project,
    username: &str,
    member: &Member,
) -> Result<()> {
    let detail = serde_json::json!({ "username": username, "role": member.role.as_str() });
    change.record(action, subject(project, username, member), detail).await
}

fn subject<'a>(project: &'a Project, username: &str, member: &'a Member) -> Subject<'a> {
    Subject {
        name: format!("{}: {username}", project.path),
        project_id: Some(&project.id),
        model_id: None,
        object_id: member.user_id.raw(),
    }
}

/// Ends all memberships of a person. Refuses where a project would be without an owner.
pub async fn end_all(change: &mut Change, _admin: &access::Admin, user: &User) -> Result<()> {
    // Held, so that of two owners who leave at once the second sees that the first has left.
    query(
        "UPDATE projects SET path = path
         WHERE id IN (SELECT project_id FROM members WHERE user_id = $1)",
    )
    .bind(&user.id)
    .execute(change)
    .await?;
    let owned: Vec<(String,)> = query(
        "SELECT p.path FROM members m JOIN projects p ON p.id = m.project_id
         WHERE m.user_id = $1 AND m.role = 'OWNER' AND p.deleted_at_ms IS NULL AND NOT EXISTS
             (SELECT 1 FROM members o WHERE o.project_id = m.project_id AND o.role = 'OWNER' AND o.user_id <> $1)
         ORDER BY p.path LIMIT 10",
    )
    .bind(&user.id)
    .fetch_all(&mut **change)
    .await?;
    if !owned.is_empty() {
        let paths: Vec<_> = owned.into_iter().map(|(path,)| path).collect();
        return Err(Error::Conflict(format!(
            "This user is the only owner of {}. Make somebody else OWNER first.",
            paths.join(", ")
        )));
    }
    let ended: Vec<Member> = query(
        "DELETE FROM members WHERE user_id = $1
         RETURNING id, project_id, user_id, role, source, added_by_id, created_at_ms",
    )
    .bind(&user.id)
    .fetch_all(&mut **change)
    .await?;
    for member in ended {
        if let Some(project) =
            access::project::find_by_id(&mut **change, &member.project_id).await?
        {
            record(change, Action::MemberRemove, &project, &user.username, &member).await?;
        }
    }
    Ok(())
}
