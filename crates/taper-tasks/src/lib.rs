#![doc = include_str!("../README.md")]

mod autoencoding;
mod belief;
mod classification;
mod contrastive;
#[cfg(feature = "audio")]
mod denoising;
mod dense;
mod detection;
mod experiments;
mod forecasting;
mod labels;
mod language;
pub mod metrics;
mod recommending;
mod regression;
mod run;
#[cfg(feature = "audio")]
mod sounds;
#[cfg(feature = "audio")]
mod speaking;
#[cfg(feature = "audio")]
mod speech;
mod text_classes;
#[cfg(feature = "bpe")]
mod translating;
mod verification;

pub use autoencoding::Autoencoding;
pub use belief::LayerwisePretraining;
pub use classification::{Classification, ClassifyConfig, IGNORED_LABEL, Predictions, Reduction, Views, logits};
pub use contrastive::ContrastiveDivergence;
#[cfg(feature = "audio")]
pub use denoising::{Denoising, Masking, MaskingSpec};
pub use dense::DenseLabels;
pub use detection::Detecting;
pub use experiments::{experiment, experiments};
pub use forecasting::{Forecasting, SeriesStats};
pub use language::{
    CharModel, Characters, Continues, Dialogue, GptConfig, LanguageModel, LstmConfig, Sampling, Windowed, continued,
    generate,
};
pub use recommending::{Choosing, RatingBiases, RatingPrediction};
pub use regression::{Regression, TargetStats};
pub use run::{
    Chat, ClassScore, ClassifiedText, Forecast, ForecastSpec, ForecastStep, Forecaster, Found, Inputs, Prediction,
    RecommendSpec, Recommendation, Recommender, Run, Saved, Segmented, Segmenter, Spec, TextClassifier, TextGenerator,
    ThingFinder, Verifier, run_summary,
};
#[cfg(feature = "audio")]
pub use run::{Denoiser, Speaker, Transcriber, Transcript, VoiceVerifier};
#[cfg(feature = "bpe")]
pub use run::{Translation, Translator};
#[cfg(feature = "audio")]
pub use speaking::Speaking;
#[cfg(feature = "audio")]
pub use speech::{LogMel, LogMelSpec, SpokenStrings, SpokenWords};
pub use text_classes::{
    AttentiveEncoder, AttentiveEncoderConfig, AttentiveGru, AttentiveGruConfig, TextClassification, TextModel, WordBag,
    WordBagConfig,
};
#[cfg(feature = "bpe")]
pub use translating::{Beam, TranslateConfig, Translating, TranslatorConfig};
pub use verification::{EmbeddingLoss, Embeddings};
