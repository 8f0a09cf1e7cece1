//! Bytes that come one after the other with interruptions, restarts of the server among them.
//!
//! They are in a file of their own behind which more is written, which no object store can, and become an object
//! by its being moved, to a key with the name that they had: so they are found again, too, if the server ends before
//! the row is there. How many of them are durable is for the caller to note; what was written behind those
//! is cut off again. The hash goes on from where it was, unless the server was started anew meanwhile: then
//! the bytes are read once more at the end.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Result as Done};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, watch};
use tokio::task::{JoinHandle, spawn_blocking};

use super::hash::{Hasher, Hashes};
use super::key::{self, Parts};
use super::read::{READ_SIZE, pieces};
use super::{Blob, Store};
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
}

/// What the bytes of one piece are checked by.
#[derive(Clone)]
pub enum Checksum {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    pub fn digest(self) -> Vec<u8> {
        match self {
            Self::Sha1(hasher) => hasher.finalize().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
        }
    }
}

impl Store {
    /// Waits until nobody else has the bytes of this name. Whoever has them is told.
    pub async fn partial(&self, name: &str) -> Partial {
        let slot = self.partials.lock().entry(name.to_owned()).or_default().clone();
        let mut turn = 0;
        slot.asked.send_modify(|asked| {
            *asked += 1;
            turn = *asked;
        });
        let hashed = slot.hashed.clone().lock_owned().await;
        Partial { store: self.clone(), name: name.to_owned(), slot, turn, hashed }
    }

    /// Makes the place for bytes of this name: where it is missing, they may be an object already.
    pub async fn begin_partial(&self, name: &str) -> Result<()> {
        let folder = self.folder.join(FOLDER);
        tokio::fs::create_dir_all(&folder).await?;
        tokio::fs::File::create(folder.join(name)).await?;
        Ok(())
    }

    /// The names of all that is there.
    pub async fn partial_names(&self) -> Result<Vec<String>> {
        let folder = self.folder.join(FOLDER);
        let names = spawn_blocking(move || match std::fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            entries => entries?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<Done<Vec<String>>>(),
        });
        Ok(names.await.map_err(Error::internal)??)
    }
}

impl Partial {
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

    /// How many bytes are there; those behind the durable ones may be wrong.
    pub async fn size(&self) -> Result<u64> {
        match tokio::fs::metadata(self.file()).await {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Begins to write behind the first `from` bytes; what is there is cut off.
    pub async fn write_from(&mut self, from: u64, checksum: Option<Checksum>) -> Result<Writing> {
        let file = self.file();
        let hasher = match from {
            0 => Some(Hasher::default()),
            _ => (self.hashed.size == from).then(|| self.hashed.hasher.clone()),
        };
        if self.hashed.size != from {
            // They may be of other bytes than those that come now.
            *self.hashed = Hashed::default();
        }
        let working = spawn_blocking(move || {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let options = OpenOptions::new().write(true).create(true).truncate(false).open(file);
            let file = options?;
            file.set_len(from)?;
            Ok(Work { file, hasher, checksum, at: from })
        });
        Ok(Writing { working, at: from })
    }

    /// Goes on with the hashes from here: the bytes that were written are durable.
    pub fn keep(&mut self, written: &Written) {
        if let Some(hasher) = &written.hasher {
            *self.hashed = Hashed { hasher: hasher.clone(), size: written.size };
        }
    }

    /// The hashes of the first `size` bytes.
    pub async fn hashes(&self, size: u64) -> Result<Hashes> {
        if self.hashed.size == size {
            return Ok(self.hashed.hasher.clone().finish());
        }
        let file = self.file();
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

    /// The object that all bytes will be, of which these are the hashes.
    pub fn blob(&self, hashes: Hashes, size: i64, now: Timestamp) -> Blob {
        let Hashes { sha256, crc32 } = hashes;
        let key = match self.store.is_folder() {
            true => key::new(&sha256, &self.name),
            // Another one for each try: whether the one before was the last, nobody may know.
            false => key::of_id(&new_uuid(now)),
        };
        Blob { key, sha256, size, crc32: Some(crc32) }
    }

    /// Makes the object of the bytes. In a folder they are here no more; to an object store they are sent, again if need be.
    pub async fn finish(&self, blob: &Blob) -> Result<()> {
        if !self.store.is_folder() {
            return self.send(blob).await;
        }
        let from = Path::from(format!("{FOLDER}/{}", self.name));
        self.store.objects.rename(&from, &Path::from(blob.key.as_str())).await?;
        Ok(())
    }

    async fn send(&self, blob: &Blob) -> Result<()> {
        let (file, size) = (self.file(), blob.size.unsigned_abs());
        let file = spawn_blocking(move || File::open(file)).await.map_err(Error::internal)??;
        let mut object = self.store.incoming(Path::from(blob.key.as_str()), Some(size)).await?;
        let mut sending: Option<JoinHandle<Result<()>>> = None;
        let mut pieces = pieces(file, 0..size, Some(blob.sha256.clone()));
        while let Some(piece) = pieces.try_next().await? {
            if let Some(before) = sending.take() {
                before.await.map_err(Error::internal)??;
            }
            sending = Some(tokio::spawn(object.put(vec![piece]).await?));
        }
        if let Some(last) = sending {
            last.await.map_err(Error::internal)??;
        }
        object.complete().await
    }

    /// The object that was made of the bytes, where the server ended before anybody noted it.
    pub async fn finished(&self) -> Result<Option<Blob>> {
        // What an object store was sent is still here.
        if !self.store.is_folder() || tokio::fs::try_exists(self.file()).await? {
            return Ok(None);
        }
        let mut objects = pin!(self.store.list(&key::folder_of(&self.name)));
        while let Some(object) = objects.try_next().await? {
            if let Some(Parts { sha256: Some(sha256), id: Some(id) }) = key::parse(&object.key)
                && id == self.name
            {
                let (sha256, size) = (sha256.to_owned(), object.size);
                let size = i64::try_from(size).map_err(Error::internal)?;
                return Ok(Some(Blob { key: object.key, sha256, size, crc32: None }));
            }
        }
        Ok(None)
    }

    /// Removes the bytes of an upload that is given up, or an object by now.
    pub async fn remove(self) -> Result<()> {
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

/// Bytes on their way to the disk, of which one piece is written while the next arrives.
pub struct Writing {
    working: JoinHandle<Done<Work>>,
    /// How many bytes there are with all that was given.
    pub at: u64,
}

struct Work {
    file: File,
    /// None where the hashes of what is before are not known.
    hasher: Option<Hasher>,
    checksum: Option<Checksum>,
    at: u64,
}

/// What has been written.
pub struct Written {
    hasher: Option<Hasher>,
    pub checksum: Option<Checksum>,
    pub size: u64,
}

impl Writing {
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
        self.at += piece.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
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
        let written =
            Written { hasher: work.hasher.clone(), checksum: work.checksum.clone(), size: work.at };
        self.working = spawn_blocking(|| Ok(work));
        Ok(written)
    }
}
