//! Signing what goes out in order to come back: addresses that stand for who asked for them, the ids of uploads. The key is
//! the registry's, so any of its servers opens what another one has signed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use crate::error::{Error, Result};

/// The length of an HMAC-SHA256, in bytes.
const MAC_SIZE: usize = 32;

/// As long as the hash is, in bytes (RFC 2104 §3).
const KEY_SIZE: usize = 32;

/// The key.
pub struct Signing([u8; KEY_SIZE]);

impl Signing {
    /// Signs with the secret of a registry.
    pub fn new(secret: &str) -> Result<Self> {
        let mut key = [0; KEY_SIZE];
        hex::decode_to_slice(secret, &mut key).map_err(Error::internal)?;
        Ok(Self(key))
    }

    /// A secret that nobody knows.
    pub fn new_secret() -> String {
        let mut key = [0; KEY_SIZE];
        getrandom::fill(&mut key).expect("the operating system gives random numbers");
        hex::encode(key)
    }

    fn mac(&self, purpose: &str, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes any key");
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_was_sealed_and_nothing_else() {
        let signing = Signing::new(&Signing::new_secret()).unwrap();
        let token = signing.seal("url", &("vision", 7)).unwrap_or_default();
        assert_eq!(signing.open("url", &token), Some(("vision".to_owned(), 7)));
        assert_eq!(signing.open::<(String, i64)>("upload", &token), None);
        let other = Signing::new(&Signing::new_secret()).unwrap();
        assert_eq!(other.open::<(String, i64)>("url", &token), None);
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
