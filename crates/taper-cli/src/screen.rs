//! Text that fits the terminal: its width, and tables whose columns are shortened to it.

use console::Term;
use taper::backend::printable;

/// The width to write for where there is no terminal, in columns.
const COLUMNS: usize = 100;
/// The width that a column keeps where a table is too wide, in columns.
const LEAST: usize = 8;
/// What stands between two columns.
const GAP: &str = "  ";

/// The width of the terminal in columns; 100 if standard output is none.
pub fn columns() -> usize {
    let terminal = Term::stdout();
    let size = terminal.is_term().then(|| terminal.size_checked()).flatten();
    size.map_or(COLUMNS, |(_, columns)| usize::from(columns)).max(LEAST)
}

/// `rows` as aligned columns, those in the range `numbers` to the right. Where a line would be longer than `columns`, the
/// widest columns are shortened, and what is left out of a cell is marked by `…`.
pub fn table(rows: &[Vec<String>], numbers: std::ops::Range<usize>, columns: usize) -> String {
    // Names and values come from files, so that control characters are escaped.
    let row = |row: &Vec<String>| row.iter().map(|cell| printable(cell).into_owned()).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = rows.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let wanted: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let widths = fitted(&wanted, columns);
    let line = |row: &Vec<String>| {
        let cell = |(column, text): (usize, &String)| match (shortened(text, widths[column]), widths[column]) {
            (text, width) if numbers.contains(&column) => format!("{text:>width$}"),
            (text, width) => format!("{text:<width$}"),
        };
        row.iter().enumerate().map(cell).collect::<Vec<_>>().join(GAP).trim_end().to_string()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// How many columns of [`LEAST`] fit beside one of the width `first`; at least one.
pub fn beside(first: usize, columns: usize) -> usize {
    (columns.saturating_sub(first) / (LEAST + GAP.len())).max(1)
}

/// The widths, the widest of which are made smaller until a line has `columns`; none below [`LEAST`].
fn fitted(wanted: &[usize], columns: usize) -> Vec<usize> {
    let room = columns.saturating_sub(GAP.len() * wanted.len().saturating_sub(1));
    let total = |most: usize| wanted.iter().map(|width| (*width).min(most)).sum::<usize>();
    let widest = wanted.iter().copied().max().unwrap_or(0);
    // The largest bound under which all fit; what is left over by it goes to the first columns that it cut.
    let bound = (LEAST..=widest).rev().find(|bound| total(*bound) <= room).unwrap_or(LEAST);
    let mut left = room.saturating_sub(total(bound));
    let width = |width: &usize| {
        let extra = usize::from(*width > bound && left > 0);
        left -= extra;
        (*width).min(bound + extra)
    };
    wanted.iter().map(width).collect()
}

/// `text`, or its beginning and `…` if it is wider than `columns`.
pub fn shortened(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.into();
    }
    text.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[&[&str]]) -> Vec<Vec<String>> {
        cells.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn the_widest_columns_give_way() {
        assert_eq!(fitted(&[3, 40, 12], 100), [3, 40, 12]);
        assert_eq!(fitted(&[3, 40, 12], 39), [3, 20, 12]);
        assert_eq!(fitted(&[3, 40, 40], 38), [3, 16, 15]);
        assert_eq!(fitted(&[3, 40, 40], 10), [3, 8, 8]);
        assert_eq!(fitted(&[], 10), [0; 0]);
    }

    #[test]
    fn a_line_is_as_long_as_it_may_be() {
        let rows = rows(&[&["run", "time", "differs in"], &["a", "12s", "a=1 b=2 c=3 d=4 e=5"]]);
        let table = |columns| table(&rows, 1..2, columns);
        assert_eq!(table(100), "run  time  differs in\na     12s  a=1 b=2 c=3 d=4 e=5");
        assert_eq!(table(25), "run  time  differs in\na     12s  a=1 b=2 c=3 d…");
        assert!((20..40).all(|columns| table(columns).lines().all(|line| line.chars().count() <= columns)));
        assert_eq!([shortened("abc", 3), shortened("abcd", 3), shortened("é中x", 2)], ["abc", "ab…", "é…"]);
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(table(&rows(&[&["a\u{1b}[2J\nb"]]), 0..0, 100), r"a\u{1b}[2J\nb");
    }
}
