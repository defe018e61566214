use super::*;
use crate::philox::Philox;
use proptest::prelude::*;

fn options<T>(k: usize) -> Options<'static, T> {
    Options {
        k,
        init: Init::PlusPlus,
        restarts: 1,
        max_iterations: 300,
        tolerance: 1e-4,
        spherical: false,
        batch_size: None,
        weights: None,
        seed: 0,
    }
}

/// The definition, word by word, for given starts.
fn naive(x: Rows<f32>, o: &Options<f32>, mut centers: Vec<Vec<f32>>) -> Clustering<f32> {
    let arithmetic = Arithmetic::current();
    let norm = |row: &[f32]| arithmetic.dot(row, row).sqrt();
    let unit = |row: &[f32]| -> Vec<f32> { row.iter().map(|&v| (f64::from(v) / norm(row)) as f32).collect() };
    let rows: Vec<Vec<f32>> =
        (0..x.count()).map(|i| if o.spherical { unit(x.row(i)) } else { x.row(i).to_vec() }).collect();
    if o.spherical && matches!(o.init, Init::Centers(_)) {
        centers = centers.iter().map(|c| unit(c)).collect();
    }
    let distance = |x: &[f32], c: &[f32]| {
        if o.spherical { (1.0 - arithmetic.dot(x, c)).max(0.0) } else { arithmetic.l2sq(x, c) }
    };
    let label = |x: &[f32], centers: &[Vec<f32>]| {
        let mut best = 0;
        for j in 1..centers.len() {
            if distance(x, &centers[j]) < distance(x, &centers[best]) {
                best = j;
            }
        }
        best
    };
    let weight = |i: usize| o.weights.map_or(1.0, |w| w[i]);
    let all: Vec<f32> = rows.concat();
    let data = Data {
        x: Rows::new(&all, x.count(), x.width()),
        spherical: o.spherical,
        weights: o.weights,
        arithmetic,
    };
    let rest = o.tolerance * Moments::of(&data).variance;
    let mut before = None;
    let mut iterations = 0;
    for _ in 0..o.max_iterations {
        let labels: Vec<usize> = rows.iter().map(|x| label(x, &centers)).collect();
        let mut homes = labels.clone();
        let mut moved = vec![false; rows.len()];
        for j in 0..o.k {
            if homes.contains(&j) {
                continue;
            }
            let size = |homes: &[usize], j: usize| homes.iter().filter(|&&home| home == j).count();
            let mut far: Option<usize> = None;
            for i in 0..rows.len() {
                let d = |i: usize| distance(&rows[i], &centers[labels[i]]);
                if size(&homes, homes[i]) > 1 && !moved[i] && far.is_none_or(|f| d(i) > d(f)) {
                    far = Some(i);
                }
            }
            homes[far.unwrap()] = j;
            moved[far.unwrap()] = true;
        }
        let old = centers.clone();
        for (j, center) in centers.iter_mut().enumerate() {
            let mut sums = crate::sums::RowSums::new(x.width());
            let mut weights = Vec::new();
            for i in (0..rows.len()).filter(|&i| homes[i] == j) {
                sums.add(&rows[i], weight(i));
                weights.push(weight(i));
            }
            let total = crate::sums::sum_f64(&weights);
            let mean: Vec<f32> = sums.finish().into_iter().map(|s| (s / total) as f32).collect();
            if !o.spherical {
                *center = mean;
            } else if norm(&mean) > 0.0 {
                *center = unit(&mean);
            }
        }
        iterations += 1;
        let steps: Vec<f64> = centers
            .concat()
            .iter()
            .zip(old.concat())
            .map(|(a, b)| (f64::from(*a) - f64::from(b)).powi(2))
            .collect();
        let same = before.as_ref() == Some(&labels);
        before = Some(labels);
        if same || crate::sums::sum_f64(&steps) <= rest {
            break;
        }
    }
    let labels: Vec<usize> = rows.iter().map(|x| label(x, &centers)).collect();
    let terms: Vec<f64> =
        (0..rows.len()).map(|i| weight(i) * distance(&rows[i], &centers[labels[i]])).collect();
    Clustering {
        centers: centers.concat(),
        inertia: crate::sums::sum_f64(&terms),
        iterations,
        counts: (0..o.k).map(|j| labels.iter().filter(|&&l| l == j).count() as u32).collect(),
        labels: labels.into_iter().map(|l| l as u32).collect(),
    }
}

/// Rows with duplicates and ties, in clumps, far from the origin, or of very different sizes; some wide enough to be
/// screened.
fn rows(count: usize, width: usize) -> impl Strategy<Value = Vec<f32>> {
    let n = count * width;
    prop_oneof![
        prop::collection::vec(1i32..4, n).prop_map(|x| x.iter().map(|&x| x as f32).collect::<Vec<_>>()),
        prop::collection::vec(-1f32..1.0, n).prop_map(move |x| {
            x.iter().enumerate().map(|(i, x)| 0.1 * x + ((i / width) % 9 * (i % width) % 5) as f32).collect()
        }),
        prop::collection::vec(-1f32..1.0, n).prop_map(|x| x.iter().map(|x| 1e5 + x).collect::<Vec<_>>()),
        prop::collection::vec(prop_oneof![1e-42f32..1e-38, Just(3e-45)], n),
        prop::collection::vec(prop_oneof![0.1f32..1.0, 1e-3f32..1e12, Just(1e-20)], n),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn clusters_follow_the_definition(
        (width, x, starts, weights) in (1usize..40, 12usize..60).prop_flat_map(|(width, n)| (
            Just(width),
            rows(n, width),
            prop::collection::vec(0..n, 1..12),
            prop::collection::vec(0.5f64..3.0, n),
        )),
        (spherical, weighted, far) in any::<(bool, bool, bool)>(),
    ) {
        let n = x.len() / width;
        let x = Rows::new(&x, n, width);
        let spherical = spherical && (0..n).all(|i| x.row(i).iter().any(|x| *x != 0.0));
        let k = starts.len();
        let mut centers: Vec<Vec<f32>> = starts.iter().map(|&i| x.row(i).to_vec()).collect();
        if far {
            // Nothing is near these: their clusters are empty.
            centers[0] = vec![-1e6; width];
        }
        let init = centers.concat();
        let o = Options {
            init: Init::Centers(&init), spherical, weights: weighted.then_some(&weights), max_iterations: 9,
            tolerance: 0.0, ..options(k)
        };
        let got = kmeans(x, &o, &Job::default()).unwrap();
        prop_assert_eq!(got, naive(x, &o, centers));
    }
}

/// Blobs whose rows the bounds let stay, enough rows for several blocks of sums.
fn blobs(n: usize, width: usize, count: u64) -> Vec<f32> {
    let mut x = vec![0.0f64; n * width];
    Philox::new(1, 0).normal(&mut x);
    let mut centers = vec![0.0f64; count as usize * width];
    Philox::new(2, 0).normal(&mut centers);
    let which = Philox::new(3, 0);
    let mut whose = vec![0; n];
    which.below(0, count, &mut whose);
    x.iter()
        .enumerate()
        .map(|(i, x)| (0.3 * x + centers[whose[i / width] as usize * width + i % width]) as f32)
        .collect()
}

#[test]
fn threads_do_not_show_and_bounds_change_nothing() {
    let (n, width, k) = (13_001, 24, 20);
    let x = blobs(n, width, 15);
    let x = Rows::new(&x, n, width);
    let runs = [
        options(k),
        Options { spherical: true, ..options(k) },
        Options { init: Init::Random, restarts: 2, ..options(k) },
        Options { batch_size: Some(500), max_iterations: 20, ..options(k) },
    ];
    for o in runs {
        let arithmetic = Arithmetic::current();
        let unit = unit_rows("x", x, arithmetic).unwrap();
        let rows = if o.spherical { Rows::new(&unit, n, width) } else { x };
        let data = Data { x: rows, spherical: o.spherical, weights: None, arithmetic };
        let results: Vec<Clustering<f32>> = [1, 2, 7]
            .into_iter()
            .map(|threads| {
                let pool = crate::threads::Budget::of(threads);
                pool.install(|| run(&data, &o, None, &Job::default())).unwrap()
            })
            .collect();
        assert!(results[0] == results[1] && results[0] == results[2]);
        if o.batch_size.is_none() {
            let starts: Vec<Clustering<f32>> = (0..o.restarts as u32)
                .map(|r| {
                    let starts = starts::starts(&data, &o, r, &Job::default()).unwrap();
                    naive(x, &o, starts.chunks(width).map(<[f32]>::to_vec).collect())
                })
                .collect();
            let best = starts
                .iter()
                .fold(&starts[0], |best, run| if run.inertia < best.inertia { run } else { best });
            assert_eq!(results[0].iterations, best.iterations, "{o:?}");
            assert!(results[0] == *best, "{o:?}");
        }
    }
}

#[test]
fn every_instruction_set_labels_alike() {
    let (n, width, k) = (300, 40, 33);
    let x = blobs(n, width, 30);
    let data = Data {
        x: Rows::new(&x, n, width),
        spherical: false,
        weights: None,
        arithmetic: Arithmetic::current(),
    };
    let means = Moments::of(&data).means;
    let centers = &x[..k * width];
    let want: Vec<u32> = (0..n)
        .map(|i| {
            (0..k).fold(0, |best, j| {
                let d = |j: usize| data.distance(i, data.x.row(j));
                if d(j) < d(best) { j } else { best }
            }) as u32
        })
        .collect();
    for cpu in Cpu::choices() {
        let mut labeler = Labeler::new(&data, k, &means, cpu);
        let mut labels = vec![0; n];
        labeler.label_all(&data, centers, &mut labels, &Job::default()).unwrap();
        assert_eq!(labels, want, "{cpu:?}");
        let changed = labeler.label_all(&data, centers, &mut labels, &Job::default()).unwrap();
        assert_eq!((changed, &labels), (0, &want), "{cpu:?}");
    }
}

#[test]
fn float64_keeps_its_digits() {
    let x: Vec<f64> = (0..40).map(|i| 1e9 + f64::from(i % 4) * 1e-3 + f64::from(i) * 1e-6).collect();
    let found = kmeans(Rows::new(&x, 40, 1), &options(4), &Job::default()).unwrap();
    assert_eq!(found.counts, [10; 4]);
}

#[test]
fn equal_rows_start_with_the_lowest_not_taken() {
    let x = [1.0f32; 12];
    let found = kmeans(Rows::new(&x, 6, 2), &options(3), &Job::default()).unwrap();
    assert_eq!((found.inertia, found.labels), (0.0, vec![0; 6]));
    assert_eq!(found.counts, [6, 0, 0]);
}

#[test]
fn what_cannot_be_clustered_is_named() {
    let x = [1.0f32, 0.0, 0.0, 0.0, 2.0, f32::NAN];
    let good = Rows::new(&x[..4], 2, 2);
    let error = |x: Rows<f32>, o: Options<f32>| kmeans(x, &o, &Job::default()).unwrap_err().to_string();
    assert!(error(good, options(3)).starts_with("k must be"));
    assert!(error(good, options(0)).starts_with("k must be"));
    assert!(
        error(Rows::new(&x, 3, 2), options(1))
            .starts_with("x must be finite, got NaN or infinity at index 5")
    );
    assert!(error(good, Options { batch_size: Some(0), ..options(1) }).contains("batch"));
    assert!(
        error(good, Options { spherical: true, ..options(1) })
            .contains("zero row (spherical), got one at row 1")
    );
    assert!(
        error(good, Options { init: Init::Centers(&x[..3]), ..options(1) })
            .starts_with("init must have dims [1, 2]")
    );
    let twice = Options { init: Init::Centers(&x[..2]), restarts: 2, ..options(1) };
    assert!(error(good, twice).starts_with("init is a tensor"));
    assert!(
        error(good, Options { init: Init::Centers(&x[4..]), ..options(1) })
            .starts_with("init must be finite")
    );
    assert!(error(good, Options { weights: Some(&[1.0]), ..options(1) }).starts_with("weights must be 2"));
    assert!(error(good, Options { weights: Some(&[1.0, 0.0]), ..options(1) }).contains("above 0"));
    let job = Job::default();
    job.stop();
    assert_eq!(kmeans(good, &options(1), &job), Err(KMeansError::Aborted));
}
