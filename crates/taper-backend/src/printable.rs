//! Escaping of untrusted text (names of classes, files and parameters; values) for display in a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with the characters escaped that a terminal interprets instead of displaying, as in Rust's string literals
/// (`\n`, `\u{1b}`): control characters, line and paragraph separators, and characters that change the writing
/// direction.
///
/// ```
/// use taper_backend::printable;
/// assert_eq!(printable("café"), "café");
/// assert_eq!(printable("a\u{1b}]0;title\u{7}\nerror: b"), r"a\u{1b}]0;title\u{7}\nerror: b");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed)
}

/// [`printable`] for text of several lines: line feeds and tabs stay.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |char| is_obeyed(char) && char != '\n' && char != '\t')
}

fn escaped(text: &str, obeyed: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            // `escape_default` gives the short escapes (`\n`, `\t`, `\u{1b}`) of ASCII characters.
            char if obeyed(char) && char.is_ascii() => escaped.extend(char.escape_default()),
            char if obeyed(char) => drop(write!(escaped, "\\u{{{:x}}}", u32::from(char))),
            char => escaped.push(char),
        }
    }
    Cow::Owned(escaped)
}

/// Whether a terminal interprets `char`: Unicode's control characters (Cc), line and paragraph separators, and the
/// directional formatting characters of UAX #9.
fn is_obeyed(char: char) -> bool {
    let direction =
        matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    char.is_control() || direction || matches!(char, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        for (text, shown) in [
            ("", ""),
            ("épreuve 1 — 中文 \\n", "épreuve 1 — 中文 \\n"),
            ("a\nb\tc\r", r"a\nb\tc\r"),
            ("\0\u{7f}\u{9b}31m", r"\u{0}\u{7f}\u{9b}31m"),
            ("\u{202e}gnp.exe\u{2028}", r"\u{202e}gnp.exe\u{2028}"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert_eq!(printable_lines("a\n\tb\r\u{1b}[2J"), "a\n\tb\\r\\u{1b}[2J");
    }
}
