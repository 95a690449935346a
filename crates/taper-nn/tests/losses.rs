//! Losses and their gradients beside PyTorch's.

mod common;

use common::{assert_close, classes, device, floats, recorded};
use serde_json::Value;
use taper_nn::taper_tensor::{GradOptions, grad};
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

/// A class whose logit is −∞, and whose target is 0, is as good as not there: 0 · ∞ is 0, in the value and both orders of
/// derivatives.
#[test]
fn a_masked_class_counts_for_nothing() {
    let (device, inf) = (device(), f64::INFINITY);
    let tensor = |values: &[f64]| Tensor::from_vec(values.to_vec(), [1, values.len()], &device).unwrap();
    let class = |class: i64| Tensor::from_vec(vec![class], [1], &device).unwrap();
    let with = |label_smoothing, weight: &[f64]| CrossEntropy {
        label_smoothing,
        weight: (!weight.is_empty()).then(|| Tensor::from_vec(weight.to_vec(), [weight.len()], &device).unwrap()),
        ..CrossEntropy::default()
    };
    let log_target = KlDiv { log_target: true, ..KlDiv::default() };
    let soft = |loss: &CrossEntropy, x: &Tensor, t: &[f64]| loss.forward(x, &tensor(t));
    let kl = |x: &Tensor, t: &[f64]| KlDiv::default().forward(&x.log_softmax(1)?, &tensor(t));
    let kl_log = |x: &Tensor, t: &[f64]| log_target.forward(&x.log_softmax(1)?, &tensor(t).log()?);
    // Each loss of logits with a class masked, and of those without the class.
    type Loss<'a> = Box<dyn Fn(&Tensor) -> Result<Tensor> + 'a>;
    let cases: Vec<(&str, Loss<'_>, Loss<'_>)> = vec![
        (
            "soft cross entropy",
            Box::new(|x| soft(&with(0.0, &[]), x, &[0.25, 0.0, 0.75])),
            Box::new(|x| soft(&with(0.0, &[]), x, &[0.25, 0.75])),
        ),
        (
            "soft cross entropy, weighted",
            Box::new(|x| soft(&with(0.0, &[2.0, 3.0, 0.5]), x, &[0.25, 0.0, 0.75])),
            Box::new(|x| soft(&with(0.0, &[2.0, 0.5]), x, &[0.25, 0.75])),
        ),
        (
            "soft cross entropy, of a class without weight",
            Box::new(|x| soft(&with(0.0, &[2.0, 0.0, 0.5]), x, &[0.25, 0.5, 0.25])),
            Box::new(|x| soft(&with(0.0, &[2.0, 0.5]), x, &[0.25, 0.25])),
        ),
        ("kl", Box::new(|x| kl(x, &[0.25, 0.0, 0.75])), Box::new(|x| kl(x, &[0.25, 0.75]))),
        ("kl of logarithms", Box::new(|x| kl_log(x, &[0.25, 0.0, 0.75])), Box::new(|x| kl_log(x, &[0.25, 0.75]))),
        (
            "cross entropy",
            Box::new(|x| with(0.0, &[]).forward(x, &class(2))),
            Box::new(|x| with(0.0, &[]).forward(x, &class(1))),
        ),
        (
            "cross entropy, weighted",
            Box::new(|x| with(0.0, &[2.0, 3.0, 0.5]).forward(x, &class(2))),
            Box::new(|x| with(0.0, &[2.0, 0.5]).forward(x, &class(1))),
        ),
        (
            "multi margin",
            Box::new(|x| MultiMargin { margin: 2.0, ..Default::default() }.forward(x, &class(2))?.mul_scalar(1.5)),
            Box::new(|x| MultiMargin { margin: 2.0, ..Default::default() }.forward(x, &class(1))),
        ),
        (
            "hinge",
            Box::new(|x| Hinge { reduction: Reduction::Sum }.forward(x, &tensor(&[1.0, -1.0, 1.0]))),
            Box::new(|x| Hinge { reduction: Reduction::Sum }.forward(x, &tensor(&[1.0, 1.0]))),
        ),
    ];
    for (name, masked, without) in cases {
        let [x, y] = [tensor(&[0.3, -inf, 1.0]), tensor(&[0.3, 1.0])].map(|x| x.requires_grad());
        let (loss, expected) = (masked(&x).unwrap(), without(&y).unwrap());
        let close = |what: &str, a: &[f64], b: &[f64]| {
            assert!(
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15),
                "{name}, {what}: {a:?} {b:?}"
            );
        };
        close("value", &[loss.item().unwrap()], &[expected.item().unwrap()]);
        let padded = |g: &Tensor| {
            let g = g.to_vec::<f64>().unwrap();
            [g[0], 0.0, g[1]]
        };
        let (g, h) = (loss.backward().unwrap(), expected.backward().unwrap());
        close("gradient", &g.of(&x).unwrap().to_vec::<f64>().unwrap(), &padded(h.of(&y).unwrap()));
    }
    // In the gradients of gradients, by the finite logits: the composed rules are other ones.
    let second = |masked: bool| {
        let x = tensor(&[0.3, 1.0]).requires_grad();
        let loss = if masked {
            let cut = Tensor::from_vec(vec![0u8, 1, 0], [1, 3], &device).unwrap();
            let index = Tensor::from_vec(vec![0i64, 0, 1], [1, 3], &device).unwrap();
            let nothing = Tensor::full(-inf, [], DType::F64, &device).unwrap();
            let x = cut.select(&nothing, &x.gather(1, &index).unwrap()).unwrap();
            soft(&with(0.0, &[]), &x, &[0.25, 0.0, 0.75]).unwrap().add(&kl(&x, &[0.5, 0.0, 0.5]).unwrap()).unwrap()
        } else {
            soft(&with(0.0, &[]), &x, &[0.25, 0.75]).unwrap().add(&kl(&x, &[0.5, 0.5]).unwrap()).unwrap()
        };
        let recorded = GradOptions { create_graph: true, ..Default::default() };
        let first = grad(&loss, &[&x], None, recorded).unwrap().remove(0).unwrap();
        let square = first.mul(&first).unwrap().sum_all().unwrap();
        square.backward().unwrap().of(&x).unwrap().to_vec::<f64>().unwrap()
    };
    let (found, expected) = (second(true), second(false));
    assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-15), "{found:?} {expected:?}");
    // What has a share of a class that is impossible is infinite, and its gradient is not.
    let x = tensor(&[0.3, -inf, 1.0]).requires_grad();
    for loss in [with(0.1, &[]).forward(&x, &class(2)).unwrap(), soft(&with(0.1, &[]), &x, &[0.25, 0.0, 0.75]).unwrap()]
    {
        assert_eq!(loss.item().unwrap(), inf);
        let g = loss.backward().unwrap().of(&x).unwrap().to_vec::<f64>().unwrap();
        assert!(g.iter().all(|g| g.is_finite()) && (g[1] + 0.1 / 3.0).abs() < 1e-15, "{g:?}");
    }
    // All is spread evenly: the class's own loss counts for nothing, be it infinite; nor does a class without weight.
    let x = tensor(&[0.3, -inf, 1.0]);
    assert_eq!(with(1.0, &[]).forward(&x, &class(1)).unwrap().item().unwrap(), inf);
    let loss = with(1.0, &[1.0, 0.0, 1.0]).forward(&x, &class(2)).unwrap().item().unwrap();
    let lse = (0.3f64.exp() + 1f64.exp()).ln();
    assert!((loss - (2.0 * lse - 1.3) / 3.0).abs() < 1e-15, "{loss}");
}

/// The mean is NaN, as in PyTorch, and the gradient 0, whatever the rows hold; a sum is 0.
#[test]
fn nothing_that_counts() {
    let device = device();
    let ignored = Tensor::from_vec(vec![-100i64; 2], [2], &device).unwrap();
    let weight = || Some(Tensor::from_vec(vec![0.5, 2.0, 1.0], [3], &device).unwrap());
    for (label_smoothing, weight) in [(0.0, None), (0.1, None), (0.1, weight())] {
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            let loss = CrossEntropy { label_smoothing, weight: weight.clone(), reduction, ..Default::default() };
            let nll = Nll { weight: weight.clone(), reduction, ..Default::default() };
            let x = Tensor::from_vec(vec![1.0, f64::NAN, 3.0, f64::INFINITY, 5.0, 6.0], [2, 3], &device).unwrap();
            let x = x.requires_grad();
            for loss in [loss.forward(&x, &ignored).unwrap(), nll.forward(&x, &ignored).unwrap()] {
                let value = loss.to_vec::<f64>().unwrap();
                let right = |v: &f64| if reduction == Reduction::Mean { v.is_nan() } else { *v == 0.0 };
                assert!(value.iter().all(right), "{reduction:?}: {value:?}");
                let gradients = loss.sum_all().unwrap().backward().unwrap();
                let g = gradients.of(&x).unwrap().to_vec::<f64>().unwrap();
                assert!(g.iter().all(|g| *g == 0.0), "{reduction:?}, smoothing {label_smoothing}: {g:?}");
            }
        }
    }
    let empty = Tensor::zeros([0, 3], DType::F64, &device).unwrap().requires_grad();
    let none = Tensor::from_vec(Vec::<i64>::new(), [0], &device).unwrap();
    for (reduction, expected) in [(Reduction::Mean, f64::NAN), (Reduction::Sum, 0.0)] {
        for loss in [
            CrossEntropy { reduction, ..Default::default() }.forward(&empty, &none).unwrap(),
            CrossEntropy { reduction, ..Default::default() }.forward(&empty, &empty).unwrap(),
            Mse { reduction, ..Default::default() }.forward(&empty, &empty).unwrap(),
        ] {
            let value = loss.item().unwrap();
            assert!(value == expected || (value.is_nan() && expected.is_nan()), "{reduction:?}: {value}");
            assert_eq!(loss.backward().unwrap().of(&empty).unwrap().shape().dims(), [0, 3]);
        }
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

/// The loss, its gradient and its second derivative in f32, for logits far on both sides, beside f64: each a sum of terms of
/// one sign but for the gradient of a soft target, whose two terms its error is measured against.
#[test]
fn bce_with_logits_keeps_its_digits_on_both_sides() -> Result<()> {
    let device = device();
    let logits = [-95.0f32, -80.0, -20.0, -12.0, -3.0, -0.25, 0.0, 0.5, 4.0, 12.5, 20.0, 80.0, 95.0];
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for target in [0.0f32, 1.0, 0.25] {
        for weight in [None, Some(3.0f32)] {
            let n = [logits.len()];
            let x = Tensor::from_vec(logits.to_vec(), n, &device)?.requires_grad();
            let t = Tensor::from_vec(vec![target; logits.len()], n, &device)?;
            let pos_weight = weight.map(|weight| Tensor::from_vec(vec![weight], [1], &device)).transpose()?;
            let loss = BceWithLogits { pos_weight, reduction: Reduction::None }.forward(&x, &t)?;
            let keep = GradOptions { create_graph: true, ..GradOptions::default() };
            let first = grad(&loss.sum_all()?, &[&x], None, keep)?.remove(0).unwrap();
            let second = grad(&first.sum_all()?, &[&x], None, GradOptions::default())?.remove(0).unwrap();
            let found = [loss, first, second].map(|y| y.to_vec::<f32>().unwrap());
            for (i, &x) in logits.iter().enumerate() {
                let (x, n, p) = (f64::from(x), f64::from(1.0 - target), f64::from(target * weight.unwrap_or(1.0)));
                let terms = [
                    [n * x.exp().ln_1p(), p * (-x).exp().ln_1p()],
                    [n * sigmoid(x), -p * sigmoid(-x)],
                    [n * sigmoid(x) * sigmoid(-x), p * sigmoid(x) * sigmoid(-x)],
                ];
                for (order, [a, b]) in terms.into_iter().enumerate() {
                    let (found, size) = (f64::from(found[order][i]), a.abs() + b.abs());
                    // Eight units in the last place, of subnormal numbers too.
                    let bound = (8.0 * 2f64.powi(-24) * size).max(4.0 * 2f64.powi(-149));
                    assert!(
                        (found - (a + b)).abs() <= bound,
                        "derivative {order} at {x}, target {target}, weight {weight:?}: {found:e}, not {:e}",
                        a + b
                    );
                }
            }
        }
    }
    Ok(())
}

/// An infinite logit costs nothing on the right side of a sure target and everything on the wrong one; NaN stays.
#[test]
fn bce_with_logits_of_infinite_logits() -> Result<()> {
    let (device, infinity) = (device(), f32::INFINITY);
    let x = Tensor::from_vec(vec![-infinity, infinity, -infinity, infinity, f32::NAN], [5], &device)?.requires_grad();
    let t = Tensor::from_vec(vec![0f32, 1.0, 1.0, 0.0, 0.0], [5], &device)?;
    let loss = BceWithLogits { reduction: Reduction::None, ..Default::default() }.forward(&x, &t)?;
    let losses = loss.to_vec::<f32>()?;
    assert!(losses[..4] == [0.0, 0.0, infinity, infinity] && losses[4].is_nan(), "{losses:?}");
    let slopes: Vec<f32> = loss.sum_all()?.backward()?.of(&x).unwrap().to_vec()?;
    assert!(slopes[..4] == [0.0, 0.0, -1.0, 1.0] && slopes[4].is_nan(), "{slopes:?}");
    Ok(())
}
