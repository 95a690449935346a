//! What is shown of translations: some beside their references, and where the model looks while it writes one.

use super::{Beam, Translating, bleu, searched};
use taper_data::{Batch, PairSamples, Tokenizer};
use taper_nn::{Context, Tensor, no_grad};
use taper_report::Matrix;
use taper_report::html::{Block, Column, Section, Table};
use taper_train::{Finished, Result};

/// Texts that are shown.
const SHOWN: usize = 10;
/// The tokens of the text whose attention is drawn, at most: with more the picture has no names.
const DRAWN: usize = 24;

pub(super) fn sections(task: &Translating, found: &Finished<'_>) -> Result<Vec<Section>> {
    let beam = Beam { width: task.config.beam, length_penalty: task.config.length_penalty };
    let device = found.params.device();
    let count = found.test.len();
    let mut table = Table::new(["text", "translation", "reference"].map(Column::text).to_vec());
    let mut drawn: Option<(Vec<i64>, Vec<i64>)> = None;
    let mut batch = Batch::default();
    for place in (0..SHOWN.min(count)).map(|i| i * count / SHOWN.min(count).max(1)) {
        batch.clear(1);
        found.test.fill(0, &[place], &mut batch)?;
        let (source, target) = (batch.i64s("source")?.to_vec(), batch.i64s("target")?.to_vec());
        let x = Tensor::from_vec(source.clone(), [1, source.len()], device)?;
        let written = searched(&task.model, &x, &beam, task.longest + 1)?.tokens;
        table = table.row([task.text(&source)?, task.text(&written)?, task.text(&target)?]);
        // The longest that has room.
        let fits = source.len().max(written.len()) <= DRAWN;
        if fits && drawn.as_ref().is_none_or(|(longest, _)| longest.len() < source.len()) {
            drawn = Some((source, written));
        }
    }
    let note = format!(
        "Found by a beam of {}, with a length penalty of {}. All {count} texts of the test, by the likeliest token each time, have a \
         BLEU of {:.2}.",
        beam.width,
        beam.length_penalty,
        bleu(&found.outcome.rows).score()
    );
    let mut sections = vec![Section::new("Translations").with(table).with(Block::Note(note))];
    if let Some((source, written)) = drawn {
        sections.push(attention(task, &source, &written, device)?);
    }
    Ok(sections)
}

/// Where the model looks while it writes `written`.
fn attention(task: &Translating, source: &[i64], written: &[i64], device: &taper_nn::Device) -> Result<Section> {
    let x = Tensor::from_vec(source.to_vec(), [1, source.len()], device)?;
    let before: Vec<i64> = [PairSamples::START].iter().chain(written).take(written.len().max(1)).copied().collect();
    let target = Tensor::from_vec(before, [1, written.len().max(1)], device)?;
    let weights = no_grad(|| task.model.attention(&x, &target, None, &Context::eval()))?.to_host()?.to_f64();
    let percent = weights.iter().map(|weight| (100.0 * weight).round() as u64).collect();
    let names = |tokens: &[i64]| -> Result<Vec<String>> {
        let name = |&token: &i64| match token {
            PairSamples::END => Ok("¶".to_string()),
            token if token < PairSamples::OWN => Ok("·".to_string()),
            token => Ok(task.tokens.text(&[token - PairSamples::OWN])?.replace(' ', "␣")),
        };
        tokens.iter().map(name).collect()
    };
    let matrix = Matrix::new(names(written)?, names(source)?, percent)?.titled("written", "read");
    let note = "How much attention the decoder's last layer pays, while it gives each token (a row), to those of the text \
                (columns), in percent: the mean of its heads. ␣ is a space, ¶ the end.";
    Ok(Section::new("Attention").with(matrix).with(Block::Note(note.into())))
}
