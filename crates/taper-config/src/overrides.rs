//! Overrides of a configuration: from a TOML file, `--set key=value` and flags.

use crate::escape::printable;
use crate::{Error, Result, value};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use toml::{Table, Value};

/// One key with its new value.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    key: String,
    value: Value,
    /// The value as the user wrote it.
    raw: String,
}

impl Override {
    /// An override that sets `key` to `value`.
    pub fn new(key: impl Into<String>, value: impl Into<Value>) -> Self {
        let value = value.into();
        let raw = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self { key: key.into(), value, raw }
    }

    /// Reads `key=value`, the argument of `--set`. The value is read as TOML, or else as a string.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((key, raw)) = text.split_once('=') else {
            return Err(Error::Usage(format!("`{text}`: expected key=value, such as optimizer.lr=0.01")));
        };
        let raw = raw.trim();
        Ok(Self { key: key.trim().into(), value: value::read(raw).unwrap_or_else(|| raw.into()), raw: raw.into() })
    }

    /// An override of `key` from the argument of its flag. A string (a path, a name) is taken literally, with its quotes.
    pub fn flag(key: impl Into<String>, raw: &str) -> Self {
        let value = value::read(raw).filter(|value| !value.is_str()).unwrap_or_else(|| raw.into());
        Self { key: key.into(), value, raw: raw.into() }
    }

    /// Reads the overrides in a TOML file, in the order of their keys. The table `record` of a run's `config.toml`,
    /// which is not configuration, is left out.
    ///
    /// # Errors
    /// A file that cannot be read, is no plain file or no TOML.
    pub fn read_file(path: &Path) -> Result<Vec<Self>> {
        let text = plain_text(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
        Self::read(&text, &printable(&path.to_string_lossy()))
    }

    /// The same for a TOML text, which errors call `name`.
    pub fn read(text: &str, name: &str) -> Result<Vec<Self>> {
        let mut table: Table = text.parse().map_err(|e| Error::Usage(format!("{name}: {e}")))?;
        table.remove("record");
        let tops = table.into_iter().map(|(key, value)| Self::new(key, value));
        Ok(tops.flat_map(|top| if top.value.is_table() { top.flattened() } else { vec![top] }).collect())
    }

    /// The leaves of a value that is a table, with their dotted keys; an empty table stays as it is, and so does any
    /// other value.
    pub fn flattened(self) -> Vec<Self> {
        match self.value {
            Value::Table(inner) if !inner.is_empty() => {
                let within = |(name, value)| Self::new(format!("{}.{name}", self.key), value).flattened();
                inner.into_iter().flat_map(within).collect()
            }
            _ => vec![self],
        }
    }

    /// The dotted key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The new value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The same value for the key `key`.
    pub fn renamed(self, key: impl Into<String>) -> Self {
        Self { key: key.into(), ..self }
    }

    /// The value for a place that holds `now`: a name may look like a number (a model called 7), and a number may be
    /// written without its decimal point.
    pub(crate) fn value_like(&self, now: Option<&Value>) -> Value {
        match (now, &self.value) {
            (Some(Value::String(_)), Value::String(_) | Value::Table(_) | Value::Array(_)) => self.value.clone(),
            (Some(Value::String(_)), _) => Value::String(self.raw.clone()),
            (Some(Value::Float(_)), Value::Integer(whole)) => Value::Float(*whole as f64),
            _ => self.value.clone(),
        }
    }

    /// The value for an error message: a string has quotes if it would be read as something else without them.
    pub fn found(&self) -> String {
        match &self.value {
            Value::String(text) if !value::is_bare(text) => format!("the text {text:?}"),
            _ => printable(&self.raw).into_owned(),
        }
    }
}

impl fmt::Display for Override {
    /// `key=value`, as [`parse`](Override::parse) reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.raw)
    }
}

/// The text of a plain file. Opening a pipe that has no writer would block forever.
fn plain_text(path: &Path) -> io::Result<String> {
    let found = fs::metadata(path)?.file_type();
    if !found.is_file() {
        let kind = format!("expected a plain file, found {}", kind(&found));
        return Err(io::Error::new(io::ErrorKind::InvalidInput, kind));
    }
    String::from_utf8(fs::read(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::new(io::ErrorKind::InvalidData, format!("expected text in UTF-8, which ends at byte {at}"))
    })
}

#[cfg(unix)]
fn kind(found: &fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match found {
        found if found.is_dir() => "a folder",
        found if found.is_fifo() => "a named pipe",
        found if found.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn kind(found: &fs::FileType) -> &'static str {
    if found.is_dir() { "a folder" } else { "a device" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_toml_or_as_a_text() {
        let value = |text: &str| Override::parse(text).unwrap().value().clone();
        assert_eq!(value("a = 1e-2 "), Value::from(0.01));
        assert_eq!(value("a=[1, 2]"), Value::from(vec![1, 2]));
        assert_eq!([value("a=b c"), value("a=\"b c\""), value("a=007")], ["b c", "b c", "007"].map(Value::from));
        assert_eq!(value("a=1\nb=2"), Value::from("1\nb=2"));
        assert_eq!(Override::flag("a", "\"b\"").value(), &Value::from("\"b\""));
        assert_eq!(Override::flag("a", "7").value(), &Value::from(7));
        assert_eq!(Override::new("a", vec![0.5, 0.75]).to_string(), "a=[0.5, 0.75]");
        let error = Override::parse("a").unwrap_err().to_string();
        assert_eq!(error, "`a`: expected key=value, such as optimizer.lr=0.01");
    }

    #[test]
    fn a_file_is_read_as_its_leaves() {
        let text = "top = 1\n[b]\nc = 2\nd = {e = 3, f = {}}\n[empty]\n[record]\nwho = 4\n";
        let read = Override::read(text, "x.toml").unwrap();
        let told: Vec<String> = read.iter().map(Override::to_string).collect();
        assert_eq!(told, ["b.c=2", "b.d.e=3", "b.d.f={}", "empty={}", "top=1"]);
        assert!(Override::read("a = ", "x.toml").unwrap_err().to_string().starts_with("x.toml: "));
        let folder = std::env::temp_dir();
        let error = Override::read_file(&folder).unwrap_err().to_string();
        assert!(error.ends_with("expected a plain file, found a folder"), "{error}");
        let error = Override::read_file(Path::new("no such file")).unwrap_err();
        assert!(matches!(error, Error::Read { .. }) && error.to_string().starts_with("cannot read no such file: "));
    }
}
