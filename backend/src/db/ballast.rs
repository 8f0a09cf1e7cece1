//! Ballast: a file beside an SQLite database that is given up when the disk is full, so that what frees room has some
//! to write in.

use std::io::{ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use crate::disk::{self, Space};

/// How large it is.
const BYTES: usize = 16 << 20;
/// How much room there must be beside what is kept free before it is laid; half of a small disk.
const SPARE: u64 = 64 << 20;
/// How little room is next to none.
const LITTLE: u64 = 1 << 20;

/// The ballast of one database.
#[derive(Clone)]
pub struct Ballast(PathBuf);

impl Ballast {
    pub fn of(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push(".ballast");
        Self(name.into())
    }

    /// Lays it where there is room, if it is not there.
    pub fn lay(&self, keep_mib: Option<u64>) -> Result<()> {
        let space = self.space()?;
        let is_there = std::fs::metadata(&self.0).is_ok_and(|file| file.len() == BYTES as u64);
        let enough = disk::floor(space, keep_mib).saturating_add(SPARE).min(space.size / 2);
        if is_there || space.free < enough {
            return Ok(());
        }
        // Written: a hole in a file takes no room.
        let mut file = std::fs::File::create(&self.0)?;
        let laid = file.write_all(&vec![1; BYTES]).and_then(|()| file.sync_all());
        laid.or_else(|error| std::fs::remove_file(&self.0).and(Err(error)))
    }

    fn space(&self) -> Result<Space> {
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
        disk::space(folder.unwrap_or(Path::new(".")))
    }

    /// Whether there is next to no room: SQLite has other errors for it than `FULL`, too.
    pub fn is_needed(&self) -> bool {
        self.space().is_ok_and(|space| space.free < LITTLE)
    }

    /// Gives it up.
    pub fn give_up(&self) {
        match std::fs::remove_file(&self.0) {
            Ok(()) => {
                tracing::error!("the disk is full: the ballast is given up, so that changes go on")
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                tracing::error!(%error, "the disk is full, and the ballast cannot be removed")
            }
        }
    }
}
