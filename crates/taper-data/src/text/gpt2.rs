//! GPT-2's files: `vocab.json`, an object of tokens and numbers, and `merges.txt`, a pair of tokens a line in the order in
//! which they were learned. Each byte of a token is written as one character: those that print as themselves, the others
//! from U+0100 on (`bytes_to_unicode` in GPT-2's `encoder.py`).

use super::Bpe;
use super::train::bytes_in_order;
use crate::{Error, Result, atomic_write};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use taper_backend::files;

/// The first line of `merges.txt`.
const HEAD: &str = "#version: 0.2";

/// The character of each byte.
fn characters() -> [char; 256] {
    let mut others = 0x100..;
    let mut characters = ['\0'; 256];
    // The order is that of the characters: first the bytes that are their own.
    for (place, byte) in bytes_in_order().into_iter().enumerate() {
        let own = place < 188;
        let code = if own { u32::from(byte) } else { others.next().unwrap_or_default() };
        characters[usize::from(byte)] = char::from_u32(code).unwrap_or_default();
    }
    characters
}

fn written(bytes: &[u8], characters: &[char; 256]) -> String {
    bytes.iter().map(|&byte| characters[usize::from(byte)]).collect()
}

impl Bpe {
    /// Reads GPT-2's files, or others in their format: `vocab`, in JSON, and `merges`.
    ///
    /// # Errors
    /// A file that cannot be read; numbers that are not 0 to n − 1, each once; a byte without a token; a line of `merges`
    /// that is not two tokens, or whose merged token there is none of. The text names the file and the line.
    pub fn read(vocab: impl AsRef<Path>, merges: impl AsRef<Path>) -> Result<Self> {
        let (vocab, merges) = (vocab.as_ref(), merges.as_ref());
        let text = |path: &Path| files::read_to_string(path).map_err(Error::io("read", path));
        let json: HashMap<String, u32> = serde_json::from_str(&text(vocab)?).map_err(|error| {
            Error::format(vocab, "vocabulary", format!("expected a JSON object of tokens and their numbers: {error}"))
        })?;
        let characters = characters();
        let byte_of: HashMap<char, u8> = (0..=255).zip(characters).map(|(byte, char)| (char, byte)).collect();
        let mut tokens: Vec<Option<Vec<u8>>> = vec![None; json.len()];
        for (token, &number) in &json {
            let wrong = |detail: String| Error::format(vocab, format!("token `{token}`"), detail);
            let bytes: Option<Vec<u8>> = token.chars().map(|char| byte_of.get(&char).copied()).collect();
            let bytes = bytes.ok_or_else(|| wrong("has a character that stands for no byte".into()))?;
            let count = json.len();
            let slot = tokens.get_mut(number as usize);
            let slot =
                slot.ok_or_else(|| wrong(format!("is number {number} of {count}: expected 0 to {}", count - 1)))?;
            if slot.replace(bytes).is_some() {
                return Err(wrong(format!("has number {number}, which another has too")));
            }
        }
        let tokens: Vec<Vec<u8>> = tokens.into_iter().map(Option::unwrap_or_default).collect();
        let mut bytes = [0; 256];
        for (byte, char) in (0_u8..=255).zip(characters) {
            bytes[usize::from(byte)] = *json.get(&char.to_string()).ok_or_else(|| {
                Error::format(vocab, "vocabulary", format!("has no token for the byte {byte}, which would be `{char}`"))
            })?;
        }
        let text = text(merges)?;
        let mut pairs = Vec::new();
        for (line, pair) in text.lines().enumerate() {
            if pair.is_empty() || (line == 0 && pair.starts_with("#version")) {
                continue;
            }
            let wrong = |detail: String| Error::format(merges, format!("line {}", line + 1), detail);
            let two = pair.split_once(' ').filter(|(_, right)| !right.contains(' '));
            let (left, right) = two.ok_or_else(|| wrong(format!("expected two tokens, found `{pair}`")))?;
            let token = |name: &str| {
                json.get(name).copied().ok_or_else(|| wrong(format!("`{name}` is no token of {}", vocab.display())))
            };
            pairs.push(([token(left)?, token(right)?], token(&format!("{left}{right}"))?));
        }
        Ok(Self::new(tokens, bytes, &pairs))
    }

    /// Writes `vocab` and `merges` in the format of GPT-2's files.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn save(&self, vocab: impl AsRef<Path>, merges: impl AsRef<Path>) -> Result<()> {
        let characters = characters();
        let names: Vec<String> = self.tokens.iter().map(|token| written(token, &characters)).collect();
        let mut json = String::from("{");
        for (number, name) in names.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            let _ = write!(json, "{comma}{}: {number}", serde_json::Value::from(name.as_str()));
        }
        json.push('}');
        let mut lines = format!("{HEAD}\n");
        for pair in &self.pairs {
            let [left, right] = pair.map(|token| names.get(token as usize).map_or("", String::as_str));
            let _ = writeln!(lines, "{left} {right}");
        }
        atomic_write(vocab, json.as_bytes())?;
        atomic_write(merges, lines.as_bytes())
    }
}
