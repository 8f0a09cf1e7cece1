//! The words of a filter.

use super::Fields;
use crate::error::{Error, Result};

const MAX_LENGTH: usize = 4096;

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A bare or quoted name; `bare` ones may be keywords.
    Name {
        text: String,
        bare: bool,
    },
    Text(String),
    Number(f64, String),
    Symbol(&'static str),
}

const SYMBOLS: [&str; 11] = ["!=", ">=", "<=", "<>", "==", "=", ">", "<", "(", ")", ","];

pub fn tokenize(fields: &Fields, text: &str) -> Result<Vec<Token>> {
    let wrong = |reason: String| {
        Err(Error::invalid("filter", format!("{reason}. Example: {}", fields.example)))
    };
    if text.len() > MAX_LENGTH {
        return wrong(format!("A filter can have at most {MAX_LENGTH} bytes"));
    }
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' | '`' => {
                let Some(end) = rest[1..].find(first) else {
                    return wrong(format!("The closing quote {first} is missing"));
                };
                let inner = rest[1..=end].to_owned();
                if inner.contains('\0') {
                    return wrong("A text can't contain a NUL character".to_owned());
                }
                let key = first == '`' || matches!(tokens.last(), Some(Token::Symbol(".")));
                tokens.push(if key {
                    Token::Name { text: inner, bare: false }
                } else {
                    Token::Text(inner)
                });
                end + 2
            }
            '.' if !(is_value(&tokens) && rest[1..].starts_with(|c: char| c.is_ascii_digit())) => {
                tokens.push(Token::Symbol("."));
                1
            }
            _ if first.is_ascii_digit() || matches!(first, '-' | '+' | '.') => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
                let word = &rest[..end.unwrap_or(rest.len())];
                // A key may begin with a digit: metrics.5xx
                if matches!(tokens.last(), Some(Token::Symbol("."))) {
                    tokens.push(Token::Name { text: word.to_owned(), bare: false });
                } else {
                    let Ok(number) = word.parse() else {
                        return wrong(format!("{word:?} is neither a number nor a text in quotes"));
                    };
                    tokens.push(Token::Number(number, word.to_owned()));
                }
                word.len()
            }
            _ if first.is_alphanumeric() || first == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && !"_-/".contains(c));
                let word = &rest[..end.unwrap_or(rest.len())];
                tokens.push(Token::Name { text: word.to_owned(), bare: true });
                word.len()
            }
            _ => {
                let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol))
                else {
                    return wrong(format!("Unexpected character {first:?}"));
                };
                tokens.push(Token::Symbol(symbol));
                symbol.len()
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// Whether a value comes next, and no key: then `.5` is a number.
fn is_value(tokens: &[Token]) -> bool {
    matches!(tokens.last(), Some(Token::Symbol("=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=")))
}
