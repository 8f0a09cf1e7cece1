//! Front matter: the YAML at the head of a model card, between two lines of `---`, as model hubs write it. It is
//! shown as facts.

use std::collections::BTreeMap;

use serde_json::Value;

const FENCE: &str = "---";
/// How much of what is neither a word nor a list of words is shown, in characters.
const MAX_SHOWN: usize = 200;
const MAX_FACTS: usize = 50;

/// The facts as HTML, a list of terms; empty where there is no front matter, or none that is YAML.
pub fn to_html(markdown: &str) -> String {
    let facts = facts(markdown);
    if facts.is_empty() {
        return String::new();
    }
    let mut html = String::from("<dl class=\"front-matter\">");
    for (name, values) in facts.into_iter().take(MAX_FACTS) {
        html.push_str(&format!("<div><dt>{}</dt><dd>", ammonia::clean_text(&name)));
        for value in values {
            html.push_str(&format!("<span>{}</span>", ammonia::clean_text(&value)));
        }
        html.push_str("</dd></div>");
    }
    html.push_str("</dl>");
    html
}

/// What the front matter says, by name.
fn facts(markdown: &str) -> BTreeMap<String, Vec<String>> {
    let yaml = yaml(markdown).unwrap_or_default();
    let fields: BTreeMap<String, Value> = serde_saphyr::from_str(yaml).unwrap_or_default();
    let texts = |value| match value {
        Value::Array(values) => values.iter().filter_map(text).collect(),
        value => text(&value).into_iter().collect::<Vec<_>>(),
    };
    let facts = fields.into_iter().map(|(name, value)| (name, texts(value)));
    facts.filter(|(_, values)| !values.is_empty()).collect()
}

/// What is between the fences, if the text begins with one.
pub fn yaml(markdown: &str) -> Option<&str> {
    let rest =
        markdown.strip_prefix(FENCE)?.trim_start_matches([' ', '\t', '\r']).strip_prefix('\n')?;
    let mut end = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == FENCE {
            return Some(&rest[..end]);
        }
        end += line.len();
    }
    None
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        value => Some(value.to_string().chars().take(MAX_SHOWN).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_is_shown_as_facts_and_nothing_in_it_runs() {
        let card =
            "---\nlicense: mit\ntags: [ocr, <b>x</b>]\nempty:\nscores: {f1: 0.5}\n---\n# OCR\n";
        assert_eq!(
            to_html(card),
            "<dl class=\"front-matter\"><div><dt>license</dt><dd><span>mit</span></dd></div>\
             <div><dt>scores</dt><dd><span>{&quot;f1&quot;:0.5}</span></dd></div>\
             <div><dt>tags</dt><dd><span>ocr</span><span>&lt;b&gt;x&lt;&#47;b&gt;</span></dd></div></dl>"
        );
        for none in ["# OCR", "---\n# no end", "---\n: [\n---\n", "--- x\n---\n", "---\na\n---\n"] {
            assert_eq!(to_html(none), "", "{none}");
        }
    }

    #[test]
    fn no_yaml_takes_the_stack_or_the_day() {
        let laughs: String = (1..30)
            .map(|n| format!("a{n}: &a{n} [{0}, {0}, {0}]\n", format!("*a{}", n - 1)))
            .collect();
        for yaml in [
            format!("a: {}", "[".repeat(60_000)),
            format!("a: {}{}", "[".repeat(30_000), "]".repeat(30_000)),
            format!("a: {}", "{a: ".repeat(15_000)),
            format!("a:\n {}", "- ".repeat(30_000)),
            (0..300).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
            format!("a0: &a0 [x]\n{laughs}"),
            "a: *b\n".repeat(10_000),
            format!("? {}", "? ".repeat(30_000)),
            format!("a: {}", "!!x ".repeat(10_000)),
            "<<: *a\n".repeat(5_000),
        ] {
            assert_eq!(to_html(&format!("---\n{yaml}\n---\n")), "", "{yaml:.30}");
        }
    }
}
