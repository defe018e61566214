//! Lloyd's iteration.

use super::label::Labeler;
use super::update::{Members, set_mean};
use super::{Data, Options};
use crate::distance::Real;
use crate::job::{Aborted, Job};
use crate::sums::sum_by;
use rayon::prelude::*;

/// Centres once their squared shift is at most `rest` or no label changes, and the updates done; `labels` are those of
/// the last labelling.
pub fn lloyd<T: Real>(
    data: &Data<T>,
    labeler: &mut Labeler<T>,
    options: &Options<T>,
    rest: f64,
    mut centers: Vec<T>,
    labels: &mut [u32],
    job: &Job,
) -> Result<(Vec<T>, usize), Aborted> {
    let width = data.x.width();
    let mut members = Members::default();
    let (mut homes, mut before): (Vec<u32>, Vec<u32>) = Default::default();
    for iteration in 1..=options.max_iterations {
        let changed = labeler.label_all(data, &centers, labels, job)?;
        std::mem::swap(&mut homes, &mut before);
        homes.clear();
        homes.extend_from_slice(labels);
        fill_empty(data, &centers, &mut homes, options.k);
        // A cluster of the same rows has the same mean.
        let mut touched = vec![iteration == 1; options.k];
        for (&home, &before) in homes.iter().zip(&before) {
            if home != before {
                touched[home as usize] = true;
                touched[before as usize] = true;
            }
        }
        members.sort(&homes, options.k);
        let old = centers.clone();
        let update = |((j, center), touched): ((usize, &mut [T]), &bool)| {
            job.check()?;
            if *touched {
                set_mean(data, members.of(j), center);
            }
            Ok(())
        };
        centers.par_chunks_mut(width).enumerate().zip(&touched).try_for_each(update)?;
        let shift = sum_by(centers.len(), |i| {
            let step: f64 = centers[i].into() - old[i].into();
            step * step
        });
        if (changed == 0 && iteration > 1) || shift <= rest {
            return Ok((centers, iteration));
        }
    }
    Ok((centers, options.max_iterations))
}

/// Moves to each empty cluster the farthest row of a cluster that has others.
fn fill_empty<T: Real>(data: &Data<T>, centers: &[T], labels: &mut [u32], k: usize) {
    let width = data.x.width();
    let mut counts = vec![0u32; k];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    let empty: Vec<usize> = (0..k).filter(|&j| counts[j] == 0).collect();
    if empty.is_empty() {
        return;
    }
    let center = |label: u32| &centers[label as usize * width..(label as usize + 1) * width];
    let far = |(i, &label): (usize, &u32)| (data.distance(i, center(label)), i);
    let mut rows: Vec<(f64, usize)> = labels.par_iter().enumerate().with_min_len(256).map(far).collect();
    rows.par_sort_unstable_by(|(a, i), (b, j)| b.total_cmp(a).then(i.cmp(j)));
    // A row that may not move, since it is alone or was moved, may not move later: one walk serves all.
    let mut farthest = rows.into_iter().map(|(_, i)| i);
    for j in empty {
        let Some(row) = farthest.find(|&i| counts[labels[i] as usize] > 1) else { return };
        counts[labels[row] as usize] -= 1;
        labels[row] = j as u32;
        counts[j] = 1;
    }
}
