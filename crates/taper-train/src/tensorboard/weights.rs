//! Histograms of a model's weights and of their gradients.

use super::{EventWriter, Histogram};
use crate::Result;
use taper_nn::{Gradients, HostData, Param, Tensor};

/// Writes the histogram of each parameter's value under `weights/NAME`. Reads the parameters from the device.
pub fn weight_histograms(events: &mut EventWriter, step: u64, params: &[Param]) -> Result<()> {
    params.iter().try_for_each(|param| tensor(events, &format!("weights/{}", param.name()), step, &param.tensor()))
}

/// Writes the histogram of each parameter's gradient, if it has one, under `gradients/NAME`. Reads the gradients from
/// the device.
pub fn gradient_histograms(events: &mut EventWriter, step: u64, params: &[Param], gradients: &Gradients) -> Result<()> {
    let found = params.iter().filter_map(|param| Some((param.name(), gradients.of_param(param)?)));
    found.into_iter().try_for_each(|(name, gradient)| tensor(events, &format!("gradients/{name}"), step, gradient))
}

fn tensor(events: &mut EventWriter, tag: &str, step: u64, tensor: &Tensor) -> Result<()> {
    let histogram = match tensor.to_host()? {
        HostData::F32(values) => Histogram::new(&values),
        other => Histogram::new(&other.to_f64()),
    };
    // Without a finite value there is no histogram; the training loop reports NaN itself.
    histogram.map_or(Ok(()), |histogram| events.histogram(tag, step, &histogram))
}
