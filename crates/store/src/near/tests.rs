use super::*;
use proptest::prelude::*;
use tamis_kernels::lsh::Banding;
use tamis_kernels::near::Linker;

/// Documents whose bands have few different values, so that they agree; some of them empty.
fn signatures() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let row = prop_oneof![9 => prop::collection::vec(0..3_u32, 6), 1 => Just(vec![u32::MAX; 6])];
    prop::collection::vec(row, 0..80)
}

proptest! {
    #[test]
    fn the_answer_is_that_of_the_linker_for_any_memory_and_batches(
        rows in signatures(),
        bands in 1..4_usize,
        local in any::<bool>(),
        prefer in any::<bool>(),
        threshold in prop::option::of(prop::sample::select(vec![0.3, 0.5, 0.7])),
        memory in prop::sample::select(vec![1, 100, 1000, 1 << 20]),
        batch in 1..40_usize,
        on_disk in any::<bool>(),
    ) {
        let banding = Banding { bands, rows: 6 / bands };
        let sources: Vec<u32> = (0..rows.len() as u32).map(|i| i * 7 % 3).collect();
        let values: Vec<f32> = (0..rows.len()).map(|i| (i * 5 % 4) as f32).collect();
        let mut linker = Linker::new(banding, 6, threshold);
        let all = rows.concat();
        linker.add(&all, local.then_some(&sources[..]), prefer.then_some(&values[..]), &Job::default()).unwrap();

        let parent = tempfile::tempdir().unwrap();
        let mut finder = DuplicateFinder::<u64>::new(Settings {
            bands,
            verify: threshold.map(|threshold| Verify { num_perm: 6, threshold }),
            prefer,
            memory,
            folder: on_disk.then(|| parent.path().into()),
        });
        for (b, batch_rows) in rows.chunks(batch).enumerate() {
            let first = b * batch;
            let mut keys = Vec::new();
            for (row, i) in batch_rows.iter().zip(first..) {
                banding.digests(row, local.then(|| sources[i]), &mut keys);
            }
            let signatures = if threshold.is_some() { batch_rows.concat() } else { Vec::new() };
            let values = if prefer { &values[first..first + batch_rows.len()] } else { &[] };
            prop_assert_eq!(finder.add(&keys, &signatures, values).unwrap() as usize, first);
        }
        let (job, bytes) = (Job::default(), finder.finish_bytes());
        prop_assert_eq!(finder.finish(&job).unwrap(), linker.finish());
        prop_assert_eq!(job.progress().done, bytes);
        prop_assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}

/// Keys of many documents: document i has the key of i mod `distinct`.
fn keys(documents: u64, distinct: u64) -> Vec<u128> {
    (0..documents).map(|i| tamis_kernels::xxh3::hash128(&(i % distinct).to_le_bytes(), 0)).collect()
}

#[test]
fn many_documents_have_the_same_answer_in_one_part_and_in_many() {
    let (documents, distinct) = (3 * CHUNK as u64 + 77, 70_001);
    let parent = tempfile::tempdir().unwrap();
    let want: Vec<u32> = (0..documents).map(|i| (i % distinct) as u32).collect();
    for (memory, folder) in [(1 << 30, None), (1 << 20, Some(parent.path().to_path_buf()))] {
        let settings = Settings { bands: 1, verify: None, prefer: false, memory, folder };
        let mut finder = DuplicateFinder::<u128>::new(settings);
        for batch in keys(documents, distinct).chunks(10_000) {
            finder.add(batch, &[], &[]).unwrap();
        }
        let rounds = finder.plan().0;
        assert!(if memory == 1 << 30 { rounds == 1 } else { rounds >= 5 });
        assert_eq!(finder.finish(&Job::default()).unwrap(), want);
    }
}

#[test]
fn a_finder_that_is_dropped_or_stopped_leaves_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let settings =
        Settings { bands: 1, verify: None, prefer: true, memory: 0, folder: Some(parent.path().into()) };
    for stopped in [false, true] {
        let mut finder = DuplicateFinder::<u64>::new(settings.clone());
        finder.add(&[1, 1], &[], &[0.0, 1.0]).unwrap();
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
        if stopped {
            let job = Job::default();
            job.stop();
            assert!(matches!(finder.finish(&job), Err(Error::Aborted)));
        } else {
            drop(finder);
        }
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = std::path::PathBuf::from("/no/such/folder");
    let settings = Settings { bands: 1, verify: None, prefer: false, memory: 0, folder: Some(folder) };
    let error = DuplicateFinder::<u64>::new(settings).add(&[1], &[], &[]).unwrap_err();
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
}
