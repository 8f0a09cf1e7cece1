//! Two texts, line by line: what came, what went, and a little of what stayed.

use super::plot::escaped;
use crate::logic::diff::{self, Mark};

/// Lines that are shown around each that differs.
const ROOM: usize = 3;

/// As HTML.
pub fn text_diff(before: &str, after: &str) -> String {
    let lines = diff::text(before, after);
    let line = |line| match line {
        None => "<span class=\"text-muted\">  …</span>".to_owned(),
        Some((Mark::Both, text)) => format!("<span>  {}</span>", escaped(text)),
        Some((Mark::Before, text)) => format!("<del>− {}</del>", escaped(text)),
        Some((Mark::After, text)) => format!("<ins>+ {}</ins>", escaped(text)),
    };
    let html = diff::around(&lines, ROOM).into_iter().map(line).collect::<String>();
    format!("<div class=\"text-diff pb-2\">{html}</div>")
}
