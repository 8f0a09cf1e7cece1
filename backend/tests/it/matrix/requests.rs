//! How each of MLflow's routes is tried: requests that succeed for whoever may.

/// A request: its line in the table; what the administrator does before, again after each success; its path,
/// where the route has placeholders; and its query or body.
///
/// `{p}` is the project, `{n}` something fresh, `{x}` the id or token that was made before, `{forged}` almost the
/// same; `{run}`, `{model}` and
/// `{version}` are the ids of the run, logged model and version that are laid out.
pub type Request = (&'static str, &'static [&'static str], &'static str, &'static str);

const MODEL: &str = r#"POST /mlflow/registered-models/create {"name": "m-{n}"}"#;
const VERSION: &str =
    r#"POST /mlflow/model-versions/create {"name": "ocr", "source": "s3://bucket/x"}"#;
const VERSION_OF_MODEL: &str =
    r#"POST /mlflow/model-versions/create {"name": "m-{n}", "source": "s3://bucket/x"}"#;
const CHAMPION: &str = r#"POST /mlflow/registered-models/alias {"name": "m-{n}", "alias": "champion", "version": "1"}"#;
const PRODUCTION: &str = r#"POST /mlflow/model-versions/transition-stage {"name": "m-{n}", "version": "1", "stage": "Production"}"#;
const WEBHOOK: &str = r#"POST /mlflow/webhooks {"name": "w", "url": "https://localhost:9999/x", "events": [{"entity": "MODEL_VERSION", "action": "CREATED"}]}"#;
const EXPERIMENT: &str = r#"POST /mlflow/experiments/create {"name": "e-{n}"}"#;
pub const RUN: &str = r#"POST /mlflow/runs/create {"experiment_id": "0"}"#;
const LOGGED_MODEL: &str = r#"POST /mlflow/logged-models {"experiment_id": "0", "name": "m-{n}"}"#;
const DATASET: &str = r#"POST /mlflow/runs/log-inputs {"run_id": "{run}", "datasets": [{"dataset": {"name": "d", "digest": "1", "source_type": "local", "source": "s"}}]}"#;
const FILE: &str = "PUT /mlflow-artifacts/artifacts/0/{run}/artifacts/f-{n} x";
const UPLOAD: &str =
    r#"POST /mlflow-artifacts/mpu/create/0/{run}/artifacts {"path": "f-{n}", "num_parts": 1}"#;
/// The SHA-256 of `x`.
const COMPLETE: &str = r#"{"path": "f-{n}", "upload_id": "{x}", "parts": [{"part_number": 1,
    "etag": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}]}"#;
const DOWNLOAD_URL: &str = "GET /mlflow-artifacts/presigned/0/{run}/artifacts/f ";
const UPLOAD_URL: &str =
    r#"POST /mlflow/artifacts/presigned-upload-url {"run_id": "{run}", "path": "f-{n}"}"#;

#[rustfmt::skip]
pub const REQUESTS: &[Request] = &[
    ("GET /health", &[], "", ""),
    ("GET /version", &[], "", ""),
    ("GET /mlflow/server-info", &[], "", ""),

    ("GET /mlflow/registered-models/get", &[], "", "name=ocr"),
    ("GET /mlflow/registered-models/search", &[], "", "max_results=10"),
    ("POST /mlflow/registered-models/search", &[], "", "{}"),
    ("GET /mlflow/registered-models/get-latest-versions", &[], "", "name=ocr"),
    ("POST /mlflow/registered-models/get-latest-versions", &[], "", r#"{"name": "ocr"}"#),
    ("GET /mlflow/registered-models/alias", &[], "", "name=ocr&alias=champion"),
    ("GET /mlflow/model-versions/get", &[], "", "name=ocr&version=1"),
    ("GET /mlflow/model-versions/search", &[], "", "max_results=10"),
    ("POST /mlflow/model-versions/search", &[], "", r#"{"filter": "name = 'ocr'"}"#),
    ("GET /mlflow/model-versions/get-download-uri", &[], "", "name=ocr&version=1"),
    ("GET /mlflow/webhooks", &[WEBHOOK], "", ""),
    ("GET /mlflow/webhooks/{webhook_id}", &[WEBHOOK], "/mlflow/webhooks/{x}", ""),
    ("GET /mlflow/workspaces", &[], "", ""),
    ("GET /mlflow/workspaces/{workspace_name}", &[], "/mlflow/workspaces/{p}", ""),
    ("GET /mlflow/experiments/get", &[], "", "experiment_id=0"),
    ("GET /mlflow/experiments/get-by-name", &[], "", "experiment_name=Default"),
    ("GET /mlflow/experiments/search", &[], "", "max_results=10"),
    ("POST /mlflow/experiments/search", &[], "", r#"{"max_results": 10}"#),
    ("POST /mlflow/experiments/search-datasets", &[DATASET], "", r#"{"experiment_ids": ["0"]}"#),
    ("GET /mlflow/runs/get", &[], "", "run_id={run}"),
    ("POST /mlflow/runs/search", &[], "", r#"{"experiment_ids": ["0"]}"#),
    ("GET /mlflow/metrics/get-history", &[], "", "run_id={run}&metric_key=loss"),
    ("GET /mlflow/metrics/get-history-bulk", &[], "", "run_id={run}&metric_key=loss"),
    ("GET /mlflow/metrics/get-history-bulk-interval", &[], "", "run_ids={run}&metric_key=loss"),
    ("POST /mlflow/logged-models/search", &[], "", r#"{"experiment_ids": ["0"]}"#),
    ("GET /mlflow/logged-models/{model_id}", &[], "/mlflow/logged-models/{model}", ""),
    ("GET /mlflow/logged-models/{model_id}/artifacts/directories", &[], "/mlflow/logged-models/{model}/artifacts/directories", ""),
    ("GET /mlflow/logged-models/{model_id}/artifacts/files", &[], "/mlflow/logged-models/{model}/artifacts/files", "artifact_file_path=f"),
    ("GET /mlflow/artifacts/list", &[], "", "run_id={run}"),
    ("GET /get-artifact", &[], "", "run_id={run}&path=f"),
    ("GET /model-versions/get-artifact", &[], "", "name=ocr&version=1&path=f"),
    ("GET //get-artifact", &[], "", "run_id={run}&path=f"),
    ("GET //model-versions/get-artifact", &[], "", "name=ocr&version=1&path=f"),
    ("GET /mlflow-artifacts/artifacts", &[], "", "path=0/{run}/artifacts"),
    ("GET /mlflow-artifacts/artifacts/{*artifact_path}", &[], "/mlflow-artifacts/artifacts/0/{run}/artifacts/f", ""),
    ("GET /mlflow-artifacts/artifacts/{*artifact_path} (of a logged model)", &[], "/mlflow-artifacts/artifacts/0/models/{model}/artifacts/f", ""),
    ("GET /mlflow-artifacts/artifacts/{*artifact_path} (of a version)", &[], "/mlflow-artifacts/artifacts/versions/{version}/f", ""),
    ("GET /mlflow-artifacts/artifacts/{*artifact_path} (of the project)", &[], "/mlflow-artifacts/artifacts/f", ""),
    ("HEAD /mlflow-artifacts/artifacts/{*artifact_path}", &[], "/mlflow-artifacts/artifacts/0/{run}/artifacts/f", ""),
    ("GET /mlflow-artifacts/presigned/{*artifact_path}", &[], "/mlflow-artifacts/presigned/0/{run}/artifacts/f", ""),
    ("POST /mlflow/artifacts/presigned-download-url", &[], "", r#"{"run_id": "{run}", "path": "f"}"#),
    ("GET /mlflow-signed/{token}", &[DOWNLOAD_URL], "/mlflow-signed/{x}", ""),
    ("GET /mlflow-signed/{token} (forged)", &[DOWNLOAD_URL], "/mlflow-signed/{forged}", ""),
    ("GET /mlflow-signed/{token} (for an upload)", &[UPLOAD_URL], "/mlflow-signed/{x}", ""),

    ("POST /mlflow/registered-models/create", &[], "", r#"{"name": "new-{n}"}"#),
    ("PATCH /mlflow/registered-models/update", &[], "", r#"{"name": "ocr", "description": "d"}"#),
    ("POST /mlflow/registered-models/update", &[], "", r#"{"name": "ocr", "description": "d"}"#),
    ("POST /mlflow/registered-models/rename", &[MODEL], "", r#"{"name": "m-{n}", "new_name": "renamed-{n}"}"#),
    ("DELETE /mlflow/registered-models/delete", &[MODEL], "", r#"{"name": "m-{n}"}"#),
    ("DELETE /mlflow/registered-models/delete (protected)", &[MODEL, VERSION_OF_MODEL, CHAMPION], "", r#"{"name": "m-{n}"}"#),
    ("DELETE /mlflow/registered-models/delete (in a protected stage)", &[MODEL, VERSION_OF_MODEL, PRODUCTION], "", r#"{"name": "m-{n}"}"#),
    ("POST /mlflow/registered-models/set-tag", &[], "", r#"{"name": "ocr", "key": "k", "value": "v"}"#),
    ("DELETE /mlflow/registered-models/delete-tag", &[r#"POST /mlflow/registered-models/set-tag {"name": "ocr", "key": "gone", "value": "v"}"#], "", r#"{"name": "ocr", "key": "gone"}"#),
    ("POST /mlflow/registered-models/alias", &[], "", r#"{"name": "ocr", "alias": "free", "version": "1"}"#),
    ("POST /mlflow/registered-models/alias (protected)", &[], "", r#"{"name": "ocr", "alias": "champion", "version": "1"}"#),
    ("DELETE /mlflow/registered-models/alias", &[r#"POST /mlflow/registered-models/alias {"name": "ocr", "alias": "free", "version": "1"}"#], "", r#"{"name": "ocr", "alias": "free"}"#),
    ("DELETE /mlflow/registered-models/alias (protected)", &[MODEL, VERSION_OF_MODEL, CHAMPION], "", r#"{"name": "m-{n}", "alias": "champion"}"#),
    ("POST /mlflow/model-versions/create", &[], "", r#"{"name": "ocr", "source": "s3://bucket/x"}"#),
    ("POST /mlflow/model-versions/create (from a run)", &[], "", r#"{"name": "ocr", "source": "runs:/{run}/model", "run_id": "{run}"}"#),
    ("POST /mlflow/model-versions/create (from a logged model)", &[], "", r#"{"name": "ocr", "source": "models:/{model}", "model_id": "{model}"}"#),
    ("PATCH /mlflow/model-versions/update", &[], "", r#"{"name": "ocr", "version": "1", "description": "d"}"#),
    ("POST /mlflow/model-versions/update", &[], "", r#"{"name": "ocr", "version": "1", "description": "d"}"#),
    ("DELETE /mlflow/model-versions/delete", &[VERSION], "", r#"{"name": "ocr", "version": "{x}"}"#),
    ("DELETE /mlflow/model-versions/delete (protected)", &[MODEL, VERSION_OF_MODEL, CHAMPION], "", r#"{"name": "m-{n}", "version": "1"}"#),
    ("DELETE /mlflow/model-versions/delete (in a protected stage)", &[MODEL, VERSION_OF_MODEL, PRODUCTION], "", r#"{"name": "m-{n}", "version": "1"}"#),
    ("POST /mlflow/model-versions/transition-stage", &[], "", r#"{"name": "ocr", "version": "1", "stage": "Staging"}"#),
    ("POST /mlflow/model-versions/transition-stage (protected)", &[VERSION], "", r#"{"name": "ocr", "version": "{x}", "stage": "Production", "archive_existing_versions": true}"#),
    ("POST /mlflow/model-versions/transition-stage (out of a protected one)", &[MODEL, VERSION_OF_MODEL, PRODUCTION], "", r#"{"name": "m-{n}", "version": "1", "stage": "None"}"#),
    ("POST /mlflow/model-versions/set-tag", &[], "", r#"{"name": "ocr", "version": "1", "key": "k", "value": "v"}"#),
    ("DELETE /mlflow/model-versions/delete-tag", &[r#"POST /mlflow/model-versions/set-tag {"name": "ocr", "version": "1", "key": "gone", "value": "v"}"#], "", r#"{"name": "ocr", "version": "1", "key": "gone"}"#),
    ("POST /mlflow/webhooks", &[], "", r#"{"name": "w", "url": "https://localhost:9999/x", "events": [{"entity": "MODEL_VERSION", "action": "CREATED"}]}"#),
    ("PATCH /mlflow/webhooks/{webhook_id}", &[WEBHOOK], "/mlflow/webhooks/{x}", r#"{"description": "d"}"#),
    ("DELETE /mlflow/webhooks/{webhook_id}", &[WEBHOOK], "/mlflow/webhooks/{x}", ""),
    ("POST /mlflow/webhooks/{webhook_id}/test", &[WEBHOOK], "/mlflow/webhooks/{x}/test", "{}"),
    ("POST /mlflow/workspaces", &[], "", r#"{"name": "new-{n}"}"#),
    ("PATCH /mlflow/workspaces/{workspace_name}", &[], "/api/3.0/mlflow/workspaces/{p}", r#"{"description": "d"}"#),
    ("DELETE /mlflow/workspaces/{workspace_name}", &[], "/api/3.0/mlflow/workspaces/{p}", ""),

    ("POST /mlflow/experiments/create", &[], "", r#"{"name": "new-{n}"}"#),
    ("POST /mlflow/experiments/update", &[EXPERIMENT], "", r#"{"experiment_id": "{x}", "new_name": "renamed-{n}"}"#),
    ("POST /mlflow/experiments/delete", &[EXPERIMENT], "", r#"{"experiment_id": "{x}"}"#),
    ("POST /mlflow/experiments/restore", &[EXPERIMENT, r#"POST /mlflow/experiments/delete {"experiment_id": "{x}"}"#], "", r#"{"experiment_id": "{x}"}"#),
    ("POST /mlflow/experiments/set-experiment-tag", &[], "", r#"{"experiment_id": "0", "key": "k", "value": "v"}"#),
    ("POST /mlflow/experiments/delete-experiment-tag", &[r#"POST /mlflow/experiments/set-experiment-tag {"experiment_id": "0", "key": "gone", "value": "v"}"#], "", r#"{"experiment_id": "0", "key": "gone"}"#),
    ("POST /mlflow/runs/create", &[], "", r#"{"experiment_id": "0"}"#),
    ("POST /mlflow/runs/create (of a model)", &[], "", r#"{"experiment_id": "1"}"#),
    ("POST /mlflow/runs/update", &[], "", r#"{"run_id": "{run}", "status": "RUNNING"}"#),
    ("POST /mlflow/runs/delete", &[RUN], "", r#"{"run_id": "{x}"}"#),
    ("POST /mlflow/runs/restore", &[RUN, r#"POST /mlflow/runs/delete {"run_id": "{x}"}"#], "", r#"{"run_id": "{x}"}"#),
    ("POST /mlflow/runs/set-tag", &[], "", r#"{"run_id": "{run}", "key": "k", "value": "v"}"#),
    ("POST /mlflow/runs/delete-tag", &[r#"POST /mlflow/runs/set-tag {"run_id": "{run}", "key": "gone", "value": "v"}"#], "", r#"{"run_id": "{run}", "key": "gone"}"#),
    ("POST /mlflow/runs/log-metric", &[], "", r#"{"run_id": "{run}", "key": "loss", "value": 1, "timestamp": 1}"#),
    ("POST /mlflow/runs/log-parameter", &[], "", r#"{"run_id": "{run}", "key": "lr", "value": "1"}"#),
    ("POST /mlflow/runs/log-batch", &[], "", r#"{"run_id": "{run}", "metrics": [{"key": "loss", "value": 1, "timestamp": 1, "model_id": "{model}"}]}"#),
    ("POST /mlflow/runs/log-inputs", &[], "", r#"{"run_id": "{run}", "datasets": [{"dataset": {"name": "d", "digest": "1", "source_type": "local", "source": "s"}}], "models": [{"model_id": "{model}"}]}"#),
    ("POST /mlflow/runs/outputs", &[RUN], "", r#"{"run_id": "{x}", "models": [{"model_id": "{model}", "step": 0}]}"#),
    ("POST /mlflow/runs/log-model", &[], "", r#"{"run_id": "{run}", "model_json": "{\"artifact_path\": \"m\", \"flavors\": {}, \"utc_time_created\": \"now\", \"run_id\": \"1\"}"}"#),
    ("POST /mlflow/logged-models", &[], "", r#"{"experiment_id": "0", "name": "m", "source_run_id": "{run}"}"#),
    ("PATCH /mlflow/logged-models/{model_id}", &[LOGGED_MODEL], "/mlflow/logged-models/{x}", r#"{"status": "LOGGED_MODEL_READY"}"#),
    ("DELETE /mlflow/logged-models/{model_id}", &[LOGGED_MODEL], "/mlflow/logged-models/{x}", ""),
    ("POST /mlflow/logged-models/{model_id}/params", &[LOGGED_MODEL], "/mlflow/logged-models/{x}/params", r#"{"params": [{"key": "lr", "value": "1"}]}"#),
    ("PATCH /mlflow/logged-models/{model_id}/tags", &[], "/mlflow/logged-models/{model}/tags", r#"{"tags": [{"key": "k", "value": "v"}]}"#),
    ("DELETE /mlflow/logged-models/{model_id}/tags/{tag_key}", &[r#"PATCH /mlflow/logged-models/{model}/tags {"tags": [{"key": "gone", "value": "v"}]}"#], "/mlflow/logged-models/{model}/tags/gone", ""),
    ("PUT /mlflow-artifacts/artifacts/{*artifact_path}", &[], "/mlflow-artifacts/artifacts/0/{run}/artifacts/f-{n}", "x"),
    ("PUT /mlflow-artifacts/artifacts/{*artifact_path} (of a logged model)", &[LOGGED_MODEL], "/mlflow-artifacts/artifacts/0/models/{x}/artifacts/f-{n}", "x"),
    ("PUT /mlflow-artifacts/artifacts/{*artifact_path} (of the project)", &[], "/mlflow-artifacts/artifacts/f-{n}", "x"),
    ("DELETE /mlflow-artifacts/artifacts/{*artifact_path}", &[FILE], "/mlflow-artifacts/artifacts/0/{run}/artifacts/f-{n}", ""),
    ("POST /mlflow/upload-artifact", &[], "/mlflow/upload-artifact?run_uuid={run}&path=f-{n}", "x"),
    ("POST /mlflow-artifacts/mpu/create/{*artifact_path}", &[], "/mlflow-artifacts/mpu/create/0/{run}/artifacts", r#"{"path": "f-{n}", "num_parts": 1}"#),
    ("POST /mlflow-artifacts/mpu/complete/{*artifact_path}", &[UPLOAD, "PUT {url} x"], "/mlflow-artifacts/mpu/complete/0/{run}/artifacts", COMPLETE),
    ("POST /mlflow-artifacts/mpu/abort/{*artifact_path}", &[UPLOAD], "/mlflow-artifacts/mpu/abort/0/{run}/artifacts", COMPLETE),
    ("POST /mlflow/artifacts/presigned-upload-url", &[], "", r#"{"run_id": "{run}", "path": "f-{n}"}"#),
    ("POST /mlflow/artifacts/presigned-upload-url (of a logged model)", &[LOGGED_MODEL], "", r#"{"model_id": "{x}", "path": "f-{n}"}"#),
    ("PUT /mlflow-signed/{token}", &[UPLOAD_URL], "/mlflow-signed/{x}", "x"),
    ("PUT /mlflow-signed/{token} (forged)", &[UPLOAD_URL], "/mlflow-signed/{forged}", "x"),
    ("PUT /mlflow-signed/{token} (for a download)", &[DOWNLOAD_URL], "/mlflow-signed/{x}", "x"),
];
