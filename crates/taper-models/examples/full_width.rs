//! A model at its full width beside the real library's, with the random weights and the record of
//! `tests/peers/full_width.py`:
//!
//!     cargo run --release -p taper-models --example full_width -- gpt2 FOLDER
//!
//! It prints ‖a − b‖ / ‖b‖ of the output, the loss and the recorded gradients, in f32 and in f64.

use std::path::Path;
use taper_models::{Gpt2, Gpt2Config, IMAGENET, build};
use taper_nn::taper_tensor::{GradOptions, grad};
use taper_nn::weights::{load_cast, read_noted};
use taper_nn::{Context, CrossEntropy, DType, Device, Error, Module, Params, RandomKey, Result, Tensor};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder] = &arguments[..] else {
        return Err(Error::argument("full_width", "expected a model's name and the folder of its files"));
    };
    let device = Device::new(taper_cpu::CpuBackend::new()?);
    let file = |end: &str| Path::new(folder).join(format!("{name}{end}.safetensors"));
    let (record, _) = read_noted("", file("-record"), &device)?;
    let recorded = |name: &str| record.iter().find(|(found, _)| found == name).map(|(_, x)| x);
    let needed = |name: &str| recorded(name).ok_or_else(|| Error::Parameter(format!("the record lacks {name}")));
    for dtype in [DType::F32, DType::F64] {
        let params = Params::new(&device, dtype, RandomKey::new(0));
        let model: Box<dyn Module> = match name.as_str() {
            "gpt2" => Box::new(Gpt2::new(Gpt2Config { dropout: 0.0, ..Gpt2Config::small() }, &params)?),
            name => build(name, &IMAGENET, &params)?,
        };
        load_cast(&params.all(), file(""))?;
        let x = needed("x")?;
        let x = if x.dtype().is_float() { x.cast(dtype)? } else { x.clone() };
        let y = model.forward(&x, &Context::eval())?;
        let classes = y.dim(-1)?;
        let loss = CrossEntropy::default().forward(&y.reshape([y.count() / classes, classes])?, needed("labels")?)?;
        println!(
            "{name} {dtype}: output {:.1e}, loss {:.1e}",
            apart(&y, needed("y")?)?,
            apart(&loss, needed("loss")?)?
        );
        for param in params.trainable() {
            if let Some(due) = recorded(&format!("grad.{}", param.name())) {
                let options = GradOptions { retain_graph: true, create_graph: false };
                let found = grad(&loss, &[&param.tensor()], None, options)?;
                let found = found.into_iter().flatten().next().ok_or_else(|| Error::Parameter("no gradient".into()))?;
                println!("    gradient of {}: {:.1e}", param.name(), apart(&found, due)?);
            }
        }
    }
    Ok(())
}

/// ‖a − b‖ / ‖b‖.
fn apart(a: &Tensor, b: &Tensor) -> Result<f64> {
    let wide = |x: &Tensor| x.detach().cast(DType::F64)?.reshape([x.count()]);
    let (a, b) = (wide(a)?, wide(b)?);
    Ok(a.sub(&b)?.norm_all()?.item()? / b.norm_all()?.item()?)
}
