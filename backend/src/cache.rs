//! A cache of answers that is invalidated by generation: what was read belongs to one, and nothing of it outlives it.
//!
//! Never knows what is kept. A database that other servers may write has no generation
//! ([`Conn::access_generation`](crate::db::Conn::access_generation)), and nothing is kept of it.

mod recent;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::time::Timestamp;

pub use recent::Recent;

/// How many answers are kept of each kind, and how long what was asked for may be, in bytes: anybody may
/// ask for anything, and a project has a description of up to 64 KiB.
const MAX_KEPT: usize = 1000;
const MAX_KEY: usize = 256;

/// Answers to one question, also that nothing is there: what is hidden takes as long as what is not.
pub struct Cache<T>(Mutex<Answers<T>>);

struct Answers<T> {
    generation: u64,
    found: HashMap<String, Option<T>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::new(Answers { generation: 0, found: HashMap::new() }))
    }
}

impl<T: Clone> Cache<T> {
    /// What was found for `key`, if it still would be.
    pub fn get(&self, generation: Option<u64>, key: &str) -> Option<Option<T>> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if generation == Some(answers.generation) { answers.found.get(key).cloned() } else { None }
    }

    /// Keeps what was found for `key` after `generation` was asked for.
    pub fn keep(&self, generation: Option<u64>, key: String, found: Option<&T>) {
        let Some(generation) = generation.filter(|_| key.len() <= MAX_KEY) else { return };
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.generation != generation || answers.found.len() >= MAX_KEPT {
            answers.found.clear();
            answers.generation = generation;
        }
        answers.found.insert(key, found.cloned());
    }
}

/// What the next version of a model comes after.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LastVersion {
    /// The highest number ever given.
    pub number: i64,
    /// The version whose next patch is next.
    pub latest: Option<String>,
}

/// How much there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub count: i64,
    pub bytes: i64,
}

/// What is counted of all that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    pub counted_at: Timestamp,
    /// The good copies of each storage.
    pub stored: HashMap<String, Amount>,
    /// Blobs that no file names, and since when the first of them.
    pub unused: (Amount, Option<Timestamp>),
    /// Objects that are of no use, and since when the first of them.
    pub useless: (Amount, Option<Timestamp>),
    /// When the first of all these can go, as far as time is what it waits for.
    pub first_goes_at: Option<Timestamp>,
    /// Copies that were never compared with their hash.
    pub unchecked: i64,
}
