//! What is said of a field that a list does not have: the nearest name that there is, and all names.

use super::{Fields, Target};

/// `Unknown field "rics". Did you mean metrics? Fields: metrics.*, params.*, tags.*, status, name`.
pub fn unknown(fields: &Fields, name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let names = fields.targets.iter().map(|(field, _)| *field);
    let near = names.min_by_key(|field| distance(&lower, field));
    let is_near = |field: &&str| {
        distance(&lower, field) <= 2 || (lower.len() >= 3 && field.contains(lower.as_str()))
    };
    let found = near.filter(is_near).or_else(|| {
        let mut names = fields.targets.iter().map(|(field, _)| *field);
        names.find(is_near)
    });
    let hint = found.map(|field| format!(" Did you mean {field}?")).unwrap_or_default();
    format!("Unknown field {name:?}.{hint} Fields: {}", all(fields).join(", "))
}

/// All fields: those that take a name first, and of several names for one thing the first.
fn all(fields: &Fields) -> Vec<String> {
    let (mut keyed, mut plain, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for (field, target) in fields.targets {
        match target {
            Target::Text(column)
            | Target::Number(column)
            | Target::Any(column)
            | Target::Time(column)
            | Target::LaterTime(column) => {
                if !columns.contains(column) {
                    columns.push(*column);
                    plain.push((*field).to_owned());
                }
            }
            Target::Tag(_)
            | Target::Param(_)
            | Target::Metric(_)
            | Target::TagOr(..)
            | Target::ModelMetric(_)
            | Target::Dataset(_) => keyed.push(format!("{field}.*")),
        }
    }
    keyed.reverse();
    keyed.append(&mut plain);
    keyed
}

/// How many characters must be added, removed or changed (Levenshtein's distance) to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, byte) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (index, other) in other.bytes().enumerate() {
            let changed = diagonal + usize::from(byte != other);
            diagonal = row[index + 1];
            row[index + 1] = changed.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields = Fields {
        targets: &[
            ("name", Target::Text("c.name")),
            ("run_name", Target::Text("c.name")),
            ("status", Target::Text("c.status")),
            ("tags", Target::Tag("c.id")),
            ("params", Target::Param("c.id")),
            ("metrics", Target::Metric("c.id")),
        ],
        example: "status = 'FINISHED'",
        missing_differs: true,
    };

    #[test]
    fn the_nearest_name_is_offered() {
        let all = "Fields: metrics.*, params.*, tags.*, name, status";
        for (typed, hint) in [
            ("rics", " Did you mean metrics?"),
            ("metric", " Did you mean metrics?"),
            ("staus", " Did you mean status?"),
            ("Nme", " Did you mean name?"),
            ("accuracy", ""),
        ] {
            assert_eq!(unknown(&FIELDS, typed), format!("Unknown field {typed:?}.{hint} {all}"));
        }
        // Time grows with the length of the name, which the filter bounds.
        assert!(unknown(&FIELDS, &"a".repeat(4000)).len() < 5000);
    }
}
