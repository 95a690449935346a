//! What is shown of verification: how the scores of pairs lie, and the pairs that were hardest to tell.

use super::{FALSE_ACCEPTS, Scored, Shown};
use crate::classification::report::pictures;
use crate::metrics::Verification;
use taper_data::{Batch, Dataset};
use taper_report::html::{Column, Framed, Gallery, Page, Section, Table};
use taper_report::plot::{Axis, Chart, Series};
use taper_report::{Format, Picture};
use taper_train::{Finished, Result};

/// Pairs that are shown of each kind.
const SHOWN: usize = 12;
/// Pairs whose inputs are in memory at a time.
const AT_A_TIME: usize = 128;
/// Samples that are pictures.
pub(super) const PICTURES: Shown = Shown { values: "pixels", picture };

pub(super) fn report(classes: &[String], shown: Shown, found: &Finished<'_>, page: &mut Page) -> Result<()> {
    if found.outcome.rows.width == 0 {
        return Ok(());
    }
    let scored = Scored::new(&found.outcome.rows, found.test)?;
    let mut order: Vec<usize> = (0..scored.scores.len()).collect();
    order.sort_by(|&a, &b| scored.scores[a].total_cmp(&scored.scores[b]));
    let (same, others): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|&pair| scored.same[pair]);
    let gallery = |pairs: &mut dyn Iterator<Item = usize>| -> Result<Gallery> {
        let framed = pairs.take(SHOWN).map(|pair| framed(classes, shown, &scored, found.test, pair));
        Ok(Gallery::new(framed.collect::<Result<_>>()?).wide())
    };
    let mut told = vec![("embeddings", Verification::new(&scored.same, &scored.scores)?)];
    if let Some(scores) = of_inputs(found.test)? {
        told.push((shown.values, Verification::new(&scored.same, &scores)?));
    }
    page.sections.extend([
        Section::new("Telling apart").with(vec![roc(&told)]).with(worth(&told, shown)),
        Section::new("Cosines of pairs").with(table(&scored, &same, &others)),
        Section::new("Of one class, and farthest from each other").with(gallery(&mut same.iter().copied())?),
        Section::new("Of two classes, and nearest to each other").with(gallery(&mut others.iter().rev().copied())?),
        Section::new("Of one class, and nearest to each other").with(gallery(&mut same.iter().rev().copied())?),
    ]);
    Ok(())
}

/// The ROC curves.
fn roc(told: &[(&str, Verification)]) -> Chart {
    let line = |(name, found): &(&str, Verification)| Series {
        name: (*name).into(),
        points: found.curve().collect(),
        ..Series::default()
    };
    Chart {
        title: "ROC of the test pairs".into(),
        x: Axis { format: Format::Percent(0), ..Axis::linear("false accepts") },
        y: Axis { format: Format::Percent(0), ..Axis::linear("true accepts") },
        series: told.iter().map(line).collect(),
        marks: Vec::new(),
    }
}

/// What the cosines of embeddings are worth, beside those of the samples' own values.
fn worth(told: &[(&str, Verification)], shown: Shown) -> Table {
    let accepts = format!("true accepts at {} false ones", Format::Percent(0).text(FALSE_ACCEPTS));
    let columns = ["area under the curve", "accuracy at the best threshold", &accepts].map(Column::number);
    let table = Table::new([vec![Column::text("cosine of")], columns.to_vec()].concat());
    let row = |table: Table, (name, found): &(&str, Verification)| {
        let values = [found.auc, found.accuracy, found.true_accepts_at(FALSE_ACCEPTS)];
        let values = values.map(|value| Format::Percent(2).text(value));
        table.row([vec![(*name).to_string()], values.to_vec()].concat())
    };
    let mut table = told.iter().fold(table, row);
    table.caption = format!(
        "Pairs of classes that were not learned, as many of one class as of two. The threshold is chosen on these pairs. The \
         cosine of {} is that of their deviations from each sample's mean: what is known without learning.",
        shown.values
    );
    table
}

/// The cosines of the inputs of each pair, less each sample's mean; `None` where inputs are no numbers.
fn of_inputs(data: &dyn Dataset) -> Result<Option<Vec<f64>>> {
    let mut scores = Vec::with_capacity(data.len() / 2);
    let (mut batch, indices) = (Batch::default(), (0..data.len()).collect::<Vec<_>>());
    for indices in indices.chunks(2 * AT_A_TIME) {
        batch.clear(indices.len());
        data.fill(0, indices, &mut batch)?;
        let Ok(field) = batch.field("inputs") else { return Ok(None) };
        let values = field.data.to_f64();
        let size = (values.len() / indices.len().max(1)).max(1);
        let centred: Vec<Vec<f64>> = values
            .chunks(size)
            .map(|sample| {
                let mean = sample.iter().sum::<f64>() / size as f64;
                let centred: Vec<f64> = sample.iter().map(|value| value - mean).collect();
                let length = centred.iter().map(|value| value * value).sum::<f64>().sqrt().max(1e-12);
                centred.iter().map(|value| value / length).collect()
            })
            .collect();
        scores.extend(centred.as_chunks::<2>().0.iter().map(|[a, b]| super::dot(a, b)));
    }
    Ok(Some(scores))
}

/// Quantiles of the cosines of each kind of pairs, which are in their order.
fn table(scored: &Scored, same: &[usize], others: &[usize]) -> Table {
    let columns = ["pairs", "least", "a tenth", "half", "nine tenths", "most"].map(Column::number);
    let table = Table::new([vec![Column::text("kind")], columns.to_vec()].concat());
    let row = |table: Table, name: &str, pairs: &[usize]| {
        let at = |part: f64| {
            let place = (part * pairs.len().saturating_sub(1) as f64).round() as usize;
            pairs.get(place).map_or_else(|| "–".into(), |&pair| format!("{:.3}", scored.scores[pair]))
        };
        let quantiles = [0.0, 0.1, 0.5, 0.9, 1.0].map(at);
        table.row([vec![name.to_string(), pairs.len().to_string()], quantiles.to_vec()].concat())
    };
    row(row(table, "of one class", same), "of two classes", others)
}

/// The sample as a picture; nothing to see where it is none.
fn picture(data: &dyn Dataset, index: usize) -> Result<Option<Picture>> {
    let mut batch = Batch::default();
    batch.clear(1);
    data.fill(0, &[index], &mut batch)?;
    let of = |(shape, values): ([usize; 3], Vec<f32>)| Picture::from_unit(shape, &values);
    Ok(pictures(&batch, None).map(of).transpose()?)
}

/// The two samples of a pair beside each other.
fn framed(classes: &[String], shown: Shown, scored: &Scored, data: &dyn Dataset, pair: usize) -> Result<Framed> {
    let both = [2 * pair, 2 * pair + 1].map(|sample| (shown.picture)(data, sample));
    let both: Option<Vec<Picture>> = both.into_iter().collect::<Result<_>>()?;
    let picture = both.map(|both| Picture::grid(&both, 2)).transpose()?;
    let name = |sample: usize| {
        let label = scored.labels.get(sample).and_then(|&label| usize::try_from(label).ok());
        label.and_then(|label| classes.get(label)).cloned().unwrap_or_default()
    };
    let [a, b] = [name(2 * pair), name(2 * pair + 1)];
    Ok(Framed {
        picture,
        title: if a == b { a } else { format!("{a}, {b}") },
        detail: format!("cosine {:.3}", scored.scores[pair]),
    })
}
