//! The support of a version: whether it should still be used, and what whoever uses it nevertheless reads.

use super::{mutation, scalar::VersionSupport, schema, version::VersionName};
use crate::logic::error::ApiError;

/// What a version is, or is to become.
#[derive(Clone, Debug, PartialEq)]
pub struct Support {
    pub state: VersionSupport,
    pub reason: Option<String>,
    /// The version to use instead.
    pub successor: Option<String>,
}

#[derive(cynic::InputObject, Clone)]
pub struct DeprecateModelVersionInput {
    pub model: String,
    pub version: String,
    pub reason: Option<String>,
    pub successor: Option<String>,
}

mutation! { $
    deprecate: deprecate_model_version(DeprecateModelVersionInput)
        -> "DeprecateModelVersionPayload" { model_version: VersionName }
}

#[derive(cynic::InputObject, Clone)]
pub struct YankModelVersionInput {
    pub model: String,
    pub version: String,
    pub reason: String,
    pub successor: Option<String>,
}

mutation! { $
    yank: yank_model_version(YankModelVersionInput)
        -> "YankModelVersionPayload" { model_version: VersionName }
}

#[derive(cynic::InputObject, Clone)]
pub struct ReactivateModelVersionInput {
    pub model: String,
    pub version: String,
}

mutation! { $
    reactivate: reactivate_model_version(ReactivateModelVersionInput)
        -> "ReactivateModelVersionPayload" { model_version: VersionName }
}

/// Deprecates or yanks a version, or has it be used again.
pub async fn set(model: String, version: String, to: Support) -> Result<VersionName, ApiError> {
    let Support { state, reason, successor } = to;
    match state {
        VersionSupport::Active => reactivate(ReactivateModelVersionInput { model, version }).await,
        VersionSupport::Deprecated => {
            deprecate(DeprecateModelVersionInput { model, version, reason, successor }).await
        }
        VersionSupport::Yanked => {
            let reason = reason.unwrap_or_default();
            yank(YankModelVersionInput { model, version, reason, successor }).await
        }
    }
}
