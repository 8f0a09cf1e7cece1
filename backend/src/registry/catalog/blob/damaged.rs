//! Copies whose bytes were found wrong, as a list: what operators look into.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::SimpleObject;
use async_graphql::dataloader::Loader;

use crate::connection::{Connection, Node};
use crate::db::{Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::loader::{Loaders, MAX_SELECTS};
use crate::long::Long;
use crate::page::{List, OrderDirection, Page, Sort};
use crate::registry::catalog::file::sql::AddressOf;
use crate::time::Timestamp;
use crate::words::text_enum;

/// How many files of one blob are named.
const NAMED: i64 = 5;

text_enum! {
    /// How sure it is that bytes are damaged. More may come.
    Damage {
        /// They were found wrong, or could not be read, once. The next look decides.
        Suspect = "SUSPECT",
        /// They were found wrong twice: downloads are refused until somebody uploads the same file again, or the files are
        /// repaired.
        Lost = "LOST",
    }
}

/// The condition that a copy `c` is damaged, and there is no other one. That it is not `READY` is said twice: SQLite finds the
/// index by the second.
macro_rules! damaged {
    () => {
        "c.state IN ('SUSPECT', 'LOST') AND c.state <> 'READY'
         AND NOT EXISTS (SELECT 1 FROM copies r WHERE r.sha256 = c.sha256
                                                  AND r.state IN ('READY', 'RETIRING'))"
    };
}

/// Bytes in a storage that are not what they should be.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct DamagedFile {
    /// The SHA-256 that they should have, in hexadecimal.
    pub sha256: String,
    /// How large they should be, in bytes.
    pub size: Long,
    /// The name of the storage.
    pub storage: String,
    /// How sure it is.
    #[sqlx(try_from = "String")]
    pub state: Damage,
    /// When that was found.
    #[graphql(name = "since")]
    pub since_ms: Timestamp,
}

impl Node for DamagedFile {
    const NAME: &'static str = "DamagedFile";
}

/// All that are damaged and have no other copy, what was found last first.
pub fn list(page: Page) -> Connection<DamagedFile> {
    let list = List {
        columns: "c.sha256, c.size, c.storage, c.state, c.since_ms",
        from: "copies c",
        parent: None,
        filter: Sql::new(damaged!()),
        sort: Sort::int("c.since_ms", "c.key", OrderDirection::Desc),
    };
    Connection::new(list, page, "")
}

/// How many copies of each storage are in each of these states.
pub async fn counts(db: &Db) -> Result<HashMap<(String, Damage), i64>> {
    let counts: Vec<(String, String, i64)> = query(concat!(
        "SELECT c.storage, c.state, COUNT(*) FROM copies c WHERE ",
        damaged!(),
        " GROUP BY c.storage, c.state"
    ))
    .fetch_all(db)
    .await?;
    let counted = |(storage, state, count)| Ok(((storage, Damage::try_from(state)?), count));
    counts.into_iter().map(counted).collect::<Result<_, String>>().map_err(Error::internal)
}

/// Some of the files that have these bytes, such as `vision/ocr/1.0.0/model.onnx`, by their SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FilesWith(pub String);

impl Loader<FilesWith> for Loaders {
    type Value = Arc<Vec<String>>;
    type Error = Error;

    async fn load(&self, keys: &[FilesWith]) -> Result<HashMap<FilesWith, Self::Value>> {
        let mut files: Vec<(String, String, String)> = Vec::new();
        for keys in keys.chunks(MAX_SELECTS) {
            let mut sql = Sql::default();
            for (index, FilesWith(sha256)) in keys.iter().enumerate() {
                sql.push(if index == 0 { "" } else { " UNION ALL " });
                sql.push(
                    "SELECT * FROM (SELECT sha256, owner_id, COALESCE(sent_path, path) FROM files WHERE sha256 = ",
                );
                sql.push_value(sha256.as_str()).push_limit(NAMED).push(") AS of_one");
            }
            files.extend(
                Query::from(sql).fetch_all::<(String, String, String)>(&self.app.db).await?,
            );
        }
        let owners = files.iter().map(|(_, owner, _)| AddressOf(owner.clone()));
        let addresses = self.load_all(owners).await?;
        let mut named = HashMap::<FilesWith, Vec<String>>::new();
        for (sha256, owner, path) in files {
            let address = addresses.get(&AddressOf(owner)).and_then(|found| found.first());
            let file = address.map_or(path.clone(), |address| address.of_file(&path));
            named.entry(FilesWith(sha256)).or_default().push(file);
        }
        Ok(named.into_iter().map(|(key, files)| (key, Arc::new(files))).collect())
    }
}
