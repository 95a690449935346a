//! The kernels' sources, checked without a card: compiled to PTX, and run on the host beside their twins.

mod cases;
mod host;
mod nvrtc;
pub(super) mod recorder;
