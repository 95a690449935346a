//! What recurrent layers are made of, and what they are given.

/// The configuration of a recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecurrentConfig {
    /// The size of the input's last dimension.
    pub input_size: usize,
    /// H, the size of the state of each layer and direction.
    pub hidden_size: usize,
    /// The number of layers, each of which reads the outputs of the one before.
    pub num_layers: usize,
    /// Whether there are biases: one for the input's and one for the state's product, as in PyTorch.
    pub bias: bool,
    /// Whether input and output are `[samples, steps, …]` instead of `[steps, samples, …]`. States are not concerned.
    pub batch_first: bool,
    /// In training, the probability with which each element between two layers is dropped.
    pub dropout: f64,
    /// Whether each layer has a second direction, from the last step to the first, whose outputs stand beside those of the
    /// first.
    pub bidirectional: bool,
}

impl RecurrentConfig {
    /// One layer of `hidden_size` units in one direction, with biases, for `[steps, samples, input_size]`.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bias: true,
            batch_first: false,
            dropout: 0.0,
            bidirectional: false,
        }
    }

    /// Sets the number of layers.
    pub fn layers(self, num_layers: usize) -> Self {
        Self { num_layers, ..self }
    }

    /// Sets whether there are biases.
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Sets whether samples come before steps.
    pub fn batch_first(self, batch_first: bool) -> Self {
        Self { batch_first, ..self }
    }

    /// Sets the dropout between layers.
    pub fn dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    /// Sets whether there are two directions.
    pub fn bidirectional(self, bidirectional: bool) -> Self {
        Self { bidirectional, ..self }
    }

    /// The number of directions, 1 or 2.
    pub fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// The size of the output's last dimension.
    pub fn output_size(&self) -> usize {
        self.directions() * self.hidden_size
    }
}

/// What a recurrent layer is given beside its input. `S` is its state: `[Tensor; 2]`, h and c, for
/// [`Lstm`](super::Lstm), a tensor for the others; each `[layers · directions, samples, hidden]`.
#[derive(Debug, Clone, Copy)]
pub struct RecurrentInput<'a, S> {
    /// The state before the first step; 0 where there is none.
    pub state: Option<&'a S>,
    /// The number of steps of each sample, in any order, each from 1 to the padded length. What stands behind it
    /// changes nothing: outputs there are 0, the last state is that at each sample's own end, and the backward direction
    /// starts there.
    pub lengths: Option<&'a [usize]>,
}

impl<S> Default for RecurrentInput<'_, S> {
    fn default() -> Self {
        Self { state: None, lengths: None }
    }
}
