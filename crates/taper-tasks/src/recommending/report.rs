//! What is shown of recommendations: ten titles for some people beside what they liked, and how far predictions are off.

use super::{Recommending, best, scores};
use taper_data::{Batch, BatchLoader, Dataset, LoaderOptions};
use taper_nn::{Device, HostData};
use taper_report::Format;
use taper_report::html::{Block, Column, Section, Table};
use taper_train::{Result, Rows};

/// People that are shown.
const PEOPLE: usize = 3;
/// Titles for each.
const TITLES: usize = 10;

/// Ten titles for some people, those with few ratings and those with many, beside the things that they rated best: a section
/// each, since titles are long.
pub(super) fn of_people(of: &Recommending, device: &Device, score: &str) -> Result<Vec<Section>> {
    let ratings = &*of.ratings;
    let seen = ratings.seen(None);
    let mut people: Vec<usize> = (0..ratings.users.len()).filter(|&user| !seen[user].is_empty()).collect();
    people.sort_by_key(|&user| (seen[user].len(), user));
    let mut sections = Vec::new();
    for share in 1..=PEOPLE {
        let Some(&user) = people.get(people.len() * share / (PEOPLE + 1)) else { continue };
        let mut liked: Vec<_> = ratings.given.iter().filter(|rating| rating.user == user).collect();
        liked.sort_by(|a, b| b.value.total_cmp(&a.value).then(b.time.total_cmp(&a.time)));
        let found = scores(&*of.model, user, ratings.items.len(), device)?;
        let titles = best(&found, |item| seen[user].contains(&item), TITLES);
        let columns =
            [Column::text("recommended"), Column::number(score), Column::text("rated best"), Column::number("rating")];
        let table = Table::new(columns.to_vec());
        let row = |table: Table, i: usize| {
            let best = titles.get(i).map_or([String::new(), String::new()], |&item| {
                [ratings.items[item].title.clone(), Format::Decimals(2).text(found[item])]
            });
            let liked = liked.get(i).map_or([String::new(), String::new()], |rating| {
                [ratings.items[rating.item].title.clone(), rating.value.to_string()]
            });
            table.row(best.into_iter().chain(liked))
        };
        let title = format!("Recommended to user {}, who rated {}", ratings.users[user], seen[user].len());
        sections.push(Section::new(title).with((0..TITLES).fold(table, row)));
    }
    Ok(sections)
}

/// By the true rating: how many there are, and the mean prediction.
pub(super) fn rated(rows: &Rows, test: &dyn Dataset) -> Result<Section> {
    let options = LoaderOptions { batch_size: 1024, shuffle: None, drop_last: false };
    let (mut loader, mut batch) = (BatchLoader::new(test, options)?, Batch::default());
    let mut truth: Vec<f64> = Vec::new();
    while loader.next_into(&mut batch)? {
        if let HostData::F32(values) = &batch.field("ratings")?.data {
            truth.extend(values.iter().map(|&value| f64::from(value)));
        }
    }
    let mut values = truth.clone();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let columns = ["rating", "test ratings", "mean prediction"].map(Column::number).to_vec();
    let table = values.iter().fold(Table::new(columns), |table, value| {
        let found: Vec<f64> = truth
            .iter()
            .zip(rows.iter())
            .filter(|(truth, _)| *truth == value)
            .filter_map(|(_, row)| row.first())
            .copied()
            .collect();
        let mean = found.iter().sum::<f64>() / found.len().max(1) as f64;
        table.row([value.to_string(), found.len().to_string(), Format::Decimals(2).text(mean)])
    });
    let note = "A model that knew nothing would give all the same; one that knew everything, the rating itself.";
    Ok(Section::new("Predictions by rating").with(table).with(Block::Note(note.into())))
}
