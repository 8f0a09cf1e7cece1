//! Queries: a statement's text and values, run by whichever driver is open, and the rows that it reads.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::time::Instant;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Database, Execute, Executor, FromRow, Postgres, query_with};

use super::arrays::{Bound, numbered};
use super::beside::Part;
use super::budget::{Budget, Measured, OverBudget};
use super::message::{Statement, Unmet};
use super::{Conn, Db, Pools, Tx, TxInner};
use crate::sql::{Sql, Value, in_order};

/// A row type that both drivers can read: derive `sqlx::FromRow`.
pub trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Row for T {}

/// One statement with its values, for either database.
pub struct Query {
    text: Text,
    values: Vec<Value>,
}

/// A statement as PostgreSQL's driver takes it.
type PgQuery = sqlx::query::Query<'static, Postgres, PgArguments>;

pub enum Text {
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

    pub fn as_str(&self) -> &str {
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

    pub fn for_postgres(&self, values: &[Value]) -> Result<PgQuery, sqlx::Error> {
        let (text, values): (Cow<_>, _) = match self {
            Self::Written(text) => ((*text).into(), values.iter().map(Bound::One).collect()),
            Self::PutTogether(text) => {
                let (text, values) = numbered(text, values);
                (text.into(), values)
            }
        };
        Ok(query_with(AssertSqlSafe(text), postgres_arguments(values)?))
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

/// How many rows are read.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    First,
    /// More than the budget has is an error.
    All,
    /// As many as the budget has, and one at least.
    Fitting,
}

/// What was read, as the driver has it.
enum Rows {
    Sqlite(Vec<SqliteRow>),
    Postgres(Vec<PgRow>),
}

impl Rows {
    fn first<T: Row>(&self) -> Result<Option<T>, sqlx::Error> {
        match self {
            Self::Sqlite(rows) => rows.first().map(T::from_row).transpose(),
            Self::Postgres(rows) => rows.first().map(T::from_row).transpose(),
        }
    }

    fn all<T: Row>(&self) -> Result<Vec<T>, sqlx::Error> {
        match self {
            Self::Sqlite(rows) => rows.iter().map(T::from_row).collect(),
            Self::Postgres(rows) => rows.iter().map(T::from_row).collect(),
        }
    }
}

impl Query {
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    pub async fn fetch_one<T: Row>(self, on: impl Into<Conn<'_>>) -> Result<T, sqlx::Error> {
        self.rows(on.into(), Wanted::First).await?.first()?.ok_or(sqlx::Error::RowNotFound)
    }

    pub async fn fetch_optional<T: Row>(
        self,
        on: impl Into<Conn<'_>>,
    ) -> Result<Option<T>, sqlx::Error> {
        self.rows(on.into(), Wanted::First).await?.first()
    }

    pub async fn fetch_all<T: Row>(self, on: impl Into<Conn<'_>>) -> Result<Vec<T>, sqlx::Error> {
        self.rows(on.into(), Wanted::All).await?.all()
    }

    /// The first rows, as many as fit into the budget that `db` has, and one at least.
    pub async fn fetch_fitting<T: Row>(self, db: &Db) -> Result<Vec<T>, sqlx::Error> {
        self.rows(Conn::Db(db), Wanted::Fitting).await?.all()
    }

    /// Runs the query. It knows nothing of the type that the rows become: what does is compiled once for each.
    async fn rows(self, on: Conn<'_>, wanted: Wanted) -> Result<Rows, sqlx::Error> {
        on.count();
        let Self { text, values } = self;
        Ok(match on {
            Conn::Db(Db { pools: Pools::Sqlite { readers, .. }, lane, budget, .. }) => {
                let query = query_with(text.for_sqlite(), sqlite_arguments(&values)?);
                let mut reader = readers.acquire(*lane).await?;
                let rows = fetch(query, &mut *reader, wanted, budget.as_ref()).await;
                // Where it did not come to its end, what is left is interrupted.
                if budget.as_ref().is_none_or(|budget| !budget.is_over()) {
                    reader.done();
                }
                Rows::Sqlite(rows?)
            }
            Conn::Db(Db { pools: Pools::Postgres(pools), lane, budget, .. }) => {
                let mut reading = pools.reading(*lane).acquire().await?;
                let (query, begun) = (text.for_postgres(&values)?, Instant::now());
                let mut rows = fetch(query, &mut *reading, wanted, budget.as_ref()).await;
                if rows.as_ref().is_err_and(|error| reading.was_dead(error, begun)) {
                    reading = reading.renewed().await?;
                    let query = text.for_postgres(&values)?;
                    rows = fetch(query, &mut *reading, wanted, budget.as_ref()).await;
                }
                let rows = rows?;
                // Where it did not come to its end, what is left is still to be read.
                if budget.as_ref().is_none_or(|budget| !budget.is_over()) {
                    reading.done();
                }
                Rows::Postgres(rows)
            }
            Conn::Tx(Tx { inner: TxInner::Sqlite(write), .. }) => {
                Rows::Sqlite(write.run(Statement::new(text, values)).await?.rows)
            }
            Conn::Tx(Tx { inner: TxInner::Postgres(tx), .. }) => {
                let query = text.for_postgres(&values)?;
                Rows::Postgres(fetch(query, tx.ready().await?, wanted, None).await?)
            }
        })
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

    /// As [`Query::later`], of a statement that neither reads nor changes what those change that were kept so just before:
    /// with PostgreSQL, too, it goes with them in one message.
    pub async fn beside(self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        self.beside_unless(tx, None).await
    }

    /// As [`Query::beside`], for what a caller can have fail in one way, as with [`Query::later_or`].
    pub async fn beside_or(self, tx: &mut Tx, unmet: Unmet) -> Result<(), sqlx::Error> {
        self.beside_unless(tx, Some(unmet)).await
    }

    async fn beside_unless(self, tx: &mut Tx, unmet: Option<Unmet>) -> Result<(), sqlx::Error> {
        let TxInner::Postgres(kept) = &mut tx.inner else {
            return self.later_unless(tx, unmet).await;
        };
        match self.text.in_order() {
            Ok(Text::PutTogether(text)) => {
                tx.statements.fetch_add(1, Ordering::Relaxed);
                kept.keep(Part { text, values: self.values, unmet }).await
            }
            Ok(text) | Err(text) => Self { text, ..self }.later_unless(tx, unmet).await,
        }
    }

    /// Runs a statement that changes rows; returns how many.
    pub async fn execute(self, tx: &mut Tx) -> Result<u64, sqlx::Error> {
        tx.statements.fetch_add(1, Ordering::Relaxed);
        match &mut tx.inner {
            TxInner::Sqlite(tx) => {
                Ok(tx.run(Statement::new(self.text, self.values)).await?.changed)
            }
            TxInner::Postgres(tx) => {
                let query = self.text.for_postgres(&self.values)?;
                Ok(query.execute(tx.ready().await?).await?.rows_affected())
            }
        }
    }

    /// As [`Query::execute`], in a transaction of its own.
    pub async fn alone(self, db: &Db) -> Result<u64, sqlx::Error> {
        let mut tx = db.begin().await?;
        let changed = self.execute(&mut tx).await?;
        tx.commit().await?;
        Ok(changed)
    }
}

async fn fetch<'c, D: Database<Row: Measured>>(
    query: impl Execute<'c, D> + 'c,
    on: impl Executor<'c, Database = D>,
    wanted: Wanted,
    budget: Option<&Budget>,
) -> Result<Vec<D::Row>, sqlx::Error> {
    let (Wanted::All | Wanted::Fitting, Some(budget)) = (wanted, budget) else {
        return match wanted {
            Wanted::First => Ok(on.fetch_optional(query).await?.into_iter().collect()),
            Wanted::All | Wanted::Fitting => on.fetch_all(query).await,
        };
    };
    let (mut coming, mut rows) = (on.fetch(query), Vec::new());
    while let Some(row) = coming.try_next().await? {
        let fits = budget.take(row.bytes());
        match wanted {
            Wanted::Fitting if fits || rows.is_empty() => rows.push(row),
            Wanted::Fitting => break,
            _ if fits => rows.push(row),
            _ => return Err(sqlx::Error::AnyDriverError(Box::new(OverBudget))),
        }
    }
    Ok(rows)
}

pub fn sqlite_arguments<'a>(
    values: impl IntoIterator<Item = &'a Value>,
) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
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

fn postgres_arguments(values: Vec<Bound<'_>>) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Bound::One(Value::Text(value)) => arguments.add(value.as_deref()),
            Bound::One(Value::Int(value)) => arguments.add(*value),
            Bound::One(Value::Real(value)) => arguments.add(*value),
            Bound::One(Value::Bool(value)) => arguments.add(*value),
            Bound::Texts(values) => arguments.add(values),
            Bound::Ints(values) => arguments.add(values),
            Bound::Reals(values) => arguments.add(values),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
