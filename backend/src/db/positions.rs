//! Positions of events: in their order, none becomes visible behind one that was told already.
//!
//! With SQLite they are numbers, given by its one writer. With PostgreSQL a position is the id of a transaction and
//! `registry.feed_offset`: in a database that was restored into another PostgreSQL those ids begin anew.

use super::{Db, Pools, Query, Sql};

/// The first position that a transaction may have which begins now, or later.
const NEXT: &str = "(SELECT feed_offset FROM registry) + CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)";
/// The first one of all transactions that are still open, or begin later.
const OPEN: &str = "(SELECT feed_offset FROM registry) + CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)";
const LAST: &str = "(SELECT COALESCE(MAX(position), 0) FROM events)";

impl Db {
    /// The condition that no transaction that is still open can bring a row before the one with this position.
    pub fn is_settled(&self, position: &str) -> Sql {
        Sql::new(match &self.pools {
            Pools::Sqlite { .. } => "TRUE".to_owned(),
            Pools::Postgres(_) => format!("{position} < {OPEN}"),
        })
    }

    /// Has positions go on where they were, if they have begun anew. To be called before anything is written.
    pub(super) async fn raise_positions(&self) -> Result<(), sqlx::Error> {
        let Pools::Postgres(_) = &self.pools else { return Ok(()) };
        let has_begun_anew = format!("{LAST} >= {NEXT}");
        // It is read first: nearly always there is nothing to change.
        let asked = Query::from(Sql::new(format!("SELECT {has_begun_anew}")));
        let (has_begun,): (bool,) = asked.fetch_one(self).await?;
        if has_begun {
            let raise =
                format!("UPDATE registry SET feed_offset = {LAST} + 1 WHERE {has_begun_anew}");
            Query::from(Sql::new(raise)).alone(self).await?;
        }
        Ok(())
    }
}
