//! The rules of the layout that a compiler does not check.

use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    walk(&root.join(folder), &mut found);
    assert!(!found.is_empty());
    found
}

/// The code of a file: no comments, no tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn nowhere(folder: &str, except: &[&str], words: &[&str], rule: &str) {
    for (path, text) in sources(folder) {
        let name = path.to_string_lossy().replace('\\', "/");
        if except.iter().any(|allowed| name.contains(allowed)) {
            continue;
        }
        for word in words {
            assert!(!code(&text).contains(word), "{name} has {word:?}: {rule}");
        }
    }
}

#[test]
fn only_db_names_a_database() {
    let words = ["Sqlite", "Postgres", "PgPool", "PgRow"];
    nowhere("backend/src", &["backend/src/db/"], &words, "everything else goes through db");
}

#[test]
fn no_statement_depends_on_a_session() {
    let words = ["pg_advisory_lock", "pg_try_advisory_lock", "CREATE TEMP", "SET SESSION"];
    nowhere("backend/src", &[], &words, "a pooler may lend a connection for one transaction");
}

#[test]
fn there_is_one_way_in_for_bodies() {
    let words = [
        "to_bytes(body",
        "into_data_stream",
        "BodyExt",
        "Multipart,",
        "RawForm",
        "): Json<",
        "): Form<",
        "body: Bytes",
        "body: String",
    ];
    nowhere("backend/src", &["src/body.rs"], &words, "a body is read with a deadline, in body.rs");
}

#[test]
fn sql_is_beside_what_it_is_about() {
    let words = ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM"];
    let except = [
        "src/registry/",
        "src/access/",
        "src/log.rs",
        "src/sql.rs",
        "src/change.rs",
        "src/db/",
        "src/page.rs",
        "src/connection.rs",
        "src/filter/",
        "src/telemetry.rs",
        "src/loader.rs",
    ];
    nowhere("backend/src", &except, &words, "a concept's SQL is in its own file");
}

#[test]
fn the_registry_does_not_know_http() {
    nowhere("backend/src/registry", &[], &["axum", "hyper"], "registry never imports axum");
    nowhere(
        "backend/src/registry",
        &[],
        &["crate::graphql", "crate::files", "crate::mlflow", "crate::web"],
        "dependencies point one way",
    );
}

#[test]
fn components_know_no_graphql() {
    nowhere(
        "frontend/src/components",
        &[],
        &["graphql", "crate::api"],
        "pages fetch, components show",
    );
}

#[test]
fn every_file_begins_with_what_it_is_and_stays_readable() {
    for folder in ["backend/src", "frontend/src"] {
        for (path, text) in sources(folder) {
            assert!(text.starts_with("//!"), "{} has no module doc", path.display());
            let lines = text.lines().count();
            assert!(
                lines <= 500,
                "{} has {lines} lines: which concept is hiding in it?",
                path.display()
            );
        }
    }
}
