//! Moving copies from one storage to another: the bytes in the new place are read back before they count, and the copy in the
//! old one retires: it stays as long as everything else that is unused.
//!
//! Any number of movers may run at once, beside uploads and sweeps, and each be interrupted anywhere: an object whose row was
//! not written is one that no row names, which the sweep removes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::proof::{self, Finding};
use super::{Copy, columns, sql};
use crate::db::{Db, Query, Sql, Tx, query};
use crate::error::{Error, Result};
use crate::store::{Blob, Found, Storages, Store};
use crate::time::{Clock, Timestamp};

/// How many objects are looked at at the same time.
const AT_ONCE: usize = 16;

/// What became of a copy that was to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    Copied,
    /// The other storage had the bytes.
    There,
    /// Nobody needs it any more.
    Gone,
    /// It is not as it should be, or cannot be read now.
    Bad(Finding),
}

/// What moves copies.
#[derive(Clone)]
pub struct Mover<'a> {
    db: Db,
    storages: &'a Storages,
    clock: &'a Clock,
}

impl<'a> Mover<'a> {
    pub fn new(db: &Db, storages: &'a Storages, clock: &'a Clock) -> Self {
        Self { db: db.patient(), storages, clock }
    }

    /// Has the bytes of a good copy in another storage, and lets the copy retire. An error is of the other storage or of the
    /// database, and would be one of the next copy, too.
    pub async fn move_to(&self, to: &Store, copy: &Copy) -> Result<Moved> {
        // A disk that is not mounted takes files as well.
        if !to.is_there().await? {
            return Err(Error::unreachable(format!("{} is not what it was", to.place())));
        }
        if let Some(there) = self.there(to, &copy.sha256).await? {
            match proof::examine(to, &there).await? {
                Finding::Good => {
                    return self.retire(copy, &there.blob()).await.map(|done| match done {
                        Some(_) => Moved::There,
                        None => Moved::Gone,
                    });
                }
                Finding::Unreadable(reason) => return Err(Error::unreachable(reason)),
                _ => drop(sql::suspect(&self.db, &there, self.clock.now()).await?),
            }
        }
        match self.copy_to(to, copy).await? {
            Ok(new) => match self.retire(copy, &new).await? {
                Some(kept) if kept == new.key => Ok(Moved::Copied),
                kept => {
                    to.delete(&new.key).await?;
                    Ok(kept.map_or(Moved::Gone, |_| Moved::There))
                }
            },
            Err(moved) => Ok(moved),
        }
    }

    /// What a storage has of some bytes: its copy, or else one that retires.
    async fn there(&self, to: &Store, sha256: &str) -> Result<Option<Copy>> {
        let there = query(concat!(
            "SELECT ",
            columns!(),
            " FROM copies WHERE sha256 = $1 AND storage = $2 AND state IN ('READY', 'RETIRING')
              ORDER BY state, key DESC LIMIT 1"
        ));
        Ok(there.bind(sha256).bind(to.name()).fetch_optional(&self.db).await?)
    }

    /// Copies the bytes, and reads them back.
    async fn copy_to(&self, to: &Store, copy: &Copy) -> Result<Result<Blob, Moved>> {
        let from = self.storages.of(&copy.storage)?;
        let found = match from.read_proven(&copy.blob()).await {
            Ok(Found::Whole(pieces)) => pieces,
            Ok(Found::Missing) => {
                return self.bad(copy, proof::look(from, copy).await?).await.map(Err);
            }
            Err(error) => return Ok(Err(Moved::Bad(Finding::Unreadable(format!("{error:?}"))))),
        };
        // Of where it was, or of where it goes: the difference matters.
        let failed = Arc::new(AtomicBool::new(false));
        let pieces = found.inspect_err({
            let failed = failed.clone();
            move |_| failed.store(true, Ordering::Relaxed)
        });
        let size = Some(copy.size.unsigned_abs());
        let new = match to.write(pieces, size, u64::MAX, self.clock.now()).await {
            Ok(new) => new,
            Err(_) if failed.load(Ordering::Relaxed) => {
                return self.bad(copy, proof::examine(from, copy).await?).await.map(Err);
            }
            Err(error) => return Err(error),
        };
        let written = Copy { storage: to.name().to_owned(), key: new.key.clone(), ..copy.clone() };
        let finding = proof::examine(to, &written).await?;
        if finding != Finding::Good {
            to.delete(&new.key).await?;
            let problem = finding.problem();
            return Err(Error::unreachable(format!(
                "what was written to {} is not what is read there: {problem}",
                to.place()
            )));
        }
        Ok(Ok(new))
    }

    /// Lets a copy retire, since the storage of `kept`, which was just read, has the bytes: in `kept`, unless it has another
    /// copy by now. Returns the key of that; none of a blob that went.
    ///
    /// Where this fails, nobody knows whether it was done: the object stays.
    async fn retire(&self, old: &Copy, kept: &Blob) -> Result<Option<String>> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        if !lock(&mut tx, &old.sha256).await? {
            return Ok(None);
        }
        keep(&mut tx, kept, now).await?;
        let there = "SELECT key FROM copies WHERE sha256 = $1 AND storage = $2 AND state = 'READY'";
        let there = query(there).bind(&old.sha256).bind(&*kept.storage);
        let there: Option<(String,)> = there.fetch_optional(&mut tx).await?;
        let Some((key,)) = there.filter(|(key,)| *key != old.key) else { return Ok(None) };
        query(
            "UPDATE copies SET state = 'RETIRING', since_ms = $2,
                               since_sweep = (SELECT sweeps FROM registry)
             WHERE key = $1 AND state = 'READY'",
        )
        .bind(&old.key)
        .bind(now)
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(Some(key))
    }

    /// A copy that is not as it should be: whoever looks next says whether it is lost.
    async fn bad(&self, copy: &Copy, finding: Finding) -> Result<Moved> {
        let still = query("SELECT key FROM copies WHERE key = $1 AND state = 'READY'");
        if still.bind(&copy.key).fetch_optional::<(String,)>(&self.db).await?.is_none() {
            return Ok(Moved::Gone);
        }
        if !matches!(finding, Finding::Good | Finding::Unreadable(_))
            && sql::suspect(&self.db, copy, self.clock.now()).await?
        {
            proof::report(copy, &finding.problem());
        }
        Ok(Moved::Bad(finding))
    }

    /// The good copies of a storage, by their keys behind this one.
    pub async fn after(&self, storage: &str, key: &str, limit: i64) -> Result<Vec<Copy>> {
        let copies = query(concat!(
            "SELECT ",
            columns!(),
            " FROM copies WHERE storage = $1 AND state = 'READY' AND key > $2 ORDER BY key LIMIT $3"
        ));
        Ok(copies.bind(storage).bind(key).bind(limit).fetch_all(&self.db).await?)
    }
}

/// Locks the row of a blob; false where it went. A sweep that removes the blob comes before, or sees what is written next.
async fn lock(tx: &mut Tx, sha256: &str) -> Result<bool> {
    let locked = query("UPDATE blobs SET size = size WHERE sha256 = $1").bind(sha256);
    Ok(locked.execute(tx).await? > 0)
}

/// Makes an object that was just read the copy of its blob in its storage, unless there is one.
async fn keep(tx: &mut Tx, blob: &Blob, now: Timestamp) -> Result<()> {
    query(
        "INSERT INTO copies (key, storage, sha256, size, state, since_ms, since_sweep, checked_at_ms)
         SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT), 'READY',
                CAST($5 AS BIGINT), 0, CAST($5 AS BIGINT)
         WHERE NOT EXISTS (SELECT 1 FROM copies c WHERE c.sha256 = $3 AND c.storage = $2
                                                    AND c.state = 'READY')
         ON CONFLICT (key) DO UPDATE SET state = 'READY', sha256 = excluded.sha256, size = excluded.size,
             since_ms = excluded.since_ms, checked_at_ms = excluded.checked_at_ms
         WHERE copies.state IN ('UNKNOWN', 'RETIRING')",
    )
    .bind(&blob.key)
    .bind(&*blob.storage)
    .bind(&blob.sha256)
    .bind(blob.size)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// Has retiring copies count again whose blobs have no other good one.
pub async fn reinstate(db: &Db, now: Timestamp) -> Result<()> {
    let only = query(
        "SELECT c.key, c.sha256 FROM copies c WHERE c.state = 'RETIRING'
           AND NOT EXISTS (SELECT 1 FROM copies r WHERE r.sha256 = c.sha256 AND r.state = 'READY')",
    );
    for (key, sha256) in only.fetch_all::<(String, String)>(db).await? {
        let mut tx = db.begin().await?;
        lock(&mut tx, &sha256).await?;
        query(
            "UPDATE copies SET state = 'READY', since_ms = $2 WHERE key = $1 AND state = 'RETIRING'
               AND NOT EXISTS (SELECT 1 FROM copies r WHERE r.sha256 = copies.sha256 AND r.state = 'READY')",
        )
        .bind(&key)
        .bind(now)
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Those of some keys that may be removed: retiring ones only where the object of another copy is there. `silent` are the
/// storages that did not answer, which are not asked again.
pub async fn not_needed(
    db: &Db,
    storages: &Storages,
    mut keys: Vec<String>,
    silent: &mut HashSet<String>,
    now: Timestamp,
) -> Result<Vec<String>> {
    let mut sql = Sql::new(
        "SELECT c.key AS retiring, r.storage, r.key, r.sha256, r.size, r.state FROM copies c
         JOIN copies r ON r.sha256 = c.sha256 AND r.state = 'READY' WHERE c.state = 'RETIRING' AND ",
    );
    sql.push_sql(Sql::is_in("c.key", &keys));
    let others: Vec<Other> = Query::from(sql).fetch_all(db).await?;
    let retiring: HashSet<String> = others.iter().map(|other| other.retiring.clone()).collect();
    let asked = others.into_iter().filter(|other| !silent.contains(&other.copy.storage));
    let asked: Vec<_> = asked
        .filter_map(|other| Some((storages.find(&other.copy.storage)?.clone(), other)))
        .collect();
    let looked = stream::iter(asked)
        .map(|(store, other)| async move { (proof::look(&store, &other.copy).await, other) })
        .buffer_unordered(AT_ONCE);
    let looked: Vec<_> = looked.collect().await;
    let mut elsewhere = HashSet::new();
    for (found, Other { retiring, copy }) in looked {
        match found {
            Ok(Finding::Good) => drop(elsewhere.insert(retiring)),
            Ok(Finding::Unreadable(_)) | Err(_) => drop(silent.insert(copy.storage)),
            Ok(wrong) => {
                if sql::suspect(db, &copy, now).await? {
                    proof::report(&copy, &wrong.problem());
                }
            }
        }
    }
    keys.retain(|key| !retiring.contains(key) || elsewhere.contains(key));
    Ok(keys)
}

/// A copy that retires, and another one of its blob.
#[derive(sqlx::FromRow)]
struct Other {
    retiring: String,
    #[sqlx(flatten)]
    copy: Copy,
}
