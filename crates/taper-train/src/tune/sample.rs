//! Drawing the values of a trial.
//!
//! A value depends only on the search's seed, the trial's number and the key's name (counter-based random numbers). So
//! trial 7 is the same whatever ran before it, and a key added to the space changes no other key's values.

use super::space::{Range, Space};
use crate::Override;
use taper_nn::RandomKey;
use toml::Value;

impl Space {
    /// The values of trial `trial` of the search with seed `seed`, by key.
    pub fn draw(&self, seed: u64, trial: u64) -> Vec<(&str, Value)> {
        let random = RandomKey::new(seed).child("tune").index(trial);
        self.keys().map(|(key, range)| (key, range.draw(random.child(key).uniform(0)))).collect()
    }

    /// The same values as overrides of the configuration.
    pub fn overrides(&self, seed: u64, trial: u64) -> Vec<Override> {
        self.draw(seed, trial).into_iter().map(|(key, value)| Override::new(key, value)).collect()
    }
}

impl Range {
    /// The value at which the distribution function is `u`, in [0, 1).
    fn draw(&self, u: f64) -> Value {
        match self {
            Self::Uniform([low, high]) => between(*low, *high, u).clamp(*low, *high).into(),
            Self::Log([low, high]) => between(low.ln(), high.ln(), u).exp().clamp(*low, *high).into(),
            Self::Integer([low, high]) => floor(between(*low as f64, (high + 1) as f64, u), *low, *high).into(),
            Self::LogInteger([low, high]) => {
                let x = between((*low as f64).ln(), ((high + 1) as f64).ln(), u).exp();
                floor(x, *low, *high).into()
            }
            Self::Choice(choices) => choices[((u * choices.len() as f64) as usize).min(choices.len() - 1)].clone(),
        }
    }
}

/// Interpolates from `low` at `u` = 0 to `high` at 1, without a difference of the two, which could overflow.
fn between(low: f64, high: f64, u: f64) -> f64 {
    low * (1.0 - u) + high * u
}

fn floor(x: f64, low: i64, high: i64) -> i64 {
    // The rounding of a logarithm may lead beyond an end.
    (x.floor() as i64).clamp(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::space::space;

    /// The fraction of 20 000 draws for which `holds`.
    fn share(range: &Range, holds: impl Fn(&Value) -> bool) -> f64 {
        let key = RandomKey::new(1);
        (0..20_000).filter(|&i| holds(&range.draw(key.uniform(i)))).count() as f64 / 20_000.0
    }

    #[test]
    fn draws_follow_their_distribution() {
        // The fraction p of n draws has the standard deviation √(p(1−p)/n), here at most 0.0036; the tolerance is five
        // of them.
        let close = |found: f64, due: f64| assert!((found - due).abs() < 0.018, "{found} is not {due}");
        let below = |x: f64| move |value: &Value| value.as_float().unwrap() < x;
        let is = |n: i64| move |value: &Value| value.as_integer().unwrap() == n;
        close(share(&Range::Uniform([-1.0, 3.0]), below(0.0)), 0.25);
        close(share(&Range::Log([1e-4, 1.0]), below(1e-3)), 0.25);
        for n in 3..=6 {
            close(share(&Range::Integer([3, 6]), is(n)), 0.25);
        }
        // P(n) = ln((n+1)/n) / ln 8
        for n in 1..=7_i64 {
            close(share(&Range::LogInteger([1, 7]), is(n)), (1.0 + 1.0 / n as f64).ln() / 8_f64.ln());
        }
        let choice = Range::Choice(vec!["a".into(), "b".into()]);
        close(share(&choice, |value| value.as_str() == Some("b")), 0.5);
    }

    #[test]
    fn no_draw_leaves_its_range() {
        let almost_one = 1.0 - f64::EPSILON / 2.0;
        for u in [0.0, 0.5, almost_one] {
            let float = |range: Range| range.draw(u).as_float().unwrap();
            assert!((1e-4..=0.1).contains(&float(Range::Log([1e-4, 0.1]))));
            assert!(float(Range::Uniform([-f64::MAX, f64::MAX])).is_finite());
            let whole = |range: Range| range.draw(u).as_integer().unwrap();
            assert!((1..=8).contains(&whole(Range::Integer([1, 8]))));
            assert!((3..=(1 << 53)).contains(&whole(Range::LogInteger([3, 1 << 53]))));
        }
        assert_eq!(Range::Integer([1, 8]).draw(almost_one), Value::from(8));
        assert_eq!(Range::Integer([1, 8]).draw(0.0), Value::from(1));
    }

    #[test]
    fn a_value_depends_on_seed_trial_and_key_alone() {
        let one = space("optimizer.lr = { log = [1e-4, 1] }").unwrap();
        let two = space("optimizer.lr = { log = [1e-4, 1] }\noptimizer.eps = { log = [1e-4, 1] }").unwrap();
        let value = |space: &Space, seed, trial| space.draw(seed, trial).last().unwrap().1.clone();
        assert_eq!(value(&one, 0, 7), value(&two, 0, 7));
        assert_ne!(value(&one, 0, 7), value(&one, 1, 7));
        assert_ne!(value(&one, 0, 7), value(&one, 0, 8));
        let both = two.draw(0, 7);
        assert_ne!(both[0].1, both[1].1);
    }
}
