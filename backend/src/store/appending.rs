//! Bytes that are written behind others in a file, of which one piece is written while the next arrives.

use std::fs::{File, OpenOptions};
use std::io::{Read, Result as Done};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use super::hash::{Hasher, Hashes};
use super::read::READ_SIZE;
use super::written::{Checksum, Written};
use crate::error::{Error, Result};

/// The hashes of the first bytes of a file.
pub(super) async fn hashes(file: PathBuf, size: u64) -> Result<Hashes> {
    let hashes = spawn_blocking(move || {
        let mut file = File::open(file)?.take(size);
        let mut buffer = vec![0; READ_SIZE];
        let mut hasher = Hasher::default();
        loop {
            match file.read(&mut buffer)? {
                0 => return Done::Ok(hasher.finish()),
                length => hasher.update(&buffer[..length]),
            }
        }
    });
    Ok(hashes.await.map_err(Error::internal)??)
}

/// Bytes on their way to the disk.
pub(super) struct Writer {
    working: JoinHandle<Done<Work>>,
}

struct Work {
    file: File,
    /// None where the hashes of what is before are not known.
    hasher: Option<Hasher>,
    checksum: Option<Checksum>,
    at: u64,
}

impl Writer {
    /// Begins to write behind the first `from` bytes; what is there is cut off.
    pub fn new(
        file: PathBuf,
        from: u64,
        hasher: Option<Hasher>,
        checksum: Option<Checksum>,
    ) -> Self {
        let working = spawn_blocking(move || {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let options = OpenOptions::new().write(true).create(true).truncate(false).open(file);
            let file = options?;
            file.set_len(from)?;
            Ok(Work { file, hasher, checksum, at: from })
        });
        Self { working }
    }

    async fn then(
        &mut self,
        work: impl FnOnce(&mut Work) -> Done<()> + Send + 'static,
    ) -> Result<()> {
        let mut before = (&mut self.working).await.map_err(Error::internal)??;
        self.working = spawn_blocking(move || work(&mut before).map(|()| before));
        Ok(())
    }

    /// Waits for the piece before, and writes this one.
    pub async fn put(&mut self, piece: Vec<Bytes>) -> Result<()> {
        self.then(move |work| {
            for bytes in piece {
                if let Some(hasher) = &mut work.hasher {
                    hasher.update(&bytes);
                }
                if let Some(checksum) = &mut work.checksum {
                    checksum.update(&bytes);
                }
                work.file.write_all_at(&bytes, work.at)?;
                work.at += bytes.len() as u64;
            }
            Ok(())
        })
        .await
    }

    /// Makes all that was given durable.
    pub async fn sync(&mut self) -> Result<Written> {
        self.then(|work| work.file.sync_all()).await?;
        let work = (&mut self.working).await.map_err(Error::internal)??;
        let (hasher, checksum) = (work.hasher.clone(), work.checksum.clone());
        let size = work.at;
        self.working = spawn_blocking(|| Ok(work));
        Ok(Written { hasher, checksum, size, sent: None, object: None })
    }
}
