//! `taper generate`: a saved language model goes on with a text.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::Failure;
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::path::PathBuf;
use taper::DeviceOptions;
use taper::nn::RandomKey;
use taper::tasks::{Sampling, TextGenerator};
use taper::train::Error;

/// The arguments of `generate`.
#[derive(Args)]
pub struct Generate {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The text that is gone on with [default: a line break]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// Characters that are drawn
    #[arg(long, value_name = "N", default_value_t = 500, allow_negative_numbers = true)]
    length: usize,
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
    /// Compute all anew for each character, which takes longer and gives the same text [default: what was computed is kept]
    #[arg(long)]
    no_cache: bool,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

impl Command for Generate {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let device = named_device(&self.device, DeviceOptions::default())?;
        let run = TextGenerator::load(&self.run, &device)?;
        let prompt = self.prompt.clone().unwrap_or_else(|| start(&run));
        let key = RandomKey::new(self.seed).child("generate");
        let sampling = Sampling { temperature: self.temperature, top_k: self.top_k, top_p: self.top_p, key };
        // Written line by line, as they come.
        let mut line = String::new();
        let mut write = |char: char| match char {
            '\n' => output.line(&std::mem::take(&mut line)),
            char => line.push(char),
        };
        // Before the prompt is printed it must be known to be one.
        sampling.check().map_err(flagged)?;
        run.check(&prompt).map_err(flagged)?;
        self.prompt.iter().flat_map(|prompt| prompt.chars()).for_each(&mut write);
        run.generate(&prompt, self.length, !self.no_cache, &sampling, &mut write).map_err(flagged)?;
        if !line.is_empty() {
            output.line(&line);
        }
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.device(&self.device);
        Ok(())
    }
}

/// What is gone on with if nothing was said: a line break if the model knows it, else a space, else its first character.
fn start(run: &TextGenerator) -> String {
    let known = ['\n', ' '].into_iter().find(|char| run.vocabulary().has(*char));
    known.map_or_else(|| run.vocabulary().decode(&[0]), String::from)
}

/// The failure of a setting, named as its flag.
fn flagged(error: Error) -> Failure {
    let text = error.to_string();
    match ["prompt: ", "temperature: ", "top-p: "].iter().any(|name| text.starts_with(name)) {
        true => Failure::usage(format!("--{text}")),
        false => error.into(),
    }
}
