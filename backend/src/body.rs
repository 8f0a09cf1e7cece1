//! Bodies of requests, and the one way to read them: with a deadline, a least rate and a greatest size.
//!
//! Half a body that never ends would hold its connection for ever, and there are not many of those.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::{Stream, StreamExt};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::app::App;
use crate::error::{Error, Result};

/// What an upload must bring, in bytes a second.
const SLOWEST: u64 = 1024;
/// How long a message may take that is read whole, and how many bytes of it give it a second more.
const WHOLE_TIME: Duration = Duration::from_secs(30);
const WHOLE_RATE: usize = 100 << 10;
/// Messages that are larger than this share what there is for them: so many MiB at once.
const LARGE: usize = 1 << 20;
static LARGE_MIB: Semaphore = Semaphore::const_new(64);

/// A message that was read whole; while it is kept, its share of the memory for large ones is.
pub struct Whole {
    pub bytes: Vec<u8>,
    pub share: Option<SemaphorePermit<'static>>,
}

/// Reads a message of at most `limit` bytes.
pub async fn whole(body: Body, limit: usize) -> Result<Whole> {
    let too_large =
        || Error::TooLarge(format!("The request is too large: at most {limit} bytes are allowed."));
    let too_slow = |_| {
        Error::Timeout("The request took too long to arrive. Check the connection and try again.")
    };
    let mut deadline = Instant::now() + WHOLE_TIME;
    let mut stream = body.into_data_stream();
    let mut whole = Whole { bytes: Vec::new(), share: None };
    while let Some(piece) =
        tokio::time::timeout_at(deadline, stream.next()).await.map_err(too_slow)?
    {
        let piece = piece.map_err(|_| {
            Error::Timeout("The request was cut off. Check the connection and try again.")
        })?;
        let length = whole.bytes.len() + piece.len();
        if length > limit {
            return Err(too_large());
        }
        // What is beyond the first MiB, as it comes.
        let held = whole.share.as_ref().map_or(0, SemaphorePermit::num_permits);
        let wanted = (length / LARGE).saturating_sub(held);
        if wanted > 0 {
            let more = LARGE_MIB.acquire_many(u32::try_from(wanted).unwrap_or(u32::MAX));
            let more = tokio::time::timeout_at(deadline, more).await.map_err(too_slow)?;
            let more = more.map_err(Error::internal)?;
            match &mut whole.share {
                Some(share) => share.merge(more),
                None => whole.share = Some(more),
            }
        }
        deadline += Duration::from_secs_f64(piece.len() as f64 / WHOLE_RATE as f64);
        whole.bytes.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// The body, ended by an error when nothing arrives for too long, or next to nothing for longer.
pub fn arriving(app: &App, body: Body) -> impl Stream<Item = Result<Bytes>> + Send + Unpin + use<> {
    let stall = Duration::from_secs(app.config.stall_seconds);
    struct Arriving {
        body: BodyDataStream,
        /// Waiting for the client, not for our disk.
        waited: Duration,
        bytes: u64,
    }
    let begin = Arriving { body: body.into_data_stream(), waited: Duration::ZERO, bytes: 0 };
    let bytes = futures_util::stream::unfold(Some(begin), move |state| async move {
        let mut state = state?;
        let stopped = |message| Some((Err(Error::Timeout(message)), None));
        let asked = Instant::now();
        let next = tokio::time::timeout(stall, state.body.next()).await;
        state.waited += asked.elapsed();
        match next {
            Ok(Some(Ok(bytes))) => {
                state.bytes += bytes.len() as u64;
                if state.waited > stall {
                    if state.bytes < SLOWEST * stall.as_secs() {
                        return stopped("the upload is too slow: send at least 1 KiB a second");
                    }
                    (state.waited, state.bytes) = (Duration::ZERO, 0);
                }
                Some((Ok(bytes), Some(state)))
            }
            Ok(Some(Err(_))) => stopped("the upload was cut off"),
            Ok(None) => None,
            Err(_) => stopped("the upload stood still for too long"),
        }
    });
    Box::pin(bytes.fuse())
}
