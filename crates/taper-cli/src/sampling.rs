//! The flags of drawing from a language model, the same for all commands that do.

use crate::failure::Failure;
use clap::Args;
use taper::nn::RandomKey;
use taper::tasks::Sampling;
use taper::train::Error;

/// How tokens are drawn.
#[derive(Args)]
pub struct SamplingArgs {
    /// Below 1 likely characters become likelier, above 1 less so; 0 takes the likeliest
    #[arg(long, value_name = "T", default_value_t = 0.8, allow_negative_numbers = true)]
    temperature: f64,
    /// Draw only from the K likeliest characters; 0 for all
    #[arg(long, value_name = "K", default_value_t = 0, allow_negative_numbers = true)]
    top_k: usize,
    /// Draw only from the likeliest characters that together reach this probability
    #[arg(long, value_name = "P", default_value_t = 1.0, allow_negative_numbers = true)]
    top_p: f64,
    /// The seed: the same one gives the same text
    #[arg(long, value_name = "SEED", default_value_t = 0, allow_negative_numbers = true)]
    seed: u64,
}

impl SamplingArgs {
    /// The settings, with a stream of random numbers for the command `name`.
    ///
    /// # Errors
    /// A value out of range, named as its flag.
    pub fn sampling(&self, name: &str) -> Result<Sampling, Failure> {
        let key = RandomKey::new(self.seed).child(name);
        let found = Sampling { temperature: self.temperature, top_k: self.top_k, top_p: self.top_p, key };
        found.check().map_err(flagged)?;
        Ok(found)
    }
}

/// The failure of a setting, named as its flag.
pub fn flagged(error: Error) -> Failure {
    let text = error.to_string();
    match ["prompt: ", "temperature: ", "top-p: "].iter().any(|name| text.starts_with(name)) {
        true => Failure::usage(format!("--{text}")),
        false => error.into(),
    }
}
