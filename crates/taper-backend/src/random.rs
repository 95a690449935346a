//! Counter-based random numbers: Philox 4×32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1,
//! 2, 3", SC 2011). A number depends only on its key and its index, never on the order of calls, so that results do not
//! depend on the number of threads, the batch size or what other code has drawn.

/// Philox 4×32-10: four random words for a 128-bit `counter` under a 64-bit `key`.
#[inline]
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let (mut c, mut k) = (counter, key);
    for _ in 0..10 {
        let p0 = u64::from(c[0]) * 0xD251_1F53;
        let p1 = u64::from(c[2]) * 0xCD9E_8D57;
        c = [(p1 >> 32) as u32 ^ c[1] ^ k[0], p1 as u32, (p0 >> 32) as u32 ^ c[3] ^ k[1], p0 as u32];
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    c
}

/// The key of a stream of random numbers: a seed, and a path of names and numbers that leads to the stream.
///
/// ```
/// use taper_backend::RandomKey;
/// let dropout = RandomKey::new(7).child("dropout").index(3); // seed 7, third dropout layer
/// assert_eq!(dropout.uniform(41), RandomKey::new(7).child("dropout").index(3).uniform(41));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RandomKey {
    seed: u64,
    stream: u64,
}

impl RandomKey {
    /// The root stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, stream: 0 }
    }

    /// The child stream called `name`.
    pub fn child(self, name: &str) -> Self {
        // FNV-1a, 64 bits: stable over versions, unlike the standard hasher.
        let hash =
            name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3));
        self.index(hash)
    }

    /// The child stream with a number: of an epoch, a step, a layer.
    pub fn index(self, number: u64) -> Self {
        let words = philox4x32(
            [number as u32, (number >> 32) as u32, self.stream as u32, (self.stream >> 32) as u32],
            [self.seed as u32 ^ 0x7461_7065, (self.seed >> 32) as u32 ^ 0x7220_6E6E],
        );
        Self { seed: self.seed, stream: u64::from(words[0]) | u64::from(words[1]) << 32 }
    }

    /// The seed and the stream: all that a kernel on another device needs to draw the same words as
    /// [`block`](Self::block).
    pub fn words(self) -> [u64; 2] {
        [self.seed, self.stream]
    }

    /// The four random words of block `block`.
    #[inline]
    pub fn block(self, block: u64) -> [u32; 4] {
        philox4x32(
            [block as u32, (block >> 32) as u32, self.stream as u32, (self.stream >> 32) as u32],
            [self.seed as u32, (self.seed >> 32) as u32],
        )
    }

    /// The `i`-th random word, in 0 to 2³² − 1: dropout compares it with its threshold.
    pub fn word(self, i: u64) -> u32 {
        self.block(i / 4)[(i % 4) as usize]
    }

    /// The `i`-th uniform number in [0, 1), with 53 random bits.
    pub fn uniform(self, i: u64) -> f64 {
        to_unit(self.bits(i))
    }

    /// The `i`-th integer of 53 random bits.
    fn bits(self, i: u64) -> u64 {
        let words = self.block(i / 2);
        let pair = (i % 2) as usize * 2;
        to_bits(words[pair], words[pair + 1])
    }

    /// The `i`-th number of the standard normal distribution (Box and Muller 1958: two numbers from each block).
    pub fn normal(self, i: u64) -> f64 {
        let [a, b, c, d] = self.block(i / 2);
        // The logarithm is of a number in (0, 1], so that it is finite.
        let radius = (-2.0 * (1.0 - to_unit(to_bits(a, b))).ln()).sqrt();
        let angle = std::f64::consts::TAU * to_unit(to_bits(c, d));
        if i.is_multiple_of(2) { radius * angle.cos() } else { radius * angle.sin() }
    }

    /// The `i`-th uniform integer in `0..bound` (bias under 2⁻⁵³ · `bound`); 0 for a `bound` of 0.
    pub fn below(self, i: u64, bound: usize) -> usize {
        // Computed in integers: a product of floats may be rounded up to the bound.
        ((u128::from(self.bits(i)) * bound as u128) >> BITS) as usize
    }

    /// A random permutation of `0..n` (Fisher and Yates).
    pub fn permutation(self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i as u64, i + 1));
        }
        order
    }
}

/// The number of random bits in a uniform number: the precision of f64.
const BITS: u32 = 53;

/// The upper 53 bits of two words.
fn to_bits(low: u32, high: u32) -> u64 {
    ((u64::from(high) << 32) | u64::from(low)) >> (64 - BITS)
}

/// 53 random bits as a number in [0, 1).
fn to_unit(bits: u64) -> f64 {
    bits as f64 * (1.0 / (1u64 << BITS) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of Random123's `kat_vectors` for philox4x32-10.
    #[test]
    fn known_answers() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn the_words_of_a_key_make_its_blocks() {
        let key = RandomKey::new(0x1234_5678_9ABC_DEF0).child("a").index(2);
        let [seed, stream] = key.words();
        let half = |x: u64| [x as u32, (x >> 32) as u32];
        let ([a, b], [c, d]) = (half(7 << 40), half(stream));
        assert_eq!(key.block(7 << 40), philox4x32([a, b, c, d], half(seed)));
    }

    #[test]
    fn moments_and_streams() {
        let key = RandomKey::new(1).child("a");
        let n = 40_000;
        let mean = (0..n).map(|i| key.uniform(i)).sum::<f64>() / n as f64;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let square = (0..n).map(|i| key.normal(i).powi(2)).sum::<f64>() / n as f64;
        assert!((square - 1.0).abs() < 0.03, "{square}");
        assert_ne!(key.block(0), RandomKey::new(1).child("b").block(0));
        assert_ne!(key.block(0), RandomKey::new(2).child("a").block(0));
    }

    #[test]
    fn integers_stay_below_their_bound() {
        let key = RandomKey::new(5);
        for bound in [1, 2, 3, 1000, (1 << 53) + 3, usize::MAX] {
            assert!((0..1000).all(|i| key.below(i, bound) < bound), "{bound}");
        }
        assert_eq!(key.below(0, 0), 0);
        let threes = (0..9000).filter(|&i| key.below(i, 3) == 1).count();
        assert!((2800..3200).contains(&threes), "{threes}");
        // A third of a bound that f64 does not hold, by the definition: ⌊bits · bound / 2⁵³⌋.
        let bits = (0..).find(|&i| key.uniform(i) > 0.999).unwrap_or(0);
        let exact = ((key.uniform(bits) * 2f64.powi(53)) as u128 * ((1 << 60) + 7)) >> 53;
        assert_eq!(key.below(bits, (1 << 60) + 7) as u128, exact);
    }

    #[test]
    fn a_permutation_holds_each_once() {
        let mut order = RandomKey::new(3).permutation(1000);
        assert_ne!(order[..10], (0..10).collect::<Vec<_>>()[..]);
        order.sort_unstable();
        assert!(order.iter().enumerate().all(|(i, &x)| i == x));
    }
}
