//! Connectionist temporal classification (A. Graves, S. Fernández, F. Gomez and J. Schmidhuber, ICML 2006, section 4): the
//! negative logarithm of the probability of a label sequence, summed over all ways to spread it over the frames.
//!
//! The labels l are extended to l′ by a blank between them and at both ends, 2L + 1 places. The forward variable (equations 6
//! to 8), here its logarithm: α_t(s) = ln(e^α_{t−1}(s) + e^α_{t−1}(s − 1) + e^α_{t−1}(s − 2)) + ln p_t(l′_s), without the last term where
//! l′_s is the blank or equals l′_{s−2}; the loss is −ln(e^α_T(2L) + e^α_T(2L − 1)). It is computed in f64 whatever the
//! dtype of its input is, in operations that can be differentiated again.

use taper_tensor::gradcheck::Case;
use taper_tensor::{DType, Error, PadAmount, Reduction, Result, Tensor};

const OP: &str = "ctc";

/// The logarithm of what cannot be. It is finite, so that differences of two of them are, and so low that its exponential
/// beside that of any other is 0, over any number of frames.
const NEVER: f64 = -1e100;

/// The loss of label sequences, as PyTorch's `CTCLoss`. The gradient of its input is that of logarithms of probabilities, which
/// are not checked to be such: it is −1 in sum over the classes of each frame, and 0 in sum once it has passed
/// `log_softmax` to the logits. (PyTorch's own is the latter already at the loss; behind `log_softmax` they are the same.)
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ctc {
    /// The class that stands for no label; 0 by default.
    pub blank: usize,
    /// Whether a sample that cannot be, as one whose frames are fewer than its labels, counts as 0 instead of ∞. Its
    /// gradient is 0 in both cases.
    pub zero_infinity: bool,
    /// How the losses are reduced. The mean is over the samples, each divided by the number of its labels (by 1 if it has
    /// none), as in PyTorch.
    pub reduction: Reduction,
}

impl Default for Ctc {
    fn default() -> Self {
        Self { blank: 0, zero_infinity: false, reduction: Reduction::Mean }
    }
}

impl Ctc {
    /// The loss of `log_probs: [T, N, C]`, the logarithms of each frame's probabilities, with the labels of each sample
    /// (each in 0..C, none of them the blank; there may be none). `lengths` is the number of frames of each sample; T for all
    /// where it is `None`.
    ///
    /// # Errors
    /// Shapes, lengths or labels that do not fit.
    pub fn forward(&self, log_probs: &Tensor, labels: &[&[i64]], lengths: Option<&[usize]>) -> Result<Tensor> {
        let [frames, samples, _] = self.checked(log_probs, labels, lengths)?;
        let device = log_probs.device();
        let places = 2 * labels.iter().map(|labels| labels.len()).max().unwrap_or(0) + 1;

        // The extended labels, and the places that may be reached from two places before.
        let (mut index, mut skips) = (vec![self.blank as i64; samples * places], vec![NEVER; samples * places]);
        for (i, labels) in labels.iter().enumerate() {
            for (j, &label) in labels.iter().enumerate() {
                index[i * places + 2 * j + 1] = label;
                if j > 0 && label != labels[j - 1] {
                    skips[i * places + 2 * j + 1] = 0.0;
                }
            }
        }
        let index = Tensor::from_vec(index, [1, samples, places], device)?.broadcast_to([frames, samples, places])?;
        let skips = Tensor::from_vec(skips, [samples, places], device)?;
        // A probability of 0 is as good as never: −∞ − (−∞) is nothing.
        let wide = log_probs.cast(DType::F64)?.maximum_scalar(NEVER)?;
        let at_places = wide.gather(2, &index)?.unbind(0)?; // T of [N, S]

        let lengths = lengths.map_or_else(|| vec![frames; samples], <[usize]>::to_vec);
        let least = lengths.iter().copied().min().unwrap_or(frames);
        let begins: Vec<f64> = (0..samples * places).map(|i| if i % places < 2 { 0.0 } else { NEVER }).collect();
        let mut alpha = at_places[0].add(&Tensor::from_vec(begins, [samples, places], device)?)?;
        for (t, here) in at_places.iter().enumerate().skip(1) {
            let before = [&alpha, &shifted(&alpha, 1)?, &shifted(&alpha, 2)?.add(&skips)?];
            let next = Tensor::stack(&before, 0)?.logsumexp(&[0], false)?.add(here)?;
            alpha = match t < least {
                true => next,
                false => {
                    // The samples that are over keep what they have.
                    let goes_on: Vec<u8> = lengths.iter().map(|&length| u8::from(t < length)).collect();
                    Tensor::from_vec(goes_on, [samples, 1], device)?.select(&next, &alpha)?
                }
            };
        }

        // The last label or the blank behind it; a sample without labels has one place.
        let ends: Vec<i64> =
            labels.iter().flat_map(|labels| [2 * labels.len() as i64, (2 * labels.len() as i64 - 1).max(0)]).collect();
        let once: Vec<f64> =
            labels.iter().flat_map(|labels| [0.0, if labels.is_empty() { NEVER } else { 0.0 }]).collect();
        let ends = alpha.gather(1, &Tensor::from_vec(ends, [samples, 2], device)?)?;
        let losses = ends.add(&Tensor::from_vec(once, [samples, 2], device)?)?.logsumexp(&[1], false)?.neg()?;
        let never = losses.detach().gt_scalar(-0.5 * NEVER)?;
        let instead = if self.zero_infinity { 0.0 } else { f64::INFINITY };
        let losses = never.select(&Tensor::full(instead, [], DType::F64, device)?, &losses)?; // [N]
        self.reduced(&losses, labels)?.cast(log_probs.dtype())
    }

    fn reduced(&self, losses: &Tensor, labels: &[&[i64]]) -> Result<Tensor> {
        match self.reduction {
            Reduction::None => Ok(losses.clone()),
            Reduction::Sum => losses.sum_all(),
            Reduction::Mean => {
                let counts: Vec<f64> = labels.iter().map(|labels| labels.len().max(1) as f64).collect();
                losses.div(&Tensor::from_vec(counts, [labels.len()], losses.device())?)?.mean_all()
            }
        }
    }

    /// `[T, N, C]`.
    fn checked(&self, log_probs: &Tensor, labels: &[&[i64]], lengths: Option<&[usize]>) -> Result<[usize; 3]> {
        let [frames, samples, classes] = match log_probs.shape()[..] {
            [frames, samples, classes] if frames > 0 && log_probs.dtype().is_float() => [frames, samples, classes],
            _ => {
                let detail = format!(
                    "the input must be floats [frames, samples, classes] with at least one frame, came as {} {}",
                    log_probs.dtype(),
                    log_probs.shape()
                );
                return Err(Error::shape(OP, detail));
            }
        };
        if self.blank >= classes {
            return Err(Error::argument(OP, format!("the blank is {}, expected 0 to {}", self.blank, classes - 1)));
        }
        if labels.len() != samples || lengths.is_some_and(|lengths| lengths.len() != samples) {
            let told = lengths.map_or(String::new(), |lengths| format!(" and {} lengths", lengths.len()));
            let detail = format!("{} label sequences{told} came for {samples} samples", labels.len());
            return Err(Error::argument(OP, detail));
        }
        for (i, labels) in labels.iter().enumerate() {
            if let Some(wrong) = labels.iter().find(|&&label| label < 0 || label as u64 >= classes as u64) {
                let detail = format!("label {wrong} of sample {i}, expected 0 to {}", classes - 1);
                return Err(Error::argument(OP, detail));
            }
            if labels.contains(&(self.blank as i64)) {
                let detail =
                    format!("the labels of sample {i} hold the blank, {}, which stands for no label", self.blank);
                return Err(Error::argument(OP, detail));
            }
        }
        let lengths = lengths.unwrap_or_default();
        if let Some(i) = lengths.iter().position(|length| !(1..=frames).contains(length)) {
            let detail = format!("sample {i} has {} frames, expected 1 to {frames}, the padded length", lengths[i]);
            return Err(Error::argument(OP, detail));
        }
        Ok([frames, samples, classes])
    }
}

/// `x: [N, S]`, each element `by` places later, behind what cannot be.
fn shifted(x: &Tensor, by: usize) -> Result<Tensor> {
    let [_, places] = x.dims()?;
    let kept = x.narrow(1, 0, places - by.min(places))?;
    let amount = |low| PadAmount { low, high: 0, interior: 0 };
    kept.pad(&[amount(0), amount(by.min(places))], NEVER)
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |ctc: Ctc, labels: &'static [&'static [i64]], lengths: Option<&'static [usize]>| {
        move |x: &[Tensor]| ctc.forward(&x[0], labels, lengths)
    };
    let none = Ctc { reduction: Reduction::None, ..Ctc::default() };
    vec![
        Case::new("labels, one twice, none", loss(none, &[&[1, 2], &[2, 2], &[]], None)).input_in([4, 3, 3], -3.0, 0.0),
        Case::new(
            "mean, lengths, the last class is blank",
            loss(Ctc { blank: 2, ..Ctc::default() }, &[&[1, 0], &[0]], Some(&[4, 2])),
        )
        .input_in([4, 2, 3], -3.0, 0.0),
        Case::new("one that cannot be", loss(Ctc { zero_infinity: true, ..none }, &[&[1, 1], &[1]], None)).input_in(
            [2, 2, 2],
            -3.0,
            0.0,
        ),
    ]
}
