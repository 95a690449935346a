//! Metrics of classifiers, regressors and forecasts: pure functions over slices on the host, in `f64`.
//!
//! Throughout, `classes: [N]` holds the true classes, from 0, `predicted: [N]` the predicted ones, and scores or
//! probabilities are `[N, C]`, row-major, with `C = num_classes`. Scores are `f32` or `f64`; NaN among them is an
//! error, and so is an empty input. Samples of class [`IGNORED_LABEL`](crate::IGNORED_LABEL) are left out. Unless a
//! function says otherwise, the results are those of scikit-learn's function of that name.

mod accuracy;
mod auc;
mod average_precision;
mod bleu;
mod calibration;
mod confusion;
mod forecast;
mod input;
mod likelihood;
mod precision_recall;
mod ranking;
mod regression;
mod si_snr;
mod verification;
mod word_errors;

pub use accuracy::{accuracy, predictions, top_k};
pub use auc::{auc, auc_macro, auc_per_class};
pub use average_precision::{DetectionScores, TrueBox, detection_scores};
pub use bleu::{Bleu, tokenize_13a};
pub use calibration::{Bin, calibration_bins, calibration_error};
pub use confusion::Confusion;
pub use forecast::{coverage, mase, naive_error, pinball};
pub use likelihood::{brier, log_loss, perplexity};
pub use precision_recall::{Average, ClassScores};
pub use ranking::{hit_rate, ndcg, ranks};
pub use regression::{mae, r2, rmse};
pub use si_snr::si_snr;
pub use verification::Verification;
pub use word_errors::WordErrors;
