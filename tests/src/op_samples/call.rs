//! The arguments of one of PyTorch's calls, by position or by name, as ours take them.

use super::table::Rule;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use taper_tensor::{DType, Device, Error, Reduction, Tensor};

/// Why a sample has no value of ours.
#[derive(Debug)]
pub enum Stop {
    /// It asks for what we do not have.
    NotOffered(String),
    /// It asks for what we have, and is an error.
    Refused(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            // Nothing is promoted or converted silently: a design, not a fault.
            Error::DType { .. } => Self::NotOffered("dtypes that ours do not mix or do not take there".into()),
            Error::Unsupported { op, dtype, .. } => Self::NotOffered(format!("{op} for {dtype}")),
            other => Self::Refused(other),
        }
    }
}

/// What a call gives: its outputs.
pub type Answer = Result<Vec<Tensor>, Stop>;

/// Something that is not offered.
pub fn lacking<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::NotOffered(what.into()))
}

/// One argument.
#[derive(Debug, Clone)]
pub enum Arg {
    /// A tensor; PyTorch's bools are u8 here.
    Tensor(Tensor),
    /// A list or a tuple.
    List(Vec<Arg>),
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Text(String),
    /// A dtype; `None` when it is not ours.
    DType(Option<DType>),
    /// A slice: start, stop, step.
    Slice([Option<i64>; 3]),
    /// What only PyTorch has.
    Other(String),
}

impl Arg {
    /// Of the file's JSON; `tensor` reads one.
    pub fn read(json: &Value, tensor: &mut dyn FnMut(&Value) -> Result<Tensor, Error>) -> Result<Self, Error> {
        let int = |value: &Value| value.as_i64();
        Ok(match json {
            Value::Null => Self::None,
            Value::Bool(value) => Self::Bool(*value),
            Value::String(text) => Self::Text(text.clone()),
            Value::Number(number) => {
                number.as_i64().map_or(Self::Float(number.as_f64().unwrap_or(f64::NAN)), Self::Int)
            }
            Value::Array(all) => Self::List(all.iter().map(|one| Self::read(one, tensor)).collect::<Result<_, _>>()?),
            Value::Object(_) if !json["t"].is_null() => Self::Tensor(tensor(json)?),
            Value::Object(_) if json["slice"].is_array() => Self::Slice([0, 1, 2].map(|i| int(&json["slice"][i]))),
            Value::Object(_) if json["dtype"].is_string() => {
                Self::DType(dtype_of(json["dtype"].as_str().unwrap_or("")))
            }
            Value::Object(_) if json["number"].is_string() => {
                Self::Float(json["number"].as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN))
            }
            other => Self::Other(other["other"].as_str().unwrap_or("").to_string()),
        })
    }
}

/// Our dtype of that name; PyTorch's bool is our u8.
pub fn dtype_of(name: &str) -> Option<DType> {
    let all = [DType::F32, DType::F64, DType::F16, DType::BF16, DType::I64, DType::U8];
    let name = if name == "bool" { "u8" } else { name };
    all.into_iter().find(|dtype| dtype.name() == name)
}

/// A call. An argument that is never read, and could change the value, makes a sample one that is not offered.
pub struct Call {
    /// By position.
    pub args: Vec<Arg>,
    /// By name.
    pub kwargs: BTreeMap<String, Arg>,
    /// The dtype that PyTorch's test is of.
    pub dtype: DType,
    /// Where to compute.
    pub device: Device,
    read: RefCell<BTreeSet<String>>,
    rule: Cell<Option<Rule>>,
}

impl Call {
    /// With nothing read yet.
    pub fn new(args: Vec<Arg>, kwargs: BTreeMap<String, Arg>, dtype: DType, device: Device) -> Self {
        Self { args, kwargs, dtype, device, read: RefCell::default(), rule: Cell::default() }
    }

    /// The argument at position `i`, or called `name`; `None` also when it is `None`.
    pub fn find(&self, i: usize, name: &str) -> Option<&Arg> {
        let found = match self.args.get(i) {
            Some(arg) => {
                self.read.borrow_mut().insert(i.to_string());
                arg
            }
            None => {
                self.read.borrow_mut().insert(name.into());
                self.kwargs.get(name)?
            }
        };
        (!matches!(found, Arg::None)).then_some(found)
    }

    /// Another rule than the table's, for these arguments.
    pub fn judge_by(&self, rule: Rule) {
        self.rule.set(Some(rule));
    }

    /// The rule that holds, where the table says `rule`.
    pub fn rule(&self, rule: Rule) -> Rule {
        self.rule.get().unwrap_or(rule)
    }

    /// Whether the second argument is a bool: `var(x, unbiased)`.
    pub fn unbiased_first(&self) -> bool {
        matches!(self.args.get(1), Some(Arg::Bool(_)))
    }

    /// An argument that was not read and says something.
    pub fn unread(&self) -> Option<String> {
        let says = |arg: &Arg| !matches!(arg, Arg::None | Arg::Other(_));
        let read = self.read.borrow();
        let by_position = self.args.iter().enumerate().map(|(i, arg)| (i.to_string(), arg));
        let by_name = self.kwargs.iter().map(|(name, arg)| (name.clone(), arg));
        // Where a result lies, and how, changes no value.
        let harmless =
            ["device", "memory_format", "layout", "requires_grad", "pin_memory", "non_blocking", "copy", "inplace"];
        by_position
            .chain(by_name)
            .find(|(name, arg)| says(arg) && !read.contains(name) && !harmless.contains(&name.as_str()))
            .map(|(name, _)| name)
    }

    /// The first argument, a tensor.
    pub fn x(&self) -> Result<Tensor, Stop> {
        self.tensor(0, "input")
    }

    /// A tensor that must be there.
    pub fn tensor(&self, i: usize, name: &str) -> Result<Tensor, Stop> {
        self.maybe_tensor(i, name)?.map_or_else(|| lacking(format!("{name} that is no tensor")), Ok)
    }

    /// A tensor that may be there.
    pub fn maybe_tensor(&self, i: usize, name: &str) -> Result<Option<Tensor>, Stop> {
        match self.find(i, name) {
            None => Ok(None),
            Some(Arg::Tensor(tensor)) => Ok(Some(tensor.clone())),
            Some(_) => lacking(format!("{name} that is no tensor")),
        }
    }

    /// A tensor, or a number as a scalar of `like`'s dtype.
    pub fn operand(&self, i: usize, name: &str, dtype: DType) -> Result<Tensor, Stop> {
        match self.find(i, name) {
            Some(Arg::Tensor(tensor)) => Ok(tensor.clone()),
            Some(arg) => match number(arg) {
                Some(value) if dtype.is_float() || matches!(arg, Arg::Int(_) | Arg::Bool(_)) => {
                    Ok(Tensor::full(value, [], dtype, &self.device)?)
                }
                Some(_) => lacking("a fraction beside integers, which PyTorch makes floats"),
                None => lacking(format!("{name} that is no number")),
            },
            None => lacking(format!("no {name}")),
        }
    }

    /// A number, `default` when it is not there.
    pub fn number(&self, i: usize, name: &str, default: f64) -> Result<f64, Stop> {
        match self.find(i, name) {
            None => Ok(default),
            Some(arg) => number(arg).map_or_else(|| lacking(format!("{name} that is no number")), Ok),
        }
    }

    /// An int that may be there.
    pub fn int(&self, i: usize, name: &str) -> Result<Option<isize>, Stop> {
        match self.find(i, name) {
            None => Ok(None),
            Some(Arg::Int(value)) => Ok(Some(*value as isize)),
            Some(Arg::Tensor(tensor)) if tensor.count() == 1 => Ok(Some(tensor.item()? as isize)),
            Some(_) => lacking(format!("{name} that is no int")),
        }
    }

    /// An axis that must be there.
    pub fn axis(&self, i: usize, name: &str) -> Result<isize, Stop> {
        self.int(i, name)?.map_or_else(|| lacking(format!("no {name}")), Ok)
    }

    /// One int or several; `None` when they are not there.
    pub fn ints(&self, i: usize, name: &str) -> Result<Option<Vec<isize>>, Stop> {
        match self.find(i, name) {
            None => Ok(None),
            Some(arg) => {
                ints(arg).map_or_else(|| lacking(format!("{name} that is no list of ints")), |all| Ok(Some(all)))
            }
        }
    }

    /// Ints from position `i` on, or a list of them there.
    pub fn rest(&self, i: usize, name: &str) -> Result<Vec<isize>, Stop> {
        if self.args.len() <= i + 1 {
            return self.ints(i, name)?.map_or_else(|| Ok(Vec::new()), Ok);
        }
        (i..self.args.len()).map(|i| self.axis(i, name)).collect()
    }

    /// Two sizes, of one int or two; `None` when they are not there.
    pub fn pair(&self, i: usize, name: &str) -> Result<Option<[usize; 2]>, Stop> {
        let Some(all) = self.ints(i, name)? else { return Ok(None) };
        match all[..] {
            [] => Ok(None),
            [both] if both >= 0 => Ok(Some([both as usize; 2])),
            [a, b] if a >= 0 && b >= 0 => Ok(Some([a as usize, b as usize])),
            _ => lacking(format!("{name} that is no pair of sizes")),
        }
    }

    /// A bool.
    pub fn flag(&self, i: usize, name: &str, default: bool) -> bool {
        match self.find(i, name) {
            Some(Arg::Bool(value)) => *value,
            Some(Arg::Int(value)) => *value != 0,
            _ => default,
        }
    }

    /// A string.
    pub fn text(&self, i: usize, name: &str, default: &str) -> String {
        match self.find(i, name) {
            Some(Arg::Text(text)) => text.clone(),
            _ => default.into(),
        }
    }

    /// Tensors in a list, or all arguments.
    pub fn tensors(&self) -> Result<Vec<Tensor>, Stop> {
        let all: Vec<&Arg> = match self.find(0, "tensors") {
            Some(Arg::List(all)) => all.iter().collect(),
            _ => (0..self.args.len()).filter_map(|i| self.find(i, "")).collect(),
        };
        let one = |arg: &Arg| match arg {
            Arg::Tensor(tensor) => Ok(tensor.clone()),
            _ => lacking("a list that holds more than tensors"),
        };
        all.into_iter().map(one).collect()
    }

    /// A dtype: `default` when none is named.
    pub fn dtype(&self, i: usize, name: &str, default: DType) -> Result<DType, Stop> {
        match self.find(i, name) {
            None => Ok(default),
            Some(Arg::DType(Some(dtype))) => Ok(*dtype),
            Some(_) => lacking("a dtype that is not offered"),
        }
    }

    /// `reduction`, a loss's.
    pub fn reduction(&self) -> Result<Reduction, Stop> {
        match self.text(usize::MAX, "reduction", "mean").as_str() {
            "mean" => Ok(Reduction::Mean),
            "sum" => Ok(Reduction::Sum),
            "none" => Ok(Reduction::None),
            other => lacking(format!("reduction {other}")),
        }
    }
}

/// A number, or `None`.
pub fn number(arg: &Arg) -> Option<f64> {
    match arg {
        Arg::Int(value) => Some(*value as f64),
        Arg::Float(value) => Some(*value),
        Arg::Bool(value) => Some(f64::from(u8::from(*value))),
        _ => None,
    }
}

/// One int or several.
fn ints(arg: &Arg) -> Option<Vec<isize>> {
    match arg {
        Arg::Int(value) => Some(vec![*value as isize]),
        Arg::List(all) => {
            all.iter().map(|one| if let Arg::Int(value) = one { Some(*value as isize) } else { None }).collect()
        }
        _ => None,
    }
}
