//! How webhooks are found.

use super::{Webhook, WebhookFormat, columns};
use crate::db::{Conn, Sql, query};
use crate::error::Result;
use crate::id::WebhookId;
use crate::loader::load_by_owner;
use crate::page::{List, OrderDirection, Sort};

/// A webhook that was not deleted.
pub async fn find(conn: impl Into<Conn<'_>>, id: &WebhookId) -> Result<Option<Webhook>> {
    let found = query(concat!(
        "SELECT ",
        columns!(),
        " FROM webhooks w WHERE w.id = $1 AND w.deleted_at_ms IS NULL"
    ));
    Ok(found.bind(id).fetch_optional(conn).await?)
}

load_by_owner!(
    /// The webhooks of a project that were not deleted, newest first.
    WebhooksOf => Webhook,
    concat!("SELECT w.project_id AS owner_id, ", columns!(), " FROM webhooks w WHERE w.deleted_at_ms IS NULL AND "),
    "w.project_id",
    " ORDER BY w.id DESC"
);

/// The webhooks of the registry that were not deleted, newest first.
pub async fn of_registry(conn: impl Into<Conn<'_>>) -> Result<Vec<Webhook>> {
    let found = query(concat!(
        "SELECT ",
        columns!(),
        " FROM webhooks w WHERE w.project_id IS NULL AND w.deleted_at_ms IS NULL ORDER BY w.id DESC"
    ));
    Ok(found.fetch_all(conn).await?)
}

/// The webhooks of a project whose messages are of one format, newest first.
pub fn list(format: WebhookFormat) -> List {
    List {
        columns: columns!(),
        from: "webhooks w",
        parent: Some("w.project_id"),
        filter: Sql::new("w.deleted_at_ms IS NULL AND w.format = ?").bind(format),
        sort: Sort::text("w.id", "w.id", OrderDirection::Desc),
    }
}
