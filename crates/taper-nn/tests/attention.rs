//! Attention layers: names, what they hide, caches, positions, and what they refuse. (What they compute is compared with
//! PyTorch's in the tests across crates.)

mod common;

use common::params;
use std::sync::OnceLock;
use taper_nn::taper_tensor::{GradOptions, grad};
use taper_nn::{
    AttentionMasks, Context, DType, Device, KvCache, Module, MultiheadAttention, MultiheadAttentionConfig, Result,
    RotaryConfig, RotaryEmbedding, RotaryPairs, SinusoidalPositions, Tensor, TransformerDecoderLayer,
    TransformerEncoderLayer, TransformerLayerConfig,
};

/// The same device each time: tensors of two do not mix.
fn device() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(common::device).clone()
}

fn wave(shape: &[usize], k: f64) -> Tensor {
    let values = (0..shape.iter().product::<usize>()).map(|i| (i as f64 * 1.7 * k).sin()).collect();
    Tensor::from_vec::<f64>(values, shape, &device()).unwrap()
}

#[track_caller]
fn says<T>(result: Result<T>, expected: &str) {
    assert_eq!(result.err().map(|error| error.to_string()).unwrap_or_default(), expected);
}

#[track_caller]
fn close(a: &Tensor, b: &Tensor) {
    assert_eq!(a.shape(), b.shape());
    let (a, b) = (a.to_vec::<f64>().unwrap(), b.to_vec::<f64>().unwrap());
    let apart = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart < 1e-12, "{apart:e} apart: {a:?}\n{b:?}");
}

#[test]
fn names_and_shapes_are_pytorchs() {
    let root = params(&device(), DType::F32);
    MultiheadAttention::new(MultiheadAttentionConfig::new(4, 2).memory(3, 4), &root.sub("cross")).unwrap();
    let config = TransformerLayerConfig::new(4, 2).dim_feedforward(6);
    TransformerEncoderLayer::new(config, &root.sub("layers.0")).unwrap();
    let names: Vec<String> = root.all().iter().map(|p| format!("{} {}", p.name(), p.tensor().shape())).collect();
    let expected = [
        "cross.q_proj_weight [4, 4]",
        "cross.k_proj_weight [4, 3]",
        "cross.v_proj_weight [4, 4]",
        "cross.in_proj_bias [12]",
        "cross.out_proj.weight [4, 4]",
        "cross.out_proj.bias [4]",
        "layers.0.self_attn.in_proj_weight [12, 4]",
        "layers.0.self_attn.in_proj_bias [12]",
        "layers.0.self_attn.out_proj.weight [4, 4]",
        "layers.0.self_attn.out_proj.bias [4]",
        "layers.0.linear1.weight [6, 4]",
        "layers.0.linear1.bias [6]",
        "layers.0.linear2.weight [4, 6]",
        "layers.0.linear2.bias [4]",
        "layers.0.norm1.weight [4]",
        "layers.0.norm1.bias [4]",
        "layers.0.norm2.weight [4]",
        "layers.0.norm2.bias [4]",
    ];
    assert_eq!(names, expected);
}

/// With padding in front and a causal mask the first queries see nothing: zeros before the output projection, and gradients
/// that are finite.
#[test]
fn queries_that_see_nothing_give_no_nan() {
    let root = params(&device(), DType::F64);
    let model = MultiheadAttention::new(MultiheadAttentionConfig::new(4, 2), &root).unwrap();
    let x = wave(&[2, 3, 4], 1.0).requires_grad();
    let padding = Tensor::from_vec(vec![1u8, 1, 0, 1, 1, 1], [2, 3], &device()).unwrap();
    let masks = AttentionMasks { key_padding: Some(&padding), causal: true, ..AttentionMasks::default() };
    let (y, weights) = model.attend_with_weights(&x, &x, &x, &masks, &Context::eval()).unwrap();
    let bias = root.all()[3].tensor().to_vec::<f64>().unwrap();
    for (row, y) in y.to_vec::<f64>().unwrap().chunks(4).enumerate() {
        assert_eq!(y == bias, row != 2, "row {row}: {y:?}, the bias is {bias:?}");
    }
    let sums = weights.sum(&[-1], false).unwrap().to_vec::<f64>().unwrap();
    let seen: Vec<bool> = sums.iter().map(|&sum| (sum - 1.0).abs() < 1e-12).collect();
    assert_eq!(seen, [false, false, true, false, false, true, false, false, false, false, false, false], "{sums:?}");
    close(&y, &model.attend_self(&x, &masks, &Context::eval()).unwrap());
    let leaves: Vec<Tensor> = root.all().iter().map(|param| param.tensor()).collect();
    let inputs: Vec<&Tensor> = std::iter::once(&x).chain(&leaves).collect();
    for gradient in grad(&y.sum_all().unwrap(), &inputs, None, GradOptions::default()).unwrap() {
        let gradient = gradient.expect("a gradient").to_vec::<f64>().unwrap();
        assert!(gradient.iter().all(|x| x.is_finite()), "{gradient:?}");
    }
}

/// Positions one by one, and several at once, after those in a cache: the same as all at once.
#[test]
fn a_cache_changes_nothing() {
    let model = MultiheadAttention::new(MultiheadAttentionConfig::new(8, 2), &params(&device(), DType::F64)).unwrap();
    let x = wave(&[2, 7, 8], 0.3);
    let padding = Tensor::from_vec(vec![0u8, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], [2, 7], &device()).unwrap();
    let causal = AttentionMasks { key_padding: Some(&padding), causal: true, ..AttentionMasks::default() };
    let whole = model.attend_self(&x, &causal, &Context::eval()).unwrap();
    let mut cache = KvCache::new();
    let (mut start, mut parts) = (0, Vec::new());
    for size in [2, 1, 1, 3] {
        assert_eq!((cache.len(), cache.is_empty()), (start, start == 0));
        let seen = padding.narrow(1, 0, start + size).unwrap();
        let masks = AttentionMasks { key_padding: Some(&seen), ..AttentionMasks::default() };
        let part = x.narrow(1, start, size).unwrap();
        parts.push(model.attend_cached(&part, &masks, &mut cache, &Context::eval()).unwrap());
        start += size;
    }
    let parts: Vec<&Tensor> = parts.iter().collect();
    close(&Tensor::concat(&parts, 1).unwrap(), &whole);
    let other = wave(&[3, 1, 8], 0.3);
    let result = model.attend_cached(&other, &AttentionMasks::default(), &mut cache, &Context::eval());
    says(
        result,
        "multihead_attention: the cache holds keys [2, 2, 7, 4] and values [2, 2, 7, 4], which [3, 2, 1, 4] and \
         [3, 2, 1, 4] do not continue: clear it for another sequence",
    );
    assert_eq!(cache.len(), 7);
    cache.clear();
    assert!(cache.is_empty());
}

#[test]
fn dropped_weights_differ_between_steps_and_not_in_evaluation() {
    let config = MultiheadAttentionConfig::new(4, 2).dropout(0.5);
    let model = MultiheadAttention::new(config, &params(&device(), DType::F64)).unwrap();
    let x = wave(&[1, 5, 4], 0.7);
    let y = |context: Context| model.forward(&x, &context).unwrap().to_vec::<f64>().unwrap();
    assert_eq!(y(Context::train(0, 0, 1)), y(Context::train(0, 0, 1)));
    assert_ne!(y(Context::train(0, 0, 1)), y(Context::train(0, 0, 2)));
    assert_ne!(y(Context::train(0, 0, 1)), y(Context::eval()));
    assert_eq!(y(Context::eval()), y(Context::eval()));
}

/// PE of the paper's formula, and positions that go on.
#[test]
fn sinusoidal_positions_are_the_papers() {
    let positions = SinusoidalPositions::new(6, 5, &params(&device(), DType::F64)).unwrap();
    let table = positions.table().to_vec::<f64>().unwrap();
    let angle = |i: f64| 3.0 / 10_000f64.powf(2.0 * i / 6.0);
    let due = [0.0, 1.0, 2.0].map(|i| [angle(i).sin(), angle(i).cos()]).concat();
    assert_eq!(table[18..24], due);
    let x = wave(&[1, 2, 6], 0.2);
    let added = positions.add_from(&x, 3, &Context::eval()).unwrap();
    close(&added, &x.add(&positions.table().narrow(0, 3, 2).unwrap()).unwrap());
    says(
        positions.add_from(&x, 4, &Context::eval()),
        "sinusoidal_positions: expected [N, T, 6] with at most 5 positions, came [1, 2, 6] from position 4 on",
    );
}

/// The products of queries and keys depend on the distance of their positions alone, in both kinds of pairs, and features
/// after the first ones stay.
#[test]
fn rotary_products_depend_on_the_distance() {
    for pairs in [RotaryPairs::Neighbours, RotaryPairs::Halves] {
        let root = params(&device(), DType::F64);
        let rotary = RotaryEmbedding::new(RotaryConfig::new(4).pairs(pairs), &root).unwrap();
        let (q, k) = (wave(&[1, 1, 1, 6], 0.3), wave(&[1, 1, 1, 6], 0.9));
        let product = |at: usize, other: usize| {
            let q = rotary.turn_from(&q, at, &Context::eval()).unwrap();
            let k = rotary.turn_from(&k, other, &Context::eval()).unwrap();
            q.mul(&k).unwrap().sum_all().unwrap().item().unwrap()
        };
        assert!((product(0, 3) - product(11, 14)).abs() < 1e-12);
        assert!((product(0, 3) - product(0, 4)).abs() > 1e-3);
        let turned = rotary.turn_from(&q, 5, &Context::eval()).unwrap().to_vec::<f64>().unwrap();
        let plain = q.to_vec::<f64>().unwrap();
        assert_eq!(turned[4..], plain[4..]);
        let (a, b) = if pairs == RotaryPairs::Neighbours { (0, 1) } else { (0, 2) };
        assert!((turned[a] - (plain[a] * 5f64.cos() - plain[b] * 5f64.sin())).abs() < 1e-12, "{pairs:?}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let root = params(&device(), DType::F64);
    let make = |config| MultiheadAttention::new(config, &root.sub("attn")).map(|_| ());
    says(
        make(MultiheadAttentionConfig::new(6, 4)),
        "multihead_attention: num_heads must divide embed_dim, came as 4 and 6 (in layer attn)",
    );
    says(
        make(MultiheadAttentionConfig::new(6, 0)),
        "multihead_attention: num_heads must be at least 1, came as 0 (in layer attn)",
    );
    says(
        make(MultiheadAttentionConfig::new(6, 2).dropout(1.5)),
        "multihead_attention: the probability dropout must be from 0 to 1, came as 1.5 (in layer attn)",
    );
    let model = MultiheadAttention::new(MultiheadAttentionConfig::new(4, 2), &root.sub("mha")).unwrap();
    let (x, memory) = (wave(&[2, 3, 4], 1.0), wave(&[1, 5, 4], 1.0));
    let attend = |key: &Tensor, masks| model.attend(&x, key, key, &masks, &Context::eval()).map(|_| ());
    let none = AttentionMasks::default();
    says(
        attend(&wave(&[2, 3, 5], 1.0), none),
        "multihead_attention: key must be [N, length, 4], came as [2, 3, 5] (in layer mha)",
    );
    says(attend(&memory, none), "multihead_attention: query has 2 samples, key 1 (in layer mha)");
    let mask = Tensor::from_vec(vec![0u8; 6], [3, 2], &device()).unwrap();
    says(
        attend(&x, AttentionMasks { key_padding: Some(&mask), ..none }),
        "multihead_attention: the key padding mask must be [N, S] = [2, 3], came as [3, 2] (in layer mha)",
    );
    says(
        attend(&x, AttentionMasks { attn: Some(&mask), ..none }),
        "multihead_attention: the attention mask must be [T, S] = [3, 3], [N · H, T, S] = [4, 3, 3] or [N, H, T, S], came \
         as [3, 2] (in layer mha)",
    );
    let mask = Tensor::from_vec(vec![0i64; 9], [3, 3], &device()).unwrap();
    says(
        attend(&x, AttentionMasks { attn: Some(&mask), ..none }),
        "multihead_attention: the attention mask must be u8, where not 0 hides, or floats, came as i64 (in layer mha)",
    );
    says(
        RotaryEmbedding::new(RotaryConfig::new(3), &root.sub("rope")).map(|_| ()),
        "rotary_embedding: dim must be even and base above 0, came as 3 and 10000 (in layer rope)",
    );
    let rotary = RotaryEmbedding::new(RotaryConfig::new(4), &root.sub("rope")).unwrap();
    says(
        rotary.turn_from(&x, 0, &Context::eval()),
        "rotary_embedding: expected [N, H, T, D] with D at least 4, came as [2, 3, 4] (in layer rope)",
    );
    says(
        TransformerDecoderLayer::new(TransformerLayerConfig::new(4, 3), &root.sub("layers.0")).map(|_| ()),
        "multihead_attention: num_heads must divide embed_dim, came as 3 and 4 (in layer layers.0.self_attn)",
    );
    says(
        TransformerEncoderLayer::new(TransformerLayerConfig::new(4, 2).dim_feedforward(0), &root.sub("layers.1"))
            .map(|_| ()),
        "transformer_layer: dim_feedforward must be at least 1, came as 0 (in layer layers.1)",
    );
}
