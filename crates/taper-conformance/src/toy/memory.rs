//! The data of toy buffers: access to elements, conversions, random numbers, coordinates.

use super::unsupported;
use taper_backend::{Buffer, DType, Distribution, Element, Error, HostData, RandomKey, Result, Shape, philox4x32};

/// Runs `$body` with `$v` bound to the vector inside `$data`, whatever its type.
macro_rules! each {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            HostData::F32($v) => $body,
            HostData::F64($v) => $body,
            HostData::F16($v) => $body,
            HostData::BF16($v) => $body,
            HostData::U8($v) => $body,
            HostData::I64($v) => $body,
        }
    };
}

/// A buffer of row-major `data`.
pub fn buffer(shape: &Shape, data: HostData) -> Buffer {
    Buffer::new(shape.clone(), data.dtype(), data)
}

/// The row-major data of `x`.
pub fn data(x: &Buffer) -> Result<&HostData> {
    x.data::<HostData>().ok_or_else(|| Error::Device("toy: the buffer belongs to another backend".into()))
}

/// The elements as f64.
pub fn values(x: &Buffer) -> Result<Vec<f64>> {
    Ok(data(x)?.to_f64())
}

/// The elements of an i64 buffer.
pub fn integers(x: &Buffer) -> Result<&[i64]> {
    match data(x)? {
        HostData::I64(values) => Ok(values),
        other => Err(unsupported("index", other.dtype())),
    }
}

/// A buffer of `values` rounded to `dtype`.
pub fn rounded(shape: &Shape, values: &[f64], dtype: DType) -> Buffer {
    buffer(shape, HostData::from_f64(values, dtype))
}

/// The elements of `x` at `positions`, exactly.
pub fn take(x: &HostData, positions: &[usize]) -> HostData {
    fn pick<T: Element>(from: &[T], positions: &[usize]) -> HostData {
        T::wrap(positions.iter().map(|&i| from[i]).collect())
    }
    each!(x, v => pick(v, positions))
}

/// The elements of all `parts`, of one dtype, one part after the other.
pub fn chain(parts: &[&HostData]) -> HostData {
    fn join<T: Element>(parts: &[&HostData]) -> HostData {
        T::wrap(parts.iter().filter_map(|&part| T::unwrap(part.clone())).flatten().collect())
    }
    match parts[0].dtype() {
        DType::F32 => join::<f32>(parts),
        DType::F64 => join::<f64>(parts),
        DType::U8 => join::<u8>(parts),
        DType::I64 => join::<i64>(parts),
        DType::F16 | DType::BF16 => {
            HostData::from_f64(&parts.iter().flat_map(|part| part.to_f64()).collect::<Vec<_>>(), parts[0].dtype())
        }
    }
}

/// `x` in another dtype.
pub fn cast(x: &Buffer, dtype: DType) -> Result<Buffer> {
    if x.dtype() == dtype {
        return Ok(x.clone());
    }
    Ok(rounded(x.shape(), &values(x)?, dtype))
}

/// Random numbers as the contract defines them, one for each row-major position, from the words of Philox. If rounding
/// takes a uniform number out of its range, it is replaced by the nearest value of the dtype within the range, found by
/// bisection.
pub fn random(shape: &Shape, dtype: DType, distribution: Distribution, key: RandomKey) -> Result<Buffer> {
    if !dtype.is_float() {
        return Err(unsupported("random", dtype));
    }
    let [seed, stream] = key.words();
    let halves = |x: u64| [x as u32, (x >> 32) as u32];
    // The two numbers in [0, 1) from a block of four words.
    let pair = |block: u64| {
        let ([a, b], [c, d]) = (halves(block), halves(stream));
        let [a, b, c, d] = philox4x32([a, b, c, d], halves(seed));
        let unit = |low: u32, high: u32| (f64::from(high) * 2f64.powi(21) + f64::from(low >> 11)) / 2f64.powi(53);
        [unit(a, b), unit(c, d)]
    };
    let to = |x: f64| HostData::from_f64(&[x], dtype).to_f64()[0];
    let draw = |i: u64| match distribution {
        Distribution::Uniform { low, high } => {
            let x = low + (high - low) * pair(i / 2)[(i % 2) as usize];
            if (low..high).contains(&to(x)) || low == high {
                return x;
            }
            // Of the numbers that round to what is in the range, the one nearest to `x`.
            let (mut inside, mut outside) = (low + (high - low) / 2.0, x);
            for _ in 0..200 {
                let middle = inside + (outside - inside) / 2.0;
                *(if (low..high).contains(&to(middle)) { &mut inside } else { &mut outside }) = middle;
            }
            inside
        }
        Distribution::Normal { mean, std } => {
            let [u, v] = pair(i / 2);
            let (sine, cosine) = (std::f64::consts::TAU * v).sin_cos();
            mean + std * (-2.0 * (1.0 - u).ln()).sqrt() * if i.is_multiple_of(2) { cosine } else { sine }
        }
    };
    Ok(rounded(shape, &(0..shape.count() as u64).map(draw).collect::<Vec<_>>(), dtype))
}

/// Every coordinate of `shape`, in row-major order.
pub fn coordinates(shape: &Shape) -> impl Iterator<Item = Vec<usize>> {
    let (dims, strides) = (shape.to_vec(), shape.strides());
    (0..shape.count()).map(move |i| dims.iter().zip(&strides).map(|(size, stride)| i / stride % size).collect())
}

/// The row-major position of coordinate `at`.
pub fn position(shape: &Shape, at: &[usize]) -> usize {
    shape.dims().iter().zip(at).fold(0, |position, (size, i)| position * size + i)
}
