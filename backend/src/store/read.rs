//! Bytes going out: a range of an object as it is, or a whole one, of which the last piece is kept back until its
//! hash has proven the bytes.

use std::fs::File;
use std::io::{Error as IoError, ErrorKind, Result as Done};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use object_store::path::Path;
use object_store::{GetOptions, GetResultPayload, ObjectStore};
use sha2::{Digest, Sha256};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Blob, Store, cloud};
use crate::error::{Error, Result};

/// How much is read at once.
pub(super) const READ_SIZE: usize = 1 << 20;

/// Bytes of an object, in pieces of 1 MiB.
pub type Pieces = BoxStream<'static, Done<Bytes>>;

/// What was found at a key.
pub enum Found<T> {
    Whole(T),
    /// Nothing, or something of another size.
    Missing,
}

impl Store {
    /// A range of an object, as it is.
    pub async fn read(&self, blob: &Blob, range: Range<u64>) -> Result<Found<Pieces>> {
        if range.is_empty() {
            return Ok(Found::Whole(futures_util::stream::empty().boxed()));
        }
        let place = Path::from(blob.key.as_str());
        let found = self.pieces_of(&place, blob.size.unsigned_abs(), range, None).await?;
        Ok(found.map_or(Found::Missing, Found::Whole))
    }

    /// A whole object. The stream ends with [`ErrorKind::InvalidData`] before its last piece where the bytes are not
    /// those of the blob.
    pub async fn read_proven(&self, blob: &Blob) -> Result<Found<Pieces>> {
        let size = blob.size.unsigned_abs();
        if size == 0 {
            let is_there = self.size(&blob.key).await? == Some(0);
            let nothing = || futures_util::stream::empty().boxed();
            return Ok(if is_there { Found::Whole(nothing()) } else { Found::Missing });
        }
        let (place, sha256) = (Path::from(blob.key.as_str()), Some(blob.sha256.clone()));
        let found = self.pieces_of(&place, size, 0..size, sha256).await?;
        Ok(found.map_or(Found::Missing, Found::Whole))
    }

    /// The pieces of an object, if it has this size. The range is not empty; with a hash it is all, and proven.
    pub(super) async fn pieces_of(
        &self,
        place: &Path,
        size: u64,
        range: Range<u64>,
        sha256: Option<String>,
    ) -> Result<Option<Pieces>> {
        if !self.is_folder() {
            let bytes = cloud::open(&self.objects, place, size, range).await?;
            return Ok(bytes.map(|bytes| match sha256 {
                Some(sha256) => cloud::proven(bytes, sha256),
                None => bytes,
            }));
        }
        let found = match self.objects.get_opts(place, GetOptions::new()).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        if found.meta.size != size {
            return Ok(None);
        }
        match found.payload {
            GetResultPayload::File(file, _) => Ok(Some(pieces(file, range, sha256))),
            GetResultPayload::Stream(_) => Err(Error::internal("the store is a folder")),
        }
    }
}

/// What is known of the bytes that were read.
struct Reading {
    hasher: Sha256,
    at: u64,
}

/// The pieces of a file. One is read and hashed while the one before is on its way.
pub(super) fn pieces(file: File, range: Range<u64>, sha256: Option<String>) -> Pieces {
    struct State {
        next: Option<JoinHandle<Done<(Bytes, Reading)>>>,
        file: Arc<File>,
        sha256: Option<Arc<str>>,
    }
    let end = range.end;
    let read = move |file: &Arc<File>, sha256: &Option<Arc<str>>, mut reading: Reading| {
        let (file, sha256) = (file.clone(), sha256.clone());
        (reading.at < end).then(|| {
            spawn_blocking(move || {
                let length = (end - reading.at).min(READ_SIZE as u64);
                let mut buffer = vec![0; usize::try_from(length).map_err(IoError::other)?];
                file.read_exact_at(&mut buffer, reading.at)?;
                reading.at += length;
                if let Some(sha256) = sha256 {
                    reading.hasher.update(&buffer);
                    if reading.at == end
                        && hex::encode(reading.hasher.clone().finalize()) != *sha256
                    {
                        return Err(IoError::new(ErrorKind::InvalidData, "the bytes are others"));
                    }
                }
                Ok((Bytes::from(buffer), reading))
            })
        })
    };
    let (file, sha256) = (Arc::new(file), sha256.map(Arc::from));
    let first = Reading { hasher: Sha256::new(), at: range.start };
    let next = read(&file, &sha256, first);
    try_unfold(State { next, file, sha256 }, move |mut state| async move {
        let Some(next) = state.next.take() else { return Ok(None) };
        let (bytes, reading) = next.await.map_err(IoError::other)??;
        state.next = read(&state.file, &state.sha256, reading);
        Ok(Some((bytes, state)))
    })
    .boxed()
}
