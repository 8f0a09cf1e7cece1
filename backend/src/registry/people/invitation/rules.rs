//! The rules of invitations: made by administrators, accepted once.

use super::{INVITATION_SECONDS, NewInvitation, PREFIX, end_all};
use crate::access::credential::hash_secret;
use crate::access::user::User;
use crate::access::{self, Admin};
use crate::action::Action;
use crate::app::App;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{UserId, new_uuid, random_text};
use crate::registry::people::user;

/// Makes a link for a person; earlier ones stop working.
pub async fn create(
    change: &mut Change,
    _admin: &Admin,
    app: &App,
    user: &User,
) -> Result<NewInvitation> {
    if app.config.no_password_sign_in {
        return Err(Error::Forbidden(
            "Nobody can be invited here: accounts are created at the first single sign-on.",
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
    let base = app.config.public_url.as_ref().map(ToString::to_string).unwrap_or_default();
    Ok(NewInvitation { url: format!("{base}/invitation#{secret}"), expires_at })
}

pub(super) async fn accept(
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
    user::rules::set_password(change, &user, password_hash).await?;
    user::rules::record(change, Action::InvitationAccept, &user, serde_json::json!({})).await?;
    access::user::get_by_id(&mut **change, id).await.map(Some)
}
