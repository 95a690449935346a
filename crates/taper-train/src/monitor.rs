//! The norms of each layer's gradients, and which of them vanish or explode.

use serde::{Deserialize, Serialize};

/// So many readings in a row make a warning: a first step may be odd.
const READINGS: usize = 5;
/// A gradient this much smaller than the largest layer's has vanished.
const VANISHED: f64 = 1e-7;
/// One this much larger than what it was before has exploded.
const EXPLODED: f64 = 1e3;

/// Watches the norm of each parameter's gradient, before any clipping.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Monitor {
    names: Vec<String>,
    layers: Vec<Layer>,
    warnings: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Layer {
    readings: usize,
    /// Readings in a row in which it was next to nothing.
    vanished: usize,
    /// The mean of the logarithms of its norms so far.
    log_mean: f64,
    warned: bool,
    /// `None` before the first reading, and where the last one found no gradient, as of a parameter that was frozen.
    last: Option<f64>,
}

impl Monitor {
    pub(crate) fn new(names: Vec<String>) -> Self {
        let layers = vec![Layer::default(); names.len()];
        Self { names, layers, warnings: Vec::new() }
    }

    /// Errs when these are no readings of a run of `steps` steps so far.
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

    /// Takes note of the norms at `step`, one a parameter, and tells what is new to worry about. NaN for a
    /// parameter that had no gradient.
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

    /// The parameters that are watched.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// What there was to worry about so far.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Each parameter that had a gradient at the last reading, with its norm.
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
        // As a checkpoint keeps it: JSON has no NaN.
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
