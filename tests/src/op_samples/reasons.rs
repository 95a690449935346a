//! Why some samples differ and are right to.

use super::compare::{Difference, Element};

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The value.
    Value,
    /// A gradient.
    Gradient,
    /// Ours is an error.
    Refused,
}

/// A reason: for these operators (all when there is none) and this part, where an element, or the error's text, is so.
struct Reason {
    ops: &'static [&'static str],
    part: Part,
    holds: Holds,
    why: &'static str,
}

enum Holds {
    Element(fn(&Element) -> bool),
    Text(fn(&str) -> bool),
}

use Holds::{Element as Each, Text};
use Part::{Gradient, Refused, Value};

const REASONS: &[Reason] = &[
    Reason {
        ops: &["sign", "sgn"],
        part: Value,
        holds: Each(|e| e.ours.is_nan() && input_is_nan(e)),
        why: "the sign of NaN is NaN, PyTorch's is 0",
    },
    Reason {
        ops: &["abs"],
        part: Gradient,
        holds: Each(|e| e.ours.is_nan() && input_is_nan(e)),
        why: "the sign of NaN is NaN, PyTorch's is 0",
    },
    Reason {
        ops: &["long", "byte", "to"],
        part: Value,
        holds: Each(|e| e.inputs[0].is_some_and(|x| !(0.0..256.0).contains(&x.trunc()) || x.is_nan())),
        why: "a float that the integer type does not hold: ours saturates and makes NaN 0, in C++ it is undefined",
    },
    Reason {
        ops: &["hardtanh", "relu6", "hardsigmoid"],
        part: Gradient,
        holds: Each(|e| {
            let slope = |slope: f64| e.cotangent.is_some_and(|g| (e.ours - g * slope).abs() <= 0.01 * e.ours.abs());
            input_is_nan(e) || e.peer == 0.0 && (slope(1.0) || slope(1.0 / 6.0))
        }),
        why: "at an edge: composed of clamp, whose gradient is that of the inside there, as of PyTorch's clamp; here PyTorch's is 0",
    },
    Reason {
        ops: &["hardtanh", "relu6", "hardshrink", "softshrink"],
        part: Gradient,
        holds: Each(input_is_nan),
        why: "at NaN, where PyTorch's own is 0 for one dtype and the cotangent for another",
    },
    Reason {
        ops: &[
            "elu",
            "selu",
            "relu",
            "maximum",
            "minimum",
            "max",
            "min",
            "fmax",
            "fmin",
            "clamp",
            "clamp_max",
            "clamp_min",
        ],
        part: Gradient,
        holds: Each(|e| e.ours.is_nan() && input_is_nan(e)),
        why: "NaN stays NaN, in gradients too; PyTorch's is the cotangent",
    },
    Reason {
        ops: &["silu", "gelu"],
        part: Value,
        holds: Each(|e| e.ours == 0.0 && e.inputs[0] == Some(f64::NEG_INFINITY)),
        why: "the limit at −∞ is 0; PyTorch's −∞ · 0 is NaN",
    },
    Reason {
        ops: &["silu", "gelu"],
        part: Gradient,
        holds: Each(|e| e.peer.is_nan() && e.inputs[0].is_some_and(f64::is_infinite)),
        why: "the limits of the derivative at ±∞ are 0 and 1; PyTorch's ∞ · 0 is NaN",
    },
    Reason {
        ops: &["atan2"],
        part: Gradient,
        holds: Each(|e| e.ours == 0.0 && e.peer.is_nan() && e.inputs.iter().flatten().any(|x| x.is_infinite())),
        why: "the limits of the derivatives at infinity are 0; PyTorch's ∞ / ∞ is NaN",
    },
    Reason {
        ops: &["gelu"],
        part: Value,
        holds: Each(|e| {
            e.inputs[0].is_some_and(|x| x < 0.0 && (e.ours - e.peer).abs() <= 0.5 * f64::EPSILON * x.abs())
        }),
        why: "below 0 PyTorch's 1 + erf cancels; ours is Φ by erfc",
    },
    Reason {
        ops: &["hardsigmoid"],
        part: Gradient,
        holds: Each(|e| (e.ours - e.peer).abs() <= 4e-8 * e.peer.abs()),
        why: "PyTorch multiplies by 1/6 in f32, for f64 too",
    },
    Reason {
        ops: &["layer_norm"],
        part: Gradient,
        holds: Each(|e| e.ours == 0.0 && e.peer.abs() < 1e-11),
        why: "the gradient of a row of one element is 0; PyTorch's is what rounding leaves, over √ε",
    },
    Reason {
        ops: &[],
        part: Value,
        holds: Text(|text| text.starts_with("i64 ") && text.contains("PyTorch's u8 ")),
        why: "sums, differences and products of bytes are i64; PyTorch's uint8 wraps, and its bool saturates",
    },
    Reason {
        ops: &["nn.functional.rms_norm"],
        part: Refused,
        holds: Text(|text| text.contains("eps must be at least 0")),
        why: "an eps below 0, which ours says is an error",
    },
    Reason {
        ops: &[],
        part: Refused,
        holds: Text(|text| text.contains("for shape [] of 0 dimensions")),
        why: "a scalar has no axis 0 or −1, as in NumPy; PyTorch takes them",
    },
    Reason {
        ops: &["softmax", "log_softmax", "softmin"],
        part: Refused,
        holds: Text(|text| text.contains("is empty: there is no element to choose")),
        why: "a softmax over nothing, which ours says is an error",
    },
    Reason {
        ops: &["topk"],
        part: Value,
        holds: Each(|e| [e.ours, e.peer].iter().all(|index| *index >= 0.0 && index.fract() == 0.0)),
        why: "the index of equal elements: ours are in their order, PyTorch's in any",
    },
    Reason {
        ops: &["take_along_dim"],
        part: Refused,
        holds: Text(|text| text.contains("index -")),
        why: "an index counted from the end",
    },
    Reason {
        ops: &["cat"],
        part: Refused,
        holds: Text(|text| text.contains("[0]")),
        why: "an empty vector beside tensors of other ranks, which PyTorch skips for old code's sake",
    },
    Reason {
        ops: &["nn.functional.batch_norm"],
        part: Refused,
        holds: Text(|text| text.contains("must be [N, C, …], came as [0]")),
        why: "a batch without a dimension of channels",
    },
];

fn input_is_nan(e: &Element) -> bool {
    e.inputs.iter().flatten().any(|x| x.is_nan())
}

/// The reason for a difference of the operator `op`; `None` when there is none, which is a fault. Every element that
/// differs must have one.
pub fn reason(op: &str, part: Part, difference: &Difference) -> Option<&'static str> {
    let mut candidates = REASONS.iter().filter(|reason| {
        reason.part == part
            && (reason.ops.is_empty()
                || reason.ops.contains(&op.trim_start_matches("nn.functional."))
                || reason.ops.contains(&op))
    });
    candidates
        .find(|reason| match (&reason.holds, difference) {
            (Each(holds), Difference::Elements(all)) => all.iter().all(holds),
            (Text(holds), Difference::Kind(text) | Difference::Error(text)) => holds(text),
            _ => false,
        })
        .map(|reason| reason.why)
}
