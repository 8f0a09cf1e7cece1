//! The metric that a model is judged by: its tag `registry.metric` names it, and says which way is better, as
//! `f2:max` or `regret:min`. Where it does not, the name tells, and where that does not either, there is no best one.
//! Only runs that ended well count.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, SimpleObject};

use super::Model;
use crate::access::project::Project;
use crate::db::{Db, Query, Sql};
use crate::error::{Error, Result};
use crate::id::{CandidateId, ModelId, ProjectId};
use crate::loader::{Loaders, MAX_SELECTS, loaders};
use crate::page::{OrderDirection, SortKey};
use crate::registry::metadata::metric::{self, MetricValue};
use crate::registry::metadata::tag;

/// The key of the tag that names the metric.
pub const TAG: &str = "registry.metric";

/// The best value, among the candidates of a model, of the metric that the model is judged by.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct BestMetric {
    /// The name of the metric.
    pub name: String,
    /// The value: the last one of the candidate.
    #[sqlx(try_from = "Option<f64>")]
    pub value: MetricValue,
    /// Whether a lower value is better.
    pub lower_is_better: bool,
    #[graphql(skip)]
    pub candidate_id: CandidateId,
    #[graphql(skip)]
    model_id: ModelId,
}

/// By the request's loaders: none where the model names no metric, or no candidate has it.
pub async fn load(ctx: &Context<'_>, model: &Model) -> Result<Option<BestMetric>> {
    let tags = tag::load(ctx, model.id.raw()).await?;
    let Some(tag) = tags.iter().find(|tag| tag.key == TAG) else { return Ok(None) };
    let Some((name, lower_is_better)) = parse(&tag.value) else { return Ok(None) };
    let key = BestOf { model_id: model.id.clone(), name: name.to_owned(), lower_is_better };
    loaders(ctx).load_one(key).await
}

/// The name of a metric, and whether less of it is better; none where nothing tells.
pub fn parse(text: &str) -> Option<(&str, bool)> {
    // Of spaces only, as SQL does it.
    let text = text.trim_matches(' ');
    match text.rsplit_once(':') {
        Some((name, "min")) => Some((name.trim_matches(' '), true)),
        Some((name, "max")) => Some((name.trim_matches(' '), false)),
        _ => Some((text, metric::direction::lower_is_better(text)?)),
    }
}

/// As [`parse`], in SQL: of the tag `t`, where the condition `tag` holds.
struct Judged {
    name: String,
    less: String,
    tag: String,
}

fn judged() -> Judged {
    let text = "TRIM(t.value)";
    let ends_in = |end: &str| format!("SUBSTR({text}, LENGTH({text}) - 3) = '{end}'");
    let (min, max) = (ends_in(":min"), ends_in(":max"));
    let name = format!(
        "CASE WHEN {min} OR {max} THEN TRIM(SUBSTR({text}, 1, LENGTH({text}) - 4)) ELSE {text} END"
    );
    let (told_less, told_more) = metric::direction::conditions(text);
    let less = format!("{min} OR (NOT {max} AND {told_less})");
    let told = format!("({min} OR {max} OR {told_less} OR {told_more})");
    // No metric has a name that is longer; to cut a long text for every candidate would take long.
    let tag = format!("t.key = '{TAG}' AND LENGTH(t.value) <= 300 AND {told}");
    Judged { name, less, tag }
}

/// Models that are judged by the same metric together, by its name, and these by how good their best value is. What
/// has none comes last either way.
pub fn sort_keys(direction: OrderDirection) -> Vec<SortKey> {
    let Judged { name, less, tag } = judged();
    // In this order, which is that of their keys.
    let values = format!(
        "FROM candidates c CROSS JOIN metrics k
         WHERE c.model_id = m.id AND c.status = 'FINISHED' AND c.deleted_at_ms IS NULL
           AND k.owner_id = c.id AND k.name = {name} AND k.value IS NOT NULL"
    );
    let tag = format!("t.owner_id = m.id AND {tag}");
    let some = format!("FROM tags t WHERE {tag} AND EXISTS (SELECT 1 {values})");
    let best = format!(
        "CASE WHEN {less} THEN (SELECT -1 - MIN(k.value_order) {values})
                          ELSE (SELECT MAX(k.value_order) {values}) END"
    );
    vec![
        SortKey::flag(Sql::new(format!("COALESCE((SELECT 0 {some}), 1)"))),
        SortKey::text(&format!("COALESCE((SELECT {name} {some}), '')"), OrderDirection::Asc),
        SortKey::int(&format!("COALESCE((SELECT {best} FROM tags t WHERE {tag}), 0)"), direction),
    ]
}

/// The best value of a model in a project.
#[derive(Debug, sqlx::FromRow)]
pub struct BestInProject {
    pub project_id: ProjectId,
    pub model: String,
    pub metric: String,
    value_order: i64,
}

impl BestInProject {
    pub fn value(&self) -> MetricValue {
        MetricValue::of_order(self.value_order)
    }
}

/// The best values of all models of some projects, in one statement. It reads every run of the models that name a metric.
pub async fn in_projects(db: &Db, projects: &[&Project]) -> Result<Vec<BestInProject>> {
    let Judged { name, less, tag } = judged();
    let mut sql = Sql::new(format!(
        "SELECT m.project_id, m.name AS model, {name} AS metric,
                CASE WHEN {less} THEN MIN(k.value_order) ELSE MAX(k.value_order) END AS value_order
         FROM models m CROSS JOIN tags t CROSS JOIN candidates c CROSS JOIN metrics k
         WHERE m.deleted_at_ms IS NULL AND t.owner_id = m.id AND {tag}
           AND c.model_id = m.id AND c.status = 'FINISHED' AND c.deleted_at_ms IS NULL
           AND k.owner_id = c.id AND k.name = {name} AND k.value IS NOT NULL AND "
    ));
    sql.push_sql(Sql::is_in("m.project_id", projects.iter().map(|project| &project.id)));
    sql.push(" GROUP BY m.id, t.value ORDER BY m.name");
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// Which metric of which model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BestOf {
    model_id: ModelId,
    name: String,
    lower_is_better: bool,
}

impl Loader<BestOf> for Loaders {
    type Value = BestMetric;
    type Error = Error;

    async fn load(&self, keys: &[BestOf]) -> Result<HashMap<BestOf, BestMetric>> {
        let mut found = HashMap::new();
        for keys in keys.chunks(MAX_SELECTS) {
            let rows: Vec<BestMetric> = Query::from(best_of(keys)).fetch_all(&self.app.db).await?;
            found.extend(rows.into_iter().map(|row| (row.key(), row)));
        }
        Ok(found)
    }
}

impl BestMetric {
    fn key(&self) -> BestOf {
        BestOf {
            model_id: self.model_id.clone(),
            name: self.name.clone(),
            lower_is_better: self.lower_is_better,
        }
    }
}

fn best_of(keys: &[BestOf]) -> Sql {
    let mut sql = Sql::default();
    for (index, BestOf { model_id, name, lower_is_better }) in keys.iter().enumerate() {
        let (flag, order) = if *lower_is_better { ("TRUE", "ASC") } else { ("FALSE", "DESC") };
        sql.push(if index == 0 { "" } else { " UNION ALL " });
        sql.push(&format!(
                "SELECT * FROM (SELECT c.model_id, c.id AS candidate_id, k.name, k.value, {flag} AS lower_is_better \
                 FROM candidates c CROSS JOIN metrics k WHERE c.deleted_at_ms IS NULL AND c.status = 'FINISHED' \
                 AND k.owner_id = c.id AND k.value IS NOT NULL AND c.model_id = "
            ));
        sql.push_value(model_id).push(" AND k.name = ").push_value(name.as_str());
        sql.push(&format!(
            " ORDER BY k.value_order {order}, c.created_at_ms, c.id LIMIT 1) AS best_{index}"
        ));
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_a_metric_and_which_way_is_better() {
        for (text, parsed) in [
            ("regret", None),
            ("accuracy", Some(("accuracy", false))),
            ("val_loss", Some(("val_loss", true))),
            ("loss:max", Some(("loss", false))),
            ("accuracy:max", Some(("accuracy", false))),
            (" loss:min ", Some(("loss", true))),
            ("eval:loss:min", Some(("eval:loss", true))),
            ("eval:loss", Some(("eval:loss", true))),
        ] {
            assert_eq!(parse(text), parsed, "{text}");
        }
    }
}
