//! The one exception from a log that nothing changes: an administrator redacts the value of a tag.

use super::{Event, columns};
use crate::access::Admin;
use crate::action::Action;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{EventId, ModelId};
use crate::log::Subject;
use crate::registry::webhook::outbox;

/// What stands in the place of a value.
const REDACTED: &str = "[redacted]";

/// Replaces the value that an event tells. The database's own trigger lets nothing else through.
pub async fn redact(change: &mut Change, _admin: &Admin, id: &EventId) -> Result<Event> {
    let not_found = || Error::not_found("event that tells the value of a tag", id.raw());
    let event: Option<Event> = query(concat!(
        "SELECT ",
        columns!(),
        " FROM events e WHERE e.id = $1 AND e.action IN ('tag.set', 'tag.delete') AND NOT e.refused"
    ))
    .bind(id)
    .fetch_optional(&mut **change)
    .await?;
    let mut event = event.ok_or_else(not_found)?;
    let mut detail: serde_json::Value =
        serde_json::from_str(&event.detail).map_err(Error::internal)?;
    detail["value"] = REDACTED.into();
    event.detail = detail.to_string();
    let (model_id, object_id): (Option<ModelId>, String) = query(
        "UPDATE events SET detail = $2 WHERE id = $1 RETURNING model_id, COALESCE(object_id, '')",
    )
    .bind(id)
    .bind(&event.detail)
    .fetch_one(&mut **change)
    .await?;
    outbox::remake(change, id).await?;
    let subject = Subject {
        name: event.subject.clone(),
        project_id: event.project_id.as_ref(),
        model_id: model_id.as_ref(),
        object_id: &object_id,
    };
    let detail = serde_json::json!({ "event": id.raw() });
    change.record(Action::EventRedact, subject, detail).await?;
    Ok(event)
}
