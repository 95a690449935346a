//! GPT-2's pieces of a text, within which byte pairs are merged. Radford et al., "Language Models are Unsupervised
//! Multitask Learners", 2019; the pattern is that of its `encoder.py`:
//!
//! `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

use std::ops::Range;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// What the pattern tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    /// All else; a byte that is of no character too.
    Other,
}

const ENDINGS: [&[u8]; 7] = [b"'s", b"'t", b"'re", b"'ve", b"'m", b"'ll", b"'d"];

/// The pieces of `text` in order; together they are all of it. It need not be UTF-8.
pub(super) fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let end = end_of_piece(text, at)?;
        let piece = text.get(at..end);
        at = end;
        piece
    })
}

/// The end of the piece that begins at `at`; `None` at the end of the text.
fn end_of_piece(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let (class, length) = next(rest)?;
    if let Some(ending) = ENDINGS.iter().find(|ending| rest.starts_with(ending)) {
        return Some(at + ending.len());
    }
    // A space goes with what follows it.
    let joined = if rest.first() == Some(&b' ') { next(&rest[1..]) } else { None };
    match joined {
        Some((class, _)) if class != Class::Space => return Some(run(text, at + 1, class).end),
        _ if class != Class::Space => return Some(run(text, at, class).end),
        _ => {}
    }
    // White space, but for its last character where a piece follows.
    let spaces = run(text, at, Class::Space);
    if spaces.end == text.len() {
        return Some(spaces.end);
    }
    let mut last = at;
    let mut place = at;
    while place < spaces.end {
        last = place;
        place += next(&text[place..]).map_or(1, |(_, length)| length);
    }
    Some(if last == at { at + length } else { last })
}

/// The characters from `at` on that are of `class`.
fn run(text: &[u8], at: usize, class: Class) -> Range<usize> {
    let mut end = at;
    while let Some((found, length)) = text.get(end..).and_then(next) {
        if found != class {
            break;
        }
        end += length;
    }
    at..end
}

/// The class and the length of the first character.
fn next(text: &[u8]) -> Option<(Class, usize)> {
    let first = *text.first()?;
    if first < 0x80 {
        return Some((class_of(first.into()), 1));
    }
    let whole = |length: usize| str::from_utf8(text.get(..length)?).ok()?.chars().next();
    let found = (2..=4).find_map(|length| Some((class_of(whole(length)?), length)));
    Some(found.unwrap_or((Class::Other, 1)))
}

fn class_of(char: char) -> Class {
    match char {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Number,
        char if char.is_whitespace() => Class::Space,
        char if char.is_ascii() => Class::Other,
        char => match char.general_category_group() {
            GeneralCategoryGroup::Letter => Class::Letter,
            GeneralCategoryGroup::Number => Class::Number,
            _ => Class::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        pieces(text.as_bytes()).map(|piece| str::from_utf8(piece).unwrap()).collect()
    }

    #[test]
    fn text_is_split_as_gpt_2_splits_it() {
        for (text, due) in [
            ("", &[][..]),
            ("Hello world", &["Hello", " world"]),
            ("it's we'll I'd'", &["it", "'s", " we", "'ll", " I", "'d", "'"]),
            ("a  b   c", &["a", " ", " b", "  ", " c"]),
            ("a\n\nb \n", &["a", "\n", "\n", "b", " \n"]),
            ("x=3.14!", &["x", "=", "3", ".", "14", "!"]),
            ("\r\n\tz", &["\r\n", "\t", "z"]),
            (" \u{a0}x", &[" ", "\u{a0}", "x"]),
            // A mark is no letter, a letter number is a number.
            ("e\u{301}", &["e", "\u{301}"]),
            ("\u{2160}a", &["\u{2160}", "a"]),
            ("日本語 です", &["日本語", " です"]),
        ] {
            assert_eq!(split(text), due, "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_pieces_too() {
        let bytes = b"ab\xff\xfe c\xe6\x97";
        assert_eq!(pieces(bytes).collect::<Vec<_>>(), [&b"ab"[..], b"\xff\xfe", b" c", b"\xe6\x97"]);
    }
}
