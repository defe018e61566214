use super::*;
use crate::lsh::{self, Banding};
use crate::unionfind::{UnionFind, is_preferred};
use proptest::prelude::*;

/// Links from the definition: for each band a list of (key, holders), documents in order.
fn naive(
    rows: &[Vec<u32>],
    banding: Banding,
    sources: Option<&[u32]>,
    preferences: Option<&[f32]>,
    threshold: Option<f64>,
) -> Vec<u32> {
    let mut sets = UnionFind::new(rows.len() as u32);
    for band in 0..banding.bands {
        let mut holders: Vec<(Vec<u32>, Vec<usize>)> = Vec::new();
        for (i, row) in rows.iter().enumerate().filter(|(_, row)| row.iter().any(|&value| value != u32::MAX))
        {
            let mut key = row[band * banding.rows..][..banding.rows].to_vec();
            key.extend(sources.map(|sources| sources[i]));
            match holders.iter_mut().find(|(known, _)| *known == key) {
                None => holders.push((key, vec![i])),
                Some((_, list)) => {
                    let near = |&&j: &&usize| threshold.is_none_or(|t| lsh::estimate(row, &rows[j]) >= t);
                    let found: Vec<usize> = list.iter().filter(near).copied().collect();
                    for &j in &found {
                        sets.union(i as u32, j as u32);
                    }
                    if found.is_empty() {
                        list.push(i);
                    }
                }
            }
        }
    }
    let roots = sets.into_roots();
    let Some(values) = preferences else { return roots };
    let best = |root: u32| {
        (0..rows.len())
            .filter(|&i| roots[i] == root)
            .reduce(|best, i| if is_preferred(values[i], values[best]) { i } else { best })
    };
    roots.iter().map(|&root| best(root).unwrap() as u32).collect()
}

/// Signatures with few different values, so that bands agree; some of them empty.
fn rows() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let row = prop_oneof![
        9 => prop::collection::vec(0..3_u32, 6),
        1 => Just(vec![u32::MAX; 6]),
    ];
    prop::collection::vec(row, 0..60)
}

proptest! {
    #[test]
    fn documents_are_linked_as_the_definition_says(
        rows in rows(),
        bands in 1..4_usize,
        local in any::<bool>(),
        prefer in any::<bool>(),
        threshold in prop::option::of(prop::sample::select(vec![0.3, 0.5, 0.7, 1.0])),
        cut in 0..60_usize,
    ) {
        let banding = Banding { bands, rows: 6 / bands };
        let sources: Vec<u32> = (0..rows.len() as u32).map(|i| i * 7 % 3).collect();
        let values: Vec<f32> = (0..rows.len()).map(|i| (i * 5 % 4) as f32).collect();
        let sources = local.then_some(&sources[..]);
        let values = prefer.then_some(&values[..]);
        let mut linker = Linker::new(banding, 6, threshold);
        let cut = cut.min(rows.len());
        for part in [0..cut, cut..rows.len()] {
            let first = linker
                .add(
                    &rows[part.clone()].concat(),
                    sources.map(|all| &all[part.clone()]),
                    values.map(|all| &all[part.clone()]),
                    &Job::default(),
                )
                .unwrap();
            prop_assert_eq!(first as usize, part.start);
            // The mask is that of all documents so far.
            let so_far = naive(&rows[..part.end], banding, sources, values, threshold);
            let keep: Vec<u8> = part.map(|i| u8::from(so_far[i] == i as u32)).collect();
            prop_assert_eq!(linker.keep_since(first), keep);
        }
        prop_assert_eq!(linker.finish(), naive(&rows, banding, sources, values, threshold));
    }

    #[test]
    fn equal_documents_are_found(
        texts in prop::collection::vec("[ab ]{0,3}", 0..40),
        against in prop::collection::vec("[ab ]{0,3}", 0..3),
        clean_first in any::<bool>(),
        local in any::<bool>(),
    ) {
        let sources: Vec<u32> = (0..texts.len() as u32).map(|i| i % 2).collect();
        let form = |text: &String| {
            let mut out = text.clone().into_bytes();
            if clean_first {
                clean(text, &mut out);
            }
            out
        };
        let held: Vec<Vec<u8>> = against.iter().map(form).collect();
        let mut want = Distinct { keep: Vec::new(), representative: Vec::new() };
        for i in 0..texts.len() {
            let same = |&j: &usize| form(&texts[j]) == form(&texts[i]) && (!local || sources[i] == sources[j]);
            let is_held = held.contains(&form(&texts[i]));
            let first = if is_held { i } else { (0..=i).find(same).unwrap() };
            want.keep.push(u8::from(!is_held && first == i));
            want.representative.push(first as u32);
        }
        let how = Equality { clean: clean_first, sources: local.then_some(&sources[..]) };
        let (texts, against) = (texts.iter().collect(), against.iter().collect());
        prop_assert_eq!(distinct(&texts, &against, how, &Job::default()), Ok(want));
    }
}

#[test]
fn a_stopped_job_is_an_error() {
    let job = Job::default();
    job.stop();
    let texts = ["a"].into_iter().collect();
    assert_eq!(distinct(&texts, &Texts::default(), Equality::default(), &job), Err(Aborted));
    let mut linker = Linker::new(Banding { bands: 1, rows: 1 }, 1, None);
    assert_eq!(linker.add(&[1], None, None, &job), Err(Aborted));
    assert!(linker.is_empty());
}

#[test]
fn what_is_kept_is_its_own_representative() {
    assert_eq!(keep(&[0, 1, 0, 3, 1]), [1, 1, 0, 1, 0]);
    assert_eq!(kept(&[1, 1, 0, 1, 0]), [0, 1, 3]);
}
