//! The gradient monitor: the gradient norm of each parameter, with warnings of those that vanish or explode.

use serde::{Deserialize, Serialize};

/// A warning needs so many readings: in a row for a vanished gradient, before it for an exploded one. First steps may
/// be unusual.
const READINGS: usize = 5;
/// A gradient has vanished if its norm is below this fraction of the largest norm of all parameters.
const VANISHED: f64 = 1e-7;
/// A gradient has exploded if its norm is above this multiple of its geometric mean so far.
const EXPLODED: f64 = 1e3;

/// Monitors the norm of each parameter's gradient, before clipping.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Monitor {
    names: Vec<String>,
    layers: Vec<Layer>,
    warnings: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Layer {
    readings: usize,
    /// Readings in a row in which the gradient was vanishing.
    vanished: usize,
    /// The mean of the logarithms of the norms so far.
    log_mean: f64,
    warned: bool,
    /// The last norm. `None` before the first reading, and if the parameter had no (finite) gradient, as when it is
    /// frozen.
    last: Option<f64>,
}

impl Monitor {
    pub(crate) fn new(names: Vec<String>) -> Self {
        let layers = vec![Layer::default(); names.len()];
        Self { names, layers, warnings: Vec::new() }
    }

    /// Errs when these cannot be the readings of a run that has made `steps` steps.
    pub(crate) fn check(&self, steps: u64) -> Result<(), String> {
        let most = usize::try_from(steps).unwrap_or(usize::MAX);
        let sound = |layer: &Layer| {
            layer.readings <= most
                && layer.vanished <= most
                && layer.log_mean.is_finite()
                && layer.last.is_none_or(|norm| norm >= 0.0 && norm.is_finite())
        };
        match self.layers.len() == self.names.len() && self.layers.iter().all(sound) {
            true => Ok(()),
            false => Err("what it knows of the gradients of layers is damaged".into()),
        }
    }

    /// Records the gradient norms of `step`, one per parameter (NaN for a parameter without a gradient), and returns
    /// the new warnings.
    pub(crate) fn observe(&mut self, step: u64, norms: &[f64]) -> Vec<String> {
        let largest = norms.iter().copied().filter(|norm| norm.is_finite()).fold(0.0, f64::max);
        let mut new = Vec::new();
        for ((name, layer), &norm) in self.names.iter().zip(&mut self.layers).zip(norms) {
            let usual = layer.log_mean.exp();
            let exploded = layer.readings >= READINGS && norm > EXPLODED * usual && norm.is_finite();
            layer.vanished = if norm < VANISHED * largest { layer.vanished + 1 } else { 0 };
            layer.last = norm.is_finite().then_some(norm);
            if norm > 0.0 && norm.is_finite() {
                layer.readings += 1;
                layer.log_mean += (norm.ln() - layer.log_mean) / layer.readings as f64;
            }
            if layer.warned {
                continue;
            }
            if exploded {
                new.push(format!(
                    "the gradient of {name} explodes: its norm is {norm:.1e} at step {step}, it was about {usual:.1e}; \
                     a lower learning rate, or --set regularization.clip_norm=1, may help"
                ));
            } else if layer.vanished >= READINGS {
                new.push(format!(
                    "the gradient of {name} vanishes: its norm is {norm:.1e} at step {step}, the largest layer's \
                     {largest:.1e}; another activation, initialisation or batch norm may help"
                ));
            } else {
                continue;
            }
            layer.warned = true;
        }
        self.warnings.extend(new.iter().cloned());
        new
    }

    /// The names of the monitored parameters.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// All warnings so far.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The name and norm of each parameter that had a gradient at the last reading.
    pub(crate) fn last(&self) -> impl Iterator<Item = (&str, f64)> {
        let named = self.names.iter().zip(&self.layers);
        named.filter_map(|(name, layer)| Some((name.as_str(), layer.last?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor() -> Monitor {
        Monitor::new(vec!["first".into(), "last".into()])
    }

    #[test]
    fn a_layer_that_vanishes_is_named_once() {
        let mut monitor = monitor();
        let told: Vec<_> = (0..20).map(|step| monitor.observe(step, &[1e-9, 1.0])).collect();
        assert!(told[..READINGS - 1].iter().all(Vec::is_empty));
        assert!(told[READINGS - 1][0].starts_with("the gradient of first vanishes: its norm is 1.0e-9 at step 4"));
        assert!(told[READINGS..].iter().all(Vec::is_empty));
        assert_eq!(monitor.warnings().len(), 1);
    }

    #[test]
    fn a_layer_that_explodes_is_named() {
        let mut monitor = monitor();
        assert!((0..10).all(|step| monitor.observe(step, &[1.0, 2.0]).is_empty()));
        let told = monitor.observe(10, &[1.0, 3e3]);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("the gradient of last explodes: its norm is 3.0e3 at step 10, it was about 2.0e0"));
    }

    #[test]
    fn what_has_no_gradient_has_no_norm() {
        let mut monitor = monitor();
        assert_eq!(monitor.last().count(), 0);
        monitor.observe(1, &[f64::NAN, 2.0]);
        // As a checkpoint stores it: JSON has no NaN.
        let kept: Monitor = serde_json::from_str(&serde_json::to_string(&monitor).unwrap()).unwrap();
        assert_eq!(kept.last().collect::<Vec<_>>(), [("last", 2.0)]);
    }

    #[test]
    fn ordinary_gradients_are_no_news() {
        let mut monitor = monitor();
        let norm = |step: u64| 10f64.powf((step as f64).sin());
        assert!((0..1000).all(|step| monitor.observe(step, &[norm(step), 1e-3 * norm(step + 7)]).is_empty()));
    }
}
