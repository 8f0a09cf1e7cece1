//! `model-registry backup`: the database first and the files second, beside a server that goes on.
//!
//! What the copy of the database names stays in the store for days, so the files can be copied after it. A backup into the
//! same folder again copies what is new. Until it ends, the folder has the backup of before.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::pin::pin;
use std::process::{Command, ExitCode, Output};
use std::time::Duration;

use futures_util::TryStreamExt;
use indicatif::{HumanBytes, HumanCount};

use super::{DUMP, Made, SQLITE, bar, open_beside, opened, refuse_object_store, remove_database};
use crate::config;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::registry::catalog::blob::proof::{self, Finding};
use crate::registry::catalog::blob::{Copy, pairing, sql};
use crate::sealing;
use crate::store::{BACKUP, Given, Storages, Store};
use crate::time::Clock;

/// How old a dump may be that somebody made by hand.
const DUMP_AGE: Duration = Duration::from_secs(24 * 3600);

/// Makes a backup; the exit code says whether all files are in it.
pub async fn run(input: config::Backup) -> Result<ExitCode> {
    refuse_object_store(&input.data)?;
    let (db, storages) = open_beside(&input.data).await?;
    let (registry, schema) = (pairing::registry(&db).await?, db.schema().await?);
    let address = input.data.address()?;
    let url = &address.url;
    check_place(&input, &storages, url, &registry)?;
    let now = Clock::System.now();
    let mut backup = Backup {
        storages: &storages,
        there: Store::new_at(&input.to)?,
        full: input.full,
        files: 0,
        bytes: 0,
        bad: Vec::new(),
    };
    let named = match Db::sqlite_file(url) {
        Some(file) => {
            let new = input.to.join(format!("{SQLITE}.new"));
            remove_database(&new)?;
            Db::snapshot(file, &new).await?;
            opened(Db::open_beside(&Db::sqlite_url(&new)).await)?
        }
        None => {
            let new = input.to.join(format!("{DUMP}.new"));
            match input.dumped {
                true => check_dump(&new)?,
                false => dump(address.session(), &new, &input.to)?,
            }
            // It names what came since, too.
            db.clone()
        }
    };
    backup.copy_files(&named).await?;
    sealing::copy_key(&input.data.data, &input.to)?;
    let others = backup.others(&named).await?;
    named.close().await;
    let database = if Db::sqlite_file(url).is_some() { SQLITE } else { DUMP }.to_owned();
    let made = Made {
        registry,
        schema,
        created_at: now.to_rfc3339(),
        database,
        files: backup.files,
        bytes: backup.bytes,
    };
    std::fs::rename(
        input.to.join(format!("{}.new", made.database)),
        input.to.join(&made.database),
    )?;
    finish(&input.to, &made)?;
    // What only the backup of before named: not sooner.
    for key in &others {
        backup.there.delete(key).await?;
    }
    println!(
        "{} files, {}, are in {}; {} files that no model uses any more were removed",
        HumanCount(made.files),
        HumanBytes(made.bytes),
        input.to.display(),
        HumanCount(others.len() as u64)
    );
    for line in &backup.bad {
        println!("not in it: {line}");
    }
    Ok(if backup.bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Refuses a folder that is not a backup's, and the backup of another registry.
fn check_place(
    input: &config::Backup,
    storages: &Storages,
    url: &str,
    registry: &str,
) -> Result<()> {
    std::fs::create_dir_all(&input.to)?;
    let to = input.to.canonicalize()?;
    let holds = |path: &Path| path.canonicalize().is_ok_and(|path| path.parent() == Some(&*to));
    let folders = storages.iter().map(Store::folder).chain([input.data.data.as_path()]);
    if folders.into_iter().any(|folder| folder.canonicalize().is_ok_and(|folder| folder == to))
        || to.join("registry.json").exists()
        || Db::sqlite_file(url).is_some_and(holds)
    {
        let reason =
            format!("{} is the data folder of a registry: give another folder", to.display());
        return Err(Error::invalid("DIR", reason));
    }
    if Made::of(&to)?.is_some_and(|before| before.registry != registry) {
        let reason =
            format!("{} contains a backup of another registry: give another folder", to.display());
        return Err(Error::invalid("DIR", reason));
    }
    Ok(())
}

struct Backup<'a> {
    storages: &'a Storages,
    there: Store,
    /// Whether what an earlier backup copied is proven again.
    full: bool,
    files: u64,
    bytes: u64,
    /// What is wrong in the registry, or became so on the way.
    bad: Vec<String>,
}

impl Backup<'_> {
    /// Has all objects that a database names in the folder, proven.
    async fn copy_files(&mut self, db: &Db) -> Result<()> {
        let (_, bytes) = sql::totals(db).await?;
        let bar = bar(bytes.unsigned_abs());
        let (mut last, mut folders) = (String::new(), BTreeSet::new());
        folders.insert(self.there.folder().join("blobs"));
        loop {
            let copies = sql::after(db, &last, 500).await?;
            let Some(end) = copies.last() else { break };
            last.clone_from(&end.key);
            // What is in another storage is elsewhere, too.
            let known = |copy: &Copy| self.storages.find(&copy.storage).is_some();
            let copies: Vec<_> = copies.into_iter().filter(known).collect();
            for copy in copies {
                let finding = self.copy_file(&copy).await?;
                folders.extend(self.there.folder().join(&copy.key).parent().map(Path::to_owned));
                bar.inc(copy.size.unsigned_abs());
                if finding == Finding::Good {
                    self.files += 1;
                    self.bytes += copy.size.unsigned_abs();
                } else if sql::is_used(db, &copy.sha256).await? {
                    self.bad.push(format!("{}: {}", copy.key, finding.problem()));
                }
            }
        }
        for folder in folders.iter().filter(|folder| folder.exists()) {
            std::fs::File::open(folder)?.sync_all()?;
        }
        bar.finish_and_clear();
        Ok(())
    }

    async fn copy_file(&self, copy: &Copy) -> Result<Finding> {
        let to = self.there.folder();
        let store = self.storages.of(&copy.storage)?;
        let mut given = store.give(&copy.blob(), to, false).await?;
        if matches!(given, Given::There) && self.full {
            if proof::examine(&self.there, copy).await? == Finding::Good {
                return Ok(Finding::Good);
            }
            // What is there stays until there is something better.
            given = store.give(&copy.blob(), to, true).await?;
        }
        match given {
            Given::New(new) => {
                let copied = Copy { key: new.key.clone(), ..copy.clone() };
                let finding = proof::examine(&self.there, &copied).await?;
                match finding {
                    Finding::Good => self.there.keep(&new).await?,
                    _ => self.there.delete(&new.key).await?,
                }
                Ok(finding)
            }
            Given::There => Ok(Finding::Good),
            Given::Not(error) if error.kind() == ErrorKind::NotFound => Ok(Finding::Missing),
            Given::Not(error) => Ok(Finding::Unreadable(error.to_string())),
        }
    }

    /// What earlier backups had and this one does not name, by their keys.
    async fn others(&self, db: &Db) -> Result<Vec<String>> {
        let mut others = Vec::new();
        let mut objects = pin!(self.there.all());
        while let Some(listed) = objects.try_next().await? {
            let listed = sql::without_row(db, listed).await?;
            others.extend(listed.into_iter().map(|object| object.key));
        }
        Ok(others)
    }
}

/// Has PostgreSQL's own program write a database into a file; says how, where that program is not there.
fn dump(url: &str, file: &Path, folder: &Path) -> Result<()> {
    let (shown, password) = without_password(url)?;
    let arguments = ["--format=custom".to_owned(), format!("--file={}", file.display()), shown];
    let mut command = Command::new("pg_dump");
    command.args(&arguments);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    match command.output() {
        Ok(done) if done.status.success() => Ok(std::fs::File::open(file)?.sync_all()?),
        Ok(Output { stderr, .. }) => Err(Error::Conflict(format!(
            "pg_dump failed: {}",
            String::from_utf8_lossy(&stderr).trim()
        ))),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::Conflict(format!(
            "pg_dump is not installed here. Within a day, run it where it is installed, then run the backup again:\n  \
             pg_dump {}\n  model-registry backup --dumped {}",
            arguments.join(" "),
            folder.display()
        ))),
        Err(error) => Err(error.into()),
    }
}

/// An address of PostgreSQL without its password, for lists of programs and for people; and the password.
pub(super) fn without_password(url: &str) -> Result<(String, Option<String>)> {
    let wrong = |error: &dyn std::fmt::Display| Error::invalid("--database", error.to_string());
    let mut parsed = openidconnect::url::Url::parse(url).map_err(|error| wrong(&error))?;
    let Some(password) = parsed.password() else { return Ok((url.to_owned(), None)) };
    let password = percent_encoding::percent_decode_str(password).decode_utf8_lossy().into_owned();
    parsed.set_password(None).map_err(|()| wrong(&"must be postgres://…"))?;
    Ok((parsed.into(), Some(password)))
}

/// Refuses a dump that was not made just now: its files may be gone.
fn check_dump(file: &Path) -> Result<()> {
    let age = std::fs::metadata(file).and_then(|file| file.modified()).map(|at| at.elapsed());
    if age.is_ok_and(|age| age.unwrap_or_default() < DUMP_AGE) {
        return Ok(());
    }
    let reason = format!("{} is missing or older than a day: run pg_dump first", file.display());
    Err(Error::invalid("--dumped", reason))
}

/// Writes down that the backup is whole; durable when this returns.
fn finish(folder: &Path, made: &Made) -> Result<()> {
    let new = folder.join(format!("{BACKUP}.new"));
    let mut file = std::fs::File::create(&new)?;
    file.write_all(&serde_json::to_vec_pretty(made).map_err(Error::internal)?)?;
    file.sync_all()?;
    std::fs::rename(new, folder.join(BACKUP))?;
    Ok(std::fs::File::open(folder)?.sync_all()?)
}
