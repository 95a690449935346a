//! The report of a run: one HTML page without scripts, which needs no other file and no network.
//!
//! ```
//! use taper_report::html::Page;
//! let facts = vec![("test accuracy".into(), "97.2%".into())];
//! let page = Page { title: "digits".into(), facts, ..Page::default() };
//! assert!(page.html().starts_with("<!DOCTYPE html>"));
//! ```

mod confusion;
mod picture;
mod sections;

pub use confusion::Confusion;
pub use picture::Picture;

use crate::plot::{self, Chart, escape};

/// The contents of the page. A part that is empty or `None` has no section.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The run's name.
    pub title: String,
    /// The facts at the top, each a name and a value; the main result comes first.
    pub facts: Vec<(String, String)>,
    /// The warnings of the gradient monitor, or others.
    pub warnings: Vec<String>,
    /// Charts of loss, accuracy, learning rate, gradient norms.
    pub curves: Vec<Chart>,
    /// The confusion matrix.
    pub confusion: Option<Confusion>,
    /// The misclassified samples, the most confident predictions first.
    pub mistakes: Vec<Mistake>,
    /// The filters of the first layer.
    pub filters: Option<Filters>,
    /// The model's parameters, in its order.
    pub layers: Vec<Layer>,
    /// Where the time went: names and seconds. The parts do not overlap, so that their sum is the wall time.
    pub timing: Vec<(String, f64)>,
    /// The configuration as TOML.
    pub configuration: String,
}

/// A misclassified sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mistake {
    /// The image, before normalisation.
    pub picture: Picture,
    /// The true class.
    pub truth: String,
    /// The predicted class.
    pub predicted: String,
    /// The probability of the predicted class.
    pub probability: f64,
}

/// Convolution filters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filters {
    /// The shape `[out, C, Kh, Kw]`.
    pub shape: [usize; 4],
    /// The values, row-major.
    pub weights: Vec<f32>,
}

/// A parameter at the end of the run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// ‖w‖₂, if known.
    pub norm: Option<f64>,
    /// The 2-norm of its gradient, as last computed.
    pub gradient_norm: Option<f64>,
}

impl Page {
    /// The page as HTML.
    pub fn html(&self) -> String {
        let sections: Vec<(&str, &str, String)> = [
            ("curves", "Curves", sections::curves(&self.curves)),
            ("confusion", "Confusion matrix", self.confusion.as_ref().map_or_else(String::new, Confusion::html)),
            ("mistakes", "Samples gone wrong", sections::mistakes(&self.mistakes)),
            ("filters", "First-layer filters", self.filters.as_ref().map_or_else(String::new, Filters::html)),
            ("layers", "Layers", sections::layers(&self.layers)),
            ("timing", "Timing", sections::timing(&self.timing)),
            ("configuration", "Configuration", sections::configuration(&self.configuration)),
        ]
        .into_iter()
        .filter(|(.., content)| !content.is_empty())
        .collect();
        let links = sections.iter().map(|(id, name, _)| format!("<a href=\"#{id}\">{name}</a>")).collect::<String>();
        let body = sections.iter().map(|(id, name, content)| {
            format!("<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{name}</h2>\n{content}\n</section>\n")
        });
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>\n{plots}{own}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n\
             <nav aria-label=\"Sections\">{links}</nav>\n{facts}{warnings}</header>\n<main>\n{body}</main>\n\
             <footer></footer>\n</body>\n</html>\n",
            title = escape(&self.title),
            plots = plot::STYLE,
            own = include_str!("style.css"),
            facts = sections::facts(&self.facts),
            warnings = sections::warnings(&self.warnings),
            body = body.collect::<String>(),
        )
    }
}
