//! The database: SQLite or PostgreSQL behind one small facade. This folder alone names either.
//!
//! SQL is written once, in the portable subset (`$1`, `RETURNING`, `ON CONFLICT`, BIGINT
//! milliseconds); a [`Query`] is run by whichever driver is open. Reads go
//! to a [`Db`]; writes need a [`Tx`], which on SQLite has the [one writer](writer) to itself, so a
//! transaction must never wait for a network or a blob.

mod access;
mod address;
mod arrays;
mod ballast;
mod beside;
mod budget;
mod dialect;
mod group;
mod lane;
mod message;
mod migrate;
mod migrated;
mod notice;
mod positions;
mod postgres;
mod query;
mod readers;
mod snapshot;
mod writer;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ballast::Ballast;
use beside::PgTx;
use lane::{Lane, STATEMENT};
use notice::Notices;
use postgres::PgPools;
use readers::Readers;
use sqlx::error::DatabaseError;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use writer::{Write, Writer};

/// The number of the last migration that this program knows.
pub const SCHEMA: i64 = migrate::COUNT as i64;
/// The number of the last migration that a program must know at least to understand a database that was just migrated.
pub const FLOOR: i64 = migrate::FLOOR;

pub use crate::sql::{Sql, Value};
pub use address::{Address, WrongDirect};
pub use budget::{Budget, is_over_budget};
pub use message::Unmet;
pub use notice::{Changed, Notification, Watch};
pub use postgres::is_lost;
pub use query::{Query, Row, query};

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    notices: Notices,
    statements: Arc<AtomicU64>,
    lane: Lane,
    /// What may be read; none where nothing is counted.
    budget: Option<Budget>,
    /// Held by a server while it has an SQLite file open.
    lock: Option<Arc<File>>,
}

#[derive(Clone)]
enum Pools {
    Sqlite { readers: Readers, writer: Writer },
    Postgres(PgPools),
}

/// A transaction; rolled back unless committed.
pub struct Tx {
    inner: TxInner,
    notices: Notices,
    changed: Vec<Changed>,
    statements: Arc<AtomicU64>,
}

enum TxInner {
    Sqlite(Write),
    Postgres(PgTx),
}

/// Where a query runs: on any reader, or inside a transaction.
pub enum Conn<'a> {
    Db(&'a Db),
    Tx(&'a mut Tx),
}

impl<'a> From<&'a Db> for Conn<'a> {
    fn from(db: &'a Db) -> Self {
        Self::Db(db)
    }
}

impl<'a> From<&'a mut Tx> for Conn<'a> {
    fn from(tx: &'a mut Tx) -> Self {
        Self::Tx(tx)
    }
}

impl Conn<'_> {
    /// The same connection for one more query.
    pub fn again(&mut self) -> Conn<'_> {
        match self {
            Self::Db(db) => Conn::Db(db),
            Self::Tx(tx) => Conn::Tx(tx),
        }
    }

    /// Which state of who may what is read here; none where that is changing, or may change unseen. What
    /// was read is still true as long as this is the same.
    pub fn access_generation(&self) -> Option<u64> {
        match self {
            Self::Db(Db { pools: Pools::Sqlite { writer, .. }, .. }) => writer.access().current(),
            Self::Tx(Tx { inner: TxInner::Sqlite(write), .. }) => write.access().current(),
            // Another server may change it.
            _ => None,
        }
    }

    fn count(&self) {
        match self {
            Self::Db(db) => &db.statements,
            Self::Tx(tx) => &tx.statements,
        }
        .fetch_add(1, Ordering::Relaxed);
    }
}

impl Db {
    /// Opens a database for a server and migrates it to this program's schema. A schema that is newer than the program is an
    /// error, and so is an SQLite file that another server has open: neither would know what the other keeps in its memory.
    pub async fn open(address: impl Into<Address>) -> Result<Self, sqlx::Error> {
        let address = address.into();
        let lock = Self::sqlite_file(&address.url).map(lock).transpose()?;
        let db = Self::open_at(&address, migrate::COUNT).await?;
        db.raise_positions().await?;
        Ok(Self { lock: lock.map(Arc::new), ..db })
    }

    /// Whether there is no database yet: an SQLite file that is not there. Nobody knows of a PostgreSQL before it is
    /// opened.
    pub fn is_missing(url: &str) -> bool {
        Self::sqlite_file(url).is_some_and(|file| !file.exists())
    }

    /// As [`Db::open`], but only up to the migration with this number: for tests of the later ones.
    pub async fn open_at(address: impl Into<Address>, last: usize) -> Result<Self, sqlx::Error> {
        let db = Self::connect(&address.into()).await?;
        migrate::run(&db, last).await?;
        Ok(db)
    }

    /// Opens a database that a server has made, beside that server: its schema must be this program's, and is left
    /// as it is.
    pub async fn open_beside(address: impl Into<Address>) -> Result<Self, sqlx::Error> {
        let address = address.into();
        let file = Self::sqlite_file(&address.url);
        if let Some(file) = file.filter(|_| Self::is_missing(&address.url)) {
            let reason = format!("there is no database {}: start the server once", file.display());
            return Err(sqlx::Error::Configuration(reason.into()));
        }
        let db = Self::connect(&address).await?;
        migrate::check(&db).await?;
        db.raise_positions().await?;
        Ok(db)
    }

    /// Opens a database as it is, whatever is in it: for a restore.
    pub async fn open_bare(address: impl Into<Address>) -> Result<Self, sqlx::Error> {
        Self::connect(&address.into()).await
    }

    async fn connect(address: &Address) -> Result<Self, sqlx::Error> {
        let (pools, notices) = if let Some(file) = Self::sqlite_file(&address.url) {
            (open_sqlite(file).await?, Notices::alone())
        } else {
            let pools = PgPools::open(address).await?;
            let notices = Notices::shared(pools.general().clone(), address.session());
            (Pools::Postgres(pools), notices)
        };
        let lane = Lane::General(STATEMENT);
        Ok(Self { pools, notices, statements: Arc::default(), lane, budget: None, lock: None })
    }

    /// The file of an SQLite database; none for the URL of another.
    pub fn sqlite_file(url: &str) -> Option<&Path> {
        let is_postgres = url.starts_with("postgres:") || url.starts_with("postgresql:");
        (!is_postgres).then(|| Path::new(url.strip_prefix("sqlite:").unwrap_or(url)))
    }

    /// The URL of an SQLite database in the file `path`.
    pub fn sqlite_url(path: &Path) -> String {
        format!("sqlite:{}", path.display())
    }

    /// The same database for what must go on when all who read are busy.
    #[must_use]
    pub fn reserved(&self) -> Self {
        Self { lane: Lane::Reserved, ..self.clone() }
    }

    /// The same database for what nobody waits for, whose statements take as long as they take. They are not counted: no
    /// request costs them.
    #[must_use]
    pub fn patient(&self) -> Self {
        Self { lane: Lane::Patient, budget: None, statements: Arc::default(), ..self.clone() }
    }

    /// The same database, of which all that is read fits into a budget, or is an error.
    #[must_use]
    pub fn within(&self, budget: &Budget) -> Self {
        Self { budget: Some(budget.clone()), ..self.clone() }
    }

    /// Begins to read for another answer, with the whole budget.
    pub fn refill(&self) {
        self.budget.iter().for_each(Budget::refill);
    }

    /// The same database, of which a statement reads for so long at most.
    #[must_use]
    pub fn reading_at_most(&self, patience: Duration) -> Self {
        Self { lane: Lane::General(patience), ..self.clone() }
    }

    /// Whether the database finds no damage in itself. SQLite looks at every page; PostgreSQL checks those it reads.
    pub async fn is_sound(&self) -> Result<bool, sqlx::Error> {
        if matches!(self.pools, Pools::Postgres(_)) {
            return Ok(true);
        }
        Ok(query("PRAGMA quick_check(1)").fetch_one::<(String,)>(self).await?.0 == "ok")
    }

    /// Begins a transaction that will write.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        let inner = match &self.pools {
            Pools::Sqlite { writer, .. } => TxInner::Sqlite(writer.begin().await?),
            Pools::Postgres(pools) => {
                TxInner::Postgres(PgTx::new(pools.writing(self.lane).begin().await?))
            }
        };
        let (notices, statements) = (self.notices.clone(), self.statements.clone());
        Ok(Tx { inner, notices, changed: Vec::new(), statements })
    }

    /// Lays the ballast of an SQLite database again where there is room for it: `keep_mib` MiB of the disk are kept free.
    pub fn lay_ballast(&self, url: &str, keep_mib: Option<u64>) {
        let Some(file) = Self::sqlite_file(url) else { return };
        if let Err(error) = Ballast::of(file).lay(keep_mib) {
            tracing::warn!(%error, "there is no ballast for when the disk is full");
        }
    }

    /// What is changed from now on of the thing with this id, or of its parts.
    pub async fn watch(&self, id: &str) -> Watch {
        self.notices.watch(id).await
    }

    /// How many statements have been run since the database was opened.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Whether a change waits for all that began before it: what can be read before it begins is then not read in it.
    pub fn has_one_writer(&self) -> bool {
        matches!(self.pools, Pools::Sqlite { .. })
    }

    /// How many tables there are, whosever they are.
    pub async fn tables(&self) -> Result<i64, sqlx::Error> {
        let count = match self.pools {
            Pools::Sqlite { .. } => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'",
            Pools::Postgres(_) => {
                "SELECT COUNT(*) FROM information_schema.tables
                 WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
            }
        };
        Ok(query(count).fetch_one::<(i64,)>(self).await?.0)
    }

    /// The number of the last migration that was applied.
    pub async fn schema(&self) -> Result<i64, sqlx::Error> {
        migrate::applied(self).await
    }

    /// How many migrations there are.
    pub const fn migrations() -> usize {
        migrate::COUNT
    }

    /// Runs several statements without values in one transaction: for the sample data of tests.
    pub async fn run_script(&self, sql: &str) -> Result<(), sqlx::Error> {
        let mut tx = self.begin().await?;
        tx.script(sql).await?;
        tx.commit().await
    }

    /// Waits until every connection is closed.
    pub async fn close(&self) {
        self.notices.close();
        match &self.pools {
            Pools::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pools) => pools.close().await,
        }
        if let Some(lock) = &self.lock {
            lock.unlock().ok();
        }
    }
}

/// Takes the lock of an SQLite file, which is a file beside it.
fn lock(database: &Path) -> Result<File, sqlx::Error> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let file = File::create(Path::new(&name))?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => {
            let reason = format!("another server has {} open: stop it first", database.display());
            sqlx::Error::Configuration(reason.into())
        }
        TryLockError::Error(error) => error.into(),
    })?;
    Ok(file)
}

impl Tx {
    /// Makes the transaction durable: on SQLite it is on the disk when this returns.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        let Self { inner, notices, changed, .. } = self;
        let commit = async move {
            match inner {
                TxInner::Sqlite(tx) => tx.commit().await,
                TxInner::Postgres(tx) => tx.commit().await,
            }
        };
        if changed.is_empty() {
            return commit.await;
        }
        // By itself: whoever gives up waiting here leaves nobody untold.
        let told = async move {
            commit.await?;
            notices.publish(changed);
            Ok(())
        };
        tokio::spawn(told).await.map_err(|_| sqlx::Error::WorkerCrashed)?
    }

    /// Runs what PostgreSQL has kept; with SQLite all that is kept goes in its order.
    pub async fn run_kept(&mut self) -> Result<(), sqlx::Error> {
        match &mut self.inner {
            TxInner::Sqlite(_) => Ok(()),
            TxInner::Postgres(tx) => tx.ready().await.map(drop),
        }
    }

    /// Has everybody who waits for it hear that something was changed, once that is durable.
    pub fn publish(&mut self, changed: Changed) {
        self.changed.push(changed);
    }
}

async fn open_sqlite(file: &Path) -> Result<Pools, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: an acknowledged write survives the loss of power.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10))
        .foreign_keys(true)
        // A page of 100 rows and the one that says that there are more: who reads them does not wait in between.
        .row_buffer_size(128)
        .statement_cache_capacity(256);
    // What a transaction writes stays in memory until it is committed, and so does what undoes it.
    let writing = options
        .clone()
        .pragma("cache_size", "-16384")
        .pragma("temp_store", "MEMORY")
        // Messages, each of several statements: 40 KiB or so.
        .statement_cache_capacity(128)
        // 32 MiB: what is changed again and again meanwhile moves from the log to the file once.
        .pragma("wal_autocheckpoint", "8192");
    // Makes the file, which readers cannot.
    let writer = open_writer(writing, Ballast::of(file)).await?;
    let readers = Readers::open(options.pragma("query_only", "ON")).await?;
    Ok(Pools::Sqlite { readers, writer })
}

/// Whether a statement took too long and was interrupted.
pub fn is_interrupted(error: &sqlx::Error) -> bool {
    // SQLITE_INTERRUPT, and PostgreSQL's query_canceled.
    let code = |error: &dyn DatabaseError| matches!(error.code().as_deref(), Some("9" | "57014"));
    error.as_database_error().is_some_and(code)
}

/// Opens the connection that writes; where the disk is full, with what the ballast had.
async fn open_writer(
    options: SqliteConnectOptions,
    ballast: Ballast,
) -> Result<Writer, sqlx::Error> {
    match Writer::open(options.clone(), ballast.clone()).await {
        Err(_) if ballast.is_needed() => {
            ballast.give_up();
            Writer::open(options, ballast.clone()).await.map_err(|error| {
                match ballast.is_needed() {
                    true => sqlx::Error::Configuration("its disk is full: make some room".into()),
                    false => error,
                }
            })
        }
        opened => opened,
    }
}

/// Whether a statement failed because a row with that key is there.
pub fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// Whether a statement failed because a row is needed, or one that is needed is missing.
pub fn is_foreign_key_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_foreign_key_violation())
}

/// Whether a statement failed because there is no room for what it writes.
pub fn is_disk_full(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::StorageFull,
        // SQLITE_FULL, and PostgreSQL's disk_full.
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("13" | "53100")),
        _ => false,
    }
}
