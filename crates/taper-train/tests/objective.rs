//! A task of one's own that does not classify: least squares.

mod common;

use common::{Data, config, device, metrics};
use taper_nn::{Context, DType, Flatten, Linear, LinearConfig, Module, Params, RandomKey, Sequential, Tensor};
use taper_train::{DeviceBatch, Fit, Metric, Result, RunFolder, Silent, Sums, Task};

/// The output is to be a tenth of the label's value.
struct LeastSquares<'a>(&'a Sequential);

impl LeastSquares<'_> {
    /// The squared distance of each sample.
    fn squares(&self, x: &Tensor, labels: &Tensor, context: &Context) -> taper_nn::Result<Tensor> {
        let wanted = labels.cast(DType::F32)?.reshape([labels.count(), 1])?.mul_scalar(0.1)?;
        let error = self.0.forward(x, context)?.sub(&wanted)?;
        error.mul(&error)
    }
}

impl Task for LeastSquares<'_> {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss("squared error"), Metric::root_mean_square("rmse", "tenths")]
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let squares = self.squares(&batch.float("inputs")?, &batch.tensor("labels")?, context)?;
        let sum = squares.detach().mul_scalar(100.0)?.sum_all()?;
        Ok(Sums::mean(squares.mean_all()?, batch.len()).with("rmse", sum, batch.len()))
    }
}

fn line() -> (Sequential, Params) {
    let params = Params::new(&device(), DType::F32, RandomKey::new(0));
    let fc = Linear::new(LinearConfig::new(64, 1), &params.sub("fc")).unwrap();
    (Sequential::new().then(Flatten).then(fc), params)
}

/// Metrics are those of the task, and are weighed by its counts; what is decided goes by its loss.
#[test]
fn what_is_measured_is_weighed_by_samples() {
    let data = Data::few();
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path().join("run")).unwrap();
    let (model, params) = line();
    let task = LeastSquares(&model);
    let settings = ["train.epochs=80", "optimizer.lr=0.01", "train.eval_batch_size=50", "regularization.patience=2"];
    let config = config(&settings);
    let fit = Fit::new(&config, &task, &params, &data.train).folder(&folder);
    let outcome = fit.validation(&data.validation).test(&data.test).run(&mut Silent).unwrap();

    // 360 are seven batches of 50 and one of 10, in which a mean of means would be another.
    let test = outcome.test.unwrap();
    let pictures = data.test.images().iter().map(|&value| f32::from(value) / f32::from(data.test.max_value()));
    let x = Tensor::from_vec(pictures.collect(), [360, 64], params.device()).unwrap();
    let labels = data.test.labels().to_vec();
    let labels = Tensor::from_vec(labels, [360], params.device()).unwrap();
    let squares = task.squares(&x, &labels, &Context::eval()).unwrap().to_vec::<f32>().unwrap();
    let expected = squares.iter().map(|&square| f64::from(square)).sum::<f64>() / 360.0;
    assert!((test.loss() - expected).abs() < 1e-6 * expected, "{test:?} for {expected}");
    assert!((test.get("rmse").unwrap() - 10.0 * expected.sqrt()).abs() < 1e-5, "{test:?} for {expected}");
    assert_eq!((test.samples, test.values().count(), outcome.rows.values.len()), (360, 2, 0));

    // It has learned: guessing the mean is wrong by 0.083.
    let (last, best) = (outcome.last.unwrap(), outcome.best.unwrap());
    assert!(last.train.loss() < 0.04, "{last:?}");
    assert!(best.epoch > 1 && best.epoch + 2 == last.epoch, "{} of {}", best.epoch, last.epoch);
    let lines = metrics(folder.path());
    let of = |key: &str| lines.iter().filter_map(|line| line.get(key)?.as_f64()).collect::<Vec<_>>();
    let least = of("validation_loss").into_iter().fold(f64::INFINITY, f64::min);
    assert_eq!(best.validation.unwrap().loss(), least);
    for split in ["train", "validation"] {
        let both = of(&format!("{split}_loss")).into_iter().zip(of(&format!("{split}_rmse")));
        assert!(
            both.clone().count() as u64 == last.epoch && both.clone().all(|(a, b)| (a - b * b / 100.0).abs() < 1e-6)
        );
    }
}

/// The epoch that is kept is the best by the metric that is asked for, whichever way it is better.
#[test]
fn the_metric_that_decides_is_one_of_the_tasks() {
    let (data, (model, params)) = (Data::few(), line());
    let task = LeastSquares(&model);
    let run = |monitor: &str| {
        let config = config(&["train.epochs=2", &format!("checkpoint.monitor={monitor}")]);
        Fit::new(&config, &task, &params, &data.train).validation(&data.validation).run(&mut Silent)
    };
    assert!(run("rmse").is_ok());
    assert!(run("loss").is_ok());
    for (name, text) in [
        ("accuracy", "checkpoint.monitor: unknown metric `accuracy`; known: loss, rmse"),
        ("rms", "checkpoint.monitor: unknown metric `rms`; did you mean rmse? (known: loss, rmse)"),
    ] {
        let error = run(name).unwrap_err();
        assert!(error.is_usage());
        assert_eq!(error.to_string(), text);
    }
}

/// A field that the data lack is said with those that they have.
#[test]
fn a_field_that_is_not_there_is_told() {
    struct Other;
    impl Task for Other {
        fn metrics(&self) -> Vec<Metric> {
            vec![Metric::loss("")]
        }
        fn train(&self, batch: &DeviceBatch<'_>, _context: &Context) -> Result<Sums> {
            Ok(Sums::mean(batch.float("targets")?.mean_all()?, batch.len()))
        }
    }
    let (data, (_, params)) = (Data::few(), line());
    let error = Fit::new(&config(&[]), &Other, &params, &data.train).run(&mut Silent).unwrap_err();
    assert!(error.is_usage());
    assert_eq!(error.to_string(), "the task expects a field `targets` in each batch, the data set has inputs, labels");
}
