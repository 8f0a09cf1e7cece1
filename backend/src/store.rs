//! Blobs: immutable bytes named by their SHA-256, over the `object_store` crate.
//!
//! Bytes are written to a temporary name while they are hashed, synced, and renamed into place; the row
//! comes second. What no row names is swept, never while it may be about to be named. The bytes of a blob may
//! also come in several parts, in any order, or one after the other with interruptions. Never knows who may
//! read what.

mod partial;
mod parts;
mod unused;

use std::fs::{File, TryLockError};
use std::future::Future;
use std::ops::Range;
use std::path::Path as FsPath;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt,
};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedRwLockReadGuard, RwLock};

use crate::error::{Error, Result};
use crate::id::new_uuid;
use crate::time::Timestamp;

pub use partial::{Checksum, Partial};
pub use unused::{Seen, Unused};

/// How much is hashed and written at once.
const PART_SIZE: usize = 2 << 20;
/// How much is read at once.
const READ_SIZE: usize = 1 << 20;

/// Bytes that are in the store.
#[derive(Clone, Debug)]
pub struct Blob {
    /// In hexadecimal.
    pub sha256: String,
    /// In bytes.
    pub size: i64,
}

/// The blobs of a registry. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// Read while a blob may be about to get its row, written while blobs without a row are removed.
    sweep_lock: Arc<RwLock<()>>,
    /// Held by the one sweep that is going on.
    sweeping: Arc<Mutex<()>>,
    /// Bytes that come in several parts.
    uploads: parts::Uploads,
    /// Bytes that come with interruptions.
    partials: partial::Partials,
    folder: Arc<FsPath>,
    /// Held for as long as the store is open: two servers on one folder would sweep each other's uploads.
    _lock: Arc<File>,
}

/// Proof that blobs may be about to get their rows: nothing is swept until it is dropped.
pub struct SweepGuard(#[expect(dead_code, reason = "held, never read")] OwnedRwLockReadGuard<()>);

impl Store {
    /// Opens the blobs in a folder, makes it if missing, and removes what interrupted uploads left.
    pub async fn open(folder: &FsPath) -> Result<Self> {
        std::fs::create_dir_all(folder.join("blobs"))?;
        let lock = File::create(folder.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::Conflict(format!(
                "another server uses {}: stop it first, or choose another --data",
                folder.display()
            )),
            TryLockError::Error(error) => error.into(),
        })?;
        match std::fs::remove_dir_all(folder.join("uploads")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => std::fs::create_dir(folder.join("uploads"))?,
        }
        let objects = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self {
            objects: Arc::new(objects),
            sweep_lock: Arc::default(),
            sweeping: Arc::default(),
            uploads: parts::Uploads::default(),
            partials: partial::Partials::default(),
            folder: folder.into(),
            _lock: Arc::new(lock),
        })
    }

    /// Takes in the bytes of `body` with flat memory. They are durable when this returns, and nothing is
    /// left of them when it fails or is dropped. More than `max_size` bytes are refused.
    pub async fn write<E: Into<Error>>(
        &self,
        body: impl Stream<Item = Result<Bytes, E>>,
        max_size: u64,
        now: Timestamp,
    ) -> Result<(Blob, SweepGuard)> {
        let temporary = Path::from(format!("uploads/{}", new_uuid(now)));
        let mut upload = self.objects.put_multipart(&temporary).await?;
        let (sha256, size) = match receive(&mut *upload, body, max_size).await {
            Ok(done) => done,
            Err(error) => {
                upload.abort().await?;
                return Err(error);
            }
        };
        // From here on by itself: a caller who goes away leaves no temporary file.
        let store = self.clone();
        tokio::spawn(async move {
            upload.complete().await?;
            let guard = SweepGuard(store.sweep_lock.clone().read_owned().await);
            store.move_into_place(&temporary, &sha256, size).await?;
            Ok((Blob { size: i64::try_from(size).map_err(Error::internal)?, sha256 }, guard))
        })
        .await
        .map_err(Error::internal)?
    }

    async fn move_into_place(&self, temporary: &Path, sha256: &str, size: u64) -> Result<()> {
        let place = path_of(sha256);
        let there = self.objects.head(&place).await.is_ok_and(|there| there.size == size);
        let moved = if there { Ok(()) } else { self.objects.rename(temporary, &place).await };
        if there || moved.is_err() {
            self.objects.delete(temporary).await?;
        }
        Ok(moved?)
    }

    /// The bytes of a blob, or a range of them, in pieces of 1 MiB.
    pub async fn read(
        &self,
        sha256: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>> {
        Ok(self.read_object(&path_of(sha256), range).await?)
    }

    async fn read_object(
        &self,
        place: &Path,
        range: Range<u64>,
    ) -> object_store::Result<BoxStream<'static, std::io::Result<Bytes>>> {
        let options =
            GetOptions { range: Some(GetRange::Bounded(range.clone())), ..Default::default() };
        if range.is_empty() {
            return Ok(futures_util::stream::empty().boxed());
        }
        let found = self.objects.get_opts(place, options).await?;
        Ok(match found.payload {
            GetResultPayload::File(file, _) => read_file(file, found.range).boxed(),
            GetResultPayload::Stream(stream) => stream.map_err(std::io::Error::other).boxed(),
        })
    }

    /// Removes the blobs that `rowless` returns: it says which of some are without a row, and forgets the
    /// rows that nothing uses. No upload gets its row meanwhile.
    pub async fn remove<F: Future<Output = Result<Vec<String>>>>(
        &self,
        rowless: impl FnOnce() -> F,
    ) -> Result<usize> {
        let _alone = self.sweep_lock.write().await;
        let mut removed = 0;
        for sha256 in rowless().await? {
            match self.objects.delete(&path_of(&sha256)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => removed += 1,
                // One must not hold up the others: it is unused still, and its turn comes again.
                Err(error) => tracing::error!(%error, sha256, "a blob cannot be removed"),
            }
        }
        Ok(removed)
    }

    /// The hashes of all blobs that are stored, in pieces of some hundreds.
    pub fn all(&self) -> impl Stream<Item = Result<Vec<String>>> {
        let blobs = self.objects.list(Some(&Path::from("blobs")));
        blobs.try_chunks(500).map(|chunk| {
            let chunk = chunk.map_err(|error| Error::from(error.1))?;
            Ok(chunk
                .iter()
                .filter_map(|object| object.location.filename())
                // Whatever else somebody put there is not ours to remove.
                .filter(|name| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()))
                .map(str::to_owned)
                .collect())
        })
    }

    /// Whether the place where bytes are stored answers.
    pub async fn check(&self) -> Result<()> {
        match self.objects.head(&Path::from("uploads/none")).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// `blobs/ab/abcdef…`
fn path_of(sha256: &str) -> Path {
    Path::from(format!("blobs/{}/{sha256}", &sha256[..2]))
}

/// Hashes and writes one part while the next arrives.
async fn receive<E: Into<Error>>(
    upload: &mut dyn MultipartUpload,
    body: impl Stream<Item = Result<Bytes, E>>,
    max_size: u64,
) -> Result<(String, u64)> {
    let mut body = std::pin::pin!(body);
    let mut hasher = Sha256::new();
    let mut size = 0;
    let mut working = None;
    loop {
        let (part, ended) = next_part(&mut body).await?;
        size += part.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        if size > max_size {
            return Err(Error::TooLarge(format!("a file can be at most {max_size} bytes large")));
        }
        if let Some(previous) = working.take() {
            hasher = finish_part(previous).await?;
        }
        if !part.is_empty() {
            let written = tokio::spawn(upload.put_part(part.iter().cloned().collect()));
            let hashed = tokio::task::spawn_blocking(move || {
                part.iter().for_each(|bytes| hasher.update(bytes));
                hasher
            });
            hasher = Sha256::new();
            working = Some((written, hashed));
        }
        if ended {
            if let Some(last) = working.take() {
                hasher = finish_part(last).await?;
            }
            return Ok((hex::encode(hasher.finalize()), size));
        }
    }
}

type Part = (tokio::task::JoinHandle<object_store::Result<()>>, tokio::task::JoinHandle<Sha256>);

async fn finish_part((written, hashed): Part) -> Result<Sha256> {
    written.await.map_err(Error::internal)??;
    hashed.await.map_err(Error::internal)
}

/// The next [`PART_SIZE`] bytes or so, and whether they are the last.
pub async fn next_part<E: Into<Error>>(
    body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
) -> Result<(Vec<Bytes>, bool)> {
    let mut part = Vec::new();
    let mut size = 0;
    while size < PART_SIZE {
        match body.next().await {
            Some(bytes) => {
                let bytes = bytes.map_err(Into::into)?;
                size += bytes.len();
                part.push(bytes);
            }
            None => return Ok((part, true)),
        }
    }
    Ok((part, false))
}

fn read_file(file: File, range: Range<u64>) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    use std::os::unix::fs::FileExt;
    let file = Arc::new(file);
    futures_util::stream::try_unfold(range, move |range| {
        let file = file.clone();
        async move {
            if range.is_empty() {
                return Ok(None);
            }
            tokio::task::spawn_blocking(move || {
                let length = (range.end - range.start).min(READ_SIZE as u64);
                let mut buffer = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
                file.read_exact_at(&mut buffer, range.start)?;
                Ok(Some((Bytes::from(buffer), range.start + length..range.end)))
            })
            .await
            .map_err(std::io::Error::other)?
        }
    })
}
