//! The kernels' sources, checked without a card.
pub(super) mod recorder;
