//! Objects: immutable bytes under keys that are given once, over the `object_store` crate.
//!
//! Bytes are written to a temporary name while they are hashed, synced, and renamed to a new key; the row
//! that makes them the copy of a blob comes second. So nothing here decides what may go: the database does. The bytes
//! may also come in several parts, in any order, or one after the other with interruptions. Never knows who may
//! read what.

mod address;
mod appending;
mod cloud;
mod give;
mod hash;
mod identity;
mod incoming;
mod joining;
mod journal;
pub mod key;
mod partial;
mod reach;
mod read;
mod room;
mod sending;
mod sent;
mod sign;
mod staged;
mod storages;
mod write;
mod written;

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path as FsPath;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{Stream, TryStreamExt, try_unfold};
use object_store::local::LocalFileSystem;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{Attribute, Attributes, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::time::timeout;

use self::incoming::Memory;
use self::reach::Reached;
use crate::error::{Error, Result};
use crate::time::Timestamp;

pub use address::Bucket;
pub use cloud::is_passing;
pub use give::Given;
pub use hash::Hashes;
pub use identity::{BACKUP, Identity, RESTORING};
pub use joining::Part;
pub use journal::Journal;
pub use partial::{Partial, Writing};
pub use read::{Found, Pieces};
pub use room::Promise;
pub use sent::{Sent, gone, is_gone};
pub use storages::{Place, Storage, Storages};
pub use write::next_part;
pub use written::{Checksum, Written};

/// Where bytes are in a folder until they have a key. What is here when a server starts was promised to nobody.
const STAGING: &str = "staging";
/// What a storage is called that was given no name.
pub const DEFAULT: &str = "default";
/// What all uploads to an object store hold in memory at most unless told, in MiB.
const UPLOAD_MIB: u32 = 256;
/// How long a place of objects may take for a small answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// As it was called before.
const OLD_STAGING: &str = "uploads";

/// Bytes that are in the store.
#[derive(Clone, Debug)]
pub struct Blob {
    /// The name of the storage that they are in.
    pub storage: Arc<str>,
    /// Where they are in it.
    pub key: String,
    /// In hexadecimal.
    pub sha256: String,
    /// In bytes.
    pub size: i64,
    /// None where nobody computed it.
    pub crc32: Option<u32>,
}

/// An object as it is listed.
#[derive(Clone, Debug)]
pub struct Listed {
    pub key: String,
    /// In bytes.
    pub size: u64,
    pub modified_at: Timestamp,
}

/// What the objects are in.
#[derive(Clone)]
enum Kind {
    Folder,
    Cloud {
        bucket: Arc<Bucket>,
        /// The same objects, of which parts can be sent one by one.
        multipart: Arc<dyn MultipartStore>,
        /// Makes addresses by which clients get objects themselves.
        signer: Option<Arc<dyn Signer>>,
        /// What uploads may hold in memory.
        memory: Memory,
        /// Where uploads in parts are noted; none where nobody ends those that are left.
        journal: Option<Arc<dyn Journal>>,
    },
}

/// The objects of a registry. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    name: Arc<str>,
    objects: Arc<dyn ObjectStore>,
    kind: Kind,
    /// Bytes that come with interruptions.
    partials: partial::Partials,
    room: room::Room,
    /// Of the objects; or else of what is on its way to an object store.
    folder: Arc<FsPath>,
    /// Held by the server for as long as the store is open: two on one folder would not know of each other's uploads.
    _lock: Option<Arc<File>>,
}

impl Store {
    /// Opens the objects for the one server that has the folder, which is made if missing.
    pub async fn open(folder: &FsPath, bucket: Option<&Bucket>) -> Result<Self> {
        let store = Self::open_locked(folder, bucket, Self::lock(folder)?)?;
        store.reach().await?;
        Ok(store)
    }

    /// Takes a folder for this server, makes it if missing, and removes what interrupted uploads left in it.
    fn lock(folder: &FsPath) -> Result<Arc<File>> {
        std::fs::create_dir_all(folder)?;
        let lock = File::create(folder.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::Conflict(format!(
                "Another server is using {}. Stop that server first, or choose another --data.",
                folder.display()
            )),
            TryLockError::Error(error) => error.into(),
        })?;
        for temporary in [OLD_STAGING, STAGING] {
            match std::fs::remove_dir_all(folder.join(temporary)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(Arc::new(lock))
    }

    /// As [`Store::open`], of a folder that this server has.
    fn open_locked(folder: &FsPath, bucket: Option<&Bucket>, lock: Arc<File>) -> Result<Self> {
        let store = Self { _lock: Some(lock), ..Self::open_beside(folder, bucket)? };
        if store.is_folder() {
            std::fs::create_dir_all(folder.join("blobs"))?;
            std::fs::create_dir(folder.join(STAGING))?;
        }
        Ok(store)
    }

    /// Whether an object store can be used: its address, bucket or keys may be wrong.
    pub async fn reach(&self) -> Result<()> {
        let Kind::Cloud { bucket, .. } = &self.kind else { return Ok(()) };
        let mut blobs = self.objects.list(Some(&Path::from("blobs")));
        match timeout(PATIENCE, blobs.try_next()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(reach::unusable(bucket, &error)),
            Err(_) => Err(reach::unusable(bucket, &"It does not answer.")),
        }
    }

    /// Opens the objects beside the server that has the folder, or without one.
    pub fn open_beside(folder: &FsPath, bucket: Option<&Bucket>) -> Result<Self> {
        let Some(bucket) = bucket else {
            let objects = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
            return Ok(Self::new(Arc::new(objects), Kind::Folder, folder));
        };
        let Reached { objects, multipart, signer } = reach::connect(bucket)?;
        let bucket = Arc::new(bucket.clone());
        let memory = Memory::new(UPLOAD_MIB);
        let kind = Kind::Cloud { bucket, multipart, signer, memory, journal: None };
        Ok(Self::new(objects, kind, folder))
    }

    fn new(objects: Arc<dyn ObjectStore>, kind: Kind, folder: &FsPath) -> Self {
        Self {
            name: DEFAULT.into(),
            objects,
            kind,
            partials: partial::Partials::default(),
            room: room::Room::default(),
            folder: folder.into(),
            _lock: None,
        }
    }

    /// The same store under another name.
    fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The same store, of which uploads share this memory where it is an object store.
    fn uploading_with(mut self, shared: &Memory) -> Self {
        if let Kind::Cloud { memory, .. } = &mut self.kind {
            memory.clone_from(shared);
        }
        self
    }

    /// The same store, of which uploads in parts are noted where it is an object store.
    fn noting_in(mut self, kept: &Arc<dyn Journal>) -> Self {
        if let Kind::Cloud { journal, .. } = &mut self.kind {
            *journal = Some(kept.clone());
        }
        self
    }

    /// A place for objects that no server has, such as a backup; made if missing.
    pub fn new_at(folder: &FsPath) -> Result<Self> {
        std::fs::create_dir_all(folder.join("blobs"))?;
        Self::open_beside(folder, None)
    }

    /// Whether there are no objects.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(pin!(self.all()).try_next().await?.is_none())
    }

    /// What the storage is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the objects are, for people.
    pub fn place(&self) -> String {
        match &self.kind {
            Kind::Folder => self.folder.display().to_string(),
            Kind::Cloud { bucket, .. } => bucket.to_string(),
        }
    }

    /// What is said of objects that are written: what class they are of, if it has one.
    fn attributes(&self) -> Attributes {
        let class = match &self.kind {
            Kind::Cloud { bucket, .. } => bucket.class.clone(),
            Kind::Folder => None,
        };
        class.into_iter().map(|class| (Attribute::StorageClass, class)).collect()
    }

    /// Whether whoever reads the objects pays for it, as in all classes but the usual one.
    pub fn is_archive(&self) -> bool {
        matches!(&self.kind, Kind::Cloud { bucket, .. } if bucket.class.as_ref().is_some_and(|class| class != "STANDARD"))
    }

    /// Whether the objects are files in a folder.
    pub fn is_folder(&self) -> bool {
        matches!(self.kind, Kind::Folder)
    }

    /// The folder that the objects are in.
    pub fn folder(&self) -> &FsPath {
        &self.folder
    }

    /// The size of an object in bytes; none where there is none.
    pub async fn size(&self, key: &str) -> Result<Option<u64>> {
        let place = Path::from(key);
        match cloud::found_within(PATIENCE, self.objects.head(&place)).await? {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            found => Ok(Some(found?.size)),
        }
    }

    /// All objects with a key of ours, in pieces of some hundreds.
    pub fn all(&self) -> impl Stream<Item = Result<Vec<Listed>>> + use<> {
        self.list("blobs").try_chunks(500).map_err(|error| error.1)
    }

    fn list(&self, folder: &str) -> impl Stream<Item = Result<Listed>> + use<> {
        self.list_all(folder).try_filter_map(async |object| {
            let key = object.location.to_string();
            let modified_at = Timestamp::from_millis(object.last_modified.timestamp_millis());
            // Whatever else somebody put there is not ours.
            let is_ours = key::parse(&key).is_some();
            Ok(is_ours.then_some(Listed { key, size: object.size, modified_at }))
        })
    }

    /// All objects of a folder, whoever put them there.
    fn list_all(&self, folder: &str) -> impl Stream<Item = Result<ObjectMeta>> + use<> {
        try_unfold(self.objects.list(Some(&Path::from(folder))), async |mut objects| {
            let next = cloud::within(PATIENCE, objects.try_next()).await?;
            Ok(next.map(|object| (object, objects)))
        })
    }

    /// Whether the place where objects are stored answers.
    pub async fn check(&self) -> Result<()> {
        if self.is_folder() && !self.is_there().await? {
            return Err(Error::unreachable(format!("{} is not what it was", self.place())));
        }
        if_there(self.objects.head(&Path::from("staging/none")).await.map(drop))
    }
}

fn if_there(done: object_store::Result<()>) -> Result<()> {
    match done {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
