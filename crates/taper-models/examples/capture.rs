//! Captures the outputs of a ResNet-18's stages by name, and shows by the profile that fusion is at work as without:
//! `cargo run --release -p taper-models --example capture`.

use taper_models::{CIFAR10, ResNet, ResNetConfig};
use taper_nn::taper_tensor::profile::{Profiler, step};
use taper_nn::{Context, CrossEntropy, DType, Device, Params, Pass, RandomKey, Result, Tensor};

fn main() -> Result<()> {
    let (device, profiler) = Profiler::device(Device::new(taper_cpu::CpuBackend::new()?));
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let model = ResNet::new(18, &ResNetConfig::default(), &CIFAR10, &params)?;
    let classes = Tensor::from_vec(vec![3i64, 7, 1, 0], [4], &device)?;
    // The first three steps warm up.
    for number in 1..=5 {
        let _step = step(number);
        let values = RandomKey::new(number);
        let pictures: Vec<f32> = (0..4 * 3 * 32 * 32).map(|i| values.normal(i) as f32).collect();
        let pictures = Tensor::from_vec(pictures, [4, 3, 32, 32], &device)?;

        let context = Context::train(0, 0, number).capture("layer[1-4]");
        let loss = CrossEntropy::default().forward(&pictures.pass(&model, &context)?, &classes)?;
        loss.backward()?;
        if number == 5 {
            for (name, output) in context.captured()? {
                println!("{name}: {}", output.shape());
            }
        }
    }
    println!("\n{}", profiler.profile().table());
    Ok(())
}
