//! Which file of a crate uses which other: a token reading of `use` trees and paths, resolved through `pub use`.
//!
//! It sees what is named, not what a macro or a method call reaches. Tests and comments are left out, and a
//! re-export is no use: what counts is who needs the thing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The files of a crate by module path, such as `registry::model::sql`; `""` is the root.
pub struct Crate {
    files: BTreeMap<String, File>,
}

#[derive(Default)]
struct File {
    /// What names mean here, as absolute paths.
    names: BTreeMap<String, Vec<String>>,
    /// The names that are passed on.
    exports: BTreeSet<String>,
    /// What is used, as absolute paths.
    used: Vec<Vec<String>>,
}

/// What stands for all of a module.
const ALL: &str = "*";

/// Who uses whom, by module path.
pub type Arrows = BTreeSet<(String, String)>;

impl Crate {
    /// Reads all files in a folder of sources.
    pub fn read(folder: &Path) -> Self {
        let mut texts = BTreeMap::new();
        collect(folder, &mut Vec::new(), &mut texts);
        // Unit tests stand in what they test.
        texts.retain(|module, _| !module.ends_with("::tests"));
        let modules: BTreeSet<String> = texts.keys().cloned().collect();
        let files =
            texts.iter().map(|(module, text)| (module.clone(), parse(module, text, &modules)));
        Self { files: files.collect() }
    }

    /// Of sources that are not in a folder: module paths and texts.
    #[cfg(test)]
    pub fn of(texts: &[(&str, &str)]) -> Self {
        let modules: BTreeSet<String> =
            texts.iter().map(|(module, _)| (*module).to_owned()).collect();
        let files = texts
            .iter()
            .map(|(module, text)| ((*module).to_owned(), parse(module, text, &modules)));
        Self { files: files.collect() }
    }

    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (module, file) in &self.files {
            for path in &file.used {
                if let Some(used) = self.resolve(path, 0).filter(|used| used != module) {
                    arrows.insert((module.clone(), used));
                }
            }
        }
        arrows
    }

    /// The file that has the thing at an absolute path; none where that is a module itself, or not of this crate.
    fn resolve(&self, path: &[String], depth: usize) -> Option<String> {
        let is_module = |end: usize| self.files.contains_key(&path[..end].join("::"));
        let end = (0..=path.len()).rev().find(|end| is_module(*end))?;
        let module = path[..end].join("::");
        let item = path.get(end)?;
        let file = &self.files[&module];
        match file.names.get(item) {
            Some(target) if file.exports.contains(item) && depth < 8 => {
                let whole: Vec<String> = target.iter().chain(&path[end + 1..]).cloned().collect();
                self.resolve(&whole, depth + 1).or(Some(module))
            }
            _ => Some(module),
        }
    }
}

fn collect(folder: &Path, place: &mut Vec<String>, texts: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            place.push(name);
            collect(&path, place, texts);
            place.pop();
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let own = (!["mod", "lib"].contains(&name.as_str())).then_some(name);
            let module: Vec<String> = place.iter().cloned().chain(own).collect();
            texts.insert(module.join("::"), std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn parse(module: &str, text: &str, modules: &BTreeSet<String>) -> File {
    let here: Vec<String> =
        module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let mut file = File::default();
    // Modules below this one are known by their names.
    for below in modules {
        if let Some((parent, name)) = below.rsplit_once("::").or(Some(("", below)))
            && parent == module
            && !name.is_empty()
        {
            file.names.insert(name.to_owned(), below.split("::").map(str::to_owned).collect());
        }
    }
    let tokens = tokens(text);
    let mut at = 0;
    let mut paths = Vec::new();
    while at < tokens.len() {
        if tokens[at] == "use" && tokens.get(at + 1).is_some_and(|next| next != "<") {
            let exported = at > 0 && ["pub", ")"].contains(&tokens[at - 1].as_str());
            let mut found = Vec::new();
            at = use_tree(&tokens, at + 1, &[], &mut found);
            for (path, name) in found {
                let Some(path) = absolute(&path, &here, &file.names) else { continue };
                // Through a star nobody sees what is passed on: whoever writes it uses it.
                if exported && name != ALL {
                    file.exports.insert(name.clone());
                } else {
                    file.used.push(path.clone());
                }
                file.names.insert(name, path);
            }
        } else if is_name(&tokens[at]) {
            let mut path = vec![tokens[at].clone()];
            while at + 2 < tokens.len() && tokens[at + 1] == "::" && is_name(&tokens[at + 2]) {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            if path.len() > 1 {
                paths.push(path);
            }
            at += 1;
        } else {
            at += 1;
        }
    }
    file.used.extend(paths.iter().filter_map(|path| absolute(path, &here, &file.names)));
    file
}

/// Reads a tree behind `use`; returns what is behind its end.
fn use_tree(
    tokens: &[String],
    mut at: usize,
    before: &[String],
    found: &mut Vec<(Vec<String>, String)>,
) -> usize {
    let mut path = before.to_vec();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = use_tree(tokens, at, &path, found);
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            Some("as") => {
                let name = tokens.get(at + 1).cloned().unwrap_or_default();
                found.push((path, name));
                return at + 2;
            }
            Some("self") if !path.is_empty() => at += 1,
            Some("::") => at += 1,
            Some("*") => {
                path.push(ALL.to_owned());
                found.push((path, ALL.to_owned()));
                return at + 1;
            }
            Some(token) if is_name(token) => {
                path.push(token.to_owned());
                at += 1;
            }
            _ => {
                let name = path.last().cloned().unwrap_or_default();
                found.push((path, name));
                return at;
            }
        }
    }
}

/// A path from the root of the crate; none for what is no part of it.
fn absolute(
    path: &[String],
    here: &[String],
    names: &BTreeMap<String, Vec<String>>,
) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let mut start = match first.as_str() {
        "crate" | "model_registry" | "$crate" => Vec::new(),
        "self" => here.to_vec(),
        "super" => here[..here.len().saturating_sub(1)].to_vec(),
        name => names.get(name)?.clone(),
    };
    for part in rest {
        if part == "super" {
            start.pop();
        } else {
            start.push(part.clone());
        }
    }
    Some(start)
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The names and signs of a text, without comments, texts and tests.
fn tokens(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    let next_is = |at: usize, wanted: char| chars.get(at + 1) == Some(&wanted);
    while at < chars.len() {
        let begin = at;
        match chars[at] {
            '/' if next_is(at, '/') => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
            }
            '"' => at = behind_text(&chars, at),
            'r' if raw_text(&chars, at).is_some() => at = raw_text(&chars, at).unwrap_or(at),
            // A character, not a lifetime.
            '\'' if next_is(at, '\\') => {
                at = (at + 3..chars.len()).find(|at| chars[*at] == '\'').unwrap_or(at) + 1
            }
            '\'' if chars.get(at + 2) == Some(&'\'') => at += 3,
            ':' if next_is(at, ':') => {
                tokens.push("::".to_owned());
                at += 2;
            }
            c if c.is_alphanumeric() || c == '_' => {
                while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                    at += 1;
                }
                tokens.push(chars[begin..at].iter().collect());
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(c.to_string());
                }
                at += 1;
            }
        }
    }
    tokens
}

fn behind_text(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() && chars[at] != '"' {
        at += 1 + usize::from(chars[at] == '\\');
    }
    at + 1
}

/// Where a raw text that begins here ends.
fn raw_text(chars: &[char], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|before| chars[before]);
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return None;
    }
    let from = at + 2 + hashes;
    (from..chars.len())
        .find(|end| chars[*end] == '"' && chars[end + 1..].iter().take(hashes).all(|c| *c == '#'))
        .map(|end| end + 1 + hashes)
}
