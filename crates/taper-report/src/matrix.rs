//! Counts in named rows and columns, such as a confusion matrix.

use crate::{Error, Picture, Result, heat};
use std::fmt;

/// Counts in named rows and columns. A confusion matrix has a row for each true class and a column for each predicted
/// one.
///
/// ```
/// use taper_report::Matrix;
/// let matrix = Matrix::confusion(["cat", "dog"], vec![30, 10, 5, 55])?;
/// assert_eq!((matrix.count(0, 1), matrix.row_total(0), matrix.column_total(0)), (10, 40, 35));
/// # Ok::<(), taper_report::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix {
    titles: [String; 2],
    rows: Vec<String>,
    columns: Vec<String>,
    counts: Vec<u64>,
}

impl Matrix {
    /// The matrix of `counts: [rows, columns]`, row-major.
    ///
    /// # Errors
    /// Another number of counts than there are rows times columns.
    pub fn new(rows: Vec<String>, columns: Vec<String>, counts: Vec<u64>) -> Result<Self> {
        if rows.len().checked_mul(columns.len()) != Some(counts.len()) {
            let (rows, columns, found) = (rows.len(), columns.len(), counts.len());
            let detail =
                format!("matrix: expected {rows} × {columns} counts, one for each row and column, found {found}");
            return Err(Error::Argument(detail));
        }
        Ok(Self { titles: [String::new(), String::new()], rows, columns, counts })
    }

    /// The confusion matrix whose counts are `counts: [classes, classes]`, row-major: a row for each true class, a column
    /// for each predicted one.
    ///
    /// # Errors
    /// Another number of counts than the square of the number of classes.
    pub fn confusion<S: Into<String>>(classes: impl IntoIterator<Item = S>, counts: Vec<u64>) -> Result<Self> {
        let classes: Vec<String> = classes.into_iter().map(Into::into).collect();
        Ok(Self::new(classes.clone(), classes, counts)?.titled("true", "predicted"))
    }

    /// With what the rows and the columns are: `true`, `predicted`.
    #[must_use]
    pub fn titled(self, rows: impl Into<String>, columns: impl Into<String>) -> Self {
        Self { titles: [rows.into(), columns.into()], ..self }
    }

    /// The same counts, with `name(i)` for row `i` and for column `i`.
    #[must_use]
    pub fn named(&self, name: impl Fn(usize) -> String) -> Self {
        let names = |of: &[String]| (0..of.len()).map(&name).collect();
        Self { rows: names(&self.rows), columns: names(&self.columns), ..self.clone() }
    }

    /// What the rows and the columns are.
    pub fn titles(&self) -> [&str; 2] {
        self.titles.each_ref().map(String::as_str)
    }

    /// The rows' names.
    pub fn rows(&self) -> &[String] {
        &self.rows
    }

    /// The columns' names.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The counts, row-major.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The count in this row and column; 0 for those out of range.
    pub fn count(&self, row: usize, column: usize) -> u64 {
        self.row(row).get(column).copied().unwrap_or(0)
    }

    /// The counts of a row; none for one out of range.
    pub fn row(&self, row: usize) -> &[u64] {
        self.counts.chunks(self.columns.len().max(1)).nth(row).unwrap_or_default()
    }

    /// The sum of a row.
    pub fn row_total(&self, row: usize) -> u64 {
        sum(self.row(row).iter().copied())
    }

    /// The sum of a column.
    pub fn column_total(&self, column: usize) -> u64 {
        sum((0..self.rows.len()).map(|row| self.count(row, column)))
    }

    /// The sum of all counts.
    pub fn total(&self) -> u64 {
        sum(self.counts.iter().copied())
    }

    /// Adds to the count in this row and column.
    ///
    /// # Errors
    /// A row or column out of range; then nothing is added.
    pub fn add(&mut self, row: usize, column: usize, count: u64) -> Result<()> {
        let [rows, columns] = [self.rows.len(), self.columns.len()];
        if row >= rows || column >= columns {
            let detail = format!("expected a row below {rows} and a column below {columns}, found {row} and {column}");
            return Err(Error::Argument(format!("matrix: {detail}")));
        }
        let cell = &mut self.counts[row * columns + column];
        *cell = cell.saturating_add(count);
        Ok(())
    }

    /// Whether rows and columns are the same, so that the diagonal holds what was right.
    pub fn is_square(&self) -> bool {
        self.rows == self.columns
    }

    /// The matrix as a heat map, for [`EventWriter::image`](crate::tensorboard::EventWriter::image). The colour of a cell
    /// shows the square root of its share of the row, so that the few errors of a good model are visible; its number is
    /// the count. If rows and columns are the same, what is off the diagonal has another colour. Names are cut at 20
    /// characters, and characters that are not ASCII are drawn as `?`. With more than 40 rows or columns there are no
    /// numbers, with more than 150 no names; with more than 1500, neighbours share a pixel.
    pub fn picture(&self) -> Picture {
        heat::picture(self)
    }
}

/// The sum, which ends at the largest number.
fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// A text table, with what the rows and the columns are in its corner: `true \\ predicted`.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |text: &String| text.chars().count();
        let corner = match self.titles() {
            ["", ""] => String::new(),
            [rows, columns] => format!("{rows} \\ {columns}"),
        };
        let left = self.rows.iter().map(length).chain([length(&corner)]).max().unwrap_or(0);
        let widest = self.counts.iter().max().map_or(0, |count| count.to_string().len());
        let width = self.columns.iter().map(length).max().unwrap_or(0).max(widest);
        write!(f, "{corner:>left$}")?;
        self.columns.iter().try_for_each(|name| write!(f, "  {name:>width$}"))?;
        for (row, name) in self.rows.iter().enumerate() {
            write!(f, "\n{name:>left$}")?;
            self.row(row).iter().try_for_each(|count| write!(f, "  {count:>width$}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_may_differ() {
        let [rows, columns] = [vec!["Monday".to_string()], vec!["rain".to_string(), "sun".into(), "wind".into()]];
        let mut matrix = Matrix::new(rows.clone(), columns.clone(), vec![0; 3]).unwrap().titled("day", "weather");
        matrix.add(0, 2, 12).unwrap();
        matrix.add(0, 0, 4).unwrap();
        assert_eq!(
            (matrix.row_total(0), matrix.column_total(2), matrix.total(), matrix.is_square()),
            (16, 12, 16, false)
        );
        assert_eq!(matrix.to_string(), "day \\ weather  rain   sun  wind\n       Monday     4     0    12");
        matrix.add(0, 1, u64::MAX).unwrap();
        matrix.add(0, 1, 5).unwrap();
        assert_eq!(matrix.count(0, 1), u64::MAX);
        assert_eq!((matrix.row_total(0), matrix.total()), (u64::MAX, u64::MAX));
        let told = matrix.add(1, 0, 1).unwrap_err().to_string();
        assert_eq!(told, "matrix: expected a row below 1 and a column below 3, found 1 and 0");
        assert_eq!((matrix.count(1, 0), matrix.row_total(7)), (0, 0));
        let told = Matrix::new(rows, columns, vec![1, 2]).unwrap_err().to_string();
        assert_eq!(told, "matrix: expected 1 × 3 counts, one for each row and column, found 2");
        let none = Matrix::new(vec![], vec![], vec![]).unwrap();
        assert_eq!(none.to_string(), "");
    }
}
