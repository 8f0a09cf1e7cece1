//! Drafts of texts as they are kept in the browser's storage: what one is written as, how long it may be, and which
//! are given up. One line of header, `TIME BASE`, and then the text as it was typed.

/// The longest text that is kept, in bytes: four times what the server takes, so that one that is too long can still be
/// shortened.
const MAX_BYTES: usize = 4 * model_registry_names::MAX_DESCRIPTION_BYTES;
/// How many are kept in one browser: together they fit into its storage.
const MAX_COUNT: usize = 16;
/// How long one is kept, in milliseconds: 30 days.
const LIFE: f64 = 30.0 * 86_400_000.0;

/// A text that was typed and not saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// When it was last changed, in milliseconds since 1970.
    pub at: f64,
    /// The [`mark`] of the saved text that it began with.
    base: u64,
    pub text: String,
}

impl Kept {
    pub fn new(at: f64, saved: &str, text: String) -> Self {
        Self { at, base: mark(saved), text }
    }

    /// Whether somebody has saved another text since this one was begun.
    pub fn is_overtaken(&self, saved: &str) -> bool {
        self.base != mark(saved)
    }

    /// As it is stored; none where it is too long.
    pub fn write(&self) -> Option<String> {
        let Self { at, base, text } = self;
        (text.len() <= MAX_BYTES).then(|| format!("{at} {base:x}\n{text}"))
    }

    /// Reads what [`Kept::write`] wrote; none for anything else, and for what is too old.
    pub fn parse(stored: &str, now: f64) -> Option<Self> {
        let (header, text) = stored.split_once('\n')?;
        let (at, base) = header.split_once(' ')?;
        let at: f64 = at.parse().ok().filter(|at| now - at <= LIFE)?;
        let base = u64::from_str_radix(base, 16).ok()?;
        (text.len() <= MAX_BYTES).then(|| Self { at, base, text: text.to_owned() })
    }
}

/// Tells texts apart: the FNV-1a hash.
fn mark(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Which of the stored drafts, each by its key and time, are given up for newer ones. One without a time cannot be read.
pub fn surplus(drafts: &[(String, Option<f64>)]) -> Vec<&str> {
    let newer = |than: f64| drafts.iter().filter(|(_, at)| at.is_some_and(|at| at > than)).count();
    let is_kept = |at: &Option<f64>| at.is_some_and(|at| newer(at) < MAX_COUNT);
    drafts.iter().filter(|(_, at)| !is_kept(at)).map(|(key, _)| &**key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_comes_back_as_it_was_typed() {
        let now = 1e12;
        for text in ["", "# Card\n\n  text ", "ö\r\n\t🚀", "1 2\n3"] {
            let kept = Kept::new(now, "before", text.to_owned());
            let stored = kept.write().unwrap();
            assert_eq!(Kept::parse(&stored, now + 1.0), Some(kept));
            assert_eq!(Kept::parse(&stored, now + LIFE + 1.0), None);
        }
        for wrong in ["", "\n", "x y\ntext", "1000000000000\ntext", "1000000000000 xyz\ntext"] {
            assert_eq!(Kept::parse(wrong, now), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let of = |bytes: usize| Kept::new(0.0, "", "a".repeat(bytes));
        assert!(of(MAX_BYTES).write().is_some());
        assert!(of(MAX_BYTES + 1).write().is_none());
        assert!(Kept::parse(&format!("0 0\n{}", of(MAX_BYTES + 1).text), 0.0).is_none());
    }

    #[test]
    fn a_draft_knows_whether_the_text_was_changed_by_others() {
        let kept = Kept::new(0.0, "before", "mine".to_owned());
        assert!(!kept.is_overtaken("before"));
        assert!(kept.is_overtaken("theirs") && kept.is_overtaken(""));
    }

    #[test]
    fn the_oldest_are_given_up() {
        let drafts = (0..MAX_COUNT + 2).map(|n| (n.to_string(), Some(n as f64)));
        assert_eq!(surplus(&drafts.collect::<Vec<_>>()), ["0", "1"]);
        let odd = [("a".to_owned(), None), ("b".to_owned(), Some(1.0))];
        assert_eq!(surplus(&odd), ["a"]);
        assert!(surplus(&[]).is_empty());
    }
}
