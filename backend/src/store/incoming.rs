//! An object on its way into the store: its bytes are given one after the other, and it is there at its end or not at all.
//!
//! A folder takes them as they come. An object store takes parts of one size, which some of them demand, and what is no
//! larger than one part at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::cloud::within;
use super::{Kind, PATIENCE, Store, UPLOAD_MIB};
use crate::error::{Error, Result};

/// How many parts an upload is planned to have at most: S3 takes 10,000.
const MAX_PARTS: u64 = 9000;
/// How large parts are where nobody said how large the object will be, in bytes: 281 GiB in all.
const PART_OF_UNKNOWN: u64 = 32 << 20;
/// How many bytes a second a part must be sent by at least, beside a minute for each.
const SLOWEST: u64 = 256 << 10;
/// How many bytes of an upload are in memory without being counted.
const FREE: u64 = 1 << 20;
/// How long an object store may take to put parts together.
const PATIENCE_AT_END: Duration = Duration::from_secs(600);

/// Bytes that are being sent.
pub(super) type Sending = BoxFuture<'static, Result<()>>;

/// An object that is being written.
pub(super) struct Incoming {
    objects: Arc<dyn ObjectStore>,
    place: Path,
    /// None as long as all fits one part.
    upload: Option<Box<dyn MultipartUpload>>,
    /// None of a folder.
    parts: Option<Parts>,
    /// Less than a part.
    waiting: Vec<Bytes>,
    waiting_size: u64,
    size: u64,
}

/// How an object store takes an object.
struct Parts {
    /// How large each part but the last is, in bytes.
    size: u64,
    memory: Arc<Semaphore>,
    /// The share of the memory for the part that fills.
    share: Option<OwnedSemaphorePermit>,
}

impl Parts {
    /// Waits for the memory of a part. The first MiB is free: who sends little or slowly holds nothing that others need.
    async fn reserve(&mut self, waiting: u64) -> Result<()> {
        if self.share.is_some() || waiting <= FREE {
            return Ok(());
        }
        let mib = u32::try_from(self.size >> 20).unwrap_or(u32::MAX).min(UPLOAD_MIB);
        let share = self.memory.clone().acquire_many_owned(mib);
        let share = timeout(PATIENCE, share).await.map_err(|_| too_many())?;
        self.share = Some(share.map_err(Error::internal)?);
        Ok(())
    }
}

impl Store {
    /// Begins an object, of which `length` was said to be the size.
    pub(super) async fn incoming(&self, place: Path, length: Option<u64>) -> Result<Incoming> {
        let objects = self.objects.clone();
        let (upload, parts) = match &self.kind {
            Kind::Folder => (Some(objects.put_multipart(&place).await?), None),
            Kind::Cloud { part_size, memory, .. } => {
                let size = part_size_of(*part_size, length);
                (None, Some(Parts { size, memory: memory.clone(), share: None }))
            }
        };
        Ok(Incoming {
            objects,
            place,
            upload,
            parts,
            waiting: Vec::new(),
            waiting_size: 0,
            size: 0,
        })
    }
}

fn part_size_of(usual: u64, length: Option<u64>) -> u64 {
    let needed = length.map_or(PART_OF_UNKNOWN, |length| length.div_ceil(MAX_PARTS));
    usual.max(needed.next_multiple_of(1 << 20))
}

impl Incoming {
    /// Takes more bytes; what is returned sends those that are parts now.
    pub async fn put(&mut self, bytes: Vec<Bytes>) -> Result<Sending> {
        let length = bytes.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        self.size += length;
        self.waiting.extend(bytes);
        self.waiting_size += length;
        let part_size = match &mut self.parts {
            Some(parts) => {
                parts.reserve(self.waiting_size).await?;
                parts.size
            }
            None => self.waiting_size,
        };
        // No more comes at once than a part.
        match self.waiting_size > 0 && self.waiting_size >= part_size {
            true => self.send(part_size).await,
            false => Ok(Box::pin(async { Ok(()) })),
        }
    }

    /// Sends the first `size` bytes of those that wait as the next part.
    async fn send(&mut self, size: u64) -> Result<Sending> {
        let part = self.take(size);
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(self.objects.put_multipart(&self.place).await?),
        };
        let sending = upload.put_part(part);
        let Some(parts) = &mut self.parts else {
            return Ok(Box::pin(async move { Ok(sending.await?) }));
        };
        let share = parts.share.take();
        let patience = PATIENCE + Duration::from_secs(size / SLOWEST);
        Ok(Box::pin(async move {
            let sent = within(patience, sending).await;
            drop(share);
            sent
        }))
    }

    fn take(&mut self, size: u64) -> PutPayload {
        let (mut part, mut missing) = (Vec::new(), size);
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        while missing > 0
            && let Some(mut bytes) = waiting.next()
        {
            if let Ok(end) = usize::try_from(missing)
                && end < bytes.len()
            {
                self.waiting.push(bytes.split_off(end));
            }
            missing -= bytes.len() as u64;
            part.push(bytes);
        }
        self.waiting.extend(waiting);
        self.waiting_size -= size;
        part.into_iter().collect()
    }

    /// Ends the object: it is durable when this returns.
    pub async fn complete(mut self) -> Result<()> {
        if self.parts.is_none() {
            let Some(upload) = &mut self.upload else { return Ok(()) };
            upload.complete().await?;
            return Ok(());
        }
        if self.upload.is_none() {
            let all = self.take(self.waiting_size);
            return within(PATIENCE_AT_END, self.objects.put(&self.place, all)).await.map(drop);
        }
        if self.waiting_size > 0 {
            self.send(self.waiting_size).await?.await?;
        }
        let Some(upload) = &mut self.upload else { return Ok(()) };
        let ended = within(PATIENCE_AT_END, upload.complete()).await;
        let Err(error) = ended else {
            self.upload = None;
            return Ok(());
        };
        // The answer may have been lost, and the object is there: its place is nobody else's.
        match within(PATIENCE, self.objects.head(&self.place)).await {
            Ok(found) if found.size == self.size => {
                self.upload = None;
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// Gives the object up: nothing is left of it.
    pub async fn abort(mut self) {
        if let Some(upload) = self.upload.take() {
            abort(upload, &self.place).await;
        }
    }
}

async fn abort(mut upload: Box<dyn MultipartUpload>, place: &Path) {
    if let Err(error) = upload.abort().await {
        tracing::warn!(%error, %place, "parts of an upload may be left");
    }
}

/// Whoever wrote it may go away in the middle. A folder removes what it has by itself.
impl Drop for Incoming {
    fn drop(&mut self) {
        let (Some(upload), Some(_)) = (self.upload.take(), &self.parts) else { return };
        let place = self.place.clone();
        tokio::spawn(async move { abort(upload, &place).await });
    }
}

fn too_many() -> Error {
    Error::RateLimited("Too many uploads are under way. Try again in a minute.".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_large_enough_for_what_was_announced() {
        let usual = 8 << 20;
        assert_eq!(part_size_of(usual, Some(1)), usual);
        assert_eq!(part_size_of(usual, Some(40 << 30)), usual);
        assert_eq!(part_size_of(usual, None), PART_OF_UNKNOWN);
        let huge = 1 << 40;
        assert!(part_size_of(usual, Some(huge)) * MAX_PARTS >= huge);
    }
}
