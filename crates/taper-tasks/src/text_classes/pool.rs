//! Attention over the words of a text (Z. Yang et al., "Hierarchical attention networks for document classification", NAACL
//! 2016, section 2.2): uᵢ = tanh(W hᵢ + b), αᵢ = softmax(uᵢ · v), and the text is Σ αᵢ hᵢ.

use taper_nn::{Activation, Context, Error, Linear, LinearConfig, Params, Pass, Result, Tensor};

/// Errs where `words` are not `[N, L]` with one word or more, as the model `op` reads them.
pub(super) fn check_words(op: &'static str, words: &Tensor) -> Result<()> {
    if words.shape().rank() == 2 && words.shape()[1] > 0 {
        return Ok(());
    }
    Err(Error::shape(op, format!("expected words [N, L] with L at least 1, came {}", words.shape())))
}

/// Layers `attention` (W and b) and `context` (v): h `[N, L, H]` to `[N, H]`.
#[derive(Debug, Clone)]
pub(super) struct AttentionPool {
    attention: Linear,
    context: Linear,
}

impl AttentionPool {
    /// Creates the layers in `params`, for `size` features.
    pub fn new(size: usize, params: &Params) -> Result<Self> {
        Ok(Self {
            attention: Linear::new(LinearConfig::new(size, size), &params.sub("attention"))?,
            context: Linear::new(LinearConfig::new(size, 1).bias(false), &params.sub("context"))?,
        })
    }

    /// The texts `[N, H]`, and how much attention is paid to each word, `[N, L]`: 1 in all of a text with a word, and 0 to
    /// what `padding: [N, L]` (bytes) says is none.
    pub fn pooled(&self, h: &Tensor, padding: &Tensor, context: &Context) -> Result<(Tensor, Tensor)> {
        let u = h.pass(&self.attention, context)?.activation(Activation::Tanh)?;
        let scores = u.pass(&self.context, context)?.squeeze(2)?; // [N, L]
        // Far below any score, and not infinite: of a text without a word all are equal, and none is NaN.
        let paid = scores.masked_fill(padding, -1e9)?.softmax(1)?.masked_fill(padding, 0.0)?;
        Ok((paid.unsqueeze(1)?.matmul(h)?.squeeze(1)?, paid))
    }
}
