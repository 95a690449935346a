//! The device of shapes alone beside the CPU: for every case of every operation, layer and loss, the same shapes and dtypes
//! of the output and of all gradients.

use taper::gradcheck::subjects;
use taper_backend::meta::Meta;
use taper_nn::taper_tensor::gradcheck::Case;
use taper_nn::{DType, Device, RandomKey, Result, Shape, Tensor};

/// The output's and the gradients' shapes and dtypes.
fn shapes(case: &Case, device: &Device) -> Result<Vec<(Shape, DType)>> {
    let inputs: Vec<Tensor> = case.draw(RandomKey::new(1), device)?.iter().map(Tensor::requires_grad).collect();
    let y = case.call(&inputs)?;
    y.buffer()?;
    let of = |tensor: &Tensor| (tensor.shape().clone(), tensor.dtype());
    let mut found = vec![of(&y)];
    if y.tracks_grad() {
        let gradients = y.sum_all()?.backward()?;
        found.extend(inputs.iter().filter_map(|x| gradients.of(x)).map(of));
    }
    Ok(found)
}

#[test]
fn shapes_are_those_of_a_device_that_computes() {
    let (cpu, meta) = (Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap()), Meta::device());
    let (mut compared, mut reading) = (0, Vec::new());
    for subject in subjects() {
        for case in subject.cases() {
            let told = format!("{subject}, {}", case.name());
            let due = shapes(case, &cpu).unwrap_or_else(|error| panic!("{told}: {error}"));
            match shapes(case, &meta) {
                Ok(found) => assert_eq!(found, due, "{told}"),
                Err(error) if error.to_string().contains("shapes and no values") => reading.push(told),
                Err(error) => panic!("{told}: {error}"),
            }
            compared += 1;
        }
    }
    assert!(compared > 300, "{compared} cases");
    // How many elements a mask selects depends on its values. Nothing else that a model is made of reads any.
    reading.retain(|told| !told.starts_with("masked, select"));
    assert!(reading.is_empty(), "these read values: {reading:?}");
}
