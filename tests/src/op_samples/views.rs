//! Operators that move elements and compute nothing.

use super::call::{Answer, Arg, Call, Stop, lacking};
use super::table::Rule::{Exact, Sums};
use super::table::{Op, call, one, unary};
use taper_tensor::{DType, PadAmount, Result, SliceRange, Tensor};

/// One line for each.
pub(super) fn ops() -> Vec<Op> {
    let mut ops = vec![
        unary("T", Exact, |x| x.permute(&(0..x.shape().rank() as isize).rev().collect::<Vec<_>>())),
        unary("H", Exact, |x| if x.shape().rank() < 2 { x.permute(&[]) } else { x.transpose(0, 1) }),
        unary("mT", Exact, |x| x.transpose(-2, -1)),
        unary("mH", Exact, |x| x.transpose(-2, -1)),
        unary("ravel", Exact, |x| x.reshape([x.count()])),
        unary("atleast_1d", Exact, |x| if x.shape().rank() == 0 { x.reshape([1]) } else { Ok(x.clone()) }),
        unary("atleast_2d", Exact, |x| match x.shape()[..] {
            [] => x.reshape([1, 1]),
            [_] => x.unsqueeze(0),
            _ => Ok(x.clone()),
        }),
        unary("atleast_3d", Exact, |x| match x.shape()[..] {
            [] => x.reshape([1, 1, 1]),
            [size] => x.reshape([1, size, 1]),
            [_, _] => x.unsqueeze(-1),
            _ => Ok(x.clone()),
        }),
        call("flatten", Exact, |c| {
            let (x, shape) = (c.x()?, c.x()?.shape().to_vec());
            let (start, end) = (c.int(1, "start_dim")?.unwrap_or(0), c.int(2, "end_dim")?.unwrap_or(-1));
            if shape.is_empty() {
                return one(x.reshape([1]));
            }
            let [start, end] = [x.shape().axis("flatten", start)?, x.shape().axis("flatten", end)?];
            let size = shape[start..=end].iter().product();
            one(x.reshape([&shape[..start], &[size], &shape[end + 1..]].concat()))
        }),
        call("unflatten", Exact, |c| {
            let (x, shape) = (c.x()?, c.x()?.shape().to_vec());
            let axis = x.shape().axis("unflatten", c.axis(1, "dim")?)?;
            let sizes = inferred(&c.rest(2, "sizes")?, shape[axis])?;
            one(x.reshape([&shape[..axis], &sizes, &shape[axis + 1..]].concat()))
        }),
        call("movedim", Exact, |c| {
            let axes = |i, name| Ok::<_, Stop>(c.ints(i, name)?.unwrap_or_default());
            one(c.x()?.movedim(&axes(1, "source")?, &axes(2, "destination")?))
        }),
        call("roll", Exact, |c| {
            one(c.x()?.roll(&c.ints(1, "shifts")?.unwrap_or_default(), &c.ints(2, "dims")?.unwrap_or_default()))
        }),
        call("repeat", Exact, |c| one(c.x()?.repeat(&counts(c.rest(1, "repeats")?)))),
        call("tile", Exact, |c| one(c.x()?.tile(&counts(c.rest(1, "dims")?)))),
        call("flip", Exact, |c| one(c.x()?.flip(&c.rest(1, "dims")?))),
        unary("fliplr", Exact, |x| x.flip(&[1])),
        unary("flipud", Exact, |x| x.flip(&[0])),
        call("broadcast_tensors", Exact, |c| {
            let all = c.tensors()?;
            let mut shape = all[0].shape().clone();
            for one in &all[1..] {
                shape = shape.broadcast_with(one.shape(), "broadcast_tensors")?;
            }
            Ok(all.iter().map(|one| one.broadcast_to(shape.clone())).collect::<Result<_>>()?)
        }),
        // Parts.
        call("select", Exact, |c| {
            let (x, axis) = (c.x()?, c.axis(1, "dim")?);
            let at = from_end(c.axis(2, "index")?, x.dim(axis)?);
            one(x.narrow(axis, at, 1)?.squeeze(axis))
        }),
        call("slice", Exact, |c| {
            let (x, axis) = (c.x()?, c.int(1, "dim")?.unwrap_or(0));
            let slice = [c.int(2, "start")?, c.int(3, "end")?, c.int(4, "step")?].map(|at| at.map(|at| at as i64));
            one(sliced(&x, x.shape().axis("slice", axis)?, slice))
        }),
        call("__getitem__", Exact, item),
        call("tensor_split", Exact, |c| {
            let (x, axis) = (c.x()?, c.int(2, "dim")?.unwrap_or(0));
            let (size, at) = (x.dim(axis)?, c.find(1, "indices_or_sections"));
            let edges: Vec<usize> = match at {
                Some(Arg::List(_)) => {
                    let all = c.ints(1, "")?.unwrap_or_default();
                    all.into_iter().map(|at| from_end(at, size).min(size)).collect()
                }
                Some(Arg::Int(parts)) => {
                    let parts = *parts as usize;
                    (1..parts).map(|i| i * (size / parts) + i.min(size % parts)).collect()
                }
                _ => return lacking("places to split at in a tensor"),
            };
            let starts = [&[0], &edges[..]].concat();
            let sizes = starts.iter().zip(edges.iter().chain([&size])).map(|(from, to)| to.saturating_sub(*from));
            parts(&x, axis, &sizes.collect::<Vec<_>>())
        }),
        // Joined.
        call("cat", Exact, |c| {
            let (all, axis) = (c.tensors()?, c.int(1, "dim")?.unwrap_or(0));
            one(Tensor::concat(&all.iter().collect::<Vec<_>>(), axis))
        }),
        call("stack", Exact, |c| {
            let (all, axis) = (c.tensors()?, c.int(1, "dim")?.unwrap_or(0));
            one(Tensor::stack(&all.iter().collect::<Vec<_>>(), axis))
        }),
        call("hstack", Exact, |c| {
            let all = c.tensors()?;
            let axis = isize::from(all[0].shape().rank() > 1);
            one(Tensor::concat(&all.iter().collect::<Vec<_>>(), axis))
        }),
        call("vstack", Exact, |c| {
            let rows = |x: Tensor| if x.shape().rank() == 1 { x.unsqueeze(0) } else { Ok(x) };
            let all = c.tensors()?.into_iter().map(rows).collect::<Result<Vec<_>>>()?;
            one(Tensor::concat(&all.iter().collect::<Vec<_>>(), 0))
        }),
        // By index.
        call("gather", Exact, |c| one(c.x()?.gather(c.axis(1, "dim")?, &c.tensor(2, "index")?))),
        call("take_along_dim", Exact, |c| {
            let (x, index) = (c.x()?, c.tensor(1, "indices")?);
            let Some(axis) = c.int(2, "dim")? else {
                return one(x.reshape([x.count()])?.gather(0, &index.reshape([index.count()])?));
            };
            // Both broadcast along the other axes.
            let at = x.shape().axis("take_along_dim", axis)?;
            let (mut shape, mut other) = (x.shape().to_vec(), index.shape().to_vec());
            let sizes = [std::mem::replace(&mut shape[at], 1), std::mem::replace(&mut other[at], 1)];
            let joined = taper_tensor::Shape::from(shape).broadcast_with(&other.into(), "take_along_dim")?;
            let with = |size| {
                let mut shape = joined.to_vec();
                shape[at] = size;
                shape
            };
            one(x.broadcast_to(with(sizes[0]))?.gather(axis, &index.broadcast_to(with(sizes[1]))?))
        }),
        call("scatter_add", Sums, |c| {
            // PyTorch lets the source be larger than the index.
            let (index, source) = (c.tensor(2, "index")?, c.tensor(3, "src")?);
            one(c.x()?.scatter_add(c.axis(1, "dim")?, &index, &first(&source, &index)?))
        }),
        call("index_select", Exact, |c| one(c.x()?.index_select(c.axis(1, "dim")?, &c.tensor(2, "index")?))),
        call("index_add", Sums, |c| {
            let (x, axis, index) = (c.x()?, c.axis(1, "dim")?, c.tensor(2, "index")?);
            let source = super::pointwise::scale(&c.tensor(3, "source")?, c.number(4, "alpha", 1.0)?)?;
            one(x.scatter_add(axis, &along(&source, axis, &index)?, &source))
        }),
        // Others.
        call("constant_pad_nd", Exact, |c| {
            pad(&c.x()?, &c.ints(1, "pad")?.unwrap_or_default(), c.number(2, "value", 0.0)?)
        }),
        call("nn.functional.pad.constant", Exact, |c| {
            c.text(2, "mode", "constant");
            pad(&c.x()?, &c.ints(1, "pad")?.unwrap_or_default(), c.number(3, "value", 0.0)?)
        }),
        call("nn.functional.channel_shuffle", Exact, |c| {
            let (x, groups) = (c.x()?, c.axis(1, "groups")? as usize);
            let (n, ch) = (x.dim(0)?, x.dim(1)?);
            let rest = x.count() / (n * ch).max(1);
            one(x.reshape([n, groups, ch / groups, rest])?.permute(&[0, 2, 1, 3])?.reshape(x.shape()))
        }),
    ];
    // Those that PyTorch has under several names.
    let named = |names: &[&'static str], run: fn(&Call) -> Answer| {
        names.iter().map(|name| call(name, Exact, run)).collect::<Vec<_>>()
    };
    ops.extend(named(&["clone", "contiguous", "alias_copy"], |c| one(c.x()?.reshape(c.x()?.shape()))));
    ops.extend(named(&["reshape", "view", "view_copy"], |c| {
        let x = c.x()?;
        one(x.reshape(inferred(&c.rest(1, "shape")?, x.count())?))
    }));
    ops.extend(named(&["reshape_as", "view_as"], |c| one(c.x()?.reshape(c.tensor(1, "other")?.shape()))));
    ops.extend(named(&["expand", "expand_copy", "broadcast_to"], |c| {
        let (x, sizes) = (c.x()?, c.rest(1, "size")?);
        let missing = sizes.len().saturating_sub(x.shape().rank());
        let size = |(i, &size): (usize, &isize)| if size < 0 { x.shape()[i - missing] } else { size as usize };
        one(x.broadcast_to(sizes.iter().enumerate().map(size).collect::<Vec<_>>()))
    }));
    ops.extend(named(&["expand_as"], |c| one(c.x()?.broadcast_to(c.tensor(1, "other")?.shape()))));
    ops.extend(named(&["squeeze", "squeeze.multiple", "squeeze_copy"], |c| {
        let x = c.x()?;
        let rank = x.shape().rank() as isize;
        let axes = c.ints(1, "dim")?.unwrap_or_else(|| (0..rank).collect());
        // What is not 1 stays there.
        let axes = axes.into_iter().map(|axis| x.shape().axis("squeeze", axis)).collect::<Result<Vec<_>>>()?;
        let stays = |i: &usize| !axes.contains(i) || x.shape()[*i] != 1;
        one(x.reshape((0..rank as usize).filter(stays).map(|i| x.shape()[i]).collect::<Vec<_>>()))
    }));
    ops.extend(named(&["unsqueeze", "unsqueeze_copy"], |c| one(c.x()?.unsqueeze(c.axis(1, "dim")?))));
    ops.extend(named(&["permute", "permute_copy"], |c| one(c.x()?.permute(&c.rest(1, "dims")?))));
    ops.extend(named(&["transpose", "transpose_copy"], |c| {
        one(c.x()?.transpose(c.axis(1, "dim0")?, c.axis(2, "dim1")?))
    }));
    ops.extend(named(&["t", "t_copy"], |c| {
        let x = c.x()?;
        if x.shape().rank() < 2 { one(x.reshape(x.shape())) } else { one(x.transpose(0, 1)) }
    }));
    ops.extend(named(&["narrow", "narrow_copy"], |c| {
        let (x, axis) = (c.x()?, c.axis(1, "dim")?);
        let start = from_end(c.axis(2, "start")?, x.dim(axis)?);
        one(x.narrow(axis, start, c.axis(3, "length")? as usize))
    }));
    ops.extend(named(&["unbind", "unbind_copy"], |c| {
        let (x, axis) = (c.x()?, c.int(1, "dim")?.unwrap_or(0));
        Ok(x.unbind(axis)?)
    }));
    ops.extend(named(&["split", "unsafe_split", "split_with_sizes", "split_with_sizes_copy"], |c| {
        let (x, axis) = (c.x()?, c.int(2, "dim")?.unwrap_or(0));
        match c.find(1, "split_size") {
            Some(Arg::Int(size)) => Ok(x.split(*size as usize, axis)?),
            _ => {
                let sizes = c.ints(1, "split_sizes")?.unwrap_or_default();
                Ok(x.split_with_sizes(&sizes.into_iter().map(|size| size as usize).collect::<Vec<_>>(), axis)?)
            }
        }
    }));
    ops.extend(named(&["chunk", "unsafe_chunk"], |c| {
        let (x, axis) = (c.x()?, c.int(2, "dim")?.unwrap_or(0));
        Ok(x.chunk(c.axis(1, "chunks")? as usize, axis)?)
    }));
    ops
}

/// Sizes, with −1 for what is left.
fn inferred(sizes: &[isize], count: usize) -> Result<Vec<usize>, Stop> {
    let known: usize = sizes.iter().filter(|&&size| size >= 0).map(|&size| size as usize).product();
    if known == 0 && sizes.contains(&-1) {
        return lacking("a size left open beside one of 0");
    }
    Ok(sizes.iter().map(|&size| if size < 0 { count / known } else { size as usize }).collect())
}

/// A place counted from the end when it is negative.
fn from_end(at: isize, size: usize) -> usize {
    if at < 0 { (at + size as isize).max(0) as usize } else { at as usize }
}

/// A slice along dimension `axis`, ends cut as in Python.
fn sliced(x: &Tensor, axis: usize, [start, end, step]: [Option<i64>; 3]) -> Result<Tensor> {
    let size = x.shape()[axis];
    let cut = |at: Option<i64>, default| at.map_or(default, |at| from_end(at as isize, size).min(size));
    let mut ranges: Vec<_> = x.shape().iter().map(|&size| SliceRange::new(0, size)).collect();
    let start = cut(start, 0);
    ranges[axis] = SliceRange { start, end: cut(end, size).max(start), step: step.unwrap_or(1) as usize };
    x.slice(&ranges)
}

/// x[…] with ints and slices.
fn item(c: &Call) -> Answer {
    let mut x = c.x()?;
    let all = match c.find(1, "") {
        // Tuple or list: ints alone may be places of one axis.
        Some(Arg::List(all)) if all.iter().any(|index| matches!(index, Arg::Slice(_))) => all.clone(),
        Some(Arg::List(_)) => return lacking("an index that is no int and no slice"),
        Some(one) => vec![one.clone()],
        None => return lacking("no index"),
    };
    let mut axis = 0;
    for index in all {
        match index {
            Arg::Int(at) => {
                let at = from_end(at as isize, x.dim(axis)?);
                x = x.narrow(axis, at, 1)?.squeeze(axis)?;
            }
            Arg::Slice(slice) => {
                x = sliced(&x, axis as usize, slice)?;
                axis += 1;
            }
            _ => return lacking("an index that is no int and no slice"),
        }
    }
    Ok(vec![x])
}

/// Consecutive parts along `axis`.
fn parts(x: &Tensor, axis: isize, sizes: &[usize]) -> Answer {
    let mut start = 0;
    let part = |&size: &usize| {
        let from = start.min(x.dim(axis)?);
        start += size;
        x.narrow(axis, from, size)
    };
    Ok(sizes.iter().map(part).collect::<Result<_>>()?)
}

/// The corner of `x` that is as large as `index`.
fn first(x: &Tensor, index: &Tensor) -> Result<Tensor> {
    let mut corner = x.clone();
    for axis in 0..x.shape().rank().min(index.shape().rank()) {
        if corner.shape()[axis] > index.shape()[axis] {
            corner = corner.narrow(axis as isize, 0, index.shape()[axis])?;
        }
    }
    Ok(corner)
}

/// A list of places along `axis`, for every element beside it.
fn along(x: &Tensor, axis: isize, index: &Tensor) -> Result<Tensor, Stop> {
    if index.dtype() != DType::I64 {
        return lacking("indices that are not i64");
    }
    let axis = x.shape().axis("gather", axis)?;
    let (mut column, mut shape) = (vec![1; x.shape().rank()], x.shape().to_vec());
    (column[axis], shape[axis]) = (index.count(), index.count());
    Ok(index.reshape(column)?.broadcast_to(shape)?)
}

/// Amounts from the last dimension on, before and behind; negative ones take away.
fn pad(x: &Tensor, amounts: &[isize], value: f64) -> Answer {
    let rank = x.shape().rank();
    let (mut x, mut all) = (x.clone(), vec![PadAmount::default(); rank]);
    for (i, pair) in amounts.chunks(2).enumerate() {
        let axis = rank - 1 - i;
        let (low, high) = (pair[0], pair[1]);
        let (skip, drop) = ((-low).max(0) as usize, (-high).max(0) as usize);
        if skip + drop > 0 {
            x = x.narrow(axis as isize, skip, x.shape()[axis].saturating_sub(skip + drop))?;
        }
        all[axis] = PadAmount { low: low.max(0) as usize, high: high.max(0) as usize, interior: 0 };
    }
    one(x.pad(&all, value))
}

fn counts(all: Vec<isize>) -> Vec<usize> {
    all.into_iter().map(|count| count.max(0) as usize).collect()
}
