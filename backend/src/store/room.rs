//! Room for bytes that come: some of the disk is kept free, so that everything but uploads goes on when it is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Store;
use crate::disk;
use crate::error::{Error, Result};

/// What uploads that are under way were promised, in bytes, and what is kept free.
#[derive(Clone, Default)]
pub(super) struct Room {
    promised: Arc<AtomicU64>,
    keep_mib: Option<u64>,
}

/// Room for bytes that are announced and have not come; given back when it is dropped.
pub struct Promise {
    promised: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.promised.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Store {
    /// The same store, which keeps so many MiB of its disk free instead of a twentieth.
    #[must_use]
    pub fn keeping_free(mut self, keep_mib: Option<u64>) -> Self {
        self.room.keep_mib = keep_mib;
        self
    }

    /// Whether bytes may come.
    pub fn has_room(&self) -> Result<bool> {
        self.has_room_for(0)
    }

    fn has_room_for(&self, bytes: u64) -> Result<bool> {
        let space = disk::space(&self.folder)?;
        let floor = disk::floor(space, self.room.keep_mib);
        Ok(space.free >= floor.saturating_add(bytes))
    }

    /// Refuses bytes where there is no room for any: asked while they come.
    pub fn check_room(&self) -> Result<()> {
        if self.has_room()? { Ok(()) } else { Err(Error::NoSpace) }
    }

    /// Promises room for so many bytes, if there is some beside what was promised to others, here and, `elsewhere`, to
    /// uploads that are interrupted.
    pub fn promise(&self, bytes: u64, elsewhere: u64) -> Result<Promise> {
        let promised = self.room.promised.clone();
        let before = promised.fetch_add(bytes, Ordering::Relaxed);
        let promise = Promise { promised, bytes };
        let all = before.saturating_add(bytes).saturating_add(elsewhere);
        if self.has_room_for(all)? { Ok(promise) } else { Err(Error::NoSpace) }
    }
}
