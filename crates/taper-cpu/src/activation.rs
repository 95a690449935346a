//! Activation functions and their gradients, each in one pass over memory.

use crate::binary::{Function2, apply2};
use crate::elementwise::{map1, map2};
use crate::math::Float;
use crate::storage::for_float;
use crate::unary::{Function, apply};
use crate::{CpuBackend, Isa, transfer};
use taper_backend::{Activation, Buffer, DType, FusedOp, FusedOutput, Rim, Saved};

/// An activation function, and the product of a gradient with its derivative.
trait Curve<T>: Copy + Send + Sync {
    fn value(self, x: T) -> T;
    fn grad(self, x: T, g: T) -> T;
}

/// `x → f(x)`.
#[derive(Clone, Copy)]
struct Value<C>(C);
impl<T, C: Curve<T>> Function<T> for Value<C> {
    #[inline(always)]
    fn at(self, x: T) -> T {
        self.0.value(x)
    }
}

/// `x, g → g · f′(x)`.
#[derive(Clone, Copy)]
struct Grad<C>(C);
impl<T, C: Curve<T>> Function2<T> for Grad<C> {
    #[inline(always)]
    fn at(self, x: T, g: T) -> T {
        self.0.grad(x, g)
    }
}

/// A generic job for the curve that an [`Activation`] names.
trait CurveJob<T: Float> {
    type Output;
    fn with<C: Curve<T> + 'static>(self, curve: C) -> Self::Output;
}

macro_rules! curves {
    ($($name:ident $({ $($field:ident),* })?: |$s:ident, $x:ident, $g:ident| $value:expr, $grad:expr;)*) => {
        mod curve {
            $(#[derive(Clone, Copy)]
            pub struct $name<T> {
                $($(pub $field: f64,)*)?
                pub of: std::marker::PhantomData<T>,
            })*
        }
        $(impl<T: Float> Curve<T> for curve::$name<T> {
            #[inline(always)]
            #[allow(unused_variables)]
            fn value(self, $x: T) -> T {
                let $s = self;
                $value
            }
            #[inline(always)]
            #[allow(unused_variables)]
            fn grad(self, $x: T, $g: T) -> T {
                let $s = self;
                $grad
            }
        })*

        /// Hands the curve of `f` to `job`; `None` for the identity.
        fn choose<T: Float, U: CurveJob<T>>(f: Activation, job: U) -> Option<U::Output> {
            match f {
                Activation::Identity => None,
                $(Activation::$name $({ $($field),* })? => Some(job.with(curve::$name::<T> {
                    $($($field,)*)?
                    of: std::marker::PhantomData,
                })),)*
            }
        }
    };
}

// Comparisons are written so that NaN stays NaN, in derivatives too: the last branch of a choice between constants is
// x.
curves! {
    Relu: |s, x, g| if x < T::ZERO { T::ZERO } else { x }, gate(x, g, T::ZERO);
    LeakyRelu { negative_slope }: |s, x, g|
        if x > T::ZERO { x } else { T::of(s.negative_slope) * x },
        gate(x, g, T::of(s.negative_slope) * g);
    Elu { alpha }: |s, x, g|
        if x >= T::ZERO { x } else { T::of(s.alpha) * x.exp_m1_below_zero() },
        if x > T::ZERO { g } else { g * T::of(s.alpha) * x.exp() };
    Gelu: |s, x, g| x.gelu(), g * x.gelu_slope();
    GeluTanh: |s, x, g| x.gelu_tanh(), g * x.gelu_tanh_slope();
    Silu: |s, x, g| x.silu(), g * x.silu_slope();
    Sigmoid: |s, x, g| x.sigmoid(), g * x.sigmoid_slope();
    // 1 − tanh² x = 4 σ′(2x), without cancellation
    Tanh: |s, x, g| x.tanh(), g * (T::of(4.0) * (x + x).sigmoid_slope());
    Softplus { beta, threshold }: |s, x, g|
        if T::of(s.beta) * x > T::of(s.threshold) { x } else { x.softplus(s.beta) },
        if T::of(s.beta) * x > T::of(s.threshold) { g } else { g * x.sigmoid_scaled(s.beta) };
    Hardswish: |s, x, g| {
        let three = T::of(3.0);
        if x <= -three { T::ZERO } else if x >= three { x } else { x * (x + three) / T::of(6.0) }
    }, {
        let three = T::of(3.0);
        let slope = (x + x + three) / T::of(6.0);
        if x <= -three { T::ZERO } else if x >= three { g } else { g * slope }
    };
}

/// `g` if x > 0, `below` if x ≤ 0, NaN if x is NaN.
#[inline(always)]
pub(crate) fn gate<T: PartialOrd + Default + Copy>(x: T, g: T, below: T) -> T {
    if x > T::default() {
        g
    } else if x <= T::default() {
        below
    } else {
        x
    }
}

/// A kernel fills its last slice from the first, which has the same length.
pub(crate) type Kernel<T> = Box<dyn Fn(Isa, &[T], &mut [T]) + Send + Sync>;
/// A kernel that fills its last slice from `x` and `g`.
pub(crate) type GradKernel<T> = Box<dyn Fn(Isa, &[T], &[T], &mut [T]) + Send + Sync>;

/// `f` over slices; `None` for the identity.
pub(crate) fn kernel<T: Float>(f: Activation) -> Option<Kernel<T>> {
    struct Job;
    impl<T: Float> CurveJob<T> for Job {
        type Output = Kernel<T>;
        fn with<C: Curve<T> + 'static>(self, curve: C) -> Kernel<T> {
            Box::new(move |isa, x, y| apply(isa, Value(curve), x, y))
        }
    }
    choose(f, Job)
}

/// `x, g → g · f′(x)` over slices; `None` for the identity.
pub(crate) fn grad_kernel<T: Float>(f: Activation) -> Option<GradKernel<T>> {
    struct Job;
    impl<T: Float> CurveJob<T> for Job {
        type Output = GradKernel<T>;
        fn with<C: Curve<T> + 'static>(self, curve: C) -> GradKernel<T> {
            Box::new(move |isa, x, g, y| apply2(isa, Grad(curve), x, g, y))
        }
    }
    choose(f, Job)
}

pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    let FusedOp::Activation { x, f } = *op else { return Ok(None) };
    Ok(activation(cpu, f, x)?.map(FusedOutput::from))
}

pub(crate) fn fused_grad(
    cpu: &CpuBackend,
    op: &FusedOp<'_>,
    g: &Buffer,
    _saved: &Saved,
    _needs: &[bool],
) -> Rim<Vec<Option<Buffer>>> {
    let FusedOp::Activation { x, f } = *op else { return Ok(None) };
    Ok(activation_grad(cpu, f, x, g)?.map(|gradient| vec![Some(gradient)]))
}

/// `f(x)`. f16 and bf16 are computed in f32 and rounded once.
fn activation(cpu: &CpuBackend, f: Activation, x: &Buffer) -> Rim<Buffer> {
    if matches!(x.dtype(), DType::F16 | DType::BF16) && f != Activation::Identity {
        let y = activation(cpu, f, &transfer::cast(cpu, x, DType::F32)?)?;
        return y.map(|y| transfer::cast(cpu, &y, x.dtype())).transpose();
    }
    for_float!(x.dtype(), T => match kernel::<T>(f) {
        Some(f) => map1::<T, T>(cpu, x, &|x, y| f(cpu.isa(), x, y)).map(Some),
        None => Ok(Some(x.clone())),
    }, else Ok(None))
}

fn activation_grad(cpu: &CpuBackend, f: Activation, x: &Buffer, g: &Buffer) -> Rim<Buffer> {
    if matches!(x.dtype(), DType::F16 | DType::BF16) && f != Activation::Identity {
        let wide = |x| transfer::cast(cpu, x, DType::F32);
        let gradient = activation_grad(cpu, f, &wide(x)?, &wide(g)?)?;
        return gradient.map(|gradient| transfer::cast(cpu, &gradient, x.dtype())).transpose();
    }
    for_float!(x.dtype(), T => match grad_kernel::<T>(f) {
        Some(f) => map2::<T, T, T>(cpu, "activation_grad", x, g, &|x, g, y| f(cpu.isa(), x, g, y)).map(Some),
        None => Ok(Some(g.clone())),
    }, else Ok(None))
}
