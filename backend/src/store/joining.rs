//! Concatenation: the bytes of several uploads that may be interrupted, read one after the other as those of one.
//!
//! Whoever writes them elsewhere gives back what is durable there, so that both together take little more room than the
//! bytes did before.

use std::fs::OpenOptions;
use std::io::ErrorKind;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt, iter};
use object_store::path::Path;
use tokio::task::spawn_blocking;

use super::Store;
use super::partial::FOLDER;
use super::read::pieces;
use super::sent::gone;
use crate::disk;
use crate::error::{Error, Result};

/// The bytes of an upload.
#[derive(Clone, Debug)]
pub struct Part {
    /// As the upload has it.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// The object that they are, in an object store.
    pub key: Option<String>,
}

impl Store {
    /// The bytes of these uploads from a place on, counted from the beginning of the first.
    pub fn read_joined(&self, parts: &[Part], from: u64) -> BoxStream<'static, Result<Bytes>> {
        if !self.is_folder() {
            return self.read_sent(parts, from);
        }
        let (mut wanted, mut before) = (Vec::new(), 0);
        for Part { name, size, .. } in parts {
            let skipped = from.saturating_sub(before).min(*size);
            if skipped < *size {
                wanted.push((self.folder.join(FOLDER).join(name), skipped..*size));
            }
            before += size;
        }
        let read = iter(wanted).then(|(path, range)| async move {
            let opened = spawn_blocking(|| std::fs::File::open(path)).await;
            match opened.map_err(Error::internal)? {
                Err(error) if error.kind() == ErrorKind::NotFound => Err(gone()),
                opened => Ok(pieces(opened?, range, None).map_err(|error| match error.kind() {
                    ErrorKind::UnexpectedEof => gone(),
                    _ => error.into(),
                })),
            }
        });
        read.try_flatten().boxed()
    }

    /// As [`Store::read_joined`], of parts that an object store has.
    fn read_sent(&self, parts: &[Part], from: u64) -> BoxStream<'static, Result<Bytes>> {
        let (mut wanted, mut before) = (Vec::new(), 0);
        for Part { key, size, .. } in parts {
            let skipped = from.saturating_sub(before).min(*size);
            if skipped < *size {
                wanted.push((key.clone(), *size, skipped..*size));
            }
            before += size;
        }
        let store = self.clone();
        let read = iter(wanted).then(move |(key, size, range)| {
            let store = store.clone();
            async move {
                let place = Path::from(key.ok_or_else(gone)?);
                let found = store.pieces_of(&place, size, range, None).await?;
                found.map(|pieces| pieces.map_err(Error::from)).ok_or_else(gone)
            }
        });
        read.try_flatten().boxed()
    }

    /// Gives back the room of the first bytes of these uploads, which are durable elsewhere.
    pub async fn give_back(&self, parts: &[Part], upto: u64) -> Result<()> {
        if !self.is_folder() {
            // An object is there or not: they go together at the end.
            return Ok(());
        }
        let (mut files, mut left) = (Vec::new(), upto);
        for Part { name, size, .. } in parts {
            files.push((self.folder.join(FOLDER).join(name), left.min(*size), *size));
            left = left.saturating_sub(*size);
            if left == 0 {
                break;
            }
        }
        let given_back = spawn_blocking(move || {
            for (path, bytes, size) in files {
                let done = if bytes == size {
                    std::fs::remove_file(path)
                } else {
                    // Where the file system cannot, the whole part goes later.
                    let file = OpenOptions::new().write(true).open(path);
                    file.map(|file| drop(disk::give_back(&file, bytes)))
                };
                match done {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            Ok(())
        });
        Ok(given_back.await.map_err(Error::internal)??)
    }
}
