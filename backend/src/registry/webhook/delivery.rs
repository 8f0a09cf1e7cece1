//! Deliveries: what a webhook was sent, or will be, and each attempt.

use async_graphql::SimpleObject;

use crate::connection::{Connection, Node};
use crate::db::{Db, Query, Sql, query};
use crate::error::Result;
use crate::id::{DeliveryId, WebhookId};
use crate::loader::{load_by_id, load_by_owner};
use crate::page::{List, OrderDirection, Page, Sort};
use crate::time::Timestamp;
use crate::words::text_enum;

/// How long a delivery is kept that is over, in seconds, and how many of a webhook are.
const KEPT_SECONDS: i64 = 30 * 24 * 3600;
const KEPT: i64 = 1000;
/// How many may wait of a webhook.
const MAX_WAITING: i64 = 10_000;

text_enum! {
    /// What became of a delivery. More may come.
    WebhookDeliveryState {
        /// It waits to be sent, for the first time or again.
        Pending = "PENDING",
        /// The receiver took it.
        Delivered = "DELIVERED",
        /// It was tried as often as it is.
        Failed = "FAILED",
        /// Too many were waiting, or the webhook was deleted.
        Dropped = "DROPPED",
    }
}

/// A message to a webhook.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct WebhookDelivery {
    #[graphql(skip)]
    pub id: DeliveryId,
    #[graphql(skip)]
    pub webhook_id: WebhookId,
    #[graphql(skip)]
    pub event_id: Option<String>,
    #[graphql(skip)]
    pub action: String,
    /// When it happened, or the test was sent.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// What became of it.
    #[sqlx(try_from = "String")]
    pub state: WebhookDeliveryState,
    /// What is sent; null until it is made.
    pub body: Option<String>,
    /// When it is tried next, if nothing keeps the webhook from it; null if it is not.
    #[graphql(name = "dueAt")]
    pub due_ms: Option<Timestamp>,
    #[graphql(skip)]
    pub attempts: i64,
}

/// The columns of [`WebhookDelivery`].
macro_rules! columns {
    () => {
        "d.id, d.webhook_id, d.event_id, d.action, d.created_at_ms, d.state, d.body, d.due_ms, d.attempts"
    };
}

load_by_id!(DeliveryId => WebhookDelivery, concat!("SELECT ", columns!(), " FROM webhook_deliveries d WHERE "), "d.id");

impl Node for WebhookDelivery {
    const NAME: &'static str = "WebhookDelivery";
}

/// One attempt to deliver a message.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
pub struct WebhookAttempt {
    /// Its number, from 1.
    pub number: i64,
    /// When it was made.
    #[graphql(name = "at")]
    pub at_ms: Timestamp,
    /// How long it took.
    pub milliseconds: i64,
    /// The HTTP status of the answer; null if there was none.
    pub status: Option<i64>,
    /// The first 4 KiB of the answer, as text; empty from an address that is not public.
    pub answer: Option<String>,
    /// Why there was no answer; null if there was one.
    pub error: Option<String>,
}

load_by_owner!(
    /// The attempts of a delivery, in order.
    AttemptsOf => WebhookAttempt,
    "SELECT a.delivery_id AS owner_id, a.number, a.at_ms, a.milliseconds, a.status, a.answer, a.error
     FROM webhook_attempts a WHERE ",
    "a.delivery_id",
    " ORDER BY a.delivery_id, a.number"
);

/// The deliveries of a webhook, newest first.
pub fn list_of(
    hook: &WebhookId,
    state: Option<WebhookDeliveryState>,
    page: Page,
) -> Connection<WebhookDelivery> {
    let filter = match state {
        Some(state) => Sql::new("d.state = ?").bind(state),
        None => Sql::new("TRUE"),
    };
    let list = List {
        columns: columns!(),
        from: "webhook_deliveries d",
        parent: Some("d.webhook_id"),
        filter,
        sort: Sort::text("d.id", "d.id", OrderDirection::Desc),
    };
    Connection::new(list, page, hook.raw())
}

/// Forgets deliveries that are over and old, or too many.
pub async fn purge(db: &Db, now: Timestamp) -> Result<()> {
    // What came while a webhook was disabled or deleted, by changes that did not know of it yet.
    query(
        "UPDATE webhook_deliveries SET state = 'DROPPED', due_ms = NULL WHERE due_ms IS NOT NULL
             AND webhook_id IN (SELECT id FROM webhooks WHERE deleted_at_ms IS NOT NULL OR state = 'DISABLED')",
    )
    .alone(db)
    .await?;
    query("DELETE FROM webhook_deliveries WHERE due_ms IS NULL AND created_at_ms < $1")
        .bind(now.plus_seconds(-KEPT_SECONDS))
        .alone(db)
        .await?;
    let hooks: Vec<(String,)> =
        query("SELECT webhook_id FROM webhook_deliveries GROUP BY webhook_id HAVING COUNT(*) > $1")
            .bind(KEPT)
            .fetch_all(db)
            .await?;
    for (hook,) in hooks {
        let mut sql =
            Sql::new("DELETE FROM webhook_deliveries WHERE due_ms IS NULL AND webhook_id = ");
        sql.push_value(hook.as_str()).push(" AND id <= ").push_sql(last_but(&hook, KEPT, ""));
        Query::from(sql).alone(db).await?;
    }
    Ok(())
}

/// Drops all that waits, in a database that was restored: it may have arrived since, or is of a registry that goes on elsewhere.
pub async fn drop_all(db: &Db) -> Result<()> {
    query(
        "UPDATE webhook_deliveries SET state = 'DROPPED', due_ms = NULL WHERE due_ms IS NOT NULL",
    )
    .alone(db)
    .await?;
    Ok(())
}

/// The migration that made the table.
pub const SCHEMA: i64 = 33;

/// Drops the oldest of what waits, where too much does. Returns how many.
pub async fn drop_oldest(db: &Db, hook: &WebhookId) -> Result<u64> {
    let waits = " AND due_ms IS NOT NULL";
    let last = last_but(hook.raw(), MAX_WAITING, waits);
    let mut sql = Sql::new(
        "SELECT COUNT(*) FROM webhook_deliveries WHERE due_ms IS NOT NULL AND webhook_id = ",
    );
    sql.push_value(hook).push(" AND id <= ").push_sql(last.clone());
    // Asked first: nearly never there is anything to do.
    let (too_many,): (i64,) = Query::from(sql).fetch_one(db).await?;
    if too_many == 0 {
        return Ok(0);
    }
    let mut sql = Sql::new(
        "UPDATE webhook_deliveries SET state = 'DROPPED', due_ms = NULL WHERE due_ms IS NOT NULL AND webhook_id = ",
    );
    sql.push_value(hook).push(" AND id <= ").push_sql(last);
    Ok(Query::from(sql).alone(db).await?)
}

/// The newest of the deliveries of a webhook but so many.
fn last_but(hook: &str, count: i64, condition: &str) -> Sql {
    let mut sql = Sql::new("(SELECT id FROM webhook_deliveries WHERE webhook_id = ");
    sql.push_value(hook).push(condition).push(" ORDER BY id DESC LIMIT 1 OFFSET ");
    sql.push_value(count).push(")");
    sql
}
