//! Mini-batches: each step moves the centres toward the rows that it drew.

use super::label::Labeler;
use super::update::{Members, weighted_sums};
use super::{Data, Options, divide_by_norm};
use crate::distance::Real;
use crate::job::{Aborted, Job};
use crate::philox::Philox;
use rayon::prelude::*;

/// Centres after all steps, and their number.
pub fn batches<T: Real>(
    data: &Data<T>,
    labeler: &mut Labeler<T>,
    options: &Options<T>,
    size: usize,
    restart: u32,
    mut centers: Vec<T>,
    job: &Job,
) -> Result<(Vec<T>, usize), Aborted> {
    let width = data.x.width();
    let draws = Philox::new(options.seed, 3 * restart + 2);
    let (mut rows, mut labels) = (vec![0; size], vec![0; size]);
    let mut seen = vec![0.0f64; options.k];
    let mut members = Members::default();
    for step in 0..options.max_iterations {
        draws.below((step * size) as u64, data.x.count() as u64, &mut rows);
        labeler.label(data, &rows, &centers, &mut labels, job)?;
        members.sort(&labels, options.k);
        let update = |((j, center), seen): ((usize, &mut [T]), &mut f64)| {
            let places = members.of(j);
            if places.is_empty() {
                return;
            }
            let drawn: Vec<u32> = places.iter().map(|&place| rows[place as usize]).collect();
            let (sums, weight) = weighted_sums(data, &drawn);
            *seen += weight;
            let step = |(c, sum): (&T, f64)| {
                let c: f64 = (*c).into();
                T::from_f64(c + (sum - weight * c) / *seen)
            };
            let mut moved: Vec<T> = center.iter().zip(sums).map(step).collect();
            if !data.spherical || divide_by_norm(&mut moved, data.arithmetic) {
                center.copy_from_slice(&moved);
            }
        };
        centers.par_chunks_mut(width).enumerate().zip(&mut seen).for_each(update);
    }
    Ok((centers, options.max_iterations))
}
