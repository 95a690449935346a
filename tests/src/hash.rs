//! Synthetic weights, samples and labels from a hash of a counter, the same as in `tests/peers/counter_hash.py`, so
//! that the losses recorded from a peer can be compared without files of weights or data.
//!
//! `word(s, i) = mix(mix(s) + (i + 1) · 0x9E3779B97F4A7C15)` modulo 2⁶⁴, with the finaliser of SplitMix64 (Steele, Lea
//! and Flood, OOPSLA 2014) as `mix`.

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
const PICTURES: u64 = 100;
const LABELS: u64 = 101;

fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The 64-bit number `i` of random stream `stream`.
pub fn word(stream: u64, i: u64) -> u64 {
    mix(mix(stream).wrapping_add((i + 1).wrapping_mul(GAMMA)))
}

/// The `count` values of parameter number `parameter` (from 0, in the order of the state dict): uniform in [−a, a) with
/// a = 1/√`fan_in`.
pub fn weights(parameter: u64, count: usize, fan_in: usize) -> Vec<f64> {
    let a = 1.0 / (fan_in as f64).sqrt();
    let unit = |i| (word(parameter, i) >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
    (0..count as u64).map(|i| (2.0 * unit(i) - 1.0) * a).collect()
}

/// The bytes of `count` synthetic samples, `[count, 3, 32, 32]` in row-major order.
pub fn pictures(count: usize) -> Vec<u8> {
    (0..count as u64 * 3072).map(|i| (word(PICTURES, i) >> 56) as u8).collect()
}

/// The labels, 0 to 9, of `count` synthetic samples.
pub fn labels(count: usize) -> Vec<i64> {
    (0..count as u64).map(|n| (word(LABELS, n) % 10) as i64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that `counter_hash.py` prints. Stream 0 is SplitMix64 from seed 0, whose first numbers are
    /// published.
    #[test]
    fn the_peer_draws_the_same() {
        let first = |stream| [0, 1, 2].map(|i| word(stream, i));
        assert_eq!(first(0), [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
        assert_eq!(first(1), [0xbfef_8030_ddc2_d772, 0x5f55_2ce4_82f2_aa47, 0x7033_5fc3_daf3_d8a7]);
        assert_eq!(first(100), [0xf87f_486a_4181_b395, 0x206a_2f7d_bee6_81aa, 0x353a_2b5f_99bf_ceae]);
        let expected = [-0.020482181694007413, 0.032893600159569755, -0.01050931480352039, 0.02059250459824319];
        assert_eq!(weights(2, 4, 576), expected);
        assert_eq!(pictures(1)[..8], [248, 32, 53, 161, 131, 245, 43, 168]);
        assert_eq!(labels(12), [0, 9, 4, 4, 6, 8, 7, 1, 9, 2, 0, 9]);
    }
}
