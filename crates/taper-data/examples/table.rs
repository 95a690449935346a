//! Prints what becomes of the columns of a CSV or Parquet file:
//!
//!     cargo run --example table --features csv -- people.csv income name,born
//!
//! The second argument is the column that is to be predicted; the third lists columns that are no features.

use std::error::Error;
use taper_data::{ColumnSpec, CsvOptions, TableOptions, TableSource, TableSpec, TargetSpec};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err("expected a file and the name of its target column".into());
    };
    let drop = arguments.next().unwrap_or_default();
    let drop = drop.split(',').filter(|name| !name.is_empty()).map(String::from).collect();
    let source = TableSource::open(&path, CsvOptions::default())?;
    println!("{path}: {} rows of {} columns, sha256 {}", source.len(), source.columns().len(), source.checksum());
    let spec = TableSpec::learn(&source, &TableOptions { drop, ..TableOptions::new(target) }, None)?;
    for column in &spec.columns {
        match column {
            ColumnSpec::Number { name, mean, std, missing } => {
                println!("  {name}: a number, mean {mean:.4}, deviation {std:.4}{}", marked(*missing));
            }
            ColumnSpec::Category { name, values, missing } => {
                println!("  {name}: one of {} categories{}: {}", values.len(), marked(*missing), values.join(", "));
            }
        }
    }
    for left_out in &spec.left_out {
        println!("  {}: left out: {}", left_out.name, left_out.reason);
    }
    match &spec.target {
        TargetSpec::Classes { name, classes } => println!("to predict: {name}, one of {}", classes.join(", ")),
        TargetSpec::Number { name, mean, std } => println!("to predict: {name}, mean {mean:.4}, deviation {std:.4}"),
    }
    println!("{} features", spec.width());
    Ok(())
}

fn marked(missing: bool) -> &'static str {
    if missing { ", with missing ones" } else { "" }
}
