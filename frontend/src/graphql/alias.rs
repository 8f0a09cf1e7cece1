//! Aliases: movable names for versions, with every move they made.

use super::{mutation, scalar::DateTime, schema, viewer::Author};

/// The version that an alias names.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersion")]
pub struct AliasVersion {
    pub version: String,
}

/// An alias in a list.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Alias")]
pub struct AliasRow {
    pub name: String,
    pub protected: bool,
    pub version: AliasVersion,
    pub updated_at: DateTime,
}

/// Those that matter most first: the protected ones, then those that were moved last.
pub fn by_weight(aliases: Vec<AliasRow>) -> Vec<AliasRow> {
    let weight = |alias: &AliasRow| (alias.protected, alias.updated_at.0.clone());
    let mut sorted = Vec::<AliasRow>::new();
    // They are few, and sorting in the library's way is much code to load.
    for alias in aliases {
        let place = sorted.iter().position(|other| weight(other) < weight(&alias));
        sorted.insert(place.unwrap_or(sorted.len()), alias);
    }
    sorted
}

/// An alias with its history.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Alias")]
pub struct AliasDetail {
    pub name: String,
    pub protected: bool,
    pub version: AliasVersion,
    pub updated_at: DateTime,
    pub updated_by: Option<Author>,
    pub history: Vec<AliasMove>,
}

/// One move; no `ref` where the alias was removed.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct AliasMove {
    pub at: DateTime,
    pub by: Option<Author>,
    #[cynic(rename = "ref")]
    pub reference: Option<String>,
}

#[derive(cynic::InputObject, Clone)]
pub struct SetAliasInput {
    pub model: String,
    pub name: String,
    pub version: String,
}

mutation! { $
    /// Makes an alias, or moves it.
    set: set_alias(SetAliasInput) -> "SetAliasPayload" { alias: AliasRow }
}

#[derive(cynic::InputObject, Clone)]
pub struct DeleteAliasInput {
    pub model: String,
    pub name: String,
}

mutation! { $
    delete: delete_alias(DeleteAliasInput) -> "DeleteAliasPayload" { alias: AliasRow }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_aliases_come_first_and_then_the_last_moved() {
        let alias = |name: &str, protected: bool, day: u32| AliasRow {
            name: name.to_owned(),
            protected,
            version: AliasVersion { version: "1.0.0".to_owned() },
            updated_at: DateTime(format!("2026-01-{day:02}T00:00:00Z")),
        };
        let aliases = vec![
            alias("canary", false, 2),
            alias("beta", false, 9),
            alias("legacy", false, 2),
            alias("production", true, 1),
        ];
        let names: Vec<_> = by_weight(aliases).into_iter().map(|alias| alias.name).collect();
        assert_eq!(names, ["production", "beta", "canary", "legacy"]);
    }
}
