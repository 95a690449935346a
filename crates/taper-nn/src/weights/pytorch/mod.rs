//! PyTorch's own files (`torch.save`; `.pt`, `.pth`, `.bin`, `.ckpt`): a pickle that says what there is, and storages of
//! raw numbers. Since 1.6 a ZIP archive whose entries are not compressed, `NAME/data.pkl` and `NAME/data/KEY`; before,
//! five pickles (a magic number, a protocol, facts of the machine, the object, the keys of its storages), then the
//! storages in the order of the keys, each after its number of elements. Source: `torch/serialization.py`.

mod global;
mod make;
mod opcode;
mod pickle;
mod state_dict;

use super::element;
use super::file::{Contents, Stored};
use pickle::{Kind, Node, Storage, Tensor, Unpickled, Value, unpickle};
use std::collections::HashMap;
use std::ops::Range;

/// The first pickle's number in files from before 1.6, 0x1950a86a20f9469cfc6c: LONG1 of ten bytes.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// The tensors of a file that `torch.save` wrote.
///
/// Memory for a file of N bytes: at most 1 MiB + 256 N.
///
/// # Errors
/// A file that is cut off or damaged, or holds anything but tensors.
pub(super) fn contents(bytes: &[u8]) -> Result<Contents, String> {
    if bytes.starts_with(b"PK") {
        return archive(bytes);
    }
    match unpickle(bytes).ok().and_then(|first| bytes.split_at_checked(first.length)) {
        Some((first, rest)) if first.windows(MAGIC.len()).any(|part| part == MAGIC) => before_1_6(bytes, rest),
        _ => Err("is a pickle that torch.save did not write: save a state dict with torch.save".into()),
    }
}

/// An archive: PyTorch 1.6 and later.
fn archive(bytes: &[u8]) -> Result<Contents, String> {
    let damaged = |error: rawzip::Error| format!("is no whole ZIP archive, it may be cut off: {error}");
    let zip = rawzip::ZipArchive::from_slice(bytes).map_err(damaged)?;
    let mut entries: HashMap<&[u8], _> = HashMap::new();
    let mut root = None;
    let mut all = zip.entries();
    while let Some(entry) = all.next_entry().map_err(damaged)? {
        let path = entry.file_path().as_bytes();
        if let Some(folder) = path.strip_suffix(b"data.pkl") {
            root = Some(folder);
        }
        entries.insert(path, (entry.wayfinder(), entry.compression_method()));
    }
    let root = root.ok_or("is a ZIP archive without a data.pkl, as torch.save writes it")?;
    if entries.contains_key(&[root, b"constants.pkl"].concat()[..]) {
        return Err("is a TorchScript archive, a program with its weights: save the state_dict() of it instead".into());
    }
    // The bytes of an entry, by its name in the archive's folder.
    let part = |name: &str| -> Result<Option<Range<usize>>, String> {
        let Some(&(wayfinder, method)) = entries.get(&[root, name.as_bytes()].concat()[..]) else { return Ok(None) };
        if method != rawzip::CompressionMethod::STORE {
            return Err(format!("compresses its entry {name} ({method}), which torch.save does not"));
        }
        let entry = zip.get_entry(wayfinder).map_err(damaged)?;
        let (from, to) = entry.compressed_data_range();
        let [Ok(from), Ok(to)] = [usize::try_from(from), usize::try_from(to)] else { return Ok(None) };
        if rawzip::crc32(entry.data()) != entry.claim_verifier().crc {
            return Err(format!("has an entry {name} whose checksum does not fit: it is damaged"));
        }
        Ok(Some(from..to))
    };
    if let Some(order) = part("byteorder")?
        && bytes.get(order) != Some(b"little")
    {
        return Err("has numbers in big-endian order, which is not read".into());
    }
    let pickle = part("data.pkl")?.and_then(|range| bytes.get(range)).unwrap_or_default();
    let pickle = unpickle(pickle)?;
    // Each storage once, so that its checksum is computed once.
    let mut parts: HashMap<&str, Range<usize>> = HashMap::new();
    for node in &pickle.nodes {
        if let Node::Storage(Storage { key, .. }) = node
            && !parts.contains_key(key)
            && let Some(range) = part(&format!("data/{key}"))?
        {
            parts.insert(key, range);
        }
    }
    found("PyTorch", &pickle, |storage| parts.get(storage.key).cloned())
}

/// A file from before PyTorch 1.6, of which `rest` is what follows the magic number.
fn before_1_6<'a>(bytes: &'a [u8], rest: &'a [u8]) -> Result<Contents, String> {
    let mut rest = rest;
    let mut next = |what: &str| -> Result<Unpickled<'a>, String> {
        let pickle = unpickle(rest).map_err(|error| format!("{what}: {error}"))?;
        rest = rest.get(pickle.length..).unwrap_or_default();
        Ok(pickle)
    };
    let protocol = next("the protocol")?;
    if protocol.root != Value::Int(1001) {
        return Err(format!("expected PyTorch's protocol 1001, found {:?}", protocol.root));
    }
    let machine = next("the facts of the machine")?;
    if let Some(Node::Dict(facts)) = machine.node(machine.root)
        && facts.contains(&(Value::Text("little_endian"), Value::Bool(false)))
    {
        return Err("has numbers in big-endian order, which is not read".into());
    }
    let pickle = next("the object")?;
    let keys = next("the storages' keys")?;
    let Some(Node::List(keys)) = keys.node(keys.root) else { return Err("has no list of its storages".into()) };
    // The size of an element of each storage.
    let mut sizes: HashMap<&str, Option<usize>> = HashMap::new();
    for node in &pickle.nodes {
        if let Node::Storage(storage) = node {
            sizes.insert(storage.key, element_size(storage.dtype));
        }
    }
    let mut parts: HashMap<&str, Range<usize>> = HashMap::new();
    for key in keys {
        let cut = || "is cut off within its storages".to_string();
        let Value::Text(key) = *key else { return Err("has a storage whose key is no text".into()) };
        let size = sizes.get(key).copied().flatten().ok_or_else(|| {
            format!("has a storage {} that is of no tensor, or of numbers that are not read", make::shown(key))
        })?;
        let (count, numbers) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
        let length = usize::try_from(u64::from_le_bytes(*count)).ok().and_then(|count| count.checked_mul(size));
        let (_, behind) = numbers.split_at_checked(length.ok_or_else(cut)?).ok_or_else(cut)?;
        parts.insert(key, bytes.len() - numbers.len()..bytes.len() - behind.len());
        rest = behind;
    }
    if !rest.is_empty() {
        return Err(format!("has {} bytes more than its storages", rest.len()));
    }
    found("PyTorch before 1.6", &pickle, |storage| parts.get(storage.key).cloned())
}

/// The state dict of `pickle`, of whose storages `part` says the bytes.
fn found(
    format: &'static str,
    pickle: &Unpickled<'_>,
    part: impl Fn(&Storage<'_>) -> Option<Range<usize>>,
) -> Result<Contents, String> {
    let state = state_dict::find(pickle)?;
    let mut contents = Contents { format, notes: state.notes, ..Contents::default() };
    let mut places: HashMap<usize, usize> = HashMap::new();
    for (name, at) in state.names {
        let place = match places.get(&at) {
            Some(place) => *place,
            None => {
                let Some(Node::Tensor(tensor)) = pickle.nodes.get(at) else { continue };
                let storage = part(&tensor.storage);
                let stored = stored(tensor, storage).map_err(|error| format!("{name} {error}"))?;
                contents.tensors.push(stored);
                places.insert(at, contents.tensors.len() - 1);
                contents.tensors.len() - 1
            }
        };
        contents.names.push((name, place));
    }
    Ok(contents)
}

fn element_size(kind: Kind) -> Option<usize> {
    match kind {
        Kind::Of(dtype) => element::size(dtype),
        Kind::Bytes => Some(1),
        Kind::Other(_) => None,
    }
}

/// Where `tensor` is, whose storage is the bytes `part` of the file. All of it lies within them.
fn stored(tensor: &Tensor<'_>, part: Option<Range<usize>>) -> Result<Stored, String> {
    let Tensor { storage, offset, shape, strides, dtype } = tensor;
    let dtype = match (storage.dtype, *dtype) {
        (_, Some(dtype)) | (Kind::Of(dtype), None) => dtype,
        (Kind::Other(at), _) => {
            let name = global::NOT_READ.get(at).copied().unwrap_or_default();
            return Err(format!("is a {name}, whose numbers are not read"));
        }
        (Kind::Bytes, None) => return Err("has a storage without a dtype".into()),
    };
    let size = element::size(dtype).ok_or_else(|| format!("is {dtype}, which is not read"))?;
    let key = make::shown(storage.key);
    let part = part.ok_or_else(|| format!("has its numbers in the storage {key}, which the file lacks"))?;
    let beyond = || format!("of shape {shape:?} lies beyond its storage {key} of {} bytes", part.len());
    // The storage's own place, of those that are a part of another.
    let unit = element_size(storage.dtype).unwrap_or(1);
    let bytes = |elements: u64| usize::try_from(elements).ok()?.checked_mul(unit);
    let begin = bytes(storage.view.unwrap_or(0)).and_then(|begin| part.start.checked_add(begin)).ok_or_else(beyond)?;
    let end = bytes(storage.elements).and_then(|length| begin.checked_add(length)).ok_or_else(beyond)?;
    if end > part.end {
        let held = part.len() / unit;
        return Err(format!("has a storage {key} of {} elements, of which the file has {held}", storage.elements));
    }
    let whole = |numbers: &[u64]| numbers.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<Vec<_>>>();
    let [Some(shape_), Some(strides_)] = [whole(shape), whole(strides)] else { return Err(beyond()) };
    let offset = usize::try_from(*offset).map_err(|_| beyond())?;
    let count = shape_.iter().try_fold(1_usize, |all, &n| all.checked_mul(n)).ok_or_else(beyond)?;
    if count > 0 {
        let last = shape_.iter().zip(&strides_).try_fold(offset, |at, (&n, &stride)| {
            n.checked_sub(1).and_then(|steps| steps.checked_mul(stride)).and_then(|far| at.checked_add(far))
        });
        if last.is_none_or(|last| last >= (end - begin) / size) {
            return Err(beyond());
        }
    }
    Ok(Stored { dtype, shape: shape_, strides: strides_, storage: begin..end, offset })
}
