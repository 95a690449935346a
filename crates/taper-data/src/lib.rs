#![doc = include_str!("../README.md")]

pub mod augment;
mod batch;
mod dataset;
mod datasets;
#[cfg(feature = "download")]
mod download;
mod error;
mod files;
mod formats;
#[cfg(all(feature = "csv", feature = "download", feature = "images", feature = "npz", feature = "parquet"))]
#[doc(hidden)]
pub mod fuzzing;
mod image;
mod loader;
mod locate;
mod manifest;
mod pipeline;
mod split;
mod table;
mod text;

pub use augment::{Augment, Augmented, Augmenter};
pub use batch::{Batch, Field, FieldSpec};
pub use dataset::Dataset;
pub use datasets::{Source, digits};
pub use error::{Error, Result};
pub use files::atomic_write;
#[cfg(any(feature = "csv", feature = "parquet"))]
pub use formats::columns::{Column, TableOptions};
#[cfg(feature = "csv")]
pub use formats::csv::{CsvOptions, read_csv};
#[cfg(feature = "images")]
pub use formats::folders::{FolderOptions, read_image_folder, read_image_folders};
pub use formats::npy::{read_npy, read_npy_images};
#[cfg(feature = "npz")]
pub use formats::npz::{read_npz, read_npz_images};
#[cfg(feature = "parquet")]
pub use formats::parquet::read_parquet;
pub use image::{ImageDataset, Splits};
pub use loader::{BatchLoader, LoaderOptions};
pub use locate::{DATA_VARIABLE, Event, LocateOptions, Located, Origin};
pub use manifest::{Archive, Download, Embedded, Files, Layout, Manifest, Records};
pub use pipeline::{Pipeline, PipelineOptions};
pub use split::split;
pub use table::{FeatureStats, TableDataset};
pub use taper_backend::{DType, HostData};
pub use text::{CharVocabulary, TextWindows};
