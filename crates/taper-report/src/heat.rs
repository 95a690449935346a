//! A matrix of counts as a heat map.

use crate::canvas::{Canvas, Colour, text_width};
use crate::{Matrix, Picture, font};

const BLACK: Colour = [20, 20, 20];
const GREY: Colour = [175, 175, 175];
const WHITE: Colour = [255, 255, 255];
const LINE: Colour = [222, 222, 222];
/// The colours of correct predictions (on the diagonal) and of wrong ones.
const RIGHT: Colour = [8, 81, 156];
const WRONG: Colour = [203, 67, 20];
/// With more rows or columns the cells are too small for counts, and only have a colour.
const MOST_NUMBERS: usize = 40;
/// With more the picture would be too large with their names.
const MOST_NAMES: usize = 150;
/// The largest height and width of all cells without names.
const LARGEST: usize = 1500;
const LONGEST_NAME: usize = 20;

/// See [`Matrix::picture`].
pub(crate) fn picture(matrix: &Matrix) -> Picture {
    match matrix.rows().len().max(matrix.columns().len()) {
        most if most > MOST_NAMES => plain(matrix, most),
        most => named(matrix, most),
    }
}

fn cut(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.chars().take(LONGEST_NAME).collect()).collect()
}

/// The place of all cells, in pixels.
struct Area {
    top: usize,
    left: usize,
    bottom: usize,
    right: usize,
}

/// A canvas with the titles of the matrix, and room for the cells.
fn canvas(matrix: &Matrix, scale: usize, area: &Area) -> Canvas {
    let &Area { top, left, bottom, right } = area;
    let margin = 4 * scale;
    let [down, across] = matrix.titles().map(|title| title.chars().take(LONGEST_NAME).collect::<String>());
    let [down_length, across_length] = [&down, &across].map(|title| text_width(title, scale));
    // The titles may be longer than a few cells.
    let mut canvas = Canvas::new(bottom.max(top + down_length) + margin, right.max(left + across_length) + margin);
    canvas.text(margin, left + (right - left).saturating_sub(across_length) / 2, scale, &across, BLACK);
    canvas.text_up(top + (bottom - top).saturating_sub(down_length) / 2 + down_length, margin, scale, &down, BLACK);
    canvas.fill(top, left, bottom - top, right - left, LINE);
    canvas
}

/// With names, and with numbers if there are few.
fn named(matrix: &Matrix, most: usize) -> Picture {
    let (rows, columns) = (cut(matrix.rows()), cut(matrix.columns()));
    let scale = if most <= 20 { 2 } else { 1 };
    let line_height = font::HEIGHT * scale;
    let margin = 4 * scale;
    let numbers = most <= MOST_NUMBERS;
    let widest = matrix.counts().iter().map(|count| text_width(&count.to_string(), scale)).max().unwrap_or(0);
    // The line between two cells belongs to the second.
    let cell = if numbers { widest.max(2 * line_height) + 2 * margin } else { line_height + 2 } + 1;
    let longest = |names: &[String]| names.iter().map(|name| text_width(name, scale)).max().unwrap_or(0);
    // The positions along each direction: title, names, cells.
    let before = 3 * margin + line_height;
    let (top, left) = (before + longest(&columns), before + longest(&rows));
    let area = Area { top, left, bottom: top + rows.len() * cell + 1, right: left + columns.len() * cell + 1 };
    let mut canvas = canvas(matrix, scale, &area);

    let inside = |start: usize| start + (cell - 1).saturating_sub(line_height) / 2;
    for (column, name) in columns.iter().enumerate() {
        canvas.text_up(top - margin, inside(left + column * cell + 1), scale, name, BLACK);
    }
    let square = matrix.is_square();
    for (row, name) in rows.iter().enumerate() {
        let y = top + row * cell + 1;
        canvas.text(inside(y), left - margin - text_width(name, scale), scale, name, BLACK);
        let total = matrix.row_total(row);
        for (column, &count) in matrix.row(row).iter().enumerate() {
            let x = left + column * cell + 1;
            let colour = shade(count, total, square && row != column);
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

/// Cells alone, of as many pixels as there is room for. Of very many, neighbours are added, so that they share a pixel.
fn plain(matrix: &Matrix, most: usize) -> Picture {
    let (each, cell, scale) = (most.div_ceil(LARGEST), (LARGEST / most).max(1), 2);
    let [rows, columns] = [matrix.rows(), matrix.columns()].map(|names| names.len().div_ceil(each));
    let start = (2 * 4 + font::HEIGHT) * scale;
    let area = Area { top: start, left: start, bottom: start + rows * cell, right: start + columns * cell };
    let mut canvas = canvas(matrix, scale, &area);
    let square = matrix.is_square();
    for row in 0..rows {
        let mut counts = vec![0_u64; columns];
        for part in row * each..((row + 1) * each).min(matrix.rows().len()) {
            for (counts, parts) in counts.iter_mut().zip(matrix.row(part).chunks(each)) {
                *counts = parts.iter().fold(*counts, |sum, &count| sum.saturating_add(count));
            }
        }
        let total = counts.iter().fold(0, |sum: u64, &count| sum.saturating_add(count));
        for (column, &count) in counts.iter().enumerate() {
            let colour = shade(count, total, square && row != column);
            canvas.fill(start + row * cell, start + column * cell, cell, cell, colour);
        }
    }
    canvas.into_picture()
}

/// The colour of `count` in a row of `total`.
fn shade(count: u64, total: u64, wrong: bool) -> Colour {
    let share = if total == 0 { 0.0 } else { count as f64 / total as f64 };
    blend(if wrong { WRONG } else { RIGHT }, share.sqrt())
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

    fn pixel(picture: &Picture, y: usize, x: usize) -> Colour {
        let [_, height, width] = picture.shape();
        [0, 1, 2].map(|channel| picture.values()[channel * height * width + y * width + x])
    }

    #[test]
    fn a_cells_colour_is_its_share_of_the_row() {
        let picture = Matrix::confusion(["a", "b", "c"], vec![3, 1, 0, 0, 2, 0, 0, 0, 0]).unwrap().picture();
        // Names of 10 pixels, a title of 14, three margins of 8; cells of 45 pixels, whose corners the numbers do not
        // reach.
        let (start, cell) = (48, 45);
        let corner = |row: usize, column: usize| pixel(&picture, start + row * cell + 2, start + column * cell + 2);
        assert_eq!(corner(0, 0), blend(RIGHT, 0.75_f64.sqrt()));
        assert_eq!(corner(0, 1), blend(WRONG, 0.5));
        assert_eq!(corner(1, 1), RIGHT);
        assert_eq!(corner(2, 2), WHITE, "a class that does not occur");
        assert_eq!(readable_on(RIGHT), WHITE);
        assert_eq!(readable_on(blend(WRONG, 0.2)), BLACK);
    }

    /// Then nothing is on a diagonal: all have the colour of what is right.
    #[test]
    fn rows_and_columns_may_differ() {
        let columns = ["rain", "sun", "wind"].map(String::from).to_vec();
        let matrix = Matrix::new(vec!["Monday".into()], columns, vec![4, 0, 12]).unwrap().titled("day", "weather");
        let picture = matrix.picture();
        let [_, height, width] = picture.shape();
        let has = |colour: Colour| (0..height * width).any(|at| pixel(&picture, at / width, at % width) == colour);
        assert!(has(blend(RIGHT, 0.5)) && has(blend(RIGHT, 0.75_f64.sqrt())) && !has(blend(WRONG, 0.5)));
        assert!(width > height + 100, "{width} × {height}");
        let none = Matrix::default().picture();
        assert!(none.shape()[1] > 0 && none.shape()[2] > 0);
    }

    #[test]
    fn any_number_of_classes_has_a_picture() {
        for classes in [1, 2, 21, 41, 120, 150, 151, 700, 1501] {
            let names = vec!["a name that is much too long to be shown, é"; classes];
            let matrix = Matrix::confusion(names, vec![1; classes * classes]).unwrap().titled("t".repeat(999), "x");
            let [_, height, width] = matrix.picture().shape();
            assert!(height.max(width) < 1900, "{classes}: {height} x {width}");
        }
    }

    #[test]
    fn neighbours_share_a_pixel_where_there_are_too_many() {
        let n = 1600;
        let mut counts = vec![0; n * n];
        // Rows 0 and 1 are one: 3 on their part of the diagonal, 1 elsewhere.
        for (row, column, count) in [(0, 1, 2), (1, 1, 1), (0, 900, 1), (5, 5, 7)] {
            counts[row * n + column] = count;
        }
        let picture = Matrix::confusion(vec![""; n], counts).unwrap().picture();
        // Of 800 × 800, after two margins of 8 and a title of 14.
        let at = |row: usize, column: usize| pixel(&picture, 30 + row, 30 + column);
        assert_eq!(picture.shape(), [3, 838, 838]);
        assert_eq!([at(0, 0), at(0, 450), at(2, 2)], [blend(RIGHT, 0.75_f64.sqrt()), blend(WRONG, 0.5), RIGHT]);
        assert_eq!([at(0, 1), at(1, 1), at(799, 799)], [WHITE; 3]);
    }
}
