#![doc = include_str!("../README.md")]

mod canvas;
mod colours;
mod error;
mod font;
mod heat;
pub mod html;
mod matrix;
mod overlay;
mod picture;
pub mod plot;
pub mod tensorboard;
mod text;

pub use error::{Error, Result};
pub use matrix::Matrix;
pub use overlay::{class_colour, class_mask};
pub use picture::Picture;
pub use text::Format;
