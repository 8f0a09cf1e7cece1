//! Look-ups by reference in batches, of versions such as `vision/ocr@1.2.0` and of aliases such as `vision/ocr@champion`:
//! many cost a few statements, however many they are.

use std::collections::HashMap;

use async_graphql::Context;
use async_graphql::dataloader::Loader;

use super::{ModelVersion, columns};
use crate::db::{Query, Sql};
use crate::error::{Error, Result};
use crate::id::ModelId;
use crate::loader::{Loaders, loaders};
use crate::registry::catalog::alias::{self, Alias};
use crate::registry::catalog::model::at_path;
use crate::text;

/// The version with this number of a model; none if the caller may see none.
pub async fn find_version(ctx: &Context<'_>, reference: &str) -> Result<Option<ModelVersion>> {
    match in_model(ctx, reference).await? {
        Some(key) => loaders(ctx).load_one(VersionAt(key)).await,
        None => Ok(None),
    }
}

/// The alias with this name of a model; none if the caller may see none.
pub async fn find_alias(ctx: &Context<'_>, reference: &str) -> Result<Option<Alias>> {
    match in_model(ctx, reference).await? {
        Some(key) => loaders(ctx).load_one(AliasAt(key)).await,
        None => Ok(None),
    }
}

/// What is called so in a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Named {
    model: ModelId,
    name: String,
}

async fn in_model(ctx: &Context<'_>, reference: &str) -> Result<Option<Named>> {
    let Some((path, name)) = reference.rsplit_once('@') else { return Ok(None) };
    let model = at_path::find(ctx, path).await?;
    let name = text::looked_up(name).to_owned();
    Ok(model.map(|model| Named { model: model.id, name }))
}

/// The condition that two columns are one of these pairs.
fn is_one_of<'a>(columns: &str, keys: impl Iterator<Item = &'a Named>) -> Sql {
    let rows = keys.map(|key| [(&key.model).into(), (&key.name).into()]);
    let mut sql = Sql::rows(format!("({columns}) IN (VALUES"), rows);
    sql.push(")");
    sql
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct VersionAt(Named);

impl Loader<VersionAt> for Loaders {
    type Value = ModelVersion;
    type Error = Error;

    async fn load(&self, keys: &[VersionAt]) -> Result<HashMap<VersionAt, ModelVersion>> {
        let select = concat!("SELECT ", columns!(), " FROM model_versions v WHERE ");
        let mut sql = Sql::new(select);
        sql.push("v.deleted_at_ms IS NULL AND ");
        sql.push_sql(is_one_of("v.model_id, v.version", keys.iter().map(|key| &key.0)));
        let rows: Vec<ModelVersion> = Query::from(sql).fetch_all(&self.app.db).await?;
        let key =
            |row: &ModelVersion| Named { model: row.model_id.clone(), name: row.version.clone() };
        Ok(rows.into_iter().map(|row| (VersionAt(key(&row)), row)).collect())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct AliasAt(Named);

impl Loader<AliasAt> for Loaders {
    type Value = Alias;
    type Error = Error;

    async fn load(&self, keys: &[AliasAt]) -> Result<HashMap<AliasAt, Alias>> {
        let columns = concat!("SELECT ", alias::columns!(), " FROM aliases WHERE ");
        let mut sql = Sql::new(columns);
        sql.push(concat!(alias::names_a_version!(), " AND "));
        sql.push_sql(is_one_of("model_id, name", keys.iter().map(|key| &key.0)));
        let rows: Vec<Alias> = Query::from(sql).fetch_all(&self.app.db).await?;
        let key = |row: &Alias| Named { model: row.model_id.clone(), name: row.name.clone() };
        Ok(rows.into_iter().map(|row| (AliasAt(key(&row)), row)).collect())
    }
}
