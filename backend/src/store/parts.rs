//! Bytes that come in several parts, in any order and at the same time, until they are put together.
//!
//! A part is named by its number and the SHA-256 of its bytes, so the same part may come twice, and whoever
//! puts parts together says which ones they mean. What is known of them is in memory only: a restart ends
//! every upload, and the folder of temporary objects is emptied then.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::time::Instant;

use super::hash::Hashes;
use super::write::receive;
use super::{STAGING, Store, if_there};
use crate::error::{Error, Result};
use crate::id::new_uuid;
use crate::time::Timestamp;

/// An upload that began so long ago is given up.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// How many uploads somebody may have begun and not ended, and how many there may be in a project.
const MAX_OPEN: usize = 1000;
const MAX_OPEN_IN_PROJECT: usize = 5000;
/// How many parts the uploads of somebody may have together: as many as two of the largest.
const MAX_PARTS: u64 = 20_000;

/// How many parts are deleted at the same time.
const DELETED_AT_ONCE: usize = 16;

/// With how many contents a part may come.
const MAX_TRIES: usize = 8;

/// Whose an upload is, and how many parts it has.
#[derive(Clone, Debug)]
pub struct Begun {
    pub user: String,
    pub project: String,
    pub parts: u32,
}

/// The uploads that have begun and are not over.
#[derive(Clone, Default)]
pub(super) struct Uploads(Arc<Mutex<HashMap<String, Upload>>>);

struct Upload {
    begun: Instant,
    of: Begun,
    /// In all parts, with those that are arriving.
    bytes: u64,
    /// By number and SHA-256.
    parts: BTreeMap<(u32, String), Part>,
}

impl Upload {
    /// The largest of the parts that came with this number.
    fn largest(&self, number: u32) -> u64 {
        let same = self.parts.range((number, String::new())..(number + 1, String::new()));
        same.map(|(_, part)| part.size).max().unwrap_or(0)
    }
}

#[derive(Clone)]
struct Part {
    place: Path,
    size: u64,
}

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Upload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn over() -> Error {
    Error::Conflict("This upload has ended. Start a new one.".into())
}

/// The share of an upload that one arriving part has; given back unless it is kept.
struct Share {
    uploads: Uploads,
    upload: String,
    number: u32,
    bytes: u64,
}

impl Share {
    /// Takes more, up to what all parts may have together.
    fn grow(&mut self, bytes: u64, max_size: u64) -> Result<()> {
        let mut uploads = self.uploads.lock();
        let upload = uploads.get_mut(&self.upload).ok_or_else(over)?;
        // A part that comes again takes the room of the first one.
        if upload.bytes + bytes > max_size.saturating_add(upload.largest(self.number)) {
            let message = format!("all parts can be at most {max_size} bytes large together");
            return Err(Error::TooLarge(message));
        }
        upload.bytes += bytes;
        self.bytes += bytes;
        Ok(())
    }

    /// Adds the part; returns whether it is a new one.
    fn keep(&mut self, sha256: &str, place: Path) -> Result<bool> {
        let mut uploads = self.uploads.lock();
        let upload = uploads.get_mut(&self.upload).ok_or_else(over)?;
        let key = (self.number, sha256.to_owned());
        if upload.parts.contains_key(&key) {
            return Ok(false);
        }
        let same =
            upload.parts.range((self.number, String::new())..(self.number + 1, String::new()));
        if same.count() >= MAX_TRIES {
            let message = format!("part {} came with other bytes too often", self.number);
            return Err(Error::RateLimited(message));
        }
        upload.parts.insert(key, Part { place, size: std::mem::take(&mut self.bytes) });
        Ok(true)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(upload) = self.uploads.lock().get_mut(&self.upload) {
            upload.bytes -= self.bytes;
        }
    }
}

impl Store {
    /// Begins an upload in parts; returns its name.
    pub fn begin_upload(&self, of: Begun, now: Timestamp) -> Result<String> {
        let mut uploads = self.uploads.lock();
        let (mut own, mut in_project, mut parts) = (0, 0, u64::from(of.parts));
        for other in uploads.values().map(|upload| &upload.of) {
            in_project += usize::from(other.project == of.project);
            if other.user == of.user {
                own += 1;
                parts += u64::from(other.parts);
            }
        }
        if own >= MAX_OPEN || in_project >= MAX_OPEN_IN_PROJECT || parts > MAX_PARTS {
            return Err(Error::RateLimited(
                "There are too many unfinished multipart uploads. Complete or abort some, or wait a day.".into(),
            ));
        }
        let name = new_uuid(now);
        let upload = Upload { begun: Instant::now(), of, bytes: 0, parts: BTreeMap::new() };
        uploads.insert(name.clone(), upload);
        Ok(name)
    }

    /// Takes in one part with flat memory; returns its SHA-256. It is durable when this returns, and nothing
    /// is left of it when this fails or is dropped. `length` is what was announced of it; all parts together have at most `max_size` bytes.
    pub async fn write_part<E: Into<Error>>(
        &self,
        upload: &str,
        number: u32,
        body: impl Stream<Item = Result<Bytes, E>>,
        length: Option<u64>,
        max_size: u64,
        now: Timestamp,
    ) -> Result<String> {
        let uploads = self.uploads.clone();
        let mut share = Share { uploads, upload: upload.to_owned(), number, bytes: 0 };
        share.grow(0, max_size)?;
        let place = Path::from(format!("{STAGING}/{}", new_uuid(now)));
        let mut writing = self.incoming(place.clone(), length).await?;
        let body = body.map(|bytes| {
            let bytes = bytes.map_err(Into::into)?;
            share.grow(bytes.len() as u64, max_size)?;
            Ok::<_, Error>(bytes)
        });
        let (Hashes { sha256, .. }, _) = match receive(self, &mut writing, body, max_size).await {
            Ok(done) => done,
            Err(error) => {
                writing.abort().await;
                return Err(error);
            }
        };
        // From here on by itself: a caller who goes away leaves no temporary file.
        let store = self.clone();
        tokio::spawn(async move {
            writing.complete().await?;
            let kept = share.keep(&sha256, place.clone());
            if !matches!(kept, Ok(true)) {
                store.objects.delete(&place).await?;
            }
            kept.map(|_| sha256)
        })
        .await
        .map_err(Error::internal)?
    }

    /// The bytes of the parts with these numbers and hashes, one after the other.
    pub fn read_parts(
        &self,
        upload: &str,
        wanted: &[(u32, String)],
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let mut parts = Vec::with_capacity(wanted.len());
        {
            let uploads = self.uploads.lock();
            let upload = uploads.get(upload).ok_or_else(over)?;
            for (number, sha256) in wanted {
                let part = upload.parts.get(&(*number, sha256.clone())).ok_or_else(|| {
                    let reason = format!("part {number} did not arrive with the ETag {sha256}");
                    Error::invalid("parts", reason)
                })?;
                parts.push(part.clone());
            }
        }
        let store = self.clone();
        let pieces = futures_util::stream::iter(parts).then(move |part| {
            let store = store.clone();
            async move {
                if part.size == 0 {
                    return Ok(futures_util::stream::empty().boxed());
                }
                let found = store.pieces_of(&part.place, part.size, 0..part.size, None).await?;
                // Somebody else may have put the parts together, or given them up.
                found.map(|pieces| pieces.map_err(Error::from).boxed()).ok_or_else(over)
            }
        });
        Ok(pieces.try_flatten().boxed())
    }

    /// Ends an upload and removes its parts; it may be over already.
    pub async fn end_upload(&self, upload: &str) -> Result<()> {
        let ended = self.uploads.lock().remove(upload);
        let objects = self.objects.clone();
        // By itself: what a caller who goes away leaves here, nobody knows any more.
        let removed = tokio::spawn(async move {
            let parts = ended.into_iter().flat_map(|upload| upload.parts.into_values());
            let deleted = futures_util::stream::iter(parts).map(|part| {
                let objects = objects.clone();
                async move { if_there(objects.delete(&part.place).await) }
            });
            let deleted: Vec<Result<()>> =
                deleted.buffer_unordered(DELETED_AT_ONCE).collect().await;
            deleted.into_iter().collect::<Result<()>>()
        });
        removed.await.map_err(Error::internal)?
    }

    /// Ends uploads that were given up: nobody put their parts together.
    pub async fn sweep_parts(&self) -> Result<()> {
        self.end_stale_uploads(STALE).await
    }

    /// Ends uploads that began longer ago than this.
    async fn end_stale_uploads(&self, age: Duration) -> Result<()> {
        let stale: Vec<String> = {
            let uploads = self.uploads.lock();
            let stale = uploads.iter().filter(|(_, upload)| upload.begun.elapsed() >= age);
            stale.map(|(name, _)| name.clone()).collect()
        };
        for name in stale {
            self.end_upload(&name).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn of(user: &str, parts: u32) -> Begun {
        Begun { user: user.to_owned(), project: "vision".to_owned(), parts }
    }

    #[tokio::test]
    async fn nobody_begins_more_than_so_many() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), None).await.unwrap();
        let large = store.begin_upload(of("ada", 10_000), NOW).unwrap();
        store.begin_upload(of("ada", 10_000), NOW).unwrap();
        assert!(matches!(store.begin_upload(of("ada", 1), NOW), Err(Error::RateLimited(_))));
        store.end_upload(&large).await.unwrap();
        for user in ["ada", "bob", "eve", "joe", "sam"] {
            for _ in usize::from(user == "ada")..MAX_OPEN {
                store.begin_upload(of(user, 1), NOW).unwrap();
            }
            assert!(matches!(store.begin_upload(of(user, 1), NOW), Err(Error::RateLimited(_))));
        }
        assert!(matches!(store.begin_upload(of("new", 1), NOW), Err(Error::RateLimited(_))));
        let elsewhere = Begun { project: "speech".to_owned(), ..of("new", 1) };
        store.begin_upload(elsewhere, NOW).unwrap();
    }

    async fn write(store: &Store, upload: &str, number: u32, bytes: &str) -> Result<String> {
        let body = [Ok::<_, Error>(Bytes::from(bytes.to_owned()))];
        store.write_part(upload, number, futures_util::stream::iter(body), None, 10, NOW).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn parts_share_a_limit_and_go_when_their_upload_is_stale() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), None).await.unwrap();
        let left = || std::fs::read_dir(folder.path().join(STAGING)).unwrap().count();
        let upload = store.begin_upload(of("ada", 2), NOW).unwrap();
        let first = write(&store, &upload, 1, "12345").await.unwrap();
        assert!(matches!(write(&store, &upload, 2, "123456").await, Err(Error::TooLarge(_))));
        // What was refused gave its room back, and the same again takes no more.
        let second = write(&store, &upload, 2, "67890").await.unwrap();
        assert_eq!(write(&store, &upload, 1, "12345").await.unwrap(), first);
        assert_eq!(left(), 2);
        let parts = store.read_parts(&upload, &[(1, first.clone()), (2, second)]).unwrap();
        let bytes: Vec<Bytes> = parts.try_collect().await.unwrap();
        assert_eq!(bytes.concat(), b"1234567890");
        assert!(matches!(store.read_parts(&upload, &[(2, first)]), Err(Error::Invalid { .. })));

        store.end_stale_uploads(STALE).await.unwrap();
        assert_eq!(left(), 2);
        store.end_stale_uploads(Duration::ZERO).await.unwrap();
        assert_eq!(left(), 0);
        assert!(matches!(write(&store, &upload, 3, "x").await, Err(Error::Conflict(_))));
        assert!(matches!(store.read_parts(&upload, &[]), Err(Error::Conflict(_))));
        store.end_upload(&upload).await.unwrap();
    }
}
