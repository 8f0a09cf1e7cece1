//! Protected aliases: names such as `production` or `release-*` that only maintainers move, in one model
//! or in all models of a project.

pub mod graphql;
pub mod rules;

use std::sync::Arc;

use async_graphql::{Context, SimpleObject};

use crate::error::Result;
use crate::id::{ModelId, ProjectId, UserId};
use crate::loader::{load_by_owner, loaders};
use crate::time::Timestamp;

/// How many a project can have, with those of its models.
pub(super) const MAX_RULES: i64 = 100;

/// A protected alias: a name, or a pattern of names, that only maintainers can move.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct ProtectedAlias {
    /// The name or pattern; `*` is a wildcard, as in `release-*`.
    pattern: String,
    #[graphql(skip)]
    model_id: String,
    #[graphql(skip)]
    created_by_id: UserId,
    /// When it was protected.
    #[graphql(name = "createdAt")]
    created_at_ms: Timestamp,
}

impl ProtectedAlias {
    pub fn is_for_the_whole_project(&self) -> bool {
        self.model_id.is_empty()
    }

    pub fn is_for(&self, model: &ModelId) -> bool {
        self.is_for_the_whole_project() || self.model_id == model.raw()
    }

    /// Whether an alias of this model is protected by it.
    pub fn protects(&self, model: &ModelId, alias: &str) -> bool {
        self.is_for(model) && matches(&self.pattern, alias)
    }
}

/// What is protected in a project and its models.
pub async fn load(ctx: &Context<'_>, project: &ProjectId) -> Result<Arc<Vec<ProtectedAlias>>> {
    let all = loaders(ctx).load_one(ProtectedIn(project.raw().to_owned())).await?;
    Ok(all.unwrap_or_default())
}

load_by_owner!(
    /// What is protected in a project and its models, by pattern.
    ProtectedIn => ProtectedAlias,
    "SELECT project_id AS owner_id, pattern, model_id, created_by_id, created_at_ms
     FROM protected_aliases WHERE ",
    "project_id",
    " ORDER BY project_id, pattern, model_id"
);

/// Whether `pattern`, in which `*` stands for any characters, matches all of `text`.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(begin) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place is as good as any: what comes after finds more room there.
        let Some(place) = text.find(part) else { return false };
        text = &text[place + part.len()..];
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("production", "production", true),
            ("production", "production-2", false),
            ("release-*", "release-", true),
            ("release-*", "release-1", true),
            ("release-*", "pre-release-1", false),
            ("*", "anything", true),
            ("*-eu-*", "prod-eu-1", true),
            ("*-eu-*", "prod-us-1", false),
            ("a*b*b", "ab", false),
            ("a*b*b", "abxb", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
