//! A language model over characters: it learns to write numbers in words, from the eight characters before.

use taper_data::{CharVocabulary, TextWindows};
use taper_models::{CharMlp, CharMlpConfig};
use taper_nn::{DType, Device, Params, RandomKey};
use taper_tasks::{LanguageModel, Sampling, Windowed, generate};
use taper_train::{Config, Evaluation, Fit, Override, Result, Silent};

/// The characters that the model sees.
const CONTEXT: usize = 8;

/// The number below a thousand in words: `three hundred seven`.
fn words(number: usize) -> String {
    const ONES: &str = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen \
                        sixteen seventeen eighteen nineteen";
    const TENS: &str = "twenty thirty forty fifty sixty seventy eighty ninety";
    let word = |list: &str, i: usize| list.split_whitespace().nth(i).unwrap_or_default().to_string();
    match number {
        0..20 => word(ONES, number),
        20..100 if number.is_multiple_of(10) => word(TENS, number / 10 - 2),
        20..100 => format!("{} {}", word(TENS, number / 10 - 2), words(number % 10)),
        _ if number.is_multiple_of(100) => format!("{} hundred", words(number / 100)),
        _ => format!("{} hundred {}", words(number / 100), words(number % 100)),
    }
}

/// A thousand numbers in an order without a rule, one a line.
pub(crate) fn text() -> String {
    let order = RandomKey::new(7).permutation(1000);
    order.into_iter().map(|number| words(number) + "\n").collect()
}

pub(crate) fn run() -> Result<(Evaluation, String)> {
    let text = text();
    let vocabulary = CharVocabulary::of(&text);
    let (train, held_out) = TextWindows::new(vocabulary.encode(&text)?, CONTEXT)?.split_off(0.1)?;

    let device = Device::new(taper_cpu::CpuBackend::new()?);
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let config = CharMlpConfig { vocabulary: vocabulary.len(), context: CONTEXT, embedding: 16, hidden: 128 };
    let task = LanguageModel(CharMlp::new(config, &params)?);
    // An epoch is 200 steps here, however long the text is.
    let settings = "train = { epochs = 5, epoch_steps = 200, batch_size = 128 }\noptimizer.lr = 0.003";
    let config = Config::default().with(&Override::read(settings, "here")?)?;
    let outcome = Fit::new(&config, &task, &params, &train).test(&held_out).run(&mut Silent)?;
    let sampling = Sampling { temperature: 0.5, key: RandomKey::new(3), ..Sampling::default() };
    let model = Windowed { model: &task.0, context: CONTEXT };
    let written = generate(&model, &vocabulary, "seven\none", 120, &sampling, &device)?;
    Ok((outcome.test.unwrap_or_default(), written))
}

#[allow(dead_code, reason = "a test runs what is above")]
fn main() -> Result<()> {
    let (found, written) = run()?;
    println!("held-out perplexity {:.2}", found.get("perplexity").unwrap_or(f64::NAN));
    println!("it writes: one{written}");
    Ok(())
}
