//! Texts as names: of classes, columns, arrays.

use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// `text` in normalisation form C (Unicode Standard Annex 15). `é` is one character in some files and two (`e` and an
/// accent) in others, macOS's folders among them; Unicode has it that both are the same text, and nobody can see which
/// one it is.
pub(super) fn normal(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { text.into() } else { text.nfc().collect::<String>().into() }
}

/// Whether two names are the same text.
pub(super) fn same(a: &str, b: &str) -> bool {
    a == b || normal(a) == normal(b)
}

/// The first dozen of `names`, for a message.
#[cfg(any(feature = "csv", feature = "images", feature = "parquet"))]
pub(super) fn listed(names: &[String]) -> String {
    let first = names.iter().take(12).map(|name| format!("`{}`", shortened(name))).collect::<Vec<_>>().join(", ");
    if names.len() > 12 { format!("{first}, …") } else { first }
}

/// The first characters of a text that may be long.
#[cfg(any(feature = "csv", feature = "images", feature = "parquet"))]
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_in_either_form() {
        assert!(same("caf\u{e9}", "cafe\u{301}") && same("a", "a") && !same("cafe", "caf\u{e9}"));
        assert_eq!(normal("cafe\u{301}"), "caf\u{e9}");
        // Letters that only look alike are others.
        assert!(!same("a", "\u{430}"));
    }
}
