//! Migrations by an operator instead of by the server: a database is migrated by itself, or opened as it is.

use std::sync::Arc;

use super::{Address, Db, SCHEMA, lock, migrate};

impl Db {
    /// Migrates a database as [`Db::open`] does, and closes it. Returns the schema that there was before, of
    /// an empty database 0, and the one that there is now.
    pub async fn migrate(address: &Address) -> Result<(i64, i64), sqlx::Error> {
        let lock = Self::sqlite_file(&address.url).map(lock).transpose()?;
        let db = Self::connect(address).await?;
        let before = migrate::run(&db, migrate::COUNT).await?;
        let now = migrate::applied(&db).await?;
        db.close().await;
        drop(lock);
        Ok((before, now))
    }

    /// As [`Db::open`], but nothing is migrated: also returns the schema, which may be older than this program's.
    pub async fn open_as_it_is(address: &Address) -> Result<(Self, i64), sqlx::Error> {
        let lock = Self::sqlite_file(&address.url).map(lock).transpose()?;
        let db = Self::connect(address).await?;
        let schema = migrate::understood(&db).await?;
        if schema >= SCHEMA {
            db.raise_positions().await?;
        }
        Ok((Self { lock: lock.map(Arc::new), ..db }, schema))
    }
}
