//! The table of results as text.

use crate::peak::Peak;
use crate::row::Row;
use crate::statistics::geometric_mean;

/// The table of `rows` as aligned text, with each row's share of the peak for its threads; `peer` is the peer's name.
/// Below the rows, each family's geometric mean of ratios.
pub fn table(rows: &[Row], peaks: &[Peak], peer: &str) -> String {
    let header = ["work", "threads", "n", "taper ms", "quartiles", &format!("{peer} ms"), "quartiles", "ratio"];
    let header = header.into_iter().chain(["GFLOP/s", "of peak", "GB/s"]).map(String::from).collect();
    let lines: Vec<Vec<String>> =
        std::iter::once(header).chain(rows.iter().map(|row| cells(row, peaks))).chain(means(rows)).collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for line in &lines {
        let padded = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text += padded.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

fn cells(row: &Row, peaks: &[Peak]) -> Vec<String> {
    let spread = |[low, _, high]: [f64; 3]| format!("{}–{}", number(low), number(high));
    let or = |cell: Option<String>| cell.unwrap_or_else(|| "–".into());
    let (ours, peer) = (row.ours(), row.peer());
    let peak = peaks.iter().find(|peak| peak.threads == row.threads);
    vec![
        row.name.clone(),
        row.threads.to_string(),
        row.n().to_string(),
        number(ours[1]),
        spread(ours),
        or(peer.map(|peer| number(peer[1]))),
        or(peer.map(spread)),
        or(row.ratio().map(|ratio| format!("{ratio:.2}"))),
        number(row.gflops()),
        or(peak.map(|peak| format!("{:.0} %", 100.0 * row.gflops() / peak.gflops))),
        row.gigabytes_per_second().map(number).unwrap_or_default(),
    ]
}

/// A line for each family of which more than one benchmark was measured with the peer.
fn means(rows: &[Row]) -> Vec<Vec<String>> {
    let mut families: Vec<&str> = rows.iter().filter_map(|row| row.family).collect();
    families.dedup();
    let line = |family: &str| {
        let ratios: Vec<f64> =
            rows.iter().filter(|row| row.family == Some(family)).filter_map(|row| row.ratio()).collect();
        let name = format!("{family}: geometric mean of {}", ratios.len());
        let mean = format!("{:.2}", geometric_mean(&ratios));
        let blanks = vec![String::new(); 6];
        (ratios.len() > 1).then(|| std::iter::once(name).chain(blanks).chain([mean]).collect())
    };
    families.into_iter().filter_map(line).collect()
}

/// `x` with four significant digits, or more if there are more before the decimal point.
fn number(x: f64) -> String {
    let digits = if x > 0.0 && x.is_finite() { x.log10().floor() as i32 + 1 } else { 1 };
    let decimals = usize::try_from(4 - digits).unwrap_or_default();
    format!("{x:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turns::Samples;

    fn row(name: &str, family: Option<&'static str>, ours: f64, peer: Option<f64>) -> Row {
        let samples = |ms: f64| vec![vec![ms, 2.0 * ms], vec![3.0 * ms]];
        let peer = peer.map(samples).ok_or("not there".to_string());
        let samples = Samples { ours: samples(ours), peer };
        Row {
            name: name.into(),
            timed: "",
            family,
            threads: 2,
            flop: 1e9,
            bytes: (name == "a").then_some(2e6),
            samples,
        }
    }

    fn peaks() -> [Peak; 2] {
        [(1, 600.0), (2, 1000.0)].map(|(threads, gflops)| Peak { threads, isa: "", gflops })
    }

    #[test]
    fn four_digits() {
        assert_eq!(
            [0.012346, 0.5, 1.0, 99.994, 1234.5, 65536.4].map(number),
            ["0.01235", "0.5000", "1.000", "99.99", "1234", "65536"]
        );
        assert_eq!(number(0.0), "0.000");
    }

    #[test]
    fn columns_are_aligned_and_a_missing_peer_is_a_dash() {
        let text = table(&[row("a", None, 1.0, Some(4.0)), row("longer", None, 10.0, None)], &peaks(), "torch");
        let due = "\
work    threads  n  taper ms    quartiles  torch ms    quartiles  ratio  GFLOP/s  of peak   GB/s
a             2  3     2.000  1.500–2.500     8.000  6.000–10.00   4.00    500.0     50 %  1.000
longer        2  3     20.00  15.00–25.00         –            –      –    50.00      5 %
";
        assert_eq!(text, due, "\n{text}");
    }

    #[test]
    fn a_family_has_the_geometric_mean_of_its_ratios() {
        let family = Some("f");
        let rows = [row("x", family, 1.0, Some(4.0)), row("y", family, 1.0, Some(1.0)), row("z", family, 1.0, None)];
        let text = table(&rows, &[], "torch");
        let last: Vec<&str> = text.lines().last().unwrap_or_default().split_whitespace().collect();
        assert_eq!(last, ["f:", "geometric", "mean", "of", "2", "2.00"]);
        assert!(!table(&rows[1..], &[], "torch").contains("geometric"));
    }
}
