//! Percent-decoded names: what MLflow's clients make of the names that a list gives them, before they ask for the files.
//!
//! `validate_path_is_safe` (mlflow/utils/uri.py of 3.17, and of all clients since 2.9) decodes a name until that changes
//! nothing, and refuses the whole list where one then holds `#`, or still changes after ten rounds. MLflow's own server keeps
//! names decoded; here they are kept as they were sent, and found by both. What the clients' parser of URLs does besides, such
//! as dropping a `?` at the end, is not followed.

use percent_encoding::percent_decode_str;

use crate::db::Conn;
use crate::error::Result;
use crate::registry::catalog::file;
use crate::text::nfc;

/// How often a client decodes at most.
const MAX_ROUNDS: usize = 10;

/// What a client makes of a name; none if it gives up.
pub fn decode(name: &str) -> Option<String> {
    let mut plain = name.to_owned();
    for _ in 0..MAX_ROUNDS {
        let decoded = percent_decode_str(&plain).decode_utf8_lossy().into_owned();
        if decoded == plain {
            let escaped = |c: char| match c {
                '\0'..='\x1f' | '\x7f' => format!("%{:02x}", u32::from(c)),
                c => c.into(),
            };
            return Some(plain.chars().map(escaped).collect());
        }
        plain = decoded;
    }
    None
}

/// Whether a client can list the folder that a file of this name is in.
pub fn is_listable(path: &str) -> bool {
    decode(path).is_some_and(|decoded| !decoded.contains('#'))
}

/// The file at a path, or the one that a client asks for so.
pub async fn find_file(
    mut conn: Conn<'_>,
    owner_id: &str,
    path: &str,
) -> Result<Option<file::File>> {
    if let Some(file) = file::sql::find(conn.again(), owner_id, path).await? {
        return Ok(Some(file));
    }
    match find(conn.again(), owner_id, path).await? {
        Some(kept) => file::sql::find(conn, owner_id, &kept).await,
        None => Ok(None),
    }
}

/// The path of the file or folder that a client asks for by what it makes of its name; none if there is none.
pub async fn find(mut conn: Conn<'_>, owner_id: &str, path: &str) -> Result<Option<String>> {
    let asked = nfc(path);
    // Mostly only the last name is another one.
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let folders = if parent.is_empty() { vec![""] } else { vec![parent, ""] };
    for folder in folders {
        for kept in file::sql::with_percent(conn.again(), owner_id, folder).await? {
            let found = (kept.match_indices('/').map(|(end, _)| &kept[..end]))
                .chain([kept.as_str()])
                .find(|part| {
                    part.contains('%') && decode(part).is_some_and(|name| nfc(&name) == asked)
                });
            if let Some(found) = found {
                return Ok(Some(found.to_owned()));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_decoded_as_a_client_does_it() {
        for (name, decoded) in [
            ("dog%step%20%t%g.png", "dog%step %t%g.png"),
            ("dog%step%2517%t", "dog%step%17%t"),
            ("a%99b", "a\u{fffd}b"),
            ("%252520", " "),
            ("50% of %41", "50% of A"),
            ("plain+a&b", "plain+a&b"),
        ] {
            assert_eq!(decode(name).as_deref(), Some(decoded), "{name}");
        }
        let endless = format!("a%{}41", "25".repeat(20));
        for (name, is_good) in
            [("a%20b", true), ("a%2523b", false), ("a#b", false), (&*endless, false)]
        {
            assert_eq!(is_listable(name), is_good, "{name}");
        }
    }
}
