//! The transaction that the changes of many callers share, and the connection that it is on.

use std::sync::{Arc, OnceLock};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::access::Access;
use super::message::{Answer, Script, ends_transaction, send};
use super::rest::Rest;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// The writer's connection, and the transaction that is open on it.
#[derive(Default)]
pub struct State {
    access: Arc<Access>,
    /// None until it is needed, and after a failure that leaves in doubt what it is in.
    connection: Option<SqliteConnection>,
    /// What will become of the shared transaction, while there is one.
    pub shared: Option<Arc<Outcome>>,
    /// Whether the shared transaction is open, or will be when the rest is run.
    is_open: bool,
    /// What those who are done have left to be run before anything else is.
    pub rest: Rest,
    /// Whether a message was sent whose end nobody has seen.
    in_flight: bool,
}

/// What became of a shared transaction: nothing yet, or whether it is durable.
pub type Outcome = OnceLock<std::result::Result<(), String>>;

impl State {
    pub fn new(access: Arc<Access>) -> Self {
        Self { access, ..Self::default() }
    }

    /// Has a connection, and a shared transaction that changes are made in.
    pub async fn connect(&mut self, options: &SqliteConnectOptions) -> Result<()> {
        if self.in_flight {
            self.end(Err("the server was interrupted".to_owned()));
        }
        if self.connection.is_none() {
            let mut connection = options.connect().await?;
            let access = self.access.clone();
            connection.lock_handle().await?.set_update_hook(move |row| access.written(row.table));
            self.connection = Some(connection);
        }
        self.shared.get_or_insert_default();
        Ok(())
    }

    /// Lets a change begin with the next message.
    pub fn open(&mut self) {
        // IMMEDIATE: a deferred transaction that upgrades fails without waiting.
        let before = if self.is_open { "RELEASE change" } else { "BEGIN IMMEDIATE" };
        self.is_open = true;
        self.rest.push([before, "SAVEPOINT change"]);
    }

    /// Sends what is left and then statements of one's own, for the answer of the last. If the rest fails in
    /// another way than it may, so does all that is in the transaction.
    pub async fn send(&mut self, own: Script) -> Result<Answer> {
        let mut rest = std::mem::take(&mut self.rest);
        loop {
            let (parts, is_last) = rest.fitting(&own);
            self.in_flight = true;
            let answer = match &mut self.connection {
                Some(connection) => {
                    let own = own.iter().filter(|_| is_last);
                    send(connection, rest.first(parts).chain(own)).await
                }
                None => Err((0, sqlx::Error::PoolClosed)),
            };
            self.in_flight = false;
            let (done, error) = match answer {
                Ok(answer) if is_last => return Ok(answer),
                Ok(_) => {
                    rest.done(parts);
                    continue;
                }
                Err(failed) => failed,
            };
            if !ends_transaction(&error) {
                let Some(others) = rest.undo(done, &error) else { continue };
                if let Some(own) = done.checked_sub(others).and_then(|index| own.get(index)) {
                    return Err(own.unmet(&error).cloned().map_or(error, Into::into));
                }
            }
            let reason = error.to_string();
            self.end(Err(reason.clone()));
            // Whatever it is, it is no answer to what was asked.
            return Err(sqlx::Error::Protocol(reason));
        }
    }

    /// Makes all changes of the shared transaction durable, or none.
    pub async fn commit(&mut self) {
        let mut done = Ok(());
        if self.in_flight {
            done = Err("the server was interrupted".to_owned());
        } else if self.is_open {
            let committed = self.send(vec!["COMMIT".into()]).await;
            done = committed.map(|_| ()).map_err(|error| error.to_string());
        }
        self.end(done);
    }

    /// Ends the connection when all that was begun is done.
    pub async fn close(&mut self) {
        self.commit().await;
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(?error, "cannot close the database");
        }
    }

    /// Tells everybody what became of the shared transaction.
    fn end(&mut self, done: std::result::Result<(), String>) {
        if done.is_err() {
            // Closing it undoes whatever it may be in.
            self.connection = None;
            self.rest.clear();
        }
        self.in_flight = false;
        self.is_open = false;
        self.access.settled();
        if let Some(outcome) = self.shared.take() {
            outcome.set(done).expect("it ends once");
        }
    }
}
