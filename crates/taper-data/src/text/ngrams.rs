//! Counts of runs of tokens as a language model: what a network should be better than.
//!
//! The probability of the token c after the tokens h, with n(h) occurrences in the training text before t(h) different tokens,
//! is interpolated with that after h without its first token, h′ (I. Witten and T. Bell, "The zero-frequency problem", IEEE
//! Transactions on Information Theory 37, 1991, method C, as in S. Chen and J. Goodman, "An empirical study of smoothing
//! techniques for language modeling", 1998, section 2.5):
//!
//! p(c | h) = (n(hc) + t(h) · p(c | h′)) / (n(h) + t(h)), and below no token at all 1 / V.

/// The runs of 1 to `before` + 1 tokens of a text, counted.
#[derive(Debug, Clone)]
pub struct NGrams {
    vocabulary: u64,
    /// Of each length, from 1 on: the runs as numbers in base V, in order, and before each the occurrences of all before it.
    runs: Vec<(Vec<u64>, Vec<u64>)>,
}

impl NGrams {
    /// The most tokens before another of which runs over `vocabulary` tokens can be counted: a run is a number of 64 bits.
    pub fn longest(vocabulary: usize) -> usize {
        let mut size = vocabulary.max(2) as u128;
        let mut before = 0;
        while size * (vocabulary.max(2) as u128) < 1 << 63 {
            size *= vocabulary.max(2) as u128;
            before += 1;
        }
        before
    }

    /// Counts the runs of up to `before` + 1 of `tokens`, each below `vocabulary`; at most those of
    /// [`longest`](Self::longest). Takes 8 bytes a token, twice, and time for sorting them.
    pub fn of(tokens: &[u32], vocabulary: usize, before: usize) -> Self {
        let base = vocabulary.max(2) as u64;
        let count = |length: usize| {
            let mut all: Vec<u64> = tokens.windows(length).map(|run| number(run, base)).collect();
            all.sort_unstable();
            let (mut runs, mut earlier) = (Vec::new(), Vec::new());
            for (place, run) in all.iter().enumerate() {
                if runs.last() != Some(run) {
                    runs.push(*run);
                    earlier.push(place as u64);
                }
            }
            earlier.push(all.len() as u64);
            (runs, earlier)
        };
        let longest = before.min(Self::longest(vocabulary)) + 1;
        Self { vocabulary: base, runs: (1..=longest).map(count).collect() }
    }

    /// The mean of −ln p over all of `tokens` but the first, each after those before it, in nats; NaN for fewer than two.
    pub fn nats(&self, tokens: &[u32]) -> f64 {
        let one = |place: usize| {
            let first = place.saturating_sub(self.runs.len() - 1);
            let mut probability = 1.0 / self.vocabulary as f64;
            for ((runs, earlier), length) in self.runs.iter().zip(0..) {
                let Some(begin) = place.checked_sub(length).filter(|begin| *begin >= first) else { break };
                let run = number(&tokens[begin..=place], self.vocabulary);
                // Those with the same tokens before lie beside each other.
                let same = run - run % self.vocabulary;
                let [low, high] = [same, same + self.vocabulary].map(|end| runs.partition_point(|run| *run < end));
                let (all, kinds) = ((earlier[high] - earlier[low]) as f64, (high - low) as f64);
                if kinds == 0.0 {
                    break; // a longer one occurs no more often
                }
                let own = runs[low..high].binary_search(&run).map(|at| earlier[low + at + 1] - earlier[low + at]);
                probability = (own.unwrap_or(0) as f64 + kinds * probability) / (all + kinds);
            }
            -probability.ln()
        };
        let count = tokens.len().saturating_sub(1);
        if count == 0 { f64::NAN } else { (1..tokens.len()).map(one).sum::<f64>() / count as f64 }
    }
}

/// A run as a number in this base.
fn number(run: &[u32], base: u64) -> u64 {
    run.iter().fold(0_u64, |number, &token| number.wrapping_mul(base).wrapping_add(u64::from(token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: after `0 1 0 1 0 2`, V = 3. p(0) = (3 + 3/3) / (6 + 3) = 4/9, p(1) = (2 + 1) / 9, p(2) = (1 + 1) / 9.
    #[test]
    fn probabilities_are_those_of_the_definition() {
        let train = [0, 1, 0, 1, 0, 2];
        let none = NGrams::of(&train, 3, 0);
        let due = |p: f64, found: f64| assert!((found + p.ln()).abs() < 1e-12, "{found}, {}", -p.ln());
        due(4.0 / 9.0, none.nats(&[1, 0]));
        due(3.0 / 9.0, none.nats(&[0, 1]));
        due(2.0 / 9.0, none.nats(&[0, 2]));
        // After 0, which is followed by 1, 1 and 2: (2 + 2 · 3/9) / (3 + 2); by 0 never: (0 + 2 · 4/9) / 5.
        let pairs = NGrams::of(&train, 3, 1);
        due((2.0 + 2.0 * 3.0 / 9.0) / 5.0, pairs.nats(&[0, 1]));
        due((2.0 * 4.0 / 9.0) / 5.0, pairs.nats(&[0, 0]));
        // After 2 nothing is known.
        due(4.0 / 9.0, pairs.nats(&[2, 0]));
        // After 1 0, which 1 and 2 follow once each; the mean of two.
        let p0: f64 = 4.0 / 9.0;
        let p1: f64 = (2.0 + 2.0 * 3.0 / 9.0) / 5.0;
        let after: f64 = (1.0 + 2.0 * p1) / 4.0;
        let found = NGrams::of(&train, 3, 2).nats(&[1, 0, 1]);
        let first: f64 = (2.0 + p0) / 3.0; // 0 after 1, always
        assert!((found + (first.ln() + after.ln()) / 2.0).abs() < 1e-12, "{found}");
    }

    #[test]
    fn probabilities_of_all_tokens_add_up_to_one() {
        let train: Vec<u32> = (0..400_u32).map(|i| i * i / 7 % 5).collect();
        let found = NGrams::of(&train, 5, 3);
        for h in [[0, 0, 0], [1, 4, 2], [3, 3, 1]] {
            // The last term alone: all three after h, less the two before it.
            let begun = 2.0 * found.nats(&h);
            let one = |c: u32| (-(3.0 * found.nats(&[h[0], h[1], h[2], c]) - begun)).exp();
            let sum: f64 = (0..5).map(one).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{h:?}: {sum}");
        }
    }

    #[test]
    fn large_vocabularies_have_shorter_runs() {
        assert_eq!((NGrams::longest(80), NGrams::longest(50_257), NGrams::longest(1)), (8, 3, 61));
        let tokens = [0, 4_000_000_000, 7];
        let found = NGrams::of(&tokens, 4_000_000_001, 9);
        assert!(found.nats(&tokens).is_finite() && found.nats(&[3]).is_nan() && found.nats(&[]).is_nan());
    }
}
