//! Texts that users write, parsed at the edge: names, keys, descriptions, paths. Rules never see raw ones.

use std::fmt;

use async_graphql::MaybeUndefined;
use model_registry_names as names;
use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Result};

const MAX_PATH_BYTES: usize = 1024;

const HIDDEN: &str =
    "must have no characters that turn the direction of text: one name would look like another";

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&$name> for crate::db::Value {
            fn from(text: &$name) -> Self {
                text.0.as_str().into()
            }
        }
    };
}

text_type! {
    /// `vision`: 1–63 of `a-z 0-9 -`, beginning and ending with a letter or digit.
    ProjectPath
}

impl ProjectPath {
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        if !names::is_slug(text) || text.len() > names::MAX_SLUG {
            return Err(Error::invalid(
                field,
                "must be 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit",
            ));
        }
        if names::is_reserved(text) {
            return Err(Error::invalid(
                field,
                format!("{text:?} is reserved by the registry: choose another path"),
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

text_type! {
    /// `ada`: 1–63 of `a-z 0-9 . _ -`, beginning with a letter or digit.
    Username
}

impl Username {
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let good = (1..=names::MAX_SLUG).contains(&text.len())
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
            })
            && text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if !good {
            return Err(Error::invalid(
                field,
                "must be 1 to 63 of a-z, 0-9, ., _ and -, beginning with a letter or digit",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

text_type! {
    /// `ocr`: 1–255 characters in NFC, none of `/ : \ @ # ? %`, no control characters or outer spaces.
    ModelName
}

impl ModelName {
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        if let Some(wrong) = text.chars().find(|c| names::is_no_model_character(*c)) {
            return Err(Error::invalid(
                field,
                format!(
                    "can't contain {wrong:?}: the characters / : \\ @ # ? % and control characters are not allowed"
                ),
            ));
        }
        if names::is_no_model(text) {
            return Err(Error::invalid(
                field,
                "can't be . or .. or -, because these can't be part of an address",
            ));
        }
        Ok(Self(name(field, text)?))
    }
}

text_type! {
    /// `champion`: 1–255 of letters, digits, `_` and `-`; neither `latest` nor `v1`, which mean versions.
    AliasName
}

impl AliasName {
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let characters = (1..=names::MAX_NAME).contains(&text.len())
            && text.chars().all(names::is_alias_character);
        if !characters {
            return Err(Error::invalid(field, "must be 1 to 255 of A-Z, a-z, 0-9, _ and -"));
        }
        if names::is_like_number(text) || names::is_latest(text) {
            return Err(Error::invalid(
                field,
                format!(
                    "{text:?} is reserved: latest, v1, v2 … always stand for versions. Choose another name"
                ),
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Where a file is inside its version or candidate: relative, `/` between parts, UTF-8 of at most 1024 bytes, no empty,
/// `.` or `..` part, no control character or backslash, also where somebody decodes it once more than is right.
///
/// It is written as it was sent, and found by its normalisation form C: names that look the same are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath {
    sent: String,
    /// In form C.
    key: String,
}

impl FilePath {
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let refuse = |reason: &str| Err(Error::invalid(field, reason));
        if text.is_empty() {
            return refuse("must not be empty");
        }
        if text.len() > MAX_PATH_BYTES {
            return refuse("must be at most 1024 bytes");
        }
        if text.contains(|c: char| c == '\\' || c.is_control()) {
            return refuse(
                "can't contain backslashes or control characters: separate folders with /",
            );
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return refuse(
                "must be a relative path without empty, . or .. parts, for example onnx/model.onnx",
            );
        }
        if leads_out(text) {
            return refuse("can't contain percent-encoded parts that lead out of its folder");
        }
        Ok(Self { sent: text.to_owned(), key: nfc(text) })
    }

    /// As it was sent.
    pub fn as_str(&self) -> &str {
        &self.sent
    }

    /// What it is found by.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// As it was sent, where that is not what it is found by: the column `sent_path`.
    pub fn sent(&self) -> Option<String> {
        (self.sent != self.key).then(|| self.sent.clone())
    }

    /// Refuses what no new file is called, though older ones may be.
    pub fn check_new(&self) -> Result<()> {
        check_shown("path", &self.sent)
    }

    /// The keys of the folders that the file is in, outermost first: `a`, `a/b` for `a/b/c`.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.key.match_indices('/').map(|(index, _)| &self.key[..index])
    }
}

/// Whether a path leads out of the folder that it is in, or would where it is percent-decoded, however often.
pub fn leads_out(path: &str) -> bool {
    let mut plain = path.to_owned();
    loop {
        let is_outside = plain.starts_with('/')
            || plain.contains(['\\', '\0'])
            || plain.split('/').any(|part| part == "..");
        let decoded = percent_decode_str(&plain).decode_utf8_lossy().into_owned();
        if is_outside || decoded == plain {
            return is_outside;
        }
        plain = decoded;
    }
}

/// A human-readable name: 1–255 characters, made NFC, without control characters or outer spaces.
pub fn name(field: &str, text: &str) -> Result<String> {
    let text: String = text.nfc().collect();
    if text.trim() != text {
        return Err(Error::invalid(field, "can't begin or end with a space"));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(field, "can't contain control characters"));
    }
    if !(1..=names::MAX_NAME).contains(&text.chars().count()) {
        return Err(Error::invalid(field, "must be 1 to 255 characters"));
    }
    Ok(text)
}

/// As [`name`], of something that is made.
pub fn new_name(field: &str, text: &str) -> Result<String> {
    let name = name(field, text)?;
    check_shown(field, &name)?;
    Ok(name)
}

/// As [`new_name`], of something that is there, and may keep the name that it has.
pub fn changed_name(field: &str, text: &str, old: &str) -> Result<String> {
    if text == old { name(field, text) } else { new_name(field, text) }
}

/// Refuses what nothing new is called, though older things may be.
pub fn check_shown(field: &str, text: &str) -> Result<()> {
    if text.chars().any(names::is_hidden) {
        return Err(Error::invalid(field, HIDDEN));
    }
    Ok(())
}

/// As [`name`], of at most 500 characters: of an experiment.
pub fn long_name(field: &str, text: &str) -> Result<String> {
    let text: String = text.nfc().collect();
    if !(1..=500).contains(&text.chars().count()) || text.chars().any(char::is_control) {
        return Err(Error::invalid(
            field,
            "must be 1 to 500 characters without control characters",
        ));
    }
    Ok(text)
}

/// Why something was done: one line of 1–1000 characters.
pub fn reason(field: &str, text: &str) -> Result<String> {
    let text = nfc(text.trim());
    if !(1..=names::MAX_REASON).contains(&text.chars().count())
        || text.chars().any(char::is_control)
    {
        return Err(Error::invalid(field, "must be one line of 1 to 1000 characters"));
    }
    check_shown(field, &text)?;
    Ok(text)
}

/// What a program describes something by, such as the schema of a dataset: at most 1 MiB.
pub fn document(field: &str, text: String) -> Result<String> {
    if text.len() > 1 << 20 {
        return Err(Error::invalid(field, "must be at most 1 MiB"));
    }
    no_nul(field, text)
}

/// Markdown of at most 64 KiB.
pub fn description(field: &str, text: Option<String>) -> Result<String> {
    let text = text.unwrap_or_default();
    if text.len() > names::MAX_DESCRIPTION_BYTES {
        return Err(Error::invalid(field, "must be at most 64 KiB: put longer texts into a file"));
    }
    no_nul(field, text)
}

/// A description to change to; none where it is to stay.
pub fn new_description(given: MaybeUndefined<String>) -> Result<Option<String>> {
    match given {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Null => Ok(Some(String::new())),
        MaybeUndefined::Value(text) => description("description", Some(text)).map(Some),
    }
}

/// The key of a tag or the name of a param or metric: 1–255 characters, none of them a control character.
pub fn key(field: impl fmt::Display, text: impl Into<String>) -> Result<String> {
    let text = text.into();
    if !(1..=names::MAX_NAME).contains(&text.chars().count()) || text.chars().any(char::is_control)
    {
        return Err(Error::invalid(
            field.to_string(),
            "must be 1 to 255 characters without control characters",
        ));
    }
    Ok(text)
}

/// As [`key`], of something that is set.
pub fn new_key(field: impl fmt::Display, text: impl Into<String>) -> Result<String> {
    let field = field.to_string();
    let key = key(&field, text)?;
    check_shown(&field, &key)?;
    Ok(key)
}

/// A text as it is stored: in normalisation form C.
pub fn nfc(text: &str) -> String {
    text.nfc().collect()
}

/// The value of a tag: at most 100,000 characters.
pub fn tag_value(field: &str, text: String) -> Result<String> {
    if text.chars().count() > names::MAX_TAG_VALUE {
        return Err(Error::invalid(
            field,
            "must be at most 100,000 characters: put longer values into a file",
        ));
    }
    no_nul(field, text)
}

/// The value of a param: at most 8,000 characters.
pub fn value(field: &str, text: String) -> Result<String> {
    if text.chars().count() > names::MAX_VALUE {
        return Err(Error::invalid(
            field,
            "must be at most 8,000 characters: put longer values into a file",
        ));
    }
    no_nul(field, text)
}

/// What a user looks for.
pub fn search(text: Option<String>) -> Result<Option<String>> {
    let text = text.unwrap_or_default().trim().nfc().collect::<String>();
    if text.len() > 1024 {
        return Err(Error::invalid("search", "must be at most 1024 bytes"));
    }
    Ok(Some(no_nul("search", text)?).filter(|text| !text.is_empty()))
}

fn no_nul(field: &str, text: String) -> Result<String> {
    if text.contains('\0') {
        return Err(Error::invalid(field, "can't contain a NUL character"));
    }
    Ok(text)
}

/// A text to look for as it is. One with a NUL, which no database takes, is nowhere: like the empty one.
pub fn looked_up(text: &str) -> &str {
    if text.contains('\0') { "" } else { text }
}

/// `vision/ocr` as project and model, not yet checked against any rule: for look-ups, where what
/// cannot be a name is just not there.
pub fn split_model_path(path: &str) -> Option<(&str, &str)> {
    let can_be = path.len() <= MAX_MODEL_PATH && !path.contains('\0');
    path.split_once('/').filter(|(_, name)| can_be && !name.is_empty())
}

/// More than any path of a model has, in bytes.
const MAX_MODEL_PATH: usize = 2048;

/// Whether `pattern`, in which `*` stands for any characters, matches all of `text`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(begin) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place is as good as any: what comes after finds more room there.
        let Some(place) = text.find(part) else { return false };
        text = &text[place + part.len()..];
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_could_escape_or_twin_are_refused() {
        let long = "a".repeat(1025);
        for path in [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a/./b",
            "a\\b",
            "a\0b",
            "%2e%2e/a",
            "a/%252E./b",
            "a%5cb",
            "%2fetc",
            "a\u{7f}",
            "a\nb",
            long.as_str(),
        ] {
            assert!(FilePath::parse("path", path).is_err(), "{path:?}");
        }
        for path in ["a", "a/b.c", "café", "100%", "a b/…", ".gitattributes", "..a/b..", "5%zz"]
            .into_iter()
            .chain(["ts=2024-01-01 00%3A00%3A00/x", "dog%step%0%timestamp%1718%ab.png", "a%2Fb"])
        {
            assert!(FilePath::parse("path", path).is_ok(), "{path:?}");
        }
    }

    #[test]
    fn a_path_keeps_its_bytes_and_is_found_by_its_form_c() {
        let path = FilePath::parse("path", "cafe\u{301}/가").unwrap();
        assert_eq!((path.as_str(), path.key()), ("cafe\u{301}/가", "café/가"));
        assert_eq!(path.sent().as_deref(), Some(path.as_str()));
        assert_eq!(path.folders().collect::<Vec<_>>(), ["café"]);
        assert_eq!(FilePath::parse("path", "café").unwrap().sent(), None);
    }

    #[test]
    fn names_follow_their_rules() {
        for path in ["", "-a", "a-", "A", "a_b", "graphql", &"a".repeat(64)] {
            assert!(ProjectPath::parse("path", path).is_err(), "{path:?}");
        }
        for name in ["", " a", "a ", "a/b", "a:b", "a@b", "a#b", "a?b", "50%", "a\\b", "a\tb", ".."]
        {
            assert!(ModelName::parse("name", name).is_err(), "{name:?}");
        }
        assert_eq!(ModelName::parse("name", "cafe\u{301}").unwrap().as_str(), "café");
        // Turned around, `exe.` and what follows it look like another ending.
        let turned = "model-\u{202e}exe.xnno";
        assert!(new_name("name", turned).is_err() && changed_name("name", turned, "old").is_err());
        assert!(changed_name("name", turned, turned).is_ok(), "what is there stays");
        assert!(new_name("name", "می\u{200c}خواهم").is_ok(), "a joiner between letters is text");
        for alias in ["", "latest", "LATEST", "v1", "a b", "a.b"] {
            assert!(AliasName::parse("name", alias).is_err(), "{alias:?}");
        }
        assert!(AliasName::parse("name", "v").is_ok());
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("production", "production", true),
            ("production", "production-2", false),
            ("release-*", "release-", true),
            ("release-*", "release-1", true),
            ("release-*", "pre-release-1", false),
            ("*", "anything", true),
            ("*-eu-*", "prod-eu-1", true),
            ("*-eu-*", "prod-us-1", false),
            ("a*b*b", "ab", false),
            ("a*b*b", "abxb", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
