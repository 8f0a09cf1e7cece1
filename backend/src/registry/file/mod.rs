//! Files: paths inside a version or candidate that point at blobs.
//!
//! Write-once in a version: the same bytes again are fine, other bytes a conflict. In a candidate, which
//! is a run that may write its checkpoint again, a later upload takes the path over. Never touches bytes:
//! those are in the store before a row names them.

mod address;
mod folder;
mod sweep;

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::access::{Writer, actor};
use crate::change::Change;
use crate::connection::{Connection, Node};
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::loader::{load_by_owner, loaders};
use crate::long::Long;
use crate::page::{List, OrderDirection, Page, Sort};
use crate::registry::object;
use crate::registry::payload;
use crate::registry::target::{Target, TargetId};
use crate::store::Blob;
use crate::text::{self, FilePath};
use crate::time::Timestamp;

pub use address::{Address, find_address};
pub use folder::{Child, children, delete_all};
pub use sweep::sweep;

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
        let owner = loaders(ctx).load_one(address::AddressOf(self.owner_id.clone())).await?;
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
    if target.sealed && find(conn, target.id(), path.as_str()).await?.is_none() {
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
    let sealed = target.lock_files(change).await?;
    let old = find(&mut **change, target.id(), path.as_str()).await?;
    if let Some(old) = &old {
        if old.sha256 == blob.sha256 {
            return Ok(Put::Unchanged(old.clone()));
        }
        if matches!(target.id, TargetId::Version(_)) || sealed {
            return Err(Error::Conflict(format!(
                "{} has other bytes already, and is written once: {}",
                path.as_str(),
                if sealed { "make a new version" } else { "delete it first" },
            )));
        }
    }
    if sealed {
        return Err(published());
    }
    check_no_folder_clash(&mut **change, target, path).await?;
    let content_type = content_type(path);
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

pub async fn delete(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    path: &str,
) -> Result<File> {
    if target.lock_files(change).await? {
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

/// The media type of a file, by its name: MLflow's own are text.
fn content_type(path: &FilePath) -> String {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    if name.eq_ignore_ascii_case("MLmodel") || name.eq_ignore_ascii_case("MLproject") {
        return "text/plain".to_owned();
    }
    mime_guess::from_path(name).first_or_octet_stream().to_string()
}

fn published() -> Error {
    Error::Conflict(
        "it is published or finished, and its files never change: make a new one".into(),
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

/// Gives something the files in a folder of something else, by reference, in a folder of its own; the
/// empty one is the top.
pub async fn copy_folder(
    change: &mut Change,
    (from, folder): (&str, &str),
    (to, new_folder): (&str, &str),
) -> Result<()> {
    let prefix =
        |folder: &str| if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let cut = i64::try_from(prefix(folder).chars().count()).unwrap_or(0);
    let mut sql = Sql::new(
        "INSERT INTO files (owner_id, path, sha256, size, content_type, author_id, created_at_ms) SELECT ",
    );
    sql.push("CAST(").push_value(to).push(" AS TEXT), CAST(").push_value(prefix(new_folder));
    sql.push(" AS TEXT) || SUBSTR(f.path, CAST(")
        .push_value(cut + 1)
        .push(" AS INTEGER)), f.sha256, f.size, ");
    sql.push("f.content_type, f.author_id, CAST(").push_value(change.now).push(" AS BIGINT)");
    sql.push(" FROM files f WHERE f.owner_id = ").push_value(from);
    Query::from(sql.and(in_folder(folder)?)).execute(change).await?;
    Ok(())
}

/// Whether there is a file at this path, or in a folder of this name.
pub async fn is_taken(change: &mut Change, owner_id: &str, path: &str) -> Result<bool> {
    let mut sql = Sql::new("SELECT f.path FROM files f WHERE f.owner_id = ?").bind(owner_id);
    sql = sql.and({
        let mut there = in_folder(path)?;
        there.push(" OR f.path = ").push_value(path);
        there
    });
    sql.push(" LIMIT 1");
    let found: Option<(String,)> = Query::from(sql).fetch_optional(&mut **change).await?;
    Ok(found.is_some())
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

/// The one folder that has a file of this name: the empty one is the top. None where no folder has, or,
/// below the top, several.
pub async fn folder_of(
    conn: impl Into<Conn<'_>>,
    owner_id: &str,
    name: &'static str,
) -> Result<Option<String>> {
    let found: Vec<(String,)> = query(
        "SELECT path FROM files WHERE owner_id = $1 AND (path = $2 OR path LIKE '%/' || $2)
         ORDER BY LENGTH(path) LIMIT 2",
    )
    .bind(owner_id)
    .bind(name)
    .fetch_all(conn)
    .await?;
    let folder = |path: &str| path.strip_suffix(name).map(|f| f.trim_end_matches('/').to_owned());
    Ok(match found.as_slice() {
        [(path,)] => folder(path),
        [(path,), _] if path == name => Some(String::new()),
        _ => None,
    })
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
