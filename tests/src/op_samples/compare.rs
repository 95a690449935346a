//! Whether a value agrees with PyTorch's.

use super::file::Recorded;
use super::table::Rule;
use std::fmt;
use taper_tensor::{DType, HostData};

/// What came of it.
#[derive(Debug)]
pub enum Verdict {
    /// As PyTorch's value in that dtype.
    AsPeer,
    /// Somewhere not, and there as what PyTorch computes in f64 from the same numbers.
    AsExact,
    /// Neither.
    Differs(Difference),
}

/// What differs.
#[derive(Debug)]
pub enum Difference {
    /// Shapes or dtypes: ours and PyTorch's.
    Kind(String),
    /// These elements.
    Elements(Vec<Element>),
    /// Ours is an error.
    Error(String),
}

/// An element that differs.
#[derive(Debug, Clone, Copy)]
pub struct Element {
    /// Where, in row-major order.
    pub at: usize,
    /// Ours.
    pub ours: f64,
    /// PyTorch's.
    pub peer: f64,
    /// PyTorch's in f64, from the same numbers, rounded.
    pub exact: Option<f64>,
    /// How far apart ours and PyTorch's are, in units in the last place of PyTorch's.
    pub ulps: f64,
    /// The elements there of those inputs that have this shape.
    pub inputs: [Option<f64>; 2],
    /// Of a gradient: the cotangent there, where it has this shape.
    pub cotangent: Option<f64>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(text) | Self::Error(text) => f.write_str(text),
            Self::Elements(all) => {
                let Element { at, ours, peer, exact, ulps, inputs, cotangent } = all[0];
                write!(f, "{} elements; {at}: {ours:e}, PyTorch's {peer:e} ({ulps:.1} ulp)", all.len())?;
                exact.map_or(Ok(()), |exact| write!(f, ", in f64 {exact:e}"))?;
                inputs.iter().flatten().try_for_each(|x| write!(f, ", of {x:e}"))?;
                cotangent.map_or(Ok(()), |g| write!(f, ", cotangent {g:e}"))
            }
        }
    }
}

/// What a comparison goes by.
pub struct Measure<'a> {
    /// How near.
    pub rule: Rule,
    /// The size of what a sum is made of.
    pub scale: f64,
    /// For gradients: the cotangent at each element, 4 of whose units in the last place are allowed too.
    pub cotangent: Option<&'a [f64]>,
    /// Inputs, for the reasons.
    pub inputs: &'a [Recorded],
}

impl Measure<'_> {
    /// Judges `ours` by `peer`, PyTorch's in the same dtype, and by `exact`, its value in f64.
    pub fn judge(&self, ours: &Recorded, peer: &Recorded, exact: Option<&Recorded>) -> Verdict {
        if ours.shape != peer.shape || ours.dtype != peer.dtype {
            let [ours, peer] = [ours, peer].map(|x| format!("{} {:?}", x.dtype, x.shape));
            return Verdict::Differs(Difference::Kind(format!("{ours}, PyTorch's {peer}")));
        }
        let dtype = ours.dtype;
        let exact = exact.map(|exact| HostData::from_f64(&exact.values, dtype).to_f64());
        let largest = peer.values.iter().filter(|x| x.is_finite()).fold(self.scale, |a, x| a.max(x.abs()));
        let inputs: Vec<_> = self.inputs.iter().filter(|x| x.shape == ours.shape).collect();
        let (mut as_peer, mut differing) = (true, Vec::new());
        for (at, (&a, &b)) in ours.values.iter().zip(&peer.values).enumerate() {
            let slack = self.cotangent.map_or(0.0, |g| 4.0 * ulp(g[at], dtype));
            let near = |b: f64| {
                let same = a == b || (a.is_nan() && b.is_nan());
                same || (a - b).abs() <= self.allowed(dtype, b, largest).max(slack)
            };
            let exact = exact.as_ref().map(|exact| exact[at]);
            if near(b) {
                continue;
            }
            as_peer = false;
            if !exact.is_some_and(near) {
                let inputs = [0, 1].map(|i| inputs.get(i).map(|x| x.values[at]));
                let (ulps, cotangent) = ((a - b).abs() / ulp(b, dtype), self.cotangent.map(|g| g[at]));
                differing.push(Element { at, ours: a, peer: b, exact, ulps, inputs, cotangent });
            }
        }
        match (as_peer, differing.is_empty()) {
            (true, _) => Verdict::AsPeer,
            (false, true) => Verdict::AsExact,
            (false, false) => Verdict::Differs(Difference::Elements(differing)),
        }
    }

    /// How far from `x` a value may be.
    fn allowed(&self, dtype: DType, x: f64, largest: f64) -> f64 {
        match self.rule {
            _ if !dtype.is_float() => 0.0,
            Rule::Exact => 0.0,
            Rule::Ulps(count) => count * ulp(x, dtype),
            Rule::Sums => 32.0 * ulp(1.0, dtype) * largest,
        }
    }
}

/// The distance between numbers of `dtype` around `x`.
fn ulp(x: f64, dtype: DType) -> f64 {
    let (digits, smallest) = match dtype {
        DType::F64 => (52, -1022),
        DType::F32 => (23, -126),
        DType::F16 => (10, -14),
        DType::BF16 => (7, -126),
        DType::I64 | DType::U8 => return 1.0,
    };
    let exponent = if x == 0.0 || !x.is_finite() { smallest } else { (x.abs().log2().floor() as i32).max(smallest) };
    2f64.powi(exponent - digits)
}
