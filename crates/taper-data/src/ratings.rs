//! Ratings that people gave to things, such as films: to be predicted, or as a sign of what was chosen.

use crate::{Batch, Dataset, Error, FieldSpec, Result};
use std::collections::BTreeSet;
use std::sync::Arc;
use taper_backend::{DType, RandomKey};

/// Who rated what, and how.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ratings {
    /// The names of the people.
    pub users: Vec<String>,
    /// The things.
    pub items: Vec<RatedItem>,
    /// The ratings, no two of one person for one thing.
    pub given: Vec<Rating>,
}

/// A thing that can be rated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RatedItem {
    /// Its name in the ratings.
    pub id: String,
    /// Its title.
    pub title: String,
}

/// A rating.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rating {
    /// The place of the person among [`Ratings::users`].
    pub user: usize,
    /// The place of the thing among [`Ratings::items`].
    pub item: usize,
    /// The rating.
    pub value: f32,
    /// When it was given: a number that is larger later.
    pub time: f64,
}

impl Ratings {
    /// The things that each person has rated, among the ratings `rows` or all.
    pub fn seen(&self, rows: Option<&[usize]>) -> Vec<BTreeSet<usize>> {
        let mut seen = vec![BTreeSet::new(); self.users.len()];
        let mut add = |rating: &Rating| {
            if let Some(of_user) = seen.get_mut(rating.user) {
                of_user.insert(rating.item);
            }
        };
        match rows {
            Some(rows) => rows.iter().filter_map(|&row| self.given.get(row)).for_each(&mut add),
            None => self.given.iter().for_each(&mut add),
        }
        seen
    }

    /// Of the ratings at the places `rows` the last of each person who gave two or more of them, and all others:
    /// `(others, last)`, as places in increasing order of the people. Of those given at the same time the one that stands later
    /// is the last.
    pub fn last_of_each(&self, rows: &[usize]) -> (Vec<usize>, Vec<usize>) {
        let mut last: Vec<Option<usize>> = vec![None; self.users.len()];
        let mut counts = vec![0_usize; self.users.len()];
        for &row in rows {
            let Some(rating) = self.given.get(row) else { continue };
            let Some(known) = last.get_mut(rating.user) else { continue };
            counts[rating.user] += 1;
            if known.is_none_or(|known| self.given[known].time <= rating.time) {
                *known = Some(row);
            }
        }
        let held: Vec<usize> =
            last.into_iter().zip(counts).filter(|(_, count)| *count > 1).filter_map(|(row, _)| row).collect();
        let out: BTreeSet<usize> = held.iter().copied().collect();
        (rows.iter().copied().filter(|row| !out.contains(row)).collect(), held)
    }
}

/// Ratings as samples. Batches have the fields `users` and `items`, i64 `[N]`, and `ratings`, f32 `[N]`.
#[derive(Debug, Clone)]
pub struct RatingSamples {
    ratings: Arc<Ratings>,
    rows: Vec<usize>,
}

impl RatingSamples {
    /// Those of `ratings` at the places `rows`.
    ///
    /// # Errors
    /// A place past the end.
    pub fn new(ratings: Arc<Ratings>, rows: Vec<usize>) -> Result<Self> {
        check(&ratings, &rows)?;
        Ok(Self { ratings, rows })
    }
}

fn check(ratings: &Ratings, rows: &[usize]) -> Result<()> {
    match rows.iter().find(|&&row| row >= ratings.given.len()) {
        Some(row) => Err(Error::Argument(format!("ratings: rating {row} of {}", ratings.given.len()))),
        None => Ok(()),
    }
}

impl Dataset for RatingSamples {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        let whole = |name| FieldSpec::new(name, DType::I64, &[]);
        vec![whole("users"), whole("items"), FieldSpec::new("ratings", DType::F32, &[])]
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let n = indices.len();
        let found: Vec<Rating> = indices.iter().map(|&index| self.ratings.given[self.rows[index]]).collect();
        batch.i64("users", &[n]).iter_mut().zip(&found).for_each(|(to, rating)| *to = rating.user as i64);
        batch.i64("items", &[n]).iter_mut().zip(&found).for_each(|(to, rating)| *to = rating.item as i64);
        batch.f32("ratings", &[n]).iter_mut().zip(&found).for_each(|(to, rating)| *to = rating.value);
        Ok(())
    }
}

/// Choices as samples: a thing that a person chose, and others that the person did not, drawn at random. Batches have the
/// fields `users`, i64 `[N]`, and `items`, i64 `[N, 1 + others]`, of which the first is the one that was chosen.
#[derive(Debug, Clone)]
pub struct ChoiceSamples {
    ratings: Arc<Ratings>,
    rows: Vec<usize>,
    /// What is never drawn for each person.
    seen: Arc<Vec<BTreeSet<usize>>>,
    others: usize,
    key: RandomKey,
    /// Whether others are drawn anew in each pass over the data, and may repeat.
    anew: bool,
}

impl ChoiceSamples {
    /// To learn from the ratings at the places `rows`: `others` things that the person has not rated among these ratings are
    /// drawn anew, with `seed`, in each pass.
    ///
    /// # Errors
    /// A place past the end; a person who has rated everything.
    pub fn to_learn(ratings: Arc<Ratings>, rows: Vec<usize>, others: usize, seed: u64) -> Result<Self> {
        let seen = Arc::new(ratings.seen(Some(&rows)));
        let key = RandomKey::new(seed).child("choices");
        Self { ratings, rows, seen, others, key, anew: true }.checked()
    }

    /// To measure on the ratings at the places `rows`: beside each the same `others` different things, drawn with `seed`, none
    /// of which the person has rated anywhere.
    ///
    /// # Errors
    /// A place past the end; a person who has not so many things left.
    pub fn to_measure(ratings: Arc<Ratings>, rows: Vec<usize>, others: usize, seed: u64) -> Result<Self> {
        let seen = Arc::new(ratings.seen(None));
        let key = RandomKey::new(seed).child("others");
        Self { ratings, rows, seen, others, key, anew: false }.checked()
    }

    fn checked(self) -> Result<Self> {
        check(&self.ratings, &self.rows)?;
        let (items, due) = (self.ratings.items.len(), if self.anew { 1 } else { self.others });
        let mut users = self.rows.iter().map(|&row| self.ratings.given[row].user);
        let full = users.find(|&user| items - self.seen[user].len() < due);
        match full {
            Some(user) if self.others > 0 => {
                let (name, left) = (&self.ratings.users[user], items - self.seen[user].len());
                let detail =
                    format!("ratings: expected {due} of {items} things that user {name} has not rated, found {left}");
                Err(Error::Argument(detail))
            }
            _ => Ok(self),
        }
    }

    /// The things for row `row`: the one that was chosen, then the others.
    fn items(&self, epoch: u64, row: usize, into: &mut [i64]) {
        let Rating { user, item, .. } = self.ratings.given[row];
        let (seen, items) = (&self.seen[user], self.ratings.items.len());
        let key = self.key.index(if self.anew { epoch } else { 0 }).index(row as u64);
        into[0] = item as i64;
        let mut draw = 0;
        for place in 1..into.len() {
            loop {
                let other = key.below(draw, items);
                draw += 1;
                let taken = !self.anew && into[1..place].contains(&(other as i64));
                if !seen.contains(&other) && !taken {
                    into[place] = other as i64;
                    break;
                }
            }
        }
    }
}

impl Dataset for ChoiceSamples {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("users", DType::I64, &[]), FieldSpec::new("items", DType::I64, &[1 + self.others])]
    }

    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let users = batch.i64("users", &[indices.len()]);
        users.iter_mut().zip(indices).for_each(|(to, &i)| *to = self.ratings.given[self.rows[i]].user as i64);
        let width = 1 + self.others;
        let items = batch.i64("items", &[indices.len(), width]);
        items.chunks_exact_mut(width).zip(indices).for_each(|(to, &i)| self.items(epoch, self.rows[i], to));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three people and ten things: person u has rated things u to u + 3, the later ones later.
    fn few() -> Arc<Ratings> {
        let rating = |i: usize| Rating { user: i / 4, item: i / 4 + i % 4, value: i as f32, time: (i % 4) as f64 };
        let names = |n: usize| (0..n).map(|i| i.to_string());
        let items = names(10).map(|id| RatedItem { title: format!("thing {id}"), id }).collect();
        Arc::new(Ratings { users: names(3).collect(), items, given: (0..12).map(rating).collect() })
    }

    fn filled(data: &dyn Dataset, epoch: u64) -> Batch {
        let (mut batch, all) = (Batch::default(), (0..data.len()).collect::<Vec<_>>());
        batch.clear(all.len());
        data.fill(epoch, &all, &mut batch).unwrap();
        batch
    }

    #[test]
    fn the_last_of_each_is_held_out() {
        let ratings = few();
        let all: Vec<usize> = (0..12).collect();
        let (rest, last) = ratings.last_of_each(&all);
        assert_eq!((rest.len(), &last[..]), (9, &[3, 7, 11][..]));
        assert_eq!(ratings.last_of_each(&rest).1, [2, 6, 10]);
        // Who gave one alone keeps it; of equal times the later row.
        assert_eq!(ratings.last_of_each(&[0, 5, 6]), (vec![0, 5], vec![6]));
        let mut same = Ratings::clone(&ratings);
        same.given.iter_mut().for_each(|rating| rating.time = 1.0);
        assert_eq!(same.last_of_each(&[2, 0, 1]).1, [1]);
    }

    #[test]
    fn ratings_are_samples() {
        let batch = filled(&RatingSamples::new(few(), vec![5, 0]).unwrap(), 0);
        assert_eq!((batch.i64s("users").unwrap(), batch.i64s("items").unwrap()), (&[1, 0][..], &[2, 0][..]));
        assert_eq!(batch.field("ratings").unwrap().data, taper_backend::HostData::F32(vec![5.0, 0.0]));
        assert_eq!(RatingSamples::new(few(), vec![12]).unwrap_err().to_string(), "ratings: rating 12 of 12");
    }

    /// What a person has rated is never drawn beside what the person chose: in training among what is learned from, in a
    /// measurement anywhere.
    #[test]
    fn what_was_seen_is_never_drawn() {
        let ratings = few();
        let all: Vec<usize> = (0..12).collect();
        let (rest, last) = ratings.last_of_each(&all);
        let learned = ChoiceSamples::to_learn(ratings.clone(), rest.clone(), 5, 1).unwrap();
        let mut drawn_last = false;
        for epoch in 0..20 {
            let batch = filled(&learned, epoch);
            for (row, items) in batch.i64s("items").unwrap().chunks_exact(6).enumerate() {
                let rating = ratings.given[rest[row]];
                assert_eq!(items[0], rating.item as i64);
                let user = rating.user as i64;
                assert!(items[1..].iter().all(|item| !(user..user + 3).contains(item)), "{user}: {items:?}");
                drawn_last |= items[1..].contains(&(user + 3));
            }
        }
        assert!(drawn_last, "that it was held out must not be known in training");
        assert_ne!(filled(&learned, 0), filled(&learned, 1));
        assert_eq!(filled(&learned, 1), filled(&learned, 1));

        let measured = ChoiceSamples::to_measure(ratings.clone(), last, 6, 1).unwrap();
        let batch = filled(&measured, 0);
        for (user, items) in batch.i64s("items").unwrap().chunks_exact(7).enumerate() {
            // Six of ten are left, each once.
            let found: BTreeSet<i64> = items[1..].iter().copied().collect();
            let due: BTreeSet<i64> = (0..10).filter(|item| !(user as i64..user as i64 + 4).contains(item)).collect();
            assert_eq!((items[0], found), (user as i64 + 3, due));
        }
        assert_eq!(batch, filled(&measured, 9), "the same in every pass");
        let text = ChoiceSamples::to_measure(ratings, vec![3], 7, 1).unwrap_err().to_string();
        assert_eq!(text, "ratings: expected 7 of 10 things that user 0 has not rated, found 6");
    }
}
