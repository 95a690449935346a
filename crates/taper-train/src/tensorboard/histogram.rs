//! How numbers are distributed, in the buckets of TensorFlow's `histogram.cc`, which PyTorch's `SummaryWriter` has too.

use std::sync::OnceLock;

/// Counts of numbers between limits `0, ±10⁻¹² · 1.1ᵏ < 10²⁰`.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The smallest number.
    pub min: f64,
    /// The largest number.
    pub max: f64,
    /// How many numbers.
    pub num: u64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_squares: f64,
    /// The upper limit of each bucket, which is the lower one of the next. The first is empty, so that the lower limit
    /// of the second is told; empty ones beside each other are one, as in `histogram.cc` (PyTorch keeps the thousand
    /// around 0).
    pub limits: Vec<f64>,
    /// How many numbers are in each bucket, its lower limit included and its upper one not.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// The histogram of the finite ones among `values`; `None` where there are none. What lies beyond the outermost
    /// limits counts in the outermost buckets.
    pub fn new<T: Copy + Into<f64>>(values: &[T]) -> Option<Self> {
        let Edges { edges, first_above } = edges();
        let mut counts = vec![0_u64; edges.len() - 1];
        let (mut min, mut max, mut num, mut sum, mut sum_squares) = (f64::INFINITY, f64::NEG_INFINITY, 0, 0.0, 0.0);
        for value in values.iter().map(|&value| -> f64 { value.into() }).filter(|value| value.is_finite()) {
            let mut above = first_above[place(value)];
            while above < edges.len() && edges[above] <= value {
                above += 1;
            }
            counts[above.clamp(1, edges.len() - 1) - 1] += 1;
            (min, max) = (value.min(min), value.max(max));
            num += 1;
            sum += value;
            sum_squares += value * value;
        }
        let first = counts.iter().position(|&count| count > 0)?;
        let last = counts.iter().rposition(|&count| count > 0)?;
        let (mut limits, mut kept) = (vec![edges[first]], vec![0]);
        for bucket in first..=last {
            if counts[bucket] == 0 && kept.last() == Some(&0) {
                limits.pop();
                kept.pop();
            }
            limits.push(edges[bucket + 1]);
            kept.push(counts[bucket]);
        }
        Some(Self { min, max, num, sum, sum_squares, limits, counts: kept })
    }
}

/// The limits of all buckets, and where to look for a value among them.
struct Edges {
    /// `1e-12` times 1.1, again and again, their negatives and 0.
    edges: Vec<f64>,
    /// For each [`place`] of numbers the first edge above the smallest of them; the others have a few more to pass.
    first_above: Vec<usize>,
}

/// Bits of a mantissa that make a place: eight places from one power of two to the next, which are seven edges.
const MANTISSA: u32 = 3;

/// Where a number is, in the order of numbers: the first bits of it.
fn place(value: f64) -> usize {
    let bits = value.to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    (ordered >> (52 - MANTISSA)) as usize
}

fn edges() -> &'static Edges {
    static EDGES: OnceLock<Edges> = OnceLock::new();
    EDGES.get_or_init(|| {
        let positive =
            || std::iter::successors(Some(1e-12), |limit| Some(limit * 1.1)).take_while(|&limit| limit < 1e20);
        let mut edges: Vec<f64> = positive().map(|limit| -limit).collect();
        edges.reverse();
        edges.push(0.0);
        edges.extend(positive());
        let places = 1 << (12 + MANTISSA);
        let above = |place: usize| edges.partition_point(|&edge| self::place(edge) < place);
        let first_above = (0..places).map(above).collect();
        Edges { edges, first_above }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is looked up is what a search through all edges finds.
        #[test]
        fn every_number_is_in_its_bucket(bits in any::<u64>(), exponent in -45..70_i32) {
            let near = f64::from_bits(bits & !(0x7ff << 52) | (1023_u64.wrapping_add_signed(exponent.into())) << 52);
            let edges = &edges().edges;
            let of_edges = [edges[bits as usize % edges.len()], near, f64::from_bits(bits)];
            for value in of_edges.into_iter().filter(|value| value.is_finite()) {
                let found = Histogram::new(&[value]).unwrap();
                let above = edges.partition_point(|&edge| edge <= value).clamp(1, edges.len() - 1);
                prop_assert_eq!(found.limits[1..].to_vec(), vec![edges[above]], "{}", value);
            }
        }
    }
}
