//! Automatic persisted queries: an operation is sent once, and then named by its SHA-256. So clients of Apollo and urql do it
//! (apollographql.com/docs/apollo-server/performance/apq), and `documentId` of the draft of GraphQL over HTTP.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use sha2::{Digest, Sha256};

use super::answer::Refusal;
use super::http::Operation;
use crate::error::{Error, Result};

/// How many operations are kept, and how many bytes of them: those that were not used for longest go first.
const MAX_KEPT: NonZeroUsize = NonZeroUsize::new(1000).unwrap();
const MAX_BYTES: usize = 16 << 20;

/// The operations that are kept, by their SHA-256 in hexadecimal digits.
pub struct Persisted(Mutex<Kept>);

struct Kept {
    queries: LruCache<String, Arc<str>>,
    bytes: usize,
}

/// An operation that its client wants to be kept.
pub struct ToKeep {
    hash: String,
    query: Arc<str>,
}

impl Default for Persisted {
    fn default() -> Self {
        Self(Mutex::new(Kept { queries: LruCache::new(MAX_KEPT), bytes: 0 }))
    }
}

impl Persisted {
    /// Gives an operation the text that it names, or takes note of the one that it brings.
    pub fn resolve(&self, operation: &mut Operation) -> Result<Option<ToKeep>, Refusal> {
        let Some(hash) = named(operation)? else { return Ok(None) };
        if operation.query.is_empty() {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let query = kept.queries.get(&hash).ok_or(Refusal::NotPersisted)?;
            operation.query = query.as_ref().to_owned();
            return Ok(None);
        }
        if hex::encode(Sha256::digest(&operation.query)) != hash {
            let reason = "must be the SHA-256 of the query, in lower case";
            return Err(Error::invalid("extensions.persistedQuery.sha256Hash", reason).into());
        }
        Ok(Some(ToKeep { hash, query: operation.query.as_str().into() }))
    }

    /// Keeps an operation that ran.
    pub fn keep(&self, ToKeep { hash, query }: ToKeep) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += query.len();
        if let Some((_, gone)) = kept.queries.push(hash, query) {
            kept.bytes -= gone.len();
        }
        while kept.bytes > MAX_BYTES
            && let Some((_, gone)) = kept.queries.pop_lru()
        {
            kept.bytes -= gone.len();
        }
    }
}

/// The hash that an operation names, if it does.
pub fn named(operation: &Operation) -> Result<Option<String>> {
    let apollo = operation.extensions.as_ref().and_then(|all| all.get("persistedQuery"));
    let hash = match (apollo, &operation.document_id) {
        (Some(persisted), _) if persisted["version"] != 1 => {
            return Err(Error::invalid("extensions.persistedQuery.version", "must be 1"));
        }
        (Some(persisted), _) => persisted["sha256Hash"].as_str(),
        (None, Some(id)) => id.strip_prefix("sha256:"),
        (None, None) => return Ok(None),
    };
    let is_hash = |hash: &&str| {
        hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    match hash.filter(is_hash) {
        Some(hash) => Ok(Some(hash.to_owned())),
        None => {
            Err(Error::invalid("query", "must be named by a SHA-256 of 64 digits in lower case"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_keep(n: usize, length: usize) -> ToKeep {
        ToKeep { hash: n.to_string(), query: "x".repeat(length).into() }
    }

    #[test]
    fn what_is_kept_has_bounds() {
        let persisted = Persisted::default();
        for n in 0..10_000 {
            persisted.keep(to_keep(n, 10));
        }
        let state = |persisted: &Persisted| {
            let kept = persisted.0.lock().unwrap();
            (kept.queries.len(), kept.bytes)
        };
        assert_eq!(state(&persisted), (1000, 10_000));
        persisted.keep(to_keep(9_999, 10));
        assert_eq!(state(&persisted), (1000, 10_000), "the same again");
        for n in 0..1000 {
            persisted.keep(to_keep(n, 60_000));
        }
        let (count, bytes) = state(&persisted);
        assert!(bytes <= MAX_BYTES && bytes == count * 60_000, "{count} {bytes}");
    }
}
