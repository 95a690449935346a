//! PyTorch's own samples: a small recorded part of what `cargo xtask op-samples` compares.

use std::collections::BTreeSet;
use std::path::Path;
use taper_tests::devices::devices;
use taper_tests::op_samples::table::Table;
use taper_tests::op_samples::{File, Outcome, run};

#[test]
fn as_pytorch_recorded() -> taper::Result<()> {
    // Cargo starts tests in their package's folder.
    let path = Path::new("../tests/peers/torch_op_samples.safetensors");
    for device in devices("cpu,toy", 1)? {
        let (file, table) = (File::read(path, &device)?, Table::new());
        let mut compared = BTreeSet::new();
        let report = run(&file, &device, |sample, outcome| {
            let text = |key: &str| sample[key].as_str().unwrap_or_default();
            if let (Outcome::Compared { .. }, Some(op)) = (outcome, table.find(text("op"), text("variant"))) {
                compared.insert(op.name);
            }
        })?;
        println!("{device}: {report}");
        assert!(report.passed(), "{device}: {report}");
        let missing: Vec<_> = table.names().filter(|name| !compared.contains(name)).collect();
        assert!(missing.is_empty(), "{device}: no sample of {missing:?}");
    }
    Ok(())
}
