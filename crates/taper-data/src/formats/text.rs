//! Comparing and shortening names of classes, columns and arrays.

use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// `text` in normalisation form C (Unicode Standard Annex 15). `é` is one character in some files and two (`e` and an
/// accent) in others, such as the names of macOS's folders. By Unicode both are the same text, and they look the same.
pub(crate) fn normal(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { text.into() } else { text.nfc().collect::<String>().into() }
}

/// Whether two names are equal in normalisation form C.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a == b || normal(a) == normal(b)
}

/// The first 12 of `names` as a list for a message.
#[cfg(any(feature = "csv", feature = "images", feature = "parquet"))]
pub(crate) fn listed(names: &[String]) -> String {
    let first = names.iter().take(12).map(|name| format!("`{}`", shortened(name))).collect::<Vec<_>>().join(", ");
    if names.len() > 12 { format!("{first}, …") } else { first }
}

/// The first 40 characters of `text`, for a message.
#[cfg(any(feature = "csv", feature = "images", feature = "parquet"))]
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_in_either_form() {
        assert!(same("caf\u{e9}", "cafe\u{301}") && same("a", "a") && !same("cafe", "caf\u{e9}"));
        assert_eq!(normal("cafe\u{301}"), "caf\u{e9}");
        // Letters of different scripts are different, even if they look alike.
        assert!(!same("a", "\u{430}"));
    }
}
