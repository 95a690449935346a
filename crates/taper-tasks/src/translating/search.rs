//! What a model writes: the likeliest token after the other, or the likeliest text that a beam finds. A beam goes on with the
//! K likeliest beginnings at a time (A. Graves, "Sequence transduction with recurrent neural networks", 2012, section 2.5), and
//! scores texts by log p / ((5 + length) / 6)^α, so that short ones are no likelier than long ones (Y. Wu et al., "Google's
//! neural machine translation system", 2016, equation 14).

use taper_data::PairSamples;
use taper_models::Transformer;
use taper_nn::{Context, DType, Tensor, no_grad};
use taper_train::{Error, Result};

const START: i64 = PairSamples::START;
const END: i64 = PairSamples::END;

/// How a beam searches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beam {
    /// Beginnings that are gone on with at a time, K; 1 takes the likeliest token each time.
    pub width: usize,
    /// α: 0 compares texts by their probability, 1 nearly by that of a token.
    pub length_penalty: f64,
}

impl Default for Beam {
    fn default() -> Self {
        Self { width: 4, length_penalty: 0.6 }
    }
}

impl Beam {
    /// Errs unless it can search.
    ///
    /// # Errors
    /// A width of 0, a penalty that is not between 0 and 10.
    pub fn check(&self) -> Result<()> {
        if self.width == 0 {
            return Err(Error::Usage("beam: expected an integer, 1 or more, found 0".into()));
        }
        if !(0.0..=10.0).contains(&self.length_penalty) {
            let found = self.length_penalty;
            return Err(Error::Usage(format!("length-penalty: expected a number from 0 to 10, found {found}")));
        }
        Ok(())
    }

    fn score(&self, log_probability: f64, length: usize) -> f64 {
        log_probability / ((5.0 + length as f64) / 6.0).powf(self.length_penalty)
    }
}

/// A text that a beam found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hypothesis {
    /// Its tokens, without that of the start, with that of the end unless the longest was reached.
    pub tokens: Vec<i64>,
    /// Its log probability over the length's power.
    pub score: f64,
}

/// A beginning that is gone on with.
#[derive(Clone)]
struct Open {
    tokens: Vec<i64>,
    log_probability: f64,
    /// Whether it is that of the likeliest tokens, which is kept whatever it scores, so that no search does worse.
    greedy: bool,
}

/// Gives the log probabilities of the tokens after each of some beginnings of the same length, which include the token of the
/// start.
pub(crate) type Next<'a> = dyn FnMut(&[Vec<i64>]) -> Result<Vec<Vec<f64>>> + 'a;

/// The text that `beam` finds, of at most `longest` tokens, where `next` says how likely each token is.
///
/// # Errors
/// Those of `next`.
pub(crate) fn search(beam: &Beam, longest: usize, next: &mut Next<'_>) -> Result<Hypothesis> {
    beam.check()?;
    let mut open = vec![Open { tokens: vec![START], log_probability: 0.0, greedy: true }];
    let mut finished: Vec<Hypothesis> = Vec::new();
    for length in 1..=longest.max(1) {
        let beginnings: Vec<Vec<i64>> = open.iter().map(|open| open.tokens.clone()).collect();
        let found = next(&beginnings)?;
        let mut candidates: Vec<Open> = Vec::new();
        for (open, logs) in open.iter().zip(&found) {
            let mut order: Vec<usize> = (0..logs.len()).filter(|&token| logs[token].is_finite()).collect();
            // The first of equals, as argmax takes it.
            let best = beam.width.saturating_add(1).min(order.len());
            order.sort_by(|&a, &b| logs[b].total_cmp(&logs[a]).then(a.cmp(&b)));
            for (place, &token) in order.iter().take(best).enumerate() {
                let tokens = [&open.tokens[..], &[token as i64]].concat();
                let log_probability = open.log_probability + logs[token];
                candidates.push(Open { tokens, log_probability, greedy: open.greedy && place == 0 });
            }
        }
        if candidates.is_empty() {
            return Err(Error::Usage("beam: no token has a probability: the model's outputs are not finite".into()));
        }
        candidates.sort_by(|a, b| b.log_probability.total_cmp(&a.log_probability));
        open.clear();
        for (place, candidate) in candidates.into_iter().enumerate() {
            // Among the first, or on the way of the likeliest tokens.
            if place >= beam.width && !candidate.greedy {
                continue;
            }
            if candidate.tokens.last() == Some(&END) || length == longest.max(1) {
                let tokens: Vec<i64> = candidate.tokens.into_iter().skip(1).collect();
                finished.push(Hypothesis { score: beam.score(candidate.log_probability, tokens.len()), tokens });
            } else {
                open.push(candidate);
            }
        }
        finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        // What goes on loses probability, and gains at most the longest length.
        let bound = open.iter().map(|open| beam.score(open.log_probability, longest)).fold(f64::NEG_INFINITY, f64::max);
        let greedy_is_open = open.iter().any(|open| open.greedy);
        let enough = finished.len() >= beam.width && finished.first().is_some_and(|best| best.score >= bound);
        if open.is_empty() || (enough && !greedy_is_open) {
            break;
        }
    }
    finished.into_iter().next().ok_or_else(|| Error::Usage("beam: nothing was found".into()))
}

/// The tokens that `model` writes for each row of `source: [N, S]` (`padding: [N, S]`, bytes), the likeliest one after the other,
/// up to the end or `longest` of them.
///
/// # Errors
/// Sequences longer than the model's longest.
pub(crate) fn greedy(model: &Transformer, source: &Tensor, padding: &Tensor, longest: usize) -> Result<Vec<Vec<i64>>> {
    let context = Context::eval();
    no_grad(|| {
        let memory = model.encode(source, Some(padding), &context)?;
        let samples = source.shape()[0];
        let mut all = Tensor::from_vec(vec![START; samples], [samples, 1], source.device())?;
        let mut written = vec![Vec::new(); samples];
        let mut open = samples;
        for _ in 0..longest {
            let next = model.next(&all, &memory, Some(padding), &context)?.argmax(-1, true)?; // [N, 1]
            for (written, token) in written.iter_mut().zip(next.to_host()?.to_f64()) {
                if written.last() != Some(&END) {
                    written.push(token as i64);
                    open -= usize::from(token as i64 == END);
                }
            }
            if open == 0 {
                break;
            }
            all = Tensor::concat(&[&all, &next], 1)?;
        }
        Ok(written)
    })
}

/// The text that `beam` finds for one `source: [1, S]`.
///
/// # Errors
/// Sequences longer than the model's longest.
pub(crate) fn searched(model: &Transformer, source: &Tensor, beam: &Beam, longest: usize) -> Result<Hypothesis> {
    let context = Context::eval();
    no_grad(|| {
        let memory = model.encode(source, None, &context)?; // [1, S, E]
        search(beam, longest, &mut |beginnings| {
            let (count, length) = (beginnings.len(), beginnings.first().map_or(0, Vec::len));
            let target = Tensor::from_vec(beginnings.concat(), [count, length], source.device())?;
            let shape = [&[count], &memory.shape()[1..]].concat();
            let logits = model.next(&target, &memory.broadcast_to(shape)?, None, &context)?;
            let width = logits.shape()[1].max(1);
            let logs = logits.cast(DType::F64)?.log_softmax(1)?.to_host()?.to_f64();
            Ok(logs.chunks(width).map(<[f64]>::to_vec).collect())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Log probabilities of tokens 0 to 5 that depend on the beginning in an arbitrary, fixed way.
    fn toy(beginnings: &[Vec<i64>]) -> Result<Vec<Vec<f64>>> {
        let of = |tokens: &Vec<i64>| {
            let seed = tokens.iter().fold(7_u64, |seed, &token| seed.wrapping_mul(31).wrapping_add(token as u64 + 1));
            let weight = |token: u64| (1 + seed.wrapping_mul(token + 3) % 17) as f64;
            let sum: f64 = (0..6).map(weight).sum();
            (0..6).map(|token| (weight(token) / sum).ln()).collect()
        };
        Ok(beginnings.iter().map(of).collect())
    }

    /// The best of all texts of up to `longest` tokens.
    fn best(beam: &Beam, longest: usize) -> f64 {
        let (mut open, mut best) = (vec![(vec![START], 0.0)], f64::NEG_INFINITY);
        for length in 1..=longest {
            let mut next = Vec::new();
            for (tokens, log) in open {
                let logs = toy(std::slice::from_ref(&tokens)).unwrap().remove(0);
                for (token, more) in logs.iter().enumerate() {
                    if token as i64 == END || length == longest {
                        best = beam.score(log + more, length).max(best);
                    } else {
                        next.push(([&tokens[..], &[token as i64]].concat(), log + more));
                    }
                }
            }
            open = next;
        }
        best
    }

    fn of(width: usize, length_penalty: f64, longest: usize) -> Hypothesis {
        search(&Beam { width, length_penalty }, longest, &mut toy).unwrap()
    }

    #[test]
    fn a_beam_does_no_worse_than_the_likeliest_tokens_and_a_wide_one_finds_the_best() {
        for penalty in [0.0, 0.6, 1.0, 3.0] {
            for longest in [1, 2, 5] {
                let greedy = of(1, penalty, longest);
                for width in [2, 3, 6, 50] {
                    let found = of(width, penalty, longest);
                    assert!(found.score >= greedy.score && found.score.is_finite(), "{found:?} {greedy:?}");
                    let ends = found.tokens.iter().position(|&token| token == END);
                    assert!(ends.is_none_or(|end| end + 1 == found.tokens.len()), "{found:?}");
                    assert!(ends.is_some() || found.tokens.len() == longest, "{found:?}");
                }
                // Wider than the vocabulary, and than all texts.
                let beam = Beam { width: 10_000, length_penalty: penalty };
                assert!(
                    (of(10_000, penalty, longest).score - best(&beam, longest)).abs() < 1e-12,
                    "{penalty} {longest}"
                );
            }
        }
    }

    /// The way of the likeliest tokens falls behind two others at the second, and ends well.
    #[test]
    fn the_likeliest_tokens_are_not_lost() {
        let mut next = |beginnings: &[Vec<i64>]| {
            let of = |tokens: &Vec<i64>| match tokens[1..] {
                [] => [0.1, 0.05, 0.05, 0.4, 0.35, 0.05],
                [3] => [0.15, 0.15, 0.05, 0.4, 0.15, 0.1],
                [4] => [0.49, 0.48, 0.01, 0.01, 0.005, 0.005],
                [3, 3] => [0.01, 0.01, 0.95, 0.01, 0.01, 0.01],
                _ => [0.19, 0.19, 0.05, 0.19, 0.19, 0.19],
            };
            Ok(beginnings.iter().map(|tokens| of(tokens).map(f64::ln).to_vec()).collect())
        };
        for width in [1, 2] {
            let found = search(&Beam { width, length_penalty: 0.0 }, 3, &mut next).unwrap();
            assert_eq!(found.tokens, [3, 3, END], "{width}");
            assert!((found.score - 0.152_f64.ln()).abs() < 1e-12, "{}", found.score);
        }
    }

    #[test]
    fn one_beginning_takes_the_likeliest_token_each_time() {
        let mut tokens = vec![START];
        for _ in 0..9 {
            let logs = toy(std::slice::from_ref(&tokens)).unwrap().remove(0);
            let best = (0..6).max_by(|&a, &b| logs[a].total_cmp(&logs[b]).then(b.cmp(&a))).unwrap();
            tokens.push(best as i64);
            if best as i64 == END {
                break;
            }
        }
        assert_eq!(of(1, 0.6, 9).tokens, tokens[1..]);
    }

    #[test]
    fn lengths_are_made_up_for() {
        // The end has half at once, or 0.9 after a token of 0.4: 0.36 for two tokens.
        let mut next = |beginnings: &[Vec<i64>]| {
            let of = |tokens: &Vec<i64>| match tokens.len() {
                1 => [0.05, 0.05, 0.5, 0.4].map(f64::ln).to_vec(),
                _ => [0.05, 0.03, 0.9, 0.02].map(f64::ln).to_vec(),
            };
            Ok(beginnings.iter().map(of).collect())
        };
        let mut found = |length_penalty| search(&Beam { width: 3, length_penalty }, 4, &mut next).unwrap();
        let (short, long) = (found(0.0), found(5.0));
        assert_eq!((short.tokens, long.tokens), (vec![END], vec![3, END]));
        assert!((short.score - 0.5_f64.ln()).abs() < 1e-12);
        assert!((long.score - 0.36_f64.ln() / (7.0_f64 / 6.0).powi(5)).abs() < 1e-12, "{}", long.score);
    }

    #[test]
    fn what_cannot_be_searched_is_told() {
        let wrong = |width, length_penalty| Beam { width, length_penalty }.check().unwrap_err().to_string();
        assert_eq!(wrong(0, 0.6), "beam: expected an integer, 1 or more, found 0");
        assert_eq!(wrong(4, -1.0), "length-penalty: expected a number from 0 to 10, found -1");
        assert!(wrong(4, f64::NAN).contains("found NaN"));
        let nothing = &mut |some: &[Vec<i64>]| Ok(vec![vec![f64::NAN; 4]; some.len()]);
        let text = search(&Beam::default(), 4, nothing).unwrap_err().to_string();
        assert_eq!(text, "beam: no token has a probability: the model's outputs are not finite");
    }
}
