//! Passwords: hashing and checking, with argon2id. Never keeps one.
//!
//! How many are hashed at once is bounded: each takes 19 MiB and a core for a while, so without that
//! signing in could exhaust the machine.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::app::App;
use crate::error::{Error, Result};
use crate::id::random_text;
use crate::registry::credential::hash_secret;
use crate::time::Timestamp;

const MIN_CHARACTERS: usize = 12;
/// Longer ones would only keep the hash busy.
pub const MAX_BYTES: usize = 1024;

/// The hash of a password that nobody knows.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
                            2ZyYoCzTaTk6QYFQqQ2TnDFkU9UZ7RCJZlKZvFQwWno";

/// Checks the length of a new password. Nothing else: rules about characters make them worse
/// (NIST SP 800-63B §3.1.1.2).
pub fn check_new(field: &str, password: &str) -> Result<()> {
    if password.chars().count() < MIN_CHARACTERS || password.len() > MAX_BYTES {
        let reason =
            format!("must have at least {MIN_CHARACTERS} characters, at most {MAX_BYTES} bytes");
        return Err(Error::invalid(field, reason));
    }
    Ok(())
}

/// How long a password that was right is known without hashing it again, in seconds.
const KNOWN_SECONDS: i64 = 10 * 60;
const MAX_KNOWN: usize = 10_000;

/// Passwords that were right a moment ago: clients that send theirs with every request would otherwise
/// wait for a slow hash each time. In memory only, and as a keyed hash of the stored one and the password,
/// so that a changed password is not known.
pub struct Known {
    key: String,
    until: Mutex<HashMap<String, Timestamp>>,
}

impl Known {
    pub fn new() -> Self {
        Self { key: random_text(32), until: Mutex::default() }
    }

    fn entry(&self, stored: &str, password: &str) -> String {
        hash_secret(&format!("{}\0{stored}\0{password}", self.key))
    }

    pub fn contains(&self, stored: &str, password: &str, now: Timestamp) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(&self.entry(stored, password)).is_some_and(|until| *until > now)
    }

    pub fn add(&self, stored: &str, password: &str, now: Timestamp) {
        let entry = self.entry(stored, password);
        let mut known = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.retain(|_, until| *until > now);
        }
        if known.len() < MAX_KNOWN {
            known.insert(entry, now.plus_seconds(KNOWN_SECONDS));
        }
    }
}

impl Default for Known {
    fn default() -> Self {
        Self::new()
    }
}

/// The hash to store.
pub async fn hash(app: &App, password: String) -> Result<String> {
    on_a_thread(app, move || {
        let hash = Argon2::default().hash_password(password.as_bytes()).map_err(Error::internal)?;
        Ok(hash.to_string())
    })
    .await
}

/// Whether a password is the one that was hashed; takes as long where there is none.
pub async fn verify(app: &App, stored: Option<&str>, password: String) -> Result<bool> {
    let stored = stored.filter(|hash| !hash.is_empty());
    let (hash, somebodys) = (stored.unwrap_or(NOBODYS_HASH).to_owned(), stored.is_some());
    on_a_thread(app, move || {
        let hash = PasswordHash::new(&hash).map_err(Error::internal)?;
        let right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        Ok(right && somebodys)
    })
    .await
}

async fn on_a_thread<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let permit = app.password_hashing.clone().acquire_owned().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    })
    .await
    .map_err(Error::internal)?
}
