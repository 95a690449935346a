//! Tests of tables as people have them, and of invalid files.
#![cfg(feature = "csv")]

mod common;

use common::{changed, data, expected, labels, numbers};
use proptest::prelude::*;
use std::fs;
use taper_backend::HostData;
use taper_data::{Batch, Dataset};
use taper_data::{
    ColumnSpec, CsvOptions, Error, Result, Table, TableOptions, TableSource, TableSpec, TargetKind, TargetSpec,
};

fn source(text: impl AsRef<[u8]>) -> Result<TableSource> {
    TableSource::from_bytes(text.as_ref().to_vec(), "x.csv", CsvOptions::default())
}

/// The table of this text in a file, which learns from all its rows.
fn table(text: impl AsRef<[u8]>, options: &TableOptions) -> Result<Table> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    fs::write(&path, text).unwrap();
    Table::open(&path, options)
}

fn options(target: &str) -> TableOptions {
    TableOptions::new(target)
}

fn message(found: Result<impl std::fmt::Debug>) -> String {
    let text = found.unwrap_err().to_string();
    text.rfind("x.csv").map_or(text.clone(), |at| text[at..].to_string())
}

/// The features of all rows, and their labels or standardised targets.
fn filled(table: &Table) -> (Vec<f32>, Vec<f32>) {
    let mut batch = Batch::default();
    batch.clear(table.len());
    table.fill(0, &(0..table.len()).collect::<Vec<_>>(), &mut batch).unwrap();
    let values = |name: &str| match &batch.field(name).unwrap().data {
        HostData::F32(values) => values.clone(),
        HostData::I64(labels) => labels.iter().map(|&label| label as f32).collect(),
        other => panic!("{other:?}"),
    };
    for (field, spec) in batch.fields().iter().zip(table.fields()) {
        assert_eq!(
            (&field.name, field.shape[0], &field.shape[1..]),
            (&spec.name, table.len(), &spec.fixed().unwrap()[..])
        );
    }
    assert_eq!(batch.fields().len(), table.fields().len());
    let target = if table.fields().len() < 2 { vec![] } else { values(&table.fields()[1].name) };
    (values("inputs"), target)
}

fn spec_of(text: &str, options: &TableOptions) -> TableSpec {
    TableSpec::learn(&source(text).unwrap(), options, None).unwrap()
}

#[test]
fn a_file_of_pythons_csv_is_read_as_it_was_written() {
    let table = Table::open(data("flowers.csv"), &options("species")).unwrap();
    let (numbers_of, species) = labels();
    let mut sorted = species.clone();
    sorted.sort();
    assert_eq!(table.spec().target.classes(), sorted);
    assert_eq!(table.spec().features(), ["width", "height", "two\nlines"]);
    let texts: Vec<_> = table.labels().unwrap().iter().map(|&label| &sorted[label as usize]).collect();
    assert_eq!(texts, numbers_of.iter().map(|&label| &species[label as usize]).collect::<Vec<_>>());
    // Standardised: restored, the numbers are the file's.
    let values = numbers(&expected()["x"]);
    let (features, found) = filled(&table);
    assert_eq!(found, table.labels().unwrap().iter().map(|&label| label as f32).collect::<Vec<_>>());
    for (i, (feature, value)) in features.iter().zip(&values).enumerate() {
        let ColumnSpec::Number { mean, std, .. } = &table.spec().columns[i % 3] else { panic!("{i}") };
        assert!((f64::from(*feature) * std + mean - f64::from(*value)).abs() < 1e-6 * std, "{feature} {value}");
    }
    let csv = CsvOptions { delimiter: None, header: false };
    let source = TableSource::open(data("numbers.csv"), csv).unwrap();
    let classes = TableOptions { kind: Some(TargetKind::Classes), ..options("0") };
    let spec = TableSpec::learn(&source, &classes, None).unwrap();
    assert_eq!((source.columns(), spec.width()), (&["0", "1", "2", "3"].map(String::from)[..], 3));
}

#[test]
fn numbers_categories_and_missing_values_become_features() {
    let text = "age,town,member,zip,low\n20,Bonn,True,007,no\n40,Rome,False,7,yes\n,Bonn,,7,no\nNaN,NA,True,7,yes\n";
    let table = table(text, &options("low")).unwrap();
    let names = [
        "age",
        "age missing",
        "town = Bonn",
        "town = Rome",
        "town missing",
        "member = False",
        "member = True",
        "member missing",
        "zip = 007",
        "zip = 7",
    ];
    assert_eq!(table.spec().features(), names);
    let (features, labels) = filled(&table);
    let rows: Vec<&[f32]> = features.chunks(10).collect();
    assert_eq!(rows[0], [-1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    assert_eq!(rows[1], [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(rows[2], [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(rows[3], [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    assert_eq!(
        (labels, table.spec().target.classes()),
        (vec![0.0, 1.0, 0.0, 1.0], &["no".to_string(), "yes".into()][..])
    );
    assert_eq!(format!("{table:?}"), "Table(4 rows of 10 features, 2 classes)");
}

#[test]
fn only_the_training_rows_are_learned_from() {
    let source = source("a,c,y\n1,u,0\n3,v,1\n100,w,1\n,u,0\n").unwrap();
    let spec = TableSpec::learn(&source, &options("y"), Some(&[1, 0])).unwrap();
    assert_eq!(spec.features(), ["a", "c = u", "c = v"]);
    let all = Table::new(source, spec).unwrap();
    // A category that was not seen is encoded as a missing one; nothing was missing, so there is no feature for it.
    let (features, _) = filled(&all);
    assert_eq!(features, [-1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 98.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    let some = all.subset(&[3, 0]).unwrap();
    assert_eq!(filled(&some).0, [0.0, 1.0, 0.0, -1.0, 1.0, 0.0]);
    assert_eq!((some.labels().unwrap(), some.subset(&[1]).unwrap().labels().unwrap()), (vec![0, 0], vec![0]));
    let text = some.subset(&[2]).unwrap_err().to_string();
    assert_eq!(text, "table: index 2 is past the end: there are 2 rows");
    let mut batch = Batch::default();
    batch.clear(1);
    assert!(some.fill(0, &[2], &mut batch).unwrap_err().to_string().contains("index 2 is past the end"));
    // Every class keeps its share.
    let rows: String = (0..30).map(|i| format!("{i}.5,{}\n", ["a", "b", "b"][i % 3])).collect();
    let (train, held_out) = table(format!("x,y\n{rows}"), &options("y")).unwrap().split_off(0.2, 0).unwrap();
    assert_eq!((train.len(), held_out.len()), (24, 6));
    assert_eq!(held_out.labels().unwrap().iter().sum::<i64>(), 4);
}

#[test]
fn a_number_is_predicted_in_units_of_its_deviation() {
    let table = table("x,price\n1,10\n2,30.5\n3,20\n", &options("price")).unwrap();
    let TargetSpec::Number { name, mean, std } = &table.spec().target else { panic!("{:?}", table.spec()) };
    assert_eq!(
        (name.as_str(), format!("{mean:.4}"), format!("{std:.4}")),
        ("price", "20.1667".into(), "8.3699".into())
    );
    let (_, targets) = filled(&table);
    for (target, value) in targets.iter().zip([10.0, 30.5, 20.0]) {
        assert!((f64::from(*target) * std + mean - value).abs() < 1e-5, "{target}");
    }
    assert_eq!(format!("{table:?}"), "Table(3 rows of 1 features, the number \"price\")");
    assert_eq!(table.labels().unwrap(), [0, 0, 0]);
    // Few whole numbers are classes, unless asked for; many are a number.
    let kind = |rows: &str, kind| match spec_of(&format!("x,y\n{rows}"), &TableOptions { kind, ..options("y") }).target
    {
        TargetSpec::Classes { classes, .. } => classes,
        TargetSpec::Number { .. } => vec![],
    };
    assert_eq!(kind("1,10\n2,9\n3,10\n4,33554433\n", None), ["9", "10", "33554433"]);
    assert!(kind("1,10\n2,9\n3,10\n", Some(TargetKind::Number)).is_empty());
    let many: String = (0..40).map(|i| format!("{},{i}\n", i % 5)).collect();
    assert!(kind(&many, None).is_empty());
    assert_eq!(kind(&many, Some(TargetKind::Classes)).len(), 40);
    // Texts of equal numbers are different classes.
    assert_eq!(kind("1,007\n2,7\n3,7\n", None), ["007", "7"]);
    // Numbers alone have no strata.
    assert_eq!(source("x,y\n1,1.5\n2,2.5\n").unwrap().strata(&options("y")).unwrap(), [0, 0]);
    assert_eq!(source("x,y\n1,b\n2,a\n").unwrap().strata(&options("y")).unwrap(), [1, 0]);
}

#[test]
fn columns_are_chosen_and_row_numbers_left_out() {
    let rows: String = (0..20).map(|i| format!("{i},{},{},r{i},{}\n", 100 + i, i % 7, ["u", "v"][i % 2])).collect();
    let text = format!(",id,a,name,y\n{rows}");
    let drop = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    let found = spec_of(&text, &TableOptions { drop: drop(&["name"]), ..options("y") });
    assert_eq!(found.features(), ["a"]);
    let left_out: Vec<_> = found.left_out.iter().map(|left| (left.name.as_str(), left.reason.as_str())).collect();
    assert_eq!(left_out, [("Unnamed: 0", "numbers the rows"), ("id", "numbers the rows")]);
    let found = spec_of(&text, &TableOptions { only: drop(&["id", "a"]), ..options("y") });
    assert_eq!((found.features(), found.left_out.len()), (drop(&["id", "a"]), 0));
    let categories = TableOptions { only: drop(&["a"]), categories: drop(&["a"]), ..options("y") };
    assert_eq!(spec_of(&text, &categories).width(), 7);
    let text = message(TableSpec::learn(&source(&text).unwrap(), &options("y"), None));
    let hint = "drop it (`drop`), correct the file, or name it in `categories` if its different values are few";
    assert_eq!(
        text,
        format!("x.csv: columns: `name` has 20 different texts in 20 rows, as an id or free text has: {hint}")
    );
    let rows: String = (0..20).map(|i| format!("{},{},{}\n", i * 7919 % 1000, i * 31 % 7, i % 2)).collect();
    for name in ["id", "user_id", "userId", "UserID", "user ID"] {
        let found = spec_of(&format!("{name},a,y\n{rows}"), &options("y"));
        assert_eq!((found.features(), found.left_out[0].name.as_str()), (drop(&["a"]), name));
    }
    for name in ["paid", "PAID", "grid"] {
        assert_eq!(spec_of(&format!("{name},a,y\n{rows}"), &options("y")).width(), 2, "{name}");
    }
    let found = spec_of("a,none,y\n1,,u\n2,NA,v\n", &options("y"));
    assert_eq!((found.features(), found.left_out[0].reason.as_str()), (drop(&["a"]), "no row has a value"));
}

#[test]
fn columns_that_are_no_features_are_told_together() {
    let rows: String = (0..20).map(|i| format!("2024-01-{:02},{},n{i},{}\n", i + 1, i % 3, i % 2)).collect();
    let text = format!("when,floor,name,y\n2024-02-01,G,n,0\n{rows}");
    let found = message(TableSpec::learn(&source(&text).unwrap(), &options("y"), None));
    assert_eq!(
        found,
        "x.csv: columns: 3 columns cannot be features as they are: `when` holds dates or times, such as `2024-02-01` (line \
         2); `floor` has numbers in 20 rows, but `G` (line 2); `name` has 21 different texts in 21 rows, as an id or free \
         text has. Drop `when`, `floor`, `name` (`drop`), correct the file, or name those with few different values in \
         `categories`"
    );
    let chosen = TableOptions { only: vec!["floor".into()], categories: vec!["floor".into()], ..options("y") };
    assert_eq!(spec_of(&text, &chosen).features(), ["floor = 0", "floor = 1", "floor = 2", "floor = G"]);
}

#[test]
fn mistakes_are_said_with_line_and_column() {
    for (text, target, expected) in [
        ("", "y", "x.csv: file: expected at least one row, found none"),
        ("a,y\n", "y", "x.csv: file: expected at least one row"),
        ("a,y\n1,0\n2,\n", "y", "x.csv: line 3, column `y`: the target is missing; expected a class or a number"),
        (
            "a,y\n1,0\n\n2,1\nx,1\n4,0\n",
            "y",
            "x.csv: line 5, column `a`: the column has numbers in 3 rows, but `x`: drop it",
        ),
        (
            "a,y\n\"1\n\",0\n2,0\nx,1\n",
            "y",
            "x.csv: line 5, column `a`: the column has numbers in 2 rows, but `x`: drop",
        ),
        ("a,y\n1,0\n2,1\n\n\r\nx,1\n4,0\n", "y", "x.csv: line 6, column `a`: the column has numbers in 3 rows"),
        ("a,y\n1,0\ninf,1\n", "y", "x.csv: line 3, column `a`: expected a finite number, of moderate size, found inf"),
        ("a,y\n1e308,0\n-1e308,1\n", "y", "x.csv: line 3, column `a`: expected a finite number, of moderate size"),
        ("a,y\n1,0\n1,2,3\n", "y", "x.csv: line 3: expected 2 fields as in the first line, found 3"),
        ("a,y\n1,0\n1\n", "y", "x.csv: line 3: expected 2 fields as in the first line, found 1"),
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
        ("a,y\n1,0\n", "z", "x.csv: columns: expected one column `z`, found 2 columns: `a`, `y`"),
        ("a,price\n1,0\n", "prize", "found 2 columns: `a`, `price`; did you mean `price`?"),
        ("y,y\n1,0\n", "y", "x.csv: columns: the columns 0 and 1 (from 0) have the same name, `y`; rename one"),
        ("y\n1\n2\n", "y", "x.csv: columns: expected features beside the target, found none"),
        ("a,y\n1,7\n2,7\n", "y", "x.csv: columns: the target `y` has one value in all rows"),
        ("a,y\n1,0.5\n2,1.5\n", "y", ""),
    ] {
        let found = table(text, &options(target)).map_err(|error| error.to_string());
        match found {
            Ok(_) => assert_eq!(expected, "", "{text:?}"),
            Err(found) => assert!(!expected.is_empty() && found.contains(expected), "{text:?}: {found}"),
        }
    }
    let asked = |text: &str, kind| message(table(text, &TableOptions { kind: Some(kind), ..options("y") }));
    let text = asked("a,y\n1,0.5\n2,1.5\n", TargetKind::Classes);
    assert!(
        text.contains("column `y`: expected classes, found numbers that are not whole; to predict a number"),
        "{text}"
    );
    let text = asked("a,y\n1,5\n2,low\n", TargetKind::Number);
    assert!(text.contains("line 3, column `y`: expected a number to be predicted, found `low`; texts are"), "{text}");
    let rows: String = (0..30).map(|i| format!("{},n{i}\n", i % 7)).collect();
    let text = message(table(format!("a,y\n{rows}"), &options("y")));
    assert!(text.contains("expected classes, found 30 different texts in 30 rows; is this the target?"), "{text}");
    let found = message(source(b"a,y\n1,0\n\xff,0\n"));
    assert!(found.contains("x.csv: line 3: expected UTF-8, found other bytes in field 0"), "{found}");
    let found = Table::open("none.csv", &options("y")).unwrap_err().to_string();
    assert!(found.starts_with("cannot open none.csv: "), "{found}");
    // The target of the training rows alone may be constant.
    let rows = source("a,y\n1,0.5\n2,0.5\n3,1.5\n").unwrap();
    let text = message(TableSpec::learn(&rows, &options("y"), Some(&[0, 1])));
    assert!(text.contains("the target `y` has one value in the training rows"), "{text}");
    let text = message(TableSpec::learn(&rows, &TableOptions { drop: vec!["y".into()], ..options("y") }, None));
    assert!(text.ends_with("`y` is to be predicted, so that it cannot be dropped"), "{text}");
    let text = message(TableSpec::learn(&rows, &TableOptions { only: vec!["b".into()], ..options("y") }, None));
    assert!(text.contains("expected one column `b`, found"), "{text}");
}

#[test]
fn quotes_marks_spaces_and_delimiters_are_read() {
    let read = |text: &str| {
        let table = table(text, &options("y")).unwrap();
        let ColumnSpec::Number { mean, std, .. } = &table.spec().columns[0] else { panic!("{text}") };
        let values: Vec<f32> = filled(&table).0.iter().map(|x| (f64::from(*x) * std + mean).round() as f32).collect();
        (values, table.spec().target.classes().to_vec(), table.labels().unwrap())
    };
    let strings = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
    let found = read("a,y\n1,\"x\"\n\"2\" ,\"two\nlines\"\r\n3,say \"\"\n4,\"\"\"so\"\" called\"");
    assert_eq!(found.0, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(found.1, ["\"so\" called", "say \"\"", "two\nlines", "x"]);
    let expected = (vec![2.0, -2000.0], strings(&["u", "v"]), vec![0, 1]);
    assert_eq!(read("\u{feff}a, y\r\n 2 ,u\r\n\r\n-2e3,v\r\n"), expected);
    for delimiter in [";", "\t", "|"] {
        assert_eq!(read(&"a,y\n2,u\n-2e3,v".replace(',', delimiter)), expected, "{delimiter:?}");
    }
    assert_eq!(read("\"a;b;c\",y\n2,u\n-2e3,v"), expected);
    // A column, a class and a category are the same in either normal form.
    let found = table("a,caf\u{e9}\n1,th\u{e9}\n2,the\u{301}\n3,x", &options("cafe\u{301}")).unwrap();
    assert_eq!(
        (found.labels().unwrap(), found.spec().target.classes()),
        (vec![0, 0, 1], &strings(&["th\u{e9}", "x"])[..])
    );
    let csv = CsvOptions { delimiter: Some(b'"'), header: true };
    let found = TableSource::open(data("flowers.csv"), csv).unwrap_err().to_string();
    assert_eq!(found, "csv: delimiter: expected no quote and no line end, found `\\\"`");
}

#[test]
fn a_spec_is_kept_and_encodes_new_rows() {
    let text = "age,town,y\n20,Bonn,1.5\n40.1,Rome,2.25\n,\"B \"\"x\"\"\",7\n";
    let spec = spec_of(text, &options("y"));
    let toml = toml::to_string(&spec).unwrap();
    assert!(toml.contains("[target]\nkind = \"number\"\nname = \"y\""), "{toml}");
    assert_eq!(toml::from_str::<TableSpec>(&toml).unwrap(), spec);
    assert_eq!(serde_json::from_str::<TableSpec>(&serde_json::to_string(&spec).unwrap()).unwrap(), spec);
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    let first = spec.encode(&names(&["town", "note", "age"]), &[["Rome", "-", "20"]]).unwrap();
    assert_eq!(first[1..], [0.0, 0.0, 0.0, 1.0]);
    // As the table encodes its own rows.
    let own = Table::new(source(text).unwrap(), spec.clone()).unwrap();
    assert_eq!(filled(&own).0[0], first[0]);
    // A file without the target has no field for it; its columns may be in another order.
    let new = Table::new(source("town,age\nRome,20\n").unwrap(), spec.clone()).unwrap();
    assert_eq!((filled(&new).0, new.fields().len()), (first, 1));
    let error = |columns: &[&str], row: &[&str]| spec.encode(&names(columns), &[row]).unwrap_err().to_string();
    assert_eq!(
        error(&["town"], &["Rome"]),
        "rows: columns: expected the column `age`, which the model was trained on, found `town`"
    );
    assert_eq!(error(&["town", "age"], &["Rome"]), "rows: row 0: expected 2 cells, found 1");
    assert_eq!(error(&["town", "age"], &["Rome", "old"]), "rows: row 0, column `age`: expected a number, found `old`");
    assert!(error(&["town", "age"], &["Rome", "inf"]).contains("expected a finite number, found inf"));
    // A class that the model does not know.
    let spec = spec_of("a,y\n1,u\n2,v\n", &options("y"));
    let other = Table::new(source("a,y\n1,u\n2,w\n").unwrap(), spec).unwrap();
    assert_eq!(
        other.labels().unwrap_err().to_string(),
        "x.csv: line 3, column `y`: expected one of the classes `u`, `v`, found `w`"
    );
}

#[test]
fn rows_are_read_wherever_they_are_in_the_file() {
    // More rows than a pass reads at a time, of different lengths, some of several lines.
    let rows: String = (0..10_000)
        .map(|i| format!("{}{},\"{}\",{}\n", "0".repeat(0), i, "a\n".repeat(i % 3), ["u", "v", "w"][i % 3]))
        .collect();
    let text = format!("x,t,y\n{rows}");
    let chosen = TableOptions { only: vec!["x".into()], ..options("y") };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    fs::write(&path, &text).unwrap();
    let table = Table::open(&path, &chosen).unwrap();
    assert_eq!((table.len(), table.labels().unwrap()), (10_000, (0..10_000).map(|i| i % 3).collect()));
    let ColumnSpec::Number { mean, std, .. } = table.spec().columns[0] else { panic!("a number") };
    assert_eq!(mean, 4999.5);
    let mut batch = Batch::default();
    let picked = [9_999, 0, 1, 2, 4095, 4096, 7, 7];
    batch.clear(picked.len());
    table.fill(0, &picked, &mut batch).unwrap();
    let HostData::F32(values) = &batch.field("inputs").unwrap().data else { panic!("f32") };
    let found: Vec<usize> = values.iter().map(|x| (f64::from(*x) * std + mean).round() as usize).collect();
    assert_eq!(found, picked);
    // An error when rows are no longer where they were, whether the file is shorter or holds others.
    let other = text.replacen("9999,", "99990", 1);
    assert_eq!(other.len(), text.len());
    fs::write(&path, other).unwrap();
    let found = table.fill(0, &picked, &mut batch).unwrap_err().to_string();
    assert!(found.ends_with("x.csv: file: has changed since it was opened: its rows are elsewhere"), "{found}");
    fs::write(&path, &text[..1000]).unwrap();
    let found = table.fill(0, &picked, &mut batch).unwrap_err().to_string();
    assert!(found.ends_with("x.csv: file: has changed since it was opened: its rows are elsewhere"), "{found}");
}

#[test]
fn the_checksum_is_the_files() {
    let sum = "ce51e50b122dbb750d99e44ef3a339d086e39528195dbbfa6087ac21082661c2";
    assert_eq!(source("a,y\n1,u\n2,v\n").unwrap().checksum(), sum);
    assert_ne!(source("a,y\n1,u\n2,w\n").unwrap().checksum(), sum);
    // What is read again and again is hashed once.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("x"), "a,y\n1,u\n2,v\n").unwrap();
    assert_eq!(TableSource::open(dir.path().join("x"), CsvOptions::default()).unwrap().checksum(), sum);
}

/// The errors are those of files, so that a command can tell them from those of arguments.
#[test]
fn errors_of_a_file_name_it() {
    assert!(matches!(source("a,y\n1,0\n1\n"), Err(Error::Format { .. })));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        keep in 0_usize..1000,
        changes in prop::collection::vec((0_usize..1000, any::<u8>()), 0..4),
        header in any::<bool>(),
    ) {
        let bytes = changed(&fs::read(data("flowers.csv")).unwrap(), keep, &changes);
        let csv = CsvOptions { delimiter: None, header };
        let Ok(source) = TableSource::from_bytes(bytes, "x.csv", csv) else { return Ok(()) };
        let target = source.columns().last().unwrap().clone();
        if let Ok(spec) = TableSpec::learn(&source, &options(&target), None) {
            let table = Table::new(source, spec).unwrap();
            prop_assert!(filled(&table).0.iter().all(|value| value.is_finite()));
        }
    }
}
