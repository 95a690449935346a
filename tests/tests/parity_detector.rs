//! The detector beside one of torchvision's parts, recorded by `tests/peers/parity_detector.py`.

use taper_cpu::CpuBackend;
use taper_models::{Detector, DetectorConfig};
use taper_nn::{Context, DType, Device, Params, RandomKey, Result};
use taper_tests::parity::Parity;

#[test]
fn detector() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(2)?);
    let record = Parity::read("detector", &device)?;
    // In f32 statistics of batches of two small pictures amplify rounding in each layer, in PyTorch's too.
    for (dtype, outputs, gradients) in [(DType::F64, 1e-10, 1e-10), (DType::F32, 1e-4, 1e-2)] {
        let params = Params::new(&device, dtype, RandomKey::new(0));
        let config = DetectorConfig { classes: 3, width: 4, convs: 1, ..DetectorConfig::default() };
        let model = Detector::new(&config, &params)?;
        record.fill(&params)?;
        let x = record.tensor("x", dtype)?.requires_grad();
        let output = model.forward(&x, &Context::train(0, 0, 0))?;
        assert_eq!(output.grid, Detector::grid([37, 26]));
        record.check("logits", &output.logits, outputs)?;
        record.check("distances", &output.distances, outputs)?;
        record.check("centerness", &output.centerness, outputs)?;
        let squares = [&output.logits, &output.distances, &output.centerness].map(|x| x.mul(x)?.mean_all());
        let [a, b, c] = squares;
        let found = a?.add(&b?)?.add(&c?)?.backward()?;
        record.check("dx", found.of(&x).expect("a gradient"), gradients)?;
        for name in ["conv1.weight", "layer4.0.bn2.weight", "smooth.weight", "head.regression_head.bbox_reg.bias"] {
            let param = params.all().into_iter().find(|param| param.name() == name).expect("a parameter");
            record.check(&format!("grad.{name}"), found.of_param(&param).expect("a gradient"), gradients)?;
        }
    }
    Ok(())
}
