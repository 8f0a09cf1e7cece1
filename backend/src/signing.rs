//! Signing what goes out in order to come back: addresses that stand for who asked for them, the ids of
//! uploads. The key is made at each start and kept nowhere, so a restart ends all of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use crate::access::Actor;
use crate::access::credential::hash_secret;
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// The length of an HMAC-SHA256, in bytes.
const MAC_SIZE: usize = 32;

/// The key, and whoever has signed addresses that are still good.
pub struct Signing {
    key: [u8; 32],
    signers: Mutex<HashMap<String, Signer>>,
}

/// Somebody as they were recognised when they asked.
struct Signer {
    actor: Actor,
    /// When the last of their addresses expires.
    until: Timestamp,
}

impl Default for Signing {
    fn default() -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the operating system gives random numbers");
        Self { key, signers: Mutex::default() }
    }
}

impl Signing {
    fn mac(&self, purpose: &str, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes any key");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(payload);
        mac
    }

    /// A token that says `payload`, which everybody can read and nobody can change. It is good for this
    /// purpose only.
    pub fn seal(&self, purpose: &str, payload: &impl Serialize) -> Result<String> {
        let mut token = serde_json::to_vec(payload).map_err(Error::internal)?;
        let mac = self.mac(purpose, &token).finalize();
        token.extend_from_slice(&mac.into_bytes());
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    /// What a token says, if it was sealed here for this purpose.
    pub fn open<T: DeserializeOwned>(&self, purpose: &str, token: &str) -> Option<T> {
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (payload, mac) = token.split_at_checked(token.len().checked_sub(MAC_SIZE)?)?;
        // Takes as long for any wrong one.
        self.mac(purpose, payload).verify_slice(mac).ok()?;
        serde_json::from_slice(payload).ok()
    }

    /// Keeps who asks for addresses that are good until then; returns what to find them by. Nobody is
    /// kept longer than that, and each but once.
    pub fn remember(&self, actor: &Actor, until: Timestamp, now: Timestamp) -> Option<String> {
        let user = actor.user().ok()?;
        // With another password they are somebody else: what the one before made stays what it was.
        let key = actor.credential().map_or_else(
            || format!("{} {}", user.id.raw(), hash_secret(&user.password_hash)),
            |credential| credential.raw().to_owned(),
        );
        let mut signers = self.signers.lock().unwrap_or_else(PoisonError::into_inner);
        signers.retain(|_, signer| signer.until >= now);
        let until = signers.get(&key).map_or(until, |signer| signer.until.max(until));
        signers.insert(key.clone(), Signer { actor: actor.clone(), until });
        Some(key)
    }

    /// Whoever was kept under this key.
    pub fn recall(&self, key: &str) -> Option<Actor> {
        let signers = self.signers.lock().unwrap_or_else(PoisonError::into_inner);
        signers.get(key).map(|signer| signer.actor.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_was_sealed_and_nothing_else() {
        let signing = Signing::default();
        let token = signing.seal("url", &("vision", 7)).unwrap_or_default();
        assert_eq!(signing.open("url", &token), Some(("vision".to_owned(), 7)));
        assert_eq!(signing.open::<(String, i64)>("upload", &token), None);
        assert_eq!(Signing::default().open::<(String, i64)>("url", &token), None);
        for (index, _) in token.char_indices() {
            let mut forged = token.clone().into_bytes();
            forged[index] = if forged[index] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap_or_default();
            assert_eq!(signing.open::<(String, i64)>("url", &forged), None, "{forged}");
        }
        for wrong in ["", "A", "%", &token[..40], &format!("{token}AAAA")] {
            assert_eq!(signing.open::<(String, i64)>("url", wrong), None, "{wrong}");
        }
    }
}
