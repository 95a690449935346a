//! A small part of a file of samples, which is checked in and tested.

use super::compare::{Difference, Verdict};
use super::table::{Rule, Table};
use super::{File, Outcome, Part, reason, run};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use taper_nn::weights::save_noted;
use taper_tensor::{Device, HostData, Result, Tensor};

/// The most elements of a sample's tensors, in all; of an operator that has none so small, of the smallest.
const MOST: usize = 24;

/// Writes to `path`, of the samples that agree or have a reason not to, the smallest of each operator: in f32; in f64 where
/// there are gradients that are computed; in one of the other dtypes, which change from one operator to the next; and one
/// with an empty tensor, with a scalar, with tensors that broadcast, with a number that is not finite, and with a
/// difference that has a reason.
///
/// # Errors
/// A file that cannot be read or written.
pub fn excerpt(file: &File, device: &Device, path: &Path) -> Result<()> {
    let mut best: BTreeMap<(String, String), (usize, Value)> = BTreeMap::new();
    let table = Table::new();
    run(file, device, |sample, outcome| {
        let text = |key: &str| sample[key].as_str().unwrap_or_default().to_string();
        let agrees = |verdict: &Verdict| !matches!(verdict, Verdict::Differs(_));
        let excused = |verdict: &Verdict, part| match verdict {
            Verdict::Differs(difference) => reason(&text("op"), part, difference).is_some(),
            _ => true,
        };
        // Whether all agrees; what differs without a reason is not recorded.
        let agreed = match outcome {
            Outcome::Compared { value, gradient } => {
                let excused =
                    excused(value, Part::Value) && gradient.as_ref().is_none_or(|g| excused(g, Part::Gradient));
                if !excused {
                    return;
                }
                agrees(value) && gradient.as_ref().is_none_or(agrees)
            }
            Outcome::Refused(error) => {
                if reason(&text("op"), Part::Refused, &Difference::Error(error.to_string())).is_none() {
                    return;
                }
                false
            }
            _ => return,
        };
        let mut kept = sample.clone();
        if let (Some(kept), Outcome::Compared { .. }) = (kept.as_object_mut(), outcome) {
            kept.retain(|_, json| !(json == "" || json.as_object().is_some_and(serde_json::Map::is_empty)));
            // What f64 gives decides only where numbers are computed.
            if moves(&table, sample) {
                kept.remove("exact");
                kept.remove("exact_grads");
            }
        }
        let (mut shapes, mut count) = (Vec::new(), 0);
        places(&kept, &mut |place| {
            let sizes: Vec<u64> = place[1].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
            count += sizes.iter().product::<u64>() as usize;
            shapes.push(sizes);
        });
        let op = format!("{}.{}", text("op"), text("variant"));
        let mut inputs = Vec::new();
        places(&sample["args"], &mut |place| inputs.push(place[1].to_string()));
        let empty = shapes.iter().any(|sizes| sizes.contains(&0));
        let scalar = inputs.iter().any(|sizes| sizes == "[]");
        let mut kinds: Vec<String> = Vec::new();
        match (empty, text("dtype").as_str()) {
            _ if !agreed => kinds.push("reason".into()),
            (_, "f32") if count > MOST => kinds.push("f32, if there is no other".into()),
            (_, "f64") if count > MOST && count < 12 * MOST => kinds.push("f64, if there is no other".into()),
            _ if count > MOST => return,
            (true, _) => kinds.push("empty".into()),
            // One of what moves elements alone, or is another name for something.
            (_, dtype) if dtype != "f32" && is_alias(&text("op")) => return,
            (_, "f64") if sample["grads"].is_null() || moves(&table, sample) => {}
            (_, dtype) => kinds.push(if scalar { format!("{dtype}, if there is no other") } else { dtype.into() }),
        }
        let edges = agreed && count <= MOST && !is_alias(&text("op"));
        if edges && scalar {
            kinds.push("scalar".into());
        }
        if edges && inputs.len() > 1 && inputs.iter().collect::<BTreeSet<_>>().len() > 1 {
            kinds.push("broadcast".into());
        }
        if edges && !empty && !all_finite(file, &sample["args"]) {
            kinds.push("not finite".into());
        }
        for kind in kinds {
            // Better one with gradients.
            let size = kept.to_string().len() + 4 * count + if kept["grads"].is_null() { 300 } else { 0 };
            let entry = best.entry((op.clone(), kind)).or_insert_with(|| (usize::MAX, Value::Null));
            if size < entry.0 {
                *entry = (size, kept.clone());
            }
        }
    })?;
    let ops: BTreeSet<String> = best.keys().map(|(op, _)| op.clone()).collect();
    let mut chosen: Vec<Value> = Vec::new();
    for (i, op) in ops.into_iter().enumerate() {
        let mut of = |kind: &str| best.remove(&(op.clone(), kind.to_string())).map(|(_, sample)| sample);
        let mut of_dtype = |dtype: &str| of(dtype).or_else(|| of(&format!("{dtype}, if there is no other")));
        let others = ["f16", "bf16", "i64", "u8"];
        let other = (0..4).find_map(|next| of_dtype(others[(i + next) % 4]));
        let samples = [of_dtype("f32"), of_dtype("f64"), other];
        let samples = samples.into_iter().chain(["empty", "scalar", "broadcast", "not finite", "reason"].map(&mut of));
        for sample in samples.flatten() {
            if !chosen.contains(&sample) {
                chosen.push(sample);
            }
        }
    }
    write(file, chosen, device, path)
}

/// Calls `each` with every tensor's place in `json`.
fn places(json: &Value, each: &mut dyn FnMut(&Value)) {
    match json {
        Value::Array(all) => all.iter().for_each(|one| places(one, each)),
        Value::Object(all) if all.contains_key("t") => each(&json["t"]),
        Value::Object(all) => all.values().for_each(|one| places(one, each)),
        _ => {}
    }
}

/// Whether an operator is another under a second name.
fn is_alias(op: &str) -> bool {
    op.ends_with("_copy") || op.starts_with("unsafe_") || op.starts_with("__r")
}

/// Whether a sample's operator moves elements and computes nothing.
fn moves(table: &Table, sample: &Value) -> bool {
    let text = |key: &str| sample[key].as_str().unwrap_or_default();
    table.find(text("op"), text("variant")).is_some_and(|op| op.rule == Rule::Exact)
}

fn all_finite(file: &File, json: &Value) -> bool {
    let mut finite = true;
    places(json, &mut |place| {
        if let Ok((_, data)) = file.host(place) {
            finite &= data.to_f64().iter().all(|x| x.is_finite());
        }
    });
    finite
}

/// The samples with their tensors packed anew.
fn write(file: &File, mut samples: Vec<Value>, device: &Device, path: &Path) -> Result<()> {
    let mut data: BTreeMap<String, HostData> = BTreeMap::new();
    let mut error = None;
    samples.iter_mut().for_each(|sample| {
        pack(sample, &mut |place| match file.host(place) {
            Ok((_, part)) => {
                let name = place[0].as_str().unwrap_or_default().to_string();
                let all = data.entry(name).or_insert_with(|| HostData::from_f64(&[], part.dtype()));
                place[2] = json!(all.len());
                append(all, part);
            }
            Err(found) => error = Some(found),
        });
    });
    if let Some(error) = error {
        return Err(error);
    }
    let mut tensors = Vec::new();
    for (name, host) in data {
        let count = host.len();
        tensors.push((name, Tensor::from_host(host, [count], device)?));
    }
    let lines: Vec<String> = samples.iter().map(Value::to_string).collect();
    let bytes = lines.join("\n").into_bytes();
    tensors.push(("samples".into(), Tensor::from_vec(bytes.clone(), [bytes.len()], device)?));
    save_noted(&tensors, "peer", &file.peer, path)
}

/// `part` behind `all`, of the same dtype.
fn append(all: &mut HostData, part: HostData) {
    match (all, part) {
        (HostData::F32(all), HostData::F32(part)) => all.extend(part),
        (HostData::F64(all), HostData::F64(part)) => all.extend(part),
        (HostData::F16(all), HostData::F16(part)) => all.extend(part),
        (HostData::BF16(all), HostData::BF16(part)) => all.extend(part),
        (HostData::I64(all), HostData::I64(part)) => all.extend(part),
        (HostData::U8(all), HostData::U8(part)) => all.extend(part),
        _ => {}
    }
}

/// Calls `each` with every tensor's place in `json`, to change it.
fn pack(json: &mut Value, each: &mut dyn FnMut(&mut Value)) {
    match json {
        Value::Array(all) => all.iter_mut().for_each(|one| pack(one, each)),
        Value::Object(all) => match all.get_mut("t") {
            Some(place) => each(place),
            None => all.values_mut().for_each(|one| pack(one, each)),
        },
        _ => {}
    }
}
