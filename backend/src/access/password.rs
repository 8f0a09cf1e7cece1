//! Passwords: hashing with argon2id, checking, and slowing down who guesses. Never keeps one.
//!
//! How many are hashed at once is bounded: each takes 19 MiB and a core for a while, so without that
//! signing in could exhaust the machine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use model_registry_names as names;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Access;
use super::actor::Actor;
use super::credential::hash_secret;
use super::guesses::{self, Limit};
use super::user::{User, find_by_username};
use crate::action::Action;
use crate::error::{Error, Result};
use crate::id::random_text;
use crate::log::{self, Refusal};
use crate::network;
use crate::role::CredentialKind;
use crate::throttle::Throttle;
use crate::time::Timestamp;

const MIN_CHARACTERS: usize = names::MIN_PASSWORD;
/// Longer ones would only keep the hash busy.
pub const MAX_BYTES: usize = names::MAX_PASSWORD_BYTES;

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

/// A cache of passwords that were right a moment ago: clients that send theirs with every request would otherwise
/// wait for a slow hash each time. In memory only, and as a keyed hash of the stored one and the password,
/// so that a changed password is not known.
struct VerifiedPasswords {
    key: String,
    until: Mutex<HashMap<String, Timestamp>>,
}

impl VerifiedPasswords {
    fn new() -> Self {
        Self { key: random_text(32), until: Mutex::default() }
    }

    fn entry(&self, stored: &str, password: &str) -> String {
        hash_secret(&format!("{}\0{stored}\0{password}", self.key))
    }

    fn contains(&self, stored: &str, password: &str, now: Timestamp) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(&self.entry(stored, password)).is_some_and(|until| *until > now)
    }

    fn add(&self, stored: &str, password: &str, now: Timestamp) {
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

/// What checking passwords needs. One for all requests.
pub struct Passwords {
    /// How many are hashed at once.
    hashing: Arc<Semaphore>,
    verified: VerifiedPasswords,
    /// Wrong ones that were written into the log, by network.
    logged: Throttle,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            hashing: Arc::new(Semaphore::new(2)),
            verified: VerifiedPasswords::new(),
            logged: Throttle::new(1000),
        }
    }
}

impl Passwords {
    /// The hash to store.
    pub async fn hash(&self, password: String) -> Result<String> {
        let permit = self.permit().await?;
        on_a_thread(permit, move || {
            let hash =
                Argon2::default().hash_password(password.as_bytes()).map_err(Error::internal)?;
            Ok(hash.to_string())
        })
        .await
        .map(|(hash, _)| hash)
    }

    /// Whether a password is the one that was hashed; takes as long where there is none.
    async fn verify(
        permit: OwnedSemaphorePermit,
        stored: Option<&str>,
        password: String,
    ) -> Result<(bool, OwnedSemaphorePermit)> {
        let stored = stored.filter(|hash| !hash.is_empty());
        let (hash, somebodys) = (stored.unwrap_or(NOBODYS_HASH).to_owned(), stored.is_some());
        on_a_thread(permit, move || {
            let hash = PasswordHash::new(&hash).map_err(Error::internal)?;
            let right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
            Ok(right && somebodys)
        })
        .await
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        self.hashing.clone().acquire_owned().await.map_err(Error::internal)
    }
}

/// Hashes beside the requests. Whoever gives up meanwhile does not give the permit back before that is done.
async fn on_a_thread<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<(T, OwnedSemaphorePermit)> {
    let done = tokio::task::spawn_blocking(move || work().map(|done| (done, permit)));
    done.await.map_err(Error::internal)?
}

/// Writes a wrong password into the log, unless they are so many that this is an attack on the log.
pub async fn log_wrong_password(
    access: &Access,
    actor: &Actor,
    action: Action,
    username: &str,
) -> Result<()> {
    if access.passwords.logged.count(&actor.network(), access.clock.now()).is_err() {
        tracing::warn!(address = ?actor.address, "too many wrong passwords to log each");
        return Ok(());
    }
    let refusal = Refusal {
        action,
        subject: username,
        is_path: false,
        code: "UNAUTHENTICATED",
        named: serde_json::Map::new(),
    };
    log::record_refusal(&access.db, access.clock.now(), &actor.by(), refusal).await
}

/// Checks a password, and slows down who tries many: for one account from one address, so that nobody
/// can keep others out, and for many accounts from one.
pub async fn check_password(
    access: &Access,
    actor: &Actor,
    username: &str,
    stored: Option<&str>,
    password: String,
) -> Result<bool> {
    let network = actor.network();
    let key = format!("{network} {}", hash_secret(username));
    let mut limits = vec![Limit { key: key.clone(), free: 20 }];
    // Of a proxy that nobody named, everybody would have to wait.
    if actor.address.is_some_and(|at| !network::may_be_proxy(&access.config, at)) {
        limits.push(Limit { key: network, free: 200 });
    }
    guesses::check(access, &limits).await?;
    let permit = access.passwords.permit().await?;
    // By itself: who goes away before the answer is counted, too.
    let (access, stored) = (access.clone(), stored.map(str::to_owned));
    let checked = tokio::spawn(async move {
        // Again: of many who come at once, others were wrong meanwhile.
        let were_wrong = guesses::check(&access, &limits).await?;
        let (right, _permit) = Passwords::verify(permit, stored.as_deref(), password).await?;
        if !right {
            guesses::count(&access.db, &limits, access.clock.now()).await?;
        } else if were_wrong {
            guesses::forget(&access.db, &key).await?;
        }
        Ok(right)
    });
    checked.await.map_err(Error::internal)?
}

/// Whom a username and a password, sent with a request as in RFC 7617, are of. Takes as long for a name
/// that is not there as for a wrong password.
pub async fn find_by_password(
    access: &Access,
    actor: &Actor,
    username: &str,
    password: String,
) -> Result<Option<User>> {
    if access.config.no_password_sign_in
        || username.is_empty()
        || password.starts_with(CredentialKind::Token.prefix())
        || username.contains('\0')
        || password.len() > MAX_BYTES
    {
        return Ok(None);
    }
    let user = find_by_username(&access.db, username).await?;
    let stored =
        user.as_ref().map(|user| user.password_hash.clone()).filter(|hash| !hash.is_empty());
    let now = access.clock.now();
    let known = |stored: &String| access.passwords.verified.contains(stored, &password, now);
    if !stored.as_ref().is_some_and(known) {
        if !check_password(access, actor, username, stored.as_deref(), password.clone()).await? {
            let subject = user.as_ref().map_or("", |user| &user.username);
            log_wrong_password(access, actor, Action::SessionCreate, subject).await?;
            return Ok(None);
        }
        if let Some(stored) = stored {
            access.passwords.verified.add(&stored, &password, now);
        }
    }
    Ok(user.filter(|user| user.blocked_at_ms.is_none()))
}
