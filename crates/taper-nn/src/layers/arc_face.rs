//! Heads that learn embeddings by classifying with a margin: ArcFace (Deng et al., "ArcFace: additive angular margin loss
//! for deep face recognition", CVPR 2019, equation 3) and CosFace (Wang et al., "CosFace: large margin cosine loss for deep
//! face recognition", CVPR 2018, equation 4).

use super::{at, at_least_one};
use crate::gradcheck::of_params;
use crate::optim::wide;
use crate::unit::unit;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{DType, Error, Param, Result, Tensor};

const OP: &str = "arc_face";

/// What an [`ArcFace`] demands of the right class, whose weight has the angle θ to the embedding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FaceMargin {
    /// cos(θ + m) in place of cos θ, for an angle m of 0 to π: ArcFace. Where θ + m is over π, cos θ − m sin m, as in the
    /// authors' program, so that a larger angle never scores more.
    Angle(f64),
    /// cos θ − m in place of cos θ: CosFace.
    Cosine(f64),
}

/// The configuration of [`ArcFace`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArcFaceConfig {
    /// The length of an embedding.
    pub in_features: usize,
    /// The number of classes.
    pub classes: usize,
    /// s, by which cosines are multiplied to make logits; over 0.
    pub scale: f64,
    /// What is demanded of the right class.
    pub margin: FaceMargin,
    /// The initialisation of the weight.
    pub init: Init,
}

impl ArcFaceConfig {
    /// ArcFace with the paper's s = 64 and m = 0.5.
    pub fn new(in_features: usize, classes: usize) -> Self {
        let init = Init::XavierUniform { gain: 1.0 };
        Self { in_features, classes, scale: 64.0, margin: FaceMargin::Angle(0.5), init }
    }

    /// Sets s.
    pub fn scale(self, scale: f64) -> Self {
        Self { scale, ..self }
    }

    /// Sets the margin.
    pub fn margin(self, margin: FaceMargin) -> Self {
        Self { margin, ..self }
    }

    /// Sets the initialisation of the weight.
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }
}

/// Logits s · cos θ_c of embeddings `[N, in_features]` for each class c, `[N, classes]`: θ_c is the angle between the
/// embedding and row c of `weight: [classes, in_features]`, whatever their lengths. In training the right class has a
/// margin ([`ArcFace::with_target`]); the loss is the [`CrossEntropy`](crate::CrossEntropy) of the logits.
///
/// The derivative of cos(θ + m) by cos θ is infinite at θ = 0 and π; there, where none of it reaches the embedding in exact
/// arithmetic, that of its sine is 0 here. An embedding of zeros has logits of 0.
#[derive(Debug, Clone)]
pub struct ArcFace {
    path: String,
    weight: Param,
    scale: f64,
    margin: FaceMargin,
}

impl ArcFace {
    /// Creates `weight` in `params`. An error when a size is 0, or scale or margin is out of range.
    pub fn new(config: ArcFaceConfig, params: &Params) -> Result<Self> {
        let ArcFaceConfig { in_features, classes, scale, margin, init } = config;
        let path = params.path();
        at_least_one(OP, path, &[("in_features", in_features), ("classes", classes)])?;
        if !(scale > 0.0 && scale.is_finite()) {
            return at(path, Err(Error::argument(OP, format!("scale must be over 0, came as {scale}"))));
        }
        let (FaceMargin::Angle(m) | FaceMargin::Cosine(m)) = margin;
        let most = if matches!(margin, FaceMargin::Angle(_)) { std::f64::consts::PI } else { f64::MAX };
        if !(0.0..=most).contains(&m) {
            let range = if most < f64::MAX { "an angle from 0 to π" } else { "at least 0" };
            return at(path, Err(Error::argument(OP, format!("the margin must be {range}, came as {m}"))));
        }
        let weight = params.get("weight", [classes, in_features], init)?;
        Ok(Self { path: path.to_owned(), weight, scale, margin })
    }

    /// The classes' directions, `[classes, in_features]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    /// The logits `[N, classes]` of `x: [N, in_features]` with the margin at the right classes `target: [N]` (i64).
    pub fn with_target(&self, x: &Tensor, target: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |_| {
            if target.shape()[..] != x.shape()[..x.shape().rank().min(1)] || target.dtype() != DType::I64 {
                let (shape, dtype, x) = (target.shape(), target.dtype(), x.shape());
                let detail = format!("expected classes [N] in i64 for the input {x}, came {dtype} {shape}");
                return Err(Error::shape(OP, detail));
            }
            let cosines = self.cosines(x)?;
            let right = target.one_hot(cosines.shape()[1])?.gt_scalar(0.0)?; // [N, classes]
            let logits = right.select(&self.with_margin(&cosines)?, &cosines)?.mul_scalar(self.scale)?;
            logits.cast(x.dtype())
        })
    }

    fn cosines(&self, x: &Tensor) -> Result<Tensor> {
        let weight = self.weight.tensor();
        let [_, width] = weight.dims()?;
        if x.shape().rank() != 2 || x.shape()[1] != width {
            let detail = format!("expected embeddings [N, {width}], the input came as {}", x.shape());
            return Err(Error::shape(OP, detail));
        }
        // Lengths and cosines need more digits than halves have, and the same dtype on both sides.
        let dtype = wide(weight.dtype());
        unit(&x.cast(dtype)?)?.linear(&unit(&weight.cast(dtype)?)?, None)
    }

    fn with_margin(&self, cosines: &Tensor) -> Result<Tensor> {
        let m = match self.margin {
            FaceMargin::Cosine(m) => return cosines.add_scalar(-m),
            FaceMargin::Angle(m) => m,
        };
        // sin θ. Rounding makes cosines a little larger than 1 too; the root's derivative stays finite.
        let square = cosines.neg()?.add_scalar(1.0)?.mul(&cosines.add_scalar(1.0)?)?;
        let sines = square.maximum_scalar(1e-24)?.sqrt()?;
        let turned = cosines.mul_scalar(m.cos())?.sub(&sines.mul_scalar(m.sin())?)?; // cos(θ + m)
        let beyond = cosines.add_scalar(-m * m.sin())?;
        cosines.gt_scalar(-m.cos())?.select(&turned, &beyond)
    }
}

impl Module for ArcFace {
    /// The logits without a margin.
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |_| self.cosines(x)?.mul_scalar(self.scale)?.cast(x.dtype()))
    }
}

pub(super) fn cases() -> Vec<Case> {
    let head = |name: &str, margin, with_target: bool| {
        let forward = move |x: &[Tensor], params: &Params| {
            let head = ArcFace::new(ArcFaceConfig::new(3, 4).scale(2.0).margin(margin), params)?;
            let target = Tensor::from_vec(vec![2i64, 0], [2], x[0].device())?;
            if with_target {
                head.with_target(&x[0], &target, &Context::eval())
            } else {
                head.forward(&x[0], &Context::eval())
            }
        };
        of_params(name, forward, 1)
    };
    let rows = || vec![0.3, -0.8, 0.4, 0.9, 0.2, -0.5];
    // Row 2 is at an angle of more than π − m from the first embedding.
    let weight = || vec![0.5, 0.4, -0.3, 0.7, 0.1, 0.6, -0.4, 0.9, -0.2, 0.2, -0.6, 0.8];
    vec![
        head("an angle", FaceMargin::Angle(0.5), true).values([2, 3], rows()).values([4, 3], weight()),
        head("a large angle", FaceMargin::Angle(1.4), true).values([2, 3], rows()).values([4, 3], weight()),
        head("a cosine", FaceMargin::Cosine(0.35), true).input([2, 3]).input([4, 3]),
        head("no margin", FaceMargin::Angle(0.5), false).input([2, 3]).input([4, 3]),
    ]
}
