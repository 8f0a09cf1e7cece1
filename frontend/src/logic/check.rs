//! What the server will accept, checked while people type. The server has the last word.
//!
//! Each function returns `None` for what would be accepted, and otherwise a sentence that says what
//! would do. Nothing typed yet is no mistake.

use semver::Version;

use crate::logic::filter;

pub const MAX_DESCRIPTION_BYTES: usize = 64 * 1024;

/// The path of a project: `[a-z0-9-]{1,63}`, no dash at either end.
pub fn project_path(path: &str) -> Option<String> {
    const RESERVED: [&str; 20] = [
        "admin",
        "api",
        "ajax-api",
        "assets",
        "auth",
        "files",
        "graphiql",
        "graphql",
        "healthz",
        "invitation",
        "metrics",
        "mlflow",
        "mlflow-signed",
        "new",
        "readyz",
        "settings",
        "sign-in",
        "static",
        "uplot",
        "users",
    ];
    if path.is_empty() {
        return None;
    }
    let suggestion = slug(path);
    if suggestion != path {
        return Some(if suggestion.is_empty() {
            "Use lower-case letters, digits and dashes.".to_owned()
        } else {
            format!("Use lower-case letters, digits and inner dashes: “{suggestion}” would do.")
        });
    }
    if path.len() > 63 {
        return Some(format!("Use at most 63 characters; these are {}.", path.len()));
    }
    RESERVED
        .contains(&path)
        .then(|| format!("“{path}” is an address of the registry itself. Choose another."))
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

/// The name of a model, as MLflow allows it and as it can stand in an address.
pub fn model_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    if let Some(bad) = name.chars().find(|c| "/:\\@#?%".contains(*c)) {
        return Some(format!("“{bad}” cannot be part of a name."));
    }
    if name.chars().any(char::is_control) {
        return Some("Control characters cannot be part of a name.".to_owned());
    }
    if name.trim() != name {
        return Some("Remove the spaces at the start or end.".to_owned());
    }
    if name == "." || name == ".." {
        return Some(format!("“{name}” cannot be a name."));
    }
    let length = name.chars().count();
    (length > 255).then(|| format!("Use at most 255 characters; these are {length}."))
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
        format!("Versions are written as in SemVer 2.0: “{padded}” would do.")
    } else {
        "Versions are three numbers as in SemVer 2.0, for example 1.2.0 or 2.0.0-rc.1.".to_owned()
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
        .map(|_| "A range looks like ^1.2, ~1.2.3, >=1, <3 or 1.*.".to_owned())
}

/// A tag to look for: `stage=prod`, or `stage` for any value.
pub fn tag_filter(text: &str) -> Option<String> {
    let bad = !text.trim().is_empty() && filter::tag(text).is_none();
    bad.then(|| "A tag looks like stage=prod, or stage for any value.".to_owned())
}

/// An alias: letters, digits, `_` and `-`; not `latest` and nothing like `v1`.
pub fn alias(name: &str) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    if let Some(bad) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !"_-".contains(*c)) {
        return Some(format!("Use letters, digits, “_” and “-”; “{bad}” is none of them."));
    }
    if name.eq_ignore_ascii_case("latest") {
        return Some("“latest” always means the highest version. Choose another.".to_owned());
    }
    let digits = name.strip_prefix(['v', 'V']);
    if digits.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit())) {
        return Some(format!("“{name}” looks like a version number. Choose a word."));
    }
    (name.len() > 255).then(|| "Use at most 255 characters.".to_owned())
}

/// Names of aliases to protect: as an alias, and `*` stands for any characters.
pub fn alias_pattern(pattern: &str) -> Option<String> {
    let bad = pattern.chars().find(|c| !c.is_ascii_alphanumeric() && !"_-*".contains(*c));
    if let Some(bad) = bad {
        return Some(format!("Use letters, digits, “_”, “-” and “*”; “{bad}” is none of them."));
    }
    (pattern.len() > 255).then(|| "Use at most 255 characters.".to_owned())
}

/// A password that somebody chooses.
pub fn password(password: &str) -> Option<String> {
    const MIN_CHARACTERS: usize = 12;
    const MAX_BYTES: usize = 1024;
    if password.is_empty() {
        return None;
    }
    if password.chars().count() < MIN_CHARACTERS {
        return Some(format!("Use at least {MIN_CHARACTERS} characters; a few words are good."));
    }
    (password.len() > MAX_BYTES).then(|| format!("Use at most {MAX_BYTES} bytes."))
}

/// The key of a tag or param.
pub fn key(key: &str) -> Option<String> {
    let length = key.chars().count();
    (length > 255).then(|| format!("Use at most 255 characters; these are {length}."))
}

/// The value of a tag or param.
pub fn value(value: &str) -> Option<String> {
    let length = value.chars().count();
    (length > 8000).then(|| format!("Use at most 8,000 characters; these are {length}."))
}

/// A markdown description.
pub fn description(text: &str) -> Option<String> {
    (text.len() > MAX_DESCRIPTION_BYTES)
        .then(|| format!("Use at most 64 KiB; this is {} KiB.", text.len().div_ceil(1024)))
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
        assert!(model_name("a/b").is_some() && model_name(" a").is_some());
        assert_eq!(alias("champion"), None);
        assert!(alias("latest").is_some() && alias("v12").is_some() && alias("a b").is_some());
        assert_eq!(alias("v12b"), None);
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
