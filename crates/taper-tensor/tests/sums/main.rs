//! The error of every sum is within what the way of summing allows, whatever the instruction set.

mod ops;

use ops::{OPS, Terms};
use taper_cpu::{CpuBackend, Isa};
use taper_tensor::{Device, Result};

/// Says which are not.
fn check(isa: Isa) -> Result<()> {
    let device = Device::new(CpuBackend::with_isa(0, isa)?);
    let mut wrong = Vec::new();
    for op in OPS {
        for terms in Terms::ALL {
            let error = (op.error)(terms, &device)?;
            if error.is_nan() || error > op.bound {
                wrong.push(format!("{} of {} {terms:?}: {error:.1} u over {}", op.name, op.terms, op.bound));
            }
        }
    }
    assert!(wrong.is_empty(), "{isa}:\n{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn long_sums_are_exact_with_the_best_instructions() -> Result<()> {
    check(Isa::detect())
}
