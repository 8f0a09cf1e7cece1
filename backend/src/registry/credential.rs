//! What people and scripts show to be recognised: sessions and personal access tokens.
//!
//! Never stores a secret: only the SHA-256 of its 238 random bits, which no dictionary has.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::auth::{Actor, SESSION_COOKIE, actor};
use crate::db::{Conn, query};
use crate::error::{Error, Result};
use crate::id::{AnyId, CredentialId, random_text};
use crate::loader::loaders;
use crate::registry::event::{Change, Subject};
use crate::registry::payload;
use crate::registry::user::{self, User};
use crate::text;
use crate::time::Timestamp;

const SESSION_SECONDS: i64 = 14 * 24 * 3600;
/// How stale a last-used time may be: a write for every request would cost more than it tells.
const LAST_USED_MILLIS: i64 = 60_000;

/// A personal access token: what a script sends instead of a password.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Token {
    #[graphql(skip)]
    pub id: CredentialId,
    /// What it is for.
    pub name: String,
    /// When it was made.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it stops working; null if never.
    #[graphql(name = "expiresAt")]
    pub expires_at_ms: Option<Timestamp>,
    /// When it was last used, to the minute; null if never.
    #[graphql(name = "lastUsedAt")]
    pub last_used_at_ms: Option<Timestamp>,
}

#[ComplexObject]
impl Token {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
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

/// A new personal access token.
#[derive(InputObject)]
pub struct CreateTokenInput {
    /// What it is for, 1–255 characters.
    pub name: String,
    /// When it stops working; omitted: never.
    pub expires_at: Option<Timestamp>,
}

/// Which token to revoke.
#[derive(InputObject)]
pub struct RevokeTokenInput {
    /// The token's id.
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

/// A new token.
#[derive(SimpleObject)]
pub struct CreateTokenPayload {
    /// What is kept of it.
    pub token: Token,
    /// The token itself. It is shown this once: only a hash of it is stored.
    pub secret: String,
}

payload! {
    /// The token that stopped working.
    RevokeTokenPayload {
        /// What it was.
        token: Token
    }
}

#[derive(Default)]
pub struct CredentialMutation;

#[Object]
impl CredentialMutation {
    /// Starts a session: the answer sets an HttpOnly cookie.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "User name and password.")] input: SignInInput,
    ) -> Result<SignInPayload> {
        let app = &loaders(ctx).loader().app;
        let (user, secret) = sign_in(app, input).await?;
        ctx.append_http_header("set-cookie", session_cookie(app, &secret, SESSION_SECONDS));
        Ok(SignInPayload { user })
    }

    /// Ends the session of the cookie.
    async fn sign_out(&self, ctx: &Context<'_>) -> Result<SignOutPayload> {
        let app = &loaders(ctx).loader().app;
        ctx.append_http_header("set-cookie", session_cookie(app, "", 0));
        let Actor::User { user, credential, by_cookie: true } = actor(ctx) else {
            return Ok(SignOutPayload { signed_out: false });
        };
        let mut change = Change::begin(app, actor(ctx)).await?;
        revoke(&mut change, user, CredentialKind::Session, credential).await?;
        change.commit().await?;
        Ok(SignOutPayload { signed_out: true })
    }

    /// Makes a personal access token for the caller.
    async fn create_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its name and expiry.")] input: CreateTokenInput,
    ) -> Result<CreateTokenPayload> {
        let app = &loaders(ctx).loader().app;
        let mut change = Change::begin(app, actor(ctx)).await?;
        let payload = create_token(&mut change, actor(ctx).user()?, input).await?;
        change.commit().await?;
        Ok(payload)
    }

    /// Stops one of the caller's tokens from working, from the next request on.
    async fn revoke_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which token.")] input: RevokeTokenInput,
    ) -> Result<RevokeTokenPayload> {
        let app = &loaders(ctx).loader().app;
        let not_found = || Error::not_found("token", input.id.as_str());
        let Ok(AnyId::CredentialId(id)) = AnyId::parse(&input.id) else {
            return Err(not_found());
        };
        let mut change = Change::begin(app, actor(ctx)).await?;
        let token = revoke(&mut change, actor(ctx).user()?, CredentialKind::Token, &id)
            .await?
            .ok_or_else(not_found)?;
        change.commit().await?;
        Ok(RevokeTokenPayload { token })
    }
}

#[derive(Clone, Copy, PartialEq)]
pub enum CredentialKind {
    Session,
    Token,
}

impl CredentialKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Session => "SESSION",
            Self::Token => "TOKEN",
        }
    }

    /// What its secrets begin with, so that secret scanners know them.
    fn prefix(self) -> &'static str {
        match self {
            Self::Session => "mrs_",
            Self::Token => "mrt_",
        }
    }
}

/// Checks a password and starts a session; returns its secret. Takes as long for a name that is not
/// there as for a wrong password, and says the same.
async fn sign_in(app: &App, input: SignInInput) -> Result<(User, String)> {
    let refused = || Error::Unauthenticated("user name or password is wrong");
    if input.username.contains('\0') || input.password.len() > user::MAX_PASSWORD_BYTES {
        return Err(refused());
    }
    let user = user::find_by_username(&app.db, &input.username).await?;
    let right = user::verify_password(app, user.as_ref(), input.password).await?;
    let user = user.filter(|_| right).ok_or_else(refused)?;
    let secret = new_secret(CredentialKind::Session);
    let mut change = Change::begin_as(app, user.id.clone()).await?;
    let expires = change.now.plus_seconds(SESSION_SECONDS);
    let new = NewCredential {
        kind: CredentialKind::Session,
        name: "browser".to_owned(),
        secret: &secret,
        expires_at_ms: Some(expires),
    };
    let session = insert_credential(&mut change, &user, new).await?;
    record(&mut change, "session.create", &user, &session).await?;
    change.commit().await?;
    Ok((user, secret))
}

pub async fn create_token(
    change: &mut Change,
    user: &User,
    input: CreateTokenInput,
) -> Result<CreateTokenPayload> {
    let name = text::name("name", &input.name)?;
    if input.expires_at.is_some_and(|expires_at| expires_at <= change.now) {
        return Err(Error::invalid("expiresAt", "must be in the future"));
    }
    let secret = new_secret(CredentialKind::Token);
    let new = NewCredential {
        kind: CredentialKind::Token,
        name,
        secret: &secret,
        expires_at_ms: input.expires_at,
    };
    let token = insert_credential(change, user, new).await?;
    record(change, "token.create", user, &token).await?;
    Ok(CreateTokenPayload { token, secret })
}

async fn revoke(
    change: &mut Change,
    user: &User,
    kind: CredentialKind,
    id: &CredentialId,
) -> Result<Option<Token>> {
    let token: Option<Token> = query(
        "UPDATE credentials SET revoked_at_ms = $3
         WHERE id = $1 AND user_id = $2 AND kind = $4 AND revoked_at_ms IS NULL
         RETURNING id, name, created_at_ms, expires_at_ms, last_used_at_ms",
    )
    .bind(id)
    .bind(&user.id)
    .bind(change.now)
    .bind(kind.as_str())
    .fetch_optional(&mut **change)
    .await?;
    if let Some(token) = &token {
        let action = match kind {
            CredentialKind::Session => "session.end",
            CredentialKind::Token => "token.revoke",
        };
        record(change, action, user, token).await?;
    }
    Ok(token)
}

async fn record(
    change: &mut Change,
    action: &'static str,
    user: &User,
    token: &Token,
) -> Result<()> {
    let subject = Subject {
        name: user.username.clone(),
        project_id: None,
        model_id: None,
        object_id: token.id.raw(),
    };
    change.record(action, subject, serde_json::json!({ "name": token.name })).await
}

fn session_cookie(app: &App, secret: &str, seconds: i64) -> String {
    let public_url = app.config.public_url.as_deref().unwrap_or_default();
    let secure = if public_url.starts_with("https:") { "; Secure" } else { "" };
    format!("{SESSION_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

fn new_secret(kind: CredentialKind) -> String {
    format!("{}{}", kind.prefix(), random_text(40))
}

fn hash_secret(secret: &str) -> String {
    crate::store::hex(&Sha256::digest(secret.as_bytes()))
}

struct NewCredential<'a> {
    kind: CredentialKind,
    name: String,
    secret: &'a str,
    expires_at_ms: Option<Timestamp>,
}

async fn insert_credential(
    change: &mut Change,
    user: &User,
    new: NewCredential<'_>,
) -> Result<Token> {
    let token = query(
        "INSERT INTO credentials (id, user_id, kind, name, secret_sha256, created_at_ms, expires_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         RETURNING id, name, created_at_ms, expires_at_ms, last_used_at_ms",
    )
    .bind(CredentialId::new(change.now))
    .bind(&user.id)
    .bind(new.kind.as_str())
    .bind(new.name)
    .bind(hash_secret(new.secret))
    .bind(change.now)
    .bind(new.expires_at_ms)
    .fetch_one(&mut **change)
    .await?;
    Ok(token)
}

/// The live personal access tokens of a user, newest first.
pub async fn tokens(conn: impl Into<Conn<'_>>, user: &User) -> Result<Vec<Token>> {
    let tokens = query(
        "SELECT id, name, created_at_ms, expires_at_ms, last_used_at_ms
         FROM credentials WHERE user_id = $1 AND kind = 'TOKEN' AND revoked_at_ms IS NULL
         ORDER BY id DESC",
    )
    .bind(&user.id)
    .fetch_all(conn)
    .await?;
    Ok(tokens)
}

#[derive(sqlx::FromRow)]
struct Recognised {
    #[sqlx(flatten)]
    user: User,
    credential_id: CredentialId,
    last_used_at_ms: Option<Timestamp>,
}

/// Who holds this secret, if it is a live credential of that kind.
pub async fn find_by_secret(
    app: &App,
    kind: CredentialKind,
    secret: &str,
) -> Result<Option<(User, CredentialId)>> {
    if !secret.starts_with(kind.prefix()) {
        return Ok(None);
    }
    let now = app.clock.now();
    let found: Option<Recognised> = query(
        "SELECT u.id, u.username, u.name, u.password_hash, u.is_admin, u.created_at_ms,
                c.id AS credential_id, c.last_used_at_ms
         FROM credentials c JOIN users u ON u.id = c.user_id
         WHERE c.secret_sha256 = $1 AND c.kind = $2 AND c.revoked_at_ms IS NULL
           AND (c.expires_at_ms IS NULL OR c.expires_at_ms > $3)",
    )
    .bind(hash_secret(secret))
    .bind(kind.as_str())
    .bind(now)
    .fetch_optional(&app.db)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let stale = |last: Timestamp| now.millis() - last.millis() > LAST_USED_MILLIS;
    if found.last_used_at_ms.is_none_or(stale) {
        // Beside the request: reading goes on where nothing can be written.
        let (app, id) = (app.clone(), found.credential_id.clone());
        tokio::spawn(async move {
            if let Err(error) = touch(&app, &id, now).await {
                tracing::warn!(?error, "cannot note when a credential was used");
            }
        });
    }
    Ok(Some((found.user, found.credential_id)))
}

async fn touch(app: &App, id: &CredentialId, now: Timestamp) -> Result<()> {
    let mut tx = app.db.begin().await?;
    query("UPDATE credentials SET last_used_at_ms = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute(&mut tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Forgets sessions that ended or expired.
pub async fn purge_sessions(app: &App) -> Result<()> {
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
