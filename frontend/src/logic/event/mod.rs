//! An event of the audit log as a sentence, with links to the objects that it is about.
//!
//! The name of who did it stands before the sentence: `moved alias production of vision/ocr to 2.1.0`.

mod actions;
mod teller;

use serde_json::{Map, Value};

use teller::Teller;

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    Link { text: String, href: String },
}

/// An event in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub sentence: Vec<Part>,
    /// What the sentence does not say: `size: 7 · sha256: 0123456789ab…`.
    pub more: String,
}

/// Tells an event from its action, its subject, and its detail, which is a JSON object.
pub fn tell(action: &str, subject: &str, refused: bool, detail: &str) -> Told {
    let Ok(Value::Object(fields)) = serde_json::from_str(detail) else {
        let parts = vec![Part::Text(format!("{action} {subject}"))];
        return Told { sentence: parts, more: detail.to_owned() };
    };
    let mut teller = Teller::new(subject, refused, fields);
    let code = if refused { teller.take("code") } else { None };
    let known = teller.plain(action)
        || teller.move_or_change(action)
        || teller.attached(action)
        || teller.person(action);
    if !known {
        teller.text(&format!("{action} {subject}"));
    }
    if refused {
        teller.text(&format!(", which was refused: {}", reason(code.as_deref())));
    }
    Told { sentence: teller.parts, more: rest(&teller.fields) }
}

/// The sentence of several events in a row that differ in their files only.
pub fn tell_files(action: &str, subject: &str, refused: bool, count: usize) -> Told {
    let count = Map::from_iter([("count".to_owned(), Value::from(count))]);
    tell(action, subject, refused, &Value::Object(count).to_string())
}

/// Why something was refused.
fn reason(code: Option<&str>) -> &str {
    match code {
        Some("FORBIDDEN") => "no permission",
        Some("UNAUTHENTICATED") => "not signed in, or wrong credentials",
        Some("NOT_FOUND") => "not found, or no access",
        other => other.unwrap_or("no reason was recorded"),
    }
}

/// `{"role": "DEVELOPER"}` as people read it: `role: DEVELOPER`.
fn rest(fields: &Map<String, Value>) -> String {
    let field = |(key, value): (&String, &Value)| match value.as_str() {
        // Hashes are told apart by their beginning; the export has them in full.
        Some(hash) if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{key}: {}…", &hash[..12])
        }
        Some(text) => format!("{key}: {text}"),
        None => match (value["from"].as_str(), value["to"].as_str()) {
            (Some(from), Some(to)) => format!("{key}: {from} → {to}"),
            _ => format!("{key}: {value}"),
        },
    };
    fields.iter().filter(|(_, value)| !value.is_null()).map(field).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(action: &str, subject: &str, detail: &str) -> String {
        plain(&tell(action, subject, false, detail))
    }

    fn refused(action: &str, subject: &str, detail: &str) -> String {
        plain(&tell(action, subject, true, detail))
    }

    fn plain(told: &Told) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) | Part::Link { text, .. } => text.clone(),
        };
        told.sentence.iter().map(text).collect()
    }

    fn links(action: &str, subject: &str, detail: &str) -> Vec<String> {
        let href = |part: Part| match part {
            Part::Link { href, .. } => Some(href),
            Part::Text(_) => None,
        };
        tell(action, subject, false, detail).sentence.into_iter().filter_map(href).collect()
    }

    #[test]
    fn a_webhook_that_was_given_up() {
        let detail = r#"{"reason":"No message arrived for 5 days."}"#;
        assert_eq!(
            done("webhook.disable", "ci", detail),
            "disabled webhook ci: No message arrived for 5 days"
        );
        assert_eq!(done("webhook.disable", "ci", "{}"), "disabled webhook ci");
    }

    #[test]
    fn an_alias_that_moved() {
        let (subject, detail) =
            ("vision/ocr@production", r#"{"alias":"production","from":"2.0.0","version":"2.1.0"}"#);
        assert_eq!(
            done("alias.set", subject, detail),
            "moved alias production of vision/ocr from 2.0.0 to 2.1.0"
        );
        assert_eq!(
            links("alias.set", subject, detail),
            ["/vision/ocr", "/vision/ocr/versions/2.1.0"]
        );
        let detail = r#"{"alias":"production","version":null}"#;
        assert_eq!(done("alias.delete", subject, detail), "removed alias production of vision/ocr");
    }

    #[test]
    fn what_was_refused_says_what_was_tried_and_why() {
        let detail = r#"{"code":"FORBIDDEN","alias":"production","version":"2.1.0"}"#;
        assert_eq!(
            refused("alias.set", "vision/ocr", detail),
            "tried to move alias production of vision/ocr to 2.1.0, which was refused: no permission"
        );
        assert_eq!(
            refused("model.create", "vision", r#"{"code":"FORBIDDEN","name":"ocr"}"#),
            "tried to create model “ocr” in project vision, which was refused: no permission"
        );
        assert_eq!(
            refused("version.publish", "vision/ocr", r#"{"code":"NOT_FOUND","version":"1.0.0"}"#),
            "tried to publish version 1.0.0 of vision/ocr, which was refused: not found, or no access"
        );
        assert_eq!(
            refused("session.create", "ada", r#"{"code":"UNAUTHENTICATED"}"#),
            "tried to sign in as ada, which was refused: not signed in, or wrong credentials"
        );
        // Lines from before the detail said more.
        let old = refused("version.delete", "vision/ocr", r#"{"code":"FORBIDDEN"}"#);
        assert!(old.starts_with("tried to move model vision/ocr to the trash"), "{old}");
    }

    #[test]
    fn objects_are_named_and_linked() {
        for (action, subject, expected, href) in [
            ("project.delete", "vision", "moved project vision to the trash", "/vision"),
            ("model.create", "vision/o r", "created model vision/o r", "/vision/o%20r"),
            (
                "version.publish",
                "vision/ocr@1.2.0",
                "published version 1.2.0 of vision/ocr",
                "/vision/ocr/versions/1.2.0",
            ),
            (
                "candidate.log",
                "vision/ocr/candidates/7",
                "logged to run #7 of vision/ocr",
                "/vision/ocr/candidates/7",
            ),
            (
                "candidate.create",
                "vision/-/runs/0123456789abcdef",
                "started run 0123456789ab in vision",
                "/vision/-/runs/0123456789abcdef",
            ),
            (
                "experiment.restore",
                "vision/-/experiments/3",
                "restored experiment #3 in vision",
                "/vision/-/experiments/3",
            ),
        ] {
            assert_eq!(done(action, subject, "{}"), expected);
            assert_eq!(links(action, subject, "{}")[0], href, "{action}");
        }
    }

    #[test]
    fn changes_say_from_what_to_what() {
        assert_eq!(
            done("model.rename", "vision/ocr", r#"{"from":"reader"}"#),
            "renamed “reader” to model vision/ocr"
        );
        assert_eq!(
            done("experiment.rename", "v/-/experiments/3", r#"{"from":"a","to":"b"}"#),
            "renamed “a” to experiment “b” in v"
        );
        let detail = r#"{"name":{"from":"a","to":"b"}}"#;
        assert_eq!(tell("project.update", "v", false, detail).more, "name: a → b");
        assert_eq!(
            done("version.stage", "v/m@1.0.0", r#"{"from":"NONE","to":"STAGING","archive":false}"#),
            "moved version 1.0.0 of v/m from stage NONE to stage STAGING"
        );
        assert_eq!(
            done("candidate.promote", "v/m@1.0.0", r#"{"candidate":7,"digest":"x"}"#),
            "promoted run #7 to version 1.0.0 of v/m"
        );
        assert_eq!(
            done(
                "member.update",
                "vision: ada",
                r#"{"username":"ada","from":"GUEST","role":"DEVELOPER"}"#
            ),
            "changed the role of ada in project vision from Guest to Developer"
        );
        assert_eq!(
            done("alias.protect", "vision: @release-*", r#"{"pattern":"release-*"}"#),
            "protected alias release-* in vision"
        );
        assert_eq!(
            done("trash.empty", "vision/ocr", r#"{"kind":"MODEL"}"#),
            "permanently deleted model vision/ocr"
        );
    }

    #[test]
    fn tags_and_files() {
        let detail = r#"{"key":"note","value":"hunter2"}"#;
        assert_eq!(
            done("tag.set", "vision/ocr", detail),
            "set tag note of model vision/ocr to “hunter2”"
        );
        assert_eq!(
            done("tag.delete", "vision/ocr", detail),
            "removed tag note of model vision/ocr, which was “hunter2”"
        );
        assert_eq!(
            done("tag.set", "vision/ocr", r#"{"key":"note"}"#),
            "set tag note of model vision/ocr"
        );
        let hash = "0123456789abcdef".repeat(4);
        let detail = format!(r#"{{"path":"a/model.onnx","size":7,"sha256":"{hash}"}}"#);
        let told = tell("file.put", "vision/ocr@1.0.0", false, &detail);
        assert_eq!(plain(&told), "uploaded a/model.onnx to version 1.0.0 of vision/ocr");
        assert_eq!(told.more, "sha256: 0123456789ab… · size: 7");
        let many = tell_files("file.put", "vision/ocr@1.0.0", false, 25);
        assert_eq!(plain(&many), "uploaded 25 files to version 1.0.0 of vision/ocr");
        assert_eq!(
            done("file.delete", "v/m@1.0.0", r#"{"path":"a","files":3}"#),
            "deleted folder a (3 files) from version 1.0.0 of v/m"
        );
    }

    #[test]
    fn what_is_not_known_is_shown_as_it_is() {
        assert_eq!(done("moon.land", "apollo", "{}"), "moon.land apollo");
        let told = tell("model.create", "v/m", false, "no object");
        assert_eq!(
            (plain(&told), told.more.as_str()),
            ("model.create v/m".to_owned(), "no object")
        );
        let long = format!(r#"{{"key":"k","value":"{}"}}"#, "ä".repeat(300));
        assert!(done("tag.set", "v/m", &long).ends_with("ä…”"));
        for odd in ["", "/", "a/b/c/d/e", "@", "a/@", "ü/ü@ü"] {
            for action in ["alias.set", "version.publish", "tag.set", "member.add", "file.put"] {
                assert!(!done(action, odd, "{}").is_empty());
            }
        }
    }
}
