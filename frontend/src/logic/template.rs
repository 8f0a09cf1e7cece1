//! Prompt templates: where their variables are, and whether one can be registered.

use serde_json::Value;

/// The most characters that a template has, as the server takes them.
const MAX_LENGTH: usize = 100_000;

/// A part of a template: a variable with its braces, or the text between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// The parts of a template, which together are the whole.
pub fn parts<'a>(text: &'a str, variables: &[String]) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let (mut begun, mut from) = (0, 0);
    while let Some(open) = text[from..].find("{{").map(|at| from + at) {
        let Some(close) = text[open..].find("}}").map(|at| open + at + 2) else { break };
        let name = text[open + 2..close - 2].trim();
        if variables.iter().any(|variable| variable == name) {
            parts.extend((begun < open).then(|| Part::Text(&text[begun..open])));
            parts.push(Part::Variable(&text[open..close]));
            (begun, from) = (close, close);
        } else {
            from = open + 1;
        }
    }
    parts.extend((begun < text.len()).then(|| Part::Text(&text[begun..])));
    parts
}

/// What is wrong with a text that is to be a template.
pub fn check(text: &str, is_chat: bool) -> Option<String> {
    if text.chars().count() > MAX_LENGTH {
        return Some("A template can have at most 100,000 characters.".to_owned());
    }
    if !is_chat || text.is_empty() {
        return None;
    }
    (!self::is_chat(text))
        .then(|| r#"Enter the messages as JSON: [{"role": "user", "content": "…"}]"#.to_owned())
}

/// Whether a text is the JSON of a chat's messages.
pub fn is_chat(text: &str) -> bool {
    let is_message = |message: &Value| message["role"].is_string() && !message["content"].is_null();
    serde_json::from_str::<Vec<Value>>(text)
        .is_ok_and(|messages| !messages.is_empty() && messages.iter().all(is_message))
}

/// JSON, with one value on each line; anything else as it is.
pub fn pretty(json: &str) -> String {
    let value = serde_json::from_str::<Value>(json);
    let pretty = value.ok().and_then(|value| serde_json::to_string_pretty(&value).ok());
    pretty.unwrap_or_else(|| json.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_together_are_the_whole() {
        let variables = ["a".to_owned(), "é.b".to_owned()];
        let text = "x{{ a }}{{a}} {{{{a}}}} {{c}} {{ é.b }} {{";
        let found = parts(text, &variables);
        let joined: String = found
            .iter()
            .map(|part| match part {
                Part::Text(text) | Part::Variable(text) => *text,
            })
            .collect();
        assert_eq!(joined, text);
        let named: Vec<_> = found.iter().filter(|part| matches!(part, Part::Variable(_))).collect();
        assert_eq!(named.len(), 4);
        assert_eq!(
            found[..3],
            [Part::Text("x"), Part::Variable("{{ a }}"), Part::Variable("{{a}}")]
        );
        assert_eq!(parts("", &variables), []);
    }

    #[test]
    fn a_chat_is_a_list_of_messages() {
        assert_eq!(check("anything", false), None);
        assert_eq!(check(r#"[{"role": "user", "content": "{{q}}"}]"#, true), None);
        for wrong in
            ["anything", "[]", r#"[{"role": "user"}]"#, r#"{"role": "user", "content": ""}"#]
        {
            assert!(check(wrong, true).is_some(), "{wrong}");
        }
        assert!(check(&"é".repeat(100_001), false).is_some());
    }
}
