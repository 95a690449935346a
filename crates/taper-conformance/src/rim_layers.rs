//! Cases of the rim's linear layer and convolution block.

use super::case::Expected;
use super::convolution::Config;
use super::definition::{activation, derivative, jumps};
use super::fused::{both, of_present};
use super::rim_pointwise::ACTIVATIONS;
use super::{Bound, Case, DType, FLOATS, Form, Run, Value, WIDE};
use taper_backend::{Activation, Conv2dSpec, Device, Error, FusedOp, HostData, Pool2dSpec, Result};

/// Those of the expected gradients that `needs` asks for.
pub fn wanted(needs: [bool; 3], of: [Expected; 3]) -> impl Iterator<Item = Expected> {
    of.into_iter().zip(needs).filter(|(_, needed)| *needed).map(|(expected, _)| expected)
}

/// Combinations of whether there is a bias, and which gradients (x, weight, bias) are needed.
const NEEDS: [(bool, [bool; 3]); 6] = [
    (true, [true, true, true]),
    (true, [false, true, true]),
    (true, [true, false, false]),
    (true, [false, false, true]),
    (false, [true, true, false]),
    (false, [false, true, false]),
];

pub fn cases(run: &mut Run) {
    for dtype in FLOATS {
        let sizes = [[1, 1, 1], [3, 5, 2], [7, 17, 33], [1, 24, 7], [0, 3, 2], [5, 0, 3], [33, 3, 10], [64, 200, 130]];
        for (i, size) in sizes.into_iter().enumerate() {
            for (j, (bias, needs)) in NEEDS.into_iter().enumerate() {
                linear(
                    run,
                    dtype,
                    size,
                    ACTIVATIONS[(i * NEEDS.len() + j) % ACTIVATIONS.len()],
                    bias,
                    needs,
                    Form::Plain,
                );
                linear(run, dtype, size, Activation::Relu, bias, needs, Form::nth(i + j));
            }
        }
    }
    for dtype in WIDE {
        for (i, config) in blocks().into_iter().enumerate() {
            for (j, (bias, needs)) in NEEDS.into_iter().enumerate() {
                let f = ACTIVATIONS[(i + j) % ACTIVATIONS.len()];
                let form = if (i + j) % 2 == 0 { Form::ChannelsLast } else { Form::nth(i + j) };
                for pool in [None, Some(pool(i + j))] {
                    block(run, dtype, config, f, bias, pool, needs, Form::Plain);
                    block(run, dtype, config, Activation::Relu, bias, pool, needs, form);
                }
            }
        }
        for pool in [None, Some(Pool2dSpec::square(2))] {
            all_equal(run, dtype, pool);
        }
    }
}

fn linear(
    run: &mut Run,
    dtype: DType,
    [rows, k, out]: [usize; 3],
    f: Activation,
    bias: bool,
    needs: [bool; 3],
    form: Form,
) {
    let label = format!("{rows}x{k} to {out} {f:?} bias {bias} needs {needs:?} {form:?}");
    run.case("linear", dtype, label, |case| {
        let x = case.biased([rows, k]).form(form);
        let weight = case.biased([out, k]).form(if form == Form::Plain { Form::Plain } else { Form::nth(rows) });
        let b = case.uniform([out], -1.0, 1.0).form(form);
        let g = case.biased([rows, out]).form(form);
        let (xs, ws, bs, gs) = (x.f64(), weight.f64(), b.f64(), g.f64());
        let (mut y, mut dx, mut dw, mut db) =
            (vec![0.0; rows * out], vec![0.0; rows * k], vec![0.0; out * k], vec![0.0; out]);
        for (row, o) in (0..rows).flat_map(|row| (0..out).map(move |o| (row, o))) {
            let z = (0..k).map(|i| xs[row * k + i] * ws[o * k + i]).sum::<f64>() + if bias { bs[o] } else { 0.0 };
            y[row * out + o] = activation(f, z);
            let dz = gs[row * out + o] * derivative(f, z);
            db[o] += dz;
            for i in 0..k {
                dx[row * k + i] += dz * ws[o * k + i];
                dw[o * k + i] += dz * xs[row * k + i];
            }
        }
        let mut expected = vec![Expected::new([rows, out], y)];
        expected.extend(wanted(
            needs,
            [Expected::new([rows, k], dx), Expected::new([out, k], dw), Expected::new([out], db)],
        ));
        case.check_rim(Bound::Sum(k + rows + out + 16), &[x, weight, b, g], expected, |d, x| {
            let b = bias.then_some(&x[2]);
            let op = FusedOp::Linear { x: &x[0], weight: &x[1], bias: b, f };
            both(d, &op, &x[3], &of_present([true, true, bias], needs))
        });
    });
}

fn blocks() -> Vec<Config> {
    let mut blocks = vec![
        Config::square([2, 3, 8, 8], 5, 3, 1, 1, 1),
        Config::square([1, 1, 5, 5], 1, 1, 1, 0, 1),
        Config::square([3, 7, 9, 7], 17, 3, 1, 1, 1),
        Config::square([2, 4, 11, 11], 6, 3, 2, 1, 2),
        Config::square([1, 5, 12, 12], 5, 5, 1, 2, 5),
        Config::square([2, 3, 16, 16], 33, 3, 1, 1, 1),
        Config::square([2, 17, 8, 8], 24, 3, 1, 1, 1),
        Config::square([0, 3, 8, 8], 4, 3, 1, 1, 1),
        Config::square([2, 6, 7, 7], 4, 1, 1, 0, 1),
    ];
    let spec = Conv2dSpec { stride: [1, 2], padding: [2, 0], dilation: [2, 1], groups: 1 };
    blocks.push(Config { x: [2, 3, 9, 12], weight: [4, 3, 3, 2], spec });
    blocks
}

fn pool(i: usize) -> Pool2dSpec {
    match i % 4 {
        0 | 1 => Pool2dSpec::square(2),
        2 => Pool2dSpec { stride: [2, 2], padding: [1, 1], ..Pool2dSpec::square(3) },
        _ => Pool2dSpec { ceil_mode: true, stride: [2, 1], ..Pool2dSpec::square(2) },
    }
}

/// The expected results of a convolution block, computed with the reference backend's convolution and pooling in f64.
struct Block {
    results: Vec<Expected>,
    /// The smallest distance from a discontinuity of the gradient: a kink of the activation, a tie in a pooling window.
    /// Rounding must not cross it.
    margin: f64,
}

/// The parameters of a convolution block.
struct Call<'a> {
    config: Config,
    f: Activation,
    pool: Option<&'a Pool2dSpec>,
    needs: [bool; 3],
}

impl Call<'_> {
    fn expected(&self, toy: &Device, x: &Value, weight: &Value, bias: Option<&Value>, g: &Value) -> Result<Block> {
        let spec = &self.config.spec;
        let (xb, wb) = (x.reference(toy, false)?, weight.reference(toy, false)?);
        let shape = self.config.output();
        let (channels, plane) = (shape[1], shape[2] * shape[3]);
        let mut z = toy.download(&toy.conv2d(&xb, &wb, spec)?)?.to_f64();
        if let Some(bias) = bias {
            let bias = bias.f64();
            z.iter_mut().enumerate().for_each(|(i, z)| *z += bias[i / plane % channels]);
        }
        let a: Vec<f64> = z.iter().map(|&z| activation(self.f, z)).collect();
        let far = |z: &f64| jumps(self.f).into_iter().map(|jump| (z - jump).abs()).fold(f64::INFINITY, f64::min);
        let mut margin = z.iter().map(far).fold(f64::INFINITY, f64::min);
        let (mut da, mut y, mut y_shape) = (g.f64(), a.clone(), shape.clone());
        if let Some(pool) = self.pool {
            let ab = toy.upload(&HostData::F64(a.clone()), &shape)?;
            let (pooled, index) = toy.max_pool2d(&ab, pool)?;
            (y, y_shape) = (toy.download(&pooled)?.to_f64(), pooled.shape().clone());
            let HostData::I64(index) = toy.download(&index)? else { return Err(Error::Device("index".into())) };
            let plane_out = y_shape[2] * y_shape[3];
            da = vec![0.0; a.len()];
            let mut without = a.clone();
            for (i, (place, g)) in index.iter().zip(g.f64()).enumerate() {
                let from = i / plane_out * plane + *place as usize;
                da[from] += g;
                without[from] = f64::NEG_INFINITY;
            }
            // The distance of each maximum from the second largest, unless both are 0 after ReLU, which passes no
            // gradient.
            let (second, _) = toy.max_pool2d(&toy.upload(&HostData::F64(without), &shape)?, pool)?;
            for (first, second) in y.iter().zip(toy.download(&second)?.to_f64()) {
                if *first != 0.0 {
                    margin = margin.min((first - second).abs());
                }
            }
        }
        let dz: Vec<f64> = da.iter().zip(&z).map(|(g, &z)| g * derivative(self.f, z)).collect();
        let dzb = toy.upload(&HostData::F64(dz.clone()), &shape)?;
        let dx = toy.download(&toy.conv2d_input_grad(&dzb, &wb, spec, &x.shape)?)?.to_f64();
        let dw = toy.download(&toy.conv2d_weight_grad(&xb, &dzb, spec, &weight.shape)?)?.to_f64();
        let mut db = vec![0.0; channels];
        dz.iter().enumerate().for_each(|(i, dz)| db[i / plane % channels] += dz);
        let mut results = vec![Expected::new(y_shape, y)];
        results.extend(wanted(
            self.needs,
            [Expected::new(&x.shape, dx), Expected::new(&weight.shape, dw), Expected::new([channels], db)],
        ));
        Ok(Block { results, margin })
    }
}

#[allow(clippy::too_many_arguments)] // the axes of the table of cases
fn block(
    run: &mut Run,
    dtype: DType,
    config: Config,
    f: Activation,
    bias: bool,
    pool: Option<Pool2dSpec>,
    needs: [bool; 3],
    form: Form,
) {
    let pool = pool.filter(|pool| pool.output_shape("pool", &config.output()).is_ok());
    let pooled =
        pool.map(|p| format!("{:?}/{:?} padding {:?} ceil {}", p.kernel_size, p.stride, p.padding, p.ceil_mode));
    let label = format!("{} {f:?} bias {bias} pool {pooled:?} needs {needs:?} {form:?}", config.label());
    let y = match &pool {
        Some(pool) => pool.output_shape("pool", &config.output()).unwrap_or_default(),
        None => config.output(),
    };
    let Config { x: [n, c, h, w], weight: [out, _, kh, kw], spec } = config;
    run.case("conv2d_block", dtype, label, |case: &mut Case| {
        // Broadcast views repeat elements and so make ties, which rounding may break: they are not used here.
        let form = if form == Form::Broadcast { Form::Sliced } else { form };
        let call = Call { config, f, pool: pool.as_ref(), needs };
        // Redrawn until rounding cannot cross a kink or break a tie.
        for _ in 0..60 {
            let x = case.uniform([n, c, h, w], -1.0, 1.0).form(form);
            // Weights for outputs of order 1: larger outputs saturate, and saturated outputs tie.
            let reach = 2.0 / ((c * kh * kw) as f64).sqrt();
            let weight = case.uniform(config.weight, -reach, reach).form(form);
            let b = case.uniform([out], -1.0, 1.0).form(form);
            let g = case.biased(&y).form(form);
            let expected = call.expected(case.toy(), &x, &weight, bias.then_some(&b), &g);
            let Block { results, margin } = match expected {
                Ok(block) => block,
                Err(error) => return case.fail(format!("the reference itself fails: {error}")),
            };
            if margin < 3e-6 {
                continue;
            }
            // The terms in the sums of the output, of the input's gradient and of the weight's gradient.
            let k = c * kh * kw + out * kh * kw + n * h * w;
            case.check_rim(Bound::Convolution(k), &[x, weight, b, g], results, |d, x| {
                let b = bias.then_some(&x[2]);
                let op = FusedOp::Conv2dBlock { x: &x[0], weight: &x[1], bias: b, spec, f, pool };
                both(d, &op, &x[3], &of_present([true, true, bias], needs))
            });
            return;
        }
        case.fail("no draw without a choice that hangs on rounding");
    });
}

/// The cases of an input of zeros: every pooling window is an exact tie, and its first element takes the gradient.
fn all_equal(run: &mut Run, dtype: DType, pool: Option<Pool2dSpec>) {
    let config = Config::square([2, 3, 8, 8], 17, 3, 1, 1, 1);
    for value in [0.5, 0.0] {
        run.case("conv2d_block", dtype, format!("ties, bias {value}, pooled {}", pool.is_some()), |case| {
            let x = Value::new(config.x, &[0.0; 2 * 3 * 64], dtype);
            let weight = case.uniform(config.weight, -1.0, 1.0);
            let b = Value::new([17], &[value; 17], dtype);
            let side = if pool.is_some() { 4 } else { 8 };
            let g = case.biased([2, 17, side, side]);
            let call = Call { config, f: Activation::Relu, pool: pool.as_ref(), needs: [true; 3] };
            let Ok(block) = call.expected(case.toy(), &x, &weight, Some(&b), &g) else {
                return case.fail("the reference itself fails");
            };
            case.check_rim(Bound::Convolution(17 * 9), &[x, weight, b, g], block.results, |d, x| {
                let (spec, bias, f) = (config.spec, Some(&x[2]), Activation::Relu);
                let op = FusedOp::Conv2dBlock { x: &x[0], weight: &x[1], bias, spec, f, pool };
                both(d, &op, &x[3], &[true; 3])
            });
        });
    }
}
