//! From the names and shapes of a file to those of a model.

use super::file::Stored;
use crate::pattern::{matches, renamed};
use std::collections::HashSet;

/// How tensors of another library's file become those of a model. Each step is made for each tensor, in the order of the
/// fields; patterns are those of [`matches`](crate::matches()), of names after the renaming.
///
/// ```
/// use taper_nn::weights::Mapping;
/// // GPT-2's files for a model of linear layers: the model's name in front, matrices that the files have as [in, out],
/// // masks that are no weights, a head that is the embedding. A model whose matrices lie so too needs no `transpose`.
/// let gpt2 = Mapping {
///     add: "transformer.".into(),
///     transpose: vec!["*.c_attn.weight".into(), "*.c_proj.weight".into(), "*.c_fc.weight".into()],
///     ignore: vec!["*.attn.bias".into(), "*.attn.masked_bias".into()],
///     tied: vec![["lm_head.weight".into(), "transformer.wte.weight".into()]],
///     ..Mapping::default()
/// };
/// assert_eq!(gpt2.name("h.0.ln_1.bias"), "transformer.h.0.ln_1.bias");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Whether prefixes that wrappers add are left out where the model's names fit better without: `module.`
    /// (`DataParallel`), `model.` (Lightning), `_orig_mod.` (`torch.compile`).
    pub wrappers: bool,
    /// Prefixes that are left out: of each name the first that it begins with.
    pub strip: Vec<String>,
    /// A prefix that every name gets, unless it begins with it.
    pub add: String,
    /// Rules, of which the first that matches renames: a pattern, and the name with a `*` for each `*` of the pattern.
    pub rename: Vec<[String; 2]>,
    /// Patterns of matrices whose two dimensions are exchanged: a linear layer's weight as `[in, out]`.
    pub transpose: Vec<String>,
    /// Patterns of tensors that are no weights, such as a mask.
    pub ignore: Vec<String>,
    /// Pairs of names that stand for one tensor: of each the file may have either or both, then with equal elements.
    pub tied: Vec<[String; 2]>,
}

/// The prefixes that wrappers add.
const WRAPPERS: [&str; 3] = ["module.", "model.", "_orig_mod."];

/// A tensor of a file under the name that the mapping gave it.
#[derive(Debug, Clone)]
pub(super) struct Mapped {
    pub(super) name: String,
    /// The name in the file.
    pub(super) original: String,
    pub(super) stored: Stored,
    pub(super) transposed: bool,
}

impl Mapping {
    /// The model's name for the tensor `name` of a file, wrappers aside.
    pub fn name(&self, name: &str) -> String {
        let short = self.strip.iter().find_map(|prefix| name.strip_prefix(prefix.as_str())).unwrap_or(name);
        let name = if short.starts_with(&self.add) { short.to_owned() } else { format!("{}{short}", self.add) };
        self.rename.iter().find_map(|[from, to]| renamed(from, to, &name)).unwrap_or(name)
    }

    /// The prefixes of wrappers, outermost first, without which more of `names` are among `known`.
    pub(super) fn wrapping(&self, names: &[&str], known: &HashSet<&str>) -> Vec<&'static str> {
        let mut found = Vec::new();
        let mut names = names.to_vec();
        let fitting = |names: &[&str]| names.iter().filter(|name| known.contains(self.name(name).as_str())).count();
        let mut fit = fitting(&names);
        while self.wrappers && found.len() < WRAPPERS.len() {
            let without = WRAPPERS.iter().filter(|prefix| names.iter().any(|name| name.starts_with(**prefix)));
            let best = without
                .map(|prefix| (*prefix, names.iter().map(|name| stripped(name, prefix)).collect::<Vec<_>>()))
                .map(|(prefix, names)| (fitting(&names), prefix, names))
                .reduce(|best, next| if next.0 > best.0 { next } else { best });
            match best {
                Some((more, prefix, short)) if more > fit => {
                    found.push(prefix);
                    (names, fit) = (short, more);
                }
                // Several may be around each other, of which the outer alone help nothing.
                Some((_, prefix, short)) if fit == 0 && names.iter().all(|name| name.starts_with(prefix)) => {
                    found.push(prefix);
                    names = short;
                }
                _ => break,
            }
        }
        if fit == 0 { Vec::new() } else { found }
    }

    /// The tensor `original` of a file as the model has it; an error for one that is to be transposed and is no matrix.
    pub(super) fn map(&self, original: &str, wrapping: &[&str], stored: &Stored) -> Result<Mapped, String> {
        let short = wrapping.iter().fold(original, |name, prefix| stripped(name, prefix));
        let name = self.name(short);
        let transposed = self.transpose.iter().any(|pattern| matches(pattern, &name));
        let stored = match transposed {
            false => stored.clone(),
            true => stored.transposed().ok_or_else(|| {
                format!("{original} is {:?}: to be transposed it would have two dimensions", stored.shape)
            })?,
        };
        Ok(Mapped { name, original: original.to_owned(), stored, transposed })
    }

    /// Whether the tensor `name` is no weight.
    pub(super) fn ignores(&self, name: &str) -> bool {
        self.ignore.iter().any(|pattern| matches(pattern, name))
    }

    /// The names that are tied to `name`.
    pub(super) fn tied_to<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.tied.iter().filter_map(move |[a, b]| match name {
            name if name == a => Some(b.as_str()),
            name if name == b => Some(a.as_str()),
            _ => None,
        })
    }
}

fn stripped<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_are_seen_by_the_names_that_fit() {
        let of = |names: &[&str], known: &[&str]| {
            let mapping = Mapping { wrappers: true, ..Mapping::default() };
            mapping.wrapping(names, &known.iter().copied().collect())
        };
        let known = ["fc.weight", "fc.bias"];
        assert_eq!(of(&["fc.weight", "fc.bias"], &known), [""; 0]);
        assert_eq!(of(&["module.fc.weight", "module.fc.bias"], &known), ["module."]);
        assert_eq!(of(&["model.fc.weight", "criterion.weight"], &known), ["model."]);
        assert_eq!(of(&["module._orig_mod.fc.weight", "module._orig_mod.fc.bias"], &known), ["module.", "_orig_mod."]);
        // A model that has a part of that name.
        assert_eq!(of(&["model.fc.weight"], &["model.fc.weight"]), [""; 0]);
        assert_eq!(of(&["module.a"], &known), [""; 0]);
        assert_eq!(Mapping::default().wrapping(&["module.fc.bias"], &known.into_iter().collect()), [""; 0]);
    }

    #[test]
    fn the_first_rule_that_matches_renames() {
        let pair = |a: &str, b: &str| [a.to_string(), b.to_string()];
        let mapping = Mapping {
            strip: vec!["net.".into(), "backbone.".into()],
            add: "m.".into(),
            rename: vec![pair("m.h.*.w", "m.blocks.*.weight"), pair("m.h.*", "m.rest.*")],
            ..Mapping::default()
        };
        for (name, due) in [
            ("net.h.3.w", "m.blocks.3.weight"),
            ("backbone.h.3.b", "m.rest.3.b"),
            ("m.x", "m.x"),
            ("net.backbone.x", "m.backbone.x"),
        ] {
            assert_eq!(mapping.name(name), due);
        }
    }
}
