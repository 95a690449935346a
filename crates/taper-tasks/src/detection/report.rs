//! What is shown of a detector: boxes on pictures, average precision by overlap, size and class.

use super::{Detecting, Truth};
use crate::metrics::{DetectionScores, detection_scores};
use taper_data::{Batch, Dataset};
use taper_models::{Detection, DetectionOptions};
use taper_nn::{Context, Params, no_grad};
use taper_report::html::{Column, Framed, Gallery, Page, Section, Table};
use taper_report::tensorboard::EventWriter;
use taper_report::{Format, Picture};
use taper_train::{DeviceBatch, Evaluation, Finished, Result, Split};

/// Pictures that are shown of each split.
const SHOWN: usize = 12;
/// The least score of a box that is drawn.
const SURE: f64 = 0.4;

pub(super) fn report(
    task: &Detecting,
    found: &Finished<'_>,
    page: &mut Page,
    events: Option<&mut EventWriter>,
) -> Result<()> {
    let Some(test) = &found.outcome.test else { return Ok(()) };
    let scores = task.scores(&found.outcome.rows, found.test)?;
    let splits = splits(task, test, &Truth::of(found.test)?)?;
    let section = Section::new("Average precision").with(splits).with(of_kinds(&scores));
    page.sections.push(section.with(of_classes(task, &scores)));
    let shown = gallery(task, found.test, found.params, "test pictures")?;
    if let Some(events) = events {
        let pictures: Vec<Picture> = shown.pictures.iter().filter_map(|framed| framed.picture.clone()).collect();
        if !pictures.is_empty() {
            events.image("boxes/test", found.outcome.steps, &Picture::grid(&pictures, 2)?)?;
        }
    }
    let mut section = Section::new("Boxes").with(shown);
    for (name, data) in &task.others {
        section = section.with(gallery(task, data, found.params, &format!("pictures of the split {name}"))?);
    }
    page.sections.push(section);
    Ok(())
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), |value| Format::Percent(2).text(value))
}

/// Each split, and what one and the same guess for all pictures would have.
fn splits(task: &Detecting, test: &Evaluation, truth: &Truth) -> Result<Table> {
    let columns = ["mAP at 0.5", "mAP at 0.5 to 0.95"].map(Column::number);
    let of =
        |name: String, suffix: &str| (name, ["map_50", "map"].map(|metric| test.get(&format!("{metric}{suffix}"))));
    let mut rows = vec![of("test".into(), "")];
    rows.extend(task.others.iter().map(|(name, _)| of(name.clone(), &format!("_{name}"))));
    let scores = detection_scores(&truth.boxes, &usual(truth, task.classes.len()), task.classes.len())?;
    rows.push(("test, the same boxes everywhere".into(), [scores.map_50(), scores.map()]));
    let table = Table::new([vec![Column::text("split")], columns.to_vec()].concat());
    let row = |table: Table, (name, values): (String, [Option<f64>; 2])| {
        let [at_half, all] = values.map(percent);
        table.row([name, at_half, all])
    };
    let mut table = rows.into_iter().fold(table, row);
    table.caption =
        "The last line is what a model would have that does not look: in each picture a thing of each class, at the \
         mean place of the class's boxes in the test split, with the share of the class for a score."
            .into();
    Ok(table)
}

/// In each picture a thing of each class, at the mean place of those that are there.
fn usual(truth: &Truth, classes: usize) -> Vec<Vec<Detection>> {
    // In pixels of the samples, whatever the size of the pictures.
    let sides = |bounds: [f64; 4], [x, y]: [f64; 2]| [bounds[0] * x, bounds[1] * y, bounds[2] * x, bounds[3] * y];
    let pairs = truth.boxes.iter().zip(&truth.scales);
    let each = pairs.flat_map(|(things, &[x, y])| {
        things
            .iter()
            .filter(|thing| !thing.crowd)
            .map(move |thing| (thing.class, sides(thing.bounds, [1.0 / x, 1.0 / y])))
    });
    let mut sums = vec![([0.0; 4], 0.0); classes];
    let mut all = 0.0;
    for (class, bounds) in each {
        let Some((sum, count)) = sums.get_mut(class) else { continue };
        sum.iter_mut().zip(bounds).for_each(|(sum, side)| *sum += side);
        (*count, all) = (*count + 1.0, all + 1.0);
    }
    let guess = |scale: &[f64; 2]| {
        let known = sums.iter().enumerate().filter(|(_, (_, count))| *count > 0.0);
        known
            .map(|(class, (sum, count))| Detection {
                bounds: sides(sum.map(|side| side / count), *scale),
                class,
                score: count / all,
            })
            .collect()
    };
    truth.scales.iter().map(guess).collect()
}

/// COCO's twelve numbers.
fn of_kinds(scores: &DetectionScores) -> Table {
    let names =
        ["overlap 0.5 to 0.95", "overlap 0.5", "overlap 0.75", "small, below 32²", "medium", "large, above 96²"];
    let table = Table::new(vec![Column::text("average precision"), Column::number("mean over classes")]);
    let mut table = names
        .iter()
        .zip(scores.precision)
        .fold(table, |table, (name, value)| table.row([name.to_string(), percent(value)]));
    let names = ["1 detection a picture", "10", "100", "small", "medium", "large"];
    for (name, value) in names.iter().zip(scores.recall) {
        table = table.row([format!("recall, {name}"), percent(value)]);
    }
    table.caption = "The test split, as COCO counts it; – where nothing of the kind is there.".into();
    table
}

fn of_classes(task: &Detecting, scores: &DetectionScores) -> Table {
    let table = Table::new(vec![Column::text("class"), Column::number("at 0.5"), Column::number("0.5 to 0.95")]);
    task.classes
        .iter()
        .zip(&scores.classes)
        .fold(table, |table, (name, [all, at_half])| table.row([name.clone(), percent(*at_half), percent(*all)]))
}

/// The first pictures of `data`, each with the boxes that are there, and with those that were found.
fn gallery(task: &Detecting, data: &dyn Dataset, params: &Params, what: &str) -> Result<Gallery> {
    let indices: Vec<usize> = (0..data.len().min(SHOWN)).collect();
    let mut batch = Batch::default();
    batch.clear(indices.len());
    data.fill(0, &indices, &mut batch)?;
    let x = DeviceBatch::new(&batch, params, Split::Test, [0; 3]).float("inputs")?;
    let [_, channels @ (1 | 3), height, width] = *x.shape().dims() else { return Ok(Gallery::default()) };
    let options = DetectionOptions { score: SURE, across_classes: true, ..super::MEASURED };
    let found = no_grad(|| -> Result<_> {
        let output = task.model.forward(&x, &Context::eval())?;
        Ok(task.model.head().detections(&output, [height, width], &options)?)
    })?;
    let (inputs, plane, times) = (x.to_host()?.to_f64(), height * width, enlarged(width));
    let name = |class: usize| task.classes.get(class).map_or("?", String::as_str);
    let large = |bounds: [f64; 4]| bounds.map(|side| side * times as f64);
    let framed = |(i, (there, found)): (usize, (Vec<_>, &Vec<_>))| -> Result<Framed> {
        let values: Vec<f32> =
            inputs.iter().skip(i * channels * plane).take(channels * plane).map(|&x| x as f32).collect();
        let picture = Picture::from_unit([channels, height, width], &values)?.enlarged(times);
        let of_truth =
            |thing: &crate::metrics::TrueBox| (large(thing.bounds), thing.class + 1, name(thing.class).to_string());
        let of_found = |one: &Detection| {
            (large(one.bounds), one.class + 1, format!("{} {:.0}%", name(one.class), 100.0 * one.score))
        };
        let due = picture.boxed(&there.iter().map(of_truth).collect::<Vec<_>>());
        let seen = picture.boxed(&found.iter().map(of_found).collect::<Vec<_>>());
        let words = |names: Vec<&str>| if names.is_empty() { "nothing".into() } else { names.join(", ") };
        Ok(Framed {
            picture: Some(Picture::grid(&[due, seen], 2)?),
            title: words(there.iter().map(|thing: &crate::metrics::TrueBox| name(thing.class)).collect()),
            detail: format!("found: {}", words(found.iter().map(|one| name(one.class)).collect())),
        })
    };
    let there = super::things(&batch)?;
    let pictures = there.into_iter().zip(&found).enumerate().map(framed).collect::<Result<Vec<_>>>()?;
    let note = format!("On the left what is there, on the right what was found with a score of {SURE} or more.");
    Ok(Gallery { note, ..Gallery::new(pictures) }.of(data.len(), what).large())
}

/// How many times a small picture is enlarged, so that names can be read.
fn enlarged(width: usize) -> usize {
    (190 / width.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::TrueBox;

    #[test]
    fn the_usual_boxes_are_the_mean_in_pixels_of_each_picture() {
        let thing = |class, bounds: [f64; 4], crowd| TrueBox { bounds, class, area: 1.0, crowd };
        let truth = Truth {
            boxes: vec![
                vec![thing(0, [0.0, 0.0, 4.0, 4.0], false), thing(2, [1.0, 1.0, 2.0, 2.0], false)],
                // Twice as wide.
                vec![thing(0, [4.0, 2.0, 16.0, 6.0], false), thing(1, [0.0, 0.0, 9.0, 9.0], true)],
            ],
            scales: vec![[1.0, 1.0], [2.0, 1.0]],
        };
        let found = usual(&truth, 3);
        let one = |bounds, class, score| Detection { bounds, class, score };
        assert_eq!(found[0], [one([1.0, 1.0, 6.0, 5.0], 0, 2.0 / 3.0), one([1.0, 1.0, 2.0, 2.0], 2, 1.0 / 3.0)]);
        assert_eq!(found[1], [one([2.0, 1.0, 12.0, 5.0], 0, 2.0 / 3.0), one([2.0, 1.0, 4.0, 2.0], 2, 1.0 / 3.0)]);
    }
}
