//! The schema: the steps of migrations/, each applied once and never changed.

use sqlx::AssertSqlSafe;

use super::message::Statement;
use super::{Db, Text, Tx, TxInner, query};

/// One step of the schema: the same text for both, or one for each.
struct Migration {
    number: i64,
    sqlite: &'static str,
    postgres: &'static str,
}

const REGISTRY: &str = include_str!("../../../migrations/0001_registry.sql");

const ACCESS: &str = include_str!("../../../migrations/0003_access.sql");

const MLFLOW: &str = include_str!("../../../migrations/0005_mlflow.sql");

const UPLOADS: &str = include_str!("../../../migrations/0008_uploads.sql");

const FACETS: &str = include_str!("../../../migrations/0009_facets.sql");

const NAMES: &str = include_str!("../../../migrations/0012_names.sql");

const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, sqlite: REGISTRY, postgres: REGISTRY },
    Migration {
        number: 2,
        sqlite: include_str!("../../../migrations/0002_search.sqlite.sql"),
        postgres: include_str!("../../../migrations/0002_search.postgres.sql"),
    },
    Migration { number: 3, sqlite: ACCESS, postgres: ACCESS },
    Migration {
        number: 4,
        sqlite: include_str!("../../../migrations/0004_log.sqlite.sql"),
        postgres: include_str!("../../../migrations/0004_log.postgres.sql"),
    },
    Migration { number: 5, sqlite: MLFLOW, postgres: MLFLOW },
    Migration {
        number: 6,
        sqlite: include_str!("../../../migrations/0006_text_order.sqlite.sql"),
        postgres: include_str!("../../../migrations/0006_text_order.postgres.sql"),
    },
    Migration {
        number: 7,
        sqlite: include_str!("../../../migrations/0007_writes.sqlite.sql"),
        postgres: include_str!("../../../migrations/0007_writes.postgres.sql"),
    },
    Migration { number: 8, sqlite: UPLOADS, postgres: UPLOADS },
    Migration { number: 9, sqlite: FACETS, postgres: FACETS },
    Migration {
        number: 10,
        sqlite: include_str!("../../../migrations/0010_logged.sqlite.sql"),
        postgres: include_str!("../../../migrations/0010_logged.postgres.sql"),
    },
    Migration {
        number: 11,
        sqlite: include_str!("../../../migrations/0011_creates.sqlite.sql"),
        postgres: include_str!("../../../migrations/0011_creates.postgres.sql"),
    },
    Migration { number: 12, sqlite: NAMES, postgres: NAMES },
];

/// How many steps there are.
pub const COUNT: usize = MIGRATIONS.len();

/// Applies what is missing, each step and its number in one transaction.
pub async fn run(db: &Db, last: usize) -> Result<(), sqlx::Error> {
    let mut tx = db.begin().await?;
    tx.lock_migrations().await?;
    tx.script("CREATE TABLE IF NOT EXISTS migrations (number BIGINT NOT NULL PRIMARY KEY)").await?;
    let (done,): (i64,) =
        query("SELECT COALESCE(MAX(number), 0) FROM migrations").fetch_one(&mut tx).await?;
    if done > COUNT as i64 {
        return Err(sqlx::Error::Configuration(
            format!("the database is at schema {done}, newer than this program: upgrade it").into(),
        ));
    }
    for migration in MIGRATIONS.iter().take(last).filter(|migration| migration.number > done) {
        tx.script(match &tx.inner {
            TxInner::Sqlite(..) => migration.sqlite,
            TxInner::Postgres(_) => migration.postgres,
        })
        .await?;
        query("INSERT INTO migrations (number) VALUES ($1)")
            .bind(migration.number)
            .execute(&mut tx)
            .await?;
    }
    tx.commit().await
}

impl Tx {
    /// Runs several statements without values. SQLite has one collation, bytes, which is the one
    /// that PostgreSQL calls "C".
    pub(super) async fn script(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => {
                // With a last statement, whose answer says that all before it were run, however many.
                let sql = format!("{}\n; SELECT 1", sql.replace(" COLLATE \"C\"", ""));
                tx.run(Statement::new(Text::PutTogether(sql), Vec::new())).await?;
            }
            TxInner::Postgres(tx) => {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    /// Two servers that start at once on one PostgreSQL migrate one after the other.
    async fn lock_migrations(&mut self) -> Result<(), sqlx::Error> {
        match self.inner {
            TxInner::Sqlite(..) => Ok(()),
            TxInner::Postgres(_) => self.script("SELECT pg_advisory_xact_lock(7035)").await,
        }
    }
}
