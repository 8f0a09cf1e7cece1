//! Lists of values as arrays: PostgreSQL then has one statement however long they are, which it prepares once, and a few
//! values in the place of hundreds.

use crate::sql::Value;

/// What stands for a `?`, or for many.
#[derive(Debug, PartialEq)]
pub enum Bound<'a> {
    One(&'a Value),
    Texts(Vec<Option<&'a str>>),
    Ints(Vec<Option<i64>>),
    Reals(Vec<Option<f64>>),
}

impl<'a> Bound<'a> {
    /// An array of values, if they are of one type.
    fn array(values: impl Iterator<Item = &'a Value> + Clone) -> Option<Self> {
        let (texts, ints, reals) = (values.clone(), values.clone(), values);
        let texts = texts.map(|value| match value {
            Value::Text(text) => Some(text.as_deref()),
            _ => None,
        });
        let ints = ints.map(|value| match value {
            Value::Int(int) => Some(*int),
            _ => None,
        });
        let reals = reals.map(|value| match value {
            Value::Real(real) => Some(*real),
            _ => None,
        });
        let texts = texts.collect::<Option<_>>().map(Self::Texts);
        let ints = || ints.collect::<Option<_>>().map(Self::Ints);
        let reals = || reals.collect::<Option<_>>().map(Self::Reals);
        texts.or_else(ints).or_else(reals)
    }
}

/// A text with `$1`, `$2` … where it had `?`, and what to bind. `x IN (?, ?)` becomes `x = ANY($1)`, and the rows of
/// `VALUES (?, ?), (?, ?)` become `SELECT * FROM UNNEST($1, $2)`.
pub fn numbered<'a>(text: &str, values: &'a [Value]) -> (String, Vec<Bound<'a>>) {
    let parts: Vec<&str> = text.split('?').collect();
    let mut numbered = String::with_capacity(text.len() + text.len() / 8);
    let (mut bound, mut done) = (Vec::new(), 0);
    for (index, part) in parts.iter().enumerate() {
        if index < done {
            continue;
        }
        numbered.push_str(part);
        let rest = &parts[index + 1..];
        if rest.is_empty() {
            break;
        }
        let values = values.get(index..).unwrap_or_default();
        let arrays =
            list(&mut numbered, rest, values).or_else(|| rows(&mut numbered, rest, values));
        let (arrays, count) =
            arrays.unwrap_or_else(|| (values.iter().take(1).map(Bound::One).collect(), 1));
        for (place, array) in arrays.into_iter().enumerate() {
            bound.push(array);
            let comma = if place == 0 { "" } else { ", " };
            numbered.push_str(&format!("{comma}${}", bound.len()));
        }
        done = index + count;
    }
    (numbered, bound)
}

/// The list whose `IN (` a text ends with, and of how many values it is.
fn list<'a>(
    text: &mut String,
    rest: &[&str],
    values: &'a [Value],
) -> Option<(Vec<Bound<'a>>, usize)> {
    let start = text.strip_suffix(" IN (").filter(|start| !start.ends_with(" NOT"))?.len();
    let count = 1 + rest.iter().take_while(|part| **part == ", ").count();
    if count == 1 || !rest[count - 1].starts_with(')') {
        return None;
    }
    let array = Bound::array(values.get(..count)?.iter())?;
    text.truncate(start);
    text.push_str(" = ANY(");
    Some((vec![array], count))
}

/// The rows whose `VALUES (` a text ends with, column by column, and of how many values they are.
fn rows<'a>(
    text: &mut String,
    rest: &[&str],
    values: &'a [Value],
) -> Option<(Vec<Bound<'a>>, usize)> {
    let start = text.strip_suffix("VALUES (")?.len();
    let width = 1 + rest.iter().take_while(|part| **part == ", ").count();
    let row = |parts: &[&str]| parts[0] == "), (" && parts[1..].iter().all(|part| *part == ", ");
    let count = 1 + rest[width - 1..].chunks_exact(width).take_while(|parts| row(parts)).count();
    let end = count * width;
    if count == 1 || !rest[end - 1].starts_with(')') || rest[end - 1].starts_with("), (") {
        return None;
    }
    let values = values.get(..end)?;
    let column = |first: usize| Bound::array(values[first..].iter().step_by(width));
    let columns = (0..width).map(column).collect::<Option<_>>()?;
    text.truncate(start);
    text.push_str("SELECT * FROM UNNEST(");
    Some((columns, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Sql;

    fn of(sql: Sql) -> (String, usize) {
        let (text, values) = sql.into_parts();
        let (text, bound) = numbered(&text, &values);
        (text, bound.len())
    }

    #[test]
    fn placeholders_are_numbered_in_order() {
        let mut sql = Sql::new("a = ?").bind("x");
        sql.push(" AND b = ").push_value(2).push(" AND c IN (").push_value(3).push(")");
        assert_eq!(of(sql), ("a = $1 AND b = $2 AND c IN ($3)".to_owned(), 3));
    }

    #[test]
    fn lists_and_rows_become_arrays() {
        let sql = Sql::new("a = ?").bind("x").and(Sql::is_in("c", [1, 2, 3]));
        let mut sql = sql.and(Sql::is_in("d", ["x", "y"]));
        sql.push(" AND e = ").push_value(1);
        let text = "a = $1 AND (c = ANY($2)) AND (d = ANY($3)) AND e = $4";
        assert_eq!(of(sql), (text.to_owned(), 4));

        let rows = |count| {
            Sql::rows("INSERT INTO t (a, b) VALUES", (0..count).map(|i| [i.into(), "x".into()]))
        };
        let mut sql = rows(3);
        sql.push(" ON CONFLICT (a) DO UPDATE SET b = ").push_value("y");
        let text = "INSERT INTO t (a, b) SELECT * FROM UNNEST($1, $2) ON CONFLICT (a) DO UPDATE SET b = $3";
        assert_eq!(of(sql), (text.to_owned(), 3));
        assert_eq!(of(rows(1)), ("INSERT INTO t (a, b) VALUES ($1, $2)".to_owned(), 2));
        let one = Sql::rows("INSERT INTO t (a) VALUES", [[1.into()], [2.into()]]);
        assert_eq!(of(one), ("INSERT INTO t (a) SELECT * FROM UNNEST($1)".to_owned(), 1));
    }

    #[test]
    fn values_of_several_types_are_bound_one_by_one() {
        let rows = Sql::rows("VALUES", [[Value::from(1)], ["x".into()]]);
        assert_eq!(of(rows), ("VALUES ($1), ($2)".to_owned(), 2));
        let mut sql = Sql::new("a NOT IN (");
        sql.push_value(1).push(", ").push_value(2).push(")");
        assert_eq!(of(sql), ("a NOT IN ($1, $2)".to_owned(), 2));
    }
}
