//! A run as one page of HTML that needs no other file, no script and no network.
//!
//! ```
//! use taper_train::html::Page;
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

/// What the page shows; what is empty or `None` has no section.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The run's name.
    pub title: String,
    /// The headline: what and its value, the result first.
    pub facts: Vec<(String, String)>,
    /// What the gradient monitor, or anything else, warned of.
    pub warnings: Vec<String>,
    /// Loss, accuracy, learning rate, gradient norms.
    pub curves: Vec<Chart>,
    /// Which classes were taken for which.
    pub confusion: Option<Confusion>,
    /// Samples that were classified wrongly, the worst first.
    pub mistakes: Vec<Mistake>,
    /// The weights of the first layer.
    pub filters: Option<Filters>,
    /// The parameters, in the model's order.
    pub layers: Vec<Layer>,
    /// Seconds spent on what; nothing is counted twice, so that their sum is the wall time.
    pub timing: Vec<(String, f64)>,
    /// The configuration as TOML.
    pub configuration: String,
}

/// A sample that was classified wrongly.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mistake {
    /// What the model was shown, before normalisation.
    pub picture: Picture,
    /// Its class.
    pub truth: String,
    /// The class that the model named.
    pub predicted: String,
    /// The probability that the model gave that class.
    pub probability: f64,
}

/// Filters `[out, C, Kh, Kw]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filters {
    /// `[out, C, Kh, Kw]`.
    pub shape: [usize; 4],
    /// In that order.
    pub weights: Vec<f32>,
}

/// A parameter and how it ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// ‖w‖₂, if known.
    pub norm: Option<f64>,
    /// The 2-norm of its gradient, as last measured.
    pub gradient_norm: Option<f64>,
}

impl Page {
    /// The whole page.
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
