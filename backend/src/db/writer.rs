//! Group commit for SQLite's one writer: the changes of many callers become durable together.
//!
//! SQLite writes one transaction after the other, and each that is durable waits for the disk. So a change that is done
//! does not commit by itself: all that are done while one group is committed are in the next, and so are those of who
//! waited to write by then. Within its group every change is a savepoint and is refused alone; nobody is told that theirs
//! is done before the group is on the disk.
//!
//! A message to the connection's thread and back takes longer than most statements. So a statement that needs no answer
//! is deferred: it goes with the next message, whoever sends that. There it may fail in the one way that it names, as
//! when its key is taken: then the change that deferred it is undone, and told so, and the rest goes on. If anything else
//! fails, as when the disk is full, everybody in the group is told so. A message is sent by a task of its own: who gives up
//! waiting leaves nothing half done that is others'.
//!
//! | a change is | what SQLite has of it | it goes on by |
//! |---|---|---|
//! | waiting | nothing: slots are given in the order in which they were asked for | [`Writer::begin`] |
//! | in its slot | nothing: [`Write::later`] keeps statements for the next message | [`Write::run`], [`Write::commit`] |
//! | begun | `RELEASE change` of the one before, `SAVEPOINT change`, its statements | [`Write::commit`], or being dropped |
//! | done | its last statements are deferred, its slot is free | the group's end |
//! | undone | `ROLLBACK TO change`: it was dropped, or a deferred statement of it failed | – |
//!
//! | a group is | what it takes | it goes on by |
//! |---|---|---|
//! | open | changes, one slot after the other; `BEGIN IMMEDIATE` with the first message | the end of the group before |
//! | sealed | nothing more: the next group is open | `COMMIT` |
//! | over | – : durable, or failed as a whole, and everybody is told | – |

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::task::JoinHandle;

use super::access::Access;
use super::deferred::Refused;
use super::group::{Group, Outcome, WriterConnection};
use super::message::{Answer, Batch, Statement};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// How long somebody waits for their slot.
const PATIENCE: Duration = Duration::from_secs(30);

/// The one connection that writes. Cheap to clone.
#[derive(Clone)]
pub struct Writer(Arc<Inner>);

struct Inner {
    /// A thread for what others wait for, so that it does not line up with the requests. None at the end.
    runtime: Option<Runtime>,
    access: Arc<Access>,
    connection: Arc<Mutex<WriterConnection>>,
    /// The transaction that is being made; who holds it has their slot. Fair: who asks first comes first.
    group: Arc<Mutex<Group>>,
}

/// One change, which has its slot until it is committed or dropped, which undoes it.
pub struct Write(Option<WriteSlot>);

struct WriteSlot {
    writer: Writer,
    /// None when the change is over.
    group: Option<OwnedMutexGuard<Group>>,
    /// Whether it has its savepoint.
    begun: bool,
    waiting: Batch,
}

impl Writer {
    pub fn new(options: SqliteConnectOptions) -> Result<Self> {
        let access = Arc::<Access>::default();
        let connection = Arc::new(Mutex::new(WriterConnection::new(options, access.clone())));
        let group = Arc::new(Mutex::new(Group::new(connection.clone())));
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("writer").build();
        let runtime = Some(runtime.map_err(sqlx::Error::Io)?);
        Ok(Self(Arc::new(Inner { runtime, access, connection, group })))
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        Some(self.0.runtime.as_ref()?.spawn(task))
    }

    pub fn access(&self) -> &Access {
        &self.0.access
    }

    /// Opens the database, which it makes if there is none.
    pub async fn connect(&self) -> Result<()> {
        self.0.connection.lock().await.connect().await
    }

    async fn slot(&self) -> OwnedMutexGuard<Group> {
        self.0.group.clone().lock_owned().await
    }

    /// Begins a change when those have had their slots who asked before.
    pub async fn begin(&self) -> Result<Write> {
        let slot = tokio::time::timeout(PATIENCE, self.slot());
        let mut group = slot.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        if group.outcome().is_none() {
            group.seal();
        }
        let waiting = Batch::default();
        Ok(Write(Some(WriteSlot {
            writer: self.clone(),
            group: Some(group),
            begun: false,
            waiting,
        })))
    }

    /// Commits the group when the one before is over.
    async fn flush(self, mut before: watch::Receiver<Outcome>) {
        // Where its end was lost, it is over, too.
        before.wait_for(Outcome::is_some).await.ok();
        let mut group = self.slot().await;
        // Before the next one begins.
        group.hold().await;
        let sealed = group.seal();
        drop(group);
        sealed.commit().await;
    }

    /// Closes the connection when all that was begun is done.
    pub async fn close(&self) {
        let mut group = self.slot().await;
        group.hold().await;
        group.seal().commit().await;
        self.0.connection.lock().await.close().await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Write {
    fn slot(&mut self) -> Result<&mut WriteSlot> {
        self.0.as_mut().ok_or(sqlx::Error::WorkerCrashed)
    }

    pub fn access(&self) -> Option<&Access> {
        self.0.as_ref().map(|slot| slot.writer.access())
    }

    /// Runs a statement with the next one, or when the change is committed.
    pub fn later(&mut self, statement: Statement) -> Result<()> {
        self.slot()?.waiting.push(statement);
        Ok(())
    }

    /// Runs what waits, and then a statement.
    pub async fn run(&mut self, statement: Statement) -> Result<Answer> {
        let mut slot = self.0.take().ok_or(sqlx::Error::WorkerCrashed)?;
        let writer = slot.writer.clone();
        let sent = writer.spawn(async move {
            let answer = slot.run(statement).await;
            (slot, answer)
        });
        let (slot, answer) = sent
            .ok_or(sqlx::Error::WorkerCrashed)?
            .await
            .map_err(|_| sqlx::Error::WorkerCrashed)?;
        self.0 = Some(slot);
        answer
    }

    /// Returns when the change is on the disk. Whoever gives up waiting does not undo it.
    pub async fn commit(mut self) -> Result<()> {
        let slot = self.slot()?;
        let refused = slot.defer();
        let mut outcome = slot.end().ok_or(sqlx::Error::WorkerCrashed)?;
        let done = outcome.wait_for(Outcome::is_some).await.map(|done| done.clone());
        match done.ok().flatten() {
            Some(Ok(())) => refused.get().cloned().map_or(Ok(()), |unmet| Err(unmet.into())),
            Some(Err(reason)) => Err(sqlx::Error::Protocol(reason)),
            None => Err(sqlx::Error::Protocol("the transaction was lost".to_owned())),
        }
    }
}

impl WriteSlot {
    async fn run(&mut self, statement: Statement) -> Result<Answer> {
        let group = self.group.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
        if group.outcome().is_none() {
            // It has failed with what was before this change.
            return Err(sqlx::Error::PoolClosed);
        }
        if !self.begun {
            group.open();
        }
        self.begun = true;
        self.waiting.push(statement);
        group.send(std::mem::take(&mut self.waiting)).await
    }

    /// Defers what waits to whoever sends the next message. What is returned is set if it is refused there.
    fn defer(&mut self) -> Refused {
        let (waiting, refused) = (std::mem::take(&mut self.waiting), Refused::default());
        if let Some(group) = &mut self.group
            && !waiting.is_empty()
            && group.outcome().is_some()
        {
            if !self.begun {
                group.open();
            }
            group.deferred.defer(waiting, refused.clone());
        }
        refused
    }

    /// Gives the slot up, and sees to it that somebody commits the group.
    fn end(&mut self) -> Option<watch::Receiver<Outcome>> {
        let mut group = self.group.take()?;
        let outcome = group.outcome()?;
        if !group.has_committer {
            self.writer.spawn(self.writer.clone().flush(group.before()))?;
            group.has_committer = true;
        }
        Some(outcome)
    }
}

impl Drop for WriteSlot {
    fn drop(&mut self) {
        if let Some(group) = self.group.as_mut() {
            if self.begun && group.outcome().is_some() {
                group.deferred.push(["ROLLBACK TO change"]);
            }
            // It may be open.
            self.end();
        }
    }
}

#[cfg(test)]
mod tests;
