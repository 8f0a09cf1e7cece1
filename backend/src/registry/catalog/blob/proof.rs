//! The proof of a copy: all its bytes are read and compared with the hash of its blob. What is wrong twice is lost.

use std::io::ErrorKind;
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::sync::Mutex;

use super::{Copy, sql};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::store::{Found, Storages, Store};
use crate::time::Timestamp;

/// What was found of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Good,
    /// There is no object.
    Missing,
    /// The object has so many bytes.
    Size(u64),
    /// The bytes are others.
    Wrong,
    /// The bytes cannot be read now; that may pass.
    Unreadable(String),
}

impl Finding {
    /// What is wrong, in words.
    pub fn problem(&self) -> String {
        match self {
            Self::Good => "nothing".to_owned(),
            Self::Missing => "it is not in the store".to_owned(),
            Self::Size(size) => format!("it has {size} bytes"),
            Self::Wrong => "its bytes are others".to_owned(),
            Self::Unreadable(reason) => format!("it cannot be read: {reason}"),
        }
    }
}

/// Looks at a copy without reading it.
pub async fn look(store: &Store, copy: &Copy) -> Result<Finding> {
    match store.size(&copy.key).await {
        Ok(None) => gone(store).await,
        Ok(Some(size)) if size != copy.size.unsigned_abs() => Ok(Finding::Size(size)),
        Ok(Some(_)) => Ok(Finding::Good),
        Err(error) => Ok(Finding::Unreadable(format!("{error:?}"))),
    }
}

/// An object that is not there. Where the whole folder is not, such as a disk that is not mounted, that says nothing of
/// the files that were in it.
async fn gone(store: &Store) -> Result<Finding> {
    if store.is_there().await? {
        return Ok(Finding::Missing);
    }
    let place = store.place();
    Err(Error::internal(format!(
        "{place} is not what it was: is the disk mounted, or the bucket right?"
    )))
}

/// Reads all bytes of a copy.
pub async fn examine(store: &Store, copy: &Copy) -> Result<Finding> {
    examine_paced(store, copy, |_| Duration::ZERO).await
}

/// As [`examine`]; `pace` is given the bytes that were read, and says how long to wait before more are.
pub async fn examine_paced(
    store: &Store,
    copy: &Copy,
    mut pace: impl FnMut(&[u8]) -> Duration,
) -> Result<Finding> {
    let mut pieces = match store.read_proven(&copy.blob()).await {
        Ok(Found::Whole(pieces)) => pieces,
        Ok(Found::Missing) => return look(store, copy).await,
        Err(error) => return Ok(Finding::Unreadable(format!("{error:?}"))),
    };
    loop {
        match pieces.try_next().await {
            Ok(Some(piece)) => {
                let pause = pace(&piece);
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            Ok(None) => return Ok(Finding::Good),
            Err(error) if error.kind() == ErrorKind::InvalidData => return Ok(Finding::Wrong),
            Err(error) => return Ok(Finding::Unreadable(error.to_string())),
        }
    }
}

/// Reads a copy that was found wrong once, or lost, and notes what is found. Returns whether its bytes are right. Copies
/// are read one after the other: who asks for one that another is reading waits for what is found.
pub async fn check(db: &Db, storages: &Storages, copy: &Copy, now: Timestamp) -> Result<bool> {
    static CHECKING: Mutex<()> = Mutex::const_new(());
    let _alone = CHECKING.lock().await;
    match sql::find(db, storages, &copy.sha256).await? {
        Some(copy) if !copy.is_suspect() => return Ok(true),
        Some(_) => {}
        None => return Ok(false),
    }
    let store = storages.of(&copy.storage)?;
    let finding = examine(store, copy).await?;
    match finding {
        Finding::Good => sql::prove(db, copy, now).await?,
        Finding::Unreadable(reason) if !store.is_folder() => {
            return Err(Error::unreachable(reason));
        }
        Finding::Unreadable(_) => report(copy, &finding.problem()),
        _ => {
            report(copy, &format!("{}, for the second time: it is lost", finding.problem()));
            sql::lose(db, copy, now).await?;
        }
    }
    Ok(finding == Finding::Good)
}

/// Has operators hear of bytes that are wrong.
pub fn report(copy: &Copy, what: &str) {
    metrics::counter!("model_registry_bad_copies_total").increment(1);
    tracing::error!(sha256 = copy.sha256, key = copy.key, "the bytes of a file are wrong: {what}");
}
