//! The pairing of a database and a store: a server is started with the two that belong together, or not at all.
//!
//! A store says whose it is in `registry.json`, and the database which store it has. What began before there was
//! either is taken over where the files that the database names are there.

use std::time::Duration;

use super::sweep;
use crate::db::{Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::id::new_uuid;
use crate::signing::Signing;
use crate::store::{DEFAULT, Identity, Storages, Store};
use crate::time::Timestamp;

/// How many copies are looked for where nothing says whose a store is.
const LOOKED_FOR: i64 = 1000;

/// The schema of the first programs that know of several storages.
const SEVERAL: i64 = 30;

const NO_DATABASE: &str = "has the files of a registry, and its database is not there. Restore the database from a backup, \
     or give the right --database";
const NO_FILES_KNOWN: &str = "has files, and this database knows of none. Restore the database from a backup, or give the \
     right --database";
const OF_ANOTHER: &str = "has the files of another registry than this database. Give the --data and the --database that \
     belong together";
const ANOTHER_FOLDER: &str = "is not the folder that this database has its files in. Give the --data and the --database \
     that belong together";
const NOT_MARKED: &str = "has no registry.json, and this database has its files in a folder that has one. Is the disk \
     mounted, and are --data and --storage right?";

/// Refuses to begin a new database beside a store that has files, before one is made.
pub async fn check_new(storages: &Storages, adopt: bool) -> Result<()> {
    for store in storages.iter() {
        if !adopt && (store.identity().await?.is_some() || !store.is_empty().await?) {
            return Err(refusal(store, NO_DATABASE));
        }
    }
    Ok(())
}

/// Refuses storages that are not this database's, and a start without one that has files which are nowhere else. `adopt`
/// takes any; then nothing is removed for a month.
pub async fn pair(db: &Db, storages: &Storages, adopt: bool, now: Timestamp) -> Result<()> {
    check_named(db, storages).await?;
    let mut adopted = false;
    for store in storages.iter() {
        know(db, store.name()).await?;
        match store.reach().await {
            // Its files are answered with an error until it can be; everything else works.
            Err(error) if is_known(db, store).await? && store.name() != storages.first().name() => {
                let storage = store.name();
                tracing::error!(storage, "a storage cannot be reached: {}", error.message());
            }
            reached => {
                reached?;
                adopted |= pair_one(db, store, adopt, now).await?;
            }
        }
    }
    if adopt && !adopted {
        tracing::warn!("--adopt has nothing to do: take it away, it would hide a mistake");
    }
    Ok(())
}

/// Refuses to leave out a storage that has files which are nowhere else.
pub async fn check_named(db: &Db, storages: &Storages) -> Result<()> {
    let names: Vec<_> = storages.iter().map(Store::name).collect();
    let mut sql = Sql::new("SELECT s.name FROM storages s WHERE NOT ");
    sql.push_sql(Sql::is_in("s.name", names.iter().copied()));
    sql.push(" AND EXISTS (SELECT 1 FROM copies c WHERE c.storage = s.name AND c.state IN ('READY', 'RETIRING', 'SUSPECT')");
    sql.push(" AND NOT EXISTS (SELECT 1 FROM copies d WHERE d.sha256 = c.sha256 AND d.state = 'READY' AND ");
    sql.push_sql(Sql::is_in("d.storage", names.iter().copied())).push(")) ORDER BY s.name LIMIT 1");
    let Some((name,)) = Query::from(sql).fetch_optional::<(String,)>(db).await? else {
        return Ok(());
    };
    let url = if name == DEFAULT { "file:" } else { "URL" };
    Err(Error::invalid(
        "--storage",
        format!(
            "the storage {name} has files that are nowhere else. Add --storage {name}={url}, behind the others if nothing new should \
             go there; model-registry storage move brings its files to another one, and model-registry verify says which of them are damaged"
        ),
    ))
}

/// Has the database know of a storage. Programs of before there were several would look for all files in one.
async fn know(db: &Db, name: &str) -> Result<()> {
    let mut tx = db.begin().await?;
    let new =
        query("INSERT INTO storages (name, id) VALUES ($1, NULL) ON CONFLICT (name) DO NOTHING");
    if new.bind(name).execute(&mut tx).await? > 0 {
        let raise = query("UPDATE registry SET floor = $1 WHERE floor < $1");
        raise.bind(SEVERAL).execute(&mut tx).await?;
    }
    Ok(tx.commit().await?)
}

/// As [`pair`], of one. Returns whether it had to be adopted.
///
/// The id of the registry is in the database first, then in the store with the store's own id, and that is in the
/// database last: whoever is interrupted goes on from there.
async fn pair_one(db: &Db, store: &Store, adopt: bool, now: Timestamp) -> Result<bool> {
    let registry = registry_id(db, now).await?;
    let (storage,): (Option<String>,) =
        query("SELECT id FROM storages WHERE name = $1").bind(store.name()).fetch_one(db).await?;
    let identity = match storage {
        Some(_) if !store.is_folder() => awaited(store).await?,
        _ => store.identity().await?,
    };
    let wrong = match &identity {
        Some(identity) => {
            refuse_other_name(db, store, identity).await?;
            why_not(identity, &registry, storage.as_deref()).map(str::to_owned)
        }
        None if storage.is_some() => Some(NOT_MARKED.to_owned()),
        None => why_not_ours(db, store).await?,
    };
    let adopts = adopt && wrong.is_some();
    match (wrong, identity) {
        (None, Some(identity)) => note(db, store, &identity).await,
        (None, None) => {
            let identity = Identity { registry, storage: new_uuid(now), former: Vec::new() };
            // Of several servers of one object store that start at once, one writes down whose it is.
            if store.is_folder() || noted(db, store, &identity).await? == identity.storage {
                store.identify(&identity).await?;
                note(db, store, &identity).await
            } else {
                match awaited(store).await? {
                    Some(identity) => note(db, store, &identity).await,
                    None => Err(refusal(store, NOT_MARKED)),
                }
            }
        }
        (Some(_), before) if adopt => {
            let (former, before) = before.map(|before| (before.former, before.registry)).unzip();
            let mut former = former.unwrap_or_default();
            former.extend(before.filter(|before| *before != registry));
            let identity = Identity { registry, storage: new_uuid(now), former };
            tracing::warn!(
                "this folder and this database belong together from now on. Nothing is removed for 30 days"
            );
            replace(db, store, &identity, now).await
        }
        (Some(reason), _) => Err(refusal(store, &reason)),
    }?;
    Ok(adopts)
}

/// Refuses storages that are not this database's, beside the server of both: nothing is changed.
pub async fn check(db: &Db, storages: &Storages) -> Result<()> {
    check_named(db, storages).await?;
    for store in storages.iter() {
        check_one(db, store).await?;
    }
    Ok(())
}

async fn check_one(db: &Db, store: &Store) -> Result<()> {
    let identity = store.identity().await?;
    if let Some(identity) = &identity {
        refuse_other_name(db, store, identity).await?;
    }
    let known: (Option<String>, Option<String>) =
        query("SELECT r.id, s.id FROM registry r LEFT JOIN storages s ON s.name = $1")
            .bind(store.name())
            .fetch_one(db)
            .await?;
    match (identity, known) {
        (Some(identity), (Some(registry), Some(storage))) => {
            match why_not(&identity, &registry, Some(&storage)) {
                Some(reason) => Err(refusal(store, reason)),
                None => Ok(()),
            }
        }
        (_, (_, None)) => Err(Error::Conflict(format!(
            "No server was started with this database and the storage {} yet. Start one once.",
            store.name()
        ))),
        _ => Err(refusal(store, NOT_MARKED)),
    }
}

/// What the servers of the registry sign with: secrets that somebody has given, or else one that the first start gives.
pub async fn signing(db: &Db, given: &[String]) -> Result<Signing> {
    if let Some(signing) = Signing::given(given)? {
        return Ok(signing);
    }
    let mut tx = db.begin().await?;
    query("UPDATE registry SET secret = $1 WHERE secret IS NULL")
        .bind(Signing::new_secret())
        .execute(&mut tx)
        .await?;
    let (secret,): (String,) = query("SELECT secret FROM registry").fetch_one(&mut tx).await?;
    tx.commit().await?;
    Signing::new(&secret)
}

/// The id of the registry, which a server has given.
pub async fn registry(db: &Db) -> Result<String> {
    let (id,): (String,) = query("SELECT id FROM registry").fetch_one(db).await?;
    Ok(id)
}

/// Makes a pair of a database and storages that come from a backup. Who was signed in is not any more, and no address is good
/// that was signed with the secret of the database.
pub async fn restore(db: &Db, storages: &Storages, registry: &str, now: Timestamp) -> Result<()> {
    query("DELETE FROM credentials WHERE kind = 'SESSION'").alone(db).await?;
    query("UPDATE registry SET secret = NULL").alone(db).await?;
    for store in storages.iter() {
        let registry = registry.to_owned();
        let identity = Identity { registry, storage: new_uuid(now), former: Vec::new() };
        replace(db, store, &identity, now).await?;
    }
    Ok(())
}

/// Why a store cannot be this database's, by what it says.
fn why_not(identity: &Identity, registry: &str, storage: Option<&str>) -> Option<&'static str> {
    if identity.registry != registry {
        return Some(OF_ANOTHER);
    }
    storage.is_some_and(|id| id != identity.storage).then_some(ANOTHER_FOLDER)
}

/// Whether the database has a store under this name.
async fn is_known(db: &Db, store: &Store) -> Result<bool> {
    let known = query("SELECT id FROM storages WHERE name = $1 AND id IS NOT NULL");
    Ok(known.bind(store.name()).fetch_optional::<(String,)>(db).await?.is_some())
}

/// Refuses a store that the database has under another name.
async fn refuse_other_name(db: &Db, store: &Store, identity: &Identity) -> Result<()> {
    let other = query("SELECT name FROM storages WHERE id = $1 AND name <> $2");
    let other = other.bind(&identity.storage).bind(store.name());
    let Some((other,)) = other.fetch_optional::<(String,)>(db).await? else { return Ok(()) };
    let reason =
        format!("{} is the storage {other} of this registry: give it that name", store.place());
    Err(Error::invalid("--storage", reason))
}

/// The id of the registry; the first start gives it.
async fn registry_id(db: &Db, now: Timestamp) -> Result<String> {
    let mut tx = db.begin().await?;
    query("UPDATE registry SET id = $1 WHERE id IS NULL")
        .bind(new_uuid(now))
        .execute(&mut tx)
        .await?;
    let (id,): (String,) = query("SELECT id FROM registry").fetch_one(&mut tx).await?;
    tx.commit().await?;
    Ok(id)
}

/// Why a store of which nothing says whose it is cannot be this database's. It is if the files are there that the
/// database names.
async fn why_not_ours(db: &Db, store: &Store) -> Result<Option<String>> {
    let copies: Vec<(String, i64)> = query(
        "SELECT key, size FROM copies WHERE state = 'READY' AND storage = $1 ORDER BY key LIMIT $2",
    )
    .bind(store.name())
    .bind(LOOKED_FOR)
    .fetch_all(db)
    .await?;
    if copies.is_empty() {
        return Ok((!store.is_empty().await?).then(|| NO_FILES_KNOWN.to_owned()));
    }
    let mut missing = 0;
    for (key, size) in &copies {
        if store.size(key).await? != Some(size.unsigned_abs()) {
            missing += 1;
        }
    }
    let of = copies.len();
    Ok((missing > 0).then(|| {
        format!(
            "has not the files of this database: of {of} that were looked for, {missing} are not there. Is the disk \
             mounted, and are --data and --storage right?"
        )
    }))
}

/// Whose an object store is: another server may be about to write it down.
async fn awaited(store: &Store) -> Result<Option<Identity>> {
    for _ in 0..20 {
        if let Some(identity) = store.identity().await? {
            return Ok(Some(identity));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(None)
}

/// Notes which store the database has, unless it has another one by now.
async fn note(db: &Db, store: &Store, identity: &Identity) -> Result<()> {
    if noted(db, store, identity).await? != identity.storage {
        return Err(refusal(store, "is a second folder of this database, which has one already"));
    }
    Ok(())
}

/// As [`note`]; returns the id of the store that the database has.
async fn noted(db: &Db, store: &Store, identity: &Identity) -> Result<String> {
    let mut tx = db.begin().await?;
    query("UPDATE storages SET id = $2 WHERE name = $1 AND id IS NULL")
        .bind(store.name())
        .bind(&identity.storage)
        .execute(&mut tx)
        .await?;
    let (id,): (String,) = query("SELECT id FROM storages WHERE name = $1")
        .bind(store.name())
        .fetch_one(&mut tx)
        .await?;
    tx.commit().await?;
    Ok(id)
}

/// Makes a store this database's, whosever it was.
async fn replace(db: &Db, store: &Store, identity: &Identity, now: Timestamp) -> Result<()> {
    // Before anything else: what is interrupted removes nothing.
    let mut tx = db.begin().await?;
    sweep::pause(&mut tx, now).await?;
    tx.commit().await?;
    store.identify(identity).await?;
    query("UPDATE storages SET id = $2 WHERE name = $1")
        .bind(store.name())
        .bind(&identity.storage)
        .alone(db)
        .await?;
    Ok(())
}

fn refusal(store: &Store, reason: &str) -> Error {
    let place = store.place();
    Error::Conflict(format!(
        "{place} {reason}\nIf they should belong together from now on, start the server once with --adopt. Then no file is removed \
         for 30 days."
    ))
}
