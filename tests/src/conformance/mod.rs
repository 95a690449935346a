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
mod rim_layers;
mod rim_norms;
mod rim_pointwise;
mod value;
mod views;

pub use bound::{Bound, unit_roundoff};
pub use case::Case;
pub use value::{Form, Value};

use crate::toy::ToyBackend;
use std::collections::BTreeMap;
use taper_backend::{DType, Device, RandomKey};

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// How many cases ran.
    pub cases: usize,
    /// For every method of the rim that the backend leaves to the composed version, in how many cases it did.
    pub composed: BTreeMap<&'static str, usize>,
    /// One line for each thing that is not as the contract says.
    pub failures: Vec<String>,
    /// A hash of every bit of every result: two runs that should agree bit by bit have the same.
    pub digest: u64,
}

/// A run in progress: what the files of cases are handed.
pub struct Run<'a> {
    device: &'a Device,
    toy: Device,
    filter: &'a str,
    report: Report,
}

/// Runs every case whose name (`op dtype label`) contains `filter`.
pub fn run(device: &Device, filter: &str) -> Report {
    let mut run = Run { device, toy: ToyBackend::device(), filter, report: Report::default() };
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
    optimiser::cases(&mut run);
    run.report
}

impl Run<'_> {
    /// Runs `body` as a case, unless the filter leaves it out or the device does not offer `dtype`. What the case
    /// draws depends on its name alone.
    pub fn case(
        &mut self,
        op: &'static str,
        dtype: DType,
        label: impl std::fmt::Display,
        body: impl FnOnce(&mut Case),
    ) {
        let name = format!("{op} {dtype} {label}");
        if !name.contains(self.filter) || !self.device.supports(dtype) {
            return;
        }
        let key = RandomKey::new(11).child(&name);
        let mut case = Case::new(self.device, &self.toy, op, dtype, key);
        body(&mut case);
        self.report.cases += 1;
        if case.composed {
            *self.report.composed.entry(op).or_default() += 1;
        }
        self.report.digest = self.report.digest.rotate_left(5).wrapping_mul(0x100_0000_01B3) ^ case.digest;
        self.report.failures.extend(case.failures.into_iter().map(|failure| format!("{name}: {failure}")));
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
