//! One level of the discrete wavelet transform over the last two or three axes, and back, in float64.
//!
//! With h the scaling filter of F taps: `decLow[k] = h[F-1-k]`, `recHigh[k] = (-1)^k decLow[k]`,
//! `decHigh[k] = recHigh[F-1-k]` (Daubechies, "Ten lectures on wavelets", 1992; the arrangement is that of
//! PyWavelets). Axes are transformed in turn; the bands of three axes are numbered `4 highD + 2 highH + highW`, those
//! of two `2 highH + highW`. Cost: O(F) a sample and axis, in parallel over lines, whose sums have one order; what runs along is
//! always memory in a row: samples of a line for the last axis, lines beside each other for the others.

use crate::cpu::{Cpu, vectorized};
use crate::threads;
use rayon::prelude::*;
use std::borrow::Cow;

/// Samples of one task.
const TASK: usize = 1 << 14;

/// What lies beyond the ends of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The line mirrored, its ends repeated.
    Symmetric,
    Zero,
    /// The line again; an odd one repeats its last sample first. Halves the length exactly.
    Periodization,
}

/// The four filters of a wavelet.
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    /// The scaling filter, which puts low bands back.
    pub scaling: Vec<f64>,
    pub dec_low: Vec<f64>,
    pub dec_high: Vec<f64>,
    pub rec_high: Vec<f64>,
}

impl Filters {
    /// `haar` (or `db1`), `db2` to `db8`.
    ///
    /// ```
    /// use tamis_kernels::wavelet::Filters;
    /// assert_eq!(Filters::named("db2").unwrap().dec_low.len(), 4);
    /// assert!(Filters::named("db9").is_none());
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        let order = if name == "haar" { 1 } else { name.strip_prefix("db")?.parse().ok()? };
        let &(_, scaling) = SCALING.iter().find(|(known, _)| *known == order && !name.starts_with("db0"))?;
        let dec_low: Vec<f64> = scaling.iter().rev().copied().collect();
        let rec_high: Vec<f64> =
            dec_low.iter().enumerate().map(|(k, tap)| if k % 2 == 0 { *tap } else { -tap }).collect();
        let dec_high = rec_high.iter().rev().copied().collect();
        Some(Filters { scaling: scaling.to_vec(), dec_low, dec_high, rec_high })
    }

    fn taps(&self) -> usize {
        self.scaling.len()
    }

    /// Samples of a band of a line of `n`.
    pub fn band(&self, mode: Mode, n: usize) -> usize {
        match mode {
            Mode::Periodization => n.div_ceil(2),
            _ => (n + self.taps() - 1) / 2,
        }
    }

    /// The longest line that bands of `n` samples give back; none if they are too short for the filter.
    pub fn line(&self, mode: Mode, n: usize) -> Option<usize> {
        match mode {
            Mode::Periodization => Some(2 * n),
            _ => (2 * n + 2).checked_sub(self.taps()),
        }
        .filter(|&line| line > 0)
    }
}

/// The bands of each of `batch` arrays of the given sides (each at least 1): [batch, 2^sides, bands of the sides].
///
/// # Panics
/// If the data have another shape.
pub fn forward(x: &[f64], batch: usize, sides: &[usize], filters: &Filters, mode: Mode) -> Vec<f64> {
    assert_eq!(x.len(), batch * sides.iter().product::<usize>(), "data of another shape");
    assert!(sides.iter().all(|&side| side > 0), "a side without samples");
    let mut data = Cow::Borrowed(x);
    let mut sides = sides.to_vec();
    let mut arrays = batch;
    for axis in 0..sides.len() {
        let shape = Lines::around(&sides, axis);
        data = Cow::Owned(analyze(&data, arrays, &shape, filters, mode));
        sides[axis] = filters.band(mode, sides[axis]);
        arrays *= 2;
    }
    data.into_owned()
}

/// Arrays of `batch` times the sides from their bands, whose sides are `bands`; each side at most what
/// [`Filters::line`] gives.
///
/// # Panics
/// If the data have another shape.
pub fn inverse(
    x: &[f64],
    batch: usize,
    bands: &[usize],
    sides: &[usize],
    filters: &Filters,
    mode: Mode,
) -> Vec<f64> {
    let count = batch << bands.len();
    assert_eq!(x.len(), count * bands.iter().product::<usize>(), "data of another shape");
    let mut data = x.to_vec();
    let mut shape = bands.to_vec();
    let mut pairs = count / 2;
    for axis in (0..bands.len()).rev() {
        let (low, high) = part(&data, pairs);
        data = synthesize(&low, &high, &Lines::around(&shape, axis), sides[axis], filters, mode);
        shape[axis] = sides[axis];
        pairs /= 2;
    }
    data
}

/// Lines of `n` samples along an axis of an array: [outer, n, inner].
struct Lines {
    n: usize,
    inner: usize,
}

impl Lines {
    fn around(sides: &[usize], axis: usize) -> Self {
        Lines { n: sides[axis], inner: sides[axis + 1..].iter().product() }
    }
}

fn part(data: &[f64], count: usize) -> (Vec<f64>, Vec<f64>) {
    let size = data.len() / (2 * count).max(1);
    let (mut low, mut high) = (Vec::new(), Vec::new());
    if size > 0 {
        data.chunks(2 * size).for_each(|pair| {
            low.extend_from_slice(&pair[..size]);
            high.extend_from_slice(&pair[size..]);
        });
    }
    (low, high)
}

/// Rows of `inner` samples of an array [outer, n, inner], each made of its outer index and its place on the axis.
fn rows(len: usize, n: usize, inner: usize, fill: impl Fn(usize, usize, &mut [f64]) + Sync) -> Vec<f64> {
    let mut out = vec![0.0; len];
    if len == 0 {
        return out;
    }
    threads::pool().install(|| {
        out.par_chunks_mut(inner)
            .with_min_len(TASK.div_ceil(inner))
            .enumerate()
            .for_each(|(row, out)| fill(row / n, row % n, out));
    });
    out
}

vectorized! {
    /// Adds `tap` times a row.
    fn add(cpu: Cpu, out: &mut [f64], tap: f64, row: &[f64]) {
        out.iter_mut().zip(row).for_each(|(out, x)| *out += tap * x);
    }
}

/// Where the sample lies that tap `j` of output `o` meets; none beyond the ends of [`Mode::Zero`].
fn sample(mode: Mode, n: usize, taps: usize, o: usize, j: usize) -> Option<usize> {
    match mode {
        Mode::Periodization => {
            let whole = n + n % 2;
            Some((2 * o + taps / 2 + taps * whole - j) % whole).map(|i| i.min(n - 1))
        }
        Mode::Zero => (2 * o + 1).checked_sub(j).filter(|&i| i < n),
        Mode::Symmetric => {
            let i = (2 * o + 1 + taps * 2 * n - j) % (2 * n);
            Some(if i < n { i } else { 2 * n - 1 - i })
        }
    }
}

/// The low and the high band of each of `arrays` arrays, by turns.
fn analyze(x: &[f64], arrays: usize, &Lines { n, inner }: &Lines, filters: &Filters, mode: Mode) -> Vec<f64> {
    let (taps, band) = (filters.taps(), filters.band(mode, n));
    let outer = x.len() / (n * inner * arrays).max(1);
    let size = outer * band * inner;
    let mut out = vec![0.0; 2 * arrays * size];
    if out.is_empty() {
        return out;
    }
    let cpu = Cpu::current();
    // Runs of memory that one step fills of each band: whole lines, or the samples at one place of lines beside each other.
    let run = if inner == 1 { band } else { inner };
    let fill = |split: &mut Split, run: usize, low: &mut [f64], high: &mut [f64]| {
        if inner == 1 {
            split.fill(&x[run * n..(run + 1) * n], band, taps, mode);
            split.fold(cpu, &filters.dec_low, low);
            split.fold(cpu, &filters.dec_high, high);
            return;
        }
        let (line, o) = (run / band, run % band);
        for j in 0..taps {
            if let Some(i) = sample(mode, n, taps, o, j) {
                let row = &x[(line * n + i) * inner..][..inner];
                add(cpu, low, filters.dec_low[j], row);
                add(cpu, high, filters.dec_high[j], row);
            }
        }
    };
    threads::pool().install(|| {
        out.par_chunks_mut(2 * size).enumerate().for_each(|(array, bands)| {
            let (low, high) = bands.split_at_mut(size);
            low.par_chunks_mut(run)
                .zip(high.par_chunks_mut(run))
                .with_min_len(TASK.div_ceil(run))
                .enumerate()
                .for_each_init(Split::default, |split, (i, (low, high))| {
                    fill(split, array * (size / run) + i, low, high)
                });
        });
    });
    out
}

/// The samples that the taps meet along a line, its ends drawn out: those at even places and at odd ones. Output o meets by tap j
/// the one at place 2 o + taps - 1 - j.
#[derive(Default)]
struct Split {
    even: Vec<f64>,
    odd: Vec<f64>,
}

impl Split {
    fn fill(&mut self, line: &[f64], band: usize, taps: usize, mode: Mode) {
        let at = |place: usize| {
            // By the first output that has such a place.
            let o = (place + 1).saturating_sub(taps).div_ceil(2);
            sample(mode, line.len(), taps, o, 2 * o + taps - 1 - place).map_or(0.0, |i| line[i])
        };
        // In the middle a place is a sample.
        let first = match mode {
            Mode::Periodization => taps - 1 - taps / 2,
            _ => taps - 2,
        };
        let count = band + taps / 2;
        for (half, begin) in [(&mut self.even, 0), (&mut self.odd, 1)] {
            half.clear();
            half.extend((0..count).map(|i| {
                let place = 2 * i + begin;
                match place.checked_sub(first).and_then(|i| line.get(i)) {
                    Some(&x) => x,
                    None => at(place),
                }
            }));
        }
    }

    /// Adds the products with a filter, tap after tap.
    fn fold(&self, cpu: Cpu, filter: &[f64], out: &mut [f64]) {
        for (j, &tap) in filter.iter().enumerate() {
            let place = filter.len() - 1 - j;
            let half = if place.is_multiple_of(2) { &self.even } else { &self.odd };
            add(cpu, out, tap, &half[place / 2..]);
        }
    }
}

fn synthesize(
    low: &[f64],
    high: &[f64],
    &Lines { n: band, inner }: &Lines,
    n: usize,
    filters: &Filters,
    mode: Mode,
) -> Vec<f64> {
    let taps = filters.taps();
    let cpu = Cpu::current();
    let outer = low.len() / (band * inner).max(1);
    rows(outer * n * inner, n, inner, |outer, i, out| {
        let mut both = |o: usize, k: usize| {
            let start = (outer * band + o) * inner;
            add(cpu, out, filters.scaling[k], &low[start..start + inner]);
            add(cpu, out, filters.rec_high[k], &high[start..start + inner]);
        };
        match mode {
            Mode::Periodization => {
                // Every (o, j) with 2o + j - F/2 + 1 = i modulo the whole length.
                let whole = 2 * band;
                for j in 0..taps {
                    let from = i + taps / 2 + taps * whole - 1 - j;
                    if from.is_multiple_of(2) {
                        both(from % whole / 2, j);
                    }
                }
            }
            _ => {
                // Every o with 0 <= i + F - 2 - 2o < F: from (i - 1) / 2, rounded up, on.
                let first = i / 2;
                let last = (i + taps - 2) / 2;
                for o in first..=last.min(band - 1) {
                    both(o, i + taps - 2 - 2 * o);
                }
            }
        }
    })
}

/// The scaling filters by order, to 17 digits.
const SCALING: [(u32, &[f64]); 8] = [
    (1, &[std::f64::consts::FRAC_1_SQRT_2, std::f64::consts::FRAC_1_SQRT_2]),
    (2, &[0.48296291314453416, 0.8365163037378079, 0.2241438680420134, -0.12940952255126037]),
    (
        3,
        &[
            0.33267055295008263,
            0.8068915093110925,
            0.45987750211849154,
            -0.13501102001025458,
            -0.08544127388202666,
            0.03522629188570953,
        ],
    ),
    (
        4,
        &[
            0.2303778133088965,
            0.7148465705529157,
            0.6308807679298589,
            -0.027983769416859854,
            -0.18703481171909309,
            0.030841381835560764,
            0.0328830116668852,
            -0.010597401785069032,
        ],
    ),
    (
        5,
        &[
            0.16010239797419293,
            0.6038292697971896,
            0.7243085284377729,
            0.13842814590132074,
            -0.24229488706638203,
            -0.032244869584638375,
            0.07757149384004572,
            -0.006241490212798274,
            -0.012580751999081999,
            0.0033357252854737712,
        ],
    ),
    (
        6,
        &[
            0.11154074335010947,
            0.49462389039845306,
            0.7511339080210954,
            0.31525035170919763,
            -0.22626469396543983,
            -0.12976686756726194,
            0.09750160558732304,
            0.027522865530305727,
            -0.03158203931748603,
            0.0005538422011614961,
            0.004777257510945511,
            -0.0010773010853084796,
        ],
    ),
    (
        7,
        &[
            0.07785205408500918,
            0.3965393194819173,
            0.7291320908462351,
            0.4697822874051931,
            -0.14390600392856498,
            -0.22403618499387498,
            0.07130921926683026,
            0.08061260915108308,
            -0.03802993693501441,
            -0.01657454163066688,
            0.01255099855609984,
            0.0004295779729213665,
            -0.0018016407040474908,
            0.00035371379997452024,
        ],
    ),
    (
        8,
        &[
            0.05441584224310401,
            0.31287159091429995,
            0.6756307362972898,
            0.5853546836542067,
            -0.015829105256349306,
            -0.2840155429615469,
            0.0004724845739132828,
            0.12874742662047847,
            -0.017369301001807547,
            -0.044088253930794755,
            0.013981027917398282,
            0.008746094047405777,
            -0.004870352993451574,
            -0.00039174037337694705,
            0.0006754494064505693,
            -0.00011747678412476953,
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MODES: [Mode; 3] = [Mode::Symmetric, Mode::Zero, Mode::Periodization];

    /// One line, by the definition.
    fn naive(x: &[f64], filter: &[f64], mode: Mode) -> Vec<f64> {
        let (n, taps) = (x.len() as i64, filter.len() as i64);
        let mut padded = x.to_vec();
        if mode == Mode::Periodization && n % 2 == 1 {
            padded.push(x[x.len() - 1]);
        }
        let whole = padded.len() as i64;
        let at = |i: i64| match mode {
            Mode::Zero => {
                if (0..n).contains(&i) {
                    x[i as usize]
                } else {
                    0.0
                }
            }
            Mode::Symmetric => {
                let i = i.rem_euclid(2 * n);
                x[i.min(2 * n - 1 - i) as usize]
            }
            Mode::Periodization => padded[i.rem_euclid(whole) as usize],
        };
        let (count, shift) = match mode {
            Mode::Periodization => (whole / 2, taps / 2),
            _ => ((n + taps - 1) / 2, 1),
        };
        (0..count).map(|o| (0..taps).map(|j| filter[j as usize] * at(2 * o + shift - j)).sum()).collect()
    }

    #[test]
    fn every_filter_is_orthonormal() {
        for name in ["haar", "db1", "db2", "db3", "db4", "db5", "db6", "db7", "db8"] {
            let filters = Filters::named(name).unwrap();
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            assert!((dot(&filters.dec_low, &filters.dec_low) - 1.0).abs() < 1e-11, "{name}");
            assert!((dot(&filters.dec_high, &filters.dec_high) - 1.0).abs() < 1e-11, "{name}");
            assert!(dot(&filters.dec_low, &filters.dec_high).abs() < 1e-11, "{name}");
        }
        for name in ["db0", "db9", "db02", "db", "Haar", "sym2", ""] {
            assert!(Filters::named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn bands_are_numbered_by_axis() {
        let filters = Filters::named("haar").unwrap();
        // Only the last axis changes: all but low and high of it are 0.
        let bands = forward(&[1.0, -1.0, 1.0, -1.0], 1, &[2, 2], &filters, Mode::Symmetric);
        assert!(bands[0].abs() < 1e-15 && (bands[1].abs() - 2.0).abs() < 1e-15);
        assert!(bands[2].abs() < 1e-15 && bands[3].abs() < 1e-15);
    }

    #[test]
    fn no_batch_gives_nothing() {
        let filters = Filters::named("db2").unwrap();
        assert!(forward(&[], 0, &[4, 4], &filters, Mode::Zero).is_empty());
        assert!(inverse(&[], 0, &[3, 3], &[4, 4], &filters, Mode::Zero).is_empty());
    }

    proptest! {
        #[test]
        fn a_line_is_that_of_the_definition(
            x in prop::collection::vec(-1.0f64..1.0, 1..40), order in 1u32..=8, mode in 0usize..3
        ) {
            let filters = Filters::named(&format!("db{order}")).unwrap();
            let got = forward(&x, 1, &[x.len()], &filters, MODES[mode]);
            let want = [naive(&x, &filters.dec_low, MODES[mode]), naive(&x, &filters.dec_high, MODES[mode])].concat();
            prop_assert_eq!(got.len(), want.len());
            got.iter().zip(&want).for_each(|(got, want)| assert!((got - want).abs() < 1e-13));
        }

        #[test]
        fn there_and_back(
            d in 1usize..6, h in 1usize..9, w in 1usize..12, batch in 1usize..3, order in 1u32..=8, mode in 0usize..3
        ) {
            let filters = Filters::named(&format!("db{order}")).unwrap();
            let x: Vec<f64> = (0..batch * d * h * w).map(|i| (i * i % 101) as f64 / 50.0 - 1.0).collect();
            let sides = [d, h, w];
            let bands = forward(&x, batch, &sides, &filters, MODES[mode]);
            let shape = sides.map(|side| filters.band(MODES[mode], side));
            prop_assert_eq!(bands.len(), batch * 8 * shape.iter().product::<usize>());
            shape.iter().zip(&sides).for_each(|(&band, &side)| assert!(filters.line(MODES[mode], band).unwrap() >= side));
            let back = inverse(&bands, batch, &shape, &sides, &filters, MODES[mode]);
            back.iter().zip(&x).for_each(|(got, want)| assert!((got - want).abs() < 1e-9, "{got} {want}"));
        }
    }

    #[test]
    fn the_thread_count_does_not_show() {
        let filters = Filters::named("db4").unwrap();
        let x: Vec<f64> = (0..3 * 4096 + 77).map(|i| (i * i % 1013) as f64).collect();
        let run = |threads: usize| {
            let pool = crate::threads::Budget::of(threads);
            pool.install(|| forward(&x, 1, &[x.len()], &filters, Mode::Symmetric))
        };
        let one = run(1);
        assert!(one == run(2) && one == run(7));
    }
}
