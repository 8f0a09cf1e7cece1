//! How a candidate's status looks.

use leptos::prelude::*;

use crate::{components::badge::StatusBadge, graphql::scalar::CandidateStatus};

#[component]
pub fn Status(status: CandidateStatus) -> impl IntoView {
    let (text, dot) = match status {
        CandidateStatus::Running => ("Running", "status-info animate-pulse"),
        CandidateStatus::Scheduled => ("Scheduled", "status-neutral"),
        CandidateStatus::Finished => ("Finished", "status-success"),
        CandidateStatus::Failed => ("Failed", "status-error"),
        CandidateStatus::Killed => ("Killed", "status-warning"),
    };
    view! { <StatusBadge text dot/> }
}
