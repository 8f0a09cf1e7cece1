//! A group: the transaction that the changes of many callers share, and the one connection that groups are made on, one
//! after the other.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::access::Access;
use super::deferred::Deferred;
use super::message::{Answer, Batch, Sent, Statement, ends_transaction, send};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// The writer's connection.
pub struct WriterConnection {
    options: SqliteConnectOptions,
    access: Arc<Access>,
    /// None until it is needed, and after a failure that leaves in doubt what it is in.
    connection: Option<SqliteConnection>,
    /// Whether a message was sent whose end nobody has seen.
    in_flight: bool,
}

/// What became of a group transaction: nothing yet, or whether it is durable.
pub type Outcome = Option<std::result::Result<(), String>>;

/// A transaction that is made. While it is committed, the next one is. Its states are in the head of [`writer`](super::writer).
pub struct Group {
    connection: Arc<Mutex<WriterConnection>>,
    /// The connection, from the first message to the end: it is held.
    held: Option<OwnedMutexGuard<WriterConnection>>,
    /// None when it is over, as it has failed.
    outcome: Option<watch::Sender<Outcome>>,
    /// That of the group before.
    before: watch::Receiver<Outcome>,
    /// Whether it is open, or will be when what is deferred is run.
    is_open: bool,
    /// Whether somebody is about to commit it.
    pub has_committer: bool,
    /// What those who are done have deferred, to be run before anything else is.
    pub deferred: Deferred,
}

impl WriterConnection {
    pub fn new(options: SqliteConnectOptions, access: Arc<Access>) -> Self {
        Self { options, access, connection: None, in_flight: false }
    }

    pub async fn connect(&mut self) -> Result<()> {
        if self.connection.is_none() {
            let mut connection = self.options.connect().await?;
            let access = self.access.clone();
            connection.lock_handle().await?.set_update_hook(move |row| access.written(row.table));
            self.connection = Some(connection);
        }
        Ok(())
    }

    /// Undoes whatever it may be in.
    fn disconnect(&mut self) {
        self.connection = None;
        self.in_flight = false;
        self.access.settled();
    }

    async fn send(&mut self, statements: impl Iterator<Item = &Statement>) -> Sent {
        self.connect().await.map_err(|error| (0, error))?;
        self.in_flight = true;
        let sent = match &mut self.connection {
            Some(connection) => send(connection, statements).await,
            None => Err((0, sqlx::Error::PoolClosed)),
        };
        self.in_flight = false;
        sent
    }

    pub async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(?error, "cannot close the database");
        }
    }
}

impl Group {
    pub fn new(connection: Arc<Mutex<WriterConnection>>) -> Self {
        Self::after(connection, watch::channel(Some(Ok(()))).1)
    }

    fn after(connection: Arc<Mutex<WriterConnection>>, before: watch::Receiver<Outcome>) -> Self {
        let outcome = Some(watch::channel(None).0);
        let deferred = Deferred::default();
        Self {
            connection,
            held: None,
            outcome,
            before,
            is_open: false,
            has_committer: false,
            deferred,
        }
    }

    /// Takes no more changes: leaves the next group in its place.
    pub fn seal(&mut self) -> Self {
        let before = self.outcome().unwrap_or_else(|| self.before.clone());
        let next = Self::after(self.connection.clone(), before);
        std::mem::replace(self, next)
    }

    /// What will become of it, unless that is known.
    pub fn outcome(&self) -> Option<watch::Receiver<Outcome>> {
        self.outcome.as_ref().map(watch::Sender::subscribe)
    }

    /// What will become of the one before.
    pub fn before(&self) -> watch::Receiver<Outcome> {
        self.before.clone()
    }

    /// Lets a change begin with the next message.
    pub fn open(&mut self) {
        // IMMEDIATE: a deferred transaction that upgrades fails without waiting.
        let before = if self.is_open { "RELEASE change" } else { "BEGIN IMMEDIATE" };
        self.is_open = true;
        self.deferred.push([before, "SAVEPOINT change"]);
    }

    /// Takes the connection, when the group before is over.
    pub async fn hold(&mut self) {
        if self.held.is_none() {
            let mut connection = self.connection.clone().lock_owned().await;
            if connection.in_flight {
                connection.disconnect();
            }
            self.held = Some(connection);
        }
    }

    /// Sends what is deferred and then statements of one's own, for the answer of the last. If what is deferred fails
    /// in another way than it may, so does all that is in the group.
    pub async fn send(&mut self, own: Batch) -> Result<Answer> {
        self.hold().await;
        if self.held.as_ref().is_none_or(|connection| connection.in_flight) {
            return Err(self.fail("the server was interrupted".to_owned()));
        }
        let mut deferred = std::mem::take(&mut self.deferred);
        loop {
            let (parts, is_last) = deferred.fitting(&own);
            let answer = match &mut self.held {
                Some(connection) => {
                    let own = own.iter().filter(|_| is_last);
                    connection.send(deferred.first(parts).chain(own)).await
                }
                None => Err((0, sqlx::Error::PoolClosed)),
            };
            let (done, error) = match answer {
                Ok(answer) if is_last => return Ok(answer),
                Ok(_) => {
                    deferred.done(parts);
                    continue;
                }
                Err(failed) => failed,
            };
            if !ends_transaction(&error) {
                let Some(others) = deferred.undo(done, &error) else { continue };
                if let Some(own) = done.checked_sub(others).and_then(|index| own.get(index)) {
                    return Err(own.unmet(&error).cloned().map_or(error, Into::into));
                }
            }
            // Whatever it is, it is no answer to what was asked.
            return Err(self.fail(error.to_string()));
        }
    }

    fn fail(&mut self, reason: String) -> sqlx::Error {
        self.end(Err(reason.clone()));
        sqlx::Error::Protocol(reason)
    }

    /// Makes all changes durable, or none.
    pub async fn commit(mut self) {
        if self.outcome.is_none() {
            return;
        }
        let mut done = Ok(());
        if self.is_open {
            let committed = self.send(vec!["COMMIT".into()]).await;
            done = committed.map(|_| ()).map_err(|error| error.to_string());
        }
        self.end(done);
    }

    /// Tells everybody what became of it.
    fn end(&mut self, done: std::result::Result<(), String>) {
        if let Some(mut connection) = self.held.take() {
            match &done {
                Ok(()) => connection.access.settled(),
                Err(_) => connection.disconnect(),
            }
        }
        self.deferred.clear();
        if let Some(outcome) = self.outcome.take() {
            outcome.send_replace(Some(done));
        }
    }
}

impl Drop for Group {
    /// Where nobody has ended it, it is undone.
    fn drop(&mut self) {
        self.end(Err("the server was interrupted".to_owned()));
    }
}
