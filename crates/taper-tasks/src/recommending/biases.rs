//! Ratings predicted by biases alone: μ + bᵤ + bᵢ, what a model has to be better than.

use taper_data::Ratings;

/// Passes over users and things, after which nothing changes any more.
const PASSES: usize = 15;

/// The mean of ratings, and by how much those of each user and each thing differ from it, fitted by least squares in which
/// a bias costs `penalty` times its square (Koren, Bell and Volinsky 2009, equation 3), the two in turn.
#[derive(Debug, Clone, PartialEq)]
pub struct RatingBiases {
    /// The mean.
    pub mean: f64,
    /// bᵤ of each user; 0 of one without ratings.
    pub users: Vec<f64>,
    /// bᵢ of each thing; 0 of one without ratings.
    pub items: Vec<f64>,
}

impl RatingBiases {
    /// Those of the ratings at the places `rows`.
    pub fn fit(ratings: &Ratings, rows: &[usize], penalty: f64) -> Self {
        let given: Vec<_> = rows.iter().filter_map(|&row| ratings.given.get(row)).collect();
        let mean = given.iter().map(|rating| f64::from(rating.value)).sum::<f64>() / given.len().max(1) as f64;
        let mut found = Self { mean, users: vec![0.0; ratings.users.len()], items: vec![0.0; ratings.items.len()] };
        for _ in 0..PASSES {
            for of_users in [false, true] {
                let count = if of_users { found.users.len() } else { found.items.len() };
                let mut sums = vec![(0.0, penalty); count];
                for rating in &given {
                    let (place, other) = match of_users {
                        true => (rating.user, found.items[rating.item]),
                        false => (rating.item, found.users[rating.user]),
                    };
                    sums[place].0 += f64::from(rating.value) - mean - other;
                    sums[place].1 += 1.0;
                }
                let biases = sums.into_iter().map(|(sum, count)| if count > 0.0 { sum / count } else { 0.0 }).collect();
                if of_users { found.users = biases } else { found.items = biases }
            }
        }
        found
    }

    /// The prediction.
    pub fn of(&self, user: usize, item: usize) -> f64 {
        let at = |biases: &[f64], place: usize| biases.get(place).copied().unwrap_or(0.0);
        self.mean + at(&self.users, user) + at(&self.items, item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_data::{RatedItem, Rating};

    #[test]
    fn biases_are_those_that_made_the_ratings() {
        let (users, items) = ([-0.5, 0.0, 0.5], [1.0, -1.0, 0.25, -0.25]);
        let given = (0..12).map(|i| (i % 3, i / 3));
        let given =
            given.map(|(user, item)| Rating { user, item, value: (3.0 + users[user] + items[item]) as f32, time: 0.0 });
        let names = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        let things = names(5).into_iter().map(|id| RatedItem { title: id.clone(), id }).collect();
        let ratings = Ratings { users: names(3), items: things, given: given.collect() };
        let rows: Vec<usize> = (0..12).collect();
        let found = RatingBiases::fit(&ratings, &rows, 0.0);
        assert!((found.mean - 3.0).abs() < 1e-6);
        for (user, of_user) in users.iter().enumerate() {
            for (item, of_item) in items.iter().enumerate() {
                assert!((found.of(user, item) - 3.0 - of_user - of_item).abs() < 1e-6, "{found:?}");
            }
        }
        // What nobody rated, and what is not there, has no bias.
        assert_eq!([found.of(0, 4), found.of(0, 99)], [found.mean + found.users[0]; 2]);
        let held = RatingBiases::fit(&ratings, &rows, 1e9);
        assert!(held.users.iter().chain(&held.items).all(|bias| bias.abs() < 1e-6));
    }
}
