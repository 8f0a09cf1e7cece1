//! The database: SQLite or PostgreSQL behind one small facade. This folder alone names either.
//!
//! SQL is written once, in the portable subset (`$1`, `RETURNING`, `ON CONFLICT`, BIGINT
//! milliseconds); [`Query`] owns its text and values and is run by whichever driver is open. Reads go
//! to a [`Db`]; writes need a [`Tx`], which on SQLite has the [one writer](writer) to itself, so a
//! transaction must never wait for a network or a blob.

mod access;
mod group;
mod message;
mod migrate;
mod notice;
mod writer;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use message::Statement;
use notice::Notices;
use sqlx::postgres::{PgArguments, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, FromRow, Postgres, Transaction, query_as_with, query_with};
use writer::{Write, Writer};

use crate::sql::{escape_like, glob_containing, in_order, like_to_glob, number};

pub use crate::sql::{Sql, Value};
pub use message::Unmet;
pub use notice::{Changed, Notification, Watch};

/// A row type that both drivers can read: derive `sqlx::FromRow`.
pub trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Row for T {}

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    notices: Notices,
    statements: Arc<AtomicU64>,
}

#[derive(Clone)]
enum Pools {
    Sqlite { readers: SqlitePool, writer: Writer },
    Postgres(PgPool),
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
    Postgres(Transaction<'static, Postgres>),
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
    /// Opens the database at `url` (`sqlite:PATH` or `postgres://…`) and migrates it to this
    /// program's schema. A schema that is newer than the program is an error.
    pub async fn open(url: &str) -> Result<Self, sqlx::Error> {
        Self::open_at(url, migrate::COUNT).await
    }

    /// As [`Db::open`], but only up to the migration with this number: for tests of the later ones.
    pub async fn open_at(url: &str, last: usize) -> Result<Self, sqlx::Error> {
        let (pools, notices) = if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let pool = PgPoolOptions::new()
                .max_connections(16)
                .acquire_timeout(Duration::from_secs(10))
                .connect(url)
                .await?;
            (Pools::Postgres(pool.clone()), Notices::shared(pool, url))
        } else {
            (open_sqlite(url).await?, Notices::alone())
        };
        let db = Self { pools, notices, statements: Arc::default() };
        migrate::run(&db, last).await?;
        Ok(db)
    }

    /// The URL of an SQLite database in the file `path`.
    pub fn sqlite_url(path: &Path) -> String {
        format!("sqlite:{}", path.display())
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
            Pools::Postgres(pool) => TxInner::Postgres(pool.begin().await?),
        };
        let (notices, statements) = (self.notices.clone(), self.statements.clone());
        Ok(Tx { inner, notices, changed: Vec::new(), statements })
    }

    /// What is changed from now on of the thing with this id, or of its parts.
    pub async fn watch(&self, id: &str) -> Watch {
        self.notices.watch(id).await
    }

    /// How many statements have been run since the database was opened.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// The ids of objects whose name contains `text`, whatever its case, as a sub-select.
    /// Texts under three characters have no trigram and are looked for row by row.
    pub fn names_containing(&self, text: &str) -> Sql {
        if matches!(self.pools, Pools::Postgres(_)) {
            let like = format!("%{}%", escape_like(text));
            let named = "SELECT object_id FROM names WHERE name ILIKE ? ESCAPE '\\'";
            return Sql::new(named).bind(like);
        }
        if text.chars().count() < 3 {
            let named = "SELECT object_id FROM names WHERE name GLOB ?";
            return Sql::new(named).bind(glob_containing(text));
        }
        let phrase = format!("\"{}\"", text.replace('"', "\"\""));
        let named = "SELECT n.object_id FROM names_index i JOIN names n ON n.id = i.rowid WHERE names_index MATCH ?";
        Sql::new(named).bind(phrase)
    }

    /// A case-sensitive `LIKE`: SQLite's own ignores the case of ASCII, so there it becomes a GLOB.
    pub fn like(&self, column: &str, pattern: &str) -> Sql {
        match &self.pools {
            Pools::Sqlite { .. } => {
                Sql::new(format!("{column} GLOB ?")).bind(like_to_glob(pattern))
            }
            Pools::Postgres(_) => Sql::new(format!("{column} LIKE ? ESCAPE ''")).bind(pattern),
        }
    }

    /// A `LIKE` that ignores case.
    pub fn ilike(&self, column: &str, pattern: &str) -> Sql {
        let operator = match &self.pools {
            Pools::Sqlite { .. } => "LIKE",
            Pools::Postgres(_) => "ILIKE",
        };
        // No escapes, as in MLflow; an empty ESCAPE is an error on SQLite, so a control character is.
        Sql::new(format!("{column} {operator} ? ESCAPE '\u{1}'")).bind(pattern)
    }

    /// Whether one of the columns contains `text`, whatever its case; reads every row.
    pub fn contains(&self, columns: &[&str], text: &str) -> Sql {
        let operator = match &self.pools {
            Pools::Sqlite { .. } => "LIKE",
            Pools::Postgres(_) => "ILIKE",
        };
        let mut sql = Sql::default();
        for (index, column) in columns.iter().enumerate() {
            let or = if index == 0 { "" } else { " OR " };
            sql.push(&format!("{or}{column} {operator} "))
                .push_value(format!("%{}%", escape_like(text)));
            sql.push(" ESCAPE '\\'");
        }
        sql
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
            Pools::Postgres(pool) => pool.close().await,
        }
    }
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

    /// Has everybody who waits for it hear that something was changed, once that is durable.
    pub fn publish(&mut self, changed: Changed) {
        self.changed.push(changed);
    }
}

async fn open_sqlite(url: &str) -> Result<Pools, sqlx::Error> {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let options = SqliteConnectOptions::new()
        .filename(path)
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
    let writer = Writer::open(writing).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(4)
        // There is no network that a connection could be lost to, so none is asked whether it lives.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.pragma("query_only", "ON"))
        .await?;
    Ok(Pools::Sqlite { readers, writer })
}

/// One statement with its values, for either database.
pub struct Query {
    text: Text,
    values: Vec<Value>,
}

enum Text {
    /// Written out, with `$1`, `$2` …, which both databases know.
    Written(&'static str),
    /// Put together, with `?`, which SQLite knows, too: it looks for a number from the first one on, so
    /// that a long list of values would take long.
    PutTogether(String),
}

impl Text {
    /// The text with `?`, if its values come in their order.
    fn in_order(self) -> std::result::Result<Self, Self> {
        match self {
            Self::Written(text) => in_order(text).map(Self::PutTogether).ok_or(self),
            Self::PutTogether(_) => Ok(self),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Written(text) => text,
            Self::PutTogether(text) => text,
        }
    }

    fn for_sqlite(self) -> AssertSqlSafe<Cow<'static, str>> {
        AssertSqlSafe(match self {
            Self::Written(text) => text.into(),
            Self::PutTogether(text) => text.into(),
        })
    }

    fn for_postgres(self) -> AssertSqlSafe<Cow<'static, str>> {
        AssertSqlSafe(match self {
            Self::Written(text) => text.into(),
            Self::PutTogether(text) => number(&text).into(),
        })
    }
}

/// A statement written out with `$1`, `$2` …
pub fn query(sql: &'static str) -> Query {
    Query { text: Text::Written(sql), values: Vec::new() }
}

impl From<Sql> for Query {
    fn from(sql: Sql) -> Self {
        let (text, values) = sql.into_parts();
        Self { text: Text::PutTogether(text), values }
    }
}

/// Runs `$method` of sqlx's typed query on whichever connection `$on` is, or `$pick` on the rows where the
/// writer has fetched them.
macro_rules! run {
    ($self:ident, $on:ident, $method:ident, $pick:expr) => {{
        let on = $on.into();
        on.count();
        let (text, values) = ($self.text, $self.values);
        match on {
            Conn::Db(Db { pools: Pools::Sqlite { readers, .. }, .. }) => {
                query_as_with(text.for_sqlite(), sqlite_arguments(&values)?).$method(readers).await
            }
            Conn::Db(Db { pools: Pools::Postgres(pool), .. }) => {
                query_as_with(text.for_postgres(), postgres_arguments(&values)?).$method(pool).await
            }
            Conn::Tx(Tx { inner: TxInner::Sqlite(tx), .. }) => {
                let pick: fn(&[SqliteRow]) -> _ = $pick;
                pick(&tx.run(Statement::new(text, values)).await?.rows)
            }
            Conn::Tx(Tx { inner: TxInner::Postgres(tx), .. }) => {
                query_as_with(text.for_postgres(), postgres_arguments(&values)?)
                    .$method(&mut **tx)
                    .await
            }
        }
    }};
}

impl Query {
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    pub async fn fetch_one<T: Row>(self, on: impl Into<Conn<'_>>) -> Result<T, sqlx::Error> {
        run!(self, on, fetch_one, |rows| T::from_row(rows.first().ok_or(sqlx::Error::RowNotFound)?))
    }

    pub async fn fetch_optional<T: Row>(
        self,
        on: impl Into<Conn<'_>>,
    ) -> Result<Option<T>, sqlx::Error> {
        run!(self, on, fetch_optional, |rows| rows.first().map(T::from_row).transpose())
    }

    pub async fn fetch_all<T: Row>(self, on: impl Into<Conn<'_>>) -> Result<Vec<T>, sqlx::Error> {
        run!(self, on, fetch_all, |rows| rows.iter().map(T::from_row).collect())
    }

    /// Runs a statement that changes rows before the next one of the transaction, or before its commit, and
    /// with SQLite in the same message: each is a way to another thread and back, which takes longer than
    /// most statements. If it fails, so does the next one, or the commit, and the change is undone.
    pub async fn later(self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        self.later_unless(tx, None).await
    }

    /// As [`Query::later`], for what a caller can have fail in one way: the error is then the [`Unmet`].
    pub async fn later_or(self, tx: &mut Tx, unmet: Unmet) -> Result<(), sqlx::Error> {
        self.later_unless(tx, Some(unmet)).await
    }

    async fn later_unless(mut self, tx: &mut Tx, unmet: Option<Unmet>) -> Result<(), sqlx::Error> {
        if let TxInner::Sqlite(write) = &mut tx.inner {
            match self.text.in_order() {
                Ok(text) => {
                    tx.statements.fetch_add(1, Ordering::Relaxed);
                    write.later(Statement::new(text, self.values).unless(unmet));
                    return Ok(());
                }
                Err(text) => self.text = text,
            }
        }
        let done = self.execute(tx).await;
        done.map(|_| ()).map_err(|error| match unmet {
            Some(unmet) if unmet.explains(&error) => unmet.into(),
            _ => error,
        })
    }

    /// Runs a statement that changes rows; returns how many.
    pub async fn execute(self, tx: &mut Tx) -> Result<u64, sqlx::Error> {
        tx.statements.fetch_add(1, Ordering::Relaxed);
        match &mut tx.inner {
            TxInner::Sqlite(tx) => {
                Ok(tx.run(Statement::new(self.text, self.values)).await?.changed)
            }
            TxInner::Postgres(tx) => {
                let query = query_with(self.text.for_postgres(), postgres_arguments(&self.values)?);
                Ok(query.execute(&mut **tx).await?.rows_affected())
            }
        }
    }
}

macro_rules! arguments {
    ($name:ident, $arguments:ty) => {
        fn $name<'a>(
            values: impl IntoIterator<Item = &'a Value>,
        ) -> Result<$arguments, sqlx::Error> {
            use sqlx::Arguments;
            let mut arguments = <$arguments>::default();
            for value in values {
                match value {
                    Value::Text(value) => arguments.add(value.as_deref()),
                    Value::Int(value) => arguments.add(*value),
                    Value::Real(value) => arguments.add(*value),
                    Value::Bool(value) => arguments.add(*value),
                }
                .map_err(sqlx::Error::Encode)?;
            }
            Ok(arguments)
        }
    };
}
arguments!(sqlite_arguments, SqliteArguments);
arguments!(postgres_arguments, PgArguments);

/// Whether a statement failed because a row with that key is there.
pub fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}
