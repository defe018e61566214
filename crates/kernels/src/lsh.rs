//! Locality-sensitive hashing of MinHash signatures: bands of rows, and how many to choose.
//!
//! Two documents of Jaccard similarity s agree in a band of r values with probability s^r, in at least one of b bands with
//! 1 - (1 - s^r)^b: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4.

use crate::minhash;
use crate::xxh3::hash64;

/// The digest of what is never linked.
pub const NO_DIGEST: u64 = 0;

/// How a signature is cut: band i is its values `i * rows .. (i + 1) * rows`; what is left over is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Banding {
    pub bands: usize,
    pub rows: usize,
}

impl Banding {
    /// Adds to `out` a digest for each band: the 64-bit XXH3 of its values as little-endian words, seeded with the
    /// number of the source + 1 where only documents of one source may agree. An empty signature has [`NO_DIGEST`]s, and nothing
    /// else has.
    ///
    /// # Panics
    /// If the signature is shorter than the bands.
    pub fn digests(&self, signature: &[u32], source: Option<u32>, out: &mut Vec<u64>) {
        if minhash::is_empty(signature) {
            return out.extend(std::iter::repeat_n(NO_DIGEST, self.bands));
        }
        let seed = source.map_or(0, |source| u64::from(source) + 1);
        let mut bytes = Vec::with_capacity(4 * self.rows);
        for band in signature[..self.bands * self.rows].chunks_exact(self.rows) {
            bytes.clear();
            band.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
            out.push(hash64(&bytes, seed).max(NO_DIGEST + 1));
        }
    }
}

/// The share of values in which two signatures agree: an estimate of the Jaccard similarity.
pub fn estimate(a: &[u32], b: &[u32]) -> f64 {
    let equal: usize = a.iter().zip(b).map(|(a, b)| usize::from(a == b)).sum();
    equal as f64 / a.len() as f64
}

/// The number of intervals of the integrals.
const INTERVALS: usize = 1024;

/// Bands and rows, together at most `num_perm` values, for which false positives below `threshold` and false negatives
/// above it are fewest: the least `(integral of 1 - (1 - s^r)^b over 0..threshold + integral of (1 - s^r)^b over threshold..1) / 2`, by
/// Simpson's rule; of equal ones the fewest bands, then the fewest rows. O(num_perm * log(num_perm)) integrals.
///
/// ```
/// use tamis_kernels::lsh::{Banding, params};
/// assert_eq!(params(0.8, 128), Banding { bands: 9, rows: 13 });
/// ```
pub fn params(threshold: f64, num_perm: usize) -> Banding {
    let (below, above) = (Integral::over(0.0, threshold), Integral::over(threshold, 1.0));
    // Going through the rows outside, each (1 - s^r)^b is one product more than that of a band less.
    let mut costs: Vec<(f64, usize, usize)> = Vec::new();
    for rows in 1..=num_perm {
        let (mut agree, mut miss) = (below.powers(rows), above.powers(rows));
        let (base_agree, base_miss) = (agree.clone(), miss.clone());
        for bands in 1..=num_perm / rows {
            if bands > 1 {
                agree.iter_mut().zip(&base_agree).for_each(|(power, base)| *power *= base);
                miss.iter_mut().zip(&base_miss).for_each(|(power, base)| *power *= base);
            }
            let cost = 0.5 * (threshold - below.sum(&agree)) + 0.5 * above.sum(&miss);
            costs.push((cost, bands, rows));
        }
    }
    let best = costs.into_iter().min_by(|a, b| a.partial_cmp(b).expect("integrals are finite"));
    let (_, bands, rows) = best.expect("one band of one row always fits");
    Banding { bands, rows }
}

/// Simpson's rule over an interval.
struct Integral {
    step: f64,
    nodes: Vec<f64>,
}

impl Integral {
    fn over(from: f64, to: f64) -> Self {
        let step = (to - from) / INTERVALS as f64;
        Integral { step, nodes: (0..=INTERVALS).map(|i| from + step * i as f64).collect() }
    }

    /// 1 - s^rows at every node.
    fn powers(&self, rows: usize) -> Vec<f64> {
        self.nodes.iter().map(|s| 1.0 - s.powi(rows as i32)).collect()
    }

    fn sum(&self, values: &[f64]) -> f64 {
        let inner = &values[1..INTERVALS];
        let odd: f64 = inner.iter().step_by(2).sum();
        let even: f64 = inner.iter().skip(1).step_by(2).sum();
        self.step / 3.0 * (values[0] + 4.0 * odd + 2.0 * even + values[INTERVALS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each cost by itself, in the order of bands and rows.
    fn naive(threshold: f64, num_perm: usize) -> Banding {
        let simpson = |from: f64, to: f64, f: &dyn Fn(f64) -> f64| {
            let h = (to - from) / 1024.0;
            let weight = |i: usize| {
                if i == 0 || i == 1024 {
                    1.0
                } else if i % 2 == 1 {
                    4.0
                } else {
                    2.0
                }
            };
            (0..=1024).map(|i| weight(i) * f(from + h * i as f64)).sum::<f64>() * h / 3.0
        };
        let mut best = (f64::INFINITY, Banding { bands: 0, rows: 0 });
        for bands in 1..=num_perm {
            for rows in 1..=num_perm / bands {
                let miss = |s: f64| (1.0 - s.powi(rows as i32)).powi(bands as i32);
                let cost =
                    0.5 * simpson(0.0, threshold, &|s| 1.0 - miss(s)) + 0.5 * simpson(threshold, 1.0, &miss);
                if cost < best.0 {
                    best = (cost, Banding { bands, rows });
                }
            }
        }
        best.1
    }

    #[test]
    fn parameters_are_those_of_the_definition() {
        for threshold in [0.01, 0.2, 0.5, 0.7, 0.8, 0.85, 0.95, 0.999] {
            for num_perm in [1, 2, 16, 100, 128, 256] {
                assert_eq!(params(threshold, num_perm), naive(threshold, num_perm), "{threshold} {num_perm}");
            }
        }
    }

    #[test]
    fn bands_agree_where_their_values_and_the_source_do() {
        let banding = Banding { bands: 3, rows: 2 };
        let digests = |signature: &[u32], source| {
            let mut out = Vec::new();
            banding.digests(signature, source, &mut out);
            out
        };
        let (a, b) = (digests(&[1, 2, 3, 4, 5, 6, 7], None), digests(&[1, 2, 3, 9, 5, 6, 8], None));
        assert_eq!((a.len(), a[0] == b[0], a[1] == b[1], a[2] == b[2]), (3, true, false, true));
        assert_eq!(a[0], hash64(&[1, 0, 0, 0, 2, 0, 0, 0], 0));
        assert_eq!(digests(&[1, 2, 3, 4, 5, 6], Some(4))[0], hash64(&[1, 0, 0, 0, 2, 0, 0, 0], 5));
        assert_eq!(digests(&[u32::MAX; 6], Some(1)), [NO_DIGEST; 3]);
        assert_eq!(estimate(&[1, 2, 3, 4], &[1, 0, 3, 0]), 0.5);
    }
}
