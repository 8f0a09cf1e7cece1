//! What a webhook asks for: names of events, read and checked, and what they stand for in the log.

use std::collections::BTreeSet;

use super::WebhookFormat;
use super::pair::Pair;
use crate::action::{Action, in_webhooks};
use crate::error::{Error, Result};

/// How many events a webhook names.
const MAX_EVENTS: usize = 50;
/// The name of all that was refused, which only webhooks of the registry are told of.
pub const REFUSED: &str = "refused";

/// Of which webhooks an action is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Of all that ask for it, by name, as `version.*`, or with everything else as `*`.
    Always,
    /// As before, but not as `*`: it happens often.
    Named,
    /// Only of those of the registry, by name: it is nobody else's.
    Registry,
    /// Of none: programs do it every second.
    Never,
}

fn told(action: Action) -> Told {
    match action.kind() {
        "file" => Told::Named,
        "user" | "session" | "password" | "invitation" | "trash" | "storage" | "event" => {
            Told::Registry
        }
        _ if matches!(action, Action::CandidateLog | Action::LoggedModelLog) => Told::Never,
        _ => Told::Always,
    }
}

/// The events of a webhook.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    /// As they were named, each once.
    pub names: Vec<String>,
    /// What the log calls them.
    pub actions: BTreeSet<&'static str>,
}

impl Wanted {
    /// Reads the names of events: of actions, or MLflow's where messages are MLflow's.
    pub fn parse(names: &[String], format: WebhookFormat, is_of_registry: bool) -> Result<Self> {
        if !(1..=MAX_EVENTS).contains(&names.len()) {
            return Err(Error::invalid("events", format!("must be 1 to {MAX_EVENTS}")));
        }
        let mut wanted = Self { names: Vec::new(), actions: BTreeSet::new() };
        for name in names {
            let actions = match format {
                WebhookFormat::Mlflow => pair_of(name)?,
                _ => actions_of(name, is_of_registry)?,
            };
            wanted.actions.extend(actions);
            if !wanted.names.contains(name) {
                wanted.names.push(name.clone());
            }
        }
        Ok(wanted)
    }
}

fn pair_of(name: &str) -> Result<Vec<&'static str>> {
    let pair = Pair::named(name).ok_or_else(|| {
        wrong(name, "is no event of MLflow's webhooks: one is model_version.created")
    })?;
    Ok(pair.actions.iter().map(|action| action.as_str()).collect())
}

fn actions_of(name: &str, is_of_registry: bool) -> Result<Vec<&'static str>> {
    if name == REFUSED {
        return match is_of_registry {
            true => Ok(vec![REFUSED]),
            false => Err(wrong(name, "is only for webhooks of the registry")),
        };
    }
    let kind = name.strip_suffix(".*");
    let is_named = |action: &Action| match kind {
        Some(kind) => in_webhooks(action.kind()) == kind,
        None => name == "*" || action.in_webhooks() == name,
    };
    let found: Vec<_> = Action::ALL.iter().copied().filter(is_named).collect();
    let is_told = |action: &Action| match told(*action) {
        Told::Always => true,
        Told::Named => name != "*",
        Told::Registry => is_of_registry && name != "*",
        Told::Never => false,
    };
    let actions: Vec<_> =
        found.iter().filter(|action| is_told(action)).map(|a| a.as_str()).collect();
    match actions.is_empty() {
        false => Ok(actions),
        true if found.is_empty() => {
            Err(wrong(name, "is no event: one is alias.set, several are version.*, all are *"))
        }
        true if found.iter().all(|action| told(*action) == Told::Registry) => {
            Err(wrong(name, "is only for webhooks of the registry"))
        }
        true => Err(wrong(name, "happens too often for webhooks")),
    }
}

fn wrong(name: &str, reason: &str) -> Error {
    let begin: String = name.chars().take(60).collect();
    Error::invalid("events", format!("{begin:?} {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(names: &[&str], format: WebhookFormat, is_of_registry: bool) -> Result<Wanted> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        Wanted::parse(&names, format, is_of_registry)
    }

    #[test]
    fn names_stand_for_actions() {
        let actions =
            |names: &[&str]| parse(names, WebhookFormat::Standard, false).unwrap().actions;
        assert_eq!(actions(&["alias.set", "alias.set"]), BTreeSet::from(["alias.set"]));
        assert!(actions(&["version.*"]).contains("version.yank"));
        assert_eq!(actions(&["logged_model.create"]), BTreeSet::from(["logged-model.create"]));
        assert!(actions(&["logged_model.*"]).contains("logged-model.delete"));
        let all = actions(&["*"]);
        assert!(all.contains("candidate.update") && all.contains("member.add"));
        for never in ["candidate.log", "logged-model.log", "file.put", "user.invite", "refused"] {
            assert!(!all.contains(never), "{never}");
        }
        assert!(actions(&["file.*"]).contains("file.put"));
    }

    #[test]
    fn what_is_no_event_or_not_theirs_is_refused() {
        for wrong in [
            "",
            "alias",
            "alias.move",
            "logged-model.create",
            "candidate.log",
            "user.*",
            "refused",
            "*.set",
        ] {
            assert!(parse(&[wrong], WebhookFormat::Standard, false).is_err(), "{wrong}");
        }
        assert!(parse(&[], WebhookFormat::Standard, false).is_err());
        assert!(parse(&["user.*", "refused"], WebhookFormat::Text, true).is_ok());
        assert!(parse(&["alias.set"], WebhookFormat::Mlflow, false).is_err());
        let mlflow = parse(
            &["model_version.created", "budget_policy.exceeded"],
            WebhookFormat::Mlflow,
            false,
        );
        assert_eq!(mlflow.unwrap().actions.len(), 3);
    }
}
