//! Losses and their gradients beside PyTorch's.

mod common;

use common::{assert_close, classes, device, floats, recorded};
use serde_json::Value;
use taper_nn::{
    BceWithLogits, CrossEntropy, DType, Hinge, Huber, Init, KlDiv, KlReduction, L1, Mse, MultiMargin, Nll, Reduction,
    Result, Tensor, l1_penalty, l2_penalty,
};

fn reduction(params: &Value) -> Reduction {
    match params["reduction"].as_str().unwrap() {
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        "none" => Reduction::None,
        other => panic!("{other}"),
    }
}

/// The loss that a record names.
fn forward(case: &Value, x: &Tensor) -> Result<Tensor> {
    let (params, tensors, device) = (&case["params"], &case["tensors"], x.device());
    let number = |name: &str| params[name].as_f64().unwrap();
    let optional = |name: &str| tensors.get(name).map(|tensor| floats(tensor, device));
    let target = &tensors["target"];
    let (float, class) = (|| floats(target, device), || classes(target, device));
    match case["loss"].as_str().unwrap() {
        "cross_entropy" => {
            let (label_smoothing, weight) = (number("label_smoothing"), optional("weight"));
            let loss = CrossEntropy { weight, label_smoothing, reduction: reduction(params), ..Default::default() };
            loss.forward(x, &class())
        }
        "nll" => {
            let loss = Nll { weight: optional("weight"), reduction: reduction(params), ..Default::default() };
            loss.forward(x, &class())
        }
        "mse" => Mse { half: false, reduction: reduction(params) }.forward(x, &float()),
        "l1" => L1 { reduction: reduction(params) }.forward(x, &float()),
        "huber" => Huber { delta: number("delta"), reduction: reduction(params) }.forward(x, &float()),
        "bce_with_logits" => {
            let loss = BceWithLogits { pos_weight: optional("pos_weight"), reduction: reduction(params) };
            loss.forward(x, &float())
        }
        "hinge" => Hinge { reduction: reduction(params) }.forward(x, &float()),
        "multi_margin" => MultiMargin { margin: number("margin"), reduction: reduction(params) }.forward(x, &class()),
        "kl_div" => {
            let reduction = match params["reduction"].as_str().unwrap() {
                "batchmean" => KlReduction::BatchMean,
                "mean" => KlReduction::Mean,
                "sum" => KlReduction::Sum,
                _ => KlReduction::None,
            };
            let log_target = params["log_target"].as_bool().unwrap();
            KlDiv { log_target, reduction }.forward(x, &float())
        }
        other => panic!("{other}"),
    }
}

#[test]
fn losses_and_gradients_are_pytorchs() {
    let (device, record) = (device(), recorded());
    let cases = record["losses"].as_array().unwrap();
    assert_eq!(cases.len(), 53);
    for case in cases {
        let name = format!("{} {} {:?}", case["loss"], case["params"], common::shape(&case["tensors"]["x"]));
        let x = floats(&case["tensors"]["x"], &device).requires_grad();
        let y = forward(case, &x).unwrap_or_else(|e| panic!("{name}: {e}"));
        // f64: what remains is the order of sums.
        assert_close(&name, &y, &case["tensors"]["y"], 1e-12);
        let gradients = y.sum_all().unwrap().backward().unwrap();
        assert_close(&name, gradients.of(&x).unwrap(), &case["tensors"]["dx"], 1e-12);
    }
}

#[test]
fn the_half_of_the_textbook() {
    let device = device();
    let x = Tensor::from_vec(vec![3.0, 1.0], [2], &device).unwrap();
    let t = Tensor::from_vec(vec![1.0, 1.0], [2], &device).unwrap();
    assert_eq!(Mse::default().forward(&x, &t).unwrap().item().unwrap(), 2.0);
    assert_eq!(Mse { half: true, ..Default::default() }.forward(&x, &t).unwrap().item().unwrap(), 1.0);
}

#[test]
fn bce_is_exact_far_out() {
    let device = device();
    let (x, t) = (vec![-21.0, -5.0, 30.0], vec![1.0, 1.0, 1.0]);
    let tensor = |values: Vec<f64>| Tensor::from_vec(values, [3], &device).unwrap();
    let loss = BceWithLogits { reduction: Reduction::None, ..Default::default() };
    let losses = loss.forward(&tensor(x.clone()), &tensor(t)).unwrap().to_vec::<f64>().unwrap();
    for (x, loss) in x.into_iter().zip(losses) {
        // log(1 + e⁻ˣ), written so that neither branch loses digits.
        let expected = if x > 0.0 { (-x).exp().ln_1p() } else { x.exp().ln_1p() - x };
        // A few units in the last place of exp and log1p.
        assert!((loss - expected).abs() <= 1e-14 * expected, "{x}: {loss:e} {expected:e}");
    }
}

#[test]
fn penalties_join_the_loss() {
    let device = device();
    let params = common::params(&device, DType::F64);
    let w = params.get("w", [2], Init::Zeros).unwrap();
    let b = params.get("b", [1], Init::Zeros).unwrap();
    w.set(&Tensor::from_vec(vec![3.0, -4.0], [2], &device).unwrap()).unwrap();
    b.set(&Tensor::from_vec(vec![2.0], [1], &device).unwrap()).unwrap();
    let loss = l2_penalty(&params.trainable(), 0.1).unwrap();
    assert!((loss.item().unwrap() - 0.05 * 29.0).abs() < 1e-15);
    // The gradient is λw: that of weight decay.
    let gradients = loss.backward().unwrap();
    assert_eq!(gradients.of_param(&w).unwrap().to_vec::<f64>().unwrap(), [0.1 * 3.0, 0.1 * -4.0]);
    let loss = l1_penalty(&params.trainable(), 0.5).unwrap();
    assert_eq!(loss.item().unwrap(), 4.5);
    let gradients = loss.backward().unwrap();
    assert_eq!(gradients.of_param(&w).unwrap().to_vec::<f64>().unwrap(), [0.5, -0.5]);
    assert_eq!(gradients.of_param(&b).unwrap().to_vec::<f64>().unwrap(), [0.5]);
    let error = l1_penalty(&[], 0.5).unwrap_err().to_string();
    assert_eq!(error, "l1_penalty: there are no parameters to penalise");
}

#[test]
fn what_does_not_fit_is_said() {
    let device = device();
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &device).unwrap();
    let class = Tensor::from_vec(vec![0i64, 1], [2], &device).unwrap();
    let said = |result: Result<Tensor>| result.unwrap_err().to_string();
    assert_eq!(
        said(Mse::default().forward(&zeros(&[2, 3]), &zeros(&[3]))),
        "mse: the input has shape [2, 3], the target [3]: expected the same"
    );
    assert_eq!(
        said(Huber { delta: 0.0, ..Default::default() }.forward(&zeros(&[1]), &zeros(&[1]))),
        "huber: delta must be over 0, came as 0"
    );
    assert_eq!(
        said(MultiMargin::default().forward(&zeros(&[3, 4]), &class)),
        "multi_margin: scores must be [N, C] and the target [N], they came as [3, 4] and [2]"
    );
    let wide = BceWithLogits { pos_weight: Some(zeros(&[5, 3])), ..Default::default() };
    assert_eq!(
        said(wide.forward(&zeros(&[1, 3]), &zeros(&[1, 3]))),
        "bce_with_logits: pos_weight [5, 3] must broadcast to the input, [1, 3]"
    );
    assert_eq!(
        said(KlDiv::default().forward(&zeros(&[]), &zeros(&[]))),
        "kl_div: the mean over a batch needs a dimension 0, the input is a scalar"
    );
    let error = said(CrossEntropy::default().forward(&zeros(&[2, 1]), &class));
    assert!(error.starts_with("cross_entropy: target 1 ") && error.contains("-100"), "{error}");
}
