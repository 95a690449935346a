//! The report of a run, of a search, of whatever a loop did: one HTML page without scripts, which needs no other file and
//! no network.
//!
//! ```
//! use taper_report::html::{Column, Page, Section, Table};
//! let cities = Table::new(vec![Column::text("city"), Column::number("error")]).row(["Bern", "0.12"]).row(["Ulm", "0.08"]);
//! let page = Page::new("prices").fact("Test error", "0.10").section(Section::new("By city").with(cities));
//! assert!(page.html().starts_with("<!DOCTYPE html>"));
//! ```

mod address;
mod bars;
mod gallery;
mod matrix;
mod table;

pub use bars::Bars;
pub use gallery::{Framed, Gallery, Size};
pub use table::{Column, Table};

use crate::Matrix;
use crate::plot::{self, Chart};
use crate::text::escape;
use std::collections::HashSet;

/// The contents of the page, from top to bottom. What is empty is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The run's name.
    pub title: String,
    /// The command that was run, as it was typed.
    pub command: String,
    /// The facts at the top, each a name and a value: the main result first, then the date, the commit, the time that it
    /// took, the device.
    pub facts: Vec<(String, String)>,
    /// What the reader should be warned of.
    pub warnings: Vec<String>,
    /// The sections.
    pub sections: Vec<Section>,
    /// Notes at the foot: whom the data are by, and how to cite them. Line breaks stay.
    pub notes: Vec<String>,
}

/// A part of the page under a title of its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// The title, which the page's list of sections shows too.
    pub title: String,
    /// What it shows. Tables and matrices stand beside each other where there is room.
    pub blocks: Vec<Block>,
}

/// What a section can show.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Block {
    /// Charts, some beside each other.
    Charts(Vec<Chart>),
    /// A table.
    Table(Table),
    /// Numbers with a bar each.
    Bars(Bars),
    /// Counts, coloured by their share of the row: a confusion matrix.
    Matrix(Matrix),
    /// Pictures with captions, or tiles.
    Gallery(Gallery),
    /// Text whose line breaks and spaces stay: a configuration, a model's summary.
    Text(String),
    /// A paragraph.
    Note(String),
}

/// A block of each type that is one.
macro_rules! blocks {
    ($($block:ident: $from:ty),*) => {$(
        impl From<$from> for Block {
            fn from(content: $from) -> Self {
                Self::$block(content)
            }
        }
    )*};
}

blocks!(Charts: Vec<Chart>, Table: Table, Bars: Bars, Matrix: Matrix, Gallery: Gallery);

impl Page {
    /// A page with a title.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Says which command was run.
    #[must_use]
    pub fn command(self, command: impl Into<String>) -> Self {
        Self { command: command.into(), ..self }
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// Adds a warning.
    #[must_use]
    pub fn warning(mut self, text: impl Into<String>) -> Self {
        self.warnings.push(text.into());
        self
    }

    /// Adds a section.
    #[must_use]
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// Adds a note at the foot.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// The page as HTML.
    pub fn html(&self) -> String {
        let mut taken = HashSet::from(["warnings".to_string()]);
        let contents = self.sections.iter().map(|section| (section, section.html()));
        let sections: Vec<(String, String, String)> = contents
            .filter(|(_, content)| !content.is_empty())
            .map(|(section, content)| (id(&section.title, &mut taken), escape(&section.title), content))
            .collect();
        let body = sections.iter().map(|(id, name, content)| {
            format!("<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{name}</h2>\n{content}\n</section>\n")
        });
        let command = [self.command.as_str()];
        let command = if self.command.is_empty() { &[] } else { command.as_slice() };
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>\n{plots}{own}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n\
             {command}{facts}{warnings}{links}</header>\n<main>\n{body}</main>\n<footer>{notes}</footer>\n</body>\n\
             </html>\n",
            title = escape(&self.title),
            plots = plot::STYLE,
            own = include_str!("style.css"),
            command = list(command, ["<pre class=\"command\">", "</pre>\n"], |text| escape(text)),
            facts = list(&self.facts, ["<dl class=\"facts\">", "</dl>\n"], |(what, value)| {
                format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(what), escape(value))
            }),
            warnings = list(&self.warnings, WARNINGS, |text| format!("<li>{}</li>", escape(text))),
            links = list(&sections, ["<nav aria-label=\"Sections\">", "</nav>\n"], |(id, name, _)| {
                format!("<a href=\"#{id}\">{name}</a>")
            }),
            body = body.collect::<String>(),
            notes = list(&self.notes, ["", ""], |text| format!("<p>{}</p>\n", escape(text))),
        )
    }
}

impl Section {
    /// A section with a title.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), blocks: Vec::new() }
    }

    /// Adds a block: charts, a [`Table`], [`Bars`], a [`Matrix`], a [`Gallery`], or a [`Block`].
    #[must_use]
    pub fn with(mut self, block: impl Into<Block>) -> Self {
        self.blocks.push(block.into());
        self
    }

    fn html(&self) -> String {
        let title = escape(&self.title);
        let blocks: Vec<String> =
            self.blocks.iter().map(|block| block.html(&title)).filter(|html| !html.is_empty()).collect();
        match blocks.is_empty() {
            true => String::new(),
            false => format!("<div class=\"blocks\">\n{}\n</div>", blocks.join("\n")),
        }
    }
}

impl Block {
    /// The block in a section of this title, which is escaped; empty if there is nothing to show.
    fn html(&self, title: &str) -> String {
        match self {
            Self::Charts(charts) => list(charts, ["<div class=\"charts\">", "</div>"], |chart| {
                format!("<figure class=\"card\">{}</figure>\n", chart.svg())
            }),
            Self::Table(table) => table.html(title),
            Self::Bars(bars) => bars.html(),
            Self::Matrix(matrix) => matrix::html(matrix, title),
            Self::Gallery(gallery) => gallery.html(title),
            Self::Text(text) if text.trim().is_empty() => String::new(),
            Self::Text(text) => {
                format!("<div class=\"card\"><pre><code>{}</code></pre></div>", escape(text.trim_end()))
            }
            Self::Note(text) if text.trim().is_empty() => String::new(),
            Self::Note(text) => format!("<p class=\"soft\">{}</p>", escape(text)),
        }
    }
}

const WARNINGS: [&str; 2] = [
    "<section class=\"warnings\" aria-labelledby=\"warnings\"><h2 id=\"warnings\">Warnings</h2><ul>",
    "</ul></section>\n",
];

/// The HTML of `items`, each written by `each`, between `before` and `after`; empty without items.
fn list<T>(items: &[T], [before, after]: [&str; 2], each: impl Fn(&T) -> String) -> String {
    if items.is_empty() {
        return String::new();
    }
    format!("{before}{}{after}", items.iter().map(each).collect::<String>())
}

/// The address of the section `title` on the page, which no other has: its letters and digits in ASCII.
fn id(title: &str, taken: &mut HashSet<String>) -> String {
    let words = title.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    let slug = if slug.is_empty() { "section".into() } else { slug };
    let numbered = (2..).map(|i| format!("{slug}-{i}"));
    let free = std::iter::once(slug.clone()).chain(numbered).find(|id| taken.insert(id.clone()));
    free.unwrap_or(slug)
}
