//! The deep belief network: G. E. Hinton, S. Osindero and Y. W. Teh, "A fast learning algorithm for deep belief nets",
//! Neural Computation 18, 2006. Restricted Boltzmann machines are stacked, and learn one after the other, each from the
//! hidden units of the one below; the top one sees the label too (section 6, figure 1).

use crate::{Rbm, bernoulli};
use taper_nn::taper_tensor::Distribution;
use taper_nn::{Error, Params, RandomKey, Result, Tensor};

/// A stack of [`Rbm`]s, of which the last has labels. Their parameters are `fc1.weight`, `fc1.bias`, `fc1.visible_bias`,
/// `fc2.weight`, …: the first two of each are those of an [`Mlp`](crate::Mlp)'s hidden layers with a sigmoid, which
/// may so begin from them and be fine-tuned.
#[derive(Debug, Clone)]
pub struct Dbn {
    layers: Vec<Rbm>,
}

impl Dbn {
    /// Machines with `hidden` units, at least one, above `visible` units; the top one has labels of `classes` classes.
    pub fn new(visible: usize, hidden: &[usize], classes: usize, params: &Params) -> Result<Self> {
        let Some(top) = hidden.len().checked_sub(1) else {
            return Err(Error::argument("dbn", "expected a layer of hidden units at least, found none"));
        };
        let sizes = [visible].into_iter().chain(hidden.iter().copied()).zip(hidden);
        let layer = |(i, (visible, &hidden)): (usize, (usize, &usize))| {
            let params = params.sub(format!("fc{}", i + 1));
            if i < top {
                Rbm::new(visible, hidden, &params)
            } else {
                Rbm::with_labels(visible, classes, hidden, &params)
            }
        };
        Ok(Self { layers: sizes.enumerate().map(layer).collect::<Result<_>>()? })
    }

    /// The machines, from the bottom.
    pub fn layers(&self) -> &[Rbm] {
        &self.layers
    }

    /// What machine number `layer` (from 0) sees of inputs `[N, visible]`, without the label: probabilities of the hidden
    /// units of the one below.
    pub fn up(&self, x: &Tensor, layer: usize) -> Result<Tensor> {
        self.layers.iter().take(layer).try_fold(x.clone(), |x, rbm| rbm.hidden(&x))
    }

    /// The inputs `[N, visible]`, as probabilities, that units `[N, …]` seen by machine number `layer` stand for.
    pub fn down(&self, units: &Tensor, layer: usize) -> Result<Tensor> {
        self.layers.iter().take(layer).rev().try_fold(units.clone(), |h, rbm| rbm.visible(&h))
    }

    /// Logits of the classes, `[N, classes]`, of inputs `[N, visible]`: the label's free energies in the top machine with
    /// their sign turned.
    pub fn classify(&self, x: &Tensor) -> Result<Tensor> {
        self.top().1.label_scores(&self.up(x, self.top().0)?)
    }

    /// Inputs `[N, visible]` that the network makes up for the labels `one_hot` `[N, classes]`: `steps` steps of Gibbs
    /// sampling in the top machine with the label held, from random units, then down with probabilities (section 7).
    pub fn sample(&self, one_hot: &Tensor, steps: u64, key: RandomKey) -> Result<Tensor> {
        let (layer, top) = self.top();
        let half = Distribution::Uniform { low: 0.0, high: 1.0 };
        let shape = [one_hot.shape()[0], top.units()];
        let mut units = Tensor::random(half, key.child("start"), shape, one_hot.dtype(), one_hot.device())?;
        for step in 0..steps {
            let key = key.index(step);
            let seen = Tensor::concat(&[&bernoulli(&units, key.child("visible"))?, one_hot], 1)?;
            let h = bernoulli(&top.hidden(&seen)?, key.child("hidden"))?;
            units = top.visible(&h)?.narrow(1, 0, top.units())?;
        }
        self.down(&units, layer)
    }

    /// The receptive fields of machine number `layer`'s hidden units, `[hidden, visible]`: the weights to the inputs, through
    /// the layers between as if these were linear (D. Erhan, Y. Bengio, A. Courville and P. Vincent, "Visualizing
    /// higher-layer features of a deep network", 2009, section 3).
    pub fn fields(&self, layer: usize) -> Result<Tensor> {
        let mut weights = self.layers.iter().take(layer + 1).rev().map(|rbm| rbm.weight().tensor());
        let first = weights.next().ok_or_else(|| Error::argument("dbn", "there is no layer"))?;
        weights.try_fold(first, |product, weight| product.matmul(&weight))
    }

    /// The number of the top machine, and that machine. There is always one.
    fn top(&self) -> (usize, &Rbm) {
        let last = self.layers.len() - 1;
        (last, &self.layers[last])
    }
}
