//! How far bytes have come that come with interruptions.

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::hash::Hasher;
use super::incoming::Incoming;
use super::sent::Sent;

/// What the bytes of one piece are checked by.
#[derive(Clone)]
pub enum Checksum {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    pub fn digest(self) -> Vec<u8> {
        match self {
            Self::Sha1(hasher) => hasher.finalize().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
        }
    }
}

/// What has been written, and is durable.
pub struct Written {
    pub(super) hasher: Option<Hasher>,
    pub checksum: Option<Checksum>,
    pub size: u64,
    /// What an object store has of it.
    pub sent: Option<Sent>,
    /// The object, of which all bytes were given.
    pub(super) object: Option<Incoming>,
}

impl Written {
    /// All bytes, of which nothing more need be known than what an object store has.
    pub fn of_size(size: u64, sent: Option<Sent>) -> Self {
        Self { hasher: None, checksum: None, size, sent, object: None }
    }
}
