//! The outbox: rows that the database wrote with events become messages, are claimed by whoever sends them, and settled after
//! each attempt.
//!
//! A claim is a lease: it puts the next attempt off, so that what a server took and never settled is sent again, by any server.
//! A message may so arrive twice, and has the same id and body each time.

use super::occurrence::{self, Occurrence};
use super::{Webhook, WebhookFormat, WebhookState, body, columns};
use crate::action::Action;
use crate::app::App;
use crate::db::{Db, Query, Sql, Tx, query};
use crate::error::Result;
use crate::id::{DeliveryId, EventId, WebhookId};
use crate::loader::Loaders;
use crate::log::{self, By, Line, Subject};
use crate::outbound::Sent;
use crate::registry::metadata::tag::{Tag, TagsOf};
use crate::time::Timestamp;

/// How long a claim lasts, in seconds: longer than any attempt.
const LEASE: i64 = 60;
/// When a message is tried again after each attempt that failed, in seconds: as Standard Webhooks 1.0.0 suggests, and once more at
/// the beginning, as most receivers that fail do so for a moment.
const DELAYS: [i64; 10] = [1, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// So many failures in a row, over so many seconds, and only one message is tried now and then.
const MOST_FAILURES: i64 = 10;
const FAILING: i64 = 3600;
/// The longest that it is left alone then, in seconds.
const MAX_PAUSE: i64 = 24 * 3600;
/// After so many seconds without any success nothing is sent any more.
const GIVEN_UP: i64 = 5 * 24 * 3600;
/// How many messages are made at once.
const MADE: i64 = 100;
/// What a receiver answers that wants nothing any more (RFC 9110 §15.5.11).
const GONE: u16 = 410;

/// A webhook that is sent to, and what waits for it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Waiting {
    #[sqlx(flatten)]
    pub hook: Webhook,
    /// When the first message is due; none if none waits.
    pub due_ms: Option<Timestamp>,
    /// Whether some are not made yet.
    pub has_unmade: bool,
}

impl Waiting {
    /// When something is to be sent.
    pub fn due(&self) -> Option<Timestamp> {
        self.due_ms.map(|due| self.hook.paused_until_ms.map_or(due, |paused| paused.max(due)))
    }
}

/// All webhooks that are not disabled.
pub async fn waiting(db: &Db, now: Timestamp) -> Result<Vec<Waiting>> {
    let hooks = query(concat!(
        "SELECT ",
        columns!(),
        ", (SELECT MIN(d.due_ms) FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.due_ms IS NOT NULL) AS due_ms,
         EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.body IS NULL AND d.due_ms <= $1)
             AS has_unmade
         FROM webhooks w WHERE w.deleted_at_ms IS NULL AND w.state <> 'DISABLED' ORDER BY w.id"
    ));
    Ok(hooks.bind(now).fetch_all(db).await?)
}

/// Makes messages of the next rows, and removes those that the webhook does not want. Two servers make the same ones.
pub async fn make(app: &App, db: &Db, hook: &Webhook) -> Result<()> {
    let mut sql = Sql::new(occurrence::SELECT);
    sql.push("d.webhook_id = ").push_value(&hook.id);
    sql.push(" AND d.body IS NULL AND d.due_ms <= ").push_value(app.clock.now());
    sql.push(" ORDER BY d.id").push_limit(MADE);
    let found: Vec<Occurrence> = Query::from(sql).fetch_all(db).await?;
    let of_tags = match hook.format {
        WebhookFormat::Mlflow => {
            found.iter().map(|event| TagsOf(event.object_id.clone())).collect()
        }
        _ => Vec::new(),
    };
    let tags = Loaders { app: app.clone() }.load_lists(of_tags).await?;
    let mut tx = db.begin().await?;
    for event in &found {
        let tags = tags.get(&TagsOf(event.object_id.clone())).map_or(&[][..], Vec::as_slice);
        made(app, hook, event, tags).later(&mut tx).await?;
    }
    Ok(tx.commit().await?)
}

/// The statement that makes a row what it becomes.
fn made(app: &App, hook: &Webhook, event: &Occurrence, tags: &[Tag]) -> Query {
    let of = |text: &'static str| query(text).bind(&event.delivery_id);
    if event.action().is_none() {
        // Another server's program knows it, which is newer.
        return of("UPDATE webhook_deliveries SET due_ms = $2 WHERE id = $1 AND body IS NULL AND due_ms IS NOT NULL")
            .bind(app.clock.now().plus_seconds(LEASE));
    }
    if !event.is_wanted_by(hook) {
        return of("DELETE FROM webhook_deliveries WHERE id = $1 AND body IS NULL");
    }
    match body::of(&app.config, hook, event, tags) {
        Ok(body) => {
            of("UPDATE webhook_deliveries SET body = $2 WHERE id = $1 AND body IS NULL").bind(body)
        }
        Err(error) => {
            tracing::error!(
                ?error,
                event = event.event_id,
                "a message to a webhook cannot be made"
            );
            of(
                "UPDATE webhook_deliveries SET state = 'FAILED', due_ms = NULL WHERE id = $1 AND body IS NULL",
            )
        }
    }
}

/// Has the messages that tell of an event be made anew: what it told is not to be told any more.
pub async fn remake(change: &mut Tx, event: &EventId) -> Result<()> {
    query("UPDATE webhook_deliveries SET body = NULL WHERE event_id = $1")
        .bind(event)
        .execute(change)
        .await?;
    Ok(())
}

/// Takes the right to send the one message that a webhook is tried with which backs off; false where another server has.
pub async fn take_probe(db: &Db, hook: &WebhookId, now: Timestamp) -> Result<bool> {
    let taken =
        query("UPDATE webhooks SET paused_until_ms = $3 WHERE id = $1 AND paused_until_ms <= $2")
            .bind(hook)
            .bind(now)
            .bind(now.plus_seconds(LEASE))
            .alone(db)
            .await?;
    Ok(taken == 1)
}

/// A message that is to be sent now, by whoever claimed it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Claimed {
    pub id: DeliveryId,
    pub event_id: Option<String>,
    #[sqlx(rename = "body")]
    pub text: String,
    /// Which attempt it is, from 1.
    pub attempts: i64,
    /// How often it was tried since it was last asked for.
    pub tries: i64,
}

impl Claimed {
    /// What receivers know the message by.
    pub fn message_id(&self) -> &str {
        self.event_id.as_deref().unwrap_or(self.id.raw())
    }
}

/// Claims the next messages that are due, at most so many.
pub async fn claim(db: &Db, hook: &WebhookId, now: Timestamp, most: i64) -> Result<Vec<Claimed>> {
    let mut sql = Sql::new(
        "UPDATE webhook_deliveries SET attempts = attempts + 1, tries = tries + 1, due_ms = ",
    );
    sql.push_value(now.plus_seconds(LEASE));
    sql.push(" WHERE id IN (SELECT id FROM webhook_deliveries WHERE webhook_id = ")
        .push_value(hook);
    sql.push(" AND due_ms <= ").push_value(now);
    sql.push(" AND body IS NOT NULL ORDER BY due_ms, id").push_limit(most);
    sql.push(db.skipping_locked()).push(") RETURNING id, event_id, body, attempts, tries");
    let mut tx = db.begin().await?;
    let mut claimed: Vec<Claimed> = Query::from(sql).fetch_all(&mut tx).await?;
    tx.commit().await?;
    claimed.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(claimed)
}

/// Notes what became of an attempt, and what follows for the message and its webhook. The webhook is held first, as by all who
/// change more than one message of it.
pub async fn settle(
    db: &Db,
    now: Timestamp,
    hook: &Webhook,
    claimed: &Claimed,
    sent: &Sent,
) -> Result<()> {
    let mut tx = db.begin().await?;
    if sent.is_success() {
        query(
            "UPDATE webhooks SET failures = 0, failing_since_ms = NULL, paused_until_ms = NULL, state = 'ACTIVE', state_reason = NULL
             WHERE id = $1 AND state <> 'DISABLED' AND failures > 0",
        )
        .bind(&hook.id)
        .execute(&mut tx)
        .await?;
        note(&mut tx, now, claimed, sent).await?;
        end(&mut tx, claimed, "DELIVERED").await?;
        return Ok(tx.commit().await?);
    }
    let failing = count_failure(&mut tx, now, hook).await?;
    note(&mut tx, now, claimed, sent).await?;
    match delay_after(claimed.tries) {
        None => end(&mut tx, claimed, "FAILED").await?,
        Some(delay) => put_off(&mut tx, now, claimed, sent, delay).await?,
    }
    if let Some(failing) = failing {
        follow(&mut tx, now, hook, &failing, sent).await?;
    }
    Ok(tx.commit().await?)
}

/// Has a message be tried again in so many milliseconds, or when the receiver asked for it.
async fn put_off(
    tx: &mut Tx,
    now: Timestamp,
    claimed: &Claimed,
    sent: &Sent,
    delay: i64,
) -> Result<()> {
    let asked = sent.answer.as_ref().ok().and_then(|answer| answer.retry_after);
    let asked = asked.map_or(0, |asked| i64::try_from(asked.as_millis()).unwrap_or(i64::MAX));
    query("UPDATE webhook_deliveries SET due_ms = $3 WHERE id = $1 AND attempts = $2 AND due_ms IS NOT NULL")
        .bind(&claimed.id)
        .bind(claimed.attempts)
        .bind(now.millis().saturating_add(delay.max(asked)))
        .execute(tx)
        .await?;
    Ok(())
}

/// Notes an attempt in the history.
pub async fn note(tx: &mut Tx, now: Timestamp, claimed: &Claimed, sent: &Sent) -> Result<()> {
    let answer = sent.answer.as_ref();
    query(
        "INSERT INTO webhook_attempts (delivery_id, number, at_ms, milliseconds, status, answer, error)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&claimed.id)
    .bind(claimed.attempts)
    .bind(now)
    .bind(sent.milliseconds)
    .bind(answer.ok().map(|answer| i64::from(answer.status)))
    .bind(answer.ok().map(|answer| answer.text.clone()))
    .bind(answer.err().cloned())
    .execute(tx)
    .await?;
    Ok(())
}

async fn end(tx: &mut Tx, claimed: &Claimed, state: &'static str) -> Result<()> {
    query(
        "UPDATE webhook_deliveries SET state = $3, due_ms = NULL WHERE id = $1 AND attempts = $2 AND due_ms IS NOT NULL",
    )
    .bind(&claimed.id)
    .bind(claimed.attempts)
    .bind(state)
    .execute(tx)
    .await?;
    Ok(())
}

/// In how many milliseconds a message is tried again that was tried so often; none when that is as often as it is.
fn delay_after(tries: i64) -> Option<i64> {
    let index = usize::try_from(tries - 1).unwrap_or_default();
    DELAYS.get(index).map(|seconds| spread(*seconds))
}

/// A time in seconds, a tenth more or less, in milliseconds: many that failed together shall not come back together.
fn spread(seconds: i64) -> i64 {
    let mut random = [0];
    getrandom::fill(&mut random).expect("the operating system gives random numbers");
    seconds * (900 + i64::from(random[0]) * 200 / 255)
}

/// How long a webhook has failed.
struct Failing {
    times: i64,
    since: Timestamp,
}

/// Counts a failure, and holds the webhook; none if it is disabled.
async fn count_failure(tx: &mut Tx, now: Timestamp, hook: &Webhook) -> Result<Option<Failing>> {
    let counted: Option<(i64, Timestamp)> = query(
        "UPDATE webhooks SET failures = failures + 1, failing_since_ms = COALESCE(failing_since_ms, $2)
         WHERE id = $1 AND state <> 'DISABLED' RETURNING failures, failing_since_ms",
    )
    .bind(&hook.id)
    .bind(now)
    .fetch_optional(tx)
    .await?;
    Ok(counted.map(|(times, since)| Failing { times, since }))
}

/// What follows from a failure: the webhook may pause or end.
async fn follow(
    tx: &mut Tx,
    now: Timestamp,
    hook: &Webhook,
    Failing { times, since }: &Failing,
    sent: &Sent,
) -> Result<()> {
    if sent.answer.as_ref().is_ok_and(|answer| answer.status == GONE) {
        return give_up(
            tx,
            now,
            hook,
            "The receiver answered 410 (Gone): it wants no messages any more.",
        )
        .await;
    }
    if *since <= now.plus_seconds(-GIVEN_UP) {
        return give_up(tx, now, hook, "No message arrived for 5 days.").await;
    }
    if *times < MOST_FAILURES || *since > now.plus_seconds(-FAILING) {
        return Ok(());
    }
    // The longer it fails, the longer it is left alone: half as long again, and a day at most.
    let pause = ((now.millis() - since.millis()) / 2000).min(MAX_PAUSE);
    query("UPDATE webhooks SET state = $2, state_reason = $3, paused_until_ms = $4 WHERE id = $1")
        .bind(&hook.id)
        .bind(WebhookState::BackingOff)
        .bind(format!("{times} attempts in a row failed. Only one message is tried now and then."))
        .bind(now.millis() + spread(pause))
        .execute(tx)
        .await?;
    Ok(())
}

/// Disables a webhook by itself, which its owners find in the log.
async fn give_up(tx: &mut Tx, now: Timestamp, hook: &Webhook, reason: &str) -> Result<()> {
    disable(tx, &hook.id, reason).await?;
    let subject = hook.subject();
    let detail = serde_json::json!({ "reason": reason });
    let line = Line { action: Action::WebhookDisable, subject, detail, refused: false };
    let nobody = By { user: None, credential: None, address: None };
    Query::from(line.insert(&nobody, now)).later(tx).await?;
    log::publish(tx);
    Ok(())
}

/// Ends that a webhook is sent anything, and that anything waits.
pub async fn disable(tx: &mut Tx, hook: &WebhookId, reason: &str) -> Result<()> {
    query(
        "UPDATE webhooks SET state = $2, state_reason = $3, paused_until_ms = NULL WHERE id = $1",
    )
    .bind(hook)
    .bind(WebhookState::Disabled)
    .bind(reason)
    .execute(tx)
    .await?;
    end_all(tx, hook, "FAILED").await
}

/// Ends all that waits of a webhook.
pub async fn end_all(tx: &mut Tx, hook: &WebhookId, state: &'static str) -> Result<()> {
    query("UPDATE webhook_deliveries SET state = $2, due_ms = NULL WHERE webhook_id = $1 AND due_ms IS NOT NULL")
        .bind(hook)
        .bind(state)
        .execute(tx)
        .await?;
    Ok(())
}

impl Webhook {
    /// As the log names it.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            name: self.name.clone(),
            project_id: self.project_id.as_ref(),
            model_id: None,
            object_id: self.id.raw(),
        }
    }
}
