//! The rules of files: those of a draft or a run are put and deleted, those of what is published stay.

use super::{File, columns, sql};
use crate::access::Writer;
use crate::action::Action;
use crate::change::Change;
use crate::db::{Conn, Query, Sql, query};
use crate::error::{Error, Result};
use crate::id::CandidateId;
use crate::registry::catalog::blob;
use crate::registry::target::{self, Target, TargetId};
use crate::store::Blob;
use crate::text::{self, FilePath};

/// What came of an upload.
pub struct Put {
    pub file: File,
    pub outcome: Outcome,
    /// Whether the bytes that came are the copy of the blob from now on: if not, it had one.
    pub is_copy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Created,
    /// The path had these bytes already.
    Unchanged,
    /// The path of a candidate had other bytes.
    Replaced,
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
    let new = if target.sealed { Err(published()) } else { path.check_new() };
    if new.is_ok() && path.as_str().is_ascii() {
        return Ok(());
    }
    let old = sql::find(conn.again(), target.id(), path.as_str()).await?;
    check_same_form(conn, target, path).await?;
    if old.is_some() { Ok(()) } else { new }
}

/// Refuses files of what takes none any more, whatever their paths.
pub fn check_takes_files(_writer: &Writer, target: &Target) -> Result<()> {
    if target.sealed { Err(published()) } else { Ok(()) }
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
    // Before the row of the blob, as whoever puts a file into the run locks them.
    let run = showing_run(change, target).await?;
    let old = sql::find(&mut **change, target.id(), path.as_str()).await?;
    check_same_form(&mut **change, target, path).await?;
    if let Some(old) = &old {
        if old.sha256 == blob.sha256 {
            // Their copy may be lost.
            let is_copy = blob::rules::put(change, blob).await?;
            return Ok(Put { file: old.clone(), outcome: Outcome::Unchanged, is_copy });
        }
        if matches!(target.id, TargetId::Version(_)) || sealed {
            return Err(Error::Conflict(format!(
                "{} already has other content, and files can't be overwritten. {}",
                path.as_str(),
                if sealed { "Create a new version." } else { "Delete the file first." },
            )));
        }
    }
    if sealed {
        return Err(published());
    }
    if old.is_none() {
        path.check_new()?;
    }
    check_no_folder_clash(&mut **change, target, path).await?;
    let content_type = content_type(path);
    let is_copy = blob::rules::put(change, blob).await?;
    let file: File = query(concat!(
        "INSERT INTO files (owner_id, path, sent_path, sha256, size, content_type, author_id, created_at_ms, form_known)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, TRUE)
         ON CONFLICT (owner_id, path) DO UPDATE
         SET sha256 = excluded.sha256, size = excluded.size, author_id = excluded.author_id,
             created_at_ms = excluded.created_at_ms, sent_path = excluded.sent_path, form_known = TRUE
         RETURNING ",
        columns!()
    ))
    .bind(target.id())
    .bind(path.key())
    .bind(path.sent())
    .bind(&blob.sha256)
    .bind(blob.size)
    .bind(content_type)
    .bind(change.author())
    .bind(change.now)
    .fetch_one(&mut **change)
    .await?;
    if run.is_some() {
        show_in_run(change, target, path, old.as_ref()).await?;
    }
    let detail = serde_json::json!({ "path": file.path, "size": blob.size, "sha256": blob.sha256 });
    change.record(Action::FilePut, target.subject(), detail).await?;
    let outcome = if old.is_some() { Outcome::Replaced } else { Outcome::Created };
    Ok(Put { file, outcome, is_copy })
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
    hide_in_run(change, target, path).await?;
    let file: File = query(concat!(
        "DELETE FROM files WHERE owner_id = $1 AND path = $2 RETURNING ",
        columns!()
    ))
    .bind(target.id())
    .bind(text::nfc(text::looked_up(path)))
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(|| Error::not_found("file", path))?;
    let detail = serde_json::json!({ "path": file.path, "sha256": file.sha256 });
    change.record(Action::FileDelete, target.subject(), detail).await?;
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
        "This version is published: its files can't be changed. Create a new one.".into(),
    )
}

/// Refuses a name that is there in another normalisation form: they look the same, and some disks hold only one. Of names
/// from before forms were kept nobody knows how they were sent: they are the same in any.
async fn check_same_form(
    conn: impl Into<Conn<'_>>,
    target: &Target,
    path: &FilePath,
) -> Result<()> {
    if path.as_str().is_ascii() {
        return Ok(());
    }
    // Files of a folder stand together, and write it in one form: those right before and after tell.
    let mut sql = Sql::new("");
    for (than, order) in [(" = ", ""), (" < ", " DESC"), (" > ", "")] {
        sql.push(if than == " = " { "" } else { " UNION ALL " });
        sql.push("SELECT * FROM (SELECT COALESCE(f.sent_path, f.path), f.form_known FROM files f WHERE f.owner_id = ");
        sql.push_value(target.id()).push(" AND f.path").push(than).push_value(path.key());
        sql.push(" ORDER BY f.path").push(order).push(" LIMIT 1) AS near");
    }
    let near: Vec<(String, bool)> = Query::from(sql).fetch_all(conn).await?;
    let is_twin = |there: &String| {
        let other =
            path.as_str().split('/').zip(there.split('/')).find(|(here, there)| here != there);
        other.is_some_and(|(here, there)| text::nfc(here) == text::nfc(there))
    };
    match near.iter().find(|(there, known)| *known && is_twin(there)) {
        Some((there, _)) => Err(other_form(there)),
        None => Ok(()),
    }
}

fn other_form(there: &str) -> Error {
    Error::Conflict(format!(
        "{there} is there, written in another Unicode normalisation form: write the path as that, or delete that first"
    ))
}

/// A path cannot be a file and a folder at once: no archive or disk could hold both.
async fn check_no_folder_clash(
    conn: impl Into<Conn<'_>>,
    target: &Target,
    path: &FilePath,
) -> Result<()> {
    // Files below `a/b` sort between `a/b/` and `a/b0`, as 0 comes right after the slash.
    let (low, high) = (format!("{}/", path.key()), format!("{}0", path.key()));
    let mut clash = Sql::new("(f.path >= ? AND f.path < ?) OR ").bind(low).bind(high);
    clash.push_sql(Sql::is_in("f.path", path.folders()));
    let mut sql = Sql::new("SELECT f.path FROM files f WHERE f.owner_id = ?").bind(target.id());
    sql = sql.and(clash);
    sql.push(" LIMIT 1");
    let found: Option<(String,)> = Query::from(sql).fetch_optional(conn).await?;
    match found {
        Some((other,)) => Err(Error::Conflict(format!(
            "{} can't be stored: {other} exists, and a path is either a file or a folder. Choose another path.",
            path.as_str()
        ))),
        None => Ok(()),
    }
}

/// Gives something the files in a folder of something else, or its one file of that path, by reference, in a folder of its
/// own; the empty one is the top.
pub async fn copy(
    change: &mut Change,
    (from, path): (&str, &str),
    (to, new_folder): (&str, &str),
) -> Result<()> {
    let path = text::nfc(path.trim_matches('/'));
    let is_file = sql::find(&mut **change, from, &path).await?.is_some();
    let (outside, within) = match path.rsplit_once('/') {
        _ if !is_file => (path.as_str(), sql::in_folder(&path)?),
        outside => {
            let outside = outside.map_or("", |(outside, _)| outside);
            (outside, Sql::new("f.path = ?").bind(path.as_str()))
        }
    };
    let new_folder = text::nfc(new_folder);
    let prefix = if new_folder.is_empty() { new_folder } else { format!("{new_folder}/") };
    let cut = if outside.is_empty() { 0 } else { outside.chars().count() + 1 };
    let mut sql = Sql::new(
        "INSERT INTO files (owner_id, path, sha256, size, content_type, author_id, form_known, created_at_ms) \
         SELECT CAST(",
    );
    sql.push_value(to).push(" AS TEXT), CAST(").push_value(prefix.as_str());
    sql.push(&format!(" AS TEXT) || SUBSTR(f.path, {}), ", cut + 1));
    sql.push("f.sha256, f.size, f.content_type, f.author_id, f.form_known, CAST(");
    sql.push_value(change.now).push(" AS BIGINT) FROM files f WHERE f.owner_id = ");
    sql.push_value(from);
    Query::from(sql.and(within.clone())).execute(&mut *change).await?;
    let mut sql = Sql::new(
        "SELECT f.path, f.sent_path FROM files f WHERE f.sent_path IS NOT NULL AND f.owner_id = ?",
    );
    sql = sql.bind(from).and(within);
    let written: Vec<(String, String)> = Query::from(sql).fetch_all(&mut **change).await?;
    let depth = outside.split('/').filter(|part| !part.is_empty()).count();
    for (path, sent) in written {
        // Cut by parts: the folder that they were in may be of another length as it was sent.
        let inside =
            |path: &str| path.splitn(depth + 1, '/').last().map(|rest| format!("{prefix}{rest}"));
        let (path, sent) = (inside(&path), inside(&sent));
        query("UPDATE files SET sent_path = $3 WHERE owner_id = $1 AND path = $2")
            .bind(to)
            .bind(path.clone())
            .bind(sent.filter(|sent| Some(sent) != path.as_ref()))
            .execute(&mut *change)
            .await?;
    }
    Ok(())
}

/// The run that shows the files of a logged model, locked; none where there is none, or it is in the trash.
async fn showing_run(change: &mut Change, target: &Target) -> Result<Option<CandidateId>> {
    let TargetId::LoggedModel(model) = &target.id else { return Ok(None) };
    let run: Option<(CandidateId,)> = query(
        "SELECT candidate_id FROM logged_models
         WHERE id = $1 AND folder IS NOT NULL AND candidate_id IS NOT NULL",
    )
    .bind(model)
    .fetch_optional(&mut **change)
    .await?;
    let Some((run,)) = run else { return Ok(None) };
    match target::touch(change, &run).await {
        Ok(()) => Ok(Some(run)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives the run that shows a logged model a file that the model has now, in place of the one that it had before. What
/// the run itself has there stays, and what it would be in the way of.
async fn show_in_run(
    change: &mut Change,
    target: &Target,
    path: &FilePath,
    old: Option<&File>,
) -> Result<()> {
    query(
        "INSERT INTO files (owner_id, path, sent_path, sha256, size, content_type, author_id, created_at_ms)
         SELECT l.candidate_id, l.folder || '/' || f.path, l.folder || '/' || f.sent_path, f.sha256, f.size, f.content_type, f.author_id, f.created_at_ms
         FROM logged_models l JOIN files f ON f.owner_id = l.id
         WHERE l.id = $1 AND f.path = $2 AND NOT EXISTS (
             SELECT 1 FROM files g
             WHERE g.owner_id = l.candidate_id AND g.path > l.folder || '/' AND g.path < l.folder || '0'
               AND (SUBSTR(g.path || '/', 1, LENGTH(l.folder || '/' || f.path || '/')) = l.folder || '/' || f.path || '/'
                    OR SUBSTR(l.folder || '/' || f.path, 1, LENGTH(g.path || '/')) = g.path || '/')
               AND g.path <> l.folder || '/' || f.path)
         ON CONFLICT (owner_id, path) DO UPDATE
         SET sha256 = excluded.sha256, size = excluded.size, author_id = excluded.author_id,
             created_at_ms = excluded.created_at_ms
         WHERE files.sha256 = $3",
    )
    .bind(target.id())
    .bind(path.key())
    .bind(old.map(|old| old.sha256.clone()))
    .execute(change)
    .await?;
    Ok(())
}

/// Takes from the run that shows a logged model what is to be removed from the model: the file at this path, or all in
/// the folder.
async fn hide_in_run(change: &mut Change, target: &Target, path: &str) -> Result<()> {
    let Some(run) = showing_run(change, target).await? else { return Ok(()) };
    let mut there = sql::in_folder(path)?;
    there.push(" OR f.path = ").push_value(text::nfc(text::looked_up(path.trim_end_matches('/'))));
    let mut gone = Sql::new("SELECT l.folder || '/' || f.path FROM logged_models l JOIN files f ON f.owner_id = l.id \
                             JOIN files g ON g.path = l.folder || '/' || f.path AND g.sha256 = f.sha256 WHERE l.id = ?")
        .bind(target.id());
    gone = gone.and(Sql::new("g.owner_id = ?").bind(&run)).and(there);
    let mut sql = Sql::new("DELETE FROM files WHERE owner_id = ?").bind(&run);
    sql.push(" AND path IN (").push_sql(gone).push(")");
    Query::from(sql).execute(change).await?;
    Ok(())
}

/// Whether there is a file at this path, or in a folder of this name.
pub async fn is_taken(change: &mut Change, owner_id: &str, path: &str) -> Result<bool> {
    let mut sql = Sql::new("SELECT f.path FROM files f WHERE f.owner_id = ?").bind(owner_id);
    sql = sql.and({
        let mut there = sql::in_folder(path)?;
        there.push(" OR f.path = ").push_value(text::nfc(path));
        there
    });
    sql.push(" LIMIT 1");
    let found: Option<(String,)> = Query::from(sql).fetch_optional(&mut **change).await?;
    Ok(found.is_some())
}

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
    hide_in_run(change, target, path).await?;
    let mut there = sql::in_folder(path)?;
    there.push(" OR f.path = ").push_value(text::nfc(text::looked_up(path.trim_end_matches('/'))));
    let sql = Sql::new("DELETE FROM files AS f WHERE f.owner_id = ?").bind(target.id()).and(there);
    let removed = Query::from(sql).execute(change).await?;
    if removed > 0 {
        let detail = serde_json::json!({ "path": path, "files": removed });
        change.record(Action::FileDelete, target.subject(), detail).await?;
    }
    Ok(removed)
}
