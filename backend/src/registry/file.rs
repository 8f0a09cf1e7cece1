//! Files: paths inside a version or candidate that point at blobs.
//!
//! Write-once in a version: the same bytes again are fine, other bytes a conflict. In a candidate, which
//! is a run that may write its checkpoint again, a later upload takes the path over. Never touches bytes:
//! those are in the store before a row names them.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use futures_util::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::app::App;
use crate::auth::{Writer, actor};
use crate::connection::{Connection, Node};
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::loader::{load_by_owner, loaders};
use crate::long::Long;
use crate::page::{List, OrderDirection, Page, Sort};
use crate::registry::event::Change;
use crate::registry::object::{self, Target};
use crate::registry::payload;
use crate::registry::version::VersionState;
use crate::text::{self, FilePath};
use crate::time::Timestamp;

/// A path inside a version or candidate, and the bytes that it points at.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct File {
    #[graphql(skip)]
    pub owner_id: String,
    /// The path, with `/` between folders, such as `onnx/model.onnx`.
    pub path: String,
    /// The size in bytes.
    pub size: Long,
    /// The SHA-256 of the bytes, in hexadecimal.
    pub sha256: String,
    /// The media type, by the ending of the name.
    pub content_type: String,
    /// When it was uploaded.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
}

#[ComplexObject]
impl File {
    /// Where to GET the bytes: an address on this server.
    async fn download_url(&self, ctx: &Context<'_>) -> Result<String> {
        let owner = loaders(ctx).load_one(AddressOf(self.owner_id.clone())).await?;
        let address = owner.and_then(|addresses| addresses.into_iter().next());
        let address = address.ok_or_else(|| Error::internal("a file without its owner"))?;
        Ok(format!(
            "/files/{}/{}/{}/{}",
            address.project,
            encode(&address.model),
            encode(&address.reference),
            self.path.split('/').map(encode).collect::<Vec<_>>().join("/")
        ))
    }
}

impl Node for File {
    const NAME: &'static str = "File";
}

fn encode(segment: &str) -> String {
    const KEPT: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
    utf8_percent_encode(segment, KEPT).to_string()
}

/// A file to remove from a draft version or a candidate.
#[derive(InputObject)]
pub struct DeleteFileInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version: `1.2.0`, `^1.2`, `@champion` or `latest`.
    version: Option<String>,
    /// Or the number of the candidate.
    candidate: Option<i32>,
    /// The path of the file.
    path: String,
}

payload! {
    /// The file that was removed.
    DeleteFilePayload {
        /// The file as it was.
        file: File
    }
}

#[derive(Default)]
pub struct FileMutation;

#[Object]
impl FileMutation {
    /// Removes a file from a draft version or a candidate. Published versions keep theirs.
    async fn delete_file(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which file of which version or candidate.")] input: DeleteFileInput,
    ) -> Result<DeleteFilePayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let (model, version) = (&input.model, input.version.as_deref());
        let (writer, target) =
            object::writable(&mut change, actor(ctx), model, version, input.candidate).await?;
        let file = delete(&mut change, &writer, &target, &input.path).await?;
        change.commit().await?;
        Ok(DeleteFilePayload { file })
    }
}

macro_rules! columns {
    () => {
        "owner_id, path, size, sha256, content_type, created_at_ms"
    };
}

/// Bytes that are in the store.
#[derive(Clone, Debug)]
pub struct Blob {
    /// In hexadecimal.
    pub sha256: String,
    /// In bytes.
    pub size: i64,
}

/// What came of an upload.
pub enum Put {
    Created(File),
    /// The path had these bytes already.
    Unchanged(File),
    /// The path of a candidate had other bytes.
    Replaced(File),
}

/// Refuses what could not be put, before its bytes are taken in.
pub async fn check_put(
    conn: impl Into<Conn<'_>>,
    _writer: &Writer,
    target: &Target,
    path: &FilePath,
) -> Result<()> {
    let mut conn = conn.into();
    check_no_folder_clash(conn.again(), target, path).await?;
    // A published version takes the bytes that it has, so that a repeated upload is no error.
    if is_published(target) && find(conn, target.id(), path.as_str()).await?.is_none() {
        return Err(published());
    }
    Ok(())
}

/// Makes `path` point at a blob.
pub async fn put(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    path: &FilePath,
    blob: &Blob,
) -> Result<Put> {
    let draft = lock(change, target).await?;
    let old = find(&mut **change, target.id(), path.as_str()).await?;
    if let Some(old) = &old {
        if old.sha256 == blob.sha256 {
            return Ok(Put::Unchanged(old.clone()));
        }
        if matches!(target, Target::Version { .. }) {
            return Err(Error::Conflict(format!(
                "{} has other bytes already, and files of a version are written once: {}",
                path.as_str(),
                if draft { "delete it first" } else { "make a new version" },
            )));
        }
    }
    if !draft {
        return Err(published());
    }
    check_no_folder_clash(&mut **change, target, path).await?;
    let content_type = mime_guess::from_path(path.as_str()).first_or_octet_stream().to_string();
    query("INSERT INTO blobs (sha256, size, created_at_ms) VALUES ($1, $2, $3) ON CONFLICT (sha256) DO NOTHING")
        .bind(&blob.sha256)
        .bind(blob.size)
        .bind(change.now)
        .execute(change)
        .await?;
    let file: File = query(concat!(
        "INSERT INTO files (owner_id, path, sha256, size, content_type, author_id, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (owner_id, path) DO UPDATE
         SET sha256 = excluded.sha256, size = excluded.size, author_id = excluded.author_id,
             created_at_ms = excluded.created_at_ms
         RETURNING ",
        columns!()
    ))
    .bind(target.id())
    .bind(path)
    .bind(&blob.sha256)
    .bind(blob.size)
    .bind(content_type)
    .bind(change.author())
    .bind(change.now)
    .fetch_one(&mut **change)
    .await?;
    let detail = serde_json::json!({ "path": file.path, "size": blob.size, "sha256": blob.sha256 });
    change.record("file.put", target.subject(), detail).await?;
    Ok(if old.is_some() { Put::Replaced(file) } else { Put::Created(file) })
}

async fn delete(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    path: &str,
) -> Result<File> {
    if !lock(change, target).await? {
        return Err(published());
    }
    let file: File = query(concat!(
        "DELETE FROM files WHERE owner_id = $1 AND path = $2 RETURNING ",
        columns!()
    ))
    .bind(target.id())
    .bind(text::looked_up(path))
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(|| Error::not_found("file", path))?;
    let detail = serde_json::json!({ "path": file.path, "sha256": file.sha256 });
    change.record("file.delete", target.subject(), detail).await?;
    Ok(file)
}

/// Locks the version or candidate until the change is over; returns whether its files may change.
async fn lock(change: &mut Change, target: &Target) -> Result<bool> {
    target.touch(change).await?;
    match target {
        Target::Model { .. } => {
            Err(Error::invalid("version", "files are in a version or candidate: name one"))
        }
        Target::Candidate { .. } => Ok(true),
        Target::Version { version, .. } => {
            let (state,): (String,) = query("SELECT state FROM model_versions WHERE id = $1")
                .bind(&version.id)
                .fetch_one(&mut **change)
                .await?;
            Ok(state == VersionState::Draft.as_str())
        }
    }
}

fn is_published(target: &Target) -> bool {
    matches!(target, Target::Version { version, .. } if version.state == VersionState::Published)
}

fn published() -> Error {
    Error::Conflict(
        "the version is published, and its files never change: make a new version".into(),
    )
}

/// A path cannot be a file and a folder at once: no archive or disk could hold both.
async fn check_no_folder_clash(
    conn: impl Into<Conn<'_>>,
    target: &Target,
    path: &FilePath,
) -> Result<()> {
    // Files below `a/b` sort between `a/b/` and `a/b0`, as 0 comes right after the slash.
    let (low, high) = (format!("{}/", path.as_str()), format!("{}0", path.as_str()));
    let mut clash = Sql::new("(f.path >= ? AND f.path < ?) OR ").bind(low).bind(high);
    clash.push_sql(Sql::is_in("f.path", path.folders()));
    let mut sql = Sql::new("SELECT f.path FROM files f WHERE f.owner_id = ?").bind(target.id());
    sql = sql.and(clash);
    sql.push(" LIMIT 1");
    let found: Option<(String,)> = Query::from(sql).fetch_optional(conn).await?;
    match found {
        Some((other,)) => Err(Error::Conflict(format!(
            "{} cannot be a file: {other} is there, and a path is a file or a folder",
            path.as_str()
        ))),
        None => Ok(()),
    }
}

/// Gives a version the files of the candidate that it was made from, by reference.
pub async fn copy(change: &mut Change, from: &str, to: &str) -> Result<()> {
    query(
        "INSERT INTO files (owner_id, path, sha256, size, content_type, author_id, created_at_ms)
         SELECT $2, path, sha256, size, content_type, author_id, $3 FROM files WHERE owner_id = $1",
    )
    .bind(from)
    .bind(to)
    .bind(change.now)
    .execute(change)
    .await?;
    Ok(())
}

/// The file at exactly this path.
pub async fn find(conn: impl Into<Conn<'_>>, owner_id: &str, path: &str) -> Result<Option<File>> {
    if path.contains('\0') {
        return Ok(None);
    }
    let file =
        query(concat!("SELECT ", columns!(), " FROM files WHERE owner_id = $1 AND path = $2"))
            .bind(owner_id)
            .bind(path)
            .fetch_optional(conn)
            .await?;
    Ok(file)
}

/// The condition that a file is in a folder or below it; the empty path is the whole version.
fn in_folder(folder: &str) -> Result<Sql> {
    let folder = folder.trim_end_matches('/');
    if folder.is_empty() {
        return Ok(Sql::new("TRUE"));
    }
    let folder = FilePath::parse("path", folder)?;
    let (low, high) = (format!("{}/", folder.as_str()), format!("{}0", folder.as_str()));
    Ok(Sql::new("f.path >= ? AND f.path < ?").bind(low).bind(high))
}

/// The files in a folder and below it, by path: all of them, for listings and archives.
pub async fn all_in(db: &Db, owner_id: &str, folder: &str) -> Result<Vec<File>> {
    let mut sql = Sql::new(concat!("SELECT ", columns!(), " FROM files f WHERE f.owner_id = ?"))
        .bind(owner_id)
        .and(in_folder(folder)?);
    sql.push(" ORDER BY f.path");
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// The files of a version or candidate as a list.
pub fn list(
    db: &Db,
    owner_id: &str,
    folder: Option<String>,
    search: Option<String>,
    page: Page,
) -> Result<Connection<File>> {
    let mut filter = in_folder(&folder.unwrap_or_default())?;
    if let Some(search) = text::search(search)? {
        filter = filter.and(db.contains(&["f.path"], &search));
    }
    let list = List {
        columns: columns!(),
        from: "files f",
        parent: Some("f.owner_id"),
        filter,
        sort: Sort::text("f.path", "f.path", OrderDirection::Asc),
    };
    Ok(Connection::new(list, page, owner_id))
}

/// How many files something has, and how large they are together.
#[derive(Clone, Copy, Default, sqlx::FromRow)]
pub struct Totals {
    count: i64,
    /// In bytes.
    pub size: i64,
}

impl Totals {
    pub fn count(self) -> i32 {
        i32::try_from(self.count).unwrap_or(i32::MAX)
    }
}

/// By the request's loader.
pub async fn load_totals(ctx: &Context<'_>, owner_id: &str) -> Result<Totals> {
    let totals = loaders(ctx).load_one(TotalsOf(owner_id.to_owned())).await?;
    Ok(totals.and_then(|totals| totals.first().copied()).unwrap_or_default())
}

load_by_owner!(
    /// How many files something has, and how large they are together.
    TotalsOf => Totals,
    "SELECT owner_id, COUNT(*) AS count, CAST(SUM(size) AS BIGINT) AS size FROM files WHERE ",
    "owner_id",
    " GROUP BY owner_id"
);

/// The parts of an address under /files, as they are in the database.
#[derive(Clone, sqlx::FromRow)]
pub struct Address {
    project: String,
    model: String,
    reference: String,
}

load_by_owner!(
    /// Where the files of a version or candidate are.
    AddressOf => Address,
    "SELECT a.owner_id, p.path AS project, m.name AS model, a.reference FROM (
         SELECT id AS owner_id, model_id, version AS reference FROM model_versions
         UNION ALL
         SELECT id, model_id, 'candidate:' || number FROM candidates
     ) a JOIN models m ON m.id = a.model_id JOIN projects p ON p.id = m.project_id WHERE ",
    "a.owner_id",
    ""
);

/// Removes blobs that no file points at: rows that nothing uses, and, where the server was interrupted
/// between a blob and its row, bytes without a row. Returns how many blobs went.
pub async fn sweep(app: &App) -> Result<usize> {
    let mut removed = 0;
    loop {
        let batch = app.store.remove(|| forget_unused(&app.db)).await?;
        removed += batch;
        if batch == 0 {
            break;
        }
    }
    let mut stored = std::pin::pin!(app.store.all());
    while let Some(chunk) = stored.next().await {
        let chunk = chunk?;
        removed += app.store.remove(|| without_row(&app.db, chunk)).await?;
    }
    Ok(removed)
}

async fn forget_unused(db: &Db) -> Result<Vec<String>> {
    let mut tx = db.begin().await?;
    let rows: Vec<(String,)> = query(
        "DELETE FROM blobs WHERE sha256 IN (
             SELECT b.sha256 FROM blobs b
             WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.sha256 = b.sha256) LIMIT 500)
         RETURNING sha256",
    )
    .fetch_all(&mut tx)
    .await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(|(sha256,)| sha256).collect())
}

async fn without_row(db: &Db, stored: Vec<String>) -> Result<Vec<String>> {
    let mut sql = Sql::new("SELECT sha256 FROM blobs WHERE ");
    sql.push_sql(Sql::is_in("sha256", &stored));
    let rows: Vec<(String,)> = Query::from(sql).fetch_all(db).await?;
    let named: std::collections::HashSet<String> =
        rows.into_iter().map(|(sha256,)| sha256).collect();
    Ok(stored.into_iter().filter(|sha256| !named.contains(sha256)).collect())
}
