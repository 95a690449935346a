//! What tensors offer beside the operations that training needs: values, errors, empty tensors and scalars.

mod common;

use common::{counted, device, f64s, holds, of, says, text, zeros};
use taper_tensor::{DType, GradOptions, Result, Tensor, grad};

#[test]
fn ranges() -> Result<()> {
    let device = device();
    let arange = |start, end, step, dtype| Tensor::arange(start, end, step, dtype, &device);
    holds(arange(1.0, 2.0, 0.25, DType::F64), &[4], &[1.0, 1.25, 1.5, 1.75]);
    holds(arange(5.0, -1.0, -2.0, DType::I64), &[3], &[5i64, 3, 1]);
    holds(arange(0.0, 3.0, 1.0, DType::U8), &[3], &[0u8, 1, 2]);
    holds(arange(2.0, 2.0, -1.0, DType::F32), &[0], &[0f32; 0]);
    let way = "expected finite numbers, and a step towards the end";
    says(arange(0.0, 3.0, -1.0, DType::F32), &format!("arange: there is no way from 0 to 3 in steps of -1: {way}"));
    says(arange(0.0, 3.0, 0.0, DType::F32), &format!("arange: there is no way from 0 to 3 in steps of 0: {way}"));
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(text(arange(bad, 3.0, 1.0, DType::F32)).contains("there is no way"));
        assert!(text(arange(0.0, bad, 1.0, DType::F32)).contains("there is no way"));
        assert!(text(arange(0.0, 3.0, bad, DType::F32)).contains("there is no way"));
    }
    assert!(text(arange(0.0, 3.0, 0.5, DType::I64)).starts_with("arange: 0.5 is no i64"));
    assert!(text(arange(0.0, 300.0, 1.0, DType::U8)).starts_with("arange: 299.0 is no u8"));
    assert!(text(arange(0.0, 1e6, 1e5, DType::F16)).starts_with("arange: 900000.0 is more than f16 holds"));
    assert!(text(arange(0.0, 1e300, 1.0, DType::F32)).contains("larger than memory can be"));
    assert!(text(arange(0.0, 1e17, 1.0, DType::F32)).contains("more than memory holds"));
    let linspace = |start, end, count, dtype| Tensor::linspace(start, end, count, dtype, &device);
    holds(linspace(-1.0, 1.0, 5, DType::F64), &[5], &[-1.0, -0.5, 0.0, 0.5, 1.0]);
    holds(linspace(3.0, 7.0, 1, DType::F32), &[1], &[3f32]);
    holds(linspace(3.0, 7.0, 0, DType::F32), &[0], &[0f32; 0]);
    holds(linspace(-f64::MAX, f64::MAX, 3, DType::F64), &[3], &[-f64::MAX, 0.0, f64::MAX]);
    says(linspace(0.0, 1.0, 3, DType::I64), "linspace: its numbers are floats, i64 was asked for");
    assert!(text(linspace(0.0, 1.0, usize::MAX, DType::F32)).contains("larger than memory can be"));
    Ok(())
}

#[test]
fn patterns() -> Result<()> {
    let device = device();
    holds(Tensor::eye(2, 3, DType::F32, &device), &[2, 3], &[1f32, 0.0, 0.0, 0.0, 1.0, 0.0]);
    holds(Tensor::eye(0, 3, DType::I64, &device), &[0, 3], &[0i64; 0]);
    assert!(text(Tensor::eye(usize::MAX, 3, DType::F32, &device)).starts_with("eye: shape"));
    let classes = of(&[2i64, 0], &[2], &device);
    holds(classes.one_hot(3), &[2, 3], &[0i64, 0, 1, 1, 0, 0]);
    holds(of(&[1i64], &[], &device).one_hot(2), &[2], &[0i64, 1]);
    holds(of(&[0i64; 0], &[0], &device).one_hot(2), &[0, 2], &[0i64; 0]);
    assert!(text(classes.one_hot(2)).contains("index 2"), "{}", text(classes.one_hot(2)));
    says(zeros([2], &device).one_hot(2), "one_hot: indices must be i64, they are f64: cast them");
    let x = of(&[1.5f32, 2.5], &[1, 2], &device);
    holds(x.zeros_like(), &[1, 2], &[0f32; 2]);
    holds(x.ones_like(), &[1, 2], &[1f32; 2]);
    holds(x.full_like(-3.0), &[1, 2], &[-3f32; 2]);
    assert!(text(classes.full_like(0.5)).starts_with("full: 0.5 is no i64"));
    assert_eq!(zeros([2, 3, 4], &device).dims::<3>()?, [2, 3, 4]);
    assert_eq!(zeros([], &device).dims::<0>()?, []);
    let [n, c] = zeros([2, 3], &device).dims()?;
    assert_eq!((n, c), (2, 3));
    says(zeros([2, 3], &device).dims::<4>(), "dims: expected 4 dimensions, the shape [2, 3] has 2");
    Ok(())
}

#[test]
fn moved_elements() -> Result<()> {
    let device = device();
    let (x, none, scalar) = (counted(&[2, 3], &device), zeros([0, 3], &device), zeros([], &device));
    holds(x.flip(&[1]), &[2, 3], &[2.0, 1.0, 0.0, 5.0, 4.0, 3.0]);
    holds(x.flip(&[-1, 0]), &[2, 3], &[5.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
    holds(none.flip(&[0, 1]), &[0, 3], &[0.0; 0]);
    holds(x.cast(DType::U8)?.flip(&[0]), &[2, 3], &[3u8, 4, 5, 0, 1, 2]);
    says(x.flip(&[2]), "flip: axis 2 is out of range for shape [2, 3] of 2 dimensions");
    says(x.flip(&[0, -2]), "flip: axes [0, -2] name a dimension of [2, 3] twice");
    holds(x.roll(&[1], &[1]), &[2, 3], &[2.0, 0.0, 1.0, 5.0, 3.0, 4.0]);
    holds(x.roll(&[-7], &[0]), &[2, 3], &[3.0, 4.0, 5.0, 0.0, 1.0, 2.0]);
    holds(x.roll(&[2], &[]), &[2, 3], &[4.0, 5.0, 0.0, 1.0, 2.0, 3.0]);
    holds(none.roll(&[isize::MIN], &[0]), &[0, 3], &[0.0; 0]);
    holds(x.roll(&[isize::MIN], &[0])?.roll(&[isize::MIN], &[0]), &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    holds(scalar.roll(&[3], &[]), &[], &[0.0]);
    says(x.roll(&[1, 2], &[0]), "roll: 2 shifts came for 1 axes: expected one for each");
    says(x.roll(&[1], &[2]), "roll: axis 2 is out of range for shape [2, 3] of 2 dimensions");
    holds(counted(&[2], &device).repeat(&[2, 2]), &[2, 4], &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
    holds(scalar.repeat(&[]), &[], &[0.0]);
    holds(x.repeat(&[1, 0]), &[2, 0], &[0.0; 0]);
    says(x.repeat(&[2]), "repeat: 1 times came for the 2 dimensions of [2, 3]");
    assert!(text(x.repeat(&[usize::MAX, 1])).contains("more than can be counted"));
    assert!(text(x.repeat(&[usize::MAX / 4, 1])).contains("larger than memory can be"));
    holds(x.tile(&[2]), &[2, 6], &[0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 3.0, 4.0, 5.0]);
    let index = of(&[1i64, 1, 0], &[3], &device);
    holds(x.index_select(0, &index), &[3, 3], &[3.0, 4.0, 5.0, 3.0, 4.0, 5.0, 0.0, 1.0, 2.0]);
    holds(x.index_select(0, &of(&[0i64; 0], &[0], &device)), &[0, 3], &[0.0; 0]);
    // A table of integers has no gradient, and rows all the same.
    holds(x.cast(DType::I64)?.index_select(0, &index)?.narrow(0, 2, 1), &[1, 3], &[0i64, 1, 2]);
    let far = text(x.index_select(0, &of(&[2i64], &[1], &device)));
    assert!(far.contains("index 2"), "{far}");
    says(x.index_select(2, &index), "index_select: axis 2 is out of range for shape [2, 3] of 2 dimensions");
    says(x.index_select(0, &x), "index_select: indices must be i64, they are f64: cast them");
    says(x.index_select(0, &index.unsqueeze(0)?), "index_select: index must be a vector, came as [1, 3]");
    assert_eq!(zeros([2, 3, 4], &device).movedim(&[0], &[-1])?.shape()[..], [3, 4, 2]);
    assert_eq!(zeros([2, 3, 4], &device).movedim(&[2, 0], &[0, 1])?.shape()[..], [4, 2, 3]);
    says(x.movedim(&[0, 1], &[0]), "movedim: 2 dimensions came for 1 places: expected as many");
    says(x.movedim(&[0, 0], &[0, 1]), "movedim: axes [0, 0] name a dimension of [2, 3] twice");
    says(x.movedim(&[0], &[5]), "movedim: axis 5 is out of range for shape [2, 3] of 2 dimensions");
    Ok(())
}

#[test]
fn triangles() -> Result<()> {
    let device = device();
    let x = counted(&[3, 3], &device).add_scalar(1.0)?;
    holds(x.triu(0), &[3, 3], &[1.0, 2.0, 3.0, 0.0, 5.0, 6.0, 0.0, 0.0, 9.0]);
    holds(x.triu(1), &[3, 3], &[0.0, 2.0, 3.0, 0.0, 0.0, 6.0, 0.0, 0.0, 0.0]);
    holds(x.tril(-1), &[3, 3], &[0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 7.0, 8.0, 0.0]);
    holds(x.triu(isize::MIN), &[3, 3], &x.to_vec::<f64>()?);
    holds(x.tril(isize::MIN), &[3, 3], &[0.0; 9]);
    holds(x.triu(isize::MAX), &[3, 3], &[0.0; 9]);
    holds(x.cast(DType::U8)?.tril(0), &[3, 3], &[1u8, 0, 0, 4, 5, 0, 7, 8, 9]);
    // What is cut off does not matter, whatever it is.
    let infinite = x.full_like(f64::INFINITY)?;
    assert_eq!(infinite.triu(0)?.to_vec::<f64>()?[3], 0.0);
    holds(zeros([2, 0, 3], &device).tril(0), &[2, 0, 3], &[0.0; 0]);
    says(f64s([1.0], &device).triu(0), "triu: expected a matrix, the shape is [1]");
    says(zeros([], &device).tril(0), "tril: expected a matrix, the shape is []");
    Ok(())
}

#[test]
fn masks() -> Result<()> {
    let device = device();
    let x = counted(&[2, 3], &device);
    let mask = of(&[1u8, 0, 5], &[3], &device);
    holds(x.masked_fill(&mask, -1.0), &[2, 3], &[-1.0, 1.0, -1.0, -1.0, 4.0, -1.0]);
    holds(x.masked_fill(&mask, f64::NEG_INFINITY)?.narrow(1, 1, 1), &[2, 1], &[1.0, 4.0]);
    holds(x.masked_select(&mask), &[4], &[0.0, 2.0, 3.0, 5.0]);
    holds(zeros([], &device).masked_select(&mask), &[2], &[0.0; 2]);
    holds(zeros([0, 3], &device).masked_select(&mask), &[0], &[0.0; 0]);
    says(x.masked_fill(&x, 1.0), "masked_fill: the mask must be u8, it is f64: compare or cast it");
    says(x.masked_select(&x), "masked_select: the mask must be u8, it is f64: compare or cast it");
    assert!(text(x.cast(DType::I64)?.masked_fill(&mask, 0.5)).starts_with("masked_fill: 0.5 is no i64"));
    let two = of(&[1u8, 0], &[2], &device);
    assert!(text(x.masked_fill(&two, 0.0)).starts_with("masked_fill: shapes [2, 3] and [2] do not broadcast"));
    assert!(text(x.masked_select(&two)).starts_with("masked_select: shapes [2, 3] and [2] do not broadcast"));
    let odd = f64s([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 5.0], &device);
    for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
        let odd = odd.cast(dtype)?;
        holds(odd.isnan(), &[5], &[1u8, 0, 0, 0, 0]);
        holds(odd.isinf(), &[5], &[0u8, 1, 1, 0, 0]);
        holds(odd.isfinite(), &[5], &[0u8, 0, 0, 1, 1]);
        holds(odd.logical_not(), &[5], &[0u8, 0, 0, 1, 0]);
    }
    let whole = of(&[i64::MIN, 0], &[2], &device);
    holds(whole.isnan(), &[2], &[0u8, 0]);
    holds(whole.isinf(), &[2], &[0u8, 0]);
    holds(whole.isfinite(), &[2], &[1u8, 1]);
    let (a, b) = (of(&[0u8, 0, 7, 1], &[4], &device), f64s([0.0, f64::NAN, 0.0, 2.0], &device));
    holds(a.logical_and(&b), &[4], &[0u8, 0, 0, 1]);
    holds(a.logical_or(&b), &[4], &[0u8, 1, 1, 1]);
    holds(a.logical_xor(&b), &[4], &[0u8, 1, 1, 0]);
    assert!(text(a.logical_xor(&mask)).starts_with("logical_xor: shapes [4] and [3] do not broadcast"));
    Ok(())
}

#[test]
fn any_and_all() -> Result<()> {
    let device = device();
    let x = f64s([0.0, f64::NAN, 0.0, -0.0], &device).reshape([2, 2])?;
    holds(x.any(&[1], false), &[2], &[1u8, 0]);
    holds(x.any(&[], true), &[1, 1], &[1u8]);
    holds(x.all(&[-1], false), &[2], &[0u8, 0]);
    holds(x.isfinite()?.all(&[0], true), &[1, 2], &[1u8, 0]);
    holds(of(&[i64::MIN, 1], &[2], &device).all(&[], false), &[], &[1u8]);
    let none = zeros([0, 2], &device);
    holds(none.any(&[0], false), &[2], &[0u8, 0]);
    holds(none.all(&[0], false), &[2], &[1u8, 1]);
    holds(zeros([], &device).any(&[], false), &[], &[0u8]);
    says(x.any(&[2], false), "any: axis 2 is out of range for shape [2, 2] of 2 dimensions");
    says(x.all(&[0, 0], false), "all: axes [0, 0] name a dimension of [2, 2] twice");
    Ok(())
}

#[test]
fn bytes_count_in_i64() -> Result<()> {
    let device = device();
    let (a, b) = (of(&[200u8, 3], &[2], &device), of(&[100u8, 9], &[2], &device));
    holds(a.sum(&[], false), &[], &[203i64]);
    holds(a.broadcast_to([1000, 2])?.sum(&[0], true), &[1, 2], &[200_000i64, 3000]);
    holds(a.add(&b), &[2], &[300i64, 12]);
    holds(a.sub(&b), &[2], &[100i64, -6]);
    holds(a.mul(&b), &[2], &[20_000i64, 27]);
    holds(a.add_scalar(100.0), &[2], &[300i64, 103]);
    holds(a.mul_scalar(100.0), &[2], &[20_000i64, 300]);
    holds(a.maximum(&b), &[2], &[200u8, 9]);
    holds(a.minimum_scalar(100.0), &[2], &[100u8, 3]);
    holds(a.clamp(Some(5.0), Some(100.0)), &[2], &[100u8, 5]);
    holds(a.max(&[], false), &[], &[200u8]);
    holds(a.min(&[0], true), &[1], &[3u8]);
    holds(of(&[7u8], &[], &device).max(&[], false), &[], &[7u8]);
    holds(a.cumsum(0), &[2], &[200i64, 203]);
    holds(a.cumprod(0), &[2], &[200i64, 600]);
    holds(a.prod(&[], false), &[], &[600i64]);
    says(a.mean(&[], false), "mean: expected a float, the input is u8: cast it");
    says(a.div(&b), "div: the input is u8: cast it, to a float for fractions, to i64 for whole quotients");
    says(
        a.div_scalar(2.0),
        "div_scalar: the input is u8: cast it, to a float for fractions, to i64 for whole quotients",
    );
    assert!(text(of(&[0u8; 0], &[0], &device).max(&[], false)).starts_with("max: dim 0 of [0] is empty"));
    // How often a comparison holds, without a cast.
    holds(f64s([1.0, 2.0, 3.0], &device).gt_scalar(1.5)?.sum_all(), &[], &[2i64]);
    Ok(())
}

#[test]
fn steps_have_a_gradient_of_zeros() -> Result<()> {
    let device = device();
    type Step = fn(&Tensor) -> Result<Tensor>;
    let steps: [(&str, Step); 7] = [
        ("sign", Tensor::sign),
        ("floor", Tensor::floor),
        ("ceil", Tensor::ceil),
        ("round", Tensor::round),
        ("trunc", Tensor::trunc),
        ("pow_scalar", |x| x.pow_scalar(0.0)),
        ("norm", |x| x.norm(0.0, &[], false)),
    ];
    for (name, f) in steps {
        for dtype in [DType::F64, DType::F16] {
            let x = f64s([-1.5, 0.0, f64::NAN], &device).cast(dtype)?.requires_grad();
            let gradients = f(&x)?.sum_all()?.backward()?;
            let gradient = gradients.of(&x).unwrap_or_else(|| panic!("{name} has no gradient"));
            assert_eq!(gradient.dtype(), dtype, "{name}");
            holds(gradient.cast(DType::F64), &[3], &[0.0; 3]);
            // Beside another path, and twice.
            let y = f(&x)?.sum_all()?.add(&x.mul(&x)?.sum_all()?)?;
            let options = GradOptions { create_graph: true, ..GradOptions::default() };
            let first = grad(&y, &[&x], None, options)?.remove(0).expect("a gradient");
            let second = grad(&first, &[&x], None, GradOptions::default())?.remove(0).expect("a gradient");
            holds(second.cast(DType::F64), &[3], &[2.0; 3]);
        }
    }
    Ok(())
}

#[test]
fn rounding() -> Result<()> {
    let device = device();
    // Every f16, whose neighbours of ½ are the hardest, beside what f64 rounds.
    let all: Vec<u16> = (0..=u16::MAX).collect();
    let values: Vec<f64> = all.iter().map(|&bits| half_to_f64(bits)).collect();
    let x = Tensor::from_vec(values.clone(), [values.len()], &device)?;
    let near_half = [0.5f64.next_down(), -0.5f64.next_down(), 4_503_599_627_370_495.5, -2.5, 1e300, -0.4, 0.5, 1.5];
    let other = f64s(near_half, &device);
    type Function = (&'static str, fn(&Tensor) -> Result<Tensor>, fn(f64) -> f64);
    let functions: [Function; 3] = [
        ("ceil", Tensor::ceil, f64::ceil),
        ("round", Tensor::round, f64::round_ties_even),
        ("trunc", Tensor::trunc, f64::trunc),
    ];
    for (name, f, exact) in functions {
        for (x, dtype) in [(&x, DType::F16), (&x, DType::F32), (&x, DType::F64), (&other, DType::F64)] {
            let given = x.cast(dtype)?.cast(DType::F64)?.to_vec::<f64>()?;
            let found = f(&x.cast(dtype)?)?.cast(DType::F64)?.to_vec::<f64>()?;
            for (x, y) in given.iter().zip(&found) {
                let due = exact(*x);
                assert!(*y == due || y.is_nan() && due.is_nan(), "{name} of {x} in {dtype}: {y} instead of {due}");
            }
        }
        let expected = format!("{name}: expected a float, the input is i64: cast it");
        says(f(&of(&[1i64], &[1], &device)), &expected);
    }
    Ok(())
}

/// The number that the bits of an f16 stand for.
fn half_to_f64(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[test]
fn functions_at_their_edges() -> Result<()> {
    let device = device();
    let x = f64s([f64::NAN, -2.0, 0.5, f64::INFINITY], &device).requires_grad();
    let y = x.clamp(Some(-1.0), Some(1.0))?;
    let (values, gradient) = (y.to_vec::<f64>()?, y.sum_all()?.backward()?.of(&x).expect("one").to_vec::<f64>()?);
    assert!(values[0].is_nan() && gradient[0].is_nan());
    assert_eq!((&values[1..], &gradient[1..]), (&[-1.0, 0.5, 1.0][..], &[0.0, 1.0, 0.0][..]));
    says(x.clamp(None, None), "clamp: expected a least or a largest value, or both");
    says(x.clamp(Some(f64::NAN), None), "clamp: a bound is NaN, which no number is less or more than");
    assert!(text(of(&[1i64], &[1], &device).clamp(Some(0.5), None)).starts_with("clamp: 0.5 is no i64"));
    let f32s = of(&[1e-38f32, 1e38, 4.0, 1e-45, 0.0, f32::INFINITY], &[6], &device);
    let roots = f32s.rsqrt()?.to_vec::<f32>()?;
    for (root, x) in roots.iter().zip([1e-38f32, 1e38, 4.0, 1e-45]) {
        let due = 1.0 / f64::from(x).sqrt();
        assert!((f64::from(*root) / due - 1.0).abs() < 1.5e-7, "1/√{x:e}: {root:e}");
    }
    assert_eq!(roots[4..], [f32::INFINITY, 0.0]);
    let half = of(&[3.0f32], &[1], &device).cast(DType::F16)?.rsqrt()?.item()?;
    assert_eq!(half, of(&[3f64.sqrt().recip()], &[1], &device).cast(DType::F16)?.item()?);
    says(of(&[1i64], &[1], &device).rsqrt(), "rsqrt: expected a float, the input is i64: cast it");
    says(of(&[1i64], &[1], &device).tan(), "tan: expected a float, the input is i64: cast it");
    let angles: Vec<f64> = (-400..400).map(|i| f64::from(i) * 0.37).chain([std::f64::consts::FRAC_PI_2, 1e5]).collect();
    let tangents = of(&angles, &[angles.len()], &device).tan()?.to_vec::<f64>()?;
    for (x, y) in angles.iter().zip(tangents) {
        assert!((y - x.tan()).abs() <= 6e-16 * x.tan().abs(), "tan {x}: {y:e} instead of {:e}", x.tan());
    }
    Ok(())
}

#[test]
fn norms_and_deviations() -> Result<()> {
    let device = device();
    let x = counted(&[2, 3], &device);
    says(x.norm(f64::NAN, &[], false), "norm: p is NaN");
    says(x.norm(2.0, &[2], false), "norm: axis 2 is out of range for shape [2, 3] of 2 dimensions");
    says(of(&[1i64], &[1], &device).norm(2.0, &[], false), "norm: expected a float, the input is i64: cast it");
    let none = zeros([0, 3], &device);
    holds(none.norm(2.0, &[0], true), &[1, 3], &[0.0; 3]);
    holds(none.norm(0.5, &[1], false), &[0], &[0.0; 0]);
    for p in [f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        says(none.norm(p, &[], false), "norm: dim 0 of [0, 3] is empty: there is no element to choose");
    }
    says(
        x.std(&[0], 2, false),
        "std: 2 elements (axes [0] of [2, 3]) less a correction of 2 leave nothing to divide by",
    );
    says(of(&[1i64], &[1], &device).std(&[], 0, false), "std: expected a float, the input is i64: cast it");
    let large = of(&[3e37f32, -3e37], &[2], &device);
    let deviation = large.std(&[], 0, false)?.item()?;
    assert!((deviation / 3e37 - 1.0).abs() < 1e-6, "{deviation:e}, whose square f32 does not hold");
    Ok(())
}

#[test]
fn scans_and_products() -> Result<()> {
    let device = device();
    for size in (0..20usize).chain([64, 65, 66, 81, 100, 1000]) {
        let values: Vec<i64> = (0..size as i64).map(|i| i % 4 + 1).collect();
        let product = values.iter().fold(1i64, |a, &b| a.wrapping_mul(b));
        let x = of(&values, &[size], &device);
        let running = |join: fn(i64, i64) -> i64, first| {
            let scan = values.iter().scan(first, |so_far, &x| {
                *so_far = join(*so_far, x);
                Some(*so_far)
            });
            scan.collect::<Vec<i64>>()
        };
        holds(x.cumsum(0), &[size], &running(|a, b| a + b, 0));
        holds(x.cumprod(-1), &[size], &running(|a, b| a.wrapping_mul(b), 1));
        holds(x.prod(&[], false), &[], &[product]);
        let rows = x.unsqueeze(1)?.broadcast_to([size, 3])?;
        holds(rows.prod(&[0], true), &[1, 3], &[product; 3]);
        holds(rows.cumsum(0)?.narrow(1, 1, 1)?.squeeze(1), &[size], &running(|a, b| a + b, 0));
    }
    holds(zeros([3, 0], &device).prod(&[0], false), &[0], &[0.0; 0]);
    holds(zeros([3, 0], &device).prod(&[], true), &[1, 1], &[1.0]);
    let nothing = zeros([3, 0], &device);
    assert_eq!(nothing.cumsum(0)?.shape()[..], [3, 0]);
    says(zeros([], &device).cumsum(0), "cumsum: axis 0 is out of range for shape [] of 0 dimensions");
    says(nothing.cumprod(2), "cumprod: axis 2 is out of range for shape [3, 0] of 2 dimensions");
    says(nothing.prod(&[2], false), "prod: axis 2 is out of range for shape [3, 0] of 2 dimensions");
    // A sum does not know what comes after it.
    let x = f64s([1.0, f64::INFINITY, 2.0, f64::NEG_INFINITY], &device).cumsum(0)?.to_vec::<f64>()?;
    assert!(x[0] == 1.0 && x[1] == f64::INFINITY && x[2] == f64::INFINITY && x[3].is_nan(), "{x:?}");
    // A tenth a million times: in f32, one after the other, the sum would be 100958.
    let tenths = of(&[0.1f32], &[1], &device).broadcast_to([1_000_000])?.cumsum(0)?;
    let last = tenths.narrow(0, 999_999, 1)?.item()?;
    assert!((last / (f64::from(0.1f32) * 1e6) - 1.0).abs() < 1e-6, "{last}");
    Ok(())
}

#[test]
fn angles() -> Result<()> {
    let device = device();
    let sides = [0.0, -0.0, 1.0, -1.0, 1e-30, -1e30, 3.7, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let pairs: Vec<(f64, f64)> = sides.iter().flat_map(|&y| sides.iter().map(move |&x| (y, x))).collect();
    let column = |f: fn(&(f64, f64)) -> f64| of(&pairs.iter().map(f).collect::<Vec<_>>(), &[pairs.len()], &device);
    let (y, x) = (column(|pair| pair.0), column(|pair| pair.1));
    for (dtype, bound) in [(DType::F64, 4e-16), (DType::F32, 3e-7), (DType::F16, 1e-3)] {
        let [y, x] = [y.cast(dtype)?, x.cast(dtype)?];
        let given = |x: &Tensor| x.cast(DType::F64)?.to_vec::<f64>();
        for ((y, x), z) in given(&y)?.iter().zip(given(&x)?).zip(given(&y.atan2(&x)?)?) {
            let due = y.atan2(x);
            let same = z == due && z.is_sign_negative() == due.is_sign_negative() || z.is_nan() && due.is_nan();
            // A quotient too small for the dtype is 0.
            assert!(same || (z - due).abs() <= bound * due.abs() + 1e-44, "atan2({y}, {x}) in {dtype}: {z}, not {due}");
        }
    }
    let slopes = |y: f32, x: f32| -> Result<[f64; 2]> {
        let (y, x) = (of(&[y], &[1], &device).requires_grad(), of(&[x], &[1], &device).requires_grad());
        let gradients = y.atan2(&x)?.sum_all()?.backward()?;
        Ok([gradients.of(&y).expect("y").item()?, gradients.of(&x).expect("x").item()?])
    };
    for (y, x) in [(3e30f32, 4e30f32), (3e-30, -4e-30), (-2e-20, 1e10)] {
        let (wide_y, wide_x) = (f64::from(y), f64::from(x));
        let square = wide_x * wide_x + wide_y * wide_y;
        for (found, due) in slopes(y, x)?.iter().zip([wide_x / square, -wide_y / square]) {
            assert!((found - due).abs() <= 1e-6 * due.abs() + 1e-44, "of ({y:e}, {x:e}): {found:e}, not {due:e}");
        }
    }
    assert_eq!(slopes(0.0, 0.0)?, [0.0; 2]);
    assert_eq!(slopes(1.0, f32::INFINITY)?, [0.0; 2]);
    assert!(slopes(f32::NAN, f32::INFINITY)?.iter().all(|slope| slope.is_nan()));
    // The cotangent may be as large as the square of x is.
    let x = of(&[1e25f32], &[1], &device).requires_grad();
    let slope = grad(&x.atan()?, &[&x], Some(&of(&[1e30f32], &[1], &device)), GradOptions::default())?.remove(0);
    let slope = slope.expect("a gradient").item()?;
    assert!((slope / 1e-20 - 1.0).abs() < 1e-6, "{slope:e}");
    says(of(&[1i64], &[1], &device).atan(), "atan: expected a float, the input is i64: cast it");
    says(y.atan2(&y.cast(DType::F32)?), "atan2: y is f64, x is f32; nothing is converted silently: cast one of them");
    assert!(text(y.atan2(&zeros([2], &device))).starts_with("atan2: shapes [100] and [2] do not broadcast"));
    Ok(())
}
