//! What a request says: the fields of MLflow's protobuf messages, from JSON or from the address.
//!
//! As MLflow's server reads them: unknown fields are passed over, names also come in camelCase, numbers
//! also as texts, and what is wrong is said in its words.

use serde_json::{Map, Value};

use super::error::{Failure, Result};

/// The fields of a request.
#[derive(Clone, Debug, Default)]
pub struct Message {
    fields: Map<String, Value>,
    /// From the query of an address, where everything is text and a list may have one element.
    is_query: bool,
}

pub const SEE_DOCS: &str = " See the API docs for more information about request parameters.";

impl Message {
    /// From a JSON body; an empty one, and what is no object, has no fields. Some old clients send JSON in
    /// a JSON string.
    pub fn from_json(body: &[u8]) -> Self {
        let value = match serde_json::from_slice(body) {
            Ok(Value::String(inner)) => serde_json::from_str(&inner).unwrap_or_default(),
            Ok(value) => value,
            Err(_) => Value::Null,
        };
        Self { fields: object(value), is_query: false }
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
        Self { fields, is_query: true }
    }

    /// Sets a field that stands in the path of the address.
    pub fn set(&mut self, name: &str, value: &str) {
        let value = Value::String(value.to_owned());
        let value = if self.is_query { Value::Array(vec![value]) } else { value };
        self.fields.insert(name.to_owned(), value);
    }

    /// The value of a field, unless it is null.
    fn get(&self, name: &str) -> Option<&Value> {
        let value = self.fields.get(name).or_else(|| self.fields.get(&camel_case(name)));
        let value = match value {
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
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
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
    pub fn list(&self, name: &str) -> Result<Vec<Value>> {
        let value = self.fields.get(name).or_else(|| self.fields.get(&camel_case(name)));
        match value {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(values)) => Ok(values.clone()),
            Some(other) => Err(wrong(name, other)),
        }
    }

    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        let list = self.list(name)?;
        list.iter()
            .map(|value| match value {
                Value::String(text) => Ok(text.clone()),
                _ => Err(wrong(name, &Value::Array(list.clone()))),
            })
            .collect()
    }

    /// A list of messages.
    pub fn messages(&self, name: &str) -> Result<Vec<Self>> {
        let list = self.list(name)?;
        list.iter()
            .map(|value| match value {
                Value::Object(fields) => Ok(Self { fields: fields.clone(), is_query: false }),
                _ => Err(wrong(name, &Value::Array(list.clone()))),
            })
            .collect()
    }

    /// A message; one without fields if there is none.
    pub fn message(&self, name: &str) -> Result<Self> {
        match self.get(name) {
            None => Ok(Self::default()),
            Some(Value::Object(fields)) => Ok(Self { fields: fields.clone(), is_query: false }),
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

fn camel_case(name: &str) -> String {
    let mut upper = false;
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '_' => upper = true,
            c if std::mem::take(&mut upper) => text.push(c.to_ascii_uppercase()),
            c => text.push(c),
        }
    }
    text
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
}
