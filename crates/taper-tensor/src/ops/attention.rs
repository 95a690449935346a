//! Scaled dot-product attention (Vaswani et al., "Attention is all you need", 2017, section 3.2.1): softmax(scale · Q Kᵀ) V for
//! each head, with Q `[N, H, T, D]`, K `[N, H, S, D]` and V `[N, H, S, Dv]`: `[N, H, T, Dv]`.
//!
//! A backend's kernel may never store the scores `[N, H, T, S]`; the composed version below does. A query of which every
//! key is hidden has weights of 0, output 0 and gradient 0, where a plain softmax would give NaN.

use super::shorthand::{all_f32, fused, in_f32, is_half, optional};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::no_grad;
use taper_backend::{DType, Error, FusedOp, RandomKey, Result};

const OP: &str = "scaled_dot_product_attention";

/// What [`Tensor::scaled_dot_product_attention`] may be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct AttentionOptions<'a> {
    /// Which keys a query sees: bytes (u8), where 0 hides a key, or floats of the queries' dtype, which are added to the
    /// scores. It broadcasts to `[N, H, T, S]`.
    pub mask: Option<&'a Tensor>,
    /// Whether a query sees no key after its own position. **The queries are the last T of the S positions**: query i sees
    /// the keys 0 to i + S − T, so that queries which follow cached keys see all of these. PyTorch's `is_causal` takes
    /// the queries for the first T positions instead (query i sees the keys 0 to i); the two are the same for T = S.
    pub causal: bool,
    /// The factor of the scores; `None` for 1 / √D.
    pub scale: Option<f64>,
    /// The probability, 0 to 1, with which a weight is dropped, and the key of the random numbers, as for
    /// [`Tensor::dropout`]. With it the weights are stored, T · S for each head.
    pub dropout: Option<(f64, RandomKey)>,
}

impl Tensor {
    /// softmax(scale · q kᵀ + mask) v, for each head: q is this tensor, `[N, H, T, D]`, k is `key`, `[N, H, S, D]`, and v is
    /// `value`, `[N, H, S, Dv]`. The result is `[N, H, T, Dv]`. A query that sees no key has the output 0.
    ///
    /// A key that is hidden has weight 0: its value must be finite all the same.
    pub fn scaled_dot_product_attention(
        &self,
        key: &Tensor,
        value: &Tensor,
        options: &AttentionOptions<'_>,
    ) -> Result<Tensor> {
        let hiding = Hiding::new(self, key, options)?;
        check::same(OP, &["query", "value"], &[self, value])?;
        let [q, k, v] = [self, key, value].map(Tensor::shape);
        if v.rank() != 4 || v[..3] != k[..3] {
            return Err(Error::shape(OP, format!("value must be [N, H, S, Dv] with N, H, S of key {k}, came as {v}")));
        }
        if q.contains(&0) || k.contains(&0) || v.contains(&0) {
            return Tensor::zeros([q[0], q[1], q[2], v[3]], self.dtype(), self.device());
        }
        if let Some((p, random)) = options.dropout.filter(|(p, _)| *p > 0.0) {
            return weights(self, key, &hiding)?.dropout(p, random)?.matmul(value);
        }
        let Hiding { mask, causal, scale } = hiding;
        let mut operands = vec![self, key, value];
        operands.extend(&mask);
        fused(
            OP,
            &operands,
            move |all| {
                let (q, k, v) = (all[0].buffer()?, all[1].buffer()?, all[2].buffer()?);
                Ok(FusedOp::Attention { q, k, v, mask: optional(all.get(3))?, causal, scale })
            },
            move |all| composed(&all[0], &all[1], &all[2], Hiding { mask: all.get(3).cloned(), causal, scale }),
        )
    }

    /// The weights of [`Tensor::scaled_dot_product_attention`], `[N, H, T, S]`: softmax(scale · q kᵀ + mask), 0 for a query
    /// that sees no key. They are dropped as `options` says.
    pub fn attention_weights(&self, key: &Tensor, options: &AttentionOptions<'_>) -> Result<Tensor> {
        let hiding = Hiding::new(self, key, options)?;
        let [q, k] = [self, key].map(Tensor::shape);
        if q.contains(&0) || k.contains(&0) {
            return Tensor::zeros([q[0], q[1], q[2], k[2]], self.dtype(), self.device());
        }
        let weights = weights(self, key, &hiding)?;
        options.dropout.map_or(Ok(weights.clone()), |(p, random)| weights.dropout(p, random))
    }
}

/// Which keys are hidden, after the checks, and the factor of the scores.
struct Hiding {
    /// Floats of the queries' dtype, `[N, H, T, S]`.
    mask: Option<Tensor>,
    causal: bool,
    scale: f64,
}

impl Hiding {
    fn new(query: &Tensor, key: &Tensor, options: &AttentionOptions<'_>) -> Result<Self> {
        check::float(OP, query)?;
        check::same(OP, &["query", "key"], &[query, key])?;
        let (q, k) = (query.shape(), key.shape());
        if q.rank() != 4 || k.rank() != 4 || q[..2] != k[..2] || q[3] != k[3] {
            let detail = format!("query must be [N, H, T, D] and key [N, H, S, D], came as {q} and {k}");
            return Err(Error::shape(OP, detail));
        }
        let scale = options.scale.unwrap_or_else(|| 1.0 / (q[3].max(1) as f64).sqrt());
        let shape = [q[0], q[1], q[2], k[2]];
        let mask = options.mask.map(|mask| added(query, mask, shape)).transpose()?;
        Ok(Self { mask, causal: options.causal, scale })
    }
}

/// The mask as floats that are added to scores of this `shape`.
fn added(query: &Tensor, mask: &Tensor, shape: [usize; 4]) -> Result<Tensor> {
    check::same_device(OP, "query", query, "mask", mask)?;
    let fits = mask.shape().broadcast_with(&shape.into(), OP).is_ok_and(|both| both[..] == shape);
    if !fits {
        let detail = format!("the mask {} must broadcast to [N, H, T, S] = {shape:?}", mask.shape());
        return Err(Error::shape(OP, detail));
    }
    let floats = match mask.dtype() {
        // Of the mask's own size, which is broadcast afterwards.
        DType::U8 => mask.select(&query.scalar_like(0.0)?, &query.scalar_like(f64::NEG_INFINITY)?)?,
        dtype if dtype == query.dtype() => mask.clone(),
        dtype => {
            let detail =
                format!("the mask must be u8, where 0 hides, or {}, which is added; it is {dtype}", query.dtype());
            return Err(Error::dtype(OP, detail));
        }
    };
    floats.broadcast_to(shape)
}

fn composed(q: &Tensor, k: &Tensor, v: &Tensor, hiding: Hiding) -> Result<Tensor> {
    if is_half(q) {
        let Hiding { mask, causal, scale } = hiding;
        let [k, v, mask] = all_f32([Some(k), Some(v), mask.as_ref()])?;
        let options = AttentionOptions { mask: mask.as_ref(), causal, scale: Some(scale), dropout: None };
        let (Some(k), Some(v)) = (k, v) else { return Err(Error::argument(OP, "no keys or no values")) };
        return in_f32(q, |q| q.scaled_dot_product_attention(&k, &v, &options));
    }
    weights(q, k, &hiding)?.matmul(v)
}

/// softmax(scale · q kᵀ + mask), 0 for a query that sees no key.
fn weights(q: &Tensor, k: &Tensor, hiding: &Hiding) -> Result<Tensor> {
    if is_half(q) {
        let [k, mask] = all_f32([Some(k), hiding.mask.as_ref()])?;
        let Some(k) = k else { return Err(Error::argument(OP, "no keys")) };
        return in_f32(q, |q| weights(q, &k, &Hiding { mask, ..*hiding }));
    }
    let mut scores = q.matmul_t(k, [false, true])?.mul_scalar(hiding.scale)?;
    if let Some(mask) = &hiding.mask {
        scores = scores.add(mask)?;
    }
    let [_, _, rows, keys] = scores.dims()?;
    if hiding.causal {
        let position = |count, from: f64, axis| {
            Tensor::arange(from, from + count as f64, 1.0, DType::I64, q.device())?.unsqueeze(axis)
        };
        let seen = position(rows, keys as f64 - rows as f64, 1)?.ge(&position(keys, 0.0, 0)?)?;
        scores = seen.select(&scores, &scores.scalar_like(f64::NEG_INFINITY)?)?;
    }
    if hiding.mask.is_none() && !(hiding.causal && rows > keys) {
        return scores.softmax(-1);
    }
    // Rows of −∞ alone: computed as rows of zeros, and then set to 0, so that neither value nor gradient is NaN. A row that
    // holds a NaN is not one of them.
    let zero = scores.scalar_like(0.0)?;
    let hidden = no_grad(|| scores.detach().max(&[-1], true)?.eq_scalar(f64::NEG_INFINITY))?;
    hidden.select(&zero, &hidden.select(&zero, &scores)?.softmax(-1)?)
}

pub(super) fn cases() -> Vec<Case> {
    /// Bytes as a mask of this shape.
    fn bytes(values: &[u8], shape: &[usize], x: &Tensor) -> Result<Tensor> {
        Tensor::from_vec(values.to_vec(), shape, x.device())
    }
    let plain = |x: &[Tensor], options: AttentionOptions| x[0].scaled_dot_product_attention(&x[1], &x[2], &options);
    let shaped =
        |case: Case, [n, h, t, s, d, dv]: [usize; 6]| case.input([n, h, t, d]).input([n, h, s, d]).input([n, h, s, dv]);
    vec![
        shaped(Case::new("all keys", move |x| plain(x, AttentionOptions::default())), [2, 2, 3, 3, 4, 4]),
        shaped(
            Case::new("causal", move |x| plain(x, AttentionOptions { causal: true, ..Default::default() })),
            [1, 2, 4, 4, 3, 2],
        ),
        shaped(
            Case::new("causal, after cached keys", move |x| {
                plain(x, AttentionOptions { causal: true, scale: Some(0.7), ..Default::default() })
            }),
            [1, 1, 2, 5, 3, 3],
        ),
        shaped(
            Case::new("causal, rows that see nothing", move |x| {
                plain(x, AttentionOptions { causal: true, ..Default::default() })
            }),
            [1, 1, 4, 2, 3, 2],
        ),
        shaped(
            Case::new("hidden keys of a sample", move |x| {
                let mask = bytes(&[1, 1, 0, 0, 1, 1], &[2, 1, 1, 3], &x[0])?;
                plain(x, AttentionOptions { mask: Some(&mask), ..Default::default() })
            }),
            [2, 1, 2, 3, 2, 3],
        ),
        shaped(
            Case::new("hidden keys and causal, rows that see nothing", move |x| {
                let mask = bytes(&[0, 0, 1, 1, 0, 1], &[2, 1, 1, 3], &x[0])?;
                plain(x, AttentionOptions { mask: Some(&mask), causal: true, ..Default::default() })
            }),
            [2, 1, 3, 3, 2, 2],
        ),
        shaped(
            Case::new("an added mask", move |x| plain(x, AttentionOptions { mask: Some(&x[3]), ..Default::default() })),
            [1, 2, 3, 4, 2, 2],
        )
        .input([2, 3, 4]),
        shaped(
            Case::new("dropped weights", move |x| {
                let dropout = Some((0.3, RandomKey::new(3)));
                plain(x, AttentionOptions { dropout, causal: true, ..Default::default() })
            }),
            [1, 2, 3, 3, 2, 2],
        ),
        Case::new("the weights", |x| {
            x[0].attention_weights(&x[1], &AttentionOptions { causal: true, ..Default::default() })
        })
        .input([1, 2, 3, 2])
        .input([1, 2, 3, 2]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    fn device() -> Result<Device> {
        Ok(Device::new(taper_cpu::CpuBackend::with_threads(1)?))
    }

    #[test]
    fn errors_say_what_is_wrong() -> Result<()> {
        let device = device()?;
        let ones = |shape: &[usize], dtype| Tensor::ones(shape, dtype, &device);
        let (q, k) = (ones(&[2, 3, 4, 5], DType::F32)?, ones(&[2, 3, 7, 5], DType::F32)?);
        let says = |k: &Tensor, v: &Tensor, mask: Option<&Tensor>, text: &str| {
            let options = AttentionOptions { mask, ..AttentionOptions::default() };
            let found = q.scaled_dot_product_attention(k, v, &options);
            let found = found.err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(found, format!("scaled_dot_product_attention: {text}"));
        };
        let other = ones(&[2, 3, 7, 6], DType::F32)?;
        says(
            &other,
            &k,
            None,
            "query must be [N, H, T, D] and key [N, H, S, D], came as [2, 3, 4, 5] and [2, 3, 7, 6]",
        );
        let short = ones(&[2, 3, 6, 5], DType::F32)?;
        says(&k, &short, None, "value must be [N, H, S, Dv] with N, H, S of key [2, 3, 7, 5], came as [2, 3, 6, 5]");
        let mask = ones(&[4, 6], DType::U8)?;
        says(&k, &k, Some(&mask), "the mask [4, 6] must broadcast to [N, H, T, S] = [2, 3, 4, 7]");
        let mask = ones(&[2, 2, 3, 4, 7], DType::U8)?;
        says(&k, &k, Some(&mask), "the mask [2, 2, 3, 4, 7] must broadcast to [N, H, T, S] = [2, 3, 4, 7]");
        let mask = ones(&[4, 7], DType::F64)?;
        says(&k, &k, Some(&mask), "the mask must be u8, where 0 hides, or f32, which is added; it is f64");
        Ok(())
    }

    /// The kernel and the composed version agree where queries follow cached keys, and in halves; nothing to attend to
    /// gives zeros.
    #[test]
    fn without_keys_and_in_halves() -> Result<()> {
        let device = device()?;
        let ones = |shape: &[usize], dtype| Tensor::ones(shape, dtype, &device);
        let (q, k) = (ones(&[1, 2, 3, 4], DType::F32)?, ones(&[1, 2, 0, 4], DType::F32)?);
        let y = q.scaled_dot_product_attention(&k, &k, &AttentionOptions::default())?;
        assert_eq!(y.to_vec::<f32>()?, [0.0; 24]);
        let q = ones(&[1, 2, 3, 4], DType::BF16)?;
        let y = q.scaled_dot_product_attention(&q, &q, &AttentionOptions { causal: true, ..Default::default() })?;
        assert_eq!((y.dtype(), y.cast(DType::F32)?.to_vec::<f32>()?), (DType::BF16, vec![1.0; 24]));
        Ok(())
    }
}
