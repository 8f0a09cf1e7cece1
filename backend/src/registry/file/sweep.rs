//! Sweeping: blobs that no file points at are removed, never while one may be about to.

use futures_util::StreamExt;

use crate::app::App;
use crate::db::{Db, Query, Sql, query};
use crate::error::Result;

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
