//! What this browser remembers of uploads across visits: where an unfinished one goes on, and what a finished
//! one became. A file is known by its path, size and time of change, as it is when it is dropped again.
//!
//! Storage may be refused or full: then a reload begins anew, and nothing else is different.

use web_sys::{File, Storage};

const PREFIX: &str = "upload ";
/// As long as the registry keeps an upload, in milliseconds.
const LIFE: f64 = 24.0 * 3_600_000.0;

#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// It goes on at this address.
    At(String),
    /// It is there with this `ETag`.
    Is(String),
}

fn storage() -> Option<Storage> {
    leptos::prelude::window().local_storage().ok().flatten()
}

/// What a file that goes to `address` is remembered by.
pub fn key(address: &str, file: &File) -> String {
    format!("{PREFIX}{address} {} {}", file.size(), file.last_modified())
}

pub fn find(key: &str) -> Option<Note> {
    parse(&storage()?.get_item(key).ok().flatten()?, js_sys::Date::now())
}

pub fn keep(key: &str, note: &Note) {
    let (kind, text) = match note {
        Note::At(address) => ("at", address),
        Note::Is(etag) => ("is", etag),
    };
    if let Some(storage) = storage() {
        let _ = storage.set_item(key, &format!("{} {kind} {text}", js_sys::Date::now()));
    }
}

pub fn forget(key: &str) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(key);
    }
}

/// Forgets what is too old to be of use.
pub fn purge() {
    let Some(storage) = storage() else { return };
    let keys = (0..storage.length().unwrap_or(0)).filter_map(|index| storage.key(index).ok()?);
    // All of them first: to remove one moves the others.
    let keys: Vec<String> = keys.filter(|key| key.starts_with(PREFIX)).collect();
    for key in keys {
        if find(&key).is_none() {
            forget(&key);
        }
    }
}

/// A note, unless it is too old.
fn parse(text: &str, now: f64) -> Option<Note> {
    let mut words = text.splitn(3, ' ');
    let kept_at: f64 = words.next()?.parse().ok()?;
    let (kind, text) = (words.next()?, words.next()?.to_owned());
    match kind {
        _ if now - kept_at > LIFE => None,
        "at" => Some(Note::At(text)),
        "is" => Some(Note::Is(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_while_they_are_of_use() {
        let now = 1e12;
        assert_eq!(parse(&format!("{now} at /api/x"), now), Some(Note::At("/api/x".into())));
        assert_eq!(parse(&format!("{now} is \"ab\""), now + 1.0), Some(Note::Is("\"ab\"".into())));
        assert_eq!(parse(&format!("{now} at /api/x"), now + LIFE + 1.0), None);
        for wrong in ["", "x at y", "1000000000000 or y", "1000000000000 at"] {
            assert_eq!(parse(wrong, now), None, "{wrong}");
        }
    }
}
