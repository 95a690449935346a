//! A recurrent language model over the characters of a text: an LSTM that reads the sixteen before. `cargo run --release
//! -p taper-tasks --example recurrent FILE` takes any text of a few thousand characters, this program's own without a FILE.

use taper_data::{CharVocabulary, TextWindows};
use taper_models::{RecurrentLm, RecurrentLmConfig};
use taper_nn::taper_tensor::files;
use taper_nn::{DType, Device, Params, RandomKey};
use taper_tasks::{LanguageModel, Sampling, Windowed, generate};
use taper_train::{Config, Error, Evaluation, Fit, Override, Result, Silent};

/// The characters that the model reads before it predicts the next.
const CONTEXT: usize = 16;

/// The measures on the last tenth of `text`, and what the model writes after the text's beginning.
pub(crate) fn run(text: &str) -> Result<(Evaluation, String)> {
    let vocabulary = CharVocabulary::of(text);
    let (train, held_out) = TextWindows::new(vocabulary.encode(text)?, CONTEXT)?.split_off(0.1)?;

    let device = Device::new(taper_cpu::CpuBackend::new()?);
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let config = RecurrentLmConfig {
        vocabulary: vocabulary.len(),
        embedding: 16,
        hidden: 64,
        predicts: "last".into(),
        ..RecurrentLmConfig::default()
    };
    let task = LanguageModel(RecurrentLm::new(&config, &params)?);
    let settings = "train = { epochs = 4, epoch_steps = 150, batch_size = 128 }\noptimizer.lr = 0.005";
    let config = Config::default().with(&Override::read(settings, "here")?)?;
    let outcome = Fit::new(&config, &task, &params, &train).test(&held_out).run(&mut Silent)?;
    let sampling = Sampling { temperature: 0.5, key: RandomKey::new(3), ..Sampling::default() };
    let model = Windowed { model: &task.0, context: CONTEXT };
    let prompt: String = text.chars().take(CONTEXT).collect();
    let written = generate(&model, &vocabulary, &prompt, 120, &sampling, &device)?;
    Ok((outcome.test.unwrap_or_default(), written))
}

#[allow(dead_code, reason = "a test runs what is above")]
fn main() -> Result<()> {
    let text = match std::env::args().nth(1) {
        Some(file) => files::read_to_string(&file).map_err(|error| Error::Usage(format!("{file}: {error}")))?,
        None => include_str!("recurrent.rs").to_owned(),
    };
    let (found, written) = run(&text)?;
    println!("held-out perplexity {:.2}", found.get("perplexity").unwrap_or(f64::NAN));
    println!("it goes on: {written}");
    Ok(())
}
