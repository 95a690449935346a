//! The models by name. A new model needs a file, and its lines in `lib.rs`.

use taper_config::{Family, Named, Schema, Table, toml};
use taper_nn::{Error, Module, Params, Result, Tensor};

/// The input and output sizes of a classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSpec {
    /// Channels, height and width of an image.
    pub shape: [usize; 3],
    /// The number of classes: the size of the output.
    pub classes: usize,
}

/// A model that can be built by its name.
#[derive(Debug, Clone, Copy)]
pub struct ModelInfo {
    /// The name, as on the command line: `seed-cnn`.
    pub name: &'static str,
    /// A description in a few words.
    pub summary: &'static str,
    /// The keys of its table, `[model]`, with their defaults.
    pub schema: Schema,
    /// Builds the model of the values of its keys, which [`ModelInfo::schema`] has resolved, with its parameters in a
    /// [`Params`] list.
    pub build: Build,
    /// Computes, from training images, what is not trained, once, before training; `None` if the model has nothing
    /// such.
    pub prepare: Option<Prepare>,
}

/// Builds a model for an input of the values of its keys, with its parameters in a [`Params`] list.
pub type Build = fn(&InputSpec, &toml::Table, &Params) -> Result<Box<dyn Module>>;

/// Sets buffers among the parameters from the first training images (5,000 where there are as many), `[N, C, H, W]`,
/// normalised as in training and not augmented.
pub type Prepare = fn(&Params, &Tensor) -> Result<()>;

/// A model of the zoo: it is built for an input, of the keys of its table.
pub trait ZooModel: Module + Sized + 'static {
    /// The keys of its table, `[model]`.
    type Config: Table;

    /// Builds the model, with its parameters in `params`.
    ///
    /// # Errors
    /// An input that does not fit.
    fn build(config: &Self::Config, input: &InputSpec, params: &Params) -> Result<Self>;
}

taper_config::table! {
    /// The table of a model that has no keys.
    pub struct NoKeys {}
}

impl ModelInfo {
    /// The model `M` by its name.
    pub const fn of<M: ZooModel>(name: &'static str, summary: &'static str) -> Self {
        Self { name, summary, schema: Schema::of::<M::Config>(), build: build_of::<M>, prepare: None }
    }

    /// The same with what it computes before training.
    #[must_use]
    pub const fn prepared_by(self, prepare: Prepare) -> Self {
        Self { prepare: Some(prepare), ..self }
    }
}

fn build_of<M: ZooModel>(input: &InputSpec, values: &toml::Table, params: &Params) -> Result<Box<dyn Module>> {
    let config = M::Config::read(values.clone()).map_err(|error| Error::argument("model", error.to_string()))?;
    Ok(Box::new(M::build(&config, input, params)?))
}

/// All models, in alphabetical order.
pub fn models() -> &'static [ModelInfo] {
    crate::ALL
}

/// The models as what `[model]` may name.
pub fn family() -> Family {
    let members = models().iter().map(|model| (model.name, model.schema)).collect();
    Family { table: "model", kind: "model", default: "", members, common: None, lenient: false }
}

/// The model called `name`.
///
/// # Errors
/// An unknown name; the error lists the known ones.
pub fn model(name: &str) -> Result<&'static ModelInfo> {
    models().iter().find(|model| model.name == name).ok_or_else(|| {
        let known: Vec<&str> = models().iter().map(|model| model.name).collect();
        Error::argument("model", format!("there is no model {name:?}; known: {}", known.join(", ")))
    })
}

/// Builds the model that `named` names, of the keys of its table (a name alone takes the defaults), with its parameters
/// in `params`.
///
/// # Errors
/// An unknown name (the error lists the known ones), a key that the model does not have, a value out of range, an input
/// that does not fit.
pub fn build(named: impl Into<Named>, input: &InputSpec, params: &Params) -> Result<Box<dyn Module>> {
    let named = named.into();
    let model = model(&named.name)?;
    let values = model.schema.resolve(&named, "model").map_err(|error| Error::argument("model", error.to_string()))?;
    (model.build)(input, &values, params)
}
