//! What MLflow allows keys and values to be, in its words; and names for runs that have none.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::error::{Failure, Result};
use super::message::{Message, refuse};
use crate::id::random_text;
use crate::registry::metadata::metric::{MetricInput, MetricValue};
use crate::registry::metadata::param::ParamInput;
use crate::registry::metadata::tag::TagInput;
use crate::time::Timestamp;

const MAX_KEY: usize = 250;
const MAX_PARAM: usize = 6000;
const MAX_TAG: usize = 8000;

/// Where something is in a request: such as `tags[3].`, or nothing where the request is about it alone.
#[derive(Clone, Copy)]
pub struct At<'a>(Option<(&'a str, usize)>);

impl<'a> At<'a> {
    pub const ALONE: Self = Self(None);

    pub fn of(list: &'a str, index: usize) -> Self {
        Self(Some((list, index)))
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((list, index)) => write!(f, "{list}[{index}]."),
            None => Ok(()),
        }
    }
}

/// A tag of a run, experiment or logged model. Longer values are cut, as MLflow does.
pub fn tag(message: &Message, at: At) -> Result<TagInput> {
    let path = format!("{at}key");
    let key = key(message.text_or_empty("key")?, &path, &path)?;
    Ok(TagInput { key, value: cut(message.text_or_empty("value")?, MAX_TAG) })
}

/// A tag of a registered model or version; longer values are refused.
pub fn registry_tag(message: &Message) -> Result<TagInput> {
    let value = message.text_or_empty("value")?;
    check_length("value", &value, 100_000)?;
    Ok(TagInput { key: key(message.text_or_empty("key")?, &"key", "key")?, value })
}

pub fn tags(message: &Message) -> Result<Vec<TagInput>> {
    message.messages("tags")?.iter().map(|message| tag(message, At::ALONE)).collect()
}

pub fn registry_tags(message: &Message) -> Result<Vec<TagInput>> {
    message.messages("tags")?.iter().map(registry_tag).collect()
}

/// A param. Longer values are cut, as MLflow does.
pub fn param(message: &Message, at: At) -> Result<ParamInput> {
    let name = key(message.text_or_empty("key")?, &format_args!("{at}key"), "Param key")?;
    Ok(ParamInput { name, value: cut(message.text_or_empty("value")?, MAX_PARAM) })
}

pub fn params(message: &Message) -> Result<Vec<ParamInput>> {
    message.messages("params")?.iter().map(|message| param(message, At::ALONE)).collect()
}

/// A point of a metric.
pub fn metric(message: &Message, at: At) -> Result<MetricInput> {
    let name = key(message.text_or_empty("key")?, &format_args!("{at}name"), "Metric name")?;
    let value = message.float("value")?;
    let value = value.ok_or_else(|| super::message::missing(&format!("{at}value")))?;
    let timestamp = message.int("timestamp")?;
    let timestamp = timestamp.ok_or_else(|| super::message::missing(&format!("{at}timestamp")))?;
    if timestamp < 0 {
        return Err(Failure::invalid(format!(
            "Invalid value {timestamp} for parameter '{at}timestamp' supplied: metric '{name}' (value={value}). \
             Timestamp must be a nonnegative long (64-bit integer) "
        )));
    }
    Ok(MetricInput {
        name,
        value: MetricValue(value),
        step: Some(crate::long::Long(message.int("step")?.unwrap_or(0))),
        timestamp: Some(Timestamp::from_millis(timestamp)),
    })
}

/// Checks the name of a metric, param or tag: what could be the name of a file.
fn key(key: String, path: &dyn fmt::Display, what: &str) -> Result<String> {
    let good = |c: char| c.is_alphanumeric() || "_/.- :".contains(c);
    if !key.chars().all(good) {
        let reason = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), \
                      spaces ( ), colon(:) and slashes (/).";
        return Err(refuse(&path.to_string(), &key, reason));
    }
    let normal = normal_path(&key);
    if normal != key || key == "." || key.starts_with("..") || key.starts_with('/') {
        let reason = format!(
            "Names may be treated as files in certain cases, and must not resolve to other names when treated \
             as such. This name would resolve to '{normal}'"
        );
        return Err(refuse(&path.to_string(), &key, &reason));
    }
    check_length(what, &key, MAX_KEY)?;
    Ok(key)
}

/// A path as Python's `posixpath.normpath` gives it.
fn normal_path(path: &str) -> Cow<'_, str> {
    if !path.is_empty() && !path.contains('/') {
        return path.into();
    }
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part != ".." || parts.last().is_none_or(|last| *last == "..") && !absolute {
            parts.push(part);
        } else {
            parts.pop();
        }
    }
    let joined = format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"));
    if joined.is_empty() { ".".into() } else { joined.into() }
}

/// Refuses what is too long.
pub fn check_length(what: &str, text: &str, limit: usize) -> Result<()> {
    if text.chars().count() > limit {
        return Err(Failure::invalid(format!(
            "'{what}' exceeds the maximum length of {limit} characters"
        )));
    }
    Ok(())
}

fn cut(text: String, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

/// How many of something one batch may have.
pub fn check_count(what: &str, count: usize, limit: usize) -> Result<()> {
    if count > limit {
        return Err(Failure::invalid(format!(
            "A batch logging request can contain at most {limit} {what}. Got {count} {what}. Please split up \
             {what} across multiple requests and try again."
        )));
    }
    Ok(())
}

/// An integer within bounds, such as how many results a page has.
pub fn page_size(message: &Message, default: i64, most: i64) -> Result<i64> {
    let size = message.int("max_results")?.unwrap_or(default);
    if size < 1 {
        return Err(Failure::invalid(format!(
            "Invalid value {size} for parameter 'max_results' supplied. It must be a positive integer"
        )));
    }
    if size > most {
        let value = Value::from(size);
        return Err(Failure::invalid(format!(
            "Invalid value {value} for parameter 'max_results' supplied. It must be at most {most}"
        )));
    }
    Ok(size)
}

/// A name for a run that has none: easier to tell apart, and to say, than an id.
pub fn random_name() -> String {
    const FIRST: [&str; 24] = [
        "able", "brave", "bright", "calm", "clever", "daring", "eager", "fair", "gentle", "glad",
        "honest", "jolly", "keen", "kind", "lively", "loyal", "merry", "neat", "proud", "quick",
        "quiet", "sunny", "swift", "wise",
    ];
    const SECOND: [&str; 24] = [
        "badger", "bear", "crane", "deer", "duck", "eagle", "finch", "fox", "goose", "hare",
        "heron", "horse", "lark", "lynx", "mole", "moth", "otter", "owl", "raven", "seal", "stork",
        "swan", "trout", "wren",
    ];
    let random: Vec<usize> = random_text(6).bytes().map(usize::from).collect();
    let pick = |at: usize| random[at] * 75 + random[at + 1];
    let number = pick(4) % 1000;
    format!("{}-{}-{number}", FIRST[pick(0) % FIRST.len()], SECOND[pick(2) % SECOND.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_as_python_does() {
        for (path, normal) in
            [("", "."), ("a//b", "a/b"), ("a/../b", "b"), ("..", ".."), ("/a", "/a"), ("a/", "a")]
        {
            assert_eq!(normal_path(path), normal);
        }
    }
}
