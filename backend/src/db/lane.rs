//! Which connections a reader uses, and how long one statement may take.

use std::time::Duration;

/// How long a statement may take that somebody waits for.
pub const STATEMENT: Duration = Duration::from_secs(30);

/// For whom is read.
#[derive(Clone, Copy, Debug)]
pub enum Lane {
    /// Everybody, each statement for so long at most.
    General(Duration),
    /// What must go on when all others are busy: who may, and whether the server lives.
    Reserved,
    /// What nobody waits for: each statement takes as long as it takes.
    Patient,
}
