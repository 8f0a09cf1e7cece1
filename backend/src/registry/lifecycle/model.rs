//! A model is renamed, put into the trash or taken out of it together with its experiment, which has its name.

use async_graphql::ID;

use crate::access::Writer;
use crate::change::Change;
use crate::error::Result;
use crate::registry::catalog::model::{self, Model};
use crate::registry::tracking::experiment;

/// Renames a model and its experiment.
pub async fn rename(change: &mut Change, writer: &Writer, old: Model, name: &str) -> Result<Model> {
    let model = model::rules::rename(change, writer, old, name).await?;
    experiment::rules::follow(change, writer, &model).await?;
    Ok(model)
}

/// Puts a model and its experiment into the trash.
pub async fn delete(change: &mut Change, writer: &Writer, model: Model) -> Result<Model> {
    let model = model::rules::delete(change, writer, model).await?;
    experiment::rules::follow(change, writer, &model).await?;
    Ok(model)
}

/// Takes a model and its experiment out of the trash: the one with this id, or the last of this name that came there.
pub async fn restore(
    change: &mut Change,
    writer: &Writer,
    name: &str,
    id: Option<ID>,
) -> Result<Model> {
    let model = model::rules::restore(change, writer, name, id).await?;
    experiment::rules::follow(change, writer, &model).await?;
    Ok(model)
}
