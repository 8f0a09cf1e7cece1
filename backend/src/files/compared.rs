//! Bytes in the store, compared with what they should be before somebody counts on them.

use axum::body::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::error::{Error, Result};
use crate::store::{self, Blob, Found};

/// Compares an object with its hash; where it is another one, its bytes are lost.
pub async fn prove(app: &App, blob: &Blob) -> Result<()> {
    let Found::Whole(mut pieces) = app.store.read_proven(blob).await? else {
        return Err(store::gone());
    };
    loop {
        match pieces.try_next().await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(error) if store::is_passing(&error) => return Err(error.into()),
            Err(_) => return Err(store::gone()),
        }
    }
}

/// Takes in bytes again that are in the store already: they must be the same.
pub async fn check_same(
    app: &App,
    blob: &Blob,
    from: u64,
    body: &mut (impl Stream<Item = Result<Bytes>> + Send + Unpin),
) -> Result<()> {
    let (mut came, mut to) = (Sha256::new(), from);
    while let Some(bytes) = body.next().await.transpose()? {
        came.update(&bytes);
        to += bytes.len() as u64;
        if to > blob.size.unsigned_abs() {
            let message = format!("the file has {} bytes, as Upload-Length said", blob.size);
            return Err(Error::TooLarge(message));
        }
    }
    let mut there = Sha256::new();
    if let Found::Whole(mut pieces) = app.store.read(blob, from..to).await? {
        while let Some(piece) = pieces.try_next().await? {
            there.update(&piece);
        }
    }
    if came.finalize() != there.finalize() {
        let message = "these are other bytes than those that came before: begin a new upload";
        return Err(Error::Conflict(message.into()));
    }
    Ok(())
}
