//! Params: what a training run was started with. Written once: another value for the same name is refused.

use std::collections::HashMap;

use async_graphql::{Context, InputObject, SimpleObject};

use crate::change::Change;
use crate::db::{Conn, Query, Sql, Value, query};
use crate::error::{Error, Result};
use crate::loader::{load_by_owner, loaders};
use crate::registry::tag::{MAX_ROWS, check_count};
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

/// Logs params. The same value again changes nothing; another value is refused.
pub async fn insert_all(
    change: &mut Change,
    owner_id: &str,
    inputs: Vec<ParamInput>,
) -> Result<()> {
    if inputs.is_empty() {
        return Ok(());
    }
    check_count("params", inputs.len())?;
    let mut params = Vec::with_capacity(inputs.len());
    for (index, input) in inputs.into_iter().enumerate() {
        let name = text::key(format_args!("params[{index}].name"), input.name)?;
        let value = text::value(&format!("params[{index}].value"), input.value)?;
        params.push(Param { name, value });
    }
    for (chunk, params) in params.chunks(MAX_ROWS).enumerate() {
        let rows =
            params.iter().map(|param| [owner_id, &param.name, &param.value].map(Value::from));
        let mut sql = Sql::rows("INSERT INTO params (owner_id, name, value) VALUES", rows);
        sql.push(" ON CONFLICT (owner_id, name) DO NOTHING");
        Query::from(sql).later(change).await?;
        let mut sql = Sql::new("SELECT name, value FROM params WHERE owner_id = ?").bind(owner_id);
        sql = sql.and(Sql::is_in("name", params.iter().map(|param| &param.name)));
        let kept: Vec<(String, String)> = Query::from(sql).fetch_all(&mut **change).await?;
        let kept = HashMap::<_, _>::from_iter(kept);
        for (index, Param { name, value }) in params.iter().enumerate() {
            if kept.get(name) != Some(value) {
                let field = format!("params[{}].value", chunk * MAX_ROWS + index);
                let reason =
                    format!("params are written once, and {name:?} has another value already");
                return Err(Error::invalid(field, reason));
            }
        }
    }
    let (stored,): (i64,) = query("SELECT COUNT(*) FROM params WHERE owner_id = $1")
        .bind(owner_id)
        .fetch_one(&mut **change)
        .await?;
    check_count("params", usize::try_from(stored).unwrap_or(usize::MAX))
}

/// Gives a version the params of the candidate that it was made from.
pub async fn copy(change: &mut Change, from: &str, to: &str) -> Result<()> {
    query("INSERT INTO params (owner_id, name, value) SELECT $2, name, value FROM params WHERE owner_id = $1")
        .bind(from)
        .bind(to)
        .execute(change)
        .await?;
    Ok(())
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
pub async fn load(ctx: &Context<'_>, owner_id: &str) -> Result<Vec<Param>> {
    Ok(loaders(ctx).load_one(ParamsOf(owner_id.to_owned())).await?.unwrap_or_default())
}

load_by_owner!(
    /// The params of a candidate or version.
    ParamsOf => Param,
    "SELECT owner_id, name, value FROM params WHERE ",
    "owner_id",
    " ORDER BY owner_id, name"
);
