//! Objects as they are read from an object store: in windows, and one that is cut off goes on at its byte.

use std::io::{Error as IoError, ErrorKind, Result as Done};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, try_unfold};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};

use super::{PATIENCE, Pieces};
use crate::error::{Error, Result};

/// How many bytes are asked for at once.
const WINDOW: u64 = 64 << 20;
/// How often a window may be cut off without one byte more, and how long to wait before the next try, times its number.
const MAX_TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Waits for an answer, and not for ever.
pub(super) async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = object_store::Result<T>>,
) -> Result<T> {
    Ok(found_within(patience, answer).await??)
}

/// As [`within`], of what may not be there.
pub(super) async fn found_within<T>(
    patience: Duration,
    answer: impl Future<Output = object_store::Result<T>>,
) -> Result<object_store::Result<T>> {
    timeout(patience, answer).await.map_err(|_| Error::unreachable("it does not answer"))
}

/// Whether the bytes may be read when whatever keeps them is reached again: nothing is wrong with them.
pub fn is_passing(error: &IoError) -> bool {
    error.kind() == ErrorKind::ConnectionAborted
}

/// An object that is being read.
struct Reading {
    objects: Arc<dyn ObjectStore>,
    place: Path,
    /// What it must be still; some gateways do not say.
    etag: Option<String>,
    /// What is left of all.
    left: Range<u64>,
    window: BoxStream<'static, object_store::Result<Bytes>>,
    tries: u32,
}

/// A range of an object, as it comes; none where there is no object of this size. The range is not empty.
pub(super) async fn open(
    objects: &Arc<dyn ObjectStore>,
    place: &Path,
    size: u64,
    range: Range<u64>,
) -> Result<Option<BoxStream<'static, Done<Bytes>>>> {
    let options = GetOptions::new().with_range(Some(window_of(&range)));
    let found = match found_within(PATIENCE, objects.get_opts(place, options)).await? {
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        // A shorter object may have no such range.
        Err(error) => match within(PATIENCE, objects.head(place)).await {
            Ok(found) if found.size != size => return Ok(None),
            _ => return Err(error.into()),
        },
        Ok(found) => found,
    };
    if found.meta.size != size {
        return Ok(None);
    }
    let reading = Reading {
        objects: objects.clone(),
        place: place.clone(),
        etag: found.meta.e_tag.clone(),
        left: range,
        window: found.into_stream(),
        tries: 0,
    };
    Ok(Some(try_unfold(reading, next).boxed()))
}

fn window_of(range: &Range<u64>) -> GetRange {
    GetRange::Bounded(range.start..range.end.min(range.start.saturating_add(WINDOW)))
}

/// The next bytes of an object.
async fn next(mut reading: Reading) -> Done<Option<(Bytes, Reading)>> {
    while !reading.left.is_empty() {
        match timeout(PATIENCE, reading.window.next()).await {
            Ok(Some(Ok(bytes))) if bytes.is_empty() => {}
            Ok(Some(Ok(bytes))) => {
                reading.left.start += bytes.len() as u64;
                reading.tries = 0;
                if reading.left.start > reading.left.end {
                    return Err(IoError::new(
                        ErrorKind::InvalidData,
                        "more came than was asked for",
                    ));
                }
                return Ok(Some((bytes, reading)));
            }
            ended => {
                // The end of a window is none of the whole.
                let is_end = matches!(ended, Ok(None));
                if let Ok(Some(Err(error))) = ended {
                    tracing::debug!(%error, place = %reading.place, "the object store cut a download off");
                }
                if !is_end || reading.tries > 0 {
                    sleep(PAUSE * reading.tries).await;
                }
                reading.tries += 1;
                if reading.tries > MAX_TRIES {
                    let reason = "the object store cuts it off again and again";
                    return Err(IoError::new(ErrorKind::ConnectionAborted, reason));
                }
                match timeout(PATIENCE, reading.again()).await {
                    Ok(Ok(found)) => reading.window = found.into_stream(),
                    Ok(Err(error @ object_store::Error::NotFound { .. })) => {
                        return Err(IoError::new(ErrorKind::NotFound, error));
                    }
                    // Tried again.
                    Ok(Err(_)) | Err(_) => reading.window = stream::empty().boxed(),
                }
            }
        }
    }
    Ok(None)
}

impl Reading {
    /// The next window, or the rest of the last one.
    async fn again(&mut self) -> object_store::Result<GetResult> {
        let options = GetOptions::new()
            .with_range(Some(window_of(&self.left)))
            .with_if_match(self.etag.clone());
        self.objects.get_opts(&self.place, options).await
    }
}

/// The bytes of a whole object, of which the last ones are kept back until their hash has proven all.
pub(super) fn proven(bytes: BoxStream<'static, Done<Bytes>>, sha256: String) -> Pieces {
    struct State {
        bytes: BoxStream<'static, Done<Bytes>>,
        hasher: Sha256,
        held: Option<Bytes>,
        sha256: String,
    }
    let state = State { bytes, hasher: Sha256::new(), held: None, sha256 };
    try_unfold(state, async |mut state| {
        while let Some(bytes) = state.bytes.next().await.transpose()? {
            state.hasher.update(&bytes);
            if let Some(before) = state.held.replace(bytes) {
                return Ok(Some((before, state)));
            }
        }
        let Some(last) = state.held.take() else { return Ok(None) };
        match hex::encode(state.hasher.clone().finalize()) == state.sha256 {
            true => Ok(Some((last, state))),
            false => Err(IoError::new(ErrorKind::InvalidData, "the bytes are others")),
        }
    })
    .boxed()
}
