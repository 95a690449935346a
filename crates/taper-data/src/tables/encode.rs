//! From the cells of a row to its features.

use super::cell::Cell;
use super::spec::{ColumnSpec, TableSpec, TargetSpec};
use crate::formats::text::{listed, normal, same, shortened};
use crate::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// A [`TableSpec`] applied to a table of given columns.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    columns: Vec<Column>,
    width: usize,
    target: Option<(usize, Target)>,
}

/// A column of the table: its place, and how it becomes features.
#[derive(Debug, Clone)]
struct Column {
    place: usize,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Number { mean: f64, std: f64, missing: bool },
    Category { numbers: HashMap<String, usize>, missing: bool },
}

#[derive(Debug, Clone)]
enum Target {
    Classes { numbers: HashMap<String, i64>, names: Vec<String> },
    Number { mean: f64, std: f64 },
}

/// The error of what is wrong with the cell of a column.
type Wrong<'a> = &'a dyn Fn(usize, String) -> Error;

impl Encoder {
    /// The encoder of tables of these `columns`. `path` is named in errors.
    pub fn new(spec: &TableSpec, columns: &[String], path: &Path) -> Result<Self> {
        let find = |name: &str| columns.iter().position(|column| same(column, name));
        let column = |spec: &ColumnSpec| {
            let place = find(spec.name()).ok_or_else(|| {
                let (name, found) = (spec.name(), listed(columns));
                Error::format(
                    path,
                    "columns",
                    format!("expected the column `{name}`, which the model was trained on, found {found}"),
                )
            })?;
            let kind = match spec {
                ColumnSpec::Number { mean, std, missing, .. } => {
                    Kind::Number { mean: *mean, std: if *std == 0.0 { 1.0 } else { *std }, missing: *missing }
                }
                ColumnSpec::Category { values, missing, .. } => Kind::Category {
                    numbers: values.iter().map(|value| normal(value).into_owned()).zip(0..).collect(),
                    missing: *missing,
                },
            };
            Ok(Column { place, kind })
        };
        let target = find(spec.target.name()).map(|place| {
            let target = match &spec.target {
                TargetSpec::Classes { classes, .. } => Target::Classes {
                    numbers: classes.iter().map(|class| normal(class).into_owned()).zip(0..).collect(),
                    names: classes.clone(),
                },
                TargetSpec::Number { mean, std, .. } => {
                    Target::Number { mean: *mean, std: if *std == 0.0 { 1.0 } else { *std } }
                }
            };
            (place, target)
        });
        let columns = spec.columns.iter().map(column).collect::<Result<_>>()?;
        Ok(Self { columns, width: spec.width(), target })
    }

    /// The number of features.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether the table has the target's column.
    pub fn has_target(&self) -> bool {
        self.target.is_some()
    }

    /// Writes the features of the row `cells` to `out`.
    pub fn encode(&self, cells: &[Cell<'_>], out: &mut [f32], wrong: Wrong<'_>) -> Result<()> {
        out.fill(0.0);
        let mut at = 0;
        for column in &self.columns {
            let cell = cells[column.place];
            match &column.kind {
                Kind::Number { mean, std, missing } => {
                    if cell != Cell::Missing {
                        out[at] = standardized(cell, *mean, *std, "number", &|detail| wrong(column.place, detail))?;
                    } else if *missing {
                        out[at + 1] = 1.0;
                    }
                    at += 1 + usize::from(*missing);
                }
                Kind::Category { numbers, missing } => {
                    let number = if cell == Cell::Missing { None } else { numbers.get(&*cell.text()) };
                    match number {
                        Some(number) => out[at + number] = 1.0,
                        None if *missing => out[at + numbers.len()] = 1.0,
                        None => {}
                    }
                    at += numbers.len() + usize::from(*missing);
                }
            }
        }
        Ok(())
    }

    /// The label of the row `cells`.
    pub fn label(&self, cells: &[Cell<'_>], wrong: Wrong<'_>) -> Result<i64> {
        let Some((place, Target::Classes { numbers, names })) = &self.target else { return Ok(0) };
        let cell = cells[*place];
        if cell == Cell::Missing {
            return Err(wrong(*place, missing_target("a class")));
        }
        numbers.get(&*cell.text()).copied().ok_or_else(|| {
            let (known, found) = (listed(names), cell.text());
            wrong(*place, format!("expected one of the classes {known}, found `{}`", shortened(&found)))
        })
    }

    /// The standardised target of the row `cells`.
    pub fn number(&self, cells: &[Cell<'_>], wrong: Wrong<'_>) -> Result<f32> {
        let Some((place, Target::Number { mean, std })) = &self.target else { return Ok(0.0) };
        if cells[*place] == Cell::Missing {
            return Err(wrong(*place, missing_target("a number")));
        }
        standardized(cells[*place], *mean, *std, "number", &|detail| wrong(*place, detail))
    }
}

/// What is said of a row whose target is missing.
pub(super) fn missing_target(expected: &str) -> String {
    format!("the target is missing; expected {expected}: leave rows without it out of the file")
}

/// (x − mean) / std, which must be finite.
fn standardized(cell: Cell<'_>, mean: f64, std: f64, expected: &str, wrong: &dyn Fn(String) -> Error) -> Result<f32> {
    let Some(value) = cell.number() else {
        return Err(wrong(format!("expected a {expected}, found `{}`", shortened(&cell.text()))));
    };
    let found = ((value - mean) / std) as f32;
    if found.is_finite() {
        return Ok(found);
    }
    Err(wrong(format!("expected a finite number, found {value} (standardised: {found})")))
}
