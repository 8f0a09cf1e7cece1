//! SQLite's one writer, which makes the changes of many callers durable together.
//!
//! SQLite writes one transaction after the other, and each that is durable waits for the disk. So who is
//! done does not commit at once: they line up again, behind those who wait to write, and whoever comes
//! first commits for all who were done by then. Within the shared transaction every change begins with
//! a savepoint and is refused alone; nobody is told that theirs is done before it is on the disk.
//!
//! A message to the connection's thread and back takes longer than most statements. So what needs no
//! answer, such as savepoints, waits for the next message, whoever sends it; if that fails, as when the disk
//! is full, everybody is told so. A message is sent by a task of its own: who gives up waiting leaves nothing
//! half done that is others'.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

use super::Text;
use super::access::Access;
use super::message::{Answer, Script, ends_transaction, send};
use crate::sql::Value;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// How long somebody waits for their turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// The one connection that writes. Cheap to clone.
#[derive(Clone)]
pub struct Writer(Arc<Inner>);

struct Inner {
    options: SqliteConnectOptions,
    access: Arc<Access>,
    /// Fair: who asks first comes first.
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    access: Arc<Access>,
    /// None until it is needed, and after a failure that leaves in doubt what it is in.
    connection: Option<SqliteConnection>,
    /// What will become of the shared transaction, while there is one.
    shared: Option<Arc<Outcome>>,
    /// Whether the shared transaction is open, or will be when the rest is run.
    is_open: bool,
    /// What those who are done have left to be run before anything else is.
    rest: Script,
    /// Whether a message was sent whose end nobody has seen.
    in_flight: bool,
}

/// What became of a shared transaction: nothing yet, or whether it is durable.
type Outcome = OnceLock<std::result::Result<(), String>>;

/// One change, which has the writer to itself until it is committed or dropped, which undoes it.
pub struct Write(Option<Turn>);

struct Turn {
    writer: Writer,
    /// None when the change is over.
    state: Option<OwnedMutexGuard<State>>,
    /// Whether it has its savepoint.
    begun: bool,
    waiting: Script,
}

impl Writer {
    pub fn new(options: SqliteConnectOptions) -> Self {
        let access = Arc::<Access>::default();
        let state = State { access: access.clone(), ..State::default() };
        Self(Arc::new(Inner { options, access, state: Arc::new(Mutex::new(state)) }))
    }

    pub fn access(&self) -> &Access {
        &self.0.access
    }

    async fn turn(&self) -> OwnedMutexGuard<State> {
        self.0.state.clone().lock_owned().await
    }

    /// Begins a change when those are done who asked before.
    pub async fn begin(&self) -> Result<Write> {
        let turn = tokio::time::timeout(PATIENCE, self.turn());
        let mut state = turn.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        state.connect(&self.0.options).await?;
        let waiting = Script::default();
        Ok(Write(Some(Turn { writer: self.clone(), state: Some(state), begun: false, waiting })))
    }

    /// Commits the transaction that `outcome` is of, unless somebody has.
    async fn flush(&self, outcome: &Outcome) -> Result<()> {
        let mut state = self.turn().await;
        if outcome.get().is_none() {
            state.commit().await;
        }
        match outcome.get() {
            Some(Ok(())) => Ok(()),
            Some(Err(reason)) => Err(sqlx::Error::Protocol(reason.clone())),
            None => Err(sqlx::Error::Protocol("the transaction was lost".to_owned())),
        }
    }

    /// Closes the connection when all that was begun is done.
    pub async fn close(&self) {
        let mut state = self.turn().await;
        state.commit().await;
        if let Some(connection) = state.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(?error, "cannot close the database");
        }
    }
}

impl State {
    /// Has a connection, and a shared transaction that changes are made in.
    async fn connect(&mut self, options: &SqliteConnectOptions) -> Result<()> {
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
    fn open(&mut self) {
        // IMMEDIATE: a deferred transaction that upgrades fails without waiting.
        let before = if self.is_open { "RELEASE change" } else { "BEGIN IMMEDIATE" };
        self.is_open = true;
        self.rest.push(before, Vec::new());
        self.rest.push("SAVEPOINT change", Vec::new());
    }

    /// Sends what is left and then a statement. If the rest fails, so does all that is in the transaction.
    async fn send(&mut self, waiting: Script, text: Text, values: Vec<Value>) -> Result<Answer> {
        let mut before = std::mem::take(&mut self.rest);
        let others = before.count;
        before.append(waiting);
        self.in_flight = true;
        let answer = match &mut self.connection {
            Some(connection) => send(connection, before, (text, values)).await,
            None => Err((0, sqlx::Error::PoolClosed)),
        };
        self.in_flight = false;
        answer.map_err(|(done, error)| {
            if done >= others && !ends_transaction(&error) {
                return error;
            }
            let reason = error.to_string();
            self.end(Err(reason.clone()));
            // Whatever it is, it is no answer to what was asked.
            sqlx::Error::Protocol(reason)
        })
    }

    /// Makes all changes of the shared transaction durable, or none.
    async fn commit(&mut self) {
        let mut done = Ok(());
        if self.in_flight {
            done = Err("the server was interrupted".to_owned());
        } else if self.is_open {
            let committed = self.send(Script::default(), Text::Written("COMMIT"), Vec::new()).await;
            done = committed.map(|_| ()).map_err(|error| error.to_string());
        }
        self.end(done);
    }

    /// Tells everybody what became of the shared transaction.
    fn end(&mut self, done: std::result::Result<(), String>) {
        if done.is_err() {
            // Closing it undoes whatever it may be in.
            self.connection = None;
            self.rest = Script::default();
        }
        self.in_flight = false;
        self.is_open = false;
        self.access.settled();
        if let Some(outcome) = self.shared.take() {
            outcome.set(done).expect("it ends once");
        }
    }
}

impl Write {
    fn turn(&mut self) -> Result<&mut Turn> {
        self.0.as_mut().ok_or(sqlx::Error::WorkerCrashed)
    }

    pub fn access(&self) -> Option<&Access> {
        self.0.as_ref().map(|turn| turn.writer.access())
    }

    /// Runs a statement with the next one, or when the change is committed.
    pub fn later(&mut self, text: &str, values: Vec<Value>) -> Result<()> {
        self.turn()?.waiting.push(text, values);
        Ok(())
    }

    /// Runs what waits, and then a statement.
    pub async fn run(&mut self, text: Text, values: Vec<Value>) -> Result<Answer> {
        let mut turn = self.0.take().ok_or(sqlx::Error::WorkerCrashed)?;
        let sent = tokio::spawn(async move {
            let answer = turn.run(text, values).await;
            (turn, answer)
        });
        let (turn, answer) = sent.await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        self.0 = Some(turn);
        answer
    }

    /// Returns when the change is on the disk. Whoever gives up waiting does not undo it.
    pub async fn commit(mut self) -> Result<()> {
        let turn = self.turn()?;
        turn.leave();
        match turn.end() {
            Some(done) => done.await.map_err(|_| sqlx::Error::WorkerCrashed)?,
            None => Err(sqlx::Error::WorkerCrashed),
        }
    }
}

impl Turn {
    async fn run(&mut self, text: Text, values: Vec<Value>) -> Result<Answer> {
        let state = self.state.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
        if state.shared.is_none() {
            // It has failed with what was before this change.
            return Err(sqlx::Error::PoolClosed);
        }
        if !self.begun {
            state.open();
        }
        self.begun = true;
        state.send(std::mem::take(&mut self.waiting), text, values).await
    }

    /// Leaves what waits to whoever sends the next message.
    fn leave(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        if let Some(state) = &mut self.state
            && waiting.count > 0
            && state.shared.is_some()
        {
            if !self.begun {
                state.open();
            }
            state.rest.append(waiting);
        }
    }

    /// Ends the turn, and commits when those have had theirs who wait already.
    fn end(&mut self) -> Option<JoinHandle<Result<()>>> {
        let outcome = self.state.take()?.shared.clone()?;
        let writer = self.writer.clone();
        // Where the program ends, the transaction ends with it.
        let runtime = Handle::try_current().ok()?;
        Some(runtime.spawn(async move { writer.flush(&outcome).await }))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(state) = self.state.as_mut() {
            if self.begun && state.shared.is_some() {
                state.rest.push("ROLLBACK TO change", Vec::new());
            }
            // Others may have been done before, and wait.
            self.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sqlx::sqlite::SqliteJournalMode;

    use super::*;

    /// A writer with a table of numbers, and a second connection that sees what is durable.
    async fn writer(folder: &tempfile::TempDir) -> (Writer, SqliteConnection) {
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("test.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let writer = Writer::new(options.clone());
        let mut write = writer.begin().await.unwrap();
        write.later("CREATE TABLE numbers (number INTEGER PRIMARY KEY)", Vec::new()).unwrap();
        write.commit().await.unwrap();
        (writer, options.connect().await.unwrap())
    }

    async fn insert(write: &mut Write, number: i64) {
        let insert = Text::Written("INSERT INTO numbers VALUES ($1)");
        write.run(insert, vec![number.into()]).await.unwrap();
    }

    /// Commits, and leaves a number to be inserted.
    fn leave(mut write: Write, number: i64) -> JoinHandle<Result<()>> {
        write.later("INSERT INTO numbers VALUES (?)", vec![number.into()]).unwrap();
        tokio::spawn(write.commit())
    }

    async fn durable(reader: &mut SqliteConnection) -> Vec<i64> {
        let sql = "SELECT number FROM numbers ORDER BY number";
        sqlx::query_scalar(sql).fetch_all(reader).await.unwrap()
    }

    /// Has `then` wait for its turn while `first` has it, then ends `first`.
    async fn queue<T: Send + 'static>(
        writer: &Writer,
        first: impl FnOnce(Write) -> tokio::task::JoinHandle<T>,
        number: i64,
    ) -> (tokio::task::JoinHandle<T>, Write) {
        let mut write = writer.begin().await.unwrap();
        let next = tokio::spawn({
            let writer = writer.clone();
            async move { writer.begin().await.unwrap() }
        });
        insert(&mut write, number).await;
        tokio::task::yield_now().await;
        let first = first(write);
        (first, next.await.unwrap())
    }

    #[tokio::test]
    async fn who_gives_up_takes_nobody_along_and_nobody_is_told_too_early() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, mut reader) = writer(&folder).await;
        let (first, mut second) = queue(&writer, |write| tokio::spawn(write.commit()), 1).await;
        insert(&mut second, 2).await;
        assert!(!first.is_finished() && durable(&mut reader).await.is_empty());
        drop(second);
        first.await.unwrap().unwrap();
        assert_eq!(durable(&mut reader).await, [1]);
        let mut third = writer.begin().await.unwrap();
        insert(&mut third, 2).await;
        third.commit().await.unwrap();
        assert_eq!(durable(&mut reader).await, [1, 2]);
    }

    #[tokio::test]
    async fn when_the_disk_fails_everybody_is_told_and_the_next_begin_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, mut reader) = writer(&folder).await;
        let (first, mut second) = queue(&writer, |write| tokio::spawn(write.commit()), 1).await;
        // As SQLite does it by itself, when it cannot write.
        second.run(Text::Written("ROLLBACK"), Vec::new()).await.unwrap();
        drop(second);
        assert!(first.await.unwrap().is_err());
        let mut third = writer.begin().await.unwrap();
        insert(&mut third, 3).await;
        third.commit().await.unwrap();
        assert_eq!(durable(&mut reader).await, [3]);
    }

    #[tokio::test]
    async fn what_is_left_is_run_with_the_next_message_whether_or_not_that_fails() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, mut reader) = writer(&folder).await;
        let (first, mut second) = queue(&writer, |write| leave(write, 2), 1).await;
        let unique = second.run(Text::Written("INSERT INTO numbers VALUES (1)"), Vec::new()).await;
        assert!(unique.is_err_and(|error| crate::db::is_unique_violation(&error)));
        insert(&mut second, 3).await;
        second.commit().await.unwrap();
        first.await.unwrap().unwrap();
        assert_eq!(durable(&mut reader).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn where_what_is_left_fails_nobody_is_told_that_theirs_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, mut reader) = writer(&folder).await;
        let (first, mut second) = queue(&writer, |write| leave(write, 1), 1).await;
        let insert_two = Text::Written("INSERT INTO numbers VALUES (2)");
        let failed = second.run(insert_two, Vec::new()).await;
        assert!(failed.is_err_and(|error| !crate::db::is_unique_violation(&error)), "not theirs");
        assert!(second.run(Text::Written("SELECT 1"), Vec::new()).await.is_err(), "it is over");
        assert!(second.commit().await.is_err() && first.await.unwrap().is_err());
        assert!(durable(&mut reader).await.is_empty());
        let mut third = writer.begin().await.unwrap();
        insert(&mut third, 3).await;
        third.commit().await.unwrap();
        assert_eq!(durable(&mut reader).await, [3]);
    }

    #[tokio::test]
    async fn who_leaves_amid_a_message_takes_nothing_of_others_along() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, mut reader) = writer(&folder).await;
        let (first, mut second) = queue(&writer, |write| leave(write, 2), 1).await;
        // Polled once, which sends it.
        let slow = "INSERT INTO numbers WITH RECURSIVE n (n) AS (SELECT 9 UNION ALL SELECT n + 1 FROM n LIMIT 99999)
                    SELECT n FROM n";
        let left = second.run(Text::Written(slow), Vec::new());
        tokio::time::timeout(Duration::ZERO, left).await.map(|_| ()).unwrap_err();
        drop(second);
        first.await.unwrap().unwrap();
        assert_eq!(durable(&mut reader).await, [1, 2]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_acknowledged_is_there_whoever_left_at_whatever_moment() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, mut reader) = writer(&folder).await;
        let tasks: Vec<_> = (0..600)
            .map(|number| {
                let writer = writer.clone();
                let task = tokio::spawn(async move {
                    let mut write = writer.begin().await.unwrap();
                    if number % 5 == 0 {
                        let values = vec![number.into()];
                        write.later("INSERT INTO numbers VALUES (?)", values).unwrap();
                    } else {
                        insert(&mut write, number).await;
                    }
                    if number % 7 == 0 {
                        // Given up: undone.
                        return None;
                    }
                    write.commit().await.unwrap();
                    Some(number)
                });
                if number % 3 == 0 {
                    let (abort, wait) =
                        (task.abort_handle(), Duration::from_micros(number as u64 * 100));
                    tokio::spawn(async move {
                        tokio::time::sleep(wait).await;
                        abort.abort();
                    });
                }
                task
            })
            .collect();
        let mut acknowledged = BTreeSet::new();
        for task in tasks {
            // An error is somebody who left.
            acknowledged.extend(task.await.ok().flatten());
        }
        let kept: BTreeSet<i64> = durable(&mut reader).await.into_iter().collect();
        assert!(acknowledged.is_subset(&kept), "{:?}", &acknowledged - &kept);
        assert!(acknowledged.len() > 100);
        assert!(kept.iter().all(|number| number % 7 != 0), "what was given up is undone");
    }
}
