//! Which keys an attention layer hides.

use super::OP;
use taper_tensor::{DType, Error, Result, Tensor};

/// What [`MultiheadAttention`](super::MultiheadAttention) hides, said as PyTorch's layer has it said: **bytes hide where they
/// are not 0**. (The bytes of [`Tensor::scaled_dot_product_attention`] say where a key is seen, as PyTorch's function of
/// that name has it.) Floats are added to the scores, −∞ hides. All that is given applies. A query that sees no key has
/// weights of 0, where PyTorch's are NaN.
#[derive(Debug, Clone, Copy, Default)]
pub struct AttentionMasks<'a> {
    /// Keys that are padding, `[N, S]`.
    pub key_padding: Option<&'a Tensor>,
    /// Which query sees which key: `[T, S]`, `[N · H, T, S]`, or four dimensions that broadcast to `[N, H, T, S]`.
    pub attn: Option<&'a Tensor>,
    /// Whether a query sees no key after its own position; the queries are the last T of S positions.
    pub causal: bool,
}

impl AttentionMasks<'_> {
    /// All masks as one that is added to the scores of `q: [N, H, T, D]` and `k: [N, H, S, D]`.
    pub(super) fn added(&self, q: &Tensor, k: &Tensor) -> Result<Option<Tensor>> {
        let [n, h, t, _] = q.dims()?;
        let [key_samples, _, s, _] = k.dims()?;
        if n != key_samples {
            return Err(Error::shape(OP, format!("query has {n} samples, key {key_samples}")));
        }
        let padding = self.key_padding.map(|mask| {
            if mask.shape()[..] != [n, s] {
                let detail = format!("the key padding mask must be [N, S] = [{n}, {s}], came as {}", mask.shape());
                return Err(Error::shape(OP, detail));
            }
            floats("key padding mask", mask, q.dtype())?.reshape([n, 1, 1, s])
        });
        let attn = self.attn.map(|mask| {
            let mask = floats("attention mask", mask, q.dtype())?;
            match *mask.shape().dims() {
                [rows, keys] if [rows, keys] == [t, s] => Ok(mask),
                [heads, rows, keys] if [heads, rows, keys] == [n * h, t, s] => mask.reshape([n, h, t, s]),
                [_, _, _, _] => Ok(mask),
                _ => {
                    let detail = format!(
                        "the attention mask must be [T, S] = [{t}, {s}], [N · H, T, S] = [{}, {t}, {s}] or \
                         [N, H, T, S], came as {}",
                        n * h,
                        mask.shape()
                    );
                    Err(Error::shape(OP, detail))
                }
            }
        });
        match (padding.transpose()?, attn.transpose()?) {
            (Some(padding), Some(attn)) => padding.add(&attn).map(Some),
            (padding, attn) => Ok(padding.or(attn)),
        }
    }
}

/// The mask as floats: −∞ where bytes are not 0.
fn floats(name: &str, mask: &Tensor, dtype: DType) -> Result<Tensor> {
    match mask.dtype() {
        DType::U8 => {
            let number = |value| Tensor::full(value, [], dtype, mask.device());
            mask.select(&number(f64::NEG_INFINITY)?, &number(0.0)?)
        }
        of if of == dtype => Ok(mask.clone()),
        // Where layers compute in another dtype than their parameters'.
        of if of.is_float() => mask.cast(dtype),
        of => Err(Error::dtype(OP, format!("the {name} must be u8, where not 0 hides, or floats, came as {of}"))),
    }
}
