//! `model-registry restore`: makes a registry of a backup, where there is none yet.
//!
//! The files are proven as they are copied. Sessions end, and nothing is removed for a month: the files may be newer than
//! the database. What is interrupted goes on when it is called again.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use indicatif::{HumanBytes, HumanCount};

use super::backup::without_password;
use super::{DUMP, Made, bar, opened, refuse_object_store, remove_database};
use crate::config;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::registry::catalog::blob::proof::{self, Finding};
use crate::registry::catalog::blob::{Copy, pairing, sql};
use crate::registry::webhook::delivery;
use crate::sealing;
use crate::store::{Found, RESTORING, Storages, Store};
use crate::time::Clock;

/// Makes the registry; the exit code says whether all files of the backup were right.
pub async fn run(input: config::Restore) -> Result<ExitCode> {
    let made = Made::of(&input.from)?.ok_or_else(|| {
        let reason = format!("{} has no backup.json, so it is not a backup", input.from.display());
        Error::invalid("DIR", reason)
    })?;
    if made.schema > Db::migrations() as i64 {
        let reason =
            "the backup was made by a newer version of this program: restore it with that version";
        return Err(Error::invalid("DIR", reason));
    }
    refuse_object_store(&input.data)?;
    let address = input.data.address()?;
    let url = &address.url;
    let storages = Storages::open(&input.data.data, &input.data.storage)?;
    let storages = storages.keeping_free(Some(0));
    check_place(&input.data.data, &storages, &made, url).await?;
    let backup = Store::open_beside(&input.from, None)?;
    let folders = storages.iter().map(Store::folder).chain([input.data.data.as_path()]);
    let begun: BTreeSet<_> = folders.map(|folder| folder.join(RESTORING)).collect();
    for begun in &begun {
        std::fs::write(begun, &made.registry)?;
    }

    let database = input.from.join(&made.database);
    let (db, renamed) = match Db::sqlite_file(url) {
        Some(file) => {
            let new = file.with_extension("restoring");
            remove_database(&new)?;
            std::fs::copy(&database, &new)?;
            std::fs::File::open(&new)?.sync_all()?;
            (opened(Db::open_bare(&Db::sqlite_url(&new)).await)?, Some((new, file)))
        }
        None => {
            let db = opened(Db::open_bare(&address).await)?;
            if db.tables().await? == 0 {
                fill(address.session(), &database)?;
            }
            (db, None)
        }
    };
    pairing::check_named(&db, &storages).await?;
    let restored = copy_files(&db, &backup, &storages).await?;
    sealing::copy_key(&input.from, &input.data.data)?;
    pairing::restore(&db, &storages, &made.registry, Clock::System.now()).await?;
    if made.schema >= delivery::SCHEMA {
        delivery::drop_all(&db).await?;
    }
    db.close().await;
    if let Some((new, file)) = renamed {
        std::fs::rename(new, file)?;
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::File::open(folder)?.sync_all()?;
        }
    }
    for begun in &begun {
        std::fs::remove_file(begun)?;
        std::fs::File::open(begun.parent().unwrap_or(&input.data.data))?.sync_all()?;
    }
    println!(
        "{} files, {}, were restored as of {}",
        HumanCount(restored.files),
        HumanBytes(restored.bytes),
        made.created_at
    );
    for line in &restored.bad {
        println!("not in the backup: {line}");
    }
    Ok(if restored.bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Refuses a place where there is something.
async fn check_place(data: &Path, storages: &Storages, made: &Made, url: &str) -> Result<()> {
    let begun = std::fs::read_to_string(data.join(RESTORING)).is_ok_and(|of| of == made.registry);
    if begun && Db::sqlite_file(url).is_none_or(|file| !file.exists()) {
        return Ok(());
    }
    for store in storages.iter() {
        if store.identity().await?.is_some() || !store.is_empty().await? {
            let reason =
                format!("{} already has files: restore into an empty folder", store.place());
            return Err(Error::invalid("--data", reason));
        }
    }
    let wrong = |reason: &str| Err(Error::invalid("--database", reason));
    let Some(file) = Db::sqlite_file(url) else {
        if made.database != DUMP {
            return wrong("this is a backup of an SQLite database: leave --database out");
        }
        let db = opened(Db::open_bare(url).await)?;
        let tables = db.tables().await?;
        db.close().await;
        return match tables {
            0 => Ok(()),
            _ => wrong("this database already has tables: give an empty database"),
        };
    };
    if made.database == DUMP {
        return wrong(
            "this is a backup of a PostgreSQL database: give the postgres:// address of an empty database",
        );
    }
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    if file.exists() || Path::new(&log).exists() {
        return wrong(
            "this folder already has a database, or the -wal file of a database: restore into an empty folder",
        );
    }
    Ok(())
}

/// Has PostgreSQL's own program make what is in a dump, all of it or nothing.
fn fill(url: &str, dump: &Path) -> Result<()> {
    let (shown, password) = without_password(url)?;
    let arguments = [
        "--single-transaction".to_owned(),
        "--no-owner".to_owned(),
        format!("--dbname={shown}"),
        dump.display().to_string(),
    ];
    let mut command = Command::new("pg_restore");
    command.args(&arguments);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    match command.output() {
        Ok(done) if done.status.success() => Ok(()),
        Ok(Output { stderr, .. }) => {
            let said = String::from_utf8_lossy(&stderr).trim().to_owned();
            Err(Error::Conflict(format!("pg_restore failed: {said}")))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::Conflict(format!(
                "pg_restore is not installed here. Run it where it is installed, then run the restore again:\n  pg_restore {}",
                arguments.join(" ")
            )))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Default)]
struct Restored {
    files: u64,
    bytes: u64,
    /// Files that the backup has not, or not with the right bytes.
    bad: Vec<String>,
}

/// Copies all files that the database names, and proves them.
async fn copy_files(db: &Db, backup: &Store, storages: &Storages) -> Result<Restored> {
    let (_, bytes) = sql::totals(db).await?;
    let bar = bar(bytes.unsigned_abs());
    let (mut restored, mut last) = (Restored::default(), String::new());
    loop {
        let copies = sql::after(db, &last, 500).await?;
        let Some(end) = copies.last() else { break };
        last.clone_from(&end.key);
        for copy in copies {
            // What is in another storage is elsewhere, too.
            let Some(store) = storages.find(&copy.storage) else { continue };
            let finding = copy_file(&copy, backup, store).await?;
            bar.inc(copy.size.unsigned_abs());
            if finding == Finding::Good {
                restored.files += 1;
                restored.bytes += copy.size.unsigned_abs();
            } else {
                let now = Clock::System.now();
                sql::suspect(db, &copy, now).await?;
                sql::lose(db, &copy, now).await?;
                restored.bad.push(format!("{}: {}", copy.key, finding.problem()));
            }
        }
    }
    bar.finish_and_clear();
    Ok(restored)
}

async fn copy_file(copy: &Copy, backup: &Store, store: &Store) -> Result<Finding> {
    if proof::examine(store, copy).await? == Finding::Good {
        return Ok(Finding::Good);
    }
    let Found::Whole(pieces) = backup.read_proven(&copy.blob()).await? else {
        return proof::look(backup, copy).await;
    };
    match store.put(&copy.blob(), pieces).await {
        Ok(()) => Ok(Finding::Good),
        // Of the backup, or of where it goes: the difference matters.
        Err(error) => match proof::examine(backup, copy).await? {
            Finding::Good => Err(error),
            finding => Ok(finding),
        },
    }
}
