//! Tests of Parquet files that pyarrow wrote.
#![cfg(feature = "parquet")]

mod common;

use common::{changed, data, expected, labels, numbers};
use parquet::data_type::{DoubleType, Int32Type, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use std::fs::{self, File};
use std::sync::Arc;
use taper_backend::HostData;
use taper_data::{Batch, Dataset};
use taper_data::{ColumnSpec, CsvOptions, Result, Table, TableOptions, TableSource, TargetSpec};

fn open(name: &str, options: &TableOptions) -> Result<Table> {
    Table::open(data(name), options)
}

/// The features of all rows.
fn encoded(table: &Table) -> Vec<f32> {
    let mut batch = Batch::default();
    batch.clear(table.len());
    table.fill(0, &(0..table.len()).collect::<Vec<_>>(), &mut batch).unwrap();
    let HostData::F32(values) = &batch.field("inputs").unwrap().data else { panic!("expected f32") };
    values.clone()
}

/// The features of all rows as they were in the file: numbers restored from their standardised values.
fn features(table: &Table) -> Vec<f64> {
    let restored = table.spec().columns.iter().flat_map(|column| match column {
        ColumnSpec::Number { mean, std, missing, .. } => {
            [Some((*mean, *std)), missing.then_some((0.0, 1.0))].into_iter().flatten().collect::<Vec<_>>()
        }
        ColumnSpec::Category { .. } => vec![(0.0, 1.0); column.width()],
    });
    let by: Vec<(f64, f64)> = restored.collect();
    encoded(table).iter().enumerate().map(|(i, x)| f64::from(*x) * by[i % by.len()].1 + by[i % by.len()].0).collect()
}

#[test]
fn a_file_of_pyarrow_is_read_as_it_was_written() {
    let (labels, species) = labels();
    let wanted = ["width", "height", "half", "small", "yes"].map(String::from).to_vec();
    let options = TableOptions { only: wanted, ..TableOptions::new("species") };
    let zstd = cfg!(feature = "parquet-zstd").then_some("zstd.parquet");
    for name in ["flowers.parquet", "plain.parquet", "gzip.parquet", "lz4.parquet"].into_iter().chain(zstd) {
        let table = open(name, &options).unwrap();
        assert_eq!(table.spec().features(), ["width", "height", "half", "small", "yes = False", "yes = True"]);
        for (found, row) in features(&table).chunks(6).zip(numbers(&expected()["parquet"]).chunks(5)) {
            for (found, &value) in found.iter().zip(&row[..4]) {
                let value = f64::from(value);
                // In units of the column, whose largest value is a million.
                assert!((found - value).abs() <= 1e-6 * value.abs().max(1e6), "{name}: {found} {value}");
            }
            assert_eq!(found[4..], [1.0 - f64::from(row[4]), row[4].into()], "{name}");
        }
        let classes = table.spec().target.classes();
        assert!(classes.is_sorted() && classes.len() == 4);
        let names: Vec<_> = table.labels().unwrap().iter().map(|&label| &classes[label as usize]).collect();
        assert_eq!(names, labels.iter().map(|&label| &species[label as usize]).collect::<Vec<_>>(), "{name}");
    }
    // A column that numbers the rows is no feature, unless it is named.
    let found = open("flowers.parquet", &TableOptions::new("species")).unwrap();
    assert_eq!((found.spec().left_out[0].name.as_str(), found.spec().width()), ("small", 5));
    let found = open("missing.parquet", &TableOptions::new("label")).unwrap();
    assert_eq!(found.spec().features(), ["a", "a missing"]);
    assert_eq!(features(&found), [1.0, 0.0, 2.0, 1.0, 3.0, 0.0]);
    let sum = TableSource::open(data("missing.parquet"), CsvOptions::default()).unwrap().checksum().to_string();
    let bytes = fs::read(data("missing.parquet")).unwrap();
    let again = TableSource::from_bytes(bytes, "x", CsvOptions::default()).unwrap();
    assert_eq!((sum.len(), sum.as_str()), (64, again.checksum()));
}

#[test]
fn whole_numbers_are_classes_and_dates_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let schema =
        parse_message_type("message m { REQUIRED DOUBLE a; REQUIRED INT64 y; REQUIRED INT32 day (DATE); }").unwrap();
    let mut writer = SerializedFileWriter::new(File::create(&path).unwrap(), Arc::new(schema), Arc::default()).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(&[1.5, -2.0, 0.25], None, None).unwrap();
    column.close().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[1 << 60, 0, (1 << 60) + 1], None, None).unwrap();
    column.close().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    column.typed::<Int32Type>().write_batch(&[1, 2, 3], None, None).unwrap();
    column.close().unwrap();
    rows.close().unwrap();
    writer.close().unwrap();
    let text = Table::open(&path, &TableOptions::new("y")).unwrap_err().to_string();
    assert!(text.contains("columns: `day` holds values of a type that is no feature, Date (INT32): drop it"), "{text}");
    let table = Table::open(&path, &TableOptions { drop: vec!["day".into()], ..TableOptions::new("y") }).unwrap();
    assert!(features(&table).iter().zip([1.5, -2.0, 0.25]).all(|(found, value)| (found - value).abs() < 1e-6));
    // Neighbours that no float tells apart.
    assert_eq!(table.labels().unwrap(), [1, 0, 2]);
    assert_eq!(table.spec().target.classes()[1..], ["1152921504606846976", "1152921504606846977"]);
    let table = Table::open(&path, &TableOptions { only: vec!["y".into()], ..TableOptions::new("a") }).unwrap();
    assert!(matches!(table.spec().target, TargetSpec::Number { .. }));
}

#[test]
fn what_is_wrong_is_said() {
    for (name, label, expected) in [
        ("nested.parquet", "label", "file: expected a flat table, found the nested column `"),
        ("flowers.parquet", "petals", "columns: expected one column `petals`, found 6 columns: `width`, `species`"),
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
    ] {
        let found = open(name, &TableOptions::new(label)).unwrap_err().to_string();
        assert!(found.contains(&format!("{name}: {expected}")), "{found}");
    }
    let found = open("none.parquet", &TableOptions::new("species")).unwrap_err().to_string();
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
        let read = Table::open(&path, &TableOptions::new("species"));
        if bytes == whole {
            prop_assert!(read.is_ok());
        }
        match read {
            Ok(table) => {
                let found = encoded(&table);
                prop_assert_eq!(found.len(), table.len() * table.spec().width());
                prop_assert!(!table.is_empty() && found.iter().all(|value| value.is_finite()));
                let classes = 0..table.spec().target.classes().len() as i64;
                prop_assert!(table.labels().unwrap().iter().all(|label| classes.contains(label)));
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
