//! What the MLmodel file of a version says: what it can be loaded as, what goes in and what comes out.
//!
//! Read from the stored bytes when somebody asks, so that it can never differ from them; only the flavors are
//! kept beside them, by their SHA-256, to find models by. Whoever uploaded it wrote it: what is no MLmodel, or
//! too large to be one, says nothing.

pub mod sql;

use std::collections::HashMap;

use async_graphql::SimpleObject;

use serde::Deserialize;
use serde_json::Value;

/// Larger ones are not read: real ones have some kilobytes.
pub(super) const MAX_BYTES: i64 = 256 << 10;
/// How many columns are shown.
pub(super) const MAX_FIELDS: usize = 2000;
/// How many flavors are kept: real files have two or three.
pub(super) const MAX_FLAVORS: usize = 20;

/// What is known about how a version can be used.
#[derive(Clone, Debug, Default)]
pub struct Mlmodel {
    pub flavors: Vec<String>,
    pub signature: Option<ModelSignature>,
    pub requirements: Vec<String>,
    pub mlflow_version: Option<String>,
}

/// The inputs and outputs of a model.
#[derive(Clone, Debug, Default, SimpleObject)]
pub struct ModelSignature {
    /// The inputs, in order.
    inputs: Vec<SignatureField>,
    /// The outputs, in order.
    outputs: Vec<SignatureField>,
    /// Additional params, by name.
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
    /// The default value of a param, as JSON; null for everything else.
    default: Option<String>,
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

pub(super) fn parse(text: &str) -> Mlmodel {
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
