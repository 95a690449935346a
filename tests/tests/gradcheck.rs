//! Gradients on the slow twin, which offers no fused method: every operation's composed version, first and second.

use taper_backend::Result;
use taper_tensor::gradcheck;
use taper_tests::toy::ToyBackend;

fn passes(second: bool) -> Result<()> {
    let device = ToyBackend::device();
    let operations = gradcheck::operations();
    assert!(operations.len() > 40, "{operations:?}");
    for op in operations {
        let report = gradcheck::run(op, &device, second)?;
        assert!(report.passed() && report.refusals.is_empty(), "{op}: {:?} {:?}", report.failures, report.refusals);
    }
    Ok(())
}

#[test]
fn composed_gradients() -> Result<()> {
    passes(false)
}

#[test]
fn composed_gradients_of_gradients() -> Result<()> {
    passes(true)
}
