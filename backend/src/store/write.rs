//! Bytes coming in: hashed while they are written, synced, and renamed to a key that nothing had before.

use bytes::{Bytes, BytesMut};
use futures_util::stream::{Stream, StreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::task::spawn_blocking;

use super::cloud::found_within;
use super::hash::{Hasher, Hashes};
use super::incoming::Incoming;
use super::{Blob, Kind, PATIENCE, STAGING, Store, if_there, key};
use crate::error::{Error, Result};
use crate::id::new_uuid;
use crate::time::Timestamp;

/// How much is hashed and written at once.
const PART_SIZE: usize = 2 << 20;
/// What is smaller is put together before it is kept.
const CRUMB: usize = 16 << 10;

impl Store {
    /// Takes in the bytes of `body` with flat memory. They are durable when this returns, and nothing is
    /// left of them when it fails. `length` is what was announced; more than `max_size` bytes are refused.
    pub async fn write<E: Into<Error>>(
        &self,
        body: impl Stream<Item = Result<Bytes, E>>,
        length: Option<u64>,
        max_size: u64,
        now: Timestamp,
    ) -> Result<Blob> {
        let id = new_uuid(now);
        // A folder can give it another name at the end, and an object store cannot.
        let place = Path::from(match self.kind {
            Kind::Folder => format!("{STAGING}/{id}"),
            Kind::Cloud { .. } => key::of_id(&id),
        });
        let (upload, hashes, size) = self.take_in(place.clone(), body, length, max_size).await?;
        // From here on by itself: a caller who goes away leaves no temporary file.
        let store = self.clone();
        tokio::spawn(async move {
            upload.complete().await?;
            let Hashes { sha256, crc32 } = hashes;
            let key = match store.kind {
                Kind::Folder => {
                    let key = key::new(&sha256, &id);
                    store.objects.rename(&place, &Path::from(key.as_str())).await?;
                    key
                }
                Kind::Cloud { .. } => place.to_string(),
            };
            let size = i64::try_from(size).map_err(Error::internal)?;
            let storage = store.name;
            Ok(Blob { storage, key, sha256, size, crc32: Some(crc32) })
        })
        .await
        .map_err(Error::internal)?
    }

    /// Takes in the bytes of an object, which is there when it is completed.
    pub(super) async fn take_in<E: Into<Error>>(
        &self,
        place: Path,
        body: impl Stream<Item = Result<Bytes, E>>,
        length: Option<u64>,
        max_size: u64,
    ) -> Result<(Incoming, Hashes, u64)> {
        let mut incoming = self.incoming(place, length).await?;
        match receive(self, &mut incoming, body, max_size).await {
            Ok((hashes, size)) => Ok((incoming, hashes, size)),
            Err(error) => {
                incoming.abort().await;
                Err(error)
            }
        }
    }

    /// Removes an object for good; it may be gone already. Only for what no row names any more, or ever did.
    pub async fn delete(&self, key: &str) -> Result<()> {
        let place = Path::from(key);
        if_there(found_within(PATIENCE, self.objects.delete(&place)).await?)
    }
}

/// Hashes one piece while the next arrives, and sends a part while the next is filled with pieces.
async fn receive<E: Into<Error>>(
    store: &Store,
    upload: &mut Incoming,
    body: impl Stream<Item = Result<Bytes, E>>,
    max_size: u64,
) -> Result<(Hashes, u64)> {
    let mut body = std::pin::pin!(body);
    let (mut hashing, mut sending) =
        (spawn_blocking(Hasher::default), tokio::spawn(async { Ok(()) }));
    let mut size = 0;
    loop {
        let (piece, ended) = next_part(&mut body).await?;
        let length = piece.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        size += length;
        if size > max_size {
            return Err(Error::TooLarge(format!(
                "The file is too large: at most {max_size} bytes are allowed."
            )));
        }
        if !piece.is_empty() {
            store.check_room()?;
            // Where memory is short, the part that is being sent gives back its own first.
            if !upload.has_room(length) {
                sending.await.map_err(Error::internal)??;
                sending = tokio::spawn(async { Ok(()) });
            }
            if let Some(part) = upload.put(piece.clone()).await? {
                sending.await.map_err(Error::internal)??;
                sending = tokio::spawn(part);
            }
            let mut hasher = hashing.await.map_err(Error::internal)?;
            hashing = spawn_blocking(move || {
                piece.iter().for_each(|bytes| hasher.update(bytes));
                hasher
            });
        }
        if ended {
            sending.await.map_err(Error::internal)??;
            return Ok((hashing.await.map_err(Error::internal)?.finish(), size));
        }
    }
}

/// The next [`PART_SIZE`] bytes or so, and whether they are the last.
pub async fn next_part<E: Into<Error>>(
    body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
) -> Result<(Vec<Bytes>, bool)> {
    let (mut part, mut crumbs) = (Vec::new(), BytesMut::new());
    let (mut size, mut ended) = (0, false);
    while size < PART_SIZE && !ended {
        match body.next().await.transpose().map_err(Into::into)? {
            Some(bytes) => {
                size += bytes.len();
                // Many that are small would take many times their size.
                if bytes.len() < CRUMB {
                    crumbs.extend_from_slice(&bytes);
                    continue;
                }
                if !crumbs.is_empty() {
                    part.push(crumbs.split().freeze());
                }
                part.push(bytes);
            }
            None => ended = true,
        }
    }
    if !crumbs.is_empty() {
        part.push(crumbs.freeze());
    }
    Ok((part, ended))
}
