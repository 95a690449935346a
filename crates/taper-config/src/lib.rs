#![doc = include_str!("../README.md")]

// `table!` names this crate, here too.
extern crate self as taper_config;

mod error;
mod escape;
mod family;
mod key;
mod macros;
mod named;
mod nearest;
mod overrides;
pub mod range;
mod rest;
mod schema;
mod value;

pub use error::Error;
pub use family::Family;
pub use key::Key;
#[doc(hidden)]
pub use key::dotted;
pub use named::Named;
pub use nearest::{nearest, unknown};
pub use overrides::Override;
pub use range::Range;
pub use rest::Rest;
pub use schema::{Schema, Table};
#[doc(hidden)]
pub use schema::{deserialize, serialize, value_as, value_of};
pub use value::told;

// For what `table!` writes.
#[doc(hidden)]
pub use serde;
/// The library of TOML, whose values and tables a configuration holds.
pub use toml;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
