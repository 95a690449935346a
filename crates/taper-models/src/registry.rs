//! The models by name. A new model needs a file, and its lines in `lib.rs`.

use taper_config::{Family, Named, Schema, Table, toml, unknown};
use taper_nn::{Context, DType, Device, Error, Module, Params, Result, Tensor};

/// The input and output sizes of a classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSpec {
    /// Channels, height and width of an image.
    pub shape: [usize; 3],
    /// The number of classes: the size of the output.
    pub classes: usize,
}

/// Pictures of 3 × 224 × 224 in 1,000 classes: ImageNet's, and the default input of the networks that were made for it.
pub const IMAGENET: InputSpec = InputSpec { shape: [3, 224, 224], classes: 1000 };
/// Pictures of 3 × 32 × 32 in 10 classes: CIFAR-10's.
pub const CIFAR10: InputSpec = InputSpec { shape: [3, 32, 32], classes: 10 };
/// Pictures of 1 × 28 × 28 in 10 classes: MNIST's.
pub const MNIST: InputSpec = InputSpec { shape: [1, 28, 28], classes: 10 };

/// A model that can be built by its name.
#[derive(Debug, Clone, Copy)]
pub struct ModelInfo {
    /// The name, as on the command line: `seed-cnn`. A model of torchvision's has its name there: `vgg16_bn`.
    pub name: &'static str,
    /// A description in a few words.
    pub summary: &'static str,
    /// Where it is from: `He et al. 2016, table 1`.
    pub source: &'static str,
    /// The keys of its table, `[model]`, with their defaults.
    pub schema: Schema,
    /// What it takes, and how it is built.
    pub kind: Kind,
    /// Computes, from training images, what is not trained, once, before training; `None` if the model has nothing
    /// such.
    pub prepare: Option<Prepare>,
}

/// What a model takes, and how it is built of the values of its keys, which [`ModelInfo::schema`] has resolved.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A classifier or regressor of pictures, or of what is laid out as such: what `[model]` may name.
    Pictures {
        /// The input and output sizes that it is listed with.
        input: InputSpec,
        /// Builds it.
        build: Build,
    },
    /// Any other: one that takes tokens or several inputs, or returns several outputs ([`SampledModel`]).
    Sampled {
        /// Builds it, with a forward pass.
        sampled: Sampled,
    },
}

/// Builds a model for an input of the values of its keys, with its parameters in a [`Params`] list.
pub type Build = fn(&InputSpec, &toml::Table, &Params) -> Result<Box<dyn Module>>;

/// Builds a model of the values of its keys, with its parameters in a [`Params`] list, and gives its forward pass.
pub type Sampled = fn(&toml::Table, &Params) -> Result<Sample>;

/// A model that was built, with a sample to pass through it.
pub struct Sample {
    /// What the sample is: `3x224x224`, `1024 tokens of 50257`.
    pub input: String,
    /// Passes one sample, of zeros, through the model, and returns all its outputs.
    pub forward: ForwardSample,
}

/// A forward pass of one sample, which returns all outputs.
pub type ForwardSample = Box<dyn Fn(&Context) -> Result<Vec<Tensor>>>;

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

/// A model that is no classifier of pictures. The registry needs no more of it than its keys, and a forward pass by which
/// parameters, shapes and FLOP are found; whatever trains it builds it by its own type.
pub trait SampledModel: Sized + 'static {
    /// The keys of its table.
    type Config: Table;

    /// Builds the model, with its parameters in `params`.
    ///
    /// # Errors
    /// Values that do not fit each other.
    fn build(config: &Self::Config, params: &Params) -> Result<Self>;

    /// What one sample is, in a few words: `1024 tokens of 50257`.
    fn sample(config: &Self::Config) -> String;

    /// Passes one sample, such as one of zeros of `dtype` on `device`, through the model, and returns all its outputs.
    ///
    /// # Errors
    /// Those of the forward pass.
    fn forward_sample(
        &self,
        config: &Self::Config,
        dtype: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>>;
}

taper_config::table! {
    /// The table of a model that has no keys.
    pub struct NoKeys {}
}

impl ModelInfo {
    /// The model `M` by its name, listed with the sizes `input`.
    pub const fn of<M: ZooModel>(
        name: &'static str,
        summary: &'static str,
        source: &'static str,
        input: InputSpec,
    ) -> Self {
        Self::built(name, summary, source, input, Schema::of::<M::Config>(), build_of::<M>)
    }

    /// A model that `build` builds: one of several of the same type, as VGG's are.
    pub const fn built(
        name: &'static str,
        summary: &'static str,
        source: &'static str,
        input: InputSpec,
        schema: Schema,
        build: Build,
    ) -> Self {
        Self { name, summary, source, schema, kind: Kind::Pictures { input, build }, prepare: None }
    }

    /// The model `M`, which is no classifier of pictures, by its name.
    pub const fn sampled<M: SampledModel>(name: &'static str, summary: &'static str, source: &'static str) -> Self {
        let kind = Kind::Sampled { sampled: sample_of::<M> };
        Self { name, summary, source, schema: Schema::of::<M::Config>(), kind, prepare: None }
    }

    /// The same with what it computes before training.
    #[must_use]
    pub const fn prepared_by(self, prepare: Prepare) -> Self {
        Self { prepare: Some(prepare), ..self }
    }

    /// The values of all keys of the model that `named` names, which is this one.
    ///
    /// # Errors
    /// A key that the model does not have, a value out of range.
    pub fn values(&self, named: &Named) -> Result<toml::Table> {
        self.schema.resolve(named, "model").map_err(of_config)
    }

    /// Builds the model of the `values` of its keys, with its parameters in `params`, and gives a sample to pass through
    /// it. A classifier is built for `input`, or for the sizes that it is listed with.
    ///
    /// # Errors
    /// Sizes that do not fit, or that the model does not take.
    pub fn sample(&self, values: &toml::Table, input: Option<InputSpec>, params: &Params) -> Result<Sample> {
        match self.kind {
            Kind::Pictures { input: listed, build } => {
                let input = input.unwrap_or(listed);
                let model = build(&input, values, params)?;
                let [c, h, w] = input.shape;
                let (dtype, device) = (params.dtype(), params.device().clone());
                let forward = move |context: &Context| {
                    let x = Tensor::zeros([1, c, h, w], dtype, &device)?;
                    Ok(vec![model.forward(&x, context)?])
                };
                Ok(Sample { input: input.told(), forward: Box::new(forward) })
            }
            Kind::Sampled { sampled } if input.is_none() => sampled(values, params),
            Kind::Sampled { .. } => {
                let detail = format!("{} takes no pictures: its sizes are keys of its table, not an input", self.name);
                Err(Error::argument("model", detail))
            }
        }
    }
}

impl InputSpec {
    /// The shape as `3x224x224`.
    pub fn told(&self) -> String {
        let [c, h, w] = self.shape;
        format!("{c}x{h}x{w}")
    }
}

fn build_of<M: ZooModel>(input: &InputSpec, values: &toml::Table, params: &Params) -> Result<Box<dyn Module>> {
    Ok(Box::new(M::build(&read(values)?, input, params)?))
}

fn sample_of<M: SampledModel>(values: &toml::Table, params: &Params) -> Result<Sample> {
    let config: M::Config = read(values)?;
    let model = M::build(&config, params)?;
    let (dtype, device) = (params.dtype(), params.device().clone());
    let input = M::sample(&config);
    let forward = move |context: &Context| model.forward_sample(&config, dtype, &device, context);
    Ok(Sample { input, forward: Box::new(forward) })
}

/// The table `values` as a `C`.
///
/// # Errors
/// None for values that [`ModelInfo::values`] gave.
pub(crate) fn read<C: Table>(values: &toml::Table) -> Result<C> {
    C::read(values.clone()).map_err(of_config)
}

fn of_config(error: taper_config::Error) -> Error {
    Error::argument("model", error.to_string())
}

/// All models, in alphabetical order.
pub fn models() -> &'static [ModelInfo] {
    crate::ALL
}

/// The models as what `[model]` may name: those that take pictures.
pub fn family() -> Family {
    let pictures = models().iter().filter(|model| matches!(model.kind, Kind::Pictures { .. }));
    let members = pictures.map(|model| (model.name, model.schema)).collect();
    Family { table: "model", kind: "model", default: "", members, common: None, lenient: false }
}

/// The model called `name`.
///
/// # Errors
/// An unknown name; the error lists the nearest ones, and all.
pub fn model(name: &str) -> Result<&'static ModelInfo> {
    models().iter().find(|model| model.name == name).ok_or_else(|| {
        let known: Vec<&str> = models().iter().map(|model| model.name).collect();
        Error::argument("model", unknown("model", name, &known))
    })
}

/// Builds the model of pictures that `named` names, of the keys of its table (a name alone takes the defaults), with its
/// parameters in `params`.
///
/// # Errors
/// An unknown name (the error lists the nearest ones), a model that takes no pictures, a key that the model does not have,
/// a value out of range, an input that does not fit.
pub fn build(named: impl Into<Named>, input: &InputSpec, params: &Params) -> Result<Box<dyn Module>> {
    let named = named.into();
    let model = model(&named.name)?;
    let Kind::Pictures { build, .. } = model.kind else {
        let detail = format!("{} takes no pictures: it is built by its own type ({})", model.name, model.summary);
        return Err(Error::argument("model", detail));
    };
    build(input, &model.values(&named)?, params)
}
