//! What a person is told of the groups: how large they are, what the dropped are the same as, and a few to look at.

use super::documents::Documents;
use super::groups::Groups;
use tamis_kernels::job::{Aborted, Job};

/// Groups that are measured at a time: 16 MiB. Each window of them takes a pass over the documents, 4 bytes each.
const WINDOW: usize = 1 << 22;

/// Groups of about one size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SizeClass {
    pub groups: u64,
    /// Documents in them.
    pub documents: u64,
}

/// The dropped of one file, by what they are the same as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasons {
    /// A document of their own source.
    pub within: u64,
    /// One of another source.
    pub across: u64,
    /// One that is only compared with.
    pub pinned: u64,
}

/// What there is to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Of the groups of two and more documents of which one is written: those of 2^i to 2^(i + 1) - 1 documents at i.
    pub sizes: Vec<SizeClass>,
    /// The largest of them, by the document that is written, and how many documents each has. Ties go to the lower document.
    pub largest: Vec<(u64, u64)>,
    /// Some of the dropped, spread over them, each of another group, and what stands for each.
    pub pairs: Vec<(u64, u64)>,
    /// Of each file that is written.
    pub reasons: Vec<Reasons>,
}

impl Groups {
    /// Looks at the groups of the documents of `sides`, the last of which is the one that is written; `sources` are those of its
    /// files. `most` large groups and as many pairs are named.
    pub fn survey(
        &self,
        sides: &[Documents],
        sources: &[u32],
        most: usize,
        job: &Job,
    ) -> Result<Survey, Aborted> {
        let Some(own) = sides.last() else { return Ok(Survey::default()) };
        let mut survey = Survey { reasons: vec![Reasons::default(); sources.len()], ..Survey::default() };
        let mut file = 0;
        for (document, of) in self.dropped() {
            while own.of_file(file).end <= document {
                file += 1;
                job.check()?;
            }
            let reasons = &mut survey.reasons[file];
            match of {
                of if self.is_pinned(of) => reasons.pinned += 1,
                of if sources[own.place(of).0] == sources[file] => reasons.within += 1,
                _ => reasons.across += 1,
            }
        }
        survey.pairs = self.pairs(most);
        self.measure(own, most, WINDOW, &mut survey, job)?;
        Ok(survey)
    }

    /// A dropped document of each stretch of them whose group no earlier one is of.
    fn pairs(&self, most: usize) -> Vec<(u64, u64)> {
        let stretch = (self.dropped().count() / most.max(1)).max(1);
        let mut pairs: Vec<(u64, u64)> = Vec::new();
        let mut next = 0;
        for (i, (document, of)) in self.dropped().enumerate() {
            if pairs.len() == most {
                break;
            }
            if i >= next && pairs.iter().all(|&(_, other)| other != of) {
                pairs.push((document, of));
                next = i + stretch;
            }
        }
        pairs
    }

    /// Takes the groups in by their size, a window of them at a time.
    fn measure(
        &self,
        own: &Documents,
        most: usize,
        window: usize,
        survey: &mut Survey,
        job: &Job,
    ) -> Result<(), Aborted> {
        let Survey { sizes, largest, .. } = survey;
        let end = own.range().end;
        for first in own.range().step_by(window) {
            job.check()?;
            let mut others = vec![0_u32; window.min((end - first) as usize)];
            let here = first..first + others.len() as u64;
            let dropped = self.dropped().filter(|(_, of)| here.contains(of));
            dropped.for_each(|(_, of)| others[(of - first) as usize] += 1);
            for (document, &others) in here.clone().zip(&others).filter(|(_, others)| **others > 0) {
                let documents = u64::from(others) + 1;
                let class = documents.ilog2() as usize;
                if sizes.len() <= class {
                    sizes.resize(class + 1, SizeClass::default());
                }
                sizes[class].groups += 1;
                sizes[class].documents += documents;
                let place = largest.partition_point(|&(_, of)| of >= documents);
                if place < most {
                    largest.insert(place, (document, documents));
                    largest.truncate(most);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::seen::Seen;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Documents of files of these lengths.
    fn documents(files: &[u64]) -> Documents {
        let mut seen = Seen::new(files.len());
        seen.files.iter_mut().zip(files).for_each(|(file, &records)| file.records = records);
        Documents::of(seen)
    }

    proptest! {
        #[test]
        fn sizes_reasons_and_pairs_are_those_of_a_naive_account(
            of in prop::collection::vec((0..9_u32, any::<bool>()), 1..120),
            cut in 0..120_usize,
            most in 0..5_usize,
            window in 1..50_usize,
        ) {
            // Each document is the same as the first one of its number.
            let mut first = BTreeMap::new();
            let representative: Vec<u32> = of
                .iter()
                .enumerate()
                .map(|(i, &(number, alone))| if alone { i as u32 } else { *first.entry(number).or_insert(i as u32) })
                .collect();
            let n = representative.len();
            let cut = cut.min(n);
            let own = documents(&[cut as u64, 0, (n - cut) as u64]);
            let groups = Groups::of(representative.clone());
            let job = Job::default();
            let survey = groups.survey(std::slice::from_ref(&own), &[0, 0, 1], most, &job).unwrap();

            let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
            representative.iter().for_each(|&of| *counts.entry(of).or_default() += 1);
            let mut large: Vec<(u64, u64)> =
                counts.iter().filter(|(_, n)| **n > 1).map(|(&of, &n)| (of.into(), n)).collect();
            let mut sizes = vec![SizeClass::default(); large.iter().map(|(_, n)| n.ilog2() as usize + 1).max().unwrap_or(0)];
            for &(_, n) in &large {
                sizes[n.ilog2() as usize].groups += 1;
                sizes[n.ilog2() as usize].documents += n;
            }
            large.sort_by_key(|&(of, n)| (std::cmp::Reverse(n), of));
            large.truncate(most);
            prop_assert_eq!(&survey.sizes, &sizes);
            prop_assert_eq!(&survey.largest, &large);
            let mut again = Survey::default();
            groups.measure(&own, most, window, &mut again, &job).unwrap();
            prop_assert_eq!((again.sizes, again.largest), (sizes, large));

            let dropped = |files: std::ops::Range<usize>, within: bool| {
                files
                    .filter(|&i| representative[i] as usize != i && ((representative[i] as usize >= cut) == (i >= cut)) == within)
                    .count() as u64
            };
            let reasons = |files: std::ops::Range<usize>| Reasons {
                within: dropped(files.clone(), true),
                across: dropped(files, false),
                pinned: 0,
            };
            prop_assert_eq!(&survey.reasons, &[reasons(0..cut), Reasons::default(), reasons(cut..n)]);

            let pairs = &survey.pairs;
            prop_assert!(pairs.len() <= most);
            prop_assert!(most == 0 || !pairs.is_empty() || (0..n).all(|i| representative[i] as usize == i));
            prop_assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0));
            for (at, &(document, of)) in pairs.iter().enumerate() {
                prop_assert!(document != of && u64::from(representative[document as usize]) == of);
                prop_assert!(pairs[..at].iter().all(|&(_, other)| other != of));
            }
        }
    }
}
