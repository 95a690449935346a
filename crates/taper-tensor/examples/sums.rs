//! Rounding errors of sums in f32: each operation that sums, over up to about 10⁷ terms, compared with the same sum in
//! f64. Errors are relative, in units of 2⁻²⁴, the largest relative error of one rounding to f32; the bound follows
//! from the order of summation. Prints the table of `docs/accuracy.md`.
//!
//! `cargo run --release -p taper-tensor --example sums`

#[path = "../tests/sums/ops.rs"]
mod ops;

use ops::{OPS, Terms};
use taper_cpu::{CpuBackend, Isa};
use taper_tensor::{Device, Result};

fn main() -> Result<()> {
    let sets = Isa::available();
    let head: Vec<_> = sets.iter().flat_map(|isa| Terms::ALL.map(|terms| format!("{isa}, {terms:?}"))).collect();
    println!("| operation | terms | {} | bound |", head.join(" | ").to_lowercase());
    println!("|---|---:|{}", "---:|".repeat(head.len() + 1));
    for op in OPS {
        print!("| {} | {} |", op.name, op.terms);
        for &isa in &sets {
            let device = Device::new(CpuBackend::with_isa(0, isa)?);
            for terms in Terms::ALL {
                print!(" {:.2} |", (op.error)(terms, &device)?);
            }
        }
        println!(" {:.0} |", op.bound);
    }
    Ok(())
}
