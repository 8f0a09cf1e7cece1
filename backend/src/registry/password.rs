//! Passwords: hashing and checking, with argon2id. Never keeps one.
//!
//! How many are hashed at once is bounded: each takes 19 MiB and a core for a while, so without that
//! signing in could exhaust the machine.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::app::App;
use crate::error::{Error, Result};

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
