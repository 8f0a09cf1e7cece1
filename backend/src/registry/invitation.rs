//! Invitations: one-time links with which a person sets their password, at first or anew.
//!
//! Never stores the secret in a link: only its SHA-256. The link has it behind `#`, which no server or
//! proxy sees.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use crate::access::credential::hash_secret;
use crate::access::user::User;
use crate::access::{self, password};
use crate::access::{Admin, actor};
use crate::app::App;
use crate::change::Change;
use crate::db::{Conn, query};
use crate::error::{Error, Result};
use crate::id::{UserId, new_uuid, random_text};
use crate::loader::loaders;
use crate::page::LOOK_UP;
use crate::registry::credential::session;
use crate::registry::payload;
use crate::registry::user;
use crate::text;
use crate::time::Timestamp;

const INVITATION_SECONDS: i64 = 7 * 24 * 3600;
const PREFIX: &str = "mri_";

/// A new one-time link with which a person sets their password.
#[derive(SimpleObject)]
pub struct NewInvitation {
    /// The link; only its path where the server was not told its `--public-url`. It is shown this once, works
    /// once, and only until it expires.
    url: String,
    /// When it stops working.
    expires_at: Timestamp,
}

/// What a one-time link is for.
#[derive(sqlx::FromRow, SimpleObject)]
pub struct Invitation {
    #[graphql(skip)]
    user_id: UserId,
    /// The user name to sign in with.
    username: String,
    /// The name to show, as it is by now.
    name: String,
    /// When it stops working.
    #[graphql(name = "expiresAt")]
    expires_at_ms: Timestamp,
}

/// The password to set with a one-time link.
#[derive(InputObject)]
pub struct AcceptInvitationInput {
    /// What the link has behind `#`.
    secret: String,
    /// The password: at least 12 characters.
    password: String,
    /// The name to show; as it is if omitted.
    name: Option<String>,
}

payload! {
    /// Who is now signed in.
    AcceptInvitationPayload {
        /// The person.
        user: User
    }
}

#[derive(Default)]
pub struct InvitationQuery;

#[Object]
impl InvitationQuery {
    /// What a one-time link is for; null if it is wrong, expired or used.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the link has behind `#`.")] secret: String,
    ) -> Result<Option<Invitation>> {
        let app = &loaders(ctx).loader().app;
        find(&app.db, app.clock.now(), &secret).await
    }
}

#[derive(Default)]
pub struct InvitationMutation;

#[Object]
impl InvitationMutation {
    /// Sets the password of who was invited, and starts a session: the answer sets an HttpOnly cookie.
    /// The link works no more.
    async fn accept_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The secret, a password and a name.")] input: AcceptInvitationInput,
    ) -> Result<AcceptInvitationPayload> {
        let app = &loaders(ctx).loader().app;
        if app.config.no_password_sign_in {
            return Err(Error::Forbidden("sign-in with a password is switched off here"));
        }
        let unknown = || Error::not_found("invitation", "");
        // Looked at before the password is hashed: strangers cannot keep the server busy.
        let known = find(&app.db, app.clock.now(), &input.secret).await?.ok_or_else(unknown)?;
        let name = input.name.map(|name| text::name("name", &name)).transpose()?;
        password::check_new("password", &input.password)?;
        let hash = app.access.passwords.hash(input.password).await?;
        let user = access::user::get_by_id(&app.db, &known.user_id).await?;
        let mut change = Change::begin(app, &actor(ctx).recognised(user)).await?;
        let user = accept(&mut change, &known.user_id, &input.secret, &hash, name)
            .await?
            .ok_or_else(unknown)?;
        let secret = session::start(&mut change, &user, actor(ctx)).await?;
        change.commit().await?;
        ctx.append_http_header("set-cookie", session::cookie(app, &secret));
        Ok(AcceptInvitationPayload { user })
    }
}

/// Makes a link for a person; earlier ones stop working.
pub async fn create(
    change: &mut Change,
    _admin: &Admin,
    app: &App,
    user: &User,
) -> Result<NewInvitation> {
    if app.config.no_password_sign_in {
        return Err(Error::Forbidden(
            "people are added when they first sign in: there are no passwords",
        ));
    }
    end_all(change, user).await?;
    let secret = format!("{PREFIX}{}", random_text(40));
    let expires_at = change.now.plus_seconds(INVITATION_SECONDS);
    query(
        "INSERT INTO invitations (id, user_id, secret_sha256, created_by_id, created_at_ms, expires_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(new_uuid(change.now))
    .bind(&user.id)
    .bind(hash_secret(&secret))
    .bind(change.author())
    .bind(change.now)
    .bind(expires_at)
    .execute(change)
    .await?;
    let base = app.config.public_url.as_deref().unwrap_or_default();
    Ok(NewInvitation { url: format!("{base}/invitation#{secret}"), expires_at })
}

async fn accept(
    change: &mut Change,
    id: &UserId,
    secret: &str,
    password_hash: &str,
    name: Option<String>,
) -> Result<Option<User>> {
    query("UPDATE users SET name = COALESCE($2, name) WHERE id = $1")
        .bind(id)
        .bind(name)
        .execute(change)
        .await?;
    let used = query(
        "UPDATE invitations SET ended_at_ms = $2
         WHERE secret_sha256 = $1 AND user_id = $3 AND ended_at_ms IS NULL AND expires_at_ms > $2",
    )
    .bind(hash_secret(secret))
    .bind(change.now)
    .bind(id)
    .execute(change)
    .await?;
    if used == 0 {
        return Ok(None);
    }
    let user = access::user::get_by_id(&mut **change, id).await?;
    user::set_password(change, &user, password_hash).await?;
    user::record(change, "invitation.accept", &user, serde_json::json!({})).await?;
    access::user::get_by_id(&mut **change, id).await.map(Some)
}

/// Lets the links of a person work no more.
pub async fn end_all(change: &mut Change, user: &User) -> Result<()> {
    query("UPDATE invitations SET ended_at_ms = $2 WHERE user_id = $1 AND ended_at_ms IS NULL")
        .bind(&user.id)
        .bind(change.now)
        .execute(change)
        .await?;
    Ok(())
}

async fn find(
    conn: impl Into<Conn<'_>>,
    now: Timestamp,
    secret: &str,
) -> Result<Option<Invitation>> {
    let found = query(
        "SELECT i.user_id, u.username, u.name, i.expires_at_ms
         FROM invitations i JOIN users u ON u.id = i.user_id
         WHERE i.secret_sha256 = $1 AND i.ended_at_ms IS NULL AND i.expires_at_ms > $2
           AND u.blocked_at_ms IS NULL AND u.deleted_at_ms IS NULL",
    )
    .bind(hash_secret(secret))
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(found)
}
