//! The connections to PostgreSQL: for everybody, for what must go on when all of those are busy, and for what nobody
//! waits for.
//!
//! The driver's pool asks a server before each use of a connection and once more after it, each of which takes as long as
//! most statements. So those that were used just now are kept beside it, and used again as they are. What has rested, or
//! was left in the midst of something, goes back to it and is asked.
//!
//! A pooler may be before PostgreSQL that lends its connections for one transaction each. Nothing may then depend on a session:
//! locks end with their transaction, notices are heard elsewhere ([`Address::direct`]), and what is set for a session is
//! set by the pooler, because with it others would get what we set.

use std::io::ErrorKind;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::address::{Address, WrongDirect};
use super::lane::{Lane, STATEMENT};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// How many connections to PostgreSQL everybody has.
const GENERAL: u32 = 14;
/// How many there are for each of the others.
const FEW: u32 = 2;
/// How long somebody waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long after its last use a connection is taken to be there still.
const RESTED: Duration = Duration::from_secs(1);
/// How long what a connection was left in the midst of may take to end.
const GIVEN_BACK: Duration = STATEMENT.saturating_add(PATIENCE);

/// Connections to PostgreSQL, by who uses them.
#[derive(Clone)]
pub struct PgPools {
    general: PgShare,
    reserved: PgShare,
    patient: PgShare,
}

impl PgPools {
    /// Connects to a server.
    pub async fn open(address: &Address) -> Result<Self> {
        let limit = Some(STATEMENT).filter(|_| address.direct.is_none());
        let options = options(&address.url)?;
        let (direct, unlimited) = match &address.direct {
            // Whatever the role of both has as its limit.
            Some(direct) => (options_of_direct(direct)?, Some(Duration::ZERO)),
            None => (options.clone(), None),
        };
        let pools = Self {
            general: PgShare::new(&options, GENERAL, limit),
            reserved: PgShare::new(&options, FEW, limit),
            patient: PgShare::new(&direct, FEW, unlimited),
        };
        pools.general.acquire().await?.done();
        if address.direct.is_some() {
            pools.check_direct().await?;
        }
        Ok(pools)
    }

    /// Refuses two addresses that do not lead to one database.
    async fn check_direct(&self) -> Result<()> {
        let ask = async |share: &PgShare| -> Result<(String, String)> {
            let which = "SELECT current_database()::text, extract(epoch FROM pg_postmaster_start_time())::text";
            let mut busy = share.acquire().await?;
            let found = sqlx::query_as(which).fetch_one(&mut *busy).await?;
            busy.done();
            Ok(found)
        };
        let there = ask(&self.patient).await.map_err(|error| WrongDirect(error.to_string()))?;
        if ask(&self.general).await? != there {
            let reason = "leads to another database than --database".to_owned();
            return Err(WrongDirect(reason).into());
        }
        Ok(())
    }

    /// Where is read.
    pub fn reading(&self, lane: Lane) -> &PgShare {
        match lane {
            Lane::Reserved if self.general.permits.available_permits() == 0 => &self.reserved,
            Lane::Patient => &self.patient,
            Lane::General(_) | Lane::Reserved => &self.general,
        }
    }

    /// Where transactions are begun: none on what is kept for reading.
    pub fn writing(&self, lane: Lane) -> &PgShare {
        match lane {
            Lane::Patient => &self.patient,
            Lane::General(_) | Lane::Reserved => &self.general,
        }
    }

    /// What everybody uses.
    pub fn general(&self) -> &PgShare {
        &self.general
    }

    /// Waits until every connection is closed.
    pub async fn close(&self) {
        tokio::join!(self.general.close(), self.reserved.close(), self.patient.close());
    }
}

fn options(url: &str) -> Result<PgConnectOptions> {
    let options: PgConnectOptions = url.parse()?;
    Ok(options.statement_cache_capacity(256))
}

fn options_of_direct(url: &str) -> Result<PgConnectOptions> {
    options(url).map_err(|error| WrongDirect(error.to_string()).into())
}

/// A connection, and when it was used last.
type Kept = (PoolConnection<Postgres>, Instant);

/// Some of the connections. Cheap to clone.
#[derive(Clone)]
pub struct PgShare {
    pool: PgPool,
    /// As many as the pool may have connections: whoever has one finds a connection here, or room for another there.
    permits: Arc<Semaphore>,
    /// Those that were used just now, and when.
    kept: Arc<Mutex<Vec<Kept>>>,
    /// Whether the server did not answer when it was asked for a connection last.
    is_silent: Arc<AtomicBool>,
}

impl PgShare {
    fn new(options: &PgConnectOptions, most: u32, limit: Option<Duration>) -> Self {
        let limit = limit.map(|limit| format!("SET statement_timeout = {}", limit.as_millis()));
        let pool = PgPoolOptions::new().max_connections(most).acquire_timeout(PATIENCE);
        let pool = pool.after_connect(move |connection, _| {
            let limit = limit.clone();
            Box::pin(async move {
                if let Some(limit) = limit {
                    sqlx::raw_sql(AssertSqlSafe(limit)).execute(connection).await?;
                }
                Ok(())
            })
        });
        Self {
            pool: pool.connect_lazy_with(options.clone()),
            permits: Arc::new(Semaphore::new(most as usize)),
            kept: Arc::default(),
            is_silent: Arc::default(),
        }
    }

    /// Waits for a connection.
    pub async fn acquire(&self) -> Result<PgBusy> {
        let permit = tokio::time::timeout(PATIENCE, self.permits.clone().acquire_owned()).await;
        let permit = match permit {
            Ok(permit) => permit.map_err(|_| sqlx::Error::PoolClosed)?,
            // Whoever has one waits for the server.
            Err(_) if self.is_silent.load(Ordering::Relaxed) => return Err(silent()),
            Err(_) => return Err(sqlx::Error::PoolTimedOut),
        };
        let kept = self.take_kept();
        let was_kept = kept.is_some();
        let connection = match kept {
            Some(connection) => connection,
            None => match self.pool.acquire().await {
                // There was room for another connection.
                Err(sqlx::Error::PoolTimedOut) => {
                    self.is_silent.store(true, Ordering::Relaxed);
                    return Err(silent());
                }
                connection => connection?,
            },
        };
        self.is_silent.store(false, Ordering::Relaxed);
        let inner = Some((connection, permit));
        Ok(PgBusy { share: self.clone(), inner, was_kept, is_done: false, is_begun: false })
    }

    /// The connection that was used last; all that have rested go back to the pool.
    fn take_kept(&self) -> Option<PoolConnection<Postgres>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for (mut connection, _) in kept.extract_if(.., |(_, used_at)| used_at.elapsed() >= RESTED) {
            // A server that is gone does not answer, and nobody waits for it.
            tokio::spawn(tokio::time::timeout(PATIENCE, connection.return_to_pool()));
        }
        kept.pop().map(|(connection, _)| connection)
    }

    /// Keeps a connection; gives it back where all are being closed.
    fn keep(&self, connection: PoolConnection<Postgres>) -> Option<PoolConnection<Postgres>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if self.permits.is_closed() {
            return Some(connection);
        }
        kept.push((connection, Instant::now()));
        None
    }

    /// Begins a transaction, which is rolled back unless it is [committed](PgBusy::commit).
    pub async fn begin(&self) -> Result<PgBusy> {
        let mut busy = self.acquire().await?;
        busy.is_begun = true;
        match busy.execute("BEGIN").await.map(|_| ()) {
            Err(error) if busy.was_kept && is_lost(&error) => {
                busy = busy.renewed().await?;
                busy.is_begun = true;
                busy.execute("BEGIN").await?;
            }
            begun => begun?,
        }
        Ok(busy)
    }

    async fn close(&self) {
        self.permits.close();
        // It is closed from here on: what is given back then is not asked whether it works.
        let closing = self.pool.close();
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
        closing.await;
    }
}

/// What it is that the server does not answer.
fn silent() -> sqlx::Error {
    std::io::Error::new(ErrorKind::ConnectionRefused, "PostgreSQL does not answer").into()
}

/// Whether a connection was lost, such as when its server was restarted.
pub fn is_lost(error: &sqlx::Error) -> bool {
    // What an administrator or a crash ended (57P01 to 57P03), and all that is wrong with a connection.
    let ended = |code: &str| code.starts_with("57P0") || code.starts_with("08");
    match error {
        sqlx::Error::Io(_) => true,
        error => error
            .as_database_error()
            .and_then(|error| error.code())
            .is_some_and(|code| ended(&code)),
    }
}

/// A connection in use. Where it is dropped before [`PgBusy::done`] or [`PgBusy::commit`] it goes back to the pool, which
/// waits until what it is at has ended.
pub struct PgBusy {
    share: PgShare,
    /// None when it was given back.
    inner: Option<(PoolConnection<Postgres>, OwnedSemaphorePermit)>,
    /// Whether nobody asked before if its server is there still.
    was_kept: bool,
    is_done: bool,
    /// Whether it is in a transaction.
    is_begun: bool,
}

impl PgBusy {
    /// Says that all was read.
    pub fn done(mut self) {
        self.is_done = true;
    }

    /// Whether the connection was dead when it was taken, if this was the end of its first statement, which began then.
    pub fn was_dead(&self, error: &sqlx::Error, begun: Instant) -> bool {
        self.was_kept && is_lost(error) && begun.elapsed() < RESTED
    }

    /// Another connection instead of one that was lost before anything was done by it. Those that were kept beside it are taken
    /// to be like it, and asked.
    pub async fn renewed(self) -> Result<Self> {
        let share = self.share.clone();
        drop(self);
        let kept = std::mem::take(&mut *share.kept.lock().unwrap_or_else(PoisonError::into_inner));
        for (mut connection, _) in kept {
            tokio::spawn(tokio::time::timeout(PATIENCE, connection.return_to_pool()));
        }
        share.acquire().await
    }

    /// Makes the transaction durable.
    pub async fn commit(mut self) -> Result<()> {
        self.execute("COMMIT").await?;
        self.is_begun = false;
        self.done();
        Ok(())
    }
}

impl Deref for PgBusy {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.inner.as_ref().expect("it is given back when it is dropped").0
    }
}

impl DerefMut for PgBusy {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner.as_mut().expect("it is given back when it is dropped").0
    }
}

impl Drop for PgBusy {
    fn drop(&mut self) {
        let Some((connection, permit)) = self.inner.take() else { return };
        let left = if self.is_done { self.share.keep(connection) } else { Some(connection) };
        let Some(mut connection) = left else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return drop(connection.detach());
        };
        let is_begun = self.is_begun;
        runtime.spawn(async move {
            let given_back = async {
                if is_begun && let Err(error) = connection.execute("ROLLBACK").await {
                    tracing::warn!(?error, "cannot undo a transaction");
                    // The server undoes it when it sees that nobody is there.
                    drop(connection.detach());
                    return;
                }
                connection.return_to_pool().await;
            };
            // Where the server does not answer any more, the connection is cut off.
            tokio::time::timeout(GIVEN_BACK, given_back).await.ok();
            // Others may count on a connection only now.
            drop(permit);
        });
    }
}
