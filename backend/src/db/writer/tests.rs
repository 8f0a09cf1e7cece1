//! The group commit, statement by statement, with a second connection that sees what is durable.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use sqlx::sqlite::SqliteJournalMode;
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::*;
use crate::db::Unmet;
use crate::db::ballast::Ballast;
use crate::db::query::Text;

/// A writer with a table of numbers, and a second connection that sees what is durable.
async fn writer(folder: &tempfile::TempDir) -> (Writer, SqliteConnection) {
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("test.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let writer =
        Writer::open(options.clone(), Ballast::of(&folder.path().join("none"))).await.unwrap();
    let mut write = writer.begin().await.unwrap();
    write.later("CREATE TABLE numbers (number INTEGER PRIMARY KEY)".into());
    write.commit().await.unwrap();
    (writer, options.connect().await.unwrap())
}

fn number_is(number: i64) -> Statement {
    Statement::new(Text::Written("INSERT INTO numbers VALUES (?)"), vec![number.into()])
}

/// Refused as taken where it is.
fn unless_taken(number: i64) -> Statement {
    let taken = Unmet::Taken { kind: "number", key: number.to_string() };
    number_is(number).unless(Some(taken))
}

fn is_taken(error: &sqlx::Error, key: &str) -> bool {
    matches!(error, sqlx::Error::AnyDriverError(error)
        if matches!(error.downcast_ref(), Some(Unmet::Taken { key: taken, .. }) if taken == key))
}

async fn insert(write: &mut Write, number: i64) {
    write.run(number_is(number)).await.unwrap();
}

async fn durable(reader: &mut SqliteConnection) -> Vec<i64> {
    let sql = "SELECT number FROM numbers ORDER BY number";
    sqlx::query_scalar(sql).fetch_all(reader).await.unwrap()
}

/// Two changes of one group: the first has run its statement and waits for the group's end, the second has its turn.
async fn two(writer: &Writer, number: i64) -> (JoinHandle<Result<()>>, Write) {
    let before = writer.begin().await.unwrap();
    // Both wait when the group begins.
    let [first, second] = [(); 2].map(|()| {
        let writer = writer.clone();
        tokio::spawn(async move { writer.begin().await.unwrap() })
    });
    tokio::task::yield_now().await;
    drop(before);
    let mut first = first.await.unwrap();
    insert(&mut first, number).await;
    let first = tokio::spawn(first.commit());
    (first, second.await.unwrap())
}

#[tokio::test]
async fn who_gives_up_takes_nobody_along_and_nobody_is_told_too_early() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, mut reader) = writer(&folder).await;
    let (first, mut second) = two(&writer, 1).await;
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
    let (first, mut second) = two(&writer, 1).await;
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
async fn a_statement_that_fails_is_undone_alone_unless_it_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, mut reader) = writer(&folder).await;
    let (first, mut second) = two(&writer, 1).await;
    let unique = second.run(number_is(1)).await;
    assert!(unique.is_err_and(|error| crate::db::is_unique_violation(&error)));
    insert(&mut second, 2).await;
    second.later(unless_taken(3));
    second.later(unless_taken(1));
    assert!(second.run(number_is(4)).await.is_err_and(|error| is_taken(&error, "1")));
    assert!(second.run(number_is(5)).await.is_err(), "it is over");
    assert!(second.commit().await.is_err());
    first.await.unwrap().unwrap();
    assert_eq!(durable(&mut reader).await, [1]);
}

#[tokio::test]
async fn a_commit_that_fails_undoes_its_change_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, mut reader) = writer(&folder).await;
    let (first, mut second) = two(&writer, 1).await;
    insert(&mut second, 2).await;
    second.later(unless_taken(3));
    second.later(unless_taken(1));
    assert!(second.commit().await.is_err_and(|error| is_taken(&error, "1")));
    first.await.unwrap().unwrap();
    let mut third = writer.begin().await.unwrap();
    third.later(number_is(1));
    assert!(third.commit().await.is_err_and(|error| crate::db::is_unique_violation(&error)));
    assert_eq!(durable(&mut reader).await, [1]);
}

#[tokio::test]
async fn who_leaves_amid_a_statement_takes_nothing_of_others_along() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, mut reader) = writer(&folder).await;
    let (first, mut second) = two(&writer, 1).await;
    // Polled once, which sends it.
    let slow = "INSERT INTO numbers WITH RECURSIVE n (n) AS (SELECT 9 UNION ALL SELECT n + 1 FROM n LIMIT 99999)
                SELECT n FROM n";
    let left = second.run(slow.into());
    tokio::time::timeout(Duration::ZERO, left).await.map(|_| ()).unwrap_err();
    drop(second);
    first.await.unwrap().unwrap();
    assert_eq!(durable(&mut reader).await, [1]);
}

#[tokio::test]
async fn what_was_begun_before_the_end_is_done_and_nothing_after() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, mut reader) = writer(&folder).await;
    let mut write = writer.begin().await.unwrap();
    let waiting = tokio::spawn({
        let writer = writer.clone();
        async move {
            let mut write = writer.begin().await.unwrap();
            insert(&mut write, 2).await;
            write.commit().await
        }
    });
    tokio::task::yield_now().await;
    let closing = tokio::spawn({
        let writer = writer.clone();
        async move { writer.close().await }
    });
    tokio::task::yield_now().await;
    assert!(writer.begin().await.is_err(), "it is closed");
    insert(&mut write, 1).await;
    write.commit().await.unwrap();
    waiting.await.unwrap().unwrap();
    closing.await.unwrap();
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
                    write.later(number_is(number));
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

/// A change: its statements, and whether it is committed.
#[derive(Clone, Debug)]
struct Plan {
    steps: Vec<Step>,
    commits: bool,
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    // Few numbers, so that many are taken.
    let step = prop_oneof![(0..9_i64).prop_map(Step::Run), (0..9_i64).prop_map(Step::Later)];
    let plan = (vec(step, 0..5), prop::bool::weighted(0.8));
    vec(plan.prop_map(|(steps, commits)| Plan { steps, commits }), 1..14)
}

/// Makes a change, and compares it with what a plain set comes to that has those whose turn was before.
async fn compare(writer: Writer, numbers: Arc<Mutex<BTreeSet<i64>>>, plan: Plan) {
    let mut write = writer.begin().await.unwrap();
    let (mut own, mut pending) = (numbers.lock().unwrap().clone(), Vec::new());
    for step in plan.steps {
        match step {
            Step::Later(number) => {
                write.later(unless_taken(number));
                pending.push(number);
            }
            Step::Run(number) => {
                let answer = write.run(number_is(number)).await;
                if !pending.drain(..).all(|number| own.insert(number)) {
                    assert!(matches!(answer, Err(sqlx::Error::AnyDriverError(_))));
                    return;
                }
                assert_eq!(answer.is_ok(), own.insert(number));
            }
        }
    }
    if plan.commits {
        let is_kept = pending.into_iter().all(|number| own.insert(number));
        if is_kept {
            *numbers.lock().unwrap() = own;
        }
        assert_eq!(write.commit().await.is_ok(), is_kept);
    }
}

#[test]
fn changes_that_share_groups_do_what_they_do_one_after_the_other() {
    let runtime = Runtime::new().unwrap();
    let config =
        ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(plans in plans())| runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (writer, mut reader) = writer(&folder).await;
        let numbers = Arc::default();
        let change = |plan| tokio::spawn(compare(writer.clone(), Arc::clone(&numbers), plan));
        let changes: Vec<_> = plans.into_iter().map(change).collect();
        for change in changes {
            change.await.unwrap();
        }
        let numbers = numbers.lock().unwrap().iter().copied().collect::<Vec<_>>();
        assert_eq!(durable(&mut reader).await, numbers);
    }));
}
