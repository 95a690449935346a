//! Correction of the input gradient near the image's borders for weights that are not finite.
//!
//! A gather reads zeros outside its image, and zero times an infinite weight is NaN. The forward convolution wants
//! that: the padding is zeros. But the sum of an input gradient has no terms outside the output's gradient, so that NaN
//! would be wrong there.

use super::gather::Gather;
use crate::gemm::{Real, Shared, run_tasks};
use crate::storage::Stored;
use taper_backend::Result;

impl<T: Real + Stored> Gather<'_, T> {
    /// If the weight is not finite, recomputes the positions whose windows lie partly outside the image, from the
    /// places inside it alone. Results are at `offset + n·pitch[0] + i·pitch[1] + j·pitch[2] + c`.
    pub fn mend_margins(&self, out: &Shared<T>, offset: usize, pitch: [usize; 3]) -> Result<()> {
        let Self { cpu, windows, groups, channels: [inputs, outputs], .. } = *self;
        let [images, ..] = self.source.shape();
        let [rows, columns] = windows.grid;
        let is_finite = |x: &T| x.wide().is_finite();
        // A weight that is not finite makes every position of its channel not finite, so the first position tells
        // whether to look at the weights. SAFETY: the gather is done; nothing else uses its results.
        let first = || unsafe { out.slice(offset..offset + groups * outputs) };
        if images * rows * columns == 0 || first().iter().all(is_finite) || self.weights().all(|w| is_finite(&w)) {
            return Ok(());
        }
        run_tasks(cpu, images * rows, images * rows * groups * inputs * outputs, |task| {
            let (n, i) = (task / rows, task % rows);
            let mut g = cpu.pool().alloc::<T>(inputs)?;
            let mut sums = vec![0.0; outputs];
            for j in (0..columns).filter(|&j| !self.is_inside(i, j)) {
                let start = offset + n * pitch[0] + i * pitch[1] + j * pitch[2];
                for group in 0..groups {
                    self.sum_inside([n, i, j], group, &mut g, &mut sums);
                    let start = start + group * outputs;
                    // SAFETY: each task has its own rows of positions.
                    let to = unsafe { out.slice(start..start + outputs) };
                    to.iter_mut().zip(&sums).for_each(|(to, &sum)| *to = T::of(sum));
                }
            }
            Ok(())
        })
    }

    /// The weights of all taps of the windows.
    fn weights(&self) -> impl Iterator<Item = T> {
        let Self { weight, windows, groups, channels: [inputs, outputs], .. } = *self;
        (0..groups).flat_map(move |group| (0..inputs).map(move |ci| (group, ci))).flat_map(move |(group, ci)| {
            windows.taps.iter().flat_map(move |tap| {
                let first = weight.at(group, ci, tap);
                (0..outputs).map(move |co| weight.data[first + co * weight.strides[0]])
            })
        })
    }

    /// Whether the window at `(i, j)` lies inside the image.
    fn is_inside(&self, i: usize, j: usize) -> bool {
        let [.., height, width] = self.source.shape();
        let within = |at: isize, size: usize| (0..size as isize).contains(&at);
        self.windows.taps.iter().all(|tap| within(i as isize + tap.y, height) && within(j as isize + tap.x, width))
    }

    /// The sums of one group at one position over the places inside the image. `g` is scratch for the channels of a
    /// place.
    fn sum_inside(&self, [n, i, j]: [usize; 3], group: usize, g: &mut [T], sums: &mut [f64]) {
        let Self { cpu, source, weight, windows, channels: [inputs, _], .. } = *self;
        let [.., height, width] = source.shape();
        sums.fill(0.0);
        for tap in &windows.taps {
            let (y, x) = (i as isize + tap.y, j as isize + tap.x);
            if !(0..height as isize).contains(&y) || !(0..width as isize).contains(&x) {
                continue;
            }
            source.load(cpu.isa(), n, group * inputs..(group + 1) * inputs, y..y + 1, x..x + 1, g);
            for (ci, g) in g.iter().enumerate() {
                let first = weight.at(group, ci, tap);
                for (co, sum) in sums.iter_mut().enumerate() {
                    *sum += g.wide() * weight.data[first + co * weight.strides[0]].wide();
                }
            }
        }
    }
}
