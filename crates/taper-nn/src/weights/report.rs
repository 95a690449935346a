//! What loading weights did.

use std::fmt;

/// The result of loading: what happened to each parameter, and to each tensor in the file. As text it lists the
/// differences by kind, and the conversions; it is empty where everything was loaded as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Parameters that were loaded, in the order of `params`.
    pub loaded: Vec<String>,
    /// Parameters that the file lacks: they keep their values.
    pub missing: Vec<String>,
    /// Tensors in the file that belong to no parameter, by the names that they have there.
    pub unexpected: Vec<String>,
    /// Parameters that have another shape in the file: `fc.weight is [2, 3] in the file, expected [3, 2]`.
    pub other_shapes: Vec<String>,
    /// Parameters whose dtype in the file is not converted: `count is F32 in the file, expected i64`.
    pub other_dtypes: Vec<String>,
    /// Parameters of a head for another number of classes, which keep their values: `fc.bias is [1000] in the file,
    /// expected [10]`.
    pub new_head: Vec<String>,
    /// Parameters that keep their values because they were to be skipped.
    pub kept: Vec<String>,
    /// Parameters and tensors that share their values: `lm_head.weight with wte.weight`.
    pub tied: Vec<String>,
    /// Tensors in the file that are no weights and were to be ignored.
    pub ignored: Vec<String>,
    /// Parameters among `loaded` whose two dimensions were exchanged.
    pub transposed: Vec<String>,
    /// Parameters among `loaded` that were converted: `bn1.num_batches_tracked from I32 to i64`.
    pub converted: Vec<String>,
    /// What was done with the file as a whole: a prefix that was left out, the part of a checkpoint that was read.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether the file matches the parameters; only `num_batches_tracked` may be missing.
    pub(super) fn is_whole(&self) -> bool {
        self.missing.iter().all(|name| name.rsplit('.').next() == Some("num_batches_tracked"))
            && self.unexpected.is_empty()
            && self.other_shapes.is_empty()
            && self.other_dtypes.is_empty()
    }

    /// What keeps the file from matching the parameters.
    pub(super) fn differences(&self) -> String {
        told([
            ("missing", &self.missing),
            ("unexpected", &self.unexpected),
            ("other shapes", &self.other_shapes),
            ("other dtypes", &self.other_dtypes),
        ])
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accepted = told([
            ("a new head", &self.new_head),
            ("kept", &self.kept),
            ("tied", &self.tied),
            ("ignored", &self.ignored),
            ("transposed", &self.transposed),
            ("converted", &self.converted),
        ]);
        let parts = [self.differences(), accepted].into_iter().chain(self.notes.iter().cloned());
        f.write_str(&parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; "))
    }
}

/// The lists that are not empty, each after its kind.
fn told<const N: usize>(kinds: [(&str, &Vec<String>); N]) -> String {
    let told = kinds.into_iter().filter(|(_, items)| !items.is_empty());
    told.map(|(kind, items)| format!("{kind}: {}", shortened(items))).collect::<Vec<_>>().join("; ")
}

/// The first items of a long list, and how many more there are.
pub(super) fn shortened(items: &[String]) -> String {
    const SHOWN: usize = 10;
    let first = items.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if items.len() > SHOWN { format!("{first} and {} more", items.len() - SHOWN) } else { first }
}
