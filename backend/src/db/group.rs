//! The task of the [writer](super::writer): has its connection, and makes one group of changes after the other.
//!
//! It runs by itself, and hears of changes through channels. So nobody who gives up waiting interrupts it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::mpsc;

use super::access::Access;
use super::ballast::Ballast;
use super::is_disk_full;
use super::message::{Answer, Reply, Request, Statement, Turn, ends_transaction, send};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// What a change asks for.
type Requests = mpsc::UnboundedReceiver<Request>;

/// How many changes are made durable together at most: the first has waited for all the others.
const MAX_CHANGES: usize = 64;

/// How long a group takes others in, for the same reason.
const MAX_TIME: Duration = Duration::from_millis(50);

pub struct Task {
    options: SqliteConnectOptions,
    /// Given up when the disk is full.
    ballast: Ballast,
    access: Arc<Access>,
    /// None before it is opened, and after a failure that leaves in doubt what it is in.
    connection: Option<SqliteConnection>,
    /// Whether a group has been begun with it.
    is_open: bool,
    turns: mpsc::UnboundedReceiver<Turn>,
    /// Whose turn it is already while the last statements of the change before are run.
    next: Option<Requests>,
}

/// What is undone where a statement failed.
enum Undone {
    Statement,
    Change,
    Group,
}

/// What those are told whose group did not become durable.
pub fn lost() -> sqlx::Error {
    sqlx::Error::Protocol("the transaction was lost".to_owned())
}

/// What those are told whose group found no room on the disk.
fn full() -> sqlx::Error {
    std::io::Error::from(std::io::ErrorKind::StorageFull).into()
}

impl Task {
    pub fn new(
        options: SqliteConnectOptions,
        ballast: Ballast,
        access: Arc<Access>,
        turns: mpsc::UnboundedReceiver<Turn>,
    ) -> Self {
        Self { options, ballast, access, connection: None, is_open: false, turns, next: None }
    }

    /// Opens the connection, if it is not open.
    pub async fn connect(&mut self) -> Result<&mut SqliteConnection> {
        if self.connection.is_none() {
            let mut connection = self.options.connect().await?;
            let access = self.access.clone();
            connection.lock_handle().await?.set_update_hook(move |row| access.written(row.table));
            self.connection = Some(connection);
        }
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Makes groups until there is nobody left who could begin a change, and closes the connection.
    pub async fn work(mut self) {
        while let Some(first) = self.next().await {
            let mut done = Vec::new();
            let ended = self.group(first, &mut done).await;
            if let Err(error) = &ended {
                tracing::warn!(?error, "a transaction was lost");
                if is_disk_full(error) || self.ballast.is_needed() {
                    self.ballast.give_up();
                }
                // Undoes whatever it is in.
                self.connection = None;
            }
            self.is_open = false;
            self.access.settled();
            for reply in done {
                let told = match &ended {
                    Ok(()) => Ok(Answer::default()),
                    Err(error) if is_disk_full(error) => Err(full()),
                    Err(_) => Err(lost()),
                };
                // Who gave up waiting hears nothing.
                let _ = reply.send(told);
            }
        }
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(?error, "cannot close the database");
        }
    }

    /// Waits for the change whose turn it is; none when there will be no more.
    async fn next(&mut self) -> Option<Requests> {
        while self.next.is_none() {
            self.next = self.turns.recv().await?.come();
        }
        self.next.take()
    }

    /// Gives the next one its turn: its caller says what it wants while others are being run.
    fn give_turn(&mut self) {
        while self.next.is_none()
            && let Ok(turn) = self.turns.try_recv()
        {
            self.next = turn.come();
        }
    }

    /// Makes a transaction of those that wait; pushes who is to be told of its end.
    async fn group(&mut self, first: Requests, done: &mut Vec<Reply>) -> Result<()> {
        let started = Instant::now();
        self.change(first, done).await?;
        for _ in 1..MAX_CHANGES {
            if started.elapsed() > MAX_TIME {
                break;
            }
            self.give_turn();
            let Some(next) = self.next.take() else { break };
            self.change(next, done).await?;
        }
        self.give_turn();
        if self.is_open { self.execute(&["COMMIT"]).await } else { Ok(()) }
    }

    /// Runs a change until it is done or undone.
    async fn change(&mut self, mut requests: Requests, done: &mut Vec<Reply>) -> Result<()> {
        let mut begun = false;
        while let Some(Request { mut statements, commits, reply }) = requests.recv().await {
            if commits && !begun && statements.is_empty() {
                let _ = reply.send(Ok(Answer::default()));
                return Ok(());
            }
            if commits {
                self.give_turn();
                statements.push("RELEASE change".into());
            }
            let answered = self.run(begun, statements).await;
            begun = true;
            match answered {
                Ok(_) if commits => {
                    done.push(reply);
                    return Ok(());
                }
                Ok(answer) => drop(reply.send(Ok(answer))),
                Err((Undone::Group, error)) => {
                    tracing::error!(?error, "a statement ended the transaction that it was in");
                    let ended = if is_disk_full(&error) { full() } else { lost() };
                    let _ = reply.send(Err(error));
                    return Err(ended);
                }
                Err((undone, error)) => {
                    let _ = reply.send(Err(error));
                    if commits || matches!(undone, Undone::Change) {
                        break;
                    }
                }
            }
        }
        // It failed, or its caller has gone away.
        if begun { self.execute(&["ROLLBACK TO change", "RELEASE change"]).await } else { Ok(()) }
    }

    /// Runs statements of a change, of which the last has an answer.
    async fn run(
        &mut self,
        begun: bool,
        own: Vec<Statement>,
    ) -> std::result::Result<Answer, (Undone, sqlx::Error)> {
        // IMMEDIATE: a deferred transaction that upgrades fails without waiting.
        let opening: &[&str] = match (self.is_open, begun) {
            (false, _) => &["BEGIN IMMEDIATE", "SAVEPOINT change"],
            (true, false) => &["SAVEPOINT change"],
            (true, true) => &[],
        };
        let opening = opening.iter().map(|text| Statement::from(*text));
        let (first, last) = (opening.len(), opening.len() + own.len() - 1);
        let statements: Vec<_> = opening.chain(own).collect();
        let connection = self.connect().await.map_err(|error| (Undone::Group, error))?;
        let sent = send(connection, &statements).await;
        self.is_open = true;
        sent.map_err(|(done, error)| {
            if done < first || ends_transaction(&error) {
                return (Undone::Group, error);
            }
            let undone = if done < last { Undone::Change } else { Undone::Statement };
            let unmet = statements.get(done).and_then(|failed| failed.unmet(&error).cloned());
            (undone, unmet.map_or(error, Into::into))
        })
    }

    /// Runs statements of its own, which must not fail.
    async fn execute(&mut self, texts: &[&'static str]) -> Result<()> {
        let statements: Vec<_> = texts.iter().map(|text| Statement::from(*text)).collect();
        let connection = self.connect().await?;
        send(connection, &statements).await.map(drop).map_err(|(_, error)| error)
    }
}
