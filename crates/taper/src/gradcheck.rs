//! Gradient checking: the gradients of operations, layers and losses compared with central differences, in f64.

pub use taper_tensor::gradcheck::*;

/// Everything that is checked: operations, layers, losses, and regularisers that mix a batch. Available with the
/// feature `gradcheck`.
#[cfg(feature = "gradcheck")]
pub fn subjects() -> Vec<Subject> {
    let mut all = operations();
    all.extend(taper_nn::gradcheck::subjects());
    all
}
