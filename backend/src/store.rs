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
pub mod key;
mod partial;
mod reach;
mod read;
mod room;
mod sending;
mod sent;
mod sign;
mod staged;
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
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::time::timeout;

use self::incoming::Memory;
use self::reach::Reached;
use crate::error::{Error, Result};
use crate::time::Timestamp;

pub use address::{Service, Storage};
pub use cloud::is_passing;
pub use give::Given;
pub use hash::Hashes;
pub use identity::{BACKUP, Identity, RESTORING};
pub use joining::Part;
pub use partial::{Partial, Writing};
pub use read::{Found, Pieces};
pub use room::Promise;
pub use sent::{Sent, gone, is_gone};
pub use write::next_part;
pub use written::{Checksum, Written};

/// Where bytes are in a folder until they have a key. What is here when a server starts was promised to nobody.
const STAGING: &str = "staging";
/// What all uploads to an object store hold in memory at most unless told, in MiB.
const UPLOAD_MIB: u32 = 256;
/// How long a place of objects may take for a small answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// As it was called before.
const OLD_STAGING: &str = "uploads";

/// Bytes that are in the store.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Where they are.
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
        /// As it is told to people.
        name: Arc<str>,
        /// The same objects, of which parts can be sent one by one.
        multipart: Arc<dyn MultipartStore>,
        /// Makes addresses by which clients get objects themselves.
        signer: Option<Arc<dyn Signer>>,
        service: Service,
        /// How large the parts of an upload are, in bytes.
        part_size: u64,
        /// What uploads may hold in memory.
        memory: Memory,
    },
}

/// The objects of a registry. Cheap to clone.
#[derive(Clone)]
pub struct Store {
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
    /// Opens the objects for the one server that has the folder, makes it if missing, and removes what interrupted
    /// uploads left in it.
    pub async fn open(folder: &FsPath, storage: Option<&Storage>) -> Result<Self> {
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
        let store = Self { _lock: Some(Arc::new(lock)), ..Self::open_beside(folder, storage)? };
        store.reach().await?;
        if store.is_folder() {
            std::fs::create_dir_all(folder.join("blobs"))?;
            std::fs::create_dir(folder.join(STAGING))?;
        }
        Ok(store)
    }

    /// Whether an object store can be used: its address, bucket or keys may be wrong.
    async fn reach(&self) -> Result<()> {
        let Kind::Cloud { name, service, .. } = &self.kind else { return Ok(()) };
        let mut blobs = self.objects.list(Some(&Path::from("blobs")));
        match timeout(PATIENCE, blobs.try_next()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(reach::unusable(name, *service, &error)),
            Err(_) => Err(reach::unusable(name, *service, &"It does not answer.")),
        }
    }

    /// Opens the objects beside the server that has the folder, or without one.
    pub fn open_beside(folder: &FsPath, storage: Option<&Storage>) -> Result<Self> {
        let Some(storage) = storage else {
            let objects = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
            return Ok(Self::new(Arc::new(objects), Kind::Folder, folder));
        };
        let Reached { objects, multipart, signer } = reach::connect(storage)?;
        let kind = Kind::Cloud {
            name: storage.to_string().into(),
            multipart,
            signer,
            service: storage.service,
            part_size: storage.part_size,
            memory: Memory::new(UPLOAD_MIB),
        };
        Ok(Self::new(objects, kind, folder))
    }

    fn new(objects: Arc<dyn ObjectStore>, kind: Kind, folder: &FsPath) -> Self {
        Self {
            objects,
            kind,
            partials: partial::Partials::default(),
            room: room::Room::default(),
            folder: folder.into(),
            _lock: None,
        }
    }

    /// The same store, of which all uploads hold so many MiB in memory at most where it is an object store.
    #[must_use]
    pub fn uploading_within(mut self, mib: u32) -> Self {
        if let Kind::Cloud { memory, .. } = &mut self.kind {
            *memory = Memory::new(mib);
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

    /// Where the objects are, for people.
    pub fn name(&self) -> String {
        match &self.kind {
            Kind::Folder => self.folder.display().to_string(),
            Kind::Cloud { name, .. } => name.to_string(),
        }
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
    pub fn all(&self) -> impl Stream<Item = Result<Vec<Listed>>> {
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
        if_there(self.objects.head(&Path::from("staging/none")).await.map(drop))
    }
}

fn if_there(done: object_store::Result<()>) -> Result<()> {
    match done {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
