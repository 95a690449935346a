//! Every backend keeps the contract. `CONFORMANCE=conv2d` runs only the cases whose name contains it.

use taper_backend::{Device, Result};
use taper_conformance::run_all;
use taper_cpu::{CpuBackend, Isa};
use taper_tests::devices::devices;

/// The CPU with one thread and with three, which must agree bit by bit, and with every instruction set that this machine
/// has; the slow twin in f32 against itself in f64, which holds the suite's own bounds and views to account; and the others
/// that need no card.
#[test]
fn every_backend_keeps_the_contract() -> Result<()> {
    let cpu = |threads, isa| Ok::<_, taper_backend::Error>(Device::new(CpuBackend::with_isa(threads, isa)?));
    let mut all = vec![cpu(1, Isa::detect())?, cpu(3, Isa::detect())?];
    for isa in Isa::available().into_iter().filter(|&isa| isa != Isa::detect()) {
        all.push(cpu(2, isa)?);
    }
    all.extend(devices("toy", 0)?);
    #[cfg(feature = "candle")]
    all.extend(devices("candle", 0)?);

    let filter = std::env::var("CONFORMANCE").unwrap_or_default();
    let reports = run_all(&all, &filter);
    for report in &reports {
        println!("{report}");
        assert!(report.cases > 0, "no case is named {filter}");
    }
    let failures: Vec<usize> = reports.iter().map(|report| report.failures.len()).collect();
    assert!(failures.iter().all(|&n| n == 0), "failures on {all:?}: {failures:?}");
    assert_eq!(reports[0].digest, reports[1].digest, "one thread and three give different bits");
    Ok(())
}
