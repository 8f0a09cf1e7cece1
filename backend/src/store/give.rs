//! Objects for another folder: a backup has the objects of a store under the same keys.

use std::fs::File;
use std::io::{ErrorKind, Read, Result as Done, Write};
use std::path::Path as FsPath;

use futures_util::stream::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::task::spawn_blocking;

use super::read::READ_SIZE;
use super::{Blob, Pieces, STAGING, Store};
use crate::error::{Error, Result};

/// What the key of an object ends with before it was looked at.
const NEW: &str = ".new";

/// What became of an object that another folder was to have.
pub enum Given {
    /// It is there under this key, to be looked at before it has its own.
    New(Blob),
    /// It had one of this size.
    There,
    /// Nobody has it, or it cannot be read.
    Not(std::io::Error),
}

impl Store {
    /// Gives another folder an object: by a hard link where both are on one disk, else by a copy. Its bytes are
    /// durable when this returns; its name is when its folder is synced.
    /// With `again` also where it has one.
    pub async fn give(&self, blob: &Blob, to: &FsPath, again: bool) -> Result<Given> {
        let new = Blob { key: format!("{}{NEW}", blob.key), ..blob.clone() };
        let (from, there) = (self.folder.join(&blob.key), to.join(&blob.key));
        let (to, size) = (to.join(&new.key), blob.size.unsigned_abs());
        let given = spawn_blocking(move || {
            if !again && std::fs::metadata(&there).is_ok_and(|there| there.len() == size) {
                return Ok(Given::There);
            }
            let readable = File::open(&from).and_then(|mut file| file.read(&mut [0]).map(drop));
            if let Err(error) = readable {
                return Ok(Given::Not(error));
            }
            if let Some(folder) = to.parent() {
                std::fs::create_dir_all(folder)?;
            }
            Done::Ok(link(&from, &to)?.map_or(Given::New(new), Given::Not))
        });
        Ok(given.await.map_err(Error::internal)??)
    }

    /// Gives what is new its own key.
    pub async fn keep(&self, new: &Blob) -> Result<()> {
        let key = new.key.strip_suffix(NEW).unwrap_or(&new.key);
        let (from, to) = (self.folder.join(&new.key), self.folder.join(key));
        Ok(tokio::fs::rename(from, to).await?)
    }

    /// Takes in an object under the key that it had elsewhere; durable when this returns.
    pub async fn put(&self, blob: &Blob, pieces: Pieces) -> Result<()> {
        let name = blob.key.rsplit('/').next().unwrap_or_default();
        let staged = Path::from(format!("{STAGING}/{name}"));
        let body = pieces.map_err(Error::from);
        let (incoming, ..) = self.take_in(staged.clone(), body, None, u64::MAX).await?;
        incoming.complete().await?;
        self.objects.rename(&staged, &Path::from(blob.key.as_str())).await?;
        Ok(())
    }
}

/// Links a file, or copies it where it cannot be linked, such as on another disk. What keeps it from being read is
/// returned as what was found.
fn link(from: &FsPath, to: &FsPath) -> Done<Option<std::io::Error>> {
    match std::fs::remove_file(to) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if std::fs::hard_link(from, to).is_ok() {
        return Ok(None);
    }
    let mut reading = File::open(from)?;
    let mut writing = File::create(to)?;
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match reading.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => writing.write_all(&buffer[..length])?,
            Err(error) => {
                std::fs::remove_file(to)?;
                return Ok(Some(error));
            }
        }
    }
    writing.sync_all()?;
    Ok(None)
}
