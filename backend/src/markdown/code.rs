//! Code in markdown, its parts told apart by classes that the UI colours.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{Result, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use comrak::adapters::SyntaxHighlighterAdapter;
use comrak::html;
use comrak::plugins::syntect::{SyntectAdapter, SyntectAdapterBuilder};

/// What parts of a program are told apart by: the first words of the names that grammars give them.
pub const CLASSES: [&str; 8] = [
    "hl-comment",
    "hl-constant",
    "hl-entity",
    "hl-keyword",
    "hl-storage",
    "hl-string",
    "hl-support",
    "hl-variable",
];

/// What model cards are written about. Grammars look for patterns that code can be made to match slowly: of these, none
/// takes more than 50 ms for 1 kB of the worst (that of Makefiles takes a second).
const LANGUAGES: [&str; 24] = [
    "bash",
    "c",
    "c++",
    "cpp",
    "css",
    "diff",
    "go",
    "html",
    "java",
    "javascript",
    "js",
    "json",
    "markdown",
    "md",
    "py",
    "python",
    "r",
    "rs",
    "rust",
    "sh",
    "sql",
    "xml",
    "yaml",
    "yml",
];
/// In bytes: the time for a line grows with the square of its length.
const MAX_LINE: usize = 200;
/// How much code of a document is coloured, in bytes.
const MAX_CODE: usize = 16 << 10;

/// The grammars: read when they are first needed, for they are large.
static GRAMMARS: LazyLock<SyntectAdapter> =
    LazyLock::new(|| SyntectAdapterBuilder::new().css_with_class_prefix("hl-").build());

/// Colours the code of one document, as far as there is time for it; the rest stays plain.
pub struct Colours {
    left: AtomicUsize,
}

impl Colours {
    pub fn new() -> Self {
        Self { left: AtomicUsize::new(MAX_CODE) }
    }

    /// Whether this code is to be coloured; takes it off what may be.
    fn take(&self, language: &str, code: &str) -> bool {
        LANGUAGES.iter().any(|known| known.eq_ignore_ascii_case(language))
            && code.lines().all(|line| line.len() <= MAX_LINE)
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(code.len())
                })
                .is_ok()
    }
}

impl SyntaxHighlighterAdapter for Colours {
    fn write_highlighted(
        &self,
        output: &mut dyn Write,
        language: Option<&str>,
        code: &str,
    ) -> Result {
        if self.take(language.unwrap_or_default(), code) {
            GRAMMARS.write_highlighted(output, language, code)
        } else {
            html::escape(output, code)
        }
    }

    fn write_pre_tag(
        &self,
        output: &mut dyn Write,
        attributes: HashMap<&'static str, Cow<'_, str>>,
    ) -> Result {
        html::write_opening_tag(output, "pre", attributes)
    }

    fn write_code_tag(
        &self,
        output: &mut dyn Write,
        attributes: HashMap<&'static str, Cow<'_, str>>,
    ) -> Result {
        html::write_opening_tag(output, "code", attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coloured(colours: &Colours, language: &str, code: &str) -> bool {
        let mut html = String::new();
        colours.write_highlighted(&mut html, Some(language), code).unwrap();
        assert!(!html.contains("<b>"), "{html}");
        html.contains("<span class=\"hl-")
    }

    #[test]
    fn only_so_much_code_is_coloured() {
        let colours = Colours::new();
        let line = "return '<b>'\n";
        assert!(coloured(&colours, "Python", line));
        assert!(!coloured(&colours, "makefile", line));
        assert!(!coloured(&colours, "python", &"'<b>', ".repeat(50)));
        assert!(!coloured(&colours, "python", &line.repeat(MAX_CODE / line.len())));
        assert!(coloured(&colours, "python", &line.repeat(MAX_CODE / line.len() - 1)));
        assert!(!coloured(&colours, "python", line));
    }

    #[test]
    fn the_languages_are_known() {
        for language in LANGUAGES {
            let code = "# import \"a\" <b> 'c'; func f() {1} -- /* x */ // y\n-1\n";
            assert!(coloured(&Colours::new(), language, code), "{language}");
        }
    }
}
