use super::*;
use proptest::prelude::*;

/// The definition, word by word, on the exact distances.
fn naive<T: Real>(request: &Request<T>) -> Kept {
    let candidates = candidates(request);
    let space = Space::new(request, &candidates).unwrap();
    let mut kept = Kept { indices: vec![], distances: vec![], radius: 0.0 };
    let mut near = vec![T::INFINITY; request.rows];
    let mut left: Vec<usize> = candidates.iter().map(|&row| row as usize).collect();
    if left.is_empty() {
        return kept;
    }
    let approach = |near: &mut [T], to: usize| {
        for &row in &candidates {
            let distance = space.between(row as usize, to);
            if distance < near[row as usize] {
                near[row as usize] = distance;
            }
        }
    };
    space.before.iter().for_each(|&i| approach(&mut near, i));
    let farthest = |left: &[usize], near: &[T]| {
        left.iter().copied().reduce(|best, row| if near[row] > near[best] { row } else { best })
    };
    if space.before.is_empty() && request.k > 0 {
        let all = left.clone();
        let least = |i: usize| {
            let others = all.iter().filter(|&&j| j != i).map(|&j| space.between(i, j));
            others.fold(T::INFINITY, |least, d| if d < least { d } else { least })
        };
        let most = |i: usize| {
            all.iter()
                .map(|&j| space.between(i, j))
                .fold(T::NEG_INFINITY, |most, d| if d > most { d } else { most })
        };
        let best = |value: &dyn Fn(usize) -> T| {
            all.iter().copied().reduce(|best, row| if value(row) > value(best) { row } else { best }).unwrap()
        };
        let (row, distance) = match request.start {
            Start::Row(row) => (row, f64::INFINITY),
            Start::Random(seed) => {
                let word = Philox::new(seed, 0).word(0);
                (all[((u64::from(word) * all.len() as u64) >> 32) as usize], f64::INFINITY)
            }
            Start::Isolated if all.len() == 1 => (all[0], 0.0),
            Start::Isolated => {
                let row = best(&least);
                (row, space.distance(least(row)))
            }
            Start::Pair => (best(&most), f64::INFINITY),
        };
        kept.indices.push(row as u32);
        kept.distances.push(distance as f32);
        left.retain(|&other| other != row);
        approach(&mut near, row);
    }
    while let Some(row) = farthest(&left, &near) {
        let distance = space.distance(near[row]);
        if kept.indices.len() >= request.k || distance < request.min_distance.unwrap_or(f64::NEG_INFINITY) {
            kept.radius = distance;
            break;
        }
        kept.indices.push(row as u32);
        kept.distances.push(distance as f32);
        left.retain(|&other| other != row);
        approach(&mut near, row);
    }
    kept
}

/// A request of everything, from row 0, by the cosine.
fn request<T: Real>(x: &[T], width: usize, k: usize) -> Request<'_, T> {
    Request {
        x,
        rows: x.len() / width,
        width,
        metric: Metric::Cosine,
        k,
        min_distance: None,
        start: Start::Row(0),
        mask: None,
        initial: &[],
        anchors: &[],
    }
}

/// Normal draws, moved and scaled.
fn normal(seed: u64, len: usize, spread: f64, centre: f64) -> Vec<f32> {
    let mut draws = vec![0.0; len];
    Philox::new(seed, 0).normal(&mut draws);
    draws.into_iter().map(|x| (centre + spread * x) as f32).collect()
}

/// Rows around few centres, with duplicates among them.
fn clustered(seed: u64, rows: usize, width: usize, clusters: usize, spread: f32) -> Vec<f32> {
    let centres = normal(seed, clusters * width, 1.0, 0.0);
    let noise = normal(seed + 1, rows * width, 1.0, 0.0);
    let item = |i: usize| {
        let (row, at) = (i / width, i % width);
        let noise = if row % 5 == 0 { 0.0 } else { spread * noise[i] };
        centres[row * 7919 % clusters * width + at] + noise
    };
    (0..rows * width).map(item).collect()
}

fn both_ways<T: Real>(request: &Request<T>) {
    let want = naive(request);
    for means in [NONE, CODED, PAIRED] {
        assert_eq!(choose(request, means, &Job::default()), Ok(want.clone()), "{means:?}");
    }
}

const NONE: Means = Means { coded: false, paired: false };
const CODED: Means = Means { coded: true, paired: false };
const PAIRED: Means = Means { coded: true, paired: true };

#[test]
fn the_definition_holds_for_every_rule_and_metric() {
    for (rows, width) in [(1, 3), (2, 5), (40, 4), (333, 17), (600, 48)] {
        for x in [normal(3, rows * width, 1.0, 0.1), clustered(5, rows, width, 9.min(rows), 0.01)] {
            for metric in [Metric::Cosine, Metric::Euclidean] {
                for start in [Start::Row(rows / 2), Start::Random(7), Start::Isolated, Start::Pair] {
                    both_ways(&Request { metric, start, ..request(&x, width, 25) });
                }
            }
        }
    }
}

#[test]
fn what_is_kept_before_is_neither_returned_nor_counted() {
    let (rows, width) = (500, 12);
    let x = normal(1, rows * width, 2.0, 1.0);
    let anchors = normal(2, 20 * width, 3.0, -1.0);
    let mask: Vec<u8> = (0..rows).map(|i| u8::from(i % 3 > 0)).collect();
    for metric in [Metric::Cosine, Metric::Euclidean] {
        for (initial, anchors) in [(&[4u32, 9, 499][..], &anchors[..]), (&[17], &[]), (&[], &anchors)] {
            for k in [0, 30, 1000] {
                let asked = Request { metric, mask: Some(&mask), initial, anchors, ..request(&x, width, k) };
                both_ways(&asked);
                both_ways(&Request { min_distance: Some(0.4), ..asked });
            }
        }
    }
}

#[test]
fn rows_out_of_the_mask_are_never_read() {
    let mut x = normal(1, 300 * 6, 1.0, 0.0);
    x[6..12].fill(f32::NAN);
    x[30..36].fill(0.0);
    let mut mask = vec![1; 300];
    (mask[1], mask[5]) = (0, 0);
    for start in [Start::Row(0), Start::Isolated, Start::Pair] {
        both_ways(&Request { mask: Some(&mask), start, ..request(&x, 6, 20) });
    }
}

#[test]
fn duplicates_come_last_lowest_first() {
    let distinct = normal(8, 20 * 40, 1.0, 0.0);
    let x = distinct.repeat(30);
    for metric in [Metric::Cosine, Metric::Euclidean] {
        let asked = Request { metric, start: Start::Row(3), ..request(&x, 40, 60) };
        both_ways(&asked);
        let kept = choose(&asked, CODED, &Job::default()).unwrap();
        assert!(kept.distances[20..].iter().all(|&distance| distance == 0.0));
        assert_eq!(
            kept.indices[20..],
            Vec::from_iter((0..60).filter(|i| !kept.indices[..20].contains(i)))[..40]
        );
        assert_eq!(kept.radius, 0.0);
    }
}

#[test]
fn rows_closer_than_codes_can_tell_are_told_apart() {
    let (rows, width) = (400, 32);
    for spread in [1e-3, 1e-5] {
        let x = normal(4, rows * width, spread, 5.0);
        for metric in [Metric::Cosine, Metric::Euclidean] {
            for start in [Start::Isolated, Start::Pair] {
                both_ways(&Request { metric, start, ..request(&x, width, 40) });
            }
        }
    }
}

#[test]
fn lengths_far_from_one_are_divided_out() {
    let mut x = normal(6, 300 * 8, 1.0, 0.0);
    let plain = choose(&request(&x, 8, 40), CODED, &Job::default()).unwrap();
    for (row, scale) in [(0, 1e-42f32), (7, 1e36), (20, 1e-30)] {
        x[row * 8..][..8].iter_mut().for_each(|x| *x *= scale);
    }
    let kept = choose(&request(&x, 8, 40), CODED, &Job::default()).unwrap();
    // The smallest row has lost digits before it came here.
    assert_eq!(kept.indices[1..4], plain.indices[1..4]);
    both_ways(&request(&x, 8, 40));
    both_ways(&Request { metric: Metric::Euclidean, ..request(&x, 8, 40) });
    let wide: Vec<f64> = x.iter().map(|&x| f64::from(x) * 1e-250).collect();
    both_ways(&request(&wide, 8, 40));
}

#[test]
fn a_matrix_of_distances_need_not_be_symmetric() {
    let rows = 70;
    let mut x: Vec<f32> = normal(9, rows * rows, 1.0, 0.0).iter().map(|x| x.abs()).collect();
    x[5 * rows..6 * rows].fill(f32::NAN);
    (0..rows).for_each(|i| x[i * rows + 5] = f32::NAN);
    let mask: Vec<u8> = (0..rows).map(|i| u8::from(i != 5)).collect();
    for start in [Start::Row(3), Start::Isolated, Start::Pair] {
        for initial in [&[][..], &[8u32, 0]] {
            let metric = Metric::Precomputed;
            both_ways(&Request { metric, start, initial, mask: Some(&mask), ..request(&x, rows, 30) });
        }
    }
}

#[test]
fn what_has_no_distance_is_named() {
    let x = [1.0f32, 0.0, 0.0, 0.0, f32::INFINITY, 1.0];
    let error = |asked: Request<f32>| farthest_first(&asked, &Job::default()).unwrap_err();
    let asked = request(&x, 2, 2);
    assert_eq!(error(asked.clone()).to_string(), "row 2 is not finite: it holds NaN or Infinity");
    let asked = Request { mask: Some(&[1, 1, 0]), ..asked };
    assert_eq!(error(asked.clone()), FarthestError::Zero { row: 1, anchor: false });
    let asked = Request { mask: Some(&[1, 0, 0]), anchors: &[1.0, 2.0, -0.0, 0.0], ..asked };
    assert_eq!(error(asked).to_string(), "row 1 of anchors is zero: it has no cosine distance");
    let stopped = Job::default();
    stopped.stop();
    assert_eq!(farthest_first(&request(&x[..2], 2, 1), &stopped), Err(FarthestError::Aborted));
}

#[test]
fn the_thread_count_does_not_show() {
    let (rows, width) = (3 * 4096 + 77, 24);
    let x = clustered(2, rows, width, 50, 0.3);
    for start in [Start::Row(11), Start::Isolated, Start::Pair] {
        for metric in [Metric::Cosine, Metric::Euclidean] {
            // All pairs of all rows are many: of a part they show as much.
            let rows = if start == Start::Row(11) { rows } else { rows / 4 };
            let asked = Request { metric, start, ..request(&x[..rows * width], width, 90) };
            let one = |threads: usize| {
                let pool = crate::threads::Budget::of(threads);
                pool.install(|| choose(&asked, PAIRED, &Job::default()).unwrap())
            };
            let kept = one(1);
            assert_eq!((one(2), one(7)), (kept.clone(), kept));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn codes_change_no_answer(
        seed: u32, rows in 1usize..200, width in 1usize..70, k in 0usize..60, clusters in 1usize..30,
        spread in prop::sample::select(vec![1e-4f32, 1e-2, 0.3, 2.0]), euclidean: bool, rule in 0usize..4,
    ) {
        let x = clustered(seed.into(), rows, width, clusters, spread);
        let start = [Start::Row(rows / 3), Start::Random(seed.into()), Start::Isolated, Start::Pair][rule];
        let metric = if euclidean { Metric::Euclidean } else { Metric::Cosine };
        both_ways(&Request { metric, start, ..request(&x, width, k) });
        let wide: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        both_ways(&Request { metric, start, ..request(&wide, width, k) });
    }
}
