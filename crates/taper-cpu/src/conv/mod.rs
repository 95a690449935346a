//! Convolution as matrix products that read patches of images in place.
//!
//! A task copies the image rows that it needs into a tile, channels-last and padded with zeros. A patch is then a few
//! contiguous runs of the tile, which the micro-kernel reads in place: no im2col matrix is written. The forward
//! convolution and the input gradient share one kernel ([`gather`]); the weight gradient is the transposed product
//! ([`weight`]). 3 × 3 kernels of stride 1 use Winograd's algorithm where it takes fewer operations ([`winograd`]).
//! 1 × 1 kernels are one matrix product ([`pointwise`]). Depthwise convolutions ([`depthwise`]) are plain loops over channels.

pub(crate) mod depthwise;
pub(crate) mod finish;
pub(crate) mod gather;
mod margins;
pub(crate) mod pointwise;
pub(crate) mod source;
pub(crate) mod tile;
pub(crate) mod weight;
pub(crate) mod winograd;
