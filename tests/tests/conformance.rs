//! Every backend keeps the contract. `CONFORMANCE=conv2d` runs only the cases whose name contains it.

use std::collections::BTreeMap;
use taper_backend::Device;
use taper_cpu::{CpuBackend, Isa};
use taper_tests::conformance::{Report, run_all};
use taper_tests::toy::ToyBackend;

fn keep_the_contract(devices: &[Device]) -> Vec<Report> {
    let filter = std::env::var("CONFORMANCE").unwrap_or_default();
    let reports = run_all(devices, &filter);
    for (device, report) in devices.iter().zip(&reports) {
        println!("{device}: {} cases, {} failures", report.cases, report.failures.len());
        println!("  left to the composed version: {:?}", report.composed);
        println!("  not offered for halves: {:?}", report.unsupported);
        // A few of each kind: one wrong kernel fails hundreds of cases.
        let mut shown = BTreeMap::<String, usize>::new();
        for failure in &report.failures {
            let kind = failure.split(' ').take(2).collect::<Vec<_>>().join(" ");
            let seen = shown.entry(kind).or_default();
            *seen += 1;
            if *seen <= 4 {
                println!("  {failure}");
            }
        }
        println!("  failures of each kind: {shown:?}");
        assert!(report.cases > 0, "no case is named {filter}");
    }
    let failures: Vec<usize> = reports.iter().map(|report| report.failures.len()).collect();
    assert!(failures.iter().all(|&n| n == 0), "failures on {devices:?}: {failures:?}");
    reports
}

/// The CPU with one thread and with three, which must agree bit by bit, and with every instruction set that this machine
/// has; and the slow twin in f32 against itself in f64, which holds the suite's own bounds and views to account.
#[test]
fn cpu_and_toy() {
    let cpu = |threads, isa| Device::new(CpuBackend::with_isa(threads, isa).expect("a pool of threads"));
    let mut devices = vec![cpu(1, Isa::detect()), cpu(3, Isa::detect()), ToyBackend::device()];
    devices.extend(Isa::available().into_iter().filter(|&isa| isa != Isa::detect()).map(|isa| cpu(2, isa)));
    let reports = keep_the_contract(&devices);
    assert_eq!(reports[0].digest, reports[1].digest, "one thread and three give different bits");
}
