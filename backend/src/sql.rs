//! SQL that is put together: text with `?` and the values that go there. Pure, and the same for both
//! databases; a caller's text is always a value, never part of the text.

use std::hash::{Hash, Hasher};

/// A value that is bound to a query.
#[derive(Clone, Debug)]
pub enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Real(Option<f64>),
    Bool(bool),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Real(a), Self::Real(b)) => a.map(f64::to_bits) == b.map(f64::to_bits),
            (Self::Bool(a), Self::Bool(b)) => a == b,
            _ => false,
        }
    }
}
impl Eq for Value {}
impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Text(value) => value.hash(state),
            Self::Int(value) => value.hash(state),
            Self::Real(value) => value.map(f64::to_bits).hash(state),
            Self::Bool(value) => value.hash(state),
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $make:expr),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                #[allow(clippy::redundant_closure_call)]
                ($make)(value)
            }
        }
    )*};
}
value_from! {
    String => |v| Value::Text(Some(v)),
    &str => |v: &str| Value::Text(Some(v.to_owned())),
    &String => |v: &String| Value::Text(Some(v.clone())),
    Option<String> => Value::Text,
    i64 => |v| Value::Int(Some(v)),
    Option<i64> => Value::Int,
    f64 => |v| Value::Real(Some(v)),
    Option<f64> => Value::Real,
    bool => Value::Bool,
}

/// A piece of SQL with `?` where its values go: what filters and pages are put together from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub fn push_value(&mut self, value: impl Into<Value>) -> &mut Self {
        self.text.push('?');
        self.values.push(value.into());
        self
    }

    /// How many rows there may be, written out: SQLite prepares a statement anew whenever another value is
    /// bound to its LIMIT, as its plan may depend on that.
    pub fn push_limit(&mut self, rows: i64) -> &mut Self {
        self.push(&format!(" LIMIT {rows}"))
    }

    /// Values for `?` that are in the text already.
    pub fn push_values(&mut self, values: Vec<Value>) -> &mut Self {
        self.values.extend(values);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub fn push_sql(&mut self, sql: Self) -> &mut Self {
        self.text.push_str(&sql.text);
        self.values.extend(sql.values);
        self
    }

    /// The text, with its `?`, and the values.
    pub fn into_parts(self) -> (String, Vec<Value>) {
        (self.text, self.values)
    }

    /// `INSERT INTO table`, with the name of each column beside its value.
    pub fn insert<const N: usize>(table: &str, row: [(&str, Value); N]) -> Self {
        let columns = row.each_ref().map(|(column, _)| *column).join(", ");
        let text = format!("INSERT INTO {table} ({columns}) VALUES");
        Self::rows(text, [row.map(|(_, value)| value)])
    }

    /// A text that ends with `VALUES`, and the rows after it.
    pub fn rows<const N: usize>(
        text: impl Into<String>,
        rows: impl IntoIterator<Item = [Value; N]>,
    ) -> Self {
        let mut sql = Self::new(text);
        for (index, row) in rows.into_iter().enumerate() {
            sql.push(if index == 0 { " (" } else { ", (" });
            for (index, value) in row.into_iter().enumerate() {
                sql.push(if index == 0 { "" } else { ", " }).push_value(value);
            }
            sql.push(")");
        }
        sql
    }

    /// `self AND (condition)`.
    pub fn and(mut self, condition: Self) -> Self {
        self.push(" AND (").push_sql(condition).push(")");
        self
    }

    /// `column IN (…)`; no values match nothing.
    pub fn is_in<V: Into<Value>>(column: &str, values: impl IntoIterator<Item = V>) -> Self {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return Self::new("FALSE") };
        let mut sql = Self::new(format!("{column} IN (?")).bind(first);
        for value in values {
            sql.push(", ").push_value(value);
        }
        sql.push(")");
        sql
    }
}

/// A text with `?` where it had `$1`, `$2` …; none if they do not come in this order, once each.
pub fn in_order(text: &str) -> Option<String> {
    let mut parts = text.split('$');
    let mut ordered = parts.next().unwrap_or_default().to_owned();
    for (index, part) in (1..).zip(parts) {
        let (place, rest) = place(part);
        if place != index {
            return None;
        }
        ordered.push('?');
        ordered.push_str(rest);
    }
    Some(ordered)
}

/// A text whose `$1`, `$2` … mean values that come after `by` others.
pub fn shifted(text: &str, by: usize) -> String {
    let mut parts = text.split('$');
    let mut shifted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (place, rest) = place(part);
        shifted.push_str(&format!("${}{rest}", place + by));
    }
    shifted
}

/// The number at the beginning of a text, and what follows it.
fn place(part: &str) -> (usize, &str) {
    let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
    (part[..end].parse().unwrap_or_default(), &part[end..])
}

/// A text in which `LIKE … ESCAPE '\'` sees no wildcards.
pub fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// A `LIKE` pattern without escapes as a GLOB.
pub fn like_to_glob(pattern: &str) -> String {
    let mut glob = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        match character {
            '%' => glob.push('*'),
            '_' => glob.push('?'),
            '*' | '?' | '[' => glob.extend(['[', character, ']']),
            other => glob.push(other),
        }
    }
    glob
}

/// The one character of a change of case; what becomes several, such as `ß`, has none.
fn single(mut cases: impl ExactSizeIterator<Item = char>) -> Option<char> {
    if cases.len() == 1 { cases.next() } else { None }
}

/// A GLOB for what contains `text`, whatever its case.
pub fn glob_containing(text: &str) -> String {
    let mut glob = String::from("*");
    for character in text.chars() {
        let upper = single(character.to_uppercase()).unwrap_or(character);
        let lower = single(upper.to_lowercase()).unwrap_or(character);
        let mut cases = vec![character, upper, lower];
        if lower == 'σ' {
            // As it is written at the end of a word.
            cases.push('ς');
        }
        cases.sort_unstable();
        cases.dedup();
        match cases.as_slice() {
            ['*' | '?' | '['] => glob.extend(['[', character, ']']),
            [one] => glob.push(*one),
            several => {
                glob.push('[');
                glob.extend(several);
                glob.push(']');
            }
        }
    }
    glob.push('*');
    glob
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_joined_by_their_places() {
        assert_eq!(in_order("a = $1 AND b = $2").as_deref(), Some("a = ? AND b = ?"));
        assert_eq!(in_order("a = $2 AND b = $1"), None);
        assert_eq!(in_order("a = $1 AND b = $1"), None);
        assert_eq!(shifted("($1, $2, $10)", 12), "($13, $14, $22)");
    }

    #[test]
    fn a_like_pattern_becomes_a_glob_without_new_wildcards() {
        assert_eq!(like_to_glob("a%b_c*[?"), "a*b?c[*][[][?]");
    }

    #[test]
    fn a_glob_has_every_letter_in_either_case_and_no_new_wildcards() {
        assert_eq!(glob_containing("É1*]x"), "*[Éé]1[*]][Xx]*");
        assert_eq!(glob_containing("ßς"), "*ß[Σςσ]*");
    }
}
