//! `[init]`: initial weights from a file, for fine-tuning, and what of the file's names and shapes may differ.

use taper_config::table;
use taper_nn::weights::{LoadOptions, Mapping};

table! {
    /// `[init]`: initial weights from a file.
    #[derive(Eq)]
    pub struct InitConfig {
        /// A file of initial weights: .safetensors, .pt, .pth.
        ///
        /// For fine-tuning; empty for none. A head of another number of classes is a new one, and reported. All else has
        /// to fit.
        file: String = String::new(), any("a path, or empty");
        /// Load only the tensors of that file that match the model.
        ///
        /// Parameters that it lacks, or has in another shape, keep their random initialisation, and the run reports
        /// them.
        partial: bool = false, flag();
        /// Prefixes that are left out of the names in the file.
        ///
        /// Of each name the first that it begins with. `module.`, `model.` and `_orig_mod.` are left out by themselves
        /// where the model has none of them.
        strip: Vec<String> = Vec::new(), any("a list of prefixes such as [\"backbone.\"]");
        /// A prefix that the names in the file get.
        add: String = String::new(), any("a prefix, or empty");
        /// Renames tensors of the file, as in h.*.w=blocks.*.weight.
        ///
        /// Each is a pattern of a name, `=`, and the name in the model with a `*` for each of the pattern's. The first
        /// that matches counts.
        rename: Vec<String> = Vec::new(), each("a list such as [\"h.*=blocks.*\"]", |rule: &String| rule.contains('='));
        /// Patterns of matrices whose two dimensions are exchanged.
        ///
        /// Such as a linear layer's weight that the file has as [in, out].
        transpose: Vec<String> = Vec::new(), any("a list of patterns such as [\"*.c_fc.weight\"]");
        /// Patterns of tensors in the file that are no weights.
        ignore: Vec<String> = Vec::new(), any("a list of patterns such as [\"*.mask\"]");
        /// Patterns of parameters that keep their random initialisation.
        skip: Vec<String> = Vec::new(), any("a list of patterns such as [\"fc.*\"]");
    }
}

impl InitConfig {
    /// Which differences the table accepts.
    pub(crate) fn options(&self) -> LoadOptions {
        let Self { strip, add, rename, transpose, ignore, skip, partial, .. } = self.clone();
        let rules = rename.iter().filter_map(|rule| rule.split_once('='));
        LoadOptions {
            cast: true,
            partly: partial,
            new_head: true,
            skip,
            mapping: Mapping {
                wrappers: true,
                strip,
                add,
                rename: rules.map(|(from, to)| [from.into(), to.into()]).collect(),
                transpose,
                ignore,
                tied: Vec::new(),
            },
        }
    }
}
