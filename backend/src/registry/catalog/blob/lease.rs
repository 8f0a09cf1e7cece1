//! The lease of an object store: one server has it, and renews it as long as it lives.
//!
//! The lock of a folder keeps other servers out of it, and an object store has none. Uploads that are under way are known
//! to the server that takes them only, so a second one would not find them. The clocks of machines that may have it one after
//! the other must agree within half a minute.

use std::time::Duration;

use crate::db::{Db, query};
use crate::error::{Error, Result};
use crate::id::new_uuid;
use crate::time::Clock;

const NAME: &str = "server";
/// How long a lease lasts that is not renewed, and how often it is, in seconds.
const LASTS: i64 = 60;
const RENEWED: Duration = Duration::from_secs(20);
/// How often who waits for it asks again.
const ASKED: Duration = Duration::from_secs(2);

/// The right to be the one server of an object store.
pub struct Lease {
    db: Db,
    clock: Clock,
    holder: String,
}

impl Lease {
    /// Takes the lease; waits for one that a dead server may have left.
    pub async fn take(db: &Db, clock: &Clock) -> Result<Self> {
        let begun = clock.now();
        let lease = Self { db: db.clone(), clock: clock.clone(), holder: new_uuid(begun) };
        let mut is_told = false;
        while !lease.renew().await? {
            if clock.now() > begun.plus_seconds(LASTS + 5) {
                return Err(Error::Conflict(
                    "Another server uses this database and this --storage. Only one server can do so. Stop that server first.".into(),
                ));
            }
            if !is_told {
                tracing::warn!(
                    "another server has this --storage, or died less than a minute ago: waiting for it"
                );
                is_told = true;
            }
            tokio::time::sleep(ASKED).await;
        }
        Ok(lease)
    }

    /// Makes it last longer; false where somebody else has it.
    async fn renew(&self) -> Result<bool> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let taken = query(
            "INSERT INTO leases (name, holder, until_ms, epoch) VALUES ($1, $2, $3, 1)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms,
                 epoch = leases.epoch + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
             WHERE leases.until_ms < $4 OR leases.holder = excluded.holder",
        )
        .bind(NAME)
        .bind(&self.holder)
        .bind(now.plus_seconds(LASTS))
        .bind(now)
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(taken == 1)
    }

    /// Renews it for as long as it can be: ends when somebody else has it. Where the database does not answer, nobody can
    /// change anything, and it is tried again.
    pub async fn keep(&self) {
        loop {
            tokio::time::sleep(RENEWED).await;
            match self.renew().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(?error, "the lease of --storage cannot be renewed now")
                }
            }
        }
    }

    /// Gives it back, so that the next server need not wait.
    pub async fn give_back(&self) -> Result<()> {
        query("DELETE FROM leases WHERE name = $1 AND holder = $2")
            .bind(NAME)
            .bind(&self.holder)
            .alone(&self.db)
            .await?;
        Ok(())
    }
}
