//! Sessions: browsers that are signed in. A session is a cookie that no script can read.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};

use super::{CredentialKind, NewCredential, TokenScope, insert};
use crate::access::password;
use crate::access::user::User;
use crate::access::{self, Actor, SESSION_COOKIE, actor};
use crate::app::App;
use crate::change::Change;
use crate::db::{Conn, query};
use crate::error::{Error, Result};
use crate::id::{AnyId, CredentialId};
use crate::loader::loaders;
use crate::log;
use crate::log::{Refusal, Subject};
use crate::registry::payload;
use crate::time::Timestamp;

const SESSION_SECONDS: i64 = 14 * 24 * 3600;
const BLOCKED: Error = Error::Forbidden("this account is blocked: ask an administrator");

/// A browser that is signed in.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Session {
    #[graphql(skip)]
    pub id: CredentialId,
    /// The browser, as it names itself.
    pub name: String,
    /// The network address that it was started from.
    pub address: Option<String>,
    /// When it was started.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it ends by itself.
    #[graphql(name = "expiresAt")]
    pub expires_at_ms: Timestamp,
    /// When it was last used, to the minute; null if never.
    #[graphql(name = "lastUsedAt")]
    pub last_used_at_ms: Option<Timestamp>,
}

#[ComplexObject]
impl Session {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// Whether this request is part of it.
    async fn current(&self, ctx: &Context<'_>) -> bool {
        actor(ctx).session() == Some(&self.id)
    }
}

/// What to sign in with.
#[derive(InputObject)]
pub struct SignInInput {
    /// The user's name, such as `admin`.
    username: String,
    /// The password.
    password: String,
}

/// Which session to end.
#[derive(InputObject)]
pub struct RevokeSessionInput {
    /// The session's id.
    id: ID,
}

payload! {
    /// Who is now signed in.
    SignInPayload {
        /// The person.
        user: User
    }
}

payload! {
    /// The end of a session.
    SignOutPayload {
        /// Whether there was a session to end.
        signed_out: bool
    }
}

payload! {
    /// The session that ended.
    RevokeSessionPayload {
        /// What it was.
        session: Session
    }
}

#[derive(Default)]
pub struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Starts a session: the answer sets an HttpOnly cookie.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "User name and password.")] input: SignInInput,
    ) -> Result<SignInPayload> {
        let app = &loaders(ctx).loader().app;
        let (user, secret) = sign_in(app, actor(ctx), input).await?;
        ctx.append_http_header("set-cookie", cookie(app, &secret));
        Ok(SignInPayload { user })
    }

    /// Ends the session of the cookie.
    async fn sign_out(&self, ctx: &Context<'_>) -> Result<SignOutPayload> {
        let app = &loaders(ctx).loader().app;
        ctx.append_http_header("set-cookie", no_cookie(app));
        let Some(id) = actor(ctx).session() else {
            return Ok(SignOutPayload { signed_out: false });
        };
        let mut change = Change::begin(app, actor(ctx)).await?;
        end(&mut change, actor(ctx).user()?, "session.end", id).await?;
        change.commit().await?;
        Ok(SignOutPayload { signed_out: true })
    }

    /// Ends one of the caller's sessions, from the next request on.
    async fn revoke_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session.")] input: RevokeSessionInput,
    ) -> Result<RevokeSessionPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let account = access::account(actor(ctx))?;
        let not_found = || Error::not_found("session", input.id.as_str());
        let Ok(AnyId::CredentialId(id)) = AnyId::parse(&input.id) else {
            return Err(not_found());
        };
        let session =
            end(&mut change, account.user(), "session.revoke", &id).await?.ok_or_else(not_found)?;
        change.commit().await?;
        Ok(RevokeSessionPayload { session })
    }
}

/// Checks a password and starts a session; returns its secret. Takes as long for a name that is not
/// there as for a wrong password, and says the same.
async fn sign_in(app: &App, actor: &Actor, input: SignInInput) -> Result<(User, String)> {
    if app.config.no_password_sign_in {
        return Err(Error::Forbidden("sign-in with a password is switched off here"));
    }
    let wrong = || Error::Unauthenticated("user name or password is wrong");
    if input.username.contains('\0') || input.password.len() > password::MAX_BYTES {
        return Err(wrong());
    }
    let user = access::user::find_by_username(&app.db, &input.username).await?;
    let hash = user.as_ref().map(|user| user.password_hash.as_str());
    if !password::check_password(&app.access, actor, &input.username, hash, input.password).await? {
        // What is no user's name may be a password, typed into the wrong field.
        let subject = user.as_ref().map_or("", |user| &user.username);
        password::log_wrong_password(&app.access, actor, "session.create", subject).await?;
        return Err(wrong());
    }
    let user = user.ok_or_else(wrong)?;
    if user.blocked_at_ms.is_some() {
        let subject = &user.username;
        let refusal =
            Refusal { action: "session.create", subject, is_path: false, code: "FORBIDDEN" };
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
    let expires = change.now.plus_seconds(SESSION_SECONDS);
    let new = NewCredential {
        kind: CredentialKind::Session,
        name: actor.client.clone().unwrap_or_else(|| "unknown".to_owned()),
        scope: TokenScope::Admin,
        address: actor.address.map(|address| address.to_string()),
        expires_at_ms: Some(expires),
    };
    let (id, secret) = insert(change, user, new).await?;
    record(change, "session.create", user, &id).await?;
    Ok(secret)
}

async fn end(
    change: &mut Change,
    user: &User,
    action: &'static str,
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

async fn record(
    change: &mut Change,
    action: &'static str,
    user: &User,
    id: &CredentialId,
) -> Result<()> {
    let subject = Subject {
        name: user.username.clone(),
        project_id: None,
        model_id: None,
        object_id: id.raw(),
    };
    change.record(action, subject, serde_json::json!({})).await
}

/// The cookie of a new session.
pub fn cookie(app: &App, secret: &str) -> String {
    set_cookie(app, secret, SESSION_SECONDS)
}

/// Takes the cookie back.
pub fn no_cookie(app: &App) -> String {
    set_cookie(app, "", 0)
}

fn set_cookie(app: &App, secret: &str, seconds: i64) -> String {
    let public_url = app.config.public_url.as_deref().unwrap_or_default();
    let secure = if public_url.starts_with("https:") { "; Secure" } else { "" };
    format!("{SESSION_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

/// The live sessions of a user, newest first; at most a hundred.
pub async fn of_user(
    conn: impl Into<Conn<'_>>,
    user: &User,
    now: Timestamp,
) -> Result<Vec<Session>> {
    let sessions = query(
        "SELECT id, name, address, created_at_ms, expires_at_ms, last_used_at_ms FROM credentials
         WHERE user_id = $1 AND kind = 'SESSION' AND revoked_at_ms IS NULL AND expires_at_ms > $2
         ORDER BY id DESC LIMIT 100",
    )
    .bind(&user.id)
    .bind(now)
    .fetch_all(conn)
    .await?;
    Ok(sessions)
}

/// Forgets sessions that ended or expired.
pub async fn purge(app: &App) -> Result<()> {
    let mut tx = app.db.begin().await?;
    query(
        "DELETE FROM credentials
         WHERE kind = 'SESSION' AND (revoked_at_ms IS NOT NULL OR expires_at_ms <= $1)",
    )
    .bind(app.clock.now())
    .execute(&mut tx)
    .await?;
    tx.commit().await?;
    Ok(())
}
