//! The machine's peak floating-point rate: many independent fused multiply-adds in f32, in registers alone.

use serde_json::{Value, json};

/// The measured peak for a number of threads.
pub struct Peak {
    pub threads: usize,
    /// The instruction set that it was measured with.
    pub isa: &'static str,
    /// Billions of floating-point operations per second, all threads together.
    pub gflops: f64,
}

impl Peak {
    pub fn to_json(&self) -> Value {
        json!({"threads": self.threads, "isa": self.isa, "gflops": self.gflops})
    }
}

/// Measures `peaks` again and keeps the higher of both: disturbances only make a measurement smaller.
pub fn again(peaks: Vec<Peak>, avx2_only: bool) -> Vec<Peak> {
    let better = |old: Peak| measure(old.threads, avx2_only).filter(|new| new.gflops > old.gflops).unwrap_or(old);
    peaks.into_iter().map(better).collect()
}

/// Measures the peak of `threads` threads, the best of all calls within half a second; without AVX-512 if `avx2_only`.
/// `None` on machines with neither AVX-512 nor AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
pub fn measure(threads: usize, avx2_only: bool) -> Option<Peak> {
    use std::time::Instant;
    let (isa, flop, kernel): (_, _, fn()) = if !avx2_only && is_x86_feature_detected!("avx512f") {
        // SAFETY: the machine has the instructions.
        ("AVX-512", 2 * x86::COUNT * x86::WIDE * 16, || unsafe { x86::wide() })
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: as above.
        ("AVX2", 2 * x86::COUNT * x86::NARROW * 8, || unsafe { x86::narrow() })
    } else {
        return None;
    };
    let begin = Instant::now();
    let mut best = f64::INFINITY;
    while begin.elapsed().as_secs_f64() < 0.5 {
        let start = Instant::now();
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(kernel))));
        best = best.min(start.elapsed().as_secs_f64());
    }
    Some(Peak { threads, isa, gflops: 1e-9 * (flop * threads) as f64 / best })
}

#[cfg(not(target_arch = "x86_64"))]
pub fn measure(_: usize, _: bool) -> Option<Peak> {
    None
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Iterations per call. They take some milliseconds, far longer than starting a thread.
    pub const COUNT: usize = 2_000_000;
    /// Independent vector sums, as many as hide the latency of a multiply-add and fit the registers.
    pub const WIDE: usize = 24;
    pub const NARROW: usize = 12;

    macro_rules! kernel {
        ($name:ident, $features:literal, $vectors:expr, $set:ident, $fmadd:ident) => {
            #[target_feature(enable = $features)]
            pub fn $name() {
                let (x, y) = ($set(0.999), $set(0.5));
                let mut sums = [y; $vectors];
                for _ in 0..COUNT {
                    for sum in &mut sums {
                        *sum = $fmadd(*sum, x, y);
                    }
                }
                std::hint::black_box(sums.into_iter().fold(y, |total, sum| $fmadd(total, x, sum)));
            }
        };
    }
    kernel!(wide, "avx512f", WIDE, _mm512_set1_ps, _mm512_fmadd_ps);
    kernel!(narrow, "avx2,fma", NARROW, _mm256_set1_ps, _mm256_fmadd_ps);
}
