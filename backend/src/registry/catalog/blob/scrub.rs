//! The scrub: a server reads its copies again and again, slowly, so that what a disk lost is known while there is a
//! backup that has it.

use std::time::Duration;

use super::proof::{self, Finding};
use super::sql;
use crate::app::App;
use crate::error::Result;

/// How long ago a copy was compared with its hash at most: those that have just come are looked at first.
const DAYS: i64 = 28;
/// How many copies are looked at before it is noted.
const BATCH: i64 = 50;

/// Reads the copies that were not looked at for long, with as many bytes a second as the configuration says. Returns
/// how many there were; none when all have been.
pub async fn scrub(app: &App) -> Result<usize> {
    let rate = u64::from(app.config.scrub_rate) << 20;
    if rate == 0 {
        return Ok(0);
    }
    let before = app.clock.now().plus_seconds(-DAYS * 24 * 3600);
    let copies = sql::least_checked(&app.db, before, BATCH).await?;
    let count = copies.len();
    let mut looked_at = Vec::new();
    for copy in copies {
        let pace = |read| Duration::from_secs_f64(read as f64 / rate as f64);
        let finding = proof::examine_paced(&app.store, &copy, pace).await?;
        let now = app.clock.now();
        if finding == Finding::Good && copy.state != "READY" {
            sql::prove(&app.db, &copy, now).await?;
            continue;
        }
        if finding != Finding::Good {
            proof::check_store(&app.store).await?;
            if sql::suspect(&app.db, &copy, now).await? {
                proof::report(&copy, &finding.problem());
                proof::check(&app.db, &app.store, &copy, now).await?;
            }
        }
        looked_at.push(copy.key);
    }
    sql::checked(&app.db, &looked_at, app.clock.now()).await?;
    Ok(count)
}
