//! The names of Python's functions and classes that a pickle of tensors may refer to. They are known here and never
//! looked up, so that nothing else can be meant by them.

use safetensors::Dtype;

/// A function or class that a pickle may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`, called with nothing or with a list of pairs.
    OrderedDict,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`: storage, offset, shape, strides and more.
    Tensor,
    /// `torch._utils._rebuild_tensor_v3`: the same, and a dtype in the seventh place.
    TypedTensor,
    /// `torch._utils._rebuild_parameter` and `_rebuild_parameter_with_state`: a tensor and more.
    Parameter,
    /// `torch.Size`, called with a tuple.
    Size,
    /// `torch.device`, called with a name and a number: of no use here.
    Device,
    /// A class of storages, of numbers of this dtype.
    Storage(Dtype),
    /// A class of storages whose numbers are not read, by its name's place in [`NOT_READ`].
    OtherStorage(usize),
    /// A dtype.
    Dtype(Dtype),
    /// `torch.storage.UntypedStorage`: bytes, of which the tensor says the dtype.
    Bytes,
}

/// Classes of storages of numbers that there is no dtype for here.
pub(super) const NOT_READ: [&str; 7] = [
    "ComplexFloatStorage",
    "ComplexDoubleStorage",
    "QInt8Storage",
    "QUInt8Storage",
    "QInt32Storage",
    "QUInt4x2Storage",
    "QUInt2x4Storage",
];

const STORAGES: [(&str, Dtype); 10] = [
    ("FloatStorage", Dtype::F32),
    ("DoubleStorage", Dtype::F64),
    ("HalfStorage", Dtype::F16),
    ("BFloat16Storage", Dtype::BF16),
    ("LongStorage", Dtype::I64),
    ("IntStorage", Dtype::I32),
    ("ShortStorage", Dtype::I16),
    ("CharStorage", Dtype::I8),
    ("ByteStorage", Dtype::U8),
    ("BoolStorage", Dtype::BOOL),
];

const DTYPES: [(&str, Dtype); 13] = [
    ("float32", Dtype::F32),
    ("float64", Dtype::F64),
    ("float16", Dtype::F16),
    ("bfloat16", Dtype::BF16),
    ("int64", Dtype::I64),
    ("int32", Dtype::I32),
    ("int16", Dtype::I16),
    ("int8", Dtype::I8),
    ("uint8", Dtype::U8),
    ("uint16", Dtype::U16),
    ("uint32", Dtype::U32),
    ("uint64", Dtype::U64),
    ("bool", Dtype::BOOL),
];

/// What `module.name` is; `None` for what a pickle of tensors has no use for.
pub(super) fn find(module: &str, name: &str) -> Option<Global> {
    let among = |list: &[(&str, Dtype)]| list.iter().find(|(known, _)| *known == name).map(|(_, dtype)| *dtype);
    match (module, name) {
        ("collections", "OrderedDict") => Some(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Global::Tensor),
        ("torch._utils", "_rebuild_tensor_v3") => Some(Global::TypedTensor),
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Some(Global::Parameter),
        ("torch", "Size") => Some(Global::Size),
        ("torch", "device") => Some(Global::Device),
        ("torch.storage", "UntypedStorage") => Some(Global::Bytes),
        ("torch" | "torch.cuda", _) => {
            let other = || NOT_READ.iter().position(|known| *known == name).map(Global::OtherStorage);
            let dtype = || among(&DTYPES).filter(|_| module == "torch").map(Global::Dtype);
            among(&STORAGES).map(Global::Storage).or_else(other).or_else(dtype)
        }
        _ => None,
    }
}
