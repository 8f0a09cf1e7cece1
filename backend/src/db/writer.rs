//! Group commit for SQLite's one writer: the changes of many callers become durable together.
//!
//! SQLite writes one transaction after the other, and each that is durable waits for the disk. So one [task](super::group)
//! has the connection. It gives each change its turn, in the order in which they were begun, and makes one transaction of
//! those that wait for theirs: a group. Within it a change is a savepoint, which is undone alone where the change fails or
//! its caller goes away. When the group is on the disk, everybody in it is told that theirs is done, and nobody before.
//!
//! A message to the connection's thread and back takes longer than most statements. So a statement that needs no answer
//! is kept, and goes with the next one of its change, or with the commit.
//!
//! | a change is | what SQLite has of it | it goes on by |
//! |---|---|---|
//! | waiting | nothing | the end of the change before |
//! | in its turn | nothing: [`Write::later`] keeps statements | [`Write::run`], [`Write::commit`] |
//! | begun | `SAVEPOINT change`, and its statements | [`Write::commit`], or being dropped |
//! | done | `RELEASE change` | `COMMIT`, when nobody waits any more, or there are many in the group |
//! | undone | `ROLLBACK TO change`: it was dropped, or a statement failed that was kept | – |
//!
//! Where more than a statement fails, as when the disk is full, the group is lost, and everybody in it is told so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::{mpsc, oneshot, watch};

use super::access::Access;
use super::ballast::Ballast;
use super::group::{Task, lost};
use super::message::{Answer, Request, Statement, Turn};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// How long somebody waits for their turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// The one connection that writes. Cheap to clone.
#[derive(Clone)]
pub struct Writer(Arc<Inner>);

struct Inner {
    access: Arc<Access>,
    /// Where one waits for one's turn. None when it is closed.
    queue: Mutex<Option<mpsc::UnboundedSender<Turn>>>,
    /// Is over when the connection is closed.
    ended: watch::Receiver<()>,
}

/// One change in its turn, which it has until it is committed or dropped, which undoes it.
pub struct Write {
    access: Arc<Access>,
    requests: mpsc::UnboundedSender<Request>,
    /// Statements for the next request.
    kept: Vec<Statement>,
}

impl Writer {
    /// Opens the database, which is made if there is none.
    pub async fn open(options: SqliteConnectOptions, ballast: Ballast) -> Result<Self> {
        let access = Arc::<Access>::default();
        let (queue, turns) = mpsc::unbounded_channel();
        let mut task = Task::new(options, ballast, access.clone(), turns);
        task.connect().await?;
        let (running, ended) = watch::channel(());
        tokio::spawn(async move {
            task.work().await;
            drop(running);
        });
        Ok(Self(Arc::new(Inner { access, queue: Mutex::new(Some(queue)), ended })))
    }

    pub fn access(&self) -> &Access {
        &self.0.access
    }

    /// Begins a change when those have had their turns who asked before.
    pub async fn begin(&self) -> Result<Write> {
        let (sender, requests) = mpsc::unbounded_channel();
        let (turn, come) = oneshot::channel();
        self.wait_in_line(Turn { turn, requests })?;
        let come = tokio::time::timeout(PATIENCE, come).await;
        come.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::WorkerCrashed)?;
        Ok(Write { access: self.0.access.clone(), requests: sender, kept: Vec::new() })
    }

    fn wait_in_line(&self, turn: Turn) -> Result<()> {
        let queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or(sqlx::Error::PoolClosed)?;
        queue.send(turn).map_err(|_| sqlx::Error::WorkerCrashed)
    }

    /// Closes the connection when all that was begun is over.
    pub async fn close(&self) {
        drop(self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        // It is never told anything: it ends with the task.
        self.0.ended.clone().changed().await.ok();
    }
}

impl Write {
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Keeps a statement for the next one, or for the commit. If it fails there, the change is undone.
    pub fn later(&mut self, statement: Statement) {
        self.kept.push(statement);
    }

    /// Runs what was kept, and then a statement.
    pub async fn run(&mut self, statement: Statement) -> Result<Answer> {
        self.kept.push(statement);
        self.ask(false).await
    }

    /// Returns when the change is on the disk. Whoever gives up waiting does not undo it.
    pub async fn commit(mut self) -> Result<()> {
        self.ask(true).await.map(drop)
    }

    async fn ask(&mut self, commits: bool) -> Result<Answer> {
        let (reply, answered) = oneshot::channel();
        let statements = std::mem::take(&mut self.kept);
        self.requests.send(Request { statements, commits, reply }).map_err(|_| lost())?;
        answered.await.map_err(|_| lost())?
    }
}

#[cfg(test)]
mod tests;
