//! Every model of the zoo was compared with PyTorch's.

use std::path::Path;
use taper_models::models;

/// Each model, and the record that it is held to: of `tests/peers/parity`, or of the tests of `taper-models`.
const RECORDED: &[(&str, &str)] = &[
    ("airbench", "torch_zoo.json"),
    ("fcos", "fcos.safetensors"),
    ("gpt2", "gpt2.safetensors"),
    ("mlp", "torch_models.json"),
    ("recurrent-lm", "recurrent_lm.safetensors"),
    ("resnet18", "torch_zoo.json"),
    ("seed-cnn", "torch_models.json"),
    ("transformer", "transformer.safetensors"),
    ("unet", "unet.safetensors"),
    ("vae", "vae.safetensors"),
    ("vit", "vit.safetensors"),
    ("vit_b_16", "vit.safetensors"),
];

#[test]
fn every_model_has_a_record_of_pytorchs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for info in models() {
        let Some((_, record)) = RECORDED.iter().find(|(model, _)| *model == info.name) else {
            panic!("{} has no record: see \"Adding a model\" in taper-models' README", info.name);
        };
        let folder = if record.ends_with(".json") { "../crates/taper-models/tests/data" } else { "peers/parity" };
        assert!(root.join(folder).join(record).is_file(), "{}: there is no record {record}", info.name);
    }
    for (name, _) in RECORDED {
        assert!(models().iter().any(|info| info.name == *name), "{name} is no model of the zoo");
    }
}
