//! Noise taken out of images and volumes by shrinking their wavelet coefficients, in float64.
//!
//! The scale s of the noise is the median magnitude of the finest band that is high along every axis, over 0.6745. Every
//! band but the coarsest low one is brought nearer to 0 by a threshold: `s^2 / sqrt(m - s^2)` with m the band's mean
//! square (BayesShrink; all of it where m is at most s^2), or `s sqrt(2 ln n)` (the universal one), or a given one.
//! (Chang, Yu, Vetterli, IEEE TIP 2000; Donoho, Johnstone, Biometrika 1994.) Cost: O(taps) a sample; planes one after
//! the other, a plane's bands in memory, in parallel over lines.

use crate::job::{Aborted, Job};
use crate::real::Real;
use crate::sums;
use crate::wavelet::{Filters, Mode, forward, inverse};

/// The median magnitude of normal noise of scale 1.
const NORMAL_MEDIAN: f64 = 0.674_489_750_196_081_7;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    Bayes,
    Universal,
    Given(f64),
}

/// Planes of the given sides, denoised; `levels` at least 1.
///
/// # Panics
/// If the items are no whole planes, or a side has no samples.
pub fn shrink<T: Real>(
    x: &[T],
    sides: &[usize],
    filters: &Filters,
    levels: usize,
    threshold: Threshold,
    job: &Job,
) -> Result<Vec<T>, Aborted> {
    let size = sides.iter().product::<usize>();
    assert!(size > 0 && x.len().is_multiple_of(size), "planes of another shape");
    let mut out = Vec::with_capacity(x.len());
    for plane in x.chunks(size) {
        job.check()?;
        let plane = plane.iter().map(|x| x.to_f64()).collect();
        out.extend(shrink_plane(plane, sides, filters, levels, threshold).into_iter().map(T::from_f64));
    }
    Ok(out)
}

fn shrink_plane(
    plane: Vec<f64>,
    sides: &[usize],
    filters: &Filters,
    levels: usize,
    threshold: Threshold,
) -> Vec<f64> {
    let samples = plane.len() as f64;
    let mut low = plane;
    let mut shapes = vec![sides.to_vec()];
    let mut high: Vec<Vec<f64>> = Vec::new();
    for level in 0..levels {
        let mut bands = forward(&low, 1, &shapes[level], filters, Mode::Symmetric);
        shapes.push(shapes[level].iter().map(|&side| filters.band(Mode::Symmetric, side)).collect());
        let size = bands.len() >> sides.len();
        high.push(bands.split_off(size));
        low = bands;
    }
    let count = (1 << sides.len()) - 1;
    let finest = &high[0][high[0].len() / count * (count - 1)..];
    let scale = median(finest.iter().map(|d| d.abs()).collect()) / NORMAL_MEDIAN;
    for level in (0..levels).rev() {
        let bands = &mut high[level];
        let size = bands.len() / count;
        for band in bands.chunks_mut(size) {
            let by = match threshold {
                Threshold::Bayes => bayes(band, scale),
                Threshold::Universal => scale * (2.0 * samples.ln()).sqrt(),
                Threshold::Given(by) => by,
            };
            band.iter_mut().for_each(|d| *d = d.signum() * (d.abs() - by).max(0.0));
        }
        low.append(bands);
        low = inverse(&low, 1, &shapes[level + 1], &shapes[level], filters, Mode::Symmetric);
    }
    low
}

fn bayes(band: &[f64], scale: f64) -> f64 {
    let noise = scale * scale;
    let mean = sums::norm_sq(band) / band.len() as f64;
    if mean <= noise { f64::INFINITY } else { noise / (mean - noise).sqrt() }
}

/// Of an even number of items the mean of the two in the middle.
fn median(mut items: Vec<f64>) -> f64 {
    let middle = items.len() / 2;
    let even = items.len().is_multiple_of(2);
    let (below, &mut upper, _) = items.select_nth_unstable_by(middle, f64::total_cmp);
    if even {
        let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        0.5 * (lower + upper)
    } else {
        upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::normals as normal;
    use crate::threads;

    fn run(x: &[f64], sides: &[usize], name: &str, levels: usize, threshold: Threshold) -> Vec<f64> {
        let filters = Filters::named(name).unwrap();
        shrink(x, sides, &filters, levels, threshold, &Job::default()).unwrap()
    }

    fn mse(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / a.len() as f64
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 9.0, 2.0]), 3.0);
        assert_eq!(median(vec![5.0, 1.0, 9.0]), 5.0);
    }

    #[test]
    fn nothing_is_taken_at_a_threshold_of_0() {
        for (sides, levels) in [(&[9, 13][..], 3), (&[8, 5, 6], 2), (&[2, 2], 1)] {
            for name in ["haar", "db2", "db8"] {
                let x = normal(2 * sides.iter().product::<usize>(), 1);
                let same = run(&x, sides, name, levels, Threshold::Given(0.0));
                assert!(mse(&same, &x) < 1e-18, "{sides:?} {name}");
            }
        }
    }

    #[test]
    fn haar_by_hand() {
        // Bands of a 2 x 2 plane: the halved sums and differences.
        let x = [5.0, 1.0, 2.0, 0.0];
        let sum = |s: [f64; 4]| x.iter().zip(s).map(|(x, s)| x * s).sum::<f64>() / 2.0;
        let soft = |d: f64| d.signum() * (d.abs() - 0.75).max(0.0);
        let low = sum([1.0, 1.0, 1.0, 1.0]);
        let [across, down, both] =
            [[1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, 1.0]].map(|s| soft(sum(s)));
        let want = [
            low + across + down + both,
            low - across + down - both,
            low + across - down - both,
            low - across - down + both,
        ]
        .map(|x| x / 2.0);
        assert!(mse(&run(&x, &[2, 2], "haar", 1, Threshold::Given(0.75)), &want) < 1e-28);
    }

    #[test]
    fn noise_goes_and_what_is_smooth_stays() {
        let sides = [40, 50];
        let clean: Vec<f64> =
            (0..2000).map(|i| ((i / 50) as f64 * 0.11).sin() + ((i % 50) as f64 * 0.07).cos()).collect();
        let noisy: Vec<f64> = clean.iter().zip(normal(2000, 2)).map(|(x, z)| x + 0.2 * z).collect();
        for threshold in [Threshold::Bayes, Threshold::Universal] {
            let got = mse(&run(&noisy, &sides, "db4", 3, threshold), &clean);
            assert!(got < 0.25 * 0.04, "{threshold:?}: {got}");
        }
        let flat = vec![3.7; 2000];
        assert!(mse(&run(&flat, &sides, "db2", 3, Threshold::Bayes), &flat) < 1e-20);
    }

    #[test]
    fn planes_do_not_know_of_each_other() {
        let x = normal(3 * 120, 3);
        let all = run(&x, &[10, 12], "db2", 2, Threshold::Bayes);
        let one = run(&x[120..240], &[10, 12], "db2", 2, Threshold::Bayes);
        assert_eq!(all[120..240], one);
        threads::on_any_budget(|| run(&x, &[30, 12], "db3", 1, Threshold::Bayes));
    }
}
