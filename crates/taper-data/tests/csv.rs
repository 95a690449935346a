//! Tests of CSV files that Python's `csv` module wrote, and of invalid files.
#![cfg(feature = "csv")]

mod common;

use common::{changed, data, expected, labels, numbers};
use proptest::prelude::*;
use std::fs;
use taper_data::{CsvOptions, Result, TableDataset, TableOptions, read_csv};

fn read(text: impl AsRef<[u8]>, label: &str) -> Result<TableDataset> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    fs::write(&path, text).unwrap();
    read_csv(&path, &TableOptions::new(label), CsvOptions::default())
}

#[test]
fn a_file_of_pythons_csv_is_read_as_it_was_written() {
    let table = read_csv(data("flowers.csv"), &TableOptions::new("species"), CsvOptions::default()).unwrap();
    let (numbers_of, species) = labels();
    assert_eq!(table.values(), numbers(&expected()["x"]));
    assert_eq!(table.features(), ["width", "height", "two\nlines"]);
    let mut sorted = species.clone();
    sorted.sort();
    assert_eq!(table.classes(), sorted);
    let texts: Vec<_> = table.labels().iter().map(|&label| &table.classes()[label as usize]).collect();
    assert_eq!(texts, numbers_of.iter().map(|&label| &species[label as usize]).collect::<Vec<_>>());
    // The classes may be given in an order of one's own.
    let options = TableOptions { classes: Some(species.clone()), ..TableOptions::new("species") };
    let table = read_csv(data("flowers.csv"), &options, CsvOptions::default()).unwrap();
    assert_eq!((table.labels(), table.classes()), (&numbers_of[..], &species[..]));
}

#[test]
fn without_a_header_columns_are_numbered() {
    let options = CsvOptions { delimiter: b';', header: false };
    let table = read_csv(data("numbers.csv"), &TableOptions::new(0), options).unwrap();
    assert_eq!((table.values(), table.labels()), (&numbers(&expected()["x"])[..], &labels().0[..]));
    assert_eq!((table.features(), table.classes().len()), (&["1", "2", "3"].map(String::from)[..], 4));
}

#[test]
fn a_byte_order_mark_and_space_count_for_nothing() {
    let table = read("\u{feff}a, label\r\n 1.5 ,0\r\n-2e3,1\r\n", "label").unwrap();
    assert_eq!(
        (table.values(), table.labels(), table.features()),
        (&[1.5, -2000.0][..], &[0, 1][..], &["a".into()][..])
    );
}

#[test]
fn mistakes_are_said_with_line_and_column() {
    for (text, label, expected) in [
        ("", "y", "x.csv: file: expected at least one row, found none"),
        ("a,y\n", "y", "x.csv: file: expected at least one row"),
        ("a,y\n1,0\n,1\n", "y", "x.csv: line 3, column `a`: missing value; expected a number"),
        ("a,y\n1,0\n2,\n", "y", "x.csv: line 3, column `y`: missing value; expected a class"),
        ("a,y\n1,0\nNA,1\n", "y", "x.csv: line 3, column `a`: expected a number, found `NA`"),
        ("a,y\n1,0\nnan,1\n", "y", "x.csv: line 3, column `a`: expected a finite number (in f32), found NaN"),
        ("a,y\n1e39,0\n", "y", "x.csv: line 2, column `a`: expected a finite number (in f32), found inf"),
        ("a,y\n1,0\n1,2,3\n", "y", "x.csv: line 3: expected 2 fields as in the first line, found 3"),
        ("a,y\n\"1\n\",0\n1\n", "y", "x.csv: line 4: expected 2 fields as in the first line, found 1"),
        (
            "a,y\n1,\"x\n2,y\n3,z\n",
            "y",
            "x.csv: line 2: the quote opened in this line is not closed before the end of the file",
        ),
        ("a,y\n1,x\n\"2,y\n3,z", "y", "x.csv: line 3: the quote opened in this line is not closed before the end"),
        ("\"a,y\n1,x\n", "y", "x.csv: line 1: the quote opened in this line is not closed before the end"),
        ("\u{feff}\"a,y\n1,x\n", "y", "x.csv: line 1: the quote opened in this line is not closed"),
        ("a,y\n1,\"x\"\"\n2,y\n", "y", "x.csv: line 2: the quote opened in this line is not closed before the end"),
        (
            "a,y\n1,\"x\n2,\"y\n3,z\n",
            "y",
            "x.csv: line 3: expected the next field or the line's end after the quote that closes the field opened in \
             line 2, found `y`; a quote within quotes is written twice",
        ),
        ("a,y\n1,-1\n", "y", "x.csv: line 2, column `y`: expected a class from 0 to 65535, found -1"),
        (
            "a,y\n1,0.0\n2,10.0\n",
            "y",
            "x.csv: line 2, column `y`: expected a class as a whole number or a text, found the",
        ),
        ("a,y\n1,0\n", "z", "x.csv: columns: expected one column `z`, found 2 columns: `a`, `y`"),
        ("y,y\n1,0\n", "y", "x.csv: columns: expected one column `y`, found 2 columns: `y`, `y`"),
        ("y\n1\n", "y", "x.csv: columns: expected features beside the label, found the label alone"),
    ] {
        let found = read(text, label).unwrap_err().to_string();
        assert!(found.contains(expected), "{text:?}: {found}");
    }
    let found = read(b"a,y\n1,0\n\xff,0\n", "y").unwrap_err().to_string();
    assert!(found.contains("x.csv: line 3: expected UTF-8, found other bytes in field 0"), "{found}");
    let found = read_csv(data("flowers.csv"), &TableOptions::new(7), CsvOptions::default()).unwrap_err().to_string();
    assert!(found.contains("columns: expected a column 7 (from 0), found 4 columns"), "{found}");
    let found = read_csv("none.csv", &TableOptions::new(0), CsvOptions::default()).unwrap_err().to_string();
    assert!(found.starts_with("cannot open none.csv: "), "{found}");
}

#[test]
fn quotes_that_go_together_are_read() {
    let table = read("a,y\n1,\"x\"\n\"2\" ,\"two\nlines\"\r\n3,say \"\"\n4,\"\"\"so\"\" called\"", "y").unwrap();
    assert_eq!(table.values(), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(table.classes(), ["\"so\" called", "say \"\"", "two\nlines", "x"]);
    // A mistake before the quote is told first.
    let found = read("a,y\nq,x\n1,\"x\n", "y").unwrap_err().to_string();
    assert!(found.contains("line 2, column `a`: expected a number, found `q`"), "{found}");
    let options = CsvOptions { delimiter: b'"', ..CsvOptions::default() };
    let found = read_csv(data("flowers.csv"), &TableOptions::new(0), options).unwrap_err().to_string();
    assert_eq!(found, "csv: delimiter: expected no quote and no line end, found `\\\"`");
}

#[test]
fn a_column_is_the_same_in_either_normal_form() {
    let table = read("a,caf\u{e9}\n1,th\u{e9}\n2,the\u{301}\n", "cafe\u{301}").unwrap();
    assert_eq!((table.labels(), table.classes()), (&[0, 0][..], &["th\u{e9}".to_string()][..]));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        keep in 0_usize..1000,
        changes in prop::collection::vec((0_usize..1000, any::<u8>()), 0..4),
        header in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.csv");
        fs::write(&path, changed(&fs::read(data("flowers.csv")).unwrap(), keep, &changes)).unwrap();
        let options = CsvOptions { header, ..CsvOptions::default() };
        if let Ok(table) = read_csv(&path, &TableOptions::new(2), options) {
            prop_assert!(table.values().iter().all(|value| value.is_finite()));
        }
    }
}
