//! Forecasting: the next value of a noisy series, with how sure the forecast is. Nothing here classifies.

mod experiment;
mod hook;
mod model;
mod task;

pub use experiment::Sine;
pub use hook::SmoothedLoss;
pub use model::{Forecaster, ForecasterConfig};
pub use task::Forecasting;
