//! The context of a forward pass: training or evaluation mode, the random streams of the step, and the gate that every
//! layer goes through.

mod layer;
mod watch;

pub use layer::{LayerContext, LayerOutput};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use taper_tensor::{DType, Error, RandomKey, Result, Tensor};
use watch::{Seen, Watch};

/// Training or evaluation mode, the random streams of one step, and what is asked of single layers.
///
/// A random number depends on the seed, the epoch, the step, the layer's stream name, and how often that name was used
/// before in this step. It does not depend on what else was drawn: resuming a run from a checkpoint, or adding a layer,
/// changes no other layer's numbers. A clone belongs to the same step: it shares the use counts and the captured
/// outputs with the original.
///
/// Layers and blocks run inside [`Context::layer`], which knows them by their paths. So their outputs can be
/// [captured](Context::capture) by name, for example to ask for gradients with respect to them:
///
/// ```
/// use taper_nn::taper_tensor::{GradOptions, grad};
/// use taper_nn::{Context, Conv2d, Conv2dConfig, DType, Device, Linear, LinearConfig, Params, Pass, RandomKey, Tensor};
/// # fn main() -> taper_nn::Result<()> {
/// # let device = Device::new(taper_cpu::CpuBackend::new()?);
/// let params = Params::new(&device, DType::F32, RandomKey::new(0));
/// let conv = Conv2d::new(Conv2dConfig::new(3, 8, 3), &params.sub("conv"))?;
/// let fc = Linear::new(LinearConfig::new(8, 10), &params.sub("fc"))?;
///
/// let context = Context::eval().capture("conv*");
/// let pictures = Tensor::ones([2, 3, 6, 6], DType::F32, &device)?;
/// let maps = pictures.pass(&conv, &context)?.relu()?.mean(&[2, 3], false)?;
/// let score = maps.pass(&fc, &context)?.narrow(1, 7, 1)?.sum_all()?; // of class 7
///
/// let captured = context.captured()?;
/// let (name, output) = &captured[0];
/// assert_eq!((name.as_str(), output.shape().dims()), ("conv", &[2, 8, 4, 4][..]));
/// let gradient = grad(&score, &[output], None, GradOptions::default())?;
/// assert_eq!(gradient[0].as_ref().unwrap().shape(), output.shape());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Context {
    training: bool,
    key: RandomKey,
    compute_dtype: Option<DType>,
    step: Arc<Step>,
    /// What is asked of layers by name; `None` while nothing is, which is all that a layer's run then looks at.
    watch: Option<Arc<Watch>>,
}

/// What the clones of a context share.
#[derive(Debug, Default)]
struct Step {
    /// How many streams each name was given in this step.
    uses: Mutex<HashMap<String, u64>>,
    /// How often the layer of each path, of those that ask, ran in this step.
    runs: Mutex<HashMap<String, u64>>,
    seen: Mutex<Seen>,
}

impl Context {
    /// Evaluation mode: dropout does nothing, batch norm uses its running statistics.
    pub fn eval() -> Self {
        Self::new(false, RandomKey::new(0))
    }

    /// Training mode, for step `step` of epoch `epoch` of the run with seed `seed`. Make a new context for each step: a
    /// second forward pass with the same context is a second use of every layer, and draws other random numbers.
    pub fn train(seed: u64, epoch: u64, step: u64) -> Self {
        Self::new(true, RandomKey::new(seed).child("forward").index(epoch).index(step))
    }

    fn new(training: bool, key: RandomKey) -> Self {
        Self { training, key, compute_dtype: None, step: Arc::default(), watch: None }
    }

    /// Whether this is training mode.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// Captures the outputs of all layers and blocks whose path [matches](crate::matches) `pattern`: `layer[1-4]`,
    /// `*.conv1`. It may be called several times, for several patterns. [`Context::captured`] gives the outputs.
    ///
    /// Capturing computes nothing, and what is fused with a captured operation stays fused. An output in the middle of
    /// a fused chain, such as a convolution's before its ReLU, is computed when it is read. Captured outputs are held
    /// until the last clone of the context is dropped, and with them the part of the tape that leads to them. One that
    /// waits to be computed holds the weights of its pass too: an optimiser's step then writes to new memory.
    pub fn capture(mut self, pattern: &str) -> Self {
        self.watch_mut().capture.push(pattern.to_owned());
        self
    }

    /// Puts the layers whose path [matches](crate::matches) `pattern`, and the layers inside them, into evaluation
    /// mode: batch norm uses its running statistics and does not update them, dropout does nothing. Their parameters
    /// are trained as before. It may be called several times, for several patterns.
    ///
    /// This lasts for one forward pass. Statistics that are to stay as they are throughout are frozen instead, see
    /// [`BatchNorm2d`](crate::BatchNorm2d).
    pub fn eval_layers(mut self, pattern: &str) -> Self {
        self.watch_mut().eval.push(pattern.to_owned());
        self
    }

    /// Lets layers whose work is a matrix product or a convolution compute in `dtype`, whatever their parameters' dtype
    /// is: they cast their operands, and return a tensor of `dtype`. Normalisations cast their input to their
    /// parameters' dtype instead. Gradients have the parameters' dtype.
    ///
    /// # Errors
    /// When `dtype` is not a floating-point one.
    pub fn compute_in(self, dtype: DType) -> Result<Self> {
        match dtype.is_float() {
            true => Ok(Self { compute_dtype: Some(dtype), ..self }),
            false => Err(Error::dtype("compute_in", format!("expected a floating-point dtype, came {dtype}"))),
        }
    }

    /// The dtype that layers compute in ([`Context::compute_in`]); `None` for that of their operands.
    pub fn compute_dtype(&self) -> Option<DType> {
        self.compute_dtype
    }

    /// Runs a layer or a block of layers: `run` computes its output. All layers run inside this method, by which they
    /// are known by their `path`: an error of `run` names the innermost layer, the profiler counts the time for it, its
    /// output may be captured, and it may be in evaluation mode while others train.
    ///
    /// `run` is given the context to use inside the layer.
    ///
    /// ```
    /// use taper_nn::{Context, Linear, LinearConfig, Module, Params, Pass, Result, Tensor};
    ///
    /// /// y = x + fc(relu(x)).
    /// struct Block {
    ///     path: String,
    ///     fc: Linear,
    /// }
    ///
    /// impl Block {
    ///     fn new(size: usize, params: &Params) -> Result<Self> {
    ///         let fc = Linear::new(LinearConfig::new(size, size), &params.sub("fc"))?;
    ///         Ok(Self { path: params.path().to_owned(), fc })
    ///     }
    /// }
    ///
    /// impl Module for Block {
    ///     fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
    ///         context.layer(&self.path, |context| x.relu()?.pass(&self.fc, context)?.add(x))
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of `run`.
    pub fn layer<T: LayerOutput>(&self, path: &str, run: impl FnOnce(&LayerContext) -> Result<T>) -> Result<T> {
        layer::run(self, path, run)
    }

    /// The captured outputs with their layers' paths, in the order in which the layers finished: a block comes after the
    /// layers inside it. A layer that ran several times is there several times.
    ///
    /// # Errors
    /// When no layer that ran matches one of the patterns, or [`Context::capture`] was not called.
    pub fn captured(&self) -> Result<Vec<(String, Tensor)>> {
        let patterns = self.watch.as_ref().map_or(&[][..], |watch| &watch.capture);
        self.seen().captured(patterns)
    }

    /// The patterns given to [`Context::capture`] and [`Context::eval_layers`] that match no layer that ran so far. To be
    /// asked for after the forward pass: there should be none.
    pub fn unmatched(&self) -> Vec<String> {
        let Some(watch) = &self.watch else { return Vec::new() };
        let seen = self.seen();
        watch.capture.iter().chain(&watch.eval).filter(|pattern| !seen.any(pattern)).cloned().collect()
    }

    /// The random stream of this step for the layer whose stream name is `name`
    /// ([`Params::stream`](crate::Params::stream)). Every call with the same name returns another stream, so that a
    /// layer applied twice draws other numbers the second time. When layers of one name run in several threads at once,
    /// the order in which they get their streams is not defined.
    pub fn key(&self, name: &str) -> RandomKey {
        let first = self.key.child(name);
        match count(&self.step.uses, name) {
            0 => first,
            used => first.child("use").index(used),
        }
    }

    fn watch_mut(&mut self) -> &mut Watch {
        Arc::make_mut(self.watch.get_or_insert_default())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.step.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// How often `name` was counted before; counts it.
fn count(counts: &Mutex<HashMap<String, u64>>, name: &str) -> u64 {
    let mut counts = counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    match counts.get_mut(name) {
        None => {
            counts.insert(name.to_owned(), 1);
            0
        }
        Some(count) => {
            *count += 1;
            *count - 1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_tensor::Device;

    fn device() -> Device {
        Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap())
    }

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

    /// Runs that were resumed, or are repeated with a later version, draw the same numbers.
    #[test]
    fn streams_are_keyed_by_step_name_and_use() {
        let context = Context::train(5, 1, 2);
        let step = RandomKey::new(5).child("forward").index(1).index(2);
        assert_eq!(context.key("block"), step.child("block"));
        assert_eq!(context.key("block#1"), step.child("block#1"));
        let block = step.child("block");
        assert_eq!([context.key("block"), context.key("block")], [1, 2].map(|n| block.child("use").index(n)));
        // Inside a layer, and among its runs, too.
        let run = context.layer("block", |context| {
            assert_eq!((context.nth(), context.key("block")), (0, block.child("use").index(3)));
            Tensor::zeros([1], DType::F32, &device())
        });
        run.unwrap();
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
