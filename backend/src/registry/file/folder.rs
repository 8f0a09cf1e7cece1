//! Folders: what is directly in one, and removing all of it.

use super::{in_folder, published};
use crate::access::Writer;
use crate::change::Change;
use crate::db::{Conn, Query, Sql};
use crate::error::Result;
use crate::registry::target::Target;
use crate::text::{self, FilePath};

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
    let folder = folder.trim_end_matches('/');
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    if !folder.is_empty() {
        FilePath::parse("path", folder)?;
    }
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
        "SELECT c.path, f.size FROM child c JOIN files f ON f.path = c.path AND f.owner_id = ",
    );
    sql.push_value(owner_id);
    let rows: Vec<(String, i64)> = Query::from(sql).fetch_all(conn).await?;
    let mut children: Vec<Child> = rows
        .into_iter()
        .map(|(path, size)| {
            let path = path.strip_prefix(&prefix).unwrap_or(&path);
            match path.split_once('/') {
                Some((name, _)) => Child { name: name.to_owned(), size: None },
                None => Child { name: path.to_owned(), size: Some(size) },
            }
        })
        .collect();
    children.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(children)
}

/// The condition that a file is not there by reference to one of a model that the run logged.
const NOT_OF_LOGGED_MODEL: &str = "NOT EXISTS (
    SELECT 1 FROM logged_models l JOIN files g ON g.owner_id = l.id
    WHERE l.candidate_id = f.owner_id AND l.folder IS NOT NULL AND g.sha256 = f.sha256
      AND SUBSTR(f.path, 1, LENGTH(l.folder) + 1) = l.folder || '/'
      AND g.path = SUBSTR(f.path, LENGTH(l.folder) + 2))";

/// Removes the file at this path, or all in the folder of this name; the empty path is the top. Returns how
/// many there were.
pub async fn delete_all(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    path: &str,
) -> Result<u64> {
    if target.lock_files(change).await? {
        return Err(published());
    }
    let mut there = in_folder(path)?;
    there.push(" OR f.path = ").push_value(text::looked_up(path.trim_end_matches('/')));
    let sql = Sql::new("DELETE FROM files AS f WHERE f.owner_id = ?").bind(target.id()).and(there);
    let removed = Query::from(sql).execute(change).await?;
    if removed > 0 {
        let detail = serde_json::json!({ "path": path, "files": removed });
        change.record("file.delete", target.subject(), detail).await?;
    }
    Ok(removed)
}
