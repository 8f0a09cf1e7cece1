//! The rules of placement: who may give rules, and which there can be.

use async_graphql::InputObject;

use super::{OfKind, Rule, StoredKind};
use crate::access::Admin;
use crate::action::Action;
use crate::change::Change;
use crate::db::{Db, query};
use crate::error::{Error, Result};
use crate::id::ProjectId;
use crate::log::Subject;
use crate::long::Long;
use crate::store::Storages;
use crate::text;

/// How many rules there can be.
const MAX_RULES: usize = 50;
/// The longest time that a rule can ask for, in days.
const MAX_DAYS: i32 = 36_500;
/// What is smaller is not worth a move unless told, in bytes.
const USUAL_MIN_SIZE: i64 = 1 << 20;
/// The longest alias, in bytes.
const MAX_ALIAS: usize = 255;

/// A rule that says which files belong in a storage. What is omitted is not asked for.
#[derive(InputObject)]
pub struct StorageRuleInput {
    /// The name of the storage.
    storage: String,
    /// The path of the project that the files must be of.
    project: Option<String>,
    /// What the files must be of.
    kind: Option<StoredKind>,
    /// An alias or stage that the version must have.
    alias: Option<String>,
    /// Whether the version must have no alias, and no stage but `ARCHIVED`.
    #[graphql(default)]
    is_unaliased: bool,
    /// Whether the version must be deprecated or yanked.
    #[graphql(default)]
    is_deprecated: bool,
    /// How many days ago the file must have come at least.
    older_than_days: Option<i32>,
    /// For how many days nobody must have fetched the version, which must be at least as old.
    not_fetched_days: Option<i32>,
    /// How large a file must be at least, in bytes; 1 MiB if omitted.
    min_size: Option<Long>,
}

/// Rules as they are kept; an error names the field that is wrong.
pub async fn parse(
    db: &Db,
    storages: &Storages,
    given: Vec<StorageRuleInput>,
) -> Result<Vec<Rule>> {
    if given.len() > MAX_RULES {
        return Err(Error::invalid("rules", format!("can be {MAX_RULES} at most")));
    }
    let mut rules = Vec::new();
    for (number, rule) in given.into_iter().enumerate() {
        let field = |name: &str| format!("rules.{number}.{name}");
        if storages.find(&rule.storage).is_none() {
            let names: Vec<_> = storages.iter().map(|store| store.name()).collect();
            let reason = format!("must be one of the storages: {}", names.join(", "));
            return Err(Error::invalid(field("storage"), reason));
        }
        let days = |name: &str, days: Option<i32>| match days {
            Some(days) if !(1..=MAX_DAYS).contains(&days) => {
                Err(Error::invalid(field(name), format!("must be 1 to {MAX_DAYS}")))
            }
            days => Ok(days.map(i64::from)),
        };
        if rule.alias.as_ref().is_some_and(|alias| !is_name(alias)) {
            return Err(Error::invalid(field("alias"), "must be the name of an alias or a stage"));
        }
        let min_size = rule.min_size.map_or(USUAL_MIN_SIZE, |size| size.0);
        if min_size < 0 {
            return Err(Error::invalid(field("minSize"), "must be 0 or more"));
        }
        if rule.alias.is_some() && rule.is_unaliased {
            let reason = "can't be combined with isUnaliased: give only one of them";
            return Err(Error::invalid(field("alias"), reason));
        }
        let of_versions = rule.alias.is_some()
            || rule.is_unaliased
            || rule.is_deprecated
            || rule.not_fetched_days.is_some();
        if of_versions && rule.kind == Some(StoredKind::Run) {
            let reason = "must not be RUN: aliases, deprecations and downloads are of versions";
            return Err(Error::invalid(field("kind"), reason));
        }
        rules.push(Rule {
            project_id: match rule.project {
                Some(path) => Some(project(db, &field("project"), &path).await?),
                None => None,
            },
            kind: OfKind(rule.kind),
            older_than_days: days("olderThanDays", rule.older_than_days)?,
            not_fetched_days: days("notFetchedDays", rule.not_fetched_days)?,
            storage: rule.storage,
            alias: rule.alias,
            is_unaliased: rule.is_unaliased,
            is_deprecated: rule.is_deprecated,
            min_size,
        });
    }
    Ok(rules)
}

/// Whether an alias or a stage can have this name.
fn is_name(alias: &str) -> bool {
    (1..=MAX_ALIAS).contains(&alias.len())
        && !alias.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// The project with this path.
async fn project(db: &Db, field: &str, path: &str) -> Result<ProjectId> {
    let found = query("SELECT id FROM projects WHERE path = $1 AND deleted_at_ms IS NULL");
    let found: Option<(String,)> = found.bind(text::looked_up(path)).fetch_optional(db).await?;
    match found {
        Some((id,)) => Ok(ProjectId::from_raw(id)),
        None => Err(Error::invalid(field, format!("there is no project {path:?}"))),
    }
}

/// Replaces all rules. Files are moved by the next run of the job, once a day.
pub async fn set(change: &mut Change, _admin: &Admin, rules: &[Rule]) -> Result<()> {
    // Whoever comes second replaces what the first one set.
    query("UPDATE registry SET sweeps = sweeps").execute(change).await?;
    query("DELETE FROM storage_rules").execute(change).await?;
    for (position, rule) in rules.iter().enumerate() {
        query(
            "INSERT INTO storage_rules (position, storage, project_id, kind, alias, is_unaliased, is_deprecated,
                                        older_than_days, not_fetched_days, min_size)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(position as i64)
        .bind(&rule.storage)
        .bind(rule.project_id.as_ref().map(|id| id.raw().to_owned()))
        .bind(rule.kind.0.map(|kind| kind.as_str().to_owned()))
        .bind(rule.alias.clone())
        .bind(rule.is_unaliased)
        .bind(rule.is_deprecated)
        .bind(rule.older_than_days)
        .bind(rule.not_fetched_days)
        .bind(rule.min_size)
        .later(change)
        .await?;
    }
    let subject = Subject {
        name: "storage rules".to_owned(),
        project_id: None,
        model_id: None,
        object_id: "storage-rules",
    };
    let told = rules.iter().map(|rule| {
        serde_json::json!({
            "storage": rule.storage,
            "projectId": rule.project_id.as_ref().map(|id| id.raw()),
            "kind": rule.kind.0.map(StoredKind::as_str),
            "alias": rule.alias,
            "isUnaliased": rule.is_unaliased,
            "isDeprecated": rule.is_deprecated,
            "olderThanDays": rule.older_than_days,
            "notFetchedDays": rule.not_fetched_days,
            "minSize": rule.min_size,
        })
    });
    let detail = serde_json::json!({ "rules": told.collect::<Vec<_>>() });
    change.record(Action::StorageSet, subject, detail).await
}
