//! The cost of a call, computed from its shapes: floating-point operations (FLOP), and bytes of operands and results.
//!
//! Products (matrix products, linear layers, convolutions and their gradients) count two for each multiply-add, taps on
//! padding included; a bias or an activation fused with a product counts 0. Other arithmetic counts one for each
//! element of its largest operand or result, whatever its formula. Methods that only move elements count 0.

use crate::Shape;
use crate::observed::Call;

/// Methods that only move elements: 0 FLOP. (Fused operations say so themselves.)
const MOVES: [&str; 13] = [
    "upload",
    "download",
    "fill",
    "assign",
    "assign_where",
    "cast",
    "reshape",
    "permute",
    "broadcast",
    "slice",
    "pad",
    "concat",
    "gather",
];

/// Methods whose result may be a view, so that no bytes need move.
const VIEWS: [&str; 4] = ["reshape", "permute", "broadcast", "slice"];

/// Floating-point operations of `call`.
pub(super) fn flop(call: &Call) -> u64 {
    call.flop.or_else(|| product(call)).unwrap_or_else(|| {
        if MOVES.contains(&call.method) {
            return 0;
        }
        let counts = call.operands.iter().chain(&call.results).map(|operand| operand.shape.count());
        counts.max().unwrap_or(0) as u64
    })
}

/// Bytes read and written by `call`: operands and results at their logical shapes. Operands written in place count
/// twice, except those of `assign`, which only writes them. Views count 0, and so does what a fused layer saves for its
/// gradient.
pub(super) fn bytes(call: &Call) -> u64 {
    if VIEWS.contains(&call.method) {
        return 0;
    }
    let written = if call.method.starts_with("assign") { 0 } else { call.written };
    let operands = call.operands.iter().chain(&call.operands[..written.min(call.operands.len())]);
    operands.chain(&call.results).map(|operand| operand.bytes()).sum()
}

/// 2 · multiply-adds for a required method that is a product; `None` for other methods.
fn product(call: &Call) -> Option<u64> {
    let operand = |i: usize| call.operands.get(i).map(|operand| &operand.shape);
    let result = |i: usize| call.results.get(i).map(|operand| &operand.shape);
    // Each element of a convolution's output is a sum over a row of the weight [C_out, C_in / groups, Kh, Kw].
    let conv =
        |y: &Shape, weight: &Shape| 2 * elements(y) * weight.dims().iter().skip(1).map(|&d| d as u64).product::<u64>();
    Some(match call.method {
        "matmul" => {
            let (a, transposed) = (operand(0)?, *call.flags.first()?);
            let inner = a.rank().checked_sub(if transposed { 2 } else { 1 })?;
            2 * elements(result(0)?) * a[inner] as u64
        }
        "conv2d" => conv(result(0)?, operand(1)?),
        "conv2d_input_grad" => conv(operand(0)?, operand(1)?),
        "conv2d_weight_grad" => conv(operand(1)?, result(0)?),
        _ => return None,
    })
}

fn elements(shape: &Shape) -> u64 {
    shape.count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use crate::observed::Operand;

    fn call(method: &'static str, operands: &[&[usize]], results: &[&[usize]]) -> Call {
        let f32s = |shapes: &[&[usize]]| -> Vec<Operand> {
            shapes.iter().map(|&dims| Operand { shape: dims.into(), dtype: DType::F32 }).collect()
        };
        Call { operands: f32s(operands), results: f32s(results), ..Call::new(method) }
    }

    #[test]
    fn matrix_products_count_two_for_each_multiply_add() {
        // [5, 2, 3] × [5, 3, 7]: 5 · 2 · 7 sums of 3 products.
        let plain = Call { flags: vec![false, false], ..call("matmul", &[&[5, 2, 3], &[5, 3, 7]], &[&[5, 2, 7]]) };
        let flipped = Call { flags: vec![true, true], ..call("matmul", &[&[5, 3, 2], &[5, 7, 3]], &[&[5, 2, 7]]) };
        assert_eq!([flop(&plain), flop(&flipped)], [2 * 5 * 2 * 7 * 3; 2]);
        assert_eq!(bytes(&plain), 4 * (30 + 105 + 70));
    }

    #[test]
    fn convolutions_count_their_own_output_in_both_directions() {
        // 3 × 3 over 8 × 8 with padding 1 and stride 2: 4 × 4 windows; two groups of 3 input channels each.
        let (x, weight, y): (&[usize], &[usize], &[usize]) = (&[5, 6, 8, 8], &[4, 3, 3, 3], &[5, 4, 4, 4]);
        let due = 2 * (5 * 4 * 4 * 4) * (3 * 3 * 3);
        assert_eq!(flop(&call("conv2d", &[x, weight], &[y])), due);
        assert_eq!(flop(&call("conv2d_input_grad", &[y, weight], &[x])), due);
        assert_eq!(flop(&call("conv2d_weight_grad", &[x, y], &[weight])), due);
    }

    #[test]
    fn a_fused_operation_knows_its_products() {
        let layer = call("linear", &[&[64, 20], &[10, 20]], &[&[64, 10]]);
        assert_eq!(flop(&Call { flop: Some(25600), ..layer.clone() }), 25600);
        assert_eq!(flop(&layer), 64 * 20, "without products it counts its elements");
    }

    #[test]
    fn other_arithmetic_counts_its_elements_and_a_move_none() {
        assert_eq!(flop(&call("binary", &[&[4, 1], &[1, 5]], &[&[4, 5]])), 20);
        assert_eq!(flop(&call("binary_scalar", &[&[4, 5]], &[&[4, 5]])), 20);
        assert_eq!(flop(&call("norm", &[&[4, 5]], &[&[]])), 20);
        assert_eq!(flop(&call("reduce", &[&[4, 5]], &[&[4, 1]])), 20);
        assert_eq!(flop(&call("upload", &[], &[&[4, 5]])), 0);
        assert_eq!(flop(&call("all_finite", &[], &[])), 0);
    }

    #[test]
    fn what_is_written_in_place_is_read_as_well() {
        let adam = Call { written: 3, ..call("adam_step", &[&[10], &[10], &[10], &[10]], &[]) };
        assert_eq!((flop(&adam), bytes(&adam)), (10, 4 * 70));
        let assign = Call { written: 1, ..call("assign", &[&[10], &[10]], &[]) };
        assert_eq!(bytes(&assign), 4 * 20);
        assert_eq!(bytes(&call("permute", &[&[2, 5]], &[&[5, 2]])), 0);
    }
}
