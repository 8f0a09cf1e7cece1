//! Bytes that come one after the other with interruptions, restarts of the server among them.
//!
//! In a folder they are in a file of their own behind which more is written ([`appending`](super::appending)), and become
//! an object with the name that they had by its being moved: so it is found again, too, if the server ends before the row
//! is there. An object store gets them in parts ([`sending`](super::sending)), and what the object will be is noted before
//! it is made. How many of them are durable is for the caller to note; what was
//! written behind those is written again. The hash goes on from where it was, unless the server of a folder was started
//! anew meanwhile: then the bytes are read once more at the end.

use std::collections::HashMap;
use std::io::{ErrorKind, Result as Done};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, watch};
use tokio::task::spawn_blocking;

use super::hash::{Hasher, Hashes};
use super::incoming::Incoming;
use super::key::{self, Parts};
use super::sent::Sent;
use super::written::{Checksum, Written};
use super::{Blob, Store, appending, sending};
use crate::error::{Error, Result};
use crate::id::new_uuid;
use crate::time::Timestamp;

pub(super) const FOLDER: &str = "partial";

/// Who is at what, by name.
#[derive(Clone, Default)]
pub(super) struct Partials(Arc<Mutex<HashMap<String, Arc<Slot>>>>);

impl Partials {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Slot {
    /// How many have asked for it.
    asked: watch::Sender<u64>,
    hashed: Arc<AsyncMutex<Hashed>>,
}

/// The hashes of the first bytes, and how many those are.
#[derive(Clone, Default)]
struct Hashed {
    hasher: Hasher,
    size: u64,
}

/// Bytes that only the holder of this writes.
pub struct Partial {
    store: Store,
    name: String,
    slot: Arc<Slot>,
    turn: u64,
    hashed: OwnedMutexGuard<Hashed>,
    is_part: bool,
    /// The object in an object store, of which all bytes were given.
    object: Mutex<Option<Incoming>>,
}

impl Store {
    /// Waits until nobody else of this server has the bytes of this name. Whoever has them is told.
    pub async fn partial(&self, name: &str) -> Partial {
        let slot = self.partials.lock().entry(name.to_owned()).or_default().clone();
        let mut turn = 0;
        slot.asked.send_modify(|asked| {
            *asked += 1;
            turn = *asked;
        });
        let hashed = slot.hashed.clone().lock_owned().await;
        let (store, name) = (self.clone(), name.to_owned());
        Partial { store, name, is_part: false, slot, turn, hashed, object: Mutex::default() }
    }

    /// Makes the place for bytes of this name: where it is missing, they may be an object already.
    pub async fn begin_partial(&self, name: &str) -> Result<()> {
        if !self.is_folder() {
            return Ok(());
        }
        let folder = self.folder.join(FOLDER);
        tokio::fs::create_dir_all(&folder).await?;
        tokio::fs::File::create(folder.join(name)).await?;
        Ok(())
    }

    /// The names of all uploads that have bytes here.
    pub async fn partial_names(&self) -> Result<Vec<String>> {
        let mut names = self.staged().await?;
        let folder = self.folder.join(FOLDER);
        let files = spawn_blocking(move || match std::fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            entries => entries?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<Done<Vec<String>>>(),
        });
        names.extend(files.await.map_err(Error::internal)??);
        Ok(names)
    }
}

impl Partial {
    /// A part is put together with others, and never an object for itself.
    pub fn of_part(self, is_part: bool) -> Self {
        Self { is_part, ..self }
    }

    fn file(&self) -> PathBuf {
        self.store.folder.join(FOLDER).join(&self.name)
    }

    /// Whether somebody else waits for it.
    pub fn is_wanted(&self) -> bool {
        *self.slot.asked.borrow() > self.turn
    }

    /// Ends when somebody else waits for it.
    pub fn wanted(&self) -> impl Future<Output = ()> + Send + 'static {
        let (slot, turn) = (self.slot.clone(), self.turn);
        async move {
            let mut asked = slot.asked.subscribe();
            // The slot has the sender.
            asked.wait_for(|asked| *asked > turn).await.ok();
        }
    }

    /// Whether the first bytes are there, of which the database says that they are durable.
    pub async fn has(&self, received: u64, sent: Option<&Sent>) -> Result<bool> {
        if !self.store.is_folder() {
            let is_here = sent.is_some_and(|sent| *sent.storage == *self.store.name);
            return Ok(received == 0 || is_here);
        }
        match tokio::fs::metadata(self.file()).await {
            Ok(metadata) => Ok(metadata.len() >= received),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(received == 0),
            Err(error) => Err(error.into()),
        }
    }

    /// Begins to write behind the first `from` bytes; what is there is cut off. `sent` is what an object store has, and
    /// `length` how many bytes there will be.
    pub async fn write_from(
        &mut self,
        from: u64,
        checksum: Option<Checksum>,
        (sent, length): (Option<&Sent>, Option<u64>),
        now: Timestamp,
    ) -> Result<Writing> {
        if !self.store.is_folder() {
            return self.send_from(from, checksum, (sent, length), now).await;
        }
        let hasher = match from {
            0 => Some(Hasher::default()),
            _ => (self.hashed.size == from).then(|| self.hashed.hasher.clone()),
        };
        if self.hashed.size != from {
            // They may be of other bytes than those that come now.
            *self.hashed = Hashed::default();
        }
        let writer = appending::Writer::new(self.file(), from, hasher, checksum);
        Ok(Writing { to: To::File(writer), at: from, sent: None })
    }

    /// As [`Partial::write_from`], to an object store.
    async fn send_from(
        &self,
        from: u64,
        checksum: Option<Checksum>,
        (sent, length): (Option<&Sent>, Option<u64>),
        now: Timestamp,
    ) -> Result<Writing> {
        let store = &self.store;
        let nothing = || Sent::nothing(&store.name, store.part_size(length));
        let mut sent = sent.cloned().unwrap_or_else(nothing);
        if sent.tags.is_empty() {
            // Whoever had it before may still write to the object of theirs.
            self.abort(&sent).await?;
            sent.multipart = None;
            let id = new_uuid(now);
            sent.key = match self.is_part {
                true => format!("{}/{id}", key::of_upload(&self.name)),
                false => key::of_id(&id),
            };
        }
        let in_parts = length.is_none_or(|length| length >= sent.part_size);
        let sender =
            sending::Sender::new(&self.store, &self.name, (from, &sent), checksum, in_parts);
        let sender = sender.await?;
        sent.multipart = sender.multipart();
        Ok(Writing { to: To::Cloud(Box::new(sender)), at: from, sent: Some(sent) })
    }

    /// Goes on with the hashes from here: the bytes that were written are durable.
    pub fn keep(&mut self, written: &mut Written) {
        if let Some(hasher) = &written.hasher {
            *self.hashed = Hashed { hasher: hasher.clone(), size: written.size };
        }
        *self.object() = written.object.take();
    }

    fn object(&self) -> MutexGuard<'_, Option<Incoming>> {
        self.object.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hashes of the first `size` bytes.
    pub async fn hashes(&self, size: u64) -> Result<Hashes> {
        if self.hashed.size == size {
            return Ok(self.hashed.hasher.clone().finish());
        }
        appending::hashes(self.file(), size).await
    }

    /// The object that all bytes will be, of which these are the hashes.
    pub fn blob(&self, hashes: Hashes, size: i64, sent: Option<&Sent>) -> Blob {
        let Hashes { sha256, crc32 } = hashes;
        let key = match sent {
            None => key::new(&sha256, &self.name),
            Some(sent) => sent.key.clone(),
        };
        let storage = self.store.name.clone();
        Blob { storage, key, sha256, size, crc32: Some(crc32) }
    }

    /// Makes the object of the bytes. In a folder they are here no more.
    pub async fn finish(&self, blob: &Blob) -> Result<()> {
        if !self.store.is_folder() {
            let object = self.object().take().ok_or_else(|| Error::internal("nothing was sent"))?;
            return object.complete().await;
        }
        let from = Path::from(format!("{FOLDER}/{}", self.name));
        self.store.objects.rename(&from, &Path::from(blob.key.as_str())).await?;
        Ok(())
    }

    /// The object that was made of `size` bytes, where the server ended before anybody noted it.
    pub async fn finished(&self, size: u64, sent: Option<&Sent>) -> Result<Option<Blob>> {
        if !self.store.is_folder() {
            let Some(blob) = sent.and_then(Sent::blob) else { return Ok(None) };
            let is_there = self.store.size(&blob.key).await? == Some(size);
            return Ok(is_there.then_some(blob));
        }
        if tokio::fs::try_exists(self.file()).await? {
            return Ok(None);
        }
        let mut objects = pin!(self.store.list(&key::folder_of(&self.name)));
        while let Some(object) = objects.try_next().await? {
            if let Some(Parts { sha256: Some(sha256), id: Some(id) }) = key::parse(&object.key)
                && id == self.name
                && object.size == size
            {
                let (sha256, size) = (sha256.to_owned(), object.size);
                let size = i64::try_from(size).map_err(Error::internal)?;
                let (storage, key) = (self.store.name.clone(), object.key);
                return Ok(Some(Blob { storage, key, sha256, size, crc32: None }));
            }
        }
        Ok(None)
    }

    /// Gives up the parts that an object store has.
    pub async fn abort(&self, sent: &Sent) -> Result<()> {
        match &sent.multipart {
            Some(multipart) => self.store.end_upload(&sent.key, multipart).await,
            None => Ok(()),
        }
    }

    /// Removes the bytes of an upload that is given up, or an object by now. `sent` is what an object store has.
    pub async fn remove(self, sent: Option<&Sent>) -> Result<()> {
        if let Some(sent) = sent {
            self.abort(sent).await?;
        }
        self.store.remove_staged(&self.name).await?;
        match tokio::fs::remove_file(self.file()).await {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => self.forget(),
        }
        Ok(())
    }

    /// Only when nobody may write any more: whoever asks next shares nothing with whoever waits already.
    pub fn forget(self) {
        self.store.partials.lock().remove(&self.name);
    }
}

/// Bytes on their way, of which one piece is written while the next arrives.
pub struct Writing {
    to: To,
    /// How many bytes there are with all that was given.
    pub at: u64,
    /// What an object store has before that, which is to be noted before anything is sent.
    pub sent: Option<Sent>,
}

enum To {
    File(appending::Writer),
    Cloud(Box<sending::Sender>),
}

impl Writing {
    /// Waits for the piece before, and writes this one.
    pub async fn put(&mut self, piece: Vec<Bytes>) -> Result<()> {
        self.at += piece.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        match &mut self.to {
            To::File(file) => file.put(piece).await,
            To::Cloud(sender) => sender.put(piece).await,
        }
    }

    /// Makes what was given durable as far as that costs little; none where that is nothing more.
    pub async fn checkpoint(&mut self) -> Result<Option<Written>> {
        match &mut self.to {
            To::File(file) => file.sync().await.map(Some),
            To::Cloud(sender) => sender.checkpoint().await,
        }
    }

    /// Makes all that was given durable; or, where those are the whole bytes, ready to be finished.
    pub async fn end(self, is_whole: bool, now: Timestamp) -> Result<Written> {
        match self.to {
            To::File(mut file) => file.sync().await,
            To::Cloud(sender) => sender.end(is_whole, now).await,
        }
    }
}
