use super::*;
use crate::job::Job;
use crate::philox::Philox;

fn normal(seed: u64, len: usize) -> Vec<f32> {
    let mut draws = vec![0.0; len];
    Philox::new(seed, 0).normal(&mut draws);
    draws.into_iter().map(|x| x as f32).collect()
}

/// Rows whose dimensions matter less and less.
fn rows(seed: u64, n: usize, width: usize) -> Vec<f32> {
    let shrink = |(at, x): (usize, f32)| x / ((at % width) as f32 + 1.0).powf(0.7) + 0.3;
    normal(seed, n * width).into_iter().enumerate().map(shrink).collect()
}

fn build(rows: &[f32], width: usize) -> Build<'_> {
    let n = rows.len() / width;
    let attributes = (0..n).flat_map(|i| [(i * 31 % 100) as f32, (i % 7) as f32]).collect();
    let budget = 4 * width;
    Build { rows, width, cosine: false, budget, attributes, columns: 2, partitions: 0, seed: 0 }
}

/// Brute force in float64.
fn naive(build: &Build, query: &Query) -> (Vec<u32>, Vec<f32>) {
    let unit = |row: &[f32]| {
        let mut row = row.to_vec();
        if build.cosine {
            crate::unit::unit_row(&mut row);
        }
        row
    };
    let (mut indices, mut distances) = (vec![], vec![]);
    for q in query.queries.chunks(build.width) {
        let q = unit(q);
        let mut all = vec![];
        for (i, row) in build.rows.chunks(build.width).enumerate() {
            let attributes = &build.attributes[i * build.columns..][..build.columns];
            let passes = query.filters.iter().all(|filter| filter.passes(attributes));
            if passes && query.mask.is_none_or(|mask| mask[i] != 0) {
                let squared: f64 =
                    unit(row).iter().zip(&q).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
                all.push((squared, i as u32));
            }
        }
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        for at in 0..query.k {
            let (squared, row) = all.get(at).copied().unwrap_or((f64::INFINITY, u32::MAX));
            indices.push(row);
            distances.push(if build.cosine { squared / 2.0 } else { squared.sqrt() } as f32);
        }
    }
    (indices, distances)
}

fn close(got: &[f32], want: &[f32]) -> bool {
    got.iter().zip(want).all(|(got, want)| got == want || (got - want).abs() <= 1e-5 * (1.0 + want.abs()))
}

#[test]
fn exact_is_brute_force_under_every_filter() {
    let width = 13;
    let x = rows(1, 900, width);
    let queries = rows(2, 6, width);
    let mask: Vec<u8> = (0..900).map(|i| u8::from(i % 5 > 0)).collect();
    let filter = |column, operator, value| Filter { column, operator, value, upper: 60.0 };
    let filters = [
        vec![],
        vec![filter(0, Operator::Between, 20.0), filter(1, Operator::Equal, 3.0)],
        vec![filter(0, Operator::Less, 5.0)],
        vec![filter(0, Operator::GreaterEqual, 95.0), filter(1, Operator::LessEqual, 2.0)],
        vec![filter(0, Operator::Greater, 99.0)],
        vec![filter(0, Operator::Equal, f32::NAN)],
    ];
    for (cosine, partitions, budget) in [(false, 0, 52), (true, 0, 30), (false, 9, 104), (true, 5, 8)] {
        let asked = Build { cosine, partitions, budget, ..build(&x, width) };
        let index = Index::build(asked.clone(), &Job::default()).unwrap();
        for filters in &filters {
            for mask in [None, Some(&mask[..])] {
                let query = Query { queries: &queries, k: 12, filters, mask, mode: SearchMode::Exact };
                let answer = index.search(&query, &Job::default()).unwrap().unwrap();
                let (indices, distances) = naive(&asked, &query);
                assert_eq!(answer.indices, indices);
                assert!(close(&answer.distances, &distances));
            }
        }
    }
}

#[test]
fn ties_and_far_centres_do_not_cost_exactness() {
    let width = 6;
    let mut x = rows(3, 300, width);
    for row in 0..100 {
        x.copy_within(row * width..(row + 1) * width, (row + 150) * width);
    }
    x.iter_mut().for_each(|x| *x = *x * 1e-3 + 1000.0);
    let asked = build(&x, width);
    let index = Index::build(asked.clone(), &Job::default()).unwrap();
    let queries = &x[..20 * width];
    let query = Query { queries, k: 7, filters: &[], mask: None, mode: SearchMode::Exact };
    assert_eq!(index.search(&query, &Job::default()).unwrap().unwrap().indices, naive(&asked, &query).0);
}

#[test]
fn bounds_hold() {
    let width = 20;
    let x = rows(5, 700, width);
    for (cosine, partitions) in [(false, 0), (true, 3)] {
        let asked = Build { cosine, partitions, ..build(&x, width) };
        let index = Index::build(asked.clone(), &Job::default()).unwrap();
        let queries = &rows(6, 1, width)[..];
        let (lower, upper) = index.bounds(queries).unwrap();
        let query = Query { queries, k: 700, filters: &[], mask: None, mode: SearchMode::Exact };
        let (indices, distances) = naive(&asked, &query);
        for (&row, distance) in indices.iter().zip(distances) {
            let (lower, upper) = (lower[row as usize], upper[row as usize]);
            assert!(lower <= distance * 1.00001 && distance <= upper * 1.00001, "{lower} {distance} {upper}");
        }
    }
}

#[test]
fn fast_finds_most_and_always_enough() {
    let width = 32;
    let x = rows(7, 4000, width);
    let queries: Vec<f32> = x[..20 * width].iter().map(|x| x + 0.01).collect();
    let mode = SearchMode::Fast { hamming_share: 0.1, rerank: 2, centroid_factor: 1.3 };
    for partitions in [0, 12] {
        let asked = Build { partitions, ..build(&x, width) };
        let index = Index::build(asked.clone(), &Job::default()).unwrap();
        let query = Query { queries: &queries, k: 10, filters: &[], mask: None, mode };
        let answer = index.search(&query, &Job::default()).unwrap().unwrap();
        let (want, _) = naive(&asked, &query);
        let met = answer.indices.chunks(10).zip(want.chunks(10));
        let met: usize = met.map(|(got, want)| got.iter().filter(|row| want.contains(row)).count()).sum();
        assert!(met > 120, "{met} of 200");
        assert_eq!(answer.examined, 20 * 20);
        let filters = [Filter { column: 0, operator: Operator::Less, value: 1.0, upper: 0.0 }];
        let query = Query { queries: &queries, k: 50, filters: &filters, mask: None, mode };
        let answer = index.search(&query, &Job::default()).unwrap().unwrap();
        assert_eq!(answer.indices, naive(&asked, &query).0, "40 match: all are found");
    }
}

#[test]
fn what_cannot_be_indexed_is_named() {
    let error = |x: &[f32], cosine| {
        let attributes = vec![];
        let asked = Build { cosine, attributes, columns: 0, ..build(x, 2) };
        Index::build(asked, &Job::default()).unwrap_err().to_string()
    };
    assert_eq!(error(&[0.0, 1.0, f32::NAN, 1.0], false), "x is not finite: row 1 holds NaN or Infinity");
    assert_eq!(error(&[0.0, 1.0, 0.0, -0.0], true), "row 1 is zero: it has no cosine distance");
    let index = Index::build(Build { cosine: true, ..build(&[1.0, 0.0], 2) }, &Job::default()).unwrap();
    assert_eq!(index.bounds(&[0.0, 0.0]), Err(0));
}

#[test]
fn bytes_are_the_index_again_and_spoilt_ones_are_refused() {
    let width = 9;
    let x = rows(8, 200, width);
    for (cosine, partitions) in [(false, 0), (true, 4)] {
        let index = Index::build(Build { cosine, partitions, ..build(&x, width) }, &Job::default()).unwrap();
        let bytes = index.to_bytes(true);
        assert_eq!(Index::from_bytes(&bytes, None), Ok(index.clone()));
        let short = index.to_bytes(false);
        assert_eq!(Index::from_bytes(&short, Some(&x)), Ok(index));
        assert!(Index::from_bytes(&short, None).unwrap_err().to_string().contains("x must be given"));
        assert!(Index::from_bytes(&bytes, Some(&x[1..])).unwrap_err().to_string().contains("[200, 9]"));
        for cut in 0..400.min(bytes.len()) {
            assert!(Index::from_bytes(&bytes[..cut], None).is_err());
            let mut spoilt = bytes.clone();
            spoilt[cut] ^= 0x40;
            let _ = Index::from_bytes(&spoilt, None);
        }
        assert!(Index::from_bytes(&[&bytes[..], &[0]].concat(), None).is_err());
    }
}

#[test]
fn the_thread_count_does_not_show() {
    let width = 12;
    let x = rows(9, 3 * 4096 + 41, width);
    let queries = rows(10, 5, width);
    let one = |threads: usize| {
        let pool = crate::threads::Budget::of(threads);
        pool.install(|| {
            let index =
                index::build_index(Build { partitions: 8, ..build(&x, width) }, &Job::default()).unwrap();
            let mode = SearchMode::Fast { hamming_share: 0.1, rerank: 2, centroid_factor: 1.3 };
            let query = Query { queries: &queries, k: 20, filters: &[], mask: None, mode };
            let answer = index.search(&query, &Job::default()).unwrap().unwrap();
            (index.to_bytes(true), answer)
        })
    };
    let want = one(1);
    assert!(one(2) == want && one(7) == want);
}
