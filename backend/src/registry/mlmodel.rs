//! What the MLmodel file of a version says: what it can be loaded as, what goes in and what comes out.
//!
//! Read from the stored bytes when somebody asks, so that it can never differ from them; only the flavors are
//! kept beside them, by their SHA-256, to find models by. Whoever uploaded it wrote it: what is no MLmodel, or
//! too large to be one, says nothing.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, SimpleObject};
use futures_util::TryStreamExt;
use serde::Deserialize;
use serde_json::Value;

use crate::app::App;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::VersionId;
use crate::loader::{Loaders, loaders};
use crate::registry::file;
use crate::store::Blob;
use crate::store::Store;
use crate::text::FilePath;

/// Larger ones are not read: real ones have some kilobytes.
const MAX_BYTES: i64 = 256 << 10;
/// How many columns are shown.
const MAX_FIELDS: usize = 2000;
/// How many flavors are kept: real files have two or three.
const MAX_FLAVORS: usize = 20;

/// What is known about how a version can be used.
#[derive(Clone, Debug, Default)]
pub struct Mlmodel {
    pub flavors: Vec<String>,
    pub signature: Option<ModelSignature>,
    pub requirements: Vec<String>,
    pub mlflow_version: Option<String>,
}

/// What goes into a model and comes out of it.
#[derive(Clone, Debug, Default, SimpleObject)]
pub struct ModelSignature {
    /// What goes in, in order.
    inputs: Vec<SignatureField>,
    /// What comes out, in order.
    outputs: Vec<SignatureField>,
    /// What can be given besides, by name.
    params: Vec<SignatureField>,
}

/// One column, tensor or param of a signature.
#[derive(Clone, Debug, SimpleObject)]
pub struct SignatureField {
    /// Its name; null if it has none.
    name: Option<String>,
    /// Its type, such as `double`, `string`, `float32` or `object`.
    #[graphql(name = "type")]
    of: String,
    /// The sizes of a tensor, -1 where any will do; null if it is none.
    shape: Option<Vec<i64>>,
    /// Whether it must be given.
    required: bool,
    /// What a param is unless it is given, as JSON; null for everything else.
    default: Option<String>,
}

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
            let Some(folder) = file::folder_of(&self.app.db, id, "MLmodel").await? else {
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
               AND NOT EXISTS (SELECT 1 FROM flavors v WHERE v.sha256 = f.sha256) LIMIT 100",
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
    for (sha256, size) in files {
        let mut flavors = parse(&bytes_of(&app.store, sha256, *size).await?).flavors;
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
    match file::find(&loaders.app.db, owner, path).await? {
        Some(file) if file.size.0 <= MAX_BYTES => {
            bytes_of(&loaders.app.store, &file.sha256, file.size.0).await.map(Some)
        }
        _ => Ok(None),
    }
}

async fn bytes_of(store: &Store, sha256: &str, size: i64) -> Result<String> {
    let pieces = store.read(sha256, 0..size.unsigned_abs()).await?;
    let pieces: Vec<_> = pieces.try_collect().await?;
    Ok(String::from_utf8_lossy(&pieces.concat()).into_owned())
}

fn lines(requirements: &str) -> Vec<String> {
    let lines = requirements.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.take(MAX_FIELDS).map(str::to_owned).collect()
}

/// The parts of an MLmodel file that are shown
/// (<https://mlflow.org/docs/latest/ml/model/#additional-logged-files>).
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    flavors: HashMap<String, serde::de::IgnoredAny>,
    signature: Option<Columns>,
    mlflow_version: Option<String>,
}

/// Each is a list of fields, as JSON in a text.
#[derive(Deserialize)]
struct Columns {
    inputs: Option<String>,
    outputs: Option<String>,
    params: Option<String>,
}

fn parse(text: &str) -> Mlmodel {
    // The default options bound depth, aliases and the number of nodes.
    let Ok(document) = serde_saphyr::from_str::<Document>(text) else { return Mlmodel::default() };
    let mut flavors: Vec<String> = document.flavors.into_keys().take(MAX_FIELDS).collect();
    flavors.sort();
    let signature = document.signature.map(|columns| ModelSignature {
        inputs: fields(columns.inputs),
        outputs: fields(columns.outputs),
        params: fields(columns.params),
    });
    Mlmodel {
        flavors,
        signature,
        requirements: Vec::new(),
        mlflow_version: document.mlflow_version,
    }
}

fn fields(json: Option<String>) -> Vec<SignatureField> {
    let fields: Vec<Value> =
        json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    fields.iter().take(MAX_FIELDS).map(field).collect()
}

fn field(field: &Value) -> SignatureField {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let spec = &field["tensor-spec"];
    let tensor = spec.is_object();
    let of = if tensor { text(&spec["dtype"]) } else { text(&field["type"]) };
    let shape = if tensor { &spec["shape"] } else { &field["shape"] };
    let sizes = |shape: &Vec<Value>| shape.iter().filter_map(Value::as_i64).collect();
    SignatureField {
        name: text(&field["name"]),
        of: match (of, &field["items"]) {
            (Some(of), Value::Object(items)) => match items.get("type").and_then(Value::as_str) {
                Some(item) => format!("{of} of {item}"),
                None => of,
            },
            (of, _) => of.unwrap_or_else(|| "any".to_owned()),
        },
        shape: shape.as_array().map(sizes),
        required: field["required"].as_bool().unwrap_or(true) && field.get("default").is_none(),
        default: field.get("default").map(Value::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_mlmodel_is_read() {
        let text = r#"
artifact_path: mlflow-artifacts:/1/models/m-1/artifacts
flavors:
  python_function:
    env: {conda: conda.yaml, virtualenv: python_env.yaml}
    loader_module: mlflow.sklearn
  sklearn:
    code: null
mlflow_version: 3.17.2
model_uuid: m-1
prompts: null
signature:
  inputs: '[{"type": "double", "name": "width", "required": true}, {"type": "array", "items": {"type": "long"}, "name": "ids", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
  params: '[{"name": "t", "type": "float", "default": 0.5, "shape": null}]'
"#;
        let mlmodel = parse(text);
        assert_eq!(mlmodel.flavors, ["python_function", "sklearn"]);
        assert_eq!(mlmodel.mlflow_version.as_deref(), Some("3.17.2"));
        let signature = mlmodel.signature.unwrap();
        assert_eq!(signature.inputs[0].name.as_deref(), Some("width"));
        assert_eq!(
            (signature.inputs[1].of.as_str(), signature.inputs[1].required),
            ("array of long", false)
        );
        assert_eq!(signature.outputs[0].shape.as_deref(), Some(&[-1][..]));
        assert_eq!(signature.params[0].default.as_deref(), Some("0.5"));
    }

    #[test]
    fn what_is_no_mlmodel_says_nothing() {
        let bomb = format!(
            "a: &a [x,x]\n{}flavors: *a",
            (0..30).map(|i| format!("b{i}: [*a, *a]\n")).collect::<String>()
        );
        for text in [
            "",
            "[",
            "flavors: 3",
            "\0",
            "signature: {inputs: '[1, {}]'}",
            &bomb,
            &"[".repeat(100_000),
        ] {
            assert!(parse(text).flavors.is_empty(), "{}", &text[..text.len().min(20)]);
        }
    }
}
