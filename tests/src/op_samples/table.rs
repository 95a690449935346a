//! The table: which of ours is which of PyTorch's operators, and how near the two must be.

use super::call::{Answer, Call, Stop, number};
use super::{complete, create, layers, losses, pointwise, products, reduce, sorting, views, windows};
use std::collections::HashMap;
use taper_tensor::{Result, Tensor};

/// How near a value must be to PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// The same.
    Exact,
    /// As many units in the last place of each element: where an element's error does not depend on others.
    Ulps(f64),
    /// 32 times the dtype's epsilon, of the largest element of the inputs or the output: where rounding is relative to
    /// what was added, not to what is left.
    Sums,
}

/// One of PyTorch's operators.
pub struct Op {
    /// Its name in op_db; with `.variant` behind where the variants differ.
    pub name: &'static str,
    /// How near values must be.
    pub rule: Rule,
    /// What gradients go by, where it is not what values do. See [`gradient_rule`](super::gradient_rule).
    pub gradient: Option<Rule>,
    /// Ours.
    pub run: Run,
}

/// Ours, by what it takes.
pub enum Run {
    /// One tensor.
    Unary(fn(&Tensor) -> Result<Tensor>),
    /// Two, the second maybe a number.
    Binary(fn(&Tensor, &Tensor) -> Result<Tensor>),
    /// The same, with a method of its own for numbers.
    Number(fn(&Tensor, &Tensor) -> Result<Tensor>, fn(&Tensor, f64) -> Result<Tensor>),
    /// Arguments of its own.
    Call(fn(&Call) -> Answer),
}

impl Op {
    /// With gradients that are sums over other elements, though values are not.
    pub(super) fn sums_back(self) -> Self {
        Self { gradient: Some(Rule::Sums), ..self }
    }

    /// What ours gives.
    pub fn call(&self, call: &Call) -> Answer {
        match self.run {
            Run::Unary(f) => one(f(&call.x()?)),
            Run::Binary(f) => {
                let a = call.x()?;
                let b = call.operand(1, "other", a.dtype())?;
                one(f(&a, &b))
            }
            Run::Number(f, of_number) => {
                let a = call.x()?;
                match call.find(1, "other").and_then(number) {
                    Some(c) => one(of_number(&a, c)),
                    None => one(f(&a, &call.operand(1, "other", a.dtype())?)),
                }
            }
            Run::Call(f) => f(call),
        }
    }
}

pub(super) fn unary(name: &'static str, rule: Rule, run: fn(&Tensor) -> Result<Tensor>) -> Op {
    Op { name, rule, gradient: None, run: Run::Unary(run) }
}

pub(super) fn binary(name: &'static str, rule: Rule, run: fn(&Tensor, &Tensor) -> Result<Tensor>) -> Op {
    Op { name, rule, gradient: None, run: Run::Binary(run) }
}

pub(super) fn with_number(
    name: &'static str,
    rule: Rule,
    run: fn(&Tensor, &Tensor) -> Result<Tensor>,
    of_number: fn(&Tensor, f64) -> Result<Tensor>,
) -> Op {
    Op { name, rule, gradient: None, run: Run::Number(run, of_number) }
}

pub(super) fn call(name: &'static str, rule: Rule, run: fn(&Call) -> Answer) -> Op {
    Op { name, rule, gradient: None, run: Run::Call(run) }
}

/// The only output.
pub(super) fn one(y: Result<Tensor>) -> Answer {
    y.map(|y| vec![y]).map_err(Stop::from)
}

/// All operators that both sides have.
pub struct Table(HashMap<&'static str, Op>);

impl Table {
    /// All.
    pub fn new() -> Self {
        let all = [
            pointwise::ops(),
            reduce::ops(),
            views::ops(),
            create::ops(),
            complete::ops(),
            sorting::ops(),
            products::ops(),
            windows::ops(),
            layers::ops(),
            losses::ops(),
        ];
        Self(all.into_iter().flatten().map(|op| (op.name, op)).collect())
    }

    /// The operator of op_db's `name` and `variant`.
    pub fn find(&self, name: &str, variant: &str) -> Option<&Op> {
        self.0.get(format!("{name}.{variant}").as_str()).or_else(|| self.0.get(name))
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}
