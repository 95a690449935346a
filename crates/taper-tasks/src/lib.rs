#![doc = include_str!("../README.md")]

mod autoencoding;
mod belief;
mod classification;
mod contrastive;
mod dense;
mod experiments;
mod forecasting;
mod labels;
mod language;
pub mod metrics;
mod recommending;
mod regression;
mod run;
mod text_classes;
#[cfg(feature = "bpe")]
mod translating;

pub use autoencoding::Autoencoding;
pub use belief::LayerwisePretraining;
pub use classification::{Classification, ClassifyConfig, IGNORED_LABEL, Predictions, Reduction, Views, logits};
pub use contrastive::ContrastiveDivergence;
pub use dense::DenseLabels;
pub use experiments::{experiment, experiments};
pub use forecasting::{Forecasting, SeriesStats};
pub use language::{
    CharModel, Characters, Continues, Dialogue, GptConfig, LanguageModel, LstmConfig, Sampling, Windowed, continued,
    generate,
};
pub use recommending::{Choosing, RatingBiases, RatingPrediction};
pub use regression::{Regression, TargetStats};
pub use run::{
    Chat, ClassScore, ClassifiedText, Forecast, ForecastSpec, ForecastStep, Forecaster, Inputs, Prediction,
    RecommendSpec, Recommendation, Recommender, Run, Saved, Spec, TextClassifier, TextGenerator, run_summary,
};
#[cfg(feature = "bpe")]
pub use run::{Translation, Translator};
pub use text_classes::{
    AttentiveEncoder, AttentiveEncoderConfig, AttentiveGru, AttentiveGruConfig, TextClassification, TextModel, WordBag,
    WordBagConfig,
};
#[cfg(feature = "bpe")]
pub use translating::{Beam, TranslateConfig, Translating, TranslatorConfig};
