//! Random numbers as elements of each dtype.

use taper_backend::{Backend, DType, Distribution, RandomKey, Result};
use taper_cpu::CpuBackend;

const FLOATS: [DType; 4] = [DType::F32, DType::F64, DType::F16, DType::BF16];

fn uniform(low: f64, high: f64, key: u64, count: usize, dtype: DType) -> Result<Vec<f64>> {
    let cpu = CpuBackend::with_threads(2)?;
    let x = cpu.random(&[count].into(), dtype, Distribution::Uniform { low, high }, RandomKey::new(key))?;
    Ok(cpu.download(&x)?.to_f64())
}

#[test]
fn uniform_numbers_stay_below_their_end() -> Result<()> {
    for dtype in FLOATS {
        for (low, high) in [(0.0, 1.0), (-0.1, 0.3), (-3.0, 0.0)] {
            let x = uniform(low, high, 0, 100_000, dtype)?;
            assert!(x.iter().all(|x| (low..high).contains(x)), "{dtype} in {low}..{high}");
        }
    }
    Ok(())
}

#[test]
fn a_number_that_rounds_to_one_becomes_the_one_before() -> Result<()> {
    // Found by search: the third number of this stream is 0.99999998326, within half a step of f32 of 1.
    assert_eq!(RandomKey::new(1_142_540).uniform(2), 0.9999999832617963);
    for (dtype, digits) in [(DType::F32, 24), (DType::F16, 11), (DType::BF16, 8)] {
        assert_eq!(uniform(0.0, 1.0, 1_142_540, 3, dtype)?[2], 1.0 - 0.5f64.powi(digits), "{dtype}");
    }
    assert_eq!(uniform(0.0, 1.0, 1_142_540, 3, DType::F64)?[2], 0.9999999832617963);
    Ok(())
}

#[test]
fn a_range_with_nothing_in_it_is_an_error() {
    let message = uniform(1.0001, 1.0002, 0, 3, DType::F16).map_err(|error| error.to_string()).unwrap_err();
    assert!(message.contains("no number of f16 lies between"), "{message}");
}
