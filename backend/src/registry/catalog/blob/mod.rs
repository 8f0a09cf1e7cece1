//! Blobs: bytes by their SHA-256, and the objects of the store that are their copies.
//!
//! The database decides: an object is served when a row makes it the copy of a blob, and removed only after the row
//! of the blob is, which the foreign key of files refuses as long as one names it. No lock is held while bytes move,
//! and no clock is part of why this is safe. What is removed waits for days first ([`sweep`]); what is read is
//! proven ([`proof`]); and a folder and a database that do not belong together are refused ([`pairing`]).

pub mod damaged;
pub mod figures;
pub mod graphql;
pub mod journal;
pub mod mover;
pub mod pairing;
pub mod proof;
pub mod read;
pub mod rules;
pub mod scrub;
pub mod sql;
pub mod sweep;
pub mod verify;

/// An object that is the copy of a blob.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Copy {
    /// The name of the storage that it is in.
    pub storage: String,
    pub key: String,
    /// In hexadecimal.
    pub sha256: String,
    /// In bytes.
    pub size: i64,
    /// As in the table: `READY`, `RETIRING` where it was moved, `SUSPECT` where its bytes were found wrong once, or `LOST`
    /// where twice.
    pub state: String,
}

impl Copy {
    /// Whether its bytes were found wrong.
    fn is_bad(&self) -> bool {
        matches!(&*self.state, "SUSPECT" | "LOST")
    }

    fn is_suspect(&self) -> bool {
        self.state == "SUSPECT"
    }

    /// What the store knows it as.
    pub fn blob(&self) -> crate::store::Blob {
        let Self { storage, key, sha256, size, .. } = self.clone();
        crate::store::Blob { storage: storage.into(), key, sha256, size, crc32: None }
    }
}

macro_rules! columns {
    () => {
        "storage, key, sha256, size, state"
    };
}
use columns;

/// The condition that a copy `c` is of no use: there is a good one, such as where it was moved to, or no blob that it could be
/// the copy of. That it is not
/// `READY` is said twice: SQLite finds the index by the second.
macro_rules! useless {
    () => {
        "c.state IN ('UNKNOWN', 'RETIRING', 'SUSPECT', 'LOST') AND c.state <> 'READY'
               AND (EXISTS (SELECT 1 FROM copies r WHERE r.sha256 = c.sha256 AND r.state = 'READY')
                    OR NOT EXISTS (SELECT 1 FROM blobs b WHERE b.sha256 = c.sha256))"
    };
}
use useless;

/// The condition that no file names a blob `b` that a sweep found to be unused.
macro_rules! unused {
    () => {
        "b.unused_since_ms IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM files f WHERE f.sha256 = b.sha256)"
    };
}
use unused;
