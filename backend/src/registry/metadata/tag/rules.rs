//! The rules of tags: set and removed, so many at most.

use std::collections::BTreeMap;

use super::{MAX_ROWS, Tag, TagInput, check_count, parse, prompt};
use crate::access::Writer;
use crate::action::Action;
use crate::change::Change;
use crate::db::{Query, Sql, query};
use crate::error::{Error, Result};
use crate::registry::target::Target;
use crate::text;

pub async fn set(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    input: TagInput,
) -> Result<Tag> {
    target.touch(change).await?;
    let tag = parse("", input)?;
    prompt::check_sealed(change, target, &tag.key, Some(&tag.value)).await?;
    insert(change, target.id(), vec![tag.clone()]).await?;
    check_stored(change, target.id()).await?;
    let detail = serde_json::json!({ "key": tag.key, "value": tag.value });
    change.record(Action::TagSet, target.subject(), detail).await?;
    Ok(tag)
}

pub async fn delete(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    key: &str,
) -> Result<Tag> {
    target.touch(change).await?;
    prompt::check_sealed(change, target, key, None).await?;
    let tag: Tag = query("DELETE FROM tags WHERE owner_id = $1 AND key = $2 RETURNING key, value")
        .bind(target.id())
        .bind(text::looked_up(key))
        .fetch_optional(&mut **change)
        .await?
        .ok_or_else(|| Error::not_found("tag", key))?;
    let detail = serde_json::json!({ "key": tag.key, "value": tag.value });
    change.record(Action::TagDelete, target.subject(), detail).await?;
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

async fn insert(change: &mut Change, owner_id: &str, tags: Vec<Tag>) -> Result<()> {
    for tags in tags.chunks(MAX_ROWS) {
        let rows = tags.iter().map(|tag| [owner_id.into(), (&tag.key).into(), (&tag.value).into()]);
        let mut sql = Sql::rows("INSERT INTO tags (owner_id, key, value) VALUES", rows);
        sql.push(" ON CONFLICT (owner_id, key) DO UPDATE SET value = excluded.value");
        Query::from(sql).later(change).await?;
    }
    Ok(())
}
