//! An event of the audit log as a sentence, with links to the objects that it is about.
//!
//! The name of who did it stands before the sentence: `moved alias production of vision/ocr to 2.1.0`.

use serde_json::{Map, Value};

use super::address;

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

/// The longest value that is written out, in characters.
const LONGEST: usize = 200;

/// Tells an event from its action, its subject, and its detail, which is a JSON object.
pub fn tell(action: &str, subject: &str, refused: bool, detail: &str) -> Told {
    let Ok(Value::Object(fields)) = serde_json::from_str(detail) else {
        let parts = vec![Part::Text(format!("{action} {subject}"))];
        return Told { sentence: parts, more: detail.to_owned() };
    };
    let mut teller = Teller { parts: Vec::new(), subject, refused, fields };
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

/// What a subject names.
enum Place<'a> {
    Project(&'a str),
    Model(&'a str),
    Version(&'a str, String),
    Run(&'a str, String),
    /// Of no model: of this project, with this id.
    LooseRun(&'a str, &'a str),
    Experiment(&'a str, &'a str),
    Other(&'a str),
}

/// Actions that are told as a verb, the object and an ending: `moved` model vision/ocr ` to the trash`.
#[rustfmt::skip]
const PLAIN: &[(&str, &str, &str, &str)] = &[
    ("project.create", "created", "create", ""),
    ("project.update", "changed", "change", ""),
    ("project.delete", "moved", "move", " to the trash"),
    ("project.restore", "restored", "restore", ""),
    ("model.create", "created", "create", ""),
    ("model.update", "edited the model card of", "edit the model card of", ""),
    ("model.delete", "moved", "move", " to the trash"),
    ("model.restore", "restored", "restore", ""),
    ("version.create", "created", "create", ""),
    ("version.update", "edited the release notes of", "edit the release notes of", ""),
    ("version.publish", "published", "publish", ""),
    ("version.deprecate", "deprecated", "deprecate", ""),
    ("version.yank", "yanked", "yank", ""),
    ("version.reactivate", "reactivated", "reactivate", ""),
    ("version.delete", "moved", "move", " to the trash"),
    ("version.restore", "restored", "restore", ""),
    ("candidate.create", "started", "start", ""),
    ("candidate.update", "changed", "change", ""),
    ("candidate.log", "logged to", "log to", ""),
    ("candidate.delete", "moved", "move", " to the trash"),
    ("candidate.restore", "restored", "restore", ""),
    ("experiment.create", "created", "create", ""),
    ("experiment.delete", "moved", "move", " to the trash"),
    ("experiment.restore", "restored", "restore", ""),
    ("logged-model.create", "logged", "log", ""),
    ("logged-model.finalize", "finished", "finish", ""),
    ("logged-model.log", "logged to", "log to", ""),
    ("logged-model.delete", "moved", "move", " to the trash"),
    ("event.redact", "redacted the value of a tag of", "redact the value of a tag of", ""),
];

struct Teller<'a> {
    parts: Vec<Part>,
    subject: &'a str,
    refused: bool,
    /// Of the detail: what is told is taken out.
    fields: Map<String, Value>,
}

impl<'a> Teller<'a> {
    fn text(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    fn link(&mut self, text: &str, href: String) {
        self.parts.push(Part::Link { text: text.to_owned(), href });
    }

    /// `moved `, or `tried to move `.
    fn verb(&mut self, past: &str, base: &str) {
        let verb = if self.refused { format!("tried to {base} ") } else { format!("{past} ") };
        self.text(&verb);
    }

    fn take(&mut self, key: &str) -> Option<String> {
        let text = match self.fields.get(key)? {
            Value::String(text) => shortened(text),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        self.fields.remove(key);
        Some(text)
    }

    /// What the subject names; in a refused event with the version or run that the detail names.
    fn place(&mut self) -> Place<'a> {
        let parts: Vec<&str> = self.subject.split('/').collect();
        match parts[..] {
            [project] if !project.is_empty() => Place::Project(project),
            [project, "-", "runs", id] => Place::LooseRun(project, id),
            [project, "-", "experiments", number] => Place::Experiment(project, number),
            [project, model, "candidates", number] => {
                Place::Run(&self.subject[..project.len() + 1 + model.len()], number.to_owned())
            }
            [_, "-"] | [_, ""] | ["", _] => Place::Other(self.subject),
            [_, _] => match self.subject.split_once('@') {
                Some((model, version)) => Place::Version(model, version.to_owned()),
                None => match (self.take("version"), self.take("candidate")) {
                    (Some(version), _) => Place::Version(self.subject, version),
                    (None, Some(number)) => Place::Run(self.subject, number),
                    (None, None) => Place::Model(self.subject),
                },
            },
            _ => Place::Other(self.subject),
        }
    }

    /// Names the subject, as in `version 1.2.0 of vision/ocr`.
    fn object(&mut self) {
        let place = self.place();
        self.object_at(&place);
    }

    fn object_at(&mut self, place: &Place<'_>) {
        match place {
            Place::Project(project) => {
                self.text("project ");
                self.link(project, address::project(project));
            }
            Place::Model(model) => {
                self.text("model ");
                self.link(model, address::model(model));
            }
            Place::Version(model, version) => {
                self.text("version ");
                self.link(version, address::version(model, version));
                self.text(" of ");
                self.link(model, address::model(model));
            }
            Place::Run(model, number) => {
                self.text("run ");
                let page = format!("candidates/{}", address::segment(number));
                self.link(&format!("#{number}"), address::model_page(model, &page));
                self.text(" of ");
                self.link(model, address::model(model));
            }
            Place::LooseRun(project, id) => {
                self.text("run ");
                self.link(id.get(..12).unwrap_or(id), address::run(project, id, None));
                self.text(" in ");
                self.link(project, address::project(project));
            }
            Place::Experiment(project, number) => {
                let name = self.take("name").map(|name| format!("“{name}”"));
                let page = format!("experiments/{}", address::segment(number));
                self.text("experiment ");
                let text = name.unwrap_or_else(|| format!("#{number}"));
                self.link(&text, address::project_page(project, &page));
                self.text(" in ");
                self.link(project, address::project(project));
            }
            Place::Other(subject) => self.text(subject),
        }
    }

    fn plain(&mut self, action: &str) -> bool {
        let Some((_, past, base, after)) = PLAIN.iter().find(|(known, ..)| *known == action) else {
            return false;
        };
        self.verb(past, base);
        // What was not made has no address: it is named, and where it would have been.
        if self.refused
            && let Some(kind) = action.strip_suffix(".create")
            && let Some(name) = self.take("name")
        {
            let kind = if kind == "candidate" { "run" } else { kind };
            self.text(&format!("{kind} “{name}” in "));
        }
        self.object();
        self.text(after);
        true
    }

    fn move_or_change(&mut self, action: &str) -> bool {
        match action {
            "project.rename" | "model.rename" | "experiment.rename" => {
                self.verb("renamed", "rename");
                if let Some(from) = self.take("from") {
                    self.text(&format!("“{from}” to "));
                }
                if let Some(to) = self.fields.remove("to") {
                    self.fields.insert("name".to_owned(), to);
                }
                self.object();
                self.to("name", " to “", "”");
            }
            "version.stage" => {
                self.verb("moved", "move");
                self.object();
                self.to("from", " from stage ", "");
                self.to("to", " to stage ", "");
            }
            "candidate.promote" => {
                self.verb("promoted", "promote");
                match self.take("candidate") {
                    Some(number) => self.text(&format!("run #{number} to ")),
                    None => self.text("a run to "),
                }
                self.object();
            }
            "trash.empty" => {
                self.verb("permanently deleted", "permanently delete");
                let kind = self.take("kind").unwrap_or_default().to_lowercase();
                match kind.as_str() {
                    "" => self.text("items from the trash of "),
                    "candidate" => self.text("run "),
                    kind => self.text(&format!("{kind} ")),
                }
                let subject = self.subject;
                self.text(subject);
            }
            _ => return false,
        }
        true
    }

    /// What hangs on an object: aliases, tags, files.
    fn attached(&mut self, action: &str) -> bool {
        let (model, named) = self.subject.split_once('@').unwrap_or((self.subject, ""));
        match action {
            "alias.set" | "alias.delete" => {
                let name = self.take("alias").unwrap_or_else(|| named.to_owned());
                match action {
                    "alias.set" => self.verb("moved", "move"),
                    _ => self.verb("removed", "remove"),
                }
                self.text(&format!("alias {name} of "));
                self.link(model, address::model(model));
                if let Some(version) = self.take("version") {
                    self.text(" to ");
                    self.link(&version, address::version(model, &version));
                }
            }
            "alias.protect" | "alias.unprotect" => {
                let pattern = self.take("pattern").unwrap_or_else(|| named.to_owned());
                match action {
                    "alias.protect" => self.verb("protected", "protect"),
                    _ => self.verb("stopped protecting", "stop protecting"),
                }
                self.text(&format!("alias {pattern} in "));
                let owner = model.trim_end_matches(": ");
                match owner.contains('/') {
                    true => self.link(owner, address::model(owner)),
                    false => self.link(owner, address::project(owner)),
                }
            }
            "tag.set" | "tag.delete" => {
                let (key, value) = (self.take("key").unwrap_or_default(), self.take("value"));
                match action {
                    "tag.set" => self.verb("set", "set"),
                    _ => self.verb("removed", "remove"),
                }
                self.text(&format!("tag {key} of "));
                self.object();
                if let Some(value) = value {
                    let before = if action == "tag.set" { " to " } else { ", which was " };
                    self.text(&format!("{before}“{value}”"));
                }
            }
            "file.put" | "file.delete" => self.file(action == "file.put"),
            _ => return false,
        }
        true
    }

    fn file(&mut self, put: bool) {
        let (path, files) = (self.take("path"), self.take("files"));
        match put {
            true => self.verb("uploaded", "upload"),
            false => self.verb("deleted", "delete"),
        }
        match (path, files, self.take("count")) {
            (Some(path), Some(files), _) => self.text(&format!("folder {path} ({files} files)")),
            (Some(path), None, _) => self.text(&path),
            (None, _, Some(count)) => self.text(&format!("{count} files")),
            (None, ..) => self.text("a file"),
        }
        self.text(if put { " to " } else { " from " });
        self.object();
    }

    /// People and what is theirs.
    fn person(&mut self, action: &str) -> bool {
        let (project, named) = self.subject.split_once(": ").unwrap_or((self.subject, ""));
        let who = self.take("username").unwrap_or_else(|| named.to_owned());
        match action {
            "member.add" => {
                self.verb("added", "add");
                self.text(&format!("{who} to project "));
                self.link(project, address::project(project));
                self.to_role(" as ");
            }
            "member.update" => {
                self.verb("changed the role of", "change the role of");
                self.text(&format!("{who} in project "));
                self.link(project, address::project(project));
                if let Some(from) = self.take("from") {
                    self.text(&format!(" from {}", capitalised(&from)));
                }
                self.to_role(" to ");
            }
            "member.remove" => {
                self.verb("removed", "remove");
                self.text(&format!("{who} from project "));
                self.link(project, address::project(project));
            }
            "token.create" | "token.revoke" => {
                match action {
                    "token.create" => self.verb("created", "create"),
                    _ => self.verb("revoked", "revoke"),
                }
                match self.take("name") {
                    Some(name) => self.text(&format!("access token “{name}”")),
                    None => self.text("an access token"),
                }
            }
            _ => return self.account(action),
        }
        true
    }

    fn account(&mut self, action: &str) -> bool {
        let subject = self.subject;
        let (past, base) = match action {
            "session.create" if self.refused => ("signed in as", "sign in as"),
            "session.create" => return self.alone("signed in"),
            "session.end" => return self.alone("signed out"),
            "session.revoke" if !self.refused => return self.alone("signed out another browser"),
            "session.revoke" => return self.alone("tried to sign out a browser"),
            "password.change" if !self.refused => return self.alone("changed their password"),
            "password.change" => return self.alone("tried to change their password"),
            "user.create" => {
                return self.alone("signed in for the first time, with single sign-on");
            }
            "invitation.accept" if !self.refused => return self.alone("accepted their invitation"),
            "invitation.accept" => return self.alone("tried to accept an invitation"),
            "user.invite" => ("invited", "invite"),
            "user.update" => ("changed the account of", "change the account of"),
            "user.block" => ("blocked", "block"),
            "user.unblock" => ("unblocked", "unblock"),
            "user.reset" => ("created a new one-time link for", "create a new one-time link for"),
            "user.delete" => ("deleted user", "delete user"),
            _ => return false,
        };
        self.verb(past, base);
        self.text(subject);
        true
    }

    fn alone(&mut self, text: &str) -> bool {
        self.text(text);
        true
    }

    /// Adds a field of the detail, with what stands around it.
    fn to(&mut self, key: &str, before: &str, after: &str) {
        if let Some(value) = self.take(key) {
            self.text(&format!("{before}{value}{after}"));
        }
    }

    fn to_role(&mut self, before: &str) {
        if let Some(role) = self.take("role") {
            self.text(&format!("{before}{}", capitalised(&role)));
        }
    }
}

/// `DEVELOPER` as `Developer`.
fn capitalised(code: &str) -> String {
    let (first, rest) = code.split_at(code.chars().next().map_or(0, char::len_utf8));
    format!("{first}{}", rest.to_lowercase())
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
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
    fn an_alias_that_moved() {
        let (subject, detail) =
            ("vision/ocr@production", r#"{"alias":"production","version":"2.1.0"}"#);
        assert_eq!(
            done("alias.set", subject, detail),
            "moved alias production of vision/ocr to 2.1.0"
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
