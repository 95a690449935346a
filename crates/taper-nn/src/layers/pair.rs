//! A height and a width, as layers with kernels take them.

/// Two sizes, down and across (height and width): `3` for both, or `[3, 5]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(both: usize) -> Self {
        Self([both; 2])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(sizes: [usize; 2]) -> Self {
        Self(sizes)
    }
}
