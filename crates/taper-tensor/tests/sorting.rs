//! Sorting, extremes with their index, products of vectors and Einstein sums: values, errors, empty tensors and scalars.

mod common;

use common::{counted, device, holds, of, says, text, zeros};
use taper_cpu::CpuBackend;
use taper_tensor::{DType, Device, Distribution, RandomKey, Result, Tensor};

#[test]
fn sorted() -> Result<()> {
    let device = device();
    let x = of(&[3.0f32, -1.0, 2.0, 2.0, 5.0, -1.0], &[2, 3], &device);
    let (y, index) = x.sort(-1, false)?;
    holds(Ok(y), &[2, 3], &[-1.0f32, 2.0, 3.0, -1.0, 2.0, 5.0]);
    holds(Ok(index), &[2, 3], &[1i64, 2, 0, 2, 0, 1]);
    let (y, index) = x.sort(0, true)?;
    holds(Ok(y), &[2, 3], &[3.0f32, 5.0, 2.0, 2.0, -1.0, -1.0]);
    holds(Ok(index), &[2, 3], &[0i64, 1, 0, 1, 0, 1]);
    // Equal elements keep their order in both directions; NaN is the largest; −0 equals 0.
    let x = of(&[0.0, f64::NAN, -0.0, f64::INFINITY, f64::NAN, f64::NEG_INFINITY], &[6], &device);
    holds(x.argsort(0, false), &[6], &[5i64, 0, 2, 3, 1, 4]);
    holds(x.argsort(0, true), &[6], &[1i64, 4, 3, 0, 2, 5]);
    let whole = of(&[i64::MAX, 0, i64::MIN, i64::MAX - 1], &[4], &device);
    holds(Ok(whole.sort(0, false)?.0), &[4], &[i64::MIN, 0, i64::MAX - 1, i64::MAX]);
    holds(Ok(of(&[7u8, 255, 0], &[3], &device).sort(0, true)?.0), &[3], &[255u8, 7, 0]);
    // Nothing, one element, a view.
    holds(zeros([2, 0], &device).argsort(1, false), &[2, 0], &[0i64; 0]);
    holds(zeros([0, 2], &device).argsort(1, true), &[0, 2], &[0i64; 0]);
    holds(counted(&[3, 1], &device).argsort(1, true), &[3, 1], &[0i64; 3]);
    let turned = counted(&[2, 3], &device).transpose(0, 1)?;
    holds(Ok(turned.sort(1, true)?.0), &[3, 2], &[3.0, 0.0, 4.0, 1.0, 5.0, 2.0]);
    says(zeros([], &device).argsort(0, false), "argsort: axis 0 is out of range for shape [] of 0 dimensions");
    says(x.sort(1, false), "sort: axis 1 is out of range for shape [6] of 1 dimensions");
    Ok(())
}

/// The order of many elements, with equals among them, is the same for any number of threads.
#[test]
fn sorted_by_any_number_of_threads() -> Result<()> {
    let mut found = Vec::new();
    for threads in [1, 2, 3] {
        let device = Device::new(CpuBackend::with_threads(threads)?);
        let uniform = Distribution::Uniform { low: 0.0, high: 50.0 };
        let x = Tensor::random(uniform, RandomKey::new(7), [300, 70], DType::F32, &device)?;
        for x in [x.floor()?, x] {
            for axis in [0, 1] {
                let (y, index) = x.sort(axis, false)?;
                let [y, before] = [y, x.gather(axis, &index)?].map(|y| y.transpose(axis, 1));
                let (y, before) = (y?.to_vec::<f32>()?, before?.to_vec::<f32>()?);
                assert_eq!(y, before);
                let length = x.dim(axis)?;
                assert!(y.chunks(length).all(|row| row.windows(2).all(|pair| pair[0] <= pair[1])));
                found.push((threads, index.to_vec::<i64>()?));
            }
        }
    }
    for i in 4..found.len() {
        assert!(found[i].1 == found[i % 4].1, "{} threads, case {}", found[i].0, i % 4);
    }
    Ok(())
}

#[test]
fn the_first_few() -> Result<()> {
    let device = device();
    let x = of(&[3.0, 5.0, 5.0, f64::NAN, -2.0], &[5], &device);
    let (y, index) = x.topk(3, 0, true)?;
    assert!(y.to_vec::<f64>()?[0].is_nan());
    holds(y.narrow(0, 1, 2), &[2], &[5.0, 5.0]);
    holds(Ok(index), &[3], &[3i64, 1, 2]);
    holds(Ok(x.topk(2, 0, false)?.0), &[2], &[-2.0, 3.0]);
    holds(Ok(x.topk(0, 0, true)?.1), &[0], &[0i64; 0]);
    says(x.topk(6, 0, true), "topk: k is 6, axis 0 of [5] has only 5 elements");
    says(x.topk(1, 1, true), "topk: axis 1 is out of range for shape [5] of 1 dimensions");
    says(zeros([], &device).topk(1, -1, true), "topk: axis -1 is out of range for shape [] of 0 dimensions");
    Ok(())
}

#[test]
fn extremes_with_their_index() -> Result<()> {
    let device = device();
    let x = of(&[1.0, 4.0, 4.0, -3.0, -3.0, 0.0], &[2, 3], &device);
    let (y, index) = x.max_with_index(1, false)?;
    holds(Ok(y), &[2], &[4.0, 0.0]);
    holds(Ok(index), &[2], &[1i64, 2]);
    let (y, index) = x.min_with_index(-1, true)?;
    holds(Ok(y), &[2, 1], &[1.0, -3.0]);
    holds(Ok(index), &[2, 1], &[0i64, 0]);
    // NaN is both; the smallest integer, which has no negative, is smallest too.
    let nan = of(&[1.0, f64::NAN, f64::NEG_INFINITY], &[3], &device);
    holds(nan.argmin(0, false), &[], &[1i64]);
    assert!(nan.min_with_index(0, false)?.0.item()?.is_nan());
    holds(of(&[3, i64::MIN, i64::MIN + 1], &[3], &device).argmin(0, true), &[1], &[1i64]);
    holds(Ok(of(&[3u8, 0, 9], &[3], &device).min_with_index(0, false)?.0), &[], &[0u8]);
    // Of equals the first has the whole gradient.
    let tied = of(&[2.0, 2.0, 1.0, 1.0], &[4], &device).requires_grad();
    let y = tied.max_with_index(0, false)?.0.add(&tied.min_with_index(0, false)?.0)?;
    let gradient = y.backward()?.of(&tied).expect("a gradient").clone();
    holds(Ok(gradient), &[4], &[1.0, 0.0, 1.0, 0.0]);
    says(zeros([2, 0], &device).argmin(1, false), "argmin: dim 1 of [2, 0] is empty: there is no element to choose");
    says(
        zeros([2, 0], &device).max_with_index(1, false),
        "argmax: dim 1 of [2, 0] is empty: there is no element to choose",
    );
    holds(Ok(zeros([0, 2], &device).min_with_index(1, false)?.0), &[0], &[0.0; 0]);
    Ok(())
}

#[test]
fn smaller_indices() -> Result<()> {
    let device = device();
    let x = counted(&[3, 4], &device);
    let index = of(&[2i64, 0], &[1, 2], &device);
    holds(x.gather(0, &index), &[1, 2], &[8.0, 1.0]);
    holds(x.gather(1, &of(&[3i64, 3, 0], &[1, 3], &device)), &[1, 3], &[3.0, 3.0, 0.0]);
    holds(x.gather(0, &of(&[0i64; 0], &[0, 0], &device)), &[0, 0], &[0.0; 0]);
    let ones = of(&[10.0, 20.0], &[1, 2], &device);
    let sum = [0.0, 21.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 18.0, 9.0, 10.0, 11.0];
    holds(x.scatter_add(0, &index, &ones), &[3, 4], &sum);
    // What is outside stays as it is, the sign of its zero too.
    let y = of(&[-0.0, f64::NAN, 1.0, -0.0], &[2, 2], &device);
    let y = y.scatter_add(1, &of(&[0i64], &[1, 1], &device), &of(&[2.0], &[1, 1], &device))?.to_vec::<f64>()?;
    assert!(y[0] == 2.0 && y[1].is_nan() && y[2] == 1.0 && y[3] == 0.0 && y[3].is_sign_negative(), "{y:?}");
    let far = of(&[0i64; 5], &[1, 5], &device);
    says(x.gather(0, &far), "gather: index of shape [1, 5] must be within the input's shape [3, 4] but for dim 0");
    assert!(text(x.scatter_add(0, &far, &zeros([1, 5], &device))).starts_with("scatter_add: index of shape [1, 5]"));
    says(
        x.scatter_add(0, &index, &zeros([2, 2], &device)),
        "scatter_add: index has shape [1, 2], source [2, 2]: expected the same",
    );
    Ok(())
}

#[test]
fn products_of_vectors() -> Result<()> {
    let device = device();
    let (a, b) = (counted(&[3], &device), counted(&[2], &device));
    holds(a.outer(&b), &[3, 2], &[0.0, 0.0, 0.0, 1.0, 0.0, 2.0]);
    holds(a.outer(&zeros([0], &device)), &[3, 0], &[0.0; 0]);
    holds(a.dot(&a), &[], &[5.0]);
    holds(zeros([0], &device).dot(&zeros([0], &device)), &[], &[0.0]);
    holds(of(&[i64::MAX, 2], &[2], &device).dot(&of(&[1i64, 3], &[2], &device)), &[], &[i64::MIN + 5]);
    let m = counted(&[2, 3], &device);
    holds(m.mv(&a), &[2], &[5.0, 14.0]);
    holds(m.matmul(&a), &[2], &[5.0, 14.0]);
    holds(b.matmul(&m), &[3], &[3.0, 4.0, 5.0]);
    holds(a.matmul(&a), &[], &[5.0]);
    holds(b.matmul(&counted(&[2, 2, 1], &device)), &[2, 1], &[1.0, 3.0]);
    says(a.outer(&m), "outer: expected two vectors, came as [3] and [2, 3]");
    says(a.dot(&b), "dot: expected two vectors of one length, came as [3] and [2]");
    says(m.mv(&b), "mv: expected a matrix [n, m] and a vector [m], came as [2, 3] and [2]");
    assert!(text(a.dot(&a.cast(DType::F32)?)).contains("nothing is converted silently"));
    Ok(())
}

#[test]
fn einstein_sums() -> Result<()> {
    let device = device();
    let (m, v) = (counted(&[2, 3], &device), counted(&[3], &device));
    let sum = |equation: &str, all: &[&Tensor]| Tensor::einsum(equation, all);
    holds(sum("ij->ji", &[&m]), &[3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    holds(sum("ji", &[&m]), &[3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    holds(sum("ij->", &[&m]), &[], &[15.0]);
    holds(sum(" i j , j ", &[&m, &v]), &[2], &[5.0, 14.0]);
    holds(sum("ij,kj->ik", &[&m, &m]), &[2, 2], &[5.0, 14.0, 14.0, 50.0]);
    holds(sum("ij,ij->ij", &[&m, &m]), &[2, 3], &[0.0, 1.0, 4.0, 9.0, 16.0, 25.0]);
    holds(sum("ii->i", &[&counted(&[3, 3], &device)]), &[3], &[0.0, 4.0, 8.0]);
    holds(sum("ii", &[&counted(&[3, 3], &device)]), &[], &[12.0]);
    holds(sum("iii->i", &[&counted(&[2, 2, 2], &device)]), &[2], &[0.0, 7.0]);
    holds(sum("...j,j->...", &[&m, &v]), &[2], &[5.0, 14.0]);
    // Capitals come before small letters, and what `...` stands for before both.
    holds(sum("...aB", &[&counted(&[1, 2, 2], &device)]), &[1, 2, 2], &[0.0, 2.0, 1.0, 3.0]);
    holds(sum("...i->i", &[&m]), &[3], &[3.0, 5.0, 7.0]);
    // A dimension of 1 is repeated, and one of 0 gives sums over nothing.
    holds(sum("ij,ij->i", &[&m, &of(&[1.0, 2.0], &[2, 1], &device)]), &[2], &[3.0, 24.0]);
    holds(sum("ij,jk->ik", &[&zeros([2, 0], &device), &zeros([0, 2], &device)]), &[2, 2], &[0.0; 4]);
    holds(sum("ii->i", &[&zeros([0, 0], &device)]), &[0], &[0.0; 0]);
    holds(sum(",->", &[&of(&[2.0], &[], &device), &of(&[3.0], &[], &device)]), &[], &[6.0]);
    holds(sum("i,i", &[&of(&[2i64, 3], &[2], &device), &of(&[4i64, 5], &[2], &device)]), &[], &[23i64]);
    holds(sum("a,b,c->cab", &[&v, &v, &of(&[2.0], &[1], &device)]).map(|y| y.sum_all())?, &[], &[18.0]);
    says(sum("ij", &[]), "einsum: \"ij\": no operands came, expected at least one");
    says(sum("ij,jk", &[&m]), "einsum: \"ij,jk\": it has 2 operands, 1 came");
    says(sum("ijk", &[&m]), "einsum: \"ijk\": there are 3 letters in \"ijk\", for operand 0 of shape [2, 3]");
    says(sum("i2", &[&m]), "einsum: \"i2\": '2' is no letter in \"i2\", for operand 0 of shape [2, 3]");
    assert!(text(sum("...i...", &[&m])).contains("'.' is no letter"));
    assert!(text(sum("abc...", &[&m])).contains("there are 3 letters"));
    says(sum("ij->ii", &[&m]), "einsum: \"ij->ii\": 'i' comes twice in the output \"ii\"");
    says(sum("ij->k", &[&m]), "einsum: \"ij->k\": 'k' is in no operand in the output \"k\"");
    says(sum("ij,jk", &[&m, &m]), "einsum: \"ij,jk\": 'j' is 2 in operand 1 of shape [2, 3], and 3 before");
    says(sum("ii", &[&m]), "einsum: \"ii\": 'i' is 3 in operand 0 of shape [2, 3], and 2 before");
    assert!(text(sum("i,i", &[&v, &v.cast(DType::F32)?])).contains("nothing is converted silently"));
    Ok(())
}
