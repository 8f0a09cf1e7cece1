//! The ledger: what was acknowledged, by address, and what nobody answered. What is found later is held against it.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// What is known of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// It was acknowledged, with this SHA-256.
    Is(String),
    /// Something was asked that nobody answered.
    Perhaps,
}

/// What was acknowledged.
#[derive(Default)]
pub struct Ledger(Mutex<Pages>);

#[derive(Default)]
struct Pages {
    files: BTreeMap<String, Known>,
    figures: Figures,
}

/// How much was noted.
#[derive(Clone, Copy, Default)]
pub struct Figures {
    pub acknowledged: u64,
    pub unanswered: u64,
    /// How many files there are now.
    pub files: usize,
}

impl Ledger {
    pub fn note(&self, path: &str, known: Known) {
        let mut pages = self.0.lock().unwrap();
        match known {
            Known::Is(_) => pages.figures.acknowledged += 1,
            Known::Perhaps => pages.figures.unanswered += 1,
        }
        pages.files.insert(path.to_owned(), known);
    }

    /// The files whose paths begin so may be gone: this was asked, and nobody has answered yet.
    pub fn doubt(&self, prefix: &str) {
        for (path, known) in &mut self.0.lock().unwrap().files {
            if path.starts_with(prefix) {
                *known = Known::Perhaps;
            }
        }
    }

    /// The files whose paths begin so are gone.
    pub fn forget(&self, prefix: &str) {
        self.0.lock().unwrap().files.retain(|path, _| !path.starts_with(prefix));
    }

    pub fn files(&self) -> BTreeMap<String, Known> {
        self.0.lock().unwrap().files.clone()
    }

    pub fn figures(&self) -> Figures {
        let pages = self.0.lock().unwrap();
        Figures { files: pages.files.len(), ..pages.figures }
    }

    /// Holds what was found of a file, the status of an answer and the SHA-256 of its bytes, against what is known. What
    /// nobody answered is from now on as it was found.
    pub fn check(&self, path: &str, status: u16, sha256: Option<String>) {
        let mut pages = self.0.lock().unwrap();
        match pages.files.get(path).cloned() {
            Some(Known::Is(known)) => {
                assert_eq!((status, sha256), (200, Some(known)), "{path} was acknowledged");
            }
            _ => {
                assert!([200, 404].contains(&status), "{path}: {status}");
                match sha256 {
                    Some(sha256) => pages.files.insert(path.to_owned(), Known::Is(sha256)),
                    None => pages.files.remove(path),
                };
            }
        }
    }
}
