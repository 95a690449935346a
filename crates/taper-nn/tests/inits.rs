//! Initial values beyond uniform and normal ones: their defining properties, and PyTorch's where nothing is random.

mod common;

use common::{device, numbers, params, shape};
use serde_json::Value;
use taper_nn::{
    Context, Conv2d, Conv2dConfig, DType, Init, Linear, LinearConfig, Module, RandomKey, Result, Shape, Tensor,
};

fn values(init: Init, shape: &[usize], seed: u64) -> Vec<f64> {
    let tensor = init.tensor(&Shape::from(shape), DType::F64, &device(), RandomKey::new(seed)).unwrap();
    assert_eq!(tensor.shape().dims(), shape);
    tensor.to_vec().unwrap()
}

#[test]
fn orthogonal_weights_are() {
    for (seed, shape) in [&[1, 1][..], &[5, 5], &[64, 64], &[7, 30], &[30, 7], &[8, 3, 3, 3], &[40, 3, 2, 2], &[1, 9]]
        .into_iter()
        .enumerate()
    {
        let gain = 1.5;
        let w = values(Init::Orthogonal { gain }, shape, seed as u64);
        let (rows, columns) = (shape[0], shape[1..].iter().product::<usize>());
        let at = |i: usize, j: usize| if rows <= columns { w[i * columns + j] } else { w[j * columns + i] };
        for i in 0..rows.min(columns) {
            for j in 0..=i {
                let product: f64 = (0..rows.max(columns)).map(|k| at(i, k) * at(j, k)).sum();
                let due = if i == j { gain * gain } else { 0.0 };
                // Two passes of Gram and Schmidt: a few units of rounding.
                assert!((product - due).abs() < 1e-13, "{shape:?}: {i}, {j}: {product}");
            }
        }
    }
    // A linear layer with such a weight keeps lengths.
    let device = device();
    let config = LinearConfig::new(20, 20).bias(false).init(Init::Orthogonal { gain: 1.0 });
    let layer = Linear::new(config, &params(&device, DType::F64)).unwrap();
    let x = Tensor::from_vec((0..20).map(f64::from).collect(), [1, 20], &device).unwrap();
    let length = |x: &Tensor| x.mul(x).unwrap().sum_all().unwrap().item().unwrap();
    let y = layer.forward(&x, &Context::eval()).unwrap();
    assert!((length(&y) / length(&x) - 1.0).abs() < 1e-14);
}

/// Uniform over rotations and reflections: means are 0, half of the determinants are negative.
#[test]
fn orthogonal_weights_prefer_no_direction() {
    let n = 2000;
    let all: Vec<Vec<f64>> = (0..n).map(|seed| values(Init::Orthogonal { gain: 1.0 }, &[2, 2], seed)).collect();
    for i in 0..4 {
        let mean = all.iter().map(|w| w[i]).sum::<f64>() / n as f64;
        // Entries have deviation 1/√2; 4 deviations of the mean.
        assert!(mean.abs() < 4.0 / (2.0 * n as f64).sqrt(), "{i}: {mean}");
    }
    let reflections = all.iter().filter(|w| w[0] * w[3] < w[1] * w[2]).count() as f64 / n as f64;
    assert!((reflections - 0.5).abs() < 4.0 * 0.5 / (n as f64).sqrt(), "{reflections}");
}

/// Mean, deviation and fourth moment of the cut distribution, by Simpson's rule.
fn moments(mean: f64, std: f64, low: f64, high: f64) -> (f64, f64, f64) {
    let (low, high) = (low.max(mean - 12.0 * std), high.min(mean + 12.0 * std));
    let integral = |f: &dyn Fn(f64) -> f64| -> f64 {
        let n = 20_000;
        let weight = |i: usize| if i == 0 || i == n { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
        (0..=n).map(|i| weight(i) * f(low + (high - low) * i as f64 / n as f64)).sum::<f64>()
    };
    // Relative to the density's largest value, so that far tails do not vanish.
    let nearest = mean.clamp(low, high);
    let density = |x: f64| (((nearest - mean).powi(2) - (x - mean).powi(2)) / (2.0 * std * std)).exp();
    let whole = integral(&density);
    let mu = integral(&|x| x * density(x)) / whole;
    let central = |n: i32| integral(&|x| (x - mu).powi(n) * density(x)) / whole;
    (mu, central(2).sqrt(), central(4))
}

#[test]
fn truncated_normals_stay_inside_with_the_right_moments() {
    for (mean, std, low, high) in [
        (0.0, 1.0, -2.0, 2.0),
        (0.0, 0.02, -0.04, 0.04),
        (0.5, 2.0, -1.0, f64::INFINITY),
        (0.0, 1.0, -0.5, 0.5),
        (0.0, 1.0, 0.2, 10.0),
        (0.0, 1.0, 1.0, 5.0),
        (0.0, 1.0, -9.0, -3.0),
        (3.0, 0.5, 6.0, 6.1),
        (0.0, 1.0, 10.0, 20.0),
        (0.0, 1.0, f64::NEG_INFINITY, f64::INFINITY),
    ] {
        let n = 20_000;
        let drawn = values(Init::TruncatedNormal { mean, std, low, high }, &[n], 3);
        let name = format!("{mean}, {std}, {low}, {high}");
        assert!(drawn.iter().all(|x| (low..=high).contains(x)), "{name}");
        let (mu, sigma, fourth) = moments(mean, std, low, high);
        let found = drawn.iter().sum::<f64>() / n as f64;
        let variance = drawn.iter().map(|x| (x - mu).powi(2)).sum::<f64>() / n as f64;
        // 4 deviations of the sample's mean, and of its variance.
        assert!((found - mu).abs() < 4.0 * sigma / (n as f64).sqrt(), "{name}: mean {found}, expected {mu}");
        let bound = 4.0 * ((fourth - sigma.powi(4)) / n as f64).sqrt();
        assert!((variance - sigma * sigma).abs() < bound, "{name}: variance {variance}, expected {}", sigma * sigma);
    }
    // Each element has its own stream.
    let mut drawn = values(Init::TruncatedNormal { mean: 0.0, std: 1.0, low: -2.0, high: 2.0 }, &[1000], 1);
    drawn.sort_by(f64::total_cmp);
    drawn.dedup();
    assert_eq!(drawn.len(), 1000);
}

#[test]
fn dirac_weights_are_pytorchs() {
    let record: Value = serde_json::from_str(include_str!("data/torch_inits.json")).unwrap();
    let cases = record["dirac"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let w = values(Init::Dirac { groups: case["groups"].as_u64().unwrap() as usize }, &shape(case), 0);
        let ones: Vec<f64> = (0..w.len()).filter(|&i| w[i] != 0.0).map(|i| i as f64).collect();
        assert_eq!(ones, numbers(&serde_json::json!({ "data": case["ones"] })), "{case}");
        assert!(w.iter().all(|&x| x == 0.0 || x == 1.0), "{case}");
    }
}

#[test]
fn a_dirac_convolution_is_the_identity_on_its_channels() {
    let device = device();
    for (channels, groups) in [(6, 1), (6, 2), (6, 6)] {
        let config = Conv2dConfig::new(channels, channels, [3, 5]).padding([1, 2]).groups(groups).bias(false);
        let conv = Conv2d::new(config.init(Init::Dirac { groups }), &params(&device, DType::F32)).unwrap();
        let data: Vec<f32> = (0..2 * channels * 7 * 8).map(|i| (i * 37 % 101) as f32 - 50.0).collect();
        let x = Tensor::from_vec(data.clone(), [2, channels, 7, 8], &device).unwrap();
        let y = conv.forward(&x, &Context::eval()).unwrap();
        assert_eq!(y.to_vec::<f32>().unwrap(), data, "{groups} groups");
    }
}

#[test]
fn what_does_not_suit_is_said() {
    let said = |init: Init, shape: &[usize], dtype| {
        let made: Result<Tensor> = init.tensor(&Shape::from(shape), dtype, &device(), RandomKey::new(0));
        made.unwrap_err().to_string()
    };
    let orthogonal = Init::Orthogonal { gain: 1.0 };
    let cut = |std, low, high| Init::TruncatedNormal { mean: 0.0, std, low, high };
    assert_eq!(
        said(orthogonal, &[3], DType::F32),
        "init: an orthogonal weight has at least two dimensions, the shape is [3]"
    );
    assert_eq!(
        said(cut(0.0, -1.0, 1.0), &[3], DType::F32),
        "init: a truncated normal needs a finite mean and std over 0, they came as 0 and 0"
    );
    assert_eq!(
        said(cut(1.0, 1.0, 1.0), &[3], DType::F32),
        "init: a truncated normal needs low < high, they came as 1 and 1"
    );
    assert!(said(cut(1.0, f64::NAN, 1.0), &[3], DType::F32).contains("low < high"));
    assert_eq!(
        said(Init::Dirac { groups: 1 }, &[3, 3], DType::F32),
        "init: Dirac needs a convolution's weight, of at least three dimensions; the shape is [3, 3]"
    );
    assert_eq!(
        said(Init::Dirac { groups: 2 }, &[3, 3, 3], DType::F32),
        "init: Dirac: groups 2 must divide 3 output channels (dim 0 of [3, 3, 3])"
    );
    assert!(said(Init::Dirac { groups: 0 }, &[3, 3, 3], DType::F32).contains("groups 0"));
    assert!(said(orthogonal, &[3, 3], DType::I64).contains("makes floats, "));
    assert!(said(orthogonal, &[usize::MAX, 3], DType::F32).contains("too large for any memory"));
    // Nothing is there to begin, and nothing is wrong.
    for init in [orthogonal, cut(1.0, -1.0, 1.0), Init::Dirac { groups: 1 }] {
        assert!(values(init, &[0, 3, 3], 0).is_empty() && values(init, &[3, 0, 3], 0).is_empty());
    }
}
