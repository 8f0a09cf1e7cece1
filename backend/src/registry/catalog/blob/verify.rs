//! The check of all bytes: each copy is compared with its hash, and what is lost is looked for elsewhere.
//!
//! It runs beside a server. It reads the store, and writes what it finds of copies, so that nobody is served what is
//! known to be wrong.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::proof::{self, Finding};
use super::{Copy, sql};
use crate::db::{Db, query};
use crate::error::Result;
use crate::registry::catalog::file;
use crate::store::{Blob, Found, Listed, Storages, Store, key};
use crate::time::Clock;

/// How many copies are read at once.
const AT_ONCE: usize = 4;
/// How many rows are read at once.
const PAGE: i64 = 500;
/// An object that is older than this is of no upload that is going on.
const SETTLED_SECONDS: i64 = 24 * 3600;
/// How many files of one blob are named.
const NAMED: i64 = 20;

/// Where objects are that have some bytes, by the SHA-256 of these.
type Places = HashMap<String, Vec<(Store, String)>>;

/// A registry whose bytes are checked.
pub struct Verify<'a> {
    pub db: &'a Db,
    pub storages: &'a Storages,
    pub clock: &'a Clock,
    /// Whether only sizes are looked at.
    pub quick: bool,
    /// Told how many bytes were read, or passed over, as they are.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// What was found.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How many copies were looked at, and their bytes together.
    pub copies: u64,
    pub bytes: u64,
    /// Copies that are wrong.
    pub bad: Vec<Bad>,
    /// Bytes that were lost, and are there again.
    pub healed: Vec<Gone>,
    /// Bytes that files name, and of which there is no good copy.
    pub lost: Vec<Gone>,
    /// Objects that no row names, as an upload leaves one that is cut off: the sweep removes them in its time.
    pub unknown: Vec<String>,
}

impl Report {
    /// Whether there is nothing that somebody must look into.
    pub fn is_clean(&self) -> bool {
        self.bad.is_empty() && self.lost.is_empty()
    }
}

/// A copy that is wrong.
#[derive(Debug, Serialize)]
pub struct Bad {
    pub key: String,
    pub sha256: String,
    pub problem: String,
}

/// Bytes that are, or were, nowhere.
#[derive(Debug, Serialize)]
pub struct Gone {
    pub sha256: String,
    /// In bytes.
    pub size: i64,
    /// Some of the files that they are of, such as `vision/ocr/1.0.0/model.onnx`.
    pub files: Vec<String>,
}

impl Gone {
    /// The object of a store with this key, if it has these bytes.
    fn blob(&self, store: &Store, key: &str) -> Blob {
        let (storage, key) = (store.name().into(), key.to_owned());
        Blob { storage, key, sha256: self.sha256.clone(), size: self.size, crc32: None }
    }
}

impl Verify<'_> {
    /// Looks at all copies; with `repair`, what is lost is looked for among objects that no row names, and in a backup
    /// where one is given.
    pub async fn run(&self, repair: bool, backup: Option<&Store>) -> Result<Report> {
        let mut report = Report::default();
        let mut last = String::new();
        loop {
            let copies = sql::after(self.db, &last, PAGE).await?;
            let Some(end) = copies.last() else { break };
            last.clone_from(&end.key);
            self.page(copies, &mut report).await?;
        }
        let here = self.unknown(&mut report).await?;
        let elsewhere = match backup.filter(|_| repair) {
            Some(backup) => self.found_in(backup).await?,
            None => HashMap::new(),
        };
        for lost in sql::lost(self.db).await? {
            let gone = Gone {
                files: files_of(self.db, &lost.sha256).await?,
                sha256: lost.sha256,
                size: lost.size,
            };
            let healed = repair
                && (self.heal_here(&gone, here.get(&gone.sha256)).await?
                    || match (backup, elsewhere.get(&gone.sha256)) {
                        (Some(backup), Some(key)) => self.heal_from(backup, key, &gone).await?,
                        _ => false,
                    });
            if healed { report.healed.push(gone) } else { report.lost.push(gone) }
        }
        Ok(report)
    }

    async fn page(&self, copies: Vec<Copy>, report: &mut Report) -> Result<()> {
        // What is in another storage is elsewhere, too.
        let known = copies.into_iter().filter(|copy| self.storages.find(&copy.storage).is_some());
        let examined = stream::iter(known).map(|copy| async move {
            let finding = self.look(&copy).await?;
            Ok::<_, crate::error::Error>((copy, finding))
        });
        let mut examined = pin!(examined.buffer_unordered(AT_ONCE));
        let mut good = Vec::new();
        while let Some((copy, finding)) = examined.try_next().await? {
            report.copies += 1;
            report.bytes += copy.size.unsigned_abs();
            let now = self.clock.now();
            match finding {
                Finding::Good if self.quick => {}
                Finding::Good if !copy.is_bad() => good.push(copy.key),
                Finding::Good => sql::prove(self.db, &copy, now).await?,
                wrong => report.bad.extend(self.confirm(copy, wrong).await?),
            }
        }
        if !good.is_empty() {
            sql::checked(self.db, &good, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Looks once more at a copy that is wrong: what a sweep removed meanwhile is not, and what cannot be read may be
    /// right.
    async fn confirm(&self, copy: Copy, wrong: Finding) -> Result<Option<Bad>> {
        if !self.is_wanted(&copy).await? {
            return Ok(None);
        }
        let now = self.clock.now();
        match self.look(&copy).await? {
            Finding::Good => return Ok(None),
            Finding::Unreadable(_) => drop(sql::suspect(self.db, &copy, now).await?),
            _ => {
                sql::suspect(self.db, &copy, now).await?;
                sql::lose(self.db, &copy, now).await?;
            }
        }
        let (problem, Copy { key, sha256, .. }) = (wrong.problem(), copy);
        Ok(Some(Bad { key, sha256, problem }))
    }

    /// Lists the objects that no row names; returns those of what is lost, by their SHA-256.
    async fn unknown(&self, report: &mut Report) -> Result<Places> {
        let lost = self.lost().await?;
        let settled = self.clock.now().plus_seconds(-SETTLED_SECONDS);
        let mut found = Places::new();
        let mut objects = self.storages.all();
        while let Some((store, listed)) = objects.next().await {
            let mut listed = listed?;
            // What is newer may be of an upload that is going on.
            listed.retain(|object| object.modified_at < settled);
            for Listed { key, .. } in sql::without_row(self.db, listed).await? {
                if let Some(key::Parts { sha256: Some(sha256), .. }) = key::parse(&key)
                    && lost.contains(sha256)
                {
                    found.entry(sha256.to_owned()).or_default().push((store.clone(), key.clone()));
                }
                report.unknown.push(key);
            }
        }
        Ok(found)
    }

    async fn lost(&self) -> Result<HashSet<String>> {
        Ok(sql::lost(self.db).await?.into_iter().map(|lost| lost.sha256).collect())
    }

    async fn look(&self, copy: &Copy) -> Result<Finding> {
        let store = self.storages.of(&copy.storage)?;
        if self.quick {
            (self.progress)(copy.size.unsigned_abs());
            return proof::look(store, copy).await;
        }
        let progress = |read: &[u8]| {
            (self.progress)(read.len() as u64);
            Duration::ZERO
        };
        proof::examine_paced(store, copy, progress).await
    }

    /// Whether a copy is still to be there.
    async fn is_wanted(&self, copy: &Copy) -> Result<bool> {
        let wanted = query(
            "SELECT key FROM copies WHERE key = $1 AND state IN ('READY', 'RETIRING', 'SUSPECT', 'LOST')",
        )
        .bind(&copy.key)
        .fetch_optional::<(String,)>(self.db)
        .await?;
        Ok(wanted.is_some())
    }

    /// Makes an object of the store the copy of what is lost, if one has its bytes.
    async fn heal_here(&self, gone: &Gone, unknown: Option<&Vec<(Store, String)>>) -> Result<bool> {
        let now = self.clock.now();
        for other in sql::others(self.db, &gone.sha256).await? {
            let Some(store) = self.storages.find(&other.storage) else { continue };
            if proof::examine(store, &other).await? == Finding::Good {
                sql::prove(self.db, &other, now).await?;
                return Ok(true);
            }
        }
        for (store, key) in unknown.into_iter().flatten() {
            let blob = gone.blob(store, key);
            if is_whole(store, &blob).await? && sql::add(self.db, &blob, now).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Copies what is lost from a backup, if its bytes are right there.
    async fn heal_from(&self, backup: &Store, key: &str, gone: &Gone) -> Result<bool> {
        let there = gone.blob(backup, key);
        if !is_whole(backup, &there).await? {
            return Ok(false);
        }
        let Found::Whole(pieces) = backup.read_proven(&there).await? else { return Ok(false) };
        let blob = self.storages.first().write(pieces, None, u64::MAX, self.clock.now()).await?;
        sql::add(self.db, &blob, self.clock.now()).await
    }

    /// Where a backup has the bytes that are lost, by their SHA-256.
    async fn found_in(&self, backup: &Store) -> Result<HashMap<String, String>> {
        let lost = self.lost().await?;
        let mut found = HashMap::new();
        let mut objects = pin!(backup.all());
        while let Some(listed) = objects.try_next().await? {
            for object in listed {
                let sha256 = key::parse(&object.key).and_then(|key| key.sha256.map(str::to_owned));
                if let Some(sha256) = sha256.filter(|sha256| lost.contains(sha256)) {
                    found.insert(sha256, object.key);
                }
            }
        }
        Ok(found)
    }
}

/// Whether an object has the bytes of a blob.
async fn is_whole(store: &Store, blob: &Blob) -> Result<bool> {
    let Blob { storage, key, sha256, size, .. } = blob.clone();
    let copy = Copy { storage: storage.to_string(), key, sha256, size, state: String::new() };
    Ok(proof::examine(store, &copy).await? == Finding::Good)
}

/// Some of the files that have these bytes.
async fn files_of(db: &Db, sha256: &str) -> Result<Vec<String>> {
    let files: Vec<(String, String)> = query(
        "SELECT owner_id, COALESCE(sent_path, path) FROM files WHERE sha256 = $1 ORDER BY owner_id, files.path LIMIT $2",
    )
    .bind(sha256)
    .bind(NAMED)
    .fetch_all(db)
    .await?;
    let mut named = Vec::new();
    for (owner, path) in files {
        named.push(match file::sql::find_address(db, &owner).await? {
            Some(file::sql::Address { project, model, reference }) => {
                format!("{project}/{model}/{reference}/{path}")
            }
            None => path,
        });
    }
    Ok(named)
}
