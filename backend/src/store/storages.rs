//! The storages of a registry by their names, as `--storage` gives them: the first takes what is uploaded, and objects are
//! moved from one to another.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt, iter};

use super::incoming::Memory;
use super::{Bucket, DEFAULT, Journal, Listed, Store};
use crate::error::{Error, Result};

/// How long a name may be.
const MAX_NAME: usize = 32;

/// A storage as the command line gives it: `URL`, or `NAME=URL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    pub name: String,
    pub place: Place,
}

/// Where the objects of a storage are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The folder of `--data`.
    Data,
    Folder(PathBuf),
    Bucket(Box<Bucket>),
}

impl Default for Storage {
    /// What a registry has that was told of none.
    fn default() -> Self {
        Self { name: DEFAULT.to_owned(), place: Place::Data }
    }
}

impl FromStr for Storage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The addresses themselves have `=` behind a `?`.
        let is_name = |name: &str| {
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let named = text.split_once('=').filter(|(name, _)| is_name(name));
        let (name, url) = named.unwrap_or((DEFAULT, text));
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(format!("the name must have 1 to {MAX_NAME} characters"));
        }
        let place = match url.strip_prefix("file:") {
            Some("") => Place::Data,
            Some(path) if path.strip_prefix("//").unwrap_or(path).starts_with('/') => {
                Place::Folder(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
            }
            Some(_) => {
                return Err("must be file: for the folder of --data, or file:/PATH".to_owned());
            }
            None => Place::Bucket(Box::new(url.parse()?)),
        };
        Ok(Self { name: name.to_owned(), place })
    }
}

/// The stores of a registry by their names. There is one at least; the first takes what is uploaded. Cheap to clone.
#[derive(Clone)]
pub struct Storages(Arc<[Store]>);

impl Storages {
    /// Opens all for the one server that has the folder of `--data`, which is made if missing. Whether object stores can be
    /// used is not known then.
    pub fn open(data: &Path, storages: &[Storage]) -> Result<Self> {
        let lock = Store::lock(data)?;
        let mut stores = Vec::new();
        for storage in or_default(storages)? {
            let store = match &storage.place {
                Place::Data => Store::open_locked(data, None, lock.clone())?,
                Place::Folder(folder) => Store::open_locked(folder, None, Store::lock(folder)?)?,
                Place::Bucket(bucket) => Store::open_locked(data, Some(bucket), lock.clone())?,
            };
            stores.push(store.named(&storage.name));
        }
        Ok(Self(stores.into()))
    }

    /// Opens all beside the server that has the folder.
    pub fn open_beside(data: &Path, storages: &[Storage]) -> Result<Self> {
        let opened = or_default(storages)?.into_iter().map(|storage| {
            let (folder, bucket) = match &storage.place {
                Place::Data => (data, None),
                Place::Folder(folder) => (folder.as_path(), None),
                Place::Bucket(bucket) => (data, Some(&**bucket)),
            };
            let store = Store::open_beside(folder, bucket);
            let store = store.map_err(|error| match bucket {
                None => Error::invalid("--data", format!("{} is not a folder", folder.display())),
                Some(_) => error,
            });
            Ok(store?.named(&storage.name))
        });
        Ok(Self(opened.collect::<Result<Vec<_>>>()?.into()))
    }

    /// The same storages, whose disks keep so many MiB free instead of a twentieth.
    #[must_use]
    pub fn keeping_free(self, keep_mib: Option<u64>) -> Self {
        self.each(|store| store.keeping_free(keep_mib))
    }

    /// The same storages, of which all uploads to object stores hold so many MiB in memory at most.
    #[must_use]
    pub fn uploading_within(self, mib: u32) -> Self {
        let memory = Memory::new(mib);
        self.each(|store| store.uploading_with(&memory))
    }

    /// The same storages, whose uploads in parts are noted there.
    #[must_use]
    pub fn noting_in(self, journal: &Arc<dyn Journal>) -> Self {
        self.each(|store| store.noting_in(journal))
    }

    fn each(self, change: impl Fn(Store) -> Store) -> Self {
        Self(self.0.iter().cloned().map(change).collect())
    }

    /// What takes what is uploaded.
    pub fn first(&self) -> &Store {
        &self.0[0]
    }

    /// All, the first before the others.
    pub fn iter(&self) -> impl Iterator<Item = &Store> {
        self.0.iter()
    }

    /// All objects with a key of ours and the stores that they are in, in pieces of some hundreds. A store that cannot be
    /// listed ends with its error, and the next one follows.
    pub fn all(&self) -> BoxStream<'static, (Store, Result<Vec<Listed>>)> {
        let stores = self.0.to_vec();
        let objects =
            iter(stores).flat_map(|store| store.all().map(move |listed| (store.clone(), listed)));
        objects.boxed()
    }

    /// What has this name.
    pub fn find(&self, name: &str) -> Option<&Store> {
        self.iter().find(|store| store.name() == name)
    }

    /// What has this name. Another server may know of more.
    pub fn of(&self, name: &str) -> Result<&Store> {
        self.find(name).ok_or_else(|| {
            Error::unreachable(format!("the storage {name} is not in --storage of this server"))
        })
    }

    /// How many come before the storage of this name; none where there is no such storage.
    pub fn rank(&self, name: &str) -> Option<usize> {
        self.iter().position(|store| store.name() == name)
    }
}

impl From<Store> for Storages {
    fn from(store: Store) -> Self {
        Self(Arc::new([store]))
    }
}

/// The storages of the command line, of which no two have one name.
fn or_default(storages: &[Storage]) -> Result<Vec<Storage>> {
    for (number, storage) in storages.iter().enumerate() {
        if storages[..number].iter().any(|other| other.name == storage.name) {
            let reason = format!(
                "there are two with the name {}: give each a name of its own, as NAME=URL",
                storage.name
            );
            return Err(Error::invalid("--storage", reason));
        }
    }
    Ok(match storages {
        [] => vec![Storage::default()],
        given => given.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_has_a_name_and_a_place() {
        let of = |text: &str| text.parse::<Storage>();
        assert_eq!(of("file:").unwrap(), Storage::default());
        let archive = of("archive=file:///mnt/archive").unwrap();
        assert_eq!(archive.name, "archive");
        assert_eq!(archive.place, Place::Folder("/mnt/archive".into()));
        assert_eq!(of("x=file:/mnt/a").unwrap().place, Place::Folder("/mnt/a".into()));
        let plain = of("s3://models?endpoint=http://127.0.0.1:9000").unwrap();
        assert!(plain.name == DEFAULT && matches!(plain.place, Place::Bucket(_)));
        let named = of("hot=s3://models?region=eu").unwrap();
        assert!(named.name == "hot" && matches!(named.place, Place::Bucket(_)));
        for wrong in
            ["=s3://models", "Hot=s3://models", "hot=models", "file:data", "file://mnt/a", "hot="]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        let two = ["a=file:", "a=file:/mnt/a"].map(|text| of(text).unwrap());
        assert!(or_default(&two).is_err());
    }
}
