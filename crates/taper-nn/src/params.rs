//! Where parameters are made, and the list of all of them.

use crate::Init;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use taper_tensor::{DType, Device, Error, Param, RandomKey, Result, Shape, Tensor};

/// A place in a model, such as `layer1.0.conv1`, where parameters can be made; and the way to all that were made.
///
/// Layers take one and make their parameters in it. A parameter's first value is drawn from a stream keyed by its whole
/// name, so that a layer added or taken away does not change the others. Cloning shares the list.
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
    made: Arc<Mutex<Made>>,
}

/// All parameters and buffers, in the order in which they were made.
#[derive(Debug, Default)]
struct Made {
    params: Vec<Param>,
    names: HashSet<String>,
    /// How many layers that draw random numbers were made at each path.
    streams: HashMap<String, u64>,
    /// Values that stand ready for the parameters to be made, in order.
    bound: Option<VecDeque<Tensor>>,
}

impl Params {
    /// An empty list: the root of a model whose parameters are `dtype` on `device`, drawn from `key`.
    pub fn new(device: &Device, dtype: DType, key: RandomKey) -> Self {
        Self { path: String::new(), device: device.clone(), dtype, key: key.child("params"), made: Arc::default() }
    }

    /// A list whose parameters are `values`, in the order in which they are made: a layer made with it is a function of
    /// them, which gradients go through.
    pub(crate) fn bound(device: &Device, dtype: DType, values: &[Tensor]) -> Self {
        let params = Self::new(device, dtype, RandomKey::new(0));
        params.made().bound = Some(values.iter().cloned().collect());
        params
    }

    /// The place called `name` (itself a path or not) below this one.
    pub fn sub(&self, name: impl AsRef<str>) -> Self {
        Self { path: self.full_name(name.as_ref()), ..self.clone() }
    }

    /// This place's path: empty at the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The dtype of the parameters made here.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The device they are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Makes the parameter `name`. An error when there is one of that name already, or the shape is too large to count.
    pub fn get(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Param> {
        let shape: Shape = shape.into();
        let bound = self.made().bound.as_mut().map(VecDeque::pop_front);
        let param = match bound {
            None => {
                let (name, value) = self.first_value(name, shape, init)?;
                Param::new(name, &value)
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

    /// Makes the buffer `name` with `value` everywhere: a tensor that is saved with the weights and not trained, such as a
    /// running mean.
    pub fn buffer(&self, name: &str, shape: impl Into<Shape>, dtype: DType, value: f64) -> Result<Param> {
        let (name, shape) = (self.full_name(name), shape.into());
        check_size(&name, &shape, dtype)?;
        let value = Tensor::full(value, shape, dtype, &self.device)?;
        self.add(Param::buffer(name, &value))
    }

    /// Makes the buffer `name` as [`Params::get`] makes a parameter: drawn from the stream of its name, saved with the
    /// weights, never trained.
    pub fn frozen(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Param> {
        let (name, value) = self.first_value(name, shape.into(), init)?;
        self.add(Param::buffer(name, &value))
    }

    /// The name of the random stream of a layer that draws when it is applied, as dropout does, to be given to
    /// [`Context::key`](crate::Context::key): this place's path, and `#1`, `#2` and so on behind it for others made at the
    /// same place, so that no two draw the same.
    pub fn stream(&self) -> String {
        let mut made = self.made();
        let others = made.streams.entry(self.path.clone()).or_default();
        *others += 1;
        match *others {
            1 => self.path.clone(),
            n => format!("{}#{}", self.path, n - 1),
        }
    }

    /// All parameters and buffers of the model, in the order in which they were made.
    pub fn all(&self) -> Vec<Param> {
        self.made().params.clone()
    }

    /// The parameters that training changes, in order.
    pub fn trainable(&self) -> Vec<Param> {
        self.made().params.iter().filter(|param| param.trainable()).cloned().collect()
    }

    /// The number of trainable elements.
    pub fn count(&self) -> usize {
        self.trainable().iter().map(|param| param.tensor().count()).sum()
    }

    /// The whole name, and the value that is drawn for it.
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
        let mut made = self.made();
        if !made.names.insert(param.name().to_owned()) {
            let detail = format!("there already is a parameter called {}: give each layer its own sub()", param.name());
            return Err(Error::Parameter(detail));
        }
        made.params.push(param.clone());
        Ok(param)
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        // Every change is one push: what a panicking thread left behind is whole.
        self.made.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Errs when a tensor of this size cannot exist on any machine: products of its sizes can then be trusted.
pub(crate) fn check_size(name: &str, shape: &Shape, dtype: DType) -> Result<()> {
    let bytes = shape.iter().try_fold(dtype.size(), |bytes, &size| bytes.checked_mul(size.max(1)));
    match bytes {
        Some(bytes) if bytes <= isize::MAX as usize => Ok(()),
        _ => Err(Error::Parameter(format!("{name}: shape {shape} is too large for any memory"))),
    }
}
