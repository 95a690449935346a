//! Histograms of a model's weights and of their gradients, for TensorBoard.

use crate::Result;
use taper_nn::{Gradients, HostData, Param, Tensor};
use taper_report::tensorboard::{EventWriter, Histogram};

/// Writes the histogram of each parameter's value under `weights/NAME`. Reads the parameters from the device.
pub(crate) fn weight_histograms(events: &mut EventWriter, step: u64, params: &[Param]) -> Result<()> {
    params.iter().try_for_each(|param| tensor(events, &format!("weights/{}", param.name()), step, &param.tensor()))
}

/// Writes the histogram of each parameter's gradient, if it has one, under `gradients/NAME`. Reads the gradients from
/// the device.
pub(crate) fn gradient_histograms(
    events: &mut EventWriter,
    step: u64,
    params: &[Param],
    gradients: &Gradients,
) -> Result<()> {
    let found = params.iter().filter_map(|param| Some((param.name(), gradients.of_param(param)?)));
    found.into_iter().try_for_each(|(name, gradient)| tensor(events, &format!("gradients/{name}"), step, gradient))
}

fn tensor(events: &mut EventWriter, tag: &str, step: u64, tensor: &Tensor) -> Result<()> {
    let histogram = match tensor.to_host()? {
        HostData::F32(values) => Histogram::new(&values),
        other => Histogram::new(&other.to_f64()),
    };
    // Without a finite value there is no histogram; the training loop reports NaN itself.
    histogram.map_or(Ok(()), |histogram| Ok(events.histogram(tag, step, &histogram)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use taper_nn::Device;

    /// What has no finite value, or no gradient, has no histogram.
    #[test]
    fn histograms_are_those_of_the_values() {
        let folder = tempfile::tempdir().unwrap();
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let values: Vec<f32> = (0..6).map(|at| at as f32 / 4.0 - 0.5).collect();
        let tensor = |values: &[f32]| Tensor::from_vec(values.to_vec(), [values.len()], &device).unwrap();
        let params = [Param::new("fc.weight", &tensor(&values)), Param::new("fc.bias", &tensor(&[f32::NAN; 3]))];
        let slope: Vec<f32> = values.iter().map(|value| 3.0 * value + 1.0).collect();
        let gradients = params[0].tensor().mul(&tensor(&slope)).unwrap().sum_all().unwrap().backward().unwrap();

        let mut events = EventWriter::create(folder.path().join("found"), Box::new(|| 0.0)).unwrap();
        weight_histograms(&mut events, 7, &params).unwrap();
        gradient_histograms(&mut events, 7, &params, &gradients).unwrap();
        let mut due = EventWriter::create(folder.path().join("due"), Box::new(|| 0.0)).unwrap();
        due.histogram("weights/fc.weight", 7, &Histogram::new(&values).unwrap()).unwrap();
        due.histogram("gradients/fc.weight", 7, &Histogram::new(&slope).unwrap()).unwrap();
        assert!(fs::read(events.path()).unwrap() == fs::read(due.path()).unwrap());
    }
}
