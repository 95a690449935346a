//! The macro that makes the enum of fused operations, and what can be asked of each, from one declaration an operation.

use crate::{Activation, Conv2dSpec, CrossEntropySpec, Pool2dSpec, RandomKey, RecurrentCell, Saved};

/// What observers learn of an attribute.
pub(super) trait Attribute: std::fmt::Debug {
    /// The value as text.
    fn text(&self) -> String {
        format!("{self:?}")
    }

    /// What tells apart operations of one name, in profiles: `Relu` for `linear`. Empty for most attributes.
    fn variant(&self) -> String {
        String::new()
    }
}

impl Attribute for Activation {
    fn variant(&self) -> String {
        if *self == Self::Identity { String::new() } else { self.text() }
    }
}

impl Attribute for RecurrentCell {
    fn variant(&self) -> String {
        self.text()
    }
}

macro_rules! attributes {
    ($($of:ty),*) => {$(
        impl Attribute for $of {}
    )*};
}
attributes!(bool, usize, f64, RandomKey, Conv2dSpec, Pool2dSpec, Option<Pool2dSpec>, CrossEntropySpec, &Saved);

/// Declares the enum [`FusedOp`](super::FusedOp). An operand is a buffer, or an `Option` of one. `as shape` says that
/// the operation's gradient reads nothing but the operand's shape. Attributes are everything else.
macro_rules! fused_ops {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $name:literal {
            operands { $($(#[$operand_doc:meta])* $operand:ident: $operand_type:ty $(as $mark:ident)?,)* }
            attributes { $($(#[$attribute_doc:meta])* $attribute:ident: $attribute_type:ty,)* }
        }
    )*) => {
        /// A fused operation: a differentiable function that a backend may compute by one kernel, with its operands.
        ///
        /// [`Backend::fused`](crate::Backend::fused) computes it, and
        /// [`Backend::fused_grad`](crate::Backend::fused_grad) its gradients.
        #[derive(Debug, Clone, Copy)]
        pub enum FusedOp<'a> {
            $(
                $(#[$doc])*
                $variant {
                    $($(#[$operand_doc])* $operand: $operand_type,)*
                    $($(#[$attribute_doc])* $attribute: $attribute_type,)*
                },
            )*
        }

        impl<'a> FusedOp<'a> {
            /// The names of all fused operations.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The largest number of operands of an operation.
            pub const MOST_OPERANDS: usize = {
                let counts = [$([$(stringify!($operand)),*].len()),*];
                let (mut most, mut i) = (0, 0);
                while i < counts.len() {
                    most = if counts[i] > most { counts[i] } else { most };
                    i += 1;
                }
                most
            };

            /// The operation's name: `linear`.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)*
                }
            }

            /// The name of the operation's gradient: `linear_grad`.
            pub fn grad_name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => concat!($name, "_grad"),)*
                }
            }

            /// Calls `f` for every operand in order, absent ones included, with whether the gradient reads its values.
            fn each_operand(&self, f: &mut dyn FnMut(Option<&'a Buffer>, bool)) {
                match *self {
                    $(Self::$variant { $($operand,)* .. } => {
                        $(f(Option::from($operand), fused_ops!(@reads $($mark)?));)*
                    })*
                }
            }

            /// The attributes in order, each with its name and its value as text.
            pub fn attributes(&self) -> Vec<(&'static str, String)> {
                match self {
                    $(Self::$variant { $($attribute,)* .. } => {
                        vec![$((stringify!($attribute), Attribute::text($attribute))),*]
                    })*
                }
            }

            /// What tells apart operations of this name, in profiles: `Relu` for a linear layer with that activation.
            pub fn variant(&self) -> String {
                match self {
                    $(Self::$variant { $($attribute,)* .. } => {
                        Vec::<String>::from([$(Attribute::variant($attribute)),*]).concat()
                    })*
                }
            }
        }
    };
    (@reads) => { true };
    (@reads shape) => { false };
}
pub(super) use fused_ops;
