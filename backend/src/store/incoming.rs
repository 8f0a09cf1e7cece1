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
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::{Kind, Store, UPLOAD_MIB};
use crate::error::{Error, Result};

/// How many parts an upload is planned to have at most: S3 takes 10,000.
const MAX_PARTS: u64 = 9000;
/// How large parts are where nobody said how large the object will be, in bytes: 281 GiB in all.
const PART_OF_UNKNOWN: u64 = 32 << 20;
/// How long a part may take: this, and a second for so many bytes.
const PATIENCE: Duration = Duration::from_secs(60);
const SLOWEST: u64 = 256 << 10;
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
    /// How large each part but the last is, in bytes; none where they may be of any size.
    part_size: Option<u64>,
    /// Less than a part.
    waiting: Vec<Bytes>,
    waiting_size: u64,
    size: u64,
    /// The share of the memory for uploads; of a folder none is kept.
    _memory: Option<OwnedSemaphorePermit>,
}

impl Store {
    /// Begins an object, of which `length` was said to be the size. Waits until there is memory for it.
    pub(super) async fn incoming(&self, place: Path, length: Option<u64>) -> Result<Incoming> {
        let objects = self.objects.clone();
        let (mut upload, mut part_size, mut permit) = (None, None, None);
        match &self.kind {
            Kind::Folder => upload = Some(objects.put_multipart(&place).await?),
            Kind::Cloud { part_size: usual, memory, .. } => {
                let size = part_size_of(*usual, length);
                // One part is sent while the next one fills.
                let most = (2 * size).min(length.unwrap_or(u64::MAX)).div_ceil(1 << 20);
                let most = u32::try_from(most).unwrap_or(u32::MAX).clamp(1, UPLOAD_MIB);
                let share = memory.clone().acquire_many_owned(most);
                let share = timeout(PATIENCE, share).await.map_err(|_| too_many())?;
                permit = Some(share.map_err(Error::internal)?);
                part_size = Some(size);
            }
        }
        Ok(Incoming {
            objects,
            place,
            upload,
            part_size,
            waiting: Vec::new(),
            waiting_size: 0,
            size: 0,
            _memory: permit,
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
        let part_size = self.part_size.unwrap_or(self.waiting_size);
        let mut parts = Vec::new();
        while self.waiting_size > 0 && self.waiting_size >= part_size {
            parts.push(self.send(part_size).await?);
        }
        Ok(Box::pin(async move {
            for part in parts {
                part.await?;
            }
            Ok(())
        }))
    }

    /// Sends the first `size` bytes of those that wait as the next part.
    async fn send(&mut self, size: u64) -> Result<Sending> {
        let part = self.take(size);
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(self.objects.put_multipart(&self.place).await?),
        };
        let sending =
            timeout(PATIENCE + Duration::from_secs(size / SLOWEST), upload.put_part(part));
        Ok(Box::pin(async move { Ok(sending.await.map_err(|_| too_slow())??) }))
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
        if self.upload.is_none() {
            let all = self.take(self.waiting_size);
            let put = timeout(PATIENCE_AT_END, self.objects.put(&self.place, all)).await;
            put.map_err(|_| too_slow())??;
            return Ok(());
        }
        if self.waiting_size > 0 {
            self.send(self.waiting_size).await?.await?;
        }
        let Some(upload) = &mut self.upload else { return Ok(()) };
        let error: Error = match timeout(PATIENCE_AT_END, upload.complete()).await {
            Ok(Ok(_)) => {
                self.upload = None;
                return Ok(());
            }
            Ok(Err(error)) => error.into(),
            Err(_) => too_slow(),
        };
        // The answer may have been lost, and the object is there: its place is nobody else's.
        match self.objects.head(&self.place).await {
            Ok(found) if self.part_size.is_some() && found.size == self.size => {
                self.upload = None;
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// Gives the object up: nothing is left of it.
    pub async fn abort(mut self) -> Result<()> {
        match self.upload.take() {
            Some(mut upload) => Ok(upload.abort().await?),
            None => Ok(()),
        }
    }
}

/// Whoever wrote it may go away in the middle. A folder removes what it has by itself.
impl Drop for Incoming {
    fn drop(&mut self) {
        let (Some(mut upload), Some(_)) = (self.upload.take(), self.part_size) else { return };
        let place = self.place.clone();
        tokio::spawn(async move {
            if let Err(error) = upload.abort().await {
                tracing::warn!(%error, %place, "parts of an upload may be left in the object store");
            }
        });
    }
}

fn too_many() -> Error {
    Error::RateLimited("Too many uploads are under way. Try again in a minute.".into())
}

fn too_slow() -> Error {
    Error::internal("the object store takes too long")
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
