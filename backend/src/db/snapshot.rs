//! Copies of a whole database, as it is at one moment, beside a server that goes on writing.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::Db;

impl Db {
    /// Writes an SQLite database into a new file; durable when this returns. It reads one state of it, so it ends
    /// however much is written meanwhile. The file is smaller: it has no free pages.
    pub async fn snapshot(from: &Path, to: &Path) -> Result<(), sqlx::Error> {
        let path = to.to_str().ok_or_else(|| {
            let reason = format!("{} is not UTF-8", to.display());
            sqlx::Error::Configuration(reason.into())
        })?;
        let mut connection = SqliteConnectOptions::new().filename(from).connect().await?;
        sqlx::query("VACUUM INTO ?").bind(path).execute(&mut connection).await?;
        connection.close().await?;
        std::fs::File::open(to)?.sync_all()?;
        Ok(())
    }
}
