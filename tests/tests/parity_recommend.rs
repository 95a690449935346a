//! The models of pairs beside PyTorch's: scores and gradients.

use taper::config::Named;
use taper_cpu::CpuBackend;
use taper_models::recommender;
use taper_nn::{Context, DType, Device, Params, RandomKey, Result, Tensor};
use taper_tests::parity::{Parity, uniform};

const CASES: [(&str, &[&str]); 2] = [
    ("mf", &["user_factors.weight", "item_factors.weight", "user_biases.weight"]),
    ("neumf", &["embed_user_GMF.weight", "embed_item_MLP.weight", "MLP_layers.1.weight", "predict_layer.bias"]),
];

/// The sizes of `tests/peers/parity_recommend.py`.
fn small(name: &str) -> Named {
    match name {
        "mf" => Named::new(name).with("factors", 4),
        _ => Named::new(name).with("factors", 3).with("layers", vec![8, 4, 2]),
    }
}

#[test]
fn models_of_pairs_are_pytorchs() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(2)?);
    for (name, gradients_of) in CASES {
        let record = Parity::read(name, &device)?;
        for (dtype, of_values, of_gradients) in [(DType::F64, 1e-10, 1e-10), (DType::F32, 1e-5, 1e-4)] {
            let params = Params::new(&device, dtype, RandomKey::new(0));
            let model = recommender(&small(name), [5, 7], 0.0, &params)?;
            record.fill(&params)?;
            let (users, items) = (record.tensor("users", dtype)?, record.tensor("items", dtype)?);
            let found = model.score(&users, &items, &Context::eval())?;
            record.check("scores", &found.scores, of_values)?;
            let of = uniform(&format!("{name}.of"), found.scores.shape().dims(), &device)?.cast(dtype)?;
            let loss = found.scores.mul(&of)?.sum_all()?;
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

/// The penalty is the mean over pairs of all that stands for the user and the thing, squared.
#[test]
fn squares_are_of_what_stands_for_a_pair() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(1)?);
    let params = Params::new(&device, DType::F64, RandomKey::new(0));
    let model = recommender(&small("mf"), [5, 7], 3.0, &params)?;
    params
        .all()
        .iter()
        .try_for_each(|param| param.set(&Tensor::full(2.0, param.tensor().shape().clone(), DType::F64, &device)?))?;
    let users = Tensor::from_vec(vec![1_i64, 4], [2], &device)?;
    let items = Tensor::from_vec(vec![0_i64, 6, 2, 2], [2, 2], &device)?;
    let found = model.score(&users, &items, &Context::eval())?;
    // Four factors each and two biases, all 2; the mean, too.
    assert_eq!((found.squares.item()?, found.scores.to_vec::<f64>()?), (40.0, vec![22.0; 4]));
    Ok(())
}

#[test]
fn sizes_that_do_not_fit_are_told() -> Result<()> {
    let device = Device::new(CpuBackend::with_threads(1)?);
    let told = |named: Named| {
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        recommender(&named, [5, 7], 0.0, &params).err().map(|error| error.to_string()).unwrap_or_default()
    };
    for (named, text) in [
        (Named::new("svd"), "unknown model of pairs `svd`"),
        (Named::new("neumf").with("layers", vec![7, 4]), "a list of integers above 0, the first one even"),
        (Named::new("mf").with("items", 8), "the table says 0 users and 8 items, the data have 5 and 7"),
        (Named::new("mf").with("layers", vec![4]), "model.layers: unknown key of the model mf"),
    ] {
        let found = told(named);
        assert!(found.contains(text), "{found}");
    }
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let model = recommender(&small("mf"), [5, 7], 0.0, &params)?;
    let of = |shape: &[usize]| Tensor::zeros(shape, DType::I64, &device);
    let text = model.score(&of(&[3])?, &of(&[2, 4])?, &Context::eval()).unwrap_err().to_string();
    assert!(text.contains("expected users [N] and items [N, K], they came as [3] and [2, 4]"), "{text}");
    let past = Tensor::from_vec(vec![7_i64], [1, 1], &device)?;
    assert!(model.score(&of(&[1])?, &past, &Context::eval()).is_err());
    Ok(())
}
