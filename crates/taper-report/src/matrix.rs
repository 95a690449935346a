//! Counts in named rows and columns, such as a confusion matrix, and their heat map.

use crate::canvas::{Canvas, Colour, text_width};
use crate::{Error, Picture, Result, font};
use std::fmt;

const BLACK: Colour = [20, 20, 20];
const GREY: Colour = [175, 175, 175];
const WHITE: Colour = [255, 255, 255];
const LINE: Colour = [222, 222, 222];
/// The colours of correct predictions (on the diagonal) and of wrong ones.
const RIGHT: Colour = [8, 81, 156];
const WRONG: Colour = [203, 67, 20];
/// With more classes the cells are too small for counts, and only have a colour.
const MOST_NUMBERS: usize = 40;
const LONGEST_NAME: usize = 20;

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
        self.row(row).iter().sum()
    }

    /// The sum of a column.
    pub fn column_total(&self, column: usize) -> u64 {
        (0..self.rows.len()).map(|row| self.count(row, column)).sum()
    }

    /// The sum of all counts.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
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
        self.counts[row * columns + column] += count;
        Ok(())
    }

    /// Whether rows and columns are the same, so that the diagonal holds what was right.
    pub fn is_square(&self) -> bool {
        self.rows == self.columns
    }

    /// The matrix as a heat map, for [`EventWriter::image`](crate::tensorboard::EventWriter::image). The colour of a cell
    /// shows the square root of its share of the row, so that the few errors of a good model are visible; its number is
    /// the count. If rows and columns are the same, what is off the diagonal has another colour. Names are cut at 20
    /// characters, and characters that are not ASCII are drawn as `?`.
    pub fn picture(&self) -> Picture {
        let cut = |names: &[String]| names.iter().map(|name| name.chars().take(LONGEST_NAME).collect()).collect();
        let (rows, columns): (Vec<String>, Vec<String>) = (cut(&self.rows), cut(&self.columns));
        let most = rows.len().max(columns.len());
        let scale = if most <= 20 { 2 } else { 1 };
        let line_height = font::HEIGHT * scale;
        let margin = 4 * scale;
        let numbers = most <= MOST_NUMBERS;
        let widest = self.counts.iter().map(|count| text_width(&count.to_string(), scale)).max().unwrap_or(0);
        // The line between two cells belongs to the second.
        let cell = if numbers { widest.max(2 * line_height) + 2 * margin } else { line_height + 2 } + 1;
        let longest = |names: &[String]| names.iter().map(|name| text_width(name, scale)).max().unwrap_or(0);
        // The positions along each direction: title, names, cells.
        let before = 3 * margin + line_height;
        let (top, left) = (before + longest(&columns), before + longest(&rows));
        let (bottom, right) = (top + rows.len() * cell + 1, left + columns.len() * cell + 1);
        let [down, across] = self.titles();
        let (down_length, across_length) = (text_width(down, scale), text_width(across, scale));
        // The titles may be longer than a few cells.
        let mut canvas = Canvas::new(bottom.max(top + down_length) + margin, right.max(left + across_length) + margin);
        canvas.text(margin, left + (right - left).saturating_sub(across_length) / 2, scale, across, BLACK);
        canvas.text_up(top + (bottom - top).saturating_sub(down_length) / 2 + down_length, margin, scale, down, BLACK);

        canvas.fill(top, left, bottom - top, right - left, LINE);
        let inside = |start: usize| start + (cell - 1).saturating_sub(line_height) / 2;
        for (column, name) in columns.iter().enumerate() {
            canvas.text_up(top - margin, inside(left + column * cell + 1), scale, name, BLACK);
        }
        for (row, name) in rows.iter().enumerate() {
            let y = top + row * cell + 1;
            canvas.text(inside(y), left - margin - text_width(name, scale), scale, name, BLACK);
            let total = self.row_total(row);
            for (column, &count) in self.row(row).iter().enumerate() {
                let x = left + column * cell + 1;
                let share = if total == 0 { 0.0 } else { count as f64 / total as f64 };
                let wrong = self.is_square() && row != column;
                let colour = blend(if wrong { WRONG } else { RIGHT }, share.sqrt());
                canvas.fill(y, x, cell - 1, cell - 1, colour);
                if numbers {
                    let text = count.to_string();
                    let x = x + (cell - 1 - text_width(&text, scale)) / 2;
                    canvas.text(inside(y), x, scale, &text, if count == 0 { GREY } else { readable_on(colour) });
                }
            }
        }
        canvas.into_picture()
    }
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

/// White mixed with `share` of `colour`.
fn blend(colour: Colour, share: f64) -> Colour {
    colour.map(|value| (255.0 + (f64::from(value) - 255.0) * share).round() as u8)
}

/// The text colour that is readable on this one: black or white, by luminance (ITU-R BT.601).
fn readable_on([red, green, blue]: Colour) -> Colour {
    let luminance = (299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue)) / 1000;
    if luminance > 140 { BLACK } else { WHITE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cells_colour_is_its_share_of_the_row() {
        let picture = Matrix::confusion(["a", "b", "c"], vec![3, 1, 0, 0, 2, 0, 0, 0, 0]).unwrap().picture();
        let [_, height, width] = picture.shape();
        let plane = height * width;
        let pixel = |y: usize, x: usize| [0, 1, 2].map(|channel| picture.values()[channel * plane + y * width + x]);
        // Names of 10 pixels, a title of 14, three margins of 8; cells of 45 pixels, whose corners the numbers do not
        // reach.
        let (start, cell) = (48, 45);
        let corner = |row: usize, column: usize| pixel(start + row * cell + 2, start + column * cell + 2);
        assert_eq!(corner(0, 0), blend(RIGHT, 0.75_f64.sqrt()));
        assert_eq!(corner(0, 1), blend(WRONG, 0.5));
        assert_eq!(corner(1, 1), RIGHT);
        assert_eq!(corner(2, 2), WHITE, "a class that does not occur");
        assert_eq!(readable_on(RIGHT), WHITE);
        assert_eq!(readable_on(blend(WRONG, 0.2)), BLACK);
    }

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
        // Nothing is on a diagonal: all have the colour of what is right.
        let picture = matrix.picture();
        let [_, height, width] = picture.shape();
        let has = |colour: Colour| {
            let channel = |c: usize| &picture.values()[c * height * width..][..height * width];
            (0..height * width).any(|at| [0, 1, 2].map(|c| channel(c)[at]) == colour)
        };
        assert!(has(blend(RIGHT, 0.5)) && has(blend(RIGHT, 0.75_f64.sqrt())) && !has(blend(WRONG, 0.5)));
        assert!(width > height + 100, "{width} × {height}");

        let told = matrix.add(1, 0, 1).unwrap_err().to_string();
        assert_eq!(told, "matrix: expected a row below 1 and a column below 3, found 1 and 0");
        assert_eq!((matrix.count(1, 0), matrix.row_total(7)), (0, 0));
        let told = Matrix::new(rows, columns, vec![1, 2]).unwrap_err().to_string();
        assert_eq!(told, "matrix: expected 1 × 3 counts, one for each row and column, found 2");
        let none = Matrix::new(vec![], vec![], vec![]).unwrap();
        assert_eq!((none.picture().shape()[0], none.to_string()), (3, String::new()));
    }

    #[test]
    fn any_number_of_classes_has_a_picture() {
        for classes in [1, 2, 21, 41, 120] {
            let names = vec!["a name that is much too long to be shown, é"; classes];
            let matrix = Matrix::confusion(names, vec![1; classes * classes]).unwrap();
            let [_, height, width] = matrix.picture().shape();
            assert!(height.max(width) < 1600, "{classes}: {height} x {width}");
        }
    }
}
