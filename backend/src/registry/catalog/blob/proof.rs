//! The proof of a copy: all its bytes are read and compared with the hash of its blob. What is wrong twice is lost.

use std::time::Duration;

use futures_util::TryStreamExt;

use super::{Copy, sql};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::store::{Found, Store};
use crate::time::Timestamp;

/// What was found of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Good,
    /// There is no object.
    Missing,
    /// The object has so many bytes.
    Size(u64),
    /// The bytes are others, or cannot be read.
    Wrong(String),
}

impl Finding {
    /// What is wrong, in words.
    pub fn problem(&self) -> String {
        match self {
            Self::Good => "nothing".to_owned(),
            Self::Missing => "it is not in the store".to_owned(),
            Self::Size(size) => format!("it has {size} bytes"),
            Self::Wrong(reason) => reason.clone(),
        }
    }
}

/// Looks at a copy without reading it.
pub async fn look(store: &Store, copy: &Copy) -> Result<Finding> {
    Ok(match store.size(&copy.key).await? {
        None => Finding::Missing,
        Some(size) if size != copy.size.unsigned_abs() => Finding::Size(size),
        Some(_) => Finding::Good,
    })
}

/// Reads all bytes of a copy.
pub async fn examine(store: &Store, copy: &Copy) -> Result<Finding> {
    examine_paced(store, copy, |_| Duration::ZERO).await
}

/// As [`examine`]; `pace` is told how many bytes were read, and says how long to wait before more are.
pub async fn examine_paced(
    store: &Store,
    copy: &Copy,
    mut pace: impl FnMut(u64) -> Duration,
) -> Result<Finding> {
    let Found::Whole(mut pieces) = store.read_proven(&copy.blob()).await? else {
        return look(store, copy).await;
    };
    loop {
        match pieces.try_next().await {
            Ok(Some(piece)) => {
                let pause = pace(piece.len() as u64);
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            Ok(None) => return Ok(Finding::Good),
            Err(error) => return Ok(Finding::Wrong(error.to_string())),
        }
    }
}

/// Reads a copy that was found wrong once, or lost, and notes what is found. Returns whether its bytes are right.
pub async fn check(db: &Db, store: &Store, copy: &Copy, now: Timestamp) -> Result<bool> {
    let finding = examine(store, copy).await?;
    if finding == Finding::Good {
        sql::prove(db, copy, now).await?;
    } else {
        check_store(store).await?;
        report(copy, &format!("{}, for the second time: it is lost", finding.problem()));
        sql::lose(db, copy, now).await?;
    }
    Ok(finding == Finding::Good)
}

/// A folder that is not there, such as a disk that is not mounted, says nothing of the files that were in it.
pub async fn check_store(store: &Store) -> Result<()> {
    match store.identity().await? {
        Some(_) => Ok(()),
        None => Err(Error::internal(format!(
            "{} has no registry.json: is the disk mounted?",
            store.folder().display()
        ))),
    }
}

/// Has operators hear of bytes that are wrong.
pub fn report(copy: &Copy, what: &str) {
    metrics::counter!("model_registry_bad_copies_total").increment(1);
    tracing::error!(sha256 = copy.sha256, key = copy.key, "the bytes of a file are wrong: {what}");
}
