//! What a forward pass has to know beside its input.

use taper_tensor::RandomKey;

/// Training or evaluation, and the random stream of this step.
///
/// Random numbers depend on the seed, the epoch, the step and the layer's name alone: not on what was drawn before, so
/// that a run that is cut and continued, or a layer that is added, changes nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    training: bool,
    key: RandomKey,
}

impl Context {
    /// Evaluation: dropout does nothing, batch norm uses its running statistics.
    pub fn eval() -> Self {
        Self { training: false, key: RandomKey::new(0) }
    }

    /// Training, in step `step` of epoch `epoch` of the run with `seed`.
    pub fn train(seed: u64, epoch: u64, step: u64) -> Self {
        Self { training: true, key: RandomKey::new(seed).child("forward").index(epoch).index(step) }
    }

    /// Whether this is training.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// This step's random stream of the layer called `path`. A layer applied twice in one step draws the same numbers twice.
    pub fn key(&self, path: &str) -> RandomKey {
        self.key.child(path)
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
}
