//! Drawing a token from logits z: of the probabilities softmax(z / T), at the temperature T, what `top_k` and `top_p` leave.
//! Top-p, or nucleus sampling: A. Holtzman et al., "The curious case of neural text degeneration", ICLR 2020, section 3.1;
//! top-k: A. Fan, M. Lewis and Y. Dauphin, "Hierarchical neural story generation", ACL 2018, section 5.4.

use taper_nn::RandomKey;
use taper_train::{Error, Result};

/// How a token is drawn. By default from all tokens, at their own probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it: below 1 likely tokens become likelier, above 1 less so. With 0 the likeliest is taken,
    /// whatever else is set; of several the first.
    pub temperature: f64,
    /// Only the so many likeliest tokens are drawn from; 0 for all, as is any number beyond the vocabulary's.
    pub top_k: usize,
    /// Of these, only the likeliest that together reach this probability are drawn from, the one that reaches it among them:
    /// above 0, and 1 for all.
    pub top_p: f64,
    /// The stream of random numbers.
    pub key: RandomKey,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: 0, top_p: 1.0, key: RandomKey::new(0) }
    }
}

impl Sampling {
    /// Errs when a value is out of range; the error names it as the command line does.
    ///
    /// # Errors
    /// A temperature below 0 or not finite, a `top_p` that is not above 0 and at most 1.
    pub fn check(&self) -> Result<()> {
        let Self { temperature, top_p, .. } = *self;
        if !(temperature >= 0.0 && temperature.is_finite()) {
            return Err(Error::Usage(format!("temperature: expected a number, 0 or more, found {temperature}")));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(Error::Usage(format!("top-p: expected a number above 0 and at most 1, found {top_p}")));
        }
        Ok(())
    }

    /// A token of these logits, by the `number`-th random number of the stream.
    ///
    /// # Errors
    /// Logits of which none is finite, or one is NaN.
    pub fn draw(&self, logits: &[f64], number: u64) -> Result<usize> {
        // The likeliest first; equal ones in their order, since sorting is stable.
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
        let largest = order.first().map_or(f64::NAN, |&first| logits[first]);
        if !largest.is_finite() || logits.iter().any(|logit| logit.is_nan()) {
            return Err(Error::Usage(format!("generate: expected finite logits, found {largest} as the largest")));
        }
        if self.temperature == 0.0 {
            return Ok(order[0]);
        }
        if self.top_k > 0 {
            order.truncate(self.top_k);
        }
        let weight = |&token: &usize| ((logits[token] - largest) / self.temperature).exp();
        let all: f64 = order.iter().map(weight).sum();
        let mut reached = 0.0;
        let short = order.iter().position(|token| {
            reached += weight(token);
            reached >= self.top_p * all
        });
        order.truncate(short.map_or(order.len(), |last| last + 1));
        let kept: f64 = order.iter().map(weight).sum();
        let mut left = self.key.uniform(number) * kept;
        let place = order.iter().position(|token| {
            left -= weight(token);
            left < 0.0
        });
        // By rounding what is left may never fall below 0.
        Ok(order[place.unwrap_or(order.len() - 1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 6,000 draws, how many are each of the tokens with probabilities 1/6, 2/6, 0 and 3/6.
    fn counts(sampling: Sampling) -> [usize; 4] {
        let logits = [0.0, 2.0_f64.ln(), f64::NEG_INFINITY, 3.0_f64.ln()];
        let sampling = Sampling { key: RandomKey::new(1), ..sampling };
        let mut counts = [0; 4];
        (0..6000).for_each(|i| counts[sampling.draw(&logits, i).unwrap()] += 1);
        counts
    }

    /// Of 6,000 draws with a probability of 1/2 the standard deviation is 39.
    #[track_caller]
    fn near(found: [usize; 4], due: [usize; 4]) {
        let ok =
            found.iter().zip(&due).all(|(found, &due)| if due == 0 { *found == 0 } else { found.abs_diff(due) < 200 });
        assert!(ok, "{found:?}, expected about {due:?}");
    }

    const PLAIN: fn() -> Sampling = Sampling::default;

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_likely() {
        near(counts(PLAIN()), [1000, 2000, 0, 3000]);
        // At half the temperature the odds are squared.
        near(counts(Sampling { temperature: 0.5, ..PLAIN() }), [6000 / 14, 6000 * 4 / 14, 0, 6000 * 9 / 14]);
        assert_eq!(counts(Sampling { temperature: 0.0, top_k: 3, ..PLAIN() }), [0, 0, 0, 6000]);
        assert_eq!(Sampling { temperature: 0.0, ..PLAIN() }.draw(&[1.0, 2.0, 2.0], 0).unwrap(), 1);
    }

    #[test]
    fn top_k_is_clipped_to_the_vocabulary() {
        near(counts(Sampling { top_k: 2, ..PLAIN() }), [0, 2400, 0, 3600]);
        assert_eq!(counts(Sampling { top_k: 1, ..PLAIN() }), [0, 0, 0, 6000]);
        for top_k in [0, 4, 5, usize::MAX] {
            assert_eq!(counts(Sampling { top_k, ..PLAIN() }), counts(PLAIN()), "{top_k}");
        }
    }

    #[test]
    fn top_p_keeps_the_token_that_reaches_it() {
        for (top_p, due) in [
            (1e-9, [0, 0, 0, 6000]),
            (0.49, [0, 0, 0, 6000]),
            (0.51, [0, 2400, 0, 3600]),
            (0.82, [0, 2400, 0, 3600]),
            (0.84, [1000, 2000, 0, 3000]),
            (1.0, [1000, 2000, 0, 3000]),
        ] {
            near(counts(Sampling { top_p, ..PLAIN() }), due);
        }
        // Of what top-k left: 2/5 and 3/5.
        near(counts(Sampling { top_p: 0.59, top_k: 2, ..PLAIN() }), [0, 0, 0, 6000]);
        near(counts(Sampling { top_p: 0.61, top_k: 2, ..PLAIN() }), [0, 2400, 0, 3600]);
    }

    #[test]
    fn what_cannot_be_drawn_is_told() {
        let says = |sampling: Sampling, due: &str| assert_eq!(sampling.check().unwrap_err().to_string(), due);
        let wrong = |temperature| Sampling { temperature, ..PLAIN() };
        says(wrong(-0.5), "temperature: expected a number, 0 or more, found -0.5");
        says(wrong(f64::NAN), "temperature: expected a number, 0 or more, found NaN");
        says(wrong(f64::INFINITY), "temperature: expected a number, 0 or more, found inf");
        let nucleus = |top_p| Sampling { top_p, ..PLAIN() };
        says(nucleus(0.0), "top-p: expected a number above 0 and at most 1, found 0");
        says(nucleus(1.5), "top-p: expected a number above 0 and at most 1, found 1.5");
        assert!(PLAIN().check().is_ok());
        for logits in [&[][..], &[f64::NEG_INFINITY], &[0.0, f64::NAN], &[f64::INFINITY, 0.0]] {
            let text = PLAIN().draw(logits, 0).unwrap_err().to_string();
            assert!(text.starts_with("generate: expected finite logits, found"), "{text}");
        }
        // The smallest of temperatures is no 0 / 0.
        assert_eq!(wrong(5e-324).draw(&[1.0, 3.0, 2.0], 0).unwrap(), 1);
    }
}
