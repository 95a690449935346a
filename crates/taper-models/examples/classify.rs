//! Lists the models of small pictures, and classifies one with each of them, untrained:
//! `cargo run -p taper-models --example classify`.

use taper_models::{CIFAR10, Kind, build, models};
use taper_nn::{Context, DType, Device, Params, RandomKey, Result, Tensor, no_grad};

fn main() -> Result<()> {
    let device = Device::new(taper_cpu::CpuBackend::new()?);
    let picture = Tensor::full(0.5, [1, 3, 32, 32], DType::F32, &device)?;
    for info in models() {
        if !matches!(info.kind, Kind::Pictures { input: CIFAR10, .. }) {
            continue;
        }
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let model = build(info.name, &CIFAR10, &params)?;
        let logits = no_grad(|| model.forward(&picture, &Context::eval()))?; // [1, 10]
        let probabilities = logits.softmax(1)?.to_vec::<f32>()?;
        println!("{:<10} {} ({} parameters): {probabilities:.3?}", info.name, info.summary, params.count());
    }
    Ok(())
}
