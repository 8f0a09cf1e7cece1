//! An excerpt: the first paragraph of a text as plain words, for where there is one line.

use super::front_matter;

/// How much of a text is looked at, in bytes: a paragraph that comes later is none that says what it is about.
const MAX_READ: usize = 16 * 1024;

/// The beginning of the first paragraph, at most so many characters; empty where there is none.
pub fn summary(markdown: &str, most: usize) -> String {
    let mut end = markdown.len().min(MAX_READ);
    while !markdown.is_char_boundary(end) {
        end -= 1;
    }
    let text = &markdown[..end];
    // The front matter ends after its second fence.
    let text = front_matter::yaml(text)
        .and_then(|yaml| text.split_once(yaml))
        .map_or(text, |(_, fence)| fence.split_once('\n').map_or("", |(_, rest)| rest));
    let mut words = String::new();
    let mut is_code = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("```") || line.starts_with("~~~") {
            is_code = !is_code;
            continue;
        }
        let is_text = !is_code && !line.is_empty() && !line.starts_with(['#', '<', '|', '=', '>']);
        let plain = if is_text { without_marks(line) } else { String::new() };
        match plain.trim() {
            "" if words.is_empty() => {}
            "" => break,
            plain => {
                words.push_str(if words.is_empty() { "" } else { " " });
                words.push_str(plain);
            }
        }
    }
    cut(&words, most)
}

/// The words of a line: links as their texts, no pictures, no marks.
fn without_marks(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line.trim_start_matches(['-', '+', '*', ' ']);
    while let Some(at) = rest.find(['[', ']', '!', '*', '_', '`', '<']) {
        plain.push_str(&rest[..at]);
        let mark = &rest[at..];
        rest = if mark.starts_with("![") {
            mark.split_once(')').map_or("", |(_, after)| after)
        } else if let Some(after) = mark.strip_prefix("](") {
            after.split_once(')').map_or("", |(_, after)| after)
        } else if mark.starts_with('<') {
            mark.split_once('>').map_or("", |(_, after)| after)
        } else if mark.starts_with('!') || is_inside_word(&plain, mark) {
            plain.push_str(&mark[..1]);
            &mark[1..]
        } else {
            &mark[1..]
        };
    }
    plain.push_str(rest);
    plain
}

/// Whether an underline joins two words, as in `val_loss`.
fn is_inside_word(before: &str, mark: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    mark.starts_with('_')
        && is_letter(before.chars().next_back())
        && is_letter(mark[1..].chars().next())
}

/// A text of at most so many characters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn the_first_paragraph_is_said_in_plain_words() {
        for (markdown, words) in [
            ("", ""),
            (
                "# OCR\n\nReads **printed** [text](https://example.org/a_b) fast.\nAnd well.\n\nMore.",
                "Reads printed text fast. And well.",
            ),
            (
                "---\nlicense: mit\n---\n# A\n![logo](x.png)\n\nval_loss is `low`!",
                "val_loss is low!",
            ),
            ("---\nlicense: mit\n---", ""),
            ("```\ncode\n```\n<p align=center>x</p>\n\n- one\n- two", "one two"),
            ("| a |\n|---|\n", ""),
            ("a <b>bold</b> word", "a bold word"),
            ("[", ""),
            ("a ![b", "a"),
        ] {
            assert_eq!(summary(markdown, 200), words, "{markdown:?}");
        }
        assert_eq!(summary("one two three", 8), "one two…");
        assert_eq!(summary(&"é".repeat(20_000), 200).chars().count(), 200);
        for piece in ["![", "](", "<", "_", "*", "[", "```\n", "---\n", "!"] {
            summary(&piece.repeat(20_000), 200);
        }
    }
}
