//! Cross entropy of logits and classes.

use taper_tensor::gradcheck::Case;
use taper_tensor::{CrossEntropyOptions, Reduction, Result, Tensor};

/// −Σ_c q_c · w_c · log softmax(x)_c for logits x, as PyTorch's `CrossEntropyLoss`.
///
/// The target distribution q is 1 at the class; with label smoothing ε (Szegedy et al. 2016, section 7) it is 1 − ε
/// there, plus ε / C for every class.
#[derive(Debug, Clone)]
pub struct CrossEntropy {
    /// w, a weight for each class, `[C]`. No gradient flows to it.
    pub weight: Option<Tensor>,
    /// ε, the label smoothing, 0 to 1.
    pub label_smoothing: f64,
    /// Targets with this value are ignored; −100 by default, as in PyTorch.
    pub ignore_index: i64,
    /// How the losses are reduced. The mean is weighted by the class weights of the targets that are not ignored.
    pub reduction: Reduction,
}

impl Default for CrossEntropy {
    fn default() -> Self {
        Self { weight: None, label_smoothing: 0.0, ignore_index: -100, reduction: Reduction::Mean }
    }
}

impl CrossEntropy {
    /// The loss of `logits: [N, C]` or `[N, C, d…]` with `target`: classes `[N]` or `[N, d…]` (i64, each in 0..C or
    /// ignored), or distributions over classes (floats of the logits' shape).
    pub fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let Self { weight, label_smoothing, ignore_index, reduction } = self.clone();
        logits.cross_entropy(target, &CrossEntropyOptions { weight, ignore_index, reduction, label_smoothing })
    }
}

pub(super) fn cases() -> Vec<Case> {
    let classes = |name: &str, label_smoothing, reduction, weighted: bool| {
        let forward = move |x: &[Tensor]| {
            let target = Tensor::from_vec(vec![2i64, 0, -100, 3], [4], x[0].device())?;
            let weight = Tensor::from_vec(vec![0.5, 2.0, 1.5, 0.7], [4], x[0].device())?;
            let weight = weighted.then_some(weight);
            CrossEntropy { weight, label_smoothing, reduction, ..Default::default() }.forward(&x[0], &target)
        };
        Case::new(name, forward).input([4, 4])
    };
    let distributions = |name: &str, label_smoothing, reduction| {
        let loss = CrossEntropy { label_smoothing, reduction, ..Default::default() };
        Case::new(name, move |x| loss.forward(&x[0], &x[1])).input([2, 3, 2]).input_in([2, 3, 2], 0.0, 1.0)
    };
    vec![
        classes("classes", 0.0, Reduction::Mean, false),
        classes("smoothed", 0.1, Reduction::Mean, false),
        classes("weighted, smoothed, one for each", 0.2, Reduction::None, true),
        distributions("distributions", 0.0, Reduction::Mean),
        distributions("distributions, smoothed, summed", 0.1, Reduction::Sum),
    ]
}
