//! Kinds of sounds: recordings in a folder for each kind, generated ones, and the linear model that a network is to be better than.

mod folder;
mod generated;
mod linear;

pub(crate) use linear::linear;

use crate::speech::{Recordings, Sources};

/// Generated sounds of a few kinds, which stand in for recordings.
pub(crate) fn generated(rate: u32) -> Sources {
    let [train, test] = generated::kinds(rate).map(|all| Recordings { all });
    Sources::of(train, test, generated::KINDS.map(str::to_owned).to_vec())
}

pub(crate) use folder::open;
