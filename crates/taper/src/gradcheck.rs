//! Gradients of operations, layers and losses beside central differences, in f64.

pub use taper_tensor::gradcheck::*;

/// All that is checked: operations, layers, losses, what mixes a batch. With the feature `gradcheck`.
#[cfg(feature = "gradcheck")]
pub fn subjects() -> Vec<Subject> {
    let mut all = operations();
    all.extend(taper_nn::gradcheck::subjects());
    all
}
