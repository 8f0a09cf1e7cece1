//! Deferred statements: what changes that are done have put off until the next message, in their order.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use super::message::{Batch, MAX_PREPARED, Statement, Unmet};

/// What is set for a change that is undone when what it deferred is run.
pub type Refused = Arc<OnceLock<Unmet>>;

#[derive(Default)]
pub struct Deferred(VecDeque<DeferredChange>);

/// What one change has deferred, or what begins or undoes one.
#[derive(Default)]
struct DeferredChange {
    batch: Batch,
    refused: Refused,
}

impl Deferred {
    /// Statements that must not fail.
    pub fn push<const N: usize>(&mut self, statements: [&'static str; N]) {
        self.defer(statements.map(Statement::from).into(), Refused::default());
    }

    /// What a change defers, whose savepoint is the last one.
    pub fn defer(&mut self, batch: Batch, refused: Refused) {
        self.0.push_back(DeferredChange { batch, refused });
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many parts fit into a message that is kept prepared, and whether `own` does behind all of them. One part is
    /// sent however long it is.
    pub fn fitting(&self, own: &Batch) -> (usize, bool) {
        let length = |batch: &Batch| batch.iter().map(Statement::len).sum::<usize>();
        let mut room = MAX_PREPARED;
        for (index, change) in self.0.iter().enumerate() {
            let length = length(&change.batch);
            if index > 0 && length > room {
                return (index, false);
            }
            room = room.saturating_sub(length);
        }
        (self.0.len(), self.0.is_empty() || length(own) <= room)
    }

    /// The statements of the first parts.
    pub fn first(&self, parts: usize) -> impl Iterator<Item = &Statement> {
        self.0.iter().take(parts).flat_map(|change| &change.batch)
    }

    /// The first parts are done.
    pub fn done(&mut self, parts: usize) {
        self.0.drain(..parts);
    }

    /// Goes on behind the change whose statement number `done` failed, with that change undone and told so. Where it
    /// is none of these that may: how many statements they are.
    pub fn undo(&mut self, done: usize, error: &sqlx::Error) -> Option<usize> {
        let mut before = 0;
        for index in 0..self.0.len() {
            let DeferredChange { batch, refused } = &self.0[index];
            if let Some(statement) = done.checked_sub(before).and_then(|own| batch.get(own))
                && let Some(unmet) = statement.unmet(error)
            {
                refused.set(unmet.clone()).expect("a change is undone once");
                let undone = vec!["ROLLBACK TO change".into()];
                self.0[index] = DeferredChange { batch: undone, ..DeferredChange::default() };
                self.0.drain(..index);
                return None;
            }
            before += batch.len();
        }
        Some(before)
    }
}
