//! The plan: which copies are not where the rules say that they belong. It is shown before it is done.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use super::{Rule, sql};
use crate::db::Db;
use crate::error::Result;
use crate::registry::catalog::blob::mover::{Moved, Mover};
use crate::registry::catalog::blob::{Copy, sql as copies};
use crate::store::{Storages, Store};
use crate::time::{Clock, Timestamp};

/// How many blobs are looked at at once.
const PAGE: i64 = 500;

/// What rules say of the files of a registry.
pub struct Plan<'a> {
    /// For reads that nobody waits for.
    db: Db,
    storages: &'a Storages,
    rules: Vec<Rule>,
    now: Timestamp,
}

/// Files that go from one storage to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub from: String,
    pub to: String,
    pub files: i64,
    /// Together.
    pub bytes: i64,
}

/// What would be moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    pub flows: Vec<Flow>,
    /// Whether all files were looked at: there may be too many for the time.
    pub is_whole: bool,
}

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub files: u64,
    /// Together.
    pub bytes: u64,
    pub failed: u64,
}

impl<'a> Plan<'a> {
    pub fn new(db: &Db, storages: &'a Storages, rules: Vec<Rule>, now: Timestamp) -> Self {
        Self { db: db.patient(), storages, rules, now }
    }

    /// The next copies that are not where they belong, and the names of the storages where they do: of some blobs behind
    /// `last`, which is moved on. None where there are no more blobs.
    async fn next(&self, last: &mut String) -> Result<Option<Vec<(Copy, &'a str)>>> {
        if self.rules.is_empty() {
            return Ok(None);
        }
        let blobs = sql::blobs_after(&self.db, last, PAGE).await?;
        let Some(end) = blobs.last() else { return Ok(None) };
        last.clone_from(end);
        let ranks = sql::ranks(&self.db, self.storages, &self.rules, &blobs, self.now).await?;
        let names: Vec<&str> = self.storages.iter().map(Store::name).collect();
        let good = copies::good(&self.db, &blobs).await?;
        let due = good.into_iter().filter_map(|copy| {
            let to = match ranks.get(&copy.sha256)? {
                Some(rank) => names[*rank],
                // It comes back only from where rules bring files to.
                None if self.rules.iter().any(|rule| rule.storage == copy.storage) => names[0],
                None => return None,
            };
            (copy.storage != to && names.contains(&&*copy.storage)).then_some((copy, to))
        });
        Ok(Some(due.collect()))
    }

    /// What would be moved, as far as that is known within this time.
    pub async fn preview(&self, time: Duration) -> Result<Preview> {
        let begun = Instant::now();
        let mut flows = BTreeMap::<(String, String), (i64, i64)>::new();
        let (mut last, mut is_whole) = (String::new(), false);
        while !is_whole && begun.elapsed() < time {
            match self.next(&mut last).await? {
                Some(due) => {
                    for (copy, to) in due {
                        let flow = flows.entry((copy.storage, to.to_owned())).or_default();
                        *flow = (flow.0 + 1, flow.1 + copy.size);
                    }
                }
                None => is_whole = true,
            }
        }
        let flows =
            flows.into_iter().map(|((from, to), (files, bytes))| Flow { from, to, files, bytes });
        Ok(Preview { flows: flows.collect(), is_whole })
    }

    /// Moves what is not where it belongs. Without rules that is nothing, and it ends when others take their place. A storage
    /// that takes no more, such as one that is full, keeps no other one.
    pub async fn apply(&self, clock: &Clock) -> Result<Applied> {
        let mut applied = Applied::default();
        let mover = Mover::new(&self.db, self.storages, clock);
        let (mut last, mut failed) = (String::new(), HashSet::new());
        while sql::rules(&self.db).await? == self.rules
            && let Some(due) = self.next(&mut last).await?
        {
            for (copy, to) in due {
                if failed.contains(to) {
                    applied.failed += 1;
                    continue;
                }
                match mover.move_to(self.storages.of(to)?, &copy).await {
                    Ok(Moved::Copied | Moved::There) => {
                        applied.files += 1;
                        applied.bytes += copy.size.unsigned_abs();
                    }
                    Ok(Moved::Gone) => {}
                    // One must not hold up the others: its turn comes again.
                    Ok(Moved::Bad(finding)) => {
                        applied.failed += 1;
                        let problem = finding.problem();
                        tracing::error!(key = copy.key, to, "a file cannot be moved: {problem}");
                    }
                    Err(error) => {
                        applied.failed += 1;
                        failed.insert(to);
                        tracing::error!(?error, to, "no more files are moved to this storage now");
                    }
                }
            }
        }
        Ok(applied)
    }
}

/// Moves what the rules of a registry say, if there are any.
pub async fn apply(db: &Db, storages: &Storages, clock: &Clock) -> Result<Applied> {
    let rules = sql::rules(db).await?;
    Plan::new(db, storages, rules, clock.now()).apply(clock).await
}
