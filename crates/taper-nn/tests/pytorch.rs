//! Files that PyTorch's torch.save wrote (`tests/peers/torch_pickles.py`), and hostile ones.

mod common;

use common::{device, params};
use std::fs;
use std::path::{Path, PathBuf};
use taper_nn::weights::{self, LoadOptions, Mapping};
use taper_nn::{BatchNorm2d, BatchNormConfig, DType, Device, HostData, Init, Linear, LinearConfig, Param, Params};

fn file(name: &str) -> PathBuf {
    Path::new("tests/data/pickles").join(name)
}

fn values(path: &Path, device: &Device) -> Vec<(String, Vec<usize>, HostData)> {
    let file = weights::read(path).unwrap();
    let names: Vec<String> = file.tensors().map(|(name, ..)| name.to_owned()).collect();
    let mut all: Vec<_> = names
        .into_iter()
        .map(|name| {
            let value = file.tensor(&name, device).unwrap();
            (name, value.shape().to_vec(), value.to_host().unwrap())
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// Both containers, two protocols of pickles; views, shared storages, every dtype.
#[test]
fn tensors_are_read_as_they_were_saved() {
    let device = device();
    let due = values(&file("values.safetensors"), &device);
    assert_eq!(due.len(), 20);
    for (name, format) in [
        ("zip.pt", "PyTorch"),
        ("protocol4.pt", "PyTorch"),
        ("before_1_6.pth", "PyTorch before 1.6"),
        ("before_1_6_protocol4.pth", "PyTorch before 1.6"),
    ] {
        assert_eq!(values(&file(name), &device), due, "{name}");
        assert_eq!(weights::read(file(name)).unwrap().format(), format);
    }
    let found = weights::read(file("zip.pt")).unwrap();
    let told: Vec<_> = found.tensors().map(|(name, shape, dtype)| format!("{name} {shape:?} {dtype}")).collect();
    assert_eq!((told[3].as_str(), told[12].as_str()), ("bfloat16 [4] BF16", "transposed [6, 4] F32"));
    let text = found.tensor("none", &device).unwrap_err().to_string();
    assert!(text.contains("zip.pt has no tensor none; it has float32, float64, "), "{text}");
    let untyped = values(&file("untyped.pt"), &device);
    assert_eq!(untyped[0].2, HostData::I64(vec![7, 65535]));
    assert_eq!(untyped[1].2, HostData::I64(vec![7]));
}

/// The model of the script.
fn model(params: &Params) -> Vec<Param> {
    Linear::new(LinearConfig::new(3, 2), &params.sub("fc")).unwrap();
    BatchNorm2d::new(BatchNormConfig::new(2), &params.sub("bn")).unwrap();
    params.all()
}

fn hosts(params: &[Param]) -> Vec<HostData> {
    params.iter().map(|param| param.tensor().to_host().unwrap()).collect()
}

#[test]
fn checkpoints_give_their_weights() {
    let device = device();
    let due = model(&params(&device, DType::F32));
    weights::load(&due, file("model.safetensors")).unwrap();
    let wrappers = Mapping { wrappers: true, ..Mapping::default() };
    let options = LoadOptions { mapping: wrappers, ..LoadOptions::default() };
    for (name, told) in [
        (
            "checkpoint.pt",
            "the checkpoint's `model_state_dict` was read, beside it is epoch, optimizer_state_dict, loss, args; the prefix \
             module. was left out",
        ),
        (
            "checkpoint_before_1_6.pth",
            "the checkpoint's `model_state_dict` was read, beside it is epoch, optimizer_state_dict, loss, args; the prefix \
             module. was left out",
        ),
        (
            "lightning.ckpt",
            "the checkpoint's `state_dict` was read, beside it is hyper_parameters; the prefix model. was left out",
        ),
    ] {
        let found = model(&params(&device, DType::F32));
        let report = weights::load_with(&found, file(name), &options).unwrap();
        assert_eq!(report.to_string(), told);
        assert_eq!(hosts(&found), hosts(&due), "{name}");
        // Only where it is asked for.
        let error = weights::load(&found, file(name)).unwrap_err().to_string();
        assert!(error.contains("missing: fc.weight, ") && error.contains("unexpected: "), "{error}");
    }
    let several = weights::read(file("several.pt")).unwrap();
    let names: Vec<_> = several.tensors().map(|(name, ..)| name).collect();
    assert_eq!((names[0], names.last().copied(), names.len()), ("first.fc.weight", Some("second.0"), 8));
    assert_eq!(several.notes(), ["an optimiser's state (`opt`) was left out"]);
    let found = model(&params(&device, DType::F32));
    let mapping = Mapping { strip: vec!["first.".into()], ignore: vec!["second.*".into()], ..Mapping::default() };
    weights::load_with(&found, file("several.pt"), &LoadOptions { mapping, ..LoadOptions::default() }).unwrap();
    assert_eq!(hosts(&found), hosts(&due));
}

#[test]
fn what_is_no_state_dict_is_refused_by_name() {
    for (name, told) in [
        (
            "module.pt",
            "refused: the pickle refers to torch.nn.modules.container.Sequential, which is no part of tensors; save the \
             weights alone, as in torch.save(model.state_dict(), FILE) (opcode GLOBAL at byte 2 of the pickle)",
        ),
        ("bytes.pt", "refused: the pickle refers to _codecs.encode, which is no part of tensors; "),
        ("script.pt", "is a TorchScript archive, a program with its weights: save the state_dict() of it instead"),
        ("complex.pt", "x is a ComplexFloatStorage, whose numbers are not read"),
        ("tensor.pt", "holds a tensor of shape [2, 3] without a name, expected a state dict"),
        ("nothing.pt", "holds no tensor, expected a state dict"),
    ] {
        let text = weights::read(file(name)).unwrap_err().to_string();
        assert!(text.contains(&format!("{name}: {told}")), "{text}");
    }
    let expanded = weights::read(file("expanded.pt")).unwrap();
    let text = expanded.tensor("x", &device()).unwrap_err().to_string();
    let due =
        "expanded.pt: x has shape [3], 3 elements on a storage of 1 (an expanded tensor): save it with .contiguous()";
    assert!(text.ends_with(due), "{text}");
}

fn read(bytes: &[u8]) -> Result<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.pt");
    fs::write(&path, bytes).unwrap();
    let device = device();
    let file = weights::read(&path).map_err(|error| error.to_string())?;
    let names: Vec<_> = file.tensors().map(|(name, ..)| name.to_owned()).collect();
    Ok(names.iter().filter(|name| file.tensor(name, &device).is_ok()).count())
}

/// A file from before 1.6 with `pickle` as its object and with no storage.
fn old(pickle: &[u8]) -> Vec<u8> {
    let head = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    [&head[..], pickle, b"\x80\x02]."].concat()
}

#[test]
fn hostile_pickles_do_nothing() {
    let refused = |pickle: &[u8], told: &str| {
        let error = read(&old(pickle)).unwrap_err();
        assert!(error.contains(told), "{error}");
    };
    refused(b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.", "refers to os.system, which is no part of tensors");
    refused(b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "refers to os.system, which is no part of tensors; save");
    refused(b"\x80\x02cbuiltins\neval\n.", "(opcode GLOBAL at byte 2 of the pickle)");
    // The opcodes that make objects of any class, in all their forms.
    for (pickle, opcode) in [
        (&b"\x80\x02(ios\nsystem\n."[..], "INST"),
        (b"\x80\x02(o.", "OBJ"),
        (b"\x80\x02\x81.", "NEWOBJ"),
        (b"\x80\x02\x92.", "NEWOBJ_EX"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02P1\n.", "PERSID"),
        (b"\x80\x02S'ls'\n.", "STRING"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x05\x8f.", "EMPTY_SET"),
    ] {
        refused(pickle, &format!("refused: the pickle holds more than tensors (opcode {opcode} at byte "));
    }
    refused(b"\x80\x02\xff", "(opcode 0xff, which is none at byte 2 of the pickle)");
    refused(b"\x80\x02]Nb.", "gives attributes to an object, which could be any (opcode BUILD");
    refused(b"\x80\x02NNR.", "arguments that are no tuple");
    refused(b"\x80\x02N)R.", "refused: the pickle calls what is no function");
    refused(b"\x80\x02ctorch\nFloatStorage\n)R.", "refused: the pickle calls a class of storages");
    refused(b"\x80\x02NQ.", "a reference to something other than a storage");
    refused(b"\x80\x01.", "expected a pickle of protocol 2 to 5, found 1");
    refused(b"\x80\x02R.", "the stack holds too little");
    refused(b"\x80\x02X\xff\xff\xff\xff.", "the pickle is cut off");
    refused(b"\x80\x02h\x05.", "nothing was remembered as 5");
    refused(b"\x80\x02}(Nu.", "a key without a value");
    // A dictionary in itself, and one in itself a thousand times: neither ends in a loop nor in memory.
    refused(b"\x80\x02}q\0X\x01\0\0\0ah\0s.", "holds no tensor");
    let mut doubled = b"\x80\x02]q\0".to_vec();
    (0..200_u8).for_each(|place| doubled.extend([b']', b'q', place + 1, b'h', place, b'a', b'h', place, b'a']));
    doubled.push(b'.');
    refused(&doubled, "nests its tensors deeper than 16 dictionaries");
    // A list of pairs from which a dictionary is made again and again.
    let mut again = b"\x80\x02]q\0(".to_vec();
    (0..1000).for_each(|_| again.extend(b"NN\x86"));
    again.extend(b"ecollections\nOrderedDict\nq\x01");
    let call = b"h\x01h\0\x85R0";
    let mut repeated = b"\x80\x02ccollections\nOrderedDict\nq\x01]q\0(".to_vec();
    (0..1000).for_each(|_| repeated.extend(b"NN\x86"));
    repeated.push(b'e');
    (0..1000).for_each(|_| repeated.extend(call));
    repeated.push(b'.');
    refused(&repeated, "refused: the pickle repeats itself without end (opcode REDUCE");
}

/// A tensor's claims are held against its storage.
#[test]
fn no_tensor_reaches_beyond_its_storage() {
    // {"x": a tensor at `offset` of `shape` and `strides` on a storage that claims `elements`}, of which `held` are there.
    let file = |elements: u8, offset: &[u8], shape: &[u8], strides: &[u8], held: u64| {
        let mut bytes = old(b"");
        bytes.truncate(bytes.len() - 4);
        bytes.extend(
            b"\x80\x02}X\x01\0\0\0xctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n",
        );
        bytes.extend(b"X\x01\0\0\x007X\x03\0\0\0cpuK");
        bytes.extend([&[elements], &b"NtQ"[..], offset, shape, strides, b"\x89}tRs."].concat());
        bytes.extend(b"\x80\x02]X\x01\0\0\x007a.");
        bytes.extend(held.to_le_bytes());
        bytes.extend((0..held.min(100)).flat_map(|n| (n as f32).to_le_bytes()));
        bytes
    };
    let two = b"K\x02K\x02\x86";
    assert_eq!(read(&file(4, b"K\0", two, b"K\x02K\x01\x86", 4)), Ok(1));
    let huge = b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\x02\x86";
    for (bytes, told) in [
        (file(4, b"K\x01", two, b"K\x02K\x01\x86", 4), "x of shape [2, 2] lies beyond its storage 7 of 16 bytes"),
        (file(4, b"K\0", two, b"K\xffK\x01\x86", 4), "x of shape [2, 2] lies beyond its storage 7"),
        (file(4, b"K\0", huge, two, 4), "x of shape [9223372036854775807, 2] lies beyond its storage 7"),
        (file(4, b"K\0", two, huge, 4), "x of shape [2, 2] lies beyond its storage 7"),
        (file(4, b"J\xff\xff\xff\xff", two, two, 4), "a tensor at offset -1"),
        (file(4, b"K\0", two, b"K\x02\x85", 4), "a tensor of shape [2, 2] with strides [2]"),
        (file(4, b"K\0", b"N", two, 4), "a tensor whose shape or strides are no sizes"),
        (file(5, b"K\0", two, two, 4), "x has a storage 7 of 5 elements, of which the file has 4"),
        (file(4, b"K\0", two, two, 1 << 62), "is cut off within its storages"),
        (file(4, b"K\0", two, two, 101), "is cut off within its storages"),
        ([file(4, b"K\0", two, two, 4), vec![0; 3]].concat(), "has 3 bytes more than its storages"),
    ] {
        let error = read(&bytes).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn damaged_files_are_errors_whatever_is_left_of_them() {
    for name in ["zip.pt", "before_1_6.pth"] {
        let whole = fs::read(file(name)).unwrap();
        for length in (0..whole.len()).step_by(13).chain([whole.len() - 1]) {
            let error = read(&whole[..length]).unwrap_err();
            assert!(error.len() > 20, "{error}");
        }
        // A bit of each byte: an error, or another value.
        for place in (0..whole.len()).step_by(7) {
            let mut changed = whole.clone();
            changed[place] ^= 1 << (place % 8);
            let _ = read(&changed);
        }
    }
    // In the numbers of an archive, it is noticed.
    let mut whole = fs::read(file("zip.pt")).unwrap();
    let grid = whole.windows(4).position(|bytes| bytes == (1.0_f32 / 7.0).to_le_bytes()).unwrap();
    whole[grid] ^= 1;
    let error = read(&whole).unwrap_err();
    assert!(error.contains("has an entry data/") && error.contains("whose checksum does not fit"), "{error}");
    let error = read(b"PK\x03\x04 and no more").unwrap_err();
    assert!(error.contains("w.pt: is no whole ZIP archive, it may be cut off: "), "{error}");
    let error = read(b"\x80\x02}.").unwrap_err();
    assert!(
        error.ends_with("w.pt: is a pickle that torch.save did not write: save a state dict with torch.save"),
        "{error}"
    );
    for (bytes, told) in [
        (&b"\x89HDF\r\n"[..], "is an HDF5 file (Keras?); weights are read from .safetensors, .pt and .pth files"),
        (b"<!DOCTYPE html>", "is a page of HTML, not the file itself; "),
        (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself; "),
    ] {
        let error = read(bytes).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
}

/// Only a part, by the names of another model.
#[test]
fn a_parameter_may_keep_its_value() {
    let root = params(&device(), DType::F64);
    model(&root);
    root.get("extra", [1], Init::Ones).unwrap();
    let options = LoadOptions { cast: true, partly: true, skip: vec!["fc.*".into()], ..LoadOptions::default() };
    let before = hosts(&root.all());
    let report = weights::load_with(&root.all(), file("model.safetensors"), &options).unwrap();
    assert!(
        report
            .to_string()
            .starts_with("missing: extra; kept: fc.weight, fc.bias; converted: bn.weight from F32 to f64")
    );
    let after = hosts(&root.all());
    assert_eq!(after[..2], before[..2]);
    assert_ne!(after[2], before[2]);
}
