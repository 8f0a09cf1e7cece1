//! The sweep: garbage collection of blobs that no file names, and of objects that no row names.
//!
//! Nothing goes at once. A blob goes when it has been unused for days, and in so many sweeps that no clock that
//! jumped is the reason; an object that no row names is noted, and goes after as long. First its row goes, which
//! the foreign key of files refuses as long as one names it; then the object. Where something is not as it should be,
//! nothing goes: a database that finds damage in itself, files that only the table knows and not its index, an
//! older copy of the database.

use std::collections::HashSet;
use std::pin::pin;

use futures_util::stream::{self, StreamExt};

use super::{mover, sql, useless};
use crate::app::App;
use crate::db::{Db, Query, Sql, Tx, is_foreign_key_violation, query};
use crate::error::{Error, Result};
use crate::store::{Listed, Storages, Store, key};
use crate::time::Timestamp;

/// How long nothing is removed after a database and a store were put together by hand, or the database is an older one.
const PAUSE_SECONDS: i64 = 30 * DAY_SECONDS;
/// How long an object stays whose key does not say when it was given.
pub(super) const OLD_KEY_SECONDS: i64 = 30 * DAY_SECONDS;
/// How long a row says that a key was given.
const GONE_SECONDS: i64 = 30 * DAY_SECONDS;
pub(super) const DAY_SECONDS: i64 = 24 * 3600;
/// In how many sweeps something must have been unused: a server makes one at its start, and one an hour.
const MIN_SWEEPS: i64 = 24;
/// One sweep removes a tenth of all objects at most, or so many where that is more.
const AT_LEAST: i64 = 100;
/// How many rows are looked at, or changed, at once.
const BATCH: usize = 200;
/// How many are looked for at once in a table without its indexes.
const SCANNED: usize = 2000;
/// How much newer than the whole database an object may be.
const NEWER_MS: i64 = 3600 * 1000;
/// How many objects are deleted at the same time.
const REMOVED_AT_ONCE: usize = 16;

/// A registry that is swept.
pub struct Sweep<'a> {
    /// For statements that nobody waits for.
    db: Db,
    storages: &'a Storages,
    now: Timestamp,
    /// How long what is unused stays.
    keep_seconds: i64,
    /// When the last copy came that the database knew when the server started, in milliseconds since 1970.
    newest_ms: Option<i64>,
    /// Whether all objects are listed, to find those that no row names.
    lists: bool,
}

/// What a sweep removes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Blobs that no file names, by their SHA-256.
    pub blobs: Vec<String>,
    /// Objects that no row named, or whose blob has a better copy, by their keys.
    pub objects: Vec<String>,
    /// Whether more will be removed by the next sweeps.
    pub more: bool,
}

impl Due {
    pub fn count(&self) -> usize {
        self.blobs.len() + self.objects.len()
    }
}

#[derive(sqlx::FromRow)]
struct State {
    sweeps: i64,
    sweep_not_before_ms: Timestamp,
}

impl<'a> Sweep<'a> {
    pub fn of(app: &'a App) -> Self {
        Self::new(&app.db, &app.storages, app.clock.now(), app.config.keep.days)
    }

    /// A sweep after which what is unused stays for so many days.
    pub fn new(db: &Db, storages: &'a Storages, now: Timestamp, days: u32) -> Self {
        let keep_seconds = i64::from(days) * DAY_SECONDS;
        Self { db: db.patient(), storages, now, keep_seconds, newest_ms: None, lists: true }
    }

    /// The first sweep of a server: `newest_ms` was asked for before anything came.
    #[must_use]
    pub fn first(self, newest_ms: i64) -> Self {
        Self { newest_ms: Some(newest_ms), ..self }
    }

    /// A sweep that does not list all objects.
    #[must_use]
    pub fn without_listing(self) -> Self {
        Self { lists: false, ..self }
    }

    /// Notes what is unused, and removes what has been for long. Returns how many objects went.
    pub async fn run(&self) -> Result<usize> {
        let sweeps = self.begin().await?;
        mover::reinstate(&self.db, self.now).await?;
        self.unmark().await?;
        self.mark(sweeps).await?;
        if self.lists && !self.note_unknown(sweeps).await? {
            return Ok(0);
        }
        let due = self.due().await?;
        if due.count() > 0 {
            if !self.is_believed(&due).await? {
                return Ok(0);
            }
            for blobs in due.blobs.chunks(BATCH) {
                self.forget(blobs).await?;
            }
            let mut silent = HashSet::new();
            for keys in due.objects.chunks(BATCH) {
                let keys = mover::not_needed(
                    &self.db,
                    self.storages,
                    keys.to_vec(),
                    &mut silent,
                    self.now,
                );
                let keys = keys.await?;
                self.give_up(&keys).await?;
            }
        }
        self.remove_objects().await
    }

    /// What the next sweep will remove, as far as is known now.
    pub async fn due(&self) -> Result<Due> {
        let state: State =
            query("SELECT sweeps, sweep_not_before_ms FROM registry").fetch_one(&self.db).await?;
        if state.sweep_not_before_ms > self.now {
            return Ok(Due::default());
        }
        let (all,): (i64,) =
            query("SELECT COUNT(*) FROM copies WHERE state <> 'GONE'").fetch_one(&self.db).await?;
        let most = AT_LEAST.max(all / 10);
        let min_sweeps = if self.keep_seconds > 0 { MIN_SWEEPS } else { 0 };
        let last_sweep = state.sweeps - min_sweeps;
        let blobs: Vec<(String,)> = query(
            "SELECT b.sha256 FROM blobs b WHERE b.unused_since_ms <= $1 AND b.unused_since_sweep <= $2
               AND NOT EXISTS (SELECT 1 FROM files f WHERE f.sha256 = b.sha256)
             ORDER BY b.unused_since_ms, b.sha256 LIMIT $3",
        )
        .bind(self.before(self.keep_seconds))
        .bind(last_sweep)
        .bind(most + 1)
        .fetch_all(&self.db)
        .await?;
        let objects: Vec<(String, Timestamp)> = query(concat!(
            "SELECT c.key, c.since_ms FROM copies c WHERE c.since_ms <= $1 AND c.since_sweep <= $2 AND ",
            useless!(),
            " ORDER BY c.since_ms, c.key LIMIT $3",
        ))
        .bind(self.before(self.keep_seconds))
        .bind(last_sweep)
        .bind(most + 1)
        .fetch_all(&self.db)
        .await?;
        let old_key = self.before(OLD_KEY_SECONDS.max(self.keep_seconds));
        let is_due = |key: &str, since: Timestamp| {
            key::parse(key).is_some_and(|key| key.id.is_some()) || since <= old_key
        };
        let objects = objects.into_iter().filter(|(key, since)| is_due(key, *since));
        let mut due = Due {
            blobs: blobs.into_iter().map(|(sha256,)| sha256).collect(),
            objects: objects.map(|(key, _)| key).collect(),
            more: false,
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        due.more = due.count() > most;
        due.blobs.truncate(most);
        due.objects.truncate(most - due.blobs.len());
        Ok(due)
    }

    fn before(&self, seconds: i64) -> Timestamp {
        self.now.plus_seconds(-seconds)
    }

    /// Counts the sweep; returns which one it is.
    async fn begin(&self) -> Result<i64> {
        let mut tx = self.db.begin().await?;
        let count = query("UPDATE registry SET sweeps = sweeps + 1 RETURNING sweeps");
        let (sweeps,): (i64,) = count.fetch_one(&mut tx).await?;
        tx.commit().await?;
        Ok(sweeps)
    }

    /// Forgets that blobs were unused that a file names again. They are looked for where nobody waits, and changed a few
    /// at a time, as in all that follows.
    async fn unmark(&self) -> Result<()> {
        let used: Vec<(String,)> = query(
            "SELECT b.sha256 FROM blobs b WHERE b.unused_since_ms IS NOT NULL
               AND EXISTS (SELECT 1 FROM files f WHERE f.sha256 = b.sha256)",
        )
        .fetch_all(&self.db)
        .await?;
        for used in used.chunks(BATCH) {
            let mut sql = Sql::new(
                "UPDATE blobs SET unused_since_ms = NULL, unused_since_sweep = NULL WHERE ",
            );
            sql.push_sql(Sql::is_in("sha256", used.iter().map(|(sha256,)| sha256)));
            Query::from(sql).alone(&self.db).await?;
        }
        Ok(())
    }

    /// Notes which blobs no file names.
    async fn mark(&self, sweeps: i64) -> Result<()> {
        let mut last = String::new();
        loop {
            let found: Vec<(String, bool)> = query(
                "SELECT b.sha256, b.unused_since_ms IS NULL AND NOT EXISTS (SELECT 1 FROM files f WHERE f.sha256 = b.sha256)
                 FROM blobs b WHERE b.sha256 > $1 ORDER BY b.sha256 LIMIT 1000",
            )
            .bind(&last)
            .fetch_all(&self.db)
            .await?;
            let Some((end, _)) = found.last() else { return Ok(()) };
            last.clone_from(end);
            let unused = found.iter().filter(|(_, unused)| *unused).map(|(sha256, _)| sha256);
            let unused: Vec<&String> = unused.collect();
            for unused in unused.chunks(BATCH) {
                let mut sql = Sql::new("UPDATE blobs SET unused_since_ms = ");
                sql.push_value(self.now).push(", unused_since_sweep = ").push_value(sweeps);
                sql.push(" WHERE ");
                sql.push_sql(Sql::is_in("sha256", unused.iter().copied()));
                sql.push(" AND NOT EXISTS (SELECT 1 FROM files f WHERE f.sha256 = blobs.sha256)");
                Query::from(sql).alone(&self.db).await?;
            }
        }
    }

    /// Notes objects that no row names: what an interrupted upload left, or what only a newer database knows. Returns
    /// whether the rows can be believed.
    async fn note_unknown(&self, sweeps: i64) -> Result<bool> {
        let newest = match self.newest_ms {
            Some(newest) => newest,
            None => newest_ms(&self.db).await?,
        };
        let (old, settled) = (self.before(self.keep_seconds), self.now.millis() - NEWER_MS);
        let mut newer = 0;
        let mut objects = self.storages.all();
        while let Some((store, listed)) = objects.next().await {
            // One that cannot be listed now keeps no other one.
            let listed = match listed {
                Ok(listed) => listed,
                Err(error) => {
                    tracing::error!(?error, storage = store.name(), "objects cannot be listed");
                    continue;
                }
            };
            let mut noted = Vec::new();
            for object in sql::without_row(&self.db, listed).await? {
                let given = key::parse(&object.key).and_then(|key| key.given_at_ms());
                let is_newer = given.is_some_and(|given| given > newest + NEWER_MS)
                    && object.modified_at.millis() <= settled;
                newer += usize::from(is_newer);
                if is_newer || object.modified_at <= old {
                    noted.push(object);
                }
            }
            if !self.has_no_row(noted.iter().map(|object| object.key.as_str())).await? {
                return Ok(false);
            }
            self.insert_unknown(&store, &noted, sweeps, newer > 0).await?;
        }
        if newer > 0 {
            tracing::warn!(
                objects = newer,
                "there are files that are newer than the database: is it an older backup? Nothing is removed for 30 days"
            );
        }
        Ok(true)
    }

    /// Gives objects rows; the pause is in the same transaction, as what has a row is not found to be newer again.
    async fn insert_unknown(
        &self,
        store: &Store,
        objects: &[Listed],
        sweeps: i64,
        pauses: bool,
    ) -> Result<()> {
        let mut tx = self.db.begin().await?;
        if pauses {
            pause(&mut tx, self.now).await?;
        }
        for object in objects {
            let Some(parts) = key::parse(&object.key) else { continue };
            query(
                "INSERT INTO copies (key, storage, sha256, size, state, since_ms, since_sweep)
                 VALUES ($1, $2, $3, $4, 'UNKNOWN', $5, $6) ON CONFLICT (key) DO NOTHING",
            )
            .bind(&object.key)
            .bind(store.name())
            .bind(parts.sha256.unwrap_or_default())
            .bind(i64::try_from(object.size).unwrap_or(i64::MAX))
            .bind(self.now)
            .bind(sweeps)
            .later(&mut tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Whether the table itself has no copy with one of these keys that is of use and that its index has not.
    async fn has_no_row(&self, keys: impl ExactSizeIterator<Item = &str>) -> Result<bool> {
        if keys.len() == 0 {
            return Ok(true);
        }
        let mut sql = Sql::new("SELECT c.size FROM copies c WHERE c.state || '' = 'READY' AND ");
        sql.push_sql(Sql::is_in("c.key || ''", keys));
        sql.push(
            " AND NOT EXISTS (SELECT 1 FROM copies d WHERE d.key = c.key AND d.state = 'READY') LIMIT 1",
        );
        let found: Option<(i64,)> = Query::from(sql).fetch_optional(&self.db).await?;
        Ok(not_damaged("copies", found.is_none()))
    }

    /// Whether the table itself has no file of these blobs that its index has not: the foreign key looks into the same
    /// one.
    async fn has_no_file(&self, blobs: &[String]) -> Result<bool> {
        let mut sql = Sql::new("SELECT f.size FROM files f WHERE ");
        sql.push_sql(Sql::is_in("f.sha256 || ''", blobs));
        sql.push(" AND NOT EXISTS (SELECT 1 FROM files g WHERE g.sha256 = f.sha256) LIMIT 1");
        let found: Option<(i64,)> = Query::from(sql).fetch_optional(&self.db).await?;
        Ok(not_damaged("files", found.is_none()))
    }

    /// Whether what the database says of these can be taken for the truth.
    async fn is_believed(&self, due: &Due) -> Result<bool> {
        if !not_damaged("the database", self.db.is_sound().await?) {
            return Ok(false);
        }
        for blobs in due.blobs.chunks(SCANNED) {
            if !self.has_no_file(blobs).await? {
                return Ok(false);
            }
        }
        for keys in due.objects.chunks(SCANNED) {
            if !self.has_no_row(keys.iter().map(String::as_str)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes the rows of blobs that no file names still, and has their objects removed.
    async fn forget(&self, blobs: &[String]) -> Result<()> {
        // Where a file came to name one of many, the others go in parts.
        let mut parts = vec![blobs];
        while let Some(part) = parts.pop() {
            match self.forget_at_once(part).await {
                Err(error) if is_foreign_key_violation(&error) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([first, second].into_iter().filter(|_| part.len() > 1));
                }
                done => done?,
            }
        }
        Ok(())
    }

    async fn forget_at_once(&self, blobs: &[String]) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin().await?;
        let mut sql = Sql::new("DELETE FROM blobs WHERE unused_since_ms <= ");
        sql.push_value(self.before(self.keep_seconds)).push(" AND ");
        sql.push_sql(Sql::is_in("sha256", blobs));
        sql.push(" AND NOT EXISTS (SELECT 1 FROM files f WHERE f.sha256 = blobs.sha256) RETURNING sha256");
        let removed: Vec<(String,)> = Query::from(sql).fetch_all(&mut tx).await?;
        let mut sql = Sql::new("UPDATE copies SET state = 'DELETING', since_ms = ");
        sql.push_value(self.now).push(" WHERE state <> 'GONE' AND ");
        sql.push_sql(Sql::is_in("sha256", removed.into_iter().map(|(sha256,)| sha256)));
        Query::from(sql).execute(&mut tx).await?;
        tx.commit().await
    }

    /// Has objects removed that are of no use still.
    async fn give_up(&self, keys: &[String]) -> Result<()> {
        let mut sql = Sql::new("UPDATE copies SET state = 'DELETING', since_ms = ");
        sql.push_value(self.now)
            .push(" WHERE state IN ('UNKNOWN', 'RETIRING', 'SUSPECT', 'LOST') AND ");
        sql.push_sql(Sql::is_in("key", keys));
        sql.push(
            " AND (EXISTS (SELECT 1 FROM copies r WHERE r.sha256 = copies.sha256 AND r.state = 'READY')
                   OR NOT EXISTS (SELECT 1 FROM blobs b WHERE b.sha256 = copies.sha256))",
        );
        Query::from(sql).alone(&self.db).await?;
        Ok(())
    }

    /// Removes the objects whose rows say so, also those of a sweep that was interrupted. Returns how many there were.
    async fn remove_objects(&self) -> Result<usize> {
        let mut removed = 0;
        // What is in other storages goes when a server is told of them again.
        for store in self.storages.iter() {
            removed += self.remove_objects_of(store).await?;
        }
        self.forget_keys().await?;
        Ok(removed)
    }

    async fn remove_objects_of(&self, store: &Store) -> Result<usize> {
        let (mut removed, mut last) = (0, String::new());
        loop {
            let keys: Vec<(String,)> = query(
                "SELECT key FROM copies WHERE state = 'DELETING' AND storage = $1 AND key > $2
                 ORDER BY key LIMIT 200",
            )
            .bind(store.name())
            .bind(&last)
            .fetch_all(&self.db)
            .await?;
            let Some((end,)) = keys.last() else { return Ok(removed) };
            last.clone_from(end);
            let deleted = stream::iter(keys).map(async |(key,)| (store.delete(&key).await, key));
            let mut deleted = pin!(deleted.buffer_unordered(REMOVED_AT_ONCE));
            let (mut gone, mut is_reachable) = (Vec::new(), true);
            while let Some((done, key)) = deleted.next().await {
                match done {
                    Ok(()) => gone.push(key),
                    // One must not hold up the others: its turn comes again.
                    Err(error) => {
                        is_reachable &= !matches!(error, Error::Unavailable);
                        tracing::error!(?error, key, "an object cannot be removed");
                    }
                }
            }
            removed += gone.len();
            let mut sql = Sql::new("UPDATE copies SET state = 'GONE', since_ms = ");
            sql.push_value(self.now).push(" WHERE ").push_sql(Sql::is_in("key", gone));
            Query::from(sql).alone(&self.db).await?;
            if !is_reachable {
                return Ok(removed);
            }
        }
    }

    /// Forgets keys that were given long ago: no other is like them.
    async fn forget_keys(&self) -> Result<()> {
        loop {
            let forgotten = query(
                "DELETE FROM copies WHERE key IN
                     (SELECT key FROM copies WHERE state = 'GONE' AND since_ms <= $1 LIMIT 200)",
            )
            .bind(self.before(GONE_SECONDS))
            .alone(&self.db)
            .await?;
            if forgotten == 0 {
                return Ok(());
            }
        }
    }
}

/// When the last copy came that a database knows, in milliseconds since 1970.
pub async fn newest_ms(db: &Db) -> Result<i64> {
    let newest = query(
        "SELECT CAST(COALESCE(MAX(since_ms), 0) AS BIGINT) FROM copies WHERE state = 'READY'",
    );
    Ok(newest.fetch_one::<(i64,)>(db).await?.0)
}

/// Has nothing removed for a month.
pub(super) async fn pause(tx: &mut Tx, now: Timestamp) -> Result<()> {
    query("UPDATE registry SET sweep_not_before_ms = $1")
        .bind(now.plus_seconds(PAUSE_SECONDS))
        .execute(tx)
        .await?;
    Ok(())
}

/// Says so where something is damaged.
fn not_damaged(what: &str, is_sound: bool) -> bool {
    if !is_sound {
        metrics::counter!("model_registry_damaged_total").increment(1);
        tracing::error!(
            "nothing is removed: {what} is damaged, and its indexes are not to be believed"
        );
    }
    is_sound
}
