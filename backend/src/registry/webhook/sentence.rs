//! An event in one line of words, for chats.

use super::occurrence::Occurrence;
use crate::action::Action;

/// What happened, for people who read many such lines.
pub fn of(event: &Occurrence) -> String {
    let who = event.actor.as_deref().unwrap_or("The registry");
    let model = event.model_path().unwrap_or_else(|| event.subject.clone());
    let version = event.version.as_deref().unwrap_or_default();
    let said = |name: &str| event.said(name).unwrap_or_default();
    let because = |text: String| match event.said("reason").filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{text}: {reason}"),
        None => text,
    };
    if event.refused {
        return format!("{who} was refused: {} of {}", event.action_name, event.subject);
    }
    match event.action() {
        Some(Action::AliasSet) => {
            let from = event.said("from").map(|from| format!(" from {from}")).unwrap_or_default();
            format!("{who} moved @{} of {model}{from} to {}", said("alias"), said("version"))
        }
        Some(Action::AliasDelete) => format!("{who} deleted @{} of {model}", said("alias")),
        Some(Action::VersionCreate) if event.is_draft() => {
            format!("{who} created the draft {version} of {model}")
        }
        Some(Action::VersionCreate | Action::VersionPublish | Action::CandidatePromote) => {
            format!("{who} published {model} {version}")
        }
        Some(Action::VersionDeprecate) => because(format!("{who} deprecated {model} {version}")),
        Some(Action::VersionYank) => because(format!("{who} yanked {model} {version}")),
        Some(Action::VersionStage) => {
            format!("{who} moved {model} {version} from {} to {}", said("from"), said("to"))
        }
        Some(Action::ModelCreate) => format!("{who} created the model {model}"),
        Some(Action::TagSet) => {
            format!("{who} set the tag {} of {} to {}", said("key"), event.subject, said("value"))
        }
        Some(Action::CandidateUpdate) => {
            format!("{}: the run ended as {}", event.subject, said("status"))
        }
        Some(action) => format!("{}: {} ({who})", event.subject, action.meaning()),
        None => format!("{}: {} ({who})", event.subject, event.action_name),
    }
}
