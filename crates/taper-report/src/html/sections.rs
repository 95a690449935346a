//! The sections of the page that are lists or tables. A section with nothing to show is empty.

use super::{Filters, Layer, Mistake, Picture};
use crate::plot::{Chart, escape, number};

/// More images would make the page long without showing anything new.
const MOST_MISTAKES: usize = 48;
const MOST_FILTERS: usize = 256;
/// The largest width and height of an image in pixels.
const LARGEST: usize = 96;

/// The HTML of `items`, each written by `each`, between `before` and `after`; empty without items.
fn list<T>(items: &[T], [before, after]: [&str; 2], each: impl Fn(&T) -> String) -> String {
    if items.is_empty() {
        return String::new();
    }
    format!("{before}{}{after}", items.iter().map(each).collect::<String>())
}

pub(super) fn facts(facts: &[(String, String)]) -> String {
    list(facts, ["<dl class=\"facts\">", "</dl>\n"], |(what, value)| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(what), escape(value))
    })
}

pub(super) fn warnings(warnings: &[String]) -> String {
    let around = [
        "<section class=\"warnings\" aria-labelledby=\"warnings\"><h2 id=\"warnings\">Warnings</h2><ul>",
        "</ul></section>\n",
    ];
    list(warnings, around, |text| format!("<li>{}</li>", escape(text)))
}

pub(super) fn curves(curves: &[Chart]) -> String {
    list(curves, ["<div class=\"charts\">", "</div>"], |chart| {
        format!("<figure class=\"card\">{}</figure>\n", chart.svg())
    })
}

pub(super) fn mistakes(mistakes: &[Mistake]) -> String {
    let shown = &mistakes[..mistakes.len().min(MOST_MISTAKES)];
    let before = format!("{}<ul class=\"pictures\">", cut(shown.len(), mistakes.len(), "samples"));
    list(shown, [&before, "</ul>"], |mistake| {
        let (truth, predicted) = (escape(&mistake.truth), escape(&mistake.predicted));
        let image = match mistake.picture.address(LARGEST) {
            Some(address) => format!("<img src=\"{address}\" alt=\"{truth} taken for {predicted}\">"),
            None => "<p class=\"soft\">no picture</p>".into(),
        };
        let percent = percent(mistake.probability);
        format!("<li>{image}<b>{predicted}</b> {percent}<br><span class=\"soft\">is {truth}</span></li>\n")
    })
}

impl Filters {
    /// Each filter as an image: grey is 0, and white or black is its weight of the largest magnitude.
    pub(super) fn html(&self) -> String {
        let [out, channels, height, width] = self.shape;
        let size = [channels, height, width].iter().product::<usize>();
        if size == 0 || out * size != self.weights.len() {
            return String::new();
        }
        let images = self.weights.chunks(size).take(MOST_FILTERS).map(|weights| {
            let largest = weights.iter().filter(|w| w.is_finite()).fold(0.0_f32, |largest, w| largest.max(w.abs()));
            let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
            // The conversion to u8 saturates, and turns NaN into 0.
            let bytes = weights.iter().map(|w| (128.0 + w * scale).round() as u8).collect();
            let address = Picture { shape: [channels, height, width], bytes }.address(LARGEST).unwrap_or_default();
            format!("<img src=\"{address}\" alt=\"\">")
        });
        let shows = match channels {
            1 => "",
            3 => "; the channels are red, green and blue",
            _ => "; the first channel of each",
        };
        let note = cut(out.min(MOST_FILTERS), out, "filters");
        format!(
            "{note}<div class=\"card\"><p class=\"soft\">{out} filters of {channels} × {height} × {width}: grey is 0, \
             white and black the largest weight of each{shows}.</p>\
             <div class=\"filters\" role=\"img\" aria-label=\"{out} filters of {height} × {width}\">{}</div></div>",
            images.collect::<String>()
        )
    }
}

pub(super) fn layers(layers: &[Layer]) -> String {
    let around = [
        "<div class=\"card scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Layers\"><table><thead><tr>\
         <th scope=\"col\">parameter</th><th scope=\"col\">shape</th><th scope=\"col\" class=\"n\">values</th>\
         <th scope=\"col\" class=\"n\">norm</th><th scope=\"col\" class=\"n\">gradient</th></tr></thead><tbody>",
        "</tbody></table></div>",
    ];
    let known = |norm: Option<f64>| norm.map_or_else(|| "–".into(), number);
    list(layers, around, |layer| {
        let shape = layer.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
        format!(
            "<tr><th scope=\"row\">{}</th><td class=\"whole\">{shape}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
            escape(&layer.name),
            layer.shape.iter().product::<usize>(),
            known(layer.norm),
            known(layer.gradient_norm)
        )
    })
}

pub(super) fn timing(timing: &[(String, f64)]) -> String {
    let total: f64 = timing.iter().map(|(_, seconds)| seconds).sum();
    let after = format!(
        "</tbody><tfoot><tr><th scope=\"row\">in all</th><td class=\"n\">{}</td><td></td><td></td></tr></tfoot>\
         </table></div>",
        duration(total)
    );
    let before = "<div class=\"card\"><table class=\"wide\"><thead><tr><th scope=\"col\">spent on</th>\
                  <th scope=\"col\" class=\"n\">time</th><th scope=\"col\" class=\"n\">share</th><td class=\"wide\"></td>\
                  </tr></thead><tbody>";
    list(timing, [before, &after], |(what, seconds)| {
        let share = if total > 0.0 { seconds / total } else { 0.0 };
        format!(
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td><span class=\"bar\" style=\"width:{:.1}%\"></span></td></tr>\n",
            escape(what),
            duration(*seconds),
            percent(share),
            100.0 * share.clamp(0.0, 1.0)
        )
    })
}

pub(super) fn configuration(toml: &str) -> String {
    if toml.trim().is_empty() {
        return String::new();
    }
    format!("<div class=\"card\"><pre><code>{}</code></pre></div>", escape(toml.trim_end()))
}

/// A note that only the first `shown` of `all` are shown, if so.
fn cut(shown: usize, all: usize, what: &str) -> String {
    if shown == all { String::new() } else { format!("<p class=\"soft\">The first {shown} of {all} {what}.</p>") }
}

/// A fraction as a percentage: `93.4%`.
pub(super) fn percent(fraction: f64) -> String {
    if fraction.is_finite() { format!("{:.1}%", 100.0 * fraction) } else { "–".into() }
}

/// A duration as text: `1 h 02 min`, `3 min 07 s`, `12.5 s`, `8 ms`.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match seconds {
        s if !s.is_finite() => "–".into(),
        s if s < 0.9995 => format!("{:.0} ms", 1000.0 * s),
        s if s < 59.95 => format!("{s:.1} s"),
        _ if whole < 3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let cases =
            [(0.0083, "8 ms"), (12.46, "12.5 s"), (59.99, "1 min 00 s"), (187.2, "3 min 07 s"), (3725.0, "1 h 02 min")];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(duration(f64::NAN), "–");
    }
}
