//! Dense labels: a class for each pixel, as in semantic segmentation.

mod report;

use crate::{IGNORED_LABEL, labels};
use std::sync::atomic::AtomicBool;
use taper_data::{Batch, Dataset};
use taper_nn::{Context, CrossEntropy, DType, Dice, Module, Tensor, no_grad};
use taper_report::html::Page;
use taper_report::tensorboard::EventWriter;
use taper_train::{
    DeviceBatch, EvaluateOptions, Evaluation, Finished, Measured, Metric, Result, Silent, Split, Sums, Task, evaluate,
};

/// Samples that are measured at a time, of other splits than the run's own.
const AT_A_TIME: usize = 32;

/// The task of predicting the field `labels` (`[N, H, W]`, i64) from the field `inputs`, with a model that gives logits
/// `[N, classes, H, W]`. A pixel whose label is [`IGNORED_LABEL`] counts in none of the sums.
///
/// Metrics: the loss (cross entropy, in nats a pixel, and the Dice loss where it is asked for), the accuracy of pixels, and of overlaps
///
/// - `iou`, the intersection over union of all classes together: correct pixels over the union of predicted and true ones, each
///   summed over classes;
/// - of held-out splits, `iou_NAME` of each class: of its pixels in all samples together, those that are predicted and true over
///   those that are predicted or true. It is 0 where the class is predicted and never true, or true and never predicted; where it
///   is neither, there is no value;
/// - `mean_iou`, the mean of these over the classes that have a value, the background among them if it is a class; and `dice`, the
///   mean of 2 · IoU / (1 + IoU), which is the Dice coefficient, or F1, of a class.
///
/// Intersections and unions are whole numbers that are summed over the split, so that the size of batches changes nothing.
pub struct DenseLabels<M> {
    model: M,
    classes: Vec<String>,
    /// The share of the Dice loss.
    dice: f64,
    /// Whether held-out samples are seen mirrored too.
    mirror: bool,
    /// Other splits, by name.
    others: Vec<(String, Box<dyn Dataset>)>,
}

impl<M: Module> DenseLabels<M> {
    /// With the names of the classes, in the order of their labels.
    pub fn new<S: Into<String>>(model: M, classes: impl IntoIterator<Item = S>) -> Self {
        Self {
            model,
            classes: classes.into_iter().map(Into::into).collect(),
            dice: 0.0,
            mirror: false,
            others: Vec::new(),
        }
    }

    /// Adds `share` times the Dice loss, of each class over the batch, to the cross entropy: overlaps count then, whatever the
    /// number of a class's pixels. The loss has no unit any more.
    #[must_use]
    pub fn with_dice(self, share: f64) -> Self {
        Self { dice: share, ..self }
    }

    /// Predicts held-out samples as the mean of the logits of each and of its mirror image.
    #[must_use]
    pub fn with_mirror(self, mirror: bool) -> Self {
        Self { mirror, ..self }
    }

    /// Measures the split `name` too, whenever the test split is measured: the metrics `mean_iou_NAME` and `dice_NAME`.
    #[must_use]
    pub fn beside(mut self, name: impl Into<String>, data: Box<dyn Dataset>) -> Self {
        self.others.push((name.into(), data));
        self
    }

    fn sums(&self, batch: &DeviceBatch<'_>, context: &Context, of_classes: bool) -> Result<Sums> {
        let labels = batch.tensor("labels")?; // [N, H, W]
        let mirror = self.mirror && of_classes;
        let logits = logits(&self.model, &batch.float("inputs")?, mirror, context)?; // [N, classes, H, W]
        let mut loss = CrossEntropy::default().forward(&logits, &labels)?;
        if self.dice > 0.0 {
            let dice = Dice { batch: true, ..Dice::default() }.forward(&logits.softmax(1)?, &labels)?;
            loss = loss.add(&dice.mul_scalar(self.dice)?)?;
        }
        let pixels = labels::counted(batch.host().i64s("labels")?);
        let ones = |mask: Tensor| -> taper_nn::Result<Tensor> { mask.cast(DType::I64)?.sum_all() };
        no_grad(|| {
            let predicted = logits.detach().argmax(1, false)?; // [N, H, W]
            let right = ones(predicted.eq(&labels)?)?;
            // |A ∪ B| = |A| + |B| − |A ∩ B|; over all classes |A| and |B| are all pixels.
            let union = Tensor::full(2.0 * pixels as f64, [], DType::I64, batch.device())?.sub(&right)?;
            let mut sums = Sums::mean(loss, pixels).with("accuracy", &right, pixels).with("iou", &right, union);
            if !of_classes {
                return Ok(sums);
            }
            let known = labels.ne_scalar(IGNORED_LABEL as f64)?;
            for (class, name) in self.classes.iter().enumerate() {
                let (guessed, truth) = (predicted.eq_scalar(class as f64)?, labels.eq_scalar(class as f64)?);
                let guessed = guessed.logical_and(&known)?;
                let both = ones(guessed.logical_and(&truth)?)?;
                let either = ones(guessed.logical_or(&truth)?)?;
                sums = sums.with(of_class(name), both, either);
            }
            Ok(sums)
        })
    }
}

/// The logits `[N, classes, H, W]` of `x: [N, C, H, W]`; with `mirror` the mean of those and of the mirror images', turned back.
pub(crate) fn logits(model: &dyn Module, x: &Tensor, mirror: bool, context: &Context) -> taper_nn::Result<Tensor> {
    let logits = model.forward(x, context)?;
    match mirror {
        true => logits.add(&model.forward(&x.flip(&[3])?, context)?.flip(&[3])?)?.mul_scalar(0.5),
        false => Ok(logits),
    }
}

/// The name of the metric of one class.
fn of_class(name: &str) -> String {
    format!("iou_{name}")
}

/// The Dice coefficient of two sets, of their intersection over union.
fn dice(iou: f64) -> f64 {
    2.0 * iou / (1.0 + iou)
}

/// The mean over those that there are.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// What is measured over the classes of a split, `mean_iou` and `dice`, of the values of the classes.
fn over_classes(classes: &[String], found: &Evaluation) -> Option<[f64; 2]> {
    let each = || classes.iter().filter_map(|name| found.get(&of_class(name)));
    Some([mean(each())?, mean(each().map(dice))?])
}

impl<M: Module> Task for DenseLabels<M> {
    fn metrics(&self) -> Vec<Metric> {
        let unit = if self.dice > 0.0 { "" } else { "nats/pixel" };
        let mut all = vec![Metric::loss(unit)];
        let of_splits = [String::new()].into_iter().chain(self.others.iter().map(|(name, _)| format!("_{name}")));
        all.extend(of_splits.flat_map(|of| ["mean_iou", "dice"].map(|name| Metric::percent(format!("{name}{of}")))));
        all.extend([Metric::percent("accuracy"), Metric::percent("iou")]);
        all.extend(self.classes.iter().map(|name| Metric::percent(of_class(name)).aside()));
        all
    }

    fn monitor(&self) -> &str {
        "mean_iou"
    }

    /// The samples with a label on at least one pixel.
    fn counted(&self, batch: &Batch) -> usize {
        labels::samples(batch, "labels")
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        self.sums(batch, context, false)
    }

    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        self.sums(batch, context, true)
    }

    fn conclude(&self, measured: &Measured<'_>) -> Result<Vec<(String, f64)>> {
        let mut values = Vec::new();
        let mut add = |found: &Evaluation, of: &str| {
            let pair = over_classes(&self.classes, found);
            values.extend(
                pair.into_iter().flat_map(|[iou, dice]| [(format!("mean_iou{of}"), iou), (format!("dice{of}"), dice)]),
            );
        };
        add(measured.found, "");
        if measured.split == Split::Test {
            for (name, data) in &self.others {
                // As a split that is not the test's, beside which nothing is measured.
                let options = EvaluateOptions { batch_size: AT_A_TIME, workers: 1, split: Split::Validation };
                let found = evaluate(self, measured.params, data, &options, &AtomicBool::new(false), &mut Silent)?;
                found.iter().for_each(|(found, _)| add(found, &format!("_{name}")));
            }
        }
        Ok(values)
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, events: Option<&mut EventWriter>) -> Result<()> {
        report::report(self, found, page, events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_data::FieldSpec;
    use taper_nn::{Device, Params, RandomKey};

    /// Labels, and a model that is given its answers as inputs.
    struct Given {
        labels: Vec<Vec<i64>>,
        answers: Vec<Vec<i64>>,
    }

    struct Echo;

    impl Module for Echo {
        fn forward(&self, x: &Tensor, _: &Context) -> taper_nn::Result<Tensor> {
            // [N, 1, 1, W] of classes → one-hot logits [N, 3, 1, W].
            let classes: Vec<Tensor> =
                (0..3).map(|class| x.eq_scalar(f64::from(class))?.cast(DType::F32)).collect::<Result<_, _>>()?;
            Tensor::concat(&classes.iter().collect::<Vec<_>>(), 1)
        }
    }

    impl Dataset for Given {
        fn len(&self) -> usize {
            self.labels.len()
        }

        fn fields(&self) -> Vec<FieldSpec> {
            let width = self.labels[0].len();
            vec![
                FieldSpec::new("inputs", DType::F32, &[1, 1, width]),
                FieldSpec::new("labels", DType::I64, &[1, width]),
            ]
        }

        fn fill(&self, _: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
            let width = self.labels[0].len();
            let answers = indices.iter().flat_map(|&i| &self.answers[i]).map(|&class| class as f32);
            batch.f32("inputs", &[indices.len(), 1, 1, width]).iter_mut().zip(answers).for_each(|(to, x)| *to = x);
            let labels = indices.iter().flat_map(|&i| &self.labels[i]);
            batch.i64("labels", &[indices.len(), 1, width]).iter_mut().zip(labels).for_each(|(to, &x)| *to = x);
            Ok(())
        }
    }

    fn measured(data: &Given, batch_size: usize, task: &DenseLabels<Echo>) -> Evaluation {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let options = EvaluateOptions { batch_size, workers: 1, split: Split::Test };
        evaluate(task, &params, data, &options, &AtomicBool::new(false), &mut Silent).unwrap().unwrap().0
    }

    /// By hand: of pixels that are known, class 0 has 3 in common of 6, class 1 has 1 of 4, class 2 is nowhere.
    #[test]
    fn overlaps_are_of_the_whole_split_however_it_is_cut() {
        let data = Given {
            labels: vec![vec![0, 0, 1, 1], vec![0, 0, -100, 1]],
            answers: vec![vec![0, 0, 1, 0], vec![0, 1, 2, 0]],
        };
        let task = DenseLabels::new(Echo, ["nothing", "square", "disc"]);
        for batch_size in [1, 2] {
            let found = measured(&data, batch_size, &task);
            assert_eq!(found.get("iou_nothing"), Some(3.0 / 6.0));
            assert_eq!(found.get("iou_square"), Some(1.0 / 4.0));
            assert_eq!(found.get("iou_disc"), None, "what is neither predicted nor true has no value");
            assert_eq!(found.get("mean_iou"), Some((3.0 / 6.0 + 1.0 / 4.0) / 2.0));
            // 2 |A ∩ B| / (|A| + |B|): 6 / 9 and 2 / 5.
            assert!((found.get("dice").unwrap() - (6.0 / 9.0 + 2.0 / 5.0) / 2.0).abs() < 1e-15);
            assert_eq!(found.get("accuracy"), Some(4.0 / 7.0));
            // A mean of the batches' means would be another number.
        }
        // Predicted once and never true: 0, which counts.
        let wrong = Given { labels: vec![vec![0, 0]], answers: vec![vec![0, 2]] };
        let found = measured(&wrong, 1, &task);
        assert_eq!((found.get("iou_disc"), found.get("mean_iou")), (Some(0.0), Some(0.25)));
    }

    /// Multiplies each column by its number.
    struct Ramp;

    impl Module for Ramp {
        fn forward(&self, x: &Tensor, _: &Context) -> taper_nn::Result<Tensor> {
            x.mul(&Tensor::from_vec(vec![0.0_f32, 1.0, 2.0], [1, 1, 1, 3], x.device())?)
        }
    }

    #[test]
    fn a_mirror_image_is_turned_back() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let x = Tensor::from_vec(vec![5.0_f32, 7.0, 9.0], [1, 1, 1, 3], &device).unwrap();
        let of = |mirror| logits(&Ramp, &x, mirror, &Context::eval()).unwrap().to_vec::<f32>().unwrap();
        // The mean of i and 2 - i is 1.
        assert_eq!((of(false), of(true)), (vec![0.0, 7.0, 18.0], vec![5.0, 7.0, 9.0]));
    }

    #[test]
    fn other_splits_are_measured_with_the_test() {
        let given = |answers: Vec<i64>| Given { labels: vec![vec![0, 1]], answers: vec![answers] };
        let task = DenseLabels::new(Echo, ["a", "b", "c"]).beside("unseen", Box::new(given(vec![0, 0])));
        let found = measured(&given(vec![0, 1]), 1, &task);
        assert_eq!((found.get("mean_iou"), found.get("mean_iou_unseen")), (Some(1.0), Some(0.25)));
    }
}
