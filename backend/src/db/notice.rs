//! What was changed, told to those who wait for it, on every server of the database.
//!
//! A transaction says what it changed ([`Tx::publish`]), and once it is durable everybody hears of it who
//! waits ([`Db::watch`]). With SQLite that is all in this program. With PostgreSQL several servers may
//! write, so all is told through the database (`NOTIFY`), to this server, too. It is told beside the
//! transaction and many changes at once, because transactions that notify are committed one after the
//! other. Polling would need an index on when something was changed, which every write would pay for.
//!
//! A notice is a hint and says nothing but an id: whoever hears it reads anew, as what they may see.
//!
//! [`Tx::publish`]: super::Tx::publish
//! [`Db::watch`]: super::Db::watch

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::postgres::PgShare;

/// How many changes wait for one who is slow; of more they are told only that there were.
const MAX_WAITING: usize = 1000;
/// How long changes are collected before all servers are told.
const COLLECTED: Duration = Duration::from_millis(50);
/// How many changes fit into the 8,000 bytes of a notification: a candidate has three ids of 32 characters,
/// its own and those of its model and experiment.
const MAX_CHANGES: usize = 75;
const RETRY: Duration = Duration::from_secs(1);
const CHANNEL: &str = "model_registry_changes";

/// Something that was changed, and what it is part of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Changed {
    pub id: String,
    pub part_of: Vec<String>,
}

/// Tells what was changed. Cheap to clone.
#[derive(Clone)]
pub struct Notices(Arc<Inner>);

struct Inner {
    /// None where this is the only server.
    shared: Option<Shared>,
    /// Who waits, by what for.
    watchers: Mutex<HashMap<String, Vec<Arc<Slot>>>>,
}

/// How the other servers are reached.
struct Shared {
    pool: PgShare,
    /// Where a connection hears for as long as it lives.
    session_url: String,
    outbox: Mutex<Outbox>,
    listener: OnceLock<AbortHandle>,
    /// Whether the listener hears what is told.
    listening: watch::Sender<bool>,
}

impl Shared {
    async fn notify(&self, changed: &[Changed]) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(written(changed));
        notify.execute(&mut *connection).await?;
        connection.done();
        Ok(())
    }
}

#[derive(Default)]
struct Outbox {
    changed: BTreeSet<Changed>,
    /// Whether somebody is about to send it.
    sending: bool,
}

/// What one who waits has not heard yet.
#[derive(Default)]
struct Slot {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Default)]
struct Waiting {
    ids: BTreeSet<String>,
    missed: bool,
}

/// What was changed since somebody asked last.
pub enum Notification {
    /// Of these ids.
    Ids(Vec<String>),
    /// More than could be kept, or it was not heard: anything may have.
    Anything,
}

/// Waits for changes of one thing and of its parts.
pub struct Watch {
    notices: Notices,
    key: String,
    slot: Arc<Slot>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Notices {
    /// For the only server of a database.
    pub fn alone() -> Self {
        Self(Arc::new(Inner { shared: None, watchers: Mutex::default() }))
    }

    /// For one of the servers of a database.
    pub fn shared(pool: PgShare, session_url: &str) -> Self {
        let shared = Shared {
            pool,
            session_url: session_url.to_owned(),
            outbox: Mutex::default(),
            listener: OnceLock::new(),
            listening: watch::Sender::new(false),
        };
        Self(Arc::new(Inner { shared: Some(shared), watchers: Mutex::default() }))
    }

    /// Tells everybody.
    pub fn publish(&self, changed: Vec<Changed>) {
        let Some(shared) = &self.0.shared else { return self.hear(&changed) };
        let mut outbox = lock(&shared.outbox);
        outbox.changed.extend(changed);
        if !std::mem::replace(&mut outbox.sending, true) {
            let notices = self.clone();
            tokio::spawn(async move { notices.send().await });
        }
    }

    /// Sends what is in the outbox until there is nothing more.
    async fn send(&self) {
        let Some(shared) = &self.0.shared else { return };
        loop {
            tokio::time::sleep(COLLECTED).await;
            let changed: Vec<_> = {
                let mut outbox = lock(&shared.outbox);
                if outbox.changed.is_empty() {
                    outbox.sending = false;
                    return;
                }
                std::mem::take(&mut outbox.changed).into_iter().collect()
            };
            for changed in changed.chunks(MAX_CHANGES) {
                if let Err(error) = shared.notify(changed).await {
                    tracing::warn!(?error, "cannot tell other servers what was changed");
                }
            }
        }
    }

    fn hear(&self, changed: &[Changed]) {
        let watchers = lock(&self.0.watchers);
        for Changed { id, part_of } in changed {
            let keys = std::iter::once(id).chain(part_of);
            for slot in keys.filter_map(|key| watchers.get(key)).flatten() {
                slot.hear(id);
            }
        }
    }

    /// What is changed from now on of the thing with this id, or of its parts.
    pub async fn watch(&self, key: &str) -> Watch {
        if let Some(shared) = &self.0.shared {
            shared.listener.get_or_init(|| {
                let notices = self.clone();
                tokio::spawn(async move { notices.listen().await }).abort_handle()
            });
            // An error is that the listener was stopped: so is all else.
            let _ = shared.listening.subscribe().wait_for(|listening| *listening).await;
        }
        let slot = Arc::<Slot>::default();
        lock(&self.0.watchers).entry(key.to_owned()).or_default().push(slot.clone());
        Watch { notices: self.clone(), key: key.to_owned(), slot }
    }

    /// Hears what all servers tell, for as long as this one runs.
    async fn listen(&self) {
        let Some(shared) = &self.0.shared else { return };
        loop {
            let Err(error) = self.listen_once(shared).await;
            tracing::warn!(?error, "cannot hear what other servers change");
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn listen_once(&self, shared: &Shared) -> Result<Infallible, sqlx::Error> {
        let mut listener = PgListener::connect(&shared.session_url).await?;
        listener.listen(CHANNEL).await?;
        loop {
            // What was told while nobody listened is not told again. Whoever waits for the first time has not
            // missed anything, so they come after this.
            for slot in lock(&self.0.watchers).values().flatten() {
                slot.miss();
            }
            shared.listening.send_replace(true);
            while let Some(notice) = listener.try_recv().await? {
                self.hear(&read(notice.payload()));
            }
        }
    }

    /// Stops hearing.
    pub fn close(&self) {
        if let Some(listener) = self.0.shared.as_ref().and_then(|shared| shared.listener.get()) {
            listener.abort();
        }
    }
}

impl Slot {
    fn hear(&self, id: &str) {
        let mut waiting = lock(&self.waiting);
        if waiting.ids.len() < MAX_WAITING {
            waiting.ids.insert(id.to_owned());
        } else if !waiting.ids.contains(id) {
            waiting.missed = true;
        }
        self.wake.notify_one();
    }

    fn miss(&self) {
        lock(&self.waiting).missed = true;
        self.wake.notify_one();
    }
}

impl Watch {
    /// Waits until something was changed; takes at most so many ids at once.
    pub async fn changed(&self, most: usize) -> Notification {
        loop {
            {
                let mut waiting = lock(&self.slot.waiting);
                if std::mem::take(&mut waiting.missed) {
                    waiting.ids.clear();
                    return Notification::Anything;
                }
                let ids: Vec<_> = waiting.ids.iter().take(most).cloned().collect();
                if !ids.is_empty() {
                    waiting.ids.retain(|id| !ids.contains(id));
                    return Notification::Ids(ids);
                }
            }
            self.slot.wake.notified().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watchers = lock(&self.notices.0.watchers);
        if let Some(slots) = watchers.get_mut(&self.key) {
            slots.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
            if slots.is_empty() {
                watchers.remove(&self.key);
            }
        }
    }
}

/// Ids have neither spaces nor commas.
fn written(changed: &[Changed]) -> String {
    let entries: Vec<_> = changed
        .iter()
        .map(|Changed { id, part_of }| format!("{id} {}", part_of.join(" ")))
        .collect();
    entries.join(",")
}

fn read(payload: &str) -> Vec<Changed> {
    let entries = payload.split(',').filter_map(|entry| entry.split_once(' '));
    entries
        .map(|(id, part_of)| Changed {
            id: id.to_owned(),
            part_of: part_of.split_ascii_whitespace().map(str::to_owned).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(id: &str) -> Vec<Changed> {
        vec![Changed { id: id.to_owned(), part_of: vec!["model".to_owned()] }]
    }

    #[tokio::test]
    async fn everybody_hears_what_they_wait_for_once_and_nothing_else() {
        let notices = Notices::alone();
        let (model, run) = (notices.watch("model").await, notices.watch("a").await);
        for id in ["b", "a", "a"] {
            notices.publish(changed(id));
        }
        let ids = |heard| match heard {
            Notification::Ids(ids) => ids,
            Notification::Anything => panic!("nothing was missed"),
        };
        assert_eq!(ids(model.changed(1).await), ["a"]);
        assert_eq!(ids(model.changed(9).await), ["b"]);
        assert_eq!(ids(run.changed(9).await), ["a"]);
        drop((model, run));
        assert!(lock(&notices.0.watchers).is_empty());
    }

    #[tokio::test]
    async fn who_is_slow_costs_no_memory_and_is_told() {
        let notices = Notices::alone();
        let slow = notices.watch("model").await;
        for id in 0..2 * MAX_WAITING {
            notices.publish(changed(&id.to_string()));
        }
        assert_eq!(lock(&slow.slot.waiting).ids.len(), MAX_WAITING);
        assert!(matches!(slow.changed(9).await, Notification::Anything));
    }

    #[test]
    fn a_notification_says_what_was_told_and_has_room_for_it() {
        let id = |n: usize| format!("{n:032}");
        let all = |parts: fn(usize) -> usize| {
            let change = |n| Changed { id: id(n), part_of: (0..parts(n)).map(id).collect() };
            (0..MAX_CHANGES).map(change).collect::<Vec<_>>()
        };
        let some = all(|n| n % 3);
        assert_eq!(read(&written(&some)), some);
        assert!(written(&all(|_| 2)).len() < 8000);
    }
}
