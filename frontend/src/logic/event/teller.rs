//! Writes a sentence piece by piece: words, links, and the object that an event is about.

use serde_json::{Map, Value};

use super::Part;
use crate::logic::address;

/// The longest value that is written out, in characters.
const LONGEST: usize = 200;

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

/// A sentence as far as it is told, and what is left to tell.
pub struct Teller<'a> {
    pub parts: Vec<Part>,
    pub subject: &'a str,
    pub refused: bool,
    /// Of the detail: what is told is taken out.
    pub fields: Map<String, Value>,
}

impl<'a> Teller<'a> {
    pub fn new(subject: &'a str, refused: bool, fields: Map<String, Value>) -> Self {
        Self { parts: Vec::new(), subject, refused, fields }
    }

    pub fn text(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    pub fn link(&mut self, text: &str, href: String) {
        self.parts.push(Part::Link { text: text.to_owned(), href });
    }

    /// `moved `, or `tried to move `.
    pub fn verb(&mut self, past: &str, base: &str) {
        let verb = if self.refused { format!("tried to {base} ") } else { format!("{past} ") };
        self.text(&verb);
    }

    pub fn take(&mut self, key: &str) -> Option<String> {
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
    pub fn object(&mut self) {
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
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
