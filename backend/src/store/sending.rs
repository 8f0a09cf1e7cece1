//! Bytes that an object store takes in parts of one size (a multipart upload), and that any server goes on with.
//!
//! Part *n* is always the bytes from *n* times the size of a part. Bytes that end within a part wait in an object of their own,
//! the tail; whoever goes on begins with them. The hashes go on from where the parts end, so no byte is read twice.

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::task::{JoinHandle, spawn_blocking};

use super::cloud::{found_within, within};
use super::hash::Hasher;
use super::incoming::{Incoming, patience_for};
use super::sent::{Sent, Tail, gone};
use super::written::{Checksum, Written};
use super::{PATIENCE, Store, key};
use crate::error::{Error, Result};
use crate::id::new_uuid;
use crate::time::Timestamp;

/// The hashes of what came so far.
#[derive(Clone)]
struct Hashing {
    all: Hasher,
    /// Of all whole parts.
    parts: Hasher,
    checksum: Option<Checksum>,
    at: u64,
    part_size: u64,
}

impl Hashing {
    fn update(&mut self, bytes: &Bytes) {
        if let Some(checksum) = &mut self.checksum {
            checksum.update(bytes);
        }
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            let missing = self.part_size - self.at % self.part_size;
            let length =
                usize::try_from(missing).map_or(rest.len(), |missing| missing.min(rest.len()));
            self.all.update(&rest[..length]);
            rest = &rest[length..];
            self.at += length as u64;
            if self.at.is_multiple_of(self.part_size) {
                self.parts = self.all.clone();
            }
        }
    }
}

/// Bytes on their way to an object store.
pub(super) struct Sender {
    store: Store,
    name: String,
    key: String,
    object: Incoming,
    part_size: u64,
    /// How many parts there are that were durable before.
    known: usize,
    working: JoinHandle<Result<Hashing>>,
}

impl Sender {
    /// Goes on behind the first `from` bytes, which the object store has. With `in_parts` it is asked for an upload in parts at
    /// once: whoever notes that can end it whatever happens.
    pub async fn new(
        store: &Store,
        name: &str,
        (from, sent): (u64, &Sent),
        checksum: Option<Checksum>,
        in_parts: bool,
    ) -> Result<Self> {
        if sent.size() != from || *sent.storage != *store.name {
            return Err(gone());
        }
        let parts = Hasher::of_text(&sent.hashes)?;
        let (part_size, known) = (sent.part_size, sent.tags.len());
        let at = sent.size_of_parts();
        let hashing = Hashing { all: parts.clone(), parts, checksum: None, at, part_size };
        let object = store.incoming_again(sent)?;
        let working = tokio::spawn(async move { Ok(hashing) });
        let (store, name, key) = (store.clone(), name.to_owned(), sent.key.clone());
        let mut sender = Self { store, name, key, object, part_size, known, working };
        if let Some(tail) = &sent.tail {
            let place = Path::from(tail.key.as_str());
            let found = found_within(PATIENCE, sender.store.objects.get(&place)).await?;
            let bytes = match found {
                Err(object_store::Error::NotFound { .. }) => return Err(gone()),
                found => within(patience_for(tail.size), found?.bytes()).await?,
            };
            if bytes.len() as u64 != tail.size {
                return Err(gone());
            }
            sender.put(vec![bytes]).await?;
        }
        if in_parts {
            sender.object.begin().await?;
        }
        let mut hashing = sender.hashing().await?;
        hashing.checksum = checksum;
        sender.working = tokio::spawn(async move { Ok(hashing) });
        Ok(sender)
    }

    /// What the object store calls the upload.
    pub fn multipart(&self) -> Option<String> {
        self.object.sent().0
    }

    async fn hashing(&mut self) -> Result<Hashing> {
        (&mut self.working).await.map_err(Error::internal)?
    }

    /// Waits for the piece before, and sends and hashes this one.
    pub async fn put(&mut self, piece: Vec<Bytes>) -> Result<()> {
        let mut hashing = self.hashing().await?;
        let sending = self.object.put(piece.clone()).await?;
        self.working = tokio::spawn(async move {
            let hashed = spawn_blocking(move || {
                piece.iter().for_each(|bytes| hashing.update(bytes));
                hashing
            });
            if let Some(sending) = sending {
                sending.await?;
            }
            hashed.await.map_err(Error::internal)
        });
        Ok(())
    }

    fn sent(&self, hashing: &Hashing, multipart: Option<String>, tags: Vec<String>) -> Sent {
        let hashes = hashing.parts.to_text();
        let nothing = Sent::nothing(&self.store.name, self.part_size);
        Sent { key: self.key.clone(), multipart, hashes, tags, ..nothing }
    }

    /// What is durable in whole parts; none where no part has come to those that were noted.
    pub async fn checkpoint(&mut self) -> Result<Option<Written>> {
        let hashing = self.hashing().await?;
        let (multipart, tags) = self.object.sent();
        let known = std::mem::replace(&mut self.known, tags.len());
        let written = (tags.len() > known).then(|| {
            let sent = self.sent(&hashing, multipart, tags);
            let (hasher, size) = (Some(hashing.parts.clone()), sent.size_of_parts());
            Written {
                hasher,
                checksum: hashing.checksum.clone(),
                size,
                sent: Some(sent),
                object: None,
            }
        });
        self.working = tokio::spawn(async move { Ok(hashing) });
        Ok(written)
    }

    /// Makes all that was given durable. Where that is the whole object, the bytes behind the last part are sent when it is
    /// completed.
    pub async fn end(mut self, is_whole: bool, now: Timestamp) -> Result<Written> {
        let hashing = self.hashing().await?;
        let (multipart, tags) = self.object.sent();
        let waiting = self.object.waiting();
        let size = waiting.content_length() as u64;
        let mut tail = None;
        if !is_whole && size > 0 {
            let key = format!("{}/tail-{}", key::of_upload(&self.name), new_uuid(now));
            let place = Path::from(key.as_str());
            within(patience_for(size), self.store.objects.put(&place, waiting)).await?;
            tail = Some(Tail { key, size });
        }
        let sent = Sent { tail, ..self.sent(&hashing, multipart, tags) };
        let Hashing { all, checksum, at, .. } = hashing;
        let object = is_whole.then_some(self.object);
        Ok(Written { hasher: Some(all), checksum, size: at, sent: Some(sent), object })
    }
}
