//! The rules of credentials: one is made, and all of a user or robot end.

use super::NewCredential;
use crate::access::credential::hash_secret;
use crate::access::user::User;
use crate::change::Change;
use crate::db::query;
use crate::error::Result;
use crate::id::{CredentialId, random_text};
use crate::role::CredentialKind;

/// Makes a credential of `user`; returns its id and its secret.
pub async fn insert(
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
