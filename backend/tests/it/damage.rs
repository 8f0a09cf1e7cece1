//! Damage as disks, power failures and people do it.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// Has an index of a column in an SQLite database lose the entries of some rows, which stay in the table: it has as many
/// as before, of something else.
pub async fn lose_entries(database: &Path, (table, column): (&str, &str), index: &str, of: &str) {
    run(database, &[&format!("UPDATE {table} SET {column} = 'x' || {column} WHERE {of}")]).await;
    let hidden = [
        "PRAGMA writable_schema = ON",
        &format!(
            "CREATE TABLE hidden AS SELECT * FROM sqlite_master WHERE name IN ('{table}', '{index}')"
        ),
        &format!(
            "UPDATE sqlite_master SET sql = REPLACE(sql, 'PRIMARY KEY', '')
             WHERE name = '{table}' AND '{index}' LIKE 'sqlite%'"
        ),
        &format!("DELETE FROM sqlite_master WHERE name = '{index}'"),
    ];
    run(database, &hidden).await;
    run(database, &[&format!("UPDATE {table} SET {column} = SUBSTR({column}, 2) WHERE {of}")])
        .await;
    let shown = [
        "PRAGMA writable_schema = ON",
        &format!(
            "UPDATE sqlite_master SET sql = (SELECT h.sql FROM hidden h WHERE h.name = '{table}')
             WHERE name = '{table}'"
        ),
        &format!("INSERT INTO sqlite_master SELECT * FROM hidden WHERE name = '{index}'"),
    ];
    run(database, &shown).await;
    run(database, &["DROP TABLE hidden"]).await;
}

/// Runs statements on a connection of their own, which asks no foreign key.
async fn run(database: &Path, statements: &[&str]) {
    let options = SqliteConnectOptions::new().filename(database).foreign_keys(false);
    let mut connection: SqliteConnection = options.connect().await.unwrap();
    for statement in statements {
        let sql = AssertSqlSafe((*statement).to_owned());
        sqlx::query(sql)
            .execute(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    connection.close().await.unwrap();
}
