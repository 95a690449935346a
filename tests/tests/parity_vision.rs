//! The zoo's networks of pictures beside torchvision's, at an eighth of their width (`tests/peers/parity_vision.py`): logits,
//! loss, and the gradients of the first and the last layer, in evaluation and in a training step, and evaluation with the
//! statistics that the step has left.
//!
//! The training step is compared in f64. In f32 batch norm over few values, layer after layer, amplifies rounding, and at
//! ReLU's kink a gradient jumps: PyTorch's own f32 differs from its f64 by 5e-4 in the logits of ResNet-152, and by more than
//! 1e-2 in gradients.

use taper::config::Named;
use taper::nn::{Context, CrossEntropy, DType, Device, Module, Params, RandomKey, Result, Tensor};
use taper_models::{InputSpec, build};
use taper_tests::parity::{Parity, uniform};

const CLASSES: usize = 10;

/// Of f64 and f32: for outputs, and for gradients.
const BOUNDS: [(DType, f64, f64); 2] = [(DType::F64, 1e-10, 1e-10), (DType::F32, 1e-5, 1e-4)];

fn cpu() -> Device {
    Device::new(taper_cpu::CpuBackend::with_threads(2).unwrap())
}

/// Holds the model `named` on pictures of `shape` to the record of its name.
fn compare(named: &Named, shape: [usize; 4]) {
    let device = cpu();
    let record = Parity::read(&named.name, &device).unwrap();
    for (dtype, outputs, gradients) in BOUNDS {
        let of = Compared { record: &record, device: &device, named, shape, dtype, outputs, gradients };
        of.compare().unwrap_or_else(|error| panic!("{error}"));
    }
}

struct Compared<'a> {
    record: &'a Parity,
    device: &'a Device,
    named: &'a Named,
    shape: [usize; 4],
    dtype: DType,
    outputs: f64,
    gradients: f64,
}

impl Compared<'_> {
    fn compare(&self) -> Result<()> {
        let params = Params::new(self.device, self.dtype, RandomKey::new(0));
        let [_, c, h, w] = self.shape;
        let model = build(self.named.clone(), &InputSpec { shape: [c, h, w], classes: CLASSES }, &params)?;
        self.record.fill(&params)?;
        self.step("eval", &*model, &params, Context::eval())?;
        if self.dtype == DType::F64 && self.record.names().any(|name| name == "train") {
            self.step("train", &*model, &params, Context::train(0, 0, 0))?;
            self.record.check("after", &self.logits(&*model, &Context::eval())?, self.outputs)?;
        }
        Ok(())
    }

    fn logits(&self, model: &dyn Module, context: &Context) -> Result<Tensor> {
        model.forward(&uniform("input", &self.shape, self.device)?.cast(self.dtype)?, context)
    }

    /// Logits, loss and gradients. In training auxiliary heads count.
    fn step(&self, split: &str, model: &dyn Module, params: &Params, context: Context) -> Result<()> {
        let check = |name: &str, found: &Tensor, bound| self.record.check(name, found, bound);
        let heads = if context.is_training() { model.auxiliary() } else { Vec::new() };
        let context = heads.iter().fold(context, |context, (path, _)| context.capture(path));
        let labels: Vec<i64> = (0..self.shape[0]).map(|i| (i % CLASSES) as i64).collect();
        let labels = Tensor::from_vec(labels, [self.shape[0]], self.device)?;
        let y = self.logits(model, &context)?;
        check(split, &y, self.outputs)?;
        let mut loss = CrossEntropy::default().forward(&y, &labels)?;
        for (path, output) in if heads.is_empty() { Vec::new() } else { context.captured()? } {
            check(&path, &output, self.outputs)?;
            let (_, weight) = heads.iter().find(|(of, _)| *of == path).unwrap();
            loss = loss.add(&CrossEntropy::default().forward(&output, &labels)?.mul_scalar(*weight)?)?;
        }
        check(&format!("{split}_loss"), &loss.reshape([1])?, self.outputs)?;
        let found = loss.backward()?;
        let mut compared = 0;
        for recorded in self.record.names() {
            let Some(name) = recorded.strip_prefix(&format!("{split}_grad.")) else { continue };
            let param = params.all().into_iter().find(|param| param.name() == name).unwrap();
            check(recorded, found.of_param(&param).unwrap(), self.gradients)?;
            compared += 1;
        }
        assert!(compared >= 2, "{}: {compared} gradients", self.named.name);
        Ok(())
    }
}

/// `name` at an eighth of its width.
fn narrow(name: &str) -> Named {
    Named::new(name).with("width", 0.125)
}

#[test]
fn perceptron_and_lenet() {
    compare(&Named::new("perceptron"), [4, 3, 2, 2]);
    compare(&Named::new("lenet5"), [4, 1, 28, 28]);
}

#[test]
fn an_mlp_of_each_activation() {
    let device = cpu();
    let record = Parity::read("mlp", &device).unwrap();
    let mut compared = 0;
    for (dtype, bound, _) in BOUNDS {
        for name in record.names() {
            let params = Params::new(&device, dtype, RandomKey::new(0));
            let named = Named::new("mlp").with("hidden", vec![7, 5]).with("activation", name);
            let model = build(named, &InputSpec { shape: [3, 2, 2], classes: CLASSES }, &params).unwrap();
            record.fill(&params).unwrap();
            let x = uniform("input", &[4, 3, 2, 2], &device).unwrap().cast(dtype).unwrap();
            record.check(name, &model.forward(&x, &Context::eval()).unwrap(), bound).unwrap();
            compared += 1;
        }
    }
    assert_eq!(compared, 20);
}

#[test]
fn alexnet() {
    compare(&narrow("alexnet").with("dropout", 0.0), [2, 3, 67, 63]);
}

#[test]
fn vgg() {
    for depth in [11, 13, 16, 19] {
        for norm in ["", "_bn"] {
            compare(&narrow(&format!("vgg{depth}{norm}")).with("dropout", 0.0), [4, 3, 64, 48]);
        }
    }
}

#[test]
fn googlenet() {
    let named = narrow("googlenet").with("transform_input", true).with("dropout", 0.0).with("dropout_aux", 0.0);
    compare(&named, [4, 3, 64, 48]);
}

#[test]
fn resnet() {
    for depth in [18, 34, 50, 101, 152] {
        compare(&narrow(&format!("resnet{depth}")), [4, 3, 65, 64]);
    }
}

#[test]
fn resnets_of_small_pictures() {
    for depth in [20, 32, 56, 110] {
        compare(&Named::new(format!("resnet{depth}")).with("width", 0.25), [4, 3, 16, 17]);
    }
}
