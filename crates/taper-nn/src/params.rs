//! Creating parameters, and the list of all parameters of a model.

use crate::Init;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use taper_tensor::{DType, Device, Error, Param, RandomKey, Result, Shape, Tensor};

/// A path in a model, such as `layer1.0.conv1`, under which parameters are created, and the list of all parameters that
/// were created for the model.
///
/// A layer takes a `Params` and creates its parameters under that path. A parameter's initial value is drawn from a
/// stream keyed by its full name, so that adding or removing a layer does not change the initial values of the others.
/// Clones share the list.
///
/// ```
/// # use taper_nn::{DType, Device, Init, Params, RandomKey};
/// # fn main() -> taper_nn::Result<()> {
/// # let device = Device::new(taper_cpu::CpuBackend::new()?);
/// let params = Params::new(&device, DType::F32, RandomKey::new(0));
/// let weight = params.sub("fc1").get("weight", [512, 8192], Init::layer_weight())?;
/// assert_eq!(weight.name(), "fc1.weight");
/// assert_eq!(params.count(), 512 * 8192);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Params {
    path: String,
    device: Device,
    dtype: DType,
    key: RandomKey,
    list: Arc<Mutex<ParamList>>,
}

/// All parameters and buffers of a model, in the order in which they were created.
#[derive(Debug, Default)]
struct ParamList {
    params: Vec<Param>,
    names: HashSet<String>,
    /// How many layers that draw random numbers were created at each path.
    streams: HashMap<String, u64>,
    /// Values for the parameters that are created next, in order; `None` where initial values are drawn.
    bound: Option<VecDeque<Tensor>>,
}

impl Params {
    /// An empty list: the root of a model whose parameters have dtype `dtype`, are on `device` and are drawn from
    /// `key`.
    pub fn new(device: &Device, dtype: DType, key: RandomKey) -> Self {
        Self { path: String::new(), device: device.clone(), dtype, key: key.child("params"), list: Arc::default() }
    }

    /// A list whose parameters take their values from `values`, in the order in which they are created. A layer built
    /// with it is a function of `values`, and gradients flow to them.
    pub(crate) fn bound(device: &Device, dtype: DType, values: &[Tensor]) -> Self {
        let params = Self::new(device, dtype, RandomKey::new(0));
        params.list().bound = Some(values.iter().cloned().collect());
        params
    }

    /// The path `name` below this one; `name` may hold several parts, separated by dots.
    pub fn sub(&self, name: impl AsRef<str>) -> Self {
        Self { path: self.full_name(name.as_ref()), ..self.clone() }
    }

    /// The path; empty at the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The dtype of the parameters created here.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The device of the parameters created here.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Creates the parameter `name` with the initial value `init`. An error when a parameter or buffer of that name
    /// exists already, when the shape is too large for any memory, or when `init` does not suit the shape.
    pub fn get(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Param> {
        self.get_changed(name, shape, init, Ok)
    }

    /// As [`Params::get`], with an initial value that `change` makes of the drawn one.
    pub(crate) fn get_changed(
        &self,
        name: &str,
        shape: impl Into<Shape>,
        init: Init,
        change: impl FnOnce(Tensor) -> Result<Tensor>,
    ) -> Result<Param> {
        let shape: Shape = shape.into();
        let bound = self.list().bound.as_mut().map(VecDeque::pop_front);
        let param = match bound {
            None => {
                let (name, value) = self.first_value(name, shape, init)?;
                Param::new(name, &change(value)?)
            }
            Some(Some(value)) if *value.shape() == shape => Param::bound(self.full_name(name), &value),
            Some(other) => {
                let came = other.map_or("none".into(), |value| format!("one of shape {}", value.shape()));
                let name = self.full_name(name);
                return Err(Error::Parameter(format!("{name}: expected a value of shape {shape}, came {came}")));
            }
        };
        self.add(param)
    }

    /// Creates the buffer `name`, filled with `value`. A buffer is saved with the weights and not trained, such as a
    /// running mean.
    pub fn buffer(&self, name: &str, shape: impl Into<Shape>, dtype: DType, value: f64) -> Result<Param> {
        let (name, shape) = (self.full_name(name), shape.into());
        check_size(&name, &shape, dtype)?;
        let value = Tensor::full(value, shape, dtype, &self.device)?;
        self.add(Param::buffer(name, &value))
    }

    /// Creates the buffer `name` with an initial value that is drawn as [`Params::get`] draws it. It is saved with the
    /// weights and never trained.
    pub fn frozen(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Param> {
        let (name, value) = self.first_value(name, shape.into(), init)?;
        self.add(Param::buffer(name, &value))
    }

    /// The name of the random stream of a layer that draws numbers in its forward pass, as dropout does, for
    /// [`Context::key`](crate::Context::key). It is this path, followed by `#1`, `#2` and so on for further layers at
    /// the same path, so that no two draw the same numbers.
    pub fn stream(&self) -> String {
        let mut list = self.list();
        let others = list.streams.entry(self.path.clone()).or_default();
        *others += 1;
        match *others {
            1 => self.path.clone(),
            n => format!("{}#{}", self.path, n - 1),
        }
    }

    /// All parameters and buffers of the model, in the order in which they were created.
    pub fn all(&self) -> Vec<Param> {
        self.list().params.clone()
    }

    /// The parameters that training changes, without buffers and frozen ones, in the order in which they were created.
    pub fn trainable(&self) -> Vec<Param> {
        self.list().params.iter().filter(|param| param.trainable()).cloned().collect()
    }

    /// The number of elements of all trainable parameters.
    pub fn count(&self) -> usize {
        self.trainable().iter().map(|param| param.tensor().count()).sum()
    }

    /// The full name of a parameter, and its initial value.
    fn first_value(&self, name: &str, shape: Shape, init: Init) -> Result<(String, Tensor)> {
        let name = self.full_name(name);
        check_size(&name, &shape, self.dtype)?;
        let value = init.tensor(&shape, self.dtype, &self.device, self.key.child(&name))?;
        Ok((name, value))
    }

    fn full_name(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn add(&self, param: Param) -> Result<Param> {
        let mut list = self.list();
        if !list.names.insert(param.name().to_owned()) {
            let detail = format!("there already is a parameter called {}: give each layer its own sub()", param.name());
            return Err(Error::Parameter(detail));
        }
        list.params.push(param.clone());
        Ok(param)
    }

    fn list(&self) -> MutexGuard<'_, ParamList> {
        // The list stays consistent even if a thread panicked while it held the lock.
        self.list.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Returns an error when a tensor of this size cannot exist on any machine. Otherwise products of its sizes do not
/// overflow.
pub(crate) fn check_size(name: &str, shape: &Shape, dtype: DType) -> Result<()> {
    let bytes = shape.iter().try_fold(dtype.size(), |bytes, &size| bytes.checked_mul(size.max(1)));
    match bytes {
        Some(bytes) if bytes <= isize::MAX as usize => Ok(()),
        _ => Err(Error::Parameter(format!("{name}: shape {shape} is too large for any memory"))),
    }
}
