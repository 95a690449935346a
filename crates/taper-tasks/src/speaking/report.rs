//! What is shown of speaking: spectrograms of recordings beside those of what was spoken, distances, and what a recogniser reads.

use super::Speaking;
use taper_audio::Clip;
use taper_data::Dataset;
use taper_report::html::{Block, Column, Framed, Gallery, Page, Section, Table};
use taper_report::{Format, Picture};
use taper_train::{Finished, Result};

/// Words that are shown.
const SHOWN: usize = 16;
/// Columns of the brightest colour between two spectrograms.
const BETWEEN: usize = 1;

pub(super) fn report(of: &Speaking, found: &Finished<'_>, page: &mut Page) -> Result<()> {
    let step = of.test.len().div_ceil(SHOWN).max(1);
    // Words follow each other: from one word to the next.
    let indices = (0..of.test.len()).step_by(step);
    let framed = indices.map(|i| framed(of, found, i)).collect::<Result<Vec<_>>>()?;
    let gallery = Gallery {
        note: "Log-mel spectrograms, time from left to right, frequency upwards: a recording that was held out, and on its right the same \
               word by the same voice as the network speaks it, of whatever length."
            .into(),
        ..Gallery::new(framed)
    };
    page.sections.push(Section::new("Recorded and spoken").with(gallery.wide()));
    let mut table = Table::new(vec![Column::text("from held-out recordings"), Column::number("mel distance")]);
    let text = |value: f64| format!("{} dB", Format::Decimals(2).text(value));
    if let Some(distance) = found.outcome.test.as_ref().and_then(|test| test.get("distance")) {
        table = table.row(["the network".into(), text(distance)]);
    }
    if let Some(distance) = of.other_take {
        table = table.row(["another recording of the word by the same voice, stretched".into(), text(distance)]);
    }
    page.sections.push(Section::new("Distance").with(table));
    if let Some(section) = read(of, found)? {
        page.sections.push(section);
    }
    Ok(())
}

fn framed(of: &Speaking, found: &Finished<'_>, index: usize) -> Result<Framed> {
    let (word, voice, recorded) = of.test.sample(index);
    let spoken = of.voice(found).frames(word, voice)?;
    let name = |of: &[String], at: usize| of.get(at).cloned().unwrap_or_default();
    Ok(Framed {
        picture: Some(side_by_side(of.features.spec().mels, [recorded, &spoken])?),
        title: name(&of.words, word),
        detail: name(&of.voices, voice),
    })
}

/// Frames `[mels, T]` beside others, on one scale.
fn side_by_side(mels: usize, all: [&[f32]; 2]) -> Result<Picture> {
    let most = all.iter().flat_map(|of| of.iter()).copied().fold(f32::NEG_INFINITY, f32::max);
    let mut values = Vec::new();
    for mel in (0..mels).rev() {
        for (i, of) in all.iter().enumerate() {
            let frames = of.len() / mels.max(1);
            values.extend(std::iter::repeat_n(most, if i == 0 { 0 } else { BETWEEN }));
            values.extend_from_slice(&of[mel * frames..(mel + 1) * frames]);
        }
    }
    Ok(Picture::coloured([mels, values.len() / mels.max(1)], &values)?)
}

/// What the recogniser reads of each word by each voice.
fn read(of: &Speaking, found: &Finished<'_>) -> Result<Option<Section>> {
    let Some(reader) = &of.reader else { return Ok(None) };
    let (voice, rate) = (of.voice(found), of.features.spec().rate);
    let mut right = vec![0; of.words.len()];
    for (word, right) in right.iter_mut().enumerate() {
        for speaker in 0..of.voices.len() {
            let samples = voice.sound(word, speaker)?;
            *right += usize::from(reader.clip(&Clip { samples, rate })?.text == of.words[word]);
        }
    }
    let columns = vec![Column::text("word"), Column::number("read rightly"), Column::number("voices")];
    let voices = of.voices.len();
    let part = |right: usize, all: usize| Format::Percent(1).text(right as f64 / all.max(1) as f64);
    let table = of.words.iter().zip(&right).fold(Table::new(columns), |table, (word, &right)| {
        table.row([word.clone(), part(right, voices), voices.to_string()])
    });
    let (all, sum) = (voices * of.words.len(), right.iter().sum());
    let table = table.row(["all".into(), part(sum, all), all.to_string()]);
    let note =
        "Each word by each voice, spoken by the network and Griffin–Lim, as the recogniser that was named reads it.";
    Ok(Some(Section::new("Read back").with(table).with(Block::Note(note.into()))))
}
