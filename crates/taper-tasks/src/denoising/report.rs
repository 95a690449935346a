//! What is shown of masked noise: spectrograms before and after, and ratios by kind of noise, beside other masks.

use super::task::rows;
use super::{Denoising, Masking};
use taper_data::Batch;
use taper_nn::{Context, no_grad};
use taper_report::html::{Block, Column, Framed, Gallery, Page, Section, Table};
use taper_report::{Format, Picture};
use taper_train::{DeviceBatch, Finished, Result, Split};

/// Mixtures that are shown.
const SHOWN: usize = 16;
/// How far below the loudest value the darkest is, in dB.
const RANGE: f32 = 50.0;
/// Columns of the brightest colour between two spectrograms.
const BETWEEN: usize = 1;

pub(super) fn report(of: &Denoising, found: &Finished<'_>, page: &mut Page) -> Result<()> {
    let ratios: Vec<[f64; 4]> = found.outcome.rows.iter().filter_map(|row| row.try_into().ok()).collect();
    if ratios.is_empty() {
        return Ok(());
    }
    let gallery = Gallery {
        note: "Test mixtures as spectrograms, time from left to right, frequency upwards, with one scale of 50 dB: the mixture, what \
               the network leaves of it, and the clean sound. Beneath, the kind of noise and the scale-invariant signal-to-noise \
               ratio before and after."
            .into(),
        ..Gallery::new(pictures(of, found, &ratios)?)
    };
    page.sections.push(Section::new("Before and after").with(gallery.wide()));
    page.sections.push(Section::new("By noise").with(by_kind(of, &ratios)).with(Block::Note(
        "Mean scale-invariant signal-to-noise ratios in dB of the mixture and of what is left of it. Spectral subtraction knows nothing \
         of speech; the best mask knows the clean sound: no mask from 0 to 1 of the mixture's frames does better in their energy."
            .into(),
    )));
    Ok(())
}

/// A row for each kind of noise, and one for all.
fn by_kind(of: &Denoising, ratios: &[[f64; 4]]) -> Table {
    let numbers = ["mixtures", "mixture", "network", "gain", "spectral subtraction", "best mask"].map(Column::number);
    let table = Table::new([vec![Column::text("noise")], numbers.to_vec()].concat());
    let mut kinds: Vec<&str> = of.kinds.iter().map(String::as_str).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let row = |table: Table, name: String, which: &dyn Fn(usize) -> bool| {
        let own: Vec<&[f64; 4]> = (0..ratios.len()).filter(|&i| which(i)).map(|i| &ratios[i]).collect();
        let mean = |column: usize| own.iter().map(|row| row[column]).sum::<f64>() / own.len().max(1) as f64;
        let text = |value: f64| Format::Decimals(2).text(value);
        let [noisy, network, subtraction, best] = [0, 1, 2, 3].map(mean);
        let cells = [text(noisy), text(network), text(network - noisy), text(subtraction), text(best)];
        table.row([vec![name, own.len().to_string()], cells.to_vec()].concat())
    };
    let table = kinds.iter().fold(table, |table, kind| {
        let never = if of.unheard.iter().any(|other| other == kind) { ", never heard in training" } else { "" };
        row(table, format!("{kind}{never}"), &|i| of.kinds.get(i).is_some_and(|other| other == kind))
    });
    row(table, "all".into(), &|_| true)
}

/// Mixtures from the whole test, each beside what is left and the clean sound.
fn pictures(of: &Denoising, found: &Finished<'_>, ratios: &[[f64; 4]]) -> Result<Vec<Framed>> {
    let step = (ratios.len() / SHOWN).max(1);
    // Kinds of noise follow each other: a step of whole rounds would show one kind alone.
    let indices: Vec<usize> =
        (0..ratios.len()).step_by(step).take(SHOWN).enumerate().map(|(i, at)| (at + i) % ratios.len()).collect();
    let mut batch = Batch::default();
    batch.clear(indices.len());
    found.test.fill(0, &indices, &mut batch)?;
    let on_device = DeviceBatch::new(&batch, found.params, Split::Test, [0; 3]);
    let values = no_grad(|| of.mask(&on_device, &Context::eval()))?.to_host()?.to_f64();
    let masks = values.chunks_exact((values.len() / indices.len().max(1)).max(1));
    let (sizes, clean) = (rows(&batch, "magnitudes")?, rows(&batch, "clean")?);
    let all = indices.iter().zip(masks).zip(sizes.into_iter().zip(clean));
    all.map(|((&i, mask), (noisy, clean))| {
        let left: Vec<f32> = noisy.iter().zip(mask).map(|(size, weight)| size * *weight as f32).collect();
        let clean = Masking::magnitudes(&of.masking.spectrum(clean)?);
        let kind = of.kinds.get(i).cloned().unwrap_or_default();
        let [before, after] = [ratios[i][0], ratios[i][1]].map(|ratio| Format::Decimals(1).text(ratio));
        let picture = side_by_side(of.masking.bins(), &[noisy, &left, &clean])?;
        Ok(Framed { picture: Some(picture), title: kind, detail: format!("{before} dB → {after} dB") })
    })
    .collect()
}

/// Spectrograms `[bins, frames]` of magnitudes, in decibels on one scale.
fn side_by_side(bins: usize, all: &[&[f32]]) -> Result<Picture> {
    let loudest = all.iter().flat_map(|of| of.iter()).copied().fold(f32::MIN_POSITIVE, f32::max);
    let decibels = |size: f32| (20.0 * (size / loudest).max(f32::MIN_POSITIVE).log10()).max(-RANGE);
    let frames = all.first().map_or(0, |of| of.len() / bins.max(1));
    let mut values = Vec::with_capacity(bins * (frames + BETWEEN) * all.len());
    for bin in (0..bins).rev() {
        for (i, of) in all.iter().enumerate() {
            values.extend(std::iter::repeat_n(0.0, if i == 0 { 0 } else { BETWEEN }));
            values.extend(of[bin * frames..(bin + 1) * frames].iter().map(|size| decibels(*size)));
        }
    }
    Ok(Picture::coloured([bins, values.len() / bins.max(1)], &values)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spectrograms_stand_side_by_side_with_one_scale() {
        let picture = side_by_side(2, &[&[1.0, 0.5, 0.0, 1e-9], &[0.1, 0.1, 0.1, 0.1]]).unwrap();
        assert_eq!(picture.shape(), [3, 2, 5]);
        // Below, the first frequency: its first value is the loudest of both, as bright as what is between them.
        let red = |row: usize, column: usize| picture.values()[row * 5 + column];
        assert_eq!([red(1, 0), red(0, 0), red(0, 1)], [253, 68, 68]);
        assert_eq!([red(0, 2), red(1, 2)], [253, 253]);
        assert!(red(1, 3) == red(0, 4) && ![68, 253].contains(&red(1, 3)));
    }
}
