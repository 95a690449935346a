//! The forecasters beside PyTorch's: outputs, the quantile loss, gradients.

use taper::config::Named;
use taper_cpu::CpuBackend;
use taper_models::forecaster;
use taper_nn::{Context, DType, Device, Params, Quantile, RandomKey, Result};
use taper_tests::parity::Parity;

const CASES: [(&str, &str, &[&str]); 4] = [
    ("dlinear", "dlinear", &["Linear_Seasonal.weight", "Linear_Trend.bias"]),
    ("nlinear", "nlinear", &["Linear.weight", "Linear.bias"]),
    ("lstm", "lstm_forecaster", &["lstm.weight_ih_l0", "lstm.bias_hh_l1", "fc.weight"]),
    ("nbeats", "nbeats", &["blocks.0.layers.0.weight", "blocks.0.basis_parameters.weight", "blocks.1.layers.2.bias"]),
];

/// The sizes of `tests/peers/parity_forecast.py`.
fn small(name: &str) -> Named {
    let named = Named::new(name).with("context", 12).with("horizon", 5);
    match name {
        "dlinear" => named.with("kernel", 5),
        "lstm" => named.with("patch", 4).with("hidden", 6).with("layers", 2),
        "nbeats" => named.with("blocks", 2).with("layers", 3).with("width", 8),
        _ => named,
    }
}

#[test]
fn forecasters_are_their_authors() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(2)?);
    for (name, record, gradients_of) in CASES {
        let record = Parity::read(record, &device)?;
        for (dtype, of_values, of_gradients) in [(DType::F64, 1e-10, 1e-10), (DType::F32, 1e-5, 1e-4)] {
            let params = Params::new(&device, dtype, RandomKey::new(0));
            let model = forecaster(&small(name), &params)?;
            record.fill(&params)?;
            let (x, target) = (record.tensor("x", dtype)?, record.tensor("target", dtype)?);
            let y = model.forward(&x, &Context::eval())?;
            record.check("y", &y, of_values)?;
            let loss = Quantile::new([0.1, 0.5, 0.9]).forward(&y, &target)?;
            record.check("loss", &loss.reshape([1])?, of_values)?;
            let gradients = loss.backward()?;
            for name in gradients_of {
                let param = params.all().into_iter().find(|param| param.name() == *name).expect("a parameter");
                record.check(&format!("grad.{name}"), gradients.of_param(&param).expect("a gradient"), of_gradients)?;
            }
        }
    }
    Ok(())
}

#[test]
fn sizes_that_do_not_fit_are_told() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(1)?);
    let params = || Params::new(&device, DType::F32, RandomKey::new(0));
    let told = |named: Named| match forecaster(&named, &params()) {
        Ok(_) => panic!("{named:?} was built"),
        Err(error) => error.to_string(),
    };
    for (named, text) in [
        (Named::new("dlinear").with("kernel", 4), "dlinear: the kernel of the moving average must be odd, came as 4"),
        (Named::new("lstm").with("patch", 13), "the patch must divide the context of 336 steps, came as 13"),
        (Named::new("arima"), "unknown forecaster `arima`"),
        (Named::new("nlinear").with("horizon", 0), "model.horizon: expected an integer, 1 or more, found 0"),
        (
            Named::new("nlinear").with("quantiles", vec![0.9, 0.5]),
            "increasing numbers between 0 and 1 with 0.5 among them",
        ),
        (Named::new("nbeats").with("patch", 3), "model.patch: unknown key of the model nbeats"),
    ] {
        let found = told(named);
        assert!(found.contains(text), "{found}");
    }
    let x = taper_nn::Tensor::zeros([2, 11], DType::F32, &device)?;
    for (name, ..) in CASES {
        let model = forecaster(&small(name), &params())?;
        let found = model.forward(&x, &Context::eval()).unwrap_err().to_string();
        assert!(found.contains("the history must be [samples, 12], came as [2, 11]"), "{found}");
    }
    Ok(())
}
