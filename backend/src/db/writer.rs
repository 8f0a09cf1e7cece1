//! SQLite's one writer, which makes the changes of many callers durable together.
//!
//! SQLite writes one transaction after the other, and each that is durable waits for the disk. So who is
//! done does not commit at once: they line up again, behind those who wait to write, and whoever comes
//! first commits for all who were done by then. Within the shared transaction every change begins with
//! a savepoint and fails alone; nobody is told that theirs is done before it is on the disk.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

use super::access::Access;

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
    /// What will become of the shared transaction, while one is open.
    shared: Option<Arc<Outcome>>,
    /// The last change was given up, and is still to be undone.
    undo: bool,
    /// Whether somebody gave up while their savepoint was made: it is there, or it is not.
    in_doubt: bool,
}

/// What became of a shared transaction: nothing yet, or whether it is durable.
type Outcome = OnceLock<std::result::Result<(), String>>;

/// One change, which has the writer to itself until it is committed or dropped, which undoes it.
pub struct Write {
    writer: Writer,
    /// None when the change is over.
    turn: Option<OwnedMutexGuard<State>>,
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
        state.settle().await;
        if state.shared.is_some() {
            state.join().await?;
        } else {
            state.open(&self.0.options).await?;
        }
        Ok(Write { writer: self.clone(), turn: Some(state) })
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
    async fn run(&mut self, sql: &'static str) -> Result<()> {
        let connection = self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        sqlx::raw_sql(sql).execute(connection).await.map(|_| ())
    }

    /// Opens a shared transaction, for now with one change.
    async fn open(&mut self, options: &SqliteConnectOptions) -> Result<()> {
        // IMMEDIATE: a deferred transaction that upgrades fails without waiting.
        const BEGIN: &str = "BEGIN IMMEDIATE; SAVEPOINT change";
        if self.connection.is_none() || self.run(BEGIN).await.is_err() {
            // It is in a transaction that nobody knows of, because somebody gave up as it began.
            let mut connection = options.connect().await?;
            let access = self.access.clone();
            connection.lock_handle().await?.set_update_hook(move |row| access.written(row.table));
            self.connection = Some(connection);
            self.run(BEGIN).await?;
        }
        self.shared = Some(Arc::default());
        Ok(())
    }

    /// Begins one more change in the shared transaction.
    async fn join(&mut self) -> Result<()> {
        let begin = match std::mem::replace(&mut self.in_doubt, true) {
            // One savepoint too many does no harm.
            true => "SAVEPOINT change",
            false => "RELEASE change; SAVEPOINT change",
        };
        let joined = self.run(begin).await;
        self.in_doubt = false;
        joined.inspect_err(|error| {
            // A failure of the disk ended the transaction, and all that was in it.
            self.end(Err(sqlx::Error::Protocol(error.to_string())));
        })
    }

    /// Undoes the last change if it was given up. What cannot be undone takes all others with it.
    async fn settle(&mut self) {
        if self.undo {
            let undone = self.run("ROLLBACK TO change").await;
            self.undo = false;
            if let Err(error) = undone {
                self.end(Err(error));
            }
        }
    }

    /// Makes all changes of the shared transaction durable, or none.
    async fn commit(&mut self) {
        self.settle().await;
        if self.shared.is_some() {
            let done = self.run("COMMIT").await;
            self.end(done);
        }
    }

    /// Tells everybody what became of the shared transaction.
    fn end(&mut self, done: Result<()>) {
        if done.is_err() {
            // Closing it undoes whatever it may be in.
            self.connection = None;
        }
        self.access.settled();
        if let Some(outcome) = self.shared.take() {
            outcome.set(done.map_err(|error| error.to_string())).expect("it ends once");
        }
    }
}

impl Write {
    pub fn access(&self) -> &Access {
        self.writer.access()
    }

    /// The connection, within this change.
    pub fn connection(&mut self) -> &mut SqliteConnection {
        let state = self.turn.as_mut().expect("only commit and drop take it");
        state.connection.as_mut().expect("begin opened it")
    }

    /// Returns when the change is on the disk. Whoever gives up waiting does not undo it.
    pub async fn commit(mut self) -> Result<()> {
        match self.end() {
            Some(done) => done.await.map_err(|_| sqlx::Error::WorkerCrashed)?,
            None => Err(sqlx::Error::WorkerCrashed),
        }
    }

    /// Ends the turn, and commits when those have had theirs who wait already.
    fn end(&mut self) -> Option<JoinHandle<Result<()>>> {
        let outcome = self.turn.take()?.shared.clone()?;
        let writer = self.writer.clone();
        // Where the program ends, the transaction ends with it.
        let runtime = Handle::try_current().ok()?;
        Some(runtime.spawn(async move { writer.flush(&outcome).await }))
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if let Some(state) = self.turn.as_mut() {
            state.undo = true;
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
        let table = "CREATE TABLE numbers (number INTEGER PRIMARY KEY)";
        sqlx::raw_sql(table).execute(write.connection()).await.unwrap();
        write.commit().await.unwrap();
        (writer, options.connect().await.unwrap())
    }

    async fn insert(write: &mut Write, number: i64) {
        let sql = sqlx::query("INSERT INTO numbers VALUES ($1)").bind(number);
        sql.execute(write.connection()).await.unwrap();
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
        sqlx::raw_sql("ROLLBACK").execute(second.connection()).await.unwrap();
        drop(second);
        assert!(first.await.unwrap().is_err());
        let mut third = writer.begin().await.unwrap();
        insert(&mut third, 3).await;
        third.commit().await.unwrap();
        assert_eq!(durable(&mut reader).await, [3]);
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
                    insert(&mut write, number).await;
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
