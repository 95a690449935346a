//! Sums of products by Einstein's convention, composed of matrix products, as in NumPy and PyTorch.

use super::shorthand::is_half;
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use std::collections::BTreeMap;
use taper_backend::{DType, Error, Result, Shape, SliceRange};

const OP: &str = "einsum";

/// A dimension of an operand: one that a letter names, or one of those that `...` stands for, counted from the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(std::cmp::Reverse<usize>),
    Letter(char),
}

/// An operand, or a product of some, with what its dimensions are called.
struct Term {
    value: Tensor,
    labels: Vec<Label>,
}

impl Tensor {
    /// The sum of products of `operands` (at least one) that `equation` says: `"bij,bjk->bik"` is a batch of matrix
    /// products. Each dimension of an operand has a letter (a–z, A–Z); what has the same letter is of one size, or of
    /// size 1, which is repeated; a letter twice in one operand means its diagonal. Letters that are not behind `->` are
    /// summed over. `...` stands for the dimensions without letters, which broadcast. Without `->` the output has those
    /// and then the letters that come once, in order of the alphabet.
    ///
    /// The operands are multiplied from the left to the right: for several, the order in which they come says how much
    /// there is to compute.
    pub fn einsum(equation: &str, operands: &[&Tensor]) -> Result<Tensor> {
        let bad = |what: String| Error::argument(OP, format!("{equation:?}: {what}"));
        let Some(first) = operands.first() else { return Err(bad("no operands came, expected at least one".into())) };
        let names: Vec<String> = (0..operands.len()).map(|i| format!("operand {i}")).collect();
        check::same(OP, &names.iter().map(String::as_str).collect::<Vec<_>>(), operands)?;
        let text: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
        let (inputs, output) = text.split_once("->").map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
        let inputs: Vec<&str> = inputs.split(',').collect();
        if inputs.len() != operands.len() {
            return Err(bad(format!("it has {} operands, {} came", inputs.len(), operands.len())));
        }
        let mut terms = Vec::new();
        for (i, (text, operand)) in inputs.iter().zip(operands).enumerate() {
            let labels = labels(text, Some(operand.shape().rank()))
                .map_err(|what| bad(format!("{what} in {text:?}, for operand {i} of shape {}", operand.shape())))?;
            terms.push(Term { value: (*operand).clone(), labels });
        }
        let all: Vec<Label> = terms.iter().flat_map(|term| term.labels.iter().copied()).collect();
        let output = match output {
            Some(text) => labels_of_output(text, &all).map_err(|what| bad(format!("{what} in the output {text:?}")))?,
            None => {
                let once = |label: &Label| all.iter().filter(|other| *other == label).count() == 1;
                let mut labels: Vec<Label> =
                    all.iter().copied().filter(|label| matches!(label, Label::Ellipsis(_)) || once(label)).collect();
                labels.sort();
                labels.dedup();
                labels
            }
        };
        let sizes = sizes(&terms).map_err(bad)?;
        // In halves a sum or a product before the last would be rounded too.
        let alone = |label: &Label| {
            !output.contains(label) && terms.iter().filter(|term| term.labels.contains(label)).count() == 1
        };
        if is_half(first) && (terms.len() > 2 || terms.len() == 2 && all.iter().any(alone)) {
            let wide = operands.iter().map(|x| x.cast(DType::F32)).collect::<Result<Vec<_>>>()?;
            return Tensor::einsum(equation, &wide.iter().collect::<Vec<_>>())?.cast(first.dtype());
        }
        let shape: Shape = output.iter().map(|label| sizes[label]).collect::<Vec<_>>().into();
        check::size(OP, &shape, first.dtype())?;
        let mut terms = terms.into_iter().map(|term| term.single(&sizes)).collect::<Result<Vec<_>>>()?.into_iter();
        let Some(mut product) = terms.next() else { return Err(bad("no operands".into())) };
        while let Some(next) = terms.next() {
            let later = terms.as_slice();
            let kept = |label: &Label| output.contains(label) || later.iter().any(|term| term.labels.contains(label));
            product = product.times(next, &kept)?;
        }
        product = product.summed(|label| output.contains(label))?;
        product.in_order(&output)
    }
}

/// What the letters of an operand or of the output mean; `rank` is the number of dimensions, where it is known.
fn labels(text: &str, rank: Option<usize>) -> std::result::Result<Vec<Label>, String> {
    let (before, after) = text.split_once("...").map_or((text, None), |(a, b)| (a, Some(b)));
    let letters = || before.chars().chain(after.unwrap_or_default().chars());
    if let Some(other) = letters().find(|c| !c.is_ascii_alphabetic()) {
        return Err(format!("{other:?} is no letter"));
    }
    let (count, letter) = (letters().count(), |c: char| Label::Letter(c));
    let hidden = match (rank, after) {
        (Some(rank), None) if rank != count => return Err(format!("there are {count} letters")),
        (Some(rank), Some(_)) => rank.checked_sub(count).ok_or_else(|| format!("there are {count} letters"))?,
        _ => 0,
    };
    let ellipsis = (0..hidden).rev().map(|i| Label::Ellipsis(std::cmp::Reverse(i)));
    Ok(before.chars().map(letter).chain(ellipsis).chain(after.unwrap_or_default().chars().map(letter)).collect())
}

/// The output's labels: letters of the inputs, each once, and all that `...` stood for.
fn labels_of_output(text: &str, all: &[Label]) -> std::result::Result<Vec<Label>, String> {
    let letters = labels(text, None)?;
    if let Some((_, label)) = letters.iter().enumerate().find(|(i, label)| letters[..*i].contains(label)) {
        return Err(format!("{} comes twice", name(*label)));
    }
    if let Some(label) = letters.iter().find(|label| !all.contains(label)) {
        return Err(format!("{} is in no operand", name(*label)));
    }
    let Some((before, _)) = text.split_once("...") else { return Ok(letters) };
    let mut hidden: Vec<Label> = all.iter().copied().filter(|label| matches!(label, Label::Ellipsis(_))).collect();
    hidden.sort();
    hidden.dedup();
    let (before, after) = letters.split_at(before.len());
    Ok([before, &hidden, after].concat())
}

fn name(label: Label) -> String {
    match label {
        Label::Letter(c) => format!("{c:?}"),
        Label::Ellipsis(_) => "\"...\"".into(),
    }
}

/// The size of each dimension: of those that have its label the one that is not 1.
fn sizes(terms: &[Term]) -> std::result::Result<BTreeMap<Label, usize>, String> {
    let mut sizes = BTreeMap::new();
    for (i, term) in terms.iter().enumerate() {
        for (dim, (&label, &size)) in term.labels.iter().zip(term.value.shape().iter()).enumerate() {
            let known = *sizes.entry(label).or_insert(size);
            let here = |&at: &usize| term.labels[at] == label;
            let twin = (0..dim).find(here).is_some_and(|at| term.value.shape()[at] != size);
            if twin || known != size && known != 1 && size != 1 {
                let shape = term.value.shape();
                return Err(format!("{} is {size} in operand {i} of shape {shape}, and {known} before", name(label)));
            }
            if size != 1 {
                sizes.insert(label, size);
            }
        }
    }
    Ok(sizes)
}

impl Term {
    /// With each label once, its diagonal where it came twice, and without what is 1 here and more elsewhere.
    fn single(mut self, sizes: &BTreeMap<Label, usize>) -> Result<Self> {
        while let Some((first, second)) = twice(&self.labels) {
            let size = self.value.shape()[first];
            let others: Vec<usize> = (0..self.labels.len()).filter(|&i| i != first && i != second).collect();
            let order: Vec<isize> = others.iter().chain(&[first, second]).map(|&i| i as isize).collect();
            let mut shape: Vec<usize> = others.iter().map(|&i| self.value.shape()[i]).collect();
            let mut ranges: Vec<SliceRange> = shape.iter().map(|&size| SliceRange::new(0, size)).collect();
            // Of the n² elements of the two, one in n + 1.
            shape.push(size * size);
            ranges.push(SliceRange { start: 0, end: size * size, step: size + 1 });
            self.value = self.value.permute(&order)?.reshape(shape)?.slice(&ranges)?;
            self.labels = others.iter().chain(&[first]).map(|&i| self.labels[i]).collect();
        }
        let repeated: Vec<usize> =
            (0..self.labels.len()).filter(|&i| self.value.shape()[i] == 1 && sizes[&self.labels[i]] != 1).collect();
        self.value = self.value.without_axes(&repeated)?;
        self.labels = (0..self.labels.len()).filter(|i| !repeated.contains(i)).map(|i| self.labels[i]).collect();
        Ok(self)
    }

    /// Summed over all dimensions but those that are kept.
    fn summed(mut self, kept: impl Fn(&Label) -> bool) -> Result<Self> {
        let gone: Vec<isize> = (0..self.labels.len()).filter(|&i| !kept(&self.labels[i])).map(|i| i as isize).collect();
        if !gone.is_empty() {
            self.value = self.value.sum(&gone, false)?;
            self.labels.retain(|label| kept(label));
        }
        Ok(self)
    }

    /// The value with its dimensions in the order of `labels`.
    fn in_order(&self, labels: &[Label]) -> Result<Tensor> {
        let place = |label: &Label| self.labels.iter().position(|other| other == label).map(|i| i as isize);
        let order: Vec<isize> = labels.iter().filter_map(place).collect();
        if order.windows(2).all(|pair| pair[0] < pair[1]) { Ok(self.value.clone()) } else { self.value.permute(&order) }
    }

    fn size(&self, label: &Label) -> usize {
        self.labels.iter().position(|other| other == label).map_or(1, |i| self.value.shape()[i])
    }

    /// The product with another term, summed over what is not kept.
    fn times(self, other: Self, kept: &impl Fn(&Label) -> bool) -> Result<Self> {
        // What only one of the two has is summed before.
        let a = self.summed(|label| kept(label) || other.labels.contains(label))?;
        let b = other.summed(|label| kept(label) || a.labels.contains(label))?;
        let of = |term: &Self, with: &dyn Fn(&Label) -> bool| -> Vec<Label> {
            term.labels.iter().copied().filter(|label| with(label)).collect()
        };
        let batch = of(&a, &|label| kept(label) && b.labels.contains(label));
        let summed = of(&a, &|label| !kept(label));
        let rows = of(&a, &|label| kept(label) && !b.labels.contains(label));
        let columns = of(&b, &|label| kept(label) && !a.labels.contains(label));
        let labels = [&batch[..], &rows, &columns].concat();
        if summed.is_empty() || !a.value.dtype().is_float() {
            // Element by element.
            let labels = [&labels[..], &summed].concat();
            let aligned = |term: &Self| {
                let (own, shape) = (of(term, &|_| true), labels.iter().map(|label| term.size(label)));
                let order: Vec<Label> = labels.iter().copied().filter(|label| own.contains(label)).collect();
                term.in_order(&order)?.reshape(shape.collect::<Vec<_>>())
            };
            let value = aligned(&a)?.mul(&aligned(&b)?)?;
            return Self { value, labels }.summed(kept);
        }
        let count = |term: &Self, labels: &[Label]| labels.iter().map(|label| term.size(label)).product::<usize>();
        let [n, m, k, columns_count] = [count(&a, &batch), count(&a, &rows), count(&a, &summed), count(&b, &columns)];
        // A factor that lies transposed is multiplied so, without a copy.
        let lies = |term: &Self, order: [&[Label]; 3]| term.labels == order.concat();
        let ta = lies(&a, [&batch, &summed, &rows]) && !lies(&a, [&batch, &rows, &summed]);
        let tb = lies(&b, [&batch, &columns, &summed]) && !lies(&b, [&batch, &summed, &columns]);
        let factor = |term: &Self, [first, second]: [&[Label]; 2], sizes: [usize; 2]| {
            let value = term.in_order(&[&batch[..], first, second].concat())?;
            if batch.is_empty() { value.reshape(sizes) } else { value.reshape([n, sizes[0], sizes[1]]) }
        };
        let left = if ta { factor(&a, [&summed, &rows], [k, m])? } else { factor(&a, [&rows, &summed], [m, k])? };
        let right = if tb {
            factor(&b, [&columns, &summed], [columns_count, k])?
        } else {
            factor(&b, [&summed, &columns], [k, columns_count])?
        };
        let size = |label: &Label| if a.labels.contains(label) { a.size(label) } else { b.size(label) };
        let sizes: Vec<usize> = labels.iter().map(size).collect();
        Ok(Self { value: left.matmul_t(&right, [ta, tb])?.reshape(sizes)?, labels })
    }
}

/// Two places with the same label.
fn twice(labels: &[Label]) -> Option<(usize, usize)> {
    let second = (1..labels.len()).find(|&i| labels[..i].contains(&labels[i]))?;
    Some((labels.iter().position(|label| *label == labels[second])?, second))
}

pub(super) fn cases() -> Vec<Case> {
    let of = |equation: &'static str| {
        Case::new(equation, move |x: &[Tensor]| Tensor::einsum(equation, &x.iter().collect::<Vec<_>>()))
    };
    vec![
        of("ij,jk->ik").input([2, 3]).input([3, 4]),
        of("ji,kj->ik").input([3, 2]).input([4, 3]),
        of("bhqd,bhkd->bhqk").input([2, 2, 3, 2]).input([2, 2, 4, 2]),
        of("ii->i").input([3, 3]),
        of("iji->j").input([3, 2, 3]),
        of("ij->").input([2, 3]),
        of("i,j").input([2]).input([3]),
        of("ab...,b...c->...ca").input([2, 3, 4]).input([3, 1, 2]),
        of("ik,jkl,il->ij").input([2, 3]).input([4, 3, 2]).input([2, 2]),
        of("ij,ij->i").input([2, 3]).input([2, 1]),
        of("ij,kl->i").input([2, 3]).input([2, 2]),
    ]
}
