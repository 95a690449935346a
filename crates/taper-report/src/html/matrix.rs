//! A matrix of counts as a heat map.

use super::address::address;
use super::{Column, Table};
use crate::text::escape;
use crate::{Matrix, Picture};

/// With more rows or columns the matrix is an image without counts.
const MOST_WITH_COUNTS: usize = 20;
/// With more rows or columns the image would be larger than the rest of the page, and is left out.
const MOST_IN_PICTURE: usize = 400;
/// The number of cells that are listed where counts are not shown.
const LISTED: usize = 20;

/// The matrix in a section of this title, which is escaped; empty without counts.
pub(super) fn html(matrix: &Matrix, title: &str) -> String {
    match matrix.rows().len().max(matrix.columns().len()) {
        _ if matrix.counts().is_empty() => String::new(),
        most if most <= MOST_WITH_COUNTS => table(matrix, title),
        most if most <= MOST_IN_PICTURE => image(matrix, title) + &largest(matrix),
        _ => largest(matrix),
    }
}

/// A sentence about the rows and columns: what they are, if that is known.
fn about(matrix: &Matrix) -> String {
    match matrix.titles() {
        ["", ""] => String::new(),
        ["", columns] => format!("Columns: {}. ", escape(columns)),
        [rows, ""] => format!("Rows: {}. ", escape(rows)),
        [rows, columns] => format!("Rows: {}; columns: {}. ", escape(rows), escape(columns)),
    }
}

/// A table of all counts, coloured by their share of the row.
fn table(matrix: &Matrix, title: &str) -> String {
    let heads = matrix.columns().iter().map(|name| format!("<th scope=\"col\"><span>{}</span></th>", escape(name)));
    let square = matrix.is_square();
    let rows = matrix.rows().iter().enumerate().map(|(i, name)| {
        let total = matrix.row_total(i).max(1);
        let cell = |(j, &count): (usize, &u64)| {
            let right = if square && i == j { " right" } else { "" };
            format!("<td class=\"h{}{right}\">{count}</td>", level(count, total))
        };
        let cells = matrix.row(i).iter().enumerate().map(cell).collect::<String>();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", escape(name))
    });
    format!(
        "<div class=\"card scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\"><p class=\"soft\">{}The colour \
         is the share of the row.</p><table class=\"heat\"><thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table></div>",
        about(matrix),
        heads.collect::<String>(),
        rows.collect::<String>()
    )
}

/// The matrix as an image, one pixel per count.
fn image(matrix: &Matrix, title: &str) -> String {
    let (rows, columns) = (matrix.rows().len(), matrix.columns().len());
    let shade = |i: usize| {
        let total = matrix.row_total(i).max(1) as f64;
        // The square root of the share, so that single mistakes are visible beside the correct predictions.
        matrix.row(i).iter().map(move |&count| 255 - (255.0 * (count as f64 / total).sqrt()).round() as u8)
    };
    let picture = Picture { shape: [1, rows, columns], values: (0..rows).flat_map(shade).collect() };
    format!(
        "<div class=\"card\"><p class=\"soft\">{}Both in order; black is all of a row.</p>\
         <img class=\"sheet\" src=\"{}\" alt=\"{title}: {rows} rows, {columns} columns\"></div>\n",
        about(matrix),
        address(&picture, rows.max(columns))
    )
}

/// A table of the largest counts: of a square matrix, of those off the diagonal, which went wrong.
fn largest(matrix: &Matrix) -> String {
    let (width, square) = (matrix.columns().len(), matrix.is_square());
    let cells = matrix.counts().iter().enumerate().map(|(k, &count)| (count, k / width, k % width));
    let mut cells: Vec<(u64, usize, usize)> = cells.filter(|&(n, i, j)| n > 0 && !(square && i == j)).collect();
    cells.sort_by_key(|&(count, i, j)| (std::cmp::Reverse(count), i, j));
    let [rows, columns] = matrix.titles().map(|title| if title.is_empty() { "of" } else { title });
    let columns = vec![Column::text(rows), Column::text(columns), Column::number("count")];
    let caption = if square { "Taken for each other most often" } else { "The largest counts" };
    let listed = cells.into_iter().take(LISTED);
    let table = listed.fold(Table::new(columns).caption(caption), |table, (count, i, j)| {
        table.row([matrix.rows()[i].clone(), matrix.columns()[j].clone(), count.to_string()])
    });
    table.html(caption)
}

/// The colour level of `count` in a row of `total`, from 0 to 7. The lower levels are finer, since mistakes are seldom
/// a large share.
fn level(count: u64, total: u64) -> usize {
    let share = count as f64 / total as f64;
    [0.01, 0.03, 0.07, 0.15, 0.3, 0.55, 0.8].iter().filter(|least| share >= **least).count()
}
