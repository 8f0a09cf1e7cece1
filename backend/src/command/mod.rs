//! The subcommands that look after a registry: they run beside its server, or without one, and print what they did.

pub mod backup;
pub mod migrate;
pub mod restore;
pub mod storage;
pub mod sweep;
pub mod verify;

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::config::Data;
use crate::db::{Db, WrongDirect};
use crate::error::{Error, Result};
use crate::registry::catalog::blob::{journal, pairing};
use crate::store::{BACKUP, Place, Storages};
use crate::time::Clock;

/// What a backup says of itself, in `backup.json`: it is written last.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    /// The id of the registry.
    registry: String,
    /// The number of the last migration.
    schema: i64,
    /// When the database was copied, in RFC 3339.
    created_at: String,
    /// The file that has the database: `registry.sqlite` or `registry.dump`.
    database: String,
    /// How many files the database names, and their bytes together.
    files: u64,
    bytes: u64,
}

const SQLITE: &str = "registry.sqlite";
const DUMP: &str = "registry.dump";

impl Made {
    /// What is said of the backup in a folder; none where there is none, or none that was finished.
    fn of(folder: &Path) -> Result<Option<Self>> {
        match std::fs::read(folder.join(BACKUP)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            bytes => serde_json::from_slice(&bytes?).map(Some).map_err(|error| {
                let file = folder.join(BACKUP);
                Error::Conflict(format!("{} can't be read: {error}", file.display()))
            }),
        }
    }
}

/// The database; where its schema or its address is wrong, that is for whoever started the program.
pub fn opened<T>(db: Result<T, sqlx::Error>) -> Result<T> {
    db.map_err(|error| match error {
        sqlx::Error::Configuration(reason) if reason.is::<WrongDirect>() => {
            Error::invalid("--database-direct", reason.to_string())
        }
        sqlx::Error::Configuration(reason) => Error::invalid("--database", reason.to_string()),
        sqlx::Error::Io(error) => Error::invalid("--database", error.to_string()),
        error => error.into(),
    })
}

/// Backups are of a folder: an object store has copies, versions and replication of its own.
fn refuse_object_store(data: &Data) -> Result<()> {
    let bucket = data.storage.iter().find_map(|storage| match &storage.place {
        Place::Bucket(bucket) => Some(bucket),
        Place::Data | Place::Folder(_) => None,
    });
    match bucket {
        Some(bucket) => Err(Error::Conflict(format!(
            "The files are in {bucket}, which is copied with its own tools. Back up the database with pg_dump, or the copy that \
             VACUUM INTO makes of SQLite, and then the bucket: see docs/operations.md"
        ))),
        None => Ok(()),
    }
}

/// The database and the storages of a registry, beside the server that has them.
async fn open_beside(data: &Data) -> Result<(Db, Storages)> {
    let db = opened(Db::open_beside(&data.address()?).await)?.patient();
    let storages = Storages::open_beside(&data.data, &data.storage)?;
    pairing::check(&db, &storages).await?;
    let storages = storages.noting_in(&journal::of(&db, &Clock::System));
    // What heals is no upload.
    Ok((db, storages.keeping_free(Some(0))))
}

/// Removes a copy of an SQLite database, with what SQLite had beside it: it would be taken for a part of the next.
fn remove_database(file: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        match std::fs::remove_file(name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// A bar for so many bytes, where somebody looks at it.
fn bar(bytes: u64) -> ProgressBar {
    let template = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is right");
    ProgressBar::new(bytes).with_style(style)
}
