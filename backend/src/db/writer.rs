//! SQLite's one writer, which makes the changes of many callers durable together.
//!
//! SQLite writes one transaction after the other, and each that is durable waits for the disk. So who is
//! done does not commit at once: all who are done while one transaction is committed are in the next, and those who
//! waited to write by then. Within the shared transaction every change begins with a savepoint and is refused
//! alone; nobody is told that theirs is done before it is on the disk.
//!
//! A message to the connection's thread and back takes longer than most statements. So what needs no
//! answer, such as savepoints, waits for the next message, whoever sends it. There it may be
//! refused, as when its key is taken: then the change that left it is undone, and told so, and the rest goes on.
//! If anything else fails, as when the disk is full, everybody is told so. A message is sent by a task of its
//! own: who gives up waiting leaves nothing half done that is others'.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::task::JoinHandle;

use super::access::Access;
use super::message::{Answer, Script, Statement};
use super::rest::Refused;
use super::shared::{Line, Outcome, Shared};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// How long somebody waits for their turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// The one connection that writes. Cheap to clone.
#[derive(Clone)]
pub struct Writer(Arc<Inner>);

struct Inner {
    /// A thread for what others wait for, so that it does not line up with the requests. None at the end.
    runtime: Option<Runtime>,
    access: Arc<Access>,
    line: Arc<Mutex<Line>>,
    /// The transaction that is being made; who holds it has their turn. Fair: who asks first comes first.
    shared: Arc<Mutex<Shared>>,
}

/// One change, which has its turn until it is committed or dropped, which undoes it.
pub struct Write(Option<Turn>);

struct Turn {
    writer: Writer,
    /// None when the change is over.
    shared: Option<OwnedMutexGuard<Shared>>,
    /// Whether it has its savepoint.
    begun: bool,
    waiting: Script,
}

impl Writer {
    pub fn new(options: SqliteConnectOptions) -> Result<Self> {
        let access = Arc::<Access>::default();
        let line = Arc::new(Mutex::new(Line::new(options, access.clone())));
        let shared = Arc::new(Mutex::new(Shared::new(line.clone())));
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("writer").build();
        let runtime = Some(runtime.map_err(sqlx::Error::Io)?);
        Ok(Self(Arc::new(Inner { runtime, access, line, shared })))
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
        self.0.line.lock().await.connect().await
    }

    async fn turn(&self) -> OwnedMutexGuard<Shared> {
        self.0.shared.clone().lock_owned().await
    }

    /// Begins a change when those have had their turns who asked before.
    pub async fn begin(&self) -> Result<Write> {
        let turn = tokio::time::timeout(PATIENCE, self.turn());
        let mut shared = turn.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        if shared.outcome().is_none() {
            shared.seal();
        }
        let waiting = Script::default();
        Ok(Write(Some(Turn { writer: self.clone(), shared: Some(shared), begun: false, waiting })))
    }

    /// Commits what was made when the transaction before is over.
    async fn flush(self, mut before: watch::Receiver<Outcome>) {
        // Where its end was lost, it is over, too.
        before.wait_for(Outcome::is_some).await.ok();
        let mut shared = self.turn().await;
        // Before the next one begins.
        shared.hold().await;
        let sealed = shared.seal();
        drop(shared);
        sealed.commit().await;
    }

    /// Closes the connection when all that was begun is done.
    pub async fn close(&self) {
        let mut shared = self.turn().await;
        shared.hold().await;
        shared.seal().commit().await;
        self.0.line.lock().await.close().await;
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
    fn turn(&mut self) -> Result<&mut Turn> {
        self.0.as_mut().ok_or(sqlx::Error::WorkerCrashed)
    }

    pub fn access(&self) -> Option<&Access> {
        self.0.as_ref().map(|turn| turn.writer.access())
    }

    /// Runs a statement with the next one, or when the change is committed.
    pub fn later(&mut self, statement: Statement) -> Result<()> {
        self.turn()?.waiting.push(statement);
        Ok(())
    }

    /// Runs what waits, and then a statement.
    pub async fn run(&mut self, statement: Statement) -> Result<Answer> {
        let mut turn = self.0.take().ok_or(sqlx::Error::WorkerCrashed)?;
        let writer = turn.writer.clone();
        let sent = writer.spawn(async move {
            let answer = turn.run(statement).await;
            (turn, answer)
        });
        let (turn, answer) = sent
            .ok_or(sqlx::Error::WorkerCrashed)?
            .await
            .map_err(|_| sqlx::Error::WorkerCrashed)?;
        self.0 = Some(turn);
        answer
    }

    /// Returns when the change is on the disk. Whoever gives up waiting does not undo it.
    pub async fn commit(mut self) -> Result<()> {
        let turn = self.turn()?;
        let refused = turn.leave();
        let mut outcome = turn.end().ok_or(sqlx::Error::WorkerCrashed)?;
        let done = outcome.wait_for(Outcome::is_some).await.map(|done| done.clone());
        match done.ok().flatten() {
            Some(Ok(())) => refused.get().cloned().map_or(Ok(()), |unmet| Err(unmet.into())),
            Some(Err(reason)) => Err(sqlx::Error::Protocol(reason)),
            None => Err(sqlx::Error::Protocol("the transaction was lost".to_owned())),
        }
    }
}

impl Turn {
    async fn run(&mut self, statement: Statement) -> Result<Answer> {
        let shared = self.shared.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
        if shared.outcome().is_none() {
            // It has failed with what was before this change.
            return Err(sqlx::Error::PoolClosed);
        }
        if !self.begun {
            shared.open();
        }
        self.begun = true;
        self.waiting.push(statement);
        shared.send(std::mem::take(&mut self.waiting)).await
    }

    /// Leaves what waits to whoever sends the next message. What is returned is set if it is refused there.
    fn leave(&mut self) -> Refused {
        let (waiting, refused) = (std::mem::take(&mut self.waiting), Refused::default());
        if let Some(shared) = &mut self.shared
            && !waiting.is_empty()
            && shared.outcome().is_some()
        {
            if !self.begun {
                shared.open();
            }
            shared.rest.leave(waiting, refused.clone());
        }
        refused
    }

    /// Ends the turn, and sees to it that somebody commits.
    fn end(&mut self) -> Option<watch::Receiver<Outcome>> {
        let mut shared = self.shared.take()?;
        let outcome = shared.outcome()?;
        if !shared.is_awaited {
            self.writer.spawn(self.writer.clone().flush(shared.before()))?;
            shared.is_awaited = true;
        }
        Some(outcome)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.as_mut() {
            if self.begun && shared.outcome().is_some() {
                shared.rest.push(["ROLLBACK TO change"]);
            }
            // It may be open.
            self.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use futures_util::future::join_all;
    use sqlx::sqlite::SqliteJournalMode;
    use sqlx::{ConnectOptions, SqliteConnection};

    use super::super::message::MAX_PREPARED;
    use super::*;
    use crate::db::{Text, Unmet};

    /// A writer with a table of numbers, and a second connection that sees what is durable.
    async fn writer(folder: &tempfile::TempDir) -> (Writer, SqliteConnection) {
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("test.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let writer = Writer::new(options.clone()).unwrap();
        let mut write = writer.begin().await.unwrap();
        write.later("CREATE TABLE numbers (number INTEGER PRIMARY KEY)".into()).unwrap();
        write.commit().await.unwrap();
        (writer, options.connect().await.unwrap())
    }

    fn number_is(number: i64) -> Statement {
        Statement::new(Text::Written("INSERT INTO numbers VALUES (?)"), vec![number.into()])
    }

    async fn insert(write: &mut Write, number: i64) {
        write.run(number_is(number)).await.unwrap();
    }

    /// Commits, and leaves a number to be inserted.
    fn leave(mut write: Write, number: i64) -> JoinHandle<Result<()>> {
        write.later(number_is(number)).unwrap();
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
        second.run("ROLLBACK".into()).await.unwrap();
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
        let unique = second.run(number_is(1)).await;
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
        let failed = second.run(number_is(2)).await;
        assert!(failed.is_err_and(|error| !crate::db::is_unique_violation(&error)), "not theirs");
        assert!(second.run("SELECT 1".into()).await.is_err(), "it is over");
        assert!(second.commit().await.is_err() && first.await.unwrap().is_err());
        assert!(durable(&mut reader).await.is_empty());
        let mut third = writer.begin().await.unwrap();
        insert(&mut third, 3).await;
        third.commit().await.unwrap();
        assert_eq!(durable(&mut reader).await, [3]);
    }

    #[tokio::test]
    async fn while_some_are_committed_others_make_the_next_whatever_becomes_of_those() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, mut reader) = writer(&folder).await;
        let slow = "INSERT INTO numbers WITH RECURSIVE n (n) AS (SELECT 9 UNION ALL SELECT n + 1 FROM n LIMIT 99999)
                    SELECT n FROM n";
        let mut first = writer.begin().await.unwrap();
        first.later(slow.into()).unwrap();
        let first = leave(first, 9);
        // Until it is on its way.
        while writer.turn().await.before().borrow().is_some() {
            tokio::task::yield_now().await;
        }
        let second = leave(writer.begin().await.unwrap(), 1);
        let mut third = writer.begin().await.unwrap();
        assert!(!first.is_finished() && !second.is_finished());
        // It waits for the connection, and what others do to it.
        insert(&mut third, 2).await;
        assert!(first.await.unwrap().is_err(), "9 is there twice");
        third.commit().await.unwrap();
        second.await.unwrap().unwrap();
        assert_eq!(durable(&mut reader).await, [1, 2]);
    }

    #[tokio::test]
    async fn whose_key_is_taken_is_undone_alone_and_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, mut reader) = writer(&folder).await;
        let unless_taken = |number| {
            let taken = Unmet::Taken { kind: "number", key: format!("{number}") };
            number_is(number).unless(Some(taken))
        };
        // So long that some are in a message of their own.
        let padding = "-".repeat(MAX_PREPARED * 2 / 5);
        let leave = |mut write: Write, before: i64, number| {
            let padded = format!("INSERT INTO numbers VALUES (?) /* {padding} */");
            write.later(Statement::new(Text::PutTogether(padded), vec![before.into()])).unwrap();
            write.later(unless_taken(number)).unwrap();
            write.later(number_is(before + 1)).unwrap();
            tokio::spawn(write.commit())
        };
        // Nobody sends anything before all of them have left what they have.
        let hold = writer.begin().await.unwrap();
        let begun = tokio::spawn({
            let writer = writer.clone();
            async move {
                let mut write = writer.begin().await.unwrap();
                insert(&mut write, 1).await;
                write.later(number_is(2)).unwrap();
                write.later(unless_taken(1)).unwrap();
                write.commit().await
            }
        });
        tokio::task::yield_now().await;
        drop(hold);
        assert!(
            begun.await.unwrap().is_err_and(|error| is_taken(&error, "1")),
            "also what it ran before"
        );
        let mut commits = Vec::new();
        for (before, number) in [(10, 3), (20, 3), (30, 3), (40, 4), (50, 4), (60, 6)] {
            commits.push(leave(writer.begin().await.unwrap(), before, number));
        }
        let done =
            join_all(commits).await.into_iter().map(|done| done.unwrap()).collect::<Vec<_>>();
        for (done, is_done) in done.iter().zip([true, false, false, true, false, true]) {
            match done {
                Ok(()) => assert!(is_done),
                Err(error) => {
                    assert!(!is_done && ["3", "4"].iter().any(|key| is_taken(error, key)))
                }
            }
        }
        let mut last = writer.begin().await.unwrap();
        last.later(unless_taken(4)).unwrap();
        assert!(last.run(number_is(70)).await.is_err_and(|error| is_taken(&error, "4")));
        insert(&mut last, 80).await;
        drop(last);
        assert_eq!(durable(&mut reader).await, [3, 4, 6, 10, 11, 40, 41, 60, 61]);
    }

    fn is_taken(error: &sqlx::Error, key: &str) -> bool {
        matches!(error, sqlx::Error::AnyDriverError(error)
            if matches!(error.downcast_ref(), Some(Unmet::Taken { key: taken, .. }) if taken == key))
    }

    #[tokio::test]
    async fn who_leaves_amid_a_message_takes_nothing_of_others_along() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, mut reader) = writer(&folder).await;
        let (first, mut second) = queue(&writer, |write| leave(write, 2), 1).await;
        // Polled once, which sends it.
        let slow = "INSERT INTO numbers WITH RECURSIVE n (n) AS (SELECT 9 UNION ALL SELECT n + 1 FROM n LIMIT 99999)
                    SELECT n FROM n";
        let left = second.run(slow.into());
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
                        write.later(number_is(number)).unwrap();
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
