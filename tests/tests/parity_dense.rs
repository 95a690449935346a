//! U-Net, the variational autoencoder and FCOS beside PyTorch's and torchvision's, recorded by
//! `tests/peers/parity_dense.py`.

use taper_cpu::CpuBackend;
use taper_models::{
    DetectionOptions, Fcos, FcosConfig, FcosTargets, Object, UNet, UNetConfig, Vae, VaeConfig, VaeOutput, nms,
    reparameterised,
};
use taper_nn::{Context, CrossEntropy, DType, Device, Gradients, Module, Params, RandomKey, Result, Tensor};
use taper_tests::parity::Parity;

/// The dtypes, with the tolerances of outputs and gradients.
const DTYPES: [(DType, f64, f64); 2] = [(DType::F64, 1e-10, 1e-10), (DType::F32, 1e-5, 1e-4)];

fn device() -> Result<Device> {
    Ok(Device::new(CpuBackend::with_threads(2)?))
}

/// Holds the gradients of the parameters of these names to the recorded ones.
fn check(record: &Parity, names: &[&str], params: &Params, found: &Gradients, tolerance: f64) -> Result<()> {
    for name in names {
        let param = params.all().into_iter().find(|param| param.name() == *name).expect("a parameter");
        record.check(&format!("grad.{name}"), found.of_param(&param).expect("a gradient"), tolerance)?;
    }
    Ok(())
}

#[test]
fn unet() -> Result<()> {
    let device = device()?;
    for (name, norm) in [("unet", "batch"), ("unet_plain", "none"), ("unet_group", "group")] {
        let record = Parity::read(name, &device)?;
        for (dtype, outputs, gradients) in DTYPES {
            let params = Params::new(&device, dtype, RandomKey::new(0));
            let norm = norm.to_owned();
            let config = UNetConfig { channels: 2, classes: 3, width: 4, depth: 2, norm, ..UNetConfig::default() };
            let model = UNet::new(&config, &params)?;
            record.fill(&params)?;
            let x = record.tensor("x", dtype)?.requires_grad();
            let y = model.forward(&x, &Context::train(0, 0, 0))?;
            record.check("y", &y, outputs)?;
            let loss = CrossEntropy::default().forward(&y, &record.tensor("labels", DType::I64)?)?;
            record.check("loss", &loss, outputs)?;
            let found = loss.backward()?;
            record.check("dx", found.of(&x).expect("a gradient"), gradients)?;
            let names = ["inc.double_conv.0.weight", "up1.up.weight", "outc.conv.weight"];
            check(&record, &names, &params, &found, gradients)?;
        }
    }
    Ok(())
}

#[test]
fn vae() -> Result<()> {
    let device = device()?;
    let record = Parity::read("vae", &device)?;
    for (dtype, outputs, gradients) in DTYPES {
        let params = Params::new(&device, dtype, RandomKey::new(0));
        let model = Vae::new(&VaeConfig { inputs: 12, hidden: 7, code: 3 }, &params)?;
        record.fill(&params)?;
        let (x, context) = (record.tensor("x", dtype)?, Context::eval());
        record.check("evaluation", &model.forward(&x, &context)?.logits, outputs)?;
        let (mean, log_var) = model.encode(&x, &context)?;
        record.check("mean", &mean, outputs)?;
        record.check("log_var", &log_var, outputs)?;
        let z = reparameterised(&mean, &log_var, &record.tensor("noise", dtype)?)?;
        let output = VaeOutput { logits: model.decode(&z, &context)?, mean, log_var };
        record.check("logits", &output.logits, outputs)?;
        let loss = output.loss(&x)?;
        record.check("reconstruction", &loss.reconstruction, outputs)?;
        record.check("divergence", &loss.divergence, outputs)?;
        let found = loss.total()?.backward()?;
        let all = params.trainable();
        let names: Vec<&str> = all.iter().map(|param| param.name()).collect();
        assert_eq!(names.len(), 10);
        check(&record, &names, &params, &found, gradients)?;
    }
    Ok(())
}

/// The first picture's objects; the second one has none.
fn objects(record: &Parity) -> Result<Vec<Vec<Object>>> {
    let boxes = record.tensor("boxes", DType::F64)?.to_vec::<f64>()?;
    let classes = record.tensor("labels", DType::I64)?.to_vec::<i64>()?;
    let object = |(bounds, class): (&[f64], &i64)| Object {
        bounds: bounds.try_into().expect("four numbers"),
        class: *class as usize,
    };
    Ok(vec![boxes.chunks(4).zip(&classes).map(object).collect(), vec![]])
}

#[test]
fn fcos_head_and_loss() -> Result<()> {
    let device = device()?;
    let record = Parity::read("fcos", &device)?;
    for (dtype, outputs, gradients) in DTYPES {
        let params = Params::new(&device, dtype, RandomKey::new(0));
        let head = Fcos::new(FcosConfig::new(32, 3, 8).convs(1), &params)?;
        record.fill(&params)?;
        let features = record.tensor("features", dtype)?.requires_grad();
        let output = head.forward(&features, &Context::train(0, 0, 0))?;
        record.check("logits", &output.logits, outputs)?;
        record.check("distances", &output.distances, outputs)?;
        record.check("centerness", &output.centerness, outputs)?;
        let targets = FcosTargets::new(&objects(&record)?, output.grid, &head, dtype, &device)?;
        let loss = targets.loss(&output)?;
        record.check("loss.classification", &loss.classification, outputs)?;
        record.check("loss.bbox_regression", &loss.regression, outputs)?;
        record.check("loss.bbox_ctrness", &loss.centerness, outputs)?;
        let found = loss.total()?.backward()?;
        record.check("dfeatures", found.of(&features).expect("a gradient"), gradients)?;
        let names = [
            "classification_head.conv.1.weight",
            "classification_head.cls_logits.bias",
            "regression_head.conv.0.weight",
            "regression_head.bbox_reg.weight",
            "regression_head.bbox_ctrness.weight",
        ];
        check(&record, &names, &params, &found, gradients)?;
    }
    Ok(())
}

#[test]
fn fcos_detections() -> Result<()> {
    let device = device()?;
    let record = Parity::read("fcos", &device)?;
    let params = Params::new(&device, DType::F64, RandomKey::new(0));
    let head = Fcos::new(FcosConfig::new(32, 3, 8).convs(1), &params)?;
    record.fill(&params)?;
    let output = head.forward(&record.tensor("features", DType::F64)?, &Context::eval())?;
    let options =
        DetectionOptions { score: 0.45, overlap: 0.3, candidates: 20, most: 7, ..DetectionOptions::default() };
    let found = head.detections(&output, [30, 36], &options)?;
    assert_eq!(found.len(), 2);
    for (i, found) in found.iter().enumerate() {
        let bounds: Vec<f64> = found.iter().flat_map(|one| one.bounds).collect();
        let classes: Vec<i64> = found.iter().map(|one| one.class as i64).collect();
        let scores: Vec<f64> = found.iter().map(|one| one.score).collect();
        assert_eq!(record.tensor(&format!("found{i}.labels"), DType::I64)?.to_vec::<i64>()?, classes);
        record.check(&format!("found{i}.boxes"), &Tensor::from_vec(bounds, [found.len(), 4], &device)?, 1e-10)?;
        record.check(&format!("found{i}.scores"), &Tensor::from_vec(scores, [found.len()], &device)?, 1e-10)?;
    }
    Ok(())
}

#[test]
fn non_maximum_suppression() -> Result<()> {
    let device = device()?;
    let record = Parity::read("fcos", &device)?;
    let boxes = record.tensor("many", DType::F64)?.to_vec::<f64>()?;
    let boxes: Vec<[f64; 4]> = boxes.chunks(4).map(|bounds| bounds.try_into().expect("four numbers")).collect();
    let kept = nms(&boxes, &record.tensor("scores", DType::F64)?.to_vec::<f64>()?, 0.4)?;
    let kept: Vec<i64> = kept.into_iter().map(|at| at as i64).collect();
    assert_eq!(record.tensor("kept", DType::I64)?.to_vec::<i64>()?, kept);
    Ok(())
}
