//! A loss of one's own.

mod common;

use common::{Data, Net, config, device, metrics};
use taper_nn::{Context, DType, Flatten, Linear, LinearConfig, Module, Params, RandomKey, Result, Sequential, Tensor};
use taper_train::{Fit, RunFolder, Silent};

/// The squared distance of the outputs from a tenth of the label's value.
fn squared(y: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let wanted = labels.cast(DType::F32)?.reshape([labels.count(), 1])?.mul_scalar(0.1)?;
    y.sub(&wanted)?.mul(&y.sub(&wanted)?)?.mean_all()
}

#[test]
fn an_objective_of_ones_own() {
    let data = Data::few();
    let net = Net::plain(DType::F32, 0);
    let config = config(&["train.epochs=40", "optimizer.lr=0.003"]);
    let outcome = Fit::new(&config, &net.model, &net.params, &data.train).objective(&squared).run(&mut Silent).unwrap();
    let last = outcome.last.unwrap();
    assert!(last.train_loss < 0.04 && last.train_accuracy == 0.0, "{last:?}");
}

/// With one output, which has no cross entropy: the other splits are measured by the objective, and what is decided
/// goes by it, though the monitor is set to the accuracy.
#[test]
fn an_objective_is_what_is_measured() {
    let data = Data::few();
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path().join("run")).unwrap();
    let params = Params::new(&device(), DType::F32, RandomKey::new(0));
    let fc = Linear::new(LinearConfig::new(64, 1), &params.sub("fc")).unwrap();
    let model = Sequential::new().then(Flatten).then(fc);
    let settings = ["train.epochs=80", "optimizer.lr=0.01", "train.eval_batch_size=50", "regularization.patience=2"];
    let config = config(&settings);
    let fit = Fit::new(&config, &model, &params, &data.train).objective(&squared).folder(&folder);
    let outcome = fit.validation(&data.validation).test(&data.test).run(&mut Silent).unwrap();

    // Weighed by samples: 360 are seven batches of 50 and one of 10, in which a mean of means would be another.
    let test = outcome.test.unwrap();
    let pictures = data.test.images().iter().map(|&value| f32::from(value) / f32::from(data.test.max_value()));
    let x = Tensor::from_vec(pictures.collect(), [360, 64], params.device()).unwrap();
    let labels = data.test.labels().iter().map(|&label| i64::from(label)).collect();
    let labels = Tensor::from_vec(labels, [360], params.device()).unwrap();
    let expected = squared(&model.forward(&x, &Context::eval()).unwrap(), &labels).unwrap().item().unwrap();
    assert!((test.loss - expected).abs() < 1e-6 * expected, "{} for {expected}", test.loss);
    assert_eq!((test.samples, test.correct, outcome.predictions.predicted.len()), (360, 0, 0));

    let (last, best) = (outcome.last.unwrap(), outcome.best.unwrap());
    assert!(best.epoch > 1 && best.epoch + 2 == last.epoch, "{} of {}", best.epoch, last.epoch);
    let losses: Vec<f64> =
        metrics(folder.path()).iter().filter_map(|line| line.get("validation_loss")?.as_f64()).collect();
    assert_eq!(best.validation.unwrap().loss, losses.iter().copied().fold(f64::INFINITY, f64::min));
}

#[test]
fn what_only_the_cross_entropy_has_is_refused() {
    let data = Data::few();
    for setting in [
        "regularization.label_smoothing=0.1",
        "regularization.mixup=1",
        "regularization.cutmix=1",
        "train.reduction=sum",
    ] {
        let net = Net::plain(DType::F32, 0);
        let settings = config(&[setting]);
        let fit = Fit::new(&settings, &net.model, &net.params, &data.train).objective(&squared);
        let text = fit.run(&mut Silent).unwrap_err().to_string();
        let key = setting.split('=').next().unwrap();
        assert_eq!(
            text,
            format!(
                "{key}: is of the cross entropy, which an objective of one's own replaces: leave it at its default, \
                 and do it in the objective"
            )
        );
    }
}
