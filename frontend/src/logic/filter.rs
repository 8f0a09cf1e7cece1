//! Filter expressions: how they are written, and how one that is being typed could go on.

/// The names that runs were logged with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub metrics: Vec<String>,
    pub params: Vec<String>,
    pub tags: Vec<String>,
}

/// How many ways to go on are offered.
const MOST: usize = 12;

const STATUSES: [&str; 5] = ["RUNNING", "FINISHED", "FAILED", "KILLED", "SCHEDULED"];

/// What runs have besides what is logged to them, with a way to compare it.
const FIELDS: [(&str, &str); 4] =
    [("status", "="), ("name", "LIKE"), ("author", "="), ("started_at", ">")];

/// `field = 'value'`; none for a value with both quotation marks, which a filter cannot have.
pub fn equals(field: &str, value: &str) -> Option<String> {
    let quote = ['\'', '"'].into_iter().find(|quote| !value.contains(*quote))?;
    Some(format!("{field} = {quote}{value}{quote}"))
}

/// The filter for `key=value`, or for having the tag at all.
pub fn tag(text: &str) -> Option<String> {
    let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
    let field = field("tags", key.trim())?;
    match value {
        Some(value) => equals(&field, value.trim()),
        None => Some(format!("{field} IS NOT NULL")),
    }
}

/// The filter for versions with this tag, where one is looked for. The server leaves yanked ones out of a list
/// unless its filter says that they may be there.
pub fn versions(wanted_tag: Option<&str>, yanked: bool) -> Option<String> {
    const ANY: &str = "support IN ('ACTIVE', 'DEPRECATED', 'YANKED')";
    let parts = [wanted_tag.and_then(tag), yanked.then(|| ANY.to_owned())];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

/// `tags.team`, with the name between backticks where it needs them.
fn field(kind: &str, name: &str) -> Option<String> {
    if name.is_empty() || name.contains('`') {
        return None;
    }
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    Some(if plain { format!("{kind}.{name}") } else { format!("{kind}.`{name}`") })
}

/// Whole texts that begin as `text` does: with a field, its comparison, a status or the next `and`.
pub fn complete(text: &str, names: &Names) -> Vec<String> {
    let words = words(text);
    let is_and = |(_, word): &&(usize, &str)| word.eq_ignore_ascii_case("and");
    // What is over, with the `and` after it, stays.
    let over = words.iter().rposition(|word| is_and(&word)).map_or(0, |place| place + 1);
    let last: Vec<&str> = words[over..].iter().map(|(_, word)| *word).collect();
    let start = words.get(over).map_or(text.len(), |(start, _)| *start);
    let goes_on = words.last().is_some_and(|(start, word)| start + word.len() == text.len());
    let ways = match last.as_slice() {
        [] if !goes_on => fields("", names),
        [word] if goes_on => fields(word, names),
        [field] => vec![format!("{field} {} ", operator(field))],
        ["status", operator @ ("=" | "!=")] => {
            STATUSES.iter().map(|status| format!("status {operator} '{status}'")).collect()
        }
        [_, _, .., last] if !goes_on && !is_operator(last) => {
            vec![format!("{} and ", text[start..].trim_end())]
        }
        _ => Vec::new(),
    };
    ways.into_iter().take(MOST).map(|way| format!("{}{way}", &text[..start])).collect()
}

/// Whether a value is still to come after this word.
fn is_operator(word: &str) -> bool {
    ["is", "not", "in", "like", "ilike"].contains(&word.to_ascii_lowercase().as_str())
}

/// Where each word begins, and the word: spaces within quotation marks and backticks are part of it.
fn words(text: &str) -> Vec<(usize, &str)> {
    let (mut words, mut start, mut quote) = (Vec::new(), None, None);
    for (place, character) in text.char_indices() {
        if character.is_whitespace() && quote.is_none() {
            words.extend(start.take().map(|start| (start, &text[start..place])));
            continue;
        }
        start.get_or_insert(place);
        if quote == Some(character) {
            quote = None;
        } else if quote.is_none() && ['\'', '"', '`'].contains(&character) {
            quote = Some(character);
        }
    }
    words.extend(start.map(|start| (start, &text[start..])));
    words
}

/// The fields that begin with `typed`, with their comparisons.
fn fields(typed: &str, names: &Names) -> Vec<String> {
    let typed = typed.to_lowercase();
    let plain: String = typed.chars().filter(|c| *c != '`').collect();
    let logged = [("metrics", &names.metrics), ("params", &names.params), ("tags", &names.tags)];
    let logged = logged.into_iter().flat_map(|(kind, names)| {
        names.iter().filter_map(move |name| Some((format!("{kind}.{name}"), field(kind, name)?)))
    });
    let own = FIELDS.into_iter().map(|(name, _)| (name.to_owned(), name.to_owned()));
    own.chain(logged)
        .filter(|(name, _)| name.to_lowercase().starts_with(&plain))
        .map(|(_, field)| format!("{field} {} ", operator(&field)))
        .collect()
}

fn operator(field: &str) -> &'static str {
    let own = FIELDS.into_iter().find(|(name, _)| *name == field).map(|(_, operator)| operator);
    own.unwrap_or(if field.starts_with("metrics.") { ">" } else { "=" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Names {
            metrics: all(&["accuracy", "val loss"]),
            params: all(&["lr"]),
            tags: all(&["team.name", "odd`"]),
        }
    }

    #[test]
    fn a_tag_is_looked_for_by_its_value_or_at_all() {
        assert_eq!(tag("stage=prod").as_deref(), Some("tags.stage = 'prod'"));
        assert_eq!(tag("team.name = it's").as_deref(), Some("tags.`team.name` = \"it's\""));
        assert_eq!(tag("stage").as_deref(), Some("tags.stage IS NOT NULL"));
        assert_eq!(tag("2024_q1").as_deref(), Some("tags.`2024_q1` IS NOT NULL"));
        assert_eq!(tag("a`b"), None);
        assert_eq!(tag("a='\""), None);
        assert_eq!(tag("=x"), None);
    }

    #[test]
    fn yanked_versions_are_listed_where_they_are_wanted() {
        assert_eq!(versions(None, false), None);
        assert_eq!(versions(Some("a`b"), false), None);
        assert_eq!(versions(Some("stage=prod"), false), tag("stage=prod"));
        let any = "support IN ('ACTIVE', 'DEPRECATED', 'YANKED')";
        assert_eq!(versions(None, true).as_deref(), Some(any));
        let both = format!("tags.stage = 'prod' and {any}");
        assert_eq!(versions(Some("stage=prod"), true), Some(both));
    }

    #[test]
    fn a_filter_goes_on_from_where_it_is() {
        let of = |text: &str| complete(text, &names());
        assert_eq!(
            of(""),
            [
                "status = ",
                "name LIKE ",
                "author = ",
                "started_at > ",
                "metrics.accuracy > ",
                "metrics.`val loss` > ",
                "params.lr = ",
                "tags.`team.name` = "
            ]
        );
        assert_eq!(of("metrics.A"), ["metrics.accuracy > "]);
        assert_eq!(of("metrics.`val l"), ["metrics.`val loss` > "]);
        assert_eq!(of("metrics.accuracy "), ["metrics.accuracy > "]);
        assert_eq!(of("metrics.`val loss` "), ["metrics.`val loss` > "]);
        assert_eq!(of("metrics.accuracy > "), [""; 0]);
        assert_eq!(of("metrics.accuracy > 0.9"), [""; 0]);
        assert_eq!(of("metrics.accuracy > 0.9 "), ["metrics.accuracy > 0.9 and "]);
        let more = of("metrics.accuracy > 0.9 AND par");
        assert_eq!(more, ["metrics.accuracy > 0.9 AND params.lr = "]);
        assert_eq!(of("status = ")[1], "status = 'FINISHED'");
        assert_eq!(of("name = 'this and "), [""; 0]);
        assert_eq!(of("tags.x IS NOT "), [""; 0]);
        assert_eq!(of("tags.x IS NOT NULL "), ["tags.x IS NOT NULL and "]);
        assert_eq!(of("tags.x = 'ä' and stat"), ["tags.x = 'ä' and status = "]);
    }
}
