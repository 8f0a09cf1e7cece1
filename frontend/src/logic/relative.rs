//! Addresses in markdown that are relative to files: `plots/roc.png` in the card of a model is a file of its version.

use super::address;

/// The address of what `target` names, relative to the folder `files`, an address of [`address::files`]; none where it
/// is no relative path, and where it leads out of the folder.
pub fn resolve(files: &str, target: &str) -> Option<String> {
    let target = target.trim();
    let (path, fragment) = match target.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment)),
        None => (target, None),
    };
    // Others ask for files as they are with `?raw=true`.
    let path = path.split('?').next().unwrap_or_default();
    let first = path.split('/').next().unwrap_or_default();
    if path.is_empty() || first.is_empty() || first.contains(':') || path.contains('\\') {
        return None;
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(address::decoded(part)?),
        }
    }
    // What a part holds after it is decoded stays within it.
    if parts.is_empty() || parts.iter().any(|part| part == ".." || part.contains(['/', '\0'])) {
        return None;
    }
    let address = address::file(files, &parts.join("/"));
    Some(match fragment {
        Some(fragment) if !fragment.is_empty() => format!("{address}#{fragment}"),
        _ => address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &str = "/files/v/m/1.0.0";

    #[test]
    fn a_relative_path_is_a_file() {
        for (target, path) in [
            ("plots/roc.png", "plots/roc.png"),
            ("./a.png", "a.png"),
            ("a/../b//c.md", "b/c.md"),
            ("a%20b%C3%A4.png?raw=true", "a%20b%C3%A4.png"),
            ("100%.txt", "100%25.txt"),
            ("ä b.md#part", "%C3%A4%20b.md#part"),
            ("a.md#", "a.md"),
        ] {
            let expected = format!("{FILES}/{path}");
            assert_eq!(resolve(FILES, target).as_deref(), Some(expected.as_str()), "{target}");
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        let others = [
            "",
            "#part",
            "?q=1",
            "/vision",
            "//host/a.png",
            "https://host/a.png",
            "mailto:me@host",
            "javascript:alert(1)",
            "data:image/png;base64,AA==",
            "..",
            "../a.png",
            "a/../../b",
            "%2e%2e/a",
            "a%2Fb",
            "%FF",
            "\\\\host\\a",
        ];
        for other in others {
            assert_eq!(resolve(FILES, other), None, "{other}");
        }
    }
}
