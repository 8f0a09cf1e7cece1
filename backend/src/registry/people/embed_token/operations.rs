//! The operations of an embed token, where it is for some only: a safelist. Each is kept as text, and named by its SHA-256.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::OperationType;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::change::Change;
use crate::db::{Conn, query};
use crate::error::{Error, Result};
use crate::id::EmbedTokenId;
use crate::limits;

/// How many operations a token has.
const MAX_OPERATIONS: usize = 50;

/// What a text is named by: its SHA-256 in hexadecimal digits.
pub fn hash_of(query: &str) -> String {
    hex::encode(Sha256::digest(query))
}

/// The operation of a token with this name; none if the token is not for it.
pub async fn find(
    conn: impl Into<Conn<'_>>,
    token: &EmbedTokenId,
    hash: &str,
) -> Result<Option<String>> {
    let found: Option<(String,)> =
        query("SELECT query FROM embed_token_operations WHERE token_id = $1 AND query_sha256 = $2")
            .bind(token)
            .bind(hash)
            .fetch_optional(conn)
            .await?;
    Ok(found.map(|(query,)| query))
}

pub(super) async fn insert(
    change: &mut Change,
    token: &EmbedTokenId,
    operations: &Operations,
) -> Result<()> {
    for (hash, text) in &operations.0 {
        query(
            "INSERT INTO embed_token_operations (token_id, query_sha256, query) VALUES ($1, $2, $3)",
        )
        .bind(token)
        .bind(hash)
        .bind(text)
        .execute(change)
        .await?;
    }
    Ok(())
}

/// Texts of operations by their names.
pub struct Operations(IndexMap<String, String>);

impl Operations {
    /// Those that are given one by one, and those of a manifest. It has all operations of an app: those that change something
    /// are left out.
    pub fn parse(given: Vec<String>, manifest: Option<&str>) -> Result<Self> {
        let mut all = IndexMap::new();
        for text in given {
            if changes(&text)? {
                let reason = "must be a query or a subscription: an embed token can only read";
                return Err(wrong(&text, reason));
            }
            all.insert(hash_of(&text), text);
        }
        for (name, text) in manifest.map(of_manifest).transpose()?.into_iter().flatten() {
            if !changes(&text)? {
                all.insert(name, text);
            }
        }
        if !(1..=MAX_OPERATIONS).contains(&all.len()) {
            let reason = format!("must be 1 to {MAX_OPERATIONS}, or omitted for all");
            return Err(Error::invalid("operations", reason));
        }
        Ok(Self(all))
    }
}

fn wrong(text: &str, reason: &str) -> Error {
    let begin: String = text.chars().take(60).collect();
    Error::invalid("operations", format!("{begin:?} {reason}"))
}

/// Whether a document has a mutation. What could never run is refused, so that whoever makes the token is told, and not every
/// page.
fn changes(text: &str) -> Result<bool> {
    // No database takes it, and a comment may have it.
    if text.contains('\0') {
        return Err(wrong(text, "must not have the character NUL"));
    }
    let document = limits::check(text)
        .map_err(|error| wrong(text, &format!("can't run: {}", error.message())))?;
    let mut operations = document.operations.iter();
    Ok(operations.any(|(_, operation)| operation.node.ty == OperationType::Mutation))
}

/// `persisted-query-manifest.json` as Apollo's clients write it
/// (apollographql.com/docs/graphos/operations/persisted-queries), or `{"hash": "query …"}`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Apollo { format: String, version: u32, operations: Vec<Listed> },
    Flat(IndexMap<String, String>),
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    #[serde(rename = "body")]
    text: String,
}

/// The operations of a manifest. They are found by their text, too, whatever it names them.
fn of_manifest(text: &str) -> Result<IndexMap<String, String>> {
    let wrong = |reason: String| Error::invalid("manifest", reason);
    let manifest: Manifest = serde_json::from_str(text).map_err(|_| {
        wrong(
            "must be JSON: Apollo's persisted query manifest, or {\"SHA-256\": \"query …\"}".into(),
        )
    })?;
    let named = match manifest {
        Manifest::Apollo { format, version, .. }
            if format != "apollo-persisted-query-manifest" || version != 1 =>
        {
            return Err(wrong("must be an apollo-persisted-query-manifest of version 1".into()));
        }
        Manifest::Apollo { operations, .. } => {
            operations.into_iter().map(|listed| (listed.id, listed.text)).collect()
        }
        Manifest::Flat(named) => named,
    };
    if let Some((name, _)) = named.iter().find(|(name, text)| **name != hash_of(text)) {
        let name: String = name.chars().take(80).collect();
        return Err(wrong(format!(
            "{name:?} is not the SHA-256 of its operation in hexadecimal digits"
        )));
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_manifest_are_read() {
        let query = "{ models { totalCount } }";
        let hash = hash_of(query);
        let flat = serde_json::json!({ &hash: query });
        let apollo = serde_json::json!({"format": "apollo-persisted-query-manifest", "version": 1, "operations":
            [{"id": hash, "name": "A", "type": "query", "body": query}]});
        for manifest in [&flat, &apollo] {
            let read = Operations::parse(vec![query.into()], Some(&manifest.to_string())).unwrap();
            assert_eq!(read.0, IndexMap::from([(hash.clone(), query.to_owned())]));
        }
        let other = serde_json::json!({"format": "relay", "version": 1, "operations": []});
        let wrong = serde_json::json!({"abc": query});
        for manifest in
            [other.to_string(), wrong.to_string(), "[]".into(), String::new(), "{}".into()]
        {
            assert!(Operations::parse(vec![], Some(&manifest)).is_err(), "{manifest}");
        }
        assert!(Operations::parse(vec![], None).is_err());
        for wrong in [
            "",
            "{",
            "mutation { signOut { __typename } }",
            "query A { a } mutation B { b }",
            "{ a } # \0",
        ] {
            assert!(Operations::parse(vec![wrong.to_owned()], None).is_err(), "{wrong:?}");
        }
        assert!(
            Operations::parse(vec!["subscription { modelsChanged { __typename } }".into()], None)
                .is_ok()
        );
        let write = "mutation { signOut { __typename } }";
        let app = serde_json::json!({ hash_of(write): write, &hash: query }).to_string();
        assert_eq!(Operations::parse(vec![], Some(&app)).unwrap().0.len(), 1, "what reads");
        let many = |count: usize| (0..count).map(|n| format!("{{ a{n} }}")).collect();
        assert!(Operations::parse(many(50), None).is_ok());
        assert!(Operations::parse(many(51), None).is_err());
    }
}
