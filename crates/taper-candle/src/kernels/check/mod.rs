//! Tests of the CUDA sources without a card: they are compiled to PTX, and run on the host beside their Rust twins.

mod cases;
mod host;
mod nvrtc;
pub(super) mod recorder;
