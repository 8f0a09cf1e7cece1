//! Sealing: encryption of secrets that the database keeps and the server needs as they were given, such as those of webhooks.
//!
//! With AES-256-GCM (NIST SP 800-38D), a nonce of its own for each, and a key that is in a file and never in the database. Who
//! reads a dump of the database reads no secret. The key is made when it is first needed.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// The length of a key, in bytes.
const KEY_SIZE: usize = 32;
/// What a key that was made is called in the data folder.
pub const KEY_FILE: &str = "secret.key";

/// Where the key is.
pub struct Sealing {
    file: PathBuf,
    /// Whether a key may be made there: not where other servers have their own folders, and would each make one.
    may_make: bool,
}

impl Sealing {
    /// With the key of `given`, or else the one in the data folder, which is made if this is the only server with it.
    pub fn new(given: Option<&Path>, data: &Path, is_alone: bool) -> Self {
        match given {
            // One that is given is there: a wrong name would have each server make its own.
            Some(file) => Self { file: file.to_owned(), may_make: false },
            None => Self { file: data.join(KEY_FILE), may_make: is_alone },
        }
    }

    /// Seals a text, which only [`Self::open`] for the same purpose reads.
    pub fn seal(&self, purpose: &str, text: &str) -> Result<String> {
        let key = match self.key()? {
            Some(key) => key,
            None => self.make()?,
        };
        let mut sealed = vec![0; NONCE_LEN];
        getrandom::fill(&mut sealed).expect("the operating system gives random numbers");
        let nonce = Nonce::try_assume_unique_for_key(&sealed).map_err(|_| broken())?;
        let mut bytes = text.as_bytes().to_vec();
        let with = Aad::from(purpose.as_bytes());
        cipher(&key)?.seal_in_place_append_tag(nonce, with, &mut bytes).map_err(|_| broken())?;
        sealed.append(&mut bytes);
        Ok(format!("{}.{}", name_of(&key), URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// Reads what was sealed for this purpose.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<String> {
        let (name, sealed) = sealed.split_once('.').ok_or_else(broken)?;
        let key = self.key()?.filter(|key| name_of(key) == name).ok_or_else(|| {
            Error::Conflict(
                "A secret was sealed with another key than this server has. Give it the key with --secret-key-file, or set the \
                 secret again."
                    .into(),
            )
        })?;
        let mut sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| broken())?;
        let (nonce, bytes) = sealed.split_at_mut_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let with = Aad::from(purpose.as_bytes());
        let opened = cipher(&key)?.open_in_place(nonce, with, bytes).map_err(|_| broken())?;
        String::from_utf8(opened.to_vec()).map_err(Error::internal)
    }

    /// The key, if there is one.
    fn key(&self) -> Result<Option<Vec<u8>>> {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match hex::decode(text.trim()) {
            Ok(key) if key.len() == KEY_SIZE => Ok(Some(key)),
            _ => {
                let file = self.file.display();
                let reason = format!(
                    "{file} must have 64 hexadecimal digits, as openssl rand -hex 32 prints them"
                );
                Err(Error::invalid("--secret-key-file", reason))
            }
        }
    }

    /// Makes the key, unless somebody else just did.
    fn make(&self) -> Result<Vec<u8>> {
        if !self.may_make {
            return Err(Error::Conflict(
                "Secrets are sealed with a key that all servers must have, and there is none. Make one with openssl rand -hex 32, and \
                 give its file to all servers with --secret-key-file."
                    .into(),
            ));
        }
        let mut key = vec![0; KEY_SIZE];
        getrandom::fill(&mut key).expect("the operating system gives random numbers");
        match write_new(&self.file, format!("{}\n", hex::encode(&key)).as_bytes(), false)? {
            true => Ok(key),
            false => self.key()?.ok_or_else(broken),
        }
    }
}

/// Copies the key of a data folder, if it has one, to a backup or back, in the place of what is there: durable when this returns.
pub fn copy_key(from: &Path, to: &Path) -> Result<()> {
    let key = match fs::read(from.join(KEY_FILE)) {
        Ok(key) => key,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if fs::read(to.join(KEY_FILE)).is_ok_and(|there| there == key) {
        return Ok(());
    }
    write_new(&to.join(KEY_FILE), &key, true)?;
    Ok(())
}

/// Writes a file that only its owner reads: whole or not at all, and durable when this returns. Whether it did: what is there
/// already stays, unless it is to be replaced.
fn write_new(file: &Path, bytes: &[u8], replaces: bool) -> Result<bool> {
    let new = file.with_extension(format!("{}.new", std::process::id()));
    let mut written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    written.write_all(bytes)?;
    written.sync_all()?;
    let is_new = if replaces {
        fs::rename(&new, file)?;
        true
    } else {
        let linked = fs::hard_link(&new, file);
        fs::remove_file(&new)?;
        match linked {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error.into()),
        }
    };
    if let Some(folder) = file.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(is_new)
}

fn cipher(key: &[u8]) -> Result<LessSafeKey> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| broken())?))
}

/// What a key is called in what it sealed: so many digits of its hash that keys differ, and nothing of it is told.
fn name_of(key: &[u8]) -> String {
    hex::encode(&Sha256::digest(key)[..4])
}

fn broken() -> Error {
    Error::internal("a sealed secret cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_with_the_same_key_for_the_same_purpose_only() {
        let folder = tempfile::tempdir().unwrap();
        let sealing = Sealing::new(None, folder.path(), true);
        let sealed = sealing.seal("a", "secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_ne!(sealed, sealing.seal("a", "secret").unwrap(), "each has a nonce of its own");
        assert_eq!(sealing.open("a", &sealed).unwrap(), "secret");
        assert!(sealing.open("b", &sealed).is_err());
        let mut changed = sealed.clone().into_bytes();
        let last = changed.len() - 1;
        changed[last] = if changed[last] == b'A' { b'Q' } else { b'A' };
        assert!(sealing.open("a", &String::from_utf8(changed).unwrap()).is_err());
        let key = folder.path().join(KEY_FILE);
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&key).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        // Another key says which remedy there is.
        fs::remove_file(&key).unwrap();
        let message = sealing.open("a", &sealed).unwrap_err().message();
        assert!(message.contains("--secret-key-file"), "{message}");
        sealing.seal("a", "other").unwrap();
        assert!(sealing.open("a", &sealed).is_err());
    }

    #[test]
    fn servers_that_have_no_folder_together_make_no_key() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Sealing::new(None, folder.path(), false).seal("a", "secret").is_err());
        let given = folder.path().join("key");
        assert!(Sealing::new(Some(&given), folder.path(), true).seal("a", "secret").is_err());
        assert!(!given.exists(), "a wrong name makes no key");
        fs::write(&given, "abc").unwrap();
        assert!(Sealing::new(Some(&given), folder.path(), false).seal("a", "secret").is_err());
        fs::write(&given, "ab".repeat(32)).unwrap();
        assert!(Sealing::new(Some(&given), folder.path(), false).seal("a", "secret").is_ok());
    }
}
