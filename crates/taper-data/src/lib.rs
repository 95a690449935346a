#![doc = include_str!("../README.md")]

pub mod augment;
mod dataset;
mod datasets;
#[cfg(feature = "download")]
mod download;
mod error;
mod files;
mod image;
mod loader;
mod locate;
mod manifest;
mod pipeline;
mod split;

pub use augment::{Augment, Augmenter};
pub use dataset::Dataset;
pub use datasets::{Source, digits};
pub use error::{Error, Result};
pub use files::atomic_write;
pub use image::{ImageDataset, Splits};
pub use loader::{Batch, BatchLoader, LoaderOptions};
pub use locate::{DATA_VARIABLE, Event, LocateOptions, Located, Origin};
pub use pipeline::{Pipeline, PipelineOptions};
pub use manifest::{Archive, Download, Embedded, Files, Layout, Manifest, Records};
pub use split::split;
