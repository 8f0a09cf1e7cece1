//! What the server will accept, checked while people type. The server has the last word.
//!
//! Each function returns `None` for what would be accepted, and otherwise a sentence that says what
//! would do. Nothing typed yet is no mistake.

use model_registry_names as names;
use semver::Version;

use crate::logic::filter;

/// The path of a project: `[a-z0-9-]{1,63}`, no dash at either end.
pub fn project_path(path: &str) -> Option<String> {
    if path.is_empty() {
        return None;
    }
    let suggestion = slug(path);
    if suggestion != path {
        return Some(if suggestion.is_empty() {
            "Use lowercase letters, digits and dashes.".to_owned()
        } else {
            format!("Use lowercase letters, digits and dashes, for example “{suggestion}”.")
        });
    }
    if path.len() > names::MAX_SLUG {
        return Some(format!(
            "Use at most {} characters. You have used {}.",
            names::MAX_SLUG,
            path.len()
        ));
    }
    names::is_reserved(path)
        .then(|| format!("“{path}” is reserved by the registry. Choose another path."))
}

/// The nearest project path to a text: `Vision Team!` becomes `vision-team`.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// As MLflow's client takes the name of a prompt.
pub fn prompt_name(name: &str) -> Option<String> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    match name.chars().all(is_good) {
        true => model_name(name),
        false => Some("Use letters A to Z, digits, hyphens, underscores and dots.".to_owned()),
    }
}

/// The name of a model, as MLflow allows it and as it can stand in an address.
pub fn model_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    match name.chars().find(|c| names::is_no_model_character(*c) || names::is_hidden(*c)) {
        Some(bad) if names::is_hidden(bad) => {
            return Some("Names can't contain invisible characters or characters that change the text direction.".to_owned());
        }
        Some(bad) => return Some(format!("Names can't contain “{bad}”.")),
        None => {}
    }
    if name.trim() != name {
        return Some("Remove the spaces at the start or end.".to_owned());
    }
    if names::is_no_model(name) {
        return Some(format!("“{name}” is reserved. Choose another name."));
    }
    let length = name.chars().count();
    (length > names::MAX_NAME)
        .then(|| format!("Use at most {} characters. You have used {length}.", names::MAX_NAME))
}

/// A version: strict SemVer 2.0.
pub fn version(version: &str) -> Option<String> {
    if version.is_empty() || Version::parse(version).is_ok() {
        return None;
    }
    let stripped = version.trim().trim_start_matches(['v', 'V', '=']).trim();
    let padded = match stripped.split(['-', '+']).next().unwrap_or_default().split('.').count() {
        1 => pad(stripped, ".0.0"),
        2 => pad(stripped, ".0"),
        _ => stripped.to_owned(),
    };
    Some(if Version::parse(&padded).is_ok() {
        format!("Use a version number as in SemVer 2.0, for example “{padded}”.")
    } else {
        "Use three numbers as in SemVer 2.0, for example 1.2.0 or 2.0.0-rc.1.".to_owned()
    })
}

/// `1.2-rc.1` with `.0` becomes `1.2.0-rc.1`.
fn pad(version: &str, zeros: &str) -> String {
    let end = version.find(['-', '+']).unwrap_or(version.len());
    format!("{}{zeros}{}", &version[..end], &version[end..])
}

/// A SemVer range such as `^1.2` or `>=1, <3`.
pub fn range(range: &str) -> Option<String> {
    if range.trim().is_empty() {
        return None;
    }
    semver::VersionReq::parse(range)
        .err()
        .map(|_| "Enter a range such as ^1.2, ~1.2.3, >=1, <3 or 1.*.".to_owned())
}

/// A tag to look for: `stage=prod`, or `stage` for any value.
pub fn tag_filter(text: &str) -> Option<String> {
    let bad = !text.trim().is_empty() && filter::tag(text).is_none();
    bad.then(|| "Enter a tag such as stage=prod, or stage for any value.".to_owned())
}

/// An alias: letters, digits, `_` and `-`; not `latest` and nothing like `v1`.
pub fn alias(name: &str) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    if let Some(bad) = name.chars().find(|c| !names::is_alias_character(*c)) {
        return Some(format!("Use only letters, digits, “_” and “-”, not “{bad}”."));
    }
    if names::is_latest(name) {
        return Some("“latest” always means the highest version. Choose another name.".to_owned());
    }
    if names::is_like_number(name) {
        return Some(format!("“{name}” looks like a version number. Choose a word instead."));
    }
    (name.len() > names::MAX_NAME).then(|| format!("Use at most {} characters.", names::MAX_NAME))
}

/// Names of aliases to protect: as an alias, and `*` stands for any characters.
pub fn alias_pattern(pattern: &str) -> Option<String> {
    let bad = pattern.chars().find(|c| !names::is_alias_character(*c) && *c != '*');
    if let Some(bad) = bad {
        return Some(format!("Use only letters, digits, “_”, “-” and “*”, not “{bad}”."));
    }
    (pattern.len() > names::MAX_NAME)
        .then(|| format!("Use at most {} characters.", names::MAX_NAME))
}

/// A password that somebody chooses.
pub fn password(password: &str) -> Option<String> {
    if password.is_empty() {
        return None;
    }
    if password.chars().count() < names::MIN_PASSWORD {
        return Some(format!(
            "Use at least {} characters, for example a few words.",
            names::MIN_PASSWORD
        ));
    }
    let most = names::MAX_PASSWORD_BYTES;
    (password.len() > most).then(|| format!("Use at most {most} bytes."))
}

/// The key of a tag or param.
pub fn key(key: &str) -> Option<String> {
    let length = key.chars().count();
    (length > names::MAX_NAME)
        .then(|| format!("Use at most {} characters. You have used {length}.", names::MAX_NAME))
}

/// The value of a tag or param.
pub fn value(value: &str) -> Option<String> {
    let length = value.chars().count();
    (length > names::MAX_VALUE)
        .then(|| format!("Use at most 8,000 characters. You have used {length}."))
}

/// Why a version should not be used: one line.
pub fn reason(text: &str) -> Option<String> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Some("Use a single line without tabs.".to_owned());
    }
    let length = text.chars().count();
    (length > names::MAX_REASON)
        .then(|| format!("Use at most 1,000 characters. You have used {length}."))
}

/// A markdown description.
pub fn description(text: &str) -> Option<String> {
    (text.len() > names::MAX_DESCRIPTION_BYTES)
        .then(|| format!("Use at most 64 KiB. You have used {} KiB.", text.len().div_ceil(1024)))
}

/// A patch, a minor and a major version, where the highest so far is `latest` and the server would choose `next`.
pub fn next_versions(latest: Option<&str>, next: &str) -> [String; 3] {
    const FIRST: &str = "1.0.0";
    let Ok(Version { major, minor, .. }) = Version::parse(next) else {
        return Default::default();
    };
    if latest.is_none() && next == FIRST {
        return ["0.0.1".to_owned(), "0.1.0".to_owned(), FIRST.to_owned()];
    }
    [next.to_owned(), format!("{major}.{}.0", minor + 1), format!("{}.0.0", major + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_version_says_what_would_do() {
        let would_do = |text: &str| {
            let message = version(text)?;
            let start = message.find('“')? + '“'.len_utf8();
            Some(message[start..message.find('”')?].to_owned())
        };
        assert_eq!(would_do("v1.2").as_deref(), Some("1.2.0"));
        assert_eq!(would_do("1.2").as_deref(), Some("1.2.0"));
        assert_eq!(would_do("v2-rc.1").as_deref(), Some("2.0.0-rc.1"));
        assert_eq!(would_do("01.2.3"), None);
        assert!(version("01.2.3").is_some());
        assert_eq!(version("1.2.0-rc.1+build.5"), None);
    }

    #[test]
    fn slugs_are_suggested() {
        assert_eq!(slug("Vision Team!"), "vision-team");
        assert_eq!(project_path("vision"), None);
        assert!(project_path("Vision").is_some_and(|message| message.contains("“vision”")));
        assert!(project_path("-a").is_some() && project_path("graphql").is_some());
    }

    #[test]
    fn names_and_aliases() {
        assert_eq!(model_name("résumé parser (v2)"), None);
        for name in ["a/b", " a", "..", "-"] {
            assert!(model_name(name).is_some(), "{name:?}");
        }
        assert_eq!(alias("champion"), None);
        assert!(alias("latest").is_some() && alias("v12").is_some() && alias("a b").is_some());
        assert_eq!(alias("v12b"), None);
    }

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(reason(" wrong labels "), None);
        assert!(reason("a\tb").is_some() && reason(&"ä".repeat(1001)).is_some());
        assert_eq!(reason(&"ä".repeat(1000)), None);
    }

    #[test]
    fn passwords_and_patterns() {
        assert_eq!(password("twelve chars"), None);
        assert!(password("eleven char").is_some() && password(&"a".repeat(1025)).is_some());
        assert_eq!(alias_pattern("release-*"), None);
        assert!(alias_pattern("release/*").is_some());
    }

    #[test]
    fn the_next_versions() {
        assert_eq!(next_versions(None, "1.0.0"), ["0.0.1", "0.1.0", "1.0.0"]);
        assert_eq!(next_versions(Some("1.2.3"), "1.2.4"), ["1.2.4", "1.3.0", "2.0.0"]);
        assert_eq!(next_versions(Some("2.0.0-rc.1"), "2.0.0"), ["2.0.0", "2.1.0", "3.0.0"]);
        // 1.2.4 to 1.2.6 were published, and deleted.
        assert_eq!(next_versions(Some("1.2.3"), "1.2.7"), ["1.2.7", "1.3.0", "2.0.0"]);
        assert_eq!(next_versions(None, "1.2.7"), ["1.2.7", "1.3.0", "2.0.0"]);
    }
}
