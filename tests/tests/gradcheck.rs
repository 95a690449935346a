//! Gradients on every backend that needs no card. The slow twin offers no fused method: there every operation's composed
//! version is checked.

use taper::gradcheck::{Table, subjects};
use taper_backend::Result;
use taper_tests::devices::devices;

fn passes(second: bool) -> Result<()> {
    let all = devices(if cfg!(feature = "candle") { "cpu,toy,candle" } else { "cpu,toy" }, 1)?;
    let subjects = subjects();
    for (kind, least) in [("operation", 40), ("layer", 10), ("loss", 10), ("mix", 2)] {
        let found = subjects.iter().filter(|subject| subject.kind() == kind).count();
        assert!(found >= least, "{found} of kind {kind}");
    }
    let table = Table::check(&subjects, &all, second, |line| println!("{line}"));
    assert!(table.passed());
    assert!(table.reports().all(|(_, report)| report.refusals.is_empty()));
    assert_eq!(table.reports().count(), subjects.len() * all.len());
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
