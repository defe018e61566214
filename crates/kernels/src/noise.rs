//! Normal noise on top of items.

use crate::philox::Philox;
use crate::real::Real;
use crate::threads;
use rayon::prelude::*;

/// Items of one task.
const TASK: usize = 1 << 14;

/// `x + sigma z` with z the standard normal draws of a stream from item 0 on, in float64. O(n), in parallel; the draws
/// take 8 bytes an item.
///
/// ```
/// use tamis_kernels::{noise::add_normal, philox::Philox};
/// assert_eq!(add_normal(&[1.0f32], 0.0, &Philox::new(0, 0)), [1.0]);
/// ```
pub fn add_normal<T: Real>(x: &[T], sigma: f64, draws: &Philox) -> Vec<T> {
    let mut noise = vec![0.0; x.len()];
    draws.normal(&mut noise);
    let mut out = x.to_vec();
    threads::pool().install(|| {
        out.par_chunks_mut(TASK).zip(noise.par_chunks(TASK)).for_each(|(out, noise)| {
            out.iter_mut().zip(noise).for_each(|(x, z)| *x = T::from_f64(x.to_f64() + sigma * z));
        });
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_the_stream() {
        let x: Vec<f64> = (0..40_000).map(f64::from).collect();
        let draws = Philox::new(7, 3);
        let mut noise = vec![0.0; x.len()];
        draws.normal(&mut noise);
        let got = threads::on_any_budget(|| add_normal(&x, 0.5, &draws));
        assert!(got.iter().zip(x.iter().zip(&noise)).all(|(got, (x, z))| *got == x + 0.5 * z));
        assert!(add_normal::<f32>(&[], 1.0, &draws).is_empty());
    }
}
