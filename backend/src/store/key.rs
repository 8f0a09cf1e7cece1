//! Keys: where an object is in the store. A key is given once, so what was deleted is never something else.
//!
//! `blobs/XX/SHA256.ID`, where ID is a UUIDv7 and XX its last two digits: the same bytes that come twice are two
//! objects, until one of them is taken for the copy of their blob. Before that a key was `blobs/ab/SHA256`, with the
//! first two digits of the hash; what has such a key keeps it. In an object store, which cannot rename, a key is
//! `blobs/XX/ID`: it is given before the bytes are known.
//!
//! What an upload has before it is over is in a folder with its name, `parts/UPLOAD`: whoever ends it removes all that.

/// Where what belongs to uploads is.
pub(super) const PARTS: &str = "parts";

/// The key of an object of these bytes.
pub(super) fn new(sha256: &str, id: &str) -> String {
    format!("{}/{sha256}.{id}", folder_of(id))
}

/// The key of an object in an object store.
pub(super) fn of_id(id: &str) -> String {
    format!("{}/{id}", folder_of(id))
}

/// The folder of what belongs to an upload that is not over.
pub(super) fn of_upload(name: &str) -> String {
    format!("{PARTS}/{name}")
}

/// The folder of the object with this id, whatever its bytes are.
pub(super) fn folder_of(id: &str) -> String {
    format!("blobs/{}", &id[id.len().saturating_sub(2)..])
}

/// What a key says.
#[derive(Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// In hexadecimal; none in an object store.
    pub sha256: Option<&'a str>,
    /// None of an old key.
    pub id: Option<&'a str>,
}

impl Parts<'_> {
    /// When the key was given, in milliseconds since 1970; an old one does not say.
    pub fn given_at_ms(&self) -> Option<i64> {
        i64::from_str_radix(&self.id?[..12], 16).ok()
    }
}

/// Reads a key. What is none of ours is not ours to look at.
pub fn parse(key: &str) -> Option<Parts<'_>> {
    let digits = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let (folder, name) = key.strip_prefix("blobs/")?.split_once('/')?;
    let (sha256, id) = match name.split_once('.') {
        Some((sha256, id)) => (Some(sha256), Some(id)),
        None if name.len() == 32 => (None, Some(name)),
        None => (Some(name), None),
    };
    let is_ours = sha256.is_none_or(|sha256| digits(sha256, 64))
        && match (id, sha256) {
            (Some(id), _) => digits(id, 32) && id.ends_with(folder),
            (None, sha256) => sha256.is_some_and(|sha256| sha256.starts_with(folder)),
        };
    (is_ours && folder.len() == 2).then_some(Parts { sha256, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_of_what_it_is_and_since_when() {
        let sha256 = "ab".repeat(32);
        let id = "0192f0c1a2b37000800000000000004c";
        let key = new(&sha256, id);
        assert_eq!(key, format!("blobs/4c/{sha256}.{id}"));
        let parts = parse(&key).unwrap();
        assert_eq!(parts, Parts { sha256: Some(&sha256), id: Some(id) });
        assert_eq!(parts.given_at_ms(), Some(0x0192_f0c1_a2b3));
        assert_eq!(parse(&of_id(id)).unwrap(), Parts { sha256: None, id: Some(id) });
        let old = format!("blobs/ab/{sha256}");
        assert_eq!(parse(&old).unwrap().given_at_ms(), None);
        for other in [
            format!("blobs/4d/{sha256}.{id}"),
            format!("blobs/ac/{sha256}"),
            format!("blobs/{sha256}"),
            format!("blobs/ab/{sha256}#1"),
            format!("blobs/4c/x/{sha256}.{id}"),
            format!("staging/{id}"),
        ] {
            assert_eq!(parse(&other), None, "{other}");
        }
    }
}
