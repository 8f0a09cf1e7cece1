//! How MLflow's client loads a prompt, and registers the next version.

use serde_json::json;

use crate::{components::snippets::Snippet, graphql::prompt::Template};

fn by_number(name: &str, number: i32) -> String {
    format!("prompts:/{name}/{number}")
}

pub fn by_alias(name: &str, alias: &str) -> String {
    format!("prompts:/{name}@{alias}")
}

/// Loads a prompt, and puts values in the place of its variables.
pub fn load(name: &'static str, uri: &str, template: Option<&Template>) -> Snippet {
    let variables = template.map_or(&[][..], |template| &template.variables);
    // What is no name of Python is given by a dictionary.
    let value = |variable: &String| match is_name(variable) {
        true => format!("{variable}=\"…\""),
        false => format!("**{{\"{variable}\": \"…\"}}"),
    };
    let values = variables.iter().map(value).collect::<Vec<_>>().join(", ");
    let what = if template.is_some_and(|template| template.messages.is_some()) {
        "messages"
    } else {
        "text"
    };
    let uri = json!(uri);
    let code = format!(
        "import mlflow\n\nprompt = mlflow.genai.load_prompt({uri})\n{what} = prompt.format({values})\n"
    );
    Snippet { name, code }
}

/// Whether a variable can be the name of an argument.
fn is_name(variable: &str) -> bool {
    const KEYWORDS: [&str; 35] = [
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class",
        "continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global",
        "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return",
        "try", "while", "with", "yield",
    ];
    !variable.contains('.') && !KEYWORDS.contains(&variable)
}

/// Registers a prompt, or one more version of it.
pub fn register(name: &str) -> Snippet {
    let name = json!(name);
    let code = format!(
        "import mlflow\n\nmlflow.genai.register_prompt(\n    name={name},\n    \
         template=\"Summarize in {{{{count}}}} sentences: {{{{text}}}}\",\n    \
         commit_message=\"What changed\",\n)\n"
    );
    Snippet { name: "Register", code }
}

/// Moves an alias to a version, by the number that MLflow gives it.
fn promote(name: &str, alias: &str, number: i32) -> Snippet {
    let (name, alias) = (json!(name), json!(alias));
    let code = format!(
        "import mlflow\n\nmlflow.genai.set_prompt_alias(\n    {name}, {alias}, {number}\n)\n"
    );
    Snippet { name: "Promote", code }
}

/// Loads this version and, for who may, moves an alias to it and registers the next one.
pub fn of_version(
    name: &str,
    number: i32,
    alias: Option<&str>,
    template: &Template,
    writes: bool,
) -> Vec<Snippet> {
    let by_alias = alias.map(|alias| load("By alias", &by_alias(name, alias), Some(template)));
    let changes = writes
        .then(|| [promote(name, alias.unwrap_or("champion"), number), register(name)])
        .into_iter()
        .flatten();
    let first = load("Load", &by_number(name, number), Some(template));
    std::iter::once(first).chain(by_alias).chain(changes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_formatted_with_its_variables() {
        let template = Template {
            text: String::new(),
            messages: None,
            variables: vec!["a".to_owned(), "b.c".to_owned(), "d".to_owned()],
            response_format: None,
            model_config: None,
        };
        let code = load("Load", &by_alias("greeting", "champion"), Some(&template)).code;
        assert!(code.contains("load_prompt(\"prompts:/greeting@champion\")\n"), "{code}");
        assert!(
            code.ends_with("text = prompt.format(a=\"…\", **{\"b.c\": \"…\"}, d=\"…\")\n"),
            "{code}"
        );
        let code = register("greeting").code;
        assert!(code.contains("\"Summarize in {{count}} sentences: {{text}}\""), "{code}");
    }
}
