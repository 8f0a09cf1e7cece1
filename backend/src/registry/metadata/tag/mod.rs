//! Tags: free keys and values on models, versions, candidates, logged models and experiments.

pub mod graphql;
pub mod prompt;
pub mod rules;

use std::sync::Arc;

use async_graphql::{Context, InputObject, SimpleObject};

use crate::db::{Conn, query};
use crate::error::{Error, Result};
use crate::loader::{load_by_owner, loaders};
use crate::text;

/// How many tags, params or metrics one object can have: far above use. What is read of them at once is bounded in bytes.
pub const MAX_ENTRIES: usize = 100_000;
/// How many rows one statement inserts: few enough for the limits of both databases.
pub const MAX_ROWS: usize = 200;

/// A key and a value on a model, version or candidate.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
pub struct Tag {
    /// The key, unique on its object.
    pub key: String,
    /// The value; may be empty.
    pub value: String,
}

/// A tag to set.
#[derive(Clone, InputObject)]
pub struct TagInput {
    /// The key, 1–255 characters.
    pub key: String,
    /// The value, at most 100,000 characters.
    pub value: String,
}

/// `place` is where the input is among others, for messages.
pub(super) fn parse(place: &str, input: TagInput) -> Result<Tag> {
    Ok(Tag {
        key: text::new_key(format_args!("{place}key"), input.key)?,
        value: text::tag_value(&format!("{place}value"), input.value)?,
    })
}

/// Refuses more entries than one object may have.
pub fn check_count(field: &str, count: usize) -> Result<()> {
    if count > MAX_ENTRIES {
        return Err(Error::too_many(field, MAX_ENTRIES));
    }
    Ok(())
}

/// The tag with this key.
pub async fn find(conn: impl Into<Conn<'_>>, owner_id: &str, key: &str) -> Result<Option<Tag>> {
    let found = query("SELECT key, value FROM tags WHERE owner_id = $1 AND key = $2")
        .bind(owner_id)
        .bind(text::looked_up(key))
        .fetch_optional(conn)
        .await?;
    Ok(found)
}

/// The tags of an object, by key.
pub async fn load(ctx: &Context<'_>, owner_id: &str) -> Result<Arc<Vec<Tag>>> {
    Ok(loaders(ctx).load_one(TagsOf(owner_id.to_owned())).await?.unwrap_or_default())
}

load_by_owner!(
    /// The tags of an object.
    TagsOf => Tag,
    "SELECT owner_id, key, value FROM tags WHERE ",
    "owner_id",
    " ORDER BY owner_id, key"
);
