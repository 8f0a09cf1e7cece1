//! What of a file can be shown, and how: plain functions, without the browser.

/// How much of a text is fetched, in bytes.
pub const MAX_TEXT: i64 = 256 * 1024;
/// The largest image that is shown, in bytes.
const MAX_IMAGE: i64 = 20 * 1024 * 1024;
/// How much of a table is shown.
const MAX_ROWS: usize = 200;
const MAX_COLUMNS: usize = 50;

const IMAGES: [&str; 6] = ["avif", "gif", "jpeg", "jpg", "png", "webp"];
/// An SVG is a text here: as an image it could load others.
const TEXTS: [&str; 33] = [
    "cfg", "conf", "css", "csv", "html", "ini", "ipynb", "java", "jinja", "js", "json", "jsonl",
    "jsx", "log", "md", "ndjson", "proto", "py", "r", "rs", "sh", "sql", "svg", "tex", "toml",
    "ts", "tsv", "txt", "vocab", "xml", "yaml", "yml", "merges",
];
/// Texts without an extension.
const NAMES: [&str; 8] = [
    "dockerfile",
    "license",
    "licence",
    "makefile",
    "mlmodel",
    "notice",
    "readme",
    "gitattributes",
];

/// How a file is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Image,
    Text,
    Json,
    /// Values with this between them.
    Table(char),
}

/// How the file at `path` would be shown; none if it is no text and no image, or too large an image.
pub fn form(path: &str, size: i64) -> Option<Form> {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let extension = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension,
        _ => return NAMES.contains(&name.trim_start_matches('.')).then_some(Form::Text),
    };
    match extension {
        "json" | "ipynb" => Some(Form::Json),
        "csv" => Some(Form::Table(',')),
        "tsv" => Some(Form::Table('\t')),
        extension if IMAGES.contains(&extension) => (size <= MAX_IMAGE).then_some(Form::Image),
        extension => TEXTS.contains(&extension).then_some(Form::Text),
    }
}

/// JSON that is one long line, on many; every number and text stays as it is written.
pub fn indent(json: &str) -> String {
    if json.trim().contains('\n') {
        return json.to_owned();
    }
    let (mut out, mut depth, mut in_text, mut escaped) = (String::new(), 0_usize, false, false);
    let mut rest = json.trim().chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(character) = rest.next() {
        if in_text {
            out.push(character);
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '{' | '[' => {
                out.push(character);
                while rest.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                match rest.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            other if other.is_ascii_whitespace() => {}
            other => {
                in_text = other == '"';
                out.push(other);
            }
        }
    }
    out
}

/// The first rows of a table (RFC 4180: quoted values, doubled quotes, line breaks within quotes).
pub fn table(text: &str, separator: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut value) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '"' if quoted && rest.next_if_eq(&'"').is_some() => value.push('"'),
            '"' if quoted || value.is_empty() => quoted = !quoted,
            '\r' if !quoted && rest.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut value));
                row.truncate(MAX_COLUMNS);
                rows.push(std::mem::take(&mut row));
                if rows.len() == MAX_ROWS {
                    return rows;
                }
            }
            other if other == separator && !quoted => row.push(std::mem::take(&mut value)),
            other => value.push(other),
        }
    }
    if !value.is_empty() || !row.is_empty() {
        row.push(value);
        row.truncate(MAX_COLUMNS);
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_what_a_file_is() {
        assert_eq!(form("model/MLmodel", 9), Some(Form::Text));
        assert_eq!(form("a.b/config.JSON", 9), Some(Form::Json));
        assert_eq!(form("plots/roc.png", 9), Some(Form::Image));
        assert_eq!(form("plots/roc.png", i64::MAX), None);
        assert_eq!(form("drawing.svg", 9), Some(Form::Text));
        assert_eq!(form("data.tsv", i64::MAX), Some(Form::Table('\t')));
        assert_eq!(form("model.onnx", 9), None);
        assert_eq!(form(".hidden", 9), None);
    }

    #[test]
    fn json_is_indented_and_not_changed() {
        let text = r#"{"a":[1.0,{}, 12345678901234567890],"b":"x, \"{y\\","c":[ ]}"#;
        let expected = "{\n  \"a\": [\n    1.0,\n    {},\n    12345678901234567890\n  ],\n  \"b\": \"x, \\\"{y\\\\\",\n  \"c\": []\n}";
        assert_eq!(indent(text), expected);
        assert_eq!(indent("{\n\"a\": 1}"), "{\n\"a\": 1}");
    }

    #[test]
    fn tables_keep_what_is_quoted() {
        let text = "name,score\r\n\"a, \"\"b\"\"\n2\",0.5\nlast";
        let rows = table(text, ',');
        assert_eq!(rows, [vec!["name", "score"], vec!["a, \"b\"\n2", "0.5"], vec!["last"]]);
        assert_eq!(table(&"x\n".repeat(1000), ',').len(), MAX_ROWS);
    }
}
