//! The macro that declares a table.

/// Declares a table of the configuration: a struct whose fields are the keys. Each key has its documentation (of which
/// the first paragraph is its help), its name, type, default, and range (a [`Range`](crate::Range), made by a function
/// of [`range`](mod@crate::range)):
///
/// ```
/// taper_config::table! {
///     /// `[train]`: the training loop.
///     pub struct TrainConfig {
///         /// Passes over the training data.
///         epochs: u64 = 1, at_least(1);
///         /// Whether the samples are shuffled anew for each epoch.
///         shuffle: bool = true, flag();
///     }
/// }
/// let config: TrainConfig = toml::from_str("epochs = 3").unwrap();
/// assert_eq!((config.epochs, config.shuffle), (3, true));
/// ```
///
/// From this come the struct with public fields, `Default`, `Debug`, `Clone`, `PartialEq`, serde's `Serialize` and
/// `Deserialize` (a missing key has its default, an unknown key is an error), and [`Table`](crate::Table). Other derives
/// may be added above the struct. With `..` and a documented name after the last key, keys that the table does not have
/// are no error, but kept in a field of that name, a [`Rest`](crate::Rest), for whoever they belong to.
#[macro_export]
macro_rules! table {
    (
        $(#[$attribute:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:expr])+
                $key:ident: $type:ty = $default:expr, $range:expr;
            )*
        }
    ) => {
        $crate::table! {
            @fields []
            $(#[$attribute])*
            $vis struct $name {
                $($(#[doc = $doc])+ $key: $type = $default, $range;)*
            }
        }
    };
    (
        $(#[$attribute:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:expr])+
                $key:ident: $type:ty = $default:expr, $range:expr;
            )*
            ..
            $(#[doc = $rest_doc:expr])+
            $rest:ident
        }
    ) => {
        $crate::table! {
            @fields [$(#[doc = $rest_doc])+ $rest]
            $(#[$attribute])*
            $vis struct $name {
                $($(#[doc = $doc])+ $key: $type = $default, $range;)*
            }
        }
    };
    (
        @fields [$($(#[doc = $rest_doc:expr])+ $rest:ident)?]
        $(#[$attribute:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:expr])+
                $key:ident: $type:ty = $default:expr, $range:expr;
            )*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name {
            $(
                $(#[doc = $doc])+
                pub $key: $type,
            )*
            $(
                $(#[doc = $rest_doc])+
                pub $rest: $crate::Rest,
            )?
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)* $($rest: $crate::Rest::default())? }
            }
        }

        impl $crate::Table for $name {
            const NAMES: &'static [&'static str] = &[$(stringify!($key)),*];

            #[allow(unused_imports, unused_variables, unused_mut)]
            fn keys_over(&self) -> ::std::vec::Vec<$crate::Key> {
                use $crate::range::*;
                let mut keys = ::std::vec::Vec::new();
                $({
                    let range: $crate::Range<$type> = $range;
                    let (name, docs) = (stringify!($key), concat!($($doc, "\n"),+));
                    keys.push($crate::Key::declared(name, docs, range.text(), range.is_list(), self.get(name)));
                })*
                keys
            }

            #[allow(unused_imports, unused_variables)]
            fn check(&self, table: &str) -> $crate::Result<()> {
                use $crate::range::*;
                $({
                    let range: $crate::Range<$type> = $range;
                    range.check(&$crate::dotted(table, stringify!($key)), &self.$key)?;
                })*
                Ok(())
            }

            #[allow(unused_variables)]
            fn get(&self, key: &str) -> ::core::result::Result<::core::option::Option<$crate::toml::Value>, ::std::string::String> {
                $(if key == stringify!($key) {
                    return $crate::value_of(&self.$key);
                })*
                Ok(None)
            }

            #[allow(unused_variables)]
            fn put(&mut self, key: &str, value: $crate::toml::Value) -> ::core::result::Result<bool, ::std::string::String> {
                $(if key == stringify!($key) {
                    self.$key = $crate::value_as(value)?;
                    return Ok(true);
                })*
                Ok(false)
            }

            $(
                fn rest(&self) -> ::core::option::Option<&$crate::Rest> {
                    Some(&self.$rest)
                }

                fn rest_mut(&mut self) -> ::core::option::Option<&mut $crate::Rest> {
                    Some(&mut self.$rest)
                }
            )?
        }

        impl $crate::serde::Serialize for $name {
            fn serialize<S: $crate::serde::Serializer>(&self, to: S) -> ::core::result::Result<S::Ok, S::Error> {
                $crate::serialize(self, to)
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(from: D) -> ::core::result::Result<Self, D::Error> {
                $crate::deserialize(from)
            }
        }
    };
}
