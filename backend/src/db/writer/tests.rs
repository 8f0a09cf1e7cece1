//! The group commit, statement by statement, with a second connection that sees what is durable.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use proptest::collection::vec;
use proptest::prelude::*;
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

/// Has `then` wait for its slot while `first` has it, then ends `first`.
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
    while writer.slot().await.before().borrow().is_some() {
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
    let done = join_all(commits).await.into_iter().map(|done| done.unwrap()).collect::<Vec<_>>();
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

/// A statement of a change.
#[derive(Clone, Debug)]
enum Step {
    Run(i64),
    Later(i64),
}

/// A change: its statements, whether it is committed, and whether its end is waited for before the next begins.
#[derive(Clone, Debug)]
struct Plan {
    steps: Vec<Step>,
    commits: bool,
    waits: bool,
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    // Few numbers, so that many are taken.
    let step = prop_oneof![(0..9_i64).prop_map(Step::Run), (0..9_i64).prop_map(Step::Later)];
    let plan = (vec(step, 0..5), prop::bool::weighted(0.8), prop::bool::weighted(0.3));
    vec(plan.prop_map(|(steps, commits, waits)| Plan { steps, commits, waits }), 1..14)
}

/// Makes changes that share groups, and compares each with what a plain set comes to, one change after the other.
async fn compare(plans: Vec<Plan>) {
    let folder = tempfile::tempdir().unwrap();
    let (writer, mut reader) = writer(&folder).await;
    let (mut numbers, mut ends) = (BTreeSet::new(), Vec::new());
    for Plan { steps, commits, waits } in plans {
        let (mut own, mut pending, mut refused) = (numbers.clone(), Vec::new(), false);
        let mut write = writer.begin().await.unwrap();
        for step in steps {
            match step {
                Step::Later(number) => {
                    let taken = Unmet::Taken { kind: "number", key: number.to_string() };
                    write.later(number_is(number).unless(Some(taken))).unwrap();
                    pending.push(number);
                }
                Step::Run(number) => {
                    let answer = write.run(number_is(number)).await;
                    refused = !pending.drain(..).all(|number| own.insert(number));
                    if refused {
                        assert!(matches!(answer, Err(sqlx::Error::AnyDriverError(_))));
                        break;
                    }
                    assert_eq!(answer.is_ok(), own.insert(number));
                }
            }
        }
        if refused || !commits {
            continue;
        }
        let is_kept = pending.into_iter().all(|number| own.insert(number));
        if is_kept {
            numbers = own;
        }
        let end = tokio::spawn(write.commit());
        if waits {
            assert_eq!(end.await.unwrap().is_ok(), is_kept);
        } else {
            ends.push((end, is_kept));
        }
    }
    for (end, is_kept) in ends {
        assert_eq!(end.await.unwrap().is_ok(), is_kept);
    }
    assert_eq!(durable(&mut reader).await, Vec::from_iter(numbers));
}

#[test]
fn changes_that_share_groups_do_what_they_do_one_after_the_other() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config =
        ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(plans in plans())| runtime.block_on(compare(plans)));
}
