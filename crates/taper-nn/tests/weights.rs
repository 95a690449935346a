//! Weights to files and back.

mod common;

use common::{assert_close, device, floats, params, recorded};
use std::fs;
use std::path::Path;
use taper_nn::weights::{LoadOptions, Mapping};
use taper_nn::{
    BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig, DType, Device, HostData, Init, Linear, LinearConfig,
    Module, Param, Params, RandomKey, Result, Tensor, weights,
};

/// The model of `torch_nn.py` that PyTorch saved.
struct Tiny {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    fc: Linear,
}

impl Tiny {
    fn new(params: &Params) -> Result<Self> {
        let conv1 = Conv2dConfig::new(2, 4, 3).stride(2).padding(1).bias(false);
        Ok(Self {
            conv1: Conv2d::new(conv1, &params.sub("conv1"))?,
            bn1: BatchNorm2d::new(BatchNormConfig::new(4), &params.sub("bn1"))?,
            fc: Linear::new(LinearConfig::new(36, 5), &params.sub("fc"))?,
        })
    }
}

impl Module for Tiny {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let x = self.conv1.forward(x, context)?; // [N, 4, 3, 3]
        let x = self.bn1.forward(&x, context)?.relu()?;
        self.fc.forward(&x.flatten(1)?, context) // [N, 5]
    }
}

fn torch_file() -> &'static Path {
    Path::new("tests/data/torch_tiny.safetensors")
}

fn values(params: &[Param]) -> Vec<HostData> {
    params.iter().map(|param| param.tensor().to_host().unwrap()).collect()
}

/// A parameter of each dtype, with values that a careless conversion would lose.
fn one_of_each(device: &Device) -> Vec<Param> {
    let halves = HostData::from_f64(&[0.1, -65504.0, 6e-8], DType::F16);
    let brains = HostData::from_f64(&[0.1, -3e38, f64::INFINITY], DType::BF16);
    let data = [
        HostData::F32(vec![f32::MIN_POSITIVE, -0.0, 1.0 / 3.0]),
        HostData::F64(vec![f64::MIN_POSITIVE, f64::NEG_INFINITY, 1.0 / 3.0]),
        halves,
        brains,
        HostData::U8(vec![0, 7, 255]),
        HostData::I64(vec![i64::MIN, 0, i64::MAX]),
    ];
    let make = |data: HostData| {
        let name = format!("a.{}", data.dtype());
        Param::buffer(name, &Tensor::from_host(data, [3], device).unwrap())
    };
    data.into_iter().map(make).collect()
}

#[test]
fn a_file_from_pytorch_loads_as_it_is() {
    let (device, record) = (device(), recorded());
    let x = floats(&record["tiny"]["x"], &device);
    // In f32, as saved: rounding errors of f32 over sums of 36.
    let root = params(&device, DType::F32);
    let model = Tiny::new(&root).unwrap();
    weights::load(&root.all(), torch_file()).unwrap();
    let y = model.forward(&x.cast(DType::F32).unwrap(), &Context::eval()).unwrap();
    assert_close("f32", &y, &record["tiny"]["y"], 1e-5);
    // In f64, cast: only when it is asked for.
    let root = params(&device, DType::F64);
    let model = Tiny::new(&root).unwrap();
    let error = weights::load(&root.all(), torch_file()).unwrap_err().to_string();
    assert!(error.contains("other dtypes: conv1.weight is F32 in the file, expected f64"), "{error}");
    weights::load_cast(&root.all(), torch_file()).unwrap();
    let y = model.forward(&x, &Context::eval()).unwrap();
    assert_close("f64", &y, &record["tiny"]["y"], 1e-12);
}

#[test]
fn a_round_trip_is_bitwise() {
    let (device, folder) = (device(), tempfile::tempdir().unwrap());
    let path = folder.path().join("all.safetensors");
    let saved = one_of_each(&device);
    weights::save(&saved, &path).unwrap();
    let zeros = |param: &Param| {
        let value = param.tensor();
        Param::buffer(param.name(), &Tensor::zeros(value.shape(), value.dtype(), &device).unwrap())
    };
    let loaded: Vec<Param> = saved.iter().map(zeros).collect();
    assert_ne!(values(&loaded), values(&saved));
    weights::load(&loaded, &path).unwrap();
    assert_eq!(values(&loaded), values(&saved));
    // −0 equals 0: the bits tell them apart.
    let HostData::F32(found) = &values(&loaded)[0] else { panic!() };
    assert!(found[1].is_sign_negative());
    // The same weights give the same file, over an old one, and leave nothing beside it.
    let first = fs::read(&path).unwrap();
    weights::save(&loaded, &path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_does_not_match_is_listed_and_nothing_is_loaded() {
    let (device, folder) = (device(), tempfile::tempdir().unwrap());
    let path = folder.path().join("other.safetensors");
    let other = Params::new(&device, DType::F32, RandomKey::new(5));
    other.get("same", [2], Init::Uniform { bound: 1.0 }).unwrap();
    other.get("fc.weight", [2, 3], Init::Zeros).unwrap();
    other.get("zz", [1], Init::Zeros).unwrap();
    other.buffer("count", [1], DType::F32, 0.0).unwrap();
    weights::save(&other.all(), &path).unwrap();

    let root = params(&device, DType::F32);
    root.get("same", [2], Init::Zeros).unwrap();
    root.get("fc.weight", [3, 2], Init::Zeros).unwrap();
    root.get("fc.bias", [3], Init::Zeros).unwrap();
    root.buffer("count", [1], DType::I64, 0.0).unwrap();
    let before = values(&root.all());
    type Load = fn(&[Param], &Path) -> Result<()>;
    let both: [Load; 2] = [|p, f| weights::load(p, f).map(drop), |p, f| weights::load_cast(p, f).map(drop)];
    for load in both {
        let error = load(&root.all(), &path).unwrap_err().to_string();
        let expected = format!(
            "the weights of {} do not fit, nothing was loaded (the file has 4 tensors of 10 numbers, the model 4 of \
             12): missing: fc.bias; unexpected: zz; other shapes: fc.weight is [2, 3] in the file, expected [3, 2]; other \
             dtypes: count is F32 in the file, expected i64",
            path.display()
        );
        assert_eq!(error, expected);
        assert_eq!(values(&root.all()), before);
    }
}

#[test]
fn weights_are_loaded_in_part_with_a_report() {
    let (device, folder) = (device(), tempfile::tempdir().unwrap());
    let path = folder.path().join("other.safetensors");
    let other = Params::new(&device, DType::F64, RandomKey::new(5));
    let same = other.get("same", [2], Init::Uniform { bound: 1.0 }).unwrap();
    other.get("fc.weight", [2, 3], Init::Zeros).unwrap();
    other.get("zz", [1], Init::Zeros).unwrap();
    other.buffer("count", [1], DType::F32, 0.0).unwrap();
    weights::save(&other.all(), &path).unwrap();

    let root = params(&device, DType::F32);
    root.get("same", [2], Init::Zeros).unwrap();
    root.get("fc.weight", [3, 2], Init::Ones).unwrap();
    root.get("fc.bias", [3], Init::Ones).unwrap();
    root.buffer("count", [1], DType::I64, 7.0).unwrap();
    let before = values(&root.all());
    let report = weights::load_partial(&root.all(), &path).unwrap();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let expected = weights::Report {
        loaded: names(&["same"]),
        missing: names(&["fc.bias"]),
        unexpected: names(&["zz"]),
        other_shapes: names(&["fc.weight is [2, 3] in the file, expected [3, 2]"]),
        other_dtypes: names(&["count is F32 in the file, expected i64"]),
        converted: names(&["same from F64 to f32"]),
        ..weights::Report::default()
    };
    assert_eq!(report, expected);
    assert_eq!(
        report.to_string(),
        "missing: fc.bias; unexpected: zz; other shapes: fc.weight is [2, 3] in the file, expected [3, 2]; other dtypes: \
         count is F32 in the file, expected i64; converted: same from F64 to f32"
    );
    let after = values(&root.all());
    assert_eq!(after[1..], before[1..]);
    assert_eq!(after[0].to_f64(), same.tensor().cast(DType::F32).unwrap().to_host().unwrap().to_f64());
    // All of it has nothing to tell.
    assert_eq!(weights::load(&other.all(), &path).unwrap().to_string(), "");
    // Nothing of it is a mistake.
    let foreign = params(&device, DType::F32);
    foreign.get("w", [1], Init::Zeros).unwrap();
    let error = weights::load_partial(&foreign.all(), &path).unwrap_err().to_string();
    let due = format!(
        "none of the weights of {} fits, nothing was loaded (the file has 4 tensors of 10 numbers, the model 1 of 1): missing: w; \
         unexpected: count, fc.weight, same, zz",
        path.display()
    );
    assert_eq!(error, due);
}

/// Files from before PyTorch counted batches, and from tools that count them in 32 bits.
#[test]
fn a_batch_norm_of_another_tool() {
    use safetensors::{Dtype, tensor::TensorView};
    let (device, folder) = (device(), tempfile::tempdir().unwrap());
    let path = folder.path().join("bn.safetensors");
    let four = |value: f32| [value; 4].iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let floats = [("weight", four(2.0)), ("bias", four(3.0)), ("running_mean", four(4.0)), ("running_var", four(5.0))];
    let counts = [
        (None, 0, "missing: bn1.num_batches_tracked"),
        (Some((Dtype::I32, 77i32.to_le_bytes().to_vec())), 77, "converted: bn1.num_batches_tracked from I32 to i64"),
        (Some((Dtype::I16, (-2i16).to_le_bytes().to_vec())), -2, "converted: bn1.num_batches_tracked from I16 to i64"),
        (Some((Dtype::U8, vec![200])), 200, "converted: bn1.num_batches_tracked from U8 to i64"),
        (Some((Dtype::I64, 9i64.to_le_bytes().to_vec())), 9, ""),
    ];
    for (count, expected, told) in counts {
        let mut views: Vec<(String, TensorView<'_>)> = floats
            .iter()
            .map(|(name, bytes)| (format!("bn1.{name}"), TensorView::new(Dtype::F32, vec![4], bytes).unwrap()))
            .collect();
        if let Some((dtype, bytes)) = &count {
            views.push(("bn1.num_batches_tracked".into(), TensorView::new(*dtype, vec![], bytes).unwrap()));
        }
        fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        type Load = fn(&[Param], &Path) -> Result<weights::Report>;
        let all: [Load; 3] =
            [|p, f| weights::load(p, f), |p, f| weights::load_cast(p, f), |p, f| weights::load_partial(p, f)];
        for load in all {
            let root = params(&device, DType::F32);
            BatchNorm2d::new(BatchNormConfig::new(4), &root.sub("bn1")).unwrap();
            let report = load(&root.all(), &path).unwrap();
            assert_eq!(report.to_string(), told);
            let found = values(&root.all());
            assert_eq!(found[..4], [2.0f32, 3.0, 4.0, 5.0].map(|x| HostData::F32(vec![x; 4])));
            assert_eq!(found[4], HostData::I64(vec![expected]));
        }
    }
    // A float is no count, and another name no exception.
    let root = params(&device, DType::F32);
    root.buffer("num_batches", [], DType::I64, 0.0).unwrap();
    let error = weights::load(&root.all(), &path).unwrap_err().to_string();
    assert!(error.contains("missing: num_batches; unexpected: "), "{error}");
}

#[test]
fn long_lists_are_cut() {
    let (device, folder) = (device(), tempfile::tempdir().unwrap());
    let path = folder.path().join("empty.safetensors");
    weights::save(&[], &path).unwrap();
    let root = params(&device, DType::F32);
    for i in 0..12 {
        root.get(&format!("w{i:02}"), [1], Init::Zeros).unwrap();
    }
    let error = weights::load(&root.all(), &path).unwrap_err().to_string();
    assert!(error.ends_with("missing: w00, w01, w02, w03, w04, w05, w06, w07, w08, w09 and 2 more"), "{error}");
}

#[test]
fn a_damaged_file_is_an_error_whatever_is_left_of_it() {
    let (device, folder) = (device(), tempfile::tempdir().unwrap());
    let root = params(&device, DType::F32);
    Tiny::new(&root).unwrap();
    let before = values(&root.all());
    let whole = fs::read(torch_file()).unwrap();
    let path = folder.path().join("damaged.safetensors");
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = weights::load(&root.all(), &path).unwrap_err().to_string();
        assert_eq!(values(&root.all()), before);
        error
    };
    for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
        let error = refused(&whole[..length]);
        let expected = format!("({length} bytes) is no whole safetensors file, it may be cut off");
        assert!(error.contains(&expected), "{error}");
    }
    refused(&[0xFF; 4096]);
    refused(&[whole.as_slice(), &[0]].concat());
    let error = weights::load(&root.all(), folder.path().join("none.safetensors")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read weights ") && error.contains("none.safetensors"), "{error}");
}

#[test]
fn a_failed_save_leaves_the_old_file() {
    let (device, folder) = (device(), tempfile::tempdir().unwrap());
    let saved = one_of_each(&device);
    let error = weights::save(&saved, folder.path().join("no such folder").join("w")).unwrap_err().to_string();
    assert!(error.starts_with("cannot write weights "), "{error}");
    // A folder in the file's place: the rename fails, and what was written beside it goes.
    let taken = folder.path().join("taken");
    fs::create_dir_all(taken.join("inside")).unwrap();
    weights::save(&saved, &taken).unwrap_err();
    assert!(taken.join("inside").exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    weights::save(&saved, "/").unwrap_err();
}

/// A file of GPT-2's kind: no prefix, matrices as [in, out], a mask beside, the head tied or left out.
#[test]
fn weights_of_another_library_are_mapped() {
    let (device, folder) = (device(), tempfile::tempdir().unwrap());
    let path = folder.path().join("gpt.safetensors");
    let theirs = Params::new(&device, DType::F32, RandomKey::new(5));
    let uniform = Init::Uniform { bound: 1.0 };
    let embedding = theirs.get("wte.weight", [5, 4], uniform).unwrap();
    let square = theirs.get("h.0.attn.c_attn.weight", [4, 4], uniform).unwrap();
    theirs.get("h.0.mlp.c_fc.weight", [4, 6], uniform).unwrap();
    theirs.get("h.0.attn.bias", [1, 1, 3, 3], Init::Ones).unwrap();
    let ours = |head: bool| {
        let root = params(&device, DType::F32);
        root.get("transformer.wte.weight", [5, 4], Init::Zeros).unwrap();
        root.get("transformer.h.0.attn.qkv.weight", [4, 4], Init::Zeros).unwrap();
        root.get("transformer.h.0.mlp.c_fc.weight", [6, 4], Init::Zeros).unwrap();
        if head {
            root.get("lm_head.weight", [5, 4], Init::Zeros).unwrap();
        }
        root
    };
    let pair = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
    let mapping = Mapping {
        add: "transformer.".into(),
        rename: vec![pair("transformer.lm_head.*", "lm_head.*"), pair("*.c_attn.*", "*.qkv.*")],
        transpose: vec!["*.qkv.weight".into(), "*.c_fc.weight".into()],
        ignore: vec!["*.attn.bias".into()],
        tied: vec![pair("lm_head.weight", "transformer.wte.weight")],
        ..Mapping::default()
    };
    let options = LoadOptions { mapping, ..LoadOptions::default() };
    weights::save(&theirs.all(), &path).unwrap();
    let found = ours(true);
    let report = weights::load_with(&found.all(), &path, &options).unwrap();
    assert_eq!(
        report.to_string(),
        "tied: lm_head.weight with transformer.wte.weight; ignored: h.0.attn.bias; transposed: \
         transformer.h.0.attn.qkv.weight, transformer.h.0.mlp.c_fc.weight"
    );
    let (all, embedded) = (values(&found.all()), embedding.tensor().to_host().unwrap());
    assert_eq!((&all[0], &all[3]), (&embedded, &embedded));
    let transposed = square.tensor().transpose(0, 1).unwrap().to_host().unwrap();
    assert_eq!(all[1], transposed);
    assert_ne!(all[1], values(&[square])[0]);
    // The head in the file and not in the model: it must be the embedding.
    let head = theirs.get("lm_head.weight", [5, 4], Init::Zeros).unwrap();
    weights::save(&theirs.all(), &path).unwrap();
    let error = weights::load_with(&ours(false).all(), &path, &options).unwrap_err().to_string();
    let due = "gpt.safetensors: lm_head.weight and wte.weight are one tensor in the model and differ in the file";
    assert!(error.ends_with(due), "{error}");
    head.set(&embedding.tensor()).unwrap();
    weights::save(&theirs.all(), &path).unwrap();
    let report = weights::load_with(&ours(false).all(), &path, &options).unwrap();
    assert!(report.to_string().starts_with("tied: lm_head.weight with transformer.wte.weight; ignored: "), "{report}");

    // Two that become one, and a vector to be transposed.
    let fails = |mapping: Mapping| {
        let options = LoadOptions { mapping, ..LoadOptions::default() };
        weights::load_with(&ours(false).all(), &path, &options).unwrap_err().to_string()
    };
    let error = fails(Mapping { rename: vec![pair("*.weight", "weight")], ..Mapping::default() });
    assert!(
        error.contains("gpt.safetensors: h.0.attn.c_attn.weight and h.0.mlp.c_fc.weight both become weight"),
        "{error}"
    );
    let error = fails(Mapping { transpose: vec!["*".into()], ..Mapping::default() });
    assert!(error.ends_with("h.0.attn.bias is [1, 1, 3, 3]: to be transposed it would have two dimensions"), "{error}");
}

/// A head of other classes keeps its values; anything else that differs is an error.
#[test]
fn a_head_may_be_new() {
    let (device, folder) = (device(), tempfile::tempdir().unwrap());
    let path = folder.path().join("head.safetensors");
    let of = |classes: usize, features: usize| {
        let root = params(&device, DType::F32);
        Linear::new(LinearConfig::new(3, features), &root.sub("body")).unwrap();
        Linear::new(LinearConfig::new(features, classes), &root.sub("fc")).unwrap();
        root.all()
    };
    weights::save(&of(7, 4), &path).unwrap();
    let options = LoadOptions { new_head: true, ..LoadOptions::default() };
    let (found, fresh) = (of(2, 4), of(2, 4));
    found[0].set(&Tensor::zeros([4, 3], DType::F32, &device).unwrap()).unwrap();
    let report = weights::load_with(&found, &path, &options).unwrap();
    let due = "a new head: fc.weight is [7, 4] in the file, expected [2, 4], fc.bias is [7] in the file, expected [2]";
    assert_eq!(report.to_string(), due);
    // The same key draws the same initial values, of another shape for the head.
    assert_eq!(values(&found), values(&fresh));
    assert_eq!(weights::load_with(&of(7, 4), &path, &options).unwrap().to_string(), "");
    for (theirs, told) in [
        (of(7, 5), "other shapes: body.weight is [4, 3] in the file, expected [5, 3], body.bias is "),
        (of(2, 5), "other shapes: body.weight is [4, 3] in the file, expected [5, 3], body.bias is "),
    ] {
        let error = weights::load_with(&theirs, &path, &options).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let strict = weights::load(&of(2, 4), &path).unwrap_err().to_string();
    assert!(strict.contains("other shapes: fc.weight is [7, 4] in the file, expected [2, 4], fc.bias"), "{strict}");
    let skip = LoadOptions { skip: vec!["head.*".into()], ..options };
    let error = weights::load_with(&of(2, 4), &path, &skip).unwrap_err().to_string();
    assert_eq!(
        error,
        "skip: no parameter matches \"head.*\"; the model has body.weight, body.bias, fc.weight, fc.bias"
    );
}
