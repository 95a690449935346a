//! JSON of what commands print.

use taper::backend::printable;

/// A JSON string; what a terminal interprets is escaped (RFC 8259, section 7).
pub fn text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            char if printable(char.encode_utf8(&mut [0; 4])) != *char.to_string() => {
                char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| quoted += &format!("\\u{unit:04x}"));
            }
            char => quoted.push(char),
        }
    }
    quoted + "\""
}

/// A JSON number; JSON has no NaN and no infinity.
pub fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:?}") } else { "null".into() }
}
