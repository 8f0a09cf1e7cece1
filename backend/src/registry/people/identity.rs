//! Whom an OpenID provider means: people who sign in there, and the rights that their groups give them.
//!
//! Only issuer and subject say who somebody is: an account is never taken over because its name or
//! e-mail is the same. A membership that a person gave (`MANUAL`) is never touched; those that groups
//! give (`OIDC`) are made equal to the groups at each sign-in.

use std::collections::BTreeMap;

use serde_json::json;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::access::user::User;
use crate::access::{self, Actor};
use crate::action::Action;
use crate::app::App;
use crate::change::Change;
use crate::config::oidc::{GroupRight, Right};
use crate::db::{Conn, query};
use crate::error::{Error, Result};
use crate::id::{ProjectId, UserId, new_uuid, random_text};
use crate::log::Subject;
use crate::role::Role;
use crate::text;
use crate::time::Timestamp;

const MAX_USERNAME: usize = 63;
const MAX_NAME: usize = 255;

/// Somebody, as a provider describes them.
#[derive(Clone, Debug)]
pub struct Identity {
    pub issuer: String,
    /// Who they are for the issuer, for ever.
    pub subject: String,
    /// What they would like to be called here.
    pub username: String,
    /// The name to show.
    pub name: Option<String>,
    pub groups: Vec<String>,
}

/// The user whom the provider means, made if this is their first time, with the name and the rights
/// that it says they have. Somebody who is blocked or deleted is refused as `Forbidden`.
pub async fn sign_in(app: &App, actor: &Actor, identity: &Identity) -> Result<User> {
    text::key("subject", &identity.subject)?;
    let known = match find(&app.db, identity).await? {
        Some(known) => known,
        None => {
            let mut change = Change::begin_as(app, actor, UserId::new(app.clock.now())).await?;
            if create(&mut change, identity).await? {
                return admit(app, change, identity).await;
            }
            // They sign in for the first time twice at once: the other one made them. What is not durable yet is seen
            // within a change only.
            find(&mut *change, identity).await?.ok_or(Error::Stale)?
        }
    };
    admit(app, Change::begin_as(app, actor, known).await?, identity).await
}

/// Gives the author of the change the name and the rights that the provider says they have.
async fn admit(app: &App, mut change: Change, identity: &Identity) -> Result<User> {
    let account = refresh(&mut change, identity).await?;
    let rights = &app.config.oidc.groups;
    if let Some(is_admin) = admin_right(rights, &identity.groups) {
        set_admin(&mut change, &account, is_admin).await?;
    }
    set_roles(&mut change, &account, project_rights(rights, &identity.groups)).await?;
    let user = access::user::find_by_username(&mut *change, &account.username).await?;
    change.commit().await?;
    user.ok_or(Error::Stale)
}

/// Whether groups make an administrator; nothing where no group could.
fn admin_right(rights: &[GroupRight], groups: &[String]) -> Option<bool> {
    let mut admins = rights.iter().filter(|right| right.right == Right::Admin).peekable();
    admins.peek()?;
    Some(admins.any(|right| groups.contains(&right.group)))
}

/// The highest role that groups give in each project.
fn project_rights<'a>(rights: &'a [GroupRight], groups: &[String]) -> BTreeMap<&'a str, Role> {
    let mut roles = BTreeMap::new();
    for GroupRight { group, right } in rights {
        if let Right::Member { project, role } = right
            && groups.contains(group)
        {
            let highest = roles.entry(project.as_str()).or_insert(*role);
            *highest = (*highest).max(*role);
        }
    }
    roles
}

async fn find(conn: impl Into<Conn<'_>>, identity: &Identity) -> Result<Option<UserId>> {
    let found: Option<(UserId,)> =
        query("SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2")
            .bind(&identity.issuer)
            .bind(&identity.subject)
            .fetch_optional(conn)
            .await?;
    Ok(found.map(|(id,)| id))
}

/// Makes the author of the change a user without a password; false if the identity has one by now.
async fn create(change: &mut Change, identity: &Identity) -> Result<bool> {
    let username = insert_user(change, identity).await?;
    let made = query(
        "INSERT INTO identities (issuer, subject, user_id, created_at_ms)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (issuer, subject) DO NOTHING",
    )
    .bind(&identity.issuer)
    .bind(&identity.subject)
    .bind(change.author())
    .bind(change.now)
    .execute(change)
    .await?;
    if made == 1 {
        let detail = json!({ "issuer": identity.issuer });
        record_user(change, Action::UserCreate, &username, detail).await?;
    }
    Ok(made == 1)
}

async fn insert_user(change: &mut Change, identity: &Identity) -> Result<String> {
    let base = username(&identity.username);
    let name = identity.name.as_deref().and_then(shown_name);
    for number in 1.. {
        let suffix = match number {
            1 => String::new(),
            2..100 => format!("-{number}"),
            _ => format!("-{}", random_text(12).to_ascii_lowercase()),
        };
        let length = base.len().min(MAX_USERNAME - suffix.len());
        let username = format!("{}{suffix}", &base[..length]);
        let made = query(
            "INSERT INTO users (id, username, name, password_hash, is_admin, created_at_ms)
             VALUES ($1, $2, $3, '', FALSE, $4)
             ON CONFLICT (username) DO NOTHING",
        )
        .bind(change.author())
        .bind(&username)
        .bind(name.as_ref().unwrap_or(&username))
        .bind(change.now)
        .execute(change)
        .await?;
        if made == 1 {
            return Ok(username);
        }
    }
    unreachable!("some name is free")
}

/// A name to sign in with, made of what a provider says: `Anna.Müller@example.org` is `anna.muller`.
fn username(wish: &str) -> String {
    let local = wish.split('@').next().unwrap_or_default();
    let plain = local.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let text: String = plain.map(|c| if allowed(c) { c } else { '-' }).collect();
    let text = text.trim_start_matches(['.', '_', '-']);
    let text = text[..text.len().min(MAX_USERNAME)].trim_end_matches('-');
    if text.is_empty() { "user".to_owned() } else { text.to_owned() }
}

/// A name to show, without what names cannot have.
fn shown_name(wish: &str) -> Option<String> {
    let name: String = wish.nfc().filter(|c| !model_registry_names::is_hidden(*c)).collect();
    let name: String = name.trim().chars().take(MAX_NAME).collect();
    text::name("name", name.trim_end()).ok()
}

#[derive(sqlx::FromRow)]
struct Account {
    id: UserId,
    username: String,
    name: String,
    is_admin: bool,
    blocked_at_ms: Option<Timestamp>,
    deleted_at_ms: Option<Timestamp>,
}

/// Takes over what the provider says, and holds the user's row: sign-ins of one person take turns.
async fn refresh(change: &mut Change, identity: &Identity) -> Result<Account> {
    let name = identity.name.as_deref().and_then(shown_name);
    let (old,): (String,) = query("SELECT name FROM users WHERE id = $1")
        .bind(change.author())
        .fetch_optional(&mut **change)
        .await?
        .ok_or(Error::Stale)?;
    let account: Account = query(
        "UPDATE users SET name = COALESCE($2, name) WHERE id = $1
         RETURNING id, username, name, is_admin, blocked_at_ms, deleted_at_ms",
    )
    .bind(change.author())
    .bind(name)
    .fetch_one(&mut **change)
    .await?;
    if account.blocked_at_ms.is_some() || account.deleted_at_ms.is_some() {
        return Err(Error::Forbidden("This account is blocked. Ask an administrator."));
    }
    if account.name != old {
        let detail = json!({ "name": account.name });
        record_user(change, Action::UserUpdate, &account.username, detail).await?;
    }
    Ok(account)
}

/// Makes somebody an administrator or no longer one, unless they are the last.
async fn set_admin(change: &mut Change, account: &Account, is_admin: bool) -> Result<()> {
    if account.is_admin == is_admin {
        return Ok(());
    }
    if !is_admin {
        // Holds them all: of two who leave at once, the second sees that the first has left.
        query("UPDATE users SET is_admin = TRUE WHERE is_admin").execute(change).await?;
        let (others,): (i64,) = query(
            "SELECT COUNT(*) FROM users
             WHERE is_admin AND id <> $1 AND blocked_at_ms IS NULL AND deleted_at_ms IS NULL",
        )
        .bind(&account.id)
        .fetch_one(&mut **change)
        .await?;
        if others == 0 {
            tracing::warn!(username = account.username, "the last administrator stays one");
            return Ok(());
        }
    }
    query("UPDATE users SET is_admin = $2 WHERE id = $1")
        .bind(&account.id)
        .bind(is_admin)
        .execute(change)
        .await?;
    let detail = json!({ "isAdmin": is_admin, "source": "OIDC" });
    record_user(change, Action::UserUpdate, &account.username, detail).await
}

#[derive(sqlx::FromRow)]
struct Held {
    project_id: ProjectId,
    path: String,
    #[sqlx(try_from = "String")]
    role: Role,
}

/// Makes the memberships that groups gave equal to the roles that they give now.
async fn set_roles(
    change: &mut Change,
    account: &Account,
    mut wanted: BTreeMap<&str, Role>,
) -> Result<()> {
    let held: Vec<Held> = query(
        "SELECT m.project_id, p.path, m.role FROM members m JOIN projects p ON p.id = m.project_id
         WHERE m.user_id = $1 AND m.source = 'OIDC' ORDER BY m.project_id",
    )
    .bind(&account.id)
    .fetch_all(&mut **change)
    .await?;
    for held in held {
        let role = wanted.remove(held.path.as_str());
        if role != Some(held.role) {
            change_role(change, account, &held, role).await?;
        }
    }
    for (path, role) in wanted {
        let project: Option<(ProjectId,)> =
            query("SELECT id FROM projects WHERE path = $1 AND deleted_at_ms IS NULL")
                .bind(text::looked_up(path))
                .fetch_optional(&mut **change)
                .await?;
        let Some((project_id,)) = project else {
            tracing::warn!(project = path, "a group has a role in a project that is not there");
            continue;
        };
        let made = query(
            "INSERT INTO members (id, project_id, user_id, role, source, created_at_ms)
             VALUES ($1, $2, $3, $4, 'OIDC', $5)
             ON CONFLICT (project_id, user_id) DO NOTHING",
        )
        .bind(new_uuid(change.now))
        .bind(&project_id)
        .bind(&account.id)
        .bind(role)
        .bind(change.now)
        .execute(change)
        .await?;
        if made == 1 {
            let held = Held { project_id, path: path.to_owned(), role };
            record_member(change, Action::MemberAdd, account, &held, Some(role)).await?;
        }
    }
    Ok(())
}

/// Gives a member another role, or none. The last owner of a project stays one.
async fn change_role(
    change: &mut Change,
    account: &Account,
    held: &Held,
    role: Option<Role>,
) -> Result<()> {
    if held.role == Role::Owner && !has_other_owner(change, account, &held.project_id).await? {
        tracing::warn!(
            project = held.path,
            username = account.username,
            "the last owner stays one, whatever their groups say"
        );
        return Ok(());
    }
    let (sql, action) = match role {
        Some(_) => (
            "UPDATE members SET role = $3
             WHERE project_id = $1 AND user_id = $2 AND source = 'OIDC'",
            Action::MemberUpdate,
        ),
        None => (
            "DELETE FROM members WHERE project_id = $1 AND user_id = $2 AND source = 'OIDC'",
            Action::MemberRemove,
        ),
    };
    let mut statement = query(sql).bind(&held.project_id).bind(&account.id);
    if let Some(role) = role {
        statement = statement.bind(role);
    }
    if statement.execute(change).await? == 1 {
        record_member(change, action, account, held, role).await?;
    }
    Ok(())
}

/// Whether somebody else owns the project. Holds its row: of two owners who leave at once, the second
/// sees that the first has left.
async fn has_other_owner(
    change: &mut Change,
    account: &Account,
    project_id: &ProjectId,
) -> Result<bool> {
    query("UPDATE projects SET path = path WHERE id = $1").bind(project_id).execute(change).await?;
    let (others,): (i64,) = query(
        "SELECT COUNT(*) FROM members m JOIN users u ON u.id = m.user_id
         WHERE m.project_id = $1 AND m.user_id <> $2 AND m.role = 'OWNER'
           AND u.kind = 'PERSON' AND u.deleted_at_ms IS NULL",
    )
    .bind(project_id)
    .bind(&account.id)
    .fetch_one(&mut **change)
    .await?;
    Ok(others > 0)
}

async fn record_user(
    change: &mut Change,
    action: Action,
    username: &str,
    detail: serde_json::Value,
) -> Result<()> {
    let id = change.author().clone();
    let subject = Subject {
        name: username.to_owned(),
        project_id: None,
        model_id: None,
        object_id: id.raw(),
    };
    change.record(action, subject, detail).await
}

async fn record_member(
    change: &mut Change,
    action: Action,
    account: &Account,
    held: &Held,
    role: Option<Role>,
) -> Result<()> {
    let subject = Subject {
        name: format!("{}: {}", held.path, account.username),
        project_id: Some(&held.project_id),
        model_id: None,
        object_id: account.id.raw(),
    };
    let role = role.unwrap_or(held.role).as_str();
    let detail = json!({ "username": account.username, "role": role, "source": "OIDC" });
    change.record(action, subject, detail).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_made_of_what_a_provider_says() {
        let long = "a".repeat(80);
        for (wish, made) in [
            ("anna", "anna"),
            ("Anna.Müller@example.org", "anna.muller"),
            ("EXAMPLE\\anna", "example-anna"),
            ("  _.-anna b ", "anna-b"),
            ("张伟", "user"),
            ("@", "user"),
            ("", "user"),
            (&long, &long[..63]),
        ] {
            assert_eq!(username(wish), made, "{wish:?}");
        }
    }

    #[test]
    fn the_highest_role_of_several_groups_counts() {
        let member = |group: &str, project: &str, role| GroupRight {
            group: group.to_owned(),
            right: Right::Member { project: project.to_owned(), role },
        };
        let rights = [
            member("a", "vision", Role::Guest),
            member("b", "vision", Role::Maintainer),
            member("c", "vision", Role::Owner),
            member("a", "speech", Role::Developer),
        ];
        let groups = ["a".to_owned(), "b".to_owned()];
        let roles = project_rights(&rights, &groups);
        assert_eq!(roles, [("speech", Role::Developer), ("vision", Role::Maintainer)].into());
        assert_eq!(admin_right(&rights, &groups), None);
        let admins = [GroupRight { group: "c".to_owned(), right: Right::Admin }];
        assert_eq!(admin_right(&admins, &groups), Some(false));
        assert_eq!(admin_right(&admins, &["c".to_owned()]), Some(true));
    }
}
