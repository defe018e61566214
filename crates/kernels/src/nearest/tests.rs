use super::*;
use crate::distance::{Bits, Places, SetMetric};
use proptest::prelude::*;

const ALL: Search = Search { k: 1, mask: None, exclude_self: false };
const METRICS: [Metric; 4] = [Metric::Dot, Metric::Cosine, Metric::L2sq, Metric::L2];

/// Sorts all candidates of every query.
fn naive(pairs: &impl Pairs, search: Search) -> Vec<u32> {
    let (n, m) = pairs.counts();
    let mut indices = Vec::new();
    for i in 0..n {
        let allowed =
            |j: &usize| search.mask.is_none_or(|mask| mask[*j] != 0) && !(search.exclude_self && i == *j);
        let mut row: Vec<(f64, usize)> = (0..m).filter(allowed).map(|j| (pairs.score(i, j), j)).collect();
        let sign = if pairs.larger_is_nearer() { -1.0 } else { 1.0 };
        // Not a number is last; the sort is stable, so that equal scores stay by index.
        row.sort_by(|(a, _), (b, _)| match (a.is_nan(), b.is_nan()) {
            (false, false) => (sign * a).partial_cmp(&(sign * b)).unwrap(),
            (a, b) => a.cmp(&b),
        });
        indices.extend(row.iter().take(search.k).map(|(_, j)| *j as u32));
    }
    indices
}

fn check(queries: Rows<f32>, base: Rows<f32>, search: Search) -> Result<(), TestCaseError> {
    for metric in METRICS {
        let pairs = Vectors::new(queries, base, metric);
        let got = nearest(queries, base, metric, search, &Job::default()).unwrap();
        let want = naive(&pairs, search);
        prop_assert_eq!(&got.indices, &want, "{:?}", metric);
        let candidates = Candidates::new(pairs.counts(), search).unwrap();
        for cpu in Cpu::choices() {
            let screened = Screened::new(&pairs, &candidates, cpu);
            let got = candidates.search(&screened, &pairs, &Job::default()).unwrap();
            prop_assert_eq!(&got.indices, &want, "{:?} {:?}", metric, cpu);
        }
        for (at, (&j, score)) in got.indices.iter().zip(&got.scores).enumerate() {
            prop_assert_eq!(pairs.score(at / search.k, j as usize).to_bits(), score.to_bits());
        }
    }
    Ok(())
}

/// Rows of few different values (duplicates and ties), of very different sizes, and far from the origin.
fn rows(count: usize, width: usize) -> impl Strategy<Value = Vec<f32>> {
    let n = count * width;
    prop_oneof![
        prop::collection::vec(-2i32..3, n).prop_map(|x| x.iter().map(|&x| x as f32).collect::<Vec<_>>()),
        prop::collection::vec(-1f32..1.0, n),
        prop::collection::vec(-1f32..1.0, n).prop_map(|x| x.iter().map(|x| 1e5 + x).collect::<Vec<_>>()),
        prop::collection::vec(prop_oneof![Just(1e-42f32), Just(-3e-45), Just(0.0), -1e-38f32..1e-38], n),
        prop::collection::vec(prop_oneof![-1f32..1.0, Just(0.0), -1e30f32..1e30, Just(1e-30)], n),
    ]
}

proptest! {
    #[test]
    fn neighbours_are_those_of_a_sort(
        (width, queries, base, k, mask) in (1usize..40, 1usize..60).prop_flat_map(|(width, count)| {
            let base = rows(count, width);
            let mask = prop::collection::vec(0u8..2, count);
            (Just(width), rows(9, width), base, 1..=count, mask)
        })
    ) {
        let (left, right) = (Rows::new(&queries, 9, width), Rows::new(&base, base.len() / width, width));
        check(left, right, Search { k, ..ALL })?;
        let set = mask.iter().filter(|m| **m != 0).count();
        if set > 0 {
            check(left, right, Search { k: k.min(set), mask: Some(&mask), ..ALL })?;
        }
        if right.count() > 1 {
            check(right, right, Search { k: k.min(right.count() - 1), exclude_self: true, ..ALL })?;
        }
    }

    #[test]
    fn sets_too(bytes in prop::collection::vec(0u8..4, 60), k in 1usize..20) {
        for metric in [SetMetric::Hamming, SetMetric::Jaccard] {
            let rows = Rows::new(&bytes, 20, 3);
            let places = Places { left: rows, right: rows, metric };
            let got = nearest_by(&places, Search { k, ..ALL }, &Job::default()).unwrap();
            prop_assert_eq!(got.indices, naive(&places, Search { k, ..ALL }));
            let bits = Bits { left: rows, right: rows, metric };
            let got = nearest_by(&bits, Search { k, ..ALL }, &Job::default()).unwrap();
            prop_assert_eq!(got.indices, naive(&bits, Search { k, ..ALL }));
        }
    }
}

#[test]
fn not_a_number_is_last() {
    let base = [f32::NAN, 1.0, 1.0, f32::INFINITY, 1.0, -1.0];
    let base = Rows::new(&base, 3, 2);
    let queries = Rows::new(&[1.0f32, 1.0, f32::NAN, 0.0], 2, 2);
    for metric in METRICS {
        let pairs = Vectors::new(queries, base, metric);
        let got = nearest(queries, base, metric, Search { k: 3, ..ALL }, &Job::default()).unwrap();
        assert_eq!(got.indices, naive(&pairs, Search { k: 3, ..ALL }), "{metric:?}");
        assert_eq!(got.indices[3..], [0, 1, 2], "{metric:?}");
        let candidates = Candidates::new(pairs.counts(), Search { k: 3, ..ALL }).unwrap();
        let screened = Screened::new(&pairs, &candidates, Cpu::current());
        let again = candidates.search(&screened, &pairs, &Job::default()).unwrap();
        assert_eq!(again.indices, got.indices, "{metric:?}");
    }
}

#[test]
fn too_few_candidates_are_counted() {
    let x = Rows::new(&[1.0f32, 2.0, 3.0], 3, 1);
    let error = |k, mask, exclude_self| {
        nearest(x, x, Metric::Dot, Search { k, mask, exclude_self }, &Job::default()).unwrap_err().to_string()
    };
    assert!(error(4, None, false).starts_with("k must be at most 3"));
    assert!(error(3, None, true).starts_with("k must be at most 2"));
    assert!(error(2, Some(&[0, 1, 0][..]), false).starts_with("k must be at most 1"));
    let job = Job::default();
    job.stop();
    assert_eq!(nearest(x, x, Metric::Dot, ALL, &job), Err(NearestError::Aborted));
}
