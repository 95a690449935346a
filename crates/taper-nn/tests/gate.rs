//! What the gate does around every layer's forward (`Context::layer`): error paths, the profiler's labels, captured
//! outputs, counts, evaluation by name, the dtype to compute in.

use std::sync::{Arc, Mutex};
use taper_backend::observed::{Call, Ending, Observed, Observer};
use taper_backend::profile::{Profiler, step};
use taper_nn::taper_tensor::{GradOptions, grad};
use taper_nn::{
    Activation, BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig, CrossEntropy, DType, Device, Dropout,
    Error, Flatten, LayerNorm, LayerNormConfig, Linear, LinearConfig, MaxPool2d, Module, Named, Optimizer, Params,
    Pass, RandomKey, Result, Sequential, Sgd, SgdConfig, Tensor,
};

fn device() -> Device {
    Device::new(taper_cpu::CpuBackend::with_threads(2).unwrap())
}

fn params(device: &Device) -> Params {
    Params::new(device, DType::F32, RandomKey::new(0))
}

/// Values between −1 and 1 without a pattern that a layer could keep.
fn values(shape: &[usize], device: &Device) -> Tensor {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| ((7919 * i) % 1009) as f32 / 504.0 - 1.0).collect();
    Tensor::from_vec(values, shape, device).unwrap()
}

fn floats(x: &Tensor) -> Vec<f32> {
    x.to_vec::<f32>().unwrap()
}

/// y = fc2(relu(fc1(x))), which also asks how often it ran.
struct Block {
    path: String,
    fc1: Linear,
    fc2: Linear,
    nth: Mutex<Vec<u64>>,
}

impl Block {
    fn new(sizes: [usize; 3], params: &Params) -> Self {
        let linear = |i: usize| {
            let config = LinearConfig::new(sizes[i], sizes[i + 1]);
            Linear::new(config, &params.sub(format!("fc{}", i + 1))).unwrap()
        };
        Self { path: params.path().to_owned(), fc1: linear(0), fc2: linear(1), nth: Mutex::default() }
    }
}

impl Module for Block {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            assert_eq!(context.path(), self.path);
            self.nth.lock().unwrap().push(context.nth());
            assert_eq!(context.nth(), *self.nth.lock().unwrap().last().unwrap(), "one run is counted once");
            x.pass(&self.fc1, context)?.relu()?.pass(&self.fc2, context)
        })
    }
}

#[test]
fn an_error_names_the_innermost_layer_once() {
    let device = device();
    let root = params(&device);
    let said = |module: &dyn Module, shape: &[usize]| {
        module.forward(&values(shape, &device), &Context::eval().capture("*")).unwrap_err().to_string()
    };
    let error = said(&Block::new([3, 4, 2], &root.sub("stage.0")), &[2, 5]);
    assert!(error.ends_with(" (in layer stage.0.fc1)") && error.matches("(in layer").count() == 1, "{error}");
    let wrapped = Named::new(Named::new(MaxPool2d::new(0), &root.sub("stage.pool")), &root.sub("stage"));
    let error = said(&wrapped, &[1, 1, 4, 4]);
    assert!(error.ends_with(" (in layer stage.pool)") && error.matches("(in layer").count() == 1, "{error}");
    // An operation between the layers is the block's.
    struct Broken(String);
    impl Module for Broken {
        fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
            context.layer(&self.0, |_| x.add(&x.flatten(0)?))
        }
    }
    assert!(said(&Broken("stage".into()), &[2, 3]).ends_with(" (in layer stage)"));
    assert!(!said(&Broken(String::new()), &[2, 3]).contains("(in layer"));
}

#[test]
fn outputs_are_captured_by_name_in_the_order_in_which_layers_finish() {
    let device = device();
    let root = params(&device);
    let (block, last) = (Block::new([3, 3, 3], &root.sub("a")), Block::new([3, 3, 3], &root.sub("b")));
    let x = values(&[2, 3], &device);
    let context = Context::train(0, 0, 0).capture("a*").capture("?.fc2");
    let first = x.pass(&block, &context).unwrap();
    let y = first.pass(&block, &context).unwrap().pass(&last, &context).unwrap();

    let captured = context.captured().unwrap();
    let names: Vec<&str> = captured.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a.fc1", "a.fc2", "a", "a.fc1", "a.fc2", "a", "b.fc2"]);
    assert_eq!(floats(&captured[2].1), floats(&first));
    assert_eq!(floats(&captured[6].1), floats(&y));
    let hidden = x.linear(&block.fc1.weight().tensor(), Some(&block.fc1.bias().unwrap().tensor())).unwrap();
    assert_eq!(floats(&captured[0].1), floats(&hidden));
    assert_eq!(*block.nth.lock().unwrap(), [0, 1]);
    assert_eq!(*last.nth.lock().unwrap(), [0]);
    assert!(context.unmatched().is_empty());
    assert_eq!(context.clone().captured().unwrap().len(), 7, "a clone belongs to the same step");
    assert!(!format!("{context:?}").contains("Tensor("), "a context's text reads no value");

    // Other contexts have their own outputs and counts.
    let (other, plain) = (Context::train(0, 0, 1).capture("b"), Context::train(0, 0, 1));
    x.pass(&block, &other).unwrap().pass(&last, &other).unwrap();
    x.pass(&last, &plain).unwrap();
    assert_eq!(other.captured().unwrap().len(), 1);
    assert_eq!(*last.nth.lock().unwrap(), [0, 0, 0]);
}

#[test]
fn what_matched_nothing_is_said() {
    let device = device();
    let root = params(&device);
    let block = Block::new([3, 3, 3], &root.sub("a"));
    let context = Context::train(0, 0, 0).capture("a").capture("layer[1-4]").eval_layers("bn*");
    let said = |context: &Context| context.captured().unwrap_err().to_string();
    assert_eq!(said(&context), "captured: no layer matches \"a\"; no layer with a path ran with this context");
    values(&[2, 3], &device).pass(&block, &context).unwrap();
    assert_eq!(said(&context), "captured: no layer matches \"layer[1-4]\"; these ran: a, a.fc1, a.fc2");
    assert_eq!(context.unmatched(), ["layer[1-4]", "bn*"]);
    assert!(Context::eval().unmatched().is_empty());
    let nothing = "captured: nothing was to be captured: name layers with capture before the forward pass";
    assert_eq!(said(&Context::eval()), nothing);
    for i in 0..100 {
        context.layer(&format!("z{i:02}"), |_| Ok(values(&[1], &device))).unwrap();
    }
    assert!(said(&context).ends_with(", z36 and 63 more"), "{}", said(&context));
}

/// The methods called, in order, without those that the backend does not offer.
#[derive(Debug, Default)]
struct Calls(Mutex<Vec<String>>);

impl Observer for Calls {
    fn called(&self, call: &Call) {
        if call.ending == Ending::Done {
            self.0.lock().unwrap().push(format!("{} {} {:?}", call.method, call.variant, call.results));
        }
    }
}

/// A convolution whose output is fused with ReLU and max pooling, captured in the middle of the chain.
#[test]
fn a_captured_middle_value_stays_fused_until_it_is_read() {
    let calls = Arc::new(Calls::default());
    let device = Observed::device(device(), calls.clone());
    let taken = || std::mem::take(&mut *calls.0.lock().unwrap());
    let root = params(&device);
    let conv = Conv2d::new(Conv2dConfig::new(2, 3, 3).padding(1), &root.sub("conv")).unwrap();
    let net = Sequential::new().then(conv.clone()).then(Activation::Relu).then(MaxPool2d::new(2)).then(Flatten);
    let x = values(&[2, 2, 4, 4], &device);
    let run = |context: &Context| {
        taken();
        let y = x.pass(&net, context).unwrap();
        let loss = y.mul(&y).unwrap().sum_all().unwrap();
        (loss.item().unwrap(), taken(), loss)
    };
    let (plain, calls_plain, loss) = run(&Context::train(0, 0, 0));
    assert!(calls_plain.iter().any(|call| call.starts_with("conv2d_block Relu")), "{calls_plain:?}");
    let backward = |loss: &Tensor| {
        let gradients = loss.backward().unwrap();
        (floats(gradients.of_param(conv.weight()).unwrap()), taken())
    };
    let plain_backward = backward(&loss);

    let context = Context::train(0, 0, 0).capture("conv");
    let (captured, calls_captured, loss) = run(&context);
    assert_eq!((captured, &calls_captured), (plain, &calls_plain));
    assert_eq!(backward(&loss), plain_backward);
    let output = context.captured().unwrap().remove(0).1;
    assert_eq!(taken(), Vec::<String>::new(), "asking for the outputs computes nothing");
    let by_hand = x.conv2d(&conv.weight().tensor(), Some(&conv.bias().unwrap().tensor()), {
        taper_nn::Conv2dSpec { padding: [1, 1], ..Default::default() }
    });
    let by_hand = by_hand.unwrap();
    let expected = floats(&by_hand);
    let own: Vec<String> = taken().into_iter().filter(|call| !call.starts_with("download")).collect();
    assert_eq!(floats(&output), expected);
    let read: Vec<String> = taken().into_iter().filter(|call| !call.starts_with("download")).collect();
    assert_eq!(read, own, "reading it costs its own computation");

    // The gradient with respect to it: through ReLU and pooling, by hand from a leaf with its value.
    let context = Context::train(0, 0, 0).capture("conv");
    let (_, _, loss) = run(&context);
    let output = context.captured().unwrap().remove(0).1;
    let found = grad(&loss, &[&output], None, GradOptions::default()).unwrap().remove(0).unwrap();
    let leaf = by_hand.detach().requires_grad();
    let y = leaf.relu().unwrap().max_pool2d(taper_nn::Pool2dSpec::square(2)).unwrap();
    let gradients = y.mul(&y).unwrap().sum_all().unwrap().backward().unwrap();
    assert_eq!(floats(&found), floats(gradients.of(&leaf).unwrap()));
}

/// A pending output holds the weights that it is to be computed from.
#[test]
fn an_output_read_after_an_update_is_that_of_its_pass() {
    let device = device();
    let root = params(&device);
    let conv = Conv2d::new(Conv2dConfig::new(2, 3, 3), &root.sub("conv")).unwrap();
    let x = values(&[2, 2, 4, 4], &device);
    let by_hand = floats(&x.pass(&conv, &Context::eval()).unwrap());
    let context = Context::train(0, 0, 0).capture("conv");
    let y = x.pass(&conv, &context).unwrap().relu().unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    let mut sgd = Sgd::new(root.trainable(), SgdConfig { lr: 1.0, ..SgdConfig::default() }).unwrap();
    assert!(sgd.step(&gradients).unwrap().taken().unwrap());
    assert_ne!(floats(&x.pass(&conv, &Context::eval()).unwrap()), by_hand);
    assert_eq!(floats(&context.captured().unwrap()[0].1), by_hand);
}

#[test]
fn layers_are_put_into_evaluation_by_name() {
    let device = device();
    let root = params(&device);
    let part = |name: &str| {
        let sub = root.sub(name);
        let norm = BatchNorm2d::new(BatchNormConfig::new(2), &sub.sub("bn")).unwrap();
        let drop = Dropout::new(0.5, &sub.sub("drop")).unwrap();
        Named::new(Sequential::new().then(norm).then(drop), &sub)
    };
    let (a, b) = (part("a"), part("b"));
    let x = values(&[3, 2, 4, 4], &device);
    let run = |part: &Named<Sequential>, context: &Context| floats(&x.pass(part, context).unwrap());
    let statistics = |name: &str| -> Vec<Vec<f32>> {
        let all = root.all().into_iter().filter(|p| p.name().starts_with(name) && p.name().contains("running"));
        all.map(|p| floats(&p.tensor())).collect()
    };
    let [evaluated, before] = [run(&a, &Context::eval()), statistics("a").concat()];
    for pattern in ["a", "a.*", "[!b]*"] {
        let context = Context::train(0, 0, 0).eval_layers(pattern);
        assert_eq!(run(&a, &context), evaluated, "{pattern}");
        assert_eq!(statistics("a").concat(), before, "{pattern}");
        assert!(context.is_training() && context.unmatched().is_empty());
        let (trained, moved) = (run(&b, &context), statistics("b"));
        assert!(trained.iter().filter(|&&y| y == 0.0).count() > 20, "dropout of b trains: {trained:?}");
        assert!(moved[0] != [0.0; 2], "the statistics of b move");
    }
    // Each layer alone: the dropout of a evaluates, its batch norm trains.
    let y = run(&a, &Context::train(0, 0, 0).eval_layers("*.drop"));
    assert!(y.iter().all(|&y| y != 0.0) && y != evaluated);
    assert_ne!(statistics("a").concat(), before);
    // Parameters of a layer in evaluation are trained.
    let y = x.pass(&a, &Context::train(0, 0, 0).eval_layers("a")).unwrap();
    let gradients = y.mul(&y).unwrap().sum_all().unwrap().backward().unwrap();
    assert!(gradients.of_param(&root.all()[0]).is_some());
}

/// What another layer draws does not depend on which layers are captured or evaluated.
#[test]
fn names_asked_for_change_no_random_number() {
    let device = device();
    let root = params(&device);
    let drop = |name: &str| Dropout::new(0.5, &root.sub(name)).unwrap();
    let net = Sequential::new().then(drop("a")).then(drop("b")).then(drop("b"));
    let x = Tensor::ones([8, 8], DType::F32, &device).unwrap();
    let run = |context: Context| floats(&x.pass(&net, &context).unwrap());
    let plain = run(Context::train(3, 1, 2));
    assert_eq!(run(Context::train(3, 1, 2).capture("*")), plain);
    let rest = run(Context::train(3, 1, 2).eval_layers("a"));
    // Where a drops nothing, b and its twin draw the same.
    assert!(rest.iter().zip(&plain).all(|(rest, plain)| *plain == 0.0 || *plain == 2.0 * rest), "{rest:?}");
    assert!(rest != plain);
}

#[test]
fn a_model_computes_in_another_dtype() {
    let device = device();
    let root = params(&device);
    let conv = Conv2d::new(Conv2dConfig::new(2, 3, 3).padding(1), &root.sub("conv")).unwrap();
    let norm = BatchNorm2d::new(BatchNormConfig::new(3), &root.sub("bn")).unwrap();
    let fc = Linear::new(LinearConfig::new(3 * 16, 4), &root.sub("fc")).unwrap();
    let rows = LayerNorm::new(LayerNormConfig::new([4]), &root.sub("ln")).unwrap();
    let x = values(&[3, 2, 4, 4], &device);
    let run = |context: &Context| -> Result<[Tensor; 4]> {
        let y = x.pass(&conv, context)?;
        let z = y.pass(&norm, context)?.relu()?;
        let logits = z.flatten(1)?.pass(&fc, context)?;
        Ok([y, z, logits.clone(), logits.pass(&rows, context)?])
    };
    let context = Context::train(0, 0, 0).compute_in(DType::BF16).unwrap();
    assert_eq!(context.compute_dtype(), Some(DType::BF16));
    let [y, z, logits, normed] = run(&context).unwrap();
    let dtypes = [&y, &z, &logits, &normed].map(Tensor::dtype);
    assert_eq!(dtypes, [DType::BF16, DType::F32, DType::BF16, DType::F32]);

    // By hand: products of rounded operands, rounded.
    let half = |x: &Tensor| x.cast(DType::BF16).unwrap();
    let spec = taper_nn::Conv2dSpec { padding: [1, 1], ..Default::default() };
    let of = |name: &str| root.all().iter().find(|param| param.name() == name).unwrap().tensor();
    let conv_by_hand = half(&x).conv2d(&half(&of("conv.weight")), Some(&half(&of("conv.bias"))), spec).unwrap();
    let widened = conv_by_hand.cast(DType::F32).unwrap();
    let (normed_by_hand, _) = widened.batch_norm(Some(&of("bn.weight")), Some(&of("bn.bias")), 1e-5).unwrap();
    let rows_by_hand = normed_by_hand.relu().unwrap().flatten(1).unwrap();
    let by_hand = half(&rows_by_hand).linear(&half(&of("fc.weight")), Some(&half(&of("fc.bias")))).unwrap();
    let in_f32 = |x: &Tensor| floats(&x.cast(DType::F32).unwrap());
    assert_eq!(in_f32(&y), in_f32(&conv_by_hand));
    assert_eq!(in_f32(&logits), in_f32(&by_hand));
    let [_, _, full, _] = run(&Context::train(0, 0, 0)).unwrap();
    let (rounded, full) = (in_f32(&logits), floats(&full));
    assert!(rounded.iter().zip(&full).all(|(a, b)| a != b && (a - b).abs() < 0.05), "{rounded:?} {full:?}");

    let classes = Tensor::from_vec(vec![0i64, 1, 3], [3], &device).unwrap();
    let gradients = |logits: &Tensor| {
        let loss = CrossEntropy::default().forward(&logits.cast(DType::F32).unwrap(), &classes).unwrap();
        let gradients = loss.backward().unwrap();
        let params = [conv.weight(), conv.bias().unwrap(), fc.weight(), fc.bias().unwrap()];
        params.map(|param| floats(gradients.of_param(param).unwrap())) // in f32
    };
    assert_eq!(gradients(&logits), gradients(&by_hand));
    let error = Context::eval().compute_in(DType::I64).unwrap_err();
    assert_eq!(error.to_string(), "compute_in: expected a floating-point dtype, came i64");
    // Without it dtypes are not mixed in silence.
    assert!(matches!(half(&x).pass(&conv, &Context::eval()), Err(Error::DType { .. })));
    assert!(half(&values(&[2, 3, 2, 2], &device)).pass(&norm, &Context::eval()).is_err());
}

/// A convolution that is computed later, fused with what follows, counts for its layer.
#[test]
fn the_profiler_knows_the_layer_of_a_pending_value() {
    let (device, profiler) = Profiler::device(device());
    let root = params(&device);
    let conv = |name: &str| Conv2d::new(Conv2dConfig::new(2, 2, 3).padding(1), &root.sub(name)).unwrap();
    let norm = BatchNorm2d::new(BatchNormConfig::new(2), &root.sub("net.bn")).unwrap();
    let net = Sequential::new().then(conv("net.conv1")).then(Activation::Relu).then(MaxPool2d::new(2));
    let net = Named::new(net.then(conv("net.conv2")).then(norm).then(Activation::Relu), &root.sub("net"));
    for number in 1..=5 {
        let _step = step(number);
        let x = values(&[2, 2, 4, 4], &device);
        let y = x.pass(&net, &Context::train(0, 0, number)).unwrap();
        y.mul(&y).unwrap().sum_all().unwrap().backward().unwrap();
    }
    let profile = profiler.profile();
    let of = |name: &str, phase: &str| -> Vec<Option<String>> {
        let calls = profile.calls.iter().filter(|call| {
            let row = &profile.rows[call.row];
            call.step == 4 && row.op.starts_with(name) && row.phase.name() == phase
        });
        calls.map(|call| profile.layers[call.layer?].path.as_deref().map(str::to_owned)).collect()
    };
    let named = |names: &[&str]| names.iter().map(|name| Some((*name).to_owned())).collect::<Vec<_>>();
    assert_eq!(of("conv2d_block", "forward"), named(&["net.conv1", "net.conv2"]));
    assert_eq!(of("batch_norm_stats", "forward"), named(&["net.bn"]));
    assert_eq!(of("batch_norm_block", "forward"), named(&["net.bn"]));
    assert_eq!(of("upload", "forward"), [None]);
    assert_eq!(of("conv2d_block_grad", "backward"), [None, None]);
    let listed: Vec<&str> = profile.layers.iter().filter_map(|layer| layer.path.as_deref()).collect();
    assert_eq!(listed, ["net.conv1", "net.conv2", "net.bn"]);
    assert!(profile.table().contains("\n| net.conv2          |"), "{}", profile.table());
}

#[test]
fn a_context_crosses_threads() {
    let device = device();
    let root = params(&device);
    let blocks = ["a", "b"].map(|name| Block::new([3, 3, 3], &root.sub(name)));
    let x = values(&[2, 3], &device);
    let context = Context::train(0, 0, 0).capture("?").eval_layers("both");
    let both = context.layer("both", |context| {
        std::thread::scope(|scope| {
            let running = blocks.each_ref().map(|block| {
                let x = &x;
                scope.spawn(move || {
                    assert!(!context.is_training());
                    x.pass(block, context)
                })
            });
            let [a, b] = running.map(|thread| thread.join().unwrap());
            Ok((a?, b?))
        })
    });
    let (a, b) = both.unwrap();
    let mut captured = context.captured().unwrap();
    captured.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(captured.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!([floats(&captured[0].1), floats(&captured[1].1)], [floats(&a), floats(&b)]);
    // A tuple's output is its first tensor.
    let context = Context::eval().capture("cell");
    context.layer("cell", |_| Ok((a.clone(), vec![b.clone()]))).unwrap();
    assert_eq!(floats(&context.captured().unwrap()[0].1), floats(&a));
}
