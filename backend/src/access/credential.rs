//! Credentials as they are recognised: who holds a secret, and whether they still may what they could. How tokens and
//! sessions are made and ended is in [`registry::people::credential`](crate::registry::people::credential).

use sha2::{Digest, Sha256};

use super::actor::Actor;
use super::user::User;
use super::{Access, embed};
use crate::db::{Conn, Db, query};
use crate::error::{Error, Result};
use crate::id::CredentialId;
use crate::role::{CredentialKind, TokenScope};
use crate::time::Timestamp;

/// How stale a last-used time may be: a write for every request would cost more than it tells.
const LAST_USED_MILLIS: i64 = 60_000;

/// What is stored of a secret.
pub fn hash_secret(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Somebody who showed a live credential.
#[derive(Clone, sqlx::FromRow)]
pub struct Recognised {
    #[sqlx(flatten)]
    pub user: User,
    pub credential_id: CredentialId,
    #[sqlx(rename = "credential_kind", try_from = "String")]
    pub kind: CredentialKind,
    #[sqlx(try_from = "String")]
    pub scope: TokenScope,
    pub expires_at_ms: Option<Timestamp>,
    last_used_at_ms: Option<Timestamp>,
    /// The state of who may what that this is true of, where it is known.
    #[sqlx(skip)]
    pub generation: Option<u64>,
}

/// Who holds this secret, if it is a live credential of that kind, of somebody who may come in.
pub async fn find_by_secret(
    access: &Access,
    kind: CredentialKind,
    secret: &str,
) -> Result<Option<Recognised>> {
    if !secret.starts_with(kind.prefix()) {
        return Ok(None);
    }
    let now = access.clock.now();
    let (generation, key) = (Conn::from(&access.db).access_generation(), hash_secret(secret));
    let found = match access.cache.credentials.get(generation, &key) {
        Some(found) => found,
        None => {
            let found =
                find(&access.db, &key).await?.map(|found| Recognised { generation, ..found });
            access.cache.credentials.keep(generation, key, found.as_ref());
            found
        }
    };
    let live = |found: &Recognised| {
        found.kind == kind && found.expires_at_ms.is_none_or(|expires_at| expires_at > now)
    };
    let Some(found) = found.filter(live) else { return Ok(None) };
    if found.last_used_at_ms.is_none_or(|last| is_stale(last, now)) {
        // Beside the request: reading goes on where nothing can be written.
        let (db, user, id) = (access.db.clone(), found.user.clone(), found.credential_id.clone());
        access.beside.spawn(async move {
            if let Err(error) = touch(&db, &user, &id, now).await {
                tracing::warn!(?error, "cannot note when a credential was used");
            }
        });
    }
    Ok(Some(found))
}

/// Whether a last-used time is to be written anew.
pub fn is_stale(last: Timestamp, now: Timestamp) -> bool {
    now.millis() - last.millis() > LAST_USED_MILLIS
}

/// Those who may come in with a credential that was not revoked.
macro_rules! recognised {
    () => {
        concat!(
            "SELECT ",
            super::user::columns!(),
            ", c.id AS credential_id, c.kind AS credential_kind, c.scope, c.expires_at_ms, c.last_used_at_ms
             FROM credentials c JOIN users u ON u.id = c.user_id
             WHERE c.revoked_at_ms IS NULL AND u.blocked_at_ms IS NULL AND u.deleted_at_ms IS NULL AND "
        )
    };
}

/// Who holds the secret of this hash.
async fn find(db: &Db, hash: &str) -> Result<Option<Recognised>> {
    let found = query(concat!(recognised!(), "c.secret_sha256 = $1"));
    Ok(found.bind(hash).fetch_optional(db).await?)
}

/// Who holds this credential, if it is live.
pub(super) async fn find_live(
    db: &Db,
    id: &CredentialId,
    now: Timestamp,
) -> Result<Option<Recognised>> {
    let found = query(concat!(
        recognised!(),
        "c.id = $1 AND (c.expires_at_ms IS NULL OR c.expires_at_ms > $2)"
    ));
    Ok(found.bind(id).bind(now).fetch_optional(db).await?)
}

/// Refuses somebody who was recognised a while ago, and may not come in any more as they did then.
pub async fn check_live(conn: impl Into<Conn<'_>>, actor: &Actor, now: Timestamp) -> Result<()> {
    let mut conn = conn.into();
    if let Some(embed) = actor.embed() {
        return match embed::is_live(conn, &embed.id, now).await? {
            true => Ok(()),
            false => Err(Error::Unauthenticated("The embed token does not work any more.")),
        };
    }
    let Ok(user) = actor.user() else { return Ok(()) };
    let unchanged = actor.is_unchanged(conn.access_generation(), now);
    if unchanged || is_live(conn.again(), user, actor.credential(), now).await? {
        return Ok(());
    }
    Err(Error::Unauthenticated("Your account or token has changed. Sign in again."))
}

/// Whether somebody who was recognised when the request began still may what they could then: by a token or session that
/// is good still, or by a password that is the same still.
pub async fn is_live(
    conn: impl Into<Conn<'_>>,
    user: &User,
    credential: Option<&CredentialId>,
    now: Timestamp,
) -> Result<bool> {
    let found: Option<(String,)> = query(
        "SELECT u.id FROM users u
         WHERE u.id = $1 AND u.is_admin = $2 AND u.blocked_at_ms IS NULL AND u.deleted_at_ms IS NULL
           AND ($3 IS NOT NULL OR u.password_hash = $5)
           AND ($3 IS NULL OR EXISTS
               (SELECT 1 FROM credentials c WHERE c.id = $3 AND c.revoked_at_ms IS NULL
                AND (c.expires_at_ms IS NULL OR c.expires_at_ms > $4)))",
    )
    .bind(&user.id)
    .bind(user.is_admin)
    .bind(credential.map(|id| id.raw().to_owned()))
    .bind(now)
    .bind(&user.password_hash)
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Whether there is, or was, such a credential.
pub async fn exists(conn: impl Into<Conn<'_>>, id: &CredentialId) -> Result<bool> {
    let found: Option<(String,)> =
        query("SELECT id FROM credentials WHERE id = $1").bind(id).fetch_optional(conn).await?;
    Ok(found.is_some())
}

/// Notes when a credential was used. Users are always locked before what they have: nothing waits for
/// each other.
async fn touch(db: &Db, user: &User, id: &CredentialId, now: Timestamp) -> Result<()> {
    let mut tx = db.begin().await?;
    query("UPDATE users SET last_seen_at_ms = $2 WHERE id = $1")
        .bind(&user.id)
        .bind(now)
        .execute(&mut tx)
        .await?;
    query("UPDATE credentials SET last_used_at_ms = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute(&mut tx)
        .await?;
    tx.commit().await?;
    Ok(())
}
