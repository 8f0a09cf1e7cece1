//! What each action is told as.

use super::teller::Teller;
use crate::logic::address;

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

impl Teller<'_> {
    pub fn plain(&mut self, action: &str) -> bool {
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

    pub fn move_or_change(&mut self, action: &str) -> bool {
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
                self.told("name", " to “", "”");
            }
            "version.stage" => {
                self.verb("moved", "move");
                self.object();
                self.told("from", " from stage ", "");
                self.told("to", " to stage ", "");
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
    pub fn attached(&mut self, action: &str) -> bool {
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
                self.told("from", " from ", "");
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
    pub fn person(&mut self, action: &str) -> bool {
        let (project, named) = self.subject.split_once(": ").unwrap_or((self.subject, ""));
        let who = self.take("username").unwrap_or_else(|| named.to_owned());
        match action {
            "member.add" => {
                self.verb("added", "add");
                self.text(&format!("{who} to project "));
                self.link(project, address::project(project));
                self.told_role(" as ");
            }
            "member.update" => {
                self.verb("changed the role of", "change the role of");
                self.text(&format!("{who} in project "));
                self.link(project, address::project(project));
                if let Some(from) = self.take("from") {
                    self.text(&format!(" from {}", capitalised(&from)));
                }
                self.told_role(" to ");
            }
            "member.remove" => {
                self.verb("removed", "remove");
                self.text(&format!("{who} from project "));
                self.link(project, address::project(project));
            }
            _ if action.starts_with("webhook.") => return self.webhook(action),
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

    fn webhook(&mut self, action: &str) -> bool {
        let (past, base) = match action {
            "webhook.create" => ("created", "create"),
            "webhook.update" => ("changed", "change"),
            "webhook.delete" => ("deleted", "delete"),
            "webhook.enable" => ("enabled", "enable"),
            "webhook.disable" => ("disabled", "disable"),
            "webhook.rotate" => ("made a new secret for", "make a new secret for"),
            "webhook.test" => ("tested", "test"),
            "webhook.redeliver" => ("sent messages again to", "send messages again to"),
            _ => return false,
        };
        self.verb(past, base);
        let subject = self.subject;
        self.text(&format!("webhook {subject}"));
        if let Some(reason) = self.take("reason") {
            self.text(&format!(": {}", reason.trim_end_matches('.')));
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
            "storage.set" if !self.refused => return self.alone("changed the storage rules"),
            "storage.set" => return self.alone("tried to change the storage rules"),
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
    fn told(&mut self, key: &str, before: &str, after: &str) {
        if let Some(value) = self.take(key) {
            self.text(&format!("{before}{value}{after}"));
        }
    }

    fn told_role(&mut self, before: &str) {
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
