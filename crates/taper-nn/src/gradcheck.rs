//! The subjects of gradient checking: every layer, every loss, and every regulariser that mixes the samples of a batch.
//!
//! Each file of these folders defines its cases, with respect to the input and to all parameters. The list of cases is
//! made from the list of modules, so that no file can be left out. See [`taper_tensor::gradcheck`] for how a case is
//! checked.

use crate::{Context, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Result, Tensor};

/// All layers, then all losses, then all regularisers that mix a batch; each kind in alphabetical order. Available with
/// the feature `gradcheck`: training does not need it, and builds are faster without it.
///
/// ```
/// use taper_nn::gradcheck::subjects;
/// use taper_nn::taper_tensor::gradcheck::{Subject, Table};
/// # fn main() -> taper_nn::Result<()> {
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let linear = Subject::choose(subjects(), "layer linear")?;
/// assert!(Table::check(&linear, &[device], false, |line| println!("{line}")).passed());
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "gradcheck")]
pub fn subjects() -> Vec<taper_tensor::gradcheck::Subject> {
    use crate::{layers, losses, mix};
    [("layer", layers::registry()), ("loss", losses::registry()), ("mix", mix::registry())]
        .into_iter()
        .flat_map(|(kind, found)| {
            found.into_iter().map(move |(name, cases)| taper_tensor::gradcheck::Subject::new(kind, name, cases))
        })
        .collect()
}

/// Declares the modules of a folder, each with a `cases()` that checks its gradients, and lists them.
macro_rules! checked_modules {
    ($($name:ident),* $(,)?) => {
        // Without the feature the cases are dead code.
        $(#[cfg_attr(not(feature = "gradcheck"), allow(dead_code))] mod $name;)*

        /// The name of each file with the cases that its gradients are checked on.
        #[cfg(feature = "gradcheck")]
        pub(crate) fn registry() -> Vec<(&'static str, Vec<taper_tensor::gradcheck::Case>)> {
            vec![$((stringify!($name), $name::cases())),*]
        }
    };
}
pub(crate) use checked_modules;

/// A case for the layer that `make` builds, in training mode, in f64. Input 0 is the layer's input; the further inputs
/// are its parameters, in the order in which they are created.
#[cfg_attr(not(feature = "gradcheck"), allow(dead_code))]
pub(crate) fn layer<M: Module>(name: &str, make: impl Fn(&Params) -> Result<M> + Send + Sync + 'static) -> Case {
    of_params(name, move |x, params| make(params)?.forward(&x[0], &Context::train(0, 0, 0)), 1)
}

/// A case for `function`, which is given all inputs, and those after the first `others` as parameters too.
#[cfg_attr(not(feature = "gradcheck"), allow(dead_code))]
pub(crate) fn of_params(
    name: &str,
    function: impl Fn(&[Tensor], &Params) -> Result<Tensor> + Send + Sync + 'static,
    others: usize,
) -> Case {
    Case::new(name, move |x| function(x, &Params::bound(x[0].device(), x[0].dtype(), &x[others..])))
}
