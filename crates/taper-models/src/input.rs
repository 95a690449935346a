//! What a model of pictures says of an input that it does not take.

use crate::InputSpec;
use taper_nn::{Error, Result, Tensor};

impl InputSpec {
    /// An error of `model` unless there are channels and classes, and pictures have at least these `[H, W]`.
    pub(crate) fn at_least(&self, model: &'static str, [least_h, least_w]: [usize; 2]) -> Result<()> {
        let [channels, height, width] = self.shape;
        if channels == 0 || height < least_h || width < least_w {
            let detail = format!(
                "expected pictures of at least 1x{least_h}x{least_w}, came {}: resize them, or take a model for small ones",
                self.told()
            );
            return Err(Error::argument(model, detail));
        }
        Ok(())
    }
}

/// An error of `model` unless x is `[N, channels, H, W]` with at least these `[H, W]`.
pub(crate) fn at_least(model: &'static str, x: &Tensor, channels: usize, [h, w]: [usize; 2]) -> Result<()> {
    match x.shape().dims() {
        &[_, c, height, width] if c == channels && height >= h && width >= w => Ok(()),
        _ => {
            let detail = format!(
                "expected pictures [N, {channels}, H, W] with H of at least {h} and W of at least {w}, came {}",
                x.shape()
            );
            Err(Error::shape(model, detail))
        }
    }
}

/// An error of `model` unless x is `[N, C, H, W]` of the sizes that the model was built for.
pub(crate) fn exactly(model: &'static str, x: &Tensor, input: &InputSpec) -> Result<()> {
    let [c, h, w] = input.shape;
    match x.shape().dims() {
        [_, rest @ ..] if *rest == input.shape => Ok(()),
        _ => {
            let detail = format!("expected pictures [N, {c}, {h}, {w}], for which it was built, came {}", x.shape());
            Err(Error::shape(model, detail))
        }
    }
}
