//! Quoting words for a shell, for commands that messages show.

use std::fmt::Write;
use taper_nn::taper_tensor::printable;

/// `word` as a shell reads it back: unquoted if it is plain, else in quotes. With control characters (line ends,
/// escapes), which a terminal would interpret, it is in the quotes `$'…'` of bash, zsh and ksh, so that it is always
/// one line.
///
/// ```
/// use taper_train::shell_quoted;
/// assert_eq!(shell_quoted("optimizer.lr=3e-4"), "optimizer.lr=3e-4");
/// assert_eq!(shell_quoted("it's here"), r"'it'\''s here'");
/// assert_eq!(shell_quoted("a\nb\u{1b}"), r"$'a\nb\x1b'");
/// ```
pub fn shell_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+=/:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    if printable(word) == word {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let mut quoted = String::from("$'");
    for char in word.chars() {
        match char {
            '\n' => quoted.push_str("\\n"),
            '\'' | '\\' => quoted.extend(['\\', char]),
            _ if is_printable(char) => quoted.push(char),
            // Byte by byte: shells differ in how they read the escapes of characters.
            _ => char.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                let _ = write!(quoted, "\\x{byte:02x}"); // a String takes all
            }),
        }
    }
    quoted + "'"
}

fn is_printable(char: char) -> bool {
    let mut bytes = [0; 4];
    let text: &str = char.encode_utf8(&mut bytes);
    printable(text) == text
}

#[cfg(test)]
mod tests {
    use super::shell_quoted;

    #[test]
    fn words_are_quoted_for_a_shell_where_they_must_be() {
        assert_eq!(shell_quoted("optimizer.betas=[0.9, 0.999]"), "'optimizer.betas=[0.9, 0.999]'");
        assert_eq!(shell_quoted("train.init=it's"), "'train.init=it'\\''s'");
        assert_eq!(shell_quoted(""), "''");
        assert_eq!(shell_quoted("é\u{9b}\\'\r"), r"$'é\xc2\x9b\\\'\x0d'");
    }

    /// Tested with bash.
    #[test]
    #[cfg(unix)]
    fn a_shell_reads_them_back() {
        for word in ["plain", "it's \"here\" $HOME `x`", "a\nb\u{1b}]0;x\u{7}\u{7f}", "\u{202e}\u{9b}31m'\\", "é 中"]
        {
            let script = format!("printf %s {}", shell_quoted(word));
            let Ok(ran) = std::process::Command::new("bash").args(["-c", &script]).output() else { return };
            assert_eq!(String::from_utf8(ran.stdout).unwrap(), word, "{script}");
        }
    }
}
