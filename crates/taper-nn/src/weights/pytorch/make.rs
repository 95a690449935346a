//! What a pickle's calls make: storages, tensors, dictionaries.

use super::global::{self, Global};
use super::pickle::{Done, Kind, Machine, Node, Storage, Tensor, Value};
use safetensors::Dtype;

impl<'a> Machine<'a> {
    pub(super) fn global(&mut self, module: &str, name: &str) -> Done {
        let Some(global) = global::find(module, name) else {
            return Err(format!(
                "refused: the pickle refers to {}.{}, which is no part of tensors; save the weights alone, as in \
                 torch.save(model.state_dict(), FILE)",
                shown(module),
                shown(name)
            ));
        };
        self.push(Value::Global(global));
        Ok(())
    }

    /// What `called` makes of `arguments`.
    pub(super) fn call(&mut self, called: Value<'a>, arguments: Value<'a>) -> Done {
        let Some(Node::Tuple(arguments)) = self.node(arguments) else {
            return Err("arguments that are no tuple: the pickle is damaged".into());
        };
        let arguments = arguments.clone();
        self.count(arguments.len())?;
        let Value::Global(called) = called else {
            return Err("refused: the pickle calls what is no function".into());
        };
        match called {
            Global::OrderedDict => {
                let items = arguments.first().map_or(Ok(Vec::new()), |items| self.items(*items))?;
                self.count(items.len())?;
                self.make(Node::Dict(items));
            }
            Global::Tensor => self.tensor(&arguments, None)?,
            Global::TypedTensor => match arguments.get(6) {
                Some(Value::Global(Global::Dtype(dtype))) => self.tensor(&arguments, Some(*dtype))?,
                _ => return Err("a tensor without a dtype that is known".into()),
            },
            Global::Parameter => {
                let tensor = arguments.first().copied().unwrap_or(Value::Opaque);
                if !matches!(self.node(tensor), Some(Node::Tensor(_))) {
                    return Err("a parameter that is no tensor".into());
                }
                self.push(tensor);
            }
            Global::Size => self.push(arguments.first().copied().unwrap_or(Value::Opaque)),
            Global::Device => self.push(Value::Opaque),
            Global::Storage(_) | Global::OtherStorage(_) | Global::Bytes | Global::Dtype(_) => {
                return Err("refused: the pickle calls a class of storages".into());
            }
        }
        Ok(())
    }

    /// The pairs of a list of pairs.
    fn items(&self, list: Value<'a>) -> Done<Vec<(Value<'a>, Value<'a>)>> {
        let pair = |item: &Value<'a>| match self.node(*item) {
            Some(Node::Tuple(pair) | Node::List(pair)) if pair.len() == 2 => Some((pair[0], pair[1])),
            _ => None,
        };
        let found = match self.node(list) {
            Some(Node::List(items) | Node::Tuple(items)) => items.iter().map(pair).collect(),
            _ => None,
        };
        found.ok_or_else(|| "a dictionary is made of what are no pairs".into())
    }

    /// The storage that a persistent identifier stands for: ("storage", class, key, device, elements, …).
    pub(super) fn storage(&mut self, id: Value<'a>) -> Done {
        let wrong = "a reference to something other than a storage";
        let Some(Node::Tuple(id)) = self.node(id) else { return Err(wrong.into()) };
        let &[Value::Text("storage"), Value::Global(class), Value::Text(key), _, Value::Int(elements), ref rest @ ..] =
            &id[..]
        else {
            return Err(wrong.into());
        };
        let dtype = match class {
            Global::Storage(dtype) => Kind::Of(dtype),
            Global::OtherStorage(at) => Kind::Other(at),
            Global::Bytes => Kind::Bytes,
            _ => return Err(wrong.into()),
        };
        let whole = |number: i64| u64::try_from(number).map_err(|_| format!("a storage of {number} elements"));
        // Before 1.6 a storage could be a part of another: (key, offset, elements).
        let (elements, view) = match rest.first().and_then(|view| self.node(*view)) {
            Some(Node::Tuple(view)) => match view[..] {
                [_, Value::Int(offset), Value::Int(elements)] => (whole(elements)?, Some(whole(offset)?)),
                _ => return Err(wrong.into()),
            },
            _ => (whole(elements)?, None),
        };
        self.make(Node::Storage(Storage { key, dtype, elements, view }));
        Ok(())
    }

    /// The tensor of a storage, an offset, a shape and strides.
    fn tensor(&mut self, arguments: &[Value<'a>], dtype: Option<Dtype>) -> Done {
        let &[storage, Value::Int(offset), shape, strides, ..] = arguments else {
            return Err("a tensor of other arguments than a storage, an offset, a shape and strides".into());
        };
        let Some(&Node::Storage(storage)) = self.node(storage) else {
            return Err("a tensor of what is no storage".into());
        };
        let [shape, strides] = [self.sizes(shape)?, self.sizes(strides)?];
        self.count(shape.len() + strides.len())?;
        let offset = u64::try_from(offset).map_err(|_| format!("a tensor at offset {offset}"))?;
        if shape.len() != strides.len() {
            return Err(format!("a tensor of shape {shape:?} with strides {strides:?}"));
        }
        self.make(Node::Tensor(Tensor { storage, offset, shape, strides, dtype }));
        Ok(())
    }

    /// At most 64 sizes, as many dimensions as PyTorch's tensors have.
    fn sizes(&self, sizes: Value<'a>) -> Done<Vec<u64>> {
        let size = |size: &Value<'a>| match *size {
            Value::Int(size) => u64::try_from(size).ok(),
            _ => None,
        };
        let found = match self.node(sizes) {
            Some(Node::Tuple(sizes) | Node::List(sizes)) if sizes.len() <= 64 => sizes.iter().map(size).collect(),
            _ => None,
        };
        found.ok_or_else(|| "a tensor whose shape or strides are no sizes".into())
    }
}

/// The first characters of a foreign name.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}
