//! What an object store has of an upload that may be interrupted, as a database keeps it.

use serde::{Deserialize, Serialize};

use super::hash::Hasher;
use super::{Blob, DEFAULT};
use crate::error::{Error, Result};

/// What an object store has of an upload. Whoever keeps it, and the tags, goes on anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// The name of the storage.
    #[serde(default = "usual")]
    pub(super) storage: String,
    /// Of the object that all bytes will be. Whoever goes on has another one, unless there are parts for this one.
    pub(super) key: String,
    /// What the object store calls the upload; none where all fits one part.
    pub(super) multipart: Option<String>,
    /// In bytes.
    pub(super) part_size: u64,
    /// The state of the hashes of all parts.
    pub(super) hashes: String,
    pub(super) tail: Option<Tail>,
    /// What all bytes are, once they are given and before they are an object.
    pub(super) finished: Option<Finished>,
    /// What the object store calls the parts, in order.
    #[serde(skip)]
    pub tags: Vec<String>,
}

/// The bytes behind the last part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tail {
    pub key: String,
    /// In bytes.
    pub size: u64,
}

/// All bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finished {
    /// In hexadecimal.
    sha256: String,
    crc32: Option<u32>,
    /// In bytes.
    size: i64,
}

impl Sent {
    /// Nothing yet.
    pub(super) fn nothing(storage: &str, part_size: u64) -> Self {
        let storage = storage.to_owned();
        Self { storage, part_size, hashes: Hasher::default().to_text(), ..Self::default() }
    }

    /// As it is kept, without the tags.
    pub fn to_text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::internal)
    }

    /// As it was kept.
    pub fn of_text(text: &str, tags: Vec<String>) -> Result<Self> {
        let sent: Self = serde_json::from_str(text).map_err(Error::internal)?;
        Ok(Self { tags, ..sent })
    }

    /// How many bytes all parts have.
    pub(super) fn size_of_parts(&self) -> u64 {
        self.tags.len() as u64 * self.part_size
    }

    /// How many bytes are durable.
    pub(super) fn size(&self) -> u64 {
        self.size_of_parts() + self.tail.as_ref().map_or(0, |tail| tail.size)
    }

    /// The same, of which all bytes were given: they are what this blob is.
    #[must_use]
    pub fn finished_as(&self, blob: &Blob) -> Self {
        let Blob { sha256, size, crc32, .. } = blob.clone();
        Self { finished: Some(Finished { sha256, crc32, size }), ..self.clone() }
    }

    /// What all bytes are, if they were all given.
    pub fn blob(&self) -> Option<Blob> {
        let Finished { sha256, crc32, size } = self.finished.clone()?;
        let (storage, key) = (self.storage.as_str().into(), self.key.clone());
        Some(Blob { storage, key, sha256, size, crc32 })
    }

    /// The object that whoever has noted `next` needs no more.
    pub fn outdated(&self, next: &Self) -> Option<&str> {
        let tail = self.tail.as_ref().filter(|tail| Some(*tail) != next.tail.as_ref());
        tail.map(|tail| tail.key.as_str())
    }
}

/// The one storage that there was before there were several.
fn usual() -> String {
    DEFAULT.to_owned()
}

const GONE: &str = "Bytes of this upload were lost. Start a new one, with new parts if it has any.";

/// What an upload ends with that has lost bytes, such as those of its parts.
pub fn gone() -> Error {
    Error::Conflict(GONE.into())
}

/// Whether that is what an error says.
pub fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Conflict(message) if message == GONE)
}
