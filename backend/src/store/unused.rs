//! Which blobs no file used when the sweep last looked, and since when: the memory of the garbage collection.
//!
//! It is a small file beside the blobs and not a table: a database that was replaced by another one, or by an
//! older copy, would bring a memory that is not of these blobs. Where it is missing or cannot be read, nothing
//! has been unused for long.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};

use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;

use super::Store;
use crate::error::{Error, Result};

const FILE: &str = "unused.json";

/// Blobs by their SHA-256, and since when each was seen without a file.
pub type Unused = BTreeMap<String, Seen>;

/// Since when, in milliseconds since 1970, and in how many sweeps one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub since_ms: i64,
    pub sweeps: u32,
}

impl Store {
    /// Waits for its turn to sweep: two sweeps at once would forget what the other remembers.
    pub async fn sweeping(&self) -> OwnedMutexGuard<()> {
        self.sweeping.clone().lock_owned().await
    }

    /// What was unused when the last sweep ended.
    pub async fn unused(&self) -> Result<Unused> {
        let bytes = match tokio::fs::read(self.folder.join(FILE)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Unused::new()),
            bytes => bytes?,
        };
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(%error, "{FILE} cannot be read: unused blobs are counted from now on");
            Unused::new()
        }))
    }

    /// Remembers what is unused; durable when this returns.
    pub async fn remember_unused(&self, unused: &Unused) -> Result<()> {
        let bytes = serde_json::to_vec(unused).map_err(Error::internal)?;
        let folder = self.folder.clone();
        let written = spawn_blocking(move || {
            let temporary = folder.join(format!("{FILE}.new"));
            let mut file = std::fs::File::create(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&temporary, folder.join(FILE))?;
            std::fs::File::open(&folder)?.sync_all()
        });
        Ok(written.await.map_err(Error::internal)??)
    }
}
