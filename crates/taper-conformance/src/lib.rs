//! The conformance suite of Taper's backends: it tests any [`Device`] against the backend contract, and the gradients of
//! every operation, layer and loss on it.
//!
//! The author of a backend adds this crate as a dev-dependency and runs [`check`] in a test. [`toy`] is a backend that
//! passes, slow and obvious, to start from; it is also the reference that others are compared with.
//!
//! Every required method is compared, over many shapes, dtypes and forms of operands, with the reference backend
//! in f64. Every method of the rim, the methods that a backend may decline, is compared with its definition
//! ([`definition`]), and every operation of tensors, in values and gradients, with its composed version on the reference
//! backend: a new operation, fused or not, is tested by the cases of its gradient check.
//!
//! The error of a result is ‖a − b‖ / ‖b‖ over all its elements; [`Bound`] says how large it may be and why. Before
//! each case, memory of the sizes that the case needs is filled with NaN and freed, so that a kernel that reads memory
//! it has not written is noticed.
//!
//! ```
//! use taper_conformance::{Checks, toy::ToyBackend};
//!
//! let device = ToyBackend::device(); // Device::new(YourBackend::new()?)
//! let checks = Checks { methods: "matmul", subjects: "matmul" }; // `check(&device)` runs all
//! let verdict = checks.run(&device);
//! assert!(verdict.passed(), "{verdict}");
//! ```

mod bound;
mod case;
mod check;
mod convolution;
pub mod definition;
mod elementwise;
mod fused;
mod index;
mod matmul;
mod memory;
mod operations;
mod optimiser;
mod pooling;
mod reduce;
mod report;
mod rim_attention;
mod rim_batch_norm;
mod rim_layers;
mod rim_norms;
mod rim_pointwise;
mod rim_recurrent;
pub mod toy;
mod value;
mod views;

pub use bound::{Bound, unit_roundoff};
pub use case::{Case, Expected};
pub use check::{Checks, Verdict, check};
pub use report::Report;
pub use value::{Form, Value};

use crate::toy::ToyBackend;
use taper_backend::{DType, Device, RandomKey};

/// The crate's README, whose example runs as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// A run of the suite, passed to the functions that define cases.
pub struct Run<'a> {
    devices: &'a [Device],
    toy: Device,
    filter: &'a str,
    reports: Vec<Report>,
}

/// Runs every case whose name (`op dtype label`) contains `filter` on `device`.
pub fn run(device: &Device, filter: &str) -> Report {
    run_all(std::slice::from_ref(device), filter).pop().unwrap_or_default()
}

/// As [`run`] for several devices, with a report for each. The slow reference is computed once for all.
pub fn run_all(devices: &[Device], filter: &str) -> Vec<Report> {
    let reports = devices.iter().map(|device| Report { device: device.to_string(), ..Report::default() }).collect();
    let mut run = Run { devices, toy: ToyBackend::device(), filter, reports };
    memory::cases(&mut run);
    views::cases(&mut run);
    elementwise::cases(&mut run);
    reduce::cases(&mut run);
    matmul::cases(&mut run);
    index::cases(&mut run);
    convolution::cases(&mut run);
    pooling::cases(&mut run);
    rim_pointwise::cases(&mut run);
    rim_layers::cases(&mut run);
    rim_norms::cases(&mut run);
    rim_batch_norm::cases(&mut run);
    rim_recurrent::cases(&mut run);
    rim_attention::cases(&mut run);
    optimiser::cases(&mut run);
    operations::cases(&mut run);
    run.reports
}

impl Run<'_> {
    /// Runs `body` as a case, unless its name does not contain the filter or no device supports `dtype`. The random
    /// numbers of a case depend on its name alone.
    pub fn case(
        &mut self,
        op: &'static str,
        dtype: DType,
        label: impl std::fmt::Display,
        body: impl FnOnce(&mut Case),
    ) {
        let name = format!("{op} {dtype} {label}");
        if !name.contains(self.filter) || !self.devices.iter().any(|device| device.supports(dtype)) {
            return;
        }
        let key = RandomKey::new(11).child(&name);
        // For halves a third of the cases is enough: they differ from f32 only in how they are loaded and stored.
        if matches!(dtype, DType::F16 | DType::BF16) && !key.word(0).is_multiple_of(3) {
            return;
        }
        let mut case = Case::new(self.devices, &self.toy, dtype, key);
        body(&mut case);
        for (report, outcome) in self.reports.iter_mut().zip(case.outcomes) {
            report.cases += 1;
            report.time += outcome.time;
            if outcome.composed {
                *report.composed.entry(op).or_default() += 1;
            }
            if outcome.unsupported {
                *report.unsupported.entry(op).or_default() += 1;
            }
            report.digest = report.digest.rotate_left(5).wrapping_mul(0x100_0000_01B3) ^ outcome.digest;
            report.failures.extend(outcome.failures.into_iter().map(|failure| format!("{name}: {failure}")));
        }
    }
}

/// f32 and f64.
const WIDE: [DType; 2] = [DType::F32, DType::F64];
/// Every float.
const FLOATS: [DType; 4] = [DType::F32, DType::F64, DType::F16, DType::BF16];
/// Every dtype that arithmetic is defined for.
const NUMBERS: [DType; 5] = [DType::F32, DType::F64, DType::F16, DType::BF16, DType::I64];
/// Every dtype.
const ALL: [DType; 6] = [DType::F32, DType::F64, DType::F16, DType::BF16, DType::U8, DType::I64];
