//! Escaping of untrusted text for display in a terminal. (`taper-backend` has the same for the other crates, which this
//! one does not depend on; `taper-train` tests that the two agree.)

use std::borrow::Cow;

/// `text` with the characters escaped that a terminal interprets instead of displaying: control characters, line and
/// paragraph separators, and those that change the writing direction.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            char if is_obeyed(char) && char.is_ascii() => escaped.extend(char.escape_default()),
            char if is_obeyed(char) => escaped.extend(char.escape_unicode()),
            char => escaped.push(char),
        }
    }
    Cow::Owned(escaped)
}

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
            ("épreuve 1 — 中文 \\n", "épreuve 1 — 中文 \\n"),
            ("a\nb\tc\r", r"a\nb\tc\r"),
            ("\0\u{7f}\u{9b}31m", r"\u{0}\u{7f}\u{9b}31m"),
            ("\u{202e}gnp.exe\u{2028}", r"\u{202e}gnp.exe\u{2028}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
