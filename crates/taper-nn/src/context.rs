//! What a forward pass has to know beside its input.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use taper_tensor::RandomKey;

/// Training or evaluation, and the random streams of this step.
///
/// Random numbers depend on the seed, the epoch, the step, the layer's name and how often it was used in this step
/// before: not on what else was drawn, so that a run that is cut and continued, or a layer that is added, changes nothing
/// else. A clone is of the same step, and counts uses together with what it was cloned from.
#[derive(Debug, Clone)]
pub struct Context {
    training: bool,
    key: RandomKey,
    /// How often each layer drew in this step.
    uses: Arc<Mutex<HashMap<String, u64>>>,
}

impl Context {
    /// Evaluation: dropout does nothing, batch norm uses its running statistics.
    pub fn eval() -> Self {
        Self { training: false, key: RandomKey::new(0), uses: Arc::default() }
    }

    /// Training, in step `step` of epoch `epoch` of the run with `seed`. Each step has a context of its own: a second
    /// forward pass with the same one is a second use of every layer.
    pub fn train(seed: u64, epoch: u64, step: u64) -> Self {
        let key = RandomKey::new(seed).child("forward").index(epoch).index(step);
        Self { training: true, key, uses: Arc::default() }
    }

    /// Whether this is training.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// A random stream of this step for the layer called `name` ([`Params::stream`](crate::Params::stream)): another one
    /// each time, so that a layer applied twice draws twice. Layers of one name that run in several threads at once would
    /// draw in any order.
    pub fn key(&self, name: &str) -> RandomKey {
        let mut uses = self.uses.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let first = self.key.child(name);
        match uses.get_mut(name) {
            None => {
                uses.insert(name.to_owned(), 1);
                first
            }
            Some(used) => {
                *used += 1;
                first.child("use").index(*used - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_and_layer_has_its_own_stream() {
        let keys = [
            Context::train(1, 0, 0).key("a"),
            Context::train(1, 0, 0).key("b"),
            Context::train(1, 0, 1).key("a"),
            Context::train(1, 1, 0).key("a"),
            Context::train(2, 0, 0).key("a"),
        ];
        for (i, key) in keys.iter().enumerate() {
            assert!(keys[..i].iter().all(|other| other.block(0) != key.block(0)), "{i}");
        }
        assert_eq!(keys[0], Context::train(1, 0, 0).key("a"));
    }

    #[test]
    fn every_use_in_a_step_has_its_own_stream() {
        let draw = |context: &Context| ["a", "b", "a", "a"].map(|name| context.key(name));
        let context = Context::train(1, 0, 0);
        let keys = draw(&context);
        for (i, key) in keys.iter().enumerate() {
            assert!(keys[..i].iter().all(|other| other.block(0) != key.block(0)), "{i}");
        }
        // The same in a run that is resumed; a clone goes on counting.
        assert_eq!(keys, draw(&Context::train(1, 0, 0)));
        assert!(keys.iter().all(|key| *key != context.clone().key("a")));
    }
}
