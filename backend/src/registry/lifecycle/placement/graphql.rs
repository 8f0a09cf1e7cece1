//! Placement in GraphQL: the rules, what they would move, and giving others.

use std::time::Duration;

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};

use super::plan::{Flow, Plan};
use super::rules::{self, StorageRuleInput};
use super::{Rule, StoredKind, sql};
use crate::access::project::Project;
use crate::access::{self, actor};
use crate::change;
use crate::error::Result;
use crate::loader::loaders;
use crate::long::Long;
use crate::page::{LOOK_UP, SCAN};
use crate::registry::payload;

/// How long a preview may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A rule that says which files belong in a storage. A file belongs where the first rule says that it matches, or else in the
/// first storage.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct StorageRule {
    /// The name of the storage.
    storage: String,
    #[graphql(skip)]
    rule: Rule,
    /// What the files must be of; null for all.
    kind: Option<StoredKind>,
    /// An alias or stage that the version must have; null for any or none.
    alias: Option<String>,
    /// Whether the version must have no alias, and no stage but `ARCHIVED`.
    is_unaliased: bool,
    /// Whether the version must be deprecated or yanked.
    is_deprecated: bool,
    /// How many days ago the file came at least; null for any time.
    older_than_days: Option<i64>,
    /// For how many days nobody fetched the version, which is at least as old; null for any time.
    not_fetched_days: Option<i64>,
    /// How large a file must be at least, in bytes.
    min_size: Long,
}

#[ComplexObject]
impl StorageRule {
    /// The project that the files must be of; null for all.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn project(&self, ctx: &Context<'_>) -> Result<Option<Project>> {
        match &self.rule.project_id {
            Some(id) => loaders(ctx).load_one(id.clone()).await,
            None => Ok(None),
        }
    }
}

impl From<Rule> for StorageRule {
    fn from(rule: Rule) -> Self {
        Self {
            storage: rule.storage.clone(),
            kind: rule.kind.0,
            alias: rule.alias.clone(),
            is_unaliased: rule.is_unaliased,
            is_deprecated: rule.is_deprecated,
            older_than_days: rule.older_than_days,
            not_fetched_days: rule.not_fetched_days,
            min_size: Long(rule.min_size),
            rule,
        }
    }
}

/// What rules would move.
#[derive(SimpleObject)]
pub struct StoragePreview {
    /// From where to where, and how much.
    flows: Vec<StorageFlow>,
    /// Whether all files were looked at: if there are too many, `flows` counts only some of them.
    is_complete: bool,
}

/// Files that would be moved from one storage to another.
#[derive(SimpleObject)]
pub struct StorageFlow {
    /// The name of the storage where they are.
    from: String,
    /// The name of the storage where they belong.
    to: String,
    /// How many different contents there are; files with the same content count once.
    file_count: Long,
    /// How many bytes they have together.
    byte_count: Long,
}

impl From<Flow> for StorageFlow {
    fn from(flow: Flow) -> Self {
        let Flow { from, to, files, bytes } = flow;
        Self { from, to, file_count: Long(files), byte_count: Long(bytes) }
    }
}

/// Which rules to have from now on.
#[derive(InputObject)]
pub struct SetStorageRulesInput {
    /// All rules, in order.
    rules: Vec<StorageRuleInput>,
}

payload! {
    /// The new rules.
    SetStorageRulesPayload {
        /// All rules, in order.
        rules: Vec<StorageRule>
    }
}

#[derive(Default)]
pub struct PlacementQuery;

#[Object]
impl PlacementQuery {
    /// The rules that say which files belong in which storage, in order. For administrators.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn storage_rules(&self, ctx: &Context<'_>) -> Result<Vec<StorageRule>> {
        access::auditor(actor(ctx))?;
        let rules = sql::rules(&loaders(ctx).loader().app.db).await?;
        Ok(rules.into_iter().map(StorageRule::from).collect())
    }

    /// What rules would move, without moving anything. For administrators.
    #[graphql(complexity = "SCAN + child_complexity")]
    async fn storage_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rules, in order; those that there are if omitted.")] rules: Option<
            Vec<StorageRuleInput>,
        >,
    ) -> Result<StoragePreview> {
        access::auditor(actor(ctx))?;
        let app = &loaders(ctx).loader().app;
        let rules = match rules {
            Some(given) => rules::parse(&app.db, &app.storages, given).await?,
            None => sql::rules(&app.db).await?,
        };
        let plan = Plan::new(&app.db, &app.storages, rules, app.clock.now());
        let preview = plan.preview(PATIENCE).await?;
        let flows = preview.flows.into_iter().map(Into::into).collect();
        Ok(StoragePreview { flows, is_complete: preview.is_whole })
    }
}

#[derive(Default)]
pub struct PlacementMutation;

#[Object]
impl PlacementMutation {
    /// Replaces all rules that say which files belong in which storage. Files are moved once a day; `storagePreview` says what
    /// will be. For administrators.
    async fn set_storage_rules(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: SetStorageRulesInput,
    ) -> Result<SetStorageRulesPayload> {
        let app = &loaders(ctx).loader().app;
        let admin = access::admin(actor(ctx))?;
        let rules = rules::parse(&app.db, &app.storages, input.rules).await?;
        let mut change = change::of(ctx).await?;
        rules::set(&mut change, &admin, &rules).await?;
        change.commit().await?;
        Ok(SetStorageRulesPayload { rules: rules.into_iter().map(StorageRule::from).collect() })
    }
}
