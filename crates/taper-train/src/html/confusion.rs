//! The confusion matrix as a heat map, and what it says of each class.

use super::Picture;
use super::sections::percent;
use crate::metrics::ClassScores;
use crate::plot::escape;

/// More classes are shown as a picture without counts.
const MOST_WITH_COUNTS: usize = 20;
/// More classes make a picture that is larger than the rest of the page.
const MOST_IN_PICTURE: usize = 400;
/// Pairs that are listed where counts are not shown.
const PAIRS: usize = 20;

/// Which classes were taken for which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confusion {
    /// The classes' names.
    pub classes: Vec<String>,
    /// Row by row: how many samples of class `i` were taken for class `j`, at `i * classes + j`.
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

    /// Every count; the colour is its share of the row.
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

    /// One pixel a count.
    fn sheet(&self) -> String {
        let n = self.classes.len();
        let shade = |i: usize| {
            let total = self.row(i).iter().sum::<u64>().max(1) as f64;
            // The root, so that single mistakes are seen beside what is right.
            self.row(i).iter().map(move |&count| 255 - (255.0 * (count as f64 / total).sqrt()).round() as u8)
        };
        let picture = Picture { shape: [1, n, n], bytes: (0..n).flat_map(shade).collect() };
        let address = picture.address(n).unwrap_or_default();
        format!(
            "<div class=\"card\"><p class=\"soft\">Rows are the true class, columns the predicted one, in order; black \
             is all of a row.</p><img class=\"sheet\" src=\"{address}\" alt=\"Confusion matrix of {n} classes\"></div>\n"
        )
    }

    /// The matrix as a picture, and the pairs that were taken for each other most often.
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

    /// Precision (of those named so, how many are), recall (of those that are, how many were named so) and their
    /// harmonic mean F1, class by class.
    fn scores(&self) -> String {
        let n = self.classes.len();
        let rows = (0..n).map(|i| {
            let actual = self.row(i).iter().sum::<u64>();
            let named = (0..n).map(|k| self.row(k)[i]).sum::<u64>();
            let scores = ClassScores::new(self.row(i)[i], named, actual);
            format!(
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
                 <td class=\"n\">{actual}</td></tr>\n",
                self.name(i),
                percent(scores.precision),
                percent(scores.recall),
                percent(scores.f1)
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

/// The heat of `count` in a row of `total`, from 0 to 7. Mistakes are seldom a large share, so that the lower ones
/// are finer.
fn level(count: u64, total: u64) -> usize {
    let share = count as f64 / total as f64;
    [0.01, 0.03, 0.07, 0.15, 0.3, 0.55, 0.8].iter().filter(|least| share >= **least).count()
}
