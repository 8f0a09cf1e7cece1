//! Files as they are found: one, a folder, all of an object, and how much they are together.

use async_graphql::Context;

use crate::connection::Connection;
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::Result;
use crate::loader::{load_by_owner, loaders};
use crate::page::{List, OrderDirection, Page, Sort};
use crate::text::{self, FilePath};

use super::{File, columns};

/// The file at this path, in whatever normalisation form.
pub async fn find(conn: impl Into<Conn<'_>>, owner_id: &str, path: &str) -> Result<Option<File>> {
    if path.contains('\0') {
        return Ok(None);
    }
    let file =
        query(concat!("SELECT ", columns!(), " FROM files WHERE owner_id = $1 AND path = $2"))
            .bind(owner_id)
            .bind(text::nfc(path))
            .fetch_optional(conn)
            .await?;
    Ok(file)
}

/// How many names with `%` are looked at.
const MAX_LOOKED_AT: i64 = 20_000;

/// The first 20,000 paths with `%` in a folder, as they were sent; the empty folder is the top. They have an index of
/// their own.
pub async fn with_percent(
    conn: impl Into<Conn<'_>>,
    owner_id: &str,
    folder: &str,
) -> Result<Vec<String>> {
    let mut sql = Sql::new("SELECT COALESCE(f.sent_path, f.path) FROM files f WHERE f.owner_id = ");
    sql.push_value(owner_id).push(" AND f.path <> REPLACE(f.path, '%', '') AND ");
    sql.push_sql(in_folder(folder)?).push(" ORDER BY f.path LIMIT ").push_value(MAX_LOOKED_AT);
    let found: Vec<(String,)> = Query::from(sql).fetch_all(conn).await?;
    Ok(found.into_iter().map(|(path,)| path).collect())
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
pub(super) fn in_folder(folder: &str) -> Result<Sql> {
    let folder = folder.trim_end_matches('/');
    if folder.is_empty() {
        return Ok(Sql::new("TRUE"));
    }
    let folder = FilePath::parse("path", folder)?;
    let (low, high) = (format!("{}/", folder.key()), format!("{}0", folder.key()));
    Ok(Sql::new("f.path >= ? AND f.path < ?").bind(low).bind(high))
}

/// The files in a folder, in the order of paths, some at a time: there may be more than can be held.
#[derive(Clone)]
pub struct Walk {
    db: Db,
    owner_id: String,
    within: Sql,
    after: String,
    /// What was read and not given yet.
    first: Option<Vec<File>>,
}

impl Walk {
    /// Begins in a folder, or at the top; none where there is no such folder.
    pub async fn begin(db: Db, owner_id: &str, folder: &str) -> Result<Option<Self>> {
        let (owner_id, after) = (owner_id.to_owned(), String::new());
        let mut walk = Self { db, owner_id, within: in_folder(folder)?, after, first: None };
        let first = walk.read().await?;
        let is_there = !first.is_empty() || folder.trim_end_matches('/').is_empty();
        walk.first = Some(first);
        Ok(is_there.then_some(walk))
    }

    /// Begins once more.
    pub fn again(&self) -> Self {
        Self { after: String::new(), first: None, ..self.clone() }
    }

    /// Whether the CRC-32 of all of them is known.
    pub async fn have_crc32(&self) -> Result<bool> {
        let mut sql = Sql::new(
            "SELECT f.path FROM files f JOIN blobs b ON b.sha256 = f.sha256 WHERE f.owner_id = ?",
        )
        .bind(self.owner_id.as_str())
        .and(self.within.clone())
        .and(Sql::new("b.crc32 IS NULL AND b.size > 0"));
        sql.push(" LIMIT 1");
        let unknown: Option<(String,)> = Query::from(sql).fetch_optional(&self.db).await?;
        Ok(unknown.is_none())
    }

    /// The next files, some hundred; none at the end.
    pub async fn next(&mut self) -> Result<Vec<File>> {
        match self.first.take() {
            Some(first) => Ok(first),
            None => self.read().await,
        }
    }

    async fn read(&mut self) -> Result<Vec<File>> {
        let mut sql =
            Sql::new(concat!("SELECT ", columns!(), " FROM files f WHERE f.owner_id = ?"))
                .bind(self.owner_id.as_str())
                .and(self.within.clone())
                .and(Sql::new("f.path > ?").bind(self.after.as_str()));
        sql.push(" ORDER BY f.path").push_limit(500);
        let files: Vec<File> = Query::from(sql).fetch_all(&self.db).await?;
        if let Some(last) = files.last() {
            self.after = text::nfc(&last.path);
        }
        Ok(files)
    }
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

/// The parts of an address, without the path.
#[derive(Clone, sqlx::FromRow)]
pub struct Address {
    pub project: String,
    pub model: String,
    pub reference: String,
}

impl Address {
    /// Where the file with this path is, such as `vision/ocr/1.0.0/model.onnx`.
    pub fn of_file(&self, path: &str) -> String {
        let Self { project, model, reference } = self;
        format!("{project}/{model}/{reference}/{path}")
    }
}

macro_rules! addresses {
    () => {
        "SELECT a.owner_id, p.path AS project, a.model, a.reference FROM (
         SELECT v.id AS owner_id, m.project_id, m.name AS model, v.version AS reference
         FROM model_versions v JOIN models m ON m.id = v.model_id
         UNION ALL
         SELECT c.id, m.project_id, m.name, 'candidate:' || c.number
         FROM candidates c JOIN models m ON m.id = c.model_id
         UNION ALL
         SELECT c.id, e.project_id, '-', 'run:' || c.id
         FROM candidates c JOIN experiments e ON e.id = c.experiment_id WHERE c.model_id IS NULL
         UNION ALL
         SELECT q.id, q.id, '-', 'artifacts' FROM projects q
     ) a JOIN projects p ON p.id = a.project_id WHERE "
    };
}

load_by_owner!(
    /// Where the files of a version or candidate are.
    AddressOf => Address,
    addresses!(),
    "a.owner_id",
    ""
);

/// Where the files of a version or candidate are by now: it, or what it is in, may have a new name.
pub async fn find_address(conn: impl Into<Conn<'_>>, owner_id: &str) -> Result<Option<Address>> {
    let address =
        query(concat!(addresses!(), "a.owner_id = $1")).bind(owner_id).fetch_optional(conn).await?;
    Ok(address)
}

/// Whether clients get the files of a version, run or logged model from an object store themselves, as its project says.
pub async fn redirects_downloads(conn: impl Into<Conn<'_>>, owner_id: &str) -> Result<bool> {
    let (redirects,): (bool,) = query(
        "SELECT p.redirects_downloads FROM projects p WHERE p.id IN (
             SELECT m.project_id FROM model_versions v JOIN models m ON m.id = v.model_id WHERE v.id = $1
             UNION ALL SELECT e.project_id FROM candidates c JOIN experiments e ON e.id = c.experiment_id WHERE c.id = $1
             UNION ALL SELECT e.project_id FROM logged_models l JOIN experiments e ON e.id = l.experiment_id WHERE l.id = $1
             UNION ALL SELECT $1)",
    )
    .bind(owner_id)
    .fetch_one(conn)
    .await?;
    Ok(redirects)
}

/// A file or a folder, by its name in the folder that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    pub name: String,
    /// In bytes; none of a folder.
    pub size: Option<i64>,
}

/// What is directly in a folder, by name; the empty folder is the top. Leaves out what a run shows of the
/// models that it logged: those have it themselves.
///
/// Goes from child to child in the index of paths, so that a folder of a million files is one step.
pub async fn children(
    conn: impl Into<Conn<'_>>,
    owner_id: &str,
    folder: &str,
) -> Result<Vec<Child>> {
    let folder = match folder.trim_end_matches('/') {
        "" => String::new(),
        folder => FilePath::parse("path", folder)?.key().to_owned(),
    };
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let first = |from: Sql| {
        let mut sql = Sql::new("(SELECT f.path FROM files f WHERE f.owner_id = ?").bind(owner_id);
        sql = sql.and(from);
        if !folder.is_empty() {
            sql = sql.and(Sql::new("f.path < ?").bind(format!("{folder}0")));
        }
        sql = sql.and(Sql::new(NOT_OF_LOGGED_MODEL));
        sql.push(" ORDER BY f.path LIMIT 1)");
        sql
    };
    // What comes after a folder begins with 0, the character after the slash; what comes after a file is
    // the same with something behind it, and no path has a control character.
    let rest = format!("SUBSTR(c.path, {})", prefix.chars().count() + 1);
    let below = format!("LTRIM({rest}, REPLACE({rest}, '/', ''))");
    let after = Sql::new(format!(
        "f.path >= CASE WHEN LENGTH({below}) = 0 THEN c.path || CAST(? AS TEXT) \
         ELSE SUBSTR(c.path, 1, LENGTH(c.path) - LENGTH({below})) || '0' END"
    ));
    let mut sql = Sql::new("WITH RECURSIVE child (path) AS (SELECT ");
    sql.push_sql(first(Sql::new("f.path >= ?").bind(&prefix))).push(" UNION ALL SELECT ");
    sql.push_sql(first(after.bind("\u{1}"))).push(" FROM child c WHERE c.path IS NOT NULL) ");
    sql.push(
        "SELECT COALESCE(f.sent_path, f.path), f.size FROM child c JOIN files f ON f.path = c.path AND f.owner_id = ",
    );
    sql.push_value(owner_id);
    let rows: Vec<(String, i64)> = Query::from(sql).fetch_all(conn).await?;
    let mut children: Vec<Child> = rows
        .into_iter()
        .map(|(path, size)| {
            // The folder may be written in another form there.
            let mut rest = path.split('/').skip(prefix.matches('/').count());
            let name = rest.next().unwrap_or_default().to_owned();
            Child { name, size: rest.next().is_none().then_some(size) }
        })
        .collect();
    children.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(children)
}

/// The condition that a file is not there by reference to one of a model that the run logged.
pub(super) const NOT_OF_LOGGED_MODEL: &str = "NOT EXISTS (
    SELECT 1 FROM logged_models l JOIN files g ON g.owner_id = l.id
    WHERE l.candidate_id = f.owner_id AND l.folder IS NOT NULL AND g.sha256 = f.sha256
      AND SUBSTR(f.path, 1, LENGTH(l.folder) + 1) = l.folder || '/'
      AND g.path = SUBSTR(f.path, LENGTH(l.folder) + 2))";
