//! Fetches of a version: when its files were last asked for, which says whether anybody may depend on it.
//!
//! The first is durable before the first byte is sent. Later ones are written once an hour at most, beside the answer.

use super::{ModelVersion, VersionState, columns};
use crate::access::Actor;
use crate::app::App;
use crate::change::Change;
use crate::db::{Db, Query, query};
use crate::error::Result;
use crate::registry::target::{Target, TargetId};
use crate::time::Timestamp;

/// How exactly later fetches are known, in milliseconds.
const EXACT: i64 = 60 * 60 * 1000;

/// Notes that files of a version are fetched, where they are sent, and tells who does of its deprecation. Other things
/// have no fetches.
pub async fn begin(app: &App, actor: &Actor, target: &Target, sent: bool) -> Result<()> {
    let TargetId::Version(id) = &target.id else { return Ok(()) };
    let found: Option<ModelVersion> =
        query(concat!("SELECT ", columns!(), " FROM model_versions WHERE id = $1"))
            .bind(id)
            .fetch_optional(&app.db)
            .await?;
    let Some(version) = found else { return Ok(()) };
    let now = app.clock.now();
    match version.last_fetched_at_ms {
        // Nobody depends on what may still change.
        _ if !sent || version.state == VersionState::Draft => {}
        None => note(&app.db, &version, now).await,
        Some(last) if now.millis() - last.millis() >= EXACT => {
            let (db, version) = (app.db.clone(), version.clone());
            app.beside.spawn(async move { note(&db, &version, now).await });
        }
        Some(_) => {}
    }
    if let Some(deprecation) = version.deprecation() {
        actor.deprecations.add(deprecation);
    }
    Ok(())
}

/// A fetch that cannot be noted goes on: a registry without room is still read.
async fn note(db: &Db, version: &ModelVersion, now: Timestamp) {
    if let Err(error) = fetched(version, now).alone(db).await {
        tracing::warn!(
            ?error,
            version = version.id.raw(),
            "cannot note that a version was fetched"
        );
    }
}

/// Notes within a change that a version is fetched: another one is made of it.
pub async fn note_within(change: &mut Change, version: &ModelVersion) -> Result<()> {
    Ok(fetched(version, change.now).later(change).await?)
}

fn fetched(version: &ModelVersion, now: Timestamp) -> Query {
    query(
        "UPDATE model_versions SET last_fetched_at_ms = $1
         WHERE id = $2 AND (last_fetched_at_ms IS NULL OR last_fetched_at_ms < $3)",
    )
    .bind(now)
    .bind(&version.id)
    .bind(now)
}
