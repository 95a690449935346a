//! Recurrent layers: names, shapes, what they refuse; parity with PyTorch is `tests/tests/parity_recurrent.rs`.

mod common;

use common::params;
use std::sync::LazyLock;
use taper_nn::taper_tensor::Distribution;
use taper_nn::{
    Context, DType, Device, Gru, GruCell, Lstm, LstmCell, Module, RandomKey, RecurrentConfig, RecurrentInput, Result,
    Rnn, RnnActivation, RnnCell, Tensor,
};

/// One device: tensors of another do not mix with its own.
fn device() -> Device {
    static DEVICE: LazyLock<Device> = LazyLock::new(common::device);
    DEVICE.clone()
}

fn drawn(name: &str, shape: impl Into<taper_nn::Shape>) -> Tensor {
    let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    Tensor::random(normal, RandomKey::new(3).child(name), shape, DType::F64, &device()).unwrap()
}

fn values(x: &Tensor) -> Vec<f64> {
    x.to_vec().unwrap()
}

#[test]
fn names_shapes_and_order_are_pytorchs() -> Result<()> {
    let root = params(&device(), DType::F32);
    Lstm::new(RecurrentConfig::new(3, 5).layers(2).bidirectional(true), &root.sub("lstm"))?;
    Gru::new(RecurrentConfig::new(3, 5).bias(false), &root.sub("gru"))?;
    LstmCell::new(3, 5, &root.sub("cell"))?;
    let found: Vec<String> =
        root.all().iter().map(|param| format!("{} {}", param.name(), param.tensor().shape())).collect();
    let due = [
        "lstm.weight_ih_l0 [20, 3]",
        "lstm.weight_hh_l0 [20, 5]",
        "lstm.bias_ih_l0 [20]",
        "lstm.bias_hh_l0 [20]",
        "lstm.weight_ih_l0_reverse [20, 3]",
        "lstm.weight_hh_l0_reverse [20, 5]",
        "lstm.bias_ih_l0_reverse [20]",
        "lstm.bias_hh_l0_reverse [20]",
        "lstm.weight_ih_l1 [20, 10]",
        "lstm.weight_hh_l1 [20, 5]",
        "lstm.bias_ih_l1 [20]",
        "lstm.bias_hh_l1 [20]",
        "lstm.weight_ih_l1_reverse [20, 10]",
        "lstm.weight_hh_l1_reverse [20, 5]",
        "lstm.bias_ih_l1_reverse [20]",
        "lstm.bias_hh_l1_reverse [20]",
        "gru.weight_ih_l0 [15, 3]",
        "gru.weight_hh_l0 [15, 5]",
        "cell.weight_ih [20, 3]",
        "cell.weight_hh [20, 5]",
        "cell.bias_ih [20]",
        "cell.bias_hh [20]",
    ];
    assert_eq!(found, due);
    // PyTorch draws everything from ±1/√H.
    let bound = 1.0 / 5f64.sqrt();
    for param in root.all() {
        let largest = param.tensor().cast(DType::F64)?.abs()?.max(&[], false)?.item()?;
        assert!(largest <= bound && largest > 0.5 * bound, "{}: {largest}", param.name());
    }
    Ok(())
}

/// A layer's steps are those of its cell, and its state is where the next piece of a sequence goes on.
#[test]
fn a_layer_is_its_cell_again_and_again() -> Result<()> {
    let (device, x) = (device(), drawn("x", [4, 2, 3]));
    let [h_0, c_0] = ["h", "c"].map(|name| drawn(name, [2, 5]));
    let close = |a: &Tensor, b: &Tensor| {
        let apart = values(a).iter().zip(values(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(a.shape() == b.shape() && apart < 1e-14, "{apart}");
    };
    let context = Context::eval();
    let as_layer = |of: &taper_nn::Params, cell: &taper_nn::Params| -> Result<()> {
        for (of, cell) in of.all().iter().zip(cell.all()) {
            assert_eq!(of.name(), format!("{}_l0", cell.name()));
            cell.set(&of.tensor())?;
        }
        Ok(())
    };
    let config = RecurrentConfig::new(3, 5);

    let (of_layer, of_cell) = (params(&device, DType::F64), params(&device, DType::F64));
    let (lstm, cell) = (Lstm::new(config, &of_layer)?, LstmCell::new(3, 5, &of_cell)?);
    as_layer(&of_layer, &of_cell)?;
    let mut state = [h_0.clone(), c_0.clone()];
    let first = [h_0.unsqueeze(0)?, c_0.unsqueeze(0)?];
    let from = |state| RecurrentInput { state: Some(state), lengths: None };
    let (y, last) = lstm.forward_with(&x, from(&first), &context)?;
    for (x, y) in x.unbind(0)?.iter().zip(y.unbind(0)?) {
        state = cell.forward_with(x, Some(&state), &context)?;
        close(&state[0], &y);
    }
    close(&state[1].unsqueeze(0)?, &last[1]);
    // In two pieces.
    let (_, middle) = lstm.forward_with(&x.narrow(0, 0, 1)?, from(&first), &context)?;
    let (_, end) = lstm.forward_with(&x.narrow(0, 1, 3)?, from(&middle), &context)?;
    close(&end[0], &last[0]);
    close(&end[1], &last[1]);

    let (of_layer, of_cell) = (params(&device, DType::F64), params(&device, DType::F64));
    let (gru, cell) = (Gru::new(config, &of_layer)?, GruCell::new(3, 5, &of_cell)?);
    as_layer(&of_layer, &of_cell)?;
    let mut h = None;
    for (x, y) in x.unbind(0)?.iter().zip(gru.forward(&x, &context)?.unbind(0)?) {
        h = Some(cell.forward_with(x, h.as_ref(), &context)?);
        close(h.as_ref().unwrap(), &y);
    }

    let (of_layer, of_cell) = (params(&device, DType::F64), params(&device, DType::F64));
    let rnn = Rnn::new(config, RnnActivation::Relu, &of_layer)?;
    let cell = RnnCell::new(3, 5, RnnActivation::Relu, &of_cell)?;
    as_layer(&of_layer, &of_cell)?;
    let mut h = None;
    for (x, y) in x.unbind(0)?.iter().zip(rnn.forward(&x, &context)?.unbind(0)?) {
        h = Some(cell.forward_with(x, h.as_ref(), &context)?);
        close(h.as_ref().unwrap(), &y);
    }
    Ok(())
}

/// Each sample gives what it gives alone, without padding, in whichever order the lengths are.
#[test]
fn a_sample_of_a_batch_is_as_alone() -> Result<()> {
    let root = params(&device(), DType::F64);
    let config = RecurrentConfig::new(3, 4).layers(2).bidirectional(true).batch_first(true);
    let lstm = Lstm::new(config, &root)?;
    let (x, lengths, context) = (drawn("x", [3, 6, 3]), [4, 1, 6], Context::eval());
    let input = RecurrentInput { lengths: Some(&lengths), ..RecurrentInput::default() };
    let (y, [h, c]) = lstm.forward_with(&x, input, &context)?;
    for (sample, &length) in lengths.iter().enumerate() {
        let alone = x.narrow(0, sample, 1)?.narrow(1, 0, length)?;
        let (alone, [h_alone, c_alone]) = lstm.forward_with(&alone, RecurrentInput::default(), &context)?;
        let of = |x: &Tensor, axis| Ok::<_, taper_nn::Error>(values(&x.narrow(axis, sample, 1)?));
        let mut padded = values(&alone);
        padded.resize(6 * 8, 0.0);
        assert_eq!(of(&y, 0)?, padded, "{sample}");
        assert_eq!((of(&h, 1)?, of(&c, 1)?), (values(&h_alone), values(&c_alone)), "{sample}");
    }
    Ok(())
}

/// Between the layers in training, not behind the last one, not in evaluation.
#[test]
fn dropout_is_between_layers() -> Result<()> {
    let device = device();
    let run = |layers, dropout, context: &Context| {
        let root = params(&device, DType::F64);
        let gru = Gru::new(RecurrentConfig::new(3, 4).layers(layers).dropout(dropout), &root)?;
        Ok::<_, taper_nn::Error>(values(&gru.forward(&drawn("x", [3, 2, 3]), context)?))
    };
    let training = || Context::train(0, 0, 0);
    assert_eq!(run(1, 0.9, &training())?, run(1, 0.0, &training())?);
    assert_eq!(run(2, 0.9, &Context::eval())?, run(2, 0.0, &Context::eval())?);
    let dropped = run(2, 0.5, &training())?;
    assert_ne!(dropped, run(2, 0.0, &training())?);
    assert!(dropped.iter().all(|y| *y != 0.0), "behind the last layer nothing is dropped: {dropped:?}");
    assert_eq!(dropped, run(2, 0.5, &training())?, "the same seed");
    // All is dropped: the second layer sees zeros, whatever the input is.
    let of_zeros = {
        let root = params(&device, DType::F64);
        let gru = Gru::new(RecurrentConfig::new(3, 4).layers(2).dropout(1.0), &root)?;
        let x = drawn("x", [3, 2, 3]);
        [gru.forward(&x, &training())?, gru.forward(&x.mul_scalar(2.0)?, &training())?].map(|y| values(&y))
    };
    assert_eq!(of_zeros[0], of_zeros[1]);
    Ok(())
}

#[test]
fn halves_are_close_to_f32() -> Result<()> {
    let device = device();
    let root = params(&device, DType::F32);
    let lstm = Lstm::new(RecurrentConfig::new(3, 4).bidirectional(true), &root)?;
    let x = drawn("x", [5, 2, 3]).cast(DType::F32)?;
    let read = |y: &Tensor| y.cast(DType::F64)?.to_vec::<f64>();
    let due = read(&lstm.forward(&x, &Context::eval())?)?;
    for (dtype, bound) in [(DType::F16, 3e-3), (DType::BF16, 3e-2)] {
        let y = lstm.forward(&x, &Context::eval().compute_in(dtype)?)?;
        assert_eq!(y.dtype(), dtype);
        let apart = read(&y)?.iter().zip(&due).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart < bound, "{dtype}: {apart}");
        let loss = y.cast(DType::F32)?.sum_all()?;
        let gradients = loss.backward()?;
        for param in root.all() {
            assert_eq!(gradients.of_param(&param).expect("a gradient").dtype(), DType::F32, "{}", param.name());
        }
    }
    Ok(())
}

#[test]
fn errors_say_what_is_wrong() -> Result<()> {
    let device = device();
    let root = params(&device, DType::F64);
    let lstm = Lstm::new(RecurrentConfig::new(3, 4).layers(2).batch_first(true), &root.sub("encoder"))?;
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F64, &device);
    let x = zeros(&[2, 5, 3])?;
    let says = |x: &Tensor, state: Option<&[Tensor; 2]>, lengths: Option<&[usize]>, due: &str| {
        let found = lstm.forward_with(x, RecurrentInput { state, lengths }, &Context::eval());
        assert_eq!(found.err().map(|error| error.to_string()).as_deref(), Some(due));
    };
    let good = [zeros(&[2, 2, 4])?, zeros(&[2, 2, 4])?];
    lstm.forward_with(&x, RecurrentInput { state: Some(&good), lengths: Some(&[5, 1]) }, &Context::eval())?;
    says(
        &zeros(&[2, 5, 4])?,
        None,
        None,
        "lstm: the input must be [samples, steps, 3], came as [2, 5, 4] (in layer encoder)",
    );
    says(
        &zeros(&[5, 3])?,
        None,
        None,
        "lstm: the input must be [samples, steps, 3], came as [5, 3] (in layer encoder)",
    );
    let states = [zeros(&[2, 2, 4])?, zeros(&[1, 2, 4])?];
    let due =
        "lstm: c_0 must be [2, 2, 4] (layers · directions, samples, hidden), came as [1, 2, 4] (in layer encoder)";
    says(&x, Some(&states), None, due);
    let of_lengths = "expected 1 to 5, the padded length (in layer encoder)";
    says(&x, None, Some(&[5, 0]), &format!("lstm: the length of sample 1 is 0, {of_lengths}"));
    says(&x, None, Some(&[6, 5]), &format!("lstm: the length of sample 0 is 6, {of_lengths}"));
    says(&x, None, Some(&[5]), "lstm: 1 lengths for 2 samples, expected one for each (in layer encoder)");
    let none =
        "lstm: the input must be [steps, samples, input] with at least one step, came as [0, 2, 3] (in layer encoder)";
    says(&zeros(&[2, 0, 3])?, None, None, none);

    let text = |error: taper_nn::Error| error.to_string();
    let sub = || root.sub("other");
    let made = Gru::new(RecurrentConfig::new(3, 0), &sub()).map_err(text).err();
    assert_eq!(made.as_deref(), Some("gru: hidden_size must be at least 1, came as 0 (in layer other)"));
    let made = Rnn::new(RecurrentConfig::new(3, 1).layers(0), RnnActivation::Tanh, &sub()).map_err(text).err();
    assert_eq!(made.as_deref(), Some("rnn: num_layers must be at least 1, came as 0 (in layer other)"));
    let made = Lstm::new(RecurrentConfig::new(3, 1).dropout(1.5), &sub()).map_err(text).err();
    let due = "dropout: the probability p must be from 0 to 1, came as 1.5 (in layer other.dropout)";
    assert_eq!(made.as_deref(), Some(due));
    let cell = GruCell::new(3, 4, &root.sub("cell"))?;
    let found = cell.forward_with(&x, None, &Context::eval()).map_err(text).err();
    assert_eq!(found.as_deref(), Some("gru: the input must be [samples, input], came as [2, 5, 3] (in layer cell)"));
    let found = cell.forward_with(&zeros(&[2, 3])?, Some(&zeros(&[1, 4])?), &Context::eval()).map_err(text).err();
    assert_eq!(found.as_deref(), Some("gru: h_0 must be [2, 4] (samples, hidden), came as [1, 4] (in layer cell)"));
    Ok(())
}
