//! Elementwise operations, comparisons, reductions and activations, and the parameters of slices and padding.

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
    /// arctan x, between −π/2 and π/2
    Atan,
    /// tanh x
    Tanh,
    /// 1 / (1 + e⁻ˣ), without overflow
    Sigmoid,
    /// The error function, to the dtype's precision
    Erf,
    /// Φ(x), the normal distribution function, to full relative precision in the lower tail too
    NormalCdf,
    /// φ(x) = Φ′(x) = e^(−x²/2) / √(2π), the normal density, to full relative precision in both tails
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
    /// The larger of x and y; NaN if either is NaN
    Maximum,
    /// The smaller of x and y; NaN if either is NaN
    Minimum,
}

/// A comparison: 1 where it holds and 0 elsewhere (u8). Where x or y is NaN, `Ne` holds and the others do not.
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
    /// The sum; 0 over no elements.
    Sum,
    /// The largest element; NaN if any element is NaN; an error over no elements.
    Max,
    /// The smallest element; NaN if any element is NaN; an error over no elements.
    Min,
}

/// An activation function, for layers and fused kernels.
///
/// Where x is NaN, value and derivative are NaN. Where x is infinite, they are their limits.
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
    /// x · Φ(x), with Φ the normal distribution function (Hendrycks and Gimpel 2016).
    Gelu,
    /// The tanh approximation of GELU: ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
    GeluTanh,
    /// x · sigmoid(x), also called swish.
    Silu,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// tanh x.
    Tanh,
    /// ln(1 + e^(βx)) / β; x itself where βx > `threshold`.
    Softplus {
        /// β, over 0.
        beta: f64,
        /// Where βx is above it, the function is the identity.
        threshold: f64,
    },
    /// 0 for x ≤ −3, x for x ≥ 3, x(x + 3)/6 in between (Howard et al. 2019); derivative 0 at −3 and 1 at 3.
    Hardswish,
}

/// A slice of one dimension: every `step`-th element of the half-open range `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceRange {
    /// The first index.
    pub start: usize,
    /// One past the last index.
    pub end: usize,
    /// The step between indices; at least 1.
    pub step: usize,
}

impl SliceRange {
    /// Every element of `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end, step: 1 }
    }

    /// The number of elements in the slice.
    pub fn count(&self) -> usize {
        self.end.saturating_sub(self.start).div_ceil(self.step)
    }
}

/// Padding of one dimension: elements added in front, behind, and between each two neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PadAmount {
    /// Elements in front.
    pub low: usize,
    /// Elements behind.
    pub high: usize,
    /// Elements between each two neighbours, as the gradient of a strided slice needs them.
    pub interior: usize,
}

impl PadAmount {
    /// The padded size of a dimension of `size`.
    pub fn padded(&self, size: usize) -> usize {
        self.low + self.high + size + size.saturating_sub(1) * self.interior
    }
}
