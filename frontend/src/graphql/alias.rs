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
    pub version: AliasVersion,
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
