//! Signing what goes out in order to come back: addresses that stand for who asked for them, the ids of uploads. The keys are
//! the registry's, so any of its servers opens what another one has signed. Nothing that is signed is stored.

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

/// What the keys are for that are made of secrets which somebody has given.
const DERIVED_FOR: &[u8] = b"model-registry: signed addresses and ids of uploads";
/// The least length of such a secret, in characters.
const MIN_SECRET: usize = 32;

/// A key.
type Key = [u8; KEY_SIZE];

/// The keys.
pub struct Signing {
    /// What is signed with.
    key: Key,
    /// What else is accepted: what was signed with before, or will be.
    others: Vec<Key>,
}

impl Signing {
    /// Signs with the secret of a registry.
    pub fn new(secret: &str) -> Result<Self> {
        let mut key = [0; KEY_SIZE];
        hex::decode_to_slice(secret, &mut key).map_err(Error::internal)?;
        Ok(Self { key, others: Vec::new() })
    }

    /// Signs with the first of the secrets that somebody has given, and accepts all of them; none where there are none.
    pub fn given(secrets: &[String]) -> Result<Option<Self>> {
        if secrets.iter().any(|secret| secret.chars().count() < MIN_SECRET) {
            let reason = format!("each secret must have at least {MIN_SECRET} characters");
            return Err(Error::invalid("--secret", reason));
        }
        let mut keys = secrets.iter().map(|secret| derived(secret));
        Ok(keys.next().map(|key| Self { key, others: keys.collect() }))
    }

    /// A secret that nobody knows.
    pub fn new_secret() -> String {
        let mut key = [0; KEY_SIZE];
        getrandom::fill(&mut key).expect("the operating system gives random numbers");
        hex::encode(key)
    }

    /// A token that says `payload`, which everybody can read and nobody can change. It is good for this
    /// purpose only.
    pub fn seal(&self, purpose: &str, payload: &impl Serialize) -> Result<String> {
        let mut token = serde_json::to_vec(payload).map_err(Error::internal)?;
        let mac = mac(&self.key, purpose, &token).finalize();
        token.extend_from_slice(&mac.into_bytes());
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    /// What a token says, if it was sealed here for this purpose.
    pub fn open<T: DeserializeOwned>(&self, purpose: &str, token: &str) -> Option<T> {
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (payload, mac) = token.split_at_checked(token.len().checked_sub(MAC_SIZE)?)?;
        // Takes as long for any wrong one.
        let is_of = |key| self::mac(key, purpose, payload).verify_slice(mac).is_ok();
        let is_ours = is_of(&self.key) || self.others.iter().any(is_of);
        if is_ours { serde_json::from_slice(payload).ok() } else { None }
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key")
}

fn mac(key: &Key, purpose: &str, payload: &[u8]) -> Hmac<Sha256> {
    let mut mac = hmac(key);
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(payload);
    mac
}

/// The key that a secret of any length stands for.
fn derived(secret: &str) -> Key {
    let mut mac = hmac(secret.as_bytes());
    mac.update(DERIVED_FOR);
    mac.finalize().into_bytes().into()
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

    #[test]
    fn the_first_secret_signs_and_all_are_accepted() {
        let [old, new, short] = ["o".repeat(32), "ü".repeat(32), "s".repeat(31)];
        let given = |secrets: &[&String]| {
            Signing::given(&secrets.iter().map(|secret| (*secret).clone()).collect::<Vec<_>>())
        };
        let signing = |secrets: &[&String]| given(secrets).ok().flatten().unwrap();
        let one = signing(&[&old, &new]);
        let two = signing(&[&new, &old]);
        let last = signing(&[&new]);
        let by_one = one.seal("url", &1).unwrap_or_default();
        let by_two = two.seal("url", &1).unwrap_or_default();
        assert_ne!(by_one, by_two);
        for opens in [&one, &two] {
            assert_eq!([opens.open("url", &by_one), opens.open("url", &by_two)], [Some(1); 2]);
        }
        assert_eq!([last.open("url", &by_one), last.open("url", &by_two)], [None, Some(1)]);
        let same = signing(&[&old]).seal("url", &1).unwrap_or_default();
        assert_eq!(same, by_one, "a key is what its secret makes it, at every start");

        assert!(given(&[]).ok().unwrap().is_none());
        for wrong in [&[&short][..], &[&old, &short], &[&old, &String::new()]] {
            let refused = given(wrong).err().unwrap().message();
            assert!(refused.contains("--secret: each secret must have at least 32"), "{refused}");
            assert!(!refused.contains("sss"), "nobody sees it there");
        }
    }
}
