//! `model-registry backup`: the database first and the files second, beside a server that goes on.
//!
//! What the copy of the database names stays in the store for days, so the files can be copied after it. A backup into the
//! same folder again copies what is new. Until it ends, the folder has the backup of before.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use indicatif::{HumanBytes, HumanCount};

use super::{DUMP, MADE, Made, SQLITE, bar, open_beside, opened};
use crate::config;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::registry::catalog::blob::proof::{self, Finding};
use crate::registry::catalog::blob::{pairing, sql};
use crate::store::{Given, Store};
use crate::time::Clock;

/// Makes a backup; the exit code says whether all files are in it.
pub async fn run(input: config::Backup) -> Result<ExitCode> {
    let (db, store) = open_beside(&input.data).await?;
    let (registry, schema) = (pairing::registry(&db).await?, db.schema().await?);
    std::fs::create_dir_all(&input.to)?;
    if let Some(before) = Made::of(&input.to)?
        && before.registry != registry
    {
        let reason = format!("{} has the backup of another registry", input.to.display());
        return Err(Error::invalid("DIR", reason));
    }
    let now = Clock::System.now();
    let url = input.data.database_url();
    let mut backup = Backup { store: &store, to: &input.to, files: 0, bytes: 0, bad: Vec::new() };
    let (database, copy) = match Db::sqlite_file(&url) {
        Some(file) => {
            let new = input.to.join(format!("{SQLITE}.new"));
            remove(&new)?;
            Db::snapshot(file, &new).await?;
            let snapshot = opened(Db::open_beside(&Db::sqlite_url(&new)).await)?;
            backup.copy_files(&snapshot).await?;
            snapshot.close().await;
            (SQLITE, new)
        }
        None => {
            let new = input.to.join(format!("{DUMP}.new"));
            if !input.dumped {
                dump(&url, &new, &input.to)?;
            }
            // Those that came since are as well there.
            backup.copy_files(&db).await?;
            (DUMP, new)
        }
    };
    std::fs::rename(copy, input.to.join(database))?;
    let Backup { files, bytes, bad, .. } = backup;
    let database = database.to_owned();
    let created_at = now.to_rfc3339();
    finish(&input.to, &Made { registry, schema, created_at, database, files, bytes })?;
    println!("{} files, {}, are in {}", HumanCount(files), HumanBytes(bytes), input.to.display());
    for line in &bad {
        println!("not in it: {line}");
    }
    Ok(if bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Backup<'a> {
    store: &'a Store,
    to: &'a Path,
    files: u64,
    bytes: u64,
    /// What is wrong in the registry, or became so on the way.
    bad: Vec<String>,
}

impl Backup<'_> {
    /// Has all objects that a database names in the folder, and proves those that were not there.
    async fn copy_files(&mut self, db: &Db) -> Result<()> {
        let (_, bytes) = sql::totals(db).await?;
        let bar = bar(bytes.unsigned_abs());
        let there = Store::new_at(self.to)?;
        let (mut last, mut folders) = (String::new(), BTreeSet::new());
        loop {
            let copies = sql::after(db, &last, 500).await?;
            let Some(end) = copies.last() else { break };
            last.clone_from(&end.key);
            for copy in copies {
                bar.inc(copy.size.unsigned_abs());
                let finding = match self.store.give(&copy.blob(), self.to).await? {
                    Given::There => Finding::Good,
                    Given::Missing => Finding::Missing,
                    Given::New => {
                        folders.extend(folder_of(self.to, &copy.key));
                        proof::examine(&there, &copy).await?
                    }
                };
                if finding == Finding::Good {
                    self.files += 1;
                    self.bytes += copy.size.unsigned_abs();
                } else {
                    there.delete(&copy.key).await?;
                    self.bad.push(format!("{}: {}", copy.key, finding.problem()));
                }
            }
        }
        folders.insert(self.to.join("blobs"));
        for folder in folders {
            std::fs::File::open(folder)?.sync_all()?;
        }
        bar.finish_and_clear();
        Ok(())
    }
}

fn folder_of(to: &Path, key: &str) -> Option<PathBuf> {
    to.join(key).parent().map(Path::to_owned)
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
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::Conflict(format!(
                "pg_dump is not here. Run it where it is, then the backup again, within a day:\n  \
             pg_dump {}\n  model-registry backup --dumped {}",
                arguments.join(" "),
                folder.display()
            )))
        }
        Err(error) => Err(error.into()),
    }
}

/// An address of PostgreSQL without its password, for lists of programs and for people; and the password.
pub(super) fn without_password(url: &str) -> Result<(String, Option<String>)> {
    let wrong = |error: &dyn std::fmt::Display| Error::invalid("--database", error.to_string());
    let mut parsed = openidconnect::url::Url::parse(url).map_err(|error| wrong(&error))?;
    let password = parsed.password().map(|password| {
        percent_encoding::percent_decode_str(password).decode_utf8_lossy().into_owned()
    });
    parsed.set_password(None).map_err(|()| wrong(&"must be postgres://…"))?;
    Ok((parsed.into(), password))
}

fn remove(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes down that the backup is whole; durable when this returns.
fn finish(folder: &Path, made: &Made) -> Result<()> {
    let new = folder.join(format!("{MADE}.new"));
    let mut file = std::fs::File::create(&new)?;
    file.write_all(&serde_json::to_vec_pretty(made).map_err(Error::internal)?)?;
    file.sync_all()?;
    std::fs::rename(new, folder.join(MADE))?;
    Ok(std::fs::File::open(folder)?.sync_all()?)
}
