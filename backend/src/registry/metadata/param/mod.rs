//! Params: what a training run was started with. Written once: another value for the same name is refused.

pub mod rules;

use std::sync::Arc;

use async_graphql::{Context, InputObject, SimpleObject};

use crate::db::{Conn, query};
use crate::error::Result;
use crate::loader::{load_by_owner, loaders};
use crate::text;

/// A hyper-parameter of a training run.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
pub struct Param {
    /// The name, unique in its run.
    pub name: String,
    /// The value, as text.
    pub value: String,
}

/// A param to log.
#[derive(Clone, InputObject)]
pub struct ParamInput {
    /// The name, 1–255 characters.
    pub name: String,
    /// The value, at most 8,000 characters.
    pub value: String,
}

/// The param with this name.
pub async fn find(conn: impl Into<Conn<'_>>, owner_id: &str, name: &str) -> Result<Option<Param>> {
    let found = query("SELECT name, value FROM params WHERE owner_id = $1 AND name = $2")
        .bind(owner_id)
        .bind(text::looked_up(name))
        .fetch_optional(conn)
        .await?;
    Ok(found)
}

/// The params of a candidate or version, by name.
pub async fn load(ctx: &Context<'_>, owner_id: &str) -> Result<Arc<Vec<Param>>> {
    Ok(loaders(ctx).load_one(ParamsOf(owner_id.to_owned())).await?.unwrap_or_default())
}

load_by_owner!(
    /// The params of a candidate or version.
    ParamsOf => Param,
    "SELECT owner_id, name, value FROM params WHERE ",
    "owner_id",
    " ORDER BY owner_id, name"
);
