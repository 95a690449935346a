//! Numbers with a bar each.

use super::list;
use crate::Format;
use crate::text::escape;

/// Named numbers, each with a bar beside it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bars {
    /// The heading of the names: `spent on`.
    pub names: String,
    /// The heading of the numbers: `time`.
    pub values: String,
    /// How the numbers are written.
    pub format: Format,
    /// Whether the numbers are the parts of a whole: then their shares and their sum are shown too, and a bar is as long as
    /// its share. Otherwise the longest bar is that of the largest magnitude.
    pub parts: bool,
    /// Each name and its number.
    pub bars: Vec<(String, f64)>,
}

impl Bars {
    /// Numbers that are compared with each other.
    pub fn new(names: impl Into<String>, values: impl Into<String>, bars: Vec<(String, f64)>) -> Self {
        Self { names: names.into(), values: values.into(), bars, ..Self::default() }
    }

    /// Where the time went, in seconds. The parts do not overlap, so that their sum is the whole time.
    pub fn timing<S: Into<String>>(parts: impl IntoIterator<Item = (S, f64)>) -> Self {
        let bars = parts.into_iter().map(|(name, seconds)| (name.into(), seconds)).collect();
        Self { format: Format::Duration, parts: true, ..Self::new("spent on", "time", bars) }
    }

    pub(super) fn html(&self) -> String {
        let total: f64 = self.bars.iter().map(|(_, value)| value).sum();
        let largest = self.bars.iter().map(|(_, value)| value.abs()).fold(0.0, f64::max);
        let whole = if self.parts { total } else { largest };
        let share_head = if self.parts { "<th scope=\"col\" class=\"n\">share</th>" } else { "" };
        let before = format!(
            "<div class=\"card\"><table class=\"wide\"><thead><tr><th scope=\"col\">{}</th>\
             <th scope=\"col\" class=\"n\">{}</th>{share_head}<td class=\"wide\"></td></tr></thead><tbody>",
            escape(&self.names),
            escape(&self.values)
        );
        let sum = format!(
            "<tfoot><tr><th scope=\"row\">in all</th><td class=\"n\">{}</td><td></td><td></td></tr></tfoot>",
            self.format.text(total)
        );
        let after = format!("</tbody>{}</table></div>", if self.parts { &sum } else { "" });
        list(&self.bars, [&before, &after], |(name, value)| {
            let share = if whole > 0.0 { value / whole } else { 0.0 };
            let text = format!("<td class=\"n\">{}</td>", Format::Percent(1).text(share));
            // The length of NaN is 0.
            let length = 100.0 * share.abs().clamp(0.0, 1.0).max(0.0);
            let negative = if share < 0.0 { " negative" } else { "" };
            format!(
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td>{}\
                 <td><span class=\"bar{negative}\" style=\"width:{length:.1}%\"></span></td></tr>\n",
                escape(name),
                self.format.text(*value),
                if self.parts { &text } else { "" },
            )
        })
    }
}
