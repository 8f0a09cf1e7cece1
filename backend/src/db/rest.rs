//! What changes have left to be run by SQLite's writer, in the order in which they left it.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use super::message::{MAX_PREPARED, Script, Statement, Unmet};

/// What is set for a change that is undone when what it has left is run.
pub type Refused = Arc<OnceLock<Unmet>>;

#[derive(Default)]
pub struct Rest(VecDeque<Left>);

/// What one change has left, or what begins or undoes one.
#[derive(Default)]
struct Left {
    script: Script,
    refused: Refused,
}

impl Rest {
    /// Statements that must not fail.
    pub fn push<const N: usize>(&mut self, statements: [&'static str; N]) {
        self.leave(statements.map(Statement::from).into(), Refused::default());
    }

    /// What a change has left, whose savepoint is the last one.
    pub fn leave(&mut self, script: Script, refused: Refused) {
        self.0.push_back(Left { script, refused });
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many parts fit into a message that is kept prepared, and whether `own` does behind all of them. One part is
    /// sent however long it is.
    pub fn fitting(&self, own: &Script) -> (usize, bool) {
        let length = |script: &Script| script.iter().map(Statement::len).sum::<usize>();
        let mut room = MAX_PREPARED;
        for (index, left) in self.0.iter().enumerate() {
            let length = length(&left.script);
            if index > 0 && length > room {
                return (index, false);
            }
            room = room.saturating_sub(length);
        }
        (self.0.len(), self.0.is_empty() || length(own) <= room)
    }

    /// The statements of the first parts.
    pub fn first(&self, parts: usize) -> impl Iterator<Item = &Statement> {
        self.0.iter().take(parts).flat_map(|left| &left.script)
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
            let Left { script, refused } = &self.0[index];
            if let Some(statement) = done.checked_sub(before).and_then(|own| script.get(own))
                && let Some(unmet) = statement.unmet(error)
            {
                refused.set(unmet.clone()).expect("a change is undone once");
                let undone = vec!["ROLLBACK TO change".into()];
                self.0[index] = Left { script: undone, ..Left::default() };
                self.0.drain(..index);
                return None;
            }
            before += script.len();
        }
        Some(before)
    }
}
