//! GPT-2, the Transformer and ViT: published sizes, GPT-2's published files, and what they refuse. (What they compute is
//! compared with PyTorch's in the tests across crates.)

use taper_models::{
    Gpt2, Gpt2Cache, Gpt2Config, InputSpec, Transformer, TransformerConfig, Vit, VitConfig, interpolate_positions,
    summary,
};
use taper_nn::taper_tensor::meta::Meta;
use taper_nn::{Context, DType, Device, Module, Params, RandomKey, Result, Tensor};

fn device() -> Device {
    Device::new(taper_cpu::CpuBackend::with_threads(2).unwrap())
}

fn params(device: &Device) -> Params {
    Params::new(device, DType::F32, RandomKey::new(0))
}

#[track_caller]
fn says<T>(result: Result<T>, expected: &str) {
    assert_eq!(result.err().map(|error| error.to_string()).unwrap_or_default(), expected);
}

#[test]
fn published_numbers_of_parameters() {
    assert_eq!(summary("gpt2", None).unwrap().parameters(), 124_439_808);
    assert_eq!(summary("vit_b_16", None).unwrap().parameters(), 86_567_656);
    for (config, due) in
        [(Gpt2Config::medium(), 354_823_168), (Gpt2Config::large(), 774_030_080), (Gpt2Config::xl(), 1_557_611_200)]
    {
        let params = params(&Meta::device());
        Gpt2::new(config, &params).unwrap();
        assert_eq!(params.count(), due);
    }
    let params = params(&Meta::device());
    Transformer::new(TransformerConfig::default(), &params).unwrap();
    let inside = params.all().into_iter().filter(|param| param.name().starts_with("transformer."));
    assert_eq!(inside.map(|param| param.tensor().count()).sum::<usize>(), 44_140_544);
}

fn tiny() -> Gpt2Config {
    Gpt2Config { vocab_size: 11, n_positions: 6, n_embd: 8, n_layer: 2, n_head: 2, dropout: 0.0, ..Gpt2Config::small() }
}

#[test]
fn gpt2_refuses_a_context_longer_than_its_own() {
    let device = device();
    let model = Gpt2::new(tiny(), &params(&device)).unwrap();
    let tokens = |n: usize| Tensor::from_vec(vec![1i64; n], [1, n], &device).unwrap();
    assert_eq!(model.forward(&tokens(6), &Context::eval()).unwrap().shape().dims(), [1, 6, 11]);
    says(
        model.forward(&tokens(7), &Context::eval()),
        "gpt2: expected tokens [N, T] of at most 6 positions, came [1, 7] from position 0 on",
    );
    let mut cache = Gpt2Cache::new();
    model.continued(&tokens(4), &mut cache, &Context::eval()).unwrap();
    assert_eq!((cache.len(), cache.is_empty()), (4, false));
    says(
        model.continued(&tokens(3), &mut cache, &Context::eval()),
        "gpt2: expected tokens [N, T] of at most 6 positions, came [1, 3] from position 4 on",
    );
    says(
        model.generate(&tokens(0), 1, true, |logits| logits.argmax(-1, false)),
        "generate: the prompt must be [N, T] with T at least 1, came as [1, 0]",
    );
    says(
        Gpt2::new(Gpt2Config { n_head: 3, ..tiny() }, &params(&device)).map(|_| ()),
        "gpt2: n_layer and n_head must be at least 1 and n_head divide n_embd, came as 2, 3 and 8",
    );
}

#[test]
fn the_others_refuse_what_does_not_fit() {
    let device = device();
    let config = TransformerConfig {
        source: 5,
        target: 5,
        longest: 4,
        d_model: 8,
        nhead: 2,
        encoder_layers: 1,
        decoder_layers: 1,
        dim_feedforward: 8,
        ..TransformerConfig::default()
    };
    let model = Transformer::new(config, &params(&device)).unwrap();
    let tokens = |n: usize| Tensor::from_vec(vec![1i64; n], [1, n], &device).unwrap();
    says(
        model.forward(&tokens(5), &tokens(2), None, &Context::eval()),
        "sinusoidal_positions: expected [N, T, 8] with at most 4 positions, came [1, 5, 8] from position 0 on \
         (in layer positions)",
    );
    says(
        model.encode(&tokens(2).flatten(0).unwrap(), None, &Context::eval()),
        "transformer: expected tokens [N, length], came [2]",
    );
    let config = VitConfig { patch: 4, hidden: 8, layers: 1, heads: 2, mlp: 8, dropout: 0.0 };
    says(
        Vit::new(config, &InputSpec { shape: [3, 18, 16], classes: 2 }, &params(&device)).map(|_| ()),
        "vit: pictures of 18 × 16 do not divide into patches of 4 × 4",
    );
    let model = Vit::new(config, &InputSpec { shape: [3, 16, 16], classes: 2 }, &params(&device)).unwrap();
    let picture = Tensor::zeros([1, 3, 16, 14], DType::F32, &device).unwrap();
    says(model.forward(&picture, &Context::eval()), "vit: pictures of 16 × 14 do not divide into patches of 4 × 4");
    says(
        model.forward(&picture.flatten(1).unwrap(), &Context::eval()),
        "vit: expected pictures [N, C, H, W], came [1, 672]",
    );
    let positions = Tensor::zeros([1, 17, 8], DType::F32, &device).unwrap();
    says(
        interpolate_positions(&positions, [3, 4], [5, 5]),
        "interpolate_positions: expected positions [1, 13, E], came [1, 17, 8]",
    );
}
