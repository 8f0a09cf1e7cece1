//! The one way to the GraphQL API: `run(operation)`.

use cynic::{GraphQlError, GraphQlResponse, Operation};
use gloo_net::http::Request;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::{ApiError, Code};

/// The errors of an answer. They are read before its data, which may then be incomplete.
#[derive(Deserialize)]
struct Refused {
    #[serde(default)]
    errors: Vec<GraphQlError<Extensions>>,
}

#[derive(Deserialize)]
struct Extensions {
    #[serde(default)]
    code: String,
    field: Option<String>,
}

/// Sends one operation and returns its data, or the first error that the server named.
pub async fn run<T, V>(operation: Operation<T, V>) -> Result<T, ApiError>
where
    T: DeserializeOwned + 'static,
    V: Serialize,
{
    let body = serde_json::to_string(&operation)
        .map_err(|error| ApiError::new(Code::Invalid, error.to_string()))?;
    let response = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .body(body)
        .map_err(|_| ApiError::unreachable())?
        .send()
        .await
        .map_err(|_| ApiError::unreachable())?;
    let status = response.status();
    let text = response.text().await.map_err(|_| ApiError::unreachable())?;
    let unexpected = |_| ApiError::unexpected(status);
    let refused: Refused = serde_json::from_str(&text).map_err(unexpected)?;
    if let Some(error) = refused.errors.into_iter().next() {
        let (code, field) = error.extensions.map_or((Code::Unexpected, None), |extensions| {
            (Code::parse(&extensions.code), extensions.field)
        });
        return Err(ApiError { code, message: error.message, field });
    }
    let answer: GraphQlResponse<T> = serde_json::from_str(&text).map_err(unexpected)?;
    answer.data.ok_or_else(|| ApiError::unexpected(status))
}
