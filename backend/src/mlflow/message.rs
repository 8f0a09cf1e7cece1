//! What a request says: the fields of MLflow's protobuf messages, from JSON or from the address.
//!
//! As MLflow's server reads them: unknown fields are passed over, names also come in camelCase, numbers
//! also as texts, and what is wrong is said in its words.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::error::{Failure, Result};

/// The fields of a request, or of a message in it.
#[derive(Clone, Debug, Default)]
pub struct Message<'a> {
    fields: Cow<'a, Map<String, Value>>,
    /// From the query of an address, where everything is text and a list may have one element.
    is_query: bool,
}

pub const SEE_DOCS: &str = " See the API docs for more information about request parameters.";

impl Message<'static> {
    /// From a JSON body; an empty one, and what is no object, has no fields. Some old clients send JSON in
    /// a JSON string.
    pub fn from_json(body: &[u8]) -> Self {
        let value = match serde_json::from_slice(body) {
            Ok(Value::String(inner)) => serde_json::from_str(&inner).unwrap_or_default(),
            Ok(value) => value,
            Err(_) => Value::Null,
        };
        Self { fields: Cow::Owned(object(value)), is_query: false }
    }

    pub fn from_query(query: &str) -> Self {
        let mut fields = Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = Value::String(value.into_owned());
            match fields.get_mut(&*name) {
                Some(Value::Array(values)) => values.push(value),
                _ => drop(fields.insert(name.into_owned(), Value::Array(vec![value]))),
            }
        }
        Self { fields: Cow::Owned(fields), is_query: true }
    }

    /// Sets a field that stands in the path of the address.
    pub fn set(&mut self, name: &str, value: &str) {
        let value = Value::String(value.to_owned());
        let value = if self.is_query { Value::Array(vec![value]) } else { value };
        self.fields.to_mut().insert(name.to_owned(), value);
    }
}

impl<'a> Message<'a> {
    fn of(fields: &'a Map<String, Value>) -> Self {
        Self { fields: Cow::Borrowed(fields), is_query: false }
    }

    /// The field of this name, or of the same in camelCase.
    fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).or_else(|| {
            let mut fields = self.fields.iter();
            fields.find_map(|(key, value)| is_camel_case(key, name).then_some(value))
        })
    }

    /// The value of a field, unless it is null.
    fn get(&self, name: &str) -> Option<&Value> {
        let value = match self.field(name) {
            Some(Value::Array(values)) if self.is_query => values.first(),
            value => value,
        };
        value.filter(|value| !value.is_null())
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A text, empty or not.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        Ok(self.str(name)?.map(str::to_owned))
    }

    /// As [`Message::text`], without a copy.
    pub fn str(&self, name: &str) -> Result<Option<&str>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(name, other)),
        }
    }

    /// A text; empty if there is none.
    pub fn text_or_empty(&self, name: &str) -> Result<String> {
        Ok(self.text(name)?.unwrap_or_default())
    }

    /// A text that must be there and not be empty.
    pub fn required(&self, name: &str) -> Result<String> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| missing(name))
    }

    /// The run, by its new name or its old.
    pub fn run_id(&self) -> Result<String> {
        match self.text("run_id")?.filter(|id| !id.is_empty()) {
            Some(id) => Ok(id),
            None => {
                self.text("run_uuid")?.filter(|id| !id.is_empty()).ok_or_else(|| missing("run_id"))
            }
        }
    }

    /// A 64-bit integer, as number or text.
    pub fn int(&self, name: &str) -> Result<Option<i64>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let int = match value {
            Value::Number(number) => number.as_i64().or_else(|| {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "checked to be whole and small"
                )]
                number
                    .as_f64()
                    .filter(|float| float.fract() == 0.0 && float.abs() < 9e15)
                    .map(|float| float as i64)
            }),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        int.map(Some).ok_or_else(|| wrong(name, value))
    }

    pub fn required_int(&self, name: &str) -> Result<i64> {
        self.int(name)?.ok_or_else(|| missing(name))
    }

    /// A 64-bit float, as number or text; NaN and infinities are texts.
    pub fn float(&self, name: &str) -> Result<Option<f64>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let float = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        float.map(Some).ok_or_else(|| wrong(name, value))
    }

    pub fn bool(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(bool)) => Ok(Some(*bool)),
            Some(Value::String(text)) if self.is_query => match text.to_lowercase().as_str() {
                "true" => Ok(Some(true)),
                "false" => Ok(Some(false)),
                _ => Err(Failure::invalid(format!(
                    "Invalid boolean value: {text}, must be 'true' or 'false'."
                ))),
            },
            Some(other) => Err(wrong(name, other)),
        }
    }

    /// A list; empty if there is none.
    pub fn list(&self, name: &str) -> Result<&[Value]> {
        match self.field(name) {
            None | Some(Value::Null) => Ok(&[]),
            Some(Value::Array(values)) => Ok(values),
            Some(other) => Err(wrong(name, other)),
        }
    }

    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        let list = self.list(name)?;
        list.iter()
            .map(|value| match value {
                Value::String(text) => Ok(text.clone()),
                _ => Err(wrong(name, &Value::Array(list.to_vec()))),
            })
            .collect()
    }

    /// A list of messages.
    pub fn messages(&self, name: &str) -> Result<Vec<Message<'_>>> {
        let list = self.list(name)?;
        list.iter()
            .map(|value| match value {
                Value::Object(fields) => Ok(Message::of(fields)),
                _ => Err(wrong(name, &Value::Array(list.to_vec()))),
            })
            .collect()
    }

    /// A message; one without fields if there is none.
    pub fn message(&self, name: &str) -> Result<Message<'_>> {
        match self.get(name) {
            None => Ok(Message::default()),
            Some(Value::Object(fields)) => Ok(Message::of(fields)),
            Some(other) => Err(wrong(name, other)),
        }
    }

    /// One of the names of an enum, or its number: `names` pairs both.
    pub fn choice<T: Copy>(&self, name: &str, names: &[(&str, i64, T)]) -> Result<Option<T>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let found = names.iter().find(|(text, number, _)| match value {
            Value::String(given) => given == text || given.parse() == Ok(*number),
            Value::Number(given) => given.as_i64() == Some(*number),
            _ => false,
        });
        found.map(|(.., choice)| Some(*choice)).ok_or_else(|| wrong(name, value))
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Whether a key is a name such as `run_id` in camelCase.
fn is_camel_case(key: &str, name: &str) -> bool {
    let mut key = key.chars();
    let mut parts = name.split('_');
    parts.next().is_some_and(|first| first.chars().all(|c| key.next() == Some(c)))
        && parts.all(|part| {
            part.char_indices().all(|(index, c)| {
                let c = if index == 0 { c.to_ascii_uppercase() } else { c };
                key.next() == Some(c)
            })
        })
        && key.next().is_none()
}

/// What MLflow says where a parameter is missing.
pub fn missing(name: &str) -> Failure {
    Failure::invalid(format!("Missing value for required parameter '{name}'.{SEE_DOCS}"))
}

/// What MLflow says where a parameter is of the wrong type.
pub fn wrong(name: &str, value: &Value) -> Failure {
    let python_type = match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    };
    // Long values are not sent back whole.
    let shown: String = value.to_string().chars().take(1000).collect();
    Failure::invalid(format!(
        "Invalid value {shown} for parameter '{name}' supplied:  Hint: Value was of type '{python_type}'.{SEE_DOCS}"
    ))
}

/// A text as Python prints one in a list.
pub fn python_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut printed = String::from(quote);
    for character in text.chars() {
        match character {
            '\n' => printed.push_str("\\n"),
            '\r' => printed.push_str("\\r"),
            '\t' => printed.push_str("\\t"),
            '\\' => printed.push_str("\\\\"),
            c if c == quote => printed.extend(['\\', c]),
            c => printed.push(c),
        }
    }
    printed.push(quote);
    printed
}

/// JSON as Python's `json.dumps` writes it, which clients compare as a text: with spaces, and in ASCII.
pub fn python_json(value: &Value) -> String {
    match value {
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(python_json).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                format!("{}: {}", python_json(&Value::from(name.as_str())), python_json(value))
            };
            let fields: Vec<_> = fields.iter().map(field).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(_) => {
            let mut ascii = String::new();
            for character in value.to_string().chars() {
                if character < '\x7f' {
                    ascii.push(character);
                } else {
                    let mut units = [0; 2];
                    let units = character.encode_utf16(&mut units).iter();
                    ascii.extend(units.map(|unit| format!("\\u{unit:04x}")));
                }
            }
            ascii
        }
    }
}

/// As MLflow says that a value is not what it may be.
pub fn refuse(name: &str, value: &str, reason: &str) -> Failure {
    let shown: String = Value::from(value).to_string().chars().take(1000).collect();
    Failure::invalid(format!("Invalid value {shown} for parameter '{name}' supplied: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_printed_as_python_does() {
        for (text, printed) in [
            ("lr", "'lr'"),
            ("it's", "\"it's\""),
            ("it's \"it\"", r#"'it\'s "it"'"#),
            ("a\\b\n", r"'a\\b\n'"),
        ] {
            assert_eq!(python_text(text), printed);
        }
    }

    #[test]
    fn json_is_written_as_python_does() {
        for (json, written) in [
            (r#"[{"name":"\"b\"","version":1},{}]"#, r#"[{"name": "\"b\"", "version": 1}, {}]"#),
            ("[\"\u{fc}\u{1f600}\u{7f}\",null]", r#"["\u00fc\ud83d\ude00\u007f", null]"#),
        ] {
            let json: Value = serde_json::from_str(json).unwrap();
            assert_eq!(python_json(&json), written);
        }
    }
}
