//! The rules of uploads, and what must have arrived before something is published.

use std::collections::HashSet;

use super::{Begun, LIFE_SECONDS, PART, Upload, begun, columns, sent, unfinished};
use crate::access::Writer;
use crate::app::App;
use crate::change::Change;
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::id::{UserId, new_uuid};
use crate::registry::target::Target;
use crate::store::Store;
use crate::text;
use crate::time::Timestamp;

/// How many uploads somebody may have begun and not finished.
pub const MAX_OPEN: i64 = 1000;
/// How many there may be in a project.
pub const MAX_OPEN_IN_PROJECT: i64 = 5000;
/// How large those of one person may be together, in bytes.
const MAX_ANNOUNCED: i64 = 1 << 40;
/// How many staged parts those of one person may have together: as many as two of the largest.
const MAX_PARTS: i64 = 20_000;
/// How many paths may be said to have to be there.
const MAX_REQUIRED: usize = 1000;

/// What a client says of what it is about to send.
pub struct NewUpload {
    /// Of the file; of a part that names none, of the folder, with a slash at its end.
    pub path: String,
    /// In bytes; none where that is said later.
    pub size: Option<i64>,
    pub sha256: Option<String>,
    pub metadata: String,
    /// Whether it is a part, or which parts it puts together, as the client sent it.
    pub concat: Option<String>,
    /// How many staged parts it comes in, if it does.
    pub part_count: Option<u32>,
}

/// How many uploads of somebody, or in a project, are not over, and how many bytes they have together.
async fn open(conn: impl Into<Conn<'_>>, now: Timestamp, whose: Sql) -> Result<(i64, i64)> {
    let sql = "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM uploads
               WHERE NOT is_over AND expires_at_ms > ?";
    Ok(Query::from(Sql::new(sql).bind(now).and(whose)).fetch_one(conn).await?)
}

fn of_user(user: &UserId) -> Sql {
    Sql::new("user_id = ?").bind(user)
}

fn too_much(what: String) -> Error {
    let remedy = "Finish or DELETE some, or wait until they expire.";
    Error::RateLimited(format!("{what}. {remedy}"))
}

/// Refuses one upload more than somebody, or all in a project, may have begun and not finished.
async fn check_open(change: &mut Change, target: &Target, new: &NewUpload) -> Result<()> {
    let (now, own) = (change.now, of_user(change.author()));
    if open(&mut **change, now, own).await?.0 >= MAX_OPEN {
        return Err(too_much(format!("You already have {MAX_OPEN} unfinished uploads")));
    }
    if new.part_count.is_some() && open_parts(change, new).await? > MAX_PARTS {
        return Err(too_much(format!("Your unfinished uploads would have over {MAX_PARTS} parts")));
    }
    let all = Sql::new("project_id = ?").bind(&target.project_id);
    if open(&mut **change, now, all).await?.0 >= MAX_OPEN_IN_PROJECT {
        return Err(too_much(format!(
            "The project already has {MAX_OPEN_IN_PROJECT} unfinished uploads"
        )));
    }
    Ok(())
}

/// How many staged parts the unfinished uploads of somebody have together with a new one.
async fn open_parts(change: &mut Change, new: &NewUpload) -> Result<i64> {
    let (parts,): (i64,) = query(
        "SELECT CAST(COALESCE(SUM(part_count), 0) AS BIGINT) FROM uploads
         WHERE NOT is_over AND expires_at_ms > $1 AND user_id = $2",
    )
    .bind(change.now)
    .bind(change.author().clone())
    .fetch_one(&mut **change)
    .await?;
    Ok(parts + i64::from(new.part_count.unwrap_or(0)))
}

/// Refuses more bytes than the unfinished uploads of somebody may have together.
pub async fn check_announced(
    conn: impl Into<Conn<'_>>,
    user: &UserId,
    now: Timestamp,
    more: i64,
) -> Result<()> {
    let (_, bytes) = open(conn, now, of_user(user)).await?;
    if bytes.saturating_add(more) > MAX_ANNOUNCED {
        let what = "Your unfinished uploads would exceed 1 TiB in total";
        return Err(too_much(what.to_owned()));
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
    check_open(change, target, &new).await?;
    let (user, now) = (change.author().clone(), change.now);
    check_announced(&mut **change, &user, now, new.size.unwrap_or(0)).await?;
    insert(change, target, new).await
}

async fn insert(change: &mut Change, target: &Target, new: NewUpload) -> Result<Upload> {
    // Makes what the artifacts of a project are filed under, where there are none yet.
    target.touch(change).await?;
    let (now, key) = (change.now, text::nfc(&new.path));
    // An empty file is on its way, too, until it is put at its place.
    let upload = query(concat!(
        "INSERT INTO uploads (id, user_id, owner_id, path, sent_path, size, received, sha256, metadata,
             created_at_ms, expires_at_ms, project_id, is_deferred, concat, part_count)
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10, $11, $12, $13, $14)
         RETURNING ",
        columns!()
    ))
    .bind(new_uuid(now))
    .bind(change.author())
    .bind(target.id())
    .bind(&key)
    .bind((key != new.path).then_some(new.path))
    .bind(new.size.unwrap_or(0))
    .bind(new.sha256)
    .bind(new.metadata)
    .bind(now)
    .bind(now.plus_seconds(LIFE_SECONDS))
    .bind(&target.project_id)
    .bind(new.size.is_none())
    .bind(new.concat)
    .bind(new.part_count.map(i64::from))
    .fetch_one(&mut **change)
    .await?;
    Ok(upload)
}

/// Notes how long an upload is whose length was to be said later. Said once, it stays.
pub async fn set_length(change: &mut Change, upload: &Upload, length: i64) -> Result<Upload> {
    let (user, now) = (change.author().clone(), change.now);
    check_announced(&mut **change, &user, now, length.saturating_sub(upload.size)).await?;
    let set = query(concat!(
        "UPDATE uploads SET size = $2, is_deferred = FALSE WHERE id = $1 AND is_deferred AND epoch = $3 RETURNING ",
        columns!()
    ));
    let set = set.bind(&upload.id).bind(length).bind(upload.epoch);
    let set = set.fetch_optional(&mut **change).await?;
    set.ok_or(Error::Stale)
}

/// Begins a final upload, which takes over these parts in their order.
pub async fn join(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    parts: &[Upload],
    new: NewUpload,
) -> Result<Upload> {
    for part in parts {
        check_joins(part, target)?;
    }
    let upload = insert(change, target, new).await?;
    // In one order, so that nobody waits for who waits for them.
    let mut numbered: Vec<(&Upload, i64)> = parts.iter().zip(0_i64..).collect();
    numbered.sort_by_key(|(part, _)| &part.id);
    for (part, number) in numbered {
        let taken = query(
            "UPDATE uploads SET final_id = $2, part = $3, is_over = TRUE, epoch = epoch + 1
             WHERE id = $1 AND NOT is_over AND epoch = $4",
        )
        .bind(&part.id)
        .bind(&upload.id)
        .bind(number)
        .bind(part.epoch)
        .execute(change)
        .await?;
        if taken == 0 {
            return Err(Error::Stale);
        }
    }
    Ok(upload)
}

/// Refuses what is no part of a file of this target, or not whole.
pub fn check_joins(part: &Upload, target: &Target) -> Result<()> {
    let id = &part.id;
    let wrong = |reason: String| Err(Error::invalid("upload-concat", reason));
    if !part.is_part() {
        return wrong(format!(
            "names {id}, which is not a part: start parts with Upload-Concat: partial"
        ));
    }
    if part.owner_id != target.id() {
        return wrong(format!(
            "names {id}, a part of a file elsewhere: send all parts to the same version"
        ));
    }
    if !part.is_whole() {
        let received = part.received;
        let message =
            format!("Part {id} is incomplete. Continue it at {received}, then try again.");
        return Err(Error::Conflict(message));
    }
    Ok(())
}

/// Notes that the file is at its place, unless somebody took the upload over.
pub async fn finish(change: &mut Change, upload: &Upload) -> Result<()> {
    let over = query(
        "UPDATE uploads SET received = size, is_over = TRUE, sent = NULL WHERE id = $1 AND epoch = $2",
    );
    match over.bind(&upload.id).bind(upload.epoch).execute(change).await? {
        0 => Err(Error::Stale),
        _ => Ok(()),
    }
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
    let is_in = |path: &str, folder: &str| {
        let (path, folder) = (text::nfc(path), text::nfc(folder));
        let rest = path.strip_prefix(&folder);
        folder.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    // Parts that name only a folder become a file anywhere in there.
    let inside = |path: &str| {
        is_in(path, folder) || path.strip_suffix('/').is_some_and(|path| is_in(folder, path))
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
    // What a final upload took over goes with it.
    let expired = "SELECT id, concat FROM uploads WHERE expires_at_ms <= $1 AND final_id IS NULL";
    let expired: Vec<(String, Option<String>)> =
        query(expired).bind(now).fetch_all(&app.db).await?;
    for (id, concat) in expired {
        let partial = app.store.partial(&id).await.of_part(concat.as_deref() == Some(PART));
        // Whoever had it may have brought more, or a final upload may have taken it over.
        let still = query(
            "UPDATE uploads SET epoch = epoch + 1 WHERE id = $1 AND expires_at_ms <= $2 AND final_id IS NULL",
        );
        if still.bind(&id).bind(now).alone(&app.db).await? > 0 {
            // One that cannot be removed now keeps no other one.
            match partial.remove(sent::find(&app.db, &id).await?.as_ref()).await {
                Ok(()) => delete(&app.db, &id).await?,
                Err(error) => error.log(),
            }
        }
    }
    for store in app.storages.iter() {
        remove_unknown(&app.db, store).await?;
    }
    Ok(())
}

/// Removes bytes that belong to no upload. What belongs to one is there after its row is, and goes before it does.
async fn remove_unknown(db: &Db, store: &Store) -> Result<()> {
    let names = store.partial_names().await?;
    for names in names.chunks(500) {
        let mut sql = Sql::new("SELECT id FROM uploads WHERE ");
        sql.push_sql(Sql::is_in("id", names));
        let known: Vec<(String,)> = Query::from(sql).fetch_all(db).await?;
        for name in names.iter().filter(|name| !known.iter().any(|(id,)| id == *name)) {
            if let Err(error) = store.partial(name).await.remove(None).await {
                error.log();
            }
        }
    }
    Ok(())
}
