//! Whose store this is: `registry.json`, which names the registry that the objects belong to.

use std::io::Write;

use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::cloud::{found_within, within};
use super::{PATIENCE, Store};
use crate::error::{Error, Result};

const FILE: &str = "registry.json";
/// What a backup says of itself.
pub const BACKUP: &str = "backup.json";
/// Says that a restore into a folder has begun.
pub const RESTORING: &str = "restoring";

/// Whose objects a store has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The id of the registry, which its database knows.
    pub registry: String,
    /// The id of this store, which the database knows, too: another folder is another store.
    pub storage: String,
    /// The registries that it belonged to before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<String>,
}

impl Store {
    /// Whose store this is; nobody's if nothing says so.
    pub async fn identity(&self) -> Result<Option<Identity>> {
        let place = Path::from(FILE);
        let found = async { self.objects.get(&place).await?.bytes().await };
        let bytes = match found_within(PATIENCE, found).await? {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::Conflict(format!("{FILE} in {} cannot be read: {error}", self.place()))
        })
    }

    /// Whether the place is there, which a disk that is not mounted is not: something says whose it is, of what it is a
    /// backup, or that it is being restored.
    pub async fn is_there(&self) -> Result<bool> {
        if !self.is_folder() {
            return Ok(self.size(FILE).await?.is_some());
        }
        for file in [FILE, BACKUP, RESTORING] {
            if tokio::fs::try_exists(self.folder.join(file)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes down whose store this is; durable when this returns.
    pub async fn identify(&self, identity: &Identity) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(identity).map_err(Error::internal)?;
        if !self.is_folder() {
            let place = Path::from(FILE);
            return within(PATIENCE, self.objects.put(&place, bytes.into())).await.map(drop);
        }
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
