//! Tests of what can be asked of a fused operation.

use super::*;
use crate::{DType, Shape};

fn buffer(shape: &[usize]) -> Buffer {
    Buffer::new(Shape::from(shape), DType::F32, ())
}

#[test]
fn operands_are_those_that_are_present_in_order() {
    let [x, weight, residual] = [&[5, 3, 2][..], &[3], &[5, 3, 2]].map(buffer);
    let stats = Saved::nothing();
    let op = FusedOp::BatchNormBlock {
        x: &x,
        weight: Some(&weight),
        bias: None,
        residual: Some(&residual),
        stats: &stats,
        f: Activation::Relu,
    };
    let same = |found: Vec<&Buffer>, due: &[&Buffer]| {
        found.len() == due.len() && found.iter().zip(due).all(|(a, b)| std::ptr::eq(*a, *b))
    };
    assert!(same(op.operands(), &[&x, &weight, &residual]));
    assert_eq!(
        (op.name(), op.grad_name(), op.variant().as_str()),
        ("batch_norm_block", "batch_norm_block_grad", "Relu")
    );
    assert_eq!(op.spread([true, false, true].as_slice()), [true, false, false, true]);
    let gradients = op.gathered([None, Some(weight.clone()), None, Some(x.clone())]);
    let shapes: Vec<Option<&Shape>> = gradients.iter().map(|gradient| gradient.as_ref().map(Buffer::shape)).collect();
    assert_eq!(shapes, [None, Some(weight.shape()), Some(x.shape())]);
    assert_eq!(FusedOp::MOST_OPERANDS, 8);
}

#[test]
fn a_gradient_reads_the_operands_that_are_not_marked() {
    let [logits, target] = [&[4, 3][..], &[4]].map(buffer);
    let spec = CrossEntropySpec { label_smoothing: 0.1, ignore_index: -100 };
    let op = FusedOp::CrossEntropy { logits: &logits, target: &target, spec };
    assert_eq!((op.operands().len(), op.grad_operands().len()), (2, 0));
    let op = FusedOp::Linear { x: &logits, weight: &logits, bias: Some(&target), f: Activation::Identity };
    assert_eq!((op.operands().len(), op.grad_operands().len()), (3, 2));
}

#[test]
fn attributes_are_told_by_name_and_value() {
    let x = buffer(&[4, 3]);
    let op = FusedOp::LayerNorm { x: &x, weight: None, bias: None, dims: 1, eps: 1e-5 };
    assert_eq!(op.attributes(), [("dims", "1".to_owned()), ("eps", "1e-5".to_owned())]);
    let op = FusedOp::Activation { x: &x, f: Activation::Elu { alpha: 0.5 } };
    assert_eq!(op.attributes(), [("f", "Elu { alpha: 0.5 }".to_owned())]);
    assert_eq!(
        (op.variant(), FusedOp::Activation { x: &x, f: Activation::Identity }.variant()),
        (op.attributes()[0].1.clone(), String::new())
    );
    let embedding = FusedOp::Embedding { weight: &x, index: &x };
    assert!(embedding.attributes().is_empty() && embedding.variant().is_empty());
}

#[test]
fn names_are_unique() {
    let mut names = FusedOp::NAMES.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FusedOp::NAMES.len());
    assert!(names.contains(&"linear") && names.len() > 10);
}

#[test]
fn a_linear_layers_gradients_count_as_often_as_they_are_wanted() {
    let [x, weight, bias] = [&[64, 20][..], &[10, 20], &[10]].map(buffer);
    let op = FusedOp::Linear { x: &x, weight: &weight, bias: Some(&bias), f: Activation::Relu };
    assert_eq!(op.flop(), Some(2 * 64 * 20 * 10));
    for (needs, times) in [([true; 3], 2), ([false, true, true], 1), ([false, false, true], 0)] {
        assert_eq!(op.grad_flop(&needs), Some(times * 2 * 64 * 20 * 10));
    }
}

#[test]
fn a_convolution_block_counts_the_output_before_pooling() {
    // 3 × 3 over 8 × 8 with padding 1 and stride 2: 4 × 4 windows; two groups of 3 input channels each.
    let spec = Conv2dSpec { stride: [2, 2], padding: [1, 1], groups: 2, ..Conv2dSpec::default() };
    let [x, weight] = [&[5, 6, 8, 8][..], &[4, 3, 3, 3]].map(buffer);
    let pool = Some(Pool2dSpec::square(2));
    let op = FusedOp::Conv2dBlock { x: &x, weight: &weight, bias: None, spec, f: Activation::Relu, pool };
    let due = 2 * (5 * 4 * 4 * 4) * (3 * 3 * 3);
    assert_eq!((op.flop(), op.grad_flop(&[true, true])), (Some(due), Some(2 * due)));
    let index = buffer(&[7]);
    let embedding = FusedOp::Embedding { weight: &x, index: &index };
    assert_eq!((embedding.flop(), embedding.grad_flop(&[true, false])), (Some(0), None), "its gradient adds");
    assert_eq!(FusedOp::Dropout { x: &x, p: 0.5, key: RandomKey::new(0) }.flop(), None);
}

#[test]
fn a_recurrent_layers_products_are_counted() {
    let [x, weight_ih, weight_hh] = [&[7, 2, 3][..], &[20, 3], &[20, 5]].map(buffer);
    let op = FusedOp::Recurrent {
        x: &x,
        weight_ih: &weight_ih,
        weight_hh: &weight_hh,
        bias_ih: None,
        bias_hh: None,
        h_0: None,
        c_0: None,
        lengths: None,
        cell: RecurrentCell::Lstm,
        reverse: false,
    };
    let (input, state) = (2 * 7 * 2 * 20 * 3, 2 * 7 * 2 * 20 * 5);
    assert_eq!((op.flop(), op.variant().as_str()), (Some(input + state), "Lstm"));
    for (needs, due) in [([true; 3], 2 * input + 2 * state), ([false, true, true], input + 2 * state)] {
        assert_eq!(op.grad_flop(&needs), Some(due));
    }
}

#[test]
fn attention_counts_the_pairs_of_a_query_and_a_key_that_it_sees() {
    let [q, k, v] = [&[1, 2, 3, 4][..], &[1, 2, 5, 4], &[1, 2, 5, 6]].map(buffer);
    let op = |causal| FusedOp::Attention { q: &q, k: &k, v: &v, mask: None, causal, scale: 0.5 };
    assert_eq!(op(false).flop(), Some(2 * 2 * 15 * (4 + 6)));
    // Three queries after two cached keys see 3, 4 and 5 keys.
    assert_eq!(op(true).flop(), Some(2 * 2 * 12 * (4 + 6)));
    assert_eq!(op(true).grad_flop(&[true, true, true]), Some(2 * 2 * 12 * (4 + 6 + 4 + 4 + 6)));
    assert_eq!(op(true).grad_flop(&[false, false, true]), Some(2 * 2 * 12 * (4 + 6)));
    assert_eq!(op(true).attributes(), [("causal", "true".to_owned()), ("scale", "0.5".to_owned())]);
}
