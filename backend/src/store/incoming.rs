//! An object on its way into the store: its bytes are given one after the other, and it is there at its end or not at all.
//!
//! A folder takes them as they come. An object store takes parts of one size, which some of them demand, and what is no
//! larger than one part at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Attributes, MultipartId, MultipartUpload, ObjectStore, ObjectStoreExt, PutMultipartOptions,
    PutOptions, PutPayload,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::cloud::{found_within, within};
use super::sent::{Sent, gone};
use super::{Journal, Kind, PATIENCE, Store, if_there};
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
    to: To,
    /// Less than a part.
    waiting: Vec<Bytes>,
    waiting_size: u64,
    size: u64,
}

/// What the uploads to an object store may hold in memory.
#[derive(Clone)]
pub(super) struct Memory {
    mib: u32,
    free: Arc<Semaphore>,
}

impl Memory {
    pub fn new(mib: u32) -> Self {
        Self { mib, free: Arc::new(Semaphore::new(mib as usize)) }
    }

    /// How many MiB a share of so many bytes has: what is larger than all takes all.
    fn mib_of(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX).min(self.mib)
    }

    /// A share of so many bytes, unless others wait for theirs or it is not there.
    fn try_share(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        self.free.clone().try_acquire_many_owned(self.mib_of(bytes)).ok()
    }

    /// Waits for a share of so many bytes.
    async fn share(&self, bytes: u64) -> Result<OwnedSemaphorePermit> {
        let mib = self.mib_of(bytes);
        let share = timeout(PATIENCE, self.free.clone().acquire_many_owned(mib)).await;
        share.map_err(|_| too_many())?.map_err(Error::internal)
    }
}

/// How an object is written.
enum To {
    Folder(Option<Box<dyn MultipartUpload>>),
    Cloud(Parts),
}

/// How an object store takes an object.
struct Parts {
    multipart: Arc<dyn MultipartStore>,
    /// How large each part but the last is, in bytes.
    size: u64,
    memory: Memory,
    /// The share of the memory for the part that fills.
    share: Option<OwnedSemaphorePermit>,
    /// What the object store calls the upload; none as long as all fits one part.
    id: Option<MultipartId>,
    /// How many parts were begun.
    begun: usize,
    /// What the object store calls the parts that it has, by their numbers.
    tags: Arc<Mutex<BTreeMap<usize, String>>>,
    /// Whether somebody may go on with them later.
    is_kept: bool,
    /// Where the upload is noted, and the name of the storage; none where whoever keeps it notes it.
    journal: Option<(Arc<dyn Journal>, Arc<str>)>,
    /// What is said of the object.
    attributes: Attributes,
}

impl Parts {
    /// What the object store calls the upload, which begins if it has not.
    async fn begin(&mut self, place: &Path) -> Result<MultipartId> {
        if let Some(id) = &self.id {
            return Ok(id.clone());
        }
        let options = PutMultipartOptions::from(self.attributes.clone());
        let begun = self.multipart.create_multipart_opts(place, options);
        let id = within(PATIENCE, begun).await?;
        // From here on whoever drops this ends it.
        let id = self.id.insert(id).clone();
        if let Some((journal, storage)) = &self.journal {
            journal.note(storage, place.as_ref(), &id).await?;
        }
        Ok(id)
    }

    fn tags(&self) -> Vec<String> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Waits for the memory of a part.
    async fn reserve(&mut self, waiting: u64) -> Result<()> {
        if !self.try_reserve(waiting) {
            self.share = Some(self.memory.share(self.size).await?);
        }
        Ok(())
    }

    /// As [`Self::reserve`], unless it would have to wait; whether there is memory. The first MiB is free: who sends little or
    /// slowly holds nothing that others need.
    fn try_reserve(&mut self, waiting: u64) -> bool {
        if self.share.is_some() || waiting <= FREE {
            return true;
        }
        self.share = self.memory.try_share(self.size);
        self.share.is_some()
    }
}

impl Store {
    /// Begins an object, of which `length` was said to be the size.
    pub(super) async fn incoming(&self, place: Path, length: Option<u64>) -> Result<Incoming> {
        let objects = self.objects.clone();
        let to = match &self.kind {
            Kind::Folder => To::Folder(Some(objects.put_multipart(&place).await?)),
            Kind::Cloud { bucket, .. } => {
                To::Cloud(self.parts(part_size_of(bucket.part_size, length), false)?)
            }
        };
        Ok(Incoming { objects, place, to, waiting: Vec::new(), waiting_size: 0, size: 0 })
    }

    /// Goes on with an object of an object store, of which it has these parts.
    pub(super) fn incoming_again(&self, sent: &Sent) -> Result<Incoming> {
        let mut parts = self.parts(sent.part_size, true)?;
        parts.id.clone_from(&sent.multipart);
        parts.begun = sent.tags.len();
        parts.tags = Arc::new(Mutex::new(sent.tags.iter().cloned().enumerate().collect()));
        Ok(Incoming {
            objects: self.objects.clone(),
            place: Path::from(sent.key.as_str()),
            size: sent.size_of_parts(),
            to: To::Cloud(parts),
            waiting: Vec::new(),
            waiting_size: 0,
        })
    }

    fn parts(&self, size: u64, is_kept: bool) -> Result<Parts> {
        let Kind::Cloud { multipart, memory, journal, .. } = &self.kind else {
            return Err(Error::internal("the store is a folder"));
        };
        let (multipart, memory) = (multipart.clone(), memory.clone());
        let journal = journal.clone().filter(|_| !is_kept);
        Ok(Parts {
            multipart,
            size,
            memory,
            share: None,
            id: None,
            begun: 0,
            tags: Arc::default(),
            is_kept,
            journal: journal.map(|journal| (journal, self.name.clone())),
            attributes: self.attributes(),
        })
    }

    /// How large the parts of an upload are that may be interrupted, of which `length` was said to be the size.
    pub(super) fn part_size(&self, length: Option<u64>) -> u64 {
        match &self.kind {
            Kind::Folder => 0,
            Kind::Cloud { bucket, .. } => part_size_of(bucket.part_size, length),
        }
    }
}

fn part_size_of(usual: u64, length: Option<u64>) -> u64 {
    let needed = length.map_or(PART_OF_UNKNOWN, |length| length.div_ceil(MAX_PARTS));
    usual.max(needed.next_multiple_of(1 << 20))
}

/// How long so many bytes may be on their way.
pub(super) fn patience_for(size: u64) -> Duration {
    PATIENCE + Duration::from_secs(size / SLOWEST)
}

impl Incoming {
    /// Whether `length` more bytes have their share of the memory, or it could be had at once.
    pub fn has_room(&mut self, length: u64) -> bool {
        match &mut self.to {
            To::Folder(_) => true,
            To::Cloud(parts) => parts.try_reserve(self.waiting_size + length),
        }
    }

    /// Takes more bytes; what is returned sends those that are a part now, if they are.
    pub async fn put(&mut self, bytes: Vec<Bytes>) -> Result<Option<Sending>> {
        let length = bytes.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        self.size += length;
        self.waiting.extend(bytes);
        self.waiting_size += length;
        let part_size = match &mut self.to {
            To::Cloud(parts) => {
                parts.reserve(self.waiting_size).await?;
                parts.size
            }
            To::Folder(_) => self.waiting_size,
        };
        // No more comes at once than a part.
        match self.waiting_size > 0 && self.waiting_size >= part_size {
            true => self.send(part_size).await.map(Some),
            false => Ok(None),
        }
    }

    /// Sends the first `size` bytes of those that wait as the next part.
    async fn send(&mut self, size: u64) -> Result<Sending> {
        let part = self.take(size);
        let parts = match &mut self.to {
            To::Folder(upload) => {
                let upload = upload.as_mut().ok_or_else(|| Error::internal("it has ended"))?;
                let sending = upload.put_part(part);
                return Ok(Box::pin(async move { Ok(sending.await?) }));
            }
            To::Cloud(parts) => parts,
        };
        let id = parts.begin(&self.place).await?;
        let (multipart, place) = (parts.multipart.clone(), self.place.clone());
        let (number, tags, share) = (parts.begun, parts.tags.clone(), parts.share.take());
        parts.begun += 1;
        Ok(Box::pin(async move {
            let sent = multipart.put_part(&place, &id, number, part);
            let sent = match found_within(patience_for(size), sent).await {
                Ok(Err(object_store::Error::NotFound { .. })) => Err(gone()),
                sent => sent.and_then(|sent| Ok(sent?)),
            };
            drop(share);
            let mut tags = tags.lock().unwrap_or_else(PoisonError::into_inner);
            tags.insert(number, sent?.content_id);
            Ok(())
        }))
    }

    /// Begins an upload in parts, however few bytes there are.
    pub async fn begin(&mut self) -> Result<()> {
        match &mut self.to {
            To::Folder(_) => Ok(()),
            To::Cloud(parts) => parts.begin(&self.place).await.map(drop),
        }
    }

    /// What the object store calls the upload, and its parts in order, of which all have arrived.
    pub fn sent(&self) -> (Option<MultipartId>, Vec<String>) {
        match &self.to {
            To::Folder(_) => (None, Vec::new()),
            To::Cloud(parts) => (parts.id.clone(), parts.tags()),
        }
    }

    /// The bytes that are no whole part.
    pub fn waiting(&self) -> PutPayload {
        self.waiting.iter().cloned().collect()
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
        if let To::Folder(upload) = &mut self.to {
            if let Some(mut upload) = upload.take() {
                upload.complete().await?;
            }
            return Ok(());
        }
        if let To::Cloud(Parts { id: None, attributes, .. }) = &self.to {
            let options = PutOptions::from(attributes.clone());
            let all = self.take(self.waiting_size);
            let sent = self.objects.put_opts(&self.place, all, options);
            return within(patience_for(self.size), sent).await.map(drop);
        }
        if self.waiting_size > 0 {
            self.send(self.waiting_size).await?.await?;
        }
        let To::Cloud(parts) = &mut self.to else { return Ok(()) };
        let Some(id) = &parts.id else { return Ok(()) };
        let tags = parts.tags().into_iter().map(|content_id| PartId { content_id }).collect();
        let ended = parts.multipart.complete_multipart(&self.place, id, tags);
        if let Err(error) = found_within(PATIENCE_AT_END, ended).await? {
            // The answer may have been lost, and the object is there: its place is nobody else's.
            match found_within(PATIENCE, self.objects.head(&self.place)).await? {
                Ok(found) if found.size == self.size => {}
                Err(object_store::Error::NotFound { .. }) if is_refused(&error) => {
                    return Err(gone());
                }
                _ => return Err(Error::unreachable(error)),
            }
        }
        parts.id = None;
        Ok(())
    }

    /// Gives the object up: nothing is left of it.
    pub async fn abort(mut self) {
        match &mut self.to {
            To::Folder(upload) => {
                let Some(mut upload) = upload.take() else { return };
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%error, place = %self.place, "a temporary file may be left");
                }
            }
            To::Cloud(parts) => {
                let Some(id) = parts.id.take() else { return };
                try_abort(parts.multipart.clone(), self.place.clone(), id).await;
            }
        }
    }
}

/// Whether an object store says that it has not the parts that it should put together.
fn is_refused(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. })
        || error.to_string().contains("InvalidPart")
}

impl Store {
    /// Ends an upload in parts that nobody goes on with; it may be gone, or an object, already.
    pub async fn end_upload(&self, key: &str, multipart: &str) -> Result<()> {
        let Kind::Cloud { multipart: objects, .. } = &self.kind else { return Ok(()) };
        abort(objects, &Path::from(key), &multipart.to_owned()).await
    }
}

/// Gives up the parts of an object that an object store has; they may be gone already.
async fn abort(multipart: &Arc<dyn MultipartStore>, place: &Path, id: &MultipartId) -> Result<()> {
    if_there(found_within(PATIENCE, multipart.abort_multipart(place, id)).await?)
}

/// As [`abort`], where nobody can do more about it.
async fn try_abort(multipart: Arc<dyn MultipartStore>, place: Path, id: MultipartId) {
    if let Err(error) = abort(&multipart, &place, &id).await {
        tracing::warn!(?error, %place, "parts of an upload may be left");
    }
}

/// Whoever wrote it may go away in the middle. A folder removes what it has by itself.
impl Drop for Incoming {
    fn drop(&mut self) {
        let To::Cloud(parts) = &mut self.to else { return };
        let (Some(id), false) = (parts.id.take(), parts.is_kept) else { return };
        let (multipart, place) = (parts.multipart.clone(), self.place.clone());
        tokio::spawn(try_abort(multipart, place, id));
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
