//! Parquet files of pyarrow.
#![cfg(feature = "parquet")]

mod common;

use common::{changed, data, expected, labels, numbers};
use proptest::prelude::*;
use std::fs;
use taper_data::{TableOptions, read_parquet};

#[test]
fn a_file_of_pyarrow_is_read_as_it_was_written() {
    let (labels, species) = labels();
    let options = TableOptions { classes: Some(species), ..TableOptions::new("species") };
    for name in ["flowers.parquet", "plain.parquet"] {
        let table = read_parquet(data(name), &options).unwrap();
        assert_eq!(table.features(), ["width", "height", "half", "small", "yes"]);
        assert_eq!(table.values(), numbers(&expected()["parquet"]), "{name}");
        assert_eq!(table.labels(), labels);
    }
    let found = read_parquet(data("flowers.parquet"), &TableOptions::new("species")).unwrap();
    assert!(found.classes().is_sorted() && found.classes().len() == 4);
    // A column of whole numbers may be the labels.
    let found = read_parquet(data("missing.parquet"), &TableOptions::new("a")).unwrap_err().to_string();
    assert!(found.contains("row 0, column `a`: expected an integer or a text, found 1.0"), "{found}");
}

#[test]
fn what_is_wrong_is_said() {
    let species = TableOptions::new("species");
    for (name, label, expected) in [
        ("missing.parquet", "label", "row 1, column `a`: expected a number, found a missing value"),
        ("nested.parquet", "label", "row 0, column `a`: expected a number, found ["),
        ("flowers.parquet", "petals", "columns: expected one column `petals`, found 6 columns: `width`, `species`"),
        ("flowers.parquet", "width", "row 0, column `width`: expected an integer or a text, found "),
        ("zstd.parquet", "species", "file: not a Parquet file that can be read: "),
        ("flowers.csv", "species", "file: not a Parquet file that can be read: "),
    ] {
        let found = read_parquet(data(name), &TableOptions::new(label)).unwrap_err().to_string();
        assert!(found.contains(&format!("{name}: {expected}")), "{found}");
    }
    let found = read_parquet(data("none.parquet"), &species).unwrap_err().to_string();
    assert!(found.starts_with("cannot open ") && found.contains("none.parquet"), "{found}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn any_bytes_are_read_or_refused(
        keep in prop_oneof![1 => 0_usize..4100, 4 => Just(usize::MAX)],
        changes in prop::collection::vec((0_usize..4100, any::<u8>()), 0..4),
        plain in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        let name = if plain { "plain.parquet" } else { "flowers.parquet" };
        fs::write(&path, changed(&fs::read(data(name)).unwrap(), keep, &changes)).unwrap();
        let _ = read_parquet(&path, &TableOptions::new("species"));
    }
}
