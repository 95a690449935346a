//! Tables as people have them: numbers, categories, missing values, a target.

mod cell;
#[cfg(feature = "csv")]
mod csv;
mod encode;
mod learn;
#[cfg(feature = "parquet")]
mod parquet;
mod ratings;
mod series;
mod source;
mod spec;
mod survey;

pub use learn::{TableOptions, TargetKind};
pub use series::{Gaps, SeriesOptions};
pub use source::{CsvOptions, TableSource};
pub use spec::{ColumnSpec, LeftOut, TableSpec, TargetSpec};

use crate::{Batch, Dataset, FieldSpec};
use crate::{Error, Result, split};
use encode::Encoder;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use taper_backend::DType;

/// The rows of a table as samples. They are read and encoded when a batch asks for them.
///
/// The fields of a batch are `inputs`, f32 `[N, F]`, and `labels`, i64 `[N]`, or, where a number is to be predicted,
/// `targets`, f32 `[N, 1]`, standardised by the mean and the deviation in the [`TableSpec`]. A table without the target's
/// column, of rows that are to be predicted, has `inputs` alone.
///
/// ```
/// use taper_data::{Table, TableOptions};
///
/// # fn main() -> taper_data::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("flowers.csv");
/// # let rows: String = (0..30).map(|i| format!("{}.5,{},{}\n", i % 7, i % 5, ["lily", "daisy", "rose"][i % 3])).collect();
/// # std::fs::write(&path, format!("width,height,species\n{rows}")).unwrap();
/// // Numbers are standardised by the rows that are learned from, and no others.
/// let (train, test) = Table::open_split(&path, &TableOptions::new("species"), 0.2, 0)?;
/// assert_eq!(train.spec().target.classes(), ["daisy", "lily", "rose"]);
/// assert_eq!((train.len(), test.len(), train.spec().features().len()), (24, 6, 2));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Table {
    shared: Arc<Shared>,
    /// The rows that are part of this set; all with `None`.
    rows: Option<Vec<usize>>,
}

struct Shared {
    source: TableSource,
    spec: TableSpec,
    encoder: Encoder,
}

impl Table {
    /// All rows of `source`, encoded as `spec` says.
    ///
    /// # Errors
    /// When a column that the spec needs is missing.
    pub fn new(source: TableSource, spec: TableSpec) -> Result<Self> {
        let encoder = Encoder::new(&spec, &source.columns, &source.path)?;
        Ok(Self { shared: Arc::new(Shared { source, spec, encoder }), rows: None })
    }

    /// The table in the CSV or Parquet file at `path`, with a [`TableSpec`] that is learned from all its rows.
    ///
    /// # Errors
    /// As [`TableSource::open`] and [`TableSpec::learn`].
    pub fn open(path: impl AsRef<Path>, options: &TableOptions) -> Result<Self> {
        let source = TableSource::open(path, CsvOptions::default())?;
        let spec = TableSpec::learn(&source, options, None)?;
        Self::new(source, spec)
    }

    /// The training split and the held-out split of the table in the CSV or Parquet file at `path`. The held-out split has
    /// `fraction` of the rows, drawn with `seed`; of classes the same part of each: see [`split()`]. The [`TableSpec`] is learned
    /// from the training split alone.
    ///
    /// # Errors
    /// As [`TableSource::open`] and [`TableSpec::learn`], and when `fraction` is not at least 0 and below 1.
    pub fn open_split(
        path: impl AsRef<Path>,
        options: &TableOptions,
        fraction: f64,
        seed: u64,
    ) -> Result<(Self, Self)> {
        let source = TableSource::open(path, CsvOptions::default())?;
        let (train, held_out) = split(&source.strata(options)?, fraction, seed)?;
        let spec = TableSpec::learn(&source, options, Some(&train))?;
        let all = Self::new(source, spec)?;
        Ok((all.subset(&train)?, all.subset(&held_out)?))
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.shared.source.len(), Vec::len)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How rows become numbers.
    pub fn spec(&self) -> &TableSpec {
        &self.shared.spec
    }

    /// The file.
    pub fn source(&self) -> &TableSource {
        &self.shared.source
    }

    /// The label of each row, `[N]`; 0 everywhere if a number is to be predicted, or there is no target.
    ///
    /// # Errors
    /// When the file cannot be read, or a row has none of the classes.
    pub fn labels(&self) -> Result<Vec<i64>> {
        let Shared { source, encoder, .. } = &*self.shared;
        let mut labels = Vec::with_capacity(self.len());
        source.scan(self.rows.as_deref(), &mut |row, cells| {
            labels.push(encoder.label(cells, &|column, detail| source.wrong(row, column, detail))?);
            Ok(())
        })?;
        Ok(labels)
    }

    /// The table of the rows at `indices`, in that order, encoded in the same way.
    ///
    /// # Errors
    /// When an index is past the end.
    pub fn subset(&self, indices: &[usize]) -> Result<Self> {
        let rows = indices.iter().map(|&index| self.row(index)).collect::<Result<_>>()?;
        Ok(Self { shared: self.shared.clone(), rows: Some(rows) })
    }

    /// Splits into a training split and a held-out split, which has `fraction` of the rows, drawn with `seed`; of classes the
    /// same part of each: see [`split()`]. Both are encoded as this table is.
    ///
    /// # Errors
    /// When `fraction` is not at least 0 and below 1, and as [`labels`](Self::labels).
    pub fn split_off(&self, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let (train, held_out) = split(&self.labels()?, fraction, seed)?;
        Ok((self.subset(&train)?, self.subset(&held_out)?))
    }

    /// The row in the file of the sample `index`.
    fn row(&self, index: usize) -> Result<usize> {
        let row = match &self.rows {
            Some(rows) => rows.get(index).copied(),
            None => Some(index).filter(|&row| row < self.shared.source.len()),
        };
        row.ok_or_else(|| {
            Error::Argument(format!("table: index {index} is past the end: there are {} rows", self.len()))
        })
    }
}

/// Writes the numbers of rows, features and classes.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} rows of {} features", self.len(), self.spec().width())?;
        match &self.spec().target {
            TargetSpec::Classes { classes, .. } => write!(f, ", {} classes)", classes.len()),
            TargetSpec::Number { name, .. } => write!(f, ", the number {name:?})"),
        }
    }
}

impl Dataset for Table {
    fn len(&self) -> usize {
        self.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        let mut fields = vec![FieldSpec::new("inputs", DType::F32, &[self.spec().width()])];
        if self.shared.encoder.has_target() {
            fields.push(match self.spec().target {
                TargetSpec::Classes { .. } => FieldSpec::new("labels", DType::I64, &[]),
                TargetSpec::Number { .. } => FieldSpec::new("targets", DType::F32, &[1]),
            });
        }
        fields
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let Shared { source, spec, encoder } = &*self.shared;
        let (n, width) = (indices.len(), encoder.width());
        let rows = indices.iter().map(|&index| self.row(index)).collect::<Result<Vec<_>>>()?;
        let classes = matches!(spec.target, TargetSpec::Classes { .. });
        let (mut labels, mut targets) = (Vec::new(), Vec::new());
        let inputs = batch.f32("inputs", &[n, width]);
        source.read(&rows, &mut |i, cells| {
            let wrong = |column: usize, detail: String| source.wrong(rows[i], column, detail);
            encoder.encode(cells, &mut inputs[i * width..(i + 1) * width], &wrong)?;
            match (encoder.has_target(), classes) {
                (false, _) => {}
                (true, true) => labels.push(encoder.label(cells, &wrong)?),
                (true, false) => targets.push(encoder.number(cells, &wrong)?),
            }
            Ok(())
        })?;
        match (encoder.has_target(), classes) {
            (false, _) => {}
            (true, true) => batch.i64("labels", &[n]).copy_from_slice(&labels),
            (true, false) => batch.f32("targets", &[n, 1]).copy_from_slice(&targets),
        }
        Ok(())
    }
}

/// The SHA-256 of what `source` has left, in hexadecimal.
#[cfg(feature = "parquet")]
fn checksum(source: &mut impl std::io::Read) -> std::io::Result<String> {
    use sha2::{Digest, Sha256};
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(crate::image::hex(&hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}
