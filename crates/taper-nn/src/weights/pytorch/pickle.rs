//! A machine for Python's pickles (protocols 2 to 5) that makes nothing but tensors and what holds them: dictionaries,
//! lists, tuples, texts, numbers. A pickle is a program for a stack, which may call any function of Python; this machine
//! has none to call. It carries out the opcodes below and knows the globals of `global.rs`; any other is an error that
//! names it. Format: Python's `Lib/pickletools.py`.
//!
//! Values are small and lie in one list, to which others refer by number, so that what an opcode makes is bounded, and
//! nothing recurses.

use super::global::Global;
use super::opcode;
use safetensors::Dtype;
use std::collections::HashMap;

/// A value: on the stack, in a container, remembered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    /// None, a float, bytes: whatever is no name and no size.
    Opaque,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    Global(Global),
    /// A place in the machine's list.
    Node(usize),
}

/// What is referred to by its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node<'a> {
    Tuple(Vec<Value<'a>>),
    List(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    Storage(Storage<'a>),
    Tensor(Tensor<'a>),
}

/// A storage: what the file's entry or part called `key` holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Storage<'a> {
    pub(super) key: &'a str,
    pub(super) dtype: Kind,
    /// The number of elements, of bytes for [`Kind::Bytes`].
    pub(super) elements: u64,
    /// Where it begins within the part called `key`, and how long that is, if not all of it is meant.
    pub(super) view: Option<u64>,
}

/// What a storage holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Of(Dtype),
    /// Bytes, of which each tensor says the dtype.
    Bytes,
    /// What is not read, by its name's place in `global::NOT_READ`.
    Other(usize),
}

/// A tensor: a view of a storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor<'a> {
    pub(super) storage: Storage<'a>,
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) strides: Vec<u64>,
    /// The dtype, where the storage does not say it.
    pub(super) dtype: Option<Dtype>,
}

/// What a pickle made.
#[derive(Debug)]
pub(super) struct Unpickled<'a> {
    pub(super) root: Value<'a>,
    pub(super) nodes: Vec<Node<'a>>,
    /// The number of bytes that were read.
    pub(super) length: usize,
}

impl<'a> Unpickled<'a> {
    /// The node that `value` refers to.
    pub(super) fn node(&self, value: Value<'a>) -> Option<&Node<'a>> {
        match value {
            Value::Node(at) => self.nodes.get(at),
            _ => None,
        }
    }
}

/// Carries out the pickle that `bytes` begin with.
///
/// Memory for a pickle of N bytes: at most 256 N.
///
/// # Errors
/// An opcode or a global that is not known here, a pickle that is cut off or makes no sense.
pub(super) fn unpickle(bytes: &[u8]) -> Result<Unpickled<'_>, String> {
    let mut machine = Machine { bytes, ..Machine::default() };
    loop {
        let place = machine.at;
        let code = machine.byte()?;
        match machine.carry_out(code) {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Unpickled { root, nodes: machine.nodes, length: machine.at }),
            Err(error) => return Err(format!("{error} (opcode {} at byte {place} of the pickle)", opcode::name(code))),
        }
    }
}

#[derive(Default)]
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    marks: Vec<usize>,
    memo: HashMap<u64, Value<'a>>,
    nodes: Vec<Node<'a>>,
    /// How many values calls have copied.
    copied: usize,
}

pub(super) type Done<T = ()> = Result<T, String>;

const EMPTY: &str = "the stack holds too little: the pickle is damaged";

impl<'a> Machine<'a> {
    /// Carries out one opcode. Returns the result at the end.
    fn carry_out(&mut self, code: u8) -> Done<Option<Value<'a>>> {
        match code {
            0x80 => {
                let protocol = self.byte()?;
                if !(2..=5).contains(&protocol) {
                    return Err(format!("expected a pickle of protocol 2 to 5, found {protocol}"));
                }
            }
            0x95 => drop(self.take(8)?), // FRAME: a length that only helps to read ahead
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.popped_to_mark()?),
            b'2' => self.stack.push(self.top()?),
            // Values.
            b'N' => self.stack.push(Value::Opaque),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.stack.push(Value::Int(number.into()));
            }
            b'K' => {
                let number = self.byte()?;
                self.stack.push(Value::Int(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.array()?);
                self.stack.push(Value::Int(number.into()));
            }
            0x8a => {
                let length = self.byte()?.into();
                self.long(length)?;
            }
            0x8b => {
                let length = self.length(4)?;
                self.long(length)?;
            }
            b'G' => {
                self.take(8)?;
                self.stack.push(Value::Opaque);
            }
            b'X' => self.text(4)?,
            0x8c => self.text(1)?,
            0x8d => self.text(8)?,
            // Python 2's texts: of the names that interest here, ASCII.
            b'T' => self.text(4)?,
            b'U' => self.text(1)?,
            b'B' => self.skipped(4)?,
            b'C' => self.skipped(1)?,
            0x8e => self.skipped(8)?,
            // Containers.
            b')' => self.make(Node::Tuple(Vec::new())),
            b']' => self.make(Node::List(Vec::new())),
            b'}' => self.make(Node::Dict(Vec::new())),
            0x85..=0x87 => {
                let from = self.stack.len().checked_sub(usize::from(code - 0x84)).ok_or(EMPTY)?;
                let items = self.stack.split_off(from);
                self.make(Node::Tuple(items));
            }
            b't' => {
                let items = self.popped_to_mark()?;
                self.make(Node::Tuple(items));
            }
            b'l' => {
                let items = self.popped_to_mark()?;
                self.make(Node::List(items));
            }
            b'd' => {
                let items = self.popped_to_mark()?;
                let pairs = pairs(&items)?;
                self.make(Node::Dict(pairs));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let items = self.popped_to_mark()?;
                self.append(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(vec![(key, value)])?;
            }
            b'u' => {
                let items = self.popped_to_mark()?;
                self.set_items(pairs(&items)?)?;
            }
            // What is remembered.
            b'q' => {
                let place = self.byte()?.into();
                self.remember(place)?;
            }
            b'r' => {
                let place = u32::from_le_bytes(self.array()?).into();
                self.remember(place)?;
            }
            0x94 => self.remember(self.memo.len() as u64)?,
            b'h' => {
                let place = self.byte()?.into();
                self.recall(place)?;
            }
            b'j' => {
                let place = u32::from_le_bytes(self.array()?).into();
                self.recall(place)?;
            }
            // What Python would look up and call.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => self.global(module, name)?,
                _ => return Err("expected the names of a module and of something in it".into()),
            },
            b'R' => {
                let (arguments, called) = (self.pop()?, self.pop()?);
                self.call(called, arguments)?;
            }
            b'b' => {
                self.pop()?;
                // What an ordered dictionary has besides its items: a state dict's versions.
                if !matches!(self.node(self.top()?), Some(Node::Dict(_))) {
                    return Err("refused: the pickle gives attributes to an object, which could be any".into());
                }
            }
            b'Q' => {
                let id = self.pop()?;
                self.storage(id)?;
            }
            _ => return Err("refused: the pickle holds more than tensors".into()),
        }
        Ok(None)
    }

    fn take(&mut self, length: usize) -> Done<&'a [u8]> {
        let end = self.at.checked_add(length);
        let found = end.and_then(|end| self.bytes.get(self.at..end)).ok_or("the pickle is cut off")?;
        self.at += length;
        Ok(found)
    }

    fn byte(&mut self) -> Done<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Done<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| "the pickle is cut off".into())
    }

    /// A length of `bytes` bytes.
    fn length(&mut self, bytes: usize) -> Done<usize> {
        let length = self.take(bytes)?.iter().rev().fold(0_u64, |length, &byte| length << 8 | u64::from(byte));
        usize::try_from(length).map_err(|_| "the pickle is cut off".into())
    }

    /// A line, which an end of line ends.
    fn line(&mut self) -> Done<&'a str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or("the pickle is cut off")?;
        let line = self.take(length)?;
        self.take(1)?;
        str::from_utf8(line).map_err(|_| "a name is not text in UTF-8".into())
    }

    /// A text after its length of `bytes` bytes.
    fn text(&mut self, bytes: usize) -> Done {
        let length = self.length(bytes)?;
        let text = str::from_utf8(self.take(length)?).map_err(|_| "a text is not in UTF-8")?;
        self.stack.push(Value::Text(text));
        Ok(())
    }

    /// Bytes after their length, which are of no use.
    fn skipped(&mut self, bytes: usize) -> Done {
        let length = self.length(bytes)?;
        self.take(length)?;
        self.stack.push(Value::Opaque);
        Ok(())
    }

    /// An integer of `length` bytes; one that i64 does not hold is of no use.
    fn long(&mut self, length: usize) -> Done {
        let bytes = self.take(length)?;
        let mut all = [if bytes.last().is_some_and(|&byte| byte >= 0x80) { 0xFF } else { 0 }; 8];
        self.stack.push(match all.get_mut(..bytes.len()) {
            Some(low) => {
                low.copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(all))
            }
            None => Value::Opaque,
        });
        Ok(())
    }

    /// Counts `values` that a call copies. A pickle that was written once has a byte for each at least; one that calls
    /// with the same large arguments again and again has not, and would take any amount of memory.
    pub(super) fn count(&mut self, values: usize) -> Done {
        self.copied = self.copied.saturating_add(values);
        if self.copied > self.bytes.len() {
            Err("refused: the pickle repeats itself without end".into())
        } else {
            Ok(())
        }
    }

    pub(super) fn push(&mut self, value: Value<'a>) {
        self.stack.push(value);
    }

    fn pop(&mut self) -> Done<Value<'a>> {
        self.stack.pop().ok_or_else(|| EMPTY.into())
    }

    fn top(&self) -> Done<Value<'a>> {
        self.stack.last().copied().ok_or_else(|| EMPTY.into())
    }

    fn popped_to_mark(&mut self) -> Done<Vec<Value<'a>>> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len()).ok_or(EMPTY)?;
        Ok(self.stack.split_off(mark))
    }

    pub(super) fn make(&mut self, node: Node<'a>) {
        self.stack.push(Value::Node(self.nodes.len()));
        self.nodes.push(node);
    }

    pub(super) fn node(&self, value: Value<'a>) -> Option<&Node<'a>> {
        match value {
            Value::Node(at) => self.nodes.get(at),
            _ => None,
        }
    }

    /// The node at the top of the stack.
    fn top_node(&mut self) -> Option<&mut Node<'a>> {
        match self.stack.last() {
            Some(&Value::Node(at)) => self.nodes.get_mut(at),
            _ => None,
        }
    }

    fn append(&mut self, items: &[Value<'a>]) -> Done {
        match self.top_node() {
            Some(Node::List(list)) => list.extend_from_slice(items),
            _ => return Err("items are added to what is no list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, pairs: Vec<(Value<'a>, Value<'a>)>) -> Done {
        match self.top_node() {
            Some(Node::Dict(items)) => items.extend(pairs),
            _ => return Err("items are set in what is no dictionary".into()),
        }
        Ok(())
    }

    fn remember(&mut self, place: u64) -> Done {
        let value = self.top()?;
        self.memo.insert(place, value);
        Ok(())
    }

    fn recall(&mut self, place: u64) -> Done {
        let value = self.memo.get(&place).ok_or_else(|| format!("nothing was remembered as {place}"))?;
        self.stack.push(*value);
        Ok(())
    }
}

/// Keys and values in turn as pairs.
fn pairs<'a>(items: &[Value<'a>]) -> Done<Vec<(Value<'a>, Value<'a>)>> {
    match items.as_chunks::<2>() {
        (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        _ => Err("a key without a value: the pickle is damaged".into()),
    }
}
