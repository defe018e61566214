use super::*;
use crate::cpu::Cpu;
use crate::sums::sum_f64;
use proptest::prelude::*;

fn naive(x: &[f32], y: &[f32], metric: Metric) -> f64 {
    let sum = |term: &dyn Fn(f64, f64) -> f64| {
        let terms: Vec<f64> = x.iter().zip(y).map(|(&x, &y)| term(x.into(), y.into())).collect();
        sum_f64(&terms)
    };
    let norm = |x: &[f32]| x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    match metric {
        Metric::Dot => sum(&|x, y| x * y),
        Metric::L2sq => sum(&|x, y| (x - y) * (x - y)),
        Metric::L2 => sum(&|x, y| (x - y) * (x - y)).sqrt(),
        Metric::Cosine if norm(x) == 0.0 || norm(y) == 0.0 => 0.0,
        Metric::Cosine => sum(&|x, y| x * y) / (norm(x) * norm(y)),
    }
}

const METRICS: [Metric; 4] = [Metric::Dot, Metric::Cosine, Metric::L2sq, Metric::L2];

proptest! {
    #[test]
    fn vectors_follow_the_definitions(
        (width, x, y) in (0usize..40).prop_flat_map(|w| {
            let rows = || prop::collection::vec(prop_oneof![-5f32..5.0, Just(0.0), Just(1e-44), -1e30f32..1e30], 3 * w);
            (Just(w), rows(), rows())
        })
    ) {
        let (left, right) = (Rows::new(&x, 3, width), Rows::new(&y, 3, width));
        for metric in METRICS {
            let got: Vec<f64> = pairwise(&Vectors::new(left, right, metric), &Job::default()).unwrap();
            for (at, got) in got.into_iter().enumerate() {
                let want = naive(left.row(at / 3), right.row(at % 3), metric);
                if metric == Metric::Cosine {
                    prop_assert!((got - want).abs() < 1e-14, "{:?} {} {}", metric, got, want);
                } else {
                    prop_assert_eq!(got.to_bits(), want.to_bits(), "{:?} {} {}", metric, got, want);
                }
            }
        }
    }

    #[test]
    fn packed_bits_are_places(bytes in prop::collection::vec(any::<u8>(), 34)) {
        let bits: Vec<u8> = bytes.iter().flat_map(|b| (0..8).map(move |i| b >> i & 1)).collect();
        let (packed, places) = (Rows::new(&bytes, 2, 17), Rows::new(&bits, 2, 136));
        for metric in [SetMetric::Hamming, SetMetric::Jaccard] {
            let a: Vec<f64> = pairwise(&Bits { left: packed, right: packed, metric }, &Job::default()).unwrap();
            let b: Vec<f64> = pairwise(&Places { left: places, right: places, metric }, &Job::default()).unwrap();
            prop_assert_eq!(a, b);
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let x: Vec<f32> = (0..5000).map(|i| (i as f32 * 0.77).sin() * 1.3f32.powi(i % 40)).collect();
    let y: Vec<f32> = x.iter().rev().copied().collect();
    for width in [0, 1, 7, 8, 9, 384, 4095, 4096, 5000] {
        let (x, y) = (&x[..width], &y[..width]);
        for cpu in Cpu::choices() {
            let arithmetic = Arithmetic::with_cpu(cpu);
            assert_eq!(arithmetic.dot(x, y).to_bits(), naive(x, y, Metric::Dot).to_bits(), "{cpu:?} {width}");
            assert_eq!(
                arithmetic.l2sq(x, y).to_bits(),
                naive(x, y, Metric::L2sq).to_bits(),
                "{cpu:?} {width}"
            );
        }
    }
}

#[test]
fn a_row_is_at_no_distance_from_itself_and_as_similar_as_can_be() {
    let x: Vec<f32> = (0..700).map(|i| (i as f32 * 1.7).cos() * 1e3).collect();
    let x = Rows::new(&x, 7, 100);
    for (metric, want) in [(Metric::L2, 0.0), (Metric::L2sq, 0.0), (Metric::Cosine, 1.0)] {
        let d: Vec<f64> = pairwise(&Vectors::new(x, x, metric), &Job::default()).unwrap();
        (0..7).for_each(|i| assert_eq!(d[8 * i], want, "{metric:?}"));
        (0..49).for_each(|at| assert_eq!(d[at], d[at % 7 * 7 + at / 7], "{metric:?} is symmetric"));
    }
}

#[test]
fn zero_rows_and_empty_sets() {
    let x = [0.0f32, 0.0, 1.0, -2.0];
    let rows = Rows::new(&x, 2, 2);
    let cosine: Vec<f32> = pairwise(&Vectors::new(rows, rows, Metric::Cosine), &Job::default()).unwrap();
    assert_eq!(cosine, [0.0, 0.0, 0.0, 1.0]);
    let sets = Places { left: rows, right: rows, metric: SetMetric::Jaccard };
    assert_eq!(pairwise::<f32>(&sets, &Job::default()).unwrap(), [0.0, 1.0, 1.0, 0.0]);
    let odd = [f32::NAN, -0.0, f32::NAN, 0.0];
    let odd = Rows::new(&odd, 2, 2);
    let words = Places { left: odd, right: odd, metric: SetMetric::Hamming };
    assert_eq!(pairwise::<f32>(&words, &Job::default()).unwrap(), [1.0; 4]);
}

#[test]
fn a_stopped_job_ends() {
    let job = Job::default();
    job.stop();
    let x = Rows::new(&[1.0f32], 1, 1);
    assert_eq!(pairwise::<f32>(&Vectors::new(x, x, Metric::Dot), &job), Err(Aborted));
    let none: Rows<f32> = Rows::new(&[], 0, 4);
    assert_eq!(pairwise::<f32>(&Vectors::new(none, none, Metric::Dot), &job), Ok(vec![]));
}
