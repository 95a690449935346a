//! TOML values as people write and read them.

use crate::escape::printable;
use toml::{Table, Value};

/// `raw` as a single TOML value, if it is one.
pub(crate) fn read(raw: &str) -> Option<Value> {
    let mut table: Table = format!("value = {raw}").parse().ok()?;
    table.remove("value").filter(|_| table.is_empty())
}

/// Whether a string reads as the same string without quotes.
pub(crate) fn is_bare(text: &str) -> bool {
    let other = read(text).is_some_and(|value| !value.is_str());
    !other && !text.is_empty() && text.trim() == text && printable(text) == text
}

/// `value` for messages: a string has no quotes where it reads as the same string without them.
pub fn told(value: &Value) -> String {
    match value {
        Value::String(text) if is_bare(text) => text.clone(),
        Value::String(text) => format!("{text:?}"),
        other => printable(&other.to_string()).into_owned(),
    }
}
