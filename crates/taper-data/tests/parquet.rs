//! Tests of Parquet files that pyarrow wrote.
#![cfg(feature = "parquet")]

mod common;

use common::{changed, data, expected, labels, numbers};
use parquet::data_type::{DoubleType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use std::fs::{self, File};
use std::sync::Arc;
use taper_data::{TableOptions, read_parquet};

#[test]
fn a_file_of_pyarrow_is_read_as_it_was_written() {
    let (labels, species) = labels();
    let options = TableOptions { classes: Some(species), ..TableOptions::new("species") };
    let zstd = cfg!(feature = "parquet-zstd").then_some("zstd.parquet");
    for name in ["flowers.parquet", "plain.parquet", "gzip.parquet", "lz4.parquet"].into_iter().chain(zstd) {
        let table = read_parquet(data(name), &options).unwrap();
        assert_eq!(table.features(), ["width", "height", "half", "small", "yes"]);
        assert_eq!(table.values(), numbers(&expected()["parquet"]), "{name}");
        assert_eq!(table.labels(), labels);
    }
    let found = read_parquet(data("flowers.parquet"), &TableOptions::new("species")).unwrap();
    assert!(found.classes().is_sorted() && found.classes().len() == 4);
    // Numbers that are not whole are no labels.
    let found = read_parquet(data("missing.parquet"), &TableOptions::new("a")).unwrap_err().to_string();
    assert!(found.contains("missing.parquet: column `a`: expected integers or texts, found DOUBLE"), "{found}");
}

#[test]
fn a_column_of_whole_numbers_may_be_the_labels() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let schema = parse_message_type("message m { REQUIRED DOUBLE a; REQUIRED INT64 y; }").unwrap();
    let mut writer = SerializedFileWriter::new(File::create(&path).unwrap(), Arc::new(schema), Arc::default()).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(&[1.5, -2.0, 0.25], None, None).unwrap();
    column.close().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[2, 0, 10], None, None).unwrap();
    column.close().unwrap();
    rows.close().unwrap();
    writer.close().unwrap();
    let table = read_parquet(&path, &TableOptions::new("y")).unwrap();
    assert_eq!((table.values(), table.labels()), (&[1.5, -2.0, 0.25][..], &[2, 0, 10][..]));
    assert_eq!((table.features(), table.classes().len()), (&["a".to_string()][..], 11));
    assert_eq!(table.classes()[10], "10");
}

#[test]
fn what_is_wrong_is_said() {
    let species = TableOptions::new("species");
    for (name, label, expected) in [
        ("missing.parquet", "label", "row 1, column `a`: expected a number, found a missing value"),
        ("nested.parquet", "label", "file: expected a flat table, found the nested column `"),
        ("flowers.parquet", "petals", "columns: expected one column `petals`, found 6 columns: `width`, `species`"),
        ("flowers.parquet", "width", "column `width`: expected integers or texts, found DOUBLE"),
        ("flowers.parquet", "small", "column `species`: expected numbers, found String (BYTE_ARRAY)"),
        (
            "brotli.parquet",
            "species",
            "file: column `width` is compressed with Brotli, which is not read; write the file with Snappy, gzip or LZ4",
        ),
        #[cfg(not(feature = "parquet-zstd"))]
        (
            "zstd.parquet",
            "species",
            "file: column `width` is compressed with Zstandard (zstd), which is not read; build taper-data with the \
             feature `parquet-zstd`, or write the file with Snappy, gzip or LZ4",
        ),
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
        let whole = fs::read(data(name)).unwrap();
        let bytes = changed(&whole, keep, &changes);
        fs::write(&path, &bytes).unwrap();
        let read = read_parquet(&path, &TableOptions::new("species"));
        if bytes == whole {
            let table = read.as_ref().unwrap();
            prop_assert_eq!(table.values(), numbers(&expected()["parquet"]));
        }
        match read {
            Ok(table) => {
                prop_assert_eq!(table.values().len(), table.len() * table.features().len());
                prop_assert!(!table.is_empty() && table.values().iter().all(|value| value.is_finite()));
                let classes = 0..table.classes().len() as i64;
                prop_assert!(table.labels().iter().all(|label| classes.contains(label)));
            }
            Err(error) => {
                let text = error.to_string();
                let told = text.split("x.parquet: ").nth(1).unwrap_or_default();
                prop_assert!(told.len() > 10, "{}", text);
                prop_assert!(!text.contains("panicked") && !text.contains(".rs:"), "{}", text);
            }
        }
    }
}
