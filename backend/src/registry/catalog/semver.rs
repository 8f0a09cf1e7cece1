//! SemVer 2.0 as an index: precedence (§11) as a text whose bytes sort the same way, ranges as bounds.
//!
//! A release `1.2.3` is `a1` `a2` `a3` `~`, where the letter before a number is its count of digits, so
//! that 9 sorts before 10. A prerelease has its identifiers instead of `~`, which sorts after them all:
//! numbers as `1` and four digits of length, other identifiers as `2`, each ended by a space, which
//! sorts before every character of an identifier. Build metadata does not order.

use semver::{Comparator, Op, Prerelease, Version, VersionReq};

use crate::db::Sql;
use crate::error::{Error, Result};

const MAX_LENGTH: usize = 255;

/// Reads a strict SemVer 2.0 version; the message for anything else says what would do.
pub fn parse(field: &str, text: &str) -> Result<Version> {
    if text.len() > MAX_LENGTH {
        return Err(Error::invalid(field, format!("must be at most {MAX_LENGTH} characters")));
    }
    Version::parse(text).map_err(|error| {
        let reason = match suggest(text) {
            Some(suggestion) => format!("{text:?} is not a SemVer version: use {suggestion}"),
            None => format!("{text:?} is not a SemVer version: {error}. Use a version such as 1.2.0 or 2.0.0-rc.1"),
        };
        Error::invalid(field, reason)
    })
}

/// What was probably meant: without a leading v or leading zeros, with the numbers that are missing.
fn suggest(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches(['v', 'V']);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (core, rest) = text.split_at(end);
    let mut numbers: Vec<String> = core
        .split('.')
        .map(|number| number.parse::<u64>().map(|number| number.to_string()))
        .collect::<Result<_, _>>()
        .ok()?;
    numbers.resize(3.max(numbers.len()), "0".to_owned());
    let suggestion = format!("{}{rest}", numbers.join("."));
    Version::parse(&suggestion).ok().map(|version| version.to_string())
}

/// The key that sorts versions by precedence.
pub fn precedence(version: &Version) -> String {
    let mut key = core(version.major, version.minor, version.patch);
    if version.pre.is_empty() {
        key.push('~');
        return key;
    }
    for identifier in version.pre.split('.') {
        if identifier.bytes().all(|byte| byte.is_ascii_digit()) {
            key.push_str(&format!("1{:04}{identifier} ", identifier.len()));
        } else {
            key.push_str(&format!("2{identifier} "));
        }
    }
    key
}

fn core(major: u64, minor: u64, patch: u64) -> String {
    let mut key = String::new();
    for number in [major, minor, patch] {
        let digits = number.to_string();
        key.push(char::from(b'a' + digits.len() as u8 - 1));
        key.push_str(&digits);
    }
    key
}

/// The key that `latest` is the greatest of: published before drafts, releases before prereleases,
/// then by precedence.
pub fn rank(version: &Version, published: bool) -> String {
    format!("{}{}{}", u8::from(published), u8::from(version.pre.is_empty()), precedence(version))
}

/// The version after `latest`, when nobody says which: the next patch.
pub fn next(latest: Option<&Version>) -> Version {
    match latest {
        // The release that a prerelease leads to comes before its next patch.
        Some(latest) if !latest.pre.is_empty() => {
            Version::new(latest.major, latest.minor, latest.patch)
        }
        Some(latest) => Version::new(latest.major, latest.minor, latest.patch.saturating_add(1)),
        None => Version::new(1, 0, 0),
    }
}

/// Reads a range such as `^1.2`, `~1.2.3`, `>=1, <3` or `*`.
pub fn parse_range(field: &str, text: &str) -> Result<VersionReq> {
    let wrong = |error: String| {
        Error::invalid(
            field,
            format!(
                "{text:?} is not a version range: {error}. Use a range such as ^1.2, ~1.2.3 or >=1.0, <3"
            ),
        )
    };
    if text.len() > MAX_LENGTH {
        return Err(wrong(format!("it is longer than {MAX_LENGTH} characters")));
    }
    VersionReq::parse(text).map_err(|error| wrong(error.to_string()))
}

/// The condition that a version is in a range, over the columns `precedence` and `prerelease` of `v`:
/// exactly what `semver::VersionReq::matches` says. A prerelease is in a range only if the range names
/// a prerelease of the same major, minor and patch.
pub fn in_range(range: &VersionReq) -> Sql {
    let mut sql = Sql::new("TRUE");
    let mut prereleases = Sql::new("NOT v.prerelease");
    for comparator in &range.comparators {
        let (low, high) = bounds(comparator);
        if let Some(low) = low {
            sql = sql.and(Sql::new("v.precedence >= ?").bind(low));
        }
        if let Some(high) = high {
            sql = sql.and(Sql::new("v.precedence < ?").bind(high));
        }
        if let Comparator { minor: Some(minor), patch: Some(patch), pre, .. } = comparator
            && !pre.is_empty()
        {
            let core = core(comparator.major, *minor, *patch);
            prereleases.push(" OR (v.precedence >= ").push_value(core.as_str());
            prereleases.push(" AND v.precedence < ").push_value(format!("{core}~")).push(")");
        }
    }
    sql.and(prereleases)
}

/// The keys from which (inclusive) and up to which (exclusive) a comparator matches.
fn bounds(comparator: &Comparator) -> (Option<String>, Option<String>) {
    let Comparator { major, minor, patch, pre, .. } = comparator;
    let exact = |pre: &Prerelease| {
        precedence(&Version {
            pre: pre.clone(),
            ..Version::new(*major, minor.unwrap_or(0), patch.unwrap_or(0))
        })
    };
    // No prerelease of the next version is below it: its bare core sorts before them all.
    let from = exact(pre);
    let after_exact = || format!("{from}\u{1}");
    let next_major = || core_after(*major, None, None);
    let next_minor = || core_after(*major, Some(minor.unwrap_or(0)), None);
    let next_patch = || core_after(*major, Some(minor.unwrap_or(0)), Some(patch.unwrap_or(0)));
    let after_named = || match (minor, patch) {
        (None, _) => next_major(),
        (Some(_), None) => next_minor(),
        (Some(_), Some(_)) => after_exact(),
    };
    let caret = || match (major, minor, patch) {
        (1.., _, _) | (0, None, _) => next_major(),
        (0, Some(1..), _) | (0, Some(0), None) => next_minor(),
        (0, Some(0), Some(_)) => next_patch(),
    };
    match comparator.op {
        Op::Exact | Op::Wildcard => (Some(from.clone()), Some(after_named())),
        Op::Greater => (Some(after_named()), None),
        Op::GreaterEq => (Some(from), None),
        Op::Less => (None, Some(if patch.is_some() { from } else { core_of(*major, *minor) })),
        Op::LessEq => (None, Some(after_named())),
        Op::Tilde => {
            (Some(from.clone()), Some(if minor.is_some() { next_minor() } else { next_major() }))
        }
        _ => (Some(from.clone()), Some(caret())),
    }
}

fn core_of(major: u64, minor: Option<u64>) -> String {
    // A release sorts after its prereleases: `<1.2` leaves out 1.2.0 and what leads to it alike,
    // which no range without a prerelease can match anyway.
    core(major, minor.unwrap_or(0), 0)
}

/// The bare core right after every version that agrees in the numbers given.
fn core_after(major: u64, minor: Option<u64>, patch: Option<u64>) -> String {
    match (minor, patch) {
        (Some(minor), Some(patch)) => match patch.checked_add(1) {
            Some(patch) => core(major, minor, patch),
            None => core_after(major, Some(minor), None),
        },
        (Some(minor), None) => match minor.checked_add(1) {
            Some(minor) => core(major, minor, 0),
            None => core_after(major, None, None),
        },
        (None, _) => match major.checked_add(1) {
            Some(major) => core(major, 0, 0),
            None => "~".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_precedence_does() {
        // The list of semver.org §11, and the places where a naive key goes wrong.
        let ordered = [
            "0.0.0-0",
            "0.0.0",
            "0.9.0",
            "1.0.0-0",
            "1.0.0-1",
            "1.0.0-9",
            "1.0.0-10",
            "1.0.0-10.1",
            "1.0.0--",
            "1.0.0-A",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-alpha-",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1-a",
            "1.0.9",
            "1.0.10",
            "1.9.0",
            "1.10.0",
            "2.0.0",
            "2.1.0",
            "2.1.1",
            "9.0.0",
            "10.0.0",
            "18446744073709551615.0.0",
        ];
        for (a, b) in ordered.iter().zip(&ordered[1..]) {
            let (a, b) = (Version::parse(a).unwrap(), Version::parse(b).unwrap());
            assert!(a < b, "{a} {b}");
            assert!(precedence(&a) < precedence(&b), "{a} {b}");
        }
        let built = |text| precedence(&Version::parse(text).unwrap());
        assert_eq!(built("1.0.0+a"), built("1.0.0+b"));
    }

    #[test]
    fn bounds_agree_with_the_semver_crate() {
        let ranges = [
            "*",
            "1",
            "1.2",
            "=1.2.3",
            "=1.2",
            "=1",
            ">1",
            ">1.2",
            ">1.2.3",
            ">=1.2.3",
            ">=1",
            "<1",
            "<1.2",
            "<1.2.3",
            "<=1",
            "<=1.2",
            "<=1.2.3",
            "~1",
            "~1.2",
            "~1.2.3",
            "^1",
            "^1.2",
            "^1.2.3",
            "^0",
            "^0.0",
            "^0.1",
            "^0.1.2",
            "^0.0.3",
            "1.*",
            "1.2.*",
            ">=1.2, <2",
            "^1.2.3-beta.2",
            "~1.2.3-beta",
            ">1.2.3-alpha",
            "<1.2.3-beta",
            "<=1.2.3-beta",
            "=1.2.3-beta",
            ">=1.2.3-0, <1.3.0-rc",
            "^0.0.3-a",
            ">1.2.3-beta, <9",
        ];
        let mut versions = Vec::new();
        for core in [
            "0.0.0", "0.0.3", "0.0.4", "0.1.0", "0.1.2", "0.2.0", "1.0.0", "1.2.0", "1.2.2",
            "1.2.3", "1.2.4", "1.3.0", "2.0.0", "3.0.0", "10.0.0",
        ] {
            for pre in ["", "-0", "-alpha", "-beta", "-beta.2", "-beta.2.x", "-rc"] {
                versions.push(Version::parse(&format!("{core}{pre}")).unwrap());
            }
        }
        for range in ranges {
            let range = VersionReq::parse(range).unwrap();
            for version in &versions {
                assert_eq!(matches(&range, version), range.matches(version), "{range} {version}");
            }
        }
    }

    /// What the SQL of [`in_range`] says, in Rust.
    fn matches(range: &VersionReq, version: &Version) -> bool {
        let key = precedence(version);
        let bounded = range.comparators.iter().all(|comparator| {
            let (low, high) = bounds(comparator);
            low.is_none_or(|low| key >= low) && high.is_none_or(|high| key < high)
        });
        let named = range.comparators.iter().any(|c| {
            !c.pre.is_empty()
                && (c.major, c.minor, c.patch)
                    == (version.major, Some(version.minor), Some(version.patch))
        });
        bounded && (version.pre.is_empty() || named)
    }

    #[test]
    fn a_refusal_says_what_would_do() {
        let reason = |text| parse("version", text).unwrap_err().message();
        assert!(reason("v1.2").contains("use 1.2.0"));
        assert!(reason("1.2").contains("use 1.2.0"));
        assert!(reason("01.2.3").contains("use 1.2.3"));
        assert!(reason("one").contains("such as 1.2.0"));
    }
}
