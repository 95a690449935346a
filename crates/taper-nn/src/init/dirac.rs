//! Convolution weights initialised to the identity (Zagoruyko and Komodakis, "DiracNets", 2017, equation 3).

use taper_tensor::{Error, Result, Shape};

/// Values for `shape: [C_out, C_in / groups, K…]`.
pub(super) fn values(shape: &Shape, groups: usize) -> Result<Vec<f64>> {
    let [out, input, kernel @ ..] = shape.dims() else {
        return Err(refused(shape));
    };
    if kernel.is_empty() {
        return Err(refused(shape));
    }
    if groups == 0 || !out.is_multiple_of(groups) {
        let detail = format!("Dirac: groups {groups} must divide {out} output channels (dim 0 of {shape})");
        return Err(Error::argument("init", detail));
    }
    let mut values = vec![0.0; shape.count()];
    if values.is_empty() {
        return Ok(values);
    }
    let size = kernel.iter().product::<usize>();
    let middle = kernel.iter().fold(0, |at, &size| at * size + size / 2);
    let each = out / groups;
    for row in 0..*out {
        let channel = row % each;
        if channel < *input {
            values[(row * input + channel) * size + middle] = 1.0;
        }
    }
    Ok(values)
}

fn refused(shape: &Shape) -> Error {
    let detail = format!("Dirac needs a convolution's weight, of at least three dimensions; the shape is {shape}");
    Error::shape("init", detail)
}
