//! Attention layers, the Transformer, GPT-2 and ViT beside PyTorch's, Hugging Face's and torchvision's, recorded by
//! `tests/peers/parity_attention.py`.

use taper_models::{
    Gpt2, Gpt2Config, InputSpec, Transformer, TransformerConfig, Vit, VitConfig, interpolate_positions,
};
use taper_nn::taper_tensor::{GradOptions, grad};
use taper_nn::{
    Activation, AttentionMasks, Context, CrossEntropy, DType, Device, Module, MultiheadAttention,
    MultiheadAttentionConfig, Param, Params, RandomKey, Result, Tensor, TransformerDecoderLayer,
    TransformerEncoderLayer, TransformerLayerConfig,
};
use taper_tests::parity::Parity;

/// f32 with the bounds of outputs and gradients, and f64.
const BOUNDS: [(DType, f64, f64); 2] = [(DType::F32, 1e-5, 1e-4), (DType::F64, 1e-10, 1e-10)];

/// Runs `check` for each dtype with what is recorded as `name`, new parameters, and the bounds.
fn each(name: &str, check: impl Fn(&Record) -> Result<()>) {
    let device = Device::new(taper_cpu::CpuBackend::with_threads(2).unwrap());
    for (dtype, of_output, of_gradient) in BOUNDS {
        let record = Parity::read(name, &device).unwrap();
        let params = Params::new(&device, dtype, RandomKey::new(0));
        let record = Record { record, params, dtype, of_output, of_gradient };
        check(&record).unwrap_or_else(|error| panic!("{name} in {dtype}: {error}"));
    }
}

struct Record {
    record: Parity,
    params: Params,
    dtype: DType,
    of_output: f64,
    of_gradient: f64,
}

impl Record {
    fn tensor(&self, name: &str) -> Result<Tensor> {
        self.record.tensor(name, self.dtype)
    }

    fn leaf(&self, name: &str) -> Result<Tensor> {
        Ok(self.tensor(name)?.requires_grad())
    }

    fn output(&self, name: &str, found: &Tensor) -> Result<()> {
        self.record.check(name, found, self.of_output)
    }

    /// The gradients of `loss` with respect to `leaves` and to all parameters, or those that `recorded` names.
    fn gradients(&self, loss: &Tensor, leaves: &[(&str, &Tensor)], recorded: Option<&[&str]>) -> Result<()> {
        let wanted = |param: &Param| recorded.is_none_or(|names| names.contains(&param.name()));
        let params: Vec<(String, Tensor)> =
            self.params.trainable().iter().filter(|p| wanted(p)).map(|p| (p.name().to_owned(), p.tensor())).collect();
        assert_eq!(recorded.map_or(params.len(), <[&str]>::len), params.len());
        let named = leaves.iter().map(|(name, x)| (*name, *x)).chain(params.iter().map(|(name, x)| (name.as_str(), x)));
        let (names, inputs): (Vec<&str>, Vec<&Tensor>) = named.unzip();
        let found = grad(loss, &inputs, None, GradOptions::default())?;
        for (name, gradient) in names.into_iter().zip(found) {
            self.record.check(&format!("grad.{name}"), &gradient.expect(name), self.of_gradient)?;
        }
        Ok(())
    }

    /// The output beside `y`, and the gradients of Σ y · g.
    fn layer(&self, y: &Tensor, leaves: &[(&str, &Tensor)]) -> Result<()> {
        self.output("y", y)?;
        self.gradients(&y.mul(&self.tensor("g")?)?.sum_all()?, leaves, None)
    }
}

#[test]
fn multi_head_attention() {
    each("mha_self", |r| {
        let model = MultiheadAttention::new(MultiheadAttentionConfig::new(12, 3), &r.params)?;
        r.record.fill(&r.params)?;
        let x = r.leaf("x")?;
        r.layer(&model.forward(&x, &Context::train(0, 0, 0))?, &[("x", &x)])?;
        let none = AttentionMasks::default();
        let (y, weights) = model.attend_with_weights(&x, &x, &x, &none, &Context::eval())?;
        r.output("weights", &weights)?;
        r.layer(&y, &[("x", &x)])
    });
}

#[test]
fn causal_and_padded_attention() {
    each("mha_causal_padded", |r| {
        let model = MultiheadAttention::new(MultiheadAttentionConfig::new(12, 4), &r.params)?;
        r.record.fill(&r.params)?;
        let (x, padding, mask) = (r.leaf("x")?, r.tensor("padding")?, r.tensor("mask")?);
        let padded = AttentionMasks { key_padding: Some(&padding), ..AttentionMasks::default() };
        // The mask of pairs says the same as the flag.
        for masks in [AttentionMasks { causal: true, ..padded }, AttentionMasks { attn: Some(&mask), ..padded }] {
            r.layer(&model.attend_self(&x, &masks, &Context::eval())?, &[("x", &x)])?;
            let (_, weights) = model.attend_with_weights(&x, &x, &x, &masks, &Context::eval())?;
            r.output("weights", &weights)?;
        }
        Ok(())
    });
}

#[test]
fn cross_attention() {
    each("mha_cross", |r| {
        let config = MultiheadAttentionConfig::new(12, 3).bias(false).memory(10, 14);
        let model = MultiheadAttention::new(config, &r.params)?;
        r.record.fill(&r.params)?;
        let (q, k, v, mask) = (r.leaf("query")?, r.leaf("key")?, r.leaf("value")?, r.tensor("mask")?);
        let masks = AttentionMasks { attn: Some(&mask), ..AttentionMasks::default() };
        let leaves = [("query", &q), ("key", &k), ("value", &v)];
        r.layer(&model.attend(&q, &k, &v, &masks, &Context::eval())?, &leaves)?;
        let (_, weights) = model.attend_with_weights(&q, &k, &v, &masks, &Context::eval())?;
        r.output("weights", &weights)
    });
}

#[test]
fn encoder_layers() {
    let config = TransformerLayerConfig::new(12, 3).dim_feedforward(20).dropout(0.0);
    let pre = TransformerLayerConfig { layer_norm_eps: 1e-6, ..config }.norm_first(true).activation(Activation::Gelu);
    for (name, config) in [("encoder_layer_post", config), ("encoder_layer_pre", pre)] {
        each(name, |r| {
            let model = TransformerEncoderLayer::new(config, &r.params)?;
            r.record.fill(&r.params)?;
            let (x, padding) = (r.leaf("x")?, r.tensor("padding")?);
            let masks = AttentionMasks { key_padding: Some(&padding), ..AttentionMasks::default() };
            r.layer(&model.encode(&x, &masks, &Context::train(0, 0, 0))?, &[("x", &x)])
        });
    }
}

#[test]
fn decoder_layers() {
    let config = TransformerLayerConfig::new(12, 2).dim_feedforward(20).dropout(0.0);
    let pre = config.norm_first(true).activation(Activation::Gelu);
    for (name, config) in [("decoder_layer_post", config), ("decoder_layer_pre", pre)] {
        each(name, |r| {
            let model = TransformerDecoderLayer::new(config, &r.params)?;
            r.record.fill(&r.params)?;
            let (x, memory, padding) = (r.leaf("x")?, r.leaf("memory")?, r.tensor("padding")?);
            let masks = AttentionMasks { causal: true, ..AttentionMasks::default() };
            let of_memory = AttentionMasks { key_padding: Some(&padding), ..AttentionMasks::default() };
            let y = model.decode(&x, &memory, &masks, &of_memory, &Context::train(0, 0, 0))?;
            r.layer(&y, &[("x", &x), ("memory", &memory)])
        });
    }
}

fn reduced_gpt2(params: &Params) -> Result<Gpt2> {
    let (dropout, layer_norm_epsilon) = (0.0, 1e-5);
    let sizes =
        Gpt2Config { vocab_size: 37, n_positions: 16, n_embd: 24, n_layer: 3, n_head: 4, dropout, layer_norm_epsilon };
    Gpt2::new(sizes, params)
}

#[test]
fn gpt2() {
    each("gpt2", |r| {
        let model = reduced_gpt2(&r.params)?;
        r.record.fill(&r.params)?;
        let tokens = r.tensor("tokens")?;
        let logits = model.forward(&tokens, &Context::train(0, 0, 0))?;
        r.output("logits", &logits)?;
        let (seen, next) = (logits.narrow(1, 0, 11)?, tokens.narrow(1, 1, 11)?);
        let loss = CrossEntropy::default().forward(&seen.reshape([22, 37])?, &next.flatten(0)?)?;
        r.output("loss", &loss.reshape([1])?)?;
        let names = [
            "transformer.wte.weight",
            "transformer.wpe.weight",
            "transformer.h.0.attn.c_attn.weight",
            "transformer.h.0.ln_1.bias",
            "transformer.h.2.mlp.c_proj.weight",
            "transformer.ln_f.weight",
        ];
        r.gradients(&loss, &[], Some(&names))
    });
}

/// Greedy continuation past the longest context, with and without keys and values kept: Hugging Face's tokens and logits.
#[test]
fn gpt2_generates_the_same_with_and_without_a_cache() {
    each("gpt2", |r| {
        let model = reduced_gpt2(&r.params)?;
        r.record.fill(&r.params)?;
        let prompt = r.tensor("greedy")?.narrow(1, 0, 3)?;
        for cached in [false, true] {
            let mut steps = Vec::new();
            let all = model.generate(&prompt, 20, cached, |logits| {
                steps.push(logits.clone());
                logits.argmax(-1, false)
            })?;
            assert_eq!(all.to_vec::<i64>()?, r.tensor("greedy")?.to_vec::<i64>()?, "cached {cached}");
            let steps: Vec<&Tensor> = steps.iter().collect();
            r.output("steps", &Tensor::concat(&steps, 0)?)?;
        }
        Ok(())
    });
}

#[test]
fn transformer() {
    let config = TransformerConfig {
        source: 11,
        target: 9,
        longest: 8,
        d_model: 16,
        nhead: 4,
        encoder_layers: 2,
        decoder_layers: 2,
        dim_feedforward: 24,
        dropout: 0.0,
        norm_first: false,
    };
    each("transformer", |r| {
        let model = Transformer::new(config, &r.params)?;
        r.record.fill(&r.params)?;
        let (source, target, padding) = (r.tensor("source")?, r.tensor("target")?, r.tensor("padding")?);
        let logits = model.forward(&source, &target, Some(&padding), &Context::train(0, 0, 0))?;
        r.output("logits", &logits)?;
        let next = Tensor::concat(&[&target.narrow(1, 1, 4)?, &target.narrow(1, 0, 1)?], 1)?;
        let loss = CrossEntropy::default().forward(&logits.reshape([10, 9])?, &next.flatten(0)?)?;
        r.output("loss", &loss.reshape([1])?)?;
        let names = [
            "src_embed.weight",
            "tgt_embed.weight",
            "generator.weight",
            "generator.bias",
            "transformer.encoder.layers.0.self_attn.in_proj_weight",
            "transformer.encoder.norm.weight",
            "transformer.decoder.layers.1.multihead_attn.in_proj_weight",
            "transformer.decoder.layers.1.norm3.bias",
            "transformer.decoder.norm.bias",
        ];
        r.gradients(&loss, &[], Some(&names))?;
        // Step by step the decoder's likeliest tokens are those of whole sequences.
        let greedy = model.greedy(&source, Some(&padding), 1, 5)?;
        let start = Tensor::from_vec(vec![1i64; 2], [2, 1], greedy.device())?;
        let whole = Tensor::concat(&[&start, &greedy.narrow(1, 0, 4)?], 1)?;
        let logits = model.forward(&source, &whole, Some(&padding), &Context::eval())?;
        assert_eq!(logits.argmax(-1, false)?.to_vec::<i64>()?, greedy.to_vec::<i64>()?);
        Ok(())
    });
}

#[test]
fn vit_and_its_positions_at_another_resolution() {
    let config = VitConfig { patch: 4, hidden: 24, layers: 2, heads: 3, mlp: 40, dropout: 0.0 };
    each("vit", |r| {
        let model = Vit::new(config, &InputSpec { shape: [3, 16, 16], classes: 10 }, &r.params)?;
        r.record.fill(&r.params)?;
        let logits = model.forward(&r.tensor("x")?, &Context::eval())?;
        r.output("logits", &logits)?;
        let labels = Tensor::from_vec(vec![3i64, 7], [2], logits.device())?;
        let loss = CrossEntropy::default().forward(&logits, &labels)?;
        r.output("loss", &loss.reshape([1])?)?;
        let names =
            ["class_token", "conv_proj.weight", "encoder.pos_embedding", "heads.head.weight", "heads.head.bias"];
        r.gradients(&loss, &[], Some(&names))?;
        let positions = r.params.all().into_iter().find(|p| p.name() == "encoder.pos_embedding").expect("positions");
        r.output("positions_larger", &interpolate_positions(&positions.tensor(), [4, 4], [6, 6])?)?;
        r.output("logits_larger", &model.forward(&r.tensor("larger")?, &Context::eval())?)
    });
}
