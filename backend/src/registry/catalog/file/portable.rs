//! Portable names: which names of files some systems can't store, so that a download there fails or loses files.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use async_graphql::SimpleObject;
use model_registry_names::{Unportable, unportable};

use crate::db::{Db, query};
use crate::error::Result;

/// How many files of a version are looked at.
const MAX_FILES: i64 = 10_000;
/// How many files and folders of theirs are looked at: a path may have hundreds of folders.
const MAX_PARTS: usize = 50_000;
/// How many warnings there are at most.
const MAX_WARNINGS: usize = 100;

/// A name of a file or folder that some systems can't store.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub struct NameWarning {
    /// The path of the file or folder.
    pub path: String,
    /// Why some systems can't store it, such as `Windows doesn't allow ":" in names`.
    pub reason: String,
}

/// The names that some systems can't store among the first 10,000 files of something: the first 100, by path.
pub async fn warnings(db: &Db, owner_id: &str) -> Result<Vec<NameWarning>> {
    let paths: Vec<(String,)> = query(
        "SELECT COALESCE(sent_path, path) FROM files WHERE owner_id = $1 ORDER BY files.path LIMIT $2",
    )
    .bind(owner_id)
    .bind(MAX_FILES)
    .fetch_all(db)
    .await?;
    Ok(of_paths(paths.iter().map(|(path,)| path.as_str())))
}

fn of_paths<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<NameWarning> {
    let (mut found, mut by_letters) = (BTreeMap::new(), HashMap::<u64, &str>::new());
    let (mut before, mut looked_at) = ("", 0);
    for path in paths {
        // Each folder that the path before is not in, and then the file itself.
        let shared = path.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
        let ends = path.match_indices('/').map(|(end, _)| end).filter(|end| *end >= shared);
        for part in ends.chain([path.len()]).map(|end| &path[..end]) {
            let name = part.rsplit('/').next().unwrap_or_default();
            if let Some(why) = unportable(name) {
                found.insert(part, reason(why));
            }
            let letters = part.to_lowercase();
            let other = *by_letters.entry(hash(&letters)).or_insert(part);
            if other != part && other.to_lowercase() == letters {
                found.insert(part, format!("Windows and macOS can't tell it from {other:?}"));
            }
            looked_at += 1;
        }
        if looked_at > MAX_PARTS {
            break;
        }
        before = path;
    }
    let warnings = found.into_iter().take(MAX_WARNINGS);
    warnings.map(|(path, reason)| NameWarning { path: path.to_owned(), reason }).collect()
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn reason(why: Unportable) -> String {
    match why {
        Unportable::Character(character) => format!("Windows doesn't allow {character:?} in names"),
        Unportable::Device => "Windows reserves this name for a device".to_owned(),
        Unportable::Ending => "Windows removes the dot or space at the end".to_owned(),
        Unportable::TooLong => "most systems allow at most 255 bytes in a name".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_told_once_and_twins_by_their_letters() {
        let paths = ["Data/a", "a/b:c/x", "a/b:c/y", "data/b", "fine/x.bin"];
        let warnings = of_paths(paths.into_iter());
        let told: Vec<_> = warnings.iter().map(|w| (w.path.as_str(), w.reason.as_str())).collect();
        assert_eq!(
            told,
            [
                ("a/b:c", "Windows doesn't allow ':' in names"),
                ("data", "Windows and macOS can't tell it from \"Data\"")
            ]
        );
    }
}
