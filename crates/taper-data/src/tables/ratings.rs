//! Ratings in MovieLens' layout: `ratings.csv` with the columns userId, movieId, rating and timestamp, and `movies.csv` with
//! movieId and title, in which a year may be a column of its own.

use super::cell::Cell;
use super::source::{CsvOptions, TableSource};
use crate::{Error, RatedItem, Rating, Ratings, Result};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// The file of ratings.
const RATINGS: &str = "ratings.csv";
/// The file of titles.
const TITLES: &str = "movies.csv";

impl Ratings {
    /// Reads the folder `dir`, and gives the checksum of its files. Users and things are in the order in which they come in
    /// the ratings; a thing without a title is called by its number.
    ///
    /// # Errors
    /// A folder without the two files, a missing column, a rating or a time that is no number, a user who rates a thing twice.
    /// Each names the line.
    pub fn open(dir: impl AsRef<Path>) -> Result<(Self, String)> {
        let dir = dir.as_ref();
        let file = |name: &str| {
            let path = dir.join(name);
            match path.is_file() {
                true => TableSource::open(&path, CsvOptions::default()),
                false => {
                    Err(Error::MissingFile { path, expected: format!("{RATINGS} and {TITLES}, as MovieLens has them") })
                }
            }
        };
        let (ratings, titles) = (file(RATINGS)?, file(TITLES)?);
        let mut found = Self::default();
        let [user, item, value, time] = ["userId", "movieId", "rating", "timestamp"].map(|name| ratings.find(name));
        let (user, item, value, time) = (user?, item?, value?, time?);
        let (mut users, mut items) = (HashMap::new(), HashMap::new());
        let mut given = HashMap::new();
        ratings.scan(None, &mut |row, cells| {
            let name = |column: usize| match cells.get(column).map(Cell::text) {
                Some(text) if !text.is_empty() => Ok(text.into_owned()),
                _ => Err(ratings.wrong(row, column, "expected a name or a number, found nothing")),
            };
            let number = |column: usize| {
                let cell = cells.get(column);
                cell.and_then(Cell::number).filter(|number| number.is_finite()).ok_or_else(|| {
                    let text = cell.map(Cell::text).unwrap_or_default();
                    ratings.wrong(row, column, format!("expected a number, found `{text}`"))
                })
            };
            let (of_user, of_item) = (name(user)?, name(item)?);
            let rating = Rating {
                user: place(&mut users, &of_user, || found.users.push(of_user.clone())),
                item: place(&mut items, &of_item, || {
                    found.items.push(RatedItem { id: of_item.clone(), title: format!("item {of_item}") });
                }),
                value: number(value)? as f32,
                time: number(time)?,
            };
            if given.insert((rating.user, rating.item), ()).is_some() {
                let text = format!("expected one rating of user {of_user} for {of_item}, found a second");
                return Err(ratings.wrong(row, item, text));
            }
            found.given.push(rating);
            Ok(())
        })?;
        let (id, title) = (titles.find("movieId")?, titles.find("title")?);
        let year = titles.find("year").ok();
        titles.scan(None, &mut |_, cells| {
            let text = |column: usize| cells.get(column).map(Cell::text).unwrap_or_default();
            if let Some(&place) = items.get(&*text(id))
                && !text(title).is_empty()
            {
                let year = year.map(text).filter(|year| !year.is_empty());
                let year = year.map_or_else(String::new, |year| format!(" ({year})"));
                found.items[place].title = format!("{}{year}", text(title));
            }
            Ok(())
        })?;
        let mut hash = Sha256::new();
        [ratings.checksum(), titles.checksum()].iter().for_each(|checksum| hash.update(checksum.as_bytes()));
        Ok((found, crate::image::hex(&hash.finalize())))
    }
}

/// The place of `name`, which `add` adds if it is new.
fn place(known: &mut HashMap<String, usize>, name: &str, add: impl FnOnce()) -> usize {
    if let Some(&place) = known.get(name) {
        return place;
    }
    let place = known.len();
    known.insert(name.to_string(), place);
    add();
    place
}
