//! What clients ask to know whom they talk to.

use axum::Json;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;

/// Whether the server lives.
pub async fn health() -> Response {
    super::plain("OK")
}

/// The version of MLflow whose API this is.
pub async fn version() -> Response {
    super::plain("3.17.2")
}

/// What the server can do. Workspaces are projects, and clients ask for them with a header.
pub async fn server_info(State(_app): State<App>) -> Json<serde_json::Value> {
    Json(serde_json::json!({
        "store_type": "SqlStore",
        "workspaces_enabled": true,
        "trace_archival_enabled": false,
        "multipart_uploads_enabled": true,
        "multipart_downloads_enabled": true,
        "presigned_upload_run_id_supported": true,
        "presigned_upload_model_id_supported": true,
        "features_enabled": { "gateway": false },
    }))
}
