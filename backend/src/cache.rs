//! What was read of who may what, for as long as nobody changes it: most requests come from the same
//! callers and are about the same projects.
//!
//! Never outlives a change: what was read belongs to a generation ([`Conn::access_generation`]), and a
//! database that other servers may write has none. What `model-registry token` writes beside the server is
//! only more than was there: nobody has asked for the secret that it makes.
//!
//! [`Conn::access_generation`]: crate::db::Conn::access_generation

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::registry::credential::Recognised;
use crate::registry::project::Project;
use crate::registry::user::User;
use crate::registry::version::Last;
use crate::role::Role;

/// How many answers are kept of each kind, and how long what was asked for may be, in bytes: anybody may
/// ask for anything, and a project has a description of up to 64 KiB.
const MAX_KEPT: usize = 1000;
const MAX_KEY: usize = 256;

/// What is kept for all requests.
#[derive(Default)]
pub struct Memory {
    /// Who holds a credential, by the hash of its secret.
    pub credentials: Kept<Recognised>,
    /// Projects by path and the id of a person, with the role of their membership.
    pub projects: Kept<(Project, Option<Role>)>,
    /// By user name.
    pub users: Kept<User>,
    /// What the next version of a model comes after, by the id of the model; also before that is durable. It is
    /// no more than a guess.
    pub versions: Kept<Last>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

/// Answers to one question, also that nothing is there: what is hidden takes as long as what is not.
pub struct Kept<T>(Mutex<Answers<T>>);

struct Answers<T> {
    generation: u64,
    found: HashMap<String, Option<T>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(Answers { generation: 0, found: HashMap::new() }))
    }
}

impl<T: Clone> Kept<T> {
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
