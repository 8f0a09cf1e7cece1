//! The schema: the steps of migrations/, each applied once and never changed.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::error::DatabaseError;

use super::message::Statement;
use super::query::Text;
use super::{Conn, Db, Query, Sql, Tx, TxInner, query};

/// One step of the schema: the same text for both, or one for each.
struct Migration {
    sqlite: &'static str,
    postgres: &'static str,
}

// `MIGRATIONS`, the steps in order of their numbers, as build.rs finds them in migrations/.
include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// How many steps there are.
pub const COUNT: usize = MIGRATIONS.len();

/// How often is looked whether the servers have stopped that a step waits for.
const ASKED: Duration = Duration::from_secs(5);
/// The step that made the table of servers, and how long after its heartbeat one is taken for alive, in milliseconds.
const REPLICAS: i64 = 28;
/// The oldest schema whose programs understand the last one. A new step that they would not understand raises it, and
/// `registry.floor` with it (`UPDATE registry SET floor = …`): this one is for the servers of before, which are waited for,
/// and that one for their later starts. What uses the schema may raise `registry.floor` further, as a second storage does
/// (to 30); then no server of before is alive, since each ends at the heartbeat that finds it.
pub const FLOOR: i64 = 28;
const ALIVE_MILLIS: i64 = 60_000;

/// What became of trying to migrate.
enum Tried {
    /// It was done; the schema that there was before.
    Done(i64),
    /// Nothing was changed: the server on this machine is alive and would not understand the result.
    Blocked(String),
}

/// Applies what is missing, all in one transaction. Waits for servers that are alive and would not understand the result.
/// Returns the schema that there was before.
pub async fn run(db: &Db, last: usize) -> Result<i64, sqlx::Error> {
    loop {
        match try_run(db, last).await? {
            Tried::Done(before) => return Ok(before),
            Tried::Blocked(server) => tracing::warn!(
                "waiting until the server on {server} is stopped: its program is too old for the schema that this one needs"
            ),
        }
        tokio::time::sleep(ASKED).await;
    }
}

async fn try_run(db: &Db, last: usize) -> Result<Tried, sqlx::Error> {
    // Not through a pooler, which may give up what takes long.
    let mut tx = db.patient().begin().await?;
    tx.lock_migrations().await?;
    tx.script("CREATE TABLE IF NOT EXISTS migrations (number BIGINT NOT NULL PRIMARY KEY)").await?;
    let done = applied(&mut tx).await?;
    refuse_newer(&mut tx, done).await?;
    if done >= REPLICAS && done < last as i64 {
        let old = "SELECT name FROM replicas WHERE schema < ";
        let mut old = Sql::new(old);
        old.push_value(FLOOR).push(" AND seen_at_ms > ").push_sql(db.now(0));
        old.push(" - ").push_value(ALIVE_MILLIS).push(" LIMIT 1");
        if let Some((server,)) = Query::from(old).fetch_optional(&mut tx).await? {
            return Ok(Tried::Blocked(server));
        }
    }
    for (number, migration) in
        (1_i64..).zip(MIGRATIONS).take(last).filter(|(number, _)| *number > done)
    {
        tx.script(match &tx.inner {
            TxInner::Sqlite(..) => migration.sqlite,
            TxInner::Postgres(_) => migration.postgres,
        })
        .await?;
        query("INSERT INTO migrations (number) VALUES ($1)").bind(number).execute(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(Tried::Done(done))
}

/// The schema that there is, of none 0. Refuses one that this program does not understand because it is newer.
pub async fn understood(db: &Db) -> Result<i64, sqlx::Error> {
    let done = match applied(db).await {
        Err(sqlx::Error::Database(error)) if is_missing_table(error.as_ref()) => 0,
        done => done?,
    };
    refuse_newer(db, done).await?;
    Ok(done)
}

/// Refuses a schema that is not this program's, and changes nothing.
pub async fn check(db: &Db) -> Result<(), sqlx::Error> {
    let done = understood(db).await?;
    if done < COUNT as i64 {
        let reason = format!(
            "the database has schema {done} of {COUNT}: start the server once to migrate it"
        );
        return Err(sqlx::Error::Configuration(reason.into()));
    }
    Ok(())
}

/// The number of the last step that was applied.
pub async fn applied(on: impl Into<Conn<'_>>) -> Result<i64, sqlx::Error> {
    let last = query("SELECT COALESCE(MAX(number), 0) FROM migrations");
    last.fetch_one::<(i64,)>(on).await.map(|(done,)| done)
}

fn is_missing_table(error: &dyn DatabaseError) -> bool {
    error.code().as_deref() == Some("42P01") || error.message().starts_with("no such table")
}

/// Refuses a schema that is newer than the program, unless the program understands it all the same.
async fn refuse_newer(on: impl Into<Conn<'_>>, done: i64) -> Result<(), sqlx::Error> {
    if done <= COUNT as i64 {
        return Ok(());
    }
    let (floor,): (i64,) = query("SELECT floor FROM registry").fetch_one(on).await?;
    if floor > COUNT as i64 {
        let reason = format!(
            "the database has schema {done}, which is newer than this program: upgrade the program"
        );
        return Err(sqlx::Error::Configuration(reason.into()));
    }
    Ok(())
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
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx.ready().await?).await?;
            }
        }
        Ok(())
    }

    /// Two servers that start at once on one PostgreSQL migrate one after the other.
    async fn lock_migrations(&mut self) -> Result<(), sqlx::Error> {
        match self.inner {
            TxInner::Sqlite(..) => Ok(()),
            // A step takes as long as it takes.
            TxInner::Postgres(_) => {
                self.script("SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(7035)")
                    .await
            }
        }
    }
}
