//! Tags: free keys and values on models, versions, candidates, logged models and experiments.

use std::collections::BTreeMap;

use async_graphql::{Context, InputObject, Object, SimpleObject};

use crate::access::{Writer, actor};
use crate::change::Change;
use crate::db::{Conn, Query, Sql, query};
use crate::error::{Error, Result};
use crate::loader::{load_by_owner, loaders};
use crate::registry::object;
use crate::registry::payload;
use crate::registry::target::Target;
use crate::text;

/// How many tags, params or metrics one object can have.
pub const MAX_ENTRIES: usize = 2000;
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

/// A tag to set on a model or, with `version` or `candidate`, on one of its versions or candidates.
#[derive(InputObject)]
pub struct SetTagInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version: `1.2.0`, `^1.2`, `@champion` or `latest`.
    version: Option<String>,
    /// The number of the candidate.
    candidate: Option<i32>,
    /// The key, 1–255 characters.
    key: String,
    /// The value, at most 100,000 characters.
    value: String,
}

/// A tag to remove from a model or, with `version` or `candidate`, from one of its versions or candidates.
#[derive(InputObject)]
pub struct DeleteTagInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version: `1.2.0`, `^1.2`, `@champion` or `latest`.
    version: Option<String>,
    /// The number of the candidate.
    candidate: Option<i32>,
    /// The key.
    key: String,
}

payload! {
    /// The tag that was set.
    SetTagPayload {
        /// The tag.
        tag: Tag
    }
}
payload! {
    /// The tag that was removed.
    DeleteTagPayload {
        /// The tag as it was.
        tag: Tag
    }
}

#[derive(Default)]
pub struct TagMutation;

#[Object]
impl TagMutation {
    /// Sets a tag on a model, version or candidate; an earlier value is replaced.
    async fn set_tag(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which object, key and value.")] input: SetTagInput,
    ) -> Result<SetTagPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let (model, version) = (&input.model, input.version.as_deref());
        let (writer, target) =
            object::writable(&mut change, actor(ctx), model, version, input.candidate).await?;
        let tag = TagInput { key: input.key, value: input.value };
        let tag = set(&mut change, &writer, &target, tag).await?;
        change.commit().await?;
        Ok(SetTagPayload { tag })
    }

    /// Removes a tag from a model, version or candidate.
    async fn delete_tag(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which object and key.")] input: DeleteTagInput,
    ) -> Result<DeleteTagPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let (model, version) = (&input.model, input.version.as_deref());
        let (writer, target) =
            object::writable(&mut change, actor(ctx), model, version, input.candidate).await?;
        let tag = delete(&mut change, &writer, &target, &input.key).await?;
        change.commit().await?;
        Ok(DeleteTagPayload { tag })
    }
}

pub async fn set(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    input: TagInput,
) -> Result<Tag> {
    target.touch(change).await?;
    let tag = parse("", input)?;
    insert(change, target.id(), vec![tag.clone()]).await?;
    check_stored(change, target.id()).await?;
    let detail = serde_json::json!({ "key": tag.key, "value": tag.value });
    change.record("tag.set", target.subject(), detail).await?;
    Ok(tag)
}

pub async fn delete(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    key: &str,
) -> Result<Tag> {
    target.touch(change).await?;
    let tag: Tag = query("DELETE FROM tags WHERE owner_id = $1 AND key = $2 RETURNING key, value")
        .bind(target.id())
        .bind(text::looked_up(key))
        .fetch_optional(&mut **change)
        .await?
        .ok_or_else(|| Error::not_found("tag", key))?;
    let detail = serde_json::json!({ "key": tag.key, "value": tag.value });
    change.record("tag.delete", target.subject(), detail).await?;
    Ok(tag)
}

/// Sets several tags of an object at once.
pub async fn insert_all(change: &mut Change, owner_id: &str, inputs: Vec<TagInput>) -> Result<()> {
    if inputs.is_empty() {
        return Ok(());
    }
    check_count("tags", inputs.len())?;
    // Of a key that is there twice the last value counts.
    let mut tags = BTreeMap::new();
    for (index, input) in inputs.into_iter().enumerate() {
        let tag = parse(&format!("tags[{index}]."), input)?;
        tags.insert(tag.key.clone(), tag);
    }
    insert(change, owner_id, tags.into_values().collect()).await?;
    check_stored(change, owner_id).await
}

async fn check_stored(change: &mut Change, owner_id: &str) -> Result<()> {
    let (stored,): (i64,) = query("SELECT COUNT(*) FROM tags WHERE owner_id = $1")
        .bind(owner_id)
        .fetch_one(&mut **change)
        .await?;
    check_count("tags", usize::try_from(stored).unwrap_or(usize::MAX))
}

/// `place` is where the input is among others, for messages.
fn parse(place: &str, input: TagInput) -> Result<Tag> {
    Ok(Tag {
        key: text::key(format_args!("{place}key"), input.key)?,
        value: text::tag_value(&format!("{place}value"), input.value)?,
    })
}

async fn insert(change: &mut Change, owner_id: &str, tags: Vec<Tag>) -> Result<()> {
    for tags in tags.chunks(MAX_ROWS) {
        let rows = tags.iter().map(|tag| [owner_id.into(), (&tag.key).into(), (&tag.value).into()]);
        let mut sql = Sql::rows("INSERT INTO tags (owner_id, key, value) VALUES", rows);
        sql.push(" ON CONFLICT (owner_id, key) DO UPDATE SET value = excluded.value");
        Query::from(sql).later(change).await?;
    }
    Ok(())
}

/// Refuses more entries than one object may have.
pub fn check_count(field: &str, count: usize) -> Result<()> {
    if count > MAX_ENTRIES {
        return Err(Error::at_most(field, MAX_ENTRIES));
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
pub async fn load(ctx: &Context<'_>, owner_id: &str) -> Result<Vec<Tag>> {
    Ok(loaders(ctx).load_one(TagsOf(owner_id.to_owned())).await?.unwrap_or_default())
}

load_by_owner!(
    /// The tags of an object.
    TagsOf => Tag,
    "SELECT owner_id, key, value FROM tags WHERE ",
    "owner_id",
    " ORDER BY owner_id, key"
);
