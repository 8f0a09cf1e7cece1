//! The log, written: lines of who did what to which object, when. Append-only; nothing here edits or deletes a line.
//!
//! A rule writes its line by the [`Change`](crate::change::Change) that it is part of, so the log can neither miss a
//! change nor invent one. What was refused is a line of its own. How the log is read is in
//! [`event`](crate::registry::event).

use std::net::IpAddr;

use crate::action::Action;
use crate::db::{Changed, Db, Query, Sql, Tx, Value, query};
use crate::error::Result;
use crate::id::{CredentialId, EventId, ModelId, ProjectId, UserId};
use crate::text;
use crate::time::Timestamp;

/// The topic under which is published that there is a new line.
pub const TOPIC: &str = "log";

/// Has everybody hear who follows the log.
pub fn publish(tx: &mut Tx) {
    tx.publish(Changed { id: TOPIC.to_owned(), part_of: Vec::new() });
}

/// What an event is about.
pub struct Subject<'a> {
    pub name: String,
    pub project_id: Option<&'a ProjectId>,
    pub model_id: Option<&'a ModelId>,
    /// The raw id of the object itself.
    pub object_id: &'a str,
}

/// Who makes a change, with what, and from where.
#[derive(Clone)]
pub struct By {
    pub user: Option<UserId>,
    pub credential: Option<CredentialId>,
    pub address: Option<IpAddr>,
}

/// A line that is to be written.
pub struct Line<'a> {
    pub action: Action,
    pub subject: Subject<'a>,
    pub detail: serde_json::Value,
    pub refused: bool,
}

impl Line<'_> {
    /// The statement that inserts it, to which a condition may be added.
    pub fn insert(self, by: &By, now: Timestamp) -> Sql {
        let mut sql = Sql::new(
            "INSERT INTO events (id, at_ms, actor_id, action, subject, detail, project_id, model_id,
                                 object_id, credential_id, address, refused) SELECT ",
        );
        let values: [Value; 12] = [
            EventId::new(now).into(),
            now.into(),
            by.user.as_ref().map(|id| id.raw().to_owned()).into(),
            self.action.into(),
            self.subject.name.into(),
            self.detail.to_string().into(),
            self.subject.project_id.map(|id| id.raw().to_owned()).into(),
            self.subject.model_id.map(|id| id.raw().to_owned()).into(),
            self.subject.object_id.into(),
            by.credential.as_ref().map(|id| id.raw().to_owned()).into(),
            by.address.map(|address| address.to_string()).into(),
            self.refused.into(),
        ];
        for (index, value) in values.into_iter().enumerate() {
            sql.push(if index == 0 { "" } else { ", " }).push_value(value);
        }
        sql
    }
}

/// A change that was refused.
pub struct Refusal<'a> {
    pub action: Action,
    /// What it was about, as the caller named it: the path of a project or model, a username, an id.
    pub subject: &'a str,
    /// Whether `subject` is a path.
    pub is_path: bool,
    /// The code of the error.
    pub code: &'static str,
    /// What else the caller named, such as the alias that was to be moved.
    pub named: serde_json::Map<String, serde_json::Value>,
}

/// Writes a refused change into the log.
pub async fn record_refusal(db: &Db, now: Timestamp, by: &By, refusal: Refusal<'_>) -> Result<()> {
    let place = match refusal.is_path {
        true => place_of(db, text::looked_up(refusal.subject)).await?,
        false => None,
    };
    let (project_id, model_id) = place.unwrap_or_default();
    let subject = Subject {
        name: refusal.subject.replace('\0', "").chars().take(1024).collect(),
        project_id: project_id.as_ref(),
        model_id: model_id.as_ref(),
        object_id: "",
    };
    let mut detail = refusal.named;
    detail.insert("code".to_owned(), refusal.code.into());
    let mut tx = db.begin().await?;
    let line = Line { action: refusal.action, subject, detail: detail.into(), refused: true };
    Query::from(line.insert(by, now)).later(&mut tx).await?;
    publish(&mut tx);
    Ok(tx.commit().await?)
}

/// Whether there is a project at this path, or was one, whoever may see it.
pub async fn is_project(db: &Db, path: &str) -> Result<bool> {
    Ok(place_of(db, text::looked_up(path)).await?.is_some())
}

/// The project, and the model if one is named, that a path leads to, whoever may see them.
async fn place_of(db: &Db, path: &str) -> Result<Option<(Option<ProjectId>, Option<ModelId>)>> {
    let (project, model) = path.split_once('/').unwrap_or((path, ""));
    let place = query(
        "SELECT p.id, COALESCE(
             (SELECT m.id FROM models m
              WHERE m.project_id = p.id AND m.name = $2 AND m.deleted_at_ms IS NULL),
             (SELECT f.model_id FROM former_names f
              WHERE f.project_id = p.id AND f.name = $2 AND f.leads LIMIT 1))
         FROM projects p
         WHERE p.path = $1 OR p.id IN (SELECT f.project_id FROM former_paths f WHERE f.path = $1 AND f.leads)
         ORDER BY p.deleted_at_ms DESC NULLS FIRST, CASE WHEN p.path = $1 THEN 0 ELSE 1 END LIMIT 1",
    )
    .bind(project)
    .bind(text::nfc(model))
    .fetch_optional(db)
    .await?;
    Ok(place)
}
