//! The members of an archive: files as they are listed, some at a time, and what proves that two lists are the same.

use std::io;

use sha2::{Digest, Sha256};

use super::{changed, io_error};
use crate::db::Db;
use crate::registry::catalog::blob;
use crate::registry::catalog::file::sql::Walk;
use crate::time::Timestamp;

/// Of how archives are written. It goes up when the same members become other bytes: an ETag must not be the same then.
const LAYOUT: u8 = 1;

/// A file as an archive has it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Inside the folder.
    pub path: String,
    /// In hexadecimal.
    pub sha256: String,
    /// In bytes.
    pub size: u64,
    /// None where it is not asked for.
    pub crc32: Option<u32>,
    pub time: Timestamp,
}

/// All of an archive, in the order of their paths.
pub struct Members {
    db: Db,
    /// How many folders their paths begin with outside.
    depth: usize,
    files: Walk,
    /// Whether the CRC-32 of each is known.
    pub have_crc32: bool,
}

/// They are being listed.
pub struct Listing<'a> {
    members: &'a Members,
    files: Walk,
    hasher: Sha256,
}

impl Members {
    pub fn new(db: Db, folder: &str, files: Walk, have_crc32: bool) -> Self {
        let depth = folder.split('/').filter(|part| !part.is_empty()).count();
        Self { db, depth, files, have_crc32 }
    }

    pub fn list(&self) -> Listing<'_> {
        let hasher = Sha256::new().chain_update([LAYOUT, u8::from(self.have_crc32)]);
        Listing { members: self, files: self.files.again(), hasher }
    }
}

impl Listing<'_> {
    /// The next members, some hundred; none at the end.
    pub async fn next(&mut self) -> io::Result<Vec<Member>> {
        let Members { db, depth, have_crc32, .. } = self.members;
        let files = self.files.next().await.map_err(io_error)?;
        let crc32 = match have_crc32 {
            true => blob::sql::crc32_of(db, files.iter().map(|file| file.sha256.as_str())).await,
            false => Ok(Default::default()),
        };
        let crc32 = crc32.map_err(io_error)?;
        let mut members = Vec::with_capacity(files.len());
        for file in files {
            // Not by its name: the folder may be written in another form there.
            let path = file.path.splitn(depth + 1, '/').last().unwrap_or_default().to_owned();
            let (size, time) = (file.size.0.unsigned_abs(), file.created_at_ms);
            // That of no bytes is known without asking.
            let crc32 = crc32.get(&file.sha256).copied().or((size == 0).then_some(0));
            if crc32.is_none() && *have_crc32 {
                return Err(changed());
            }
            self.hasher.update(format!("{path}\0{} {size} {}\n", file.sha256, time.millis()));
            members.push(Member { path, sha256: file.sha256, size, crc32, time });
        }
        Ok(members)
    }

    /// Of all members that were listed.
    pub fn digest(self) -> [u8; 32] {
        self.hasher.finalize().into()
    }
}
