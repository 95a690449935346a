//! Tables.

use super::list;
use crate::text::escape;

/// A table; the first cell of each row is its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// What the table shows; may be empty.
    pub caption: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The cells of each row, one for each column; those that are missing are empty.
    pub rows: Vec<Vec<String>>,
}

/// A column of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// Whether its cells are numbers, which are set to the right.
    pub numeric: bool,
}

impl Column {
    /// A column of text.
    pub fn text(name: impl Into<String>) -> Self {
        Self { name: name.into(), numeric: false }
    }

    /// A column of numbers.
    pub fn number(name: impl Into<String>) -> Self {
        Self { name: name.into(), numeric: true }
    }

    fn class(&self) -> &'static str {
        if self.numeric { " class=\"n\"" } else { "" }
    }
}

impl Table {
    /// A table without rows.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, ..Self::default() }
    }

    /// With a caption.
    #[must_use]
    pub fn caption(self, text: impl Into<String>) -> Self {
        Self { caption: text.into(), ..self }
    }

    /// Adds a row.
    #[must_use]
    pub fn row<S: Into<String>>(mut self, cells: impl IntoIterator<Item = S>) -> Self {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }

    /// The table as HTML, in a section of this title, which is escaped; empty without rows.
    pub(super) fn html(&self, title: &str) -> String {
        let heads = self.columns.iter().map(|column| {
            let (class, name) = (column.class(), escape(&column.name));
            format!("<th scope=\"col\"{class}>{name}</th>")
        });
        let none = Column::default();
        let row = |cells: &Vec<String>| {
            let cell = |i: usize| {
                let class = self.columns.get(i).unwrap_or(&none).class();
                let text = cells.get(i).map_or_else(String::new, |cell| escape(cell));
                match i {
                    0 => format!("<th scope=\"row\"{class}>{text}</th>"),
                    _ => format!("<td{class}>{text}</td>"),
                }
            };
            format!("<tr>{}</tr>\n", (0..self.columns.len().max(cells.len())).map(cell).collect::<String>())
        };
        let caption = list(&[&self.caption][..usize::from(!self.caption.is_empty())], ["", ""], |text| {
            format!("<caption>{}</caption>", escape(text))
        });
        let label = if self.caption.is_empty() { title.to_string() } else { escape(&self.caption) };
        let before = format!(
            "<div class=\"card scroll tall\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table>{caption}<thead>\
             <tr>{}</tr></thead><tbody>",
            heads.collect::<String>()
        );
        list(&self.rows, [&before, "</tbody></table></div>"], row)
    }
}
