//! The conformance suite: written once, run for any [`Device`]. Every required method over many shapes, dtypes and
//! kinds of operand against the slow twin in f64 ([`crate::toy`]), every method of the rim against its definition
//! ([`definition`]).
//!
//! An error is ‖a − b‖ / ‖b‖ over a whole result; [`Bound`] says what is allowed and where it comes from. Before each
//! case, memory of the sizes that the case will want is filled with NaN and given back, so that a kernel that reads
//! what it has not written is seen.

mod bound;
mod case;
mod convolution;
pub mod definition;
mod elementwise;
mod index;
mod matmul;
mod memory;
mod optimiser;
mod pooling;
mod reduce;
mod report;
mod rim_batch_norm;
mod rim_layers;
mod rim_norms;
mod rim_pointwise;
mod value;
mod views;

pub use bound::{Bound, unit_roundoff};
pub use case::Case;
pub use report::Report;
pub use value::{Form, Value};

use crate::toy::ToyBackend;
use taper_backend::{DType, Device, RandomKey};

/// A run in progress: what the files of cases are handed.
pub struct Run<'a> {
    devices: &'a [Device],
    toy: Device,
    filter: &'a str,
    reports: Vec<Report>,
}

/// Runs every case whose name (`op dtype label`) contains `filter`.
pub fn run(device: &Device, filter: &str) -> Report {
    run_all(std::slice::from_ref(device), filter).pop().unwrap_or_default()
}

/// The same for several devices, a report for each; the slow reference is computed once for all.
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
    optimiser::cases(&mut run);
    run.reports
}

impl Run<'_> {
    /// Runs `body` as a case, unless the filter leaves it out or no device offers `dtype`. What the case draws depends
    /// on its name alone.
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
        // A third of the cases is enough for halves, which differ from f32 in how they are read and written alone.
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
/// What arithmetic is defined for.
const NUMBERS: [DType; 5] = [DType::F32, DType::F64, DType::F16, DType::BF16, DType::I64];
/// Every dtype.
const ALL: [DType; 6] = [DType::F32, DType::F64, DType::F16, DType::BF16, DType::U8, DType::I64];
