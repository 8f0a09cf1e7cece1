//! The journal of uploads in parts, as rows: one whose server died is ended after a week, so that its parts cost nothing more.
//!
//! Uploads that can be interrupted have rows of their own ([`upload`](crate::registry::catalog::upload)).

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::sweep::DAY_SECONDS;
use crate::db::{Db, query};
use crate::error::{Error, Result};
use crate::store::{Journal, Storages};
use crate::time::{Clock, Timestamp};

/// How long an upload in one go may take.
const MAX_SECONDS: i64 = 7 * DAY_SECONDS;
/// How many are looked at at once.
const BATCH: i64 = 200;

struct Rows {
    db: Db,
    clock: Clock,
}

impl Journal for Rows {
    fn note<'a>(
        &'a self,
        storage: &'a str,
        key: &'a str,
        multipart: &'a str,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            query("INSERT INTO open_uploads (key, storage, multipart, begun_at_ms) VALUES ($1, $2, $3, $4)")
                .bind(key)
                .bind(storage)
                .bind(multipart)
                .bind(self.clock.now())
                .alone(&self.db)
                .await?;
            Ok(())
        })
    }
}

/// The journal of the uploads to these storages.
pub fn of(db: &Db, clock: &Clock) -> Arc<dyn Journal> {
    Arc::new(Rows { db: db.clone(), clock: clock.clone() })
}

/// Ends the uploads that were left, and forgets those that are objects by now.
pub async fn end_left(db: &Db, storages: &Storages, now: Timestamp) -> Result<()> {
    query("DELETE FROM open_uploads WHERE EXISTS (SELECT 1 FROM copies c WHERE c.key = open_uploads.key)")
        .alone(db)
        .await?;
    let (mut after, mut silent) = (String::new(), HashSet::new());
    loop {
        let left: Vec<(String, String, String)> = query(
            "SELECT key, storage, multipart FROM open_uploads WHERE begun_at_ms < $1 AND key > $2 ORDER BY key LIMIT $3",
        )
        .bind(now.plus_seconds(-MAX_SECONDS))
        .bind(&after)
        .bind(BATCH)
        .fetch_all(db)
        .await?;
        for (key, storage, multipart) in &left {
            // One that cannot be ended now keeps no other one; nor does one in a storage that this server was not given.
            let Some(store) = storages.find(storage).filter(|_| !silent.contains(storage)) else {
                continue;
            };
            match store.end_upload(key, multipart).await {
                Ok(()) => {
                    let ended = query("DELETE FROM open_uploads WHERE key = $1").bind(key);
                    ended.alone(db).await?;
                }
                Err(error) => {
                    if matches!(error, Error::Unavailable) {
                        silent.insert(storage.clone());
                    }
                    error.log();
                }
            }
        }
        let Some((last, ..)) = left.into_iter().next_back() else { return Ok(()) };
        after = last;
    }
}
