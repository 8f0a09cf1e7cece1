//! The hashes of bytes as they come: the SHA-256 that names them, and the CRC-32 that archives say of their members.

use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

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

    /// How far they are, to go on anywhere: the state of the SHA-256 and the CRC-32, in hexadecimal.
    pub fn to_text(&self) -> String {
        let crc32 = self.crc32.clone().finalize();
        format!("{}{crc32:08x}", hex::encode(self.sha256.serialize()))
    }

    /// Goes on from what [`Hasher::to_text`] wrote down.
    pub fn of_text(text: &str) -> Result<Self> {
        let (sha256, crc32) = text
            .split_at_checked(text.len().saturating_sub(8))
            .ok_or_else(|| Error::internal("a state of hashes is cut off"))?;
        let state = hex::decode(sha256).map_err(Error::internal)?;
        let state = state.as_slice().try_into().map_err(Error::internal)?;
        let crc32 = u32::from_str_radix(crc32, 16).map_err(Error::internal)?;
        Ok(Self {
            sha256: Sha256::deserialize(&state).map_err(Error::internal)?,
            crc32: crc32fast::Hasher::new_with_initial(crc32),
        })
    }

    pub fn finish(self) -> Hashes {
        Hashes { sha256: hex::encode(self.sha256.finalize()), crc32: self.crc32.finalize() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_go_on_from_where_they_were_written_down() {
        let bytes: Vec<u8> = (0..1000_u32).map(|n| n as u8).collect();
        let hashes = |hasher: Hasher| {
            let Hashes { sha256, crc32 } = hasher.finish();
            (sha256, crc32)
        };
        let mut all = Hasher::default();
        all.update(&bytes);
        for cut in [0, 1, 63, 64, 65, 999, 1000] {
            let mut first = Hasher::default();
            first.update(&bytes[..cut]);
            let mut second = Hasher::of_text(&first.to_text()).unwrap();
            second.update(&bytes[cut..]);
            assert_eq!(hashes(second), hashes(all.clone()), "{cut}");
        }
        for wrong in ["", "00", &"0".repeat(200), &"z".repeat(216)] {
            assert!(Hasher::of_text(wrong).is_err(), "{wrong}");
        }
    }
}
