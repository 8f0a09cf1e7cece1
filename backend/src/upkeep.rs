//! Background jobs: what no request asks for, and one server does for all.
//!
//! A folder has one server. Of several with one object store, one has the lease; when it ends, another goes on. Each job may
//! run twice at once and be interrupted anywhere.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::access::guesses;
use crate::app::App;
use crate::error::{Error, Result};
use crate::registry::catalog::blob::sweep::Sweep;
use crate::registry::catalog::blob::{journal, scrub};
use crate::registry::catalog::{mlmodel, model, upload};
use crate::registry::lifecycle::placement::plan;
use crate::registry::lifecycle::trash::removal;
use crate::registry::people::session;
use crate::registry::replica::lease::Lease;
use crate::registry::replica::{HEARTBEAT, Replica, UPKEEP};
use crate::registry::webhook::{delivery, rules, sender};

const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);
/// All objects are listed once a day.
const SWEEPS_OF_A_DAY: u64 = 24;
const SCRUB_INTERVAL: Duration = Duration::from_secs(600);
const PLACE_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// Does the jobs until `stopping` changes. `newest_ms` is of before the first request: where that could not be read,
/// nothing says whether the database is an older one, and objects are not listed. An error ends the server.
pub async fn run(
    app: App,
    newest_ms: Result<i64>,
    mut stopping: watch::Receiver<bool>,
) -> Result<()> {
    let stopped = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
    if app.store.is_folder() {
        tokio::select! {
            () = jobs(&app, &newest_ms) => {}
            () = sender::run(&app) => {}
            () = stopped => {}
        }
        return Ok(());
    }
    let replica = Replica::new(&app.db, &app.clock);
    let outdated = tokio::select! {
        outdated = beat(&replica) => {
            app.stopping.send_replace(true);
            Err(outdated)
        }
        () = take_turns(&app, &newest_ms, &replica) => Ok(()),
        () = sender::run(&app) => Ok(()),
        () = stopped => Ok(()),
    };
    for ended in [replica.leave().await, Lease::give_back(&app.db, UPKEEP, &replica.id).await] {
        if let Err(error) = ended {
            error.log();
        }
    }
    outdated
}

/// Does the jobs whenever this server has the lease.
async fn take_turns(app: &App, newest_ms: &Result<i64>, replica: &Replica) {
    loop {
        let lease = Lease::take(&app.db, &app.clock, UPKEEP, &replica.id).await;
        tokio::select! {
            () = jobs(app, newest_ms) => {}
            () = lease.keep() => tracing::warn!("another server does the background jobs now"),
        }
    }
}

async fn jobs(app: &App, newest_ms: &Result<i64>) {
    tokio::join!(sweep(app, newest_ms), scrub(app), place(app));
}

/// Says again and again that this server is alive, until the database is not for this program any more.
async fn beat(replica: &Replica) -> Error {
    let mut interval = tokio::time::interval(HEARTBEAT);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        match replica.beat().await {
            Ok(()) => {}
            Err(outdated @ Error::Conflict(_)) => return outdated,
            Err(error) => {
                tracing::warn!(?error, "the heartbeat of this server cannot be noted now");
            }
        }
    }
}

/// Removes blobs that nothing has named for long, and uploads and sessions that are over, and reads what was never
/// read, at the start and then every hour.
async fn sweep(app: &App, newest_ms: &Result<i64>) {
    let mut has_listed = false;
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    for number in 0_u64.. {
        interval.tick().await;
        app.db.lay_ballast(&app.config.data.database_url(), app.config.keep_free);
        let sweep = Sweep::of(app);
        let (sweep, lists) = match newest_ms {
            Ok(newest) if !has_listed => (sweep.first(*newest), true),
            Ok(_) if number % SWEEPS_OF_A_DAY == 0 => (sweep, true),
            _ => (sweep.without_listing(), false),
        };
        let swept = sweep.run().await;
        has_listed |= lists && swept.is_ok();
        match swept {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed objects that were unused for long"),
            Err(error) => tracing::error!(?error, "sweeping failed"),
        }
        for (job, done) in [
            ("reading MLmodel files", mlmodel::sql::index_all(app).await),
            ("reading model cards", model::facet::read_cards(app).await),
            ("sweeping unfinished uploads", upload::rules::sweep(app).await),
            (
                "ending uploads that were left",
                journal::end_left(&app.db, &app.storages, app.clock.now()).await,
            ),
            ("removing what was deleted for good", removal::finish(app).await),
            ("purging sessions", session::rules::purge(app).await),
            ("telling webhooks of new actions", rules::refresh(&app.db).await),
            ("purging deliveries", delivery::purge(&app.db.patient(), app.clock.now()).await),
            ("forgetting wrong passwords", guesses::purge(&app.db, app.clock.now()).await),
        ] {
            if let Err(error) = done {
                tracing::error!(?error, "{job} failed");
            }
        }
    }
}

/// Moves files to the storages that they belong in, at the start and then once a day; sooner where some could not be.
async fn place(app: &App) {
    loop {
        let pause = match plan::apply(&app.db, &app.storages, &app.clock).await {
            Ok(applied) if applied == plan::Applied::default() => PLACE_INTERVAL,
            Ok(plan::Applied { files, bytes, failed }) => {
                tracing::info!(
                    files,
                    bytes,
                    failed,
                    "moved files to the storages that they belong in"
                );
                if failed == 0 { PLACE_INTERVAL } else { SWEEP_INTERVAL }
            }
            Err(error) => {
                tracing::error!(?error, "moving files between storages failed");
                SWEEP_INTERVAL
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Reads all files again and again, slowly, with a pause where there is nothing to read.
async fn scrub(app: &App) {
    let mut interval = tokio::time::interval(SCRUB_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.tick().await;
    loop {
        interval.tick().await;
        loop {
            match scrub::scrub(app).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(?error, "reading files to prove them failed");
                    break;
                }
            }
        }
    }
}
