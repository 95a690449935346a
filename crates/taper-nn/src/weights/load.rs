//! Loading a file into the parameters of a model: what is compared, and which differences are accepted.

use super::element::{in_memory, widens};
use super::file::{WeightFile, read};
use super::mapping::{Mapped, Mapping};
use super::report::{Report, shortened};
use crate::pattern::matches;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use taper_tensor::{DType, Error, Param, Result, no_grad, printable};

/// Which differences between a file and the parameters are accepted: by default none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Whether floats of another precision are cast to the parameters' dtype.
    pub cast: bool,
    /// Whether parameters may be missing, tensors unexpected, and either of another shape or dtype.
    pub partly: bool,
    /// Whether the head may be one of another number of classes: parameters that differ in their first dimension alone,
    /// all from the same number to the same other, keep their values.
    pub new_head: bool,
    /// Patterns of parameters that keep their values, whatever the file has; see [`matches`](crate::matches()).
    pub skip: Vec<String>,
    /// The names and shapes that the file has for the model's.
    pub mapping: Mapping,
}

/// Loads the file `path`, in any of the formats of [`read`], into `params`.
///
/// # Errors
/// The errors of [`read`]; a pattern of `skip` that matches no parameter; two tensors that the mapping gives one name;
/// tied tensors that differ; and everything that does not fit, listed, with the numbers of tensors and elements. No
/// parameter is changed then.
pub fn load_with(params: &[Param], path: impl AsRef<Path>, options: &LoadOptions) -> Result<Report> {
    let file = read(path)?;
    let fail = |detail: String| Error::Parameter(printable(&detail).into_owned());
    let tensors = mapped(&file, params, &options.mapping).map_err(fail)?;
    let mut loading = Loading { file: &file, options, report: tensors.report, tensors: tensors.by_name };
    let found = loading.compare(params).map_err(fail)?;
    let Loading { mut report, .. } = loading;
    if !options.partly && !report.is_whole() {
        return Err(fail(unfit("the weights of", "do not fit", &file, params, &report)));
    }
    if found.is_empty() && report.kept.len() < params.len() && (options.partly || options.new_head) {
        return Err(fail(unfit("none of the weights of", "fits", &file, params, &report)));
    }
    // All values are created before any is assigned, so that a failure leaves the parameters unchanged.
    let mut values = Vec::with_capacity(found.len());
    for (param, tensor) in &found {
        let current = param.tensor();
        let value = file.value(&tensor.original, &tensor.stored, current.device())?;
        let same = value.dtype() == current.dtype();
        values.push((*param, if same { value } else { no_grad(|| value.cast(current.dtype()))? }));
    }
    values.iter().try_for_each(|(param, value)| param.set(value))?;
    report.loaded = values.iter().map(|(param, _)| param.name().to_owned()).collect();
    Ok(report)
}

/// What does not fit, with the sizes of both.
fn unfit(what: &str, how: &str, file: &WeightFile, params: &[Param], report: &Report) -> String {
    let elements = file.tensors().map(|(_, shape, _)| shape.iter().product::<usize>()).sum::<usize>();
    let own = params.iter().map(|param| param.tensor().count()).sum::<usize>();
    let (tensors, name, detail) = (file.tensors().count(), file.name(), report.differences());
    let notes = report.notes.iter().map(|note| format!("; {note}")).collect::<String>();
    format!(
        "{what} {name} {how}, nothing was loaded (the file has {tensors} tensors of {elements} numbers, the model {} of \
         {own}): {detail}{notes}",
        params.len()
    )
}

/// The tensors of a file under the model's names, and the begin of a report.
struct Tensors {
    by_name: HashMap<String, Mapped>,
    report: Report,
}

fn mapped(file: &WeightFile, params: &[Param], mapping: &Mapping) -> Result<Tensors, String> {
    let known: HashSet<&str> = params.iter().map(Param::name).collect();
    let names: Vec<&str> = file.contents.names.iter().map(|(name, _)| name.as_str()).collect();
    let wrapping = mapping.wrapping(&names, &known);
    let mut report = Report { notes: file.notes().to_vec(), ..Report::default() };
    if !wrapping.is_empty() {
        report.notes.push(format!("the prefix {} was left out", wrapping.concat()));
    }
    let mut by_name: HashMap<String, Mapped> = HashMap::new();
    for (name, at) in &file.contents.names {
        let Some(stored) = file.contents.tensors.get(*at) else { continue };
        let tensor = mapping.map(name, &wrapping, stored).map_err(|error| format!("{}: {error}", file.name()))?;
        if mapping.ignores(&tensor.name) {
            report.ignored.push(name.clone());
            continue;
        }
        if let Some(other) = by_name.insert(tensor.name.clone(), tensor) {
            return Err(format!("{}: {} and {name} both become {}", file.name(), other.original, other.name));
        }
    }
    Ok(Tensors { by_name, report })
}

/// A file that is compared with parameters.
struct Loading<'a> {
    file: &'a WeightFile,
    options: &'a LoadOptions,
    report: Report,
    tensors: HashMap<String, Mapped>,
}

/// The sizes in which a head's first dimension differs: in the file, and in the model.
type Classes = [usize; 2];

impl Loading<'_> {
    /// Compares all parameters with the file, and returns those that are loaded with their tensors.
    fn compare<'p>(&mut self, params: &'p [Param]) -> Result<Vec<(&'p Param, Mapped)>, String> {
        let mut found = Vec::new();
        let mut heads: Vec<(Option<Classes>, String)> = Vec::new();
        let mut used: HashSet<String> = HashSet::new();
        self.check_skipped(params)?;
        for param in params {
            let name = param.name();
            if self.options.skip.iter().any(|pattern| matches(pattern, name)) {
                used.insert(name.to_owned());
                self.report.kept.push(name.to_owned());
                continue;
            }
            let Some(tensor) = self.tensor_of(name)? else {
                self.report.missing.push(name.to_owned());
                continue;
            };
            used.insert(tensor.name.clone());
            let (shape, expected) = (&tensor.stored.shape, param.tensor());
            let shaped = shape == expected.shape().dims();
            if !shaped {
                let classes = match (&shape[..], expected.shape().dims()) {
                    ([theirs, rest @ ..], [ours, other @ ..]) if rest == other => Some([*theirs, *ours]),
                    _ => None,
                };
                heads.push((classes, format!("{name} is {shape:?} in the file, expected {}", expected.shape())));
            }
            if self.converts(&tensor, name, expected.dtype(), shaped) && shaped {
                if tensor.transposed {
                    self.report.transposed.push(name.to_owned());
                }
                found.push((param, tensor));
            }
        }
        // A head of other classes is the only thing that differs, and differs in one way.
        let told: BTreeSet<Option<Classes>> = heads.iter().map(|(classes, _)| *classes).collect();
        let new_head = self.options.new_head && told.len() == 1 && !told.contains(&None);
        let list = if new_head { &mut self.report.new_head } else { &mut self.report.other_shapes };
        list.extend(heads.into_iter().map(|(_, text)| text));
        self.leftover(&used)?;
        Ok(found)
    }

    /// Errs when a pattern of parameters that are to keep their values matches none.
    fn check_skipped(&self, params: &[Param]) -> Result<(), String> {
        let none = |pattern: &&String| !params.iter().any(|param| matches(pattern, param.name()));
        match self.options.skip.iter().find(none) {
            None => Ok(()),
            Some(pattern) => {
                let has = params.iter().map(|param| param.name().to_owned()).collect::<Vec<_>>();
                Err(format!("skip: no parameter matches {pattern:?}; the model has {}", shortened(&has)))
            }
        }
    }

    /// The tensor for the parameter `name`: its own, or one that it is tied to.
    fn tensor_of(&mut self, name: &str) -> Result<Option<Mapped>, String> {
        if let Some(own) = self.tensors.get(name) {
            return Ok(Some(own.clone()));
        }
        let tied = self.options.mapping.tied_to(name).find_map(|other| self.tensors.get(other)).cloned();
        if let Some(other) = &tied {
            self.report.tied.push(format!("{name} with {}", other.name));
        }
        Ok(tied)
    }

    /// Whether the dtype of `tensor` is read as `expected`; the report says what is converted, and what is not.
    fn converts(&mut self, tensor: &Mapped, name: &str, expected: DType, shaped: bool) -> bool {
        let dtype = tensor.stored.dtype;
        let floats = in_memory(dtype).is_some_and(DType::is_float) && expected.is_float();
        let same = in_memory(dtype) == Some(expected);
        if !(same || widens(dtype, expected) || (self.options.cast && floats)) {
            self.report.other_dtypes.push(format!("{name} is {dtype} in the file, expected {expected}"));
            return false;
        }
        if shaped && !same {
            self.report.converted.push(format!("{name} from {dtype} to {expected}"));
        }
        true
    }

    /// Reports the tensors that no parameter used. One that is tied to a parameter must equal that one's.
    fn leftover(&mut self, used: &HashSet<String>) -> Result<(), String> {
        let mut left: Vec<&Mapped> = self.tensors.values().filter(|tensor| !used.contains(&tensor.name)).collect();
        left.sort_unstable_by(|a, b| a.original.cmp(&b.original));
        for tensor in left {
            let mut tied = self.options.mapping.tied_to(&tensor.name);
            match tied.find_map(|other| self.tensors.get(other).filter(|other| used.contains(&other.name))) {
                None => self.report.unexpected.push(tensor.original.clone()),
                Some(other) if self.file.same(&tensor.stored, &other.stored) => {
                    self.report.tied.push(format!("{} with {}", tensor.original, other.name));
                }
                Some(other) => {
                    let (file, one, two) = (self.file.name(), &tensor.original, &other.original);
                    return Err(format!("{file}: {one} and {two} are one tensor in the model and differ in the file"));
                }
            }
        }
        Ok(())
    }
}
