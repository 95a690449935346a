//! The cases of the gradient checks, which the suite takes too, reach every fused operation.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use taper_backend::observed::{Call, Ending, Observed, Observer};
use taper_backend::{Device, FusedOp, Result};
use taper_tensor::gradcheck;

#[derive(Debug, Default)]
struct Computed(Mutex<BTreeSet<&'static str>>);

impl Observer for Computed {
    fn called(&self, call: &Call) {
        if call.ending == Ending::Done {
            self.0.lock().unwrap().insert(call.method);
        }
    }
}

#[test]
fn every_fused_operation_and_its_gradient_is_reached() -> Result<()> {
    let computed = Arc::new(Computed::default());
    let device = Observed::device(Device::new(taper_cpu::CpuBackend::with_threads(1)?), computed.clone());
    for subject in gradcheck::operations() {
        gradcheck::run(&subject, &device, false);
    }
    let computed = computed.0.lock().unwrap();
    // The CPU's batch norm comes in two halves, of which the second has the gradient; dropout is its own gradient.
    let but = ["batch_norm", "batch_norm_grad", "batch_norm_stats_grad", "dropout_grad"];
    let due = FusedOp::NAMES.iter().flat_map(|name| [name.to_string(), format!("{name}_grad")]);
    let missing: Vec<String> =
        due.filter(|name| !computed.contains(name.as_str()) && !but.contains(&&**name)).collect();
    assert!(missing.is_empty(), "{missing:?} are not reached");
    Ok(())
}
