//! Windows of signals and pictures, resizing, norms over groups: values that PyTorch 2.15 gives, errors, empty tensors.

mod common;

use common::{assert_close, counted, device, says, text, wave, zeros};
use taper_tensor::{
    Conv1dSpec, ConvTranspose1dSpec, ConvTranspose2dSpec, DType, Interpolation, Pool1dSpec, Result, Tensor, UnfoldSpec,
};

/// Fails unless `x` has that shape and, to rounding, those elements.
#[track_caller]
fn near(x: Result<Tensor>, shape: &[usize], expected: &[f64]) {
    let x = x.expect("a tensor");
    assert_eq!(x.shape()[..], *shape);
    assert_close("the value", &x, expected, 1e-14);
}

#[test]
fn convolutions_of_signals() -> Result<()> {
    let device = device();
    let (x, w, b) = (wave([1, 2, 4], 1.0, &device), wave([2, 1, 2], 0.7, &device), wave([2], 2.3, &device));
    let spec = Conv1dSpec { stride: 2, padding: 1, dilation: 2, groups: 2 };
    let expected = [0.9206308359370988, -0.8594976204967123, -1.026700571015767, 0.11281313840516738];
    near(x.conv1d(&w, Some(&b), spec), &[1, 2, 2], &expected);
    let plain = Conv1dSpec::default();
    near(zeros([0, 1, 3], &device).conv1d(&zeros([2, 1, 2], &device), None, plain), &[0, 2, 2], &[]);
    let say = "conv1d: weight must be [C_out, C_in / groups, K], came as [2, 1]";
    says(x.conv1d(&zeros([2, 1], &device), None, plain), say);
    says(zeros([2, 4], &device).conv1d(&w, None, plain), "conv1d: input must be [N, C, L], came as [2, 4]");
    says(x.cast(DType::I64)?.conv1d(&w, None, plain), "conv1d: expected a float, the input is i64: cast it");
    assert!(text(x.conv1d(&w.cast(DType::F32)?, None, plain)).contains("nothing is converted silently"));
    assert!(text(x.conv1d(&w, None, plain)).contains("weight expects 1 input channels"));
    let window = Pool1dSpec { padding: 1, ..Pool1dSpec::of(2) };
    near(counted(&[1, 1, 3], &device).max_pool1d(window), &[1, 1, 2], &[0.0, 2.0]);
    near(counted(&[1, 1, 3], &device).avg_pool1d(window), &[1, 1, 2], &[0.0, 1.5]);
    says(zeros([3], &device).max_pool1d(window), "max_pool1d: input must be [N, C, L], came as [3]");
    says(zeros([3], &device).avg_pool1d(window), "avg_pool1d: input must be [N, C, L], came as [3]");
    Ok(())
}

#[test]
fn transposed_convolutions() -> Result<()> {
    let device = device();
    let (x, w, b) = (wave([1, 2, 3, 3], 1.0, &device), wave([2, 1, 2, 2], 0.7, &device), wave([2], 2.3, &device));
    let spec =
        ConvTranspose2dSpec { stride: [2, 2], padding: [1, 1], output_padding: [2, 1], dilation: [3, 2], groups: 2 };
    let y = x.conv_transpose2d(&w, Some(&b), spec)?;
    assert_eq!(y.shape()[..], [1, 2, 8, 6]);
    near(y.sum(&[2, 3], false), &[1, 2], &[1.213270489464663, -34.320438417508186]);
    // Behind what the window reaches there is the bias alone.
    near(y.narrow(2, 7, 1)?.sum(&[2, 3], false), &[1, 2], &[0.0, 6.0 * -0.6949909732164716]);
    let row = ConvTranspose1dSpec { stride: 3, padding: 1, ..Default::default() };
    let (x1, w1) = (counted(&[1, 1, 2], &device), counted(&[1, 1, 2], &device).add_scalar(1.0)?);
    near(x1.conv_transpose1d(&w1, None, row), &[1, 1, 3], &[0.0, 0.0, 1.0]);
    let plain = ConvTranspose2dSpec::default();
    near(zeros([0, 2, 3, 3], &device).conv_transpose2d(&w, None, plain), &[0, 1, 4, 4], &[]);
    let bad = |spec| x.conv_transpose2d(&w, None, spec);
    says(
        bad(ConvTranspose2dSpec { output_padding: [0, 1], ..plain }),
        "conv_transpose2d: output_padding 1 must be less than stride 1 or dilation 1",
    );
    says(
        bad(ConvTranspose2dSpec { padding: [2, 0], ..plain }),
        "conv_transpose2d: padding 2 leaves nothing of dim 2 for input [1, 2, 3, 3], weight [2, 1, 2, 2]",
    );
    says(
        bad(ConvTranspose2dSpec { stride: [0, 1], ..plain }),
        "conv_transpose2d: kernel size 2, stride 0 and dilation 1 must all be at least 1",
    );
    says(
        bad(ConvTranspose2dSpec { groups: 3, ..plain }),
        "conv_transpose2d: groups 3 must divide the 2 input channels (dim 1 of [1, 2, 3, 3])",
    );
    assert!(text(bad(ConvTranspose2dSpec { stride: [usize::MAX; 2], ..plain })).contains("leaves nothing"));
    assert!(text(bad(ConvTranspose2dSpec { stride: [1 << 40; 2], ..plain })).contains("larger than memory can be"));
    assert!(text(bad(ConvTranspose2dSpec { padding: [usize::MAX; 2], ..plain })).contains("leaves nothing"));
    let none = zeros([1, 0, 2, 2], &device);
    let all =
        none.conv_transpose2d(&zeros([0, 2, 2, 2], &device), None, ConvTranspose2dSpec { groups: usize::MAX, ..plain });
    assert!(text(all).contains("more than can be counted"));
    let say = "conv_transpose2d: bias must be [1] for weight [2, 1, 2, 2], came as [2]";
    says(x.conv_transpose2d(&w, Some(&b), plain), say);
    let say = "conv_transpose2d: weight expects 3 input channels (dim 0 of [3, 1, 2, 2]), input has 2 (dim 1 of [1, 2, 3, 3])";
    says(x.conv_transpose2d(&zeros([3, 1, 2, 2], &device), None, plain), say);
    let say = "conv_transpose2d: input must be [N, C_in, H, W], came as [2, 3, 3]";
    says(x.squeeze(0)?.conv_transpose2d(&w, None, plain), say);
    says(
        zeros([1, 2, 0, 3], &device).conv_transpose2d(&w, None, plain),
        "conv_transpose2d: dim 2 of [1, 2, 0, 3] is empty",
    );
    let say = "conv_transpose1d: weight must be [C_in, C_out / groups, K], came as [2, 1, 2, 2]";
    says(x1.conv_transpose1d(&w, None, row), say);
    says(x.conv_transpose1d(&w1, None, row), "conv_transpose1d: input must be [N, C, L], came as [1, 2, 3, 3]");
    // In halves the sum with the bias is rounded once: 2048.98 + 0.03 to 2050, though 2048.98 alone is 2048.
    let half = |value| Tensor::full(value, [1, 1, 1, 1], DType::F16, &device);
    let y = half(45.25)?.conv_transpose2d(&half(45.28125)?, Some(&half(0.03125)?.reshape([1])?), plain)?;
    assert_eq!(y.item()?, 2050.0);
    Ok(())
}

#[test]
fn resizing() -> Result<()> {
    let device = device();
    let [aligned, linear] = [true, false].map(|align_corners| Interpolation::Linear { align_corners });
    let x = wave([1, 2, 3, 3], 1.0, &device);
    let expected = [
        -0.2314536705819331,
        0.4552529645467773,
        0.5450353228784081,
        0.007965951635749147,
        -0.7563596862770898,
        -0.4961814425996105,
        0.10395086699113983,
        0.8439931392982444,
        0.5475036548836275,
        -0.26231567177219384,
        -0.6006416226522848,
        -0.35469888079661493,
        0.5192419905522935,
        0.5899005260708752,
        0.13936817345750668,
        -0.6821776164166891,
    ];
    near(x.interpolate(&[2, 4], linear), &[1, 2, 2, 4], &expected);
    let expected = [
        0.0,
        0.661109873634979,
        0.575929506292702,
        -0.2555411020268312,
        -0.6998746875935423,
        -0.6453829706892029,
        -0.12570413653919035,
        0.8591618148564958,
    ];
    near(x.narrow(1, 0, 1)?.interpolate(&[2, 4], aligned), &[1, 1, 2, 4], &expected);
    let signal = wave([1, 1, 4], 1.0, &device);
    let expected =
        [0.0, 0.3791659569377086, 0.9624981983803372, 0.2946968005375657, -0.3541107461887284, -0.7483893228363174];
    near(signal.interpolate_by(&[1.7], linear), &[1, 1, 6], &expected);
    let nearest: [(usize, &[f64], &[f64]); 5] = [
        (3, &[0.0, 0.0, 1.0, 1.0, 2.0], &[0.0, 0.0, 1.0, 2.0, 2.0]),
        (5, &[0.0, 1.0, 3.0], &[0.0, 2.0, 4.0]),
        (7, &[0.0, 1.0, 3.0, 5.0], &[0.0, 2.0, 4.0, 6.0]),
        (4, &[0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0], &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0]),
        (3, &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0], &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0]),
    ];
    for (from, plain, exact) in nearest {
        let (x, to) = (counted(&[1, 1, from], &device), plain.len());
        near(x.interpolate(&[to], Interpolation::Nearest), &[1, 1, to], plain);
        near(x.interpolate(&[to], Interpolation::NearestExact), &[1, 1, to], exact);
    }
    // 41 · (2 / 82) is less than 1 in f32, by which PyTorch goes.
    let y = counted(&[1, 1, 2], &device).interpolate(&[82], Interpolation::Nearest)?;
    assert_eq!(y.sum_all()?.item()?, 40.0);
    // What is infinite or NaN reaches its neighbours alone.
    let spot = Tensor::from_vec(vec![f64::INFINITY, 1.0, 2.0, 3.0], [1, 1, 4], &device)?;
    let y = spot.interpolate(&[8], linear)?.to_vec::<f64>()?;
    assert!(y[0].is_infinite() && y[3..].iter().all(|x| x.is_finite()), "{y:?}");
    assert_eq!(x.interpolate(&[3, 3], linear)?.to_vec::<f64>()?, x.to_vec::<f64>()?);
    near(zeros([0, 2, 3], &device).interpolate(&[2], linear), &[0, 2, 2], &[]);
    says(
        x.interpolate(&[2], linear),
        "interpolate: 1 sizes came for [1, 2, 3, 3]: expected [N, C, …] with one size for each further dim",
    );
    says(x.interpolate(&[2, 0], linear), "interpolate: dim 3 would go from 3 to 0: expected at least 1");
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
        assert!(text(x.interpolate_by(&[1.0, bad], linear)).contains("must be a positive number"), "{bad}");
    }
    assert!(text(x.interpolate(&[usize::MAX, 3], linear)).contains("larger than memory can be"));
    says(x.cast(DType::I64)?.interpolate(&[2, 2], linear), "interpolate: expected a float, the input is i64: cast it");
    says(
        zeros([], &device).interpolate(&[], linear),
        "interpolate: 0 sizes came for []: expected [N, C, …] with one size for each further dim",
    );
    Ok(())
}

#[test]
fn columns() -> Result<()> {
    let device = device();
    let x = counted(&[1, 1, 3, 3], &device);
    let plain = UnfoldSpec::of([2, 2]);
    let expected = [0.0, 1.0, 3.0, 4.0, 1.0, 2.0, 4.0, 5.0, 3.0, 4.0, 6.0, 7.0, 4.0, 5.0, 7.0, 8.0];
    near(x.unfold(plain), &[1, 4, 4], &expected);
    // Each element as often as a window reads it.
    let uses = [0.0, 2.0, 2.0, 6.0, 16.0, 10.0, 6.0, 14.0, 8.0];
    near(x.unfold(plain)?.fold([3, 3], plain), &[1, 1, 3, 3], &uses);
    let wide = UnfoldSpec { stride: [2, 2], padding: [1, 1], dilation: [2, 2], ..plain };
    near(x.unfold(wide), &[1, 4, 4], &[0., 0., 0., 4., 0., 0., 4., 0., 0., 4., 0., 0., 4., 0., 0., 0.]);
    near(zeros([0, 2, 3, 3], &device).unfold(plain), &[0, 8, 4], &[]);
    near(zeros([0, 8, 4], &device).fold([3, 3], plain), &[0, 2, 3, 3], &[]);
    says(x.squeeze(0)?.unfold(plain), "unfold: input must be [N, C, H, W], came as [1, 3, 3]");
    says(x.fold([3, 3], plain), "fold: input must be [N, C · Kh · Kw, windows], came as [1, 1, 3, 3]");
    says(zeros([1, 3, 4], &device).fold([3, 3], plain), "fold: a window of [2, 2] does not divide dim 1 of [1, 3, 4]");
    says(
        zeros([1, 4, 5], &device).fold([3, 3], plain),
        "fold: dim 2 of [1, 4, 5] must be 2 × 2, the windows in pictures of [3, 3]",
    );
    assert!(text(x.unfold(UnfoldSpec::of([4, 1]))).contains("a window of 4 does not fit"));
    assert!(text(x.unfold(UnfoldSpec::of([0, 1]))).contains("must all be at least 1"));
    assert!(text(zeros([1, 4, 4], &device).fold([3, 3], UnfoldSpec::of([0, 1]))).contains("does not divide"));
    let large = UnfoldSpec { padding: [1 << 33; 2], ..UnfoldSpec::of([1 << 33; 2]) };
    assert!(text(x.unfold(large)).contains("more than can be counted"));
    assert!(text(zeros([1, 4, 4], &device).fold([3, 3], large)).contains("more than can be counted"));
    assert!(text(x.unfold(UnfoldSpec { padding: [usize::MAX; 2], ..plain })).contains("too large"));
    Ok(())
}

#[test]
fn shuffled_pixels() -> Result<()> {
    let device = device();
    let x = counted(&[4, 1, 2], &device);
    near(x.pixel_shuffle(2), &[1, 2, 4], &[0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    near(x.pixel_shuffle(2)?.pixel_unshuffle(2), &[4, 1, 2], &x.to_vec::<f64>()?);
    near(zeros([0, 4, 1, 2], &device).pixel_shuffle(2), &[0, 1, 2, 4], &[]);
    says(x.pixel_shuffle(3), "pixel_shuffle: 3 · 3 must divide the 4 channels (dim 0 of [4, 1, 2])");
    says(x.pixel_unshuffle(2), "pixel_unshuffle: 2 must divide height 1 and width 2 of [4, 1, 2]");
    says(x.pixel_shuffle(0), "pixel_shuffle: the factor is 0, expected at least 1");
    says(zeros([4], &device).pixel_unshuffle(1), "pixel_unshuffle: input must be […, C, H, W], came as [4]");
    // Without elements, sizes are not bounded by memory.
    let (many, none) = (usize::MAX, zeros([0, 2, 0], &device));
    assert!(text(none.pixel_unshuffle(many)).contains("must divide height 2"));
    assert!(text(zeros([3, 0, 0], &device).pixel_unshuffle(many)).contains("more than can be counted"));
    assert!(text(none.pixel_shuffle(1 << 31)).contains("larger than memory can be"));
    assert!(text(x.pixel_shuffle(usize::MAX)).contains("must divide the 4 channels"));
    Ok(())
}

#[test]
fn norms_of_groups() -> Result<()> {
    let device = device();
    let x = wave([1, 2, 3], 1.0, &device);
    let (w, b) = (wave([2], 0.7, &device), wave([2], 2.3, &device));
    let expected = [0.0, 0.0, 0.0, -1.9886832172613071, -0.2359965649737939, 0.13970686258568601];
    near(x.instance_norm(Some(&w), Some(&b), 1e-3), &[1, 2, 3], &expected);
    let x = wave([2, 4, 3], 1.0, &device);
    let (w, b) = (wave([4], 0.7, &device), wave([4], 2.3, &device));
    let y = x.group_norm(2, Some(&w), Some(&b), 1e-5)?;
    let expected = [-2.264467103509031, -0.25610641617986346, 0.17440293528948525, 0.4584917232291319];
    near(y.reshape([24])?.narrow(0, 3, 4), &[4], &expected);
    // Large numbers do not overflow, in halves neither.
    let half = Tensor::from_vec(vec![6e4, -6e4, 5e4, -5e4], [1, 2, 2], &device)?.cast(DType::F16)?;
    let y = half.group_norm(1, None, None, 1e-5)?.cast(DType::F64)?.to_vec::<f64>()?;
    assert!((y[0] - 1.0864).abs() < 1e-3 && (y[2] - 0.9053).abs() < 1e-3, "{y:?}");
    near(zeros([0, 4, 3], &device).group_norm(2, Some(&w), Some(&b), 1e-5), &[0, 4, 3], &[]);
    near(zeros([2, 4, 0], &device).instance_norm(Some(&w), None, 1e-5), &[2, 4, 0], &[]);
    near(zeros([3, 0], &device).group_norm(2, None, None, 1e-5), &[3, 0], &[]);
    says(x.group_norm(3, None, None, 1e-5), "group_norm: groups 3 must divide the 4 channels (dim 1 of [2, 4, 3])");
    assert!(text(x.group_norm(0, None, None, 1e-5)).starts_with("group_norm: groups 0 must divide"));
    says(
        x.group_norm(2, Some(&zeros([2], &device)), None, 1e-5),
        "group_norm: weight must be [4] for the input [2, 4, 3], came as [2]",
    );
    says(
        x.instance_norm(None, Some(&zeros([4, 1], &device)), 1e-5),
        "instance_norm: bias must be [4] for the input [2, 4, 3], came as [4, 1]",
    );
    says(zeros([4], &device).group_norm(1, None, None, 1e-5), "group_norm: input must be [N, C, …], came as [4]");
    says(
        zeros([2, 4], &device).instance_norm(None, None, 1e-5),
        "instance_norm: input must be [N, C, L], [N, C, H, W] or more, came as [2, 4]",
    );
    says(
        x.cast(DType::I64)?.group_norm(1, None, None, 1e-5),
        "group_norm: expected a float, the input is i64: cast it",
    );
    Ok(())
}
