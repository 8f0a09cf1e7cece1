//! The sender: one task of each server, which sends what is due to webhooks.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::delivery;
use super::outbox::{self, Claimed, Waiting};
use super::{Webhook, WebhookState, body};
use crate::app::App;
use crate::db::Db;
use crate::error::Result;
use crate::id::WebhookId;
use crate::log;
use crate::outbound::Sent;
use crate::outbound::message::Message;
use crate::time::Timestamp;

/// How many requests are under way to one webhook, and in all.
const MOST_OF_ONE: usize = 2;
const MOST: usize = 20;
/// How long is waited at least between two looks at the outbox, and at most.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(60);

/// Sends for ever. What is under way when it is dropped is sent again when its claim ends.
pub async fn run(app: &App) {
    let mut watch = None;
    let mut sender = Sender {
        app,
        db: app.db.patient(),
        sending: JoinSet::new(),
        busy: HashMap::new(),
        pruned: None,
        turn: 0,
    };
    loop {
        let looked = Instant::now();
        let next = match sender.look().await {
            Ok(Some(due)) => {
                let millis = u64::try_from(due.millis() - app.clock.now().millis()).unwrap_or(0);
                LONGEST.min(Duration::from_millis(millis))
            }
            Ok(None) => LONGEST,
            Err(error) => {
                tracing::error!(?error, "sending to webhooks failed");
                Duration::from_secs(5)
            }
        };
        let watched = match &watch {
            Some(watched) => watched,
            // What came before it listened it has seen, or sees at the next look.
            None => {
                watch = Some(app.db.watch(log::TOPIC).await);
                continue;
            }
        };
        tokio::select! {
            _ = watched.changed(1) => {}
            Some(ended) = sender.sending.join_next(), if !sender.sending.is_empty() => sender.ended(ended.ok()),
            () = sleep_until(looked + next) => {}
        }
        while let Some(ended) = sender.sending.try_join_next() {
            sender.ended(ended.ok());
        }
        sleep(SHORTEST.saturating_sub(looked.elapsed())).await;
    }
}

struct Sender<'a> {
    app: &'a App,
    db: Db,
    sending: JoinSet<WebhookId>,
    /// How many requests are under way to each webhook.
    busy: HashMap<WebhookId, usize>,
    /// When was last looked whether too much waits.
    pruned: Option<Instant>,
    /// Whose turn it is.
    turn: usize,
}

impl Sender<'_> {
    /// Looks at the outbox once: makes messages, and begins to send those that are due. Returns when the next are.
    async fn look(&mut self) -> Result<Option<Timestamp>> {
        let mut waiting = outbox::waiting(&self.db, self.app.clock.now()).await?;
        waiting.retain(|waiting| waiting.due_ms.is_some());
        // Each is the first in turn: those that are slow shall not have all the room.
        self.turn = self.turn.wrapping_add(1);
        let first = self.turn.checked_rem(waiting.len()).unwrap_or_default();
        waiting.rotate_left(first);
        let prunes = self.pruned.is_none_or(|pruned| pruned.elapsed() >= LONGEST);
        if prunes {
            self.pruned = Some(Instant::now());
        }
        let mut next: Option<Timestamp> = None;
        for waiting in &waiting {
            match self.look_at(waiting, prunes).await {
                Ok(Some(due)) => next = Some(next.map_or(due, |next| next.min(due))),
                Ok(None) => {}
                // What is wrong with one shall not keep the others.
                Err(error) => {
                    tracing::error!(?error, webhook = waiting.hook.name, "sending failed");
                }
            }
        }
        Ok(next)
    }

    async fn look_at(&mut self, waiting: &Waiting, prunes: bool) -> Result<Option<Timestamp>> {
        let hook = &waiting.hook;
        if waiting.has_unmade {
            outbox::make(self.app, &self.db, hook).await?;
        }
        if prunes {
            self.prune(hook).await?;
        }
        let (now, free) = (self.app.clock.now(), self.free(hook));
        match waiting.due() {
            Some(due) if due > now => return Ok(Some(due)),
            // Whatever ends first makes room.
            Some(_) if free == 0 => return Ok(None),
            Some(_) => {}
            None => return Ok(None),
        }
        let is_probe = hook.state == WebhookState::BackingOff;
        if is_probe && !outbox::take_probe(&self.db, &hook.id, now).await? {
            return Ok(None);
        }
        let claimed = outbox::claim(&self.db, &hook.id, now, free).await?;
        claimed.into_iter().for_each(|claimed| self.send(hook.clone(), claimed));
        // There may be more behind those, and rows that are not made yet.
        Ok(Some(now))
    }

    async fn prune(&self, hook: &Webhook) -> Result<()> {
        let dropped = delivery::drop_oldest(&self.db, &hook.id).await?;
        if dropped > 0 {
            tracing::warn!(
                webhook = hook.name,
                dropped,
                "too many messages to a webhook wait: the oldest were dropped"
            );
        }
        Ok(())
    }

    /// How many more requests may go to a webhook.
    fn free(&self, hook: &Webhook) -> i64 {
        let most = if hook.state == WebhookState::BackingOff { 1 } else { MOST_OF_ONE };
        let busy = self.busy.get(&hook.id).copied().unwrap_or_default();
        let free = most.saturating_sub(busy).min(MOST.saturating_sub(self.sending.len()));
        i64::try_from(free).unwrap_or_default()
    }

    fn send(&mut self, hook: Webhook, claimed: Claimed) {
        *self.busy.entry(hook.id.clone()).or_default() += 1;
        let (app, db) = (self.app.clone(), self.db.clone());
        self.sending.spawn(async move {
            let sent = post(&app, &hook, &claimed).await;
            if let Err(error) = outbox::settle(&db, app.clock.now(), &hook, &claimed, &sent).await {
                tracing::error!(?error, "what became of a message to a webhook cannot be noted");
            }
            hook.id
        });
    }

    fn ended(&mut self, hook: Option<WebhookId>) {
        if let Some(busy) = hook.and_then(|hook| self.busy.get_mut(&hook)) {
            *busy -= 1;
        }
        self.busy.retain(|_, busy| *busy > 0);
        // A task that panicked says not whose it was.
        if self.sending.is_empty() {
            self.busy.clear();
        }
    }
}

/// Posts a message to its webhook.
pub async fn post(app: &App, hook: &Webhook, claimed: &Claimed) -> Sent {
    let now = app.clock.now();
    let kept = hook
        .secrets(&app.sealing, now)
        .and_then(|secrets| Ok((secrets, hook.header(&app.sealing)?)));
    let (secrets, header) = match kept {
        Ok(kept) => kept,
        Err(error) => return Sent { milliseconds: 0, answer: Err(error.message()) },
    };
    let message = Message {
        id: claimed.message_id(),
        at: now,
        content_type: body::content_type(hook.format),
        body: &claimed.text,
        attempt: claimed.attempts,
        secrets: &secrets,
        header: header.as_ref().map(|(name, value)| (name.as_str(), value.as_str())),
    };
    match message.headers() {
        Some(headers) => app.outbound.post(&hook.url, headers, claimed.text.clone(), now).await,
        None => Sent {
            milliseconds: 0,
            answer: Err("The header of the webhook is no header.".to_owned()),
        },
    }
}
