//! The hashes of bytes as they come: the SHA-256 that names them, and the CRC-32 that archives say of their members.

use sha2::{Digest, Sha256};

/// Both, of the bytes so far.
#[derive(Clone, Default)]
pub(super) struct Hasher {
    sha256: Sha256,
    crc32: crc32fast::Hasher,
}

/// Both, of all bytes.
#[derive(Clone, Debug)]
pub struct Hashes {
    /// In hexadecimal.
    pub sha256: String,
    pub crc32: u32,
}

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.crc32.update(bytes);
    }

    pub fn finish(self) -> Hashes {
        Hashes { sha256: hex::encode(self.sha256.finalize()), crc32: self.crc32.finalize() }
    }
}
