//! Pictures with captions, and tiles.

use super::address::address;
use super::list;
use crate::Picture;
use crate::text::escape;

/// More would make the page long without showing anything new.
const MOST_FRAMED: usize = 48;
const MOST_TILES: usize = 256;
/// The largest width and height of an image in pixels.
const LARGEST: usize = 96;
/// The same of wide ones, and of large ones.
const LARGEST_WIDE: usize = 640;
const LARGEST_LARGE: usize = 400;

/// Pictures. Without any caption they are tiles close to each other. Of framed pictures the first 48 are shown, of tiles
/// the first 256.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gallery {
    /// What the pictures show; may be empty.
    pub note: String,
    /// The pictures.
    pub pictures: Vec<Framed>,
    /// How many there are in all, if those are only the first.
    pub of: usize,
    /// What they are, in the plural; `pictures` if it is empty.
    pub what: String,
    /// How large pictures with captions are shown. Tiles are small.
    pub size: Size,
}

/// How large pictures are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Size {
    /// As thumbnails.
    #[default]
    Small,
    /// In the width of the page's column, and low: much wider than high, as spectrograms are.
    Wide,
    /// As wide, in their own proportions: with details to be seen.
    Large,
}

/// A picture with a caption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Framed {
    /// The picture; `None` where there is nothing to see, only the caption.
    pub picture: Option<Picture>,
    /// The first line of the caption, in bold: `cat`.
    pub title: String,
    /// What follows it: `87.6%, is dog`.
    pub detail: String,
}

impl Gallery {
    /// Pictures with captions.
    pub fn new(pictures: Vec<Framed>) -> Self {
        Self { pictures, ..Self::default() }
    }

    /// Pictures alone, and a sentence about all of them.
    pub fn tiles(note: impl Into<String>, pictures: impl IntoIterator<Item = Picture>) -> Self {
        let tile = |picture| Framed { picture: Some(picture), ..Framed::default() };
        Self { note: note.into(), pictures: pictures.into_iter().map(tile).collect(), ..Self::default() }
    }

    /// Says how many there are in all, and what they are: `samples`.
    #[must_use]
    pub fn of(self, all: usize, what: impl Into<String>) -> Self {
        Self { of: all, what: what.into(), ..self }
    }

    /// Shows pictures with captions large, which are much wider than high.
    #[must_use]
    pub fn wide(self) -> Self {
        Self { size: Size::Wide, ..self }
    }

    /// Shows pictures with captions large, in their proportions.
    #[must_use]
    pub fn large(self) -> Self {
        Self { size: Size::Large, ..self }
    }

    /// The pictures as HTML, in a section of this title, which is escaped; empty without a picture.
    pub(super) fn html(&self, title: &str) -> String {
        let tiles = self.pictures.iter().all(|framed| framed.title.is_empty() && framed.detail.is_empty());
        let most = if tiles { MOST_TILES } else { MOST_FRAMED };
        let shown = &self.pictures[..self.pictures.len().min(most)];
        let all = self.of.max(self.pictures.len());
        let what = if self.what.is_empty() { "pictures".into() } else { escape(&self.what) };
        let cut = match shown.len() < all {
            true => format!("<p class=\"soft\">The first {} of {all} {what}.</p>", shown.len()),
            false => String::new(),
        };
        let note = match self.note.is_empty() {
            true => String::new(),
            false => format!("<p class=\"soft\">{}</p>", escape(&self.note)),
        };
        if tiles {
            let before =
                format!("<div class=\"card\">{note}{cut}<div class=\"tiles\" role=\"img\" aria-label=\"{title}\">");
            return list(shown, [&before, "</div></div>"], |framed| image(framed, "", LARGEST));
        }
        let (class, largest) = match self.size {
            Size::Small => ("pictures", LARGEST),
            Size::Wide => ("pictures wide", LARGEST_WIDE),
            Size::Large => ("pictures large", LARGEST_LARGE),
        };
        list(shown, [&format!("{note}{cut}<ul class=\"{class}\">"), "</ul>"], |framed| {
            let (title, detail) = (escape(&framed.title), escape(&framed.detail));
            let between = if title.is_empty() || detail.is_empty() { "" } else { ", " };
            let image = image(framed, &format!("{title}{between}{detail}"), largest);
            let detail = if detail.is_empty() { detail } else { format!("<br><span class=\"soft\">{detail}</span>") };
            format!("<li>{image}<b>{title}</b>{detail}</li>\n")
        })
    }
}

fn image(framed: &Framed, alternative: &str, largest: usize) -> String {
    match &framed.picture {
        Some(picture) => format!("<img src=\"{}\" alt=\"{alternative}\">", address(picture, largest)),
        None => "<p class=\"soft\">no picture</p>".into(),
    }
}
