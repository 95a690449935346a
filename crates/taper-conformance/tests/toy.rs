//! The slow twin against numbers written by hand: what a reader can check without a program.

use taper_backend::{
    Activation, BinaryOp, Buffer, CompareOp, Conv2dSpec, DType, Device, HostData, PadAmount, Pool2dSpec, ReduceOp,
    Result, Shape, SliceRange, UnaryOp,
};
use taper_conformance::toy::{ToyBackend, erf, normal_cdf};
use taper_tensor::Tensor;

fn f32s<const N: usize>(d: &Device, values: &[f32], shape: [usize; N]) -> Result<Buffer> {
    d.upload(&HostData::F32(values.to_vec()), &Shape::from(shape))
}

/// The shape and the elements.
fn read(d: &Device, x: &Buffer) -> Result<(Vec<usize>, Vec<f64>)> {
    Ok((x.shape().to_vec(), d.download(x)?.to_f64()))
}

#[test]
fn views() -> Result<()> {
    let d = ToyBackend::device();
    let x = f32s(&d, &[0., 1., 2., 3., 4., 5.], [2, 3])?;
    assert_eq!(read(&d, &d.permute(&x, &[1, 0])?)?, (vec![3, 2], vec![0., 3., 1., 4., 2., 5.]));
    let y = d.permute(&f32s(&d, &[0., 1., 2., 3., 4., 5.], [1, 2, 3])?, &[2, 0, 1])?;
    assert_eq!(read(&d, &y)?, (vec![3, 1, 2], vec![0., 3., 1., 4., 2., 5.]));
    assert_eq!(read(&d, &d.reshape(&x, &[3, 2].into())?)?, (vec![3, 2], vec![0., 1., 2., 3., 4., 5.]));
    let column = f32s(&d, &[7., 8.], [2, 1])?;
    assert_eq!(read(&d, &d.broadcast(&column, &[2, 2, 2].into())?)?.1, [7., 7., 8., 8., 7., 7., 8., 8.]);
    let cut = d.slice(&x, &[SliceRange::new(1, 2), SliceRange { start: 0, end: 3, step: 2 }])?;
    assert_eq!(read(&d, &cut)?, (vec![1, 2], vec![3., 5.]));
    let around = [PadAmount { low: 0, high: 1, interior: 1 }, PadAmount { low: 1, high: 0, interior: 0 }];
    let padded = d.pad(&x, &around, 9.0)?;
    assert_eq!(read(&d, &padded)?, (vec![4, 4], vec![9., 0., 1., 2., 9., 9., 9., 9., 9., 3., 4., 5., 9., 9., 9., 9.]));
    let joined = d.concat(&[&x, &column], 1)?;
    assert_eq!(read(&d, &joined)?, (vec![2, 4], vec![0., 1., 2., 7., 3., 4., 5., 8.]));
    Ok(())
}

#[test]
fn element_by_element() -> Result<()> {
    let d = ToyBackend::device();
    let x = f32s(&d, &[-1.5, 0.0, 2.0], [3])?;
    let unary = |op| read(&d, &d.unary(op, &x)?).map(|y| y.1);
    assert_eq!(unary(UnaryOp::Neg)?, [1.5, 0., -2.]);
    assert_eq!(unary(UnaryOp::Abs)?, [1.5, 0., 2.]);
    assert_eq!(unary(UnaryOp::Sign)?, [-1., 0., 1.]);
    assert_eq!(unary(UnaryOp::Floor)?, [-2., 0., 2.]);
    assert_eq!(unary(UnaryOp::Exp)?[1..], [1., f64::from(7.389_056_f32)]);
    assert_eq!(unary(UnaryOp::Sigmoid)?[1], 0.5);
    assert_eq!(unary(UnaryOp::Recip)?[2], 0.5);
    assert!(unary(UnaryOp::Sqrt)?[0].is_nan() && unary(UnaryOp::Log)?[1] == f64::NEG_INFINITY);
    let y = f32s(&d, &[2., 3.], [2, 1])?;
    let binary = |op| read(&d, &d.binary(op, &x, &y)?).map(|y| y.1);
    assert_eq!(binary(BinaryOp::Add)?, [0.5, 2., 4., 1.5, 3., 5.]);
    assert_eq!(binary(BinaryOp::Sub)?, [-3.5, -2., 0., -4.5, -3., -1.]);
    assert_eq!(binary(BinaryOp::Mul)?, [-3., 0., 4., -4.5, 0., 6.]);
    assert_eq!(binary(BinaryOp::Div)?[..3], [-0.75, 0., 1.]);
    assert_eq!(binary(BinaryOp::Pow)?, [2.25, 0., 4., -3.375, 0., 8.]);
    assert_eq!(binary(BinaryOp::Maximum)?, [2., 2., 2., 3., 3., 3.]);
    assert_eq!(binary(BinaryOp::Minimum)?, [-1.5, 0., 2., -1.5, 0., 2.]);
    let compare = |op| d.download(&d.compare(op, &x, &y)?);
    assert_eq!(compare(CompareOp::Lt)?, HostData::U8(vec![1, 1, 0, 1, 1, 1]));
    assert_eq!(compare(CompareOp::Eq)?, HostData::U8(vec![0, 0, 1, 0, 0, 0]));
    assert_eq!(compare(CompareOp::Ge)?, HostData::U8(vec![0, 0, 1, 0, 0, 0]));
    let chosen = d.upload(&HostData::U8(vec![1, 0, 2]), &[3].into())?;
    assert_eq!(read(&d, &d.select(&chosen, &x, &y)?)?, (vec![2, 3], vec![-1.5, 2., 2., -1.5, 3., 2.]));
    let i = d.upload(&HostData::I64(vec![7, -7, i64::MIN]), &[3].into())?;
    let j = d.upload(&HostData::I64(vec![2, 0, -1]), &[3].into())?;
    assert_eq!(d.download(&d.binary(BinaryOp::Div, &i, &j)?)?, HostData::I64(vec![3, 0, i64::MIN]));
    assert_eq!(d.download(&d.cast(&x, DType::I64)?)?, HostData::I64(vec![-1, 0, 2]));
    // Abramowitz and Stegun, table 7.1.
    for (x, y) in [(0.5, 0.5204998778), (1.0, 0.8427007929), (2.0, 0.9953222650), (-1.0, -0.8427007929)] {
        assert!((erf(x) - y).abs() < 5e-11, "erf {x} = {}", erf(x));
    }
    Ok(())
}

#[test]
fn reductions_and_indices() -> Result<()> {
    let d = ToyBackend::device();
    let x = f32s(&d, &[1., 5., 5., -2., 0., f32::NAN], [2, 3])?;
    assert_eq!(read(&d, &d.reduce(ReduceOp::Sum, &x, &[0])?)?.1[..2], [-1., 5.]);
    assert_eq!(read(&d, &d.reduce(ReduceOp::Max, &x, &[1])?)?.1[0], 5.);
    assert!(read(&d, &d.reduce(ReduceOp::Max, &x, &[1])?)?.1[1].is_nan());
    assert!(read(&d, &d.reduce(ReduceOp::Min, &x, &[0, 1])?)?.1[0].is_nan());
    assert_eq!(read(&d, &d.argmax(&x, 1)?)?, (vec![2, 1], vec![1., 2.]));
    assert_eq!(read(&d, &d.argmax(&x, 0)?)?, (vec![1, 3], vec![0., 0., 1.]));
    let nothing = f32s(&d, &[], [0, 2])?;
    assert_eq!(read(&d, &d.reduce(ReduceOp::Sum, &nothing, &[0])?)?, (vec![1, 2], vec![0., 0.]));
    assert!(d.reduce(ReduceOp::Max, &nothing, &[0]).is_err() && d.argmax(&nothing, 0).is_err());

    let x = f32s(&d, &[0., 1., 2., 3., 4., 5.], [2, 3])?;
    let index = d.upload(&HostData::I64(vec![2, 2, 0, 1]), &[2, 2].into())?;
    assert_eq!(read(&d, &d.gather(&x, 1, &index)?)?, (vec![2, 2], vec![2., 2., 3., 4.]));
    let source = f32s(&d, &[10., 20., 30., 40.], [2, 2])?;
    assert_eq!(read(&d, &d.scatter_add(&x, 1, &index, &source)?)?.1, [0., 1., 32., 33., 44., 5.]);
    let far = d.upload(&HostData::I64(vec![3, 0, 0, 0]), &[2, 2].into())?;
    let message = d.gather(&x, 1, &far).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message.contains("index 3 is out of range for dimension 1 of [2, 3]"), "{message}");
    Ok(())
}

#[test]
fn products_and_windows() -> Result<()> {
    let d = ToyBackend::device();
    let (a, b) = (f32s(&d, &[1., 2., 3., 4., 5., 6.], [2, 3])?, f32s(&d, &[1., 0., 2., 1., 0., 3.], [3, 2])?);
    assert_eq!(read(&d, &d.matmul(&a, &b, false, false)?)?, (vec![2, 2], vec![5., 11., 14., 23.]));
    let (at, bt) = (d.permute(&a, &[1, 0])?, d.permute(&b, &[1, 0])?);
    assert_eq!(read(&d, &d.matmul(&at, &bt, true, true)?)?.1, [5., 11., 14., 23.]);

    let x = f32s(&d, &[1., 2., 3., 4., 5., 6., 7., 8., 9.], [1, 1, 3, 3])?;
    let weight = f32s(&d, &[1., 0., 0., 2.], [1, 1, 2, 2])?;
    let y = d.conv2d(&x, &weight, &Conv2dSpec::default())?;
    assert_eq!(read(&d, &y)?, (vec![1, 1, 2, 2], vec![11., 14., 20., 23.]));
    let g = f32s(&d, &[1., 10., 100., 1000.], [1, 1, 2, 2])?;
    let dx = d.conv2d_input_grad(&g, &weight, &Conv2dSpec::default(), x.shape())?;
    assert_eq!(read(&d, &dx)?.1, [1., 10., 0., 100., 1002., 20., 0., 200., 2000.]);
    let dw = d.conv2d_weight_grad(&x, &g, &Conv2dSpec::default(), weight.shape())?;
    assert_eq!(read(&d, &dw)?.1, [5421., 6532., 8754., 9865.]);

    let spec = Pool2dSpec { ceil_mode: true, ..Pool2dSpec::square(2) };
    let (y, places) = d.max_pool2d(&x, &spec)?;
    assert_eq!(read(&d, &y)?, (vec![1, 1, 2, 2], vec![5., 6., 8., 9.]));
    assert_eq!(d.download(&places)?, HostData::I64(vec![4, 5, 7, 8]));
    assert_eq!(read(&d, &d.avg_pool2d(&x, &spec)?)?.1, [3., 4.5, 7.5, 9.]);
    let ties = f32s(&d, &[3., 3., 3., 3.], [1, 1, 2, 2])?;
    assert_eq!(d.download(&d.max_pool2d(&ties, &Pool2dSpec::square(2))?.1)?, HostData::I64(vec![0]));
    Ok(())
}

/// Activations composed from simpler operations, as on any backend without kernels for them: NaN comes through in values and
/// derivatives, infinite arguments give the limits, and nothing cancels.
#[test]
fn composed_activations_at_the_edges() -> Result<()> {
    let d = ToyBackend::device();
    let infinity = f64::INFINITY;
    let softplus = Activation::Softplus { beta: 1.0, threshold: infinity };
    let elu = Activation::Elu { alpha: 1.0 };
    // At −∞ and ∞: the value and the slope.
    let all = [
        (Activation::Relu, [0.0, infinity, 0.0, 1.0]),
        (Activation::LeakyRelu { negative_slope: 0.25 }, [-infinity, infinity, 0.25, 1.0]),
        (elu, [-1.0, infinity, 0.0, 1.0]),
        (Activation::Gelu, [0.0, infinity, 0.0, 1.0]),
        (Activation::GeluTanh, [0.0, infinity, 0.0, 1.0]),
        (Activation::Silu, [0.0, infinity, 0.0, 1.0]),
        (Activation::Sigmoid, [0.0, 1.0, 0.0, 0.0]),
        (Activation::Tanh, [-1.0, 1.0, 0.0, 0.0]),
        (softplus, [0.0, infinity, 0.0, 1.0]),
        (Activation::Hardswish, [0.0, infinity, 0.0, 1.0]),
    ];
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        for (f, due) in all {
            let x = Tensor::from_vec(vec![-infinity, infinity, f64::NAN], [3], &d)?.cast(dtype)?.requires_grad();
            let y = x.activation(f)?;
            let slopes = y.sum_all()?.backward()?.of(&x).expect("a gradient").to_host()?.to_f64();
            let values = y.to_host()?.to_f64();
            assert_eq!([values[0], values[1], slopes[0], slopes[1]], due, "{f:?} in {dtype}");
            assert!(values[2].is_nan() && slopes[2].is_nan(), "{f:?} of NaN in {dtype}: {} {}", values[2], slopes[2]);
        }
    }
    // Far below and near 0, to within a few units in the last place.
    let close = |f, x: f64, value: f64, slope: f64| -> Result<()> {
        let x = Tensor::from_vec(vec![x as f32], [1], &d)?.requires_grad();
        let y = x.activation(f)?;
        let found = [y.item()?, y.sum_all()?.backward()?.of(&x).expect("a gradient").item()?];
        for (found, due) in found.into_iter().zip([value, slope]) {
            assert!((found - due).abs() <= 1e-6 * due.abs(), "{f:?} at {x:?}: {found:e}, not {due:e}");
        }
        Ok(())
    };
    // By arithmetic of 40 digits.
    close(elu, -9.313225746154785e-10, -9.313225741817976e-10, 9.999999990686774e-1)?;
    close(Activation::Gelu, -8.0, -4.976768459417427e-15, -3.979607261086796e-14)?;
    close(Activation::Sigmoid, -20.0, 2.0611536181902037e-9, 2.061153613941849e-9)?;
    close(Activation::Sigmoid, 20.0, 9.999999979388464e-1, 2.061153613941849e-9)?;
    close(Activation::Tanh, 12.0, 9.999999999244973e-1, 1.510053817597626e-10)?;
    close(softplus, -20.0, 2.061153620314381e-9, 2.0611536181902037e-9)?;
    Ok(())
}

/// The twin's own normal distribution, to 12 digits, by arithmetic of 40.
#[test]
fn the_lower_tail_of_the_normal_distribution() {
    let known = [(-1.0, 0.158655253931457), (-8.0, 6.22096057427178e-16), (-20.0, 2.75362411860623e-89), (0.0, 0.5)];
    for (x, due) in known {
        assert!((normal_cdf(x) / due - 1.0).abs() < 1e-12, "{x}: {:e}", normal_cdf(x));
    }
}
