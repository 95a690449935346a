//! Convolution and its two gradients.

use super::{Bound, DType, FLOATS, Form, Run, WIDE};
use taper_backend::{Conv2dSpec, RandomKey, Shape};

/// The shapes and parameters of one convolution.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// The input's shape, `[N, C_in, H, W]`.
    pub x: [usize; 4],
    /// The weight's shape, `[C_out, C_in / groups, Kh, Kw]`.
    pub weight: [usize; 4],
    /// Stride, padding, dilation and groups.
    pub spec: Conv2dSpec,
}

impl Config {
    /// A square kernel without dilation, with the same parameters in both directions.
    pub fn square(x: [usize; 4], out: usize, kernel: usize, stride: usize, padding: usize, groups: usize) -> Self {
        let spec = Conv2dSpec { stride: [stride; 2], padding: [padding; 2], dilation: [1; 2], groups };
        Self { x, weight: [out, x[1] / groups, kernel, kernel], spec }
    }

    /// Random configuration number `i`; `None` if the kernel does not fit the input.
    pub fn random(i: u64) -> Option<Self> {
        let key = RandomKey::new(9).child("conv2d").index(i);
        let pick = |j: u64, from: &[usize]| from[key.below(j, from.len())];
        let sizes = [1, 2, 3, 5, 6, 7, 8, 9, 12, 17];
        let groups = pick(0, &[1, 1, 1, 2, 3]);
        let per_group = pick(1, &[1, 2, 3, 5, 8]);
        let x = [pick(2, &[1, 1, 2, 3, 5]), groups * per_group, pick(3, &sizes), pick(4, &sizes)];
        let weight = [
            groups * pick(5, &[1, 2, 3, 5, 7, 17]),
            per_group,
            pick(6, &[1, 2, 3, 3, 5, 7]),
            pick(7, &[1, 2, 3, 3, 5, 7]),
        ];
        let spec = Conv2dSpec {
            stride: [pick(8, &[1, 1, 2, 3]), pick(9, &[1, 1, 2, 3])],
            padding: [pick(10, &[0, 1, 1, 2, 3]), pick(11, &[0, 1, 1, 2, 3])],
            dilation: [pick(12, &[1, 1, 1, 2, 3]), pick(13, &[1, 1, 1, 2])],
            groups,
        };
        spec.output_shape(&x.into(), &weight.into()).ok().map(|_| Self { x, weight, spec })
    }

    /// The output's shape, `[N, C_out, Ho, Wo]`.
    pub fn output(&self) -> Shape {
        self.spec.output_shape(&self.x.into(), &self.weight.into()).expect("a configuration that fits")
    }

    /// The configuration as text, for the name of a case.
    pub fn label(&self) -> String {
        let Conv2dSpec { stride, padding, dilation, groups } = self.spec;
        format!(
            "{:?} by {:?} stride {stride:?} padding {padding:?} dilation {dilation:?} groups {groups}",
            self.x, self.weight
        )
    }
}

pub fn cases(run: &mut Run) {
    for dtype in FLOATS {
        for (i, config) in (0..160).filter_map(Config::random).enumerate() {
            let forms = match i % 3 {
                0 => [Form::nth(i / 3), Form::nth(i / 3 + 1)],
                1 => [Form::ChannelsLast, Form::Plain],
                _ => [Form::Plain; 2],
            };
            convolution(run, dtype, config, forms);
        }
        for config in named() {
            convolution(run, dtype, config, [Form::Plain; 2]);
            convolution(run, dtype, config, [Form::ChannelsLast; 2]);
        }
    }
    for dtype in WIDE {
        for config in large() {
            convolution(run, dtype, config, [Form::Plain; 2]);
            convolution(run, dtype, config, [Form::ChannelsLast; 2]);
        }
    }
}

/// Edge cases that random draws may miss.
fn named() -> Vec<Config> {
    vec![
        Config::square([0, 3, 5, 5], 4, 3, 1, 1, 1),   // no sample
        Config::square([2, 0, 5, 5], 4, 3, 1, 1, 1),   // no channel: all zeros
        Config::square([1, 1, 1, 1], 1, 1, 1, 0, 1),   // one of everything
        Config::square([2, 3, 2, 2], 4, 3, 1, 1, 1),   // every window reaches outside
        Config::square([1, 2, 1, 1], 3, 7, 1, 3, 1),   // one pixel under a large kernel
        Config::square([2, 4, 5, 5], 4, 3, 1, 1, 4),   // depthwise
        Config::square([1, 3, 6, 6], 9, 3, 2, 1, 3),   // depthwise with a multiplier
        Config::square([2, 5, 7, 7], 3, 1, 1, 0, 1),   // 1×1
        Config::square([2, 5, 7, 7], 3, 1, 2, 0, 1),   // 1×1 with a stride: pixels that no window covers
        Config::square([1, 3, 15, 15], 5, 7, 2, 3, 1), // a residual network's first layer
        Config::square([1, 2, 4, 4], 2, 2, 1, 2, 1),   // more padding than half the kernel
        Config::square([1, 2, 3, 3], 2, 1, 1, 2, 1),   // windows that cover padding alone
        Config::square([1, 3, 8, 8], 2, 3, 3, 0, 1),   // a last row and column that no window covers
    ]
}

/// Channels and planes larger than one block of any kernel, with remainders in each direction.
fn large() -> Vec<Config> {
    vec![
        Config::square([2, 3, 33, 33], 17, 3, 1, 1, 1),
        Config::square([2, 33, 17, 15], 24, 3, 1, 1, 1),
        Config::square([1, 17, 12, 12], 33, 3, 1, 0, 1),
        Config::square([3, 24, 9, 9], 40, 1, 1, 0, 1),
        Config::square([1, 64, 16, 16], 32, 3, 1, 1, 1),
        Config::square([9, 16, 8, 8], 64, 3, 1, 1, 1),
        Config::square([1, 24, 14, 14], 24, 5, 1, 2, 24),
        Config::square([2, 16, 13, 13], 32, 3, 2, 1, 2),
    ]
}

fn convolution(run: &mut Run, dtype: DType, config: Config, [f, g]: [Form; 2]) {
    let Config { x, weight, spec } = config;
    let y = config.output();
    let label = format!("{} {f:?} {g:?}", config.label());
    let per_output = weight[1..].iter().product();
    run.case("conv2d", dtype, &label, |case| {
        let args = [case.biased(x).form(f), case.biased(weight).form(g)];
        case.check(Bound::Convolution(per_output), &args, |d, x| Ok(vec![d.conv2d(&x[0], &x[1], &spec)?]));
    });
    run.case("conv2d_input_grad", dtype, &label, |case| {
        let args = [case.biased(&y).form(f), case.biased(weight).form(g)];
        let bound = Bound::Convolution(weight[0] / spec.groups * weight[2] * weight[3]);
        case.check(bound, &args, |d, a| Ok(vec![d.conv2d_input_grad(&a[0], &a[1], &spec, &x.into())?]));
    });
    run.case("conv2d_weight_grad", dtype, &label, |case| {
        let args = [case.biased(x).form(f), case.biased(&y).form(g)];
        let bound = Bound::Convolution(y[0] * y[2] * y[3]);
        case.check(bound, &args, |d, a| Ok(vec![d.conv2d_weight_grad(&a[0], &a[1], &spec, &weight.into())?]));
    });
}
