//! The connections to PostgreSQL: for everybody, for what must go on when all of those are busy, and for what nobody
//! waits for.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgPool, PgPoolOptions};

use super::lane::{Lane, STATEMENT};

/// How many connections to PostgreSQL everybody has.
const GENERAL: u32 = 14;

/// Connections to PostgreSQL, by who uses them.
#[derive(Clone)]
pub struct PgPools {
    general: PgPool,
    reserved: PgPool,
    patient: PgPool,
}

impl PgPools {
    /// Connects to a server.
    pub async fn open(url: &str) -> Result<Self, sqlx::Error> {
        let limit = format!("SET statement_timeout = {}", STATEMENT.as_millis());
        let pool = |most: u32, limit: Option<String>| {
            PgPoolOptions::new()
                .max_connections(most)
                .acquire_timeout(Duration::from_secs(10))
                .after_connect(move |connection, _| {
                    let limit = limit.clone();
                    Box::pin(async move {
                        if let Some(limit) = limit {
                            sqlx::raw_sql(AssertSqlSafe(limit)).execute(connection).await?;
                        }
                        Ok(())
                    })
                })
        };
        Ok(Self {
            general: pool(GENERAL, Some(limit.clone())).connect(url).await?,
            reserved: pool(2, Some(limit)).connect_lazy(url)?,
            patient: pool(2, None).connect_lazy(url)?,
        })
    }

    /// Where is read.
    pub fn reading(&self, lane: Lane) -> &PgPool {
        let all_busy = self.general.num_idle() == 0 && self.general.size() >= GENERAL;
        match lane {
            Lane::Reserved if all_busy => &self.reserved,
            Lane::Patient => &self.patient,
            Lane::General(_) | Lane::Reserved => &self.general,
        }
    }

    /// Where transactions are begun: none on what is kept for reading.
    pub fn writing(&self, lane: Lane) -> &PgPool {
        match lane {
            Lane::Patient => &self.patient,
            Lane::General(_) | Lane::Reserved => &self.general,
        }
    }

    /// What everybody uses.
    pub fn general(&self) -> &PgPool {
        &self.general
    }

    /// Waits until every connection is closed.
    pub async fn close(&self) {
        tokio::join!(self.general.close(), self.reserved.close(), self.patient.close());
    }
}
