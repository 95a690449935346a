//! Writing with a language model: a token after the other, each drawn from what the model says of those before.

use super::Sampling;
use std::ops::ControlFlow;
use taper_data::CharVocabulary;
use taper_models::{Gpt2, RecurrentLm};
use taper_nn::{Context, Device, Error as NnError, Module, Tensor, no_grad};
use taper_train::{Error, Result};

/// Takes the logits `[N, V]` of the next token of each sample, and gives that token, `[N]` in i64.
pub(super) type Choose<'a> = dyn FnMut(&Tensor) -> taper_nn::Result<Tensor> + 'a;

/// A language model that continues a text.
pub trait Continues {
    /// Continues the prompt `[N, T]` (i64, T at least 1) by `count` tokens: `[N, T + count]`. `choose` takes the logits
    /// `[N, V]` of the next token, and gives it, `[N]`. With `cached`, what was computed for earlier tokens is kept where
    /// that is the same, so that the tokens are too.
    ///
    /// # Errors
    /// A prompt of another shape; the errors of `choose`.
    fn continues(
        &self,
        prompt: &Tensor,
        count: usize,
        cached: bool,
        choose: &mut Choose<'_>,
    ) -> taper_nn::Result<Tensor>;
}

/// Sees the last tokens, as many as its longest context.
impl Continues for Gpt2 {
    fn continues(
        &self,
        prompt: &Tensor,
        count: usize,
        cached: bool,
        choose: &mut Choose<'_>,
    ) -> taper_nn::Result<Tensor> {
        self.generate(prompt, count, cached, choose)
    }
}

/// Sees all tokens.
impl Continues for RecurrentLm {
    fn continues(
        &self,
        prompt: &Tensor,
        count: usize,
        cached: bool,
        choose: &mut Choose<'_>,
    ) -> taper_nn::Result<Tensor> {
        self.generate(prompt, count, cached, choose)
    }
}

/// Any model, seen through a window: it is given the last `context` tokens, `[N, context]`, and gives logits `[N, V]` of the
/// token after them. Nothing is kept from token to token.
#[derive(Debug, Clone, Copy)]
pub struct Windowed<M> {
    /// The model.
    pub model: M,
    /// The number of tokens that it takes.
    pub context: usize,
}

impl<M: Module> Continues for Windowed<M> {
    fn continues(
        &self,
        prompt: &Tensor,
        count: usize,
        _cached: bool,
        choose: &mut Choose<'_>,
    ) -> taper_nn::Result<Tensor> {
        let context = self.context;
        let length = |tokens: &Tensor| tokens.shape().dims().get(1).copied().unwrap_or_default();
        if prompt.shape().rank() != 2 || length(prompt) < context {
            let found = prompt.shape();
            let detail = format!("the prompt must be [N, T] with T at least {context}, the context, came as {found}");
            return Err(NnError::shape("generate", detail));
        }
        no_grad(|| {
            let mut all = prompt.clone();
            for _ in 0..count {
                let window = all.narrow(1, length(&all) - context, context)?;
                let next = choose(&self.model.forward(&window, &Context::eval())?)?;
                all = Tensor::concat(&[&all, &next.unsqueeze(1)?], 1)?;
            }
            Ok(all)
        })
    }
}

/// The `count` tokens that the model draws after each of `prompts`, which have the same length, at least 1. The random
/// numbers of prompt `i` are the stream `sampling.key.index(i)`, so that its text does not depend on the others.
/// `each` is given every token as soon as it is drawn, one of each prompt; what was drawn is all once it breaks.
///
/// # Errors
/// Prompts of different lengths or none, an empty prompt, a setting out of range, logits that are not finite.
pub fn continued(
    model: &dyn Continues,
    prompts: &[Vec<i64>],
    count: usize,
    cached: bool,
    sampling: &Sampling,
    device: &Device,
    each: &mut dyn FnMut(&[i64]) -> ControlFlow<()>,
) -> Result<Vec<Vec<i64>>> {
    sampling.check()?;
    let length = prompts.first().map_or(0, Vec::len);
    if length == 0 || prompts.iter().any(|prompt| prompt.len() != length) {
        let found: Vec<usize> = prompts.iter().map(Vec::len).collect();
        return Err(Error::Usage(format!(
            "generate: expected prompts of one length, 1 token or more, found lengths {found:?}"
        )));
    }
    let begun = Tensor::from_vec(prompts.concat(), [prompts.len(), length], device)?;
    let keys: Vec<_> = (0..prompts.len() as u64).map(|i| sampling.key.index(i)).collect();
    let (mut drawn, mut wrong, mut broken) = (vec![Vec::with_capacity(count); prompts.len()], None, false);
    let written = model.continues(&begun, count, cached, &mut |logits| {
        let values = logits.to_host()?.to_f64();
        let rows = values.chunks(values.len().div_ceil(keys.len()).max(1)).zip(&keys);
        let tokens = rows.map(|(row, &key)| Sampling { key, ..*sampling }.draw(row, drawn[0].len() as u64));
        let tokens: Vec<i64> =
            tokens.map(|token| token.map(|token| token as i64)).collect::<Result<_>>().map_err(|error| {
                let text = error.to_string();
                wrong = Some(error);
                NnError::argument("generate", text)
            })?;
        drawn.iter_mut().zip(&tokens).for_each(|(drawn, &token)| drawn.push(token));
        if each(&tokens).is_break() {
            broken = true;
            return Err(NnError::argument("generate", "the writer has enough"));
        }
        Tensor::from_vec(tokens, [keys.len()], device)
    });
    match (written, wrong) {
        (Ok(_), _) => Ok(drawn),
        (Err(_), _) if broken => Ok(drawn),
        (Err(_), Some(error)) => Err(error),
        (Err(error), None) => Err(error.into()),
    }
}

/// `length` characters that the model draws after `prompt`, one after the other.
///
/// # Errors
/// A prompt that is empty or shorter than the model takes, or has characters outside the vocabulary (the error names them);
/// a setting out of range.
pub fn generate(
    model: &dyn Continues,
    vocabulary: &CharVocabulary,
    prompt: &str,
    length: usize,
    sampling: &Sampling,
    device: &Device,
) -> Result<String> {
    let tokens = vec![vocabulary.encode(prompt)?];
    let drawn = continued(model, &tokens, length, true, sampling, device, &mut |_| ControlFlow::Continue(()))?;
    Ok(vocabulary.decode(&drawn.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_models::{Gpt2Config, RecurrentLmConfig};
    use taper_nn::{DType, Params, RandomKey};

    fn device() -> Device {
        Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap())
    }

    fn models(device: &Device) -> (Gpt2, RecurrentLm) {
        let params = Params::new(device, DType::F32, RandomKey::new(5));
        let config = Gpt2Config {
            vocab_size: 9,
            n_positions: 8,
            n_embd: 16,
            n_layer: 2,
            n_head: 2,
            dropout: 0.0,
            ..Gpt2Config::small()
        };
        let recurrent =
            RecurrentLmConfig { vocabulary: 9, embedding: 8, hidden: 16, layers: 2, ..RecurrentLmConfig::default() };
        let gpt = Gpt2::new(config, &params.sub("gpt")).unwrap();
        let lstm = RecurrentLm::new(&recurrent, &params.sub("lstm")).unwrap();
        // Larger than at the start of a training, so that logits differ enough to choose between.
        for param in params.all() {
            param.set(&param.tensor().detach().mul_scalar(6.0).unwrap()).unwrap();
        }
        (gpt, lstm)
    }

    /// Beyond the window too, where positions change with each step.
    #[test]
    fn the_tokens_are_the_same_with_and_without_a_cache() {
        let device = device();
        let (gpt, lstm) = models(&device);
        for (name, model) in [("gpt", &gpt as &dyn Continues), ("lstm", &lstm)] {
            for sampling in [Sampling { temperature: 0.0, ..Sampling::default() }, Sampling::default()] {
                let write = |cached| {
                    let prompts = [vec![1, 2, 3], vec![8, 0, 4]];
                    continued(model, &prompts, 30, cached, &sampling, &device, &mut |_| ControlFlow::Continue(()))
                        .unwrap()
                };
                let found = write(true);
                assert_eq!(found, write(false), "{name}");
                assert!(found.iter().all(|tokens| tokens.len() == 30) && found[0] != found[1], "{name}: {found:?}");
            }
        }
    }

    #[test]
    fn a_prompt_is_continued_alone_as_beside_others() {
        let device = device();
        let (gpt, _) = models(&device);
        let sampling = Sampling { key: RandomKey::new(7), ..Sampling::default() };
        let write = |prompts: &[Vec<i64>], seed| {
            let sampling = Sampling { key: RandomKey::new(seed), ..sampling };
            continued(&gpt, prompts, 12, true, &sampling, &device, &mut |_| ControlFlow::Continue(())).unwrap()
        };
        let both = write(&[vec![1, 2], vec![3, 4]], 7);
        assert_eq!(write(&[vec![1, 2]], 7), both[..1]);
        assert_eq!(write(&[vec![1, 2], vec![3, 4]], 7), both, "a seed, a text");
        assert_ne!(write(&[vec![1, 2], vec![3, 4]], 8), both);
        let mut seen = Vec::new();
        let mut each = |tokens: &[i64]| {
            seen.extend_from_slice(tokens);
            if seen.len() < 5 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let found = continued(&gpt, &[vec![1, 2]], 12, true, &sampling, &device, &mut each).unwrap();
        assert_eq!(
            (&seen[..], &found[0][..]),
            (&both[0][..5], &both[0][..5]),
            "as they are drawn, until there are enough"
        );
    }

    #[test]
    fn what_cannot_be_continued_is_told() {
        let device = device();
        let (gpt, _) = models(&device);
        let says = |prompts: &[Vec<i64>], due: &str| {
            let sampling = Sampling::default();
            let found = continued(&gpt, prompts, 1, true, &sampling, &device, &mut |_| ControlFlow::Continue(()));
            assert_eq!(found.unwrap_err().to_string(), due);
        };
        says(&[], "generate: expected prompts of one length, 1 token or more, found lengths []");
        says(&[vec![]], "generate: expected prompts of one length, 1 token or more, found lengths [0]");
        says(&[vec![1], vec![1, 2]], "generate: expected prompts of one length, 1 token or more, found lengths [1, 2]");
        let vocabulary = CharVocabulary::of("abcdefghi");
        let write = |prompt: &str| generate(&gpt, &vocabulary, prompt, 5, &Sampling::default(), &device);
        assert_eq!(write("ab").unwrap().chars().count(), 5);
        let text = write("aß").unwrap_err().to_string();
        assert_eq!(text, "vocabulary: character 2 of the text, 'ß', is none of its 9 characters");
        let windowed = Windowed { model: &gpt, context: 4 };
        let text = generate(&windowed, &vocabulary, "abc", 5, &Sampling::default(), &device).unwrap_err().to_string();
        assert!(text.contains("T at least 4, the context, came as [1, 3]"), "{text}");
    }
}
