//! Histograms, in the buckets of TensorFlow's `histogram.cc`, which PyTorch's `SummaryWriter` uses too.

use std::sync::OnceLock;

/// A histogram, with the bucket limits `0, ±10⁻¹² · 1.1ᵏ < 10²⁰`.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The number of values.
    pub num: u64,
    /// The sum of the values.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_squares: f64,
    /// The upper limit of each bucket, which is the lower limit of the next. The first bucket is empty, and gives the
    /// lower limit of the second; adjacent empty buckets are merged, as in `histogram.cc` (PyTorch keeps the thousand
    /// around 0).
    pub limits: Vec<f64>,
    /// The number of values in each bucket, which includes its lower limit and excludes its upper.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// The histogram of the finite numbers in `values`; `None` if there are none. Values beyond the outermost limits
    /// count in the outermost buckets.
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

/// The limits of all buckets, with a table to look up the bucket of a value.
struct Edges {
    /// 0, `1e-12` times the powers of 1.1, and their negatives, in rising order.
    edges: Vec<f64>,
    /// For each [`place`], the first edge above its smallest number. The search for a larger number goes on from there.
    first_above: Vec<usize>,
}

/// The leading bits of the mantissa that a place includes: eight places per power of two, in which there are about
/// seven edges.
const MANTISSA: u32 = 3;

/// A coarse position of a number in numeric order: its leading bits.
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
        /// The table finds the same bucket as a search through all edges.
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
