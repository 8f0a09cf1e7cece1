//! The rules of sessions: begun by a password, ended by their owner or with them.

use async_graphql::InputObject;

use super::Session;
use crate::access::user::User;
use crate::access::{self, Actor, password};
use crate::action::Action;
use crate::app::App;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::CredentialId;
use crate::log::{self, Refusal, Subject};
use crate::registry::people::credential::NewCredential;
use crate::registry::people::credential::rules::insert;
use crate::role::{CredentialKind, TokenScope};

const BLOCKED: Error = Error::Forbidden("This account is blocked. Ask an administrator.");

/// What to sign in with.
#[derive(InputObject)]
pub struct SignInInput {
    /// The user's name, such as `admin`.
    username: String,
    /// The password.
    password: String,
}

/// Checks a password and starts a session; returns its secret. Takes as long for a name that is not
/// there as for a wrong password, and says the same.
pub(super) async fn sign_in(
    app: &App,
    actor: &Actor,
    input: SignInInput,
) -> Result<(User, String)> {
    if app.config.no_password_sign_in {
        return Err(Error::Forbidden(
            "Sign-in with a password is disabled here. Use single sign-on.",
        ));
    }
    let wrong = || Error::Unauthenticated("Incorrect username or password.");
    if input.username.contains('\0') || input.password.len() > password::MAX_BYTES {
        return Err(wrong());
    }
    let user = access::user::find_by_username(&app.db, &input.username).await?;
    let hash = user.as_ref().map(|user| user.password_hash.as_str());
    if !password::check_password(&app.access, actor, &input.username, hash, input.password).await? {
        // What is no user's name may be a password, typed into the wrong field.
        let subject = user.as_ref().map_or("", |user| &user.username);
        password::log_wrong_password(&app.access, actor, Action::SessionCreate, subject).await?;
        return Err(wrong());
    }
    let user = user.ok_or_else(wrong)?;
    if user.blocked_at_ms.is_some() {
        let subject = &user.username;
        let refusal = Refusal {
            action: Action::SessionCreate,
            subject,
            is_path: false,
            code: "FORBIDDEN",
            named: serde_json::Map::new(),
        };
        log::record_refusal(&app.db, app.clock.now(), &actor.by(), refusal).await?;
        return Err(BLOCKED);
    }
    let mut change = Change::begin(app, &actor.recognised(user.clone())).await?;
    let secret = start(&mut change, &user, actor).await?;
    change.commit().await?;
    Ok((user, secret))
}

/// Starts a session of somebody who has just been recognised; returns its secret. Fails where they were
/// blocked, or their password was changed, meanwhile.
pub async fn start(change: &mut Change, user: &User, actor: &Actor) -> Result<String> {
    // Also locks the user: whoever changes the password ends this session, too.
    let still = query(
        "UPDATE users SET last_seen_at_ms = $3 WHERE id = $1 AND password_hash = $2
         AND blocked_at_ms IS NULL AND deleted_at_ms IS NULL",
    )
    .bind(&user.id)
    .bind(&user.password_hash)
    .bind(change.now)
    .execute(change)
    .await?;
    if still == 0 {
        return Err(BLOCKED);
    }
    let expires = change.allowed.session_end(change.now);
    let new = NewCredential {
        kind: CredentialKind::Session,
        name: actor.client.clone().unwrap_or_else(|| "unknown".to_owned()),
        scope: TokenScope::Admin,
        address: actor.address.map(|address| address.to_string()),
        expires_at_ms: Some(expires),
    };
    let (id, secret) = insert(change, user, new).await?;
    record(change, Action::SessionCreate, user, &id).await?;
    Ok(secret)
}

pub(super) async fn end(
    change: &mut Change,
    user: &User,
    action: Action,
    id: &CredentialId,
) -> Result<Option<Session>> {
    let session: Option<Session> = query(
        "UPDATE credentials SET revoked_at_ms = $3
         WHERE id = $1 AND user_id = $2 AND kind = 'SESSION' AND revoked_at_ms IS NULL
         RETURNING id, name, address, created_at_ms, expires_at_ms, last_used_at_ms",
    )
    .bind(id)
    .bind(&user.id)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await?;
    if session.is_some() {
        record(change, action, user, id).await?;
    }
    Ok(session)
}

async fn record(change: &mut Change, action: Action, user: &User, id: &CredentialId) -> Result<()> {
    let subject = Subject {
        name: user.username.clone(),
        project_id: None,
        model_id: None,
        object_id: id.raw(),
    };
    change.record(action, subject, serde_json::json!({})).await
}

/// Forgets sessions that ended or expired.
pub async fn purge(app: &App) -> Result<()> {
    query(
        "DELETE FROM credentials
         WHERE kind = 'SESSION' AND (revoked_at_ms IS NOT NULL OR expires_at_ms <= $1)",
    )
    .bind(app.clock.now())
    .alone(&app.db)
    .await?;
    Ok(())
}
