//! What is shown of a classifier of texts: the confusion matrix with F1, and the words that decided.

use super::TextClassification;
use crate::classification::{Predictions, scores};
use crate::metrics::{Average, Confusion};
use taper_data::Batch;
use taper_report::Format;
use taper_report::html::{Block, Column, Page, Section, Table};
use taper_report::tensorboard::EventWriter;
use taper_train::{Finished, Result};

/// Texts of which the words are shown: those that went wrong, and those that did not.
const SHOWN: [usize; 2] = [12, 8];
/// Words that are named of each.
const NAMED: usize = 6;
/// The first words of a text by which it is known.
const FIRST: usize = 14;

pub(super) fn report(
    task: &TextClassification,
    found: &Finished<'_>,
    page: &mut Page,
    events: Option<&mut EventWriter>,
) -> Result<()> {
    let predictions = task.task.predictions(found.outcome, found.test)?;
    if predictions.predicted.is_empty() {
        return Ok(());
    }
    let classes = task.task.classes();
    let scored = Confusion::new(&predictions.truth, &predictions.predicted, classes.len())?;
    let matrix = scored.named(classes);
    if let Some(events) = events {
        events.image("confusion/test", found.outcome.steps, &matrix.picture())?;
    }
    let f1 = Format::Percent(2).text(scored.average(Average::Macro).f1);
    let note = Block::Note(format!("Macro F1, the mean of the classes': {f1}."));
    page.sections.push(Section::new("Confusion matrix").with(matrix).with(scores(&scored, classes)).with(note));
    page.sections.push(words(task, found, &predictions)?);
    Ok(())
}

/// Texts with the words that decided.
fn words(task: &TextClassification, found: &Finished<'_>, predictions: &Predictions) -> Result<Section> {
    let Predictions { predicted, probability, truth } = predictions;
    let all: Vec<usize> = (0..truth.len().min(predicted.len())).collect();
    let (right, mut wrong): (Vec<usize>, Vec<usize>) = all.into_iter().partition(|&i| truth[i] == predicted[i]);
    wrong.sort_by(|&a, &b| probability[b].total_cmp(&probability[a]));
    let some = right.iter().step_by((right.len() / SHOWN[1]).max(1)).take(SHOWN[1]);
    let name = |class: i64| {
        let class = usize::try_from(class).ok().and_then(|class| task.task.classes().get(class));
        class.cloned().unwrap_or_default()
    };
    let columns = ["text", "is", "was taken for", "by the words"].map(Column::text);
    let mut table = Table::new(columns.to_vec());
    let mut batch = Batch::default();
    for &index in wrong.iter().take(SHOWN[0]).chain(some) {
        batch.clear(1);
        found.test.fill(0, &[index], &mut batch)?;
        let words = batch.i64s("inputs")?.to_vec();
        let shown = words.iter().map(|&word| task.vocabulary.word(word).unwrap_or("…"));
        let class = usize::try_from(predicted[index]).unwrap_or_default();
        let decided = task.model.decided(&words, class, &task.vocabulary, NAMED, found.params)?;
        table = table.row([
            shown.take(FIRST).collect::<Vec<_>>().join(" "),
            name(truth[index]),
            format!("{} ({})", name(predicted[index]), Format::Percent(1).text(probability[index])),
            decided.into_iter().map(|(word, _)| word).collect::<Vec<_>>().join(" · "),
        ]);
    }
    let wrong =
        format!("{} of {} texts went wrong; those of which the model was surest come first.", wrong.len(), truth.len());
    let note = format!("{wrong} {} … stands for a word that the training texts have too rarely.", task.model.said_by());
    Ok(Section::new("Words that decided").with(table).with(Block::Note(note)))
}
