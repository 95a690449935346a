//! SVG charts: lines, dots and bands over linear or logarithmic axes, with ticks and a legend.
//!
//! [`Chart::svg`] is for a page that contains [`STYLE`], [`Chart::file`] for a file of its own, [`sheet`] for a file of
//! several. All follow the viewer's light or dark theme. There is no PNG of a chart: browsers and drawing programs convert
//! SVG. This module uses no plotting crate, since that would take seconds of every build and
//! fix the colours.

mod scale;
mod thin;

use crate::Format;
use crate::text::escape;
use scale::Scale;
use std::fmt::Write as _;

/// The CSS that a page needs once for all of its charts, in a `<style>`.
pub const STYLE: &str = include_str!("style.css");

/// A chart: lines, dots and bands over two axes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chart {
    /// The title.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The series; later ones are drawn over earlier ones.
    pub series: Vec<Series>,
    /// Vertical lines at values of x, with labels.
    pub marks: Vec<Mark>,
}

/// An axis of a chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Axis {
    /// The quantity and its unit.
    pub label: String,
    /// Whether the axis is logarithmic: then values of 0 and below are not drawn.
    pub log: bool,
    /// How values are written: at the last point of each series, where the pointer is, and with fewer digits at the ticks.
    /// Text about the chart that uses the same format agrees with it.
    pub format: Format,
}

/// A line, dots, or a band, with a name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// The name in the legend.
    pub name: String,
    /// The points (x, y), in the order in which they are joined. A point that is not finite interrupts the line.
    pub points: Vec<(f64, f64)>,
    /// Whether the points are dots only, without a line.
    pub dots: bool,
    /// Whether the points are the outline of an area that is filled, without a line.
    pub filled: bool,
}

/// A vertical line with a label.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mark {
    /// The value of x.
    pub x: f64,
    /// The label.
    pub label: String,
}

impl Axis {
    /// A linear axis.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// A logarithmic axis.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: true, ..Self::default() }
    }

    /// With values written in this format.
    #[must_use]
    pub fn format(self, format: Format) -> Self {
        Self { format, ..self }
    }
}

impl Series {
    /// Points joined by a line.
    pub fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, ..Self::default() }
    }

    /// Points alone.
    pub fn dots(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, dots: true, ..Self::default() }
    }

    /// The area between a lower and an upper value at each x, `(x, low, high)`; one that is not finite is left out.
    pub fn band(name: impl Into<String>, points: &[(f64, f64, f64)]) -> Self {
        let finite = points.iter().filter(|(x, low, high)| [x, low, high].iter().all(|value| value.is_finite()));
        let (there, back): (Vec<_>, Vec<_>) = finite.map(|&(x, low, high)| ((x, low), (x, high))).unzip();
        Self {
            name: name.into(),
            points: there.into_iter().chain(back.into_iter().rev()).collect(),
            dots: false,
            filled: true,
        }
    }
}

/// Series that the legend lists: the first. All have their name as a tip.
const LISTED: usize = 12;
/// The width of every chart; the height depends on its legend.
const WIDTH: f64 = 400.0;
/// The ends of the axes: the plot area lies between them.
const TOP: f64 = 46.0;
const BOTTOM: f64 = 226.0;
const RIGHT: f64 = WIDTH - 14.0;
/// Lines of at most so many points have a dot at each.
const DOTTED: usize = 40;

impl Chart {
    /// An `<svg>` element for a page that holds [`STYLE`].
    pub fn svg(&self) -> String {
        self.draw("", "")
    }

    /// A complete `.svg` file.
    pub fn file(&self) -> String {
        let paper = format!("<style>{STYLE}</style><rect class=\"paper\" width=\"100%\" height=\"100%\"/>");
        self.draw(" xmlns=\"http://www.w3.org/2000/svg\"", &paper)
    }

    fn draw(&self, attributes: &str, before: &str) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        // A value that the other axis cannot show does not widen this axis.
        let shown = |axis: &Axis, value: f64| value.is_finite() && (!axis.log || value > 0.0);
        let both = |point: &&(f64, f64)| shown(&self.x, point.0) && shown(&self.y, point.1);
        let pad = if self.series.iter().any(|series| series.dots) { 0.04 } else { 0.0 };
        let across = points().filter(both).map(|point| point.0);
        let x = Scale::over(across.chain(self.marks.iter().map(|mark| mark.x)), self.x.log, pad);
        let y = Scale::over(points().filter(both).map(|point| point.1), self.y.log, 0.05);

        let mut body = String::new();
        let _ = write!(body, "<text class=\"title\" x=\"4\" y=\"15\">{}</text>", escape(&self.title));
        let _ = write!(body, "<text class=\"soft\" x=\"4\" y=\"34\">{}</text>", escape(&self.y.label));
        let (middle, under) = (WIDTH / 2.0, BOTTOM + 34.0);
        let label = escape(&self.x.label);
        let _ = write!(body, "<text class=\"soft\" text-anchor=\"middle\" x=\"{middle}\" y=\"{under}\">{label}</text>");
        match (x, y) {
            (Some(x), Some(y)) => self.plot(&x, &y, &mut body),
            _ => body.push_str("<text class=\"soft\" text-anchor=\"middle\" x=\"200\" y=\"140\">no values</text>"),
        }
        let height = self.legend(&mut body);
        let label = escape(&self.description());
        format!(
            "<svg{attributes} class=\"plot\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">\
             {before}{body}</svg>"
        )
    }

    /// Draws the grid, axes, series and marks.
    fn plot(&self, x: &Scale, y: &Scale, body: &mut String) {
        let ups = y.ticks(5, self.y.format);
        let left = 12.0 + ups.iter().map(|(_, text)| width(text)).fold(0.0, f64::max);
        let at_x = |value: f64| Some(left + x.place(value)? * (RIGHT - left));
        let at_y = |value: f64| Some(BOTTOM - y.place(value)? * (BOTTOM - TOP));
        for (value, text) in &ups {
            let up = at_y(*value).unwrap_or(BOTTOM);
            let _ = write!(body, "<path class=\"grid\" d=\"M{left} {up:.1}H{RIGHT}\"/>");
            let (right, base) = (left - 6.0, up + 4.0);
            let _ =
                write!(body, "<text class=\"soft\" text-anchor=\"end\" x=\"{right}\" y=\"{base:.1}\">{text}</text>");
        }
        for (value, text) in x.ticks(6, self.x.format) {
            let across = at_x(value).unwrap_or(left);
            let (end, base) = (BOTTOM + 4.0, BOTTOM + 18.0);
            let _ = write!(body, "<path class=\"axis\" d=\"M{across:.1} {BOTTOM}V{end}\"/>");
            let _ = write!(
                body,
                "<text class=\"soft\" text-anchor=\"middle\" x=\"{across:.1}\" y=\"{base}\">{text}</text>"
            );
        }
        let _ = write!(body, "<path class=\"axis\" d=\"M{left} {TOP}V{BOTTOM}H{RIGHT}\"/>");
        for (i, series) in self.series.iter().enumerate() {
            let place = |&(x, y): &(f64, f64)| Some((at_x(x)?, at_y(y)?));
            let placed: Vec<Option<(f64, f64)>> = series.points.iter().map(place).collect();
            let _ = write!(body, "<g class=\"series {}\"><title>{}</title>", look(i), escape(&series.name));
            if series.filled && placed.is_empty() {
                body.push_str("</g>");
                continue;
            }
            if series.filled {
                let _ = write!(body, "<path class=\"band\" d=\"{}Z\"/></g>", thin::path(&placed));
                continue;
            }
            if !series.dots {
                let _ = write!(body, "<path class=\"line\" d=\"{}\"/>", thin::path(&placed));
            }
            for (point, (across, up)) in
                series.points.iter().zip(&placed).filter_map(|(point, at)| Some((point, (*at)?)))
            {
                if series.dots || placed.len() <= DOTTED {
                    let tip = format!("{}, {}", self.x.format.text(point.0), self.y.format.text(point.1));
                    let r = if series.dots { 4.0 } else { 2.4 };
                    let name = escape(&series.name);
                    let _ = write!(
                        body,
                        "<circle class=\"dot\" cx=\"{across:.1}\" cy=\"{up:.1}\" r=\"{r}\"><title>{name}: {tip}</title>\
                         </circle>"
                    );
                }
            }
            body.push_str("</g>");
        }
        for mark in &self.marks {
            let Some(across) = at_x(mark.x) else { continue };
            let (anchor, text) = if across < WIDTH / 2.0 { ("start", across + 5.0) } else { ("end", across - 5.0) };
            let (base, label) = (TOP + 10.0, escape(&mark.label));
            let _ = write!(body, "<path class=\"mark\" d=\"M{across:.1} {TOP}V{BOTTOM}\"/>");
            let _ = write!(body, "<text text-anchor=\"{anchor}\" x=\"{text:.1}\" y=\"{base}\">{label}</text>");
        }
    }

    /// Draws the legend in rows, each series with its last value, and how many there are besides; returns the height of the whole chart.
    fn legend(&self, body: &mut String) -> f64 {
        let (mut left, mut base) = (8.0, BOTTOM + 56.0);
        for (i, series) in self.series.iter().enumerate().take(LISTED) {
            let last = series.points.iter().rev().find(|point| point.1.is_finite());
            let text = match last {
                Some(point) if !series.dots && !series.filled => {
                    format!("{} {}", series.name, self.y.format.text(point.1))
                }
                _ => series.name.clone(),
            };
            let width = 34.0 + 6.6 * text.chars().count() as f64;
            if left > 8.0 && left + width > WIDTH {
                (left, base) = (8.0, base + 18.0);
            }
            let (middle, end, after) = (base - 4.0, left + 18.0, left + 23.0);
            let _ = write!(body, "<g class=\"{}\">", look(i));
            let (low, high) = (base, base - 9.0);
            let _ = match series.dots {
                _ if series.filled => {
                    write!(body, "<path class=\"band\" d=\"M{left:.1} {low}H{end:.1}V{high}H{left:.1}Z\"/>")
                }
                true => write!(body, "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{middle}\" r=\"4\"/>", left + 9.0),
                false => write!(body, "<path class=\"line\" d=\"M{left:.1} {middle}H{end:.1}\"/>"),
            };
            let _ = write!(body, "<text x=\"{after:.1}\" y=\"{base}\">{}</text></g>", escape(&text));
            left += width;
        }
        let more = self.series.len().saturating_sub(LISTED);
        if more > 0 {
            base += 18.0;
            let _ =
                write!(body, "<text class=\"soft\" x=\"8\" y=\"{base}\">and {more} more, named at their lines</text>");
        }
        if self.series.is_empty() { BOTTOM + 44.0 } else { base + 10.0 }
    }

    /// A description of the chart in a sentence, for screen readers.
    fn description(&self) -> String {
        let between = if self.y.label.is_empty() { "" } else { ": " };
        let mut text = format!("{}{between}{} by {}.", self.title, self.y.label, self.x.label);
        for series in self.series.iter().take(LISTED) {
            let mut finite = series.points.iter().filter(|point| point.1.is_finite());
            let _ = match (finite.next(), finite.next_back()) {
                (Some(a), Some(b)) if !series.dots && !series.filled => {
                    let [first, last] = [a, b].map(|point| self.y.format.text(point.1));
                    write!(text, " {}: from {first} to {last}.", series.name)
                }
                _ if series.filled => {
                    let (low, high) = range(&series.points);
                    let [low, high] = [low, high].map(|y| self.y.format.text(y));
                    write!(text, " {}: within {low} and {high}.", series.name)
                }
                _ => write!(text, " {}: {} points.", series.name, series.points.len()),
            };
        }
        for mark in &self.marks {
            let _ = write!(text, " {} at {}.", mark.label, self.x.format.text(mark.x));
        }
        text
    }
}

/// The size of a chart on a sheet, in pixels.
const CELL: [usize; 2] = [400, 300];

/// Charts as one `.svg` file, two per row.
pub fn sheet(charts: &[Chart]) -> String {
    let [across, down] = CELL;
    let (width, height) = (2 * across, charts.len().div_ceil(2) * down);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\"><style>{STYLE}</style><rect class=\"paper\" width=\"100%\" height=\"100%\"/>"
    );
    for (i, chart) in charts.iter().enumerate() {
        let (left, top) = (i % 2 * across, i / 2 * down);
        let svg = chart.svg();
        let _ = write!(text, "<svg x=\"{left}\" y=\"{top}\" width=\"{across}\" height=\"{down}\">{svg}</svg>");
    }
    text + "</svg>\n"
}

/// The lowest and the highest y of points.
fn range(points: &[(f64, f64)]) -> (f64, f64) {
    let of = |(low, high): (f64, f64), point: &(f64, f64)| (low.min(point.1), high.max(point.1));
    points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), of)
}

/// About how wide a tick's label is at most, in the wide fonts among those of the page.
fn width(text: &str) -> f64 {
    let of = |char| match char {
        '%' => 11.5,
        '.' | ' ' | '-' => 4.5,
        _ => 7.7,
    };
    text.chars().map(of).sum()
}

/// The colour and dashes of series `i`.
fn look(i: usize) -> String {
    match i / 8 % 4 {
        0 => format!("c{}", i % 8),
        dash => format!("c{} dash{dash}", i % 8),
    }
}
