//! Objects for another folder: a backup has the objects of a store under the same keys.

use std::fs::File;
use std::io::{ErrorKind, Result as Done};
use std::path::Path as FsPath;

use futures_util::stream::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::task::spawn_blocking;

use super::write::receive;
use super::{Blob, Pieces, STAGING, Store};
use crate::error::{Error, Result};

/// What became of an object that another folder was to have.
pub enum Given {
    New,
    /// It had one of this size.
    There,
    /// Nobody has it.
    Missing,
}

impl Store {
    /// Gives another folder an object: by a hard link where both are on one disk, else by a copy. Its bytes are
    /// durable when this returns; its name is when its folder is synced.
    pub async fn give(&self, blob: &Blob, to: &FsPath) -> Result<Given> {
        let (from, to) = (self.folder.join(&blob.key), to.join(&blob.key));
        let size = blob.size.unsigned_abs();
        let given = spawn_blocking(move || {
            if std::fs::metadata(&to).is_ok_and(|there| there.len() == size) {
                return Ok(Given::There);
            }
            if let Some(folder) = to.parent() {
                std::fs::create_dir_all(folder)?;
            }
            match link(&from, &to) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Given::Missing),
                done => done.map(|()| Given::New),
            }
        });
        Ok(given.await.map_err(Error::internal)??)
    }

    /// Takes in an object under the key that it had elsewhere; durable when this returns.
    pub async fn put(&self, blob: &Blob, pieces: Pieces) -> Result<()> {
        let name = blob.key.rsplit('/').next().unwrap_or_default();
        let staged = Path::from(format!("{STAGING}/{name}"));
        let mut upload = self.objects.put_multipart(&staged).await?;
        let received = receive(self, &mut *upload, pieces.map_err(Error::from), u64::MAX).await;
        match received {
            Ok(_) => upload.complete().await?,
            Err(error) => {
                upload.abort().await?;
                return Err(error);
            }
        };
        self.objects.rename(&staged, &Path::from(blob.key.as_str())).await?;
        Ok(())
    }
}

/// Links a file, or copies it where it cannot be linked, such as on another disk.
fn link(from: &FsPath, to: &FsPath) -> Done<()> {
    let mut name = to.as_os_str().to_owned();
    name.push(".new");
    let new = FsPath::new(&name);
    match std::fs::remove_file(new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Err(error) = std::fs::hard_link(from, new) {
        if error.kind() == ErrorKind::NotFound {
            return Err(error);
        }
        std::fs::copy(from, new)?;
        File::open(new)?.sync_all()?;
    }
    std::fs::rename(new, to)
}
