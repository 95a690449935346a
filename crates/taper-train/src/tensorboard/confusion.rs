//! A confusion matrix as a heat-map image.

use super::canvas::{Canvas, Colour, text_width};
use super::{Picture, font};
use crate::metrics::Confusion;

const BLACK: Colour = [20, 20, 20];
const GREY: Colour = [175, 175, 175];
const WHITE: Colour = [255, 255, 255];
const LINE: Colour = [222, 222, 222];
/// The colours of correct predictions (on the diagonal) and of wrong ones.
const RIGHT: Colour = [8, 81, 156];
const WRONG: Colour = [203, 67, 20];
/// With more classes the cells are too small for counts, and only have a colour.
const MOST_NUMBERS: usize = 40;
const LONGEST_NAME: usize = 20;

/// Draws `matrix`, with a row per true class and a column per predicted class. The colour of a cell shows the square
/// root of its share of the row, so that the few errors of a good model are visible; its number is the count. Classes
/// beyond `names` show their number. Names are cut at 20 characters, and characters that are not ASCII are drawn as
/// `?`.
pub fn confusion_picture<S: AsRef<str>>(matrix: &Confusion, names: &[S]) -> Picture {
    let classes = matrix.num_classes();
    let name = |class: usize| names.get(class).map_or_else(|| class.to_string(), |name| name.as_ref().to_string());
    let names: Vec<String> = (0..classes).map(|class| name(class).chars().take(LONGEST_NAME).collect()).collect();

    let scale = if classes <= 20 { 2 } else { 1 };
    let line_height = font::HEIGHT * scale;
    let margin = 4 * scale;
    let numbers = classes <= MOST_NUMBERS;
    let widest = matrix.counts().iter().map(|count| text_width(&count.to_string(), scale)).max().unwrap_or(0);
    // The line between two cells belongs to the second.
    let cell = if numbers { widest.max(2 * line_height) + 2 * margin } else { line_height + 2 } + 1;
    let longest = names.iter().map(|name| text_width(name, scale)).max().unwrap_or(0);
    // The positions along each direction: title, names, cells.
    let start = 3 * margin + line_height + longest;
    let end = start + classes * cell + 1;
    // The titles may be longer than a few cells.
    let (down, across) = (end.max(start + text_width("true", scale)), end.max(start + text_width("predicted", scale)));
    let mut canvas = Canvas::new(down + margin, across + margin);

    let middle = |length: usize, whole: usize| start + whole.saturating_sub(length) / 2;
    let length = text_width("predicted", scale);
    canvas.text(margin, middle(length, end - start), scale, "predicted", BLACK);
    let length = text_width("true", scale);
    canvas.text_up(middle(length, end - start) + length, margin, scale, "true", BLACK);

    canvas.fill(start, start, end - start, end - start, LINE);
    for (row, name) in names.iter().enumerate() {
        let at = start + row * cell + 1;
        let inside = at + (cell - 1).saturating_sub(line_height) / 2;
        canvas.text(inside, start - margin - text_width(name, scale), scale, name, BLACK);
        canvas.text_up(start - margin, inside, scale, name, BLACK);
        let support = matrix.support(row);
        for column in 0..classes {
            let left = start + column * cell + 1;
            let count = matrix.count(row, column);
            let share = if support == 0 { 0.0 } else { count as f64 / support as f64 };
            let colour = blend(if row == column { RIGHT } else { WRONG }, share.sqrt());
            canvas.fill(at, left, cell - 1, cell - 1, colour);
            if numbers {
                let text = count.to_string();
                let left = left + (cell - 1 - text_width(&text, scale)) / 2;
                canvas.text(inside, left, scale, &text, if count == 0 { GREY } else { readable_on(colour) });
            }
        }
    }
    canvas.into_picture()
}

/// White mixed with `share` of `colour`.
fn blend(colour: Colour, share: f64) -> Colour {
    colour.map(|value| (255.0 + (f64::from(value) - 255.0) * share).round() as u8)
}

/// The text colour that is readable on this one: black or white, by luminance (ITU-R BT.601).
fn readable_on([red, green, blue]: Colour) -> Colour {
    let luminance = (299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue)) / 1000;
    if luminance > 140 { BLACK } else { WHITE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cells_colour_is_its_share_of_the_row() {
        let matrix = Confusion::new(&[0, 0, 0, 0, 1, 1], &[0, 0, 0, 1, 1, 1], 3).unwrap();
        let picture = confusion_picture(&matrix, &["a", "b", "c"]);
        let [_, height, width] = picture.shape();
        let plane = height * width;
        let pixel = |y: usize, x: usize| [0, 1, 2].map(|channel| picture.values()[channel * plane + y * width + x]);
        // Names of 10 pixels, a title of 14, three margins of 8; cells of 45 pixels, whose corners the numbers do not
        // reach.
        let (start, cell) = (48, 45);
        let corner = |row: usize, column: usize| pixel(start + row * cell + 2, start + column * cell + 2);
        assert_eq!(corner(0, 0), blend(RIGHT, 0.75_f64.sqrt()));
        assert_eq!(corner(0, 1), blend(WRONG, 0.5));
        assert_eq!(corner(1, 1), RIGHT);
        assert_eq!(corner(2, 2), WHITE, "a class that does not occur");
        assert_eq!(readable_on(RIGHT), WHITE);
        assert_eq!(readable_on(blend(WRONG, 0.2)), BLACK);
    }

    #[test]
    fn any_number_of_classes_has_a_picture() {
        for classes in [1, 2, 21, 41, 120] {
            let matrix = Confusion::new(&[0], &[0], classes).unwrap();
            let [_, height, width] =
                confusion_picture(&matrix, &["a name that is much too long to be shown, é"]).shape();
            assert!(height.max(width) < 1600, "{classes}: {height} x {width}");
        }
    }
}
