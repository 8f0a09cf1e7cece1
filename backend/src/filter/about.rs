//! What a filter says about one field, known before it is run: a list that is about one thing is found by its index.

use super::token::{Token, tokenize};
use super::{Fields, is_plain};
use crate::error::Result;

/// Whether a filter compares a field at all.
pub fn names(fields: &Fields, field: &str, filter: &str) -> Result<bool> {
    let tokens = tokenize(fields, filter)?;
    let of_itself = |window: &[Token]| match window {
        [Token::Name { text: of, .. }, Token::Symbol("."), Token::Name { text, .. }] => {
            is_plain(of) && text.eq_ignore_ascii_case(field)
        }
        _ => false,
    };
    Ok(places(&tokens, field).next().is_some() || tokens.windows(3).any(of_itself))
}

/// The text that a filter says a field is equal to, if it does.
pub fn equal_to(fields: &Fields, field: &str, filter: &str) -> Result<Option<String>> {
    compared(fields, field, filter, |operator, value| {
        matches!(operator, Token::Symbol("=" | "==")).then(|| value.to_owned())
    })
}

/// The longest text that a filter says a field has somewhere in it, if it does: of three characters at
/// least, which is what an index of substrings knows.
pub fn contained(fields: &Fields, field: &str, filter: &str) -> Result<Option<String>> {
    compared(fields, field, filter, |operator, pattern| {
        let Token::Name { text, bare: true } = operator else { return None };
        let is_like = text.eq_ignore_ascii_case("like") || text.eq_ignore_ascii_case("ilike");
        // What a text begins with is found by its order.
        if !is_like || !pattern.starts_with('%') {
            return None;
        }
        let longest = pattern.split(['%', '_']).max_by_key(|part| part.chars().count())?;
        (longest.chars().count() >= 3).then(|| longest.to_owned())
    })
}

/// The first comparison of a field that `what` makes something of, given operator and value.
fn compared(
    fields: &Fields,
    field: &str,
    filter: &str,
    what: impl Fn(&Token, &str) -> Option<String>,
) -> Result<Option<String>> {
    let tokens = tokenize(fields, filter)?;
    let found = places(&tokens, field).find_map(|index| match &tokens[index..] {
        [_, operator, Token::Text(value), ..] => what(operator, value),
        _ => None,
    });
    Ok(found)
}

/// Where a field is named. Not as the key of a tag: `tags.name`.
fn places<'a>(tokens: &'a [Token], field: &'a str) -> impl Iterator<Item = usize> + 'a {
    tokens.iter().enumerate().filter_map(move |(index, token)| match token {
        Token::Name { text, .. }
            if text.eq_ignore_ascii_case(field)
                && !matches!(
                    index.checked_sub(1).map(|i| &tokens[i]),
                    Some(Token::Symbol("."))
                ) =>
        {
            Some(index)
        }
        _ => None,
    })
}
