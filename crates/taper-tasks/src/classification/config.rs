//! The keys of the task.

use serde::{Deserialize, Serialize};
use taper_config::table;

table! {
    /// `[task]` of classification.
    #[derive(Copy)]
    pub struct ClassifyConfig {
        /// Part of the target spread over all classes.
        ///
        /// Label smoothing's ε.
        label_smoothing: f64 = 0.0, number(0.0..=1.0);
        /// Mixup's alpha; 0 for none.
        ///
        /// With CutMix as well, each batch gets one of the two.
        mixup: f64 = 0.0, ordinary_or_zero();
        /// CutMix's alpha; 0 for none.
        cutmix: f64 = 0.0, ordinary_or_zero();
        /// How the losses of a batch are reduced to one.
        reduction: Reduction = Reduction::Mean, any("mean or sum");
        /// Views per image for test-time augmentation.
        ///
        /// The logits are averaged over them in the final evaluation.
        views: Views = Views::One, any("one, mirror or six");
    }
}

/// How the losses of a batch are reduced to one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

/// The views of each image in test-time augmentation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Views {
    /// No test-time augmentation: the image as it is.
    #[default]
    One,
    /// The image and its horizontal mirror image, with the weights 1/2 and 1/2.
    Mirror,
    /// The image, and the image shifted by one pixel up and left, and down and right, with reflected edges, with the
    /// weights 1/2, 1/4 and 1/4; each is averaged with its horizontal mirror image.
    Six,
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_config::Named;

    #[test]
    fn what_is_out_of_range_is_told() {
        let told = |key: &str, value: taper_config::toml::Value| {
            Named::new("classify").with(key, value).parse::<ClassifyConfig>("task").unwrap_err().to_string()
        };
        assert_eq!(told("mixup", 1e-308.into()), "task.mixup: expected 0 or a number from 1e-37 to 1e37, found 1e-308");
        assert_eq!(told("label_smoothing", 2.into()), "task.label_smoothing: expected a number from 0 to 1, found 2");
        assert_eq!(told("views", "seven".into()), "task.views: expected one, mirror or six, found seven");
        assert_eq!(
            told("mixupp", 1.into()),
            "task.mixupp: unknown key of the task classify; did you mean mixup? (its keys: label_smoothing, mixup, cutmix, \
             reduction, views)"
        );
    }
}
