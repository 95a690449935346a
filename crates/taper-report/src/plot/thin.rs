//! SVG paths of lines with any number of points, thinned to what is visible.

use std::fmt::Write as _;

/// The `d` attribute of a `<path>` through `points`, interrupted at `None`. Of all points in one pixel column only the
/// first, the lowest, the highest and the last are drawn, which looks the same.
pub(super) fn path(points: &[Option<(f64, f64)>]) -> String {
    let mut path = String::new();
    for run in points.split(Option::is_none) {
        let run: Vec<(f64, f64)> = run.iter().flatten().copied().collect();
        let mut command = 'M';
        for column in run.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
            for (x, y) in extremes(column) {
                let _ = write!(path, "{command}{x:.1} {y:.1}");
                command = 'L';
            }
        }
        // A line of no length is drawn as a dot, since its ends are round.
        if run.len() == 1 {
            path.push_str("h0");
        }
    }
    path
}

/// The first, lowest, highest and last points of a column, in their order.
fn extremes(column: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let by_height = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
    let (low, high) = ((0..column.len()).min_by(by_height), (0..column.len()).max_by(by_height));
    let mut kept: Vec<usize> = [Some(0), low, high, column.len().checked_sub(1)].into_iter().flatten().collect();
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter().map(|i| column[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_interrupt_and_lone_points_stay() {
        let points = [Some((0.0, 1.0)), Some((5.0, 2.0)), None, None, Some((9.0, 3.0)), None];
        assert_eq!(path(&points), "M0.0 1.0L5.0 2.0M9.0 3.0h0");
        assert_eq!(path(&[]), "");
    }

    #[test]
    fn a_column_keeps_its_extremes() {
        let column = [(3.1, 5.0), (3.2, 9.0), (3.3, 6.0), (3.4, 1.0), (3.5, 4.0)];
        assert_eq!(path(&column.map(Some)), "M3.1 5.0L3.2 9.0L3.4 1.0L3.5 4.0");
        let many: Vec<_> = (0..100_000).map(|i| Some((i as f64 / 250.0, (i % 97) as f64))).collect();
        assert!(path(&many).len() < 400 * 4 * 14);
    }
}
