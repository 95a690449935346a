//! Recurrent layers beside what PyTorch's gave (`tests/peers/parity_recurrent.py`): outputs, last states, and the gradients
//! of all parameters, of the input and of the initial states.

use taper_cpu::CpuBackend;
use taper_models::{RecurrentLm, RecurrentLmConfig};
use taper_nn::{
    Context, CrossEntropy, DType, Device, Gru, Lstm, Module, Params, RandomKey, RecurrentConfig, RecurrentInput,
    Result, Rnn, RnnActivation, Tensor,
};
use taper_tests::parity::Parity;

const INPUT: usize = 5;
const HIDDEN: usize = 7;
const LENGTHS: [usize; 4] = [2, 6, 1, 4];

/// One of the layers, with its states as a list.
enum Layer {
    Rnn(Rnn),
    Lstm(Lstm),
    Gru(Gru),
}

impl Layer {
    fn new(kind: &str, config: RecurrentConfig, params: &Params) -> Result<Self> {
        Ok(match kind {
            "rnn" => Self::Rnn(Rnn::new(config, RnnActivation::Tanh, params)?),
            "relu" => Self::Rnn(Rnn::new(config, RnnActivation::Relu, params)?),
            "lstm" => Self::Lstm(Lstm::new(config, params)?),
            _ => Self::Gru(Gru::new(config, params)?),
        })
    }

    fn run(&self, x: &Tensor, states: &[Tensor], lengths: Option<&[usize]>) -> Result<(Tensor, Vec<Tensor>)> {
        let context = Context::eval();
        let one = RecurrentInput { state: states.first(), lengths };
        match self {
            Self::Rnn(layer) => layer.forward_with(x, one, &context).map(|(y, h)| (y, vec![h])),
            Self::Gru(layer) => layer.forward_with(x, one, &context).map(|(y, h)| (y, vec![h])),
            Self::Lstm(layer) => {
                let state = if let [h, c] = states { Some([h.clone(), c.clone()]) } else { None };
                let input = RecurrentInput { state: state.as_ref(), lengths };
                layer.forward_with(x, input, &context).map(|(y, last)| (y, last.to_vec()))
            }
        }
    }
}

fn agree(kind: &str, name: &str, config: RecurrentConfig, lengths: Option<&[usize]>, device: &Device) -> Result<()> {
    let record = Parity::read(&format!("recurrent_{kind}_{name}"), device)?;
    for (dtype, of_values, of_gradients) in [(DType::F64, 1e-10, 1e-10), (DType::F32, 1e-5, 1e-4)] {
        let params = Params::new(device, dtype, RandomKey::new(0));
        let layer = Layer::new(kind, config, &params)?;
        record.fill(&params)?;
        let x = record.tensor("x", dtype)?.requires_grad();
        let count = if kind == "lstm" { 2 } else { 1 };
        let states: Vec<Tensor> = (0..count)
            .filter_map(|i| record.tensor(&format!("state.{i}"), dtype).ok())
            .map(|state| state.requires_grad())
            .collect();
        let (y, last) = layer.run(&x, &states, lengths)?;
        record.check("y", &y, of_values)?;
        let mut loss = y.mul(&record.tensor("cotangent.0", dtype)?)?.sum_all()?;
        for (i, last) in last.iter().enumerate() {
            record.check(&format!("last.{i}"), last, of_values)?;
            loss = loss.add(&last.mul(&record.tensor(&format!("cotangent.{}", i + 1), dtype)?)?.sum_all()?)?;
        }
        record.check("loss", &loss.reshape([1])?, of_gradients)?;
        let gradients = loss.backward()?;
        record.check("grad_of.x", gradients.of(&x).expect("a gradient"), of_gradients)?;
        for (i, state) in states.iter().enumerate() {
            record.check(&format!("grad_of.state.{i}"), gradients.of(state).expect("a gradient"), of_gradients)?;
        }
        for param in params.all() {
            let gradient = gradients.of_param(&param).expect("a gradient");
            record.check(&format!("grad.{}", param.name()), gradient, of_gradients)?;
        }
    }
    Ok(())
}

#[test]
fn recurrent_layers_are_pytorchs() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(2)?);
    let config = RecurrentConfig::new(INPUT, HIDDEN);
    for kind in ["rnn", "relu", "lstm", "gru"] {
        agree(kind, "plain", config, None, &device)?;
        agree(kind, "state", config.layers(2).batch_first(true), None, &device)?;
        agree(kind, "both", config.layers(2).bidirectional(true).bias(false), None, &device)?;
        agree(kind, "lengths", config.layers(2).bidirectional(true), Some(&LENGTHS), &device)?;
    }
    agree("lstm", "lengths_batch_first", config.batch_first(true), Some(&LENGTHS), &device)?;
    agree("gru", "lengths_no_state", config.bidirectional(true), Some(&LENGTHS), &device)
}

#[test]
fn the_language_model_is_pytorchs() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(2)?);
    let record = Parity::read("recurrent_lm", &device)?;
    let config =
        RecurrentLmConfig { vocabulary: 11, embedding: 6, hidden: 7, layers: 2, ..RecurrentLmConfig::default() };
    for (dtype, of_values, of_gradients) in [(DType::F64, 1e-10, 1e-10), (DType::F32, 1e-5, 1e-4)] {
        let params = Params::new(&device, dtype, RandomKey::new(0));
        let model = RecurrentLm::new(&config, &params)?;
        record.fill(&params)?;
        let (tokens, targets) = (record.tensor("tokens", dtype)?, record.tensor("targets", dtype)?);
        let logits = model.forward(&tokens, &Context::eval())?;
        record.check("logits", &logits, of_values)?;
        let loss = CrossEntropy::default().forward(&logits, &targets)?;
        record.check("loss", &loss.reshape([1])?, of_values)?;
        let gradients = loss.backward()?;
        for name in ["embedding.weight", "rnn.weight_ih_l0", "fc.weight", "fc.bias"] {
            let param = params.all().into_iter().find(|param| param.name() == name).expect("a parameter");
            record.check(&format!("grad.{name}"), gradients.of_param(&param).expect("a gradient"), of_gradients)?;
        }
        // Token by token from the state that was reached, and the last token alone.
        let (first, state) = model.forward_with(&tokens.narrow(1, 0, 2)?, None, None, &Context::eval())?;
        let (rest, _) = model.forward_with(&tokens.narrow(1, 2, 3)?, Some(&state), None, &Context::eval())?;
        record.check("logits", &Tensor::concat(&[&first, &rest], 2)?, of_values)?;
    }
    Ok(())
}

/// A classifier reads the state at each sample's own end.
#[test]
fn the_last_token_is_the_samples_own() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(1)?);
    let sizes = RecurrentLmConfig { vocabulary: 11, embedding: 6, hidden: 7, ..RecurrentLmConfig::default() };
    for cell in ["lstm", "gru", "rnn"] {
        let of = |predicts: &str| {
            let config =
                RecurrentLmConfig { cell: cell.into(), predicts: predicts.into(), classes: 3, ..sizes.clone() };
            RecurrentLm::new(&config, &Params::new(&device, DType::F64, RandomKey::new(0)))
        };
        let tokens = Tensor::from_vec(vec![1_i64, 2, 3, 4, 5, 6], [2, 3], &device)?;
        let (every, _) = of("every")?.forward_with(&tokens, None, None, &Context::eval())?;
        let (last, _) = of("last")?.forward_with(&tokens, None, Some(&[2, 3]), &Context::eval())?;
        assert_eq!((every.shape().dims(), last.shape().dims()), (&[2, 3, 3][..], &[2, 3][..]));
        let every = every.to_vec::<f64>()?;
        let due: Vec<f64> = [(0, 1), (1, 2)]
            .into_iter()
            .flat_map(|(sample, t)| (0..3).map(move |class| (sample * 3 + class) * 3 + t))
            .map(|i| every[i])
            .collect();
        let apart = last.to_vec::<f64>()?.iter().zip(&due).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart < 1e-14, "{cell}: {apart}");
    }
    let text = |found: Result<(Tensor, Vec<Tensor>)>| found.err().map(|error| error.to_string()).unwrap_or_default();
    let model = RecurrentLm::new(&sizes, &Params::new(&device, DType::F64, RandomKey::new(0)))?;
    let tokens = Tensor::from_vec(vec![1_i64, 2], [2, 1], &device)?;
    let found = model.forward_with(&tokens, Some(&Vec::new()), None, &Context::eval());
    assert_eq!(text(found), "recurrent_lm: the state is 0 tensors, expected 2");
    let found = model.forward_with(&tokens.reshape([2])?, None, None, &Context::eval());
    assert_eq!(text(found), "recurrent_lm: tokens must be [samples, tokens], came as [2]");
    let config = RecurrentLmConfig { cell: "gruu".into(), ..sizes };
    let found = RecurrentLm::new(&config, &Params::new(&device, DType::F64, RandomKey::new(0)));
    let due = "recurrent_lm: the cell must be lstm, gru or rnn, came as gruu";
    assert_eq!(found.err().map(|error| error.to_string()).unwrap_or_default(), due);
    Ok(())
}
