//! Blobs: bytes by their SHA-256, and the objects of the store that are their copies.
//!
//! The database decides: an object is served when a row makes it the copy of a blob, and removed only after the row
//! of the blob is, which the foreign key of files refuses as long as one names it. No lock is held while bytes move,
//! and no clock is part of why this is safe. What is removed waits for days first ([`sweep`]); what is read is
//! proven ([`proof`]); and a folder and a database that do not belong together are refused ([`pairing`]).

pub mod pairing;
pub mod proof;
pub mod read;
pub mod rules;
pub mod scrub;
pub mod sql;
pub mod sweep;
pub mod verify;

/// The one storage there is.
const STORAGE: &str = "default";

/// An object that is the copy of a blob.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Copy {
    pub key: String,
    /// In hexadecimal.
    pub sha256: String,
    /// In bytes.
    pub size: i64,
    /// As in the table: `READY`, `SUSPECT` where its bytes were found wrong once, or `LOST` where twice.
    pub state: String,
}

impl Copy {
    fn is_suspect(&self) -> bool {
        self.state == "SUSPECT"
    }

    /// What the store knows it as.
    pub fn blob(&self) -> crate::store::Blob {
        let Self { key, sha256, size, .. } = self.clone();
        crate::store::Blob { key, sha256, size, crc32: None }
    }
}

macro_rules! columns {
    () => {
        "key, sha256, size, state"
    };
}
use columns;
