//! What people and scripts show to be recognised: [sessions](session) and access [tokens](token).
//!
//! Never stores a secret: only the SHA-256 of its 238 random bits, which no dictionary has.

pub mod session;
pub mod token;

use crate::access::credential::hash_secret;
use crate::access::user::User;
use crate::change::Change;
use crate::db::query;
use crate::error::Result;
use crate::id::{CredentialId, random_text};
use crate::role::{CredentialKind, TokenScope};
use crate::time::Timestamp;

pub use session::{Session, SessionMutation};
pub use token::{Token, TokenMutation, TokensOfProject, TokensOfUser};

struct NewCredential {
    kind: CredentialKind,
    name: String,
    scope: TokenScope,
    address: Option<String>,
    expires_at_ms: Option<Timestamp>,
}

/// Makes a credential of `user`; returns its id and its secret.
async fn insert(
    change: &mut Change,
    user: &User,
    new: NewCredential,
) -> Result<(CredentialId, String)> {
    let secret = format!("{}{}", new.kind.prefix(), random_text(40));
    let id = CredentialId::new(change.now);
    query(
        "INSERT INTO credentials
             (id, user_id, kind, name, scope, address, secret_sha256, created_at_ms, expires_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&id)
    .bind(&user.id)
    .bind(new.kind)
    .bind(new.name)
    .bind(new.scope)
    .bind(new.address)
    .bind(hash_secret(&secret))
    .bind(change.now)
    .bind(new.expires_at_ms)
    .execute(change)
    .await?;
    Ok((id, secret))
}

/// Stops whatever a person or robot shows to be recognised, from the next request on.
pub async fn end_all(change: &mut Change, user: &User, kind: CredentialKind) -> Result<()> {
    query(
        "UPDATE credentials SET revoked_at_ms = $2
         WHERE user_id = $1 AND kind = $3 AND revoked_at_ms IS NULL",
    )
    .bind(&user.id)
    .bind(change.now)
    .bind(kind)
    .execute(change)
    .await?;
    Ok(())
}
