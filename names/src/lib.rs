//! What names and texts may be: the rules that the server holds and the UI checks while people type.
//!
//! Each side says in its own words what is wrong; here is only what that is. Nothing here allocates or knows a crate.

/// How long a description may be, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 64 * 1024;
/// How long a name, an alias, or the key of a tag, param or metric may be, in characters.
pub const MAX_NAME: usize = 255;
/// How long the value of a param may be, in characters.
pub const MAX_VALUE: usize = 8000;
/// How long the value of a tag may be, in characters.
pub const MAX_TAG_VALUE: usize = 100_000;
/// How long the reason for what was done may be, in characters.
pub const MAX_REASON: usize = 1000;
/// How long the path of a project or a user name may be, in bytes.
pub const MAX_SLUG: usize = 63;
/// How long a password must be, in characters.
pub const MIN_PASSWORD: usize = 12;
/// How long a password may be, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// First segments of the server's own addresses, of now and of once: no project can have them.
const RESERVED: [&str; 24] = [
    "admin",
    "ajax-api",
    "api",
    "assets",
    "auth",
    "badge",
    "embed",
    "feed",
    "files",
    "graphiql",
    "graphql",
    "healthz",
    "invitation",
    "metrics",
    "mlflow",
    "mlflow-signed",
    "new",
    "oembed",
    "readyz",
    "settings",
    "sign-in",
    "static",
    "uplot",
    "users",
];

/// Those that were not reserved from the beginning: an older project may have one as its path.
pub const RESERVED_LATER: [&str; 4] = ["badge", "embed", "feed", "oembed"];

/// Whether the server itself has addresses that begin so.
pub fn is_reserved(project: &str) -> bool {
    RESERVED.contains(&project)
}

/// Whether a project with this path has its pages below `/-/p/`, because the server itself has those at its path.
pub fn is_moved(project: &str) -> bool {
    RESERVED_LATER.contains(&project)
}

/// Whether a text is of `a-z`, `0-9` and `-`, without `-` at either end.
pub fn is_slug(text: &str) -> bool {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether no name has this character: people would not see it, or would see the others in another order, so that one
/// name looks like another (Unicode's bidirectional controls, UAX #9). Joiners between letters are text.
pub fn is_hidden(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns || character.is_control()
}

/// Whether no name of a model has this character: it has a meaning in addresses, or is none that people see.
pub fn is_no_model_character(character: char) -> bool {
    "/:\\@#?%".contains(character) || character.is_control()
}

/// Whether a text means something else than a model where it stands in an address.
pub fn is_no_model(name: &str) -> bool {
    matches!(name, "." | ".." | "-")
}

/// Whether an alias may have this character.
pub fn is_alias_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

/// Whether an alias would always mean the highest version.
pub fn is_latest(alias: &str) -> bool {
    alias.eq_ignore_ascii_case("latest")
}

/// Whether an alias looks like the number of a version: `v1`, `V12`.
pub fn is_like_number(alias: &str) -> bool {
    alias
        .strip_prefix(['v', 'V'])
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Why some systems cannot keep a file or folder of some name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unportable {
    /// Windows has no such character in names.
    Character(char),
    /// Windows takes it for a device, such as `con` and `aux.txt`.
    Device,
    /// Windows drops a dot or a space at the end.
    Ending,
    /// Most systems take at most 255 bytes.
    TooLong,
}

/// Why some systems cannot keep a file or folder of this name, which is one part of a path
/// (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
pub fn unportable(name: &str) -> Option<Unportable> {
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ');
    let is_numbered = |device: &str| {
        let (begin, rest) = stem.split_at_checked(3).unwrap_or_default();
        let is_digit =
            matches!(rest, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³");
        begin.eq_ignore_ascii_case(device) && is_digit
    };
    if let Some(character) = name.chars().find(|c| "<>:\"|?*\\".contains(*c)) {
        Some(Unportable::Character(character))
    } else if DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device))
        || is_numbered("com")
        || is_numbered("lpt")
    {
        Some(Unportable::Device)
    } else if name.ends_with(['.', ' ']) {
        Some(Unportable::Ending)
    } else if name.len() > 255 {
        Some(Unportable::TooLong)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{RESERVED_LATER, Unportable, is_reserved, unportable};

    #[test]
    fn what_was_reserved_later_is_reserved() {
        assert!(RESERVED_LATER.iter().all(|path| is_reserved(path)));
    }

    #[test]
    fn names_that_some_systems_cannot_keep_are_known() {
        for (name, why) in [
            ("a:b", Unportable::Character(':')),
            ("what?.txt", Unportable::Character('?')),
            ("CON", Unportable::Device),
            ("aux.txt", Unportable::Device),
            ("Lpt9.tar.gz", Unportable::Device),
            ("com¹", Unportable::Device),
            ("end.", Unportable::Ending),
            ("end ", Unportable::Ending),
            (&"é".repeat(128), Unportable::TooLong),
        ] {
            assert_eq!(unportable(name), Some(why), "{name}");
        }
        for name in ["config.json", "console", "com", "com0", "lpt10", "a b", ".gitattributes", "é"]
        {
            assert_eq!(unportable(name), None, "{name}");
        }
    }
}
