//! Invitations: one-time links with which a person sets their password, at first or anew.
//!
//! Never stores the secret in a link: only its SHA-256. The link has it behind `#`, which no server or
//! proxy sees.

pub mod graphql;
pub mod rules;

use async_graphql::SimpleObject;

use crate::access::credential::hash_secret;
use crate::access::user::User;
use crate::change::Change;
use crate::db::{Conn, query};
use crate::error::Result;
use crate::id::UserId;
use crate::time::Timestamp;

pub(super) const INVITATION_SECONDS: i64 = 7 * 24 * 3600;
pub(super) const PREFIX: &str = "mri_";

/// A new one-time link with which a person sets their password.
#[derive(SimpleObject)]
pub struct NewInvitation {
    /// The link; only its path if the server has no `--public-url`. It is shown only this once, works
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
    /// The username to sign in with.
    username: String,
    /// The name to show.
    name: String,
    /// When it stops working.
    #[graphql(name = "expiresAt")]
    expires_at_ms: Timestamp,
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

pub(super) async fn find(
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
