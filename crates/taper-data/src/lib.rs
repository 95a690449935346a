#![doc = include_str!("../README.md")]

pub mod augment;
mod batch;
#[cfg_attr(
    not(any(feature = "csv", feature = "parquet")),
    allow(dead_code, reason = "times are read from tables alone")
)]
mod clock;
mod collections;
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
mod list;
mod loader;
mod locate;
mod manifest;
#[cfg(feature = "images")]
mod pictures;
mod pipeline;
mod published;
mod ratings;
mod scenes;
mod series;
mod split;
mod table;
#[cfg(any(feature = "csv", feature = "parquet"))]
mod tables;
mod text;

pub use augment::{Augment, Augmented, Augmenter};
pub use batch::{Batch, Field, FieldSpec};
pub use clock::{Clock, Step};
pub use collections::Collection;
pub use dataset::Dataset;
pub use datasets::{Source, digits};
pub use error::{Error, Result};
pub use files::atomic_write;
#[cfg(feature = "images")]
pub use formats::folders::{FolderOptions, read_image_folder, read_image_folders};
pub use formats::npy::{read_npy, read_npy_images};
#[cfg(feature = "npz")]
pub use formats::npz::{read_npz, read_npz_images};
pub use image::{ImageDataset, Splits};
pub use loader::{BatchLoader, LoaderOptions};
pub use locate::{DATA_VARIABLE, Event, LocateOptions, Located, Origin};
pub use manifest::{Archive, ArchiveFormat, Download, Embedded, Files, Layout, Manifest, Records, Unpacking};
#[cfg(feature = "images")]
pub use pictures::{PictureFolder, PictureOptions, PictureSplits, SkippedFile, decode_picture, stretch_picture};
pub use pipeline::{Pipeline, PipelineOptions};
pub use published::{PublishedFile, PublishedWeights};
pub use ratings::{ChoiceSamples, RatedItem, Rating, RatingSamples, Ratings};
pub use scenes::{Mirrored, Rle, SHAPES, SceneTargets, Scenes, Thing, UNKNOWN};
#[cfg(feature = "coco")]
pub use scenes::{SceneFolder, SceneOptions};
pub use series::{SeriesParts, SeriesWindows, TimeSeries, seasonal_naive};
pub use split::split;
pub use table::{FeatureStats, TableDataset};
#[cfg(any(feature = "csv", feature = "parquet"))]
pub use tables::{
    ColumnSpec, CsvOptions, Gaps, LeftOut, SeriesOptions, Table, TableOptions, TableSource, TableSpec, TargetKind,
    TargetSpec,
};
pub use taper_backend::{DType, HostData};
#[cfg(feature = "bpe")]
pub use text::Bpe;
#[cfg(any(feature = "csv", feature = "parquet"))]
pub use text::TextFolders;
pub use text::{
    ByteVocabulary, CharVocabulary, Conversations, LabelledTexts, NGrams, PairSamples, ParallelTexts, ReplySamples,
    TextBlocks, TextPairs, TextSource, TextWindows, Tokenizer, WordSamples, WordVocabulary,
};
