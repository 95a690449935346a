//! The confusion matrix as a heat map, with precision, recall and F1 of each class.

use super::Picture;
use super::sections::percent;
use crate::plot::escape;

/// With more classes the matrix is an image without counts.
const MOST_WITH_COUNTS: usize = 20;
/// With more classes the image would be larger than the rest of the page, and is left out.
const MOST_IN_PICTURE: usize = 400;
/// The number of pairs of classes that are listed where counts are not shown.
const PAIRS: usize = 20;

/// A confusion matrix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confusion {
    /// The classes' names.
    pub classes: Vec<String>,
    /// Row-major: the number of samples of class `i` predicted as class `j` is at `i * classes + j`.
    pub counts: Vec<u64>,
}

impl Confusion {
    pub(super) fn html(&self) -> String {
        let n = self.classes.len();
        if n == 0 || n * n != self.counts.len() {
            return String::new();
        }
        let matrix = if n <= MOST_WITH_COUNTS { self.table() } else { self.picture() };
        format!("<div class=\"pair\">\n{matrix}\n{}\n</div>", self.scores())
    }

    fn row(&self, i: usize) -> &[u64] {
        let n = self.classes.len();
        &self.counts[i * n..][..n]
    }

    fn name(&self, i: usize) -> String {
        escape(&self.classes[i])
    }

    /// A table of all counts, coloured by their share of the row.
    fn table(&self) -> String {
        let n = self.classes.len();
        let heads = (0..n).map(|i| format!("<th scope=\"col\"><span>{}</span></th>", self.name(i))).collect::<String>();
        let rows = (0..n).map(|i| {
            let total = self.row(i).iter().sum::<u64>().max(1);
            let cell = |(j, &count): (usize, &u64)| {
                let right = if i == j { " right" } else { "" };
                format!("<td class=\"h{}{right}\">{count}</td>", level(count, total))
            };
            let cells = self.row(i).iter().enumerate().map(cell).collect::<String>();
            format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", self.name(i))
        });
        format!(
            "<div class=\"card scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Confusion matrix\">\
             <table class=\"heat\"><caption>Rows are the true class, columns the predicted one; the colour is the share of the row.</caption>\
             <thead><tr><td></td>{heads}</tr></thead><tbody>{}</tbody></table></div>",
            rows.collect::<String>()
        )
    }

    /// The matrix as an image, one pixel per count.
    fn sheet(&self) -> String {
        let n = self.classes.len();
        let shade = |i: usize| {
            let total = self.row(i).iter().sum::<u64>().max(1) as f64;
            // The square root of the share, so that single mistakes are visible beside the correct predictions.
            self.row(i).iter().map(move |&count| 255 - (255.0 * (count as f64 / total).sqrt()).round() as u8)
        };
        let picture = Picture { shape: [1, n, n], bytes: (0..n).flat_map(shade).collect() };
        let address = picture.address(n).unwrap_or_default();
        format!(
            "<div class=\"card\"><p class=\"soft\">Rows are the true class, columns the predicted one, in order; black \
             is all of a row.</p><img class=\"sheet\" src=\"{address}\" alt=\"Confusion matrix of {n} classes\"></div>\n"
        )
    }

    /// The matrix as an image, and the pairs of classes that were confused most often.
    fn picture(&self) -> String {
        let n = self.classes.len();
        let sheet = if n <= MOST_IN_PICTURE { self.sheet() } else { String::new() };
        let mut pairs: Vec<(u64, usize, usize)> =
            (0..n * n).filter(|k| k / n != k % n).map(|k| (self.counts[k], k / n, k % n)).collect();
        pairs.sort_by_key(|&(count, i, j)| (std::cmp::Reverse(count), i, j));
        let pair = |&(count, i, j): &(u64, usize, usize)| {
            format!("<tr><td>{}</td><td>{}</td><td class=\"n\">{count}</td></tr>\n", self.name(i), self.name(j))
        };
        let pairs: String = pairs.iter().take(PAIRS).take_while(|pair| pair.0 > 0).map(pair).collect();
        format!(
            "{sheet}<div class=\"card\"><table><caption>Taken for each other most often</caption><thead><tr>\
             <th scope=\"col\">true</th><th scope=\"col\">predicted</th><th scope=\"col\" class=\"n\">samples</th></tr>\
             </thead><tbody>{pairs}</tbody></table></div>"
        )
    }

    /// Precision (the fraction of the samples predicted as the class that are of it), recall (the fraction of the
    /// samples of the class that were predicted as it) and F1 (their harmonic mean) of each class.
    fn scores(&self) -> String {
        let n = self.classes.len();
        let rows = (0..n).map(|i| {
            let actual = self.row(i).iter().sum::<u64>();
            let named = (0..n).map(|k| self.row(k)[i]).sum::<u64>();
            // 0/0 counts as 0, as with scikit-learn's `zero_division=0`.
            let share = |part: u64, whole: u64| percent(part as f64 / whole.max(1) as f64);
            let right = self.row(i)[i];
            format!(
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
                 <td class=\"n\">{actual}</td></tr>\n",
                self.name(i),
                share(right, named),
                share(right, actual),
                share(2 * right, named + actual)
            )
        });
        format!(
            "<div class=\"card scroll tall\" tabindex=\"0\" role=\"region\" aria-label=\"Classes\"><table><thead><tr>\
             <th scope=\"col\">class</th><th scope=\"col\" class=\"n\">precision</th>\
             <th scope=\"col\" class=\"n\">recall</th><th scope=\"col\" class=\"n\">F1</th><th scope=\"col\" class=\"n\">samples</th></tr></thead>\
             <tbody>{}</tbody></table></div>",
            rows.collect::<String>()
        )
    }
}

/// The colour level of `count` in a row of `total`, from 0 to 7. The lower levels are finer, since mistakes are seldom
/// a large share.
fn level(count: u64, total: u64) -> usize {
    let share = count as f64 / total as f64;
    [0.01, 0.03, 0.07, 0.15, 0.3, 0.55, 0.8].iter().filter(|least| share >= **least).count()
}
