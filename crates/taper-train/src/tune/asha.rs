//! Asynchronous successive halving (ASHA), which decides the next trial to train and for how long: Li, Jamieson,
//! Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht and Talwalkar, "A System for Massively Parallel Hyperparameter Tuning",
//! MLSys 2020, algorithm 2, `get_job`. Trials are trained one at a time, so that the order of jobs depends on the
//! losses only.
//!
//! All trials are trained up to rung 0. Of the n trials evaluated at rung k, the best ⌊n/η⌋ may be promoted to the next
//! rung. The next job is a promotion, from the highest rung that has one, or else a new trial. Promotions do not wait
//! until a rung is full, so that some trials are promoted that the full rung would not have promoted.

/// A job: to train a trial until it reaches a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Job {
    /// The trial, counted from 1.
    pub trial: u64,
    /// The rung, counted from 0.
    pub rung: usize,
}

/// The result of a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Done {
    pub job: Job,
    /// The validation loss, finite; `None` if the trial failed.
    pub loss: Option<f64>,
}

/// The next job of a search over `rungs` rungs (at least one) and `trials` trials, after the jobs `done`; `None` if
/// none is left.
pub(super) fn next_job(done: &[Done], rungs: usize, eta: u64, trials: u64) -> Option<Job> {
    let promotion = (0..rungs.saturating_sub(1)).rev().find_map(|rung| {
        let trial = promotable(done, rung, eta)?;
        Some(Job { trial, rung: rung + 1 })
    });
    let begun = done.iter().filter(|done| done.job.rung == 0).count() as u64;
    promotion.or((begun < trials).then_some(Job { trial: begun + 1, rung: 0 }))
}

/// The best trial of the top 1/η of `rung` that is not promoted yet.
fn promotable(done: &[Done], rung: usize, eta: u64) -> Option<u64> {
    let mut here: Vec<&Done> = done.iter().filter(|done| done.job.rung == rung).collect();
    // Of equal losses the earlier trial comes first; failed trials come last.
    let loss = |done: &Done| done.loss.unwrap_or(f64::INFINITY);
    here.sort_by(|a, b| loss(a).total_cmp(&loss(b)).then(a.job.trial.cmp(&b.job.trial)));
    let top = here.len() / usize::try_from(eta).unwrap_or(usize::MAX);
    let promoted = |trial| done.iter().any(|done| done.job == Job { trial, rung: rung + 1 });
    here[..top].iter().find(|done| done.loss.is_some() && !promoted(done.job.trial)).map(|done| done.job.trial)
}

/// The epochs of each rung: r·ηᵏ while that is below R, then R itself, so that the best trials are trained to the end.
pub(super) fn rungs(min_epochs: u64, max_epochs: u64, eta: u64) -> Vec<u64> {
    let below = std::iter::successors(Some(min_epochs), |epochs| epochs.checked_mul(eta));
    below.take_while(|&epochs| epochs < max_epochs).chain([max_epochs]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All jobs of a search as (trial, rung), with the losses by trial (from 1) and rung.
    fn jobs(losses: &[&[Option<f64>]], eta: u64) -> Vec<(u64, usize)> {
        let mut done = Vec::new();
        while let Some(job) = next_job(&done, losses[0].len(), eta, losses.len() as u64) {
            done.push(Done { job, loss: losses[job.trial as usize - 1][job.rung] });
        }
        done.iter().map(|done| (done.job.trial, done.job.rung)).collect()
    }

    #[test]
    fn promotions_follow_the_paper() {
        let losses: &[&[Option<f64>]] = &[
            &[Some(0.5), None, None],
            &[Some(0.4), Some(0.35), None],
            &[Some(0.3), Some(0.2), Some(0.1)],
            &[Some(0.6), None, None],
        ];
        // Worked out by hand for η = 2. Rung 0 has one trial, and ⌊1/2⌋ may be promoted: a new trial, 2. Rung 0 has
        // two: the better, 2, is promoted. Rung 1 has one, and the best of rung 0 is promoted already: a new trial, 3.
        // It is the new best of rung 0 (⌊3/2⌋ = 1) and is promoted; rung 1 then has two, of which 3 is the better and
        // is promoted to the top. Then 4, after which the best two of rung 0, 3 and 2, are promoted already.
        assert_eq!(jobs(losses, 2), [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (4, 0)]);
    }

    #[test]
    fn a_rung_promotes_its_share_of_an_ordered_field() {
        // Each trial is worse than the one before it, so that none is promoted that the full rung would not have
        // promoted.
        let worse_and_worse: Vec<Vec<Option<f64>>> = (0..9).map(|i| vec![Some(f64::from(i)); 3]).collect();
        let rows: Vec<&[Option<f64>]> = worse_and_worse.iter().map(Vec::as_slice).collect();
        let count = |rung| jobs(&rows, 3).iter().filter(|job| job.1 == rung).count();
        assert_eq!([count(0), count(1), count(2)], [9, 3, 1]);
    }

    #[test]
    fn a_failure_counts_in_its_rung_and_is_never_promoted() {
        let failed: &[&[Option<f64>]] = &[&[None, None], &[None, None], &[Some(0.5), Some(0.4)], &[None, None]];
        assert_eq!(jobs(failed, 2), [(1, 0), (2, 0), (3, 0), (3, 1), (4, 0)]);
        let all: &[&[Option<f64>]] = &[&[None, None], &[None, None]];
        assert_eq!(jobs(all, 2), [(1, 0), (2, 0)]);
    }

    #[test]
    fn of_equals_the_earlier_goes_on() {
        let equal = [Some(0.5), Some(0.5)];
        assert_eq!(jobs(&[&equal[..]; 4], 2), [(1, 0), (2, 0), (1, 1), (3, 0), (4, 0), (2, 1)]);
    }

    #[test]
    fn one_rung_is_random_search() {
        let rows: &[&[Option<f64>]] = &[&[Some(0.5)], &[Some(0.1)], &[Some(0.3)]];
        assert_eq!(jobs(rows, 2), [(1, 0), (2, 0), (3, 0)]);
    }

    #[test]
    fn rungs_grow_by_eta_and_end_at_the_maximum() {
        assert_eq!(rungs(1, 27, 3), [1, 3, 9, 27]);
        assert_eq!(rungs(1, 20, 3), [1, 3, 9, 20]);
        assert_eq!(rungs(2, 16, 4), [2, 8, 16]);
        assert_eq!(rungs(5, 5, 3), [5]);
        assert_eq!(rungs(1, u64::MAX, 1 << 40).len(), 3);
    }
}
