//! The context of a forward pass: training or evaluation mode, and the random streams of the step.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use taper_tensor::RandomKey;

/// Training or evaluation mode, and the random streams of one step.
///
/// A random number depends on the seed, the epoch, the step, the layer's stream name, and how often that name was used
/// before in this step. It does not depend on what else was drawn: resuming a run from a checkpoint, or adding a layer,
/// changes no other layer's numbers. A clone belongs to the same step and shares the use counts with the original.
#[derive(Debug, Clone)]
pub struct Context {
    training: bool,
    key: RandomKey,
    /// How many streams each name was given in this step.
    uses: Arc<Mutex<HashMap<String, u64>>>,
}

impl Context {
    /// Evaluation mode: dropout does nothing, batch norm uses its running statistics.
    pub fn eval() -> Self {
        Self { training: false, key: RandomKey::new(0), uses: Arc::default() }
    }

    /// Training mode, for step `step` of epoch `epoch` of the run with seed `seed`. Make a new context for each step: a
    /// second forward pass with the same context is a second use of every layer, and draws other random numbers.
    pub fn train(seed: u64, epoch: u64, step: u64) -> Self {
        let key = RandomKey::new(seed).child("forward").index(epoch).index(step);
        Self { training: true, key, uses: Arc::default() }
    }

    /// Whether this is training mode.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// The random stream of this step for the layer whose stream name is `name`
    /// ([`Params::stream`](crate::Params::stream)). Every call with the same name returns another stream, so that a
    /// layer applied twice draws other numbers the second time. When layers of one name run in several threads at once,
    /// the order in which they get their streams is not defined.
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
        // A resumed run draws the same; a clone continues the counts.
        assert_eq!(keys, draw(&Context::train(1, 0, 0)));
        assert!(keys.iter().all(|key| *key != context.clone().key("a")));
    }
}
