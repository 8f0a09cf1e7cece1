//! What an operation may be at most, checked before it is parsed: a hostile request costs next to nothing.

use std::collections::HashMap;

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, FragmentDefinition, Selection, SelectionSet, Type,
};
use async_graphql::{Name, Positioned};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// How long an operation is at most, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// A description of 64 KiB and its JSON escapes; only variables can be so long.
pub const MAX_BODY_WITH_VARIABLES: usize = 8 * MAX_BODY;

const MAX_TOKENS: usize = 2000;
const MAX_EXPANDED: usize = 10_000;
/// Gateways give each of many look-ups an alias.
const MAX_ALIASES: usize = 500;

/// Parses an operation, unless it is so long that this would take long.
pub fn check(query: &str) -> Result<ExecutableDocument> {
    if query.len() > MAX_BODY {
        return Err(too_large());
    }
    check_tokens(query)?;
    let document = async_graphql::parser::parse_query(query)
        .map_err(|error| Error::invalid("query", error.to_string()))?;
    check_expanded(&document)?;
    check_aliases(&document)?;
    check_sign_ins(&document)?;
    Ok(document)
}

/// Refuses an operation whose variables do not fit: a value is missing or null where there must be one. What a value is
/// otherwise is checked against the schema.
pub fn check_variables(
    document: &ExecutableDocument,
    wanted: Option<&str>,
    variables: Option<&Map<String, Value>>,
) -> Result<()> {
    let is_wanted = |name: Option<&Name>| wanted.is_none() || name.map(Name::as_str) == wanted;
    let operations = document.operations.iter().filter(|(name, _)| is_wanted(*name));
    for definition in operations.flat_map(|(_, operation)| &operation.node.variable_definitions) {
        let definition = &definition.node;
        let (name, ty) = (definition.name.node.as_str(), &definition.var_type.node);
        let value = variables.and_then(|variables| variables.get(name));
        let is_there = match value {
            None => definition.default_value.is_some() || ty.nullable,
            Some(value) => fits(ty, value),
        };
        if !is_there {
            return Err(Error::invalid("variables", format!("must have ${name}, a {ty}")));
        }
    }
    Ok(())
}

/// Whether a value is null, or has a null, where the type has none.
fn fits(ty: &Type, value: &Value) -> bool {
    match (&ty.base, value) {
        (_, Value::Null) => ty.nullable,
        (BaseType::List(ty), Value::Array(values)) => values.iter().all(|value| fits(ty, value)),
        _ => true,
    }
}

pub fn too_large() -> Error {
    Error::TooLarge(format!(
        "The query is too large: at most {MAX_BODY} bytes are allowed, and {MAX_BODY_WITH_VARIABLES} with variables."
    ))
}

/// Counts tokens without parsing. Strings and comments are one token or none, however long.
fn check_tokens(query: &str) -> Result<()> {
    let mut tokens = 0;
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '"' => {
                tokens += 1;
                string_length(rest)
            }
            _ if first.is_ascii_alphanumeric() || first == '_' => {
                tokens += 1;
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            ',' | '\u{feff}' => first.len_utf8(),
            _ if first.is_whitespace() => first.len_utf8(),
            _ => {
                tokens += 1;
                first.len_utf8()
            }
        };
        if tokens > MAX_TOKENS {
            return Err(Error::invalid("query", format!("must have at most {MAX_TOKENS} tokens")));
        }
        rest = &rest[length..];
    }
    Ok(())
}

/// How long the string is that `text` begins with; one that is not closed goes on to the end. In a
/// block string a backslash escapes only three quotes, elsewhere whatever comes next.
fn string_length(text: &str) -> usize {
    let block = text.starts_with("\"\"\"");
    let (quote, escape) = if block { ("\"\"\"", "\\\"\"\"") } else { ("\"", "\\") };
    let mut position = quote.len();
    while let Some(rest) = text.get(position..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(escape) {
            let escaped =
                if block { 0 } else { rest[1..].chars().next().map_or(0, char::len_utf8) };
            position += escape.len() + escaped;
        } else if rest.starts_with(quote) {
            return position + quote.len();
        } else {
            position += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Each takes a slow hash, and would be a guess more for one request.
fn check_sign_ins(document: &ExecutableDocument) -> Result<()> {
    fn count(selections: &SelectionSet) -> usize {
        let selections = selections.items.iter().map(|selection| match &selection.node {
            Selection::Field(field) => usize::from(field.node.name.node == "signIn"),
            Selection::InlineFragment(fragment) => count(&fragment.node.selection_set.node),
            Selection::FragmentSpread(_) => 0,
        });
        selections.sum()
    }
    let operations =
        document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    // A fragment may be spread any number of times.
    let mut fragments =
        document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    if operations.map(count).sum::<usize>() > 1 || fragments.any(|fragment| count(fragment) > 0) {
        return Err(Error::invalid(
            "query",
            "must have at most one signIn, and no signIn in a fragment",
        ));
    }
    Ok(())
}

/// Counts what an operation asks for when every fragment stands where it is spread: a few fragments that spread each other
/// several times are as many fields as nobody can look at, and the library looks at all.
fn check_expanded(document: &ExecutableDocument) -> Result<()> {
    let mut counted = Counted { fragments: &document.fragments, sizes: HashMap::new() };
    let mut total = 0_usize;
    for (_, operation) in document.operations.iter() {
        total = total.saturating_add(counted.size(&operation.node.selection_set.node)?);
    }
    for name in document.fragments.keys() {
        total = total.max(counted.size_of(name)?);
    }
    match total {
        0..=MAX_EXPANDED => Ok(()),
        _ => Err(Error::invalid(
            "query",
            format!("must have at most {MAX_EXPANDED} fields when its fragments are spread"),
        )),
    }
}

/// How many fields each fragment is; none of one that is being counted.
struct Counted<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    sizes: HashMap<&'a Name, Option<usize>>,
}

impl<'a> Counted<'a> {
    fn size(&mut self, selections: &'a SelectionSet) -> Result<usize> {
        let mut total = 0_usize;
        for selection in &selections.items {
            let below = match &selection.node {
                Selection::Field(field) => self.size(&field.node.selection_set.node)?,
                Selection::InlineFragment(fragment) => {
                    self.size(&fragment.node.selection_set.node)?
                }
                Selection::FragmentSpread(spread) => {
                    self.size_of(&spread.node.fragment_name.node)?
                }
            };
            total = total.saturating_add(below).saturating_add(1);
        }
        Ok(total)
    }

    /// A fragment that is missing is told by the schema.
    fn size_of(&mut self, name: &Name) -> Result<usize> {
        let Some((name, fragment)) = self.fragments.get_key_value(name) else { return Ok(0) };
        match self.sizes.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                return Err(Error::invalid(
                    "query",
                    "must not have fragments that spread themselves",
                ));
            }
            None => {}
        }
        self.sizes.insert(name, None);
        let size = self.size(&fragment.node.selection_set.node)?;
        self.sizes.insert(name, Some(size));
        Ok(size)
    }
}

/// Mutations whose answers set the session's cookie.
const OF_SESSIONS: [&str; 4] = ["signIn", "signOut", "acceptInvitation", "changePassword"];

/// Refuses mutations that are about the session of a browser.
pub fn check_no_session(document: &ExecutableDocument) -> Result<()> {
    fn has_any(selections: &SelectionSet) -> bool {
        selections.items.iter().any(|selection| match &selection.node {
            Selection::Field(field) => OF_SESSIONS.contains(&field.node.name.node.as_str()),
            Selection::InlineFragment(fragment) => has_any(&fragment.node.selection_set.node),
            Selection::FragmentSpread(_) => false,
        })
    }
    let operations =
        document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let mut all = operations
        .chain(document.fragments.values().map(|fragment| &fragment.node.selection_set.node));
    match all.any(has_any) {
        true => Err(Error::Forbidden(
            "Sessions are for the registry's own pages. Pages of other sites send Authorization: Bearer TOKEN.",
        )),
        false => Ok(()),
    }
}

fn check_aliases(document: &ExecutableDocument) -> Result<()> {
    let operations =
        document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    let aliases: usize = operations.chain(fragments).map(count_aliases).sum();
    if aliases > MAX_ALIASES {
        return Err(Error::invalid("query", format!("must have at most {MAX_ALIASES} aliases")));
    }
    Ok(())
}

fn count_aliases(selections: &SelectionSet) -> usize {
    selections
        .items
        .iter()
        .map(|selection| match &selection.node {
            Selection::Field(field) => {
                usize::from(field.node.alias.is_some())
                    + count_aliases(&field.node.selection_set.node)
            }
            Selection::InlineFragment(fragment) => count_aliases(&fragment.node.selection_set.node),
            Selection::FragmentSpread(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_that_spread_each_other_are_counted_and_not_followed() {
        let bomb = |spreads: &str, depth: usize| {
            let each = |n: usize| {
                let spread = format!("...a{} ", n + 1);
                format!("fragment a{n} on Query {{ {} }} ", spread.repeat(spreads.len()))
            };
            let fragments: String = (0..depth).map(each).collect();
            format!("{{ ...a0 }} {fragments} fragment a{depth} on Query {{ __typename }}")
        };
        assert!(check(&bomb("xx", 36)).is_err(), "2^36");
        assert!(check(&bomb("xxxx", 36)).is_err(), "4^36");
        assert!(check(&bomb("xx", 8)).is_ok());
        // Also where nothing spreads the first one, or it spreads itself.
        assert!(check(&bomb("xx", 36).replacen("...a0", "__typename", 1)).is_err());
        assert!(
            check("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }").is_err()
        );
    }

    #[test]
    fn tokens_are_counted_without_parsing() {
        let fields = |count: usize| format!("{{ {} }}", "a ".repeat(count));
        assert!(check_tokens(&fields(MAX_TOKENS - 2)).is_ok());
        assert!(check_tokens(&fields(MAX_TOKENS - 1)).is_err());
        let long = format!("{{ a(b: \"{}\") }} # {}", "x y \\\" ".repeat(5000), "c ".repeat(5000));
        assert!(check_tokens(&long).is_ok());
        assert!(check_tokens(&format!("{{ a(b: \"\"\"{}", "\" ".repeat(5000))).is_ok());
        let closed = format!("{{ a(b: {q}\\\\{q} {q}) {} }}", "c ".repeat(5000), q = "\"\"\"");
        assert!(check_tokens(&closed).is_err(), "only three quotes are escaped there");
    }
}
