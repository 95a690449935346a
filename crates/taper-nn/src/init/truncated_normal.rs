//! Truncated normal numbers, by rejection sampling (Robert, "Simulation of truncated normal variables", 1995):
//! proposals that lie between the bounds often enough, accepted with the ratio of the densities.

use taper_tensor::{Error, RandomKey, Result};

/// `count` numbers of mean `mean` and standard deviation `std` (both before the truncation) in `bounds`.
pub(super) fn values(count: usize, mean: f64, std: f64, bounds: [f64; 2], key: RandomKey) -> Result<Vec<f64>> {
    let [low, high] = bounds;
    // Written so that NaN is refused.
    if !(std > 0.0 && std.is_finite() && mean.is_finite()) {
        let detail = format!("a truncated normal needs a finite mean and std over 0, they came as {mean} and {std}");
        return Err(Error::argument("init", detail));
    }
    if low >= high || low.is_nan() || high.is_nan() {
        let detail = format!("a truncated normal needs low < high, they came as {low} and {high}");
        return Err(Error::argument("init", detail));
    }
    let normal = TruncatedNormal::new((low - mean) / std, (high - mean) / std);
    Ok((0..count as u64).map(|i| (mean + std * normal.draw(key.index(i))).clamp(low, high)).collect())
}

/// Draws standard normal numbers truncated to `low..=high`.
struct TruncatedNormal {
    low: f64,
    high: f64,
    proposal: Proposal,
}

/// The distribution of the proposals. The chosen one accepts more than about one in ten of them.
enum Proposal {
    /// The whole normal distribution: much of it lies between the bounds.
    Normal,
    /// Uniform over the interval, which is so narrow that the density hardly changes; holds the point nearest to 0.
    Uniform(f64),
    /// An exponential distribution beyond a bound far from 0; holds the bound's distance from 0 and its sign.
    Tail(f64, f64),
}

impl TruncatedNormal {
    fn new(low: f64, high: f64) -> Self {
        let nearest = 0f64.clamp(low, high);
        let proposal = if (high - low) * nearest.abs().max(1.0) <= 2.5 {
            Proposal::Uniform(nearest)
        } else if nearest.abs() < 0.6 {
            Proposal::Normal
        } else {
            Proposal::Tail(nearest.abs(), nearest.signum())
        };
        Self { low, high, proposal }
    }

    /// The number drawn from the stream `key`.
    fn draw(&self, key: RandomKey) -> f64 {
        let mut attempt = 0;
        loop {
            let (u, v) = (key.uniform(2 * attempt), key.uniform(2 * attempt + 1));
            let (z, accepted) = match self.proposal {
                Proposal::Normal => (key.normal(2 * attempt), true),
                Proposal::Uniform(nearest) => {
                    let z = self.low + (self.high - self.low) * u;
                    (z, v <= ((nearest * nearest - z * z) / 2.0).exp())
                }
                Proposal::Tail(from, side) => {
                    let beyond = -(1.0 - u).ln() / from;
                    (side * (from + beyond), v <= (-beyond * beyond / 2.0).exp())
                }
            };
            if accepted && z >= self.low && z <= self.high {
                return z;
            }
            attempt += 1;
        }
    }
}
