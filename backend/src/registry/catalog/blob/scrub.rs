//! The scrub: a server reads its copies again and again, slowly, so that what a disk lost is known while there is a
//! backup that has it. It also computes the CRC-32 of blobs that came before that was kept.

use std::time::Duration;

use super::proof::{self, Finding};
use super::sql;
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::Store;

/// How long ago a copy was compared with its hash at most: those that have just come are looked at first.
const DAYS: i64 = 28;
/// After how many days what is not good is looked at again: a disk may have come back.
const BAD_DAYS: i64 = 1;
/// How many copies, and about how many bytes of them, are looked at before it is noted.
const BATCH: i64 = 50;
const BYTES: u64 = 256 << 20;

/// Reads some of the copies that were not looked at for long, with as many bytes a second as the configuration says.
/// Returns how many there were; none when all have been.
pub async fn scrub(app: &App) -> Result<usize> {
    let mut looked_at = 0;
    // What is read from an archive costs.
    for store in app.storages.iter().filter(|store| !store.is_archive()) {
        // One that cannot be reached keeps no other one.
        match scrub_storage(app, store).await {
            Ok(count) => looked_at += count,
            Err(error) => tracing::error!(
                ?error,
                storage = store.name(),
                "reading files to prove them failed"
            ),
        }
    }
    Ok(looked_at)
}

async fn scrub_storage(app: &App, store: &Store) -> Result<usize> {
    let rate = u64::from(app.config.scrub_rate) << 20;
    if rate == 0 {
        return Ok(0);
    }
    let before = |days: i64| app.clock.now().plus_seconds(-days * 24 * 3600);
    let since = (before(DAYS), before(BAD_DAYS));
    let copies = sql::least_checked(&app.db, store.name(), since, BATCH).await?;
    let crc32 = sql::crc32_of(&app.db, copies.iter().map(|copy| copy.sha256.as_str())).await?;
    let (mut looked_at, mut bytes) = (Vec::new(), 0);
    for copy in copies {
        let mut hasher = crc32fast::Hasher::new();
        let pace = |read: &[u8]| {
            hasher.update(read);
            Duration::from_secs_f64(read.len() as f64 / rate as f64)
        };
        let finding = proof::examine_paced(store, &copy, pace).await?;
        let now = app.clock.now();
        if finding == Finding::Good && !crc32.contains_key(&copy.sha256) {
            sql::note_crc32(&app.db, &copy.sha256, hasher.finalize()).await?;
        }
        match finding {
            Finding::Good if copy.state == "READY" => {}
            Finding::Good => sql::prove(&app.db, &copy, now).await?,
            // That says nothing of the bytes.
            Finding::Unreadable(reason) if !store.is_folder() => {
                sql::checked(&app.db, &looked_at, app.clock.now()).await?;
                return Err(Error::unreachable(reason));
            }
            wrong => {
                if sql::suspect(&app.db, &copy, now).await? {
                    proof::report(&copy, &wrong.problem());
                    proof::check(&app.db, &app.storages, &copy, now).await?;
                }
            }
        }
        bytes += copy.size.unsigned_abs();
        looked_at.push(copy.key);
        if bytes > BYTES {
            break;
        }
    }
    sql::checked(&app.db, &looked_at, app.clock.now()).await?;
    Ok(looked_at.len())
}
