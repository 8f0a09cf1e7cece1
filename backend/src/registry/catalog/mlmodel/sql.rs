//! `MLmodel` files as they are read for versions, and their flavors as they are kept for filters.

use std::collections::HashMap;

use async_graphql::Context;
use async_graphql::dataloader::Loader;
use futures_util::TryStreamExt;

use super::{MAX_BYTES, MAX_FIELDS, MAX_FLAVORS, Mlmodel, parse};
use crate::app::App;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::VersionId;
use crate::loader::{Loaders, loaders};
use crate::registry::catalog::{blob, file};
use crate::store::Blob;
use crate::text::FilePath;

/// By the request's loader, so that each file is read once.
pub async fn load(ctx: &Context<'_>, version: &VersionId) -> Result<Mlmodel> {
    Ok(loaders(ctx).load_one(MlmodelOf(version.clone())).await?.unwrap_or_default())
}

/// The MLmodel of a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MlmodelOf(VersionId);

impl Loader<MlmodelOf> for Loaders {
    type Value = Mlmodel;
    type Error = Error;

    async fn load(&self, keys: &[MlmodelOf]) -> Result<HashMap<MlmodelOf, Mlmodel>> {
        let mut found = HashMap::new();
        for key in keys {
            let id = key.0.raw();
            let Some(folder) = file::sql::folder_of(&self.app.db, id, "MLmodel").await? else {
                continue;
            };
            let path = |name: &str| match folder.as_str() {
                "" => name.to_owned(),
                folder => format!("{folder}/{name}"),
            };
            let text = read(self, id, &path("MLmodel")).await?;
            let requirements = read(self, id, &path("requirements.txt")).await?;
            let mut mlmodel = text.as_deref().map(parse).unwrap_or_default();
            mlmodel.requirements = lines(&requirements.unwrap_or_default());
            found.insert(key.clone(), mlmodel);
        }
        Ok(found)
    }
}

/// Keeps the flavors of a file that was just uploaded, where it is an MLmodel. What fails here is done by the next
/// [`index_all`].
pub async fn index(app: &App, path: &FilePath, blob: &Blob) {
    let name = path.as_str().rsplit('/').next();
    if name != Some("MLmodel") || blob.size > MAX_BYTES {
        return;
    }
    let file = [(blob.sha256.clone(), blob.size)];
    if let Err(error) = keep_flavors(app, &file).await {
        tracing::warn!(?error, "cannot read an MLmodel yet");
    }
}

/// Keeps the flavors of all MLmodel files that were not read yet.
pub async fn index_all(app: &App) -> Result<()> {
    loop {
        let files: Vec<(String, i64)> = query(
            "SELECT DISTINCT f.sha256, f.size FROM files f
             WHERE (f.path = 'MLmodel' OR f.path LIKE '%/MLmodel') AND f.size <= $1
               AND NOT EXISTS (SELECT 1 FROM flavors v WHERE v.sha256 = f.sha256)
               AND EXISTS (SELECT 1 FROM copies c WHERE c.sha256 = f.sha256 AND c.state = 'READY') LIMIT 100",
        )
        .bind(MAX_BYTES)
        .fetch_all(&app.db)
        .await?;
        if files.is_empty() {
            return Ok(());
        }
        keep_flavors(app, &files).await?;
    }
}

async fn keep_flavors(app: &App, files: &[(String, i64)]) -> Result<()> {
    let mut rows = Vec::new();
    for (sha256, _) in files {
        let mut flavors = match bytes_of(app, sha256).await {
            // Read when somebody brings it again.
            Err(Error::DataLoss(_)) => continue,
            text => parse(&text?).flavors,
        };
        // PostgreSQL takes no NUL, and an index no text without end.
        flavors.retain(|flavor| flavor.len() <= 255 && !flavor.contains('\0'));
        flavors.truncate(MAX_FLAVORS);
        if flavors.is_empty() {
            flavors.push(String::new());
        }
        rows.extend(flavors.into_iter().map(|flavor| (sha256, flavor)));
    }
    let mut tx = app.db.begin().await?;
    for (sha256, flavor) in rows {
        // The file may be gone by now, and its bytes with it.
        query(
            "INSERT INTO flavors (sha256, flavor) SELECT b.sha256, CAST($2 AS TEXT) FROM blobs b
             WHERE b.sha256 = $1 ON CONFLICT (sha256, flavor) DO NOTHING",
        )
        .bind(sha256)
        .bind(flavor)
        .execute(&mut tx)
        .await?;
    }
    Ok(tx.commit().await?)
}

async fn read(loaders: &Loaders, owner: &str, path: &str) -> Result<Option<String>> {
    match file::sql::find(&loaders.app.db, owner, path).await? {
        Some(file) if file.size.0 <= MAX_BYTES => {
            bytes_of(&loaders.app, &file.sha256).await.map(Some)
        }
        _ => Ok(None),
    }
}

async fn bytes_of(app: &App, sha256: &str) -> Result<String> {
    let pieces: Vec<_> = blob::read::whole(app, sha256).await?.try_collect().await?;
    Ok(String::from_utf8_lossy(&pieces.concat()).into_owned())
}

fn lines(requirements: &str) -> Vec<String> {
    let lines = requirements.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.take(MAX_FIELDS).map(str::to_owned).collect()
}
