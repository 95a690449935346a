//! The definitions of the rim's methods (those that a backend may decline): the textbook formulas in f64, one plain
//! loop each. The tests compare them with numbers recorded from PyTorch.

use crate::toy::normal_cdf;
use std::f64::consts::PI;
use taper_backend::{Activation, AdamSpec, CrossEntropySpec, RandomKey, SgdSpec};

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

/// The activation f(x).
pub fn activation(f: Activation, x: f64) -> f64 {
    match f {
        Activation::Identity => x,
        Activation::Relu => {
            if x > 0.0 || x.is_nan() {
                x
            } else {
                0.0
            }
        }
        Activation::LeakyRelu { negative_slope } => {
            if x > 0.0 {
                x
            } else {
                negative_slope * x
            }
        }
        Activation::Elu { alpha } => {
            if x > 0.0 {
                x
            } else {
                alpha * x.exp_m1()
            }
        }
        // The limits at −∞ are −0.
        Activation::Gelu | Activation::GeluTanh | Activation::Silu if x == f64::NEG_INFINITY => -0.0,
        Activation::Gelu => x * normal_cdf(x),
        Activation::GeluTanh => 0.5 * x * (1.0 + gelu_inner(x).tanh()),
        Activation::Silu => x * sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => x.tanh(),
        Activation::Softplus { beta, threshold } => {
            if beta * x > threshold {
                x
            } else {
                (beta * x).exp().ln_1p() / beta
            }
        }
        Activation::Hardswish => {
            if x <= -3.0 {
                0.0
            } else if x >= 3.0 {
                x
            } else {
                x * (x + 3.0) / 6.0
            }
        }
    }
}

fn gelu_inner(x: f64) -> f64 {
    (2.0 / PI).sqrt() * (x + 0.044715 * x.powi(3))
}

/// The derivative f′(x).
pub fn derivative(f: Activation, x: f64) -> f64 {
    match f {
        Activation::Identity => 1.0,
        _ if x.is_nan() => x,
        Activation::Gelu | Activation::GeluTanh | Activation::Silu if x.is_infinite() => f64::from(u8::from(x > 0.0)),
        Activation::Relu => {
            if x > 0.0 {
                1.0
            } else {
                0.0
            }
        }
        Activation::LeakyRelu { negative_slope } => {
            if x > 0.0 {
                1.0
            } else {
                negative_slope
            }
        }
        Activation::Elu { alpha } => {
            if x > 0.0 {
                1.0
            } else {
                alpha * x.exp()
            }
        }
        Activation::Gelu => normal_cdf(x) + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt(),
        Activation::GeluTanh => {
            let tanh = gelu_inner(x).tanh();
            let inner = (2.0 / PI).sqrt() * (1.0 + 3.0 * 0.044715 * x * x);
            0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * inner
        }
        Activation::Silu => sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x))),
        Activation::Sigmoid => sigmoid(x) * sigmoid(-x),
        Activation::Tanh => x.cosh().powi(-2),
        Activation::Softplus { beta, threshold } => {
            if beta * x > threshold {
                1.0
            } else {
                sigmoid(beta * x)
            }
        }
        Activation::Hardswish => {
            if x <= -3.0 {
                0.0
            } else if x >= 3.0 {
                1.0
            } else {
                (2.0 * x + 3.0) / 6.0
            }
        }
    }
}

/// The points at which f′ jumps, or may jump for some parameters.
pub fn jumps(f: Activation) -> Vec<f64> {
    match f {
        Activation::Relu | Activation::LeakyRelu { .. } | Activation::Elu { .. } => vec![0.0],
        Activation::Softplus { beta, threshold } => vec![threshold / beta],
        Activation::Hardswish => vec![-3.0, 3.0],
        _ => vec![],
    }
}

/// The softmax of one row, or log-softmax if `log`.
pub fn softmax(row: &[f64], log: bool) -> Vec<f64> {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
    row.iter().map(|x| if log { x - largest - sum.ln() } else { (x - largest).exp() / sum }).collect()
}

/// The gradient of [`softmax`] with respect to the row, from its output `y` and the cotangent `g`.
pub fn softmax_grad(g: &[f64], y: &[f64], log: bool) -> Vec<f64> {
    let sum: f64 = g.iter().zip(y).map(|(g, y)| if log { *g } else { g * y }).sum();
    g.iter().zip(y).map(|(g, y)| if log { g - y.exp() * sum } else { y * (g - sum) }).collect()
}

/// Mean cross entropy of `logits` (rows of `classes`) with label smoothing ε: the mean over rows that count of
/// −(1 − ε) log p(target) − ε/C · Σ log p; and its gradient with respect to the logits.
pub fn cross_entropy(logits: &[f64], classes: usize, target: &[i64], spec: &CrossEntropySpec) -> (f64, Vec<f64>) {
    let counted = target.iter().filter(|&&t| t != spec.ignore_index).count() as f64;
    // Equal rows round alike, so that the errors of one long sum would add up: compensated summation (Neumaier 1974).
    let (mut loss, mut lost, mut gradient) = (0.0f64, 0.0, Vec::new());
    for (row, &t) in logits.chunks(classes).zip(target) {
        let log_p = softmax(row, true);
        for (class, log_p) in log_p.iter().enumerate() {
            let wanted = if class as i64 == t { 1.0 - spec.label_smoothing } else { 0.0 };
            let wanted = wanted + spec.label_smoothing / classes as f64;
            let counts = if t == spec.ignore_index { 0.0 } else { 1.0 };
            // 0 · ln 0 = 0, and an ignored row may hold NaN.
            let term = if counts * wanted == 0.0 { 0.0 } else { -wanted * log_p / counted };
            let sum = loss + term;
            lost += if loss.abs() >= term.abs() { (loss - sum) + term } else { (term - sum) + loss };
            loss = sum;
            gradient.push(if counts == 0.0 { 0.0 } else { (log_p.exp() - wanted) / counted });
        }
    }
    (loss + lost, gradient)
}

/// Layer norm and batch norm: each group of positions of x is normalised to mean 0 and variance 1, then scaled by
/// `weight` and shifted by `bias`; position i uses element `parameter[i]` of them.
pub struct Norm<'a> {
    /// The input.
    pub x: &'a [f64],
    /// The groups: positions of x that share a mean and a variance.
    pub groups: Vec<Vec<usize>>,
    /// For each position, the index of its weight and bias.
    pub parameter: Vec<usize>,
    /// The scales; ones if there is no weight.
    pub weight: Vec<f64>,
    /// The shifts; zeros if there is no bias.
    pub bias: Vec<f64>,
    /// Added to the variance.
    pub eps: f64,
}

/// The results of [`Norm::forward`].
pub struct Normed {
    /// The output.
    pub y: Vec<f64>,
    /// The mean of each group.
    pub mean: Vec<f64>,
    /// The biased variance of each group.
    pub variance: Vec<f64>,
    /// x̂, the output before weight and bias.
    pub normal: Vec<f64>,
}

impl<'a> Norm<'a> {
    /// Layer norm over rows of `width` elements.
    pub fn layer(x: &'a [f64], width: usize, weight: Option<Vec<f64>>, bias: Option<Vec<f64>>, eps: f64) -> Self {
        let groups = (0..x.len() / width.max(1)).map(|row| (row * width..(row + 1) * width).collect()).collect();
        let parameter = (0..x.len()).map(|i| i % width).collect();
        let (weight, bias) = (weight.unwrap_or(vec![1.0; width]), bias.unwrap_or(vec![0.0; width]));
        Self { x, groups, parameter, weight, bias, eps }
    }

    /// Batch norm of `[N, channels, …]`, where `plane` is the product of the dimensions after the channels.
    pub fn batch(
        x: &'a [f64],
        channels: usize,
        plane: usize,
        weight: Option<Vec<f64>>,
        bias: Option<Vec<f64>>,
        eps: f64,
    ) -> Self {
        let parameter: Vec<usize> = (0..x.len()).map(|i| i / plane % channels).collect();
        let groups = (0..channels).map(|c| (0..x.len()).filter(|&i| parameter[i] == c).collect()).collect();
        let (weight, bias) = (weight.unwrap_or(vec![1.0; channels]), bias.unwrap_or(vec![0.0; channels]));
        Self { x, groups, parameter, weight, bias, eps }
    }

    /// y = weight · (x − mean) / √(variance + eps) + bias.
    pub fn forward(&self) -> Normed {
        let mut normed = Normed { y: vec![0.0; self.x.len()], mean: vec![], variance: vec![], normal: self.x.to_vec() };
        for group in &self.groups {
            let n = group.len() as f64;
            let mean = group.iter().map(|&i| self.x[i]).sum::<f64>() / n;
            let variance = group.iter().map(|&i| (self.x[i] - mean).powi(2)).sum::<f64>() / n;
            for &i in group {
                normed.normal[i] = (self.x[i] - mean) / (variance + self.eps).sqrt();
                normed.y[i] = self.weight[self.parameter[i]] * normed.normal[i] + self.bias[self.parameter[i]];
            }
            normed.mean.push(mean);
            normed.variance.push(variance);
        }
        normed
    }

    /// The gradients with respect to x, weight and bias (Ioffe and Szegedy 2015, section 3, with terms collected):
    /// with h = g · weight, dx = (h − mean(h) − x̂ · mean(h · x̂)) / √(variance + eps).
    pub fn backward(&self, g: &[f64]) -> [Vec<f64>; 3] {
        let normed = self.forward();
        let (mut dx, mut dw, mut db) = (vec![0.0; g.len()], vec![0.0; self.weight.len()], vec![0.0; self.weight.len()]);
        for (group, variance) in self.groups.iter().zip(&normed.variance) {
            let n = group.len() as f64;
            let h = |i: usize| g[i] * self.weight[self.parameter[i]];
            let mean_h = group.iter().map(|&i| h(i)).sum::<f64>() / n;
            let mean_hx = group.iter().map(|&i| h(i) * normed.normal[i]).sum::<f64>() / n;
            for &i in group {
                dx[i] = (h(i) - mean_h - normed.normal[i] * mean_hx) / (variance + self.eps).sqrt();
                dw[self.parameter[i]] += g[i] * normed.normal[i];
                db[self.parameter[i]] += g[i];
            }
        }
        [dx, dw, db]
    }
}

/// Dropout of `x`, element `i` in row-major order, with probability `p`.
pub fn dropout(x: f64, i: u64, p: f64, key: RandomKey) -> f64 {
    if f64::from(key.word(i)) >= p * 4_294_967_296.0 { x / (1.0 - p) } else { 0.0 }
}

/// Step number `step`, from 1, of Adam or AdamW on one element: the new parameter, first and second moment.
pub fn adam(p: f64, m: f64, v: f64, g: f64, step: u64, spec: &AdamSpec) -> [f64; 3] {
    let (p, g) =
        if spec.decoupled { (p * (1.0 - spec.lr * spec.weight_decay), g) } else { (p, g + spec.weight_decay * p) };
    let m = spec.beta1 * m + (1.0 - spec.beta1) * g;
    let v = spec.beta2 * v + (1.0 - spec.beta2) * g * g;
    let m_hat = m / (1.0 - spec.beta1.powf(step as f64));
    let v_hat = v / (1.0 - spec.beta2.powf(step as f64));
    [p - spec.lr * m_hat / (v_hat.sqrt() + spec.eps), m, v]
}

/// One step of SGD on one element: the new parameter and velocity. `first` says that it is the first step.
pub fn sgd(p: f64, velocity: f64, g: f64, first: bool, spec: &SgdSpec) -> [f64; 2] {
    let g = g + spec.weight_decay * p;
    if spec.momentum == 0.0 {
        return [p - spec.lr * g, velocity];
    }
    let velocity = if first { g } else { spec.momentum * velocity + (1.0 - spec.dampening) * g };
    let step = if spec.nesterov { g + spec.momentum * velocity } else { velocity };
    [p - spec.lr * step, velocity]
}
