//! What models can be narrowed down by: their tags, frameworks, licences and authors, and how many have each.
//!
//! A framework is what the tag `framework` says, and each flavor of the latest version's MLmodel file. The
//! licence is what the tag `license` says, or else the front matter of the card (`license: mit`), which is
//! read when the card is written.

use async_graphql::{Enum, SimpleObject};
use serde::Deserialize;

use crate::app::App;
use crate::db::{Db, Query, Sql, query};
use crate::error::Result;
use crate::id::ModelId;
use crate::markdown::front_matter;
use crate::page::List;
use crate::registry::catalog::version::{latest_offered, offered};

/// More values are not offered, and longer ones neither: such a text describes one model.
const MAX_VALUES: i64 = 50;
const MAX_LENGTH: i64 = 100;

/// The licence of the model `m`; empty where none is named.
pub const LICENSE: &str = "COALESCE((SELECT l.value FROM tags l WHERE l.owner_id = m.id AND l.key = 'license'), \
     m.license, '')";

/// The id of the latest version of the model `m`.
macro_rules! latest_id {
    () => {
        concat!(
            "(SELECT v.id FROM model_versions v WHERE v.model_id = m.id AND ",
            latest_offered!("v"),
            " ORDER BY v.rank DESC, v.id DESC LIMIT 1)"
        )
    };
}
pub(super) use latest_id;

/// The values of the framework of the model `m`. Everything that MLflow logs can be called from Python, so
/// that says nothing.
pub const FRAMEWORKS: &str = concat!(
    "SELECT t.value FROM tags t WHERE t.owner_id = m.id AND t.key = 'framework' \
     UNION ALL SELECT g.flavor FROM files x CROSS JOIN flavors g WHERE g.sha256 = x.sha256 \
     AND g.flavor NOT IN ('', 'python_function') AND x.owner_id = ",
    latest_id!()
);

/// What models can be filtered by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum ModelFacet {
    /// A tag and its value, without the tags that MLflow sets by itself.
    Tag,
    /// The framework: the tag `framework`, and the flavors of the latest version's MLmodel file.
    Framework,
    /// The license: the tag `license`, or `license` in the front matter of the description.
    License,
    /// The username of its author.
    Author,
}

/// A value that some models have, and how many.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
pub struct FacetValue {
    /// The key of the tag; null for everything else.
    pub key: Option<String>,
    /// The value.
    pub value: String,
    /// How many models have it.
    #[sqlx(try_from = "i64")]
    pub count: i32,
}

/// What the models of a list have of one facet, most frequent first; `parent` as in a connection of that list.
pub async fn values(db: &Db, of: ModelFacet, list: List, parent: &str) -> Result<Vec<FacetValue>> {
    let among = match list.parent {
        Some(column) => list.filter.and(Sql::new(format!("{column} = ?")).bind(parent)),
        None => list.filter,
    };
    // CROSS JOIN: the models come first, whatever SQLite's planner makes of it.
    let mut sql = Sql::new("SELECT found.key, found.value, COUNT(*) AS count FROM (");
    let no_key = "CAST(NULL AS TEXT) AS key";
    match of {
        ModelFacet::Tag => sql
            .push("SELECT t.key, t.value FROM models m CROSS JOIN tags t WHERE t.owner_id = m.id ")
            .push("AND t.key NOT LIKE 'mlflow.%' AND substr(t.key, 1, 8) <> '_mlflow_' ")
            .push("AND t.key NOT IN ('framework', 'license', 'registry.metric') AND ")
            .push_sql(among),
        ModelFacet::Framework => sql
            .push(&format!("SELECT m.id, {no_key}, t.value FROM models m CROSS JOIN tags t "))
            .push("WHERE t.owner_id = m.id AND t.key = 'framework' AND ")
            .push_sql(among.clone())
            .push(&format!(
                " UNION SELECT m.id, {no_key}, g.flavor FROM models m CROSS JOIN files x "
            ))
            .push(
                "CROSS JOIN flavors g WHERE g.sha256 = x.sha256 AND g.flavor <> 'python_function' ",
            )
            .push(concat!("AND x.owner_id = ", latest_id!(), " AND "))
            .push_sql(among),
        ModelFacet::License => sql
            .push(&format!("SELECT {no_key}, {LICENSE} AS value FROM models m WHERE "))
            .push_sql(among),
        ModelFacet::Author => sql
            .push(&format!("SELECT {no_key}, u.username AS value FROM models m "))
            .push("CROSS JOIN users u WHERE u.id = m.author_id AND ")
            .push_sql(among),
    };
    sql.push(") found WHERE LENGTH(found.value) BETWEEN 1 AND ").push_value(MAX_LENGTH);
    sql.push(" GROUP BY found.key, found.value ORDER BY count DESC, found.key, found.value");
    sql.push_limit(MAX_VALUES);
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// What the front matter of a card says that is asked for.
#[derive(Deserialize)]
struct FrontMatter {
    license: Option<Licenses>,
    license_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Licenses {
    One(String),
    Many(Vec<String>),
}

/// The licence that a card names, as Hugging Face writes it; empty where it names none.
pub fn license_of(card: &str) -> String {
    // What is no YAML is a rule across the page, and no front matter.
    let yaml = front_matter::yaml(card).unwrap_or_default();
    let Ok(front) = serde_saphyr::from_str::<FrontMatter>(yaml) else { return String::new() };
    let license = match front.license {
        Some(Licenses::One(license)) => license,
        Some(Licenses::Many(licenses)) => licenses.into_iter().next().unwrap_or_default(),
        None => String::new(),
    };
    let license = match front.license_name {
        Some(name) if license.is_empty() || license == "other" => name,
        _ => license,
    };
    license.trim().replace('\0', "")
}

/// Reads the cards of models that were there before licences were.
pub async fn read_cards(app: &App) -> Result<()> {
    loop {
        let unread: Vec<(ModelId, String)> =
            query("SELECT id, description FROM models WHERE license IS NULL LIMIT 100")
                .fetch_all(&app.db)
                .await?;
        if unread.is_empty() {
            return Ok(());
        }
        let mut tx = app.db.begin().await?;
        for (id, card) in unread {
            // Whoever has written the card anew meanwhile has told its licence, too.
            query("UPDATE models SET license = $2 WHERE id = $1 AND license IS NULL")
                .bind(&id)
                .bind(license_of(&card))
                .execute(&mut tx)
                .await?;
        }
        tx.commit().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_names_its_licence_in_its_front_matter() {
        for (card, license) in [
            ("---\nlicense: apache-2.0\ntags: [a]\n---\n# OCR", "apache-2.0"),
            ("---\r\nlicense: mit\r\n---\r\ntext", "mit"),
            ("---\nlicense: [mit, gpl-3.0]\n---\n", "mit"),
            ("---\nlicense: other\nlicense_name: llama3\n---\n", "llama3"),
            ("---\nlicense: mit", ""),
            ("---\ntags: [a]\n---\nlicense: mit", ""),
            ("# OCR\n---\nlicense: mit\n---\n", ""),
            ("---\nlicense: {a: 1}\n---\n", ""),
            ("---\n- not: a map\n---\n", ""),
            ("---\n[[[[\n---\n", ""),
            ("---", ""),
            ("", ""),
        ] {
            assert_eq!(license_of(card), license, "{card:?}");
        }
    }
}
