//! Convolution as matrix products that read patches of images in place.
//!
//! A task copies the rows of the image that it needs into a tile, channels last and padded with zeros. A patch is then
//! a few contiguous runs of the tile, and the micro-kernel reads it there: no matrix of patches is ever written.
//! Forward and input gradient are one gather ([`gather`]), the weight gradient the transposed product ([`weight`]). 3 ×
//! 3 windows of stride 1 take Winograd's way where it is shorter ([`winograd`]). Channels that have no group to share
//! ([`depthwise`]) are plain loops over channels.

pub(crate) mod depthwise;
pub(crate) mod finish;
pub(crate) mod gather;
mod margins;
pub(crate) mod source;
pub(crate) mod tile;
pub(crate) mod weight;
pub(crate) mod winograd;
