//! Values beside PyTorch's (2.15, f64), for inputs sin(1.7 · k · i) that both sides compute. The numbers are what
//! `torch.nn.functional` prints for the call named in each line.

mod common;

use common::{assert_close, device, f64s, wave};
use taper_tensor::{
    Activation, CrossEntropyOptions, DType, Device, NllOptions, Pool2dSpec, RandomKey, Reduction, Result, Tensor,
};

/// Sums of a few f64 numbers.
const BOUND: f64 = 1e-13;

fn classes(device: &Device) -> Result<Tensor> {
    Tensor::from_vec(vec![2i64, 0, 1, 2], [4], device)
}

fn weights(device: &Device) -> Tensor {
    f64s([0.5, 2.0, 1.5], device)
}

#[test]
fn cross_entropy_of_classes() -> Result<()> {
    let device = device();
    let (x, target) = (wave([4, 3], 1.0, &device), classes(&device)?);
    let expected: &[(Reduction, bool, f64, i64, &[f64])] = &[
        // reduction, class weights, label_smoothing, ignore_index
        (Reduction::Mean, false, 0.0, -100, &[1.7805128577984117]),
        (Reduction::Mean, false, 0.0, 2, &[2.10772200673396]),
        (Reduction::Mean, false, 0.1, -100, &[1.7323805300689104]),
        (Reduction::Mean, false, 0.1, 2, &[2.0320588203980505]),
        (Reduction::Mean, true, 0.0, -100, &[1.678014332891798]),
        (Reduction::Mean, true, 0.0, 2, &[1.9476670817265194]),
        (Reduction::Mean, true, 0.1, -100, &[1.6291011548701293]),
        (Reduction::Mean, true, 0.1, 2, &[1.8763722094412025]),
        (Reduction::Sum, false, 0.1, -100, &[6.929522120275641]),
        (Reduction::Sum, true, 0.1, 2, &[4.690930523603007]),
        (Reduction::None, false, 0.0, 2, &[0.0, 2.3744802150796946, 1.8409637983882254, 0.0]),
        (
            Reduction::None,
            true,
            0.1,
            -100,
            &[2.5128443384377017, 1.2042365001511715, 3.4866940234518347, 1.7562814897450036],
        ),
    ];
    for &(reduction, weighted, label_smoothing, ignore_index, expected) in expected {
        let weight = weighted.then(|| weights(&device));
        let options = CrossEntropyOptions { weight, ignore_index, reduction, label_smoothing };
        assert_close(&format!("{options:?}"), &x.cross_entropy(&target, &options)?, expected, BOUND);
    }
    let all_ignored = Tensor::from_vec(vec![-100i64; 4], [4], &device)?;
    assert!(x.cross_entropy(&all_ignored, &CrossEntropyOptions::default())?.item()?.is_nan());
    let pictures = wave([1, 3, 2, 2], 1.0, &device);
    let options =
        CrossEntropyOptions { weight: Some(weights(&device)), reduction: Reduction::None, ..Default::default() };
    let loss = pictures.cross_entropy(&target.reshape([1, 2, 2])?, &options)?;
    assert_eq!(loss.shape()[..], [1, 2, 2]);
    let expected = [1.1254816734122937, 0.4326965393539133, 2.405541520988206, 1.1024476845910653];
    assert_close("pictures", &loss, &expected, BOUND);
    Ok(())
}

#[test]
fn cross_entropy_of_distributions() -> Result<()> {
    let device = device();
    let x = wave([4, 3], 1.0, &device);
    let target = wave([4, 3], 0.3, &device).abs()?;
    let expected: &[(Reduction, bool, &[f64])] = &[
        (Reduction::Mean, false, &[2.308983090872621]),
        (Reduction::Mean, true, &[3.1416095398814576]),
        (Reduction::Sum, true, &[12.56643815952583]),
        (Reduction::None, false, &[1.6917757213975184, 3.360482148515109, 1.2309164051900408, 2.9527580883878155]),
    ];
    for &(reduction, weighted, expected) in expected {
        let weight = weighted.then(|| weights(&device));
        let options = CrossEntropyOptions { weight, reduction, label_smoothing: 0.1, ..Default::default() };
        assert_close(&format!("{options:?}"), &x.cross_entropy(&target, &options)?, expected, BOUND);
    }
    Ok(())
}

#[test]
fn nll_loss() -> Result<()> {
    let device = device();
    let options = NllOptions { weight: Some(weights(&device)), ignore_index: 0, ..Default::default() };
    let loss = wave([4, 3], 1.0, &device).nll_loss(&classes(&device)?, &options)?;
    assert_close("weight, ignore_index=0", &loss, &[0.3686168832471223], BOUND);
    Ok(())
}

#[test]
fn softmax_and_its_logarithm() -> Result<()> {
    let x = wave([4, 3], 1.0, &device());
    let expected = [
        0.2237028416500942,
        0.6030399109309059,
        0.1732572474189998,
        0.09306284930686066,
        0.3849845090978398,
        0.5219526415952994,
        0.1462114563769992,
        0.15866443186726065,
        0.6951241117557402,
        0.5444985448098891,
        0.14001187001460783,
        0.3154895851755031,
    ];
    assert_close("softmax(dim=1)", &x.softmax(1)?, &expected, BOUND);
    let expected = [
        -1.2178242760674476,
        -0.667718524053441,
        -2.083218479659715,
        -2.1436389583951803,
        -1.1652699833673015,
        -1.0291902650093938,
        -1.9176989636609898,
        -2.2775204467429426,
        -0.9685155627763883,
        -0.821083702936834,
        -2.620780826385466,
        -1.9766764034470827,
    ];
    assert_close("log_softmax(dim=0)", &x.log_softmax(0)?, &expected, BOUND);
    let expected = [1.4974367076159338, 1.448665532751962];
    assert_close("logsumexp(1)", &wave([2, 3], 1.0, &device()).logsumexp(&[1], false)?, &expected, BOUND);
    Ok(())
}

#[test]
fn norms() -> Result<()> {
    let device = device();
    let y = wave([2, 3], 1.0, &device).layer_norm(
        1,
        Some(&wave([3], 2.0, &device)),
        Some(&wave([3], 3.0, &device)),
        1e-5,
    )?;
    let expected = [0.0, -1.2803366868885375, -1.1599891436830643, 0.0, -1.0522673255425035, -0.25522741783848635];
    assert_close("layer_norm", &y, &expected, 1e-12);
    let (x, weight, bias) = (wave([3, 2], 1.0, &device), wave([2], 2.0, &device), wave([2], 3.0, &device));
    let (y, stats) = x.batch_norm(Some(&weight), Some(&bias), 1e-5)?;
    let expected = [0.0, -1.1343844590360954, 0.0, -0.5659431156032415, 0.0, -1.0771164723438602];
    assert_close("batch_norm(training=True)", &y, &expected, 1e-12);
    assert_close("mean", &stats.mean, &x.mean(&[0], false)?.to_vec::<f64>()?, BOUND);
    assert_close("var", &stats.var, &x.var(&[0], 0, false)?.to_vec::<f64>()?, BOUND);
    let (mean, var) = (f64s([0.1, -0.2], &device), f64s([0.5, 2.0], &device));
    let y = x.batch_norm_eval(&mean, &var, Some(&weight), Some(&bias), 1e-5)?;
    let expected = [0.0, -1.1411418335559633, 0.0, -0.794664037872676, 0.0, -1.106235706439104];
    assert_close("batch_norm(training=False)", &y, &expected, 1e-12);
    let expected = [0.4340371565396901, 0.8470092811626756];
    assert_close("var(1)", &wave([2, 3], 1.0, &device).var(&[1], 1, false)?, &expected, BOUND);
    Ok(())
}

#[test]
fn pooling() -> Result<()> {
    let x = wave([1, 1, 4, 5], 1.0, &device());
    let expected = [
        0.03609983686975867,
        -0.008246192910979897,
        -0.10502138412636196,
        0.09285385578746767,
        0.09034840969125142,
        -0.10355205987749051,
    ];
    assert_close("adaptive_avg_pool2d((3, 2))", &x.adaptive_avg_pool2d([3, 2])?, &expected, 1e-12);
    let spec =
        Pool2dSpec { kernel_size: [3, 3], stride: [2, 2], padding: [1, 1], ceil_mode: true, count_include_pad: false };
    let expected = [
        0.27256930887060415,
        -0.10809015981269582,
        0.2060502641994963,
        0.03775788716818081,
        -0.016824194691650543,
        0.036739078092299114,
        0.6191657078364463,
        -0.14490834871838973,
        0.022483560867312402,
    ];
    assert_close("avg_pool2d", &x.avg_pool2d(spec)?, &expected, 1e-12);
    let expected = [
        0.9916648104524686,
        0.9916648104524686,
        0.8591618148564958,
        0.8792730616507243,
        0.9997929001426692,
        0.8591618148564958,
        0.8792730616507243,
        0.8792730616507243,
        0.7733278895662207,
    ];
    assert_close("max_pool2d", &x.max_pool2d(spec)?, &expected, BOUND);
    Ok(())
}

#[test]
fn activations() -> Result<()> {
    let x = f64s([-4.0, -1.0, 0.0, 0.5, 3.5], &device());
    let expected: [(Activation, [f64; 5]); 10] = [
        (Activation::Relu, [0.0, 0.0, 0.0, 0.5, 3.5]),
        (Activation::LeakyRelu { negative_slope: 0.1 }, [-0.4, -0.1, 0.0, 0.5, 3.5]),
        (Activation::Elu { alpha: 1.3 }, [-1.2761896694446455, -0.8217567264771249, 0.0, 0.5, 3.5]),
        (
            Activation::Gelu,
            [-0.00012668496733247991, -0.15865525393145702, 0.0, 0.34573123063700656, 3.4991857982233756],
        ),
        (
            Activation::GeluTanh,
            [-7.024594819227126e-05, -0.15880800939172324, 0.0, 0.34571400982514394, 3.499383802344626],
        ),
        (Activation::Silu, [-0.07194483984836623, -0.2689414213699951, 0.0, 0.3112296656009273, 3.3974071923702525]),
        (Activation::Sigmoid, [0.01798620996209156, 0.2689414213699951, 0.5, 0.6224593312018546, 0.9706877692486436]),
        (Activation::Tanh, [-0.999329299739067, -0.7615941559557649, 0.0, 0.46211715726000974, 0.9981778976111987]),
        (
            Activation::Softplus { beta: 2.0, threshold: 6.0 },
            [0.00016770318644788442, 0.06346400552148625, 0.34657359027997264, 0.6566308437591114, 3.5],
        ),
        (Activation::Hardswish, [0.0, -0.3333333333333333, 0.0, 0.2916666666666667, 3.5]),
    ];
    for (f, expected) in expected {
        assert_close(&format!("{f:?}"), &x.activation(f)?, &expected, 1e-12);
    }
    Ok(())
}

#[test]
fn the_mean_of_many_halves() -> Result<()> {
    let many = Tensor::full(3.0, [70_000], DType::F16, &device())?;
    let mean = many.mean_all()?;
    assert_eq!(
        (mean.item()?, mean.dtype()),
        (3.0, DType::F16),
        "70,000 and its triple are no halves; their quotient is"
    );
    Ok(())
}

#[test]
fn dropout_keeps_what_its_stream_says() -> Result<()> {
    let (device, key, p) = (device(), RandomKey::new(9).child("dropout"), 0.3);
    let x = wave([5, 7], 1.0, &device);
    let expected: Vec<f64> = x
        .to_vec::<f64>()?
        .iter()
        .enumerate()
        .map(|(i, x)| {
            let kept = f64::from(key.word(i as u64)) >= p * 4294967296.0;
            if kept { x / (1.0 - p) } else { 0.0 }
        })
        .collect();
    assert_close("dropout", &x.dropout(p, key)?, &expected, 1e-15);
    assert!(expected.iter().skip(1).any(|&x| x == 0.0) && expected.iter().any(|&x| x != 0.0));
    assert_eq!(x.dropout(1.0, key)?.to_vec::<f64>()?, [0.0; 35]);
    assert_eq!(x.dropout(0.0, key)?.to_vec::<f64>()?, x.to_vec::<f64>()?);
    Ok(())
}

#[test]
fn joins_and_choices() -> Result<()> {
    let device = device();
    let (a, b) = (f64s([1.0, 2.0], &device), f64s([3.0, 4.0], &device));
    let rows = Tensor::stack(&[&a, &b], 0)?;
    assert_eq!((rows.shape()[..].to_vec(), rows.to_vec::<f64>()?), (vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]));
    assert_eq!(Tensor::stack(&[&a, &b], -1)?.to_vec::<f64>()?, [1.0, 3.0, 2.0, 4.0]);
    assert_eq!(Tensor::concat(&[&rows, &rows], 1)?.narrow(1, 1, 2)?.to_vec::<f64>()?, [2.0, 1.0, 4.0, 3.0]);
    assert_eq!(rows.argmax(1, false)?.to_vec::<i64>()?, [1, 1]);
    assert_eq!(rows.gt(&b.neg()?.abs()?.sub(&a)?)?.to_vec::<u8>()?, [0, 0, 1, 1]);
    let table = wave([4, 2], 1.0, &device);
    let index = Tensor::from_vec(vec![3i64, 0], [2, 1], &device)?;
    let found = table.embedding(&index)?;
    assert_eq!(found.shape()[..], [2, 1, 2]);
    let all = table.to_vec::<f64>()?;
    assert_eq!(found.to_vec::<f64>()?, [all[6], all[7], all[0], all[1]]);
    Ok(())
}
