//! The rules of params: logged once each, or copied with a run.

use std::collections::HashMap;

use super::{Param, ParamInput};
use crate::change::Change;
use crate::db::{Query, Sql, Value, query};
use crate::error::{Error, Result};
use crate::registry::metadata::tag::{MAX_ROWS, check_count};
use crate::text;

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
        let name = text::new_key(format_args!("params[{index}].name"), input.name)?;
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
                let reason = format!(
                    "can't be changed: the param {name:?} was already logged with another value"
                );
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
