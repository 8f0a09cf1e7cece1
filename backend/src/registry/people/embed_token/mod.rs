//! Embed tokens: what stands in a page of another site, and lets it show one project as a stranger sees a public one.
//!
//! They have no user and can change nothing. What they let see is decided in [`access::embed`](crate::access::embed).

pub mod graphql;
pub mod operations;
pub mod rules;

use async_graphql::{Context, SimpleObject};

use crate::access;
use crate::access::actor;
use crate::db::{Conn, query};
use crate::error::Result;
use crate::id::{EmbedTokenId, ProjectId, UserId};
use crate::loader::{Count, load_by_owner, loaders};
use crate::role::Role;
use crate::time::Timestamp;

/// A token that stands in pages of other sites, and lets them show a project as a stranger sees a public one.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct EmbedToken {
    #[graphql(skip)]
    pub id: EmbedTokenId,
    #[graphql(skip)]
    pub project_id: ProjectId,
    /// What it is for.
    pub name: String,
    /// Whether pages get the bytes of files with it.
    pub files: bool,
    #[graphql(skip)]
    pub only_models: bool,
    #[graphql(skip)]
    pub only_operations: bool,
    #[graphql(skip)]
    pub created_by_id: UserId,
    /// When it was made.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it stops working.
    #[graphql(name = "expiresAt")]
    pub expires_at_ms: Timestamp,
    /// When it was last used, to the minute; null if never.
    #[graphql(name = "lastUsedAt")]
    pub last_used_at_ms: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "e.id, e.project_id, e.name, e.files, e.only_models, e.only_operations, e.created_by_id, e.created_at_ms, \
         e.expires_at_ms, e.last_used_at_ms"
    };
}

/// An embed token that was not revoked.
pub(super) async fn find(
    conn: impl Into<Conn<'_>>,
    id: &EmbedTokenId,
) -> Result<Option<EmbedToken>> {
    let token = query(concat!(
        "SELECT ",
        columns!(),
        " FROM embed_tokens e WHERE e.id = $1 AND e.revoked_at_ms IS NULL"
    ))
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(token)
}

/// The embed token with this id that was not revoked, if the caller maintains its project.
pub async fn find_visible(ctx: &Context<'_>, id: &EmbedTokenId) -> Result<Option<EmbedToken>> {
    if actor(ctx).user().is_err() {
        return Ok(None);
    }
    let db = &loaders(ctx).loader().app.db;
    let Some(token) = find(db, id).await? else { return Ok(None) };
    let reader = access::reader_of(db, actor(ctx), &token.project_id).await?;
    Ok(reader.check_sees(Role::Maintainer).is_ok().then_some(token))
}

load_by_owner!(
    /// The embed tokens of a project that were not revoked, newest first.
    EmbedTokensOf => EmbedToken,
    concat!("SELECT e.project_id AS owner_id, ", columns!(), " FROM embed_tokens e WHERE e.revoked_at_ms IS NULL AND "),
    "e.project_id",
    " ORDER BY e.id DESC"
);

/// The origin of a page that a token may stand in.
#[derive(Clone, sqlx::FromRow)]
pub struct Origin {
    pub origin: String,
}

load_by_owner!(
    /// Whose pages an embed token may stand in.
    OriginsOf => Origin,
    "SELECT o.token_id AS owner_id, o.origin FROM embed_token_origins o WHERE ",
    "o.token_id",
    " ORDER BY o.origin"
);

/// A model that a token lets see.
#[derive(Clone, sqlx::FromRow)]
pub struct Shown {
    pub model_id: crate::id::ModelId,
}

load_by_owner!(
    /// The models that an embed token lets see.
    ModelsOf => Shown,
    "SELECT m.token_id AS owner_id, m.model_id FROM embed_token_models m WHERE ",
    "m.token_id",
    " ORDER BY m.model_id"
);

load_by_owner!(
    /// How many operations an embed token is for.
    OperationsOf => Count,
    "SELECT o.token_id AS owner_id, COUNT(*) AS total FROM embed_token_operations o WHERE ",
    "o.token_id",
    " GROUP BY o.token_id"
);
