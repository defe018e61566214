//! Rows and the centres that they belong to, by cosine: how far each row is from its centre, and how near it is to the rows of
//! its cluster that are ranked before it.
//!
//! Cosines are float64, from dots and norms in the order of [`distance`](crate::distance). O(n d) for the distances of given
//! labels, O(n k d) to find the labels; O(sum of squared cluster sizes times d) for the similarities, of the few pairs that a
//! screen ([`crate::alike`]) lets through, with one maximum a row in memory and 2 d bytes for the rows of the clusters at work;
//! in parallel, with the same result for any number of threads.

use crate::alike::Group;
use crate::cpu::Cpu;
use crate::distance::{Metric, Pairs, Real, Rows, Vectors};
use crate::job::{Aborted, Job};
use crate::nearest::{NearestError, Search, nearest};
use crate::screen::TILE;
use crate::threads;
use rayon::prelude::*;

/// Rows of one task.
const TASK: usize = 64;

/// Why a matrix's rows have no cosine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRow {
    /// A row holds NaN or an infinity.
    NotFinite(usize),
    /// A row is all zeros.
    Zero(usize),
}

/// The first row that is not finite, else the first of zeros.
///
/// ```
/// use tamis_kernels::{assigned::{BadRow, find_bad_row}, distance::Rows};
/// assert_eq!(find_bad_row(Rows::new(&[1.0f32, 0.0, 0.0, 0.0], 2, 2)), Some(BadRow::Zero(1)));
/// ```
pub fn find_bad_row<T: Real>(x: Rows<T>) -> Option<BadRow> {
    let is_bad = |bad: fn(&[T]) -> bool| {
        threads::pool()
            .install(|| (0..x.count()).into_par_iter().with_min_len(TASK).find_first(|&i| bad(x.row(i))))
    };
    let not_finite = |row: &[T]| row.iter().any(|&x| !Into::<f64>::into(x).is_finite());
    let zero = |row: &[T]| row.iter().all(|&x| Into::<f64>::into(x) == 0.0);
    is_bad(not_finite).map(BadRow::NotFinite).or_else(|| is_bad(zero).map(BadRow::Zero))
}

/// The cosine distance `1 - cos`, 0 to 2, of each row to the centre of its label; without labels to the nearest centre (ties to
/// the lowest), which is then its label.
///
/// # Panics
/// If widths or lengths do not fit, or a label is no centre.
///
/// ```
/// use tamis_kernels::{assigned::distances, distance::Rows, job::Job};
/// let (x, centers) = (Rows::new(&[2.0f32, 0.0, 0.0, 3.0], 2, 2), Rows::new(&[0.0, 1.0, 1.0, 0.0], 2, 2));
/// assert_eq!(distances(x, centers, None, &Job::default()).unwrap(), (vec![0.0, 0.0], vec![1, 0]));
/// ```
pub fn distances<T: Real>(
    x: Rows<T>,
    centers: Rows<T>,
    labels: Option<&[u32]>,
    job: &Job,
) -> Result<(Vec<f32>, Vec<u32>), NearestError> {
    if x.count() == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    let Some(labels) = labels else {
        let found =
            nearest(x, centers, Metric::Cosine, Search { k: 1, mask: None, exclude_self: false }, job)?;
        return Ok((found.scores.iter().map(|cos| (1.0 - cos) as f32).collect(), found.indices));
    };
    assert_eq!(labels.len(), x.count(), "there must be a label for each row");
    assert!(labels.iter().all(|&label| (label as usize) < centers.count()), "a label is no centre");
    let pairs = Vectors::new(x, centers, Metric::Cosine);
    let mut scores = vec![0.0; x.count()];
    let task = |(t, scores): (usize, &mut [f32])| {
        job.check()?;
        for (r, score) in scores.iter_mut().enumerate() {
            let i = t * TASK + r;
            *score = (1.0 - pairs.score(i, labels[i] as usize)) as f32;
        }
        Ok::<(), Aborted>(())
    };
    threads::pool().install(|| scores.par_chunks_mut(TASK).enumerate().try_for_each(task))?;
    Ok((scores, labels.to_vec()))
}

/// For each row the largest cosine with those rows of its label that come before it in `order`, at least 0; 0 for the first.
///
/// # Panics
/// If lengths do not fit, or `order` is no order of all rows.
///
/// ```
/// use tamis_kernels::{assigned::max_similarity_before, distance::Rows, job::Job};
/// let x = Rows::new(&[1.0f32, 0.0, 2.0, 0.0, 0.0, 1.0], 3, 2);
/// let most = max_similarity_before(x, &[0, 0, 0], &[1, 0, 2], &Job::default()).unwrap();
/// assert_eq!(most, [1.0, 0.0, 0.0]);
/// ```
pub fn max_similarity_before<T: Real>(
    x: Rows<T>,
    labels: &[u32],
    order: &[u32],
    job: &Job,
) -> Result<Vec<f32>, Aborted> {
    assert_eq!(
        (labels.len(), order.len()),
        (x.count(), x.count()),
        "there must be a label and a place for each row"
    );
    let groups = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); groups];
    let mut is_placed = vec![false; x.count()];
    for &row in order {
        members[labels[row as usize] as usize].push(row);
        is_placed[row as usize] = true;
    }
    assert!(is_placed.into_iter().all(|is_placed| is_placed), "the order must hold all rows");
    let of_part = |group: &Group<T>, part: usize| {
        job.check()?;
        let mut most = [0.0f64; TILE];
        group.meet(part, 0.0, |b, a| {
            let most = &mut most[b % TILE];
            *most = most.max(group.score(a, b));
            *most
        });
        Ok(most.map(|most| most as f32))
    };
    let of_group = |members: &Vec<u32>| {
        let group = Group::new(x, members, Cpu::current());
        (0..group.parts())
            .into_par_iter()
            .map(|part| of_part(&group, part))
            .collect::<Result<Vec<_>, Aborted>>()
    };
    let found: Result<Vec<_>, Aborted> =
        threads::pool().install(|| members.par_iter().with_max_len(1).map(of_group).collect());
    let mut most = vec![0.0; x.count()];
    for (members, found) in members.iter().zip(found?) {
        members.iter().zip(found.as_flattened()).for_each(|(&row, &value)| most[row as usize] = value);
    }
    Ok(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::Philox;
    use proptest::prelude::*;

    fn matrix(n: usize, width: usize, seed: u64) -> Vec<f32> {
        let mut x = vec![0.0; n * width];
        Philox::new(seed, 0).normal(&mut x);
        x.into_iter().map(|x| x as f32).collect()
    }

    fn cosine(a: &[f32], b: &[f32]) -> f64 {
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    proptest! {
        #[test]
        fn agrees_with_every_pair(n in 1usize..60, k in 1usize..6, width in 1usize..9, seed in 0u64..1000) {
            let (x, centers) = (matrix(n, width, seed), matrix(k, width, seed + 5000));
            let (rows, middles) = (Rows::new(&x, n, width), Rows::new(&centers, k, width));
            let job = Job::default();
            let (scores, labels) = distances(rows, middles, None, &job).unwrap();
            for (i, &score) in scores.iter().enumerate() {
                let best = (0..k).map(|j| cosine(rows.row(i), middles.row(j))).fold(-1.0, f64::max);
                prop_assert!((f64::from(score) - (1.0 - best)).abs() < 1e-6);
            }
            prop_assert_eq!(&distances(rows, middles, Some(&labels), &job).unwrap(), &(scores, labels.clone()));
            let order = Philox::new(seed, 1).permutation(n);
            let most = max_similarity_before(rows, &labels, &order, &job).unwrap();
            for (p, &i) in order.iter().enumerate() {
                let before = order[..p].iter().filter(|&&j| labels[j as usize] == labels[i as usize]);
                let want = before.map(|&j| cosine(rows.row(i as usize), rows.row(j as usize))).fold(0.0, f64::max);
                prop_assert!((f64::from(most[i as usize]) - want).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn threads_do_not_show_and_a_job_stops_it() {
        let (n, k, width) = (3 * 4096 + 5, 61, 20);
        let (x, centers) = (matrix(n, width, 1), matrix(k, width, 2));
        let (rows, middles) = (Rows::new(&x, n, width), Rows::new(&centers, k, width));
        let order = Philox::new(3, 0).permutation(n);
        let job = Job::default();
        let (nearest, most) = threads::on_any_budget(|| {
            let nearest = distances(rows, middles, None, &job).unwrap();
            assert_eq!(distances(rows, middles, Some(&nearest.1), &job).unwrap(), nearest);
            let most = max_similarity_before(rows, &nearest.1, &order, &job).unwrap();
            (nearest, most)
        });
        // Every pair, as it was defined.
        let pairs = Vectors::new(rows, rows, Metric::Cosine);
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); k];
        for row in order.iter().map(|&row| row as usize) {
            let before = &mut before[nearest.1[row] as usize];
            let want = before.iter().map(|&other| pairs.score(row, other)).fold(0.0f64, f64::max);
            assert_eq!(most[row], want as f32);
            before.push(row);
        }
        let mut bad = x.clone();
        bad[(n - 3) * width..(n - 2) * width].fill(0.0);
        bad[(n - 2) * width] = f32::NAN;
        let found = threads::on_any_budget(|| find_bad_row(Rows::new(&bad, n, width)));
        assert_eq!(found, Some(BadRow::NotFinite(n - 2)));
        job.stop();
        assert_eq!(max_similarity_before(rows, &nearest.1, &order, &job), Err(Aborted));
    }

    #[test]
    fn bad_rows_are_found() {
        let of = |x: &[f32]| find_bad_row(Rows::new(x, x.len() / 2, 2));
        assert_eq!(of(&[1.0, 2.0, 0.0, 3.0]), None);
        assert_eq!(of(&[0.0, -0.0, f32::NAN, 1.0]), Some(BadRow::NotFinite(1)));
        assert_eq!(of(&[1.0, 0.0, 0.0, -0.0]), Some(BadRow::Zero(1)));
    }
}
