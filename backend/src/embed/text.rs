//! Texts of users in HTML, SVG and Atom: shortened, without what is not seen, and escaped.

use model_registry_names as names;

use crate::registry::metadata::metric::MetricValue;

/// One line of at most so many characters, without control characters, what turns the direction of text and what XML
/// cannot have.
pub fn line(text: &str, most: usize) -> String {
    let mut line = String::new();
    // Of a long text, no more is read than may be shown, and some that may be dropped.
    for character in text.chars().take(most * 4 + 16) {
        if character.is_whitespace() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else if !names::is_hidden(character) && is_xml(character) {
            line.push(character);
        }
    }
    let line = line.trim_end();
    if line.chars().count() <= most {
        return line.to_owned();
    }
    let kept: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// As [`line()`], escaped.
pub fn shown(text: &str, most: usize) -> String {
    escaped(&line(text, most))
}

/// A text as it stands in HTML, SVG and Atom, between tags and in attributes with quotes. What XML cannot have is left out.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&#34;"),
            '\'' => safe.push_str("&#39;"),
            _ if is_xml(character) => safe.push(character),
            _ => {}
        }
    }
    safe
}

/// Whether XML 1.0 can have a character (§2.2).
fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// A metric in a few characters: `0.9312`, `1234567`, `1.2e-9`, `NaN`.
pub fn number(MetricValue(value): MetricValue) -> String {
    if !value.is_finite() {
        return match value.is_nan() {
            true => "NaN".to_owned(),
            false if value > 0.0 => "Infinity".to_owned(),
            false => "-Infinity".to_owned(),
        };
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let shortened = |text: String| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    let magnitude = value.abs();
    if (1e-4..1e9).contains(&magnitude) {
        // Six digits that count, and all those before the point.
        let before = magnitude.log10().floor() as i32 + 1;
        let after = usize::try_from(6 - before).unwrap_or(0);
        return shortened(format!("{value:.after$}"));
    }
    let text = format!("{value:.4e}");
    match text.split_once('e') {
        Some((digits, exponent)) => format!("{}e{exponent}", shortened(digits.to_owned())),
        None => text,
    }
}

/// A metric as JSON has it elsewhere in the API.
pub fn json_number(MetricValue(value): MetricValue) -> serde_json::Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => number.into(),
        None => number(MetricValue(value)).into(),
    }
}

/// `512 bytes`, `1.5 MB`
pub fn size(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64;
    let mut unit = "";
    for next in UNITS {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    let digits = if value < 9.95 { 1 } else { 0 };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out() {
        let hostile =
            "</title><script>alert('1')</script>\" onload=\"x\u{0}\u{202e}\u{ffff}\n&amp;";
        let safe = shown(hostile, 200);
        assert!(
            !safe.contains(['<', '>', '"', '\'', '\n', '\u{0}', '\u{202e}', '\u{ffff}']),
            "{safe}"
        );
        assert!(safe.ends_with("&amp;amp;"), "{safe}");
        assert_eq!(line(&"ab ".repeat(99), 6), "ab ab…");
        assert_eq!(line(" a\t\r\n b ", 9), "a b");
        assert_eq!(line(&"\u{202e}".repeat(9000), 9), "");
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.93, "0.93"),
            (0.931_245_67, "0.931246"),
            (1.0, "1"),
            (-12.5, "-12.5"),
            (1_234_567.0, "1234567"),
            (100.0, "100"),
            (1e300, "1e300"),
            (1.234_56e-9, "1.2346e-9"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(number(MetricValue(value)), text);
        }
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1500, "1.5 kB"),
            (999_999, "1.0 MB"),
            (123_456_789, "123 MB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
