//! Parts of an upload that are objects of their own until they are put together, whoever knows which ones those are.

use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream, StreamExt, TryStreamExt, iter};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::cloud::found_within;
use super::hash::Hashes;
use super::sent::gone;
use super::{Blob, PATIENCE, Store, if_there, key};
use crate::error::{Error, Result};
use crate::id::new_uuid;
use crate::time::Timestamp;

/// How many objects are deleted at the same time.
const DELETED_AT_ONCE: usize = 16;

impl Store {
    /// Takes in one part of an upload with flat memory. It is durable when this returns, and nothing is left of it when this
    /// fails. `length` is what was announced of it; more than `max_size` bytes are refused.
    pub async fn stage<E: Into<Error>>(
        &self,
        upload: &str,
        body: impl Stream<Item = Result<Bytes, E>>,
        length: Option<u64>,
        max_size: u64,
        now: Timestamp,
    ) -> Result<Blob> {
        let key = format!("{}/{}", key::of_upload(upload), new_uuid(now));
        let place = Path::from(key.as_str());
        let (incoming, hashes, size) = self.take_in(place, body, length, max_size).await?;
        let storage = self.name.clone();
        // From here on by itself: a caller who goes away leaves no temporary file.
        tokio::spawn(async move {
            incoming.complete().await?;
            let Hashes { sha256, crc32 } = hashes;
            let size = i64::try_from(size).map_err(Error::internal)?;
            Ok(Blob { storage, key, sha256, size, crc32: Some(crc32) })
        })
        .await
        .map_err(Error::internal)?
    }

    /// The bytes of some objects, one after the other.
    pub fn read_staged(&self, parts: Vec<Blob>) -> BoxStream<'static, Result<Bytes>> {
        let store = self.clone();
        let pieces =
            iter(parts).filter(|part| std::future::ready(part.size > 0)).then(move |part| {
                let store = store.clone();
                async move {
                    let size = part.size.unsigned_abs();
                    let place = Path::from(part.key.as_str());
                    let found = store.pieces_of(&place, size, 0..size, Some(part.sha256)).await?;
                    // Somebody else may have put the parts together, or given them up.
                    found.map(|pieces| pieces.map_err(Error::from)).ok_or_else(gone)
                }
            });
        pieces.try_flatten().boxed()
    }

    /// Removes all that belongs to an upload beside its object: it is over, or given up.
    pub async fn remove_staged(&self, upload: &str) -> Result<()> {
        let folder = key::of_upload(upload);
        if self.is_folder() {
            return match tokio::fs::remove_dir_all(self.folder.join(folder)).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            };
        }
        let deleted = self.objects.list(Some(&Path::from(folder))).map(|object| async {
            let place = object?.location;
            if_there(found_within(PATIENCE, self.objects.delete(&place)).await?)
        });
        deleted.buffer_unordered(DELETED_AT_ONCE).try_collect().await
    }

    /// The uploads that something belongs to.
    pub async fn staged(&self) -> Result<Vec<String>> {
        let listed = self.objects.list_with_delimiter(Some(&Path::from(key::PARTS))).await?;
        let names = listed.common_prefixes.iter().filter_map(|folder| folder.filename());
        Ok(names.map(str::to_owned).collect())
    }
}
