//! The rules of users: invited, changed, blocked, deleted; by administrators, and some by themselves.

use crate::access::user::{User, UserKind, find_by_username, get_by_id};
use crate::access::{Account, Admin, Maintainer, password};
use crate::action::Action;
use crate::app::App;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{ProjectId, UserId, random_text};
use crate::log::Subject;
use crate::registry::people::{credential, invitation, member};
use crate::role::CredentialKind;
use crate::text::{self, Username};

/// A new account.
struct NewUser<'a> {
    username: &'a str,
    name: &'a str,
    password_hash: &'a str,
    is_admin: bool,
    kind: UserKind,
    project_id: Option<&'a ProjectId>,
}

/// Makes `admin` at the very first start. Returns the password if it was chosen here.
pub async fn create_admin(app: &App) -> Result<Option<String>> {
    if find_by_username(&app.db, "admin").await?.is_some() {
        return Ok(None);
    }
    let chosen = app.config.admin_password.clone();
    let secret = chosen.clone().unwrap_or_else(|| random_text(20));
    password::check_new("admin password", &secret)?;
    let password_hash = app.access.passwords.hash(secret.clone()).await?;
    let id = UserId::new(app.clock.now());
    let mut change = Change::begin_in(&app.db, &app.clock, id.clone()).await?;
    let new = NewUser {
        username: "admin",
        name: "Administrator",
        password_hash: &password_hash,
        is_admin: true,
        kind: UserKind::Person,
        project_id: None,
    };
    // Another server on the same database may have been quicker.
    if insert(&mut change, &id, new).await? == 0 {
        return Ok(None);
    }
    change.commit().await?;
    Ok(chosen.is_none().then_some(secret))
}

/// Adds a person who will choose a password.
pub(super) async fn invite(
    change: &mut Change,
    _admin: &Admin,
    username: &str,
    name: Option<String>,
    is_admin: bool,
) -> Result<User> {
    let username = Username::parse("username", username)?;
    let name = text::new_name("name", name.as_deref().unwrap_or(username.as_str()))?;
    let new = NewUser {
        username: username.as_str(),
        name: &name,
        password_hash: "",
        is_admin,
        kind: UserKind::Person,
        project_id: None,
    };
    let user = create(change, new).await?;
    record(change, Action::UserInvite, &user, serde_json::json!({ "isAdmin": is_admin })).await?;
    Ok(user)
}

/// Makes what a new token of a project will act as.
pub async fn create_robot(
    change: &mut Change,
    maintainer: &Maintainer,
    name: &str,
) -> Result<User> {
    let username = format!("robot-{}", random_text(10).to_ascii_lowercase());
    let new = NewUser {
        username: &username,
        name,
        password_hash: "",
        is_admin: false,
        kind: UserKind::Robot,
        project_id: Some(&maintainer.project().id),
    };
    create(change, new).await
}

async fn create(change: &mut Change, new: NewUser<'_>) -> Result<User> {
    let id = UserId::new(change.now);
    let taken = Error::AlreadyExists { kind: "user", key: new.username.to_owned() };
    if insert(change, &id, new).await? == 0 {
        return Err(taken);
    }
    get_by_id(&mut **change, &id).await
}

async fn insert(change: &mut Change, id: &UserId, new: NewUser<'_>) -> Result<u64> {
    let made = query(
        "INSERT INTO users (id, username, name, password_hash, is_admin, created_at_ms, kind, project_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (username) DO NOTHING",
    )
    .bind(id)
    .bind(new.username)
    .bind(new.name)
    .bind(new.password_hash)
    .bind(new.is_admin)
    .bind(change.now)
    .bind(new.kind)
    .bind(new.project_id.map(|id| id.raw().to_owned()))
    .execute(change)
    .await?;
    Ok(made)
}

/// What an administrator changes of somebody; what is none stays.
pub(super) struct Changes {
    pub(super) name: Option<String>,
    pub(super) is_admin: Option<bool>,
}

pub(super) async fn update(
    change: &mut Change,
    _admin: &Admin,
    username: &str,
    changes: Changes,
) -> Result<User> {
    let user = get_person(change, username).await?;
    if changes.is_admin == Some(false) {
        refuse_oneself(change, &user).await?;
    }
    let name =
        changes.name.map(|name| text::changed_name("name", &name, &user.name)).transpose()?;
    query("UPDATE users SET name = COALESCE($2, name), is_admin = $3 WHERE id = $1")
        .bind(&user.id)
        .bind(name)
        .bind(changes.is_admin.unwrap_or(user.is_admin))
        .execute(change)
        .await?;
    let user = get_by_id(&mut **change, &user.id).await?;
    let detail = serde_json::json!({ "name": user.name, "isAdmin": user.is_admin });
    record(change, Action::UserUpdate, &user, detail).await?;
    Ok(user)
}

/// Lets nobody in with this account any more, or again. Sessions end for good.
pub(super) async fn set_blocked(
    change: &mut Change,
    _admin: &Admin,
    username: &str,
    blocked: bool,
) -> Result<User> {
    let user = get_person(change, username).await?;
    refuse_oneself(change, &user).await?;
    query("UPDATE users SET blocked_at_ms = $2 WHERE id = $1")
        .bind(&user.id)
        .bind(blocked.then_some(change.now))
        .execute(change)
        .await?;
    credential::rules::end_all(change, &user, CredentialKind::Session).await?;
    let user = get_by_id(&mut **change, &user.id).await?;
    let action = if blocked { Action::UserBlock } else { Action::UserUnblock };
    record(change, action, &user, serde_json::json!({})).await?;
    Ok(user)
}

pub(super) async fn delete(change: &mut Change, admin: &Admin, username: &str) -> Result<User> {
    let user = get_person(change, username).await?;
    refuse_oneself(change, &user).await?;
    query(
        "UPDATE users SET deleted_at_ms = $2, is_admin = FALSE, password_hash = '' WHERE id = $1",
    )
    .bind(&user.id)
    .bind(change.now)
    .execute(change)
    .await?;
    member::rules::end_all(change, admin, &user).await?;
    credential::rules::end_all(change, &user, CredentialKind::Session).await?;
    credential::rules::end_all(change, &user, CredentialKind::Token).await?;
    invitation::end_all(change, &user).await?;
    let user = get_by_id(&mut **change, &user.id).await?;
    record(change, Action::UserDelete, &user, serde_json::json!({})).await?;
    Ok(user)
}

/// Takes somebody's password and sessions away; they choose another with the link that is made next.
pub(super) async fn reset(change: &mut Change, _admin: &Admin, username: &str) -> Result<User> {
    let user = get_person(change, username).await?;
    set_password(change, &user, "").await?;
    record(change, Action::UserReset, &user, serde_json::json!({})).await?;
    get_by_id(&mut **change, &user.id).await
}

/// An administrator who does this to themselves could leave the registry without one; and so could two
/// who do it to each other, if the doer's own row were not locked.
async fn refuse_oneself(change: &mut Change, user: &User) -> Result<()> {
    if *change.author() == user.id {
        return Err(Error::Conflict(
            "You can't do this to your own account. Ask another administrator.".to_owned(),
        ));
    }
    let author = change.author().clone();
    let still = query(
        "UPDATE users SET is_admin = is_admin
         WHERE id = $1 AND is_admin AND blocked_at_ms IS NULL AND deleted_at_ms IS NULL",
    )
    .bind(author)
    .execute(change)
    .await?;
    if still == 0 { Err(Error::Forbidden("Only administrators can do this.")) } else { Ok(()) }
}

pub(super) async fn rename_oneself(
    change: &mut Change,
    account: &Account,
    name: &str,
) -> Result<User> {
    let user = account.user();
    let name = text::changed_name("name", name, &user.name)?;
    query("UPDATE users SET name = $2 WHERE id = $1")
        .bind(&user.id)
        .bind(name)
        .execute(change)
        .await?;
    let user = get_by_id(&mut **change, &user.id).await?;
    record(change, Action::UserUpdate, &user, serde_json::json!({ "name": user.name })).await?;
    Ok(user)
}

/// Changes a password that is still the one that was checked, which ends all sessions.
pub(super) async fn change_password(
    change: &mut Change,
    user: &User,
    password_hash: &str,
) -> Result<User> {
    let changed = query(
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2
         AND blocked_at_ms IS NULL AND deleted_at_ms IS NULL",
    )
    .bind(&user.id)
    .bind(&user.password_hash)
    .bind(password_hash)
    .execute(change)
    .await?;
    if changed == 0 {
        return Err(Error::Conflict(
            "The password was changed in the meantime. Sign in again.".to_owned(),
        ));
    }
    credential::rules::end_all(change, user, CredentialKind::Session).await?;
    record(change, Action::PasswordChange, user, serde_json::json!({})).await?;
    get_by_id(&mut **change, &user.id).await
}

/// Sets the hash of a password, which ends all sessions.
pub async fn set_password(change: &mut Change, user: &User, password_hash: &str) -> Result<()> {
    query("UPDATE users SET password_hash = $2 WHERE id = $1")
        .bind(&user.id)
        .bind(password_hash)
        .execute(change)
        .await?;
    credential::rules::end_all(change, user, CredentialKind::Session).await
}

pub async fn record(
    change: &mut Change,
    action: Action,
    user: &User,
    detail: serde_json::Value,
) -> Result<()> {
    let subject = Subject {
        name: user.username.clone(),
        project_id: None,
        model_id: None,
        object_id: user.id.raw(),
    };
    change.record(action, subject, detail).await
}

/// The person with this username, who was not deleted.
async fn get_person(change: &mut Change, username: &str) -> Result<User> {
    find_by_username(&mut **change, username)
        .await?
        .filter(|user| !user.is_robot() && user.deleted_at_ms.is_none())
        .ok_or_else(|| Error::not_found("user", username))
}
