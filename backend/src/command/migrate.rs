//! `model-registry migrate`: migrates the database without a server, such as in a job of Kubernetes.

use super::opened;
use crate::config::Data;
use crate::config::migrate::Migrate;
use crate::db::{Address, Db, SCHEMA};
use crate::error::{Error, Result};

/// Migrates the database, and says which schema it had and has.
pub async fn run(data: Data) -> Result<()> {
    let address = data.address()?;
    let url = &address.url;
    // A folder that is not the right one gets no database: that a server makes one is asked of its storage, too.
    if let Some(file) = Db::sqlite_file(url).filter(|_| Db::is_missing(url)) {
        let reason = format!("there is no database {}: start the server once", file.display());
        return Err(Error::invalid("--database", reason));
    }
    let (before, now) = opened(Db::migrate(&address).await)?;
    if before < now {
        println!("the database had schema {before}, and has schema {now} now");
    } else if now == SCHEMA {
        println!("the database has schema {now} already");
    } else {
        println!(
            "the database has schema {now}, which is newer than this program's {SCHEMA} and understood by it: nothing was changed"
        );
    }
    Ok(())
}

/// The database of a server, which migrates it unless somebody else does.
pub async fn open(address: &Address, migrate: Migrate) -> Result<Db> {
    if migrate == Migrate::Auto {
        return opened(Db::open(address).await);
    }
    if Db::is_missing(&address.url) {
        let reason = "is never, and there is no database yet: start the server once without it";
        return Err(Error::invalid("--migrate", reason));
    }
    let (db, schema) = opened(Db::open_as_it_is(address).await)?;
    if schema < SCHEMA {
        let reason = format!(
            "is never, and the database has schema {schema} of {SCHEMA}: run model-registry migrate, then start the server again"
        );
        return Err(Error::invalid("--migrate", reason));
    }
    Ok(db)
}
