//! Detection: boxes around things, with their classes.

mod report;

use crate::metrics::{DetectionScores, TrueBox, detection_scores};
use std::sync::atomic::AtomicBool;
use taper_data::{Batch, Dataset, HostData};
use taper_models::{Detection, DetectionOptions, Detector, FcosTargets, Object};
use taper_nn::{Context, Tensor};
use taper_report::html::Page;
use taper_report::tensorboard::EventWriter;
use taper_train::{
    Better, DeviceBatch, Error, EvaluateOptions, Finished, Measured, Metric, Result, Rows, Silent, Split, Sums, Task,
    evaluate,
};

/// Pictures that are measured at a time, of other splits than the run's own.
const AT_A_TIME: usize = 32;
/// The most detections of a picture that are measured, as COCO's evaluation has them, and the numbers of one: its box, its class
/// and its score, which is 0 where there are fewer.
const MOST: usize = 100;
const NUMBERS: usize = 6;
/// What counts in average precision: every detection with any hope of being right. Doubles of an overlap over 0.6 are removed.
const MEASURED: DetectionOptions =
    DetectionOptions { score: 0.02, overlap: 0.6, across_classes: false, candidates: 1000, most: MOST };

/// The task of finding the things in the pictures of the field `inputs`, with a [`Detector`]: those of the fields `boxes`
/// (`[N, M, 4]`, x1, y1, x2, y2 in pixels of the samples), `classes` (`[N, M]`, below 0 where there is none), `crowds`, `areas` and
/// `sizes`, as [`taper_data::SceneTargets::Boxes`] gives them. Crowds and boxes without area are not learned from.
///
/// Metrics: the loss (FCOS's: the focal loss of classes, the GIoU loss of boxes, the cross entropy of the centerness), and of held-out
/// splits `map_50` and `map`, the mean over classes of the average precision at an overlap of 0.5, and at 0.5 to 0.95, as
/// [`detection_scores`] counts them, in the pictures' own pixels; `ap_50_NAME` is that of one class.
pub struct Detecting {
    model: Detector,
    classes: Vec<String>,
    /// Other splits, by name.
    others: Vec<(String, Box<dyn Dataset>)>,
}

impl Detecting {
    /// With the names of the classes, in the order of their numbers.
    pub fn new<S: Into<String>>(model: Detector, classes: impl IntoIterator<Item = S>) -> Self {
        Self { model, classes: classes.into_iter().map(Into::into).collect(), others: Vec::new() }
    }

    /// Measures the split `name` too, whenever the test split is measured: the metrics `map_50_NAME` and `map_NAME`.
    #[must_use]
    pub fn beside(mut self, name: impl Into<String>, data: Box<dyn Dataset>) -> Self {
        self.others.push((name.into(), data));
        self
    }

    /// The loss of a batch, and what was found in its pictures if `found` asks for it.
    fn sums(&self, batch: &DeviceBatch<'_>, context: &Context, found: bool) -> Result<Sums> {
        let x = batch.float("inputs")?; // [N, 3, H, W]
        let [_, _, height, width] = x.dims::<4>()?;
        let output = self.model.forward(&x, context)?;
        let objects = objects(batch.host())?;
        let head = self.model.head();
        let targets = FcosTargets::new(&objects, output.grid, head, batch.dtype(), batch.device())?;
        let sums = Sums::mean(targets.loss(&output)?.total()?, batch.len());
        if !found {
            return Ok(sums);
        }
        let found = head.detections(&output, [height, width], &MEASURED)?;
        let mut rows = vec![0.0_f32; found.len() * MOST * NUMBERS];
        for (row, found) in rows.chunks_exact_mut(MOST * NUMBERS).zip(&found) {
            for (to, one) in row.chunks_exact_mut(NUMBERS).zip(found) {
                let numbers = one.bounds.into_iter().chain([one.class as f64, one.score]);
                to.iter_mut().zip(numbers).for_each(|(to, number)| *to = number as f32);
            }
        }
        Ok(sums.with_rows(Tensor::from_vec(rows, [found.len(), MOST * NUMBERS], batch.device())?))
    }

    /// What the detections in `rows` of the pictures of `data` are worth.
    fn scores(&self, rows: &Rows, data: &dyn Dataset) -> Result<DetectionScores> {
        let truth = Truth::of(data)?;
        let found: Vec<Vec<Detection>> =
            rows.iter().zip(&truth.scales).map(|(row, scale)| of_row(row, *scale)).collect();
        detection_scores(&truth.boxes, &found, self.classes.len())
    }
}

/// The detections in a row of numbers, in the pixels of the picture itself.
fn of_row(row: &[f64], [x, y]: [f64; 2]) -> Vec<Detection> {
    let of = |numbers: &[f64; NUMBERS]| {
        let [x1, y1, x2, y2, class, score] = *numbers;
        (score > 0.0).then_some(Detection { bounds: [x1 * x, y1 * y, x2 * x, y2 * y], class: class as usize, score })
    };
    row.as_chunks::<NUMBERS>().0.iter().filter_map(of).collect()
}

/// What is there in all pictures of a data set, in the pixels of each.
struct Truth {
    boxes: Vec<Vec<TrueBox>>,
    /// Pixels of the picture for one of the sample, across and down.
    scales: Vec<[f64; 2]>,
}

impl Truth {
    fn of(data: &dyn Dataset) -> Result<Self> {
        let (mut all, mut batch) = (Self { boxes: Vec::new(), scales: Vec::new() }, Batch::default());
        let indices: Vec<usize> = (0..data.len()).collect();
        for indices in indices.chunks(AT_A_TIME) {
            batch.clear(indices.len());
            data.fill(0, indices, &mut batch)?;
            let side = |back: usize| batch.field("inputs").map(|field| field.shape.iter().rev().nth(back).copied());
            let [width, height] = [side(0)?.unwrap_or(1) as f64, side(1)?.unwrap_or(1) as f64];
            let sizes = floats(&batch, "sizes")?;
            let scales =
                sizes.as_chunks::<2>().0.iter().map(|[own_height, own_width]| [own_width / width, own_height / height]);
            let scales: Vec<[f64; 2]> = scales.collect();
            let things = things(&batch)?;
            for (things, &[x, y]) in things.into_iter().zip(&scales) {
                let own = |thing: TrueBox| {
                    let [x1, y1, x2, y2] = thing.bounds;
                    TrueBox { bounds: [x1 * x, y1 * y, x2 * x, y2 * y], ..thing }
                };
                all.boxes.push(things.into_iter().map(own).collect());
            }
            all.scales.extend(scales);
        }
        Ok(all)
    }
}

/// The values of the f64 field `name`.
fn floats<'a>(batch: &'a Batch, name: &str) -> Result<&'a [f64]> {
    match &batch.field(name)?.data {
        HostData::F64(values) => Ok(values),
        other => {
            let dtype = other.dtype();
            Err(Error::Usage(format!("detection: expected the field `{name}` in f64, found it in {dtype}")))
        }
    }
}

/// What is there in the pictures of a batch, in pixels of the samples.
fn things(batch: &Batch) -> Result<Vec<Vec<TrueBox>>> {
    let (classes, crowds) = (batch.i64s("classes")?, batch.i64s("crowds")?);
    let (boxes, areas) = (floats(batch, "boxes")?.as_chunks::<4>().0, floats(batch, "areas")?);
    let most = (classes.len() / batch.len().max(1)).max(1);
    let each = classes.iter().zip(crowds).zip(boxes).zip(areas).map(|(((&class, &crowd), &bounds), &area)| {
        // Below 0 there is nothing.
        usize::try_from(class).ok().map(|class| TrueBox { bounds, class, area, crowd: crowd != 0 })
    });
    let each: Vec<Option<TrueBox>> = each.collect();
    Ok(each.chunks(most).map(|things| things.iter().copied().flatten().collect()).collect())
}

/// What a batch is learned from.
fn objects(batch: &Batch) -> Result<Vec<Vec<Object>>> {
    let object = |thing: &TrueBox| {
        let [x1, y1, x2, y2] = thing.bounds;
        (!thing.crowd && x1 < x2 && y1 < y2).then_some(Object { bounds: thing.bounds, class: thing.class })
    };
    Ok(things(batch)?.iter().map(|things| things.iter().filter_map(object).collect()).collect())
}

/// The name of the metric of one class.
fn of_class(name: &str) -> String {
    format!("ap_50_{name}")
}

impl Task for Detecting {
    fn metrics(&self) -> Vec<Metric> {
        let of_splits = [String::new()].into_iter().chain(self.others.iter().map(|(name, _)| format!("_{name}")));
        let of_splits = of_splits.flat_map(|of| ["map_50", "map"].map(|name| Metric::percent(format!("{name}{of}"))));
        let each = self.classes.iter().map(|name| Metric::percent(of_class(name)).aside());
        [Metric::new("loss", "", Better::Lower)].into_iter().chain(of_splits).chain(each).collect()
    }

    fn monitor(&self) -> &str {
        "map_50"
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        self.sums(batch, context, false)
    }

    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        self.sums(batch, context, true)
    }

    fn conclude(&self, measured: &Measured<'_>) -> Result<Vec<(String, f64)>> {
        let mut values = Vec::new();
        let mut add = |scores: &DetectionScores, of: &str| {
            values.extend(scores.map_50().map(|value| (format!("map_50{of}"), value)));
            values.extend(scores.map().map(|value| (format!("map{of}"), value)));
        };
        let scores = self.scores(measured.rows, measured.data)?;
        add(&scores, "");
        if measured.split == Split::Test {
            for (name, data) in &self.others {
                // As a split that is not the test's, beside which nothing is measured.
                let options = EvaluateOptions { batch_size: AT_A_TIME, workers: 1, split: Split::Validation };
                let found = evaluate(self, measured.params, data, &options, &AtomicBool::new(false), &mut Silent)?;
                for (_, rows) in found.iter() {
                    add(&self.scores(rows, data)?, &format!("_{name}"));
                }
            }
        }
        let each = self.classes.iter().zip(&scores.classes);
        values.extend(each.filter_map(|(name, [_, at_half])| Some((of_class(name), (*at_half)?))));
        Ok(values)
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, events: Option<&mut EventWriter>) -> Result<()> {
        report::report(self, found, page, events)
    }
}
