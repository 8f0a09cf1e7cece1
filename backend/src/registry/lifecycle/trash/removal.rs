//! The end of what was in the trash: it is gone at once for everybody, and what it has goes in pieces.
//!
//! A run may have millions of points, and one transaction that deletes them would keep everybody waiting. So its own row
//! goes, its row in `objects` is marked as ended, and tags, params, metrics and files, which hang on that, are removed some
//! thousand at a time. What a crash leaves is marked still, and goes after the next start. Blobs are swept later.

use crate::app::App;
use crate::change::Change;
use crate::db::{Query, Sql, Tx, query};
use crate::error::Result;

/// How many rows are removed at once, and of how many objects.
const ROWS: i64 = 10_000;
const OBJECTS: i64 = 500;

/// Removes what ended objects have, until nothing is left. One does at a time.
pub async fn finish(app: &App) -> Result<()> {
    let Ok(_alone) = app.removing.try_lock() else { return Ok(()) };
    let db = app.db.patient();
    loop {
        let mut tx = db.begin().await?;
        let is_over = remove_piece(&mut tx).await?;
        tx.commit().await?;
        if is_over {
            return Ok(());
        }
    }
}

/// A statement that removes some of what the first ended objects have in a table with this key.
macro_rules! remove {
    ($table:literal, $key:literal, $of_x:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE (",
            $key,
            ") IN (SELECT ",
            $of_x,
            " FROM (SELECT id FROM objects WHERE ended ORDER BY id LIMIT $1) o CROSS JOIN ",
            $table,
            " x WHERE x.owner_id = o.id LIMIT $2)"
        )
    };
}

/// Removes some of what ended objects have; returns whether nothing is left.
pub(super) async fn remove_piece(tx: &mut Tx) -> Result<bool> {
    // One after the other: with PostgreSQL two servers could wait for each other's rows.
    query("UPDATE registry SET one = one").execute(tx).await?;
    for statement in [
        remove!(
            "metric_points",
            "owner_id, name, step, timestamp_ms, value_order",
            "x.owner_id, x.name, x.step, x.timestamp_ms, x.value_order"
        ),
        remove!("files", "owner_id, path", "x.owner_id, x.path"),
        remove!("tags", "owner_id, key", "x.owner_id, x.key"),
        remove!("params", "owner_id, name", "x.owner_id, x.name"),
        remove!("metrics", "owner_id, name", "x.owner_id, x.name"),
    ] {
        let removed = query(statement).bind(OBJECTS).bind(ROWS).execute(tx).await?;
        if removed >= ROWS.unsigned_abs() {
            return Ok(false);
        }
    }
    let objects =
        "DELETE FROM objects WHERE id IN (SELECT id FROM objects WHERE ended ORDER BY id LIMIT $1)";
    Ok(query(objects).bind(OBJECTS).execute(tx).await? < OBJECTS.unsigned_abs())
}

/// Ends the objects of a table that a condition over `t` chooses by `id`.
async fn end(change: &mut Change, table: &str, condition: &str, id: &str) -> Result<()> {
    let delete = format!(
        "DELETE FROM {table} WHERE id IN (SELECT t.id FROM {table} t WHERE {condition}) RETURNING id"
    );
    let ended: Vec<(String,)> =
        Query::from(Sql::new(delete).bind(id)).fetch_all(&mut **change).await?;
    // Of those, and of no others that came meanwhile.
    for ended in ended.chunks(1000) {
        let mut mark = Sql::new("UPDATE objects SET ended = TRUE WHERE ");
        mark.push_sql(Sql::is_in("id", ended.iter().map(|(id,)| id)));
        Query::from(mark).execute(change).await?;
    }
    Ok(())
}

async fn run(change: &mut Change, statements: &[&'static str], id: &str) -> Result<()> {
    for statement in statements {
        query(statement).bind(id).execute(change).await?;
    }
    Ok(())
}

/// The tombstones of published versions whose `$1` is in a column: their names are not given again, nor those that
/// they had before their model was renamed.
macro_rules! bury {
    ($column:literal) => {
        concat!(
            "INSERT INTO version_tombstones (project_id, model, version, precedence, prerelease, number, digest)
             SELECT m.project_id, m.name, v.version, v.precedence, v.prerelease, v.number, v.digest
             FROM model_versions v JOIN models m ON m.id = v.model_id
             WHERE v.state = 'PUBLISHED' AND ",
            $column,
            " = $1
             UNION SELECT f.project_id, f.name, v.version, v.precedence, v.prerelease, v.number, v.digest
             FROM model_versions v JOIN former_names f ON f.model_id = v.model_id
             WHERE v.state = 'PUBLISHED' AND ",
            $column,
            " = $1 ON CONFLICT (project_id, model, version) DO NOTHING"
        )
    };
}

pub(super) async fn end_model(change: &mut Change, id: &str) -> Result<()> {
    let statements = [
        // Locks it: its experiment may be asked for, and made, meanwhile.
        "UPDATE models SET last_candidate = last_candidate WHERE id = $1",
        "INSERT INTO model_tombstones (project_id, name, last_version)
         SELECT project_id, name, last_version FROM models WHERE id = $1
         UNION SELECT f.project_id, f.name, m.last_version FROM former_names f JOIN models m ON m.id = f.model_id
               WHERE f.model_id = $1
         ON CONFLICT (project_id, name) DO UPDATE SET last_version = excluded.last_version
         WHERE excluded.last_version > model_tombstones.last_version",
        bury!("v.model_id"),
        "DELETE FROM alias_moves WHERE model_id = $1",
        "DELETE FROM aliases WHERE model_id = $1",
        "DELETE FROM protected_aliases WHERE model_id = $1",
        "DELETE FROM embed_token_models WHERE model_id = $1",
    ];
    run(change, &statements, id).await?;
    end(change, "model_versions", "t.model_id = ?", id).await?;
    end_runs(change, "c.model_id", id).await?;
    end_experiments(change, "e.model_id", id).await?;
    run(change, &["DELETE FROM names WHERE object_id = $1"], id).await?;
    end(change, "models", "t.id = ?", id).await
}

pub(super) async fn end_version(change: &mut Change, id: &str) -> Result<()> {
    let statements = [
        bury!("v.id"),
        "DELETE FROM aliases WHERE version_id = $1",
        "UPDATE alias_moves SET version_id = NULL WHERE version_id = $1",
    ];
    run(change, &statements, id).await?;
    end(change, "model_versions", "t.id = ?", id).await
}

pub(super) async fn end_candidate(change: &mut Change, id: &str) -> Result<()> {
    end_runs(change, "c.id", id).await
}

pub(super) async fn end_experiment(change: &mut Change, id: &str) -> Result<()> {
    end_runs(change, "c.experiment_id", id).await?;
    end_experiments(change, "e.id", id).await
}

/// Ends the runs that have `id` in a column. Versions and logged models that were made from them stay.
async fn end_runs(change: &mut Change, column: &str, id: &str) -> Result<()> {
    let runs = format!("(SELECT c.id FROM candidates c WHERE {column} = ?)");
    for statement in [
        "UPDATE model_versions SET candidate_id = NULL WHERE candidate_id IN ",
        "UPDATE logged_models SET source_run_id = candidate_id, candidate_id = NULL, folder = NULL \
         WHERE candidate_id IN ",
    ] {
        Query::from(Sql::new(format!("{statement}{runs}")).bind(id)).execute(change).await?;
    }
    end(change, "dataset_inputs", &format!("t.candidate_id IN {runs}"), id).await?;
    end(change, "candidates", &format!("t.id IN {runs}"), id).await
}

/// Ends the experiments, without runs by now, that have `id` in a column.
async fn end_experiments(change: &mut Change, column: &str, id: &str) -> Result<()> {
    let experiments = format!("(SELECT e.id FROM experiments e WHERE {column} = ?)");
    end(change, "logged_models", &format!("t.experiment_id IN {experiments}"), id).await?;
    let datasets = format!("DELETE FROM datasets WHERE experiment_id IN {experiments}");
    Query::from(Sql::new(datasets).bind(id)).execute(change).await?;
    end(change, "experiments", &format!("t.id IN {experiments}"), id).await
}
