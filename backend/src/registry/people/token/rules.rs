//! The rules of tokens: made within what their maker may, and revoked.

use async_graphql::{InputObject, SimpleObject};

use super::{Token, find};
use crate::access::user::User;
use crate::access::{Account, Maintainer};
use crate::action::Action;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::log::Subject;
use crate::registry::people::credential::NewCredential;
use crate::registry::people::credential::rules::{end_all, insert};
use crate::registry::people::{member, user};
use crate::role::{CredentialKind, Role, TokenScope};
use crate::text;
use crate::time::Timestamp;

/// How many live tokens a person or a project can have.
const MAX_LIVE: i64 = 200;

/// A new personal access token.
#[derive(InputObject)]
pub struct CreateTokenInput {
    /// What it is for, 1–255 characters.
    pub name: String,
    /// Its scope, within what you can do yourself; WRITE if omitted.
    pub scope: Option<TokenScope>,
    /// When it stops working; if omitted, never, or as late as `Allowance.maxTokenDays` allows.
    pub expires_at: Option<Timestamp>,
}

/// A new token of a project.
#[derive(InputObject)]
pub struct CreateProjectTokenInput {
    /// The path of the project, such as `vision`.
    pub(super) project: String,
    /// What it is for, 1–255 characters.
    name: String,
    /// Its role in the project: at most MAINTAINER, and not higher than yours.
    role: Role,
    /// When it stops working; if omitted, never, or as late as `Allowance.maxTokenDays` allows.
    expires_at: Option<Timestamp>,
}

/// A new token.
#[derive(SimpleObject)]
pub struct CreateTokenPayload {
    /// The token, without its secret.
    pub token: Token,
    /// The secret to send. It is shown only this once: the registry stores only its hash.
    pub secret: String,
}

/// A new token of a project.
#[derive(SimpleObject)]
pub struct CreateProjectTokenPayload {
    /// The token, without its secret.
    token: Token,
    /// The secret to send. It is shown only this once: the registry stores only its hash.
    secret: String,
}

pub async fn create(
    change: &mut Change,
    user: &User,
    input: CreateTokenInput,
) -> Result<CreateTokenPayload> {
    let (live,): (i64,) = query(
        "SELECT COUNT(*) FROM credentials
         WHERE user_id = $1 AND kind = 'TOKEN' AND revoked_at_ms IS NULL",
    )
    .bind(&user.id)
    .fetch_one(&mut **change)
    .await?;
    check_room(live)?;
    let scope = input.scope.unwrap_or(TokenScope::Write);
    let (token, secret) = make(change, user, &input.name, scope, input.expires_at).await?;
    let detail = serde_json::json!({ "name": token.name, "scope": scope.as_str() });
    record(change, Action::TokenCreate, user, &token, detail).await?;
    Ok(CreateTokenPayload { token, secret })
}

pub(super) async fn create_for_project(
    change: &mut Change,
    maintainer: &Maintainer,
    _account: &Account,
    input: CreateProjectTokenInput,
) -> Result<CreateProjectTokenPayload> {
    if input.role > Role::Maintainer {
        return Err(Error::invalid(
            "role",
            "must be at most MAINTAINER: only people can be owners",
        ));
    }
    let name = text::new_name("name", &input.name)?;
    let (live,): (i64,) = query(
        "SELECT COUNT(*) FROM credentials c JOIN users u ON u.id = c.user_id
         WHERE u.project_id = $1 AND c.kind = 'TOKEN' AND c.revoked_at_ms IS NULL",
    )
    .bind(&maintainer.project().id)
    .fetch_one(&mut **change)
    .await?;
    check_room(live)?;
    let robot = user::rules::create_robot(change, maintainer, &name).await?;
    member::rules::add_robot(change, maintainer, &robot, input.role).await?;
    let (token, secret) = make(change, &robot, &name, TokenScope::Admin, input.expires_at).await?;
    let detail = serde_json::json!({ "name": token.name, "role": input.role.as_str() });
    record(change, Action::TokenCreate, &robot, &token, detail).await?;
    Ok(CreateProjectTokenPayload { token, secret })
}

/// Lists of tokens have no pages.
fn check_room(live: i64) -> Result<()> {
    if live >= MAX_LIVE {
        return Err(Error::Conflict(format!(
            "There can be at most {MAX_LIVE} active tokens. Revoke some first."
        )));
    }
    Ok(())
}

async fn make(
    change: &mut Change,
    user: &User,
    name: &str,
    scope: TokenScope,
    expires_at_ms: Option<Timestamp>,
) -> Result<(Token, String)> {
    let name = text::new_name("name", name)?;
    let expires_at_ms = change.allowed.token_end(change.now, expires_at_ms)?;
    if expires_at_ms.is_some_and(|expires_at| expires_at <= change.now) {
        return Err(Error::invalid("expiresAt", "must be in the future"));
    }
    let new =
        NewCredential { kind: CredentialKind::Token, name, scope, address: None, expires_at_ms };
    let (id, secret) = insert(change, user, new).await?;
    let token = find(&mut **change, &id).await?;
    Ok((token.ok_or_else(|| Error::internal("a new token is not there"))?, secret))
}

pub(super) async fn revoke(
    change: &mut Change,
    _account: &Account,
    owner: &User,
    token: &Token,
) -> Result<()> {
    let revoked =
        query("UPDATE credentials SET revoked_at_ms = $2 WHERE id = $1 AND revoked_at_ms IS NULL")
            .bind(&token.id)
            .bind(change.now)
            .execute(change)
            .await?;
    if revoked == 0 {
        return Err(Error::not_found("token", token.id.raw()));
    }
    if owner.is_robot() {
        end_all(change, owner, CredentialKind::Token).await?;
        query("DELETE FROM members WHERE user_id = $1").bind(&owner.id).execute(change).await?;
    }
    record(change, Action::TokenRevoke, owner, token, serde_json::json!({ "name": token.name }))
        .await
}

async fn record(
    change: &mut Change,
    action: Action,
    owner: &User,
    token: &Token,
    detail: serde_json::Value,
) -> Result<()> {
    let subject = Subject {
        name: if owner.is_robot() { &owner.name } else { &owner.username }.clone(),
        project_id: owner.project_id.as_ref(),
        model_id: None,
        object_id: token.id.raw(),
    };
    change.record(action, subject, detail).await
}
