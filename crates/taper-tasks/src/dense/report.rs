//! What is shown of dense labels: masks over the pictures, the overlap of each class, each split beside a baseline.

use super::{DenseLabels, dice, mean, of_class};
use taper_data::{Batch, BatchLoader, Dataset, LoaderOptions};
use taper_nn::{Context, Module, Params, no_grad};
use taper_report::html::{Column, Framed, Gallery, Page, Section, Table};
use taper_report::tensorboard::EventWriter;
use taper_report::{Format, Picture, class_colour};
use taper_train::{DeviceBatch, Evaluation, Finished, Result, Split};

/// Pictures that are shown of each split.
const SHOWN: usize = 12;

pub(super) fn report<M: Module>(
    task: &DenseLabels<M>,
    found: &Finished<'_>,
    page: &mut Page,
    events: Option<&mut EventWriter>,
) -> Result<()> {
    let Some(test) = &found.outcome.test else { return Ok(()) };
    page.sections.push(Section::new("Overlap").with(splits(task, found, test)?).with(classes(task, test)));
    let shown = gallery(task, found.test, found.params, "test pictures")?;
    if shown.pictures.is_empty() {
        return Ok(());
    }
    if let Some(events) = events {
        let pictures: Vec<Picture> = shown.pictures.iter().filter_map(|framed| framed.picture.clone()).collect();
        events.image("masks/test", found.outcome.steps, &Picture::grid(&pictures, 2)?)?;
    }
    let mut section = Section::new("Masks").with(colours(&task.classes)?).with(shown);
    for (name, data) in &task.others {
        section = section.with(gallery(task, data, found.params, &format!("pictures of the split {name}"))?);
    }
    page.sections.push(section);
    Ok(())
}

/// Mean overlaps of each split, and what the most frequent class everywhere would have.
fn splits<M>(task: &DenseLabels<M>, found: &Finished<'_>, test: &Evaluation) -> Result<Table> {
    let columns = ["mean IoU", "mean Dice", "accuracy"].map(Column::number);
    let text = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| Format::Percent(2).text(value));
    let mut table = Table::new([vec![Column::text("split")], columns.to_vec()].concat());
    let value = |name: &str| text(test.get(name));
    table = table.row(["test".into(), value("mean_iou"), value("dice"), value("accuracy")]);
    for (name, _) in &task.others {
        table = table.row([
            name.clone(),
            value(&format!("mean_iou_{name}")),
            value(&format!("dice_{name}")),
            String::new(),
        ]);
    }
    let counts = counts(found.test, task.classes.len())?;
    let all: u64 = counts.iter().sum();
    if let Some((class, &most)) = counts.iter().enumerate().max_by_key(|(class, count)| (**count, usize::MAX - class)) {
        // Its intersection is all of the class, its union all pixels; of the others nothing is found.
        let iou = most as f64 / all.max(1) as f64;
        let each = || {
            counts
                .iter()
                .enumerate()
                .filter(|(_, count)| **count > 0)
                .map(move |(i, _)| if i == class { iou } else { 0.0 })
        };
        let name = task.classes.get(class).map_or("", String::as_str);
        table = table.row([
            format!("test, if all were {name}"),
            text(mean(each())),
            text(mean(each().map(dice))),
            text(Some(iou)),
        ]);
    }
    table.caption = "Means over the classes that occur, the background among them.".into();
    Ok(table)
}

/// How many pixels of each class there are.
fn counts(data: &dyn Dataset, classes: usize) -> Result<Vec<u64>> {
    let options = LoaderOptions { batch_size: 64, shuffle: None, drop_last: false };
    let (mut loader, mut batch) = (BatchLoader::new(data, options)?, Batch::default());
    let mut counts = vec![0; classes];
    while loader.next_into(&mut batch)? {
        for &label in batch.i64s("labels")? {
            if let Some(count) = usize::try_from(label).ok().and_then(|label| counts.get_mut(label)) {
                *count += 1;
            }
        }
    }
    Ok(counts)
}

/// The overlap of each class on the test split.
fn classes<M>(task: &DenseLabels<M>, test: &Evaluation) -> Table {
    let table = Table::new(vec![Column::text("class"), Column::number("IoU"), Column::number("Dice")]);
    let mut table = task.classes.iter().fold(table, |table, name| {
        let iou = test.get(&of_class(name));
        let text = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| Format::Percent(2).text(value));
        table.row([name.clone(), text(iou), text(iou.map(dice))])
    });
    table.caption = "Each class on the test split; – where it neither occurs nor is found.".into();
    table
}

/// The colours of the classes.
fn colours(classes: &[String]) -> Result<Gallery> {
    let swatch = |(class, name): (usize, &String)| -> Result<Framed> {
        let values = class_colour(class).iter().flat_map(|&value| [value; 96 * 12]).collect();
        Ok(Framed { picture: Some(Picture::new([3, 12, 96], values)?), title: name.clone(), ..Framed::default() })
    };
    let note = "The colours of the classes; the background's pixels stay as they are.".into();
    let all = classes.iter().enumerate().skip(1).map(swatch).collect::<Result<_>>()?;
    Ok(Gallery { note, ..Gallery::new(all) })
}

/// The first pictures of `data`, each beside itself with the true mask and with the one found; none if they are no pictures.
fn gallery<M: Module>(task: &DenseLabels<M>, data: &dyn Dataset, params: &Params, what: &str) -> Result<Gallery> {
    let indices: Vec<usize> = (0..data.len().min(SHOWN)).collect();
    let mut batch = Batch::default();
    batch.clear(indices.len());
    data.fill(0, &indices, &mut batch)?;
    let x = DeviceBatch::new(&batch, params, Split::Test, [0; 3]).float("inputs")?;
    let [_, channels @ (1 | 3), height, width] = *x.shape().dims() else { return Ok(Gallery::default()) };
    let logits = no_grad(|| task.model.forward(&x, &Context::eval()))?;
    let predicted = logits.argmax(1, false)?.to_vec::<i64>()?;
    let (inputs, truth, plane) = (x.to_host()?.to_f64(), batch.i64s("labels")?, height * width);
    let framed = |i: usize| -> Result<Framed> {
        let values: Vec<f32> =
            inputs.iter().skip(i * channels * plane).take(channels * plane).map(|&x| x as f32).collect();
        let picture = Picture::from_unit([channels, height, width], &values)?;
        let of = |labels: &[i64]| -> Vec<i64> { labels.iter().skip(i * plane).take(plane).copied().collect() };
        let (found, due) = (of(&predicted), of(truth));
        let over = |labels: &[i64]| {
            picture.masked(&labels.iter().map(|&label| usize::try_from(label).unwrap_or(0)).collect::<Vec<_>>())
        };
        let known = due.iter().filter(|label| **label >= 0).count().max(1);
        let right = due.iter().zip(&found).filter(|(due, found)| due == found).count();
        let share = Format::Percent(1).text(right as f64 / known as f64);
        let parts = [picture.masked(&vec![0; plane])?, over(&due)?, over(&found)?];
        let names = |labels: &[i64]| -> String {
            let there = task.classes.iter().enumerate().skip(1).filter(|(class, _)| labels.contains(&(*class as i64)));
            there.map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ")
        };
        Ok(Framed {
            picture: Some(Picture::grid(&parts, 3)?),
            title: names(&due),
            detail: format!("found: {}; {share} of the pixels right", names(&found)),
        })
    };
    let pictures = indices.iter().map(|&i| framed(i)).collect::<Result<Vec<_>>>()?;
    let note = "Each picture; with its true mask; with the one that was found.".into();
    Ok(Gallery { note, ..Gallery::new(pictures) }.of(data.len(), what).large())
}
