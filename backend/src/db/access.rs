//! Whether somebody has changed who may what: counted at the rows themselves, whoever writes them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The tables that say who is there and who may what.
const TABLES: [&str; 7] = [
    "users",
    "credentials",
    "projects",
    "members",
    "embed_tokens",
    "embed_token_origins",
    "embed_token_models",
];

/// Counts the changes of access.
#[derive(Default)]
pub struct Access {
    generation: AtomicU64,
    /// A transaction has changed it, and is not over.
    changing: AtomicBool,
}

impl Access {
    /// The state that everybody sees; none while it changes.
    pub fn current(&self) -> Option<u64> {
        let generation = self.generation.load(Ordering::SeqCst);
        (!self.changing.load(Ordering::SeqCst)).then_some(generation)
    }

    /// A row of this table was written.
    pub fn written(&self, table: &str) {
        if TABLES.contains(&table) {
            self.changing.store(true, Ordering::SeqCst);
        }
    }

    /// What was written is durable, or undone.
    pub fn settled(&self) {
        if self.changing.load(Ordering::SeqCst) {
            self.generation.fetch_add(1, Ordering::SeqCst);
            self.changing.store(false, Ordering::SeqCst);
        }
    }
}
