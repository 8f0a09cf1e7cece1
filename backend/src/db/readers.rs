//! The connections that read an SQLite database, each with a deadline at which it is interrupted.
//!
//! A pool of our own, as that of the driver has no way to say how long a statement may take, and asks the thread of a
//! connection before each use. Some are kept for what must go on while all others are busy.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lane::{Lane, STATEMENT};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// How many read at once, and how many of those are kept for what must go on.
const GENERAL: usize = 4;
const RESERVED: usize = 1;
/// How long somebody waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// After how many steps of its machine SQLite asks whether to go on: about ten times a millisecond.
const STEPS: i32 = 1000;

/// The pool. Cheap to clone.
#[derive(Clone)]
pub struct Readers {
    general: Arc<Share>,
    reserved: Arc<Share>,
    /// Ends every statement.
    closing: Arc<AtomicBool>,
}

struct Share {
    free: Mutex<Vec<Reader>>,
    permits: Arc<Semaphore>,
    count: u32,
}

impl Share {
    async fn wait(&self) -> Result<OwnedSemaphorePermit> {
        let permit = tokio::time::timeout(PATIENCE, self.permits.clone().acquire_owned()).await;
        permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)
    }
}

/// A connection, and when what it is at is interrupted.
struct Reader {
    connection: SqliteConnection,
    deadline: Arc<Deadline>,
}

/// A moment, in microseconds after another.
struct Deadline {
    since: Instant,
    at: AtomicU64,
}

impl Deadline {
    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn is_over(&self) -> bool {
        self.now() >= self.at.load(Ordering::Relaxed)
    }

    fn set(&self, after: Option<Duration>) {
        let at = after.map_or(u64::MAX, |after| {
            self.now().saturating_add(u64::try_from(after.as_micros()).unwrap_or(u64::MAX))
        });
        self.at.store(at, Ordering::Relaxed);
    }
}

impl Readers {
    /// Opens the connections.
    pub async fn open(options: SqliteConnectOptions) -> Result<Self> {
        let closing = Arc::<AtomicBool>::default();
        let share = async |count: usize| {
            let mut free = Vec::with_capacity(count);
            for _ in 0..count {
                free.push(Reader::open(&options, closing.clone()).await?);
            }
            let permits = Arc::new(Semaphore::new(count));
            let count = u32::try_from(count).expect("there are few");
            Result::Ok(Arc::new(Share { free: Mutex::new(free), permits, count }))
        };
        let (general, reserved) = (share(GENERAL).await?, share(RESERVED).await?);
        Ok(Self { general, reserved, closing })
    }

    /// Waits for a connection; what it is asked for is interrupted when that takes too long.
    pub async fn acquire(&self, lane: Lane) -> Result<Reading> {
        let (share, permit) = match (lane, self.general.permits.clone().try_acquire_owned()) {
            (_, Ok(permit)) => (&self.general, permit),
            (Lane::Reserved, Err(_)) => (&self.reserved, self.reserved.wait().await?),
            (_, Err(_)) => (&self.general, self.general.wait().await?),
        };
        let mut free = share.free.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = free.pop().ok_or(sqlx::Error::PoolClosed)?;
        reader.deadline.set(match lane {
            Lane::General(patience) => Some(patience),
            Lane::Reserved => Some(STATEMENT),
            Lane::Patient => None,
        });
        let inner = Some((reader, permit));
        Ok(Reading { share: share.clone(), inner, is_done: false })
    }

    /// Ends what is being read, and waits until every connection is closed.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        for share in [&self.general, &self.reserved] {
            let all = share.permits.acquire_many(share.count).await;
            share.permits.close();
            drop(all);
            let readers =
                std::mem::take(&mut *share.free.lock().unwrap_or_else(PoisonError::into_inner));
            for reader in readers {
                if let Err(error) = reader.connection.close().await {
                    tracing::warn!(?error, "cannot close a connection that reads");
                }
            }
        }
    }
}

impl Reader {
    async fn open(options: &SqliteConnectOptions, closing: Arc<AtomicBool>) -> Result<Self> {
        let mut connection = options.connect().await?;
        let deadline = Arc::new(Deadline { since: Instant::now(), at: AtomicU64::new(u64::MAX) });
        let watched = deadline.clone();
        connection.lock_handle().await?.set_progress_handler(STEPS, move || {
            !watched.is_over() && !closing.load(Ordering::Relaxed)
        });
        Ok(Self { connection, deadline })
    }
}

/// A connection in use. Where it is dropped before [`Reading::done`], what it is at is interrupted first.
pub struct Reading {
    share: Arc<Share>,
    /// None when it was given back.
    inner: Option<(Reader, OwnedSemaphorePermit)>,
    is_done: bool,
}

impl Reading {
    /// Says that all was read.
    pub fn done(mut self) {
        self.is_done = true;
    }
}

impl Deref for Reading {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.inner.as_ref().expect("it is given back when it is dropped").0.connection
    }
}

impl DerefMut for Reading {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.inner.as_mut().expect("it is given back when it is dropped").0.connection
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let Some((mut reader, permit)) = self.inner.take() else { return };
        let share = self.share.clone();
        let give_back = move |reader, permit| {
            share.free.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            drop::<OwnedSemaphorePermit>(permit);
        };
        if self.is_done {
            return give_back(reader, permit);
        }
        reader.deadline.set(Some(Duration::ZERO));
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            // Answered when what it was at has ended.
            if let Err(error) = reader.connection.ping().await {
                tracing::warn!(?error, "a connection that reads does not answer");
            }
            give_back(reader, permit);
        });
    }
}
