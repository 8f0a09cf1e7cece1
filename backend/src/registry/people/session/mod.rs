//! Sessions: browsers that are signed in. A session is a cookie that no script can read.

pub mod graphql;
pub mod rules;

use async_graphql::SimpleObject;

use crate::access::user::User;
use crate::db::{Conn, query};
use crate::error::Result;
use crate::id::CredentialId;
use crate::time::Timestamp;

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
