//! Filters: `metrics.accuracy > 0.9 and params.lr = '0.01' and status = 'FINISHED'` to SQL.
//!
//! The grammar is MLflow's search syntax: comparisons joined by AND, no OR, no parentheses; keys may be
//! quoted with backticks or double quotes, texts with single or double quotes. Pure: text in, SQL with
//! bound values out; a caller's text never becomes SQL.

mod about;
mod order;
mod token;
mod unknown;

use token::{Token, tokenize};
use unknown::unknown;

use crate::db::{Db, Sql};
use crate::error::{Error, Result};

const MAX_COMPARISONS: usize = 20;
/// How long a pattern may be, in bytes, and with how many characters of a value it is compared: each is tried at each.
const MAX_PATTERN: usize = 256;
const COMPARED: usize = 8192;
/// MLflow's clients always ask for what is no prompt so, and mean what has no such tag, too.
const PROMPT_TAG: &str = "mlflow.prompt.is_prompt";

pub use about::{contained, equal_to, names};
pub use order::{parse_key, parse_order, sort_keys};

/// What a field name of a filter stands for.
pub enum Target {
    Text(&'static str),
    Number(&'static str),
    /// One of several values: a sub-select of them, as `value`.
    Any(&'static str),
    /// Times compare with RFC 3339 texts or milliseconds.
    Time(&'static str),
    /// A time that may not have come yet.
    LaterTime(&'static str),
    /// A row of `tags`, `params` or `metrics`, whose owner is in this column.
    Tag(&'static str),
    Param(&'static str),
    Metric(&'static str),
    /// As `Tag`, where one tag is a column of its own: its key, and the column.
    TagOr(&'static str, &'static str, &'static str),
    /// A row of `logged_model_metrics`; the metrics of one kind of dataset, where only those count.
    ModelMetric(&'static str),
    /// The `name`, `digest` or `context` of a dataset that the candidate in this column was trained on.
    Dataset(&'static str),
}

/// The fields that one kind of list can be filtered by.
pub struct Fields {
    /// Plain fields (`name`), and prefixes that take a key (`tags`, also as `tag`).
    pub targets: &'static [(&'static str, Target)],
    /// A filter that works, for messages.
    pub example: &'static str,
    /// Whether `!=` also finds what has no such tag or param: not in MLflow, but for one tag.
    pub missing_differs: bool,
}

/// Which datasets count, where metrics of logged models are compared: a condition on `f`.
pub fn of_datasets(datasets: &[(String, Option<String>)]) -> Sql {
    let mut any = Sql::new(if datasets.is_empty() { "TRUE" } else { "FALSE" });
    for (name, digest) in datasets {
        any.push(" OR (f.dataset_name = ").push_value(name.as_str());
        if let Some(digest) = digest {
            any.push(" AND f.dataset_digest = ").push_value(digest.as_str());
        }
        any.push(")");
    }
    any
}

/// As much of a value as is compared with patterns; names are short.
fn beginning(column: &str) -> String {
    match column {
        "f.value" => format!("SUBSTR({column}, 1, {COMPARED})"),
        column => column.to_owned(),
    }
}

/// The condition that `text` means; everything, where it is empty.
pub fn parse(db: &Db, fields: &Fields, text: &str) -> Result<Sql> {
    parse_with(db, fields, text, of_datasets(&[]))
}

/// As [`parse`], where only some datasets count ([`of_datasets`]).
pub fn parse_with(db: &Db, fields: &Fields, text: &str, datasets: Sql) -> Result<Sql> {
    Parser { datasets, ..Parser::new(db, fields, text)? }.condition()
}

/// As [`parse`], among those of which one field is `known`: they are not compared with that again.
pub fn parse_among(db: &Db, fields: &Fields, text: &str, known: (&str, &str)) -> Result<Sql> {
    Parser { known: Some(known), ..Parser::new(db, fields, text)? }.condition()
}

/// Whether MLflow writes plain fields so: `attributes.status`.
fn is_plain(of: &str) -> bool {
    ["attributes", "attribute", "attr", "run"].contains(&of.to_ascii_lowercase().as_str())
}

struct Parser<'a> {
    tokens: Vec<Token>,
    position: usize,
    fields: &'a Fields,
    db: &'a Db,
    datasets: Sql,
    /// A field whose value is known.
    known: Option<(&'a str, &'a str)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Operator {
    Compare(&'static str),
    Like,
    ILike,
    In,
    NotIn,
    IsNull,
    IsNotNull,
}

impl<'a> Parser<'a> {
    fn new(db: &'a Db, fields: &'a Fields, text: &str) -> Result<Self> {
        let tokens = tokenize(fields, text)?;
        Ok(Self { tokens, position: 0, fields, db, datasets: Sql::new("TRUE"), known: None })
    }

    /// All comparisons.
    fn condition(mut self) -> Result<Sql> {
        let mut sql = Sql::new("TRUE");
        if self.tokens.is_empty() {
            return Ok(sql);
        }
        for count in 1.. {
            if count > MAX_COMPARISONS {
                return Err(
                    self.wrong(&format!("A filter can have at most {MAX_COMPARISONS} comparisons"))
                );
            }
            if !self.is_known() {
                sql = sql.and(self.comparison()?);
            }
            if self.at_end() {
                break;
            }
            if !self.keyword("and") {
                return Err(self.wrong("Combine comparisons with AND"));
            }
        }
        Ok(sql)
    }

    /// Whether the next comparison says what is known: then it is passed over.
    fn is_known(&mut self) -> bool {
        let next = self.tokens.get(self.position..self.position + 3);
        let is_known = match (self.known, next) {
            (
                Some((field, value)),
                Some([Token::Name { text, .. }, Token::Symbol("=" | "=="), Token::Text(found)]),
            ) => text.eq_ignore_ascii_case(field) && found == value,
            _ => false,
        };
        if is_known {
            self.position += 3;
        }
        is_known
    }

    fn wrong(&self, reason: &str) -> Error {
        Error::invalid("filter", format!("{reason}. Example: {}", self.fields.example))
    }

    fn at_end(&self) -> bool {
        self.position == self.tokens.len()
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.position).cloned();
        self.position += 1;
        token
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = matches!(
            self.tokens.get(self.position),
            Some(Token::Name { text, bare: true }) if text.eq_ignore_ascii_case(word)
        );
        self.position += usize::from(found);
        found
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found =
            matches!(self.tokens.get(self.position), Some(Token::Symbol(s)) if *s == symbol);
        self.position += usize::from(found);
        found
    }

    fn comparison(&mut self) -> Result<Sql> {
        let (target, key) = self.field()?;
        let operator = self.operator()?;
        match (target, key) {
            (Target::Text(column), None) => self.text(column, operator),
            (Target::Any(values), None) => self.any(values, operator),
            (Target::Number(column), None) => {
                // MLflow takes a quoted number here, and only here.
                if let Some(Token::Text(text)) = self.tokens.get(self.position)
                    && let Ok(number) = text.parse()
                {
                    self.tokens[self.position] = Token::Number(number, text.clone());
                }
                self.number(column, operator)
            }
            (Target::Time(column) | Target::LaterTime(column), None) => self.time(column, operator),
            (Target::Metric(owner), Some(key)) => {
                let null = matches!(operator, Operator::IsNull | Operator::IsNotNull);
                let mut value =
                    if null { Sql::new("TRUE") } else { self.number("f.value", operator)? };
                if operator == Operator::Compare("!=") {
                    // NaN, which is stored as NULL, is unlike every number.
                    value = Sql::new("(f.value IS NULL OR ").push_sql(value).push(")").clone();
                }
                let owner = format!("f.owner_id = {owner}");
                Ok(has("metrics f", "f.name", &owner, &key, value, operator == Operator::IsNull))
            }
            (Target::ModelMetric(owner), Some(key)) => {
                let mut value = self.number("f.value", operator)?;
                value.push(" AND (").push_sql(self.datasets.clone()).push(")");
                let owner = format!("f.logged_model_id = {owner}");
                Ok(has("logged_model_metrics f", "f.name", &owner, &key, value, false))
            }
            (Target::Dataset(owner), Some(key)) => self.dataset(owner, &key, operator),
            (Target::TagOr(_, own, column), Some(key)) if key == *own => {
                self.text(column, operator)
            }
            (Target::Tag(owner) | Target::TagOr(owner, ..), Some(key)) => {
                self.keyed("tags f", "f.key", owner, &key, operator)
            }
            (Target::Param(owner), Some(key)) => {
                self.keyed("params f", "f.name", owner, &key, operator)
            }
            (_, Some(_)) => {
                Err(self.wrong("Only metrics, params and tags have a name after the dot"))
            }
            (_, None) => {
                Err(self.wrong("Metrics, params and tags need a name after a dot, as in tags.team"))
            }
        }
    }

    fn dataset(&mut self, owner: &str, key: &str, operator: Operator) -> Result<Sql> {
        let (column, join) = match key {
            "name" => ("d.name", ""),
            "digest" => ("d.digest", ""),
            "context" => {
                ("t.value", " JOIN tags t ON t.owner_id = i.id AND t.key = 'mlflow.data.context'")
            }
            _ => return Err(self.wrong("The fields of a dataset are name, digest and context")),
        };
        let mut sql = Sql::new(format!(
            "EXISTS (SELECT 1 FROM dataset_inputs i JOIN datasets d ON d.id = i.dataset_id{join} \
             WHERE i.candidate_id = {owner} AND "
        ));
        sql.push_sql(self.text(column, operator)?).push(")");
        Ok(sql)
    }

    fn field(&mut self) -> Result<(&'static Target, Option<String>)> {
        let Some(Token::Name { text: mut name, .. }) = self.next() else {
            return Err(self.wrong("A comparison must begin with the name of a field"));
        };
        if is_plain(&name) && self.symbol(".") {
            let Some(Token::Name { text, .. }) = self.next() else {
                return Err(self.wrong(&format!("The name of a field is missing after “{name}.”")));
            };
            name = text;
        }
        let key = if self.symbol(".") {
            let Some(Token::Name { text: mut key, .. }) = self.next() else {
                return Err(self.wrong(&format!("A name is missing after “{name}.”")));
            };
            // Bare keys may have dots: tags.mlflow.user
            while self.symbol(".") {
                let Some(Token::Name { text, .. }) = self.next() else {
                    return Err(self.wrong("A name can't end with a dot"));
                };
                key = format!("{key}.{text}");
            }
            Some(key)
        } else {
            None
        };
        let name = match name.to_ascii_lowercase().as_str() {
            "parameter" | "parameters" => "params".to_owned(),
            _ => name,
        };
        let plural = format!("{name}s");
        let found = self.fields.targets.iter().find(|(field, target)| {
            field.eq_ignore_ascii_case(&name)
                || (field.eq_ignore_ascii_case(&plural) && !matches!(target, Target::Text(_)))
        });
        match found {
            Some((_, target)) => Ok((target, key)),
            None => Err(self.wrong(&unknown(self.fields, &name))),
        }
    }

    fn operator(&mut self) -> Result<Operator> {
        if self.keyword("like") {
            return Ok(Operator::Like);
        }
        if self.keyword("ilike") {
            return Ok(Operator::ILike);
        }
        if self.keyword("in") {
            return Ok(Operator::In);
        }
        if self.keyword("not") {
            return match self.keyword("in") {
                true => Ok(Operator::NotIn),
                false => Err(self.wrong("NOT must be followed by IN")),
            };
        }
        if self.keyword("is") {
            let not = self.keyword("not");
            if self.keyword("null") {
                return Ok(if not { Operator::IsNotNull } else { Operator::IsNull });
            }
            return Err(self.wrong("IS must be followed by NULL or NOT NULL"));
        }
        match self.next() {
            Some(Token::Symbol(symbol @ ("=" | "!=" | ">" | ">=" | "<" | "<="))) => {
                Ok(Operator::Compare(symbol))
            }
            Some(Token::Symbol("==")) => Ok(Operator::Compare("=")),
            Some(Token::Symbol("<>")) => Ok(Operator::Compare("!=")),
            _ => {
                Err(self
                    .wrong("A field must be followed by =, !=, <, <=, >, >=, LIKE, ILIKE or IN"))
            }
        }
    }

    fn quoted(&mut self) -> Result<String> {
        match self.next() {
            Some(Token::Text(text)) => Ok(text),
            Some(Token::Number(_, text) | Token::Name { text, .. }) => {
                Err(self.wrong(&format!("Put the text {text} in quotes: '{text}'")))
            }
            _ => Err(self.wrong("A text in quotes is missing")),
        }
    }

    fn pattern(&mut self) -> Result<String> {
        let pattern = self.quoted()?;
        if pattern.len() > MAX_PATTERN {
            return Err(self.wrong(&format!("A pattern can have at most {MAX_PATTERN} bytes")));
        }
        Ok(pattern)
    }

    fn text(&mut self, column: &str, operator: Operator) -> Result<Sql> {
        match operator {
            Operator::Compare(symbol) => {
                Ok(Sql::new(format!("{column} {symbol} ?")).bind(self.quoted()?))
            }
            Operator::Like => Ok(self.db.like(&beginning(column), &self.pattern()?)),
            Operator::ILike => Ok(self.db.ilike(&beginning(column), &self.pattern()?)),
            Operator::In | Operator::NotIn => {
                if !self.symbol("(") {
                    return Err(self.wrong("IN must be followed by a list such as ('a', 'b')"));
                }
                let mut values = vec![self.quoted()?];
                while self.symbol(",")
                    && self.tokens.get(self.position) != Some(&Token::Symbol(")"))
                {
                    values.push(self.quoted()?);
                }
                if !self.symbol(")") {
                    return Err(self.wrong("The list after IN needs a closing parenthesis"));
                }
                let found = Sql::is_in(column, values);
                Ok(if operator == Operator::In {
                    found
                } else {
                    Sql::new("NOT ").push_sql(found).clone()
                })
            }
            Operator::IsNull => Ok(Sql::new(format!("{column} IS NULL"))),
            Operator::IsNotNull => Ok(Sql::new(format!("{column} IS NOT NULL"))),
        }
    }

    /// Unlike a value is what has no such value, and NULL what has none at all.
    fn any(&mut self, values: &str, operator: Operator) -> Result<Sql> {
        let (value, not) = match operator {
            Operator::IsNull => (Sql::new("TRUE"), "NOT "),
            Operator::IsNotNull => (Sql::new("TRUE"), ""),
            Operator::Compare("!=") => (self.text("f.value", Operator::Compare("="))?, "NOT "),
            Operator::NotIn => (self.text("f.value", Operator::In)?, "NOT "),
            operator => (self.text("f.value", operator)?, ""),
        };
        let mut sql = Sql::new(format!("{not}EXISTS (SELECT 1 FROM ({values}) f WHERE "));
        sql.push_sql(value).push(")");
        Ok(sql)
    }

    fn number(&mut self, column: &str, operator: Operator) -> Result<Sql> {
        let Operator::Compare(symbol) = operator else {
            return Err(self.wrong("Compare numbers with =, !=, <, <=, > or >="));
        };
        match self.next() {
            Some(Token::Number(number, _)) => {
                Ok(Sql::new(format!("{column} {symbol} ?")).bind(number))
            }
            _ => Err(self.wrong("A number is missing")),
        }
    }

    fn time(&mut self, column: &str, operator: Operator) -> Result<Sql> {
        let Operator::Compare(symbol) = operator else {
            return Err(self.wrong("Compare times with =, !=, <, <=, > or >="));
        };
        let millis = match self.next() {
            #[expect(clippy::cast_possible_truncation, reason = "beyond any time all the same")]
            Some(Token::Number(number, _)) => number as i64,
            Some(Token::Text(text)) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => time.as_millisecond(),
                Err(_) => return Err(self.wrong("Write a time as '2026-01-02T03:04:05Z'")),
            },
            _ => return Err(self.wrong("A time is missing")),
        };
        Ok(Sql::new(format!("{column} {symbol} ?")).bind(millis))
    }

    fn keyed(
        &mut self,
        table: &str,
        name: &str,
        owner: &str,
        key: &str,
        operator: Operator,
    ) -> Result<Sql> {
        let (value, not) = match operator {
            Operator::IsNull => (Sql::new("TRUE"), true),
            Operator::IsNotNull => (Sql::new("TRUE"), false),
            Operator::Compare("!=") if self.fields.missing_differs || key == PROMPT_TAG => {
                (self.text("f.value", Operator::Compare("="))?, true)
            }
            Operator::Compare("<" | "<=" | ">" | ">=") => {
                return Err(
                    self.wrong("Params and tags are texts. Compare them with =, !=, LIKE or ILIKE")
                );
            }
            operator => (self.text("f.value", operator)?, false),
        };
        Ok(has(table, name, &format!("f.owner_id = {owner}"), key, value, not))
    }
}

fn has(table: &str, name: &str, owner: &str, key: &str, value: Sql, not: bool) -> Sql {
    let mut sql = Sql::new(if not { "NOT " } else { "" });
    sql.push(&format!("EXISTS (SELECT 1 FROM {table} WHERE {owner} AND {name} = "));
    sql.push_value(key);
    sql.push(" AND ").push_sql(value).push(")");
    sql
}
