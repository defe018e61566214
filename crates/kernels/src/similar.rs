//! Rows of vectors that are alike: components over pairs of high cosine within groups.
//!
//! Two rows of a group are linked when their cosine ([`cosine`](crate::distance::cosine)) is at least the threshold; a
//! component is what links join, and stands under its lowest row. Pairs are scored that a screen ([`crate::alike`]) lets
//! through and that are not joined already. Groups are worked through in parallel; the answer does not depend on that.
//! O(sum over groups of m^2 * width), memory 8 bytes a row and 2 * width for the rows of the groups at work.

use crate::alike::Group;
use crate::cpu::Cpu;
use crate::distance::{Real, Rows};
use crate::job::{Aborted, Job};
use crate::threads;
use crate::unionfind::UnionFind;
use rayon::prelude::*;

/// Of each row the lowest row of its component. `groups` is the group of each row.
///
/// # Errors
/// [`Aborted`] once the job is stopped.
///
/// # Panics
/// If there are not as many groups as rows.
///
/// ```
/// use tamis_kernels::distance::Rows;
/// use tamis_kernels::similar::similar;
/// let x = [1.0f32, 0.0, 0.0, 1.0, 2.0, 0.1, 1.0, 0.0];
/// let rows = Rows::new(&x, 4, 2);
/// assert_eq!(similar(rows, &[0, 0, 0, 1], 0.9, &Default::default()).unwrap(), [0, 1, 0, 3]);
/// ```
pub fn similar<T: Real>(
    rows: Rows<T>,
    groups: &[u32],
    threshold: f64,
    job: &Job,
) -> Result<Vec<u32>, Aborted> {
    assert_eq!(rows.count(), groups.len());
    let mut members: Vec<u32> = (0..groups.len() as u32).collect();
    // Stable: the rows of a group stay in order.
    members.sort_by_key(|&row| groups[row as usize]);
    let of_group = |group: &[u32]| {
        let rows = Group::new(rows, group, Cpu::current());
        let mut joined = UnionFind::new(group.len() as u32);
        for part in 0..rows.parts() {
            job.check()?;
            rows.meet(part, threshold, |b, a| {
                let is_joined = joined.find(a as u32) == joined.find(b as u32);
                if !is_joined && rows.score(a, b) >= threshold {
                    joined.union(a as u32, b as u32);
                }
                threshold
            });
        }
        Ok(joined.into_roots())
    };
    let parts: Vec<&[u32]> = members.chunk_by(|&a, &b| groups[a as usize] == groups[b as usize]).collect();
    let roots: Result<Vec<Vec<u32>>, Aborted> =
        threads::pool().install(|| parts.par_iter().with_max_len(1).map(|group| of_group(group)).collect());
    let mut lowest = vec![0; groups.len()];
    for (group, roots) in parts.into_iter().zip(roots?) {
        for (&row, root) in group.iter().zip(roots) {
            lowest[row as usize] = group[root as usize];
        }
    }
    Ok(lowest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::cosine;
    use crate::philox::Philox;
    use proptest::prelude::*;

    /// Joins until nothing changes.
    fn naive(x: &[f32], width: usize, groups: &[u32], threshold: f64) -> Vec<u32> {
        let n = groups.len();
        let row = |i: usize| &x[i * width..(i + 1) * width];
        let dot = |i: usize, j: usize| -> f64 {
            row(i).iter().zip(row(j)).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let mut lowest: Vec<u32> = (0..n as u32).collect();
        loop {
            let before = lowest.clone();
            for i in 0..n {
                for j in 0..i {
                    if groups[i] == groups[j] && cosine(dot(i, j), dot(i, i), dot(j, j)) >= threshold {
                        let least = lowest[i].min(lowest[j]);
                        (lowest[i], lowest[j]) = (least, least);
                    }
                }
            }
            if lowest == before {
                return lowest;
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_joining_until_nothing_changes(
            // Small whole numbers: sums are exact in any order.
            x in prop::collection::vec(-3..4_i8, 0..90),
            groups in 1..4_u32,
            threshold in 0.3..1.0_f64,
        ) {
            let x: Vec<f32> = x.into_iter().map(f32::from).collect();
            let n = x.len() / 3;
            let groups: Vec<u32> = (0..n as u32).map(|i| i.wrapping_mul(7) % groups).collect();
            let rows = Rows::new(&x[..n * 3], n, 3);
            prop_assert_eq!(similar(rows, &groups, threshold, &Job::default()).unwrap(), naive(&x, 3, &groups, threshold));
        }
    }

    #[test]
    fn threads_do_not_show_and_a_job_stops_it() {
        let (n, width) = (3 * 4096 + 5, 20);
        let noise = Philox::new(1, 0);
        let x: Vec<f32> = (0..n * width).map(|i| (noise.word(i as u64) >> 30) as f32 - 1.5).collect();
        let groups: Vec<u32> = (0..n as u32).map(|i| i % 61).collect();
        let rows = Rows::new(&x, n, width);
        let found = threads::on_any_budget(|| similar(rows, &groups, 0.7, &Job::default()).unwrap());
        assert!(found.iter().enumerate().any(|(i, &of)| of != i as u32));
        let job = Job::default();
        job.stop();
        assert_eq!(similar(rows, &groups, 0.95, &job), Err(Aborted));
    }
}
