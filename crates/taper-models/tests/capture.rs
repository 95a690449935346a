//! Capturing the outputs of models' stages by name, with fusion at work as without.

use std::sync::{Arc, Mutex};
use taper_backend::observed::{Call, Ending, Observed, Observer};
use taper_models::{InputSpec, build};
use taper_nn::taper_tensor::{GradOptions, grad};
use taper_nn::{Context, CrossEntropy, DType, Device, Module, Params, RandomKey, Tensor};

const CIFAR: InputSpec = InputSpec { shape: [3, 32, 32], classes: 10 };

/// Every call that was carried out, with shapes, in order.
#[derive(Debug, Default)]
struct Calls(Mutex<Vec<String>>);

impl Observer for Calls {
    fn called(&self, call: &Call) {
        if call.ending == Ending::Done {
            let call = format!("{} {} {:?} {:?}", call.method, call.variant, call.operands, call.results);
            self.0.lock().unwrap().push(call);
        }
    }
}

struct Bench {
    calls: Arc<Calls>,
    device: Device,
    params: Params,
    model: Box<dyn Module>,
}

impl Bench {
    fn new(name: &str) -> Self {
        let calls = Arc::new(Calls::default());
        let cpu = Device::new(taper_cpu::CpuBackend::with_threads(2).unwrap());
        let device = Observed::device(cpu, calls.clone());
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let model = build(name, &CIFAR, &params).unwrap();
        Self { calls, device, params, model }
    }

    /// The calls since this was asked last.
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.0.lock().unwrap())
    }

    /// `[n, 3, side, side]`.
    fn pictures(&self, n: usize, side: usize) -> Tensor {
        let values: Vec<f32> = (0..n * 3 * side * side).map(|i| (31 * i % 257) as f32 / 257.0).collect();
        Tensor::from_vec(values, [n, 3, side, side], &self.device).unwrap()
    }

    /// A forward and backward pass of two pictures: the loss, the gradients of all parameters one after the other, and the calls of both
    /// passes.
    fn step(&self, side: usize, context: &Context) -> (f64, Vec<f32>, Vec<String>) {
        let (x, classes) = (self.pictures(2, side), Tensor::from_vec(vec![3i64, 7], [2], &self.device).unwrap());
        self.taken();
        let loss = CrossEntropy::default().forward(&self.model.forward(&x, context).unwrap(), &classes).unwrap();
        let gradients = loss.backward().unwrap();
        let calls = self.taken();
        let all = self.params.trainable();
        let found = all.iter().flat_map(|param| gradients.of_param(param).unwrap().to_vec::<f32>().unwrap());
        let found = (loss.item().unwrap(), found.collect(), calls);
        self.taken(); // reading them
        found
    }

    fn tensor(&self, name: &str) -> Tensor {
        self.params.all().iter().find(|param| param.name() == name).unwrap().tensor()
    }

    /// Convolution and batch norm in training, of the parameters at these paths.
    fn conv_bn(&self, x: &Tensor, [conv, bn]: [String; 2], stride: usize) -> Tensor {
        let weight = self.tensor(&format!("{conv}.weight"));
        let padding = weight.shape()[2] / 2;
        let spec = taper_nn::Conv2dSpec { stride: [stride; 2], padding: [padding; 2], ..Default::default() };
        let (weight, bias) = (x.conv2d(&weight, None, spec).unwrap(), self.tensor(&format!("{bn}.bias")));
        weight.batch_norm(Some(&self.tensor(&format!("{bn}.weight"))), Some(&bias), 1e-5).unwrap().0
    }
}

fn floats(x: &Tensor) -> Vec<f32> {
    x.to_vec::<f32>().unwrap()
}

#[test]
fn a_resnets_stages_are_captured_without_another_call() {
    let bench = Bench::new("resnet18");
    let plain = bench.step(32, &Context::train(0, 0, 0));
    for fused in ["conv2d_block ", "batch_norm_block Relu", "batch_norm_block_grad Relu", "batch_norm_stats"] {
        assert!(plain.2.iter().any(|call| call.starts_with(fused)), "{fused}: {:?}", plain.2);
    }
    let context = Context::train(0, 0, 0).capture("layer[1-4]");
    assert_eq!(bench.step(32, &context), plain, "loss, gradients and calls");
    let captured = context.captured().unwrap();
    let shapes: Vec<(&str, &[usize])> = captured.iter().map(|(name, y)| (name.as_str(), y.shape().dims())).collect();
    let due: [(&str, &[usize]); 4] = [
        ("layer1", &[2, 64, 32, 32]),
        ("layer2", &[2, 128, 16, 16]),
        ("layer3", &[2, 256, 8, 8]),
        ("layer4", &[2, 512, 4, 4]),
    ];
    assert_eq!(shapes, due);
    assert_eq!(bench.taken().len(), 0, "all of them were computed anyway");

    // Stage by stage, by hand.
    let named = |conv: &str, bn: &str| [conv.to_owned(), bn.to_owned()];
    let mut x = bench.conv_bn(&bench.pictures(2, 32), named("conv1", "bn1"), 1).relu().unwrap();
    for (stage, (_, captured)) in (1..).zip(&captured) {
        for block in 0..2 {
            let stride = if stage > 1 && block == 0 { 2 } else { 1 };
            let at = |layer: &str| format!("layer{stage}.{block}.{layer}");
            let y = bench.conv_bn(&x, [at("conv1"), at("bn1")], stride).relu().unwrap();
            let y = bench.conv_bn(&y, [at("conv2"), at("bn2")], 1);
            let shortcut = match stride {
                1 => x,
                _ => bench.conv_bn(&x, [at("downsample.0"), at("downsample.1")], stride),
            };
            x = y.add(&shortcut).unwrap().relu().unwrap();
        }
        assert_eq!(floats(captured), floats(&x), "layer{stage}");
    }
}

/// The output of `bn2` goes into its addition and ReLU in one kernel, captured or not.
#[test]
fn a_captured_value_in_the_middle_costs_its_own_computation_when_it_is_read() {
    let bench = Bench::new("resnet18");
    let plain = bench.step(8, &Context::train(0, 0, 0));
    let context = Context::train(0, 0, 0).capture("layer?.1.bn2").capture("layer4.0.downsample");
    assert_eq!(bench.step(8, &context), plain);
    let captured = context.captured().unwrap();
    assert_eq!(
        captured.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["layer1.1.bn2", "layer2.1.bn2", "layer3.1.bn2", "layer4.0.downsample", "layer4.1.bn2",]
    );
    assert_eq!(bench.taken().len(), 0);
    for (name, value) in &captured {
        floats(value);
        let methods = bench.taken();
        let methods: Vec<&str> = methods.iter().filter_map(|call| call.split_whitespace().next()).collect();
        // The shortcut's value was there already, as the operand of an addition.
        let due: &[&str] = if name.contains("down") { &["download"] } else { &["batch_norm_block", "download"] };
        assert_eq!(methods, due, "{name}");
    }
}

/// What Grad-CAM needs (Selvaraju et al., ICCV 2017): the last stage's output and the gradient of a class's score with
/// respect to it. Behind the stage there are a mean over its positions and a linear layer, so the gradient is the layer's
/// weight divided by the number of positions.
#[test]
fn the_gradient_of_a_score_with_respect_to_a_captured_stage() {
    let bench = Bench::new("resnet18");
    let context = Context::eval().capture("layer4").capture("avgpool").capture("layer3.0.bn1");
    let logits = bench.model.forward(&bench.pictures(1, 32), &context).unwrap();
    let captured = context.captured().unwrap();
    let of = |name: &str| &captured.iter().find(|(path, _)| path == name).unwrap().1;
    let score = logits.narrow(1, 3, 1).unwrap().sum_all().unwrap();
    let wanted = [of("layer4"), of("avgpool"), of("layer3.0.bn1")];
    let found = grad(&score, &wanted, None, GradOptions::default()).unwrap();
    let shapes: Vec<&[usize]> = found.iter().map(|g| g.as_ref().unwrap().shape().dims()).collect();
    assert_eq!(shapes, [&[1, 512, 4, 4][..], &[1, 512, 1, 1], &[1, 256, 8, 8]]);
    let weight = floats(&bench.tensor("fc.weight").narrow(0, 3, 1).unwrap());
    let (maps, pooled) = (floats(found[0].as_ref().unwrap()), floats(found[1].as_ref().unwrap()));
    assert_eq!(pooled, weight);
    assert!(maps.iter().enumerate().all(|(i, g)| (g - weight[i / 16] / 16.0).abs() < 1e-9), "a power of two");
    assert!(floats(found[2].as_ref().unwrap()).iter().any(|&g| g != 0.0));
}

/// All layers and blocks of the models, by PyTorch's names.
#[test]
fn every_block_of_a_model_has_its_name() {
    let names = |model: &str| -> Vec<String> {
        let bench = Bench::new(model);
        let context = Context::eval().capture("*");
        bench.model.forward(&bench.pictures(1, 32), &context).unwrap();
        context.captured().unwrap().into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names("mlp"), ["fc1", "fc2", "fc3", ""]);
    assert_eq!(names("seed-cnn"), ["conv1", "conv2", "fc1", "fc2", ""]);
    let group = |i: usize| ["conv1", "norm1", "conv2", "norm2"].map(|layer| format!("layers.{i}.{layer}"));
    let mut airbench = vec!["whiten".to_owned()];
    (1..=3).for_each(|i| airbench.extend(group(i).into_iter().chain([format!("layers.{i}")])));
    airbench.extend(["head", ""].map(str::to_owned));
    assert_eq!(names("airbench"), airbench);
    let mut resnet: Vec<String> = ["conv1", "bn1"].map(str::to_owned).into();
    for stage in 1..=4 {
        for block in 0..2 {
            let mut layers = vec!["conv1", "bn1", "conv2", "bn2"];
            if stage > 1 && block == 0 {
                layers.extend(["downsample.0", "downsample.1", "downsample"]);
            }
            resnet.extend(layers.into_iter().map(|layer| format!("layer{stage}.{block}.{layer}")));
            resnet.push(format!("layer{stage}.{block}"));
        }
        resnet.push(format!("layer{stage}"));
    }
    resnet.extend(["avgpool", "fc", ""].map(str::to_owned));
    assert_eq!(names("resnet18"), resnet);
}
