//! Replicas: the servers of one registry, which have a database and an object store together and keep nothing themselves.
//!
//! Each says with its heartbeat that it is alive, and of which version. What only one of them should do has a lease
//! ([`lease`]).

pub mod graphql;
pub mod lease;

use std::time::Duration;

use crate::db::{Db, Query, SCHEMA, Sql, query};
use crate::error::{Error, Result};
use crate::id::new_uuid;
use crate::time::{Clock, Timestamp};

/// How often a server says that it is alive.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// The lease of the background jobs.
pub const UPKEEP: &str = "upkeep";
/// Without a heartbeat for this long a server is taken for dead, in seconds.
const DEAD_AFTER: i64 = 60;
/// How long a dead one is shown, in seconds.
const SHOWN: i64 = 24 * 3600;

/// This server.
pub struct Replica {
    db: Db,
    clock: Clock,
    pub id: String,
    started_at: Timestamp,
}

/// A server that is alive, or died within a day.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Seen {
    pub id: String,
    /// Of its machine.
    pub name: String,
    /// The version of the program.
    pub program: String,
    /// The last migration that it knows.
    pub schema: i64,
    pub started_at_ms: Timestamp,
    pub seen_at_ms: Timestamp,
    pub is_alive: bool,
    /// Whether it has the lease of the background jobs.
    pub has_upkeep: bool,
}

impl Replica {
    pub fn new(db: &Db, clock: &Clock) -> Self {
        let started_at = clock.now();
        Self { db: db.clone(), clock: clock.clone(), id: new_uuid(started_at), started_at }
    }

    /// Says that it is alive. A conflict where a newer program has changed the database in a way that this one does not
    /// understand.
    pub async fn beat(&self) -> Result<()> {
        let now = self.db.now(self.clock.now().millis());
        let mut sql = Sql::new(
            "INSERT INTO replicas (id, name, program, schema, started_at_ms, seen_at_ms) VALUES (",
        );
        sql.push_value(&self.id).push(", ").push_value(machine()).push(", ");
        sql.push_value(env!("CARGO_PKG_VERSION")).push(", ").push_value(SCHEMA);
        sql.push(", ").push_value(self.started_at).push(", ").push_sql(now.clone());
        sql.push(") ON CONFLICT (id) DO UPDATE SET seen_at_ms = excluded.seen_at_ms");
        let mut tx = self.db.begin().await?;
        Query::from(sql).execute(&mut tx).await?;
        let mut old = Sql::new("DELETE FROM replicas WHERE seen_at_ms < ");
        old.push_sql(now).push(" - ").push_value(SHOWN * 1000);
        Query::from(old).execute(&mut tx).await?;
        let (floor,): (i64,) = query("SELECT floor FROM registry").fetch_one(&mut tx).await?;
        tx.commit().await?;
        if floor > SCHEMA {
            return Err(Error::Conflict(format!(
                "The database needs a program of schema {floor} at least, and this one has schema {SCHEMA}. Upgrade the program."
            )));
        }
        Ok(())
    }

    /// Says that it has ended.
    pub async fn leave(&self) -> Result<()> {
        query("DELETE FROM replicas WHERE id = $1").bind(&self.id).alone(&self.db).await?;
        Ok(())
    }
}

/// All servers that are alive, or died within a day, the oldest first.
pub async fn all(db: &Db, clock: &Clock) -> Result<Vec<Seen>> {
    let now = db.now(clock.now().millis());
    let mut sql = Sql::new(
        "SELECT r.id, r.name, r.program, r.schema, r.started_at_ms, r.seen_at_ms, r.seen_at_ms > ",
    );
    sql.push_sql(now.clone()).push(" - ").push_value(DEAD_AFTER * 1000);
    sql.push(" AS is_alive, EXISTS (SELECT 1 FROM leases l WHERE l.holder = r.id AND l.name = ");
    sql.push_value(UPKEEP).push(" AND l.until_ms > ").push_sql(now.clone());
    sql.push(") AS has_upkeep FROM replicas r WHERE r.seen_at_ms >= ").push_sql(now);
    sql.push(" - ").push_value(SHOWN * 1000).push(" ORDER BY r.started_at_ms, r.id");
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// The name of this machine, for people.
fn machine() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "unknown".to_owned() } else { name }
}
