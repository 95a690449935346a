//! The parameters of elementwise operations, reductions and views.

/// `y = f(x)`, element by element. NaN stays NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// −x
    Neg,
    /// |x|
    Abs,
    /// −1, 0 or 1
    Sign,
    /// eˣ
    Exp,
    /// eˣ − 1, exact near 0
    Expm1,
    /// e^(−x²), to full relative precision where it is tiny
    ExpNegSquare,
    /// ln x
    Log,
    /// ln(1 + x), exact near 0
    Log1p,
    /// √x
    Sqrt,
    /// 1 / x
    Recip,
    /// sin x
    Sin,
    /// cos x
    Cos,
    /// tanh x
    Tanh,
    /// 1 / (1 + e⁻ˣ), without overflow
    Sigmoid,
    /// The error function, to the dtype's precision
    Erf,
    /// Φ(x), the normal distribution function, to full relative precision in the lower tail too
    NormalCdf,
    /// φ(x) = Φ′(x) = e^(−x²/2) / √(2π), likewise
    NormalPdf,
    /// The largest integer not above x
    Floor,
}

/// `z = f(x, y)`, element by element, with broadcasting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// x + y
    Add,
    /// x − y
    Sub,
    /// x · y
    Mul,
    /// x / y
    Div,
    /// xʸ
    Pow,
    /// The larger; NaN if either is
    Maximum,
    /// The smaller; NaN if either is
    Minimum,
}

/// A comparison, giving 1 where it holds and 0 elsewhere (u8). False wherever a NaN takes part, but for `Ne`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// x = y
    Eq,
    /// x ≠ y
    Ne,
    /// x < y
    Lt,
    /// x ≤ y
    Le,
    /// x > y
    Gt,
    /// x ≥ y
    Ge,
}

/// A reduction over axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    /// The sum; 0 over nothing.
    Sum,
    /// The largest; NaN if any is; an error over nothing.
    Max,
    /// The smallest; NaN if any is; an error over nothing.
    Min,
}

/// The activation functions, as layers name them and as fused kernels apply them.
///
/// Where x is NaN, so are value and derivative. Where x is infinite, both are the limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// y = x
    Identity,
    /// max(x, 0); derivative 0 at 0.
    Relu,
    /// x where x > 0, `negative_slope` · x elsewhere (derivative `negative_slope` at 0).
    LeakyRelu {
        /// The slope for x ≤ 0.
        negative_slope: f64,
    },
    /// x where x > 0, `alpha` · (eˣ − 1) elsewhere (Clevert et al. 2016).
    Elu {
        /// The scale for x ≤ 0.
        alpha: f64,
    },
    /// x · Φ(x) with the normal distribution function (Hendrycks and Gimpel 2016).
    Gelu,
    /// Its approximation ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
    GeluTanh,
    /// x · sigmoid(x), also called swish.
    Silu,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// tanh x.
    Tanh,
    /// ln(1 + e^(βx)) / β; x itself where βx > `threshold`.
    Softplus {
        /// β.
        beta: f64,
        /// Above βx of this, the identity.
        threshold: f64,
    },
    /// 0 for x ≤ −3, x for x ≥ 3, x(x + 3)/6 between (Howard et al. 2019); derivative 0 at −3 and 1 at 3.
    Hardswish,
}

/// The half-open range `start..end` of one dimension, every `step`-th element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceRange {
    /// The first index.
    pub start: usize,
    /// One past the last index.
    pub end: usize,
    /// At least 1.
    pub step: usize,
}

impl SliceRange {
    /// `start..end`, every element.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end, step: 1 }
    }

    /// How many elements it takes.
    pub fn count(&self) -> usize {
        self.end.saturating_sub(self.start).div_ceil(self.step)
    }
}

/// Padding of one dimension: elements put in front, behind, and between each two neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PadAmount {
    /// Elements in front.
    pub low: usize,
    /// Elements behind.
    pub high: usize,
    /// Elements between each two neighbours: what the gradient of a strided slice needs.
    pub interior: usize,
}

impl PadAmount {
    /// The padded size of a dimension of `size`.
    pub fn padded(&self, size: usize) -> usize {
        self.low + self.high + size + size.saturating_sub(1) * self.interior
    }
}
