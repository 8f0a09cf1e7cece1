//! The rules of uploads, and what must have arrived before something is published.

use std::collections::HashSet;

use super::{Begun, LIFE_SECONDS, Upload, begun, columns, unfinished};
use crate::access::Writer;
use crate::app::App;
use crate::change::Change;
use crate::db::{Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::id::new_uuid;
use crate::registry::target::Target;
use crate::text::{self, FilePath};

/// How many uploads somebody may have begun and not finished.
pub const MAX_OPEN: i64 = 1000;
/// How many there may be in a project.
pub const MAX_OPEN_IN_PROJECT: i64 = 5000;
/// How large those of one person may be together, in bytes.
const MAX_ANNOUNCED: i64 = 1 << 40;
/// How many paths may be said to have to be there.
const MAX_REQUIRED: usize = 1000;

/// What a client says of a file that it is about to send.
pub struct NewUpload {
    pub path: FilePath,
    /// In bytes.
    pub size: i64,
    pub sha256: Option<String>,
    pub metadata: String,
}

/// Refuses one upload more than somebody, or all in a project, may have begun and not finished.
async fn check_open(change: &mut Change, target: &Target, size: i64) -> Result<()> {
    let open = "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM uploads
                WHERE received < size AND expires_at_ms > ? AND ";
    let mut own = Sql::new(open).bind(change.now);
    own.push("user_id = ").push_value(change.author());
    let (count, bytes): (i64, i64) = Query::from(own).fetch_one(&mut **change).await?;
    let refuse = |what: String| {
        let remedy = "Finish or DELETE some, or wait until they expire.";
        Err(Error::RateLimited(format!("{what}. {remedy}")))
    };
    if count >= MAX_OPEN {
        return refuse(format!("You already have {MAX_OPEN} unfinished uploads"));
    }
    if bytes.saturating_add(size) > MAX_ANNOUNCED {
        return refuse("Your unfinished uploads would exceed 1 TiB in total".to_owned());
    }
    let mut all = Sql::new(open).bind(change.now);
    all.push("project_id = ").push_value(&target.project_id);
    let (count, _): (i64, i64) = Query::from(all).fetch_one(&mut **change).await?;
    if count >= MAX_OPEN_IN_PROJECT {
        return refuse(format!("The project already has {MAX_OPEN_IN_PROJECT} unfinished uploads"));
    }
    Ok(())
}

/// Begins an upload.
pub async fn create(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    new: NewUpload,
) -> Result<Upload> {
    let now = change.now;
    check_open(change, target, new.size).await?;
    // An empty file is on its way, too, until it is put at its place.
    let upload = query(concat!(
        "INSERT INTO uploads (id, user_id, owner_id, path, sent_path, size, received, sha256, metadata,
             created_at_ms, expires_at_ms, project_id)
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10, $11)
         RETURNING ",
        columns!()
    ))
    .bind(new_uuid(now))
    .bind(change.author())
    .bind(target.id())
    .bind(new.path.key())
    .bind(new.path.sent())
    .bind(new.size)
    .bind(new.sha256)
    .bind(new.metadata)
    .bind(now)
    .bind(now.plus_seconds(LIFE_SECONDS))
    .bind(&target.project_id)
    .fetch_one(&mut **change)
    .await?;
    Ok(upload)
}

/// Notes that the file is at its place.
pub async fn finish(change: &mut Change, id: &str) -> Result<()> {
    query("UPDATE uploads SET received = size WHERE id = $1").bind(id).execute(change).await?;
    Ok(())
}

pub async fn delete(db: &Db, id: &str) -> Result<()> {
    query("DELETE FROM uploads WHERE id = $1").bind(id).alone(db).await?;
    Ok(())
}

/// Proof that no file of what is to be published is arriving, or that this is wanted so.
pub struct Arrived(());

/// What is waited for.
#[derive(Default)]
pub struct Wanted {
    /// Whether to go on without files that are arriving, or missing.
    pub without_uploads: bool,
    /// Paths that must be there.
    pub required_files: Vec<String>,
}

/// Refuses to go on while files are arriving in a folder of something, of which the empty one is the top, or are not
/// there that must be.
pub async fn check_arrived(
    app: &App,
    change: &mut Change,
    (owner_id, folder): (&str, &str),
    wanted: Wanted,
) -> Result<Arrived> {
    if wanted.required_files.len() > MAX_REQUIRED {
        return Err(Error::at_most("requiredFiles", MAX_REQUIRED));
    }
    if wanted.without_uploads {
        return Ok(Arrived(()));
    }
    let begun: Vec<Begun> =
        query(concat!(begun!(), "owner_id = $1")).bind(owner_id).fetch_all(&mut **change).await?;
    let inside = |path: &str| {
        folder.is_empty()
            || text::nfc(path)
                .strip_prefix(&text::nfc(folder))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut arriving: Vec<String> = unfinished(app, owner_id, begun)
        .into_iter()
        .filter(|upload| upload.active && inside(&upload.path))
        .map(|upload| upload.path)
        .collect();
    arriving.extend(missing(change, owner_id, wanted.required_files).await?);
    arriving.sort();
    arriving.dedup();
    if arriving.is_empty() { Ok(Arrived(())) } else { Err(Error::Arriving(arriving)) }
}

/// Which of some paths have no file.
async fn missing(
    change: &mut Change,
    owner_id: &str,
    mut required: Vec<String>,
) -> Result<Vec<String>> {
    required.retain(|path| !path.contains('\0'));
    let keys: Vec<String> = required.iter().map(|path| text::nfc(path)).collect();
    let mut sql = Sql::new("SELECT path FROM files WHERE owner_id = ?").bind(owner_id);
    sql = sql.and(Sql::is_in("path", &keys));
    let there: Vec<(String,)> = Query::from(sql).fetch_all(&mut **change).await?;
    let there: HashSet<String> = there.into_iter().map(|(path,)| path).collect();
    required.retain(|path| !there.contains(&text::nfc(path)));
    Ok(required)
}

/// Forgets uploads that have expired, and removes bytes that belong to none: the bytes first, so that a full disk has
/// room for the change.
pub async fn sweep(app: &App) -> Result<()> {
    let now = app.clock.now();
    let expired: Vec<(String,)> = query("SELECT id FROM uploads WHERE expires_at_ms <= $1")
        .bind(now)
        .fetch_all(&app.db)
        .await?;
    for (id,) in expired {
        let partial = app.store.partial(&id).await;
        // Whoever had it may have brought more.
        let still = query("SELECT id FROM uploads WHERE id = $1 AND expires_at_ms <= $2")
            .bind(&id)
            .bind(now)
            .fetch_optional::<(String,)>(&app.db)
            .await?;
        if still.is_some() {
            partial.remove().await?;
            delete(&app.db, &id).await?;
        }
    }
    let names = app.store.partial_names().await?;
    for names in names.chunks(500) {
        let mut sql = Sql::new("SELECT id FROM uploads WHERE ");
        sql.push_sql(Sql::is_in("id", names));
        let known: Vec<(String,)> = Query::from(sql).fetch_all(&app.db).await?;
        for name in names.iter().filter(|name| !known.iter().any(|(id,)| id == *name)) {
            app.store.partial(name).await.remove().await?;
        }
    }
    Ok(())
}
