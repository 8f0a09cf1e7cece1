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

/// Room for bytes that are announced and have not come; given back as they come, and when it is dropped.
pub struct Promise {
    promised: Arc<AtomicU64>,
    bytes: AtomicU64,
}

impl Promise {
    /// Gives back the room of bytes that take it now.
    pub fn came(&self, bytes: u64) {
        let before = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            Some(left.saturating_sub(bytes))
        });
        let given_back = before.unwrap_or(0).min(bytes);
        self.promised.fetch_sub(given_back, Ordering::Relaxed);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.promised.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
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
        Ok(self.spare()?.is_some())
    }

    /// How much room there is on the disk of the folder.
    pub fn space(&self) -> Result<disk::Space> {
        Ok(disk::space(&self.folder)?)
    }

    /// How many bytes there are above what is kept free; none where there are fewer than that.
    fn spare(&self) -> Result<Option<u64>> {
        let space = self.space()?;
        Ok(space.free.checked_sub(disk::floor(space, self.room.keep_mib)))
    }

    /// Refuses bytes of objects where there is no room for any: asked while they come. An object store has its own room.
    pub fn check_room(&self) -> Result<()> {
        if self.is_folder() { self.check_disk() } else { Ok(()) }
    }

    /// As [`Store::check_room`], of bytes that come with interruptions: they are on the disk first.
    pub fn check_disk(&self) -> Result<()> {
        if self.has_room()? { Ok(()) } else { Err(Error::NoSpace) }
    }

    /// Promises room for so many bytes, if there is some beside what was promised to others, here and, `elsewhere`, to
    /// uploads that are interrupted. To others one counts for a quarter of the room at most: who announces all of it and
    /// sends next to nothing keeps nobody out.
    pub fn promise(&self, bytes: u64, elsewhere: u64) -> Result<Promise> {
        let spare = self.spare()?.ok_or(Error::NoSpace)?;
        let kept = bytes.min(spare / 4);
        // Before it is compared: of two who come at once, the second sees the first.
        let before = self.room.promised.fetch_add(kept, Ordering::Relaxed);
        let promise = Promise { promised: self.room.promised.clone(), bytes: AtomicU64::new(kept) };
        let all = before.saturating_add(bytes).saturating_add(elsewhere);
        if all <= spare { Ok(promise) } else { Err(Error::NoSpace) }
    }
}
