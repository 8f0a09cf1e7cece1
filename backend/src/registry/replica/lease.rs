//! Leases: of several servers one has each, does what it is for, and renews it as long as it lives.
//!
//! A lease saves work. It is never why something is right: two servers may have one for a moment, such as where one of them
//! was asleep. PostgreSQL's clock decides, whatever those of the machines say.

use std::time::{Duration, Instant};

use crate::db::{Db, Query, Sql, query};
use crate::error::Result;
use crate::time::Clock;

/// How long a lease lasts that is not renewed, and how often it is, in seconds.
const LASTS: i64 = 60;
const RENEWED: Duration = Duration::from_secs(20);
/// How often who waits for it asks again.
const ASKED: Duration = Duration::from_secs(10);

/// The right to be the one who does something.
pub struct Lease {
    db: Db,
    clock: Clock,
    name: &'static str,
    holder: String,
}

impl Lease {
    /// Takes a lease, for which it may wait as long as others have it.
    pub async fn take(db: &Db, clock: &Clock, name: &'static str, holder: &str) -> Self {
        loop {
            match Self::try_take(db, clock, name, holder).await {
                Ok(Some(lease)) => return lease,
                Ok(None) => {}
                Err(error) => tracing::warn!(?error, name, "a lease cannot be asked for now"),
            }
            tokio::time::sleep(ASKED).await;
        }
    }

    /// Takes a lease, unless somebody else has it.
    pub async fn try_take(
        db: &Db,
        clock: &Clock,
        name: &'static str,
        holder: &str,
    ) -> Result<Option<Self>> {
        let lease = Self { db: db.clone(), clock: clock.clone(), name, holder: holder.to_owned() };
        Ok(lease.renew().await?.then_some(lease))
    }

    /// Makes it last longer; false where somebody else has it.
    async fn renew(&self) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let now = self.db.now(self.clock.now().millis());
        let mut sql = Sql::new("INSERT INTO leases (name, holder, until_ms, epoch) VALUES (");
        sql.push_value(self.name)
            .push(", ")
            .push_value(&self.holder)
            .push(", ")
            .push_sql(now.clone());
        sql.push(" + ").push_value(LASTS * 1000);
        sql.push(
            ", 1) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms,
                 epoch = leases.epoch + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
             WHERE leases.holder = excluded.holder OR leases.until_ms < ",
        );
        let taken = Query::from(sql.push_sql(now).clone()).execute(&mut tx).await?;
        tx.commit().await?;
        Ok(taken == 1)
    }

    /// Renews it for as long as it can be: ends when somebody else has it, or it was not renewed for as long as it lasts.
    pub async fn keep(&self) {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(RENEWED).await;
            match self.renew().await {
                Ok(true) => renewed = Instant::now(),
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(?error, name = self.name, "a lease cannot be renewed now");
                    if renewed.elapsed() >= Duration::from_secs(LASTS.unsigned_abs()) {
                        return;
                    }
                }
            }
        }
    }

    /// Gives a lease back, if it is theirs, so that the next need not wait.
    pub async fn give_back(db: &Db, name: &str, holder: &str) -> Result<()> {
        query("DELETE FROM leases WHERE name = $1 AND holder = $2")
            .bind(name)
            .bind(holder)
            .alone(db)
            .await?;
        Ok(())
    }
}
