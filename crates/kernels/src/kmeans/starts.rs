//! Where the centres start.

use super::{Data, Init, Options};
use crate::distance::Real;
use crate::job::{Aborted, Job};
use crate::philox::Philox;
use rayon::prelude::*;

/// Centres of one run.
pub fn starts<T: Real>(
    data: &Data<T>,
    options: &Options<T>,
    restart: u32,
    job: &Job,
) -> Result<Vec<T>, Aborted> {
    let n = data.x.count();
    // Rows that starts are taken from, in this order.
    let mut rows: Vec<u32> = match options.batch_size {
        None => (0..n as u32).collect(),
        Some(size) => {
            let mut order = Philox::new(options.seed, 3 * restart + 1).permutation(n);
            order.truncate(n.min((3 * size).max(3 * options.k)));
            order
        }
    };
    let chosen = match options.init {
        Init::Random => {
            let order = Philox::new(options.seed, 3 * restart).permutation(rows.len());
            order[..options.k].iter().map(|&place| rows[place as usize]).collect()
        }
        _ => {
            let mut draws = vec![0.0; options.k];
            Philox::new(options.seed, 3 * restart).uniform64(0, &mut draws);
            plus_plus(data, &rows, &draws, job)?
        }
    };
    rows.clear();
    let mut centers = Vec::with_capacity(options.k * data.x.width());
    chosen.iter().for_each(|&row| centers.extend_from_slice(data.x.row(row as usize)));
    Ok(centers)
}

/// One row for each draw.
fn plus_plus<T: Real>(data: &Data<T>, rows: &[u32], draws: &[f64], job: &Job) -> Result<Vec<u32>, Aborted> {
    let mut least = vec![1.0; rows.len()];
    let mut sums = vec![0.0; rows.len()];
    let mut taken = vec![false; rows.len()];
    let mut chosen = Vec::with_capacity(draws.len());
    for (c, u) in draws.iter().enumerate() {
        job.check()?;
        let mut total = 0.0;
        for ((sum, least), &row) in sums.iter_mut().zip(&least).zip(rows) {
            total += data.weight(row as usize) * least;
            *sum = total;
        }
        let place = if total > 0.0 {
            let limit = u * total;
            // u < 1 keeps the limit below the total, but for rounding of tiny totals.
            sums.partition_point(|&sum| sum <= limit).min(rows.len() - 1)
        } else {
            let free = (0..rows.len()).filter(|&place| !taken[place]);
            free.min_by_key(|&place| rows[place]).unwrap_or(0)
        };
        taken[place] = true;
        chosen.push(rows[place]);
        let center = data.x.row(rows[place] as usize);
        let first = c == 0;
        least.par_iter_mut().zip(rows).with_min_len(256).for_each(|(least, &row)| {
            let distance = data.distance(row as usize, center);
            *least = if first { distance } else { least.min(distance) };
        });
    }
    Ok(chosen)
}
