//! Moves of an alias at two servers: whoever reads it sees what a single register would have said (linearizability).
//!
//! It runs where there is a PostgreSQL and an object store to try. Histories are checked as Wing and Gong did ("Testing and
//! verifying concurrent objects", 1993): there must be an order of all operations, each between its begin and its end, in
//! which every read has the value of the write before it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::Caller;
use crate::replicas::pair;

/// How many histories are tried, and in a short test.
const HISTORIES: usize = 500;
const FEW: usize = 15;

/// Something that was done with the register: when it began and ended, and what was written or read.
#[derive(Clone, Copy, Debug)]
struct Operation {
    begin: Duration,
    end: Duration,
    value: usize,
    is_read: bool,
}

/// Whether a single register that had `value` first could have said all this.
fn is_linearizable(operations: &[Operation], value: usize) -> bool {
    let all = (1_u64 << operations.len()) - 1;
    let mut seen = HashSet::new();
    let mut open = vec![(all, value)];
    while let Some((left, value)) = open.pop() {
        if left == 0 {
            return true;
        }
        if !seen.insert((left, value)) {
            continue;
        }
        let those = || (0..operations.len()).filter(move |index| left & (1 << index) != 0);
        let first_end = those().map(|index| operations[index].end).min().unwrap_or_default();
        for index in those() {
            let operation = operations[index];
            // Whatever ended before it began comes before it.
            if operation.begin <= first_end && (!operation.is_read || operation.value == value) {
                open.push((left & !(1 << index), operation.value));
            }
        }
    }
    false
}

#[test]
fn a_history_is_judged() {
    let operation = |begin, end, value, is_read| Operation {
        begin: Duration::from_millis(begin),
        end: Duration::from_millis(end),
        value,
        is_read,
    };
    let write = |begin, end, value| operation(begin, end, value, false);
    let read = |begin, end, value| operation(begin, end, value, true);
    assert!(is_linearizable(&[write(0, 10, 1), read(2, 3, 0), read(4, 5, 1)], 0));
    assert!(!is_linearizable(&[write(0, 10, 1), read(2, 3, 1), read(4, 5, 0)], 0));
    assert!(!is_linearizable(&[write(0, 1, 1), read(2, 3, 0)], 0));
    assert!(is_linearizable(&[write(0, 9, 1), write(0, 9, 2), read(3, 4, 2), read(5, 6, 1)], 0));
    assert!(!is_linearizable(
        &[write(0, 9, 1), write(0, 9, 2), read(3, 4, 2), read(5, 6, 1), read(7, 8, 2)],
        0
    ));
}

/// What somebody does with an alias, one after the other.
async fn act(
    caller: &Caller,
    alias: &str,
    begun: Instant,
    values: &[Option<usize>],
) -> Vec<Operation> {
    let set = "mutation($alias: String!, $version: String!) {
        setAlias(input: {model: \"vision/ocr\", name: $alias, version: $version}) { alias { name } } }";
    let get =
        "query($ref: String!) { model(path: \"vision/ocr\") { version(ref: $ref) { version } } }";
    let mut done = Vec::new();
    for value in values {
        let begin = begun.elapsed();
        let (value, is_read) = match value {
            Some(value) => {
                let version = format!("{value}.0.0");
                caller.ok(set, json!({ "alias": alias, "version": version })).await;
                (*value, false)
            }
            None => {
                let found = caller.ok(get, json!({ "ref": format!("@{alias}") })).await;
                let version = found["model"]["version"]["version"].as_str().unwrap().to_owned();
                (version.split('.').next().unwrap().parse().unwrap(), true)
            }
        };
        done.push(Operation { begin, end: begun.elapsed(), value, is_read });
    }
    done
}

async fn try_histories(count: usize) {
    let Some((_first, _second, here, there)) = pair().await else { return };
    for version in 2..=9 {
        here.create_version(Some(&format!("{version}.0.0"))).await;
    }
    for version in 1..=9 {
        here.publish(&format!("{version}.0.0")).await;
    }
    for number in 0..count {
        let (alias, begun) = (format!("live-{number}"), Instant::now());
        act(&here, &alias, begun, &[Some(1)]).await;
        let plans: [&[Option<usize>]; 5] = [
            &[Some(2), None, Some(3), None],
            &[None, Some(4), None, Some(5)],
            &[Some(6), Some(7), None],
            &[None, None, None, None],
            &[None, Some(8), None, Some(9), None],
        ];
        let acting = plans.iter().zip([&here, &there].into_iter().cycle());
        let acting = acting.map(|(plan, caller)| act(caller, &alias, begun, plan));
        let operations: Vec<_> = join_all(acting).await.into_iter().flatten().collect();
        assert!(is_linearizable(&operations, 1), "{operations:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_one_register_at_two_servers() {
    try_histories(FEW).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_an_alias_is_one_register_at_two_servers_in_many_histories() {
    try_histories(HISTORIES).await;
}
