//! The triplet loss (Schroff, Kalenichenko and Philbin, "FaceNet", CVPR 2015, section 3.1; the swap: Balntas et al.,
//! "Learning local feature descriptors with triplets", BMVC 2016; the hardest of a batch: Hermans, Beyer and Leibe, "In
//! defense of the triplet loss for person re-identification", 2017, equation 5).

use super::{all_in_f32, reduce, same_shape};
use taper_tensor::gradcheck::Case;
use taper_tensor::{DType, Error, Reduction, Result, Tensor};

const OP: &str = "triplet_margin";

/// max(0, d(anchor, positive) − d(anchor, negative) + margin) with the distance ‖x − y + ε‖_p, as PyTorch's
/// `TripletMarginLoss`; where both sides are equal the derivative is 1, as there.
#[derive(Debug, Clone, Copy)]
pub struct TripletMargin {
    /// By how much the negative is to be farther away than the positive; at least 0, 1 by default.
    pub margin: f64,
    /// The norm of the distance; 2 by default.
    pub p: f64,
    /// ε, added to each difference, 1e-6 by default: equal embeddings have a distance of more than 0.
    pub eps: f64,
    /// Whether the distance between positive and negative is used where it is less than that of anchor and negative.
    pub swap: bool,
    /// How the losses of the triplets are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl Default for TripletMargin {
    fn default() -> Self {
        Self { margin: 1.0, p: 2.0, eps: 1e-6, swap: false, reduction: Reduction::Mean }
    }
}

impl TripletMargin {
    /// The loss of embeddings `[…, D]`, of the same shape all three.
    pub fn forward(&self, anchor: &Tensor, positive: &Tensor, negative: &Tensor) -> Result<Tensor> {
        self.check()?;
        same_shape(OP, anchor, positive)?;
        same_shape(OP, anchor, negative)?;
        if let Some(loss) = all_in_f32([anchor, positive, negative], |[a, p, n]| self.forward(a, p, n))? {
            return Ok(loss);
        }
        let distance = |x: &Tensor, y: &Tensor| x.sub(y)?.add_scalar(self.eps)?.norm(self.p, &[-1], false);
        let near = distance(anchor, positive)?;
        let mut far = distance(anchor, negative)?;
        if self.swap {
            far = far.minimum(&distance(positive, negative)?)?;
        }
        reduce(&near.sub(&far)?.add_scalar(self.margin)?.clamp(Some(0.0), None)?, self.reduction)
    }

    /// The loss of each embedding of `embeddings: [N, D]` as an anchor, with the farthest of its class and the nearest of
    /// the others among the batch, by `classes: [N]` (i64); without ε and swap. A batch is best made of a few samples of
    /// each of a few classes.
    ///
    /// An anchor that is alone in its class, or whose class is the only one, does not count: its loss is 0 for
    /// [`Reduction::None`], and the mean is that of the others.
    pub fn batch_hard(&self, embeddings: &Tensor, classes: &Tensor) -> Result<Tensor> {
        self.check()?;
        let shape = embeddings.shape();
        if shape.rank() != 2 || classes.shape()[..] != shape[..1] || classes.dtype() != DType::I64 {
            let (dtype, came) = (classes.dtype(), classes.shape());
            let detail =
                format!("expected embeddings [N, D] with classes [N] in i64, came {shape} with {dtype} {came}");
            return Err(Error::shape(OP, detail));
        }
        if let Some(loss) = all_in_f32([embeddings], |[x]| self.batch_hard(x, classes))? {
            return Ok(loss);
        }
        let (count, device) = (shape[0], embeddings.device());
        if count == 0 {
            return reduce(&embeddings.sum(&[1], false)?, self.reduction);
        }
        let distances = embeddings.unsqueeze(1)?.sub(&embeddings.unsqueeze(0)?)?.norm(self.p, &[-1], false)?; // [N, N]
        let same = classes.unsqueeze(1)?.eq(&classes.unsqueeze(0)?)?;
        let others = same.logical_and(&Tensor::eye(count, count, DType::U8, device)?.logical_not()?)?;
        let far = distances.masked_fill(&others.logical_not()?, f64::NEG_INFINITY)?.max_with_index(1, false)?.0;
        let near = distances.masked_fill(&same, f64::INFINITY)?.min_with_index(1, false)?.0;
        let counts = others.any(&[1], false)?.logical_and(&same.all(&[1], false)?.logical_not()?)?; // [N]
        let losses = far.sub(&near)?.add_scalar(self.margin)?.clamp(Some(0.0), None)?;
        let losses = losses.masked_fill(&counts.logical_not()?, 0.0)?;
        match self.reduction {
            Reduction::Mean => losses.sum_all()?.div(&counts.cast(losses.dtype())?.sum_all()?),
            other => reduce(&losses, other),
        }
    }

    fn check(&self) -> Result<()> {
        if self.margin >= 0.0 && self.margin.is_finite() {
            return Ok(());
        }
        Err(Error::argument(OP, format!("the margin must be at least 0, came as {}", self.margin)))
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |p, swap, reduction| {
        move |x: &[Tensor]| {
            TripletMargin { p, swap, reduction, ..TripletMargin::default() }.forward(&x[0], &x[1], &x[2])
        }
    };
    let hard = |classes: [i64; 5], reduction| {
        move |x: &[Tensor]| {
            let classes = Tensor::from_vec(classes.to_vec(), [5], x[0].device())?;
            TripletMargin { reduction, ..TripletMargin::default() }.batch_hard(&x[0], &classes)
        }
    };
    vec![
        Case::new("mean", loss(2.0, false, Reduction::Mean)).input([3, 4]).input([3, 4]).input([3, 4]),
        Case::new("swapped, one for each", loss(2.0, true, Reduction::None)).input([3, 4]).input([3, 4]).input([3, 4]),
        Case::new("p = 1, summed", loss(1.0, false, Reduction::Sum)).input([2, 3]).input([2, 3]).input([2, 3]),
        Case::new("the hardest", hard([0, 1, 0, 1, 1], Reduction::Mean)).input([5, 3]),
        Case::new("one alone", hard([0, 1, 0, 2, 1], Reduction::None)).input([5, 3]),
        Case::new("one class", hard([1; 5], Reduction::Sum)).input([5, 3]).zero_gradient(0),
    ]
}
