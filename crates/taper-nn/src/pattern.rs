//! Name patterns, which select parameters and layers.

/// Whether `name` matches `pattern`: `*` matches any number of characters, `?` exactly one, `[1-4]` or `[abc]` one of
/// those in the brackets (`[!1-4]` one that is not), and any other character itself.
///
/// ```
/// # use taper_nn::matches;
/// assert!(matches("*.bias", "layer1.0.bn1.bias") && matches("group?.conv*", "group2.conv1.weight"));
/// assert!(!matches("*.bias", "bias") && !matches("fc", "fc1"));
/// assert!(matches("layer[1-4]", "layer2") && !matches("layer[1-4]", "layer2.0"));
/// ```
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<Part>, Vec<char>) = (parts(pattern), name.chars().collect());
    fits(&pattern, &name)
}

/// `name` renamed by a rule: where `from` matches it, `to` with each `*` replaced by what the `*` in the same place of
/// `from` stands for; `None` where it does not match. A further `*` in `to` stands for nothing.
///
/// ```
/// # use taper_nn::renamed;
/// assert_eq!(renamed("h.*.ln.*", "blocks.*.norm.*", "h.11.ln.bias").as_deref(), Some("blocks.11.norm.bias"));
/// assert_eq!(renamed("h.*", "blocks.*", "wte.weight"), None);
/// ```
pub fn renamed(from: &str, to: &str, name: &str) -> Option<String> {
    let (pattern, name): (Vec<Part>, Vec<char>) = (parts(from), name.chars().collect());
    if !fits(&pattern, &name) {
        return None;
    }
    // Each star takes the fewest characters with which the rest matches.
    let (mut stands_for, mut at) = (Vec::new(), 0);
    for (place, part) in pattern.iter().enumerate() {
        match part {
            Part::Any => {
                let end = (at..=name.len()).find(|&end| fits(&pattern[place + 1..], &name[end..]))?;
                stands_for.push(name[at..end].iter().collect::<String>());
                at = end;
            }
            _ => at += 1,
        }
    }
    let mut stands_for = stands_for.into_iter();
    let mut result = String::new();
    for char in to.chars() {
        match char {
            '*' => result += &stands_for.next().unwrap_or_default(),
            char => result.push(char),
        }
    }
    Some(result)
}

/// Whether all of `name` matches the parts of a pattern.
fn fits(pattern: &[Part], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    // The position of the last `*`, and the end of what it matches in the name. On a mismatch it matches one character
    // more; earlier ones never need to.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(Part::Any) => {
                star = Some((p, n));
                p += 1;
            }
            Some(part) if part.takes(name[n]) => (p, n) = (p + 1, n + 1),
            _ => {
                let Some((at, end)) = star else { return false };
                star = Some((at, end + 1));
                (p, n) = (at + 1, end + 1);
            }
        }
    }
    pattern.iter().skip(p).all(|part| matches!(part, Part::Any))
}

/// A part of a pattern.
enum Part {
    /// `*`: any number of characters.
    Any,
    /// `?`: one character.
    One,
    /// A character that stands for itself.
    Char(char),
    /// `[…]`: one character in one of the ranges; with `!`, in none of them.
    Class { ranges: Vec<[char; 2]>, within: bool },
}

impl Part {
    /// Whether this part, which is not [`Part::Any`], matches `c`.
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Char(expected) => *expected == c,
            Self::Class { ranges, within } => ranges.iter().any(|&[from, to]| (from..=to).contains(&c)) == *within,
        }
    }
}

fn parts(pattern: &str) -> Vec<Part> {
    let (mut parts, mut rest) = (Vec::new(), pattern.chars());
    while let Some(c) = rest.next() {
        parts.push(match c {
            '*' => Part::Any,
            '?' => Part::One,
            // A bracket that is never closed stands for itself.
            '[' => match rest.as_str().split_once(']') {
                None => Part::Char(c),
                Some((inside, behind)) => {
                    rest = behind.chars();
                    class(inside)
                }
            },
            _ => Part::Char(c),
        });
    }
    parts
}

/// The class with `inside` between its brackets.
fn class(inside: &str) -> Part {
    let (within, inside) = inside.strip_prefix('!').map_or((true, inside), |inside| (false, inside));
    let (chars, mut ranges) = (inside.chars().collect::<Vec<_>>(), Vec::new());
    let mut rest = &chars[..];
    while let [from, behind @ ..] = rest {
        rest = match behind {
            ['-', to, behind @ ..] => {
                ranges.push([*from, *to]);
                behind
            }
            _ => {
                ranges.push([*from; 2]);
                behind
            }
        };
    }
    Part::Class { ranges, within }
}
