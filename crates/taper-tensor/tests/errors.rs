//! Every error that a user can cause names the operation, the argument, the dimension, and both shapes.

mod common;

use common::{device, f64s, says, text, zeros};
use taper_tensor::{
    Conv2dSpec, CrossEntropyOptions, DType, Device, Distribution, NllOptions, PadAmount, Pool2dSpec, RandomKey, Result,
    SliceRange, Tensor,
};

fn of<T: taper_tensor::Element>(values: &[T], device: &Device) -> Tensor {
    Tensor::from_vec(values.to_vec(), [values.len()], device).expect("a vector")
}

#[test]
fn creation() {
    let device = device();
    says(Tensor::from_vec(vec![1.0, 2.0], [3], &device), "from_host: shape [3] takes 3 elements, 2 came");
    let huge = [usize::MAX, 2];
    let found = text(Tensor::zeros(huge, DType::F32, &device));
    assert!(found.starts_with("full: shape [18446744073709551615, 2] of f32 is larger than memory can be"), "{found}");
    assert!(text(zeros([2], &device).reshape(huge)).starts_with("reshape: shape"));
    assert!(text(zeros([2], &device).broadcast_to([usize::MAX, 2])).starts_with("broadcast_to: shape"));
    let uniform = Distribution::Uniform { low: 0.0, high: 1.0 };
    says(
        Tensor::random(uniform, RandomKey::new(0), [2], DType::I64, &device),
        "random: random numbers are floats, i64 was asked for",
    );
    says(zeros([2], &device).to_vec::<f32>(), "to_vec: asked for f32, the tensor is f64");
    says(zeros([2], &device).item(), "item: expected exactly one element, the shape is [2]");
    says(zeros([2], &device).dim(1), "dim: axis 1 is out of range for shape [2] of 1 dimensions");
}

/// Wherever a number meets a tensor.
#[test]
fn numbers_that_a_dtype_does_not_hold() {
    let device = device();
    type WithNumber = fn(&Tensor, f64) -> Result<Tensor>;
    let operations: [(&str, WithNumber); 13] = [
        ("add_scalar", Tensor::add_scalar),
        ("mul_scalar", Tensor::mul_scalar),
        ("div_scalar", Tensor::div_scalar),
        ("maximum_scalar", Tensor::maximum_scalar),
        ("minimum_scalar", Tensor::minimum_scalar),
        ("eq_scalar", Tensor::eq_scalar),
        ("ne_scalar", Tensor::ne_scalar),
        ("lt_scalar", Tensor::lt_scalar),
        ("le_scalar", Tensor::le_scalar),
        ("gt_scalar", Tensor::gt_scalar),
        ("ge_scalar", Tensor::ge_scalar),
        ("full", |x, c| Tensor::full(c, [2], x.dtype(), x.device())),
        ("pad", |x, c| x.pad(&[PadAmount { low: 1, ..Default::default() }], c)),
    ];
    let whole = "give a whole number of at most 2^53 - 1 on either side of 0 (larger ones: from_vec), or cast the tensor to a \
                 float";
    let integers = of(&[77i64, (1 << 53) - 1], &device);
    for (op, apply) in operations {
        for number in [0.5, f64::NAN, f64::INFINITY, 9_007_199_254_740_992.0, -1e300] {
            says(apply(&integers, number), &format!("{op}: {number:?} is no i64: {whole}"));
        }
        assert_eq!(text(apply(&integers, -9_007_199_254_740_991.0)), "no error");
        for number in [256.0, -1.0, 0.5] {
            let due =
                format!("{op}: {number:?} is no u8: give a whole number from 0 to 255, or cast the tensor to a float");
            says(apply(&of(&[1u8], &device), number), &due);
        }
        // Floats round, but are not filled with infinities that nobody asked for.
        let half = of(&[1e-3f32], &device).cast(DType::F16).expect("a cast");
        let due = match op {
            "full" | "pad" => {
                format!("{op}: 1000000.0 is more than f16 holds: give an infinity, or choose another dtype")
            }
            _ => "no error".to_owned(),
        };
        assert_eq!(text(apply(&half, 1e6)), due);
        assert_eq!(text(apply(&half, f64::NEG_INFINITY)), "no error");
    }
    says(integers.pow_scalar(2.0), "pow_scalar: expected a float, the input is i64: cast it");
    assert_eq!(integers.mul_scalar(-2.0).and_then(|x| x.to_vec::<i64>()).expect("integers"), [-154, 2 - (1 << 54)]);
    assert_eq!(integers.eq_scalar(77.0).and_then(|x| x.to_vec::<u8>()).expect("flags"), [1, 0]);
    // Halves are computed in f32: a factor that they do not hold is no infinity.
    let half = of(&[1e-3f32], &device).cast(DType::F16).expect("a cast");
    let product = half.mul_scalar(1e6).and_then(|x| x.to_host()).expect("halves").to_f64();
    assert!((product[0] - 1000.0).abs() < 1.0, "{product:?}");
}

#[test]
fn element_by_element() {
    let device = device();
    let (a, b) = (zeros([4, 3], &device), zeros([2], &device));
    type Binary = fn(&Tensor, &Tensor) -> Result<Tensor>;
    let operations: [(&str, Binary); 13] = [
        ("add", Tensor::add),
        ("sub", Tensor::sub),
        ("mul", Tensor::mul),
        ("div", Tensor::div),
        ("pow", Tensor::pow),
        ("maximum", Tensor::maximum),
        ("minimum", Tensor::minimum),
        ("eq", Tensor::eq),
        ("ne", Tensor::ne),
        ("lt", Tensor::lt),
        ("le", Tensor::le),
        ("gt", Tensor::gt),
        ("ge", Tensor::ge),
    ];
    let other = Device::new(taper_cpu::CpuBackend::with_threads(1).expect("one thread"));
    for (op, apply) in operations {
        let expected = format!("{op}: shapes [4, 3] and [2] do not broadcast: dimension 1 from the end is 3 against 2");
        says(apply(&a, &b), &expected);
        let expected = format!("{op}: a is f64, b is f32; nothing is converted silently: cast one of them");
        says(apply(&a, &zeros([3], &device).cast(DType::F32).expect("a cast")), &expected);
        let found = text(apply(&a, &zeros([3], &other)));
        assert!(found.starts_with(&format!("{op}: a is on cpu (2 threads, ")), "{found}");
        assert!(found.contains(" convolution), b on cpu (1 thread, "), "{found}");
        assert!(found.ends_with(" convolution): move one of them"), "{found}");
    }
    let moved = zeros([3], &other).to_device(&device).expect("a copy");
    assert_eq!(text(a.add(&moved)), "no error");
    let integers = of(&[1i64, 2], &device);
    says(integers.exp(), "exp: expected a float, the input is i64: cast it");
    says(integers.relu(), "relu: expected a float, the input is i64: cast it");
    let softplus = taper_tensor::Activation::Softplus { beta: 0.0, threshold: 20.0 };
    says(a.activation(softplus), "softplus: beta must be over 0, came as 0");
    says(a.select(&a, &a), "select: the condition must be u8, it is f64: compare or cast it");
    let condition = of(&[1u8, 0], &device);
    let found = text(condition.select(&a, &a));
    assert_eq!(found, "select: shapes [4, 3] and [2] do not broadcast: dimension 1 from the end is 3 against 2");
}

#[test]
fn shapes_and_axes() {
    let device = device();
    let x = zeros([2, 3], &device);
    says(x.reshape([4]), "reshape: 6 elements of shape [2, 3] do not fit [4], which has 4");
    says(x.broadcast_to([2, 2]), "broadcast_to: shape [2, 3] does not broadcast to [2, 2]");
    says(x.permute(&[0, 0]), "permute: axes [0, 0] must name each of the 2 dimensions of [2, 3] once");
    says(x.transpose(0, 2), "transpose: axis 2 is out of range for shape [2, 3] of 2 dimensions");
    says(x.flatten(-3), "flatten: axis -3 is out of range for shape [2, 3] of 2 dimensions");
    says(x.squeeze(0), "squeeze: dim 0 of [2, 3] has size 2, expected 1");
    says(x.unsqueeze(4), "unsqueeze: axis 4 is out of range for shape [2, 3] of 2 dimensions");
    says(x.sum(&[0, -2], false), "sum: axes [0, -2] name a dimension of [2, 3] twice");
    says(x.mean(&[5], false), "mean: axis 5 is out of range for shape [2, 3] of 2 dimensions");
    let empty = zeros([2, 0], &device);
    says(empty.max(&[-1], false), "max: dim 1 of [2, 0] is empty: there is no element to choose");
    says(empty.min(&[], false), "min: dim 1 of [2, 0] is empty: there is no element to choose");
    says(empty.argmax(1, false), "argmax: dim 1 of [2, 0] is empty: there is no element to choose");
    says(empty.softmax(1), "softmax: dim 1 of [2, 0] is empty: there is no element to choose");
    says(x.log_softmax(2), "log_softmax: axis 2 is out of range for shape [2, 3] of 2 dimensions");
    says(
        x.var(&[0], 2, false),
        "var: 2 elements (axes [0] of [2, 3]) less a correction of 2 leave nothing to divide by",
    );
}

#[test]
fn parts_of_tensors() {
    let device = device();
    let x = zeros([2, 3], &device);
    says(x.slice(&[SliceRange::new(0, 1)]), "slice: 1 ranges came for the 2 dimensions of [2, 3]");
    let expected =
        "slice: 1..4 with step 1 is no range of dim 1 of [2, 3]: expected start ≤ end ≤ 3 and a step of at least 1";
    says(x.slice(&[SliceRange::new(0, 2), SliceRange::new(1, 4)]), expected);
    assert!(text(x.slice(&[SliceRange::new(0, 2), SliceRange { start: 0, end: 3, step: 0 }])).contains("with step 0"));
    assert!(text(x.slice(&[SliceRange::new(0, 2), SliceRange::new(2, 1)])).contains("2..1 with step 1"));
    says(x.narrow(1, 2, 2), "narrow: 2 elements from 2 on reach past dim 1 (size 3) of [2, 3]");
    assert!(text(x.narrow(1, usize::MAX, 2)).contains("reach past"));
    says(x.pad(&[], 0.0), "pad: 0 amounts came for the 2 dimensions of [2, 3]");
    let large = PadAmount { low: usize::MAX, ..Default::default() };
    assert!(text(x.pad(&[large, large], 0.0)).contains("more than can be counted"));
    let large = PadAmount { low: usize::MAX / 2, ..Default::default() };
    assert!(text(x.pad(&[large, large], 0.0)).contains("larger than memory can be"));
    says(Tensor::concat(&[], 0), "concat: expected at least one tensor");
    says(
        Tensor::concat(&[&x, &zeros([2, 2], &device)], 0),
        "concat: tensor 1 has 2 (dim 1 of [2, 2]), tensor 0 has 3 (dim 1 of [2, 3]): only dim 0 may differ",
    );
    says(
        Tensor::concat(&[&x, &zeros([2], &device)], 0),
        "concat: tensor 1 of shape [2] has 1 dimensions, tensor 0 of shape [2, 3] has 2",
    );
    says(
        Tensor::stack(&[&x, &zeros([2], &device)], 0),
        "stack: tensor 1 has shape [2], tensor 0 [2, 3]: expected the same",
    );
}

#[test]
fn by_index() {
    let device = device();
    let x = zeros([2, 3], &device);
    says(x.gather(1, &x), "gather: indices must be i64, they are f64: cast them");
    let index = of(&[0i64, 1], &device);
    says(x.gather(1, &index), "gather: index of shape [2] must be within the input's shape [2, 3] but for dim 1");
    let index = of(&[0i64, 5], &device).reshape([2, 1]).expect("a column");
    let found = text(x.gather(1, &index));
    assert!(found.starts_with("gather: index 5") && found.contains("out of range 0..3"), "{found}");
    says(
        x.scatter_add(1, &index, &zeros([2, 2], &device)),
        "scatter_add: index has shape [2, 1], source [2, 2]: expected the same",
    );
    says(zeros([3], &device).embedding(&index), "embedding: the table must be [rows, width], came as [3]");
    let found = text(zeros([3, 2], &device).embedding(&index));
    assert!(found.contains('5') && found.contains('3'), "{found}");
}

#[test]
fn products_and_windows() {
    let device = device();
    let z = |shape: &[usize]| zeros(shape, &device);
    says(
        z(&[2, 3]).matmul(&z(&[4, 2])),
        "matmul: inner dimensions differ: 3 (dim 1 of [2, 3]) against 4 (dim 0 of [4, 2])",
    );
    says(
        z(&[3, 2]).matmul_t(&z(&[5, 4]), [true, true]),
        "matmul: inner dimensions differ: 3 (dim 0 of [3, 2], transposed) against 4 (dim 1 of [5, 4], transposed)",
    );
    let expected = "expected matrices, batches of them or for matmul vectors, came as";
    says(z(&[3]).matmul_t(&z(&[3, 2]), [false; 2]), &format!("matmul: {expected} [3] and [3, 2]"));
    says(z(&[]).matmul(&z(&[3])), &format!("matmul: {expected} [] and [3]"));
    says(z(&[2]).matmul(&z(&[5, 3, 4])), "matmul: a vector [2] does not fit [5, 3, 4], whose dim 1 is 3");
    says(z(&[2, 3]).matmul(&z(&[2])), "matmul: a vector [2] does not fit [2, 3], whose dim 1 is 3");
    says(z(&[2]).matmul(&z(&[3])), "matmul: a vector [2] does not fit [3], whose dim 0 is 3");
    says(
        z(&[2, 3]).linear(&z(&[4, 5]), None),
        "linear: weight [4, 5] must be [out, in] with in (dim 1) the last dimension of the input [2, 3]",
    );
    says(z(&[2, 3]).linear(&z(&[4, 3]), Some(&z(&[3]))), "linear: bias must be [4] for weight [4, 3], came as [3]");
    let spec = Conv2dSpec::default();
    says(
        z(&[8, 32, 16, 16]).conv2d(&z(&[128, 64, 3, 3]), None, spec),
        "conv2d: weight expects 64 input channels (dim 1 of [128, 64, 3, 3]), input has 32 (dim 1 of [8, 32, 16, 16])",
    );
    says(
        z(&[1, 2, 4, 4]).conv2d(&z(&[3, 2, 3, 3]), Some(&z(&[2])), spec),
        "conv2d: bias must be [3] for weight [3, 2, 3, 3], came as [2]",
    );
    let found = text(z(&[1, 2, 2, 4]).conv2d(&z(&[3, 2, 3, 3]), None, spec));
    assert!(found.contains("a window of 3 does not fit in 2 (dim 2 of [1, 2, 2, 4]"), "{found}");
    let pool = Pool2dSpec::square(3);
    for (op, result) in
        [("max_pool2d", z(&[1, 1, 2, 3]).max_pool2d(pool)), ("avg_pool2d", z(&[1, 1, 2, 3]).avg_pool2d(pool))]
    {
        let found = text(result);
        assert!(
            found.starts_with(op) && found.contains("a window of 3 does not fit in 2 (dim 2 of [1, 1, 2, 3]"),
            "{found}"
        );
    }
    assert!(text(z(&[2, 3]).max_pool2d(pool)).contains("input must be [N, C, H, W], came as [2, 3]"));
    let found = text(z(&[1, 1, 2, 3]).adaptive_avg_pool2d([0, 1]));
    assert!(found.contains("the output size [0, 1] and dims 2 and 3 of [1, 1, 2, 3] must be at least 1"), "{found}");
}

#[test]
fn norms_and_dropout() {
    let device = device();
    let x = zeros([2, 3], &device);
    let wrong = zeros([2], &device);
    says(x.layer_norm(3, None, None, 1e-5), "layer_norm: dims is 3, expected 1 to 2 for an input of shape [2, 3]");
    says(
        x.layer_norm(1, Some(&wrong), None, 1e-5),
        "layer_norm: weight of shape [2] must match the last 1 dimensions of [2, 3]",
    );
    says(
        x.batch_norm(None, Some(&wrong), 1e-5),
        "batch_norm: bias of shape [2] must be [3], the channels (dim 1) of the input [2, 3]",
    );
    says(wrong.batch_norm(None, None, 1e-5), "batch_norm: input must be [N, C, …], came as [2]");
    let single = zeros([1, 3], &device);
    says(
        single.batch_norm(None, None, 1e-5),
        "batch_norm: expected more than one value for each channel in training, the input is [1, 3]: one value has no variance; \
         train on a larger batch, or leave out the last one where it is smaller",
    );
    says(x.dropout(1.5, RandomKey::new(0)), "dropout: p is a probability, 0 to 1, came as 1.5");
    says(x.dropout(f64::NAN, RandomKey::new(0)), "dropout: p is a probability, 0 to 1, came as NaN");
}

#[test]
fn losses() {
    let device = device();
    let x = zeros([2, 3], &device);
    let plain = CrossEntropyOptions::default();
    says(
        x.cross_entropy(&of(&[0i64], &device), &plain),
        "cross_entropy: target of shape [1] must be [2] for an input of shape [2, 3]",
    );
    says(
        x.cross_entropy(&zeros([2], &device), &plain),
        "cross_entropy: target of shape [2] must have the input's shape [2, 3] to be distributions",
    );
    says(
        x.cross_entropy(&of(&[0u8, 1], &device), &plain),
        "cross_entropy: indices must be i64, they are u8: cast them",
    );
    let beyond = of(&[0i64, 3], &device);
    let found = text(x.cross_entropy(&beyond, &plain).and_then(|loss| loss.item()));
    assert!(found.starts_with("cross_entropy:") && found.contains('3'), "{found}");
    let weighted = CrossEntropyOptions { weight: Some(f64s([1.0, 2.0, 3.0], &device)), ..plain.clone() };
    says(
        x.cross_entropy(&beyond, &weighted),
        "cross_entropy: a target is no class, expected 0 to 2 (dim 1 of [2, 3] has 3 classes) or ignore_index -100: index 3 \
         (element 1 of [2, 1]) is out of range 0..3",
    );
    says(
        x.nll_loss(&of(&[-1i64, 0], &device), &NllOptions::default()),
        "nll_loss: a target is no class, expected 0 to 2 (dim 1 of [2, 3] has 3 classes) or ignore_index -100: index -1 \
         (element 0 of [2, 1]) is out of range 0..3",
    );
    let weighted = CrossEntropyOptions { weight: Some(f64s([1.0], &device)), ..plain.clone() };
    says(
        x.cross_entropy(&of(&[0i64, 1], &device), &weighted),
        "cross_entropy: weight of shape [1] must be [3], one for each class",
    );
    let smooth = CrossEntropyOptions { label_smoothing: 1.5, ..plain };
    says(x.cross_entropy(&beyond, &smooth), "cross_entropy: label_smoothing is a share, 0 to 1, came as 1.5");
}
