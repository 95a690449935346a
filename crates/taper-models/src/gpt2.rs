//! GPT-2 (Radford et al., "Language models are unsupervised multitask learners", 2019; code: github.com/openai/gpt-2): a
//! decoder of the Transformer with layer norm before each part, learned positions and GELU by tanh. Parameter names and
//! shapes are those of Hugging Face's `GPT2LMHeadModel`, whose linear weights lie `[in, out]` as OpenAI's do; the head is
//! tied to the tokens' embedding and has no weight of its own. A published file, whose names begin without `transformer.`,
//! also holds the causal masks as `attn.bias`, which are no parameters.
//!
//! Small: 124,439,808 parameters; medium 354,823,168; large 774,030,080; XL 1,557,611,200.

use crate::SampledModel;
use taper_config::table;
use taper_nn::taper_tensor::{AttentionOptions, no_grad};
use taper_nn::{
    Activation, Context, DType, Device, Dropout, Embedding, EmbeddingConfig, Error, Init, KvCache, LayerNorm,
    LayerNormConfig, Module, Param, Params, Pass, Result, Tensor,
};

table! {
    /// The sizes of a [`Gpt2`], by the names of its published `config.json`; by default the small model's.
    #[derive(Copy)]
    pub struct Gpt2Config {
        /// Tokens of the vocabulary, V.
        vocab_size: usize = 50_257, at_least(1);
        /// The longest context.
        n_positions: usize = 1024, at_least(1);
        /// Features, E.
        n_embd: usize = 768, at_least(1);
        /// Blocks.
        n_layer: usize = 12, at_least(1);
        /// Heads of attention, H, which divide the features.
        n_head: usize = 12, at_least(1);
        /// The probability of dropout: of embeddings, attention weights and each part's output.
        dropout: f64 = 0.1, fraction();
        /// Layer norm's ε.
        layer_norm_epsilon: f64 = 1e-5, ordinary_or_zero();
    }
}

impl Gpt2Config {
    /// GPT-2 small: 12 blocks of 768 features and 12 heads.
    pub fn small() -> Self {
        let (dropout, layer_norm_epsilon) = (0.1, 1e-5);
        Self {
            vocab_size: 50_257,
            n_positions: 1024,
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            dropout,
            layer_norm_epsilon,
        }
    }

    /// GPT-2 medium: 24 blocks of 1024 features and 16 heads.
    pub fn medium() -> Self {
        Self { n_embd: 1024, n_layer: 24, n_head: 16, ..Self::small() }
    }

    /// GPT-2 large: 36 blocks of 1280 features and 20 heads.
    pub fn large() -> Self {
        Self { n_embd: 1280, n_layer: 36, n_head: 20, ..Self::small() }
    }

    /// GPT-2 XL: 48 blocks of 1600 features and 25 heads.
    pub fn xl() -> Self {
        Self { n_embd: 1600, n_layer: 48, n_head: 25, ..Self::small() }
    }
}

/// Tokens `[N, T]` (i64) to logits `[N, T, V]` of the token after each.
#[derive(Debug, Clone)]
pub struct Gpt2 {
    path: String,
    wte: Embedding,
    wpe: Embedding,
    drop: Dropout,
    blocks: Vec<Block>,
    ln_f: LayerNorm,
}

/// x + attn(ln_1(x)), then x + mlp(ln_2(x)).
#[derive(Debug, Clone)]
struct Block {
    path: String,
    ln_1: LayerNorm,
    attn: Attention,
    ln_2: LayerNorm,
    mlp: Mlp,
}

/// Causal self-attention.
#[derive(Debug, Clone)]
struct Attention {
    path: String,
    /// The name that keys the random numbers of dropped weights.
    stream: String,
    heads: usize,
    dropout: f64,
    c_attn: Conv1d,
    c_proj: Conv1d,
    resid_dropout: Dropout,
}

/// c_proj(gelu(c_fc(x))).
#[derive(Debug, Clone)]
struct Mlp {
    path: String,
    c_fc: Conv1d,
    c_proj: Conv1d,
    dropout: Dropout,
}

/// A linear layer whose weight lies `[in, out]`: Hugging Face's `Conv1D`.
#[derive(Debug, Clone)]
struct Conv1d {
    path: String,
    weight: Param,
    bias: Param,
}

impl Gpt2 {
    /// Creates the parameters in `params`, initialised as OpenAI's code does: normal with standard deviation 0.02, of what
    /// ends a block's part divided by √(2 · `n_layer`).
    ///
    /// # Errors
    /// A size of 0, a number of heads that does not divide the features.
    pub fn new(config: Gpt2Config, params: &Params) -> Result<Self> {
        let Gpt2Config { vocab_size, n_positions, n_embd, n_layer, n_head, dropout, .. } = config;
        if n_head == 0 || n_layer == 0 || !n_embd.is_multiple_of(n_head) {
            let detail = format!(
                "n_layer and n_head must be at least 1 and n_head divide n_embd, came as {n_layer}, {n_head} and {n_embd}"
            );
            return Err(Error::argument("gpt2", detail));
        }
        let inside = params.sub("transformer");
        let table = |rows, std| EmbeddingConfig::new(rows, n_embd).init(Init::Normal { std });
        let blocks = (0..n_layer).map(|i| Block::new(config, &inside.sub(format!("h.{i}"))));
        Ok(Self {
            path: params.path().to_owned(),
            wte: Embedding::new(table(vocab_size, 0.02), &inside.sub("wte"))?,
            wpe: Embedding::new(table(n_positions, 0.02), &inside.sub("wpe"))?,
            drop: Dropout::new(dropout, &inside.sub("drop"))?,
            blocks: blocks.collect::<Result<_>>()?,
            ln_f: norm(config, &inside.sub("ln_f"))?,
        })
    }

    /// The longest context.
    pub fn longest(&self) -> usize {
        self.wpe.weight().tensor().shape()[0]
    }

    /// The logits `[N, T, V]` for tokens `[N, T]` that follow those in `cache`, which takes them up. No gradient flows to
    /// earlier tokens.
    ///
    /// # Errors
    /// More tokens, with those in the cache, than the longest context.
    pub fn continued(&self, tokens: &Tensor, cache: &mut Gpt2Cache, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| self.logits(tokens, Some(cache), context))
    }

    /// Continues the prompt `[N, T]` (T at least 1) by `count` tokens: `[N, T + count]`. `choose` takes the logits `[N, V]` of
    /// the next token, and gives it, `[N]`. What the model sees is the last tokens, as many as its longest context, at
    /// positions from 0 on. With `cached` keys and values of earlier tokens are kept while the context is not full; then
    /// each token's position changes with each step, and all is computed anew.
    ///
    /// # Errors
    /// An empty prompt; those of `choose`.
    pub fn generate(
        &self,
        prompt: &Tensor,
        count: usize,
        cached: bool,
        mut choose: impl FnMut(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let (context, longest) = (Context::eval(), self.longest());
        if prompt.shape().rank() != 2 || prompt.shape()[1] == 0 {
            let detail = format!("the prompt must be [N, T] with T at least 1, came as {}", prompt.shape());
            return Err(Error::shape("generate", detail));
        }
        no_grad(|| {
            let (mut all, mut cache) = (prompt.clone(), Gpt2Cache::new());
            for _ in 0..count {
                let length = all.shape()[1];
                if !cached || length > longest {
                    cache.clear();
                }
                let seen = length.min(longest) - cache.len();
                let new = all.narrow(1, length - seen, seen)?;
                let logits = self.continued(&new, &mut cache, &context)?; // [N, seen, V]
                let next = choose(&logits.narrow(1, seen - 1, 1)?.squeeze(1)?)?;
                all = Tensor::concat(&[&all, &next.unsqueeze(1)?], 1)?;
            }
            Ok(all)
        })
    }

    fn logits(&self, tokens: &Tensor, mut cache: Option<&mut Gpt2Cache>, context: &Context) -> Result<Tensor> {
        let first = cache.as_ref().map_or(0, |cache| cache.len());
        let fits = tokens.shape().rank() == 2;
        if !fits || first + tokens.shape()[1] > self.longest() {
            let detail = format!(
                "expected tokens [N, T] of at most {} positions, came {} from position {first} on",
                self.longest(),
                tokens.shape()
            );
            return Err(Error::shape("gpt2", detail));
        }
        let positions = self.wpe.weight().tensor().narrow(0, first, tokens.shape()[1])?; // [T, E]
        let mut x = tokens.pass(&self.wte, context)?.add(&positions)?.pass(&self.drop, context)?; // [N, T, E]
        if let Some(cache) = &mut cache {
            cache.layers.resize_with(self.blocks.len(), KvCache::new);
        }
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, cache.as_mut().and_then(|cache| cache.layers.get_mut(i)), context)?;
        }
        let x = x.pass(&self.ln_f, context)?;
        x.linear(&self.wte.weight().tensor(), None) // [N, T, V]
    }
}

impl Module for Gpt2 {
    fn forward(&self, tokens: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| self.logits(tokens, None, context))
    }
}

impl SampledModel for Gpt2 {
    type Config = Gpt2Config;

    fn build(config: &Gpt2Config, params: &Params) -> Result<Self> {
        Self::new(*config, params)
    }

    fn sample(config: &Gpt2Config) -> String {
        format!("{} tokens of {}", config.n_positions, config.vocab_size)
    }

    fn forward_sample(&self, config: &Gpt2Config, _: DType, device: &Device, context: &Context) -> Result<Vec<Tensor>> {
        let tokens = Tensor::zeros([1, config.n_positions], DType::I64, device)?;
        Ok(vec![self.forward(&tokens, context)?])
    }
}

/// The keys and values of the tokens that a [`Gpt2`] has seen, of each block.
#[derive(Debug, Clone, Default)]
pub struct Gpt2Cache {
    layers: Vec<KvCache>,
}

impl Gpt2Cache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of tokens in the cache.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, KvCache::len)
    }

    /// Whether the cache is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all tokens.
    pub fn clear(&mut self) {
        self.layers.clear();
    }
}

fn norm(config: Gpt2Config, params: &Params) -> Result<LayerNorm> {
    LayerNorm::new(LayerNormConfig::new([config.n_embd]).eps(config.layer_norm_epsilon), params)
}

impl Block {
    fn new(config: Gpt2Config, params: &Params) -> Result<Self> {
        Ok(Self {
            path: params.path().to_owned(),
            ln_1: norm(config, &params.sub("ln_1"))?,
            attn: Attention::new(config, &params.sub("attn"))?,
            ln_2: norm(config, &params.sub("ln_2"))?,
            mlp: Mlp::new(config, &params.sub("mlp"))?,
        })
    }

    fn forward(&self, x: &Tensor, cache: Option<&mut KvCache>, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = x.add(&self.attn.forward(&x.pass(&self.ln_1, context)?, cache, context)?)?;
            x.add(&x.pass(&self.ln_2, context)?.pass(&self.mlp, context)?)
        })
    }
}

impl Attention {
    fn new(config: Gpt2Config, params: &Params) -> Result<Self> {
        let (size, std) = (config.n_embd, 0.02 / (2.0 * config.n_layer as f64).sqrt());
        Ok(Self {
            path: params.path().to_owned(),
            stream: params.stream(),
            heads: config.n_head,
            dropout: config.dropout,
            c_attn: Conv1d::new([size, 3 * size], 0.02, &params.sub("c_attn"))?,
            c_proj: Conv1d::new([size, size], std, &params.sub("c_proj"))?,
            resid_dropout: Dropout::new(config.dropout, &params.sub("resid_dropout"))?,
        })
    }

    fn forward(&self, x: &Tensor, cache: Option<&mut KvCache>, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let [n, t, e] = x.dims()?;
            let heads = |x: &Tensor| x.reshape([n, t, self.heads, e / self.heads])?.transpose(1, 2);
            let qkv = x.pass(&self.c_attn, context)?.chunk(3, -1)?; // [N, T, 3E], three of [N, T, E]
            let [q, k, v] = &qkv[..] else { return Err(Error::argument("gpt2", "queries, keys and values")) };
            let (q, mut k, mut v) = (heads(q)?, heads(k)?, heads(v)?); // [N, H, T, D]
            if let Some(cache) = cache {
                (k, v) = cache.extended(k, v)?; // [N, H, S, D]
            }
            let dropped = context.is_training() && self.dropout > 0.0;
            let dropout = dropped.then(|| (self.dropout, context.key(&self.stream)));
            let options = AttentionOptions { causal: true, dropout, ..AttentionOptions::default() };
            let y = q.scaled_dot_product_attention(&k, &v, &options)?; // [N, H, T, D]
            y.transpose(1, 2)?.flatten(2)?.pass(&self.c_proj, context)?.pass(&self.resid_dropout, context)
        })
    }
}

impl Mlp {
    fn new(config: Gpt2Config, params: &Params) -> Result<Self> {
        let (size, std) = (config.n_embd, 0.02 / (2.0 * config.n_layer as f64).sqrt());
        Ok(Self {
            path: params.path().to_owned(),
            c_fc: Conv1d::new([size, 4 * size], 0.02, &params.sub("c_fc"))?,
            c_proj: Conv1d::new([4 * size, size], std, &params.sub("c_proj"))?,
            dropout: Dropout::new(config.dropout, &params.sub("dropout"))?,
        })
    }
}

impl Module for Mlp {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = x.pass(&self.c_fc, context)?.activation(Activation::GeluTanh)?; // [N, T, 4E]
            x.pass(&self.c_proj, context)?.pass(&self.dropout, context)
        })
    }
}

impl Conv1d {
    fn new(shape: [usize; 2], std: f64, params: &Params) -> Result<Self> {
        Ok(Self {
            path: params.path().to_owned(),
            weight: params.get("weight", shape, Init::Normal { std })?,
            bias: params.get("bias", [shape[1]], Init::Zeros)?,
        })
    }
}

impl Module for Conv1d {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let weight = context.operand(&self.weight.tensor())?.transpose(0, 1)?; // a view
            context.operand(x)?.linear(&weight, Some(&context.operand(&self.bias.tensor())?))
        })
    }
}
