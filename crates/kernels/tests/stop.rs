//! A job that was stopped ends the long operations, and changes nothing.

use tamis_kernels::job::{Aborted, Job};
use tamis_kernels::ngrams::{Texts, count_ngrams, hash_ngrams, score_ngrams};

#[test]
fn a_stopped_job_ends_the_work_on_n_grams() {
    let texts: Texts = ["one two", "three"].into_iter().collect();
    let job = Job::default();
    job.stop();
    assert_eq!(hash_ngrams(&texts, 2, 10, &job), Err(Aborted));
    let mut counts = vec![7; 10];
    assert_eq!(count_ngrams(&texts, 2, 10, None, &mut counts, &job), Err(Aborted));
    assert_eq!(count_ngrams(&texts, 2, 10, Some(1), &mut counts, &job), Err(Aborted));
    assert_eq!(counts, [7; 10]);
    assert_eq!(score_ngrams(&texts, &[0.0; 10], 2, 10, &job), Err(Aborted));
}

#[test]
fn a_limit_leaves_out_the_texts_behind_the_one_that_goes_over() {
    let texts: Texts = ["a b c", "a b", "a"].into_iter().collect();
    let counted = |limit| {
        let mut counts = vec![0; 100];
        count_ngrams(&texts, 2, 100, limit, &mut counts, &Job::default()).unwrap()
    };
    assert_eq!((counted(Some(4)), counted(Some(5)), counted(Some(7)), counted(None)), (5, 8, 8, 9));
}
