//! Gradients on every backend that needs no card. The slow twin offers no fused method: there every operation's composed
//! version is checked.

use taper_backend::Result;
use taper_tensor::gradcheck::{Table, operations};
use taper_tests::devices::devices;

fn passes(second: bool) -> Result<()> {
    let mut all = devices("cpu,toy", 1)?;
    #[cfg(feature = "candle")]
    all.extend(devices("candle", 0)?);
    let ops = operations();
    assert!(ops.len() > 40, "{ops:?}");
    let table = Table::check(&ops, &all, second, |line| println!("{line}"))?;
    assert!(table.passed());
    assert!(table.reports().all(|(_, report)| report.refusals.is_empty()));
    assert_eq!(table.reports().count(), ops.len() * all.len());
    Ok(())
}

#[test]
fn gradients() -> Result<()> {
    passes(false)
}

#[test]
fn gradients_of_gradients() -> Result<()> {
    passes(true)
}
